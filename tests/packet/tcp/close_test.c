/* SPDX-License-Identifier: BSD-3-Clause */
/* Closing in every order (RFC 9293 3.6), TIME_WAIT (RFC 1337, 6191), aborts (RFC 2525). */
#include <errno.h>

#include "rig.h"
#include "tcp/tcpcb.h"

static void close_it(struct rig *r, struct sock *s, bool abort)
{
    jr_tcp_close(s->tp, abort, r->now);
    rig_flush(r);
}

RIG_TEST(active_close)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    close_it(r, s, false);
    rig_expect(r, TH_FIN | TH_ACK, 1, 1, 0);
    JR_CHECK(!s->closed);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 2);
    JR_CHECK(s->closed); /* in FIN_WAIT_2 nobody needs the buffers */
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    rig_expect(r, TH_ACK, 2, 2, 0);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_TIMEWAIT), 1);
    rig_advance(r, 59 * JR_SEC);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2); /* still there, and waits anew */
    rig_expect(r, TH_ACK, 2, 2, 0);
    rig_advance(r, 59 * JR_SEC);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    rig_expect(r, TH_ACK, 2, 2, 0);
    rig_advance(r, 61 * JR_SEC);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    rig_expect(r, TH_RST, 2, 0, 0);
    rig_socket_free(s);
}

RIG_TEST(passive_close)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 1, .len = 7);
    rig_expect(r, TH_ACK, 1, 9, 0);
    JR_CHECK_EQ(s->events, JR_TCP_EV_RX | JR_TCP_EV_RX_FIN);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSE_WAIT);
    sock_read(r, s, 7);
    sock_write(r, s, 5); /* half closed: data still goes the other way */
    rig_expect(r, TH_ACK, 1, 9, 5);
    close_it(r, s, false);
    rig_expect(r, TH_FIN | TH_ACK, 6, 9, 0);
    JR_CHECK(!s->closed);
    rig_in(r, .flags = TH_ACK, .seq = 9, .ack = 7);
    JR_CHECK(s->closed);
    JR_CHECK_EQ(jr_tcp_count(r->tcp), 0); /* no TIME_WAIT on this side */
    rig_socket_free(s);
}

RIG_TEST(simultaneous_close)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    jr_tcp_shutdown(s->tp, r->now);
    rig_expect(r, TH_FIN | TH_ACK, 1, 1, 0);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSING);
    rig_expect(r, TH_FIN | TH_ACK, 1, 2, 0); /* again, with the ACK */
    rig_in(r, .flags = TH_ACK, .seq = 2, .ack = 2);
    JR_CHECK_EQ(sock_state(s), TCPS_TIME_WAIT);
    rig_advance(r, 61 * JR_SEC);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSED);
    JR_CHECK(!s->closed);
    JR_CHECK_EQ(s->error, 0);
    close_it(r, s, false);
    rig_socket_free(s);
}

RIG_TEST(fin_with_the_ack_of_ours)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    jr_tcp_shutdown(s->tp, r->now);
    rig_drain(r);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    JR_CHECK_EQ(sock_state(s), TCPS_TIME_WAIT);
    rig_expect(r, TH_ACK, 2, 2, 0);
    close_it(r, s, false);
    rig_socket_free(s);
}

RIG_CONN_TEST(half_close_keeps_receiving, RIG_ALL)
{
    jr_tcp_shutdown(s->tp, r->now);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 2);
    JR_CHECK_EQ(sock_state(s), TCPS_FIN_WAIT_2);
    rig_advance(r, 1000 * JR_SEC); /* as long as it likes */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 2, .len = 500);
    sock_read(r, s, 500);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 501, .ack = 2);
    JR_CHECK_EQ(sock_state(s), TCPS_TIME_WAIT);
}

RIG_CONN_TEST(fin_waits_for_all_data_and_is_resent, RIG_ALL)
{
    sock_write(r, s, 1);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 2, .win = 12);
    sock_put(s, 1600);
    jr_tcp_shutdown(s->tp, r->now);
    rig_expect(r, TH_ACK, 2, 1, 1448); /* a window of 12 << 7 ends before the rest */
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1450, .win = 100);
    rig_expect(r, TH_FIN | TH_ACK, 1450, 1, 152);
    rig_advance(r, 250 * JR_MS);
    rig_expect(r, TH_FIN | TH_ACK, 1450, 1, 152);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1602); /* data, but not the FIN */
    JR_CHECK_EQ(sock_state(s), TCPS_FIN_WAIT_1);
    rig_expect_none(r);
    rig_advance(r, 500 * JR_MS);
    rig_expect(r, TH_FIN | TH_ACK, 1602, 1, 0);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1603);
    JR_CHECK_EQ(sock_state(s), TCPS_FIN_WAIT_2);
}

RIG_TEST(abort_sends_rst)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    sock_write(r, s, 100);
    rig_drain(r);
    close_it(r, s, true);
    rig_expect(r, TH_RST | TH_ACK, 101, 1, 0);
    JR_CHECK(s->closed);
    rig_socket_free(s);
}

RIG_TEST(unread_data_goes_with_the_socket)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1);
    rig_drain(r);
    close_it(r, s, false);
    rig_expect(r, TH_FIN | TH_ACK, 1, 2, 0);
    rig_in(r, .flags = TH_ACK, .seq = 2, .ack = 2);
    JR_CHECK(s->closed);
    rig_in(r, .flags = TH_ACK, .seq = 2, .ack = 2, .len = 1);
    rig_expect(r, TH_RST, 2, 0, 0);
    rig_socket_free(s);
}

RIG_TEST(data_after_close_is_reset)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    close_it(r, s, false);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 2, .len = 10);
    rig_expect(r, TH_RST, 2, 0, 0);
    JR_CHECK(s->closed);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_DATA_AFTER_CLOSE), 1);
    rig_socket_free(s);
}

JR_TEST(closed_fin_wait_2_times_out)
{
    for (uint32_t recycle = 0; recycle < 2; recycle++) {
        struct rig r;
        rig_init(&r);
        r.cfg.fast_finwait2_recycle = recycle;
        rig_start(&r);
        struct sock *s = rig_passive(&r, RIG_ALL);
        close_it(&r, s, false);
        rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 2);
        rig_advance(&r, recycle ? 59 * JR_SEC : 599 * JR_SEC);
        JR_CHECK_EQ(jr_tcp_count(r.tcp), 1);
        rig_advance(&r, 2 * JR_SEC);
        JR_CHECK_EQ(jr_tcp_count(r.tcp), 0);
        JR_CHECK_EQ(rig_count(&r, JR_C_TCP_FINWAIT2_DROPS), 1);
        rig_socket_free(s);
        rig_drain(&r);
        rig_end(&r);
    }
}

RIG_TEST(closed_peer_that_never_acks_is_given_up)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    sock_write(r, s, 10);
    close_it(r, s, false);
    rig_advance(r, 1000 * JR_SEC);
    JR_CHECK(s->closed);
    JR_CHECK_EQ(s->events & JR_TCP_EV_ERROR, 0); /* nobody is there to be told */
    rig_socket_free(s);
}

RIG_TEST(rst_in_time_wait_is_ignored)
{
    struct sock *s = rig_passive(r, 0);
    close_it(r, s, false);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    rig_drain(r);
    rig_in(r, .flags = TH_RST, .seq = 2);
    rig_expect_none(r);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    rig_expect(r, TH_ACK, 2, 2, 0);
    rig_socket_free(s);
}

static void into_time_wait(struct rig *r, uint32_t what)
{
    struct sock *s = rig_passive(r, what);
    close_it(r, s, false);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    rig_drain(r);
    rig_socket_free(s);
}

RIG_TEST(newer_syn_replaces_time_wait)
{
    into_time_wait(r, 0);
    struct sock *l = rig_listen(r, 5);
    const uint32_t old_iss = r->iss;
    rig_in(r, .flags = TH_SYN, .seq = 1); /* an old duplicate: not newer than what was received */
    rig_expect_none(r);
    rig_in(r, .flags = TH_SYN, .seq = 100000);
    rig_expect(r, TH_SYN | TH_ACK, 0, 100001, 0);
    JR_CHECK((int32_t)(r->iss - old_iss) > 2);
    rig_in(r, .flags = TH_ACK, .seq = 100001, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_TIMEWAIT_REUSED), 1);
    rig_destroy(r, l);
}

RIG_TEST(newer_timestamp_replaces_time_wait_whatever_the_isn)
{
    into_time_wait(r, RIG_ALL);
    struct sock *l = rig_listen(r, 5);
    rig_advance(r, 10 * JR_MS);
    rig_in(r, .flags = TH_SYN, .seq = (uint32_t)-50000, .opts = rig_syn_opts(r, RIG_ALL));
    rig_expect(r, TH_SYN | TH_ACK, 0, (uint32_t)-49999, 0);
    rig_destroy(r, l);
}

JR_TEST(time_wait_is_bounded)
{
    struct rig r;
    rig_init(&r);
    r.cfg.maxtcptw = 3;
    rig_start(&r);
    for (uint16_t i = 0; i < 10; i++) {
        r.peer_port = (uint16_t)(7000 + i);
        into_time_wait(&r, 0);
    }
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_TIMEWAIT_OVERFLOW), 7);
    JR_CHECK_EQ(r.tcp->tw_count, 3);
    rig_end(&r);
}

/* rfc: 9293 3.6.1 */
JR_TEST(time_wait_without_a_socket_is_a_record)
{
    struct rig r;
    rig_init(&r);
    r.cfg.maxtcptw = 100000;
    rig_start(&r);
    for (uint16_t i = 0; i < 1000; i++) {
        r.peer_port = (uint16_t)(7000 + i);
        into_time_wait(&r, 0);
        rig_drain(&r);
    }
    JR_CHECK_EQ(r.tcp->count, 0); /* no tcpcb */
    JR_CHECK_EQ(r.tcp->tw_record_count, 1000);
    JR_CHECK_EQ(r.tcp->tw_count, 1000);
    JR_CHECK_EQ(r.tcp->hash_count, 1000);
    rig_advance(&r, 30 * JR_SEC); /* the last one waits anew, the time of the others is up */
    rig_in(&r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    rig_expect(&r, TH_ACK, 2, 2, 0);
    rig_advance(&r, 31 * JR_SEC);
    JR_CHECK_EQ(r.tcp->tw_record_count, 1);
    rig_advance(&r, 30 * JR_SEC);
    JR_CHECK_EQ(r.tcp->tw_record_count, 0);
    JR_CHECK_EQ(r.tcp->hash_count, 0);
    JR_CHECK(r.tcp->tw_chunks == NULL);
    rig_end(&r);
}

RIG_TEST(bind_after_time_wait_needs_reuseaddr)
{
    into_time_wait(r, 0); /* of a listener with SO_REUSEADDR */
    struct sock *a = rig_socket(r, 0, 0);
    const struct jr_endpoint any = {.addr = jr_addr_v4(0), .port = RIG_PORT};
    JR_CHECK_EQ(jr_tcp_bind(a->tp, &any, 0), -EADDRINUSE);
    JR_CHECK_EQ(jr_tcp_bind(a->tp, &any, JR_TCP_BIND_REUSEADDR), 0);
    rig_destroy(r, a);
}

RIG_CONN_TEST(fin_retransmission_after_lost_ack, RIG_ALL)
{
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 1);
    rig_expect(r, TH_ACK, 1, 2, 0);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 1);
    rig_expect(r, TH_ACK, 1, 2, 0);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSE_WAIT);
}

RIG_TEST(last_ack_survives_a_lost_fin)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 1);
    rig_drain(r);
    close_it(r, s, false);
    rig_expect(r, TH_FIN | TH_ACK, 1, 2, 0);
    rig_advance(r, JR_SEC);
    rig_expect(r, TH_FIN | TH_ACK, 1, 2, 0);
    rig_drain(r);
    rig_in(r, .flags = TH_RST, .seq = 2);
    JR_CHECK(s->closed);
    rig_socket_free(s);
}

JR_TEST_MAIN
