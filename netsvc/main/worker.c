/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds the worker from the configuration, bottom up, runs its loop, and takes it apart top down. */
#include "main/worker.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "base/siphash.h"
#include "dev/eal.h"
#include "jr_abi.h"
#include "link/loopif.h"
#include "link/nd6.h"
#include "link/neigh.h"
#include "main/knobs.h"
#include "main/mirror.h"
#include "main/netlink.h"
#include "main/stats.h"
#include "udp/udp.h"

/* ---- Hooks ---- */

static int port_add(void *ctx, uint8_t proto, bool v6, uint16_t port)
{
    struct jr_worker *w = ctx;
    for (unsigned i = 0; i < w->n_ports; i++) {
        int rc = w->ports[i].port.steer ? jr_steer_add_port(w->ports[i].port.steer, proto, v6, port) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static void port_del(void *ctx, uint8_t proto, bool v6, uint16_t port)
{
    struct jr_worker *w = ctx;
    for (unsigned i = 0; i < w->n_ports; i++)
        if (w->ports[i].port.steer)
            jr_steer_del_port(w->ports[i].port.steer, proto, v6, port);
}

static void neigh_ask(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    struct jr_worker *w = ctx;
    (void)now;
    if (w->netlink)
        jr_netlink_ask_neigh(w->netlink, ifp->ifindex, addr);
}

/* ---- Ports ---- */

static int add_addresses(struct jr_worker *w, struct jr_worker_port *p, jr_time now)
{
    for (unsigned i = 0; i < p->cfg->n_addrs; i++) {
        const struct jr_config_prefix *a = &p->cfg->addrs[i];
        if (!jr_addr_is_v4(a->addr)) {
            int rc6 = jr_ip_addr_add(w->ip, p->ifp, a->addr, a->plen, (struct jr_addr){.q = {0, 0}}, true, now);
            if (rc6)
                return rc6;
            continue;
        }
        uint32_t host = a->plen ? ~(~0u << (32 - a->plen)) : ~0u;
        struct jr_addr none = jr_addr_v4(0);
        struct jr_addr bcast = jr_addr_v4(jr_addr_to_v4(a->addr) | __builtin_bswap32(host));
        int rc = jr_ip_addr_add(w->ip, p->ifp, a->addr, a->plen, a->plen < 31 ? bcast : none, true, now);
        if (rc)
            return rc;
    }
    return 0;
}

static void add_neighbours(struct jr_worker_port *p, jr_time now)
{
    for (unsigned i = 0; i < p->cfg->n_neighs; i++) {
        const struct jr_config_neigh *n = &p->cfg->neighs[i];
        const struct jr_addr addr = jr_addr_is_v4(n->addr) ? n->addr : jr_ipv6_set_zone(n->addr, p->ifp->nd6->zone);
        jr_neigh_set(p->ifp, addr, n->mac, JR_NEIGH_PERMANENT, now);
    }
}

static int open_port(struct jr_worker *w, const struct jr_config_port *cfg, jr_time now)
{
    struct jr_worker_port *p = &w->ports[w->n_ports];
    p->cfg = cfg;
    int rc = jr_port_open(&p->port, &cfg->dev, w->n_ports, &w->counters);
    if (rc)
        return rc;
    p->ifp = jr_netif_new(p->port.dev, &w->counters, &w->rng);
    if (!p->ifp) {
        jr_port_close(&p->port);
        return -ENOMEM;
    }
    w->n_ports++;
    p->ifp->ifindex = (uint32_t)p->port.ifindex;
    p->ifp->cfg = &w->link;
    jr_netif_set_vlan(p->ifp, cfg->vlan);
    if (cfg->dev.share)
        p->ifp->hooks = (struct jr_netif_hooks){.ctx = w, .neigh_ask = neigh_ask};
    rc = jr_ip_netif_add(w->ip, p->ifp);
    if (!rc && !cfg->dev.share)
        rc = jr_ip_start6(w->ip, p->ifp, w->cfg->ip.ip6_accept_rtadv, now);
    if (!rc)
        add_neighbours(p, now);
    return rc ? rc : add_addresses(w, p, now);
}

static struct jr_netif *netif_named(struct jr_worker *w, const char *name)
{
    for (unsigned i = 0; i < w->n_ports; i++)
        if (strcmp(w->ports[i].cfg->dev.name, name) == 0)
            return w->ports[i].ifp;
    return NULL;
}

static int add_routes(struct jr_worker *w)
{
    for (unsigned i = 0; i < w->cfg->n_routes; i++) {
        const struct jr_config_route *r = &w->cfg->routes[i];
        struct jr_ip_route_conf conf = {
            .dst = r->dst.addr,
            .plen = r->dst.plen,
            .metric = r->metric,
            .ifp = netif_named(w, r->port),
            .gw = r->via, /* a router's link-local address is of the port's zone */
            .src = r->src,
            .mtu = r->mtu,
        };
        if (conf.ifp)
            conf.gw = jr_ipv6_set_zone(conf.gw, conf.ifp->nd6->zone);
        int rc = jr_ip_route_add(w->ip, &conf);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- Life ---- */

static bool random_bytes(void *p, size_t n) { return getrandom(p, n, 0) == (ssize_t)n; }

/* From machine-id(5), which is never told as it is; without one there is no secret. */
static void make_stable_secret(uint8_t secret[16])
{
    char id[33] = "";
    FILE *f = fopen("/etc/machine-id", "re");
    if (!f)
        return;
    if (fscanf(f, "%32[0-9a-f]", id) == 1 && strlen(id) == 32) {
        for (uint8_t half = 0; half < 2; half++) {
            const uint8_t key[16] = {'j', 'o', 'y', 'r', 'i', 'd', 'e', ' ', '7', '2', '1', '7', half};
            const uint64_t h = jr_siphash(key, id, 32);
            memcpy(secret + 8 * half, &h, sizeof h);
        }
    }
    fclose(f);
}

/* The kernel's loopback interface: programs name it by its number. */
static int make_loop(struct jr_worker *w, jr_time now)
{
    w->lo = jr_loopif_new(&w->counters, &w->rng);
    if (!w->lo)
        return -ENOMEM;
    w->lo->ifindex = if_nametoindex("lo");
    if (!w->lo->ifindex)
        w->lo->ifindex = 1;
    return jr_ip_set_loop(w->ip, w->lo, now);
}

/* What programs know from their kernel's loopback, as far as the file does not say otherwise. */
static void linux_defaults(const struct jr_config *cfg, struct jr_tcp_config *tcp)
{
    if (!cfg->has_localtimewait)
        tcp->nolocaltimewait = 0;
    if (!cfg->has_keepcnt)
        tcp->keepcnt = 9;
    if (!cfg->has_finwait2)
        tcp->fast_finwait2_recycle = 1;
}

static int make_stacks(struct jr_worker *w)
{
    struct jr_ip_config ip = w->cfg->ip;
    struct jr_tcp_config tcp = w->cfg->tcp;
    uint64_t seed;
    if (!random_bytes(&seed, sizeof seed) || !random_bytes(ip.secret, sizeof ip.secret) ||
        !random_bytes(tcp.secret, sizeof tcp.secret) || !random_bytes(&tcp.seed, sizeof tcp.seed))
        return -errno;
    make_stable_secret(ip.stable_secret);
    for (unsigned i = 0; i < w->cfg->n_ports; i++)
        ip.shared |= w->cfg->ports[i].dev.share;
    if (ip.shared && !w->cfg->has_portrange) /* above what Linux takes for itself */
        tcp.port_first = 61000;
    if (w->cfg->ctl.loopback == JR_ROUTE_SERVICE)
        linux_defaults(w->cfg, &tcp);
    jr_rng_init(&w->rng, seed);
    w->ip = jr_ip_new(&w->counters, &w->rng, &ip);
    w->tcp = w->ip ? jr_tcp_new(w->ip, &tcp) : NULL;
    w->udp = w->tcp ? jr_udp_new(w->ip, tcp.port_first, tcp.port_last, tcp.secret) : NULL;
    if (!w->udp)
        return -ENOMEM;
    *jr_udp_config(w->udp) = w->cfg->udp;
    w->link = w->cfg->link;
    return 0;
}

static int make_ctl(struct jr_worker *w, jr_time now)
{
    struct jr_ctl_config ctl = w->cfg->ctl;
    bool steers = false;
    for (unsigned i = 0; i < w->n_ports; i++) {
        steers |= w->ports[i].port.steer && w->ports[i].cfg->dev.share;
        ctl.shared_ports |= w->ports[i].cfg->dev.share;
    }
    ctl.run_dir = w->cfg->run_dir;
    ctl.ip = w->ip;
    ctl.tcp = w->tcp;
    ctl.udp = w->udp;
    ctl.counters = &w->counters;
    ctl.time_wait_us = 2 * w->cfg->tcp.msl * 1000;
    if (steers)
        ctl.hooks = (struct jr_port_hooks){.ctx = w, .port_add = port_add, .port_del = port_del};
    if (!random_bytes(ctl.key, sizeof ctl.key))
        return -errno;
    w->ctl = jr_ctl_new(&ctl, now);
    return w->ctl ? 0 : -errno;
}

static int start(struct jr_worker *w, jr_time now)
{
    int rc = make_stacks(w);
    for (unsigned i = 0; i < w->cfg->n_ports && !rc; i++)
        rc = open_port(w, &w->cfg->ports[i], now);
    if (rc)
        return rc;
    rc = add_routes(w);
    if (!rc && w->cfg->ctl.loopback == JR_ROUTE_SERVICE)
        rc = make_loop(w, now);
    if (!rc)
        rc = make_ctl(w, now);
    if (rc) {
        jr_log(JR_LOG_ERROR, "starting: %s", strerror(-rc));
        return rc;
    }
    w->mirror = jr_mirror_new(w);
    w->netlink = w->mirror ? jr_netlink_new(w->mirror, &w->counters, now) : NULL;
    if (!w->netlink) {
        jr_log(JR_LOG_ERROR, "rtnetlink: %s", strerror(errno));
        return -errno;
    }
    w->stats = jr_stats_new(w);
    if (!w->stats) {
        jr_log(JR_LOG_ERROR, "stats.sock: %s", strerror(errno));
        return -errno;
    }
    w->knobs = jr_knobs_new(w);
    if (!w->knobs) {
        jr_log(JR_LOG_ERROR, "sysctl.sock: %s", strerror(errno));
        return -errno;
    }
    if (w->cfg->telemetry)
        jr_telemetry_register(w);
    return jr_loop_init(w);
}

static void stop(struct jr_worker *w)
{
    jr_loop_fini(w);
    if (w->knobs)
        jr_knobs_free(w->knobs);
    if (w->stats)
        jr_stats_free(w->stats);
    if (w->netlink)
        jr_netlink_free(w->netlink);
    if (w->mirror)
        jr_mirror_free(w->mirror);
    if (w->ctl)
        jr_ctl_free(w->ctl);
    if (w->ip)
        jr_ip_flush(w->ip, jr_worker_now());
    if (w->udp)
        jr_udp_free(w->udp);
    if (w->tcp)
        jr_tcp_free(w->tcp);
    for (unsigned i = 0; i < w->n_ports; i++) {
        jr_ip_netif_del(w->ip, w->ports[i].ifp);
        jr_netif_free(w->ports[i].ifp);
        if (w->ports[i].port.dev->tx_pool->in_use)
            jr_log(JR_LOG_DEBUG, "port %s: %u packets are still out", w->ports[i].cfg->dev.name,
                   w->ports[i].port.dev->tx_pool->in_use);
    }
    if (w->ip)
        jr_ip_free(w->ip);
    if (w->lo)
        jr_loopif_free(w->lo);
    for (unsigned i = w->n_ports; i-- > 0;)
        jr_port_close(&w->ports[i].port);
}

int jr_worker_run(const struct jr_config *cfg, bool huge, int ready_fd)
{
    struct jr_port_config ports[JR_CONFIG_PORTS];
    static struct jr_worker worker; /* telemetry's thread may read it until the very end */
    struct jr_worker *w = &worker;
    *w = (struct jr_worker){.cfg = cfg, .signal_fd = -1, .control_fd = -1, .sleep_fd = -1, .load_fd = -1};
    for (unsigned i = 0; i < cfg->n_ports; i++)
        ports[i] = cfg->ports[i].dev;
    struct jr_eal_config eal = {
        .lcore = cfg->n_lcores ? cfg->lcores[0] : -1,
        .telemetry = cfg->telemetry,
        .ports = ports,
        .n_ports = cfg->n_ports,
    };
    if (jr_eal_start(&eal, huge))
        return huge ? JR_WORKER_NO_HUGE : EXIT_FAILURE;
    int rc = start(w, jr_worker_now());
    if (!rc) {
        if (write(ready_fd, "R", 1) != 1)
            jr_log(JR_LOG_DEBUG, "nobody waits for readiness");
        close(ready_fd);
        jr_log(JR_LOG_INFO, "ready");
        jr_loop_run(w);
    }
    stop(w);
    jr_eal_stop();
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
