/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/icmp6.h"

#include "base/byteorder.h"
#include "wire/cksum.h"
#include "wire/ipv6.h"

enum { PREFIX_LEN = 32, PREFIX_ON_LINK = 0x80, PREFIX_AUTONOMOUS = 0x40 };

enum jr_counter jr_icmp6_parse(const uint8_t *p, uint32_t len, struct jr_addr src, struct jr_addr dst,
                               struct jr_icmp6 *out)
{
    if (len < JR_ICMP6_HLEN)
        return JR_C_ICMP6_SHORT;
    if (jr_cksum_fold(jr_cksum_partial(p, len, jr_cksum_pseudo(src, dst, JR_IPPROTO_ICMPV6, len))) != 0)
        return JR_C_ICMP6_BAD_CKSUM;
    out->type = p[0];
    out->code = p[1];
    out->rest = jr_load_be32(p + 4);
    return JR_WIRE_OK;
}

void jr_icmp6_build(uint8_t *p, uint32_t len, const struct jr_icmp6 *icmp, struct jr_addr src, struct jr_addr dst)
{
    p[0] = icmp->type;
    p[1] = icmp->code;
    jr_store_raw16(p + 2, 0);
    jr_store_be32(p + 4, icmp->rest);
    jr_store_raw16(p + 2, jr_cksum_fold(jr_cksum_partial(p, len, jr_cksum_pseudo(src, dst, JR_IPPROTO_ICMPV6, len))));
}

bool jr_nd_next_opt(const uint8_t *p, uint32_t len, uint32_t *at, struct jr_nd_opt *out, bool *bad)
{
    *bad = false;
    if (*at >= len)
        return false;
    if (len - *at < 8 || p[*at + 1] == 0 || p[*at + 1] * 8u > len - *at) {
        *bad = true;
        return false;
    }
    *out = (struct jr_nd_opt){.type = p[*at], .len = p[*at + 1] * 8u, .p = p + *at};
    *at += out->len;
    return true;
}

bool jr_nd_opts_ok(const uint8_t *p, uint32_t len)
{
    struct jr_nd_opt opt;
    uint32_t at = 0, n = 0;
    bool bad;

    while (jr_nd_next_opt(p, len, &at, &opt, &bad))
        n++;
    return !bad && n <= JR_ND_OPTS_MAX;
}

bool jr_nd_find_lladdr(const uint8_t *p, uint32_t len, uint8_t type, struct jr_ether_addr *out)
{
    struct jr_nd_opt opt;
    uint32_t at = 0;
    bool bad;

    while (jr_nd_next_opt(p, len, &at, &opt, &bad)) {
        if (opt.type == type && opt.len == JR_ND_LLADDR_LEN) {
            memcpy(out->b, opt.p + 2, sizeof out->b);
            return true;
        }
    }
    return false;
}

bool jr_nd_parse_prefix(const struct jr_nd_opt *opt, struct jr_nd_prefix *out)
{
    if (opt->type != JR_ND_OPT_PREFIX || opt->len != PREFIX_LEN || opt->p[2] > 128)
        return false;
    out->plen = opt->p[2];
    out->on_link = opt->p[3] & PREFIX_ON_LINK;
    out->autonomous = opt->p[3] & PREFIX_AUTONOMOUS;
    out->valid = jr_load_be32(opt->p + 4);
    out->preferred = jr_load_be32(opt->p + 8);
    memcpy(out->prefix.b, opt->p + 16, 16);
    return true;
}

void jr_nd_build_lladdr(uint8_t *p, uint8_t type, struct jr_ether_addr mac)
{
    p[0] = type;
    p[1] = JR_ND_LLADDR_LEN / 8;
    memcpy(p + 2, mac.b, sizeof mac.b);
}
