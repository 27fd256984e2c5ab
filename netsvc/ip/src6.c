/* SPDX-License-Identifier: BSD-3-Clause */
/* Source address selection (RFC 6724 5), with the default policy table's labels (2.1). */
#include "ip/stack6.h"

enum { SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

static unsigned scope_of(struct jr_addr a)
{
    if (jr_ipv6_is_multicast(a))
        return a.b[1] & 15;
    if (jr_ipv6_is_linklocal(a) || jr_ipv6_is_loopback(a))
        return SCOPE_LINK;
    return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

static unsigned common_bits(struct jr_addr a, struct jr_addr b, unsigned most)
{
    unsigned n = 0;

    while (n < most && n < 128) {
        const uint8_t diff = a.b[n / 8] ^ b.b[n / 8];
        if (diff) {
            n += (unsigned)__builtin_clz(diff) - 24;
            break;
        }
        n += 8;
    }
    return n < most ? n : most;
}

static unsigned label_of(struct jr_addr a)
{
    static const struct {
        struct jr_addr prefix;
        uint8_t plen, label;
    } table[] = {
        /* longest first */
        {{.b = {[15] = 1}}, 128, 0},   {{.b = {[10] = 0xff, [11] = 0xff}}, 96, 4},
        {{.b = {0}}, 96, 3},           {{.b = {0x20, 0x01}}, 32, 5},
        {{.b = {0x20, 0x02}}, 16, 2},  {{.b = {0x3f, 0xfe}}, 16, 12},
        {{.b = {0xfe, 0xc0}}, 10, 11}, {{.b = {0xfc}}, 7, 13},
    };

    for (unsigned i = 0; i < JR_ARRAY_LEN(table); i++) {
        if (common_bits(a, table[i].prefix, table[i].plen) == table[i].plen)
            return table[i].label;
    }
    return 1;
}

struct candidate {
    const struct jr_nd6_addr *a;
    const struct jr_netif *ifp;
};

/* Whether x is better than y as the source of packets to dst by ifp: the rules in their order. */
static bool is_better(const struct candidate *x, const struct candidate *y, const struct jr_netif *ifp,
                      struct jr_addr dst, jr_time now)
{
    const unsigned sx = scope_of(x->a->addr), sy = scope_of(y->a->addr), sd = scope_of(dst);
    const bool old_x = now >= x->a->preferred_until, old_y = now >= y->a->preferred_until;
    const bool match_x = label_of(x->a->addr) == label_of(dst), match_y = label_of(y->a->addr) == label_of(dst);

    /* 2: appropriate scope (1, the same address, is a local destination) */
    if (sx != sy)
        return sx < sy ? sx >= sd : sy < sd;
    /* 3: not deprecated */
    if (old_x != old_y)
        return old_y;
    /* 5: of the outgoing interface (4 is for mobile nodes) */
    if ((x->ifp == ifp) != (y->ifp == ifp))
        return x->ifp == ifp;
    /* 6: matching label */
    if (match_x != match_y)
        return match_x;
    /* 7: temporary */
    if (x->a->temporary != y->a->temporary)
        return x->a->temporary;
    /* 8: longest matching prefix */
    return common_bits(x->a->addr, dst, x->a->plen) > common_bits(y->a->addr, dst, y->a->plen);
}

struct jr_addr jr_ip6_source_for(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr dst)
{
    const bool here_only = scope_of(dst) <= SCOPE_LINK;
    struct candidate best = {NULL, NULL};

    for (unsigned i = 0; i < ip->n_netifs; i++) {
        const struct jr_netif *from = ip->netifs[i];
        if (here_only && from != ifp)
            continue;
        for (unsigned j = 0; j < from->nd6->n_addrs; j++) {
            const struct candidate c = {&from->nd6->addrs[j], from};
            if (!jr_nd6_addr_usable(c.a) || (from != ifp && jr_ipv6_is_linklocal(c.a->addr)))
                continue;
            if (!best.a || is_better(&c, &best, ifp, dst, ip->now))
                best = c;
        }
    }
    return best.a ? best.a->addr : (struct jr_addr){.q = {0, 0}};
}
