/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 headers (RFC 791) and address classes (RFC 1122 3.2.1.3). */
#ifndef JR_WIRE_IPV4_H
#define JR_WIRE_IPV4_H

#include "base/addr.h"
#include "base/byteorder.h"
#include "wire/wire.h"

enum {
    JR_IPV4_HLEN = 20,
    JR_IPV4_HLEN_MAX = 60,
    JR_IPV4_MAX = 65535,
    JR_IPPROTO_ICMP = 1,
    JR_IPPROTO_IGMP = 2,
    JR_IPPROTO_TCP = 6,
    JR_IPPROTO_UDP = 17,
};

/* Options (RFC 791 3.1, RFC 2113). */
enum {
    JR_IPV4_OPT_EOL = 0,
    JR_IPV4_OPT_NOP = 1,
    JR_IPV4_OPT_RR = 7,
    JR_IPV4_OPT_TS = 68,
    JR_IPV4_OPT_LSRR = 131,
    JR_IPV4_OPT_SSRR = 137,
    JR_IPV4_OPT_RA = 148,
    JR_IPV4_OPT_COPIED = 0x80, /* in every fragment */
};

struct jr_ipv4 {
    struct jr_addr src, dst;
    uint16_t total_len; /* header and payload */
    uint16_t id;
    uint16_t frag_off; /* bytes */
    uint8_t hlen;      /* 20 to 60 */
    uint8_t tos, ttl, proto;
    bool df, mf;
};

/* Checks everything but the checksum and the options. The packet is total_len of the len bytes; the rest is padding. */
enum jr_counter jr_ipv4_parse(const uint8_t *p, uint32_t len, struct jr_ipv4 *out);
/* The same for the packet quoted in an ICMP error, which is cut off: total_len may exceed len. */
enum jr_counter jr_ipv4_parse_quote(const uint8_t *p, uint32_t len, struct jr_ipv4 *out);
/* Whether the header's checksum is right. */
bool jr_ipv4_cksum_ok(const uint8_t *p, uint8_t hlen);
/* Writes JR_IPV4_HLEN bytes, the checksum only when asked (a device may fill it in: it is 0 then). hlen: 0 for none, or
 * of a header whose options are in place. */
void jr_ipv4_build(uint8_t *p, const struct jr_ipv4 *ip, bool cksum);

static inline bool jr_ipv4_is_multicast(struct jr_addr a) { return (a.b[12] & 0xf0) == 0xe0; }
static inline bool jr_ipv4_is_broadcast(struct jr_addr a) { return a.w[3] == 0xffffffff; }
static inline bool jr_ipv4_is_loopback(struct jr_addr a) { return a.b[12] == 127; }
/* 0/8: "this network" */
static inline bool jr_ipv4_is_zeronet(struct jr_addr a) { return a.b[12] == 0; }
/* May be a host on a wire, as far as its class tells; 240/4 is in use on some networks. */
static inline bool jr_ipv4_is_host(struct jr_addr a)
{
    return !jr_ipv4_is_multicast(a) && !jr_ipv4_is_broadcast(a) && !jr_ipv4_is_loopback(a) && !jr_ipv4_is_zeronet(a);
}

#endif
