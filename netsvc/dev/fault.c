/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each direction is a line: a packet is dropped, damaged or doubled when it arrives, gets the time when it leaves
 * (serialisation at the rate, then delay, jitter and the penalty of reordering), and waits for it in a heap.
 */
#include "dev/fault.h"

#include <stdlib.h>

#include "base/rng.h"

#define BURST 32u

struct held {
    jr_time due;
    uint64_t order; /* equal times leave in the order they came */
    struct jr_pkt *pkt;
};

struct line {
    struct jr_fault_dir cfg;
    struct held *heap;
    uint32_t n;
    uint64_t order;
    uint64_t free_ns; /* when the line has sent what it was given */
};

struct jr_fault {
    struct jr_dev dev;
    struct jr_dev *inner;
    struct line rx, tx;
    struct jr_pkt *out[BURST]; /* due, but inner did not take them yet */
    uint32_t n_out;
    struct jr_rng rng;
    struct jr_counters *c;
};

static bool dir_is_active(const struct jr_fault_dir *d)
{
    return d->drop > 0 || d->duplicate > 0 || d->reorder > 0 || d->corrupt > 0 || d->delay_us || d->jitter_us ||
           d->rate_bps;
}

bool jr_fault_is_active(const struct jr_fault_config *cfg)
{
    return dir_is_active(&cfg->rx) || dir_is_active(&cfg->tx);
}

static bool roll(struct jr_fault *f, double p) { return p > 0 && (double)(jr_rng_u64(&f->rng) >> 11) * 0x1p-53 < p; }

static bool is_before(const struct held *a, const struct held *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_push(struct line *l, struct held h)
{
    uint32_t i = l->n++;
    for (; i > 0 && is_before(&h, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = h;
}

static struct jr_pkt *heap_pop(struct line *l)
{
    struct jr_pkt *top = l->heap[0].pkt;
    struct held h = l->heap[--l->n];
    uint32_t i = 0;
    for (;;) {
        uint32_t kid = 2 * i + 1;
        if (kid >= l->n)
            break;
        if (kid + 1 < l->n && is_before(&l->heap[kid + 1], &l->heap[kid]))
            kid++;
        if (!is_before(&l->heap[kid], &h))
            break;
        l->heap[i] = l->heap[kid];
        i = kid;
    }
    l->heap[i] = h;
    return top;
}

static jr_time due_time(struct jr_fault *f, struct line *l, uint32_t bytes, jr_time now)
{
    const struct jr_fault_dir *d = &l->cfg;
    jr_time due = now;
    if (d->rate_bps) {
        if (l->free_ns < now * 1000)
            l->free_ns = now * 1000;
        l->free_ns += (uint64_t)bytes * 8 * 1000000000ull / d->rate_bps;
        due = l->free_ns / 1000;
    }
    due += d->delay_us;
    if (d->jitter_us) {
        uint32_t shift = jr_rng_below(&f->rng, 2 * d->jitter_us + 1);
        due = due + shift > now + d->jitter_us ? due + shift - d->jitter_us : now;
    }
    if (roll(f, d->reorder)) {
        jr_count(f->c, JR_C_FAULT_REORDERED);
        due += d->reorder_us;
    }
    return due;
}

static void hold(struct jr_fault *f, struct line *l, struct jr_pkt *pkt, jr_time now)
{
    if (l->n == l->cfg.limit_pkts) {
        jr_drop(f->c, pkt, JR_C_FAULT_QUEUE_FULL);
        return;
    }
    heap_push(l, (struct held){.due = due_time(f, l, pkt->len, now), .order = l->order++, .pkt = pkt});
}

static void damage(struct jr_fault *f, struct jr_pkt *pkt)
{
    if (!pkt->len)
        return;
    uint32_t bit = jr_rng_below(&f->rng, pkt->len * 8);
    jr_pkt_data(pkt)[bit / 8] ^= (uint8_t)(1u << bit % 8);
    pkt->flags &= ~(uint32_t)(JR_PKT_RX_IP_CSUM_OK | JR_PKT_RX_L4_CSUM_OK);
    jr_count(f->c, JR_C_FAULT_CORRUPTED);
}

/* NULL when memory is short: then nothing is doubled. */
static struct jr_pkt *copy_of(const struct jr_pkt *pkt)
{
    struct jr_pkt *twin = jr_pkt_new(pkt->pool);
    if (!twin)
        return NULL;
    if (twin->buf_len < pkt->off + pkt->len) {
        jr_pkt_free(twin);
        return NULL;
    }
    twin->off = pkt->off;
    twin->len = pkt->len;
    twin->flags = pkt->flags;
    twin->l3_off = pkt->l3_off;
    twin->l4_off = pkt->l4_off;
    twin->l4_len = pkt->l4_len;
    twin->tso_segsz = pkt->tso_segsz;
    memcpy(jr_pkt_data(twin), jr_pkt_data(pkt), pkt->len);
    return twin;
}

static void submit(struct jr_fault *f, struct line *l, struct jr_pkt *pkt, jr_time now)
{
    if (roll(f, l->cfg.drop)) {
        jr_drop(f->c, pkt, JR_C_FAULT_DROPPED);
        return;
    }
    struct jr_pkt *twin = roll(f, l->cfg.duplicate) ? copy_of(pkt) : NULL;
    if (twin)
        jr_count(f->c, JR_C_FAULT_DUPLICATED);
    if (roll(f, l->cfg.corrupt))
        damage(f, pkt);
    hold(f, l, pkt, now);
    if (twin)
        hold(f, l, twin, now);
}

static uint32_t take_due(struct line *l, struct jr_pkt **pkts, uint32_t n, jr_time now)
{
    uint32_t got = 0;
    while (got < n && l->n && l->heap[0].due <= now)
        pkts[got++] = heap_pop(l);
    return got;
}

static void flush_tx(struct jr_fault *f, jr_time now)
{
    for (;;) {
        f->n_out += take_due(&f->tx, f->out + f->n_out, BURST - f->n_out, now);
        if (!f->n_out)
            return;
        unsigned sent = f->inner->ops->tx_burst(f->inner, f->out, f->n_out, now);
        f->n_out -= sent;
        for (uint32_t i = 0; i < f->n_out; i++)
            f->out[i] = f->out[i + sent];
        if (f->n_out)
            return;
    }
}

static unsigned fault_rx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_fault *f = (struct jr_fault *)dev;
    flush_tx(f, now);
    struct jr_pkt *in[BURST];
    unsigned got = f->inner->ops->rx_burst(f->inner, in, BURST, now);
    for (unsigned i = 0; i < got; i++)
        submit(f, &f->rx, in[i], now);
    got = take_due(&f->rx, pkts, n, now);
    for (unsigned i = 0; i < got; i++)
        dev->rx_bytes += pkts[i]->len;
    dev->rx_pkts += got;
    return got;
}

static unsigned fault_tx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_fault *f = (struct jr_fault *)dev;
    for (unsigned i = 0; i < n; i++) {
        dev->tx_bytes += pkts[i]->len;
        submit(f, &f->tx, pkts[i], now);
    }
    dev->tx_pkts += n;
    flush_tx(f, now);
    return n;
}

static jr_time fault_next_event(struct jr_dev *dev)
{
    struct jr_fault *f = (struct jr_fault *)dev;
    jr_time next = f->inner->ops->next_event ? f->inner->ops->next_event(f->inner) : JR_TIME_NEVER;
    if (f->n_out)
        return 0;
    if (f->rx.n && f->rx.heap[0].due < next)
        next = f->rx.heap[0].due;
    if (f->tx.n && f->tx.heap[0].due < next)
        next = f->tx.heap[0].due;
    return next;
}

static unsigned fault_wait_fds(struct jr_dev *dev, int *fds, unsigned n)
{
    struct jr_fault *f = (struct jr_fault *)dev;
    return f->inner->ops->wait_fds ? f->inner->ops->wait_fds(f->inner, fds, n) : 0;
}

static void line_fini(struct line *l)
{
    while (l->n)
        jr_pkt_free(heap_pop(l));
    free(l->heap);
}

static void fault_close(struct jr_dev *dev)
{
    struct jr_fault *f = (struct jr_fault *)dev;
    line_fini(&f->rx);
    line_fini(&f->tx);
    for (uint32_t i = 0; i < f->n_out; i++)
        jr_pkt_free(f->out[i]);
    f->inner->ops->close(f->inner);
    free(f);
}

static const struct jr_dev_ops fault_ops = {
    .rx_burst = fault_rx_burst,
    .tx_burst = fault_tx_burst,
    .next_event = fault_next_event,
    .wait_fds = fault_wait_fds,
    .close = fault_close,
};

static bool line_init(struct line *l, const struct jr_fault_dir *cfg)
{
    l->cfg = *cfg;
    if (!l->cfg.reorder_us)
        l->cfg.reorder_us = 1000;
    if (!l->cfg.limit_pkts)
        l->cfg.limit_pkts = 1000;
    l->heap = calloc(l->cfg.limit_pkts + 1, sizeof *l->heap);
    return l->heap;
}

struct jr_dev *jr_fault_new(struct jr_dev *inner, const struct jr_fault_config *cfg, struct jr_counters *counters)
{
    struct jr_fault *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->dev = *inner;
    f->dev.ops = &fault_ops;
    if (dir_is_active(&cfg->tx)) /* what is lost or damaged must be whole, checksummed packets */
        f->dev.caps &= ~(uint32_t)(JR_DEV_TX_IP_CSUM | JR_DEV_TX_L4_CSUM | JR_DEV_TX_TSO);
    f->inner = inner;
    f->c = counters;
    jr_rng_init(&f->rng, cfg->seed);
    if (!line_init(&f->rx, &cfg->rx) || !line_init(&f->tx, &cfg->tx)) {
        free(f->rx.heap);
        free(f->tx.heap);
        free(f);
        return NULL;
    }
    return &f->dev;
}
