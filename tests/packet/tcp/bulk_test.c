/* SPDX-License-Identifier: BSD-3-Clause */
/* Bulk transfers between two stacks: whatever the pipe does, the bytes arrive, all of them and in order. */
#include "base/bits.h"
#include "pipe.h"

struct flow {
    struct sock *s;
    uint64_t to_send, received, to_receive;
    bool fin_sent;
};

static void write_some(struct flow *f, jr_time now)
{
    struct sock *s = f->s;
    uint32_t n = (uint32_t)jr_min_u64(jr_sockbuf_space(&s->snd), f->to_send - s->snd.tail);
    if (n != 0) {
        sock_put(s, n);
        jr_tcp_send(s->tp, now);
    }
    if (s->snd.tail == f->to_send && !f->fin_sent) {
        f->fin_sent = true;
        jr_tcp_shutdown(s->tp, now);
    }
}

static bool read_all(struct flow *f, jr_time now)
{
    struct sock *s = f->s;
    bool same = true;
    for (; s->rcv.head != s->rcv.tail; s->rcv.head++, f->received++)
        same &= s->rcv.base[s->rcv.head & (s->rcv.cap - 1)] == pattern_at(s->rcv.head);
    jr_tcp_recved(s->tp, now);
    return same;
}

static bool flow_done(const struct flow *f)
{
    return f->received == f->to_receive && (f->s->events & JR_TCP_EV_RX_FIN);
}

/* Returns the microseconds it took. */
static jr_time transfer(struct pipe *p, uint32_t cap, uint64_t up, uint64_t down)
{
    struct flow a = {.to_send = up, .to_receive = down}, b = {.to_send = down, .to_receive = up};
    if (!JR_CHECK(pipe_connect(p, cap, &a.s, &b.s)))
        return 0;
    jr_time start = p->now;
    bool same = true;
    while (!(flow_done(&a) && flow_done(&b)) && a.s->error == 0 && b.s->error == 0) {
        write_some(&a, p->now);
        write_some(&b, p->now);
        if (!JR_CHECK(pipe_step(p)) || !JR_CHECK(p->now - start < 3600 * JR_SEC))
            break;
        same &= read_all(&a, p->now) && read_all(&b, p->now);
    }
    jr_time took = p->now - start;
    JR_CHECK(same);
    JR_CHECK_EQ(a.s->error, 0);
    JR_CHECK_EQ(b.s->error, 0);
    JR_CHECK_EQ(a.received, down);
    JR_CHECK_EQ(b.received, up);
    jr_tcp_close(a.s->tp, false, p->now);
    jr_tcp_close(b.s->tp, false, p->now);
    while (!(a.s->closed && b.s->closed) && pipe_step(p))
        ;
    rig_socket_free(a.s);
    rig_socket_free(b.s);
    return took;
}

static jr_time run(const struct pipe_cfg *cfg, uint32_t cap, uint64_t up, uint64_t down)
{
    struct pipe p;
    pipe_init(&p, cfg);
    pipe_start(&p);
    jr_time took = transfer(&p, cap, up, down);
    pipe_end(&p);
    return took;
}

JR_TEST(clean_pipe)
{
    const struct pipe_cfg cfg = {.seed = 1, .delay_us = 1000};
    jr_time took = run(&cfg, 262144, 5000000, 3000000);
    JR_CHECK(took < 200 * JR_MS);
}

JR_TEST(loss_both_ways)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct pipe_cfg cfg = {.seed = seed, .delay_us = 5000, .loss_ppm = 30000};
        run(&cfg, 131072, 1000000, 1000000);
    }
}

JR_TEST(everything_at_once)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct pipe_cfg cfg = {.seed = seed,
                                     .delay_us = 3000,
                                     .loss_ppm = 20000,
                                     .dup_ppm = 20000,
                                     .reorder_ppm = 50000,
                                     .reorder_us = 7000,
                                     .corrupt_ppm = 10000};
        run(&cfg, 65536, 500000, 700000);
    }
}

JR_TEST(heavy_loss)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const struct pipe_cfg cfg = {.seed = seed, .delay_us = 1000, .loss_ppm = 200000};
        run(&cfg, 65536, 100000, 100000);
    }
}

JR_TEST(without_options)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const struct pipe_cfg cfg = {
            .seed = seed, .delay_us = 2000, .loss_ppm = 20000, .reorder_ppm = 20000, .reorder_us = 3000};
        struct pipe p;
        pipe_init(&p, &cfg);
        p.a.cfg.rfc1323 = p.a.cfg.sack_enable = 0;
        strcpy(p.a.cfg.cc_algorithm, "newreno");
        pipe_start(&p);
        transfer(&p, 65536, 400000, 400000);
        pipe_end(&p);
    }
}

JR_TEST(tiny_buffers)
{
    const struct pipe_cfg cfg = {.seed = 3, .delay_us = 500, .loss_ppm = 10000};
    run(&cfg, 2048, 200000, 100000);
}

JR_TEST(bottleneck_fills)
{
    /* 100 Mbit/s, 20 ms, a queue of half the bandwidth-delay product: must use most of the link */
    const struct pipe_cfg cfg = {.seed = 4, .delay_us = 10000, .bytes_per_s = 12500000, .queue_bytes = 125000};
    jr_time took = run(&cfg, 1048576, 50000000, 0);
    double rate = 50000000.0 / ((double)took / 1e6);
    printf("bottleneck: %.1f of 12.5 MB/s\n", rate / 1e6);
    JR_CHECK(rate > 0.8 * 12500000);
}

JR_TEST(tso_and_checksum_offload)
{
    const struct pipe_cfg cfg = {.seed = 5, .delay_us = 1000, .loss_ppm = 5000};
    struct pipe p;
    pipe_init(&p, &cfg);
    p.a.ip.tx_offloads = JR_PKT_TX_TSO | JR_PKT_TX_L4_CSUM;
    p.a.ip.pool.pool.data_room = 65536;
    p.b.ip.tx_offloads = JR_PKT_TX_L4_CSUM;
    pipe_start(&p);
    transfer(&p, 262144, 3000000, 500000);
    JR_CHECK(p.a.ip.tso_pkts > 50);
    pipe_end(&p);
}

JR_TEST(packet_shortage)
{
    const struct pipe_cfg cfg = {.seed = 6, .delay_us = 1000};
    struct pipe p;
    pipe_init(&p, &cfg);
    p.a.ip.pool.limit = 1;
    pipe_start(&p);
    for (int i = 1; i < 5; i++)
        p.a.ip.pool.fail_in = 3;
    transfer(&p, 65536, 300000, 300000);
    pipe_end(&p);
}

JR_TEST_MAIN
