/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/udp_wire.h"

#include "base/byteorder.h"
#include "wire/cksum.h"

enum { PROTO_UDP = 17 };

enum jr_counter jr_udp_parse(const uint8_t *p, uint32_t len, struct jr_udp_hdr *out)
{
    if (len < JR_UDP_HLEN)
        return JR_C_UDP_SHORT;
    out->sport = jr_load_be16(p);
    out->dport = jr_load_be16(p + 2);
    out->len = jr_load_be16(p + 4);
    out->has_cksum = jr_load_raw16(p + 6) != 0;
    if (out->len < JR_UDP_HLEN || out->len > len)
        return JR_C_UDP_BAD_LEN;
    return out->dport == 0 ? JR_C_UDP_PORT_ZERO : JR_WIRE_OK;
}

bool jr_udp_cksum_ok(const uint8_t *p, const struct jr_udp_hdr *hdr, struct jr_addr src, struct jr_addr dst)
{
    if (!hdr->has_cksum)
        return true;
    return jr_cksum_fold(jr_cksum_partial(p, hdr->len, jr_cksum_pseudo(src, dst, PROTO_UDP, hdr->len))) == 0;
}

void jr_udp_build(uint8_t *p, uint16_t sport, uint16_t dport, uint32_t data_len, uint32_t data_sum, struct jr_addr src,
                  struct jr_addr dst)
{
    const uint32_t len = JR_UDP_HLEN + data_len;
    uint32_t sum;
    uint16_t cksum;

    jr_store_be16(p, sport);
    jr_store_be16(p + 2, dport);
    jr_store_be16(p + 4, (uint16_t)len);
    jr_store_raw16(p + 6, 0);
    sum = jr_cksum_partial(p, JR_UDP_HLEN, jr_cksum_pseudo(src, dst, PROTO_UDP, len));
    cksum = jr_cksum_fold(jr_cksum_add(sum, data_sum));
    jr_store_raw16(p + 6, cksum ? cksum : 0xffff); /* 0 would say that there is none */
}
