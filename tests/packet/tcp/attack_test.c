/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments that don't belong: RST rules, blind attacks (RFC 5961), old duplicates (RFC 7323 5), closed ports. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "rig.h"

RIG_CONN_TEST(rst_must_be_exact, RIG_ALL)
{
    rig_in(r, .flags = TH_RST, .seq = 0);
    rig_in(r, .flags = TH_RST, .seq = 1000000);
    rig_expect_none(r);
    rig_in(r, .flags = TH_RST, .seq = 2); /* in the window: is it true? */
    rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_in(r, .flags = TH_RST, .seq = 1);
    JR_CHECK_EQ(s->events, JR_TCP_EV_ERROR);
    JR_CHECK_EQ(s->error, ECONNRESET);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSED);
    rig_expect_none(r);
}

RIG_CONN_TEST(rst_after_data_in_flight_of_an_ack, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 10);
    rig_drain(r);
    rig_in(r, .flags = TH_RST | TH_ACK, .seq = 11, .ack = 1);
    JR_CHECK_EQ(s->error, ECONNRESET);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 10); /* what came before may still be read */
}

RIG_CONN_TEST(syn_is_questioned, RIG_ALL)
{
    rig_in(r, .flags = TH_SYN, .seq = 5);
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_in(r, .flags = TH_SYN, .seq = 5000000);
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .seq = 0, .ack = 1);
    rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
}

/* rfc: 5961 7 */
RIG_CONN_TEST(challenges_are_limited, RIG_ALL)
{
    for (uint32_t i = 0; i < 50; i++)
        rig_in(r, .flags = TH_SYN, .seq = 5 + i);
    JR_CHECK_EQ(r->sent_tail - r->sent_head, 5);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_CHALLENGE_LIMITED), 45);
    rig_drain(r);
    rig_advance(r, 1100 * JR_MS);
    rig_in(r, .flags = TH_SYN, .seq = 5);
    rig_expect(r, TH_ACK, 1, 1, 0);
}

RIG_CONN_TEST(acks_of_nothing, RIG_ALL)
{
    sock_write(r, s, 100);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 102, .len = 10); /* too much: the data isn't taken either */
    rig_expect(r, TH_ACK, 101, 1, 0);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = (uint32_t)-10000000, .len = 10); /* too old */
    rig_expect(r, TH_ACK, 101, 1, 0);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 0);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 0, .len = 10); /* old, but believable */
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 10);
    rig_in(r, .flags = 0, .seq = 11, .len = 10);
    rig_in(r, .flags = TH_FIN, .seq = 11);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_NO_ACK), 2);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_drain(r);
}

RIG_CONN_TEST(paws, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 10);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 11, .ack = 1, .len = 10, .ts_ago = 1000);
    rig_expect(r, TH_ACK, 1, 11, 0);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 10);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_PAWS), 1);
    rig_in(r, .flags = TH_ACK, .seq = 11, .ack = 1, .ts_ago = 1000); /* a bare ACK isn't answered */
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 11, .ack = 1, .len = 10, .no_ts = true);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_TS_MISSING), 1);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 10);
    rig_in(r, .flags = TH_RST, .seq = 11, .no_ts = true); /* a RST needs none */
    JR_CHECK_EQ(s->error, ECONNRESET);
}

/* rfc: 7323 5.5 */
JR_TEST(paws_forgets_after_24_days)
{
    struct rig r;
    rig_init(&r);
    r.cfg.always_keepalive = 0;
    rig_start(&r);
    struct sock *s = rig_passive(&r, RIG_ALL);
    rig_advance(&r, 25ull * 24 * 3600 * JR_SEC);
    rig_drain(&r);
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 10); /* its clock has wrapped: looks old */
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 10);
    rig_destroy(&r, s);
    rig_end(&r);
}

RIG_TEST(closed_port)
{
    rig_in(r, .flags = TH_SYN);
    rig_expect(r, TH_RST | TH_ACK, 0, 1, 0);
    rig_in(r, .flags = TH_SYN | TH_FIN, .len = 10, .data = "0123456789");
    rig_expect(r, TH_RST | TH_ACK, 0, 12, 0);
    rig_in(r, .flags = TH_ACK, .ack = 1234);
    rig_expect(r, TH_RST, 1234, 0, 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 77);
    rig_expect(r, TH_RST, 77, 0, 0);
    rig_in(r, .flags = TH_RST);
    rig_in(r, .flags = TH_RST | TH_ACK, .ack = 5);
    rig_expect_none(r);
}

/* rfc: 1812 4.3.2.8 */
RIG_TEST(rsts_are_limited)
{
    for (int i = 0; i < 1000; i++)
        rig_in(r, .flags = TH_SYN, .sport = (uint16_t)(1000 + i));
    JR_CHECK_EQ(r->sent_tail - r->sent_head, 200);
    rig_drain(r);
    rig_advance(r, 100 * JR_MS);
    for (int i = 0; i < 1000; i++)
        rig_in(r, .flags = TH_SYN, .sport = (uint16_t)(1000 + i));
    JR_CHECK_EQ(r->sent_tail - r->sent_head, 20);
    rig_drain(r);
}

JR_TEST(blackhole_and_shared_ports_are_silent)
{
    for (uint32_t mode = 0; mode < 3; mode++) {
        struct rig r;
        rig_init(&r);
        r.cfg.blackhole = mode;
        r.ip.shared = mode == 0;
        rig_start(&r);
        rig_in(&r, .flags = TH_SYN);
        rig_expect_none(&r);
        rig_in(&r, .flags = TH_ACK, .ack = 1);
        if (mode == 1)
            rig_expect(&r, TH_RST, 1, 0, 0);
        rig_expect_none(&r);
        rig_end(&r);
    }
}

RIG_TEST(listener_answers_acks_with_rst_and_ignores_rst)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_ACK, .ack = 500);
    rig_expect(r, TH_RST, 500, 0, 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 600);
    rig_expect(r, TH_RST, 600, 0, 0);
    rig_in(r, .flags = TH_RST);
    rig_in(r, .flags = TH_FIN);
    rig_in(r, .flags = 0);
    rig_expect_none(r);
    rig_destroy(r, l);
}

/* rfc: 1122 4.2.3.10 */
RIG_TEST(broadcast_is_never_answered)
{
    struct sock *l = rig_listen(r, 5);
    uint8_t seg[20] = {0};
    const struct jr_tcp_view v = {.sport = 1, .dport = RIG_PORT, .flags = TH_SYN, .hlen = 20};
    jr_tcp_build(seg, &v);
    ip_double_checksum(r->peer, r->local, seg, sizeof seg);
    const struct jr_ip_rx rx = {.src = r->peer, .dst = r->local, .proto = 6, .broadcast = true};
    r->ip.tcp.input(r->ip.tcp.ctx, jr_heap_pkt_copy(&r->ip.pool, seg, sizeof seg), &rx, r->now);
    rig_expect_none(r);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_BROADCAST), 1);
    rig_destroy(r, l);
}

JR_TEST(syn_and_fin_together)
{
    struct rig r;
    rig_init(&r);
    r.cfg.drop_synfin = 1;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 5);
    rig_in(&r, .flags = TH_SYN | TH_FIN);
    rig_expect_none(&r);
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_SYNFIN), 1);
    rig_destroy(&r, l);
    rig_end(&r);
}

RIG_CONN_TEST(keepalive_of_the_peer_is_answered, RIG_ALL)
{
    rig_in(r, .flags = TH_ACK, .seq = 0, .ack = 1);
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_in(r, .flags = TH_ACK, .seq = 0, .ack = 1, .len = 1, .data = "x"); /* the kind with a byte */
    rig_expect(r, TH_ACK, 1, 1, 0);
}

JR_TEST_MAIN

static struct {
    unsigned lines;
    char last[200];
} logged;

static void keep_line(void *ctx, enum jr_log_level level, const char *line)
{
    (void)ctx;
    JR_CHECK_EQ(level, JR_LOG_INFO);
    logged.lines++;
    snprintf(logged.last, sizeof logged.last, "%s", line);
}

RIG_TEST(segments_to_closed_ports_are_logged)
{
    jr_log_set_sink(keep_line, NULL);
    jr_log_set_level(JR_LOG_INFO);
    rig_in(r, .flags = TH_SYN);
    JR_CHECK_EQ(logged.lines, 0);
    jr_tcp_config(r->tcp)->log_in_vain = 1;
    rig_in(r, .flags = TH_SYN);
    JR_CHECK_EQ(logged.lines, 1);
    JR_CHECK(strstr(logged.last, "from [::ffff:10.0.0.2]:") != NULL);
    JR_CHECK(strstr(logged.last, "flags 0x02") != NULL);
    rig_in(r, .flags = TH_ACK, .ack = 1);
    JR_CHECK_EQ(logged.lines, 1);
    jr_tcp_config(r->tcp)->log_in_vain = 2;
    rig_in(r, .flags = TH_ACK, .ack = 1);
    JR_CHECK_EQ(logged.lines, 2);
    rig_drain(r);
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    JR_CHECK_EQ(logged.lines, 2);
    rig_drain(r);
    rig_destroy(r, l);
    jr_log_set_sink(NULL, NULL);
}
