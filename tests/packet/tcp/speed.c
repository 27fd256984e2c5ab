/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a segment costs TCP alone: no network layer, no device, packets from a ring that never allocates. Without
 * arguments every case runs (`meson test --benchmark`); with the name of a case and a number of segments that one, so
 * that two runs of different length under callgrind tell instructions per segment (tests/bench/engine.py).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/byteorder.h"
#include "base/counters.h"
#include "tcp/tcp.h"
#include "wire/cksum.h"
#include "wire/tcp_wire.h"

#define POOL 256u
#define ROOM 2048u
#define BURST 32u
#define PORTS 50000u /* connections to one port of the peer */

struct jr_ip {
    struct jr_ip_proto tcp;
    struct jr_counters counters;
    struct jr_pkt_pool pool;
    struct jr_pkt pkts[POOL];
    struct jr_pkt *free;
    uint64_t sent;
    uint32_t last_seq, last_ack, offloads;
    uint16_t sport;
};

static struct jr_pkt *pool_get(struct jr_pkt_pool *pool)
{
    struct jr_ip *ip = (struct jr_ip *)((char *)pool - offsetof(struct jr_ip, pool));
    struct jr_pkt *p = ip->free;
    if (p == NULL)
        return NULL;
    ip->free = p->next;
    p->next = NULL;
    p->off = JR_PKT_HEADROOM;
    p->len = p->flags = 0;
    return p;
}

static void pool_put(struct jr_pkt_pool *pool, struct jr_pkt *p)
{
    struct jr_ip *ip = (struct jr_ip *)((char *)pool - offsetof(struct jr_ip, pool));
    p->next = ip->free;
    ip->free = p;
}

static void ip_init(struct jr_ip *ip)
{
    memset(ip, 0, sizeof *ip);
    ip->pool = (struct jr_pkt_pool){pool_get, pool_put, ROOM, 0};
    for (unsigned i = 0; i < POOL; i++) {
        ip->pkts[i].buf = malloc(JR_PKT_HEADROOM + ROOM);
        ip->pkts[i].buf_len = JR_PKT_HEADROOM + ROOM;
        ip->pkts[i].pool = &ip->pool;
        pool_put(&ip->pool, &ip->pkts[i]);
    }
}

int jr_ip_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                 jr_time now)
{
    (void)tx;
    (void)rt;
    (void)now;
    const uint8_t *p = jr_pkt_data(pkt);
    ip->sent++;
    ip->sport = jr_load_be16(p);
    ip->last_seq = jr_load_be32(p + 4) + pkt->len - (uint32_t)(p[12] >> 4) * 4 + (p[13] & TH_SYN ? 1 : 0);
    ip->last_ack = jr_load_be32(p + 8);
    jr_pkt_free(pkt);
    return 0;
}
struct jr_counters *jr_ip_counters(struct jr_ip *ip) { return &ip->counters; }
uint32_t jr_ip_generation(const struct jr_ip *ip) { return (void)ip, 1; }
bool jr_ip_is_kernels(const struct jr_ip *ip, const struct jr_ip_rx *rx) { return (void)ip, (void)rx, false; }
bool jr_ip_is_shared(const struct jr_ip *ip) { return (void)ip, false; }
void jr_ip_set_proto(struct jr_ip *ip, uint8_t proto, const struct jr_ip_proto *ops) { (void)proto, ip->tcp = *ops; }
bool jr_ip_route(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    *out = (struct jr_ip_route){
        .next_hop = dst, .src = jr_addr_v4(0x0100000a), .mtu = 1500, .tx_offloads = ip->offloads};
    return true;
}
bool jr_ip_is_local(const struct jr_ip *ip, struct jr_addr addr) { return (void)ip, (void)addr, true; }
struct jr_pkt *jr_ip_pkt_new(struct jr_ip *ip, const struct jr_ip_route *rt) { return (void)rt, jr_pkt_new(&ip->pool); }
uint32_t jr_ip_pmtu_update(struct jr_ip *ip, struct jr_addr dst, uint16_t mtu, jr_time now)
{
    return (void)ip, (void)dst, (void)mtu, (void)now, 1500;
}
int jr_icmp_errno(uint8_t type, uint8_t code, bool *fatal) { return (void)type, (void)code, *fatal = false, 0; }
int jr_ip_ctl_errno(const struct jr_ip_ctl *ctl, bool *fatal) { return (void)ctl, *fatal = false, 0; }

static void on_event(void *so, struct jr_tcpcb *tp, uint32_t events, jr_time now)
{
    (void)so;
    struct jr_sockbuf *rcv = jr_tcp_rcv(tp);
    if (events & JR_TCP_EV_RX) {
        rcv->head = rcv->tail;
        jr_tcp_recved(tp, now);
    }
}
static const struct jr_tcp_upcalls upcalls = {.event = on_event};

struct conn {
    struct jr_tcpcb *tp;
    struct jr_sockbuf snd, rcv;
    uint16_t lport, fport;
    uint32_t seq, iss; /* the peer's next, ours */
};

struct bench {
    struct jr_ip ip;
    struct jr_tcp *tcp;
    struct conn *conns;
    unsigned n;
    jr_time now;
    bool rx_offload;
};

static struct jr_pkt *build(struct bench *b, struct conn *c, uint8_t flags, uint32_t ack, uint32_t len)
{
    const struct jr_ip_rx rx = {.src = jr_addr_v4(0x0200000a), .dst = jr_addr_v4(0x0100000a), .proto = 6};
    struct jr_pkt *pkt = jr_pkt_new(&b->ip.pool);
    uint8_t *p = jr_pkt_put(pkt, 32 + len);
    const struct jr_tcp_opts o = {.flags = TOF_TS, .tsval = (uint32_t)(b->now / JR_MS), .tsecr = 0};
    struct jr_tcp_view v = {
        .sport = c->fport, .dport = c->lport, .seq = c->seq, .ack = ack, .win = 65535, .flags = flags, .hlen = 32};
    jr_tcp_build(p, &v);
    jr_tcp_build_opts(p + 20, &o);
    if (b->rx_offload)
        pkt->flags |= JR_PKT_RX_L4_CSUM_OK;
    else
        jr_store_raw16(p + 16,
                       jr_cksum_fold(jr_cksum_partial(p, 32 + len, jr_cksum_pseudo(rx.src, rx.dst, 6, 32 + len))));
    c->seq += len + (flags & TH_SYN ? 1 : 0);
    return pkt;
}

static void inject(struct bench *b, struct jr_pkt *pkt)
{
    const struct jr_ip_rx rx = {.src = jr_addr_v4(0x0200000a), .dst = jr_addr_v4(0x0100000a), .proto = 6};
    b->ip.tcp.input(b->ip.tcp.ctx, pkt, &rx, b->now);
}

static void open_conns(struct bench *b, unsigned n, uint32_t cap)
{
    struct jr_tcp_config cfg;
    memset(b, 0, sizeof *b);
    jr_tcp_config_defaults(&cfg);
    cfg.port_first = 1024;
    ip_init(&b->ip);
    b->now = 1000 * JR_SEC;
    b->tcp = jr_tcp_new(&b->ip, &cfg);
    b->n = n;
    b->conns = calloc(n, sizeof *b->conns);
    for (unsigned i = 0; i < n; i++) {
        struct conn *c = &b->conns[i];
        const struct jr_endpoint to = {.addr = jr_addr_v4(0x0200000a), .port = (uint16_t)(80 + i / PORTS)};
        c->snd = (struct jr_sockbuf){.base = calloc(1, cap), .cap = cap};
        c->rcv = (struct jr_sockbuf){.base = calloc(1, cap), .cap = cap};
        c->tp = jr_tcp_open(b->tcp, &upcalls, NULL);
        jr_tcp_attach(c->tp, NULL, &c->snd, &c->rcv);
        if (jr_tcp_connect(c->tp, &to, b->now) != 0)
            abort();
        c->lport = b->ip.sport;
        c->fport = to.port;
        c->iss = b->ip.last_seq;
        c->seq = 1000;
        struct jr_pkt *pkt = jr_pkt_new(&b->ip.pool);
        const struct jr_ip_rx rx = {.src = to.addr, .dst = jr_addr_v4(0x0100000a), .proto = 6};
        struct jr_tcp_opts o = {.flags = TOF_MSS | TOF_SCALE | TOF_SACKPERM | TOF_TS, .mss = 1460, .wscale = 7};
        uint32_t hlen = 20 + jr_tcp_opts_len(&o);
        uint8_t *p = jr_pkt_put(pkt, hlen);
        struct jr_tcp_view v = {.sport = c->fport,
                                .dport = c->lport,
                                .seq = c->seq++,
                                .ack = c->iss,
                                .win = 65535,
                                .flags = TH_SYN | TH_ACK,
                                .hlen = (uint8_t)hlen};
        jr_tcp_build(p, &v);
        jr_tcp_build_opts(p + 20, &o);
        pkt->flags |= JR_PKT_RX_L4_CSUM_OK;
        b->ip.tcp.input(b->ip.tcp.ctx, pkt, &rx, b->now);
        jr_tcp_flush(b->tcp, b->now);
        if (jr_tcp_state(c->tp) != 4)
            abort();
    }
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void report(const char *name, uint64_t rx, uint64_t tx, double t)
{
    printf("%-16s %6.2f Mseg/s (%.2f in, %.2f out) %6.1f ns\n", name, (double)(rx + tx) / t / 1e6, (double)rx / t / 1e6,
           (double)tx / t / 1e6, t * 1e9 / (double)(rx + tx));
}

struct speed_case {
    const char *name;
    unsigned conns;
    uint32_t len; /* bytes of a received segment; 0: sends segments of 1448 */
    bool offload; /* checksums are the port's */
    unsigned segments;
};

/* Segments of len bytes come in bursts; each connection of a burst is acknowledged. */
static void receive(const struct speed_case *k, unsigned total)
{
    static struct bench b;
    const unsigned conns = k->conns;
    open_conns(&b, conns, conns > 1000 ? 4096 : 65536);
    b.rx_offload = k->offload;
    b.ip.offloads = k->offload ? JR_PKT_TX_L4_CSUM : 0;
    uint64_t sent = b.ip.sent;
    double t = seconds();
    for (unsigned i = 0, c = 0; i < total; i += BURST) {
        struct jr_pkt *pkts[BURST];
        struct jr_ip_hint hints[BURST];
        for (unsigned j = 0; j < BURST; j++) {
            struct conn *cn = &b.conns[c++ % conns];
            pkts[j] = build(&b, cn, TH_ACK | TH_PUSH, cn->iss, k->len);
            hints[j] = (struct jr_ip_hint){jr_addr_v4(0x0200000a), jr_addr_v4(0x0100000a), cn->fport, cn->lport};
        }
        if (b.ip.tcp.prefetch != NULL)
            b.ip.tcp.prefetch(b.ip.tcp.ctx, hints, BURST);
        for (unsigned j = 0; j < BURST; j++)
            inject(&b, pkts[j]);
        jr_tcp_flush(b.tcp, b.now);
        b.now += 30;
        if (i % 1024 == 0)
            jr_tcp_tick(b.tcp, b.now);
    }
    report(k->name, total, b.ip.sent - sent, seconds() - t);
    jr_tcp_free(b.tcp);
}

/* The app keeps the buffer full, the peer acknowledges every second segment. */
static void transmit(const struct speed_case *k, unsigned total)
{
    static struct bench b;
    open_conns(&b, 1, 1 << 20);
    b.rx_offload = k->offload;
    b.ip.offloads = k->offload ? JR_PKT_TX_L4_CSUM : 0;
    struct conn *c = &b.conns[0];
    uint32_t una = c->iss;
    uint64_t sent = b.ip.sent, acks = 0;
    double t = seconds();
    while (b.ip.sent - sent < total) {
        c->snd.tail = c->snd.head + c->snd.cap;
        jr_tcp_send(c->tp, b.now);
        for (unsigned j = 0; j < 16 && (int32_t)(b.ip.last_seq - una) >= 2896; j++, acks++) {
            una += 2896;
            inject(&b, build(&b, c, TH_ACK, una, 0));
        }
        jr_tcp_flush(b.tcp, b.now);
        b.now += 30;
        jr_tcp_tick(b.tcp, b.now);
    }
    report(k->name, acks, b.ip.sent - sent, seconds() - t);
    jr_tcp_free(b.tcp);
}

static const struct speed_case cases[] = {
    {"rx", 1, 1448, false, 4000000},          {"rx-offload", 1, 1448, true, 4000000},
    {"rx-1000", 1000, 64, true, 4000000},     {"rx-10000", 10000, 64, true, 4000000},
    {"rx-100000", 100000, 64, true, 4000000}, {"tx", 1, 0, false, 3000000},
    {"tx-offload", 1, 0, true, 3000000},
};

static void run(const struct speed_case *k, unsigned segments)
{
    if (k->len)
        receive(k, segments);
    else
        transmit(k, segments);
}

int main(int argc, char **argv)
{
    bool ran = false;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
            continue;
        run(&cases[i], argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : cases[i].segments);
        ran = true;
    }
    if (!ran)
        fprintf(stderr, "usage: tcp_speed [CASE [SEGMENTS]]\n");
    return ran ? 0 : 2;
}
