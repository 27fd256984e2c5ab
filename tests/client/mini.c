/* SPDX-License-Identifier: BSD-3-Clause */
#include "mini.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/heap_pkt.h"
#include "base/pktq.h"
#include "base/rng.h"
#include "base/test.h"
#include "ctl/ctl.h"
#include "dev/dev.h"
#include "ip/ip.h"
#include "jr_abi.h"
#include "link/neigh.h"
#include "link/netif.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

struct host {
    struct jr_dev dev;
    struct jr_heap_pool pool;
    struct jr_pktq rx;
    struct host *peer;
    struct jr_counters counters;
    struct jr_rng rng;
    struct jr_netif *ifp;
    struct jr_ip *ip;
    struct jr_tcp *tcp;
    struct jr_udp *udp;
    struct jr_ctl *ctl;
    char dir[80];
    uint32_t frames, lose_every;
};

static char dir[64];
static pid_t mini_pid;
static volatile sig_atomic_t stop;

static struct host *host_of(struct jr_dev *dev) { return (struct host *)dev; }

static unsigned wire_rx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    unsigned got = 0;
    (void)now;
    while (got < n && (pkts[got] = jr_pktq_pop(&host_of(dev)->rx)))
        got++;
    return got;
}

static unsigned wire_tx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct host *h = host_of(dev);
    (void)now;
    for (unsigned i = 0; i < n; i++) {
        if (!h->lose_every || ++h->frames % h->lose_every)
            jr_pktq_push(&h->peer->rx, jr_heap_pkt_copy(&h->peer->pool, jr_pkt_data(pkts[i]), pkts[i]->len));
        jr_pkt_free(pkts[i]);
    }
    return n;
}

static void wire_close(struct jr_dev *dev) { (void)dev; }

static jr_time now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (jr_time)ts.tv_sec * JR_SEC + (jr_time)ts.tv_nsec / 1000;
}

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "mini: %s: %s\n", what, strerror(errno));
    _exit(2);
}

static void host_up(struct host *h, int i, const struct mini_config *mc, jr_time now)
{
    static const struct jr_dev_ops ops = {.rx_burst = wire_rx, .tx_burst = wire_tx, .close = wire_close};
    struct jr_addr us = jr_addr_v4(htonl(0x0a090001 + (uint32_t)i)),
                   other = jr_addr_v4(htonl(0x0a090001 + (uint32_t)!i));
    struct jr_ip_config ip;
    struct jr_tcp_config tcp;
    struct jr_ctl_config ctl;

    h->dev = (struct jr_dev){.ops = &ops, .name = "wire", .mac = {{2, 0, 0, 0, 0, (uint8_t)(i + 1)}}, .mtu = 9000};
    jr_heap_pool_init(&h->pool, 9100, 0);
    h->dev.tx_pool = &h->pool.pool;
    h->lose_every = mc->lose_every;
    jr_rng_init(&h->rng, 42 + (uint64_t)i);
    h->ifp = jr_netif_new(&h->dev, &h->counters, &h->rng);
    jr_ip_config_defaults(&ip);
    h->ip = jr_ip_new(&h->counters, &h->rng, &ip);
    need(jr_ip_netif_add(h->ip, h->ifp) == 0, "netif");
    need(jr_ip_addr_add(h->ip, h->ifp, us, 24, jr_addr_v4(htonl(0x0a0900ff)), true, now) == 0, "address");
    jr_neigh_set(h->ifp, other, (struct jr_ether_addr){{2, 0, 0, 0, 0, (uint8_t)(!i + 1)}}, JR_NEIGH_PERMANENT, now);
    jr_tcp_config_defaults(&tcp);
    tcp.seed = 7 + (uint64_t)i;
    h->tcp = jr_tcp_new(h->ip, &tcp);
    h->udp = jr_udp_new(h->ip, 49152, 65535, tcp.secret);
    jr_ctl_config_defaults(&ctl);
    ctl.run_dir = h->dir;
    ctl.ip = h->ip;
    ctl.tcp = h->tcp;
    ctl.udp = h->udp;
    ctl.counters = &h->counters;
    ctl.spin_us = mc->spin_us;
    if (mc->ring_init)
        ctl.ring_init = mc->ring_init;
    if (mc->no_pairs)
        ctl.loopback = JR_ROUTE_KERNEL;
    if (mc->udp_wildcard)
        ctl.udp_wildcard = JR_ROUTE_SERVICE;
    if (mc->multicast) {
        ctl.multicast = JR_ROUTE_SERVICE;
        ctl.shared_ports = false;
    }
    ctl.key[0] = (uint8_t)(3 + i);
    h->ctl = jr_ctl_new(&ctl, now);
    need(h->ctl, "ctl");
    const struct jr_ctl_route r[2] = {
        {.prefix = jr_addr_v4(htonl(0x0a090000)), .plen = 96 + 24, .route = JR_ROUTE_SERVICE},
        {.prefix = jr_addr_v4(htonl(0xe0000000)),
         .plen = 96 + 4,
         .route = mc->multicast ? JR_ROUTE_SERVICE : JR_ROUTE_KERNEL},
    };
    jr_ctl_set_routes(h->ctl, r, 2, &us, 1);
}

static unsigned turn(struct host *h, jr_time now)
{
    struct jr_pkt *pkts[64];
    unsigned n = h->dev.ops->rx_burst(&h->dev, pkts, 64, now), work = n;
    for (unsigned i = 0; i < n; i++)
        jr_ip_input(h->ifp, pkts[i], now);
    if (n)
        jr_tcp_flush(h->tcp, now);
    n = jr_ctl_poll(h->ctl, now);
    if (n)
        jr_tcp_flush(h->tcp, now);
    work += n;
    if (jr_tcp_next_tick(h->tcp) <= now)
        jr_tcp_tick(h->tcp, now);
    if (jr_ip_next_tick(h->ip) <= now)
        jr_ip_tick(h->ip, now);
    jr_ip_flush(h->ip, now);
    jr_ctl_flush_wakeups(h->ctl);
    return work;
}

static void on_term(int sig)
{
    (void)sig;
    stop = 1;
}

static void run(struct host *h, bool busy)
{
    unsigned idle = 0;
    jr_time fds_at = 0;
    while (!stop) {
        jr_time now = now_us();
        unsigned work = turn(&h[0], now) + turn(&h[1], now);
        if (now - fds_at >= 1000 || !busy) {
            jr_ctl_service_fds(h[0].ctl, now);
            jr_ctl_service_fds(h[1].ctl, now);
            fds_at = now;
        }
        idle = work || h[0].rx.count || h[1].rx.count ? 0 : idle + 1;
        if (idle < 4 || busy)
            continue;
        bool s0 = jr_ctl_prepare_sleep(h[0].ctl), s1 = jr_ctl_prepare_sleep(h[1].ctl);
        struct pollfd p[2] = {{.fd = jr_ctl_epoll_fd(h[0].ctl), .events = POLLIN},
                              {.fd = jr_ctl_epoll_fd(h[1].ctl), .events = POLLIN}};
        if (s0 && s1)
            poll(p, 2, 1);
        jr_ctl_woke(h[0].ctl);
        jr_ctl_woke(h[1].ctl);
    }
}

static void serve(const struct mini_config *mc, int ready)
{
    static struct host h[2];
    struct sigaction sa = {.sa_handler = on_term};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigaction(SIGTERM, &sa, NULL);
    alarm(120);
    h[0].peer = &h[1];
    h[1].peer = &h[0];
    for (int i = 0; i < 2; i++) {
        snprintf(h[i].dir, sizeof h[i].dir, "%s/%c", dir, 'a' + i);
        need(mkdir(h[i].dir, 0755) == 0, h[i].dir);
        host_up(&h[i], i, mc, now_us());
    }
    need(write(ready, "r", 1) == 1, "ready");
    run(h, mc->busy);
    for (int i = 0; i < 2; i++) {
        jr_ctl_free(h[i].ctl);
        jr_udp_free(h[i].udp);
        jr_tcp_free(h[i].tcp);
    }
    _exit(0);
}

void mini_start(const struct mini_config *cfg)
{
    int ready[2];
    char c;
    strcpy(dir, "/tmp/jr-mini-XXXXXX");
    need(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0 && pipe(ready) == 0, "mini_start");
    fflush(NULL);
    mini_pid = fork();
    if (mini_pid == 0)
        serve(cfg, ready[1]);
    close(ready[1]);
    JR_CHECK_EQ(read(ready[0], &c, 1), 1);
    close(ready[0]);
    mini_on('a');
}

void mini_on(char host)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%c/netsvc.sock", dir, host);
    setenv("JOYRIDE_SOCKET", path, 1);
}

static int ended(int sig)
{
    int status = -1;
    char cmd[96];
    kill(mini_pid, sig);
    waitpid(mini_pid, &status, 0);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    if (system(cmd) != 0)
        perror(cmd);
    return status;
}

void mini_kill(void) { ended(SIGKILL); }
void mini_stop(void) { JR_CHECK_EQ(ended(SIGTERM), 0); }
