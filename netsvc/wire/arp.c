/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/arp.h"

#include "base/byteorder.h"
#include "wire/ether.h"

enum { HW_ETHERNET = 1 };

enum jr_counter jr_arp_parse(const uint8_t *p, uint32_t len, struct jr_arp *out)
{
    if (len < JR_ARP_LEN)
        return JR_C_ARP_SHORT;
    if (jr_load_be16(p) != HW_ETHERNET || jr_load_be16(p + 2) != JR_ETHERTYPE_IPV4 || p[4] != 6 || p[5] != 4)
        return JR_C_ARP_BAD;
    out->op = jr_load_be16(p + 6);
    memcpy(out->sha.b, p + 8, 6);
    out->spa = jr_addr_v4(jr_load_raw32(p + 14));
    memcpy(out->tha.b, p + 18, 6);
    out->tpa = jr_addr_v4(jr_load_raw32(p + 24));
    if (out->op != JR_ARP_REQUEST && out->op != JR_ARP_REPLY)
        return JR_C_ARP_BAD;
    return JR_WIRE_OK;
}

void jr_arp_build(uint8_t *p, const struct jr_arp *arp)
{
    jr_store_be16(p, HW_ETHERNET);
    jr_store_be16(p + 2, JR_ETHERTYPE_IPV4);
    p[4] = 6;
    p[5] = 4;
    jr_store_be16(p + 6, arp->op);
    memcpy(p + 8, arp->sha.b, 6);
    jr_store_raw32(p + 14, jr_addr_to_v4(arp->spa));
    memcpy(p + 18, arp->tha.b, 6);
    jr_store_raw32(p + 24, jr_addr_to_v4(arp->tpa));
}
