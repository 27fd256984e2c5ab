/* SPDX-License-Identifier: BSD-3-Clause */
/* The network layer's double, packets, the event heap and the model of a link. */
#include "net.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/byteorder.h"

#define PROTO_TCP 6
#define IP_HEADER 20u
#define ECN_CE 3u

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_queue_push(struct sim_queue *q, struct sim_event e)
{
    if (q->n == q->room) {
        q->room = q->room ? q->room * 2 : 4096;
        q->heap = realloc(q->heap, q->room * sizeof *q->heap);
    }
    e.order = q->order++;
    uint32_t i = q->n++;
    while (i != 0 && before(&e, &q->heap[(i - 1) / 2])) {
        q->heap[i] = q->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->heap[i] = e;
}

struct sim_event sim_queue_pop(struct sim_queue *q)
{
    struct sim_event top = q->heap[0], last = q->heap[--q->n];
    uint32_t i = 0;
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= q->n)
            break;
        if (c + 1 < q->n && before(&q->heap[c + 1], &q->heap[c]))
            c++;
        if (!before(&q->heap[c], &last))
            break;
        q->heap[i] = q->heap[c];
        i = c;
    }
    q->heap[i] = last;
    return top;
}

static struct jr_pkt *pool_get(struct jr_pkt_pool *pool)
{
    struct sim_pool *p = JR_CONTAINER_OF(pool, struct sim_pool, pool);
    struct sim_pkt *k = p->free;
    uint32_t len = JR_PKT_HEADROOM + pool->data_room;
    if (k != NULL)
        p->free = k->free_next;
    else
        k = malloc(sizeof *k + len);
    *k = (struct sim_pkt){.pkt = {.buf = k->bytes, .buf_len = len, .off = JR_PKT_HEADROOM, .pool = pool}};
    pool->in_use++;
    return &k->pkt;
}

static void pool_put(struct jr_pkt_pool *pool, struct jr_pkt *pkt)
{
    struct sim_pool *p = JR_CONTAINER_OF(pool, struct sim_pool, pool);
    struct sim_pkt *k = JR_CONTAINER_OF(pkt, struct sim_pkt, pkt);
    k->free_next = p->free;
    p->free = k;
    pool->in_use--;
}

void sim_pool_init(struct sim_pool *p, uint32_t room)
{
    *p = (struct sim_pool){.pool = {.get = pool_get, .put = pool_put, .data_room = room}};
}

void sim_pool_fini(struct sim_pool *p)
{
    while (p->free != NULL) {
        struct sim_pkt *k = p->free;
        p->free = k->free_next;
        free(k);
    }
}

struct sim_pkt *sim_pkt_copy(const struct sim_pkt *p)
{
    struct jr_pkt *pkt = jr_pkt_new(p->pkt.pool);
    struct sim_pkt *k = JR_CONTAINER_OF(pkt, struct sim_pkt, pkt);
    memcpy(k->bytes, p->bytes, p->pkt.buf_len);
    k->pkt.off = p->pkt.off;
    k->pkt.len = p->pkt.len;
    k->pkt.l4_off = p->pkt.l4_off;
    k->flow = p->flow;
    k->tos = p->tos;
    return k;
}

static bool dice(struct sim_wire *w, uint32_t ppm) { return ppm != 0 && jr_rng_below(&w->rng, 1000000) < ppm; }

static uint32_t wire_len(const struct sim_pkt *p) { return p->pkt.len + IP_HEADER; }

uint64_t sim_wire_queue(const struct sim_wire *w, sim_ns now)
{
    if (w->conf.rate_bps == 0 || w->free_at <= now)
        return 0;
    return (uint64_t)((double)(w->free_at - now) * (double)w->conf.rate_bps / 8e9);
}

/* RED in the small: the chance of being picked for what finds this much queued. */
static bool picked(struct sim_wire *w, uint64_t queued)
{
    const struct sim_link *c = &w->conf;
    if (c->aqm == SIM_STEP)
        return queued > c->mark_bytes;
    if (c->aqm != SIM_RED || queued <= c->red_min)
        return false;
    if (queued >= c->red_max)
        return true;
    return dice(w, (uint32_t)((queued - c->red_min) * c->red_ppm / (c->red_max - c->red_min)));
}

/* false: the queue or the dice took it. */
static bool survives(struct sim_wire *w, struct sim_pkt *p, sim_ns now)
{
    const struct sim_link *c = &w->conf;
    const uint64_t queued = sim_wire_queue(w, now);
    if (c->queue_bytes != 0 && queued + wire_len(p) > c->queue_bytes) {
        w->res.drops++;
        return false;
    }
    if (picked(w, queued)) {
        if ((p->tos & ECN_CE) != 0) {
            p->tos |= ECN_CE;
            w->res.marks++;
        } else if (c->aqm == SIM_RED) {
            w->res.drops++;
            return false;
        }
    }
    return true;
}

static bool lost(struct sim_wire *w)
{
    const struct sim_link *c = &w->conf;
    if (c->burst_ppm != 0)
        w->bad = w->bad ? !dice(w, c->burst_end_ppm) : dice(w, c->burst_ppm);
    if (!dice(w, w->bad ? c->burst_loss_ppm : c->loss_ppm))
        return false;
    w->res.losses++;
    return true;
}

sim_ns sim_wire_send(struct sim_wire *w, struct sim_pkt *p, sim_ns extra, sim_ns now, sim_ns *again)
{
    const struct sim_link *c = &w->conf;
    *again = 0;
    if (c->bleach)
        p->tos &= (uint8_t)~ECN_CE;
    if ((p->tos & ECN_CE) != 0)
        w->res.ects++;
    if (!survives(w, p, now)) {
        jr_pkt_free(&p->pkt);
        return 0;
    }
    if (c->rate_bps != 0) {
        if (w->free_at < now)
            w->free_at = now;
        w->free_at += (sim_ns)((double)wire_len(p) * 8e9 / (double)c->rate_bps);
    } else {
        w->free_at = now;
    }
    w->res.pkts++;
    w->res.bytes += wire_len(p);
    if (lost(w)) {
        jr_pkt_free(&p->pkt);
        return 0;
    }
    sim_ns at = w->free_at + c->delay_us * 1000ull + extra;
    if (c->jitter_us != 0) {
        at = jr_max_u64(at + jr_rng_below(&w->rng, c->jitter_us * 1000), w->last_out + 1);
        w->last_out = at;
    }
    if (c->scatter_us != 0)
        at += jr_rng_below(&w->rng, c->scatter_us * 1000);
    if (dice(w, c->dup_ppm))
        *again = at + 1000;
    if (dice(w, c->reorder_ppm))
        at += c->reorder_us * 1000ull;
    return at;
}

/* ---- ip/ip.h as tcp/ uses it ---- */

int jr_ip_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                 jr_time now)
{
    struct sim_pkt *p = JR_CONTAINER_OF(pkt, struct sim_pkt, pkt);
    const uint8_t *th = jr_pkt_data(pkt);
    (void)rt;
    (void)now;
    p->tos = tx->tos;
    p->flow = (uint16_t)(jr_load_be16(th + (ip->id == 0 ? 2 : 0)) - SIM_PORT_BASE);
    sim_output(ip->sim, ip->id, p);
    return 0;
}

struct jr_counters *jr_ip_counters(struct jr_ip *ip) { return &ip->counters; }

uint32_t jr_ip_generation(const struct jr_ip *ip)
{
    (void)ip;
    return 1;
}

bool jr_ip_is_shared(const struct jr_ip *ip)
{
    (void)ip;
    return false;
}

bool jr_ip_is_kernels(const struct jr_ip *ip, const struct jr_ip_rx *rx)
{
    (void)ip;
    (void)rx;
    return false;
}

void jr_ip_set_proto(struct jr_ip *ip, uint8_t proto, const struct jr_ip_proto *ops)
{
    if (proto == PROTO_TCP)
        ip->tcp = *ops;
}

bool jr_ip_route(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    *out = (struct jr_ip_route){
        .next_hop = dst, .src = ip->addr, .mtu = ip->mtu, .tx_offloads = JR_PKT_TX_L4_CSUM}; /* no bit is ever lost */
    return true;
}

bool jr_ip_is_local(const struct jr_ip *ip, struct jr_addr addr) { return jr_addr_eq(addr, ip->addr); }

struct jr_pkt *jr_ip_pkt_new(struct jr_ip *ip, const struct jr_ip_route *rt)
{
    (void)rt;
    return jr_pkt_new(&ip->pool.pool);
}

uint32_t jr_ip_pmtu_update(struct jr_ip *ip, struct jr_addr dst, uint16_t mtu, jr_time now)
{
    (void)dst;
    (void)mtu;
    (void)now;
    return ip->mtu;
}

int jr_icmp_errno(uint8_t type, uint8_t code, bool *fatal)
{
    (void)type;
    (void)code;
    *fatal = false;
    return EHOSTUNREACH;
}

int jr_ip_ctl_errno(const struct jr_ip_ctl *ctl, bool *fatal) { return jr_icmp_errno(ctl->type, ctl->code, fatal); }
