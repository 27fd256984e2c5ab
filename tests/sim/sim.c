/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "flow.h"

#define START (1000 * JR_SEC) /* clocks begin somewhere */
#define SINK_PIECE (1u << 20)

void sim_conf_init(struct sim_conf *c, uint32_t n_flows)
{
    *c = (struct sim_conf){.seed = 1,
                           .time_s = 10,
                           .warmup_s = 2,
                           .mtu = 1500,
                           .bufsize = 1u << 20,
                           .sample_us = 10000,
                           .n_flows = n_flows};
    c->fwd = (struct sim_link){.rate_bps = 10000000, .delay_us = 10000, .queue_bytes = 65536};
    c->rev = (struct sim_link){.rate_bps = 0, .delay_us = 10000};
    c->flows = calloc(n_flows, sizeof *c->flows);
    jr_tcp_config_defaults(&c->tx_tcp);
    jr_tcp_config_defaults(&c->rx_tcp);
}

void sim_conf_fini(struct sim_conf *c) { free(c->flows); }

/* A ring of cap bytes in which nobody looks: every piece of it is the same memory. */
static uint8_t *make_sink(uint32_t cap)
{
    if (cap <= SINK_PIECE)
        return mmap(NULL, SINK_PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = memfd_create("sim-sink", MFD_CLOEXEC);
    uint8_t *p = mmap(NULL, cap, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fd < 0 || p == MAP_FAILED || ftruncate(fd, SINK_PIECE) != 0)
        abort();
    for (uint32_t at = 0; at < cap; at += SINK_PIECE)
        if (mmap(p + at, SINK_PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
            abort();
    close(fd);
    return p;
}

static void host_init(struct sim *s, uint32_t id, const struct jr_tcp_config *conf)
{
    struct host *h = &s->host[id];
    struct jr_tcp_config cfg = *conf;
    cfg.sendbuf_max = cfg.recvbuf_max = jr_max_u32(s->conf.bufsize, cfg.recvbuf_max); /* the window scale follows */
    cfg.sendspace = cfg.recvspace = s->conf.bufsize;                                  /* nothing else holds back */
    h->ip.sim = s;
    h->ip.id = id;
    h->ip.mtu = s->conf.mtu;
    h->ip.addr = jr_addr_v4(id == 0 ? 0x0100000a : 0x0200000a);
    sim_pool_init(&h->ip.pool, s->conf.mtu);
    cfg.seed = s->conf.seed * 2 + id;
    memcpy(cfg.secret, &cfg.seed, sizeof cfg.seed);
    cfg.port_first = 10000;
    h->tcp = jr_tcp_new(&h->ip, &cfg);
}

struct sim *sim_new(const struct sim_conf *c)
{
    struct sim *s = calloc(1, sizeof *s);
    s->conf = *c;
    s->start = START;
    s->now = START * 1000;
    s->flows = calloc(c->n_flows, sizeof *s->flows);
    s->wire[0].conf = c->fwd;
    s->wire[1].conf = c->rev;
    for (uint32_t i = 0; i < 2; i++)
        jr_rng_init(&s->wire[i].rng, c->seed * 7 + i);
    s->zeroes = mmap(NULL, c->bufsize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    s->sink = make_sink(c->bufsize);
    host_init(s, 0, &c->tx_tcp);
    host_init(s, 1, &c->rx_tcp);
    for (uint32_t i = 0; i < c->n_flows; i++) {
        struct flow *f = &s->flows[i];
        *f = (struct flow){.sim = s, .index = i, .conf = c->flows[i]};
        if (!flow_listen(f))
            abort();
        sim_queue_push(&s->q,
                       (struct sim_event){.at = s->now + (sim_ns)(f->conf.start_s * 1e9), .kind = EV_APP, .arg = i});
    }
    sim_queue_push(&s->q, (struct sim_event){.at = s->now + c->sample_us * 1000ull, .kind = EV_SAMPLE});
    return s;
}

void sim_output(struct sim *s, uint32_t host, struct sim_pkt *p)
{
    const sim_ns extra = p->flow < s->conf.n_flows ? s->flows[p->flow].conf.delay_us * 1000ull : 0;
    sim_ns again, at = sim_wire_send(&s->wire[host], p, extra, s->now, &again);
    if (at == 0)
        return;
    if (again != 0)
        sim_queue_push(&s->q,
                       (struct sim_event){.at = again, .kind = EV_ARRIVE, .arg = 1 - host, .pkt = sim_pkt_copy(p)});
    sim_queue_push(&s->q, (struct sim_event){.at = at, .kind = EV_ARRIVE, .arg = 1 - host, .pkt = p});
}

static void arrive(struct sim *s, const struct sim_event *e)
{
    struct host *h = &s->host[e->arg];
    struct jr_pkt *pkt = &e->pkt->pkt;
    const struct jr_ip_rx rx = {
        .src = s->host[1 - e->arg].ip.addr, .dst = h->ip.addr, .proto = 6, .tos = e->pkt->tos, .ttl = 64};
    pkt->flags = JR_PKT_RX_IP_CSUM_OK | JR_PKT_RX_L4_CSUM_OK;
    pkt->l4_off = (uint16_t)pkt->off;
    h->ip.tcp.input(h->ip.tcp.ctx, pkt, &rx, sim_now(s));
    h->dirty = true;
}

static void warm_up(struct sim *s)
{
    s->warm = true;
    for (uint32_t i = 0; i < s->conf.n_flows; i++)
        s->flows[i].base = s->flows[i].res.acked;
    for (uint32_t i = 0; i < 2; i++)
        s->wire[i].res.measured = s->wire[i].res.bytes;
}

static void sample(struct sim *s)
{
    if (!s->warm && sim_seconds(s) >= s->conf.warmup_s)
        warm_up(s);
    const double q = (double)sim_wire_queue(&s->wire[0], s->now);
    if (s->warm) {
        s->queue_sum += q;
        s->queue_samples++;
        if (q > s->wire[0].res.queue_max)
            s->wire[0].res.queue_max = q;
    }
    for (uint32_t i = 0; i < s->conf.n_flows; i++)
        flow_sample(&s->flows[i]);
    sim_queue_push(&s->q, (struct sim_event){.at = s->now + s->conf.sample_us * 1000ull, .kind = EV_SAMPLE});
}

static void flush_dirty(struct sim *s)
{
    for (int i = 0; i < 2; i++) {
        if (!s->host[i].dirty)
            continue;
        s->host[i].dirty = false;
        jr_tcp_flush(s->host[i].tcp, sim_now(s));
    }
}

/* Runs the next thing that happens, if that is before end. What arrives within a microsecond is one burst. */
static bool step(struct sim *s, sim_ns end)
{
    sim_ns tick = UINT64_MAX, next = s->q.n != 0 ? s->q.heap[0].at : UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        jr_time t = jr_tcp_next_tick(s->host[i].tcp);
        if (t != JR_TIME_NEVER)
            tick = jr_min_u64(tick, jr_max_u64(t * 1000, s->now));
    }
    if ((s->host[0].dirty || s->host[1].dirty) && jr_min_u64(tick, next) / 1000 > sim_now(s)) {
        flush_dirty(s);
        return true;
    }
    if (jr_min_u64(tick, next) > end)
        return false;
    s->events++;
    if (next <= tick || next / 1000 <= sim_now(s)) {
        struct sim_event e = sim_queue_pop(&s->q);
        s->now = jr_max_u64(e.at, s->now);
        if (e.kind == EV_ARRIVE)
            arrive(s, &e);
        else if (e.kind == EV_APP)
            flow_app(&s->flows[e.arg]);
        else
            sample(s);
        return true;
    }
    s->now = tick;
    for (int i = 0; i < 2; i++)
        if (jr_tcp_next_tick(s->host[i].tcp) <= sim_now(s))
            jr_tcp_tick(s->host[i].tcp, sim_now(s));
    return true;
}

void sim_run(struct sim *s)
{
    const sim_ns end = s->start * 1000 + (sim_ns)(s->conf.time_s * 1e9);
    if (s->conf.trace != NULL)
        fprintf(s->conf.trace, "t,flow,cwnd,ssthresh,srtt_us,bytes,rexmits,state,queue\n");
    while (step(s, end))
        ;
    s->now = end;
    for (uint32_t i = 0; i < s->conf.n_flows; i++) {
        struct flow *f = &s->flows[i];
        f->res.measured = f->res.acked - f->base;
        f->res.rtt_ms_mean = f->samples != 0 ? f->rtt_sum / (double)f->samples / 1000 : 0;
        f->res.cwnd_mean = f->samples != 0 ? f->cwnd_sum / (double)f->samples : 0;
    }
    for (int i = 0; i < 2; i++) {
        s->result[i] = s->wire[i].res;
        s->result[i].measured = s->wire[i].res.bytes - s->wire[i].res.measured;
    }
    s->result[0].queue_mean = s->queue_samples != 0 ? s->queue_sum / (double)s->queue_samples : 0;
}

const struct sim_flow_result *sim_flow(const struct sim *s, uint32_t i) { return &s->flows[i].res; }
const struct sim_link_result *sim_link_fwd(const struct sim *s) { return &s->result[0]; }
const struct sim_link_result *sim_link_rev(const struct sim *s) { return &s->result[1]; }
uint64_t sim_count(const struct sim *s, enum jr_counter c) { return s->host[0].ip.counters.v[c]; }
uint64_t sim_events(const struct sim *s) { return s->events; }

double sim_goodput_bps(const struct sim *s, uint32_t i)
{
    return (double)s->flows[i].res.measured * 8 / (s->conf.time_s - s->conf.warmup_s);
}

double sim_utilisation(const struct sim *s)
{
    const double headers = 20 + 32, payload = (double)s->conf.mtu - headers;
    double sum = 0;
    for (uint32_t i = 0; i < s->conf.n_flows; i++)
        sum += sim_goodput_bps(s, i);
    return sum / ((double)s->conf.fwd.rate_bps * payload / (double)s->conf.mtu);
}

double sim_jain(const struct sim *s, uint32_t from, uint32_t to)
{
    double sum = 0, squares = 0;
    for (uint32_t i = from; i < to; i++) {
        double x = sim_goodput_bps(s, i);
        sum += x;
        squares += x * x;
    }
    return squares == 0 ? 0 : sum * sum / ((double)(to - from) * squares);
}

bool sim_free(struct sim *s)
{
    bool ok = true;
    for (uint32_t i = 0; i < s->conf.n_flows; i++)
        flow_close(&s->flows[i]);
    s->host[0].dirty = s->host[1].dirty = true;
    const sim_ns end = s->now + 300 * JR_SEC * 1000;
    s->conf.trace = NULL;
    s->conf.sample_us = 1000000000;
    while (step(s, end))
        ;
    for (uint32_t i = 0; i < s->conf.n_flows; i++)
        ok &= flow_fini(&s->flows[i]);
    while (s->q.n != 0) {
        struct sim_event e = sim_queue_pop(&s->q);
        if (e.kind == EV_ARRIVE)
            jr_pkt_free(&e.pkt->pkt);
    }
    for (int i = 0; i < 2; i++) {
        ok &= jr_tcp_count(s->host[i].tcp) == 0;
        jr_tcp_free(s->host[i].tcp);
    }
    for (int i = 0; i < 2; i++) {
        ok &= s->host[i].ip.pool.pool.in_use == 0;
        sim_pool_fini(&s->host[i].ip.pool);
    }
    munmap(s->zeroes, s->conf.bufsize);
    munmap(s->sink, s->conf.bufsize <= SINK_PIECE ? SINK_PIECE : s->conf.bufsize);
    free(s->q.heap);
    free(s->flows);
    free(s);
    return ok;
}
