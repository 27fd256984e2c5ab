/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 3376 5: a change is reported at once and again within a second, a query is answered within the time it gives.
 * Section 7.2: while an older router is on the link, its version is spoken.
 */
#include "ip/igmp.h"

#include <string.h>

#include "ip/stack.h"
#include "link/netif.h"
#include "wire/igmp.h"

#define UNSOLICITED_INTERVAL (1 * JR_SEC)    /* RFC 3376 8.11 */
#define OLDER_QUERIER_PRESENT (260 * JR_SEC) /* 8.12 with the defaults: robustness x 125 s + 10 s */
enum { ROBUSTNESS = 2, RECORDS_ROOM = 1200, TOS_INTERNETWORK_CONTROL = 0xc0 };

static const uint8_t router_alert[4] = {148, 4, 0, 0}; /* RFC 2113 */

static struct jr_igmp_if *if_of(struct jr_ip *ip, struct jr_netif *ifp)
{
    struct jr_igmp_if *spare = NULL;

    for (unsigned i = 0; i < JR_MCAST_IFS; i++) {
        if (ip->mcast.ifs[i].ifp == ifp)
            return &ip->mcast.ifs[i];
        if (!ip->mcast.ifs[i].ifp && !spare)
            spare = &ip->mcast.ifs[i];
    }
    if (spare)
        *spare = (struct jr_igmp_if){.ifp = ifp, .answer_at = JR_TIME_NEVER, .robustness = ROBUSTNESS};
    return spare;
}

static unsigned version_of(const struct jr_ip *ip, const struct jr_igmp_if *i, jr_time now)
{
    if (now < i->v1_until || ip->cfg.igmp_default_version == 1)
        return 1;
    return now < i->v2_until || ip->cfg.igmp_default_version == 2 ? 2 : 3;
}

static bool is_reported(const struct jr_ip *ip, const struct jr_mcast_group *g)
{
    if (ip->cfg.shared || jr_addr_to_v4(g->addr) == jr_be32(0xe0000001))
        return false;
    return ip->cfg.igmp_sendlocal || g->addr.b[12] != 224 || g->addr.b[13] || g->addr.b[14];
}

static void send_message(struct jr_ip *ip, struct jr_netif *ifp, struct jr_addr dst, const uint8_t *msg, uint32_t len,
                         jr_time now)
{
    struct jr_ip_tx tx = {.dst = dst, .proto = JR_IPPROTO_IGMP, .tos = TOS_INTERNETWORK_CONTROL, .ttl = 1};
    struct jr_ip_route rt;

    if (!jr_ip_route_by(ip, dst, ifp, &rt))
        return;
    tx.src = rt.src;
    if (ip->cfg.igmp_sendra) {
        tx.opts = router_alert;
        tx.opts_len = sizeof router_alert;
    }
    jr_count(ip->counters, JR_C_IGMP_TX);
    (void)jr_ip_output_gather(ip, &tx, &rt, msg, len, NULL, 0, NULL, 0, now);
}

static void send_old(struct jr_ip *ip, const struct jr_mcast_group *g, uint8_t type, jr_time now)
{
    const struct jr_addr all_routers = jr_addr_v4(jr_be32(0xe0000002));
    uint8_t msg[JR_IGMP_HLEN];

    jr_igmp_build(msg, type, g->addr);
    send_message(ip, g->ifp, type == JR_IGMP_V2_LEAVE ? all_routers : g->addr, msg, sizeof msg, now);
}

/* A report of version 3 as it grows; full ones leave. */
struct report {
    struct jr_ip *ip;
    struct jr_netif *ifp;
    jr_time now;
    uint32_t len;
    uint16_t n;
    uint8_t msg[RECORDS_ROOM];
};

static void report_send(struct report *r)
{
    if (r->n) {
        jr_igmp_build_report(r->msg, r->len, r->n);
        send_message(r->ip, r->ifp, jr_addr_v4(jr_be32(0xe0000016)), r->msg, r->len, r->now);
    }
    r->len = JR_IGMP_HLEN;
    r->n = 0;
}

static void report_add(struct report *r, enum jr_igmp_record type, struct jr_addr group, const struct jr_addr *src,
                       uint16_t n_src)
{
    if (r->len + 8 + 4u * n_src > sizeof r->msg)
        report_send(r);
    jr_igmp_build_record(r->msg + r->len, type, n_src, group);
    r->len += 8;
    for (unsigned i = 0; i < n_src; i++, r->len += 4)
        jr_store_raw32(r->msg + r->len, jr_addr_to_v4(src[i]));
    r->n++;
}

static bool has(const struct jr_mcast_if_filter *f, struct jr_addr src)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (jr_addr_eq(f->src[i], src))
            return true;
    }
    return false;
}

/* The sources of a that b has not, as a record if there are any. */
static void report_difference(struct report *r, enum jr_igmp_record type, const struct jr_mcast_group *g,
                              const struct jr_mcast_if_filter *a, const struct jr_mcast_if_filter *b)
{
    struct jr_addr src[JR_MCAST_IF_SOURCES];
    uint16_t n = 0;

    for (unsigned i = 0; i < a->n; i++) {
        if (!has(b, a->src[i]))
            src[n++] = a->src[i];
    }
    if (n)
        report_add(r, type, g->addr, src, n);
}

static void report_change(struct jr_ip *ip, const struct jr_mcast_group *g, jr_time now)
{
    struct report r = {.ip = ip, .ifp = g->ifp, .now = now, .len = JR_IGMP_HLEN};
    const struct jr_mcast_if_filter *a = &g->known, *b = &g->now;

    if (g->tell_all || a->exclude != b->exclude) {
        report_add(&r, b->exclude ? JR_IGMP_TO_EX : JR_IGMP_TO_IN, g->addr, b->src, b->n);
    } else {
        report_difference(&r, JR_IGMP_ALLOW, g, b->exclude ? a : b, b->exclude ? b : a);
        report_difference(&r, JR_IGMP_BLOCK, g, b->exclude ? b : a, b->exclude ? a : b);
    }
    report_send(&r);
}

static bool is_nobody(const struct jr_mcast_if_filter *f) { return !f->exclude && f->n == 0; }

static void next_change(struct jr_ip *ip, struct jr_mcast_group *g, jr_time now)
{
    if (--g->reports_left == 0) {
        g->known = g->now;
        g->tell_all = false;
        g->change_at = JR_TIME_NEVER;
        return;
    }
    g->change_at = now + 1 + jr_rng_below(ip->rng, UNSOLICITED_INTERVAL);
    jr_mcast_due(&ip->mcast, g->change_at);
}

static void tell_change(struct jr_ip *ip, struct jr_mcast_group *g, unsigned version, jr_time now)
{
    if (version == 3) {
        report_change(ip, g, now);
    } else if (!is_nobody(&g->now)) {
        send_old(ip, g, version == 1 ? JR_IGMP_V1_REPORT : JR_IGMP_V2_REPORT, now);
        g->last_reporter = true;
    } else {
        if (version == 2 && g->last_reporter)
            send_old(ip, g, JR_IGMP_V2_LEAVE, now);
        g->reports_left = 1;
    }
    next_change(ip, g, now);
}

void jr_igmp_changed(struct jr_ip *ip, struct jr_mcast_group *g, jr_time now)
{
    struct jr_igmp_if *i = if_of(ip, g->ifp);

    if (!i || !is_reported(ip, g)) {
        g->known = g->now;
        return;
    }
    /* what was told meanwhile may or may not have arrived: only the whole state is safe to tell */
    g->tell_all |= g->reports_left != 0;
    g->reports_left = i->robustness;
    if (is_nobody(&g->now))
        g->answer_at = JR_TIME_NEVER;
    tell_change(ip, g, version_of(ip, i, now), now);
}

static void report_state(struct report *r, const struct jr_mcast_group *g)
{
    if (!is_nobody(&g->now))
        report_add(r, g->now.exclude ? JR_IGMP_IS_EX : JR_IGMP_IS_IN, g->addr, g->now.src, g->now.n);
}

/* RFC 3376 5.2: of the sources that were asked about, those that are wanted. */
static void report_asked(struct report *r, const struct jr_mcast_group *g)
{
    struct jr_addr src[JR_MCAST_SOURCES];
    uint16_t n = 0;

    for (unsigned i = 0; i < g->n_asked; i++) {
        if (has(&g->now, g->asked[i]) != g->now.exclude)
            src[n++] = g->asked[i];
    }
    if (n)
        report_add(r, JR_IGMP_IS_IN, g->addr, src, n);
}

static void answer(struct jr_ip *ip, struct jr_mcast_group *g, unsigned version, jr_time now)
{
    struct report r = {.ip = ip, .ifp = g->ifp, .now = now, .len = JR_IGMP_HLEN};

    g->answer_at = JR_TIME_NEVER;
    if (version < 3) {
        send_old(ip, g, version == 1 ? JR_IGMP_V1_REPORT : JR_IGMP_V2_REPORT, now);
        g->last_reporter = true;
        return;
    }
    if (g->answer_all)
        report_state(&r, g);
    else
        report_asked(&r, g);
    report_send(&r);
}

void jr_igmp_group_tick(struct jr_ip *ip, struct jr_mcast_group *g, jr_time now)
{
    const struct jr_igmp_if *i = if_of(ip, g->ifp);

    if (!i)
        return;
    if (now >= g->change_at)
        tell_change(ip, g, version_of(ip, i, now), now);
    if (now >= g->answer_at)
        answer(ip, g, version_of(ip, i, now), now);
    jr_mcast_due(&ip->mcast, jr_min_u64(g->change_at, g->answer_at));
}

void jr_igmp_if_tick(struct jr_ip *ip, struct jr_igmp_if *i, jr_time now)
{
    struct report r = {.ip = ip, .ifp = i->ifp, .now = now, .len = JR_IGMP_HLEN};

    if (now >= i->answer_at) {
        i->answer_at = JR_TIME_NEVER;
        JR_LIST_EACH(l, &ip->mcast.groups) {
            const struct jr_mcast_group *g = JR_LIST_ENTRY(l, struct jr_mcast_group, link);
            if (g->ifp == i->ifp && is_reported(ip, g))
                report_state(&r, g);
        }
        report_send(&r);
    }
    jr_mcast_due(&ip->mcast, i->answer_at);
}

/* RFC 3376 5.2, rules 3 to 5. */
static void ask_group(struct jr_ip *ip, struct jr_mcast_group *g, const struct jr_igmp *q, jr_time at)
{
    const bool pending = g->answer_at != JR_TIME_NEVER;

    if (!pending)
        g->n_asked = 0;
    g->answer_all = (pending && g->answer_all) || q->n_src == 0 || g->n_asked + q->n_src > JR_MCAST_SOURCES;
    for (unsigned i = 0; i < q->n_src && !g->answer_all; i++)
        g->asked[g->n_asked++] = jr_addr_v4(jr_load_raw32(q->src + 4 * i));
    g->answer_at = jr_min_u64(g->answer_at, at);
    jr_mcast_due(&ip->mcast, g->answer_at);
}

static jr_time soon(struct jr_ip *ip, uint32_t max_ds, jr_time now)
{
    return now + 1 + jr_rng_below(ip->rng, jr_max_u32(max_ds, 1) * 100 * JR_MS);
}

static void on_query(struct jr_ip *ip, struct jr_igmp_if *i, const struct jr_igmp *q, jr_time now)
{
    const bool general = jr_addr_is_any(q->group);
    const jr_time at = soon(ip, q->max_resp_ds, now);

    if (q->version == 1)
        i->v1_until = now + OLDER_QUERIER_PRESENT;
    if (q->version == 2)
        i->v2_until = now + OLDER_QUERIER_PRESENT;
    if (q->version == 3 && q->qrv)
        i->robustness = q->qrv;
    if (i->answer_at <= at) /* rule 1: that answer says it all */
        return;
    if (general && version_of(ip, i, now) == 3) {
        i->answer_at = at;
        jr_mcast_due(&ip->mcast, at);
        return;
    }
    JR_LIST_EACH(l, &ip->mcast.groups) {
        struct jr_mcast_group *g = JR_LIST_ENTRY(l, struct jr_mcast_group, link);
        if (g->ifp == i->ifp && is_reported(ip, g) && !is_nobody(&g->now) && (general || jr_addr_eq(g->addr, q->group)))
            ask_group(ip, g, q, general ? soon(ip, q->max_resp_ds, now) : at);
    }
}

/* Another host of the group has answered for all, as far as older versions go (RFC 2236 3). */
static void on_report(struct jr_ip *ip, const struct jr_igmp_if *i, const struct jr_igmp *m, jr_time now)
{
    if (m->version == 3 || (version_of(ip, i, now) == 3 && !ip->cfg.igmp_legacysupp))
        return;
    JR_LIST_EACH(l, &ip->mcast.groups) {
        struct jr_mcast_group *g = JR_LIST_ENTRY(l, struct jr_mcast_group, link);
        if (g->ifp == i->ifp && jr_addr_eq(g->addr, m->group)) {
            g->answer_at = JR_TIME_NEVER;
            g->last_reporter = false;
        }
    }
}

/* Group queries go to the group, or to all systems; general ones only to all systems. */
static bool is_query_sound(const struct jr_ip *ip, const struct jr_igmp *q, const struct jr_ip_rx *rx)
{
    const bool all_systems = jr_addr_to_v4(rx->dst) == jr_be32(0xe0000001);

    if ((q->version == 1 && !ip->cfg.igmp_v1enable) || (q->version == 2 && !ip->cfg.igmp_v2enable))
        return false;
    if (jr_addr_is_any(q->group))
        return all_systems && q->n_src == 0;
    return q->version > 1 && jr_ipv4_is_multicast(q->group) && (all_systems || jr_addr_eq(rx->dst, q->group));
}

void jr_igmp_input(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    struct jr_igmp_if *i = if_of(ip, rx->ifp);
    struct jr_igmp m;
    const enum jr_counter bad = jr_igmp_parse(jr_pkt_data(pkt), pkt->len, &m);

    jr_count(ip->counters, JR_C_IGMP_RX);
    if (bad != JR_WIRE_OK)
        jr_count(ip->counters, bad);
    else if (rx->ttl != 1 || !i || ip->cfg.shared)
        jr_count(ip->counters, JR_C_IGMP_IGNORED);
    else if (m.type == JR_IGMP_QUERY && is_query_sound(ip, &m, rx))
        on_query(ip, i, &m, now);
    else if (m.type == JR_IGMP_V1_REPORT || m.type == JR_IGMP_V2_REPORT)
        on_report(ip, i, &m, now);
    else
        jr_count(ip->counters, JR_C_IGMP_IGNORED);
    jr_pkt_free(pkt);
}
