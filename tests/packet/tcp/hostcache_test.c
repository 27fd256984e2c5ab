/* SPDX-License-Identifier: BSD-3-Clause */
/* What a connection leaves to the next one to the same host, and paths that swallow large segments. */
#include "rig.h"

/* A connection that is acknowledged n times after rtt each, and ends. */
static void talk(struct rig *r, uint32_t n, jr_time rtt)
{
    struct sock *s = rig_passive(r, RIG_ALL);
    for (uint32_t i = 1; i <= n; i++) {
        sock_write(r, s, 100);
        rig_advance(r, rtt);
        rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1 + 100 * i);
    }
    rig_drain(r);
    rig_destroy(r, s);
    rig_drain(r);
}

/* rfc: 9040 6.2 */
RIG_TEST(hosts_are_remembered_for_a_while)
{
    talk(r, 2, 20 * JR_MS);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_HC_ADDED), 0); /* too little measured */
    talk(r, 10, 20 * JR_MS);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_HC_ADDED), 1);
    talk(r, 10, 20 * JR_MS);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_HC_ADDED), 1);
    rig_advance(r, 3700 * JR_SEC);
    talk(r, 10, 20 * JR_MS);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_HC_ADDED), 2); /* the first had lapsed */
    jr_tcp_config(r->tcp)->hostcache_purgenow = 1;
    jr_tcp_config_changed(r->tcp);
    JR_CHECK_EQ(jr_tcp_config(r->tcp)->hostcache_purgenow, 0);
    talk(r, 10, 20 * JR_MS);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_HC_ADDED), 3);
}

/* rfc: 9040 6.1 */
RIG_TEST(a_lost_syn_leaves_the_round_trip_to_the_cache)
{
    talk(r, 10, 20 * JR_MS);
    struct sock *s = rig_socket(r, 65536, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    rig_advance(r, 1100 * JR_MS); /* Karn: the handshake measures nothing */
    r->ts = false;
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_USED_RTT), 1);
    rig_drain(r);
    rig_destroy(r, s);
}

/* rfc: 9040 6.2 */
JR_TEST(the_cache_is_bounded)
{
    struct rig r;
    rig_init(&r);
    r.cfg.hostcache_cachelimit = 2;
    r.cfg.hostcache_hashsize = 1;
    rig_start(&r);
    char addr[] = "10.0.0.2";
    for (char c = '2'; c < '7'; c++) {
        addr[7] = c;
        r.peer = ip_double_addr(addr);
        talk(&r, 10, 20 * JR_MS);
    }
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_HC_ADDED), 5);
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_HC_OVERFLOW), 3);
    rig_end(&r);
}

static uint32_t resent_len(struct rig *r)
{
    rig_drain(r);
    struct seg *g = NULL;
    for (int i = 0; i < 400 && g == NULL; i++) {
        rig_advance(r, 500 * JR_MS);
        g = rig_pop(r);
    }
    return g != NULL ? g->len : 0;
}

/* rfc: 2923 2.1; 4821 7.7 */
JR_TEST(black_hole_is_tried_with_smaller_segments)
{
    struct rig r;
    rig_init(&r);
    r.cfg.pmtud_blackhole_detection = 1;
    rig_start(&r);
    struct sock *s = rig_passive(&r, 0);
    sock_write(&r, s, 5000);
    JR_CHECK_EQ(resent_len(&r), 1460);
    JR_CHECK_EQ(resent_len(&r), 1200);
    JR_CHECK_EQ(resent_len(&r), 1200);
    JR_CHECK_EQ(resent_len(&r), 536);
    JR_CHECK_EQ(resent_len(&r), 536);
    JR_CHECK_EQ(resent_len(&r), 1460); /* it was something else */
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_PMTUD_BLACKHOLE_FAILED), 1);
    rig_destroy(&r, s);
    rig_end(&r);
}

/* rfc: 2923 2.1 */
JR_TEST(small_data_says_nothing_about_the_path)
{
    struct rig r;
    rig_init(&r);
    r.cfg.pmtud_blackhole_detection = 1;
    rig_start(&r);
    struct sock *s = rig_passive(&r, 0);
    sock_write(&r, s, 100);
    for (int i = 0; i < 4; i++)
        JR_CHECK_EQ(resent_len(&r), 100);
    JR_CHECK_EQ(rig_count(&r, JR_C_TCP_PMTUD_BLACKHOLE), 0);
    rig_destroy(&r, s);
    rig_end(&r);
}

JR_TEST_MAIN
