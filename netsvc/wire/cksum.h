/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071): sums are kept unfolded in 32 bits and in the host's byte order, so they can
 * be chained. Odd lengths are padded with a zero byte; to go on behind an odd piece use jr_cksum_join().
 */
#ifndef JR_WIRE_CKSUM_H
#define JR_WIRE_CKSUM_H

#include <stdint.h>

#include "base/addr.h"
#include "base/byteorder.h"
#include "wire/ipv6.h"

/* Adds len bytes to sum. */
uint32_t jr_cksum_partial(const void *p, uint32_t len, uint32_t sum);
/* The same while copying them; dst and src must not overlap. */
uint32_t jr_cksum_copy(void *dst, const void *src, uint32_t len, uint32_t sum);

static inline uint32_t jr_cksum_add(uint32_t a, uint32_t b)
{
    const uint32_t s = a + b;
    return s + (s < a);
}

/* a: the sum of a_len bytes; b: the sum of what follows them, taken on its own (from 0). */
static inline uint32_t jr_cksum_join(uint32_t a, uint32_t a_len, uint32_t b)
{
    return jr_cksum_add(a, a_len & 1 ? b << 8 | b >> 24 : b);
}

/* The complement, as it stands in memory: store it with jr_store_raw16(). 0 for a message whose checksum is right. */
static inline uint16_t jr_cksum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The pseudo header of RFC 9293 3.1 and RFC 768 (v4-mapped addresses) or RFC 8200 8.1. len: header and payload. */
static inline uint32_t jr_cksum_pseudo(struct jr_addr src, struct jr_addr dst, uint8_t proto, uint32_t len)
{
    uint64_t s = (uint64_t)src.w[3] + dst.w[3] + jr_be32(proto) + jr_be32(len);

    if (!jr_addr_is_v4(dst)) {
        src = jr_ipv6_wire(src);
        dst = jr_ipv6_wire(dst);
        for (int i = 0; i < 3; i++)
            s += (uint64_t)src.w[i] + dst.w[i];
    }
    s = (s & 0xffffffff) + (s >> 32);
    return (uint32_t)s + (uint32_t)(s >> 32);
}

#endif
