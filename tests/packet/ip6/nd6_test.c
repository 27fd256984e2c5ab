/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour Discovery: RFC 4861, 4862, and group membership (RFC 3810). */
#include "host6.h"

static struct host h;
static struct frame f;
static const struct jr_ether_addr mac_new = {{2, 0, 0, 0, 0, 9}}, mac_other = {{2, 0, 0, 0, 0, 0xa}};

#define NEW6 ip6("2001:db8::9")
#define NS JR_ICMP6_NEIGHBOR_SOLICIT
#define NA JR_ICMP6_NEIGHBOR_ADVERT

static void rx(void) { host_rx(&h, f.b, f.len); }

static int send_udp(struct jr_addr to)
{
    static const struct jr_udp_upcalls none;
    static struct jr_udpcb *up;
    const struct jr_endpoint local = {ANY6, 1000}, ep = {to, 9};

    up = jr_udp_open(h.udp, &none, NULL);
    JR_CHECK_EQ(jr_udp_bind(up, &local, JR_UDP_BIND_REUSEADDR), 0);
    const int err = jr_udp_send(up, &ep, "x", 1, NULL, 0, 0, 0, h.now);
    jr_udp_close(up);
    host_flush(&h);
    return err;
}

static bool expect_ns(struct jr_addr src, struct jr_addr dst, struct jr_addr target, bool with_mac)
{
    struct jr_icmp6 icmp;
    struct sent6 s;
    struct jr_ether_addr mac;
    bool ok = host_sent_icmp6(&h, &s, &icmp) && JR_CHECK_EQ(icmp.type, NS);

    if (ok) {
        JR_CHECK(jr_addr_eq(s.ip.src, src));
        JR_CHECK(jr_addr_eq(s.ip.dst, dst));
        JR_CHECK_EQ(s.ip.hlim, 255);
        JR_CHECK_MEM(s.payload + 8, target.b, 16);
        JR_CHECK_EQ(jr_nd_find_lladdr(s.payload + 24, s.len - 24, JR_ND_OPT_SOURCE_LLADDR, &mac), with_mac);
    }
    sent6_free(&s);
    return ok;
}

static bool expect_na(struct jr_addr dst, struct jr_addr target, uint32_t flags)
{
    struct jr_icmp6 icmp;
    struct sent6 s;
    struct jr_ether_addr mac;
    bool ok = host_sent_icmp6(&h, &s, &icmp) && JR_CHECK_EQ(icmp.type, NA);

    if (ok) {
        JR_CHECK(jr_addr_eq(s.ip.dst, dst) && s.ip.hlim == 255);
        JR_CHECK_EQ(icmp.rest, flags);
        JR_CHECK_MEM(s.payload + 8, target.b, 16);
        JR_CHECK(jr_nd_find_lladdr(s.payload + 24, s.len - 24, JR_ND_OPT_TARGET_LLADDR, &mac) &&
                 jr_ether_eq(mac, MAC_US));
    }
    sent6_free(&s);
    return ok;
}

static void expect_udp(struct jr_ether_addr to)
{
    struct sent6 s;

    if (host_sent_ipv6(&h, &s)) {
        JR_CHECK_EQ(s.chain.proto, JR_IPPROTO_UDP);
        JR_CHECK(jr_ether_eq(s.eth.dst, to));
    }
    sent6_free(&s);
}

static uint8_t state_of(struct jr_addr a)
{
    const struct jr_neigh *n = jr_neigh_find(h.ifp->neigh, a);

    return n ? n->state : JR_NEIGH_NONE;
}

/* rfc: 4861 7.2.2 */
JR_TEST(asks_and_sends_what_waited)
{
    host6_init(&h, NULL);
    JR_CHECK_EQ(send_udp(NEW6), 0);
    expect_ns(US6, ip6("ff02::1:ff00:9"), NEW6, true);
    JR_CHECK_EQ(host_discard(&h), 0);
    frame_nd(&f, NEW6, US6, NA, JR_ND_NA_SOLICITED | JR_ND_NA_OVERRIDE, NEW6, &mac_new);
    rx();
    expect_udp(mac_new);
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_REACHABLE);
    host_fini(&h);
}

/* rfc: 4861 7.2.2 */
JR_TEST(gives_up_after_three_questions)
{
    host6_init(&h, NULL);
    send_udp(NEW6);
    host_wait(&h, 5 * JR_SEC);
    JR_CHECK_EQ(host_discard(&h), 3);
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_NONE);
    JR_CHECK_EQ(host_counted(&h, JR_C_NEIGH_FAILED), 1);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_ERR_RX), 1); /* as if a router had said "address unreachable" */
    host_fini(&h);
}

/* rfc: 4861 7.3.3 */
JR_TEST(a_stale_neighbour_is_probed_where_it_was)
{
    host6_init(&h, NULL);
    jr_neigh_set(h.ifp, NEW6, mac_new, JR_NEIGH_STALE, h.now);
    send_udp(NEW6);
    expect_udp(mac_new); /* at once */
    host_wait(&h, 5 * JR_SEC + 100 * JR_MS);
    struct sent6 s;
    if (host_sent_ipv6(&h, &s))
        JR_CHECK(jr_addr_eq(s.ip.dst, NEW6) && jr_ether_eq(s.eth.dst, mac_new));
    sent6_free(&s);
    frame_nd(&f, NEW6, US6, NA, JR_ND_NA_SOLICITED, NEW6, NULL);
    rx();
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_REACHABLE);
    host_fini(&h);
}

/* rfc: 4861 7.2.4 */
JR_TEST(answers_who_asks)
{
    host6_init(&h, NULL);
    frame_nd(&f, NEW6, ip6("ff02::1:ff00:1"), NS, 0, US6, &mac_new);
    rx();
    expect_na(NEW6, US6, JR_ND_NA_SOLICITED | JR_ND_NA_OVERRIDE);
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_STALE);                 /* and remembers it */
    frame_nd(&f, ANY6, ip6("ff02::1:ff00:1"), NS, 0, US6, NULL); /* somebody detects duplicates */
    rx();
    expect_na(ALL_NODES, US6, JR_ND_NA_OVERRIDE);
    frame_nd(&f, NEW6, ip6("ff02::1:ff00:1"), NS, 0, ip6("2001:db8:1::1"), &mac_new); /* not our address */
    rx();
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

/* rfc: 4861 7.1.1 */
JR_TEST(what_came_over_a_router_is_not_believed)
{
    host6_init(&h, NULL);
    frame_nd(&f, NEW6, US6, NS, 0, US6, &mac_new);
    f.b[14 + 7] = 254;
    rx();
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_BAD), 1);
    frame_nd(&f, NEW6, US6, NS, 0, ip6("ff02::1"), &mac_new);
    rx();
    frame_nd(&f, ANY6, ip6("ff02::1:ff00:1"), NS, 0, US6, &mac_new); /* no address, but a link address */
    rx();
    frame_nd(&f, NEW6, ALL_NODES, NA, JR_ND_NA_SOLICITED, NEW6, &mac_new);
    rx();
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_BAD), 4);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_NONE);
    host_fini(&h);
}

/* rfc: 4861 7.2.5 */
JR_TEST(advertisements_change_what_is_known)
{
    host6_init(&h, NULL);
    frame_nd(&f, NEW6, ALL_NODES, NA, JR_ND_NA_OVERRIDE, NEW6, &mac_new);
    rx();
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_NONE); /* RFC 4861 7.2.5: nobody asked */
    jr_neigh_set(h.ifp, NEW6, mac_new, JR_NEIGH_REACHABLE, h.now);
    frame_nd(&f, NEW6, ALL_NODES, NA, 0, NEW6, &mac_other); /* without override: doubt only */
    rx();
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_STALE);
    JR_CHECK(jr_ether_eq(jr_neigh_find(h.ifp->neigh, NEW6)->mac, mac_new));
    frame_nd(&f, NEW6, ALL_NODES, NA, JR_ND_NA_OVERRIDE, NEW6, &mac_other);
    rx();
    JR_CHECK(jr_ether_eq(jr_neigh_find(h.ifp->neigh, NEW6)->mac, mac_other));
    JR_CHECK_EQ(state_of(NEW6), JR_NEIGH_STALE);
    host_fini(&h);
}

/* ---- Duplicate address detection ---- */

static void add_tentative(void)
{
    h.ifp->nd6->dad_count = 1;
    JR_CHECK_EQ(jr_ip_addr_add(h.ip, h.ifp, NEW6, 64, ANY6, true, h.now), 0);
    JR_CHECK(!jr_ip_is_local(h.ip, NEW6));
    host_wait(&h, 100 * JR_MS);
    /* the membership report and the question */
    struct jr_icmp6 icmp;
    struct sent6 s;
    for (unsigned i = 0; i < 2; i++) {
        if (host_sent_icmp6(&h, &s, &icmp) && icmp.type == NS) {
            JR_CHECK(jr_addr_eq(s.ip.src, ANY6) && jr_addr_eq(s.ip.dst, ip6("ff02::1:ff00:9")));
            JR_CHECK_EQ(s.payload[24], JR_ND_OPT_NONCE);
            frame_icmp6(&f, ANY6, s.ip.dst, 255, &icmp, s.payload + 8, s.len - 8); /* for tests to reflect */
        }
        sent6_free(&s);
    }
    host_discard(&h);
}

/* rfc: 4862 5.4.2 */
JR_TEST(an_address_is_ours_after_a_second_of_silence)
{
    host6_init(&h, NULL);
    add_tentative();
    rx(); /* our own question, reflected by the link (RFC 7527) */
    frame_nd(&f, PEER6, ip6("ff02::1:ff00:9"), NS, 0, NEW6, &MAC_PEER);
    rx(); /* nobody is answered yet */
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_TX_NA), 0);
    host_wait(&h, JR_SEC);
    JR_CHECK(jr_ip_is_local(h.ip, NEW6));
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_DUPLICATE), 0);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 4862 5.4.4 */
JR_TEST(an_address_that_others_have_is_given_up)
{
    host6_init(&h, NULL);
    add_tentative();
    frame_nd(&f, NEW6, ALL_NODES, NA, JR_ND_NA_OVERRIDE, NEW6, &mac_new);
    rx();
    host_wait(&h, 3 * JR_SEC);
    JR_CHECK(!jr_ip_is_local(h.ip, NEW6));
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_DUPLICATE), 1);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 4862 5.4.3 */
JR_TEST(an_address_that_others_want_too_is_given_up)
{
    host6_init(&h, NULL);
    add_tentative();
    f.b[f.len - 1] ^= 1; /* another nonce, another node */
    f.b[54 + 2] = f.b[54 + 3] = 0;
    jr_store_raw16(f.b + 56, jr_cksum_fold(jr_cksum_partial(
                                 f.b + 54, f.len - 54,
                                 jr_cksum_pseudo(ANY6, ip6("ff02::1:ff00:9"), JR_IPPROTO_ICMPV6, f.len - 54))));
    rx();
    host_wait(&h, 3 * JR_SEC);
    JR_CHECK(!jr_ip_is_local(h.ip, NEW6));
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_DUPLICATE), 1);
    host_discard(&h);
    host_fini(&h);
}

/* ---- Groups ---- */

static unsigned count_reports(uint8_t record_type)
{
    struct jr_icmp6 icmp;
    struct sent6 s;
    unsigned n = 0;

    while (h.dev.sent.count) {
        if (host_sent_icmp6(&h, &s, &icmp) && icmp.type == JR_ICMP6_MLD2_REPORT) {
            JR_CHECK(jr_addr_eq(s.ip.dst, ip6("ff02::16")) && s.ip.hlim == 1 && s.chain.router_alert);
            JR_CHECK(jr_ipv6_is_linklocal(s.ip.src));
            for (uint32_t i = 0; i < (icmp.rest & 0xffff); i++)
                n += s.payload[8 + 20 * i] == record_type;
        }
        sent6_free(&s);
    }
    return n;
}

/* rfc: 3810 6.1 */
JR_TEST(joining_and_leaving_are_reported_twice)
{
    host6_init(&h, NULL);
    const struct jr_addr group = on_link(&h, "ff02::1:ff00:77");
    JR_CHECK_EQ(jr_mld6_join(h.ifp, group, h.now), 0);
    JR_CHECK_EQ(jr_mld6_join(h.ifp, group, h.now), 0);
    host_wait(&h, 3 * JR_SEC);
    JR_CHECK_EQ(count_reports(4), 2);
    jr_mld6_leave(h.ifp, group, h.now);
    host_wait(&h, 3 * JR_SEC);
    JR_CHECK_EQ(host_discard(&h), 0); /* somebody is still in it */
    jr_mld6_leave(h.ifp, group, h.now);
    host_wait(&h, 3 * JR_SEC);
    JR_CHECK_EQ(count_reports(3), 2);
    host_fini(&h);
}

static void query(uint32_t rest, uint32_t len)
{
    uint8_t p[64] = {JR_IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
    const struct jr_ipv6 ip = {.src = ip6("fe80::2"), .dst = ALL_NODES, .hlim = 1};

    jr_icmp6_build(p + 8, len, &(struct jr_icmp6){JR_ICMP6_MLD_QUERY, 0, rest}, ip.src, ip.dst);
    frame_ipv6(&f, &ip, p, 8 + len);
    rx();
}

/* rfc: 3810 6.2 */
JR_TEST(queries_are_answered_in_time)
{
    host6_init(&h, NULL);
    query(2000u << 16, 28);
    host_wait(&h, 2 * JR_SEC);
    JR_CHECK_EQ(count_reports(2), 1); /* both addresses share a solicited-node group */
    query(2000u << 16, 24);           /* of the first version */
    host_wait(&h, 2 * JR_SEC);
    JR_CHECK_EQ(host_discard(&h), 1);
    JR_CHECK_EQ(host_counted(&h, JR_C_MLD6_BAD), 0);
    host_fini(&h);
}

JR_TEST_MAIN
