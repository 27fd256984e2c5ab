/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour solicitations and advertisements (RFC 4861 7), duplicate address detection (RFC 4862 5.4, with the nonce of
 * RFC 7527), router solicitations (RFC 4861 6.3.7).
 */
#include "link/nd6.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "link/neigh.h"
#include "wire/ether.h"

enum { BODY_MAX = 1200, NONCE_LEN = 8, ALERT_LEN = 8, TARGET_AT = 8 };

struct jr_nd6 *jr_nd6_new(struct jr_rng *rng)
{
    struct jr_nd6 *nd = calloc(1, sizeof *nd);

    if (!nd)
        return NULL;
    for (unsigned i = 0; i < sizeof nd->nonce; i++)
        nd->nonce[i] = (uint8_t)jr_rng_u32(rng);
    nd->zone = 1;
    nd->retrans = JR_ND6_RETRANS;
    nd->dad_count = 1;
    nd->next_tick = JR_TIME_NEVER;
    return nd;
}

void jr_nd6_free(struct jr_nd6 *nd)
{
    free(nd->addrs);
    free(nd->groups);
    free(nd);
}

void jr_nd6_set_zone(struct jr_netif *ifp, uint16_t zone) { ifp->nd6->zone = zone; }

/* The kernel speaks for the port. */
static bool is_silent(const struct jr_netif *ifp) { return !ifp->up || ifp->hooks.neigh_ask; }

/* ---- Sending ---- */

static uint8_t *put_headers(uint8_t *p, const struct jr_netif *ifp, const struct jr_nd6_out *out, uint32_t len)
{
    const struct jr_ipv6 ip = {
        .src = out->src,
        .dst = out->dst,
        .payload_len = (uint16_t)(len + (out->alert ? ALERT_LEN : 0)),
        .proto = out->alert ? JR_IPPROTO_HOPOPTS : JR_IPPROTO_ICMPV6,
        .hlim = out->hlim,
    };
    static const uint8_t alert[ALERT_LEN] = {JR_IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0}; /* RFC 2711, then PadN */

    jr_ether_build(p, out->to ? *out->to : jr_ether_multicast(out->dst), ifp->mac, JR_ETHERTYPE_IPV6);
    jr_ipv6_build(p + JR_ETHER_HLEN, &ip);
    p += JR_ETHER_HLEN + JR_IPV6_HLEN;
    if (!out->alert)
        return p;
    memcpy(p, alert, sizeof alert);
    return p + sizeof alert;
}

bool jr_nd6_send(struct jr_netif *ifp, const struct jr_nd6_out *out, const struct jr_icmp6 *icmp, const uint8_t *body,
                 uint32_t len, jr_time now)
{
    const uint32_t head = JR_ETHER_HLEN + JR_IPV6_HLEN + (out->alert ? ALERT_LEN : 0);
    struct jr_pkt *pkt;
    uint8_t *p;

    if (is_silent(ifp))
        return false;
    pkt = jr_pkt_new(ifp->dev->tx_pool);
    if (!pkt) {
        jr_count(ifp->counters, JR_C_BASE_NOBUF);
        return false;
    }
    p = jr_pkt_put(pkt, head + JR_ICMP6_HLEN + len);
    if (!p) {
        jr_drop(ifp->counters, pkt, JR_C_BASE_NOBUF);
        return false;
    }
    p = put_headers(p, ifp, out, JR_ICMP6_HLEN + len);
    if (len)
        memcpy(p + JR_ICMP6_HLEN, body, len);
    jr_icmp6_build(p, JR_ICMP6_HLEN + len, icmp, out->src, out->dst);
    (void)jr_netif_tx(ifp, pkt, now);
    return true;
}

const struct jr_nd6_addr *jr_nd6_linklocal(const struct jr_netif *ifp)
{
    for (unsigned i = 0; i < ifp->nd6->n_addrs; i++) {
        const struct jr_nd6_addr *a = &ifp->nd6->addrs[i];
        if (jr_nd6_addr_usable(a) && jr_ipv6_is_linklocal(a->addr))
            return a;
    }
    return NULL;
}

/* The address to ask with: link-local for such, else one of the target's prefix, else any; the wildcard: none. */
static struct jr_addr asking_addr(const struct jr_netif *ifp, struct jr_addr target)
{
    const struct jr_nd6_addr *best = jr_nd6_linklocal(ifp);

    if (best && jr_ipv6_is_linklocal(target))
        return best->addr;
    for (unsigned i = 0; i < ifp->nd6->n_addrs; i++) {
        const struct jr_nd6_addr *a = &ifp->nd6->addrs[i];
        if (!jr_nd6_addr_usable(a))
            continue;
        if (a->plen >= 64 && a->addr.q[0] == target.q[0])
            return a->addr;
        if (!best)
            best = a;
    }
    return best ? best->addr : (struct jr_addr){.q = {0, 0}};
}

void jr_nd6_solicit(struct jr_netif *ifp, struct jr_addr addr, const struct jr_ether_addr *to, jr_time now)
{
    const struct jr_icmp6 icmp = {.type = JR_ICMP6_NEIGHBOR_SOLICIT};
    const struct jr_addr target = jr_ipv6_wire(addr);
    const struct jr_nd6_out out = {
        .src = asking_addr(ifp, addr),
        .dst = to ? addr : jr_ipv6_solicited_node(addr, ifp->nd6->zone),
        .hlim = JR_ND_HLIM,
        .to = to,
    };
    uint8_t body[16 + JR_ND_LLADDR_LEN];

    if (jr_ipv6_is_any(out.src))
        return;
    memcpy(body, target.b, 16);
    jr_nd_build_lladdr(body + 16, JR_ND_OPT_SOURCE_LLADDR, ifp->mac);
    if (jr_nd6_send(ifp, &out, &icmp, body, sizeof body, now))
        jr_count(ifp->counters, JR_C_ND6_TX_NS);
}

static void send_dad(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    const struct jr_icmp6 icmp = {.type = JR_ICMP6_NEIGHBOR_SOLICIT};
    const struct jr_addr target = jr_ipv6_wire(addr);
    const struct jr_nd6_out out = {.dst = jr_ipv6_solicited_node(addr, ifp->nd6->zone), .hlim = JR_ND_HLIM};
    uint8_t body[16 + NONCE_LEN] = {0};

    memcpy(body, target.b, 16);
    body[16] = JR_ND_OPT_NONCE;
    body[17] = NONCE_LEN / 8;
    memcpy(body + 18, ifp->nd6->nonce, sizeof ifp->nd6->nonce);
    if (jr_nd6_send(ifp, &out, &icmp, body, sizeof body, now))
        jr_count(ifp->counters, JR_C_ND6_TX_NS);
}

/* to: the asker, or the wildcard for everybody. */
static void advertise(struct jr_netif *ifp, struct jr_addr addr, struct jr_addr to, const struct jr_ether_addr *mac,
                      jr_time now)
{
    const bool solicited = !jr_ipv6_is_any(to);
    const struct jr_icmp6 icmp = {
        .type = JR_ICMP6_NEIGHBOR_ADVERT,
        .rest = JR_ND_NA_OVERRIDE | (solicited ? JR_ND_NA_SOLICITED : 0),
    };
    const struct jr_addr target = jr_ipv6_wire(addr);
    const struct jr_nd6_out out = {
        .src = addr,
        .dst = solicited ? to : jr_ipv6_set_zone(jr_ipv6_all_nodes(), ifp->nd6->zone),
        .hlim = JR_ND_HLIM,
        .to = solicited ? mac : NULL,
    };
    uint8_t body[16 + JR_ND_LLADDR_LEN];

    memcpy(body, target.b, 16);
    jr_nd_build_lladdr(body + 16, JR_ND_OPT_TARGET_LLADDR, ifp->mac);
    if (jr_nd6_send(ifp, &out, &icmp, body, sizeof body, now))
        jr_count(ifp->counters, JR_C_ND6_TX_NA);
}

static void send_rs(struct jr_netif *ifp, jr_time now)
{
    const struct jr_nd6_addr *ll = jr_nd6_linklocal(ifp);
    const struct jr_icmp6 icmp = {.type = JR_ICMP6_ROUTER_SOLICIT};
    const struct jr_nd6_out out = {
        .src = ll ? ll->addr : (struct jr_addr){.q = {0, 0}},
        .dst = jr_ipv6_set_zone(jr_ipv6_all_routers(), ifp->nd6->zone),
        .hlim = JR_ND_HLIM,
    };
    uint8_t body[JR_ND_LLADDR_LEN];

    jr_nd_build_lladdr(body, JR_ND_OPT_SOURCE_LLADDR, ifp->mac);
    if (jr_nd6_send(ifp, &out, &icmp, body, ll ? sizeof body : 0, now)) /* without an address no link address either */
        jr_count(ifp->counters, JR_C_ND6_TX_RS);
}

/* ---- Addresses ---- */

struct jr_nd6_addr *jr_nd6_addr_find(const struct jr_netif *ifp, struct jr_addr addr)
{
    for (unsigned i = 0; i < ifp->nd6->n_addrs; i++) {
        if (jr_addr_eq(ifp->nd6->addrs[i].addr, addr))
            return &ifp->nd6->addrs[i];
    }
    return NULL;
}

static void changed(struct jr_netif *ifp, jr_time now)
{
    if (ifp->l3.addr6_changed)
        ifp->l3.addr6_changed(ifp->l3.ctx, ifp, now);
}

static void start_dad(struct jr_netif *ifp, struct jr_nd6_addr *a, bool detect, jr_time now)
{
    a->state = JR_ND6_ASSIGNED;
    if (!detect || ifp->nd6->dad_count == 0 || is_silent(ifp))
        return;
    a->state = JR_ND6_TENTATIVE;
    a->dad_left = ifp->nd6->dad_count;
    /* RFC 4862 5.4.2: what many hosts do at once, as at a router's word, is spread */
    a->dad_at = a->autoconf ? now + jr_rng_below(ifp->rng, JR_SEC) : now;
    jr_nd6_due(ifp, a->dad_at);
}

int jr_nd6_addr_add(struct jr_netif *ifp, const struct jr_nd6_addr *addr, bool detect, jr_time now)
{
    struct jr_nd6 *nd = ifp->nd6;
    struct jr_nd6_addr *a = jr_nd6_addr_find(ifp, addr->addr);

    if (a) {
        a->plen = addr->plen;
        a->preferred_until = addr->preferred_until;
        a->valid_until = addr->valid_until;
    } else {
        struct jr_nd6_addr *grown;
        if (nd->n_addrs == JR_ND6_MAX_ADDRS)
            return -ENOSPC;
        grown = realloc(nd->addrs, (nd->n_addrs + 1) * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        nd->addrs = grown;
        a = &grown[nd->n_addrs++];
        *a = *addr;
        (void)jr_mld6_join(ifp, jr_ipv6_solicited_node(a->addr, ifp->nd6->zone), now);
        start_dad(ifp, a, detect, now);
    }
    jr_nd6_due(ifp, jr_min_u64(a->preferred_until, a->valid_until));
    return 0;
}

int jr_nd6_addr_del(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    struct jr_nd6 *nd = ifp->nd6;
    struct jr_nd6_addr *a = jr_nd6_addr_find(ifp, addr);

    if (!a)
        return -EADDRNOTAVAIL;
    jr_mld6_leave(ifp, jr_ipv6_solicited_node(addr, ifp->nd6->zone), now);
    nd->n_addrs--;
    memmove(a, a + 1, (size_t)(nd->addrs + nd->n_addrs - a) * sizeof *a);
    return 0;
}

bool jr_nd6_in_group(const struct jr_netif *ifp, struct jr_addr group)
{
    const struct jr_nd6 *nd = ifp->nd6;

    if (jr_ipv6_is_link_group(group) && jr_addr_eq(jr_ipv6_set_zone(group, 0), jr_ipv6_all_nodes()))
        return true;
    for (unsigned i = 0; i < nd->n_groups; i++) {
        if (nd->groups[i].refs && jr_addr_eq(nd->groups[i].addr, group))
            return true;
    }
    return false;
}

void jr_nd6_solicit_routers(struct jr_netif *ifp, jr_time now)
{
    if (is_silent(ifp))
        return;
    ifp->nd6->rs_left = JR_ND6_RTR_SOLICITS;
    ifp->nd6->rs_at = now + jr_rng_below(ifp->rng, JR_SEC);
    jr_nd6_due(ifp, ifp->nd6->rs_at);
}

void jr_nd6_router_answered(struct jr_netif *ifp) { ifp->nd6->rs_left = 0; }

/* ---- Receiving ---- */

static bool is_our_nonce(const struct jr_netif *ifp, const struct jr_nd6_rx *rx)
{
    struct jr_nd_opt opt;
    uint32_t at = 0;
    bool bad;

    while (jr_nd_next_opt(rx->p + JR_ND_NS_LEN, rx->len - JR_ND_NS_LEN, &at, &opt, &bad)) {
        if (opt.type == JR_ND_OPT_NONCE && opt.len == NONCE_LEN)
            return memcmp(opt.p + 2, ifp->nd6->nonce, sizeof ifp->nd6->nonce) == 0;
    }
    return false;
}

static void on_duplicate(struct jr_netif *ifp, struct jr_nd6_addr *a)
{
    jr_count(ifp->counters, JR_C_ND6_DUPLICATE);
    a->state = JR_ND6_DUPLICATED;
}

static struct jr_addr target_of(const struct jr_netif *ifp, const struct jr_nd6_rx *rx)
{
    struct jr_addr a;

    memcpy(a.b, rx->p + TARGET_AT, sizeof a.b);
    return jr_ipv6_set_zone(a, ifp->nd6->zone);
}

/* RFC 4861 7.1.1 and 7.2.3 */
static void on_solicit(struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    const struct jr_addr target = target_of(ifp, rx);
    const bool probe = jr_ipv6_is_any(rx->src);
    struct jr_ether_addr mac;
    const bool has_mac = jr_nd_find_lladdr(rx->p + JR_ND_NS_LEN, rx->len - JR_ND_NS_LEN, JR_ND_OPT_SOURCE_LLADDR, &mac);
    struct jr_nd6_addr *a = jr_nd6_addr_find(ifp, target);
    const struct jr_neigh *asker;

    if (probe && (has_mac || !jr_addr_eq(rx->dst, jr_ipv6_solicited_node(target, ifp->nd6->zone)))) {
        jr_count(ifp->counters, JR_C_ND6_BAD);
        return;
    }
    if (!a || a->state == JR_ND6_DUPLICATED) {
        jr_count(ifp->counters, JR_C_ND6_IGNORED);
        return;
    }
    if (a->state == JR_ND6_TENTATIVE) {
        if (probe && !is_our_nonce(ifp, rx))
            on_duplicate(ifp, a);
        return;
    }
    if (probe) {
        advertise(ifp, target, (struct jr_addr){.q = {0, 0}}, NULL, now);
        return;
    }
    if (has_mac && !jr_ether_is_group(mac))
        jr_neigh_heard(ifp, rx->src, mac, false, true, now);
    asker = jr_neigh_find(ifp->neigh, rx->src);
    if (asker && asker->state != JR_NEIGH_INCOMPLETE) {
        mac = asker->mac;
        advertise(ifp, target, rx->src, &mac, now);
    }
}

/* RFC 4861 7.1.2, 7.2.5, RFC 4862 5.4.4 */
static void on_advert(struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    const struct jr_addr target = target_of(ifp, rx);
    const bool solicited = rx->icmp.rest & JR_ND_NA_SOLICITED;
    struct jr_ether_addr mac;
    const bool has_mac = jr_nd_find_lladdr(rx->p + JR_ND_NA_LEN, rx->len - JR_ND_NA_LEN, JR_ND_OPT_TARGET_LLADDR, &mac);
    struct jr_nd6_addr *own = jr_nd6_addr_find(ifp, target);

    if ((solicited && jr_ipv6_is_multicast(rx->dst)) || (has_mac && jr_ether_is_group(mac))) {
        jr_count(ifp->counters, JR_C_ND6_BAD);
        return;
    }
    if (own) {
        if (own->state == JR_ND6_TENTATIVE)
            on_duplicate(ifp, own);
        else
            jr_count(ifp->counters, JR_C_ND6_CONFLICT);
        return;
    }
    if (!(rx->icmp.rest & JR_ND_NA_ROUTER) && ifp->l3.router_gone)
        ifp->l3.router_gone(ifp->l3.ctx, ifp, target, now);
    jr_neigh_advert(ifp, target, has_mac ? &mac : NULL, solicited, rx->icmp.rest & JR_ND_NA_OVERRIDE, now);
}

void jr_nd6_input(struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    const bool ns = rx->icmp.type == JR_ICMP6_NEIGHBOR_SOLICIT;

    jr_count(ifp->counters, ns ? JR_C_ND6_RX_NS : JR_C_ND6_RX_NA);
    if (rx->hlim != JR_ND_HLIM || rx->icmp.code != 0 || rx->len < JR_ND_NS_LEN ||
        !jr_nd_opts_ok(rx->p + JR_ND_NS_LEN, rx->len - JR_ND_NS_LEN) || rx->p[TARGET_AT] == 0xff)
        jr_count(ifp->counters, JR_C_ND6_BAD);
    else if (is_silent(ifp))
        jr_count(ifp->counters, JR_C_ND6_IGNORED);
    else if (ns)
        on_solicit(ifp, rx, now);
    else
        on_advert(ifp, rx, now);
}

/* ---- Time ---- */

static void dad_tick(struct jr_netif *ifp, struct jr_nd6_addr *a, jr_time now, bool *news)
{
    if (now >= a->dad_at && a->dad_left == 0) {
        a->state = JR_ND6_ASSIGNED;
        *news = true;
        return;
    }
    if (now >= a->dad_at) {
        a->dad_left--;
        a->dad_at = now + ifp->nd6->retrans;
        send_dad(ifp, a->addr, now);
    }
    jr_nd6_due(ifp, a->dad_at);
}

static void addrs_tick(struct jr_netif *ifp, jr_time now)
{
    struct jr_nd6 *nd = ifp->nd6;
    bool news = false;

    for (unsigned i = 0; i < nd->n_addrs; i++) {
        struct jr_nd6_addr *a = &nd->addrs[i];
        if (now >= a->valid_until) {
            jr_count(ifp->counters, JR_C_ND6_EXPIRED);
            (void)jr_nd6_addr_del(ifp, a->addr, now);
            i--;
            news = true;
            continue;
        }
        if (a->state == JR_ND6_TENTATIVE)
            dad_tick(ifp, a, now, &news);
        if (now < a->preferred_until)
            jr_nd6_due(ifp, a->preferred_until);
        else if (a->preferred_until)
            news = true, a->preferred_until = 0; /* deprecated: other sources are better now */
        jr_nd6_due(ifp, a->valid_until);
    }
    if (news)
        changed(ifp, now);
}

void jr_nd6_tick(struct jr_netif *ifp, jr_time now)
{
    struct jr_nd6 *nd = ifp->nd6;

    if (now < nd->next_tick)
        return;
    nd->next_tick = JR_TIME_NEVER;
    addrs_tick(ifp, now);
    if (nd->rs_left) {
        if (now >= nd->rs_at) {
            nd->rs_left--;
            nd->rs_at = now + JR_ND6_RTR_SOLICIT_INTERVAL;
            send_rs(ifp, now);
        }
        if (nd->rs_left)
            jr_nd6_due(ifp, nd->rs_at);
    }
    jr_nd6_due(ifp, jr_mld6_tick(ifp, now));
}
