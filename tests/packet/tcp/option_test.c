/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket options, keep-alive, TCP_INFO, and what ICMP errors do. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/byteorder.h"
#include "rig.h"

static int set_int(struct rig *r, struct sock *s, int level, int name, int v)
{
    return jr_tcp_setopt(s->tp, level, name, &v, sizeof v, r->now);
}

static int get_int(struct rig *r, struct sock *s, int level, int name)
{
    int v = -12345;
    uint32_t len = sizeof v;
    int err = jr_tcp_getopt(s->tp, level, name, &v, &len, r->now);
    return err ? err : v;
}

/* rfc: tcp(7) TCP_USER_TIMEOUT */
RIG_TEST(values_and_bounds)
{
    struct sock *s = rig_socket(r, 0, 0);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, TCP_NODELAY), 0);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_NODELAY, 5), 0);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, TCP_NODELAY), 1);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_KEEPIDLE, 0), -EINVAL);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_KEEPIDLE, 32768), -EINVAL);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, TCP_KEEPIDLE), 10);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_KEEPCNT, 128), -EINVAL);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_MAXSEG, 87), -EINVAL);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), -EINVAL);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, 4711, 1), -ENOPROTOOPT);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, 4711), -ENOPROTOOPT);
    JR_CHECK_EQ(set_int(r, s, SOL_SOCKET, SO_RCVBUF, 1), -ENOPROTOOPT);
    char c = 1;
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_NODELAY, &c, 1, r->now), -EINVAL);
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_IP, IP_TOS, &c, 1, r->now), 0); /* a byte will do */
    JR_CHECK_EQ(set_int(r, s, IPPROTO_IP, IP_TTL, 256), -EINVAL);
    rig_destroy(r, s);
}

/* rfc: tcp(7) TCP_CONGESTION */
RIG_TEST(congestion_control_by_name)
{
    struct sock *s = rig_socket(r, 0, 0);
    char name[16];
    uint32_t len = sizeof name;
    JR_CHECK_EQ(jr_tcp_getopt(s->tp, IPPROTO_TCP, TCP_CONGESTION, name, &len, r->now), 0);
    JR_CHECK_STR(name, "cubic");
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_CONGESTION, "reno", 4, r->now), 0);
    len = sizeof name;
    JR_CHECK_EQ(jr_tcp_getopt(s->tp, IPPROTO_TCP, TCP_CONGESTION, name, &len, r->now), 0);
    JR_CHECK_STR(name, "newreno");
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_CONGESTION, "nope", 4, r->now), -ENOENT);
    rig_destroy(r, s);
}

RIG_TEST(maxseg)
{
    struct sock *s = rig_socket(r, 16384, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_MAXSEG, 1000), 0);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    JR_CHECK_EQ(rig_expect(r, TH_SYN, 0, 0, 0)->opts.mss, 1000);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .opts = rig_syn_opts(r, RIG_TS));
    r->ts = true;
    rig_drain(r);
    sock_write(r, s, 3000);
    rig_expect(r, TH_ACK, 1, 1, 988);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, TCP_MAXSEG), 988);
    rig_destroy(r, s);
}

RIG_TEST(options_are_inherited_from_the_listener)
{
    struct sock *l = rig_listen(r, 5);
    set_int(r, l, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(r, l, IPPROTO_TCP, TCP_KEEPIDLE, 33);
    set_int(r, l, SOL_SOCKET, SO_KEEPALIVE, 1);
    rig_in(r, .flags = TH_SYN);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    struct sock *s = rig_accept(r, l, 4096, 65536);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, TCP_NODELAY), 1);
    JR_CHECK_EQ(get_int(r, s, IPPROTO_TCP, TCP_KEEPIDLE), 33);
    JR_CHECK_EQ(get_int(r, s, SOL_SOCKET, SO_KEEPALIVE), 1);
    JR_CHECK_EQ(get_int(r, l, SOL_SOCKET, SO_ACCEPTCONN), 1);
    rig_destroy(r, s);
    rig_destroy(r, l);
}

RIG_CONN_TEST(keepalive_probes_then_gives_up, RIG_ALL)
{
    set_int(r, s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set_int(r, s, IPPROTO_TCP, TCP_KEEPINTVL, 2);
    set_int(r, s, IPPROTO_TCP, TCP_KEEPCNT, 3);
    JR_CHECK_EQ(set_int(r, s, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    rig_advance(r, 9900 * JR_MS);
    rig_expect_none(r);
    rig_advance(r, 200 * JR_MS);
    struct seg *g = rig_expect(r, TH_ACK, 0, 1, 0); /* one before what is expected */
    JR_CHECK_EQ(g->opts.flags, TOF_TS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1); /* alive: it starts over */
    rig_advance(r, 9 * JR_SEC);
    rig_expect_none(r);
    rig_advance(r, 6 * JR_SEC);
    for (int i = 0; i < 3; i++)
        rig_expect(r, TH_ACK, 0, 1, 0);
    rig_expect_none(r);
    JR_CHECK_EQ(s->error, 0);
    rig_advance(r, 2 * JR_SEC);
    JR_CHECK_EQ(s->error, ETIMEDOUT);
    rig_expect(r, TH_RST | TH_ACK, 1, 1, 0);
}

JR_TEST(keepalive_off_is_silent)
{
    struct rig r;
    rig_init(&r);
    r.cfg.always_keepalive = 0;
    rig_start(&r);
    struct sock *s = rig_passive(&r, RIG_ALL);
    rig_advance(&r, 24 * 3600 * JR_SEC);
    rig_expect_none(&r);
    JR_CHECK(jr_tcp_next_tick(r.tcp) == JR_TIME_NEVER); /* an idle connection wakes nobody */
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_destroy(&r, s);
    rig_end(&r);
}

RIG_TEST(syncnt)
{
    struct sock *s = rig_socket(r, 4096, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_SYNCNT, 2), 0);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    rig_advance(r, 7300 * JR_MS); /* 1 + 2.2 + 4.2 s */
    JR_CHECK_EQ(s->error, 0);
    rig_advance(r, 200 * JR_MS);
    JR_CHECK_EQ(s->error, ETIMEDOUT);
    JR_CHECK_EQ(r->sent_tail - r->sent_head, 3);
    rig_destroy(r, s);
}

RIG_TEST(window_clamp)
{
    struct sock *s = rig_socket(r, 4096, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(set_int(r, s, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000), 0);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    JR_CHECK_EQ(rig_expect(r, TH_SYN, 0, 0, 0)->win, 5000);
    rig_destroy(r, s);
}

RIG_CONN_TEST(nodelay_uncorks, RIG_ALL)
{
    set_int(r, s, IPPROTO_TCP, TCP_CORK, 1);
    sock_write(r, s, 10);
    rig_expect_none(r);
    set_int(r, s, IPPROTO_TCP, TCP_NODELAY, 1);
    rig_expect(r, TH_ACK, 1, 1, 10);
}

RIG_CONN_TEST(tcp_info, RIG_ALL)
{
    sock_write(r, s, 10000);
    rig_advance(r, 5 * JR_MS);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1449, .len = 300);
    struct tcp_info ti;
    uint32_t len = sizeof ti;
    JR_CHECK_EQ(jr_tcp_getopt(s->tp, IPPROTO_TCP, TCP_INFO, &ti, &len, r->now), 0);
    JR_CHECK_EQ(len, sizeof ti);
    JR_CHECK_EQ(ti.tcpi_state, 1);
    JR_CHECK_EQ(ti.tcpi_options, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
    JR_CHECK_EQ(ti.tcpi_snd_wscale, 7);
    JR_CHECK_EQ(ti.tcpi_rcv_wscale, 6);
    JR_CHECK_EQ(ti.tcpi_snd_mss, 1448);
    JR_CHECK_EQ(ti.tcpi_unacked, 6);
    JR_CHECK_EQ(ti.tcpi_bytes_acked, 1448);
    JR_CHECK_EQ(ti.tcpi_bytes_received, 300);
    JR_CHECK_EQ(ti.tcpi_bytes_sent, 10000);
    JR_CHECK(ti.tcpi_rtt >= 1000 && ti.tcpi_rtt <= 5000);
    len = 8; /* an old program's struct */
    JR_CHECK_EQ(jr_tcp_getopt(s->tp, IPPROTO_TCP, TCP_INFO, &ti, &len, r->now), 0);
    JR_CHECK_EQ(len, 8);
}

/* An ICMP error that quotes 8 bytes of a segment of ours. */
static void icmp_in(struct rig *r, uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq)
{
    uint8_t quote[8];
    jr_store_be16(quote, r->local_port);
    jr_store_be16(quote + 2, r->peer_port);
    jr_store_be32(quote + 4, r->iss + seq);
    const struct jr_ip_ctl ctl = {.from = r->peer,
                                  .src = r->local,
                                  .dst = r->peer,
                                  .type = type,
                                  .code = code,
                                  .mtu = mtu,
                                  .quote = quote,
                                  .quote_len = sizeof quote};
    r->ip.tcp.ctlinput(r->ip.tcp.ctx, &ctl, r->now);
    rig_flush(r);
}

RIG_TEST(icmp_refuses_a_connection_attempt)
{
    struct sock *s = rig_socket(r, 4096, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    rig_expect(r, TH_SYN, 0, 0, 0);
    icmp_in(r, 3, 3, 0, 5); /* quotes nothing we sent */
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    icmp_in(r, 3, 3, 0, 0);
    JR_CHECK_EQ(s->error, ECONNREFUSED);
    rig_destroy(r, s);
    s = rig_socket(r, 4096, 65536);
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    icmp_in(r, 3, 1, 0, 0); /* may pass */
    rig_advance(r, 16 * JR_SEC);
    icmp_in(r, 3, 1, 0, 0); /* but does not */
    JR_CHECK_EQ(s->error, EHOSTUNREACH);
    rig_destroy(r, s);
}

JR_TEST(icmp_may_rst_off_lets_an_attempt_go_on)
{
    struct rig r;
    rig_init(&r);
    r.cfg.icmp_may_rst = 0;
    rig_start(&r);
    struct sock *s = rig_socket(&r, 4096, 65536);
    const struct jr_endpoint to = {.addr = r.peer, .port = r.peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r.now), 0);
    rig_drain(&r);
    icmp_in(&r, 3, 3, 0, 0);
    icmp_in(&r, 11, 0, 0, 0);
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    rig_destroy(&r, s);
    rig_end(&r);
}

RIG_CONN_TEST(soft_error_is_the_reason_of_a_later_time_out, RIG_ALL)
{
    sock_write(r, s, 10);
    icmp_in(r, 3, 3, 0, 1); /* RFC 5461: no reason to kill it */
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    icmp_in(r, 3, 1, 0, 1);
    rig_advance(r, 2000 * JR_SEC);
    JR_CHECK_EQ(s->error, EHOSTUNREACH);
}

RIG_CONN_TEST(path_mtu_shrinks, RIG_ALL)
{
    sock_write(r, s, 4000);
    rig_drain(r);
    icmp_in(r, 3, 4, 1400, 900000); /* quotes nothing outstanding */
    rig_expect_none(r);
    icmp_in(r, 3, 4, 1400, 1);
    rig_expect(r, TH_ACK, 1, 1, 1348);
    rig_expect(r, TH_ACK, 1349, 1, 1348);
    rig_expect(r, TH_ACK, 2697, 1, 1304);
    icmp_in(r, 3, 4, 1450, 1); /* larger: nonsense */
    rig_expect_none(r);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_PMTU), 1);
}

RIG_CONN_TEST(emsgsize_from_below, RIG_ALL)
{
    r->ip.fail = -EMSGSIZE;
    r->ip.mtu = 1300;
    sock_write(r, s, 1448);
    rig_flush(r);
    rig_expect(r, TH_ACK, 1, 1, 1248);
    rig_expect(r, TH_ACK, 1249, 1, 200);
}

RIG_CONN_TEST(lost_route_heals, RIG_ALL)
{
    r->ip.no_route = true;
    r->ip.generation++;
    sock_write(r, s, 100);
    rig_advance(r, 2 * JR_SEC);
    rig_expect_none(r);
    JR_CHECK_EQ(s->error, 0);
    r->ip.no_route = false;
    r->ip.generation++;
    rig_advance(r, 3 * JR_SEC);
    rig_expect(r, TH_ACK, 1, 1, 100);
}

JR_TEST_MAIN
