/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipe.h"

#include <stdlib.h>

#include "base/bits.h"

struct flying {
    jr_time at;
    uint64_t order;
    struct side *to;
    struct jr_addr src, dst;
    uint32_t len;
    uint8_t bytes[];
};

static bool before(const struct flying *a, const struct flying *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct pipe *p, struct flying *f)
{
    if (p->n == p->room) {
        p->room = p->room ? p->room * 2 : 1024;
        p->heap = realloc(p->heap, p->room * sizeof *p->heap);
    }
    uint32_t i = p->n++;
    while (i != 0 && before(f, p->heap[(i - 1) / 2])) {
        p->heap[i] = p->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    p->heap[i] = f;
}

static struct flying *heap_pop(struct pipe *p)
{
    struct flying *top = p->heap[0], *last = p->heap[--p->n];
    uint32_t i = 0;
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= p->n)
            break;
        if (c + 1 < p->n && before(p->heap[c + 1], p->heap[c]))
            c++;
        if (!before(p->heap[c], last))
            break;
        p->heap[i] = p->heap[c];
        i = c;
    }
    p->heap[i] = last;
    return top;
}

static bool dice(struct pipe *p, uint32_t ppm) { return ppm != 0 && jr_rng_below(&p->rng, 1000000) < ppm; }

static void launch(struct side *s, const struct jr_ip_tx *tx, const uint8_t *seg, uint32_t len, jr_time at)
{
    struct pipe *p = s->pipe;
    struct flying *f = malloc(sizeof *f + len);
    *f = (struct flying){.at = at, .order = p->order++, .to = s->other, .src = tx->src, .dst = tx->dst, .len = len};
    memcpy(f->bytes, seg, len);
    if (dice(p, p->cfg.corrupt_ppm))
        f->bytes[jr_rng_below(&p->rng, len)] ^= (uint8_t)(1u << jr_rng_below(&p->rng, 8));
    if (dice(p, p->cfg.reorder_ppm))
        f->at += p->cfg.reorder_us;
    heap_push(p, f);
}

static void on_sent(void *ctx, const struct jr_ip_tx *tx, const uint8_t *seg, uint32_t len, jr_time now)
{
    struct side *s = ctx;
    struct pipe *p = s->pipe;
    jr_time leave = now;
    s->pkts++;
    s->wire_bytes += len;
    if (p->cfg.bytes_per_s != 0) {
        jr_time busy = s->free_at > now ? s->free_at - now : 0;
        if (p->cfg.queue_bytes != 0 && busy * p->cfg.bytes_per_s / JR_SEC > p->cfg.queue_bytes) {
            s->lost++;
            return;
        }
        s->free_at = now + busy + (len + 20) * JR_SEC / p->cfg.bytes_per_s;
        leave = s->free_at;
    }
    if (dice(p, p->cfg.loss_ppm)) {
        s->lost++;
        return;
    }
    launch(s, tx, seg, len, leave + p->cfg.delay_us);
    if (dice(p, p->cfg.dup_ppm))
        launch(s, tx, seg, len, leave + p->cfg.delay_us);
}

static void side_init(struct side *s, struct pipe *p, struct side *other, const char *v4, const char *v6)
{
    ip_double_init(&s->ip, v4, v6);
    s->ip.out = on_sent;
    s->ip.out_ctx = s;
    s->pipe = p;
    s->other = other;
    jr_tcp_config_defaults(&s->cfg);
    s->cfg.seed = p->cfg.seed;
    memcpy(s->cfg.secret, v4, 8);
}

void pipe_init(struct pipe *p, const struct pipe_cfg *cfg)
{
    memset(p, 0, sizeof *p);
    p->cfg = *cfg;
    p->now = 1000 * JR_SEC;
    jr_rng_init(&p->rng, cfg->seed);
    side_init(&p->a, p, &p->b, "10.0.0.1", "fd00::1");
    side_init(&p->b, p, &p->a, "10.0.0.2", "fd00::2");
}

void pipe_start(struct pipe *p)
{
    p->a.tcp = jr_tcp_new(&p->a.ip, &p->a.cfg);
    p->b.tcp = jr_tcp_new(&p->b.ip, &p->b.cfg);
}

static void arrive(struct pipe *p)
{
    struct flying *f = heap_pop(p);
    ip_double_input(&f->to->ip, f->src, f->dst, f->bytes, f->len, false, p->now);
    jr_tcp_flush(f->to->tcp, p->now);
    free(f);
}

bool pipe_step(struct pipe *p)
{
    jr_time ta = jr_tcp_next_tick(p->a.tcp), tb = jr_tcp_next_tick(p->b.tcp);
    jr_time tick = jr_min_u64(ta, tb), fly = p->n != 0 ? p->heap[0]->at : JR_TIME_NEVER;
    jr_time next = jr_min_u64(tick, fly);
    if (next == JR_TIME_NEVER)
        return false;
    if (next > p->now)
        p->now = next;
    if (fly <= p->now) {
        arrive(p);
        return true;
    }
    if (ta <= p->now)
        jr_tcp_tick(p->a.tcp, p->now);
    if (tb <= p->now)
        jr_tcp_tick(p->b.tcp, p->now);
    return true;
}

void pipe_end(struct pipe *p)
{
    while (pipe_step(p))
        ;
    struct side *sides[] = {&p->a, &p->b};
    for (int i = 0; i < 2; i++) {
        JR_CHECK_EQ(jr_tcp_count(sides[i]->tcp), 0);
        jr_tcp_free(sides[i]->tcp);
        JR_CHECK_EQ(sides[i]->ip.pool.pool.in_use, 0);
    }
    free(p->heap);
}

struct sock *side_socket(struct side *side, uint32_t sndcap, uint32_t rcvcap)
{
    struct rig r = {.tcp = side->tcp};
    struct sock *s = rig_socket(&r, sndcap, rcvcap);
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    return s;
}

void side_destroy(struct side *side, struct sock *s)
{
    if (!s->closed)
        jr_tcp_close(s->tp, true, side->pipe->now);
    jr_tcp_flush(side->tcp, side->pipe->now);
    rig_socket_free(s);
}

bool pipe_connect(struct pipe *p, uint32_t cap, struct sock **a, struct sock **b)
{
    struct sock *l = side_socket(&p->b, 1, 1);
    const struct jr_endpoint at = {.addr = p->b.ip.addr[0], .port = 80};
    JR_CHECK_EQ(jr_tcp_bind(l->tp, &at, 0), 0);
    JR_CHECK_EQ(jr_tcp_listen(l->tp, 5, p->now), 0);
    *a = side_socket(&p->a, cap, cap);
    *b = NULL;
    JR_CHECK_EQ(jr_tcp_connect((*a)->tp, &at, p->now), 0);
    jr_time end = p->now + 60 * JR_SEC;
    while (p->now < end && (*b == NULL || !((*a)->events & JR_TCP_EV_CONNECTED)) && pipe_step(p)) {
        struct rig r = {.tcp = p->b.tcp, .now = p->now};
        if (*b == NULL)
            *b = rig_accept(&r, l, cap, cap);
    }
    side_destroy(&p->b, l);
    return *b != NULL && ((*a)->events & JR_TCP_EV_CONNECTED);
}
