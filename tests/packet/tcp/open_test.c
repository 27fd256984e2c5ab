/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening: active, passive and simultaneous, retransmission and refusal (RFC 9293 3.5, 3.10.7.1 to 3.10.7.4). */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "rig.h"

static struct sock *begin_connect(struct rig *r)
{
    struct sock *s = rig_socket(r, 65536, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    return s;
}

RIG_TEST(active_sends_freebsds_options)
{
    struct sock *s = begin_connect(r);
    struct seg *syn = rig_expect(r, TH_SYN, 0, 0, 0);
    JR_CHECK_EQ(syn->opts.flags, TOF_MSS | TOF_SCALE | TOF_SACKPERM | TOF_TS);
    JR_CHECK_EQ(syn->opts.mss, 1460);
    JR_CHECK_EQ(syn->opts.wscale, 6);
    JR_CHECK_EQ(syn->opts.tsecr, 0);
    JR_CHECK_EQ(syn->win, 65535);
    JR_CHECK(syn->sport >= 49152);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .opts = rig_syn_opts(r, RIG_ALL));
    r->ts = true;
    struct seg *ack = rig_expect(r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(ack->opts.flags, TOF_TS);
    JR_CHECK_EQ(ack->win, 65536 >> 6);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    JR_CHECK_EQ(s->events, JR_TCP_EV_CONNECTED);
    rig_destroy(r, s);
}

JR_TEST(passive_answers_only_what_was_offered)
{
    for (uint32_t what = 0; what <= RIG_ALL; what++) {
        struct rig r;
        rig_init(&r);
        rig_start(&r);
        struct sock *l = rig_listen(&r, 5);
        rig_in(&r, .flags = TH_SYN, .opts = rig_syn_opts(&r, what));
        struct seg *sa = rig_expect(&r, TH_SYN | TH_ACK, 0, 1, 0);
        JR_CHECK_EQ(!!(sa->opts.flags & TOF_TS), !!(what & RIG_TS));
        JR_CHECK_EQ(!!(sa->opts.flags & TOF_SACKPERM), !!(what & RIG_SACK));
        JR_CHECK_EQ(!!(sa->opts.flags & TOF_SCALE), !!(what & RIG_SCALE));
        JR_CHECK_EQ(sa->opts.mss, 1460);
        JR_CHECK_EQ(jr_tcp_count(r.tcp), 1); /* no tcpcb before the ACK */
        r.ts = what & RIG_TS;
        rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1);
        JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
        JR_CHECK_EQ(jr_tcp_count(r.tcp), 2);
        struct sock *s = rig_accept(&r, l, 4096, 65536);
        struct jr_endpoint ep;
        jr_tcp_remote(s->tp, &ep);
        JR_CHECK_EQ(ep.port, RIG_PEER_PORT);
        JR_CHECK(jr_addr_eq(ep.addr, r.peer));
        rig_destroy(&r, s);
        rig_destroy(&r, l);
        rig_end(&r);
    }
}

RIG_TEST(simultaneous_open)
{
    struct sock *s = begin_connect(r);
    rig_expect(r, TH_SYN, 0, 0, 0);
    rig_in(r, .flags = TH_SYN, .opts = rig_syn_opts(r, RIG_ALL));
    r->ts = true;
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_RECEIVED);
    struct seg *sa = rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    JR_CHECK_EQ(sa->opts.flags, TOF_MSS | TOF_SCALE | TOF_SACKPERM | TOF_TS);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .opts = rig_syn_opts(r, RIG_ALL));
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    JR_CHECK_EQ(s->events, JR_TCP_EV_CONNECTED);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 10);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 10);
    rig_destroy(r, s);
}

RIG_TEST(data_of_a_simultaneous_syn_waits_for_the_ack)
{
    struct sock *s = begin_connect(r);
    rig_drain(r);
    rig_in(r, .flags = TH_SYN | TH_FIN, .len = 3); /* the FIN has to come again */
    rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 0);
    rig_in(r, .flags = TH_ACK, .seq = 4, .ack = 1);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 3);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_destroy(r, s);
}

/* rfc: 9293 3.5 */
RIG_TEST(two_stacks_open_simultaneously)
{
    struct sock *s = begin_connect(r);
    rig_drain(r);
    rig_in(r, .flags = TH_SYN);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1); /* the ACK may come without the second SYN */
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_destroy(r, s);
}

RIG_TEST(refused)
{
    struct sock *s = begin_connect(r);
    rig_drain(r);
    rig_in(r, .flags = TH_RST); /* without ACK: ignored */
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    rig_in(r, .flags = TH_RST | TH_ACK, .ack = 7); /* of something else: ignored */
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    rig_in(r, .flags = TH_RST | TH_ACK, .ack = 1);
    JR_CHECK_EQ(s->events, JR_TCP_EV_ERROR);
    JR_CHECK_EQ(s->error, ECONNREFUSED);
    rig_expect_none(r);
    rig_destroy(r, s);
}

RIG_TEST(half_open_peer_is_reset)
{
    struct sock *s = begin_connect(r);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 77, .ack = 500); /* RFC 9293 figure 10 */
    rig_expect(r, TH_RST, 500, 0, 0);
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    rig_destroy(r, s);
}

RIG_TEST(syn_is_resent_with_backoff_until_keepinit)
{
    struct sock *s = begin_connect(r);
    jr_time start = r->now, at[16];
    unsigned n = 0;
    struct seg *g;
    while (s->error == 0 && r->now < start + 100 * JR_SEC) {
        rig_advance(r, 10 * JR_MS);
        while ((g = rig_pop(r)) != NULL && n < 16) {
            JR_CHECK_EQ(g->flags, TH_SYN);
            JR_CHECK_EQ(g->seq, 0);
            at[n++] = g->at - start;
        }
    }
    JR_CHECK_EQ(s->error, ETIMEDOUT);
    JR_CHECK(r->now - start >= 74 * JR_SEC && r->now - start <= 76 * JR_SEC);
    JR_CHECK_EQ(n, 7); /* 0, 1, 3.2, 7.4, 15.6, 31.8, 64 s */
    for (unsigned i = 1; i < n; i++)
        JR_CHECK(at[i] / JR_MS >= (1000u << i) - 1000 + (i - 1) * 200 &&
                 at[i] / JR_MS <= (1000u << i) - 1000 + (i - 1) * 200 + 20);
    rig_destroy(r, s);
}

RIG_TEST(syn_ack_is_resent_three_times)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    rig_in(r, .flags = TH_SYN); /* the peer's own retransmission is answered, too */
    rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    rig_advance(r, 60 * JR_SEC);
    for (int i = 0; i < 3; i++)
        rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    rig_expect_none(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1); /* too late */
    rig_expect(r, TH_RST, 1, 0, 0);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SYNCACHE_STALE), 1);
    rig_destroy(r, l);
}

RIG_TEST(wrong_ack_in_syn_received)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 2);
    rig_expect(r, TH_RST, 2, 0, 0);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_destroy(r, l);
    rig_expect_none(r);
}

RIG_TEST(rst_removes_a_half_open_entry)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_drain(r);
    rig_in(r, .flags = TH_RST, .seq = 100); /* not exact */
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_in(r, .flags = TH_RST, .seq = 70000);                /* not even in the window */
    rig_in(r, .flags = TH_RST | TH_ACK, .seq = 1, .ack = 1); /* no answer to our SYN|ACK looks like this */
    rig_expect_none(r);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SYNCACHE_RST), 0);
    rig_in(r, .flags = TH_RST, .seq = 1);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SYNCACHE_RST), 1);
    rig_advance(r, 20 * JR_SEC);
    rig_expect_none(r);
    rig_destroy(r, l);
}

RIG_TEST(data_with_the_last_ack)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK | TH_FIN, .seq = 1, .ack = 1, .len = 100);
    JR_CHECK_EQ(r->embryo_bufs, 1);
    struct sock *s = rig_accept(r, l, 4096, 65536);
    JR_CHECK_EQ(r->embryo_bufs, 0);
    JR_CHECK_EQ(s->events, JR_TCP_EV_RX | JR_TCP_EV_RX_FIN);
    JR_CHECK_EQ(sock_state(s), TCPS_CLOSE_WAIT);
    sock_read(r, s, 100);
    rig_destroy(r, s);
    rig_destroy(r, l);
}

RIG_TEST(data_before_accept_keeps_its_place)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN, .opts = rig_syn_opts(r, RIG_SACK));
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 1000);
    rig_in(r, .flags = TH_ACK, .seq = 2001, .ack = 1, .len = 1000); /* out of order */
    rig_drain(r);
    struct sock *s = rig_accept(r, l, 4096, 8192);
    rig_in(r, .flags = TH_ACK, .seq = 1001, .ack = 1, .len = 1000);
    rig_expect(r, TH_ACK, 1, 3001, 0);
    sock_read(r, s, 3000);
    rig_destroy(r, s);
    rig_destroy(r, l);
}

JR_TEST(no_embryo_memory_drops_data)
{
    struct rig r;
    rig_init(&r);
    r.no_embryo_buf = true;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 5);
    rig_in(&r, .flags = TH_SYN);
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1);
    rig_drain(&r);
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 100);
    rig_expect(&r, TH_ACK, 1, 1, 0);
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_NORCVBUF), 1);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 9293 3.10.1 */
RIG_TEST(accept_queue_is_bounded_and_in_order)
{
    struct sock *l = rig_listen(r, 2); /* as FreeBSD: one more than one and a half times the backlog */
    for (uint16_t i = 0; i < 6; i++) {
        r->peer_port = (uint16_t)(6000 + i);
        rig_in(r, .flags = TH_SYN);
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    }
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 4);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_LISTEN_OVERFLOW), 2);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_RST_SENT), 2);
    for (uint16_t i = 0; i < 4; i++) {
        struct sock *s = rig_accept(r, l, 4096, 65536);
        struct jr_endpoint ep;
        jr_tcp_remote(s->tp, &ep);
        JR_CHECK_EQ(ep.port, 6000 + i);
        rig_destroy(r, s);
    }
    JR_CHECK(jr_tcp_accept(l->tp) == NULL);
    rig_destroy(r, l);
}

/* rfc: 4987 3.2 */
JR_TEST(full_queue_keeps_the_entry_for_a_later_ack)
{
    struct rig r;
    rig_init(&r);
    r.cfg.syncache_rst_on_sock_fail = 0;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 0);
    rig_in(&r, .flags = TH_SYN, .sport = 6001);
    const uint32_t iss1 = r.iss;
    rig_in(&r, .flags = TH_SYN, .sport = 6002);
    const uint32_t iss2 = r.iss;
    r.iss = iss1;
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .sport = 6001);
    r.iss = iss2;
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .sport = 6002);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_destroy(&r, rig_accept(&r, l, 4096, 65536));
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .sport = 6002, .len = 10);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_destroy(&r, l);
    rig_end(&r);
}

RIG_TEST(reset_before_accept_is_seen_after_it)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    rig_in(r, .flags = TH_RST, .seq = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    struct sock *s = rig_accept(r, l, 4096, 65536);
    JR_CHECK_EQ(s->events, JR_TCP_EV_ERROR);
    JR_CHECK_EQ(s->error, ECONNRESET);
    rig_destroy(r, s);
    rig_destroy(r, l);
}

RIG_TEST(closing_a_listener_resets_what_waits)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 5);
    const uint32_t iss = r->iss;
    rig_in(r, .flags = TH_SYN, .sport = 7000); /* half open */
    rig_drain(r);
    r->iss = iss;
    jr_tcp_close(l->tp, false, r->now);
    rig_flush(r);
    rig_expect(r, TH_RST | TH_ACK, 1, 6, 0);
    JR_CHECK(l->closed);
    rig_socket_free(l);
    rig_advance(r, 10 * JR_SEC);
    rig_expect_none(r);
}

/* rfc: 4987 3.6 */
JR_TEST(syn_flood_gets_cookies_that_work)
{
    struct rig r;
    rig_init(&r);
    r.cfg.syncache_cachelimit = 0;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 100);
    for (uint16_t i = 0; i < 10; i++) {
        r.peer_port = (uint16_t)(6000 + i);
        rig_in(&r, .flags = TH_SYN, .opts = rig_syn_opts(&r, RIG_ALL));
    }
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_COOKIE_SENT), 10);
    r.ts = true;
    rig_advance(&r, 500 * JR_MS);
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 100); /* the last one's */
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_COOKIE_GOOD), 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_drain(&r);
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 2, .sport = 6001); /* forged */
    rig_expect(&r, TH_RST, 2, 0, 0);
    struct sock *s = rig_accept(&r, l, 65536, 65536);
    sock_read(&r, s, 100);
    rig_drain(&r);
    sock_write(&r, s, 3000);
    struct seg *g = rig_expect(&r, TH_ACK, 1, 101, 1448);
    JR_CHECK_EQ(g->opts.flags, TOF_TS);
    rig_destroy(&r, s);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 4987 3.6 */
JR_TEST(stale_cookie_is_refused)
{
    struct rig r;
    rig_init(&r);
    r.cfg.syncache_cachelimit = 0;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 100);
    rig_in(&r, .flags = TH_SYN);
    rig_expect(&r, TH_SYN | TH_ACK, 0, 1, 0);
    const uint32_t iss = r.iss;
    rig_advance(&r, 40 * JR_SEC);
    rig_in(&r, .flags = TH_SYN, .seq = 9000); /* cookies are being sent */
    rig_drain(&r);
    r.iss = iss;
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 0);
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_COOKIE_BAD), 1);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 4987 3.6 */
JR_TEST(an_entry_that_had_to_go_completes_by_its_cookie)
{
    struct rig r;
    rig_init(&r);
    r.cfg.syncache_hashsize = 1;
    r.cfg.syncache_bucketlimit = 2;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 100);
    uint32_t iss[3];
    for (uint16_t i = 0; i < 3; i++) {
        rig_in(&r, .flags = TH_SYN, .sport = (uint16_t)(6000 + i));
        iss[i] = r.iss;
    }
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_SYNCACHE_FULL), 1);
    for (uint16_t i = 0; i < 3; i++) {
        r.iss = iss[i];
        rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .sport = (uint16_t)(6000 + i));
    }
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 3);
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_COOKIE_GOOD), 1);
    rig_destroy(&r, l);
    rig_end(&r);
}

RIG_TEST(deferred_accept_waits_for_data)
{
    struct sock *l = rig_listen(r, 5);
    const int seconds = 3;
    JR_CHECK_EQ(jr_tcp_setopt(l->tp, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds, r->now), 0);
    rig_in(r, .flags = TH_SYN);
    const uint32_t iss = r->iss;
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 0);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .len = 10);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_in(r, .flags = TH_SYN, .sport = 6001);
    rig_advance(r, 3500 * JR_MS); /* the SYN|ACKs sent since make a silent peer say it again */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1, .sport = 6001);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 2);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SYNCACHE_DEFERRED), 1);
    r->iss = iss;
    rig_drain(r);
    rig_destroy(r, l);
}

JR_TEST(syncookies_only_keeps_nothing)
{
    struct rig r;
    rig_init(&r);
    r.cfg.syncookies_only = 1;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 5);
    rig_in(&r, .flags = TH_SYN);
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_SYNCACHE_ADDED), 0);
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 4987 3.4 */
JR_TEST(without_cookies_the_oldest_entry_goes)
{
    struct rig r;
    rig_init(&r);
    r.cfg.syncache_hashsize = 1;
    r.cfg.syncache_bucketlimit = 2;
    r.cfg.syncookies = 0;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 100);
    uint32_t iss[3];
    for (uint16_t i = 0; i < 3; i++) {
        rig_in(&r, .flags = TH_SYN, .sport = (uint16_t)(6000 + i));
        iss[i] = r.iss;
    }
    for (uint16_t i = 0; i < 3; i++) {
        r.iss = iss[i];
        rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1, .sport = (uint16_t)(6000 + i));
    }
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 2);
    rig_destroy(&r, l);
    rig_end(&r);
}

RIG_TEST(a_new_syn_replaces_a_half_open_entry)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN);
    rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    rig_in(r, .flags = TH_SYN, .seq = 5000);
    rig_expect(r, TH_SYN | TH_ACK, 0, 5001, 0);
    rig_in(r, .flags = TH_ACK, .seq = 5001, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_destroy(r, l);
}

/* rfc: 6528 3; 9293 3.4.1 */
JR_TEST(isns_are_spread_and_grow)
{
    struct rig r;
    rig_init(&r);
    r.cfg.syncookies = 0;
    rig_start(&r);
    struct sock *l = rig_listen(&r, 100);
    rig_in(&r, .flags = TH_SYN, .sport = 6000);
    uint32_t first = r.iss;
    rig_in(&r, .flags = TH_RST, .seq = 1, .sport = 6000);
    rig_in(&r, .flags = TH_SYN, .sport = 6001);
    JR_CHECK(r.iss - first > 1000);
    rig_advance(&r, 4 * JR_SEC);
    rig_in(&r, .flags = TH_SYN, .sport = 6000);
    JR_CHECK_EQ(r.iss - first, 1000000); /* RFC 6528: one per 4 microseconds for one four-tuple */
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 7323 7.1; 7323 5.4 */
RIG_TEST(timestamps_start_anywhere_and_go_on_for_one_peer)
{
    struct sock *l = rig_listen(r, 100);
    const struct jr_addr peer = r->peer, other = jr_addr_v4(jr_addr_to_v4(peer) ^ 0x03000000);
    uint32_t val[3];
    for (unsigned i = 0; i < 3; i++) {
        r->peer = i == 1 ? other : peer;
        rig_in(r, .flags = TH_SYN, .opts = rig_syn_opts(r, RIG_ALL));
        const struct seg *s = rig_pop(r);
        JR_REQUIRE(s != NULL && (s->opts.flags & TOF_TS));
        val[i] = s->opts.tsval;
        rig_in(r, .flags = TH_RST, .seq = 1);
        rig_advance(r, i == 0 ? 0 : 4 * JR_SEC);
    }
    JR_CHECK(val[1] - val[0] > 1000 && val[0] - val[1] > 1000); /* the same moment */
    JR_CHECK_EQ(val[2] - val[0], 4000);
    rig_destroy(r, l);
}

RIG_TEST(shutdown_before_established)
{
    struct sock *s = begin_connect(r);
    rig_drain(r);
    sock_write(r, s, 10);
    jr_tcp_shutdown(s->tp, r->now);
    rig_expect_none(r);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1);
    rig_expect(r, TH_ACK | TH_FIN, 1, 1, 10);
    JR_CHECK_EQ(sock_state(s), TCPS_FIN_WAIT_1);
    rig_destroy(r, s);
}

JR_TEST(no_options_after_two_lost_syns)
{
    struct rig r;
    rig_init(&r);
    r.cfg.rexmit_drop_options = 1;
    rig_start(&r);
    struct sock *s = begin_connect(&r);
    rig_advance(&r, 8 * JR_SEC);
    for (int i = 0; i < 3; i++)
        JR_CHECK_EQ(rig_expect(&r, TH_SYN, 0, 0, 0)->opts.flags, TOF_MSS | TOF_SCALE | TOF_SACKPERM | TOF_TS);
    JR_CHECK_EQ(rig_expect(&r, TH_SYN, 0, 0, 0)->opts.flags, TOF_MSS);
    rig_destroy(&r, s);
    rig_end(&r);
}

RIG_TEST(errors_of_the_calls)
{
    struct sock *s = rig_socket(r, 4096, 65536), *t = rig_socket(r, 4096, 65536);
    struct jr_endpoint ep = {.addr = ip_double_addr("192.0.2.1"), .port = 80};
    JR_CHECK_EQ(jr_tcp_bind(s->tp, &ep, 0), -EADDRNOTAVAIL);
    ep.addr = jr_addr_v4(0);
    JR_CHECK_EQ(jr_tcp_bind(s->tp, &ep, 0), 0);
    JR_CHECK_EQ(jr_tcp_bind(s->tp, &ep, 0), -EINVAL);
    JR_CHECK_EQ(jr_tcp_bind(t->tp, &ep, 0), -EADDRINUSE);
    JR_CHECK_EQ(jr_tcp_bind(t->tp, &ep, JR_TCP_BIND_REUSEADDR), -EADDRINUSE); /* both must want it */
    ep.addr = r->local;
    JR_CHECK_EQ(jr_tcp_bind(t->tp, &ep, 0), -EADDRINUSE);
    ep.port = 0;
    JR_CHECK_EQ(jr_tcp_bind(t->tp, &ep, 0), 0);
    jr_tcp_local(t->tp, &ep);
    JR_CHECK(ep.port >= 49152);
    r->ip.no_route = true;
    ep = (struct jr_endpoint){.addr = r->peer, .port = 80};
    JR_CHECK_EQ(jr_tcp_connect(t->tp, &ep, r->now), -ENETUNREACH);
    r->ip.no_route = false;
    jr_tcp_attach(t->tp, t, &t->snd, &t->rcv);
    JR_CHECK_EQ(jr_tcp_connect(t->tp, &ep, r->now), 0);
    JR_CHECK_EQ(jr_tcp_connect(t->tp, &ep, r->now), -EISCONN);
    JR_CHECK_EQ(jr_tcp_listen(t->tp, 5, r->now), -EINVAL);
    rig_destroy(r, s);
    rig_destroy(r, t);
}

RIG_TEST(reuse_of_ports)
{
    const struct jr_endpoint any = {.addr = jr_addr_v4(0), .port = 80}, any6 = {.port = 80};
    const struct jr_endpoint one = {.addr = r->local, .port = 80};
    struct sock *a = rig_socket(r, 0, 0), *b = rig_socket(r, 0, 0), *c = rig_socket(r, 0, 0);
    JR_CHECK_EQ(jr_tcp_bind(a->tp, &any, JR_TCP_BIND_REUSEADDR), 0);
    JR_CHECK_EQ(jr_tcp_bind(b->tp, &one, JR_TCP_BIND_REUSEADDR), 0);
    JR_CHECK_EQ(jr_tcp_listen(a->tp, 1, r->now), 0);
    JR_CHECK_EQ(jr_tcp_listen(b->tp, 1, r->now), -EADDRINUSE);
    JR_CHECK_EQ(jr_tcp_bind(c->tp, &any6, 0), -EADDRINUSE); /* :: takes IPv4 as well */
    int on = 1;
    JR_CHECK_EQ(jr_tcp_setopt(c->tp, 41, 26, &on, sizeof on, r->now), 0); /* IPV6_V6ONLY */
    JR_CHECK_EQ(jr_tcp_bind(c->tp, &any6, 0), 0);
    rig_destroy(r, a);
    rig_destroy(r, b);
    rig_destroy(r, c);
}

/* What port 0 gives must be good for any destination: SO_REUSEADDR shares only what was asked for by number. */
JR_TEST(automatic_port_is_fresh)
{
    struct rig r;
    rig_init(&r);
    r.cfg.port_first = 50000;
    r.cfg.port_last = 50001;
    rig_start(&r);
    struct jr_endpoint any = {.addr = jr_addr_v4(0)}, peer = {.addr = r.peer, .port = 80}, first, second;
    struct sock *a = rig_socket(&r, 0, 0), *b = rig_socket(&r, 0, 0);
    JR_CHECK_EQ(jr_tcp_bind(a->tp, &any, JR_TCP_BIND_REUSEADDR), 0);
    jr_tcp_local(a->tp, &first);
    jr_tcp_attach(a->tp, a, &a->snd, &a->rcv);
    JR_CHECK_EQ(jr_tcp_connect(a->tp, &peer, r.now), 0);
    any.port = first.port;
    JR_CHECK_EQ(jr_tcp_bind(b->tp, &any, JR_TCP_BIND_REUSEADDR | JR_TCP_BIND_FRESH), -EADDRINUSE);
    any.port = 0;
    JR_CHECK_EQ(jr_tcp_bind(b->tp, &any, JR_TCP_BIND_REUSEADDR), 0);
    jr_tcp_local(b->tp, &second);
    JR_CHECK_EQ(second.port, first.port ^ 1);
    rig_destroy(&r, a);
    rig_destroy(&r, b);
    rig_end(&r);
}

/* rfc: socket(7) SO_REUSEPORT */
RIG_TEST(reuseport_group_spreads_flows)
{
    struct sock *l[4];
    const struct jr_endpoint any = {.addr = jr_addr_v4(0), .port = RIG_PORT};
    for (int i = 0; i < 4; i++) {
        l[i] = rig_socket(r, 0, 0);
        JR_CHECK_EQ(jr_tcp_bind(l[i]->tp, &any, JR_TCP_BIND_REUSEPORT), 0);
        JR_CHECK_EQ(jr_tcp_listen(l[i]->tp, 1000, r->now), 0);
    }
    for (uint16_t i = 0; i < 400; i++) {
        r->peer_port = (uint16_t)(10000 + i);
        rig_in(r, .flags = TH_SYN);
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    }
    for (int i = 0; i < 4; i++) {
        JR_CHECK(jr_tcp_accept_count(l[i]->tp) > 60);
        rig_destroy(r, l[i]);
    }
}

RIG_TEST(specific_listener_wins)
{
    const struct jr_endpoint one = {.addr = r->local, .port = RIG_PORT}, any6 = {.port = RIG_PORT};
    struct sock *a = rig_socket(r, 0, 0), *b = rig_socket(r, 0, 0);
    JR_CHECK_EQ(jr_tcp_bind(a->tp, &any6, JR_TCP_BIND_REUSEPORT), 0);
    JR_CHECK_EQ(jr_tcp_bind(b->tp, &one, JR_TCP_BIND_REUSEPORT), 0);
    JR_CHECK_EQ(jr_tcp_listen(a->tp, 5, r->now), 0);
    rig_in(r, .flags = TH_SYN); /* a dual-stack listener takes IPv4 */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(a->tp), 1);
    JR_CHECK_EQ(jr_tcp_listen(b->tp, 5, r->now), 0);
    r->peer_port++;
    rig_in(r, .flags = TH_SYN);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(jr_tcp_accept_count(b->tp), 1);
    rig_destroy(r, a);
    rig_destroy(r, b);
}

JR_TEST(ipv6)
{
    struct rig r;
    rig_init(&r);
    r.local = r.ip.addr[1];
    r.peer = ip_double_addr("fd00::2");
    rig_start(&r);
    struct sock *l = rig_socket(&r, 0, 0);
    const struct jr_endpoint any6 = {.port = RIG_PORT};
    JR_CHECK_EQ(jr_tcp_bind(l->tp, &any6, 0), 0);
    JR_CHECK_EQ(jr_tcp_listen(l->tp, 5, r.now), 0);
    rig_in(&r, .flags = TH_SYN, .opts = {.flags = TOF_MSS, .mss = 1440});
    JR_CHECK_EQ(rig_expect(&r, TH_SYN | TH_ACK, 0, 1, 0)->opts.mss, 1440);
    rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1);
    struct sock *s = rig_accept(&r, l, 8192, 65536);
    sock_write(&r, s, 3000);
    rig_expect(&r, TH_ACK, 1, 1, 1440);
    rig_destroy(&r, s);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 6056 3.3.3 */
JR_TEST(ephemeral_ports_run_out_only_per_peer)
{
    struct rig r;
    rig_init(&r);
    r.cfg.port_first = 50000;
    r.cfg.port_last = 50009;
    rig_start(&r);
    struct sock *s[12];
    struct jr_endpoint to = {.addr = r.peer, .port = 80};
    for (int i = 0; i < 10; i++) {
        s[i] = rig_socket(&r, 0, 0);
        jr_tcp_attach(s[i]->tp, s[i], &s[i]->snd, &s[i]->rcv);
        JR_CHECK_EQ(jr_tcp_connect(s[i]->tp, &to, r.now), 0);
    }
    s[10] = rig_socket(&r, 0, 0);
    JR_CHECK_EQ(jr_tcp_connect(s[10]->tp, &to, r.now), -EADDRNOTAVAIL);
    to.port = 81;
    jr_tcp_attach(s[10]->tp, s[10], &s[10]->snd, &s[10]->rcv);
    JR_CHECK_EQ(jr_tcp_connect(s[10]->tp, &to, r.now), 0);
    for (int i = 0; i < 11; i++)
        rig_destroy(&r, s[i]);
    rig_end(&r);
}

JR_TEST_MAIN
