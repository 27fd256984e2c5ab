/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet II headers (RFC 894), with a tag (IEEE 802.1Q) or without. */
#ifndef JR_WIRE_ETHER_H
#define JR_WIRE_ETHER_H

#include "base/addr.h"
#include "wire/wire.h"

enum {
    JR_ETHER_HLEN = 14,
    JR_ETHER_TAG = 4,
    JR_ETHERTYPE_IPV4 = 0x0800,
    JR_ETHERTYPE_ARP = 0x0806,
    JR_ETHERTYPE_VLAN = 0x8100,
    JR_ETHERTYPE_IPV6 = 0x86dd,
};

struct jr_ether {
    struct jr_ether_addr dst, src;
    uint16_t type;
    uint8_t hlen; /* 14, or 18 with a tag */
    uint16_t vid; /* 0: no tag, or one that tells only a priority */
};

static inline bool jr_ether_eq(struct jr_ether_addr a, struct jr_ether_addr b) { return memcmp(a.b, b.b, 6) == 0; }
static inline bool jr_ether_is_group(struct jr_ether_addr a) { return a.b[0] & 1; }
static inline struct jr_ether_addr jr_ether_broadcast(void)
{
    return (struct jr_ether_addr){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
}
/* Where a multicast group is sent (RFC 1112 6.4). */
struct jr_ether_addr jr_ether_multicast(struct jr_addr group);

enum jr_counter jr_ether_parse(const uint8_t *p, uint32_t len, struct jr_ether *out);
/* Puts a tag of JR_ETHER_TAG bytes into the header that starts JR_ETHER_TAG bytes behind p. */
void jr_ether_tag(uint8_t *p, uint16_t vid);
/* Writes JR_ETHER_HLEN bytes. */
void jr_ether_build(uint8_t *p, struct jr_ether_addr dst, struct jr_ether_addr src, uint16_t type);

#endif
