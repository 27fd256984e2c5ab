/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets to the wire: RFC 791, RFC 1122 3.3.1 and 3.2.2.1, ids by RFC 6864 and RFC 7739 5.3, PMTU by RFC 1191. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/siphash.h"
#include "ip/stack6.h"

/* To every station: by the route that covers it, else by the first port that could. */
static const struct jr_netif *netif_for_group(const struct jr_ip *ip)
{
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        if (ip->netifs[i]->up && ip->netifs[i]->n_addrs)
            return ip->netifs[i];
    }
    return NULL;
}

uint32_t jr_ip_offloads_of(const struct jr_netif *ifp)
{
    const uint32_t caps = ifp->dev->caps;

    return (caps & JR_DEV_TX_IP_CSUM ? JR_PKT_TX_IP_CSUM : 0) | (caps & JR_DEV_TX_L4_CSUM ? JR_PKT_TX_L4_CSUM : 0) |
           (caps & JR_DEV_TX_TSO ? JR_PKT_TX_TSO : 0);
}

static bool route_to_group(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    const struct jr_route *r = jr_route_table_find(&ip->routes, dst);
    const struct jr_netif *ifp = r ? r->conf.ifp : netif_for_group(ip);

    if (!ifp)
        return false;
    out->ifp = (struct jr_netif *)ifp;
    out->next_hop = dst;
    out->src = r && !jr_addr_is_any(r->conf.src) ? r->conf.src : jr_ip_source_for(ip, ifp, dst);
    out->mtu = out->ifp_mtu = ifp->mtu;
    out->tx_offloads = jr_ip_offloads_of(ifp);
    out->broadcast = true;
    return true;
}

static bool route_to_host(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    const struct jr_route *r = jr_route_table_find(&ip->routes, dst);
    const struct jr_pmtu_entry *path = jr_pmtu_find(&ip->pmtu, dst, ip->now);

    if (!r || !r->conf.ifp)
        return false;
    out->ifp = r->conf.ifp;
    out->next_hop = jr_addr_is_any(r->conf.gw) ? dst : r->conf.gw;
    if (JR_UNLIKELY(ip->n_redirects) && !jr_addr_is_any(r->conf.gw)) {
        const struct jr_redirect *other = jr_redirect_find(ip, dst, ip->now);
        if (other)
            out->next_hop = other->gw;
    }
    out->src = jr_addr_is_any(r->conf.src) ? jr_ip_source_for(ip, out->ifp, out->next_hop) : r->conf.src;
    out->mtu = out->ifp_mtu = out->ifp->mtu;
    if (r->conf.mtu && r->conf.mtu < out->mtu)
        out->mtu = r->conf.mtu;
    if (path && path->mtu < out->mtu) {
        out->mtu = path->mtu;
        out->no_df = path->no_df;
    }
    out->tx_offloads = jr_ip_offloads_of(out->ifp);
    out->broadcast = jr_ip_is_broadcast(out->ifp, dst);
    return true;
}

/* To this host itself, which is its own source as well, or to everybody in 127.0.0.0/8. */
static bool route_to_self(const struct jr_ip *ip, struct jr_addr dst, bool broadcast, struct jr_ip_route *out)
{
    struct jr_netif *lo = ip->lo;

    *out = (struct jr_ip_route){.ifp = lo, .next_hop = dst, .src = dst, .broadcast = broadcast, .loop = true};
    if (jr_addr_is_v4(dst) && jr_ipv4_is_loopback(dst))
        out->src = lo->addrs[0].addr;
    out->mtu = out->ifp_mtu = lo->mtu;
    out->tx_offloads = jr_ip_offloads_of(lo);
    return true;
}

bool jr_ip_route(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    struct jr_netif *own = jr_ip_local_find(ip, dst);

    memset(out, 0, sizeof *out);
    if (own && ip->lo)
        return route_to_self(ip, dst, false, out);
    if (own) {
        *out = (struct jr_ip_route){
            .ifp = own, .next_hop = dst, .src = dst, .mtu = own->mtu, .ifp_mtu = own->mtu, .local = true};
        return true;
    }
    if (!jr_addr_is_v4(dst))
        return jr_ip6_route(ip, dst, out);
    if (jr_ipv4_is_loopback(dst) && ip->lo)
        return route_to_self(ip, dst, true, out);
    if (jr_ipv4_is_loopback(dst) || jr_ipv4_is_zeronet(dst))
        return false;
    if (jr_ipv4_is_multicast(dst) || jr_ipv4_is_broadcast(dst))
        return route_to_group(ip, dst, out);
    return route_to_host(ip, dst, out);
}

bool jr_ip_route_by(struct jr_ip *ip, struct jr_addr dst, struct jr_netif *ifp, struct jr_ip_route *out)
{
    if (jr_ip_route(ip, dst, out) && (out->ifp == ifp || out->local || out->loop))
        return true;
    if (!jr_addr_is_v4(dst))
        return jr_ip6_route_by(ip, dst, ifp, out);
    *out = (struct jr_ip_route){
        .ifp = ifp,
        .next_hop = dst,
        .src = jr_ip_source_for(ip, ifp, dst),
        .mtu = ifp->mtu,
        .ifp_mtu = ifp->mtu,
        .tx_offloads = jr_ip_offloads_of(ifp),
        .broadcast = jr_ipv4_is_multicast(dst) || jr_ip_is_broadcast(ifp, dst),
    };
    return ifp->up;
}

struct jr_pkt *jr_ip_pkt_new(struct jr_ip *ip, const struct jr_ip_route *rt)
{
    struct jr_pkt_pool *pool = rt->ifp->dev->tx_pool;
    struct jr_pkt *pkt = jr_pkt_new(pool);

    if (JR_UNLIKELY(!pkt) && rt->ifp->n_txq) { /* what waits for the end of the turn has buffers to give back */
        jr_netif_flush(rt->ifp, ip->now);
        pkt = jr_pkt_new(pool);
    }
    if (!pkt)
        jr_count(ip->counters, JR_C_BASE_NOBUF);
    return pkt;
}

/*
 * An id for packets that may be fragmented (RFC 6864 4.1: others need none). Counters are kept per pair of hosts, so
 * that none of them tells how much is sent to others (RFC 7739 5.3). When we fragment ourselves, guessing the id would
 * let strangers add fragments: then the counter is chosen by a hash that keeps its key; else a cheaper one will do.
 */
static uint16_t next_id(struct jr_ip *ip, const struct jr_ip_tx *tx, bool fragmented)
{
    const struct {
        struct jr_addr src, dst;
        uint64_t proto;
    } key = {tx->src, tx->dst, tx->proto};
    if (ip->cfg.random_id)
        return (uint16_t)jr_rng_u32(ip->rng);
    const uint64_t hash = fragmented ? jr_siphash(ip->cfg.secret, &key, sizeof key)
                                     : jr_hash_flow(tx->src, 0, tx->dst, tx->proto, ip->local.seed);

    return ip->ids[fragmented][hash % JR_IP_IDS]++;
}

/* Options in front of pkt: all, or in later fragments those that are copied (RFC 791 3.1). The header's length with
 * them; 0: no headroom. */
static uint8_t put_opts(struct jr_pkt *pkt, const struct jr_ip_tx *tx, bool later)
{
    uint8_t copy[JR_IPV4_HLEN_MAX - JR_IPV4_HLEN] = {0}, n = 0, *p;

    for (unsigned at = 0; at < tx->opts_len && tx->opts[at] != JR_IPV4_OPT_EOL;) {
        const uint8_t len = tx->opts[at] == JR_IPV4_OPT_NOP ? 1 : tx->opts[at + 1];
        if (!later || tx->opts[at] & JR_IPV4_OPT_COPIED) {
            memcpy(copy + n, tx->opts + at, len);
            n = (uint8_t)(n + len);
        }
        at += len;
    }
    n = (uint8_t)((n + 3) & ~3);
    p = jr_pkt_push(pkt, n);
    if (!p)
        return 0;
    memcpy(p, copy, n);
    return (uint8_t)(JR_IPV4_HLEN + n);
}

/* The header in front of pkt, which starts at the payload. false: no headroom. */
static bool put_header(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_netif *ifp,
                       struct jr_ipv4 *hdr)
{
    const bool offload = ifp->dev->caps & JR_DEV_TX_IP_CSUM;
    uint8_t *p;

    hdr->hlen = JR_IPV4_HLEN;
    if (JR_UNLIKELY(tx->opts_len))
        hdr->hlen = put_opts(pkt, tx, hdr->frag_off != 0);
    p = hdr->hlen ? jr_pkt_push(pkt, JR_IPV4_HLEN) : NULL;
    if (JR_UNLIKELY(!p)) {
        jr_count(ip->counters, JR_C_IP_NO_HEADROOM);
        return false;
    }
    hdr->src = tx->src;
    hdr->dst = tx->dst;
    hdr->total_len = (uint16_t)pkt->len;
    hdr->tos = tx->tos;
    hdr->ttl = tx->ttl ? tx->ttl : ip->cfg.ttl;
    hdr->proto = tx->proto;
    jr_ipv4_build(p, hdr, !offload);
    if (offload)
        pkt->flags |= JR_PKT_TX_IP_CSUM;
    pkt->l3_off = (uint16_t)pkt->off;
    jr_count(ip->counters, JR_C_IP_TX);
    return true;
}

static int drop_too_big(struct jr_ip *ip, struct jr_pkt *pkt)
{
    jr_drop(ip->counters, pkt, JR_C_IP_TX_TOO_BIG);
    return -EMSGSIZE;
}

int jr_ip_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                 jr_time now)
{
    const uint32_t len = pkt->len + JR_IPV4_HLEN + tx->opts_len;
    struct jr_ip_route found;
    struct jr_ipv4 hdr = {0};
    int err;

    if (JR_UNLIKELY(!jr_addr_is_v4(tx->dst)))
        return jr_ip6_output(ip, pkt, tx, rt, now);
    ip->now = now;
    rt = jr_ip_route_for(ip, tx, rt, &found);
    if (JR_UNLIKELY(!rt)) {
        jr_drop(ip->counters, pkt, JR_C_IP_NO_ROUTE);
        return -ENETUNREACH;
    }
    hdr.df = tx->df && !rt->no_df;
    if (JR_UNLIKELY(len > rt->mtu && !(pkt->flags & JR_PKT_TX_TSO))) {
        if (hdr.df || len > JR_IPV4_MAX)
            return drop_too_big(ip, pkt);
        err = jr_ip_output_gather(ip, tx, rt, NULL, 0, jr_pkt_data(pkt), pkt->len, NULL, 0, now);
        jr_pkt_free(pkt);
        return err;
    }
    if (JR_UNLIKELY(len > JR_IPV4_MAX))
        return drop_too_big(ip, pkt);
    hdr.id = hdr.df && ip->cfg.rfc6864 ? 0 : next_id(ip, tx, false);
    if (JR_UNLIKELY(!put_header(ip, pkt, tx, rt->ifp, &hdr))) {
        jr_pkt_free(pkt);
        return -ENOBUFS;
    }
    return jr_ether_output(rt->ifp, pkt, rt->next_hop, rt->broadcast, now);
}

void jr_ip_gather_take(struct jr_ip_gather *g, uint8_t *dst, uint32_t n)
{
    while (n) {
        const uint32_t part = jr_min_u32(n, g->piece[g->i].len);
        if (part)
            memcpy(dst, g->piece[g->i].p, part);
        g->piece[g->i].p += part;
        g->piece[g->i].len -= part;
        if (g->piece[g->i].len == 0)
            g->i++;
        dst += part;
        n -= part;
    }
}

/* One packet of n payload bytes from g. */
static int send_fragment(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                         struct jr_ip_gather *g, uint32_t n, struct jr_ipv4 *hdr, jr_time now)
{
    struct jr_pkt *pkt = jr_ip_pkt_new(ip, rt);
    uint8_t *p;

    if (!pkt)
        return -ENOBUFS;
    p = jr_pkt_put(pkt, n);
    if (!p || pkt->off < JR_IPV4_HLEN_MAX) {
        jr_drop(ip->counters, pkt, JR_C_BASE_NOBUF);
        return -ENOBUFS;
    }
    jr_ip_gather_take(g, p, n);
    pkt->l4_off = (uint16_t)pkt->off;
    (void)put_header(ip, pkt, tx, rt->ifp, hdr);
    return jr_ether_output(rt->ifp, pkt, rt->next_hop, rt->broadcast, now);
}

int jr_ip_output_gather(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt, const void *head,
                        uint32_t head_len, const void *a, uint32_t a_len, const void *b, uint32_t b_len, jr_time now)
{
    struct jr_ip_gather g = {.piece = {{head, head_len}, {a, a_len}, {b, b_len}}};
    const uint64_t total = (uint64_t)head_len + a_len + b_len;
    const uint32_t hlen = JR_IPV4_HLEN + tx->opts_len;
    struct jr_ipv4 hdr = {0};
    struct jr_ip_route found;
    uint32_t room;
    int err = 0;

    if (!jr_addr_is_v4(tx->dst))
        return jr_ip6_output_gather(ip, tx, rt, head, head_len, a, a_len, b, b_len, now);
    ip->now = now;
    rt = jr_ip_route_for(ip, tx, rt, &found);
    if (!rt) {
        jr_count(ip->counters, JR_C_IP_NO_ROUTE);
        return -ENETUNREACH;
    }
    room = jr_min_u32(rt->mtu - hlen, rt->ifp->dev->tx_pool->data_room);
    hdr.df = tx->df && !rt->no_df;
    if (total + hlen > JR_IPV4_MAX || (total > room && hdr.df) || rt->mtu < 68u + tx->opts_len) {
        jr_count(ip->counters, JR_C_IP_TX_TOO_BIG);
        return -EMSGSIZE;
    }
    hdr.id = hdr.df && ip->cfg.rfc6864 ? 0 : next_id(ip, tx, total > room);
    if (total > room) {
        jr_count(ip->counters, JR_C_IP_FRAG_TX);
        room &= ~7u;
    }
    for (uint32_t off = 0; err == 0 && (off < total || off == 0); off += room) {
        const uint32_t n = jr_min_u32(room, (uint32_t)total - off);
        hdr.frag_off = (uint16_t)off;
        hdr.mf = off + n < total;
        err = send_fragment(ip, tx, rt, &g, n, &hdr, now);
    }
    return err;
}

uint32_t jr_ip_pmtu_update(struct jr_ip *ip, struct jr_addr dst, uint16_t told, jr_time now)
{
    struct jr_ip_route rt;
    uint32_t mtu = told;

    if (!jr_addr_is_v4(dst))
        return jr_ip6_pmtu_update(ip, dst, told, now);
    ip->now = now;
    if (!jr_ip_route(ip, dst, &rt) || rt.local)
        return 0;
    if (mtu == 0)
        mtu = jr_pmtu_plateau(rt.mtu);
    if (mtu >= rt.mtu || mtu < 68) {
        jr_count(ip->counters, JR_C_PMTU_IGNORED);
        return rt.mtu;
    }
    jr_count(ip->counters, JR_C_PMTU_LOWERED);
    jr_pmtu_store(&ip->pmtu, dst, jr_max_u32(mtu, JR_PMTU_MIN), mtu < JR_PMTU_MIN, now);
    ip->generation++;
    return jr_max_u32(mtu, JR_PMTU_MIN);
}
