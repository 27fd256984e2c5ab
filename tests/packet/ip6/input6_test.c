/* SPDX-License-Identifier: BSD-3-Clause */
/* Which IPv6 packets are taken, which are refused, and what the sender hears of it. */
#include "host6.h"

static struct host h;
static struct frame f;

static unsigned got;
static struct jr_endpoint got_from;
static struct jr_ip_rx got_rx;

static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    (void)so, (void)up, (void)data, (void)len, (void)now;
    got++;
    got_from = *from;
    got_rx = *rx;
}
static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now) { (void)so, (void)up, (void)err, (void)now; }
static const struct jr_udp_upcalls upcalls = {.input = on_input, .error = on_error};

static void init(void)
{
    const struct jr_endpoint local = {ANY6, 7};

    host6_init(&h, NULL);
    got = 0;
    JR_CHECK_EQ(jr_udp_bind(jr_udp_open(h.udp, &upcalls, NULL), &local, 0), 0);
}

/* A datagram behind the extension headers ext, whose first is of type nh. */
static void send_ext(uint8_t nh, const uint8_t *ext, uint32_t len)
{
    uint8_t p[256];
    const struct jr_ipv6 ip = {.src = PEER6, .dst = US6, .proto = nh};

    if (len)
        memcpy(p, ext, len);
    memcpy(p + len + JR_UDP_HLEN, "x", 1);
    jr_udp_build(p + len, 9, 7, 1, jr_cksum_partial("x", 1, 0), PEER6, US6);
    frame_ipv6(&f, &ip, p, len + JR_UDP_HLEN + 1);
    host_rx(&h, f.b, f.len);
}

static void expect_problem(uint8_t code, uint32_t pointer)
{
    struct jr_icmp6 icmp;
    struct sent6 s;

    if (host_sent_icmp6(&h, &s, &icmp)) {
        JR_CHECK(jr_addr_eq(s.ip.src, US6) && jr_addr_eq(s.ip.dst, PEER6));
        JR_CHECK_EQ(icmp.type, JR_ICMP6_PARAM_PROBLEM);
        JR_CHECK_EQ(icmp.code, code);
        JR_CHECK_EQ(icmp.rest, pointer);
        JR_CHECK_MEM(s.payload + 8, f.b + 14, f.len - 14);
    }
    sent6_free(&s);
}

JR_TEST(a_datagram_reaches_its_socket)
{
    init();
    frame_udp6(&f, FAR6, 1234, US6, 7, "hello", 5);
    f.b[14] = 0x6a; /* traffic class 0xab, flow label 0xcdef0 */
    f.b[15] = 0xbc;
    f.b[16] = 0xde;
    f.b[17] = 0xf0;
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(got, 1);
    JR_CHECK(jr_addr_eq(got_from.addr, FAR6) && got_from.port == 1234);
    JR_CHECK(got_rx.tos == 0xab && got_rx.ttl == 64 && !got_rx.broadcast);
    /* padding of the link is not data */
    f.len += 6;
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(got, 2);
    host_fini(&h);
}

/* rfc: 3493 3.7 */
JR_TEST(ipv4_reaches_the_wildcard_of_ipv6)
{
    init();
    frame_udp(&f, PEER, 5, US, 7, "x", 1);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(got, 1);
    JR_CHECK(jr_addr_eq(got_from.addr, PEER));
    host_fini(&h);
}

/* rfc: 8200 8.1; 6936 4 */
JR_TEST(a_checksum_is_a_must)
{
    init();
    frame_udp6(&f, PEER6, 1, US6, 7, "x", 1);
    jr_store_be16(f.b + 54 + 6, 0);
    host_rx(&h, f.b, f.len);
    JR_CHECK(got == 0 && host_counted(&h, JR_C_UDP_ZERO_CKSUM6) == 1);
    frame_udp6(&f, PEER6, 1, US6, 7, "x", 1);
    f.b[54 + 6] ^= 1;
    host_rx(&h, f.b, f.len);
    JR_CHECK(got == 0 && host_counted(&h, JR_C_UDP_BAD_CKSUM) == 1);
    host_fini(&h);
}

static void refused(struct jr_addr src, struct jr_addr dst, enum jr_counter why)
{
    host_mark(&h);
    got = 0;
    frame_udp6(&f, src, 1, dst, 7, "x", 1);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(got, 0);
    JR_CHECK_EQ(host_counted(&h, why), 1);
    JR_CHECK_EQ(host_discard(&h), 0);
}

/* rfc: 4291 2.5.3 */
JR_TEST(addresses_that_no_honest_packet_has)
{
    init();
    refused(US6, US6, JR_C_IP6_BAD_SRC);
    refused(ip6("::1"), US6, JR_C_IP6_BAD_SRC);
    refused(ip6("ff02::5"), US6, JR_C_IP6_BAD_SRC);
    refused(ANY6, US6, JR_C_IP6_BAD_SRC);
    refused(ip6("::ffff:10.0.0.2"), US6, JR_C_IP6_BAD_SRC);
    refused(ANY6, ALL_NODES, JR_C_IP6_BAD_SRC); /* only Neighbour Discovery may */
    refused(PEER6, ip6("::1"), JR_C_IP6_BAD_DST);
    refused(PEER6, ip6("::ffff:10.0.0.1"), JR_C_IP6_BAD_DST);
    refused(PEER6, ip6("ff01::1"), JR_C_IP6_BAD_DST);
    refused(PEER6, ip6("2001:db8::99"), JR_C_IP6_NOT_FOR_US);
    refused(PEER6, ip6("ff02::99"), JR_C_IP6_NOT_FOR_US);
    /* a zone on the wire */
    frame_udp6(&f, ip6("fe80::2"), 1, US6, 7, "x", 1);
    jr_store_be16(f.b + 14 + 8 + 2, h.ifp->nd6->zone);
    host_mark(&h);
    host_rx(&h, f.b, f.len);
    JR_CHECK(got == 0 && host_counted(&h, JR_C_IP6_BAD_SRC) == 1);
    /* unicast in a multicast frame */
    frame_udp6(&f, PEER6, 1, US6, 7, "x", 1);
    memcpy(f.b, "\x33\x33\0\0\0\1", 6);
    got = 0;
    host_rx(&h, f.b, f.len);
    JR_CHECK(got == 0 && host_counted(&h, JR_C_IP6_BAD_DST) == 1);
    host_fini(&h);
}

/* rfc: 8200 4.1; 8200 4.3; 8200 4.6; 6946 4 */
JR_TEST(extension_headers_are_skipped)
{
    init();
    static const uint8_t pad[8] = {JR_IPPROTO_UDP, 0, 1, 4};
    static const uint8_t alert[8] = {JR_IPPROTO_UDP, 0, 5, 2, 0, 0, 1, 0};
    static const uint8_t skip[8] = {JR_IPPROTO_UDP, 0, 0x1e, 4};
    static const uint8_t routing_done[8] = {JR_IPPROTO_UDP, 0, 0, 0};
    static const uint8_t three[24] = {JR_IPPROTO_DSTOPTS, 0, 1, 4, 0, 0, 0, 0, JR_IPPROTO_ROUTING, 0, 1, 4, 0, 0, 0, 0,
                                      JR_IPPROTO_UDP,     0, 4, 0};
    static const uint8_t atomic[8] = {JR_IPPROTO_UDP, 0, 0, 0, 1, 2, 3, 4};
    send_ext(JR_IPPROTO_HOPOPTS, pad, 8);
    send_ext(JR_IPPROTO_HOPOPTS, alert, 8);
    send_ext(JR_IPPROTO_DSTOPTS, skip, 8);
    send_ext(JR_IPPROTO_ROUTING, routing_done, 8);
    send_ext(JR_IPPROTO_HOPOPTS, three, 24);
    send_ext(JR_IPPROTO_FRAGMENT, atomic, 8);
    JR_CHECK_EQ(got, 6);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_FRAG_ATOMIC), 1);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

/* rfc: 8200 4.2 */
JR_TEST(options_say_what_to_do_with_them)
{
    uint8_t opt[8] = {JR_IPPROTO_UDP, 0, 0x5e, 4}; /* 01: drop */
    init();
    send_ext(JR_IPPROTO_DSTOPTS, opt, 8);
    JR_CHECK_EQ(host_discard(&h), 0);
    opt[2] = 0x9e; /* 10: drop and tell */
    send_ext(JR_IPPROTO_DSTOPTS, opt, 8);
    expect_problem(JR_ICMP6_PARAM_OPTION, 42);
    opt[2] = 0xde; /* 11: and tell unless it went to a group */
    send_ext(JR_IPPROTO_DSTOPTS, opt, 8);
    expect_problem(JR_ICMP6_PARAM_OPTION, 42);
    JR_CHECK_EQ(got, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_UNKNOWN_OPT), 3);
    f.b[14 + 24] = 0xff;
    memset(f.b + 14 + 25, 0, 15);
    f.b[14 + 25] = 2;
    f.b[14 + 39] = 1;
    memcpy(f.b, "\x33\x33\0\0\0\1", 6);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_UNKNOWN_OPT), 4);
    host_fini(&h);
}

/* rfc: 5095 3; 8200 4.4 */
JR_TEST(source_routes_are_refused)
{
    uint8_t rh[24] = {JR_IPPROTO_UDP, 2, 0, 1};
    init();
    send_ext(JR_IPPROTO_ROUTING, rh, 24);
    expect_problem(JR_ICMP6_PARAM_HEADER, 42);
    rh[2] = 4;
    send_ext(JR_IPPROTO_ROUTING, rh, 24);
    expect_problem(JR_ICMP6_PARAM_HEADER, 42);
    JR_CHECK(got == 0 && host_counted(&h, JR_C_IP6_SOURCE_ROUTE) == 2);
    host_fini(&h);
}

/* rfc: 8200 4.1; 4443 3.4 */
JR_TEST(headers_in_the_wrong_place)
{
    static const uint8_t late_hop[16] = {JR_IPPROTO_HOPOPTS, 0, 1, 4, 0, 0, 0, 0, JR_IPPROTO_UDP, 0, 1, 4};
    uint8_t many[8 * 9];
    init();
    send_ext(JR_IPPROTO_DSTOPTS, late_hop, 16);
    expect_problem(JR_ICMP6_PARAM_NEXT_HEADER, 40);
    for (unsigned i = 0; i < 9; i++)
        memcpy(many + 8 * i, (uint8_t[8]){i < 8 ? JR_IPPROTO_DSTOPTS : JR_IPPROTO_UDP, 0, 1, 4}, 8);
    send_ext(JR_IPPROTO_DSTOPTS, many, sizeof many);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_EXT_TOO_MANY), 1);
    send_ext(JR_IPPROTO_DSTOPTS, (uint8_t[8]){JR_IPPROTO_UDP, 200, 1, 4}, 8);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_EXT_SHORT), 1);
    send_ext(JR_IPPROTO_DSTOPTS, (uint8_t[8]){JR_IPPROTO_UDP, 0, 1, 5}, 8);
    expect_problem(JR_ICMP6_PARAM_HEADER, 42);
    send_ext(JR_IPPROTO_NONE, NULL, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_NO_NEXT), 1);
    send_ext(99, NULL, 0);
    expect_problem(JR_ICMP6_PARAM_NEXT_HEADER, 6);
    JR_CHECK(got == 0 && host_counted(&h, JR_C_IP6_NO_PROTO) == 1);
    host_fini(&h);
}

JR_TEST(whatever_is_cut_off_is_dropped)
{
    init();
    send_ext(JR_IPPROTO_DSTOPTS, (uint8_t[8]){JR_IPPROTO_UDP, 0, 1, 4}, 8);
    JR_CHECK_EQ(got, 1);
    const uint32_t whole = f.len;
    for (uint32_t n = 14; n < whole; n++) {
        host_rx(&h, f.b, n);
        JR_CHECK_EQ(got, 1);
    }
    /* the same with a length that says so */
    for (uint32_t n = 54; n < whole; n++) {
        jr_store_be16(f.b + 18, (uint16_t)(n - 54));
        host_rx(&h, f.b, n);
        JR_CHECK_EQ(got, 1);
    }
    host_fini(&h);
}

JR_TEST_MAIN
