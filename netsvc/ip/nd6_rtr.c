/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What routers tell on ports of our own: advertisements (RFC 4861 6.3.4, RFC 4862 5.5.3, preferences by RFC 4191)
 * become default routes, routes to prefixes, addresses and parameters of the link, each for its lifetime; redirects
 * (RFC 4861 8.3) become host routes. On shared ports the kernel listens to routers and rtnetlink tells the result.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/siphash.h"
#include "ip/stack6.h"
#include "link/neigh.h"
#include "wire/ether.h"

enum {
    ROUTERS_MAX = 8,
    PREFIXES_MAX = 32,
    REDIRECTS_MAX = 64,
    METRIC = 1024,
    METRIC_STEP = 16,
    METRIC_SILENT = 4096,
    PREFIX_OPT_MTU_LEN = 8
};
#define REDIRECT_LIFE (600 * JR_SEC) /* net.inet6.icmp6.redirtimeout */
#define TWO_HOURS (7200 * JR_SEC)

enum kind { ROUTER, PREFIX, REDIRECT, KINDS };

/* A route and its end. */
struct learned {
    struct jr_netif *ifp; /* NULL: free */
    struct jr_ip_route_conf conf;
    jr_time until;
    bool silent; /* a router that does not answer */
};

struct jr_nd6_rtr {
    struct learned routers[ROUTERS_MAX], prefixes[PREFIXES_MAX], redirects[REDIRECTS_MAX];
    jr_time next_tick;
};

static struct learned *table_of(struct jr_nd6_rtr *rtr, enum kind kind, unsigned *n)
{
    switch (kind) {
    case ROUTER:
        *n = ROUTERS_MAX;
        return rtr->routers;
    case PREFIX:
        *n = PREFIXES_MAX;
        return rtr->prefixes;
    default:
        *n = REDIRECTS_MAX;
        return rtr->redirects;
    }
}

static struct jr_nd6_rtr *rtr_of(struct jr_ip *ip)
{
    if (!ip->rtr && (ip->rtr = calloc(1, sizeof *ip->rtr)))
        ip->rtr->next_tick = JR_TIME_NEVER;
    return ip->rtr;
}

static void forget(struct jr_ip *ip, struct learned *l)
{
    (void)jr_ip_route_del(ip, l->conf.dst, l->conf.plen, l->conf.metric);
    l->ifp = NULL;
}

static jr_time ends(uint32_t seconds, jr_time now) { return seconds == ~0u ? JR_TIME_NEVER : now + seconds * JR_SEC; }

/* Room for one more: a free place, or for redirects that of the one which ends first. */
static struct learned *place(struct jr_ip *ip, enum kind kind)
{
    unsigned n;
    struct learned *t = table_of(ip->rtr, kind, &n), *first = &t[0];

    for (unsigned i = 0; i < n; i++) {
        if (!t[i].ifp)
            return &t[i];
        if (t[i].until < first->until)
            first = &t[i];
    }
    if (kind != REDIRECT) {
        jr_count(ip->counters, JR_C_ND6_FULL);
        return NULL;
    }
    forget(ip, first);
    return first;
}

/* Adds or renews a route; until now: it goes. by_gw: the gateway is part of what it is. */
static void learn(struct jr_ip *ip, enum kind kind, struct jr_netif *ifp, const struct jr_ip_route_conf *conf,
                  jr_time until, jr_time now)
{
    struct learned *t, *l = NULL;
    unsigned n;

    if (!rtr_of(ip))
        return;
    t = table_of(ip->rtr, kind, &n);
    for (unsigned i = 0; i < n && !l; i++) {
        if (t[i].ifp == ifp && t[i].conf.plen == conf->plen && jr_addr_eq(t[i].conf.dst, conf->dst) &&
            (kind != ROUTER || jr_addr_eq(t[i].conf.gw, conf->gw)))
            l = &t[i];
    }
    if (l)
        forget(ip, l);
    if (until <= now || (!l && !(l = place(ip, kind))))
        return;
    *l = (struct learned){.ifp = ifp, .conf = *conf, .until = until};
    l->conf.ifp = ifp;
    l->conf.metric += kind == ROUTER ? (uint32_t)(l - t) : 0; /* of equal preference the first */
    if (jr_ip_route_add(ip, &l->conf) != 0)
        l->ifp = NULL;
    ip->rtr->next_tick = jr_min_u64(ip->rtr->next_tick, until);
}

/* ---- Advertisements ---- */

/* RFC 4191 2.2: high 01, medium 00, low 11; the reserved 10 counts as medium. */
static uint32_t metric_of(uint8_t flags)
{
    switch (flags >> 3 & 3) {
    case 1:
        return METRIC;
    case 3:
        return METRIC + 2 * METRIC_STEP;
    default:
        return METRIC + METRIC_STEP;
    }
}

static bool has_stable_secret(const struct jr_ip *ip)
{
    static const uint8_t none[sizeof ip->cfg.stable_secret];

    return ip->cfg.ip6_use_stableaddr && memcmp(ip->cfg.stable_secret, none, sizeof none) != 0;
}

/* RFC 7217 5; 64 bits have room enough for those that RFC 5453 reserves never to come. */
static void stable_id(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr prefix, uint8_t tries,
                      uint8_t id[8])
{
    uint8_t in[15];

    memcpy(in, prefix.b, 8);
    memcpy(in + 8, ifp->mac.b, 6);
    in[14] = tries;
    const uint64_t h = jr_siphash(ip->cfg.stable_secret, in, sizeof in);
    memcpy(id, &h, sizeof h);
}

/* tries: how often others had what was made before. */
static struct jr_addr make_addr(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr prefix,
                                uint8_t tries)
{
    const uint8_t *m = ifp->mac.b;
    uint8_t id[8] = {m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}; /* RFC 4291 appendix A */

    if (has_stable_secret(ip))
        stable_id(ip, ifp, prefix, tries, id);
    memcpy(prefix.b + 8, id, sizeof id);
    return prefix;
}

/* The first of them that nobody else has (RFC 7217 6: three times more). */
static struct jr_addr choose_addr(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr prefix)
{
    struct jr_addr a = make_addr(ip, ifp, prefix, 0);

    for (uint8_t tries = 1; tries <= 3 && has_stable_secret(ip); tries++) {
        const struct jr_nd6_addr *have = jr_nd6_addr_find(ifp, a);
        if (!have || have->state != JR_ND6_DUPLICATED)
            break;
        a = make_addr(ip, ifp, prefix, tries);
    }
    return a;
}

/* RFC 4862 5.5.3 e: strangers can't end an address earlier than in two hours. */
static jr_time renewed(jr_time had, jr_time told, jr_time now)
{
    if (told >= had || told > now + TWO_HOURS)
        return told;
    return had <= now + TWO_HOURS ? had : now + TWO_HOURS;
}

static void autoconf(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd_prefix *p, jr_time now)
{
    struct jr_ip_addr6 conf = {
        .addr = choose_addr(ip, ifp, p->prefix),
        .plen = p->plen,
        .detect = true,
        .autoconf = true,
        .preferred_until = ends(p->preferred, now),
        .valid_until = ends(p->valid, now),
    };
    const struct jr_nd6_addr *have = jr_nd6_addr_find(ifp, conf.addr);

    if (p->plen != 64 || p->preferred > p->valid || (!have && p->valid == 0) || (have && !have->autoconf))
        return;
    if (have)
        conf.valid_until = renewed(have->valid_until, conf.valid_until, now);
    if (jr_ip_addr6_add(ip, ifp, &conf, false, now) != 0)
        jr_count(ip->counters, JR_C_ND6_FULL);
}

static void on_prefix(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd_prefix *p, jr_time now)
{
    const struct jr_ip_route_conf on_link = {.dst = jr_route_mask(p->prefix, p->plen), .plen = p->plen, .metric = 256};

    if (jr_ipv6_is_linklocal(p->prefix) || !jr_ipv6_is_host(make_addr(ip, ifp, p->prefix, 0)))
        return;
    if (p->on_link)
        learn(ip, PREFIX, ifp, &on_link, ends(p->valid, now), now);
    if (p->autonomous)
        autoconf(ip, ifp, p, now);
}

static void on_options(struct jr_ip *ip, struct jr_netif *ifp, const uint8_t *p, uint32_t len, jr_time now)
{
    struct jr_nd_prefix prefix;
    struct jr_nd_opt opt;
    uint32_t at = 0;
    bool bad;

    while (jr_nd_next_opt(p, len, &at, &opt, &bad)) {
        if (jr_nd_parse_prefix(&opt, &prefix)) {
            on_prefix(ip, ifp, &prefix, now);
        } else if (opt.type == JR_ND_OPT_MTU && opt.len == PREFIX_OPT_MTU_LEN) {
            const uint32_t mtu = jr_load_be32(opt.p + 4);
            if (mtu >= JR_IPV6_MIN_MTU && mtu <= ifp->mtu && mtu != ifp->nd6->link_mtu) {
                ifp->nd6->link_mtu = mtu;
                ip->generation++;
            }
        }
    }
}

static void on_advert(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    const struct jr_ip_route_conf dflt = {.gw = rx->src, .metric = metric_of(rx->p[5])};
    const uint32_t lifetime = jr_load_be16(rx->p + 6), retrans_ms = jr_load_be32(rx->p + 12);
    struct jr_ether_addr mac;

    jr_nd6_router_answered(ifp);
    if (rx->p[4])
        ifp->nd6->cur_hlim = rx->p[4];
    if (retrans_ms)
        ifp->nd6->retrans = jr_min_u64(retrans_ms, 3600000) * JR_MS;
    learn(ip, ROUTER, ifp, &dflt, now + lifetime * JR_SEC, now);
    if (jr_nd_find_lladdr(rx->p + JR_ND_RA_LEN, rx->len - JR_ND_RA_LEN, JR_ND_OPT_SOURCE_LLADDR, &mac) &&
        !jr_ether_is_group(mac))
        jr_neigh_heard(ifp, rx->src, mac, false, true, now);
    on_options(ip, ifp, rx->p + JR_ND_RA_LEN, rx->len - JR_ND_RA_LEN, now);
}

/* ---- Redirects ---- */

/* RFC 4861 8.1: only from the router that packets to dst go to now. */
static bool redirect_ok(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd6_rx *rx, struct jr_addr target,
                        struct jr_addr dst)
{
    struct jr_ip_route rt;

    if (!jr_ipv6_is_host(dst) || (!jr_ipv6_is_linklocal(target) && !jr_addr_eq(target, dst)))
        return false;
    return jr_ip_route(ip, dst, &rt) && !rt.local && rt.ifp == ifp && jr_addr_eq(rt.next_hop, rx->src);
}

static void on_redirect(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    struct jr_ip_route_conf conf = {.plen = 128};
    struct jr_addr target;
    struct jr_ether_addr mac;

    memcpy(target.b, rx->p + 8, sizeof target.b);
    memcpy(conf.dst.b, rx->p + 24, sizeof conf.dst.b);
    target = jr_ipv6_set_zone(target, ifp->nd6->zone);
    conf.dst = jr_ipv6_set_zone(conf.dst, ifp->nd6->zone);
    if (!redirect_ok(ip, ifp, rx, target, conf.dst)) {
        jr_count(ip->counters, JR_C_ND6_BAD);
        return;
    }
    jr_count(ip->counters, JR_C_ND6_REDIRECT);
    if (!jr_addr_eq(target, conf.dst))
        conf.gw = target;
    if (jr_nd_find_lladdr(rx->p + JR_ND_REDIRECT_LEN, rx->len - JR_ND_REDIRECT_LEN, JR_ND_OPT_TARGET_LLADDR, &mac) &&
        !jr_ether_is_group(mac))
        jr_neigh_heard(ifp, target, mac, false, true, now);
    learn(ip, REDIRECT, ifp, &conf, now + REDIRECT_LIFE, now);
}

void jr_nd6_rtr_input(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    const bool advert = rx->icmp.type == JR_ICMP6_ROUTER_ADVERT;
    const uint32_t fixed = advert ? JR_ND_RA_LEN : JR_ND_REDIRECT_LEN;

    if (advert)
        jr_count(ip->counters, JR_C_ND6_RX_RA);
    if (rx->hlim != JR_ND_HLIM || rx->icmp.code != 0 || !jr_ipv6_is_linklocal(rx->src) || rx->len < fixed ||
        !jr_nd_opts_ok(rx->p + fixed, rx->len - fixed))
        jr_count(ip->counters, JR_C_ND6_BAD);
    else if (ifp->hooks.neigh_ask || !(advert ? ifp->nd6->accept_rtadv : ip->cfg.icmp6_rediraccept))
        jr_count(ip->counters, JR_C_ND6_IGNORED);
    else if (advert)
        on_advert(ip, ifp, rx, now);
    else
        on_redirect(ip, ifp, rx, now);
}

/* ---- The end of what was learned ---- */

/* Forgets all for which gone() is true. */
static void sweep(struct jr_ip *ip, bool (*gone)(const struct learned *l, const void *ctx), const void *ctx)
{
    for (int kind = ROUTER; ip->rtr && kind < KINDS; kind++) {
        unsigned n;
        struct learned *t = table_of(ip->rtr, (enum kind)kind, &n);
        for (unsigned i = 0; i < n; i++) {
            if (t[i].ifp && gone(&t[i], ctx))
                forget(ip, &t[i]);
        }
    }
}

struct gateway {
    const struct jr_netif *ifp;
    struct jr_addr addr;
};

static bool goes_by(const struct learned *l, const void *ctx)
{
    const struct gateway *gw = ctx;

    return l->ifp == gw->ifp && !jr_addr_is_any(l->conf.gw) && jr_addr_eq(l->conf.gw, gw->addr);
}

/* RFC 4861 7.2.5: a router that became a host. */
void jr_nd6_rtr_gone(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    const struct gateway gw = {ifp, addr};

    (void)now;
    sweep(ctx, goes_by, &gw);
}

static void prefer(struct jr_ip *ip, struct learned *l, bool silent)
{
    if (l->silent == silent)
        return;
    (void)jr_ip_route_del(ip, l->conf.dst, l->conf.plen, l->conf.metric);
    l->conf.metric += silent ? METRIC_SILENT : -METRIC_SILENT;
    l->silent = silent;
    if (jr_ip_route_add(ip, &l->conf) != 0)
        l->ifp = NULL;
}

/* RFC 4861 6.3.6: routers that may answer come first; where none does, each has its turn. */
void jr_nd6_rtr_silent(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    const struct gateway gw = {ifp, addr};
    struct jr_ip *ip = ctx;
    struct learned *failed = NULL;
    bool others = false;

    (void)now;
    for (unsigned i = 0; ip->rtr && i < ROUTERS_MAX; i++) {
        struct learned *l = &ip->rtr->routers[i];
        if (l->ifp && goes_by(l, &gw))
            failed = l;
        else if (l->ifp)
            others |= !l->silent;
    }
    if (!failed)
        return;
    for (unsigned i = 0; !others && i < ROUTERS_MAX; i++)
        if (ip->rtr->routers[i].ifp)
            prefer(ip, &ip->rtr->routers[i], false);
    prefer(ip, failed, true);
}

static bool is_of(const struct learned *l, const void *ctx) { return l->ifp == ctx; }

void jr_nd6_rtr_forget(struct jr_ip *ip, const struct jr_netif *ifp) { sweep(ip, is_of, ifp); }

static bool is_over(const struct learned *l, const void *ctx) { return l->until <= *(const jr_time *)ctx; }

void jr_nd6_rtr_tick(struct jr_ip *ip, jr_time now)
{
    if (!ip->rtr || now < ip->rtr->next_tick)
        return;
    sweep(ip, is_over, &now);
    ip->rtr->next_tick = JR_TIME_NEVER;
    for (int kind = ROUTER; kind < KINDS; kind++) {
        unsigned n;
        const struct learned *t = table_of(ip->rtr, (enum kind)kind, &n);
        for (unsigned i = 0; i < n; i++) {
            if (t[i].ifp)
                ip->rtr->next_tick = jr_min_u64(ip->rtr->next_tick, t[i].until);
        }
    }
}

jr_time jr_nd6_rtr_next_tick(const struct jr_ip *ip) { return ip->rtr ? ip->rtr->next_tick : JR_TIME_NEVER; }
