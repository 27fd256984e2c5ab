/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, prefixes and MAC addresses in the configuration. */
#include "main/config_value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "ip/route.h"

static bool parse_addr(const char *s, struct jr_addr *out)
{
    struct in_addr in;
    if (inet_pton(AF_INET, s, &in) == 1) {
        *out = jr_addr_v4(in.s_addr);
        return true;
    }
    return inet_pton(AF_INET6, s, out->b) == 1 && !jr_addr_is_v4(*out);
}

void jr_config_addr(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    if (jr_schema_expect(ctx, v, where, JR_TOML_STRING) && !parse_addr(v->str.s, at))
        jr_schema_error(ctx, v, where, "'%.40s' is no IP address", v->str.s);
}

/* ADDRESS[/LENGTH]; has_len tells which. */
static bool parse_prefix(const char *s, struct jr_config_prefix *out, bool *has_len)
{
    char addr[INET6_ADDRSTRLEN];
    unsigned long max;
    const char *slash = strchr(s, '/');
    size_t n = slash ? (size_t)(slash - s) : strlen(s);
    if (n >= sizeof addr)
        return false;
    memcpy(addr, s, n);
    addr[n] = 0;
    *has_len = slash;
    if (!parse_addr(addr, &out->addr))
        return false;
    max = jr_addr_is_v4(out->addr) ? 32 : 128;
    out->plen = (uint8_t)max;
    if (slash) {
        char *end;
        unsigned long len = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || len > max)
            return false;
        out->plen = (uint8_t)len;
    }
    return true;
}

void jr_config_iface_addr(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    bool has_len;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return;
    if (!parse_prefix(v->str.s, at, &has_len) || !has_len)
        jr_schema_error(ctx, v, where, "'%.40s' is no address with its prefix length, as in \"10.9.0.1/24\"", v->str.s);
}

void jr_config_net(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config_prefix *p = at;
    bool has_len;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return;
    if (!parse_prefix(v->str.s, p, &has_len)) {
        jr_schema_error(ctx, v, where, "'%.40s' is no prefix, as in \"10.0.0.0/8\"", v->str.s);
        return;
    }
    if (!jr_addr_eq(jr_route_mask(p->addr, p->plen), p->addr))
        jr_schema_error(ctx, v, where, "'%.40s' has bits set behind the prefix", v->str.s);
}

void jr_config_mac(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_ether_addr *mac = at;
    int end = 0;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return;
    int n = sscanf(v->str.s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac->b[0], &mac->b[1], &mac->b[2], &mac->b[3],
                   &mac->b[4], &mac->b[5], &end);
    if (n != 6 || v->str.s[end] || strlen(v->str.s) != 17 || mac->b[0] & 1)
        jr_schema_error(ctx, v, where, "'%.40s' is no MAC address of a station, as in \"02:00:00:00:00:01\"", v->str.s);
}
