/* SPDX-License-Identifier: BSD-3-Clause */
/* Signed segments, RFC 2385: every kind that is sent, and what is not believed. The rig checks each digest itself. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "rig.h"

static int set_key(struct rig *r, struct sock *s, const char *key, uint8_t prefix)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = jr_addr_to_v4(r->peer)};
    struct tcp_md5sig sig = {.tcpm_keylen = (uint16_t)strlen(key), .tcpm_prefixlen = prefix};
    sig.tcpm_flags = prefix != 0 ? TCP_MD5SIG_FLAG_PREFIX : 0;
    memcpy(&sig.tcpm_addr, &in, sizeof in);
    memcpy(sig.tcpm_key, key, strlen(key));
    return jr_tcp_setopt(s->tp, IPPROTO_TCP, prefix != 0 ? TCP_MD5SIG_EXT : TCP_MD5SIG, &sig, sizeof sig, r->now);
}

static struct sock *signed_client(struct rig *r)
{
    struct sock *s = rig_socket(r, 65536, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    const int one = 1;
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(set_key(r, s, "secret", 0), 0);
    JR_CHECK_EQ(jr_tcp_setopt(s->tp, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof one, r->now), 0);
    r->secret = "secret";
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    return s;
}

/* rfc: 2385 2 */
RIG_TEST(all_that_a_client_sends_is_signed)
{
    struct sock *s = signed_client(r);
    struct seg *syn = rig_expect(r, TH_SYN, 0, 0, 0);
    JR_CHECK_EQ(syn->opts.flags, TOF_MSS | TOF_SCALE | TOF_SACKPERM | TOF_TS | TOF_SIGNATURE);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 0);
    rig_expect(r, TH_RST, 0, 0, 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .unsign = true);
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .missign = true);
    JR_CHECK_EQ(sock_state(s), TCPS_SYN_SENT);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .opts = {.flags = TOF_MSS | TOF_SACKPERM, .mss = 1460});
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_in(r, .flags = TH_RST, .seq = 5);
    rig_expect(r, TH_ACK, 1, 1, 0); /* challenge */
    sock_write(r, s, 3000);
    rig_expect(r, TH_ACK, 1, 1, 1440);
    rig_expect(r, TH_ACK, 1441, 1, 1440);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 2881);
    rig_expect(r, TH_ACK, 2881, 1, 120);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 3001);
    rig_advance(r, 1100 * JR_MS);
    rig_expect(r, TH_ACK, 3000, 1, 0); /* keep-alive */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 3001, .len = 50, .unsign = true);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 3001, .len = 50, .missign = true);
    JR_CHECK_EQ(jr_sockbuf_used(&s->rcv), 0);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SIG_MISSING), 2);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SIG_BAD), 2);
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 3001, .len = 50);
    sock_read(r, s, 50);
    JR_CHECK(r->signatures >= 8);
    rig_destroy(r, s); /* with a signed RST */
}

/* rfc: 2385 2 */
JR_TEST(listener_signs_for_the_peers_it_has_keys_for)
{
    for (uint8_t prefix = 0; prefix <= 24; prefix += 24) {
        struct rig r;
        rig_init(&r);
        rig_start(&r);
        struct sock *l = rig_listen(&r, 5);
        JR_CHECK_EQ(set_key(&r, l, "another secret", prefix), 0);
        rig_in(&r, .flags = TH_SYN); /* not signed: no answer */
        rig_expect_none(&r);
        r.secret = "another secret";
        rig_in(&r, .flags = TH_SYN);
        rig_expect(&r, TH_SYN | TH_ACK, 0, 1, 0);
        rig_in(&r, .flags = TH_ACK, .seq = 1, .ack = 1);
        struct sock *s = rig_accept(&r, l, 4096, 65536);
        sock_write(&r, s, 10);
        rig_expect(&r, TH_ACK, 1, 1, 10);
        rig_destroy(&r, s);
        rig_destroy(&r, l);
        rig_end(&r);
    }
}

/* rfc: 2385 4.5 */
RIG_TEST(keys_are_per_peer_and_can_be_removed)
{
    struct sock *l = rig_listen(r, 5);
    JR_CHECK_EQ(set_key(r, l, "", 0), -ENOENT);
    JR_CHECK_EQ(set_key(r, l, "x", 0), 0);
    JR_CHECK_EQ(set_key(r, l, "", 0), 0);
    rig_in(r, .flags = TH_SYN);
    rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    struct sock *other = rig_socket(r, 4096, 65536);
    JR_CHECK_EQ(set_key(r, other, "x", 0), 0);
    r->peer = ip_double_addr("10.0.0.3");
    rig_in(r, .flags = TH_SYN);
    rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    r->secret = "x";
    rig_in(r, .flags = TH_SYN, .sport = 6001); /* signed, and nobody asked for it */
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_SIG_UNEXPECTED), 1);
    rig_expect_none(r);
    r->secret = NULL;
    rig_destroy(r, other);
    rig_destroy(r, l);
}

JR_TEST_MAIN
