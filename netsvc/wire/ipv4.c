/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/ipv4.h"

#include "wire/cksum.h"

enum { OFF_DF = 0x4000, OFF_MF = 0x2000, OFF_MASK = 0x1fff };

static void read_fields(const uint8_t *p, struct jr_ipv4 *out)
{
    const uint16_t off = jr_load_be16(p + 6);

    out->tos = p[1];
    out->total_len = jr_load_be16(p + 2);
    out->id = jr_load_be16(p + 4);
    out->df = off & OFF_DF;
    out->mf = off & OFF_MF;
    out->frag_off = (uint16_t)((off & OFF_MASK) * 8);
    out->ttl = p[8];
    out->proto = p[9];
    out->src = jr_addr_v4(jr_load_raw32(p + 12));
    out->dst = jr_addr_v4(jr_load_raw32(p + 16));
}

enum jr_counter jr_ipv4_parse_quote(const uint8_t *p, uint32_t len, struct jr_ipv4 *out)
{
    if (len < JR_IPV4_HLEN)
        return JR_C_IP_SHORT;
    if (p[0] >> 4 != 4)
        return JR_C_IP_BAD_VERSION;
    out->hlen = (uint8_t)((p[0] & 15) * 4);
    if (out->hlen < JR_IPV4_HLEN)
        return JR_C_IP_BAD_HLEN;
    if (out->hlen > len)
        return JR_C_IP_SHORT;
    read_fields(p, out);
    return out->total_len < out->hlen ? JR_C_IP_BAD_LEN : JR_WIRE_OK;
}

enum jr_counter jr_ipv4_parse(const uint8_t *p, uint32_t len, struct jr_ipv4 *out)
{
    const enum jr_counter bad = jr_ipv4_parse_quote(p, len, out);

    if (bad != JR_WIRE_OK)
        return bad;
    return out->total_len > len ? JR_C_IP_BAD_LEN : JR_WIRE_OK;
}

bool jr_ipv4_cksum_ok(const uint8_t *p, uint8_t hlen) { return jr_cksum_fold(jr_cksum_partial(p, hlen, 0)) == 0; }

void jr_ipv4_build(uint8_t *p, const struct jr_ipv4 *ip, bool cksum)
{
    const uint8_t hlen = ip->hlen ? ip->hlen : JR_IPV4_HLEN;

    p[0] = (uint8_t)(4 << 4 | hlen / 4);
    p[1] = ip->tos;
    jr_store_be16(p + 2, ip->total_len);
    jr_store_be16(p + 4, ip->id);
    jr_store_be16(p + 6, (uint16_t)((ip->df ? OFF_DF : 0) | (ip->mf ? OFF_MF : 0) | ip->frag_off / 8));
    p[8] = ip->ttl;
    p[9] = ip->proto;
    jr_store_raw16(p + 10, 0);
    jr_store_raw32(p + 12, jr_addr_to_v4(ip->src));
    jr_store_raw32(p + 16, jr_addr_to_v4(ip->dst));
    if (cksum)
        jr_store_raw16(p + 10, jr_cksum_fold(jr_cksum_partial(p, hlen, 0)));
}
