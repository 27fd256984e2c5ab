/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/ipv6.h"

#include "wire/icmp6.h"

enum {
    OPT_PAD1 = 0,
    OPT_PADN = 1,
    OPT_ROUTER_ALERT = 5, /* RFC 2711 */
    FRAG_OFF_MASK = 0xfff8,
    FRAG_MORE = 1,
};

static void read_fields(const uint8_t *p, struct jr_ipv6 *out)
{
    const uint32_t first = jr_load_be32(p);

    out->tclass = (uint8_t)(first >> 20);
    out->flow = first & 0xfffff;
    out->payload_len = jr_load_be16(p + 4);
    out->proto = p[6];
    out->hlim = p[7];
    memcpy(out->src.b, p + 8, 16);
    memcpy(out->dst.b, p + 24, 16);
}

enum jr_counter jr_ipv6_parse_quote(const uint8_t *p, uint32_t len, struct jr_ipv6 *out)
{
    if (len < JR_IPV6_HLEN)
        return JR_C_IP6_SHORT;
    if (p[0] >> 4 != 6)
        return JR_C_IP6_BAD_VERSION;
    read_fields(p, out);
    return JR_WIRE_OK;
}

enum jr_counter jr_ipv6_parse(const uint8_t *p, uint32_t len, struct jr_ipv6 *out)
{
    const enum jr_counter bad = jr_ipv6_parse_quote(p, len, out);

    if (bad != JR_WIRE_OK)
        return bad;
    return (uint32_t)JR_IPV6_HLEN + out->payload_len > len ? JR_C_IP6_BAD_LEN : JR_WIRE_OK;
}

static enum jr_counter problem(struct jr_ipv6_chain *c, uint8_t code, uint32_t pointer, enum jr_counter why)
{
    c->complain = true;
    c->code = code;
    c->pointer = (uint16_t)pointer;
    return why;
}

/* An option that is not known here: its two highest bits say what to do (RFC 8200 4.2). JR_WIRE_OK: skip it. */
static enum jr_counter unknown_option(struct jr_ipv6_chain *c, uint8_t type, uint32_t at, bool group)
{
    switch (type >> 6) {
    case 0:
        return JR_WIRE_OK;
    case 1:
        return JR_C_IP6_UNKNOWN_OPT;
    case 2:
        return problem(c, JR_ICMP6_PARAM_OPTION, at, JR_C_IP6_UNKNOWN_OPT);
    default:
        return group ? JR_C_IP6_UNKNOWN_OPT : problem(c, JR_ICMP6_PARAM_OPTION, at, JR_C_IP6_UNKNOWN_OPT);
    }
}

/* The options in [at, end) of a hop-by-hop or destination header. */
static enum jr_counter walk_options(const uint8_t *p, uint32_t at, uint32_t end, bool hop, bool group,
                                    struct jr_ipv6_chain *c)
{
    for (unsigned n = 0; at < end;) {
        const uint8_t type = p[at];
        enum jr_counter bad;

        if (type == OPT_PAD1) {
            at++;
            continue;
        }
        if (at + 1 >= end || at + 2 + p[at + 1] > end)
            return problem(c, JR_ICMP6_PARAM_HEADER, at, JR_C_IP6_BAD_EXT);
        if (type != OPT_PADN && ++n > JR_IPV6_EXT_OPTS_MAX)
            return JR_C_IP6_EXT_TOO_MANY;
        if (type == OPT_ROUTER_ALERT && hop && p[at + 1] == 2)
            c->router_alert = true;
        else if (type != OPT_PADN && (bad = unknown_option(c, type, at, group)) != JR_WIRE_OK)
            return bad;
        at += 2u + p[at + 1];
    }
    return JR_WIRE_OK;
}

/* Routing headers: none is followed, type 0 least of all (RFC 5095 3); those with nothing left to visit are skipped. */
static enum jr_counter check_routing(const uint8_t *p, uint32_t at, struct jr_ipv6_chain *c)
{
    return p[at + 3] == 0 ? JR_WIRE_OK : problem(c, JR_ICMP6_PARAM_HEADER, at + 2, JR_C_IP6_SOURCE_ROUTE);
}

static void read_fragment(const uint8_t *p, struct jr_ipv6_chain *c)
{
    const uint16_t field = jr_load_be16(p + c->hlen + 2);

    c->frag_at = c->hlen;
    c->frag_nh = c->proto_at;
    c->frag_off = field & FRAG_OFF_MASK;
    c->frag_more = field & FRAG_MORE;
    c->frag_id = jr_load_be32(p + c->hlen + 4);
    c->fragment = c->frag_off || c->frag_more;
}

/* The header of kind c->proto at c->hlen, bytes long: what it says. */
static enum jr_counter look_at(const uint8_t *p, uint32_t bytes, bool group, struct jr_ipv6_chain *c)
{
    const uint32_t at = c->hlen;

    if (c->proto == JR_IPPROTO_HOPOPTS && at != JR_IPV6_HLEN) /* RFC 8200 4.1: first or not at all */
        return problem(c, JR_ICMP6_PARAM_NEXT_HEADER, c->proto_at, JR_C_IP6_BAD_EXT);
    if (c->proto == JR_IPPROTO_ROUTING)
        return check_routing(p, at, c);
    if (c->proto == JR_IPPROTO_FRAGMENT) {
        if (c->frag_at) /* one is enough */
            return JR_C_IP6_BAD_EXT;
        read_fragment(p, c);
        return JR_WIRE_OK;
    }
    return walk_options(p, at + 2, at + bytes, c->proto == JR_IPPROTO_HOPOPTS, group, c);
}

static bool is_ext(uint8_t proto)
{
    return proto == JR_IPPROTO_HOPOPTS || proto == JR_IPPROTO_ROUTING || proto == JR_IPPROTO_FRAGMENT ||
           proto == JR_IPPROTO_DSTOPTS;
}

static enum jr_counter walk(const uint8_t *p, uint32_t len, bool group, struct jr_ipv6_chain *c)
{
    for (unsigned n = 0; is_ext(c->proto) && !c->fragment; n++) {
        const uint32_t at = c->hlen;
        uint32_t bytes;
        enum jr_counter bad;

        if (n == JR_IPV6_EXT_MAX)
            return JR_C_IP6_EXT_TOO_MANY;
        if (at + 8 > len)
            return JR_C_IP6_EXT_SHORT;
        bytes = c->proto == JR_IPPROTO_FRAGMENT ? JR_IPV6_FRAG_HLEN : (p[at + 1] + 1u) * 8;
        if (at + bytes > len)
            return JR_C_IP6_EXT_SHORT;
        if (at + bytes > JR_IPV6_CHAIN_MAX)
            return JR_C_IP6_EXT_TOO_MANY;
        bad = look_at(p, bytes, group, c);
        if (bad != JR_WIRE_OK)
            return bad;
        c->proto = p[at];
        c->proto_at = (uint16_t)at;
        c->hlen = (uint16_t)(at + bytes);
    }
    return JR_WIRE_OK;
}

enum jr_counter jr_ipv6_walk(const uint8_t *p, uint32_t len, bool group, struct jr_ipv6_chain *out)
{
    *out = (struct jr_ipv6_chain){.proto = p[6], .proto_at = 6, .hlen = JR_IPV6_HLEN};
    return walk(p, len, group, out);
}

enum jr_counter jr_ipv6_walk_first(const uint8_t *p, uint32_t len, bool group, const struct jr_ipv6_chain *first,
                                   struct jr_ipv6_chain *out)
{
    *out = *first;
    out->fragment = false;
    return walk(p, len, group, out);
}

void jr_ipv6_build(uint8_t *p, const struct jr_ipv6 *ip)
{
    const struct jr_addr src = jr_ipv6_wire(ip->src), dst = jr_ipv6_wire(ip->dst);

    jr_store_be32(p, 6u << 28 | (uint32_t)ip->tclass << 20 | (ip->flow & 0xfffff));
    jr_store_be16(p + 4, ip->payload_len);
    p[6] = ip->proto;
    p[7] = ip->hlim;
    memcpy(p + 8, src.b, 16);
    memcpy(p + 24, dst.b, 16);
}

void jr_ipv6_build_frag(uint8_t *p, uint8_t proto, uint32_t off, bool more, uint32_t id)
{
    p[0] = proto;
    p[1] = 0;
    jr_store_be16(p + 2, (uint16_t)(off | (more ? FRAG_MORE : 0)));
    jr_store_be32(p + 4, id);
}

struct jr_addr jr_ipv6_solicited_node(struct jr_addr a, uint16_t zone)
{
    struct jr_addr g = {.b = {0xff, 2, [11] = 1, [12] = 0xff}};

    memcpy(g.b + 13, a.b + 13, 3);
    return jr_ipv6_set_zone(g, zone);
}
