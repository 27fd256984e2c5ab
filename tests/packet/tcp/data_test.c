/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending and receiving without loss: acknowledging, Nagle, corking, windows, probes, urgent data. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/bits.h"
#include "rig.h"

static void set_opt(struct rig *r, struct sock *s, int name, int v)
{
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, name, &v, sizeof v, r->now), 0);
}

static struct sock *delaying(struct rig *r, uint32_t what)
{
    struct sock *s = rig_passive(r, what);
    set_opt(r, s, TCP_QUICKACK, 0);
    return s;
}

RIG_TEST(every_second_segment_is_acknowledged)
{
    struct sock *s = delaying(r, RIG_ALL);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1448);
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 1449, .ack = 1, .len = 1448);
    rig_expect(r, TH_ACK, 1, 2897, 0);
    rig_in(r, .flags = TH_ACK, .seq = 2897, .ack = 1, .len = 10);
    rig_advance(r, 39 * JR_MS);
    rig_expect_none(r);
    rig_advance(r, 3 * JR_MS);
    rig_expect(r, TH_ACK, 1, 2907, 0);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_DELACK), 1);
    sock_read(r, s, 2906);
    rig_destroy(r, s);
}

RIG_TEST(a_burst_costs_one_ack_and_one_upcall)
{
    struct sock *s = delaying(r, RIG_ALL);
    r->hold_flush = true;
    s->calls = 0;
    for (uint32_t i = 0; i < 8; i++)
        rig_in(r, .flags = TH_ACK, .seq = 1 + i * 1000, .ack = 1, .len = 1000);
    rig_expect_none(r);
    JR_CHECK_EQ(jr_tcp_next_tick(r->tcp), 0); /* something is pending */
    rig_flush(r);
    rig_expect(r, TH_ACK, 1, 8001, 0);
    rig_expect_none(r);
    JR_CHECK_EQ(s->calls, 1);
    sock_read(r, s, 8000);
    rig_destroy(r, s);
}

RIG_TEST(timestamp_echo_is_of_the_first_unacknowledged_segment)
{
    struct sock *s = delaying(r, RIG_ALL);
    uint32_t first = r->peer_tsval + (uint32_t)(r->now / JR_MS) + 5;
    rig_advance(r, 5 * JR_MS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1000);
    rig_advance(r, 7 * JR_MS);
    rig_in(r, .flags = TH_ACK, .seq = 1001, .ack = 1, .len = 1000);
    JR_CHECK_EQ(rig_expect(r, TH_ACK, 1, 2001, 0)->opts.tsecr, first); /* so the delay counts as round trip */
    rig_advance(r, 3 * JR_MS);
    rig_in(r, .flags = TH_ACK, .seq = 3001, .ack = 1, .len = 1000); /* out of order: not echoed */
    JR_CHECK_EQ(rig_expect(r, TH_ACK, 1, 2001, 0)->opts.tsecr, first);
    rig_advance(r, 3 * JR_MS);
    rig_in(r, .flags = TH_ACK, .seq = 2001, .ack = 1, .len = 1000); /* closes the gap: echoed */
    JR_CHECK_EQ(rig_expect(r, TH_ACK, 1, 4001, 0)->opts.tsecr, first + 13);
    sock_read(r, s, 4000);
    rig_destroy(r, s);
}

RIG_TEST(a_reply_carries_the_ack)
{
    struct sock *s = delaying(r, RIG_ALL);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 10);
    sock_write(r, s, 20);
    struct seg *g = rig_expect(r, TH_ACK, 1, 11, 20);
    JR_CHECK(g->flags & TH_PUSH);
    JR_CHECK_MEM(g->bytes, pattern(0, 20), 20);
    rig_advance(r, 100 * JR_MS);
    rig_expect_none(r);
    rig_destroy(r, s);
}

RIG_CONN_TEST(initial_window_is_ten_segments, RIG_ALL)
{
    sock_write(r, s, 60000);
    for (uint32_t i = 0; i < 10; i++)
        rig_expect(r, TH_ACK, 1 + i * 1448, 1, 1448);
    rig_pop(r); /* the rest of 14600 bytes isn't a full segment: perhaps none */
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1 + 1448 * 2);
    rig_expect(r, TH_ACK, 14481, 1, 1448); /* slow start: two for two, and two more */
}

RIG_CONN_TEST(nagle_holds_the_second_small_segment, RIG_ALL)
{
    sock_write(r, s, 10);
    rig_expect(r, TH_ACK, 1, 1, 10);
    sock_write(r, s, 10);
    sock_write(r, s, 10);
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 11);
    rig_expect(r, TH_ACK, 11, 1, 20);
    sock_write(r, s, 1448 + 5); /* the full one goes, the rest waits for the small one before */
    rig_expect(r, TH_ACK, 31, 1, 1448);
    rig_expect_none(r);
}

/* rfc: 9293 3.7.4 */
RIG_CONN_TEST(minshall_lets_the_tail_of_a_large_write_go, RIG_ALL)
{
    sock_write(r, s, 1448 * 2 + 5);
    rig_expect(r, TH_ACK, 1, 1, 1448);
    rig_expect(r, TH_ACK, 1449, 1, 1448);
    rig_expect(r, TH_ACK, 2897, 1, 5);
}

RIG_CONN_TEST(nodelay, RIG_ALL)
{
    sock_write(r, s, 10);
    sock_write(r, s, 10);
    rig_expect(r, TH_ACK, 1, 1, 10);
    rig_expect_none(r);
    set_opt(r, s, TCP_NODELAY, 1); /* lets go what waits */
    rig_expect(r, TH_ACK, 11, 1, 10);
    sock_write(r, s, 10);
    rig_expect(r, TH_ACK, 21, 1, 10);
}

RIG_CONN_TEST(cork_holds_small_segments_200_ms, RIG_ALL)
{
    set_opt(r, s, TCP_CORK, 1);
    sock_write(r, s, 100);
    rig_expect_none(r);
    sock_write(r, s, 1448);
    rig_expect(r, TH_ACK, 1, 1, 1448);
    rig_expect_none(r);
    set_opt(r, s, TCP_CORK, 0);
    rig_expect(r, TH_ACK, 1449, 1, 100);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1549);
    set_opt(r, s, TCP_CORK, 1);
    sock_write(r, s, 50);
    rig_advance(r, 190 * JR_MS);
    rig_expect_none(r);
    rig_advance(r, 20 * JR_MS);
    rig_expect(r, TH_ACK, 1549, 1, 50);
}

RIG_CONN_TEST(msg_more, RIG_ALL)
{
    sock_put(s, 100);
    jr_tcp_send_more(s->tp, r->now);
    rig_expect_none(r);
    sock_write(r, s, 10);
    rig_expect(r, TH_ACK, 1, 1, 110);
}

RIG_TEST(window_closes_and_opens)
{
    struct sock *s = rig_passive_sized(r, RIG_ALL, 4096, 65536);
    uint32_t seq = 1;
    struct seg *g = NULL, *last = NULL;
    uint32_t edge = 0;
    while (seq < 65537) {
        uint32_t n = 65537 - seq < 1448 ? 65537 - seq : 1448;
        rig_in(r, .flags = TH_ACK, .seq = seq, .ack = 1, .len = n);
        seq += n;
        while ((g = rig_pop(r)) != NULL) {
            last = g;
            JR_CHECK((int32_t)(g->ack + (g->win << 6) + 63 - edge) >= 0); /* the right edge never moves left */
            edge = g->ack + (g->win << 6);
        }
    }
    rig_advance(r, 50 * JR_MS);
    while ((g = rig_pop(r)) != NULL)
        last = g;
    JR_CHECK_EQ(last->ack, 65537);
    JR_CHECK_EQ(last->win, 0);
    rig_in(r, .flags = TH_ACK, .seq = seq, .ack = 1, .len = 1); /* a probe */
    g = rig_expect(r, TH_ACK, 1, 65537, 0);
    JR_CHECK_EQ(g->win, 0);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_WINPROBE), 1);
    sock_read(r, s, 1000); /* too little to mention */
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = seq, .ack = 1, .len = 1, .data = pattern(seq - 1, 1));
    JR_CHECK_EQ(rig_expect(r, TH_ACK, 1, 65538, 0)->win, 0); /* there is room for a probe, but none to mention */
    sock_read(r, s, 2001);
    g = rig_expect(r, TH_ACK, 1, 65538, 0);
    JR_CHECK_EQ(g->win, 3000 >> 6);
    sock_read(r, s, 62536);
    rig_expect(r, TH_ACK, 1, 65538, 0);
    rig_destroy(r, s);
}

RIG_CONN_TEST(data_beyond_the_window_is_cut, 0)
{
    rig_in(r, .flags = TH_ACK, .seq = 70000, .ack = 1, .len = 10); /* wholly outside */
    rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SEQ_OUTSIDE), 1);
    rig_in(r, .flags = TH_ACK | TH_FIN, .seq = 1, .ack = 1, .len = 65540, .data = pattern(0, 65540));
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 65536); /* one more than the field could say */
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED); /* the FIN lay outside */
}

RIG_CONN_TEST(zero_window_is_probed_with_backoff, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .shut = true);
    /* the window of the handshake still stands for its left edge: shut it with an ACK of data */
    sock_write(r, s, 100);
    rig_drain(r);
    rig_advance(r, 150 * JR_MS); /* the round trip that the back-off starts from */
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 101, .shut = true);
    sock_write(r, s, 5000);
    rig_expect_none(r);
    jr_time before = 0;
    for (unsigned i = 0; i < 12; i++) { /* from persmin to persmax */
        const jr_time start = r->now;
        while (r->sent_head == r->sent_tail && r->now < start + 300 * JR_SEC)
            rig_advance(r, 100 * JR_MS);
        rig_expect(r, TH_ACK, 101, 1, 1);
        const jr_time gap = r->now - start;
        JR_CHECK(gap + 100 * JR_MS >= jr_max_u64(before, 5 * JR_SEC) && gap <= 60100 * JR_MS);
        JR_CHECK(i > 0 || gap <= 5100 * JR_MS);
        JR_CHECK(i < 11 || gap >= 20 * JR_SEC);
        before = gap;
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 101, .shut = true);
    }
    JR_CHECK_EQ(s->error, 0);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 102, .win = 1000); /* it took the byte, and opens */
    rig_expect(r, TH_ACK, 102, 1, 1448);
}

RIG_CONN_TEST(small_window_is_filled_after_a_while, 0)
{
    sock_write(r, s, 100);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 101, .win = 200);
    sock_write(r, s, 5000);
    rig_expect_none(r); /* less than a segment and than half the largest window seen */
    rig_advance(r, 5100 * JR_MS);
    rig_expect(r, TH_ACK, 101, 1, 200);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 301, .win = 2000);
    rig_expect(r, TH_ACK, 301, 1, 1460);
}

RIG_CONN_TEST(window_taken_back_stops_the_sender, 0)
{
    sock_write(r, s, 14600);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1461, .shut = true);
    rig_advance(r, 100 * JR_SEC);
    JR_CHECK_EQ(s->error, 0);
    struct seg *g;
    unsigned probes = 0;
    while ((g = rig_pop(r)) != NULL)
        probes += g->len == 1 && g->seq == 1461;
    JR_CHECK(probes >= 3);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1461, .win = 65535);
    rig_expect(r, TH_ACK, 1461, 1, 1460);
}

RIG_TEST(pattern_survives_the_ring_end)
{
    struct sock *s = rig_passive_sized(r, RIG_TS, 4096, 65536);
    uint64_t off = 0;
    for (uint32_t n = 1; n < 1400; n += 7) { /* odd pieces wrap at every offset */
        sock_write(r, s, n);
        struct seg *g = rig_expect(r, TH_ACK, (uint32_t)off + 1, 1, n);
        JR_CHECK_MEM(g->bytes, pattern(off, n), n);
        off += n;
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = (uint32_t)off + 1);
    }
    JR_CHECK_EQ(s->snd.head, off);
    rig_destroy(r, s);
}

RIG_CONN_TEST(urgent_both_ways, RIG_ALL)
{
    uint64_t off;
    JR_CHECK(!jr_tcp_urgent(s->tp, &off));
    rig_in(r, .flags = TH_ACK | TH_URG, .seq = 1, .ack = 1, .len = 10, .urp = 10);
    JR_CHECK(s->events & JR_TCP_EV_URG);
    JR_CHECK(jr_tcp_urgent(s->tp, &off));
    JR_CHECK_EQ(off, 10);
    s->events = 0;
    rig_in(r, .flags = TH_ACK | TH_URG, .seq = 1, .ack = 1, .len = 10, .urp = 10); /* again: nothing new */
    JR_CHECK_EQ(s->events & JR_TCP_EV_URG, 0);
    rig_in(r, .flags = TH_ACK | TH_URG, .seq = 11, .ack = 1, .urp = 50); /* announced ahead of its data */
    JR_CHECK(jr_tcp_urgent(s->tp, &off));
    JR_CHECK_EQ(off, 60);
    rig_drain(r);
    sock_put(s, 5);
    jr_tcp_send_urgent(s->tp, s->snd.tail, r->now);
    struct seg *g = rig_expect(r, TH_ACK | TH_URG, 1, 11, 5);
    JR_CHECK_EQ(g->urp, 5);
    rig_in(r, .flags = TH_ACK, .seq = 11, .ack = 6);
    sock_write(r, s, 5);
    rig_expect(r, TH_ACK, 6, 11, 5);
}

RIG_TEST(peers_mss_and_ours)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN, .opts = {.flags = TOF_MSS, .mss = 1000});
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    rig_drain(r);
    struct sock *s = rig_accept(r, l, 8192, 65536);
    sock_write(r, s, 1500);
    rig_expect(r, TH_ACK, 1, 1, 1000);
    rig_destroy(r, s);
    r->peer_port++;
    rig_in(r, .flags = TH_SYN); /* no option: 536 */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    rig_drain(r);
    s = rig_accept(r, l, 8192, 65536);
    sock_write(r, s, 1500);
    rig_expect(r, TH_ACK, 1, 1, 536);
    rig_destroy(r, s);
    r->peer_port++;
    rig_in(r, .flags = TH_SYN, .opts = {.flags = TOF_MSS, .mss = 8}); /* below minmss */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    rig_drain(r);
    s = rig_accept(r, l, 8192, 65536);
    sock_write(r, s, 1500);
    rig_expect(r, TH_ACK, 1, 1, 216);
    rig_destroy(r, s);
    rig_destroy(r, l);
}

RIG_CONN_TEST(idle_restarts_the_window, RIG_ALL)
{
    for (uint32_t i = 0; i < 4; i++) {
        sock_write(r, s, 14480);
        rig_drain(r);
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1 + 14480 * (i + 1));
    }
    rig_advance(r, 10 * JR_SEC);
    rig_drain(r);
    sock_write(r, s, 60000);
    JR_CHECK_EQ(r->sent_tail - r->sent_head, 10);
}

RIG_TEST(lazy_receive_memory)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    struct sock *s = rig_accept(r, l, 4096, 1);
    free(s->rcv.base);
    s->rcv.base = NULL;
    s->rcv.cap = 0;
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 100);
    JR_CHECK_EQ(s->rcv.cap, 65536);
    sock_read(r, s, 100);
    r->embryo_bufs--; /* it is the socket's now */
    rig_destroy(r, s);
    rig_destroy(r, l);
}

RIG_TEST(buffers_may_grow_in_flight)
{
    struct sock *s = rig_passive_sized(r, RIG_ALL, 4096, 4096);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1000);
    rig_in(r, .flags = TH_ACK, .seq = 2001, .ack = 1, .len = 1000);
    uint64_t edge = jr_tcp_rcv_edge(s->tp);
    JR_CHECK(edge >= 3000 && edge <= 4096);
    uint8_t *bigger = malloc(16384);
    for (uint64_t o = s->rcv.head; o < edge; o++)
        bigger[o & 16383] = s->rcv.base[o & 4095];
    free(s->rcv.base);
    s->rcv.base = bigger;
    s->rcv.cap = 16384;
    rig_drain(r);
    jr_tcp_buffers_changed(s->tp, r->now);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1001, .ack = 1, .len = 1000);
    sock_read(r, s, 3000);
    rig_destroy(r, s);
}

RIG_TEST(autotuning_asks_for_larger_buffers)
{
    struct sock *s = rig_passive_sized(r, RIG_ALL, 16384, 16384);
    s->autoread = true;
    JR_CHECK_EQ(jr_tcp_rcv_want(s->tp), 16384);
    for (uint32_t i = 0; i < 40; i++) {
        rig_in(r, .flags = TH_ACK, .seq = 1 + i * 1448, .ack = 1, .len = 1448);
        rig_advance(r, 10);
    }
    rig_advance(r, JR_SEC);
    rig_in(r, .flags = TH_ACK, .seq = 1 + 40 * 1448, .ack = 1, .len = 1448);
    JR_CHECK(s->events & JR_TCP_EV_WANT);
    JR_CHECK_EQ(jr_tcp_rcv_want(s->tp), 32768);
    rig_drain(r);
    uint32_t una = 1;
    for (int i = 0; i < 20 && jr_tcp_snd_want(s->tp) == 16384; i++) {
        sock_write(r, s, jr_sockbuf_space(&s->snd));
        struct seg *g, *last = NULL;
        while ((g = rig_pop(r)) != NULL)
            last = g->len ? g : last;
        if (last != NULL)
            una = last->seq + last->len;
        rig_in(r, .flags = TH_ACK, .seq = 1 + 41 * 1448, .ack = una);
    }
    JR_CHECK_EQ(jr_tcp_snd_want(s->tp), 65536); /* in slow start the window is twice as large a round trip later */
    rig_destroy(r, s);
}

JR_TEST_MAIN
