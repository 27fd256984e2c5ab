/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP Fast Open, RFC 7413: cookies, data in the SYN, lost SYNs, the server's side. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "rig.h"

static void use_fastopen(struct rig *r, struct sock *s)
{
    const int on = 1;
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_FASTOPEN, &on, sizeof on, r->now), 0);
}

/* A client that has n bytes to send already. */
static struct sock *client(struct rig *r, uint32_t n)
{
    struct sock *s = rig_socket(r, 65536, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    use_fastopen(r, s);
    sock_put(s, n);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    return s;
}

static struct jr_tcp_opts with_cookie(uint8_t len, uint8_t first)
{
    struct jr_tcp_opts o = {.flags = TOF_MSS | TOF_FASTOPEN, .mss = 1460, .cookie_len = len};
    for (uint8_t i = 0; i < len; i++)
        o.cookie[i] = (uint8_t)(first + i);
    return o;
}

static void learn_cookie(struct rig *r, uint8_t len, uint8_t first)
{
    struct sock *s = client(r, 100);
    struct seg *syn = rig_expect(r, TH_SYN, 0, 0, 0);
    JR_CHECK_EQ(syn->opts.flags & TOF_FASTOPEN, TOF_FASTOPEN);
    JR_CHECK_EQ(syn->opts.cookie_len, 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .opts = with_cookie(len, first));
    rig_expect(r, TH_ACK, 1, 1, 100);
    rig_in(r, .flags = TH_ACK | TH_FIN, .seq = 1, .ack = 101);
    rig_drain(r);
    rig_destroy(r, s);
}

RIG_TEST(ready_once_the_cookie_is_known)
{
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    const int on = 1, two = 2;
    int got = 0;
    uint32_t len = sizeof got;
    struct sock *s = rig_socket(r, 65536, 65536);
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &two, sizeof two, r->now), -EINVAL);
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on, r->now), 0);
    JR_CHECK(!jr_tcp_fastopen_ready(s->tp, &to, r->now));
    learn_cookie(r, 8, 1);
    JR_CHECK(jr_tcp_fastopen_ready(s->tp, &to, r->now));
    const struct jr_endpoint other = {.addr = r->peer, .port = (uint16_t)(r->peer_port + 1)};
    JR_CHECK(!jr_tcp_fastopen_ready(s->tp, &other, r->now));
    /* TCP_FASTOPEN alone leaves connect() as it is */
    struct sock *plain = rig_socket(r, 65536, 65536);
    use_fastopen(r, plain);
    JR_CHECK(!jr_tcp_fastopen_ready(plain->tp, &to, r->now));
    JR_CHECK_EQ(jr_tcp_getopt(plain->tp, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &got, &len, r->now), 0);
    JR_CHECK_EQ(got, 0);
    rig_destroy(r, plain);
    rig_destroy(r, s);
}

RIG_TEST(cookie_is_asked_for_and_used)
{
    learn_cookie(r, 8, 1);
    struct sock *s = client(r, 100);
    struct seg *syn = rig_expect(r, TH_SYN, 0, 0, 100);
    JR_CHECK_EQ(syn->opts.cookie_len, 8);
    JR_CHECK_EQ(syn->opts.cookie[7], 8);
    JR_CHECK(memcmp(syn->bytes, pattern(0, 100), 100) == 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 101);
    rig_expect(r, TH_ACK, 101, 1, 0);
    JR_CHECK_EQ(jr_sockbuf_used(&s->snd), 0);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_destroy(r, s);
}

RIG_TEST(refused_data_goes_again_at_once)
{
    learn_cookie(r, 16, 1);
    struct sock *s = client(r, 3000);
    struct seg *syn = rig_expect(r, TH_SYN, 0, 0, 1460 - 40); /* options with sixteen bytes of cookie fill the header */
    JR_CHECK_EQ(syn->opts.cookie_len, 16);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .opts = with_cookie(4, 50)); /* and a new cookie */
    rig_expect(r, TH_ACK, 1, 1, 1460);
    rig_expect(r, TH_ACK, 1461, 1, 1460);
    rig_drain(r);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 3001);
    JR_CHECK_EQ(jr_sockbuf_used(&s->snd), 0);
    rig_destroy(r, s);
    rig_drain(r);
    s = client(r, 10);
    syn = rig_expect(r, TH_SYN, 0, 0, 10);
    JR_CHECK_EQ(syn->opts.cookie_len, 4);
    JR_CHECK_EQ(syn->opts.cookie[0], 50);
    rig_destroy(r, s);
}

RIG_TEST(partly_taken_data)
{
    learn_cookie(r, 8, 1);
    struct sock *s = client(r, 100);
    rig_expect(r, TH_SYN, 0, 0, 100);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 41);
    struct seg *g = rig_expect(r, TH_ACK, 41, 1, 60);
    JR_CHECK(memcmp(g->bytes, pattern(40, 60), 60) == 0);
    rig_destroy(r, s);
}

/* rfc: 7413 4.1.1 */
RIG_TEST(odd_cookies_are_ignored)
{
    learn_cookie(r, 8, 1);
    struct sock *s = client(r, 100);
    rig_drain(r);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 101, .opts = with_cookie(9, 70));
    rig_destroy(r, s);
    rig_drain(r);
    s = client(r, 100);
    JR_CHECK_EQ(rig_expect(r, TH_SYN, 0, 0, 100)->opts.cookie[0], 1);
    rig_destroy(r, s);
}

/* rfc: 7413 4.1.3.1 */
RIG_TEST(lost_syn_disables_the_path_for_a_while)
{
    learn_cookie(r, 8, 1);
    struct sock *s = client(r, 100);
    rig_expect(r, TH_SYN, 0, 0, 100);
    rig_advance(r, 1100 * JR_MS);
    struct seg *syn = rig_expect(r, TH_SYN, 0, 0, 0);
    JR_CHECK_EQ(syn->opts.flags & TOF_FASTOPEN, 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1);
    rig_expect(r, TH_ACK, 1, 1, 100);
    rig_destroy(r, s);
    rig_drain(r);
    s = client(r, 100);
    JR_CHECK_EQ(rig_expect(r, TH_SYN, 0, 0, 0)->opts.flags & TOF_FASTOPEN, 0);
    rig_destroy(r, s);
    rig_advance(r, 901 * JR_SEC);
    rig_drain(r);
    s = client(r, 100);
    syn = rig_expect(r, TH_SYN, 0, 0, 0); /* asks anew */
    JR_CHECK(syn->opts.flags & TOF_FASTOPEN);
    JR_CHECK_EQ(syn->opts.cookie_len, 0);
    rig_destroy(r, s);
}

/* rfc: 7413 4.1.3 */
RIG_TEST(switching_it_off_forgets_the_cookies)
{
    learn_cookie(r, 8, 1);
    jr_tcp_config(r->tcp)->fastopen_client_enable = 0;
    jr_tcp_config_changed(r->tcp);
    struct sock *s = client(r, 100);
    JR_CHECK_EQ(rig_expect(r, TH_SYN, 0, 0, 0)->opts.flags & TOF_FASTOPEN, 0);
    rig_destroy(r, s);
    rig_drain(r);
    jr_tcp_config(r->tcp)->fastopen_client_enable = 1;
    s = client(r, 100);
    JR_CHECK_EQ(rig_expect(r, TH_SYN, 0, 0, 0)->opts.cookie_len, 0);
    rig_destroy(r, s);
}

/* A listener, and the cookie that it gives to the peer. */
static struct sock *server(struct rig *r, struct jr_tcp_opts *o)
{
    r->cfg.fastopen_server_enable = 1;
    rig_start(r);
    struct sock *l = rig_listen(r, 4);
    use_fastopen(r, l);
    const struct jr_tcp_opts ask = with_cookie(0, 0);
    rig_in(r, .flags = TH_SYN, .opts = ask, .sport = 7000, .len = 10);
    struct seg *sa = rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0); /* the data has to come again */
    JR_CHECK_EQ(sa->opts.cookie_len, 8);
    *o = sa->opts;
    o->flags &= TOF_MSS | TOF_FASTOPEN;
    rig_in(r, .flags = TH_RST, .seq = 1, .sport = 7000);
    return l;
}

/* rfc: 7413 4.2.2 */
JR_TEST(good_cookie_opens_at_once)
{
    struct rig r;
    struct jr_tcp_opts o;
    rig_init(&r);
    struct sock *l = server(&r, &o);
    rig_in(&r, .flags = TH_SYN, .opts = o, .len = 100, .data = pattern(0, 100));
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    rig_expect_none(&r); /* it waits for an answer */
    struct sock *s = rig_accept(&r, l, 4096, 65536);
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_RECEIVED);
    sock_read(&r, s, 100);
    sock_write(&r, s, 200);
    struct seg *sa = rig_expect(&r, TH_SYN | TH_ACK, 0, 101, 200);
    JR_CHECK_EQ(sa->opts.flags & TOF_FASTOPEN, TOF_FASTOPEN);
    rig_in(&r, .flags = TH_ACK, .seq = 101, .ack = 201);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    JR_CHECK_EQ(jr_sockbuf_used(&s->snd), 0);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 0);
    rig_destroy(&r, s);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* The cookie that a listener gives to who asks. */
static struct jr_tcp_opts ask_for_cookie(struct rig *r, uint16_t sport)
{
    const struct jr_tcp_opts ask = with_cookie(0, 0);
    rig_in(r, .flags = TH_SYN, .opts = ask, .sport = sport);
    struct jr_tcp_opts o = rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0)->opts;
    o.flags &= TOF_MSS | TOF_FASTOPEN;
    rig_in(r, .flags = TH_RST, .seq = 1, .sport = sport);
    return o;
}

JR_TEST(listener_has_keys_of_its_own)
{
    struct rig r;
    struct jr_tcp_opts common;
    uint8_t keys[32], got[40];
    uint32_t len = sizeof got;
    rig_init(&r);
    struct sock *l = server(&r, &common);
    for (uint8_t i = 0; i < sizeof keys; i++)
        keys[i] = i;
    JR_CHECK_EQ(jr_tcp_getopt(l->tp, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &len, r.now), -ENOPROTOOPT);
    JR_CHECK_EQ(jr_tcp_setopt(l->tp, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 15, r.now), -EINVAL);
    JR_CHECK_EQ(jr_tcp_setopt(l->tp, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 31, r.now), -EINVAL);
    JR_CHECK_EQ(jr_tcp_setopt(l->tp, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 16, r.now), 0);
    const struct jr_tcp_opts first = ask_for_cookie(&r, 7001);
    JR_CHECK(memcmp(first.cookie, common.cookie, 8) != 0);

    /* The first key becomes the second: its cookies still count, and a new one is given. */
    memcpy(keys + 16, keys, 16);
    keys[0] = 99;
    JR_CHECK_EQ(jr_tcp_setopt(l->tp, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 32, r.now), 0);
    len = sizeof got;
    JR_CHECK_EQ(jr_tcp_getopt(l->tp, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &len, r.now), 0);
    JR_CHECK_EQ(len, 32);
    JR_CHECK(memcmp(got, keys, 32) == 0);
    rig_in(&r, .flags = TH_SYN, .opts = first, .len = 100, .data = pattern(0, 100), .sport = 7002);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 1);
    struct sock *s = rig_accept(&r, l, 4096, 65536);
    sock_write(&r, s, 1);
    struct seg *sa = rig_expect(&r, TH_SYN | TH_ACK, 0, 101, 1);
    JR_CHECK(memcmp(sa->opts.cookie, first.cookie, 8) != 0);
    rig_destroy(&r, s);

    /* The service's own counts no more. */
    rig_drain(&r);
    rig_in(&r, .flags = TH_SYN, .opts = common, .len = 100, .data = pattern(0, 100), .sport = 7003);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 0);
    rig_drain(&r);
    rig_destroy(&r, l);
    rig_end(&r);
}

JR_TEST(silent_server_acknowledges_late_and_resends)
{
    struct rig r;
    struct jr_tcp_opts o;
    rig_init(&r);
    struct sock *l = server(&r, &o);
    rig_in(&r, .flags = TH_SYN, .opts = o, .len = 100, .data = pattern(0, 100));
    rig_advance(&r, 41 * JR_MS);
    rig_expect(&r, TH_SYN | TH_ACK, 0, 101, 0);
    struct sock *s = rig_accept(&r, l, 4096, 65536);
    sock_write(&r, s, 50);
    rig_expect(&r, TH_ACK, 1, 101, 50);
    rig_advance(&r, 1100 * JR_MS);
    struct seg *sa = rig_expect(&r, TH_SYN | TH_ACK, 0, 101, 0); /* bare, in case a middlebox minded the data */
    JR_CHECK_EQ(sa->opts.flags & TOF_FASTOPEN, 0);
    rig_in(&r, .flags = TH_ACK, .seq = 101, .ack = 1);
    rig_advance(&r, 3000 * JR_MS);
    rig_expect(&r, TH_ACK, 1, 101, 50);
    rig_destroy(&r, s);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 7413 4.1.2 */
JR_TEST(wrong_and_stale_cookies_are_replaced)
{
    struct rig r;
    struct jr_tcp_opts o;
    rig_init(&r);
    struct sock *l = server(&r, &o);
    struct jr_tcp_opts wrong = o;
    wrong.cookie[3] ^= 1;
    rig_in(&r, .flags = TH_SYN, .opts = wrong, .len = 100);
    struct seg *sa = rig_expect(&r, TH_SYN | TH_ACK, 0, 1, 0);
    JR_CHECK(memcmp(sa->opts.cookie, o.cookie, 8) == 0);
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 0);
    rig_advance(&r, 300 * JR_SEC);
    rig_drain(&r);
    rig_in(&r, .flags = TH_SYN, .opts = o, .len = 100, .sport = 7001);
    sa = rig_expect(&r, TH_SYN | TH_ACK, 0, 1, 0);
    JR_CHECK(memcmp(sa->opts.cookie, o.cookie, 8) != 0);
    rig_destroy(&r, l);
    rig_end(&r);
}

/* rfc: 7413 4.2.2; 7413 5.1 */
JR_TEST(pending_connections_are_limited)
{
    struct rig r;
    struct jr_tcp_opts o;
    rig_init(&r);
    struct sock *l = server(&r, &o);
    for (uint16_t i = 0; i < 6; i++)
        rig_in(&r, .flags = TH_SYN, .opts = o, .len = 100, .sport = (uint16_t)(7100 + i));
    JR_CHECK_EQ(jr_tcp_accept_count(l->tp), 3); /* half the backlog of four, and one */
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_SYNCACHE_ADDED), 4);
    rig_advance(&r, 200 * JR_SEC);
    rig_drain(&r);
    rig_destroy(&r, l);
    rig_end(&r);
}

JR_TEST_MAIN
