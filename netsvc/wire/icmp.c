/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/icmp.h"

#include "base/byteorder.h"
#include "wire/cksum.h"

enum jr_counter jr_icmp_parse(const uint8_t *p, uint32_t len, struct jr_icmp *out)
{
    if (len < JR_ICMP_HLEN)
        return JR_C_ICMP_SHORT;
    if (jr_cksum_fold(jr_cksum_partial(p, len, 0)) != 0)
        return JR_C_ICMP_BAD_CKSUM;
    out->type = p[0];
    out->code = p[1];
    out->rest = jr_load_be32(p + 4);
    return JR_WIRE_OK;
}

void jr_icmp_build(uint8_t *p, uint32_t len, const struct jr_icmp *icmp)
{
    p[0] = icmp->type;
    p[1] = icmp->code;
    jr_store_raw16(p + 2, 0);
    jr_store_be32(p + 4, icmp->rest);
    jr_store_raw16(p + 2, jr_cksum_fold(jr_cksum_partial(p, len, 0)));
}
