/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's part of MLDv2 (RFC 3810 6) without source filters: a group is joined or it is not. Changes are reported
 * twice, queries answered after a random time, one report for all groups whose time has come. Queriers of the first
 * version (RFC 2710) get its reports. The all-nodes group is never reported.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "link/nd6.h"

enum {
    RECORD_LEN = 20,
    RECORDS_MAX = 50,
    QUERY1_LEN = 24,
    QUERY2_LEN = 28,
    MODE_IS_EXCLUDE = 2,
    CHANGE_TO_INCLUDE = 3,
    CHANGE_TO_EXCLUDE = 4,
};
#define UNSOLICITED_INTERVAL (1 * JR_SEC)
#define OLDER_QUERIER_PRESENT (260 * JR_SEC) /* RFC 3810 9.12 with the defaults */

static struct jr_nd6_group *find(const struct jr_nd6 *nd, struct jr_addr group)
{
    for (unsigned i = 0; i < nd->n_groups; i++) {
        if (jr_addr_eq(nd->groups[i].addr, group))
            return &nd->groups[i];
    }
    return NULL;
}

/* RFC 3810 6.1: what changed is told at once and again. */
static void report_change(struct jr_netif *ifp, struct jr_nd6_group *g, jr_time now)
{
    g->reports_left = JR_MLD6_ROBUSTNESS;
    g->change_at = now;
    jr_nd6_due(ifp, now);
}

int jr_mld6_join(struct jr_netif *ifp, struct jr_addr group, jr_time now)
{
    struct jr_nd6 *nd = ifp->nd6;
    struct jr_nd6_group *g = find(nd, group);

    if (!g) {
        struct jr_nd6_group *grown;
        if (nd->n_groups == JR_ND6_MAX_GROUPS)
            return -ENOSPC;
        grown = realloc(nd->groups, (nd->n_groups + 1) * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        nd->groups = grown;
        g = &grown[nd->n_groups++];
        *g = (struct jr_nd6_group){.addr = group, .answer_at = JR_TIME_NEVER};
    }
    if (g->refs++ == 0)
        report_change(ifp, g, now);
    return 0;
}

void jr_mld6_leave(struct jr_netif *ifp, struct jr_addr group, jr_time now)
{
    struct jr_nd6_group *g = find(ifp->nd6, group);

    if (!g || g->refs == 0 || --g->refs)
        return;
    g->answer_at = JR_TIME_NEVER;
    report_change(ifp, g, now); /* forgotten when that is done */
}

static bool speaks_v1(const struct jr_netif *ifp, jr_time now) { return now < ifp->nd6->mld1_until; }

static void send_v1(struct jr_netif *ifp, const struct jr_nd6_group *g, jr_time now)
{
    const struct jr_nd6_addr *ll = jr_nd6_linklocal(ifp);
    const struct jr_icmp6 icmp = {.type = g->refs ? JR_ICMP6_MLD1_REPORT : JR_ICMP6_MLD1_DONE};
    const struct jr_addr group = jr_ipv6_wire(g->addr);
    const struct jr_nd6_out out = {
        .src = ll ? ll->addr : (struct jr_addr){.q = {0, 0}},
        .dst = g->refs ? g->addr : jr_ipv6_set_zone(jr_ipv6_all_routers(), ifp->nd6->zone),
        .hlim = 1,
        .alert = true,
    };

    if (jr_nd6_send(ifp, &out, &icmp, group.b, sizeof group.b, now))
        jr_count(ifp->counters, JR_C_MLD6_TX);
}

static void send_records(struct jr_netif *ifp, const uint8_t *records, unsigned n, jr_time now)
{
    const struct jr_nd6_addr *ll = jr_nd6_linklocal(ifp);
    const struct jr_icmp6 icmp = {.type = JR_ICMP6_MLD2_REPORT, .rest = n};
    const struct jr_nd6_out out = {
        .src = ll ? ll->addr : (struct jr_addr){.q = {0, 0}}, /* RFC 3590 */
        .dst = jr_ipv6_set_zone((struct jr_addr){.b = {0xff, 2, [15] = 0x16}}, ifp->nd6->zone),
        .hlim = 1,
        .alert = true,
    };

    if (jr_nd6_send(ifp, &out, &icmp, records, n * RECORD_LEN, now))
        jr_count(ifp->counters, JR_C_MLD6_TX);
}

/* What of the group has to be told now; 0: nothing. */
static uint8_t record_due(struct jr_netif *ifp, struct jr_nd6_group *g, jr_time now)
{
    uint8_t type = 0;

    if (g->answer_at <= now) {
        g->answer_at = JR_TIME_NEVER;
        type = MODE_IS_EXCLUDE;
    }
    if (g->reports_left && g->change_at <= now) {
        g->reports_left--;
        g->change_at = now + jr_rng_below(ifp->rng, UNSOLICITED_INTERVAL);
        type = g->refs ? CHANGE_TO_EXCLUDE : CHANGE_TO_INCLUDE;
    }
    return type;
}

static void forget_left(struct jr_nd6 *nd)
{
    for (unsigned i = 0; i < nd->n_groups; i++) {
        if (nd->groups[i].refs == 0 && nd->groups[i].reports_left == 0)
            nd->groups[i--] = nd->groups[--nd->n_groups];
    }
}

jr_time jr_mld6_tick(struct jr_netif *ifp, jr_time now)
{
    struct jr_nd6 *nd = ifp->nd6;
    uint8_t records[RECORDS_MAX * RECORD_LEN];
    jr_time next = JR_TIME_NEVER;
    unsigned n = 0;

    for (unsigned i = 0; i < nd->n_groups; i++) {
        struct jr_nd6_group *g = &nd->groups[i];
        const uint8_t type = record_due(ifp, g, now);
        if (type && speaks_v1(ifp, now)) {
            send_v1(ifp, g, now);
        } else if (type) {
            const struct jr_addr group = jr_ipv6_wire(g->addr);
            uint8_t *r = records + n++ * RECORD_LEN;
            jr_store_be32(r, (uint32_t)type << 24);
            memcpy(r + 4, group.b, sizeof group.b);
        }
        if (n == RECORDS_MAX) {
            send_records(ifp, records, n, now);
            n = 0;
        }
        if (g->reports_left && g->change_at < next)
            next = g->change_at;
        if (g->answer_at < next)
            next = g->answer_at;
    }
    if (n)
        send_records(ifp, records, n, now);
    forget_left(nd);
    return next;
}

/* RFC 3810 5.1.3: milliseconds, as a float from 32768 on. */
static jr_time max_delay(const struct jr_nd6_rx *rx)
{
    const uint32_t code = rx->icmp.rest >> 16;

    if (rx->len == QUERY1_LEN || code < 0x8000)
        return code * JR_MS;
    return ((jr_time)((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3)) * JR_MS;
}

static void on_query(struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    struct jr_nd6 *nd = ifp->nd6;
    const uint32_t within = (uint32_t)jr_min_u64(max_delay(rx), UINT32_MAX);
    struct jr_addr group;

    memcpy(group.b, rx->p + JR_ICMP6_HLEN, sizeof group.b);
    group = jr_ipv6_set_zone(group, nd->zone);
    if (rx->len == QUERY1_LEN)
        nd->mld1_until = now + OLDER_QUERIER_PRESENT;
    for (unsigned i = 0; i < nd->n_groups; i++) {
        struct jr_nd6_group *g = &nd->groups[i];
        const jr_time at = now + jr_rng_below(ifp->rng, within);
        if (g->refs == 0 || (!jr_ipv6_is_any(group) && !jr_addr_eq(g->addr, group)))
            continue;
        g->answer_at = jr_min_u64(g->answer_at, at);
        jr_nd6_due(ifp, g->answer_at);
    }
}

void jr_mld6_input(struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    jr_count(ifp->counters, JR_C_MLD6_RX);
    if (ifp->hooks.neigh_ask || rx->icmp.type != JR_ICMP6_MLD_QUERY)
        return;
    /* RFC 3810 6.2 */
    if (rx->hlim != 1 || !jr_ipv6_is_linklocal(rx->src) || (rx->len != QUERY1_LEN && rx->len < QUERY2_LEN)) {
        jr_count(ifp->counters, JR_C_MLD6_BAD);
        return;
    }
    on_query(ifp, rx, now);
}
