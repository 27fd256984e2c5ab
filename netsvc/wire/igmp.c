/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/igmp.h"

#include "base/byteorder.h"
#include "wire/cksum.h"

/* RFC 3376 4.1.1: above 127 a small floating point number. */
static uint32_t code_value(uint8_t code)
{
    return code < 128 ? code : (uint32_t)(0x10 | (code & 15)) << ((code >> 4 & 7) + 3);
}

/* RFC 3376 7.1: the version of a query is told by its length and its code. */
static enum jr_counter parse_query(const uint8_t *p, uint32_t len, struct jr_igmp *out)
{
    out->max_resp_ds = p[1];
    if (len == JR_IGMP_HLEN) {
        out->version = p[1] ? 2 : 1;
        if (out->version == 1)
            out->max_resp_ds = 100;
        return JR_WIRE_OK;
    }
    if (len < JR_IGMP_V3_HLEN)
        return JR_C_IGMP_BAD;
    out->version = 3;
    out->max_resp_ds = code_value(p[1]);
    out->qrv = p[8] & 7;
    out->n_src = jr_load_be16(p + 10);
    out->src = p + JR_IGMP_V3_HLEN;
    return JR_IGMP_V3_HLEN + 4u * out->n_src > len ? JR_C_IGMP_BAD : JR_WIRE_OK;
}

enum jr_counter jr_igmp_parse(const uint8_t *p, uint32_t len, struct jr_igmp *out)
{
    if (len < JR_IGMP_HLEN)
        return JR_C_IGMP_BAD;
    if (jr_cksum_fold(jr_cksum_partial(p, len, 0)) != 0)
        return JR_C_IGMP_BAD_CKSUM;
    *out = (struct jr_igmp){.type = p[0], .group = jr_addr_v4(jr_load_raw32(p + 4))};
    switch (out->type) {
    case JR_IGMP_QUERY:
        return parse_query(p, len, out);
    case JR_IGMP_V1_REPORT:
        out->version = 1;
        return JR_WIRE_OK;
    case JR_IGMP_V2_REPORT:
    case JR_IGMP_V2_LEAVE:
        out->version = 2;
        return JR_WIRE_OK;
    default:
        out->version = 3;
        return JR_WIRE_OK;
    }
}

static void put_cksum(uint8_t *p, uint32_t len)
{
    jr_store_raw16(p + 2, 0);
    jr_store_raw16(p + 2, jr_cksum_fold(jr_cksum_partial(p, len, 0)));
}

void jr_igmp_build(uint8_t *p, uint8_t type, struct jr_addr group)
{
    p[0] = type;
    p[1] = 0;
    jr_store_raw32(p + 4, jr_addr_to_v4(group));
    put_cksum(p, JR_IGMP_HLEN);
}

void jr_igmp_build_report(uint8_t *p, uint32_t len, uint16_t n_records)
{
    p[0] = JR_IGMP_V3_REPORT;
    p[1] = 0;
    jr_store_be16(p + 4, 0);
    jr_store_be16(p + 6, n_records);
    put_cksum(p, len);
}

void jr_igmp_build_record(uint8_t *p, enum jr_igmp_record type, uint16_t n_src, struct jr_addr group)
{
    p[0] = (uint8_t)type;
    p[1] = 0;
    jr_store_be16(p + 2, n_src);
    jr_store_raw32(p + 4, jr_addr_to_v4(group));
}
