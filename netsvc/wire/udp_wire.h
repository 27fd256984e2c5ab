/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP headers (RFC 768). */
#ifndef JR_WIRE_UDP_WIRE_H
#define JR_WIRE_UDP_WIRE_H

#include "base/addr.h"
#include "wire/wire.h"

enum { JR_UDP_HLEN = 8 };

struct jr_udp_hdr {
    uint16_t sport, dport;
    uint16_t len;   /* header and data */
    bool has_cksum; /* 0 on the wire: the sender took none */
};

/* p: the datagram as IP delivers it, len bytes. Checks everything but the checksum. */
enum jr_counter jr_udp_parse(const uint8_t *p, uint32_t len, struct jr_udp_hdr *out);
/* Whether the checksum over hdr->len bytes is right; true when there is none. */
bool jr_udp_cksum_ok(const uint8_t *p, const struct jr_udp_hdr *hdr, struct jr_addr src, struct jr_addr dst);
/* Writes JR_UDP_HLEN bytes. data_sum: the sum of the data, from jr_cksum_partial() or jr_cksum_copy(). */
void jr_udp_build(uint8_t *p, uint16_t sport, uint16_t dport, uint32_t data_len, uint32_t data_sum, struct jr_addr src,
                  struct jr_addr dst);

#endif
