/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each header: what is built parses to the same values, and every view that is cut short is refused. The bytes
 * are copied to a block of exactly their size, so that a sanitizer sees one byte read too many.
 */
#include <stdlib.h>

#include "base/byteorder.h"
#include "base/test.h"
#include "wire/arp.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/udp_wire.h"

static const struct jr_ether_addr mac_a = {{2, 0, 0, 0, 0, 0xa}}, mac_b = {{2, 0, 0, 0, 0, 0xb}};

static struct jr_addr ip4(uint32_t host) { return jr_addr_v4(jr_be32(host)); }

/* The first n bytes of p alone in the heap; free() it. */
static uint8_t *cut(const uint8_t *p, uint32_t n)
{
    uint8_t *q = malloc(n ? n : 1);
    if (!q)
        abort();
    memcpy(q, p, n);
    return q;
}

JR_TEST(ether)
{
    uint8_t b[18];
    struct jr_ether e;
    jr_ether_build(b, mac_a, mac_b, JR_ETHERTYPE_ARP);
    JR_CHECK_EQ(jr_ether_parse(b, 14, &e), JR_WIRE_OK);
    JR_CHECK(jr_ether_eq(e.dst, mac_a) && jr_ether_eq(e.src, mac_b));
    JR_CHECK_EQ(e.type, JR_ETHERTYPE_ARP);
    JR_CHECK_EQ(e.hlen, 14);
    for (uint32_t n = 0; n < 14; n++) {
        uint8_t *q = cut(b, n);
        JR_CHECK_EQ(jr_ether_parse(q, n, &e), JR_C_ETHER_SHORT);
        free(q);
    }
    jr_store_be16(b + 12, JR_ETHERTYPE_VLAN);
    jr_store_be16(b + 14, 0xe000);
    jr_store_be16(b + 16, JR_ETHERTYPE_IPV4);
    JR_CHECK_EQ(jr_ether_parse(b, 18, &e), JR_WIRE_OK);
    JR_CHECK(e.hlen == 18 && e.type == JR_ETHERTYPE_IPV4);
    for (uint32_t n = 14; n < 18; n++) {
        uint8_t *q = cut(b, n);
        JR_CHECK_EQ(jr_ether_parse(q, n, &e), JR_C_ETHER_SHORT);
        free(q);
    }
    b[15] = 5;
    JR_CHECK(jr_ether_parse(b, 18, &e) == JR_WIRE_OK && e.vid != 0 && e.hlen == 18);
    jr_ether_build(b, mac_a, jr_ether_broadcast(), JR_ETHERTYPE_ARP);
    JR_CHECK_EQ(jr_ether_parse(b, 14, &e), JR_C_ETHER_BAD_SRC);
    JR_CHECK_MEM(jr_ether_multicast(ip4(0xe0818203)).b, ((uint8_t[]){1, 0, 0x5e, 1, 0x82, 3}), 6);
}

JR_TEST(arp)
{
    const struct jr_arp in = {JR_ARP_REPLY, mac_a, mac_b, ip4(0x0a000001), ip4(0x0a000002)};
    struct jr_arp out;
    uint8_t b[JR_ARP_LEN];
    jr_arp_build(b, &in);
    JR_CHECK_MEM(
        b, ((uint8_t[]){0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0xa, 10, 0, 0, 1, 2, 0, 0, 0, 0, 0xb, 10, 0, 0, 2}), 28);
    JR_CHECK_EQ(jr_arp_parse(b, sizeof b, &out), JR_WIRE_OK);
    JR_CHECK(out.op == in.op && jr_ether_eq(out.sha, in.sha) && jr_ether_eq(out.tha, in.tha));
    JR_CHECK(jr_addr_eq(out.spa, in.spa) && jr_addr_eq(out.tpa, in.tpa));
    for (uint32_t n = 0; n < sizeof b; n++) {
        uint8_t *q = cut(b, n);
        JR_CHECK_EQ(jr_arp_parse(q, n, &out), JR_C_ARP_SHORT);
        free(q);
    }
    for (uint32_t i = 0; i < 8; i++) {
        b[i] ^= 0x40;
        JR_CHECK_EQ(jr_arp_parse(b, sizeof b, &out), JR_C_ARP_BAD);
        b[i] ^= 0x40;
    }
}

JR_TEST(ipv4)
{
    const struct jr_ipv4 in = {.src = ip4(0x0a000001),
                               .dst = ip4(0xc0a80102),
                               .total_len = 40,
                               .id = 0x1234,
                               .frag_off = 1480,
                               .tos = 0x10,
                               .ttl = 64,
                               .proto = 17,
                               .mf = true};
    struct jr_ipv4 out;
    uint8_t b[40] = {0};
    jr_ipv4_build(b, &in, true);
    JR_CHECK_EQ(jr_ipv4_parse(b, sizeof b, &out), JR_WIRE_OK);
    JR_CHECK(jr_ipv4_cksum_ok(b, out.hlen));
    JR_CHECK(jr_addr_eq(out.src, in.src) && jr_addr_eq(out.dst, in.dst));
    JR_CHECK(out.total_len == 40 && out.id == 0x1234 && out.frag_off == 1480 && out.mf && !out.df);
    JR_CHECK(out.hlen == 20 && out.tos == 0x10 && out.ttl == 64 && out.proto == 17);
    for (uint32_t n = 0; n < sizeof b; n++) {
        uint8_t *q = cut(b, n);
        JR_CHECK_EQ(jr_ipv4_parse(q, n, &out), n < 20 ? JR_C_IP_SHORT : JR_C_IP_BAD_LEN);
        JR_CHECK_EQ(jr_ipv4_parse_quote(q, n, &out), n < 20 ? JR_C_IP_SHORT : JR_WIRE_OK);
        free(q);
    }
    b[0] = 0x65;
    JR_CHECK_EQ(jr_ipv4_parse(b, sizeof b, &out), JR_C_IP_BAD_VERSION);
    b[0] = 0x44;
    JR_CHECK_EQ(jr_ipv4_parse(b, sizeof b, &out), JR_C_IP_BAD_HLEN);
    b[0] = 0x4b;
    JR_CHECK_EQ(jr_ipv4_parse(b, sizeof b, &out), JR_C_IP_SHORT);
    b[0] = 0x46;
    jr_store_be16(b + 2, 23);
    JR_CHECK_EQ(jr_ipv4_parse(b, sizeof b, &out), JR_C_IP_BAD_LEN);
    jr_ipv4_build(b, &in, false);
    JR_CHECK(!jr_ipv4_cksum_ok(b, 20));
}

JR_TEST(ipv4_classes)
{
    JR_CHECK(jr_ipv4_is_host(ip4(0x0a000001)) && jr_ipv4_is_host(ip4(0xf0000001)));
    JR_CHECK(!jr_ipv4_is_host(ip4(0)) && !jr_ipv4_is_host(ip4(0x7f000001)) && !jr_ipv4_is_host(ip4(0xe0000001)));
    JR_CHECK(!jr_ipv4_is_host(ip4(0xffffffff)) && !jr_ipv4_is_host(ip4(0x00010203)));
    JR_CHECK(jr_ipv4_is_multicast(ip4(0xefffffff)) && !jr_ipv4_is_multicast(ip4(0xdfffffff)));
}

JR_TEST(icmp)
{
    const struct jr_icmp in = {JR_ICMP_ECHO, 0, 0x12345678};
    struct jr_icmp out;
    uint8_t b[13] = {[8] = 'h', 'e', 'l', 'l', 'o'};
    jr_icmp_build(b, sizeof b, &in);
    JR_CHECK_EQ(jr_icmp_parse(b, sizeof b, &out), JR_WIRE_OK);
    JR_CHECK(out.type == in.type && out.code == 0 && out.rest == in.rest);
    for (uint32_t n = 0; n < sizeof b; n++) {
        uint8_t *q = cut(b, n);
        JR_CHECK_EQ(jr_icmp_parse(q, n, &out), n < 8 ? JR_C_ICMP_SHORT : JR_C_ICMP_BAD_CKSUM);
        free(q);
    }
    for (uint32_t bit = 0; bit < 8 * sizeof b; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        JR_CHECK_EQ(jr_icmp_parse(b, sizeof b, &out), JR_C_ICMP_BAD_CKSUM);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    JR_CHECK(jr_icmp_is_error(3) && jr_icmp_is_error(11) && !jr_icmp_is_error(8) && !jr_icmp_is_error(0));
}

JR_TEST(udp)
{
    const struct jr_addr s = ip4(0x0a000001), d = ip4(0x0a000002);
    struct jr_udp_hdr h;
    uint8_t b[13] = {[8] = 'h', 'e', 'l', 'l', 'o'};
    jr_udp_build(b, 1234, 53, 5, jr_cksum_partial(b + 8, 5, 0), s, d);
    JR_CHECK_EQ(jr_udp_parse(b, sizeof b, &h), JR_WIRE_OK);
    JR_CHECK(h.sport == 1234 && h.dport == 53 && h.len == 13 && h.has_cksum);
    JR_CHECK(jr_udp_cksum_ok(b, &h, s, d));
    JR_CHECK(!jr_udp_cksum_ok(b, &h, s, ip4(0x0a000003)));
    for (uint32_t n = 0; n < sizeof b; n++) {
        uint8_t *q = cut(b, n);
        JR_CHECK_EQ(jr_udp_parse(q, n, &h), n < 8 ? JR_C_UDP_SHORT : JR_C_UDP_BAD_LEN);
        free(q);
    }
    jr_store_be16(b + 4, 7);
    JR_CHECK_EQ(jr_udp_parse(b, sizeof b, &h), JR_C_UDP_BAD_LEN);
    jr_store_be16(b + 4, 8);
    jr_store_be16(b + 6, 0);
    JR_CHECK_EQ(jr_udp_parse(b, sizeof b, &h), JR_WIRE_OK);
    JR_CHECK(!h.has_cksum && jr_udp_cksum_ok(b, &h, s, d));
    jr_store_be16(b + 2, 0);
    JR_CHECK_EQ(jr_udp_parse(b, sizeof b, &h), JR_C_UDP_PORT_ZERO);
}

/* A sum of 0xffff would give 0, which means "no checksum"; RFC 768 sends all ones instead. */
JR_TEST(udp_checksum_is_never_zero)
{
    const struct jr_addr s = ip4(0x0a000001), d = ip4(0x0a000002);
    uint8_t b[10] = {0};
    jr_udp_build(b, 1, 2, 2, 0, s, d);
    jr_store_raw16(b + 8, jr_load_raw16(b + 6)); /* data that completes the sum to 0xffff */
    jr_udp_build(b, 1, 2, 2, jr_cksum_partial(b + 8, 2, 0), s, d);
    JR_CHECK_EQ(jr_load_be16(b + 6), 0xffff);
    struct jr_udp_hdr h;
    JR_CHECK_EQ(jr_udp_parse(b, sizeof b, &h), JR_WIRE_OK);
    JR_CHECK(jr_udp_cksum_ok(b, &h, s, d));
}

JR_TEST_MAIN
