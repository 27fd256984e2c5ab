/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP for IPv4 over Ethernet (RFC 826). */
#ifndef JR_WIRE_ARP_H
#define JR_WIRE_ARP_H

#include "base/addr.h"
#include "wire/wire.h"

enum { JR_ARP_LEN = 28, JR_ARP_REQUEST = 1, JR_ARP_REPLY = 2 };

struct jr_arp {
    uint16_t op;
    struct jr_ether_addr sha, tha; /* sender's and target's hardware address */
    struct jr_addr spa, tpa;       /* and protocol address */
};

enum jr_counter jr_arp_parse(const uint8_t *p, uint32_t len, struct jr_arp *out);
/* Writes JR_ARP_LEN bytes. */
void jr_arp_build(uint8_t *p, const struct jr_arp *arp);

#endif
