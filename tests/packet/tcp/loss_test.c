/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loss, duplication and reordering: what the receiver reports (RFC 2018, 2883, 5681 4.2), and how the sender
 * recovers (RFC 6298, 6582, 6675, 6937, 3042, spurious time-outs).
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "rig.h"

#define MSS 1448u
#define SEQ(n) (1 + (n)*MSS)

/* A connection whose window has grown to 40 segments and that has nothing outstanding; snd is at SEQ(40). */
static struct sock *warm(struct rig *r, uint32_t what)
{
    struct sock *s = rig_passive_sized(r, what, 131072, 65536);
    uint32_t mss = what & RIG_TS ? MSS : 1460;
    static const uint32_t burst[] = {10, 20, 10};
    for (uint32_t i = 0, n = 0; i < 3; i++) {
        sock_write(r, s, burst[i] * mss);
        rig_advance(r, 10 * JR_MS);
        for (uint32_t k = 0; k < burst[i]; k++)
            rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1 + ++n * mss);
    }
    rig_drain(r);
    return s;
}

static uint32_t cwnd_segments(struct rig *r, struct sock *s)
{
    struct tcp_info ti;
    uint32_t len = sizeof ti;
    JR_CHECK_EQ(jr_tcp_getopt(s->tp, IPPROTO_TCP, TCP_INFO, &ti, &len, r->now), 0);
    return ti.tcpi_snd_cwnd;
}

#define sack_in(r, ack_, n_, ...)                                                                                      \
    rig_in((r), .flags = TH_ACK, .seq = 1, .ack = (ack_),                                                              \
           .opts = {.flags = TOF_SACK, .nsack = (n_), .sack = {__VA_ARGS__}})

RIG_CONN_TEST(out_of_order_is_reported_latest_first, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK, .seq = 1001, .ack = 1, .len = 1000);
    struct seg *g = rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(g->opts.nsack, 1);
    JR_CHECK_EQ(g->opts.sack[0][0] - RIG_PEER_ISS, 1001);
    JR_CHECK_EQ(g->opts.sack[0][1] - RIG_PEER_ISS, 2001);
    rig_in(r, .flags = TH_ACK, .seq = 5001, .ack = 1, .len = 1000);
    rig_in(r, .flags = TH_ACK, .seq = 9001, .ack = 1, .len = 1000);
    rig_in(r, .flags = TH_ACK, .seq = 7001, .ack = 1, .len = 1000);
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_expect(r, TH_ACK, 1, 1, 0);
    g = rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(g->opts.nsack, 3); /* no more fit beside timestamps */
    static const uint32_t want[] = {7001, 9001, 5001};
    for (int i = 0; i < 3; i++)
        JR_CHECK_EQ(g->opts.sack[i][0] - RIG_PEER_ISS, want[i]);
    rig_in(r, .flags = TH_ACK, .seq = 6001, .ack = 1, .len = 1000); /* joins two */
    g = rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(g->opts.sack[0][0] - RIG_PEER_ISS, 5001);
    JR_CHECK_EQ(g->opts.sack[0][1] - RIG_PEER_ISS, 8001);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1000);
    g = rig_expect(r, TH_ACK, 1, 2001, 0);
    JR_CHECK_EQ(g->opts.nsack, 2);
    rig_in(r, .flags = TH_ACK, .seq = 2001, .ack = 1, .len = 7000, .data = pattern(2000, 7000));
    g = rig_expect(r, TH_ACK, 1, 10001, 0);
    JR_CHECK_EQ(g->opts.nsack, 0);
    sock_read(r, s, 10000);
}

RIG_CONN_TEST(every_out_of_order_segment_of_a_burst_is_reported, RIG_ALL)
{
    r->hold_flush = true;
    for (uint32_t i = 1; i <= 5; i++)
        rig_in(r, .flags = TH_ACK, .seq = 1 + i * 1000, .ack = 1, .len = 1000);
    for (int i = 0; i < 5; i++)
        rig_expect(r, TH_ACK, 1, 1, 0);
}

RIG_CONN_TEST(fin_out_of_order, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK | TH_FIN, .seq = 101, .ack = 1, .len = 100);
    rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 100);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSE_WAIT);
    JR_CHECK_EQ(s->events, JR_TCP_EV_RX | JR_TCP_EV_RX_FIN);
    sock_read(r, s, 200);
    rig_drain(r);
}

RIG_CONN_TEST(bare_fin_ahead_of_a_gap, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK | TH_FIN, .seq = 101, .ack = 1);
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 100);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSE_WAIT);
}

RIG_CONN_TEST(duplicates_are_reported_as_dsack, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1000);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1000);
    struct seg *g = rig_expect(r, TH_ACK, 1, 1001, 0);
    JR_CHECK_EQ(g->opts.nsack, 1);
    JR_CHECK_EQ(g->opts.sack[0][0] - RIG_PEER_ISS, 1);
    JR_CHECK_EQ(g->opts.sack[0][1] - RIG_PEER_ISS, 1001);
    rig_in(r, .flags = TH_ACK, .seq = 501, .ack = 1, .len = 1000); /* half of it is new */
    g = rig_expect(r, TH_ACK, 1, 1501, 0);
    JR_CHECK_EQ(g->opts.sack[0][1] - RIG_PEER_ISS, 1001);
    rig_in(r, .flags = TH_ACK, .seq = 3001, .ack = 1, .len = 100);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 3001, .ack = 1, .len = 100); /* a duplicate beyond the gap */
    g = rig_expect(r, TH_ACK, 1, 1501, 0);
    JR_CHECK_EQ(g->opts.nsack, 2);
    JR_CHECK_EQ(g->opts.sack[0][0], g->opts.sack[1][0]);
    rig_in(r, .flags = TH_ACK, .seq = 1501, .ack = 1, .len = 10);
    JR_CHECK_EQ(rig_expect(r, TH_ACK, 1, 1511, 0)->opts.nsack, 1); /* said once */
    sock_read(r, s, 1510);
}

RIG_CONN_TEST(ranges_are_bounded, RIG_ALL)
{
    jr_tcp_config(r->tcp)->reass_maxqueuelen = 64;
    for (uint32_t i = 0; i < 70; i++)
        rig_in(r, .flags = TH_ACK, .seq = 101 + i * 200, .ack = 1, .len = 100);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_REASS_FULL), 6);
    rig_in(r, .flags = TH_ACK, .seq = 201, .ack = 1, .len = 100); /* joins: allowed */
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_REASS_FULL), 6);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 14000);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 14000);
    sock_read(r, s, 14000);
    rig_drain(r);
}

RIG_TEST(sack_recovery)
{
    struct sock *s = warm(r, RIG_ALL);
    uint32_t before = cwnd_segments(r, s);
    sock_write(r, s, 20 * MSS);
    JR_CHECK_EQ(r->sent_tail - r->sent_head, 20);
    rig_drain(r);
    rig_advance(r, 10 * JR_MS);
    /* 40 and 42 are lost */
    sack_in(r, SEQ(40), 1, {SEQ(41), SEQ(42)});
    rig_expect_none(r);
    sack_in(r, SEQ(40), 2, {SEQ(43), SEQ(44)}, {SEQ(41), SEQ(42)});
    rig_expect_none(r);
    sack_in(r, SEQ(40), 2, {SEQ(43), SEQ(45)}, {SEQ(41), SEQ(42)});
    rig_expect(r, TH_ACK, SEQ(40), 1, MSS); /* more than two segments lie above it */
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SACK_RECOVERY), 1);
    for (uint32_t i = 46; i <= 60; i++)
        sack_in(r, SEQ(40), 2, {SEQ(43), SEQ(i)}, {SEQ(41), SEQ(42)});
    rig_expect(r, TH_ACK, SEQ(42), 1, MSS);
    rig_expect_none(r);
    sack_in(r, SEQ(42), 1, {SEQ(43), SEQ(60)});
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(60));
    rig_expect_none(r);
    JR_CHECK_EQ(s->snd.head, s->snd.tail);
    JR_CHECK(cwnd_segments(r, s) < before);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_REXMTTIMEO), 0);
    rig_destroy(r, s);
}

RIG_TEST(recovery_sends_at_a_reduced_rate)
{
    struct sock *s = warm(r, RIG_ALL);
    sock_write(r, s, 80 * MSS);
    uint32_t flight = r->sent_tail - r->sent_head;
    rig_drain(r);
    rig_advance(r, 10 * JR_MS);
    for (uint32_t i = 0; i < flight - 1; i++) /* the first is lost, all others arrive */
        sack_in(r, SEQ(40), 1, {SEQ(41), SEQ(42 + i)});
    uint32_t sent = r->sent_tail - r->sent_head;
    JR_CHECK(sent > flight * 6 / 10 && sent < flight * 8 / 10); /* CUBIC's 0.7, spread over the round trip */
    rig_expect(r, TH_ACK, SEQ(40 + flight), 1, MSS);            /* limited transmit: two reports, two new segments */
    rig_expect(r, TH_ACK, SEQ(41 + flight), 1, MSS);
    rig_expect(r, TH_ACK, SEQ(40), 1, MSS);
    rig_expect(r, TH_ACK, SEQ(42 + flight), 1, MSS);
    rig_drain(r);
    rig_destroy(r, s);
}

RIG_TEST(lost_retransmission_is_noticed)
{
    struct sock *s = warm(r, RIG_ALL);
    sock_write(r, s, 80 * MSS);
    uint32_t flight = r->sent_tail - r->sent_head, top = 41;
    rig_drain(r);
    unsigned times = 0;
    for (uint32_t i = 0; i < flight + 5; i++) {
        rig_advance(r, 500);
        sack_in(r, SEQ(40), 1, {SEQ(41), SEQ(++top)});
        struct seg *g;
        while ((g = rig_pop(r)) != NULL)
            times += g->seq == SEQ(40);
    }
    JR_CHECK_EQ(times, 2);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SACK_LOST_REXMIT), 1);
    rig_destroy(r, s);
}

RIG_TEST(newreno_recovery)
{
    struct sock *s = warm(r, 0);
#define RSEQ(n) (1 + (n)*1460u)
    sock_write(r, s, 20 * 1460);
    rig_drain(r);
    for (int i = 0; i < 2; i++)
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(40));
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(40));
    rig_expect(r, TH_ACK, RSEQ(40), 1, 1460);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_FAST_RECOVERY), 1);
    for (int i = 0; i < 10; i++)
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(40));
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(45)); /* partial: 45 is lost, too */
    rig_expect(r, TH_ACK, RSEQ(45), 1, 1460);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(60));
    rig_expect_none(r);
    sock_write(r, s, 60 * 1460);
    uint32_t n = r->sent_tail - r->sent_head;
    JR_CHECK(n >= 2 && n <= 14); /* ssthresh, at most: 0.7 of 20 */
    rig_destroy(r, s);
}

RIG_TEST(limited_transmit)
{
    struct sock *s = warm(r, 0);
    sock_write(r, s, 80 * 1460);
    uint32_t flight = r->sent_tail - r->sent_head;
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(40));
    rig_expect(r, TH_ACK, RSEQ(40 + flight), 1, 1460);
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(40));
    rig_expect(r, TH_ACK, RSEQ(41 + flight), 1, 1460);
    rig_expect_none(r);
    rig_destroy(r, s);
}

RIG_TEST(a_changed_window_is_no_duplicate_ack)
{
    struct sock *s = warm(r, 0);
    sock_write(r, s, 20 * 1460);
    rig_drain(r);
    for (uint16_t i = 0; i < 6; i++)
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = RSEQ(40), .win = (uint16_t)(40000 + i));
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_FAST_RECOVERY), 0);
    rig_destroy(r, s);
}

RIG_TEST(time_out_backs_off_and_gives_up)
{
    struct sock *s = rig_passive(r, RIG_TS); /* without SACK no probe comes first */
    sock_write(r, s, 100);
    jr_time start = r->now, last = 0;
    rig_drain(r);
    unsigned n = 0;
    while (s->error == 0 && r->now - start < 2000 * JR_SEC) {
        rig_advance(r, 50 * JR_MS);
        struct seg *g;
        while ((g = rig_pop(r)) != NULL) {
            if (g->flags & TH_RST)
                continue;
            JR_CHECK_EQ(g->seq, 1);
            JR_CHECK_EQ(g->len, 100);
            jr_time gap = g->at - (last ? last : start);
            if (n == 0)
                JR_CHECK(gap >= 230 * JR_MS && gap <= 240 * JR_MS); /* rexmit_min and rexmit_slop */
            else if (n < 8)
                JR_CHECK(gap > (230 * JR_MS << n) - 10 * JR_MS && gap < (240 * JR_MS << n));
            else
                JR_CHECK(gap <= 65 * JR_SEC);
            last = g->at;
            n++;
        }
    }
    JR_CHECK_EQ(n, 12);
    JR_CHECK_EQ(s->error, ETIMEDOUT);
    rig_destroy(r, s);
}

RIG_TEST(time_out_resends_all_that_is_missing)
{
    struct sock *s = warm(r, RIG_ALL);
    sock_write(r, s, 10 * MSS);
    rig_drain(r);
    sack_in(r, SEQ(40), 1, {SEQ(45), SEQ(46)}); /* one of ten arrived */
    rig_drain(r);
    rig_advance(r, 400 * JR_MS);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_REXMTTIMEO), 1);
    rig_drain(r);
    sack_in(r, SEQ(41), 1, {SEQ(45), SEQ(46)});
    rig_expect(r, TH_ACK, SEQ(41), 1, MSS);
    rig_expect(r, TH_ACK, SEQ(42), 1, MSS);
    rig_expect_none(r);
    sack_in(r, SEQ(43), 1, {SEQ(45), SEQ(46)});
    rig_expect(r, TH_ACK, SEQ(43), 1, MSS);
    rig_expect(r, TH_ACK, SEQ(44), 1, MSS);
    rig_expect(r, TH_ACK, SEQ(46), 1, MSS); /* steps over what is there */
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(50));
    rig_advance(r, 3 * JR_SEC);
    rig_expect_none(r);
    rig_destroy(r, s);
}

static struct sock *warm_with_rack(struct rig *r)
{
    jr_tcp_config(r->tcp)->rack_enable = 1;
    return warm(r, RIG_ALL);
}

RIG_TEST(spurious_time_out_is_undone)
{
    struct sock *s = warm_with_rack(r);
    uint32_t before = cwnd_segments(r, s);
    sock_write(r, s, 20 * MSS);
    rig_drain(r);
    const uint32_t sent_ts = r->last_tsval;
    rig_advance(r, 400 * JR_MS);
    rig_expect(r, TH_ACK, SEQ(59), 1, MSS); /* the probe */
    rig_expect(r, TH_ACK, SEQ(40), 1, MSS);
    JR_CHECK_EQ(cwnd_segments(r, s), 1);
    r->last_tsval = sent_ts; /* the ACK of the original arrives late */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(42));
    rig_drain(r);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_BAD_REXMIT), 1);
    JR_CHECK(cwnd_segments(r, s) >= before);
    rig_expect_none(r);
    rig_destroy(r, s);
}

RIG_TEST(probe_repairs_a_lost_tail)
{
    struct sock *s = warm_with_rack(r);
    uint32_t before = cwnd_segments(r, s);
    sock_write(r, s, 3 * MSS);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(42)); /* the third is lost */
    rig_advance(r, 150 * JR_MS);
    rig_expect(r, TH_ACK, SEQ(42), 1, MSS);
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(43));
    JR_CHECK_EQ(cwnd_segments(r, s), before); /* perhaps only the ACK was late */
    sock_write(r, s, MSS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(44));
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_TLP_REPAIRED), 1);
    JR_CHECK(cwnd_segments(r, s) < before);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_REXMTTIMEO), 0);
    rig_destroy(r, s);
}

RIG_TEST(probe_uncovers_a_lost_flight)
{
    struct sock *s = warm_with_rack(r);
    sock_write(r, s, 5 * MSS);
    rig_drain(r);
    rig_advance(r, 50 * JR_MS);
    rig_expect(r, TH_ACK, SEQ(44), 1, MSS);
    rig_expect_none(r);
    sack_in(r, SEQ(40), 1, {SEQ(44), SEQ(45)}); /* so all before it is lost */
    rig_expect(r, TH_ACK, SEQ(40), 1, MSS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(41),
           .opts = {.flags = TOF_SACK, .nsack = 1, .sack = {{SEQ(44), SEQ(45)}}});
    rig_expect(r, TH_ACK, SEQ(41), 1, MSS);
    sack_in(r, SEQ(42), 1, {SEQ(44), SEQ(45)});
    rig_expect(r, TH_ACK, SEQ(42), 1, MSS);
    rig_expect(r, TH_ACK, SEQ(43), 1, MSS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(45));
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_REXMTTIMEO), 0);
    rig_expect_none(r);
    rig_destroy(r, s);
}

RIG_TEST(probe_that_was_not_needed)
{
    struct sock *s = warm_with_rack(r);
    uint32_t before = cwnd_segments(r, s);
    sock_write(r, s, 3 * MSS);
    rig_drain(r);
    rig_advance(r, 50 * JR_MS);
    rig_expect(r, TH_ACK, SEQ(42), 1, MSS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(43));
    sack_in(r, SEQ(43), 1, {SEQ(42), SEQ(43)}); /* D-SACK: it arrived twice */
    sock_write(r, s, MSS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(44));
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_TLP_REPAIRED), 0);
    JR_CHECK(cwnd_segments(r, s) >= before);
    rig_destroy(r, s);
}

RIG_TEST(probe_prefers_new_data)
{
    struct sock *s = warm_with_rack(r);
    sock_write(r, s, 60 * MSS); /* more than the window lets go */
    uint32_t n = r->sent_tail - r->sent_head;
    rig_drain(r);
    rig_advance(r, 50 * JR_MS);
    rig_expect(r, TH_ACK, SEQ(40 + n), 1, MSS);
    rig_expect_none(r);
    rig_destroy(r, s);
}

RIG_TEST(two_reports_are_enough_after_a_while)
{
    struct sock *s = warm_with_rack(r);
    sock_write(r, s, 3 * MSS);
    rig_drain(r);
    sack_in(r, SEQ(40), 1, {SEQ(41), SEQ(42)});
    sack_in(r, SEQ(40), 1, {SEQ(41), SEQ(43)});
    rig_expect_none(r);
    rig_advance(r, 50 * JR_MS);
    rig_expect(r, TH_ACK, SEQ(40), 1, MSS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(43));
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_REXMTTIMEO), 0);
    rig_destroy(r, s);
}

RIG_TEST(reneging_receiver)
{
    struct sock *s = warm(r, RIG_ALL);
    sock_write(r, s, 5 * MSS);
    rig_drain(r);
    sack_in(r, SEQ(40), 1, {SEQ(41), SEQ(42)});
    sack_in(r, SEQ(41), 0); /* acknowledges up to what it reported, and not that: taken back */
    rig_drain(r);
    rig_advance(r, 300 * JR_MS);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SACK_RENEGED), 1);
    rig_expect(r, TH_ACK, SEQ(41), 1, MSS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(42));
    rig_expect(r, TH_ACK, SEQ(42), 1, MSS);
    rig_drain(r);
    rig_destroy(r, s);
}

RIG_TEST(nonsense_sack_blocks)
{
    struct sock *s = warm(r, RIG_ALL);
    sock_write(r, s, 5 * MSS);
    rig_drain(r);
    sack_in(r, SEQ(40), 3, {SEQ(44), SEQ(43)}, {SEQ(44), SEQ(60)}, {SEQ(100), SEQ(101)});
    sack_in(r, SEQ(40), 2, {SEQ(1), SEQ(2)}, {SEQ(39), SEQ(41)}); /* the first is a D-SACK */
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SACK_INVALID), 3);
    rig_advance(r, 500 * JR_MS);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(45));
    JR_CHECK_EQ(s->snd.head, s->snd.tail);
    rig_destroy(r, s);
}

RIG_TEST(scoreboard_is_bounded)
{
    jr_tcp_config(r->tcp)->sack_maxholes = 128;
    struct sock *s = warm(r, RIG_ALL);
    sock_write(r, s, 20 * MSS);
    rig_drain(r);
    for (uint32_t i = 0; i < 200; i++)
        sack_in(r, SEQ(40), 1, {SEQ(41) + i * 20, SEQ(41) + i * 20 + 10});
    JR_CHECK(rig_count(r, JR_C_TCP_SACK_FULL) > 50);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = SEQ(60));
    JR_CHECK_EQ(s->snd.head, s->snd.tail);
    rig_drain(r);
    rig_destroy(r, s);
}

RIG_CONN_TEST(user_timeout, RIG_ALL)
{
    int ms = 3000;
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms, r->now), 0);
    sock_write(r, s, 100);
    jr_time start = r->now;
    while (s->error == 0 && r->now - start < 60 * JR_SEC)
        rig_advance(r, 10 * JR_MS);
    JR_CHECK_EQ(s->error, ETIMEDOUT);
    JR_CHECK(r->now - start >= 3000 * JR_MS && r->now - start < 3100 * JR_MS);
}

RIG_CONN_TEST(rtt_without_timestamps_ignores_retransmissions, 0)
{
    uint32_t sent = 1;
    for (int i = 0; i < 10; i++) {
        sock_write(r, s, 100);
        rig_advance(r, 20 * JR_MS);
        sent += 100;
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = sent);
    }
    struct tcp_info ti;
    uint32_t len = sizeof ti;
    jr_tcp_getopt(s->tp, IPPROTO_TCP, TCP_INFO, &ti, &len, r->now);
    JR_CHECK(ti.tcpi_rtt > 12000 && ti.tcpi_rtt <= 20000);
    uint32_t before = ti.tcpi_rtt;
    sock_write(r, s, 100);
    rig_advance(r, 400 * JR_MS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = sent + 100);
    jr_tcp_getopt(s->tp, IPPROTO_TCP, TCP_INFO, &ti, &len, r->now);
    JR_CHECK_EQ(ti.tcpi_rtt, before);
}

JR_TEST_MAIN
