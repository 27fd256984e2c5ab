/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of received packets, the requests that ICMP answers, redirects, ids: what net.inet.ip and icmp's knobs do. */
#include "host.h"
#include "ip/opts.h"

static struct host h;
static struct frame f;

/* An ICMP message from the peer to dst whose header carries options. */
static void rx_opts(struct jr_addr dst, const struct jr_icmp *icmp, const uint8_t *opts, uint8_t n, const void *body,
                    uint32_t len)
{
    uint8_t p[200];
    const struct jr_ipv4 ip = {.src = PEER, .dst = dst, .proto = JR_IPPROTO_ICMP};

    if (n)
        memcpy(p, opts, n);
    if (len)
        memcpy(p + n + JR_ICMP_HLEN, body, len);
    jr_icmp_build(p + n, JR_ICMP_HLEN + len, icmp);
    frame_ipv4(&f, &ip, p, n + JR_ICMP_HLEN + len);
    f.b[14] = (uint8_t)(0x45 + n / 4);
    frame_fix_cksum(&f);
    host_rx(&h, f.b, f.len);
}

static const struct jr_icmp echo = {JR_ICMP_ECHO, 0, 0x00010002};

/* rfc: 1122 3.2.1.8 */
JR_TEST(options_are_checked)
{
    static const struct {
        uint8_t opt[8];
        enum jr_counter want;
        uint8_t at;
    } cases[] = {
        {{0, 0xff, 0xff, 0xff}, JR_WIRE_OK, 0},              /* end of list: what follows is not looked at */
        {{1, 1, 1, 1, 1, 1, 1, 1}, JR_WIRE_OK, 0},           /* no-operation */
        {{0x94, 4, 0, 0, 1, 0}, JR_WIRE_OK, 0},              /* router alert */
        {{0x44, 8, 5, 0, 1, 2, 3, 4}, JR_WIRE_OK, 0},        /* timestamp up to the last byte */
        {{0x44, 9, 5, 0, 1, 2, 3, 4}, JR_C_IP_BAD_OPTS, 21}, /* and one beyond */
        {{1, 1, 1, 1, 1, 1, 1, 0x44}, JR_C_IP_BAD_OPTS, 28}, /* no room for a length */
        {{0x44, 1}, JR_C_IP_BAD_OPTS, 21},                   /* lengths that can't be */
        {{0x44, 0}, JR_C_IP_BAD_OPTS, 21},
        {{1, 7, 7, 3}, JR_C_IP_BAD_OPTS, 23}, /* a pointer into the option's head */
        {{0x44, 8, 4, 0}, JR_C_IP_BAD_OPTS, 22},
        {{131, 7, 4, 10, 0, 0, 1, 0}, JR_C_IP_SOURCE_ROUTE, 20},
        {{1, 137, 7, 4, 10, 0, 0, 1}, JR_C_IP_SOURCE_ROUTE, 21},
        {{131, 7, 8, 10, 0, 0, 1, 0}, JR_C_IP_SOURCE_ROUTE, 20}, /* used up, but not wanted either */
    };
    struct jr_ip_config cfg;
    uint8_t at;

    jr_ip_config_defaults(&cfg);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t b[28] = {0x47};
        memcpy(b + 20, cases[i].opt, 8);
        if (!JR_CHECK_EQ(jr_ip_opts_check(&cfg, b, 28, &at), cases[i].want) ||
            (cases[i].at && !JR_CHECK_EQ(at, cases[i].at)))
            fprintf(stderr, "case %zu\n", i);
    }
    cfg.accept_sourceroute = true;
    const uint8_t used_up[28] = {[20] = 131, 7, 8, 10, 0, 0, 1, 0}, half[28] = {[20] = 131, 7, 4, 10, 0, 0, 1, 0};
    JR_CHECK_EQ(jr_ip_opts_check(&cfg, used_up, 28, &at), JR_WIRE_OK);
    JR_CHECK_EQ(jr_ip_opts_check(&cfg, half, 28, &at), JR_C_IP_SOURCE_ROUTE);
}

/* rfc: 1122 3.2.2.5 */
JR_TEST(senders_hear_of_bad_options)
{
    const uint8_t bad[4] = {0x44, 8, 4, 0}, route[8] = {131, 7, 4, 10, 0, 0, 9, 0};
    struct sent s;

    host_init(&h, NULL);
    const struct jr_icmp echo_reply = {JR_ICMP_ECHO_REPLY, 0, 1};
    rx_opts(US, &echo_reply, bad, 4, "x", 1);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.payload[0], JR_ICMP_PARAM_PROBLEM);
    JR_CHECK_EQ(s.payload[4], 21); /* the length reaches beyond the header */
    sent_free(&s);
    rx_opts(US, &echo_reply, route, 8, "x", 1);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.payload[0], JR_ICMP_UNREACH);
    JR_CHECK_EQ(s.payload[1], JR_ICMP_UNREACH_SRCFAIL);
    sent_free(&s);
    jr_ip_config(h.ip)->process_options = 2;
    rx_opts(US, &echo, (const uint8_t[4]){1, 1, 1, 1}, 4, "x", 1);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.payload[1], JR_ICMP_UNREACH_PROHIB);
    sent_free(&s);
    jr_ip_config(h.ip)->process_options = 0;
    rx_opts(US, &echo, route, 8, "x", 1);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.payload[0], JR_ICMP_ECHO_REPLY);
    JR_CHECK_EQ(s.ip.hlen, 20);
    sent_free(&s);
    host_fini(&h);
}

/* rfc: 1122 3.2.2.6; 1122 3.2.1.8 */
JR_TEST(an_echo_brings_the_route_and_the_time_back)
{
    const uint8_t opts[24] = {7, 11, 8, 1, 2, 3, 4, 0, 0, 0, 0, 1, 0x44, 12, 5, 1};
    struct sent s;

    host_init(&h, NULL);
    rx_opts(US, &echo, opts, sizeof opts, "data", 4);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.ip.hlen, 20 + 24);
    JR_CHECK_EQ(s.payload[0], JR_ICMP_ECHO_REPLY);
    JR_CHECK_MEM(s.payload + 8, "data", 4);
    const uint8_t *o = s.payload - 24;
    JR_CHECK_EQ(o[2], 12);
    JR_CHECK_MEM(o + 3, "\1\2\3\4\12\0\0\1", 8);
    JR_CHECK_EQ(o[11], 0x44); /* the no-operation between them is gone */
    JR_CHECK_EQ(o[13], 13);
    JR_CHECK_MEM(o + 15, "\12\0\0\1", 4);
    JR_CHECK(jr_load_be32(o + 19) & 0x80000000u);
    sent_free(&s);
    /* no room left: the route as it is, and one more on the overflow count */
    const uint8_t full[16] = {7, 7, 8, 1, 2, 3, 4, 1, 0x44, 8, 9, 0, 1, 2, 3, 4};
    rx_opts(US, &echo, full, sizeof full, NULL, 0);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.ip.hlen, 20 + 16);
    JR_CHECK_MEM(s.payload - 16, full, 7);
    JR_CHECK_EQ(s.payload[-16 + 7 + 3], 0x10);
    sent_free(&s);
    host_fini(&h);
}

/* rfc: 1122 3.2.2.8; 1122 3.2.2.9 */
JR_TEST(timestamps_and_masks)
{
    const struct jr_icmp stamp = {JR_ICMP_TSTAMP, 0, 7}, mask = {JR_ICMP_MASKREQ, 0, 8};
    const uint8_t body[12] = {1, 2, 3, 4};
    struct sent s;

    host_init(&h, NULL);
    rx_opts(US, &stamp, NULL, 0, body, sizeof body);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.payload[0], JR_ICMP_TSTAMP_REPLY);
    JR_CHECK_EQ(s.len, 20);
    JR_CHECK_MEM(s.payload + 8, body, 4);
    JR_CHECK(s.payload[12] & 0x80); /* not since midnight */
    JR_CHECK_MEM(s.payload + 12, s.payload + 16, 4);
    sent_free(&s);
    rx_opts(US, &mask, NULL, 0, body, 4);
    JR_CHECK_EQ(host_discard(&h), 0);
    jr_ip_config(h.ip)->icmp_maskrepl = true;
    rx_opts(US, &mask, NULL, 0, body, 4);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(jr_load_be32(s.payload + 8), 0xffffff00);
    sent_free(&s);
    jr_ip_config(h.ip)->icmp_tstamprepl = false;
    rx_opts(US, &stamp, NULL, 0, body, sizeof body);
    rx_opts(SUBNET_BCAST, &echo, NULL, 0, body, 4);
    JR_CHECK_EQ(host_discard(&h), 0);
    jr_ip_config(h.ip)->icmp_bmcastecho = true;
    rx_opts(SUBNET_BCAST, &echo, NULL, 0, body, 4);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK(jr_addr_eq(s.ip.src, US) && jr_addr_eq(s.ip.dst, PEER));
    sent_free(&s);
    host_fini(&h);
}

/* rfc: 1812 4.3.2.3 */
JR_TEST(errors_quote_as_much_as_they_may)
{
    static const uint8_t data[600];
    struct sent s;

    host_init(&h, NULL);
    frame_udp(&f, PEER, 1, US, 2, data, sizeof data);
    host_rx(&h, f.b, f.len);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.len, 576 - 20);
    sent_free(&s);
    jr_ip_config(h.ip)->icmp_quotelen = 8;
    host_rx(&h, f.b, f.len);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.len, 8 + 20 + 8);
    sent_free(&s);
    host_fini(&h);
}

static void redirect(struct jr_addr by, struct jr_addr gw)
{
    const struct jr_icmp icmp = {JR_ICMP_REDIRECT, 1, jr_be32(jr_addr_to_v4(gw))};
    uint8_t quote[64];
    const uint32_t n = quote_udp(quote, US, 1000, FAR, 53);

    frame_icmp(&f, by, US, &icmp, quote, n);
    host_rx(&h, f.b, f.len);
}

/* rfc: 1122 3.2.2.2 */
JR_TEST(redirects_are_followed_only_where_wanted)
{
    struct jr_ip_route rt;

    host_init(&h, NULL);
    redirect(ROUTER, PEER);
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && jr_addr_eq(rt.next_hop, ROUTER));
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_REDIRECT), 1);
    jr_ip_config(h.ip)->drop_redirect = false;
    redirect(PEER, PEER);                /* not by the router in use */
    redirect(ROUTER, US);                /* to ourselves */
    redirect(ROUTER, IP4(192, 0, 2, 7)); /* to no neighbour */
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && jr_addr_eq(rt.next_hop, ROUTER));
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_REDIRECT_BAD), 3);
    redirect(ROUTER, PEER);
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && jr_addr_eq(rt.next_hop, PEER));
    JR_CHECK(jr_ip_route(h.ip, IP4(192, 0, 2, 2), &rt) && jr_addr_eq(rt.next_hop, ROUTER)); /* for one host */
    h.now += 601 * JR_SEC;
    jr_ip_tick(h.ip, h.now);
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && jr_addr_eq(rt.next_hop, ROUTER));
    host_fini(&h);
}

static uint16_t id_sent(bool df)
{
    const struct jr_ip_tx tx = {.src = US, .dst = PEER, .proto = 99, .df = df};
    struct sent s;
    uint16_t id = 0;

    JR_CHECK_EQ(jr_ip_output_gather(h.ip, &tx, NULL, "x", 1, NULL, 0, NULL, 0, h.now), 0);
    host_flush(&h);
    if (host_sent_ipv4(&h, &s))
        id = s.ip.id;
    sent_free(&s);
    return id;
}

/* rfc: 6864 4 */
JR_TEST(ids)
{
    host_init(&h, NULL);
    JR_CHECK_EQ(id_sent(true), 0);
    const uint16_t a = id_sent(false);
    JR_CHECK_EQ((uint16_t)(id_sent(false) - a), 1);
    jr_ip_config(h.ip)->rfc6864 = false;
    JR_CHECK(id_sent(true) | id_sent(true));
    jr_ip_config(h.ip)->random_id = true;
    const uint16_t b = id_sent(false), c = id_sent(false), d = id_sent(false);
    JR_CHECK((uint16_t)(c - b) != 1 || (uint16_t)(d - c) != 1);
    host_fini(&h);
}

JR_TEST_MAIN
