/* SPDX-License-Identifier: BSD-3-Clause */
#include "ip/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/netif.h"

static uint8_t bits_of(struct jr_addr addr, uint8_t plen) { return (uint8_t)(jr_addr_is_v4(addr) ? 96 + plen : plen); }

static struct jr_addr mask_bits(struct jr_addr a, unsigned bits)
{
    const unsigned whole = bits / 8;

    if (bits >= 128)
        return a;
    a.b[whole] &= (uint8_t)(0xff00 >> bits % 8);
    memset(a.b + whole + 1, 0, 15 - whole);
    return a;
}

struct jr_addr jr_route_mask(struct jr_addr addr, uint8_t plen) { return mask_bits(addr, bits_of(addr, plen)); }

/* The table's order: longer prefixes first, then by prefix, then by metric. */
static int route_cmp(const struct jr_route *r, struct jr_addr dst, uint8_t bits, uint32_t metric)
{
    int d = (int)bits - (int)r->bits;

    if (d == 0)
        d = memcmp(r->conf.dst.b, dst.b, sizeof dst.b);
    if (d == 0)
        d = r->conf.metric < metric ? -1 : r->conf.metric > metric;
    return d;
}

/* The first index in [from, to) that is not before the key. */
static uint32_t lower_bound(const struct jr_route_table *tbl, uint32_t from, uint32_t to, struct jr_addr dst,
                            uint8_t bits, uint32_t metric)
{
    while (from < to) {
        const uint32_t mid = from + (to - from) / 2;
        if (route_cmp(&tbl->v[mid], dst, bits, metric) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static void regroup(struct jr_route_table *tbl)
{
    tbl->n_groups = 0;
    for (uint32_t i = 0; i < tbl->n; i++) {
        const uint8_t bits = tbl->v[i].bits;
        if (i == 0 || bits != tbl->v[i - 1].bits) {
            tbl->groups[tbl->n_groups].bits = bits;
            tbl->groups[tbl->n_groups++].first = i;
        }
        tbl->groups[tbl->n_groups - 1].end = i + 1;
    }
}

void jr_route_table_fini(struct jr_route_table *tbl)
{
    free(tbl->v);
    *tbl = (struct jr_route_table){0};
}

int jr_route_table_add(struct jr_route_table *tbl, const struct jr_ip_route_conf *conf, bool connected)
{
    const uint8_t bits = bits_of(conf->dst, conf->plen);
    struct jr_route r = {.conf = *conf, .bits = bits, .connected = connected};
    uint32_t at;

    if (conf->plen > (jr_addr_is_v4(conf->dst) ? 32 : 128))
        return -EINVAL;
    r.conf.dst = mask_bits(conf->dst, bits);
    at = lower_bound(tbl, 0, tbl->n, r.conf.dst, bits, conf->metric);
    if (at < tbl->n && route_cmp(&tbl->v[at], r.conf.dst, bits, conf->metric) == 0) {
        tbl->v[at] = r;
        return 0;
    }
    if (tbl->n == tbl->cap) {
        const uint32_t cap = tbl->cap ? 2 * tbl->cap : 16;
        struct jr_route *v = realloc(tbl->v, cap * sizeof *v);
        if (!v)
            return -ENOMEM;
        tbl->v = v;
        tbl->cap = cap;
    }
    memmove(tbl->v + at + 1, tbl->v + at, (tbl->n - at) * sizeof r);
    tbl->v[at] = r;
    tbl->n++;
    regroup(tbl);
    return 0;
}

const struct jr_route *jr_route_table_get(const struct jr_route_table *tbl, struct jr_addr dst, uint8_t plen,
                                          uint32_t metric)
{
    const uint8_t bits = bits_of(dst, plen);
    const struct jr_addr net = mask_bits(dst, bits);
    const uint32_t at = lower_bound(tbl, 0, tbl->n, net, bits, metric);

    return at < tbl->n && route_cmp(&tbl->v[at], net, bits, metric) == 0 ? &tbl->v[at] : NULL;
}

int jr_route_table_del(struct jr_route_table *tbl, struct jr_addr dst, uint8_t plen, uint32_t metric)
{
    const struct jr_route *r = jr_route_table_get(tbl, dst, plen, metric);

    if (!r)
        return -ESRCH;
    const uint32_t at = (uint32_t)(r - tbl->v);
    tbl->n--;
    memmove(tbl->v + at, tbl->v + at + 1, (tbl->n - at) * sizeof *r);
    regroup(tbl);
    return 0;
}

uint32_t jr_route_table_prune(struct jr_route_table *tbl, bool (*gone)(const void *ctx, const struct jr_route *r),
                              const void *ctx)
{
    const uint32_t before = tbl->n;

    tbl->n = 0;
    for (uint32_t i = 0; i < before; i++) {
        if (!gone(ctx, &tbl->v[i]))
            tbl->v[tbl->n++] = tbl->v[i];
    }
    regroup(tbl);
    return before - tbl->n;
}

const struct jr_route *jr_route_table_find(const struct jr_route_table *tbl, struct jr_addr dst)
{
    const uint8_t least = jr_addr_is_v4(dst) ? 96 : 0; /* shorter prefixes are IPv6's */

    for (uint32_t g = 0; g < tbl->n_groups && tbl->groups[g].bits >= least; g++) {
        const uint8_t bits = tbl->groups[g].bits;
        const struct jr_addr net = mask_bits(dst, bits);
        const uint32_t end = tbl->groups[g].end;
        uint32_t at = lower_bound(tbl, tbl->groups[g].first, end, net, bits, 0);

        for (; at < end && jr_addr_eq(tbl->v[at].conf.dst, net); at++) {
            const struct jr_netif *ifp = tbl->v[at].conf.ifp;
            if (!ifp || ifp->up)
                return &tbl->v[at];
        }
    }
    return NULL;
}
