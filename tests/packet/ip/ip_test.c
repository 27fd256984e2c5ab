/* SPDX-License-Identifier: BSD-3-Clause */
/* Where packets go, what is taken in, and what leaves in pieces. */
#include <errno.h>

#include "host.h"

enum { PROTO = 253 }; /* for experiments (RFC 3692) */

static struct host h;
static struct frame f;

static struct {
    unsigned calls;
    struct jr_ip_rx rx;
    uint32_t len;
    uint8_t data[66000];
} got;

static void on_input(void *ctx, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    (void)ctx, (void)now;
    got.calls++;
    got.rx = *rx;
    got.len = pkt->len;
    memcpy(got.data, jr_pkt_data(pkt), pkt->len);
    JR_CHECK_EQ(pkt->l4_off, pkt->off);
    JR_CHECK_EQ(pkt->buf[pkt->l3_off] >> 4, 4);
    jr_pkt_free(pkt);
}

static void init(const struct jr_ip_config *cfg, uint32_t mtu, uint32_t caps)
{
    const struct jr_ip_proto proto = {.input = on_input};
    host_init_mtu(&h, cfg, mtu, caps);
    jr_ip_set_proto(h.ip, PROTO, &proto);
    memset(&got, 0, sizeof got);
}

static void rx(struct jr_addr src, struct jr_addr dst)
{
    const struct jr_ipv4 ip = {.src = src, .dst = dst, .proto = PROTO, .tos = 0x12, .ttl = 9};
    frame_ipv4(&f, &ip, "hello", 5);
    host_rx(&h, f.b, f.len);
}

static int tx(struct jr_addr dst, uint32_t len, bool df)
{
    struct jr_ip_route rt;
    const struct jr_ip_tx t = {.src = US, .dst = dst, .proto = PROTO, .df = df};
    struct jr_heap_pool *pool = &h.dev.pool;
    struct jr_pkt *pkt = jr_heap_pkt_new(pool, len);
    uint8_t *p = jr_pkt_put(pkt, len);
    for (uint32_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * 7 + i / 256);
    const int err = jr_ip_output(h.ip, pkt, &t, jr_ip_route(h.ip, dst, &rt) ? &rt : NULL, h.now);
    host_flush(&h);
    return err;
}

JR_TEST(delivers_with_padding_cut_off)
{
    init(NULL, 1500, 0);
    const struct jr_ipv4 ip = {.src = PEER, .dst = US, .proto = PROTO, .tos = 0x12, .ttl = 9, .total_len = 25};
    frame_ipv4(&f, &ip, "hello, and padding behind it", 28);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(got.calls, 1);
    JR_CHECK_EQ(got.len, 5);
    JR_CHECK_MEM(got.data, "hello", 5);
    JR_CHECK(jr_addr_eq(got.rx.src, PEER) && jr_addr_eq(got.rx.dst, US) && got.rx.ifp == h.ifp);
    JR_CHECK(got.rx.proto == PROTO && got.rx.tos == 0x12 && got.rx.ttl == 9 && !got.rx.broadcast);
    host_fini(&h);
}

/* rfc: 1122 3.2.1.3 */
JR_TEST(takes_what_is_for_us)
{
    static const struct {
        uint32_t src, dst;
        int want; /* a counter, or -1: delivered, -2: delivered as broadcast */
    } cases[] = {
        {0x0a000002, 0x0a000001, -1},
        {0xc0000201, 0x0a000001, -1},
        {0xf0000001, 0x0a000001, -1},
        {0x0a000002, 0x0a0000ff, -2},
        {0x0a000002, 0xffffffff, -2},
        {0x00000000, 0xffffffff, -2},
        {0x00000000, 0x0a000001, JR_C_IP_BAD_SRC},
        {0x0a000001, 0x0a000001, JR_C_IP_BAD_SRC},
        {0x7f000001, 0x0a000001, JR_C_IP_BAD_SRC},
        {0x0a0000ff, 0x0a000001, JR_C_IP_BAD_SRC},
        {0xffffffff, 0x0a000001, JR_C_IP_BAD_SRC},
        {0xe0000001, 0x0a000001, JR_C_IP_BAD_SRC},
        {0x00000001, 0xffffffff, JR_C_IP_BAD_SRC},
        {0x0a000002, 0x0a000003, JR_C_IP_NOT_FOR_US},
        {0x0a000002, 0xc0000201, JR_C_IP_NOT_FOR_US},
        {0x0a000002, 0x0a0001ff, JR_C_IP_NOT_FOR_US},
        {0x0a000002, 0xe0000005, JR_C_IP_MULTICAST},
        {0x0a000002, 0x7f000001, JR_C_IP_BAD_DST},
        {0x0a000002, 0x00000000, JR_C_IP_BAD_DST},
    };
    init(NULL, 1500, 0);
    for (size_t i = 0; i < JR_ARRAY_LEN(cases); i++) {
        host_mark(&h);
        got.calls = 0;
        rx(jr_addr_v4(jr_be32(cases[i].src)), jr_addr_v4(jr_be32(cases[i].dst)));
        bool ok = JR_CHECK_EQ(got.calls, cases[i].want < 0);
        if (cases[i].want < 0)
            ok &= JR_CHECK_EQ(got.rx.broadcast, cases[i].want == -2);
        else
            ok &= JR_CHECK_EQ(host_counted(&h, (enum jr_counter)cases[i].want), 1);
        if (!ok)
            fprintf(stderr, "case %zu\n", i);
    }
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

/* rfc: 1122 3.3.6 */
JR_TEST(frames_for_others_and_link_broadcasts_of_unicast_are_dropped)
{
    init(NULL, 1500, 0);
    const struct jr_ipv4 ip = {.src = PEER, .dst = US, .proto = PROTO};
    frame_ipv4(&f, &ip, "hello", 5);
    jr_ether_build(f.b, MAC_PEER, MAC_ROUTER, JR_ETHERTYPE_IPV4);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_ETHER_NOT_FOR_US), 1);
    jr_ether_build(f.b, jr_ether_broadcast(), MAC_ROUTER, JR_ETHERTYPE_IPV4);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_BAD_DST), 1);
    jr_ether_build(f.b, MAC_US, MAC_ROUTER, 0x88cc);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_ETHER_UNKNOWN_TYPE), 1);
    JR_CHECK_EQ(got.calls, 0);
    host_fini(&h);
}

JR_TEST(device_may_vouch_for_checksums)
{
    init(NULL, 1500, 0);
    const struct jr_ipv4 ip = {.src = PEER, .dst = US, .proto = PROTO};
    frame_ipv4(&f, &ip, "hello", 5);
    f.b[24] ^= 1;
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_BAD_CKSUM), 1);
    struct jr_pkt *pkt = fake_dev_frame(&h.dev, f.b, f.len);
    pkt->flags = JR_PKT_RX_IP_CSUM_OK;
    jr_ip_input(h.ifp, pkt, h.now);
    JR_CHECK_EQ(got.calls, 1);
    host_fini(&h);
}

static struct jr_ip_hint hints[8];
static unsigned n_hints, seen_before;

static void on_hints(void *ctx, const struct jr_ip_hint *h_, unsigned n)
{
    (void)ctx;
    n_hints = n;
    seen_before = got.calls;
    memcpy(hints, h_, n * sizeof *h_);
}

static struct jr_pkt *tcp_frame(struct jr_addr src, uint16_t sport)
{
    const struct jr_ipv4 ip = {.src = src, .dst = US, .proto = 6};
    uint8_t th[20] = {(uint8_t)(sport >> 8), (uint8_t)sport, 0, 80};
    frame_ipv4(&f, &ip, th, sizeof th);
    return fake_dev_frame(&h.dev, f.b, f.len);
}

JR_TEST(a_burst_is_foretold_before_it_is_read)
{
    init(NULL, 1500, 0);
    const struct jr_ip_proto tcp = {.prefetch = on_hints, .input = on_input};
    jr_ip_set_proto(h.ip, 6, &tcp);
    struct jr_pkt *burst[5] = {tcp_frame(PEER, 1000), tcp_frame(FAR, 2000)};
    frame_udp(&f, PEER, 1, US, 2, "x", 1);
    burst[2] = fake_dev_frame(&h.dev, f.b, f.len);
    burst[3] = fake_dev_frame(&h.dev, f.b, 20); /* cut short */
    burst[4] = tcp_frame(PEER, 3000);
    jr_ip_input_burst(h.ip, h.ifp, burst, 5, h.now);
    JR_CHECK_EQ(n_hints, 3);
    JR_CHECK_EQ(seen_before, 0);
    JR_CHECK_EQ(got.calls, 3);
    JR_CHECK(jr_addr_eq(hints[1].src, FAR) && jr_addr_eq(hints[1].dst, US));
    JR_CHECK(hints[0].sport == 1000 && hints[1].sport == 2000 && hints[2].sport == 3000 && hints[2].dport == 80);
    n_hints = 0;
    burst[0] = tcp_frame(PEER, 1000);
    jr_ip_input_burst(h.ip, h.ifp, burst, 1, h.now); /* one alone gains nothing */
    JR_CHECK_EQ(n_hints, 0);
    JR_CHECK_EQ(got.calls, 4);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 1122 3.3.1.1 */
JR_TEST(routes_say_where_and_as_whom)
{
    struct jr_ip_route rt;
    init(NULL, 1500, JR_DEV_TX_L4_CSUM | JR_DEV_TX_TSO);
    JR_REQUIRE(jr_ip_route(h.ip, PEER, &rt));
    JR_CHECK(jr_addr_eq(rt.next_hop, PEER) && jr_addr_eq(rt.src, US) && rt.mtu == 1500 && !rt.local && !rt.broadcast);
    JR_CHECK_EQ(rt.tx_offloads, JR_PKT_TX_L4_CSUM | JR_PKT_TX_TSO);
    JR_REQUIRE(jr_ip_route(h.ip, FAR, &rt));
    JR_CHECK(jr_addr_eq(rt.next_hop, ROUTER) && jr_addr_eq(rt.src, US));
    JR_REQUIRE(jr_ip_route(h.ip, US, &rt));
    JR_CHECK(rt.local);
    JR_REQUIRE(jr_ip_route(h.ip, SUBNET_BCAST, &rt));
    JR_CHECK(rt.broadcast);
    JR_REQUIRE(jr_ip_route(h.ip, IP4(255, 255, 255, 255), &rt));
    JR_CHECK(rt.broadcast && jr_addr_eq(rt.src, US));
    JR_CHECK(!jr_ip_route(h.ip, IP4(127, 0, 0, 1), &rt));
    JR_CHECK(!jr_ip_route(h.ip, ANY, &rt));

    /* a second address of another subnet, a route with a preferred source, one that says no */
    JR_CHECK_EQ(jr_ip_addr_add(h.ip, h.ifp, IP4(10, 9, 0, 1), 16, IP4(10, 9, 255, 255), true, h.now), 0);
    JR_REQUIRE(jr_ip_route(h.ip, IP4(10, 9, 3, 3), &rt));
    JR_CHECK(jr_addr_eq(rt.src, IP4(10, 9, 0, 1)));
    const struct jr_addr src = IP4(10, 9, 0, 1);
    const struct jr_ip_route_conf r = {.dst = FAR, .plen = 24, .ifp = h.ifp, .gw = ROUTER, .src = src, .mtu = 1400};
    const uint32_t before = jr_ip_generation(h.ip);
    JR_CHECK_EQ(jr_ip_route_add(h.ip, &r), 0);
    JR_CHECK(jr_ip_generation(h.ip) != before);
    JR_REQUIRE(jr_ip_route(h.ip, FAR, &rt));
    JR_CHECK(jr_addr_eq(rt.src, IP4(10, 9, 0, 1)) && rt.mtu == 1400);
    struct jr_ip_route_conf no = {.dst = IP4(198, 51, 100, 0), .plen = 24, .gw = ANY, .src = ANY};
    JR_CHECK_EQ(jr_ip_route_add(h.ip, &no), 0);
    JR_CHECK(!jr_ip_route(h.ip, IP4(198, 51, 100, 9), &rt));

    /* the address goes, and with it its subnet and the route that preferred it */
    JR_CHECK_EQ(jr_ip_addr_del(h.ip, h.ifp, IP4(10, 9, 0, 1)), 0);
    JR_CHECK_EQ(jr_ip_addr_del(h.ip, h.ifp, IP4(10, 9, 0, 1)), -EADDRNOTAVAIL);
    JR_REQUIRE(jr_ip_route(h.ip, FAR, &rt));
    JR_CHECK(jr_addr_eq(rt.src, US) && rt.mtu == 1500);
    JR_REQUIRE(jr_ip_route(h.ip, IP4(10, 9, 3, 3), &rt));
    JR_CHECK(jr_addr_eq(rt.next_hop, ROUTER));
    JR_CHECK(!jr_ip_is_local(h.ip, IP4(10, 9, 0, 1)) && jr_ip_is_local(h.ip, US));
    host_fini(&h);
}

JR_TEST(two_addresses_of_one_subnet_share_its_route)
{
    struct jr_ip_route rt;
    init(NULL, 1500, 0);
    JR_CHECK_EQ(jr_ip_addr_add(h.ip, h.ifp, IP4(10, 0, 0, 9), 24, SUBNET_BCAST, true, h.now), 0);
    JR_CHECK_EQ(jr_ip_addr_del(h.ip, h.ifp, US), 0);
    JR_REQUIRE(jr_ip_route(h.ip, PEER, &rt));
    JR_CHECK(jr_addr_eq(rt.next_hop, PEER) && jr_addr_eq(rt.src, IP4(10, 0, 0, 9)));
    JR_CHECK_EQ(jr_ip_addr_del(h.ip, h.ifp, IP4(10, 0, 0, 9)), 0);
    JR_REQUIRE(jr_ip_route(h.ip, PEER, &rt));
    JR_CHECK(jr_addr_eq(rt.next_hop, ROUTER));
    host_fini(&h);
}

JR_TEST(sends_with_a_sound_header)
{
    struct sent s;
    init(NULL, 1500, 0);
    JR_CHECK_EQ(tx(FAR, 100, true), 0);
    if (host_sent_ipv4(&h, &s)) {
        JR_CHECK(jr_ether_eq(s.eth.dst, MAC_ROUTER));
        JR_CHECK(jr_addr_eq(s.ip.src, US) && jr_addr_eq(s.ip.dst, FAR) && s.ip.proto == PROTO);
        JR_CHECK(s.ip.ttl == 64 && s.ip.df && !s.ip.mf && s.len == 100);
    }
    sent_free(&s);
    JR_CHECK_EQ(tx(SUBNET_BCAST, 10, false), 0);
    if (host_sent_ipv4(&h, &s))
        JR_CHECK(jr_ether_eq(s.eth.dst, jr_ether_broadcast()));
    sent_free(&s);
    JR_CHECK_EQ(tx(IP4(224, 0, 0, 251), 10, false), 0);
    if (host_sent_ipv4(&h, &s))
        JR_CHECK_MEM(s.eth.dst.b, ((uint8_t[]){1, 0, 0x5e, 0, 0, 0xfb}), 6);
    sent_free(&s);
    JR_CHECK_EQ(tx(US, 10, false), -ENETUNREACH);
    JR_CHECK_EQ(tx(IP4(127, 0, 0, 1), 10, false), -ENETUNREACH);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_NO_ROUTE), 2);
    host_fini(&h);
}

JR_TEST(header_checksum_is_left_to_a_device_that_offers_it)
{
    struct sent s;
    init(NULL, 1500, JR_DEV_TX_IP_CSUM);
    JR_CHECK_EQ(tx(FAR, 100, true), 0);
    if (host_sent_ipv4(&h, &s)) {
        JR_CHECK(s.pkt->flags & JR_PKT_TX_IP_CSUM);
        JR_CHECK_EQ(jr_load_be16(jr_pkt_data(s.pkt) + 24), 0);
    }
    sent_free(&s);
    host_fini(&h);
}

/* Collects fragments; returns how many, and the payload in got. */
static unsigned collect(uint32_t mtu)
{
    unsigned n = 0;
    uint16_t id = 0;
    got.len = 0;
    while (h.dev.sent.count) {
        struct sent s;
        if (!host_sent_ipv4(&h, &s)) {
            sent_free(&s);
            return 0;
        }
        JR_CHECK(s.ip.total_len <= mtu);
        JR_CHECK_EQ(s.ip.frag_off, got.len);
        JR_CHECK_EQ(s.ip.mf, h.dev.sent.count != 0);
        JR_CHECK(!s.ip.mf || s.len % 8 == 0);
        JR_CHECK(n == 0 || s.ip.id == id);
        id = s.ip.id;
        memcpy(got.data + got.len, s.payload, s.len);
        got.len += s.len;
        n++;
        sent_free(&s);
    }
    return n;
}

/* rfc: 791 3.2; 1191 3 */
JR_TEST(fragments_what_is_too_long_unless_forbidden)
{
    init(NULL, 1500, 0);
    JR_CHECK_EQ(tx(PEER, 1480, false), 0);
    JR_CHECK_EQ(collect(1500), 1);
    static const uint32_t lens[] = {1481, 2960, 2961, 9000, 65515};
    for (size_t i = 0; i < JR_ARRAY_LEN(lens); i++) {
        JR_CHECK_EQ(tx(PEER, lens[i], false), 0);
        JR_CHECK_EQ(collect(1500), (lens[i] + 1479) / 1480);
        JR_CHECK_EQ(got.len, lens[i]);
        for (uint32_t b = 0; b < got.len; b++) {
            if (!JR_CHECK_EQ(got.data[b], (uint8_t)(b * 7 + b / 256)))
                break;
        }
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TX), JR_ARRAY_LEN(lens));
    JR_CHECK_EQ(tx(PEER, 65516, false), -EMSGSIZE);
    JR_CHECK_EQ(tx(PEER, 1481, true), -EMSGSIZE);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_TX_TOO_BIG), 2);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

/* rfc: 6864 4 */
JR_TEST(fragments_have_different_ids)
{
    init(NULL, 1500, 0);
    uint16_t ids[2];
    for (int i = 0; i < 2; i++) {
        struct sent s;
        JR_CHECK_EQ(tx(PEER, 10, false), 0);
        ids[i] = host_sent_ipv4(&h, &s) ? s.ip.id : 0;
        sent_free(&s);
    }
    JR_CHECK(ids[0] != ids[1]);
    host_fini(&h);
}

JR_TEST(no_memory_for_fragments)
{
    init(NULL, 1500, 0);
    h.dev.pool.limit = h.dev.pool.pool.in_use + 2; /* the payload itself, one fragment, then none */
    JR_CHECK_EQ(tx(PEER, 4000, false), -ENOBUFS);
    JR_CHECK_EQ(host_counted(&h, JR_C_BASE_NOBUF), 1);
    JR_CHECK_EQ(host_discard(&h), 1);
    host_fini(&h);
}

JR_TEST(an_empty_pool_sends_what_waits)
{
    init(NULL, 1500, 0);
    const unsigned bursts = h.dev.bursts;
    h.dev.pool.limit = 0;
    h.dev.pool.fail_in = 3; /* when one fragment waits to be sent */
    JR_CHECK_EQ(tx(PEER, 4000, false), 0);
    JR_CHECK_EQ(h.dev.bursts, bursts + 2); /* then, and at the end of the turn */
    JR_CHECK_EQ(host_counted(&h, JR_C_BASE_NOBUF), 0);
    JR_CHECK_EQ(host_discard(&h), 3);
    host_fini(&h);
}

/* rfc: 1191 3; 1191 6.3 */
JR_TEST(path_mtu)
{
    struct jr_ip_route rt;
    init(NULL, 1500, 0);
    JR_CHECK_EQ(jr_ip_pmtu_update(h.ip, FAR, 1400, h.now), 1400);
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && rt.mtu == 1400);
    JR_CHECK(jr_ip_route(h.ip, PEER, &rt) && rt.mtu == 1500);
    JR_CHECK_EQ(tx(FAR, 1381, true), -EMSGSIZE);
    JR_CHECK_EQ(jr_ip_pmtu_update(h.ip, FAR, 1450, h.now), 1400); /* never up */
    JR_CHECK_EQ(jr_ip_pmtu_update(h.ip, FAR, 20, h.now), 1400);
    JR_CHECK_EQ(host_counted(&h, JR_C_PMTU_IGNORED), 2);
    JR_CHECK_EQ(jr_ip_pmtu_update(h.ip, FAR, 0, h.now), 1006); /* a router that tells none */
    JR_CHECK_EQ(jr_ip_pmtu_update(h.ip, FAR, 300, h.now), 552);
    JR_CHECK_EQ(tx(FAR, 1000, true), 0); /* DF is not insisted on below that */
    JR_CHECK_EQ(collect(552), 2);
    h.now += 601 * JR_SEC;
    jr_ip_tick(h.ip, h.now);
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && rt.mtu == 1500);
    host_fini(&h);
}

JR_TEST(a_port_that_leaves_takes_all_with_it)
{
    struct jr_ip_route rt;
    init(NULL, 1500, 0);
    jr_ip_netif_del(h.ip, h.ifp);
    JR_CHECK(!jr_ip_is_local(h.ip, US) && !jr_ip_route(h.ip, PEER, &rt) && !jr_ip_route(h.ip, FAR, &rt));
    rx(PEER, US);
    JR_CHECK_EQ(got.calls, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_LINK_DOWN), 1);
    host_fini(&h);
}

JR_TEST_MAIN
