/* SPDX-License-Identifier: BSD-3-Clause */
#include "ip/opts.h"

#include <string.h>

enum { TS_ONLY = 0, TS_ADDR = 1, TS_PRESPECIFIED = 3 };

/* Fields every such option must have, before anything in it is believed. */
static bool is_sound(const uint8_t *opt, uint8_t len, uint8_t *at)
{
    const uint8_t type = opt[0];

    if (type == JR_IPV4_OPT_RR || type == JR_IPV4_OPT_LSRR || type == JR_IPV4_OPT_SSRR) {
        *at = (uint8_t)(*at + 2);
        return len >= 3 && opt[2] >= 4;
    }
    if (type == JR_IPV4_OPT_TS) {
        *at = (uint8_t)(*at + 2);
        return len >= 4 && len <= 40 && opt[2] >= 5;
    }
    return true;
}

/* A route that is not used up would have us pass the packet on; one that is says how it came here. */
static bool is_unwanted_route(const struct jr_ip_config *cfg, const uint8_t *opt)
{
    if (opt[0] != JR_IPV4_OPT_LSRR && opt[0] != JR_IPV4_OPT_SSRR)
        return false;
    return !cfg->accept_sourceroute || opt[2] <= opt[1];
}

enum jr_counter jr_ip_opts_check(const struct jr_ip_config *cfg, const uint8_t *p, uint8_t hlen, uint8_t *at)
{
    if (cfg->process_options == 0)
        return JR_WIRE_OK;
    if (cfg->process_options == 2)
        return JR_C_IP_OPTS_REFUSED;
    for (*at = JR_IPV4_HLEN; *at < hlen && p[*at] != JR_IPV4_OPT_EOL;) {
        const uint8_t len = p[*at] == JR_IPV4_OPT_NOP ? 1 : *at + 1 < hlen ? p[*at + 1] : 0;
        uint8_t where = *at;

        if (p[*at] != JR_IPV4_OPT_NOP) {
            if (len < 2 || *at + len > hlen) {
                *at = (uint8_t)(*at + 1);
                return JR_C_IP_BAD_OPTS;
            }
            if (!is_sound(p + *at, len, &where)) {
                *at = where;
                return JR_C_IP_BAD_OPTS;
            }
            if (is_unwanted_route(cfg, p + *at))
                return JR_C_IP_SOURCE_ROUTE;
        }
        *at = (uint8_t)(*at + len);
    }
    return JR_WIRE_OK;
}

static void record_route(uint8_t *opt, struct jr_addr us)
{
    const uint8_t ptr = opt[2];

    if (ptr + 3 > opt[1])
        return; /* full */
    jr_store_raw32(opt + ptr - 1, jr_addr_to_v4(us));
    opt[2] = (uint8_t)(ptr + 4);
}

static void record_time(uint8_t *opt, struct jr_addr us, uint32_t ms)
{
    const uint8_t ptr = opt[2], flag = opt[3] & 15, need = flag == TS_ONLY ? 4 : 8;

    if (flag != TS_ONLY && flag != TS_ADDR && flag != TS_PRESPECIFIED)
        return;
    if (ptr - 1 + need > opt[1]) {
        if (opt[3] >> 4 < 15)
            opt[3] = (uint8_t)(opt[3] + 0x10); /* one more that found no room */
        return;
    }
    if (flag == TS_PRESPECIFIED && jr_load_raw32(opt + ptr - 1) != jr_addr_to_v4(us))
        return;
    if (flag == TS_ADDR)
        jr_store_raw32(opt + ptr - 1, jr_addr_to_v4(us));
    jr_store_be32(opt + ptr - 1 + need - 4, ms);
    opt[2] = (uint8_t)(ptr + need);
}

uint8_t jr_ip_opts_answer(const uint8_t *p, uint8_t hlen, struct jr_addr us, jr_time now, uint8_t *to)
{
    uint8_t n = 0;

    for (uint8_t at = JR_IPV4_HLEN; at < hlen && p[at] != JR_IPV4_OPT_EOL;) {
        const uint8_t len = p[at] == JR_IPV4_OPT_NOP ? 1 : at + 1 < hlen ? p[at + 1] : 0;
        uint8_t ignored = 0;

        if (len == 0 || (p[at] != JR_IPV4_OPT_NOP && len < 2) || at + len > hlen)
            break; /* not processed, so not checked either */
        if ((p[at] == JR_IPV4_OPT_RR || p[at] == JR_IPV4_OPT_TS) && is_sound(p + at, len, &ignored)) {
            memcpy(to + n, p + at, len);
            if (p[at] == JR_IPV4_OPT_RR)
                record_route(to + n, us);
            else
                record_time(to + n, us, jr_ip_stamp(now));
            n = (uint8_t)(n + len);
        }
        at = (uint8_t)(at + len);
    }
    while (n % 4)
        to[n++] = JR_IPV4_OPT_EOL;
    return n;
}
