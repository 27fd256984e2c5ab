/* SPDX-License-Identifier: BSD-3-Clause */
/* Router advertisements and redirects: RFC 4861 6.3.4 and 8, RFC 4862 5.5.3, RFC 4191. */
#include "host6.h"

static struct host h;
static struct frame f;
static const struct jr_ether_addr mac_rtr = {{2, 0, 0, 0, 0, 0x77}};

#define ROUTER6 ip6("fe80::77")
#define AUTO6 ip6("2001:db8:5::ff:fe00:1") /* of the prefix below and MAC_US */

static uint8_t body[256];
static uint32_t body_len;

static void init(bool accept)
{
    struct jr_ip_config cfg;
    jr_ip_config_defaults(&cfg);
    cfg.ip6_accept_rtadv = accept;
    host6_init(&h, &cfg);
    JR_CHECK_EQ(jr_ip_route_del(h.ip, ANY6, 0, 0), 0);
    body_len = 8;
    memset(body, 0, sizeof body);
}

static void opt_prefix(const char *prefix, uint8_t flags, uint32_t valid, uint32_t preferred)
{
    uint8_t *p = body + body_len;
    memset(p, 0, 32);
    p[0] = JR_ND_OPT_PREFIX;
    p[1] = 4;
    p[2] = 64;
    p[3] = flags;
    jr_store_be32(p + 4, valid);
    jr_store_be32(p + 8, preferred);
    memcpy(p + 16, ip6(prefix).b, 16);
    body_len += 32;
}

static void advert(struct jr_addr src, uint8_t hlim, uint8_t flags, uint16_t lifetime)
{
    const struct jr_icmp6 icmp = {JR_ICMP6_ROUTER_ADVERT, 0, 50u << 24 | (uint32_t)flags << 16 | lifetime};
    frame_icmp6(&f, src, ALL_NODES, hlim, &icmp, body, body_len);
    host_rx(&h, f.b, f.len);
    body_len = 8;
}

static bool goes_to(struct jr_addr dst, const char *gw)
{
    struct jr_ip_route rt;
    return jr_ip_route(h.ip, dst, &rt) && jr_addr_eq(rt.next_hop, on_link(&h, gw));
}

static bool has_route(struct jr_addr dst)
{
    struct jr_ip_route rt;
    return jr_ip_route(h.ip, dst, &rt);
}

/* rfc: 4861 6.3.7 */
JR_TEST(asks_for_routers_until_one_answers)
{
    struct jr_icmp6 icmp;
    struct sent6 s;
    init(false);
    jr_nd6_solicit_routers(h.ifp, h.now);
    host_wait(&h, 6 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_TX_RS), 2);
    if (host_sent_icmp6(&h, &s, &icmp))
        JR_CHECK(icmp.type == JR_ICMP6_ROUTER_SOLICIT && jr_addr_eq(s.ip.dst, ip6("ff02::2")) && s.ip.hlim == 255);
    sent6_free(&s);
    h.ifp->nd6->accept_rtadv = true;
    advert(ROUTER6, 255, 0, 1800);
    host_wait(&h, 10 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_TX_RS), 2);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 4861 6.3.4; 4862 5.5.3 */
JR_TEST(an_advertisement_configures_the_host)
{
    struct jr_ip_route rt;
    init(true);
    jr_nd_build_lladdr(body + body_len, JR_ND_OPT_SOURCE_LLADDR, mac_rtr);
    body_len += 8;
    memcpy(body + body_len, (uint8_t[8]){JR_ND_OPT_MTU, 1, 0, 0, 0, 0, 5, 120}, 8); /* 1400 */
    body_len += 8;
    opt_prefix("2001:db8:5::", 0xc0, 3600, 1800);
    advert(ROUTER6, 255, 0, 1800);
    JR_CHECK(goes_to(FAR6, "fe80::77"));
    JR_CHECK(jr_ip_route(h.ip, FAR6, &rt) && rt.mtu == 1400);
    JR_CHECK(jr_ip_route(h.ip, ip6("2001:db8:5::99"), &rt) && jr_addr_eq(rt.next_hop, ip6("2001:db8:5::99")));
    JR_CHECK(jr_ip_is_local(h.ip, AUTO6));
    JR_CHECK_EQ(h.ifp->nd6->cur_hlim, 50);
    const struct jr_neigh *n = jr_neigh_find(h.ifp->neigh, on_link(&h, "fe80::77"));
    JR_CHECK(n && n->state == JR_NEIGH_STALE && jr_ether_eq(n->mac, mac_rtr));
    /* the address grows old, the router goes, the prefix goes */
    h.now += 1801 * JR_SEC;
    jr_ip_tick(h.ip, h.now);
    JR_CHECK(!has_route(FAR6));
    JR_CHECK(jr_ip_is_local(h.ip, AUTO6) && jr_nd6_addr_find(h.ifp, AUTO6)->preferred_until == 0);
    h.now += 1800 * JR_SEC;
    jr_ip_tick(h.ip, h.now);
    JR_CHECK(!jr_ip_is_local(h.ip, AUTO6));
    JR_CHECK(!has_route(ip6("2001:db8:5::99")));
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_EXPIRED), 1);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 4861 6.1.2 */
JR_TEST(what_is_not_believed)
{
    init(true);
    advert(ROUTER6, 254, 0, 1800);
    advert(PEER6, 255, 0, 1800);
    body[8] = 1; /* an option of length 0 */
    body_len = 16;
    advert(ROUTER6, 255, 0, 1800);
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_BAD), 3);
    JR_CHECK(!has_route(FAR6));
    opt_prefix("fe80::", 0xc0, 3600, 1800);
    opt_prefix("2001:db8:5::", 0x40, 100, 200); /* preferred longer than valid */
    opt_prefix("ff02::", 0xc0, 100, 100);
    advert(ROUTER6, 255, 0, 0);
    JR_CHECK(!jr_ip_is_local(h.ip, AUTO6) && !has_route(FAR6));
    JR_CHECK_EQ(h.ifp->nd6->n_addrs, 2);
    host_fini(&h);
    init(false);
    advert(ROUTER6, 255, 0, 1800);
    JR_CHECK(!has_route(FAR6) && host_counted(&h, JR_C_ND6_IGNORED) == 1);
    host_fini(&h);
}

/* rfc: 4862 5.5.3 */
JR_TEST(strangers_do_not_end_addresses_at_once)
{
    init(true);
    opt_prefix("2001:db8:5::", 0x40, 86400, 86400);
    advert(ROUTER6, 255, 0, 0);
    opt_prefix("2001:db8:5::", 0x40, 10, 0);
    advert(ROUTER6, 255, 0, 0);
    const struct jr_nd6_addr *a = jr_nd6_addr_find(h.ifp, AUTO6);
    JR_CHECK(a && a->valid_until == h.now + 7200 * JR_SEC);
    opt_prefix("2001:db8:5::", 0x40, 5, 0);
    advert(ROUTER6, 255, 0, 0);
    a = jr_nd6_addr_find(h.ifp, AUTO6);
    JR_CHECK(a && a->valid_until == h.now + 7200 * JR_SEC);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 4191 3.2; 4861 6.3.5 */
JR_TEST(preferences_and_routers_that_leave)
{
    init(true);
    advert(ROUTER6, 255, 0, 1800);
    advert(ip6("fe80::78"), 255, 0x08, 1800); /* high */
    advert(ip6("fe80::79"), 255, 0x18, 1800); /* low */
    JR_CHECK(goes_to(FAR6, "fe80::78"));
    advert(ip6("fe80::78"), 255, 0, 0); /* no router any more */
    JR_CHECK(goes_to(FAR6, "fe80::77"));
    /* it says itself that it is none */
    jr_neigh_set(h.ifp, on_link(&h, "fe80::77"), mac_rtr, JR_NEIGH_REACHABLE, h.now);
    frame_nd(&f, ROUTER6, US6, JR_ICMP6_NEIGHBOR_ADVERT, JR_ND_NA_SOLICITED, ROUTER6, &mac_rtr);
    host_rx(&h, f.b, f.len);
    JR_CHECK(goes_to(FAR6, "fe80::79"));
    for (unsigned i = 0; i < 20; i++) {
        char text[32];
        snprintf(text, sizeof text, "fe80::1:%x", i);
        advert(ip6(text), 255, 0, 1800);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_FULL), 13);
    host_discard(&h);
    host_fini(&h);
}

static void send_to(struct jr_addr to)
{
    static const struct jr_udp_upcalls none;
    struct jr_udpcb *up = jr_udp_open(h.udp, &none, NULL);
    const struct jr_endpoint local = {ANY6, 1000}, ep = {to, 9};
    JR_CHECK_EQ(jr_udp_bind(up, &local, JR_UDP_BIND_REUSEADDR), 0);
    JR_CHECK_EQ(jr_udp_send(up, &ep, "x", 1, NULL, 0, 0, 0, h.now), 0);
    host_flush(&h);
    host_wait(&h, 5 * JR_SEC); /* nobody answers three questions */
    jr_udp_close(up);
}

static struct jr_addr stable_addr(const char *prefix, uint8_t secret)
{
    struct jr_addr a = ip6(prefix);
    init(true);
    struct jr_ip_config *cfg = jr_ip_config(h.ip);
    cfg->ip6_use_stableaddr = 1;
    memset(cfg->stable_secret, secret, sizeof cfg->stable_secret);
    opt_prefix(prefix, 0xc0, 3600, 1800);
    advert(ROUTER6, 255, 0, 1800);
    for (unsigned i = 0; i < h.ifp->nd6->n_addrs; i++)
        if (h.ifp->nd6->addrs[i].autoconf)
            a = h.ifp->nd6->addrs[i].addr;
    JR_CHECK(jr_ip_is_local(h.ip, a) && memcmp(a.b, ip6(prefix).b, 8) == 0);
    return a;
}

static void end(void)
{
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 7217 5; 7217 6 */
JR_TEST(stable_addresses_differ_by_prefix_and_host)
{
    const struct jr_addr a = stable_addr("2001:db8:5::", 7);
    end();
    const struct jr_addr b = stable_addr("2001:db8:5::", 7);
    JR_CHECK(jr_addr_eq(a, b) && !jr_addr_eq(a, AUTO6));
    jr_nd6_addr_find(h.ifp, b)->state = JR_ND6_DUPLICATED;
    opt_prefix("2001:db8:5::", 0xc0, 3600, 1800);
    const unsigned n = h.ifp->nd6->n_addrs;
    advert(ROUTER6, 255, 0, 1800);
    JR_CHECK_EQ(h.ifp->nd6->n_addrs, n + 1); /* another one */
    end();
    const struct jr_addr c = stable_addr("2001:db8:6::", 7);
    JR_CHECK(memcmp(a.b + 8, c.b + 8, 8) != 0);
    end();
    const struct jr_addr d = stable_addr("2001:db8:5::", 8);
    JR_CHECK(!jr_addr_eq(a, d));
    end();
    JR_CHECK(jr_addr_eq(stable_addr("2001:db8:5::", 0), AUTO6)); /* no secret */
    end();
}

/* rfc: 4861 6.3.6 */
JR_TEST(a_silent_router_comes_after_the_others)
{
    init(true);
    advert(ROUTER6, 255, 0x08, 9000); /* high */
    advert(ip6("fe80::78"), 255, 0, 9000);
    JR_CHECK(goes_to(FAR6, "fe80::77"));
    host_discard(&h);
    send_to(FAR6);
    JR_CHECK(goes_to(FAR6, "fe80::78"));
    send_to(FAR6); /* nor does the other: the first has its turn */
    JR_CHECK(goes_to(FAR6, "fe80::77"));
    send_to(FAR6);
    JR_CHECK(goes_to(FAR6, "fe80::78"));
    advert(ROUTER6, 255, 0x08, 9000); /* it speaks again */
    JR_CHECK(goes_to(FAR6, "fe80::77"));
    host_discard(&h);
    host_fini(&h);
}

static void redirect(struct jr_addr src, struct jr_addr target, struct jr_addr dst)
{
    uint8_t p[32];
    memcpy(p, target.b, 16);
    memcpy(p + 16, dst.b, 16);
    frame_icmp6(&f, src, US6, 255, &(struct jr_icmp6){JR_ICMP6_REDIRECT, 0, 0}, p, sizeof p);
    host_rx(&h, f.b, f.len);
}

/* rfc: 4861 8.3 */
JR_TEST(redirects_from_the_router_in_use)
{
    struct jr_ip_route rt;
    init(true);
    advert(ROUTER6, 255, 0, 9000);
    redirect(ip6("fe80::78"), ip6("fe80::79"), FAR6); /* not our router */
    redirect(ROUTER6, ip6("2001:db8::99"), FAR6);     /* neither a router nor the host itself */
    redirect(ROUTER6, ip6("ff02::1"), ip6("ff02::1"));
    JR_CHECK_EQ(host_counted(&h, JR_C_ND6_BAD), 3);
    JR_CHECK(goes_to(FAR6, "fe80::77"));
    redirect(ROUTER6, ip6("fe80::79"), FAR6);
    JR_CHECK(goes_to(FAR6, "fe80::79") && goes_to(ip6("2001:db8:ffff::2"), "fe80::77"));
    redirect(ROUTER6, ip6("2001:db8:ffff::2"), ip6("2001:db8:ffff::2")); /* on this very link */
    JR_CHECK(jr_ip_route(h.ip, ip6("2001:db8:ffff::2"), &rt) && jr_addr_eq(rt.next_hop, ip6("2001:db8:ffff::2")));
    h.now += 601 * JR_SEC;
    jr_ip_tick(h.ip, h.now);
    JR_CHECK(goes_to(FAR6, "fe80::77"));
    host_discard(&h);
    host_fini(&h);
}

JR_TEST_MAIN
