/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers that grow by themselves: they reach what bandwidth and delay ask for, and stay small where that is little. */
#include <stdlib.h>

#include "base/bits.h"
#include "pipe.h"

#define START 65536u

struct run {
    struct pipe p;
    struct sock *a, *b;
};

/* What sock/ does on JR_TCP_EV_WANT: a larger ring, the live bytes at their places. */
static void grow(struct sock *s, struct jr_sockbuf *sb, uint32_t want, uint64_t live_end, jr_time now)
{
    if (want <= sb->cap)
        return;
    struct jr_sockbuf bigger = {.base = malloc(want), .cap = want, .head = sb->head, .tail = sb->tail};
    for (uint64_t off = sb->head; off < live_end;) {
        uint32_t at = (uint32_t)off & (sb->cap - 1);
        uint32_t n = (uint32_t)jr_min_u64(sb->cap - at, live_end - off);
        jr_sockbuf_write(&bigger, off, sb->base + at, n);
        off += n;
    }
    free(sb->base);
    *sb = bigger;
    jr_tcp_buffers_changed(s->tp, now);
}

static void grow_wanted(struct sock *s, jr_time now)
{
    if (!(s->events & JR_TCP_EV_WANT))
        return;
    s->events &= ~(uint32_t)JR_TCP_EV_WANT;
    grow(s, &s->snd, jr_tcp_snd_want(s->tp), s->snd.tail, now);
    grow(s, &s->rcv, jr_tcp_rcv_want(s->tp), jr_tcp_rcv_held(s->tp), now);
}

/* Sends from a to b for so long; returns what arrived in the last fifth of it, as bytes per second. */
static uint64_t stream(struct run *r, jr_time how_long, uint64_t bytes_per_s)
{
    const jr_time end = r->p.now + how_long, last = end - how_long / 5;
    uint64_t before = 0;
    while (r->p.now < end) {
        uint32_t n = jr_sockbuf_space(&r->a->snd);
        if (bytes_per_s != 0 && r->a->snd.tail > bytes_per_s * (how_long - (end - r->p.now)) / JR_SEC)
            n = 0;
        r->a->snd.tail += n; /* whatever the ring holds */
        if (n != 0)
            jr_tcp_send(r->a->tp, r->p.now);
        if (!pipe_step(&r->p))
            break;
        r->b->rcv.head = r->b->rcv.tail;
        jr_tcp_recved(r->b->tp, r->p.now);
        grow_wanted(r->a, r->p.now);
        grow_wanted(r->b, r->p.now);
        if (r->p.now < last)
            before = r->b->rcv.tail;
    }
    return (r->b->rcv.tail - before) * 5 * JR_SEC / how_long;
}

static void start(struct run *r, const struct pipe_cfg *cfg, uint32_t most, uint32_t on)
{
    pipe_init(&r->p, cfg);
    struct side *const sides[] = {&r->p.a, &r->p.b};
    for (unsigned i = 0; i < 2; i++) {
        sides[i]->cfg.recvbuf_max = sides[i]->cfg.sendbuf_max = sides[i]->cfg.maxsockbuf = most;
        sides[i]->cfg.recvbuf_auto = sides[i]->cfg.sendbuf_auto = on;
    }
    pipe_start(&r->p);
    JR_CHECK(pipe_connect(&r->p, START, &r->a, &r->b));
}

static void finish(struct run *r)
{
    side_destroy(&r->p.a, r->a);
    side_destroy(&r->p.b, r->b);
    while (pipe_step(&r->p))
        ;
    pipe_end(&r->p);
}

/* rfc: tcp(4) recvbuf_auto; tcp(4) sendbuf_auto */
JR_TEST(buffers_reach_bandwidth_times_delay)
{
    /* 2 Gbit/s and 100 ms, as much in flight as 10 Gbit/s and 20 ms: 25 MB */
    const struct pipe_cfg cfg = {.seed = 1, .delay_us = 50 * JR_MS, .bytes_per_s = 250000000, .queue_bytes = 64u << 20};
    struct run r;
    start(&r, &cfg, 64u << 20, 1);
    uint64_t rate = stream(&r, 4 * JR_SEC, 0);
    printf("%.0f of %.0f MB/s, rings of %u and %u KiB\n", (double)rate / 1e6, (double)cfg.bytes_per_s / 1e6,
           r.a->snd.cap >> 10, r.b->rcv.cap >> 10);
    JR_CHECK(rate > cfg.bytes_per_s / 10 * 8);
    JR_CHECK(r.b->rcv.cap >= 32u << 20 && r.a->snd.cap >= 32u << 20);
    finish(&r);
}

/* rfc: tcp(4) recvbuf_auto; tcp(4) sendbuf_auto */
JR_TEST(limits_hold)
{
    const struct pipe_cfg cfg = {.seed = 2, .delay_us = 50 * JR_MS, .bytes_per_s = 250000000};
    struct run r;
    start(&r, &cfg, 1u << 20, 1);
    stream(&r, 2 * JR_SEC, 0);
    JR_CHECK_EQ(r.b->rcv.cap, 1u << 20);
    JR_CHECK_EQ(r.a->snd.cap, 1u << 20);
    finish(&r);
}

/* rfc: tcp(4) recvbuf_auto; tcp(4) sendbuf_auto */
JR_TEST(switched_off_they_stay)
{
    const struct pipe_cfg cfg = {.seed = 3, .delay_us = 20 * JR_MS, .bytes_per_s = 250000000};
    struct run r;
    start(&r, &cfg, 1u << 20, 0);
    stream(&r, JR_SEC, 0);
    JR_CHECK_EQ(r.b->rcv.cap, START);
    JR_CHECK_EQ(r.a->snd.cap, START);
    finish(&r);
}

JR_TEST(a_slow_writer_needs_no_more)
{
    const struct pipe_cfg cfg = {.seed = 4, .delay_us = 20 * JR_MS, .bytes_per_s = 250000000};
    struct run r;
    start(&r, &cfg, 16u << 20, 1);
    stream(&r, 2 * JR_SEC, 200000);
    JR_CHECK(r.b->rcv.cap <= 2 * START);
    finish(&r);
}

JR_TEST_MAIN
