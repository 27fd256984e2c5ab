/* SPDX-License-Identifier: BSD-3-Clause */
/* What leaves: routes, source addresses, flow labels, fragments, path MTUs. */
#include <errno.h>

#include "host6.h"

static struct host h;
static struct frame f;
static uint8_t big[66000];

static int errors, last_error;
static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    (void)so, (void)up, (void)from, (void)rx, (void)data, (void)len, (void)now;
}
static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now)
{
    (void)so, (void)up, (void)now;
    errors++;
    last_error = err;
}
static const struct jr_udp_upcalls upcalls = {.input = on_input, .error = on_error};

static void init(struct jr_ip_config *cfg)
{
    host6_init(&h, cfg);
    errors = 0;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + i / 256);
}

static struct jr_udpcb *socket6(uint16_t port)
{
    const struct jr_endpoint local = {ANY6, port};
    struct jr_udpcb *up = jr_udp_open(h.udp, &upcalls, NULL);
    JR_CHECK_EQ(jr_udp_bind(up, &local, 0), 0);
    return up;
}

static int send_to(struct jr_udpcb *up, struct jr_addr to, uint32_t len)
{
    const struct jr_endpoint ep = {to, 9};
    const int err = jr_udp_send(up, &ep, big, len, NULL, 0, 0x2a, 0, h.now);
    host_flush(&h);
    return err;
}

/* rfc: 6437 3 */
JR_TEST(a_datagram_leaves)
{
    struct sent6 s;
    struct jr_udp_hdr udp;
    uint32_t label = 0;
    init(NULL);
    struct jr_udpcb *up = socket6(1000);
    for (unsigned i = 0; i < 2; i++) {
        JR_CHECK_EQ(send_to(up, FAR6, 1452), 0);
        if (host_sent_ipv6(&h, &s)) {
            JR_CHECK(jr_ether_eq(s.eth.dst, MAC_ROUTER));
            JR_CHECK(jr_addr_eq(s.ip.src, US6) && jr_addr_eq(s.ip.dst, FAR6));
            JR_CHECK(s.ip.hlim == 64 && s.ip.tclass == 0x2a && s.chain.proto == JR_IPPROTO_UDP && !s.chain.frag_at);
            JR_CHECK_EQ(jr_udp_parse(s.payload, s.len, &udp), JR_WIRE_OK);
            JR_CHECK(udp.has_cksum && jr_udp_cksum_ok(s.payload, &udp, s.ip.src, s.ip.dst));
            JR_CHECK_MEM(s.payload + 8, big, 1452);
            JR_CHECK(s.ip.flow != 0 && (i == 0 || s.ip.flow == label)); /* RFC 6437: a flow keeps its label */
            label = s.ip.flow;
        }
        sent6_free(&s);
    }
    JR_CHECK_EQ(send_to(socket6(1001), FAR6, 1), 0);
    if (host_sent_ipv6(&h, &s))
        JR_CHECK(s.ip.flow != label);
    sent6_free(&s);
    host_fini(&h);
}

JR_TEST(ipv4_routes_are_not_ipv6s)
{
    struct jr_ip_route rt;
    init(NULL);
    JR_CHECK_EQ(jr_ip_route_del(h.ip, ANY, 0, 0), 0);
    JR_CHECK(!jr_ip_route(h.ip, FAR, &rt)); /* ::/0 is there, but is none for IPv4 */
    JR_CHECK(jr_ip_route(h.ip, FAR6, &rt));
    JR_CHECK(!jr_ip_route(h.ip, ip6("::1"), &rt));
    JR_CHECK(!jr_ip_route(h.ip, ANY6, &rt));
    JR_CHECK(jr_ip_route(h.ip, US6, &rt) && rt.local);
    JR_CHECK(!jr_ip_route(h.ip, ip6("fe80::2"), &rt)); /* whose? */
    JR_CHECK(jr_ip_route(h.ip, on_link(&h, "fe80::2"), &rt) && rt.ifp == h.ifp && jr_ipv6_is_linklocal(rt.src));
    host_fini(&h);
}

static void expect_source(const char *dst, const char *src)
{
    struct jr_ip_route rt;
    if (JR_CHECK(jr_ip_route(h.ip, ip6(dst), &rt)) && !jr_addr_eq(jr_ipv6_wire(rt.src), ip6(src)))
        JR_CHECK_MEM(rt.src.b, ip6(src).b, 16);
}

static void add(const char *addr, bool deprecated, bool temporary)
{
    const struct jr_ip_addr6 a = {.addr = ip6(addr),
                                  .plen = 64,
                                  .deprecated = deprecated,
                                  .temporary = temporary,
                                  .preferred_until = JR_TIME_NEVER,
                                  .valid_until = JR_TIME_NEVER};
    JR_CHECK_EQ(jr_ip_addr6_add(h.ip, h.ifp, &a, true, h.now), 0);
}

/* rfc: 6724 5 */
JR_TEST(sources_by_rfc_6724)
{
    init(NULL);
    add("2001:db8:ffff:1::1", false, false);
    add("2002:c000:204::1", false, false);
    add("fd00::1", false, false);
    expect_source("2001:db8:ffff:1::9", "2001:db8:ffff:1::1"); /* 8: longest prefix */
    expect_source("2001:db8::9", "2001:db8::1");
    expect_source("2002:c633:6401::1", "2002:c000:204::1"); /* 6: label */
    expect_source("fd00:1::1", "fd00::1");
    expect_source("ff0e::1", "2001:db8::1");
    add("2001:db8:ffff:2::1", true, false);
    expect_source("2001:db8:ffff:2::2", "2001:db8:ffff:1::1"); /* 3: not the deprecated one */
    add("2001:db8:ffff:3::1", false, true);
    expect_source("2001:db8:ffff:1::9", "2001:db8:ffff:3::1"); /* 7: the temporary one */
    host_fini(&h);
}

/* What was sent, put together; the number of fragments. */
static unsigned collect(uint8_t *to, uint32_t *len, uint32_t *id)
{
    struct sent6 s;
    unsigned n = 0;
    *len = 0;
    for (; h.dev.sent.count; n++) {
        if (host_sent_ipv6(&h, &s)) {
            JR_CHECK(s.chain.fragment);
            JR_CHECK_EQ(s.chain.frag_off, *len);
            JR_CHECK_EQ(s.chain.frag_more, h.dev.sent.count != 0);
            JR_CHECK(s.pkt->len <= 14 + 1500);
            if (n)
                JR_CHECK_EQ(s.chain.frag_id, *id);
            *id = s.chain.frag_id;
            memcpy(to + *len, s.payload, s.len);
            *len += s.len;
        }
        sent6_free(&s);
    }
    return n;
}

/* rfc: 8200 4.5 */
JR_TEST(large_datagrams_leave_in_fragments)
{
    static uint8_t all[66000];
    struct jr_udp_hdr udp;
    uint32_t len, id = 0, before;
    init(NULL);
    struct jr_udpcb *up = socket6(1000);
    JR_CHECK_EQ(send_to(up, PEER6, 1453), 0);
    JR_CHECK_EQ(collect(all, &len, &before), 2);
    JR_CHECK_EQ(send_to(up, PEER6, 65507), 0);
    JR_CHECK(collect(all, &len, &id) > 40);
    JR_CHECK_EQ(id, before + 1);
    JR_CHECK_EQ(len, 65515);
    JR_CHECK_EQ(jr_udp_parse(all, len, &udp), JR_WIRE_OK);
    JR_CHECK(jr_udp_cksum_ok(all, &udp, US6, PEER6));
    JR_CHECK_EQ(send_to(up, PEER6, 65528), -EMSGSIZE);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_FRAG_TX), 2);
    host_fini(&h);
}

static void too_big(struct jr_addr dst, uint16_t sport, uint32_t mtu)
{
    uint8_t quote[48];
    const struct jr_ipv6 ip = {.src = US6, .dst = dst, .proto = JR_IPPROTO_UDP, .payload_len = 1400, .hlim = 60};
    jr_ipv6_build(quote, &ip);
    jr_udp_build(quote + 40, sport, 9, 1392, 0, US6, dst);
    frame_icmp6(&f, ip6("2001:db8:1::1"), US6, 60, &(struct jr_icmp6){JR_ICMP6_PACKET_TOO_BIG, 0, mtu}, quote, 48);
    host_rx(&h, f.b, f.len);
}

/* rfc: 8201 4; 8201 5.3 */
JR_TEST(packet_too_big_lowers_the_paths_mtu)
{
    struct jr_ip_route rt;
    init(NULL);
    struct jr_udpcb *up = socket6(1000);
    const struct jr_endpoint to = {FAR6, 9};
    JR_CHECK_EQ(jr_udp_connect(up, &to), 0);
    too_big(FAR6, 999, 1400); /* no socket of ours sent that */
    JR_CHECK(jr_ip_route(h.ip, FAR6, &rt) && rt.mtu == 1500);
    too_big(FAR6, 1000, 1400);
    JR_CHECK(jr_ip_route(h.ip, FAR6, &rt) && rt.mtu == 1400);
    JR_CHECK(jr_ip_route(h.ip, PEER6, &rt) && rt.mtu == 1500);
    too_big(FAR6, 1000, 1300);
    too_big(FAR6, 1000, 1350); /* it does not grow */
    JR_CHECK(jr_ip_route(h.ip, FAR6, &rt) && rt.mtu == 1300);
    too_big(FAR6, 1000, 1279); /* RFC 8201 4: discarded */
    JR_CHECK(jr_ip_route(h.ip, FAR6, &rt) && rt.mtu == 1300);
    h.now += 601 * JR_SEC;
    jr_ip_tick(h.ip, h.now);
    JR_CHECK(jr_ip_route(h.ip, FAR6, &rt) && rt.mtu == 1500);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 4443 2.4 */
JR_TEST(errors_reach_a_connected_socket)
{
    static const struct {
        uint8_t type, code;
        int err;
    } cases[] = {{1, 0, 0}, {1, 1, EACCES}, {1, 3, 0}, {1, 4, ECONNREFUSED}, {1, 6, EACCES}, {3, 0, 0}, {4, 0, EPROTO}};
    uint8_t quote[48];
    const struct jr_ipv6 ip = {.src = US6, .dst = FAR6, .proto = JR_IPPROTO_UDP, .payload_len = 8, .hlim = 60};
    init(NULL);
    struct jr_udpcb *up = socket6(1000);
    const struct jr_endpoint to = {FAR6, 9};
    JR_CHECK_EQ(jr_udp_connect(up, &to), 0);
    jr_ipv6_build(quote, &ip);
    jr_udp_build(quote + 40, 1000, 9, 0, 0, US6, FAR6);
    for (unsigned i = 0; i < JR_ARRAY_LEN(cases); i++) {
        errors = 0;
        frame_icmp6(&f, FAR6, US6, 60, &(struct jr_icmp6){cases[i].type, cases[i].code, 0}, quote, 48);
        host_rx(&h, f.b, f.len);
        JR_CHECK_EQ(errors, cases[i].err != 0);
        if (errors)
            JR_CHECK_EQ(last_error, cases[i].err);
    }
    host_fini(&h);
}

JR_TEST(wildcards_of_both_families)
{
    const struct jr_endpoint any4 = {ANY, 50}, any6 = {ANY6, 50}, us = {US, 50};
    init(NULL);
    struct jr_udpcb *a = jr_udp_open(h.udp, &upcalls, NULL), *b = jr_udp_open(h.udp, &upcalls, NULL);
    JR_CHECK_EQ(jr_udp_bind(a, &any6, 0), 0); /* dual: IPv4's too */
    JR_CHECK_EQ(jr_udp_bind(b, &any4, 0), -EADDRINUSE);
    JR_CHECK_EQ(jr_udp_bind(b, &us, 0), -EADDRINUSE);
    jr_udp_close(a);
    a = jr_udp_open(h.udp, &upcalls, NULL);
    JR_CHECK_EQ(jr_udp_bind(a, &any6, JR_UDP_BIND_V6ONLY), 0);
    JR_CHECK_EQ(jr_udp_bind(b, &any4, 0), 0);
    jr_udp_close(a);
    jr_udp_close(b);
    host_fini(&h);
}

JR_TEST_MAIN
