/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/ether.h"

#include "base/byteorder.h"

struct jr_ether_addr jr_ether_multicast(struct jr_addr group)
{
    if (!jr_addr_is_v4(group)) /* RFC 2464 7 */
        return (struct jr_ether_addr){{0x33, 0x33, group.b[12], group.b[13], group.b[14], group.b[15]}};
    return (struct jr_ether_addr){{0x01, 0x00, 0x5e, group.b[13] & 0x7f, group.b[14], group.b[15]}};
}

enum jr_counter jr_ether_parse(const uint8_t *p, uint32_t len, struct jr_ether *out)
{
    if (len < JR_ETHER_HLEN)
        return JR_C_ETHER_SHORT;
    memcpy(out->dst.b, p, 6);
    memcpy(out->src.b, p + 6, 6);
    out->type = jr_load_be16(p + 12);
    out->hlen = JR_ETHER_HLEN;
    out->vid = 0;
    if (out->type == JR_ETHERTYPE_VLAN) {
        if (len < JR_ETHER_HLEN + 4)
            return JR_C_ETHER_SHORT;
        out->vid = jr_load_be16(p + 14) & 0x0fff;
        out->type = jr_load_be16(p + 16);
        out->hlen = JR_ETHER_HLEN + 4;
    }
    return jr_ether_is_group(out->src) ? JR_C_ETHER_BAD_SRC : JR_WIRE_OK;
}

void jr_ether_tag(uint8_t *p, uint16_t vid)
{
    memmove(p, p + JR_ETHER_TAG, 12);
    jr_store_be16(p + 12, JR_ETHERTYPE_VLAN);
    jr_store_be16(p + 14, vid);
}

void jr_ether_build(uint8_t *p, struct jr_ether_addr dst, struct jr_ether_addr src, uint16_t type)
{
    memcpy(p, dst.b, 6);
    memcpy(p + 6, src.b, 6);
    jr_store_be16(p + 12, type);
}
