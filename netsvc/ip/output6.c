/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 packets to the wire: RFC 8200 (fragments only from the source), flow labels by RFC 6437, PMTU by RFC 8201. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/siphash.h"
#include "ip/stack6.h"
#include "wire/ipv4.h"

enum { MULTICAST_HOPS = 1 /* RFC 3493 5.2 */ };

static struct jr_netif *netif_for_group(const struct jr_ip *ip)
{
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        if (ip->netifs[i]->up && ip->netifs[i]->nd6->n_addrs)
            return ip->netifs[i];
    }
    return NULL;
}

/* On the link of an interface, which the zone names; without one, for groups, the first that could. */
static bool route_on_link(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    const uint16_t zone = jr_ipv6_zone(dst);

    out->broadcast = jr_ipv6_is_multicast(dst);
    out->ifp = zone ? jr_ip6_netif_of_zone(ip, zone) : out->broadcast ? netif_for_group(ip) : NULL;
    out->next_hop = dst;
    if (!out->ifp)
        return false;
    out->mtu = out->ifp->mtu;
    return true;
}

static uint32_t offloads(const struct jr_netif *ifp) { return jr_ip_offloads_of(ifp) & ~(uint32_t)JR_PKT_TX_IP_CSUM; }

/* What is left to say once the port is known. false: no source address. */
static bool complete(const struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    const uint32_t told = out->ifp->nd6->link_mtu;

    if (jr_addr_is_any(out->src))
        out->src = jr_ip6_source_for(ip, out->ifp, dst);
    out->ifp_mtu = told && told < out->ifp->mtu ? told : out->ifp->mtu;
    out->mtu = jr_min_u32(out->mtu, out->ifp_mtu);
    out->tx_offloads = offloads(out->ifp);
    return !jr_addr_is_any(out->src);
}

static bool route_by_table(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    const struct jr_route *r = jr_route_table_find(&ip->routes, dst);
    const struct jr_pmtu_entry *path = jr_pmtu_find(&ip->pmtu, dst, ip->now);

    if (!r || !r->conf.ifp)
        return false;
    out->ifp = r->conf.ifp;
    out->next_hop = jr_addr_is_any(r->conf.gw) ? dst : r->conf.gw;
    if (!jr_addr_is_any(r->conf.src))
        out->src = r->conf.src;
    out->mtu = out->ifp->mtu;
    if (r->conf.mtu >= JR_IPV6_MIN_MTU && r->conf.mtu < out->mtu)
        out->mtu = r->conf.mtu;
    if (path && path->mtu < out->mtu)
        out->mtu = path->mtu;
    return true;
}

bool jr_ip6_route(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    const bool on_link = jr_ipv6_is_multicast(dst) || jr_ipv6_is_linklocal(dst);

    if (jr_ipv6_is_any(dst) || jr_ipv6_is_loopback(dst))
        return false;
    if (!(on_link ? route_on_link(ip, dst, out) : route_by_table(ip, dst, out)))
        return false;
    return complete(ip, dst, out);
}

bool jr_ip6_route_by(struct jr_ip *ip, struct jr_addr dst, struct jr_netif *ifp, struct jr_ip_route *out)
{
    *out = (struct jr_ip_route){
        .ifp = ifp,
        .next_hop = jr_ipv6_set_zone(dst, ifp->nd6->zone),
        .mtu = ifp->mtu,
        .broadcast = jr_ipv6_is_multicast(dst),
    };
    return complete(ip, out->next_hop, out) && ifp->up;
}

/* RFC 6437 3: the same for all packets of a flow, and nothing that tells one from the other to strangers. */
static uint32_t flow_label(const struct jr_ip *ip, const struct jr_ip_tx *tx, const void *transport, uint32_t len)
{
    uint32_t ports = 0, label;

    if (!ip->cfg.ip6_auto_flowlabel)
        return 0;
    if ((tx->proto == JR_IPPROTO_TCP || tx->proto == JR_IPPROTO_UDP) && len >= 4)
        ports = jr_load_be32(transport);
    label = (uint32_t)jr_hash_flow(tx->src, (uint16_t)(ports >> 16), tx->dst, (uint16_t)ports,
                                   ip->local.seed ^ tx->proto) &
            0xfffff;
    return label ? label : 1;
}

static uint8_t hop_limit(const struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt)
{
    if (tx->ttl)
        return tx->ttl;
    if (rt->broadcast)
        return MULTICAST_HOPS;
    return rt->ifp->nd6->cur_hlim ? rt->ifp->nd6->cur_hlim : ip->cfg.ip6_hlim;
}

/* The header in front of pkt, which starts at its payload. false: no headroom. */
static bool put_header(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                       uint8_t proto, uint32_t flow)
{
    const struct jr_ipv6 hdr = {
        .src = tx->src,
        .dst = tx->dst,
        .payload_len = (uint16_t)pkt->len,
        .tclass = tx->tos,
        .proto = proto,
        .hlim = hop_limit(ip, tx, rt),
        .flow = flow,
    };
    uint8_t *p = jr_pkt_push(pkt, JR_IPV6_HLEN);

    if (JR_UNLIKELY(!p)) {
        jr_count(ip->counters, JR_C_IP6_NO_HEADROOM);
        return false;
    }
    jr_ipv6_build(p, &hdr);
    pkt->l3_off = (uint16_t)pkt->off;
    jr_count(ip->counters, JR_C_IP6_TX);
    return true;
}

/* IPv6 has no smaller links. */
static const struct jr_ip_route *route_for(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                                           struct jr_ip_route *found)
{
    rt = jr_ip_route_for(ip, tx, rt, found);
    return rt && rt->mtu >= JR_IPV6_MIN_MTU ? rt : NULL;
}

int jr_ip6_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                  jr_time now)
{
    const uint32_t len = pkt->len + JR_IPV6_HLEN;
    struct jr_ip_route found;
    int err;

    ip->now = now;
    rt = route_for(ip, tx, rt, &found);
    if (JR_UNLIKELY(!rt)) {
        jr_drop(ip->counters, pkt, JR_C_IP6_NO_ROUTE);
        return -ENETUNREACH;
    }
    if (JR_UNLIKELY(len > rt->mtu && !(pkt->flags & JR_PKT_TX_TSO))) {
        err = jr_ip6_output_gather(ip, tx, rt, NULL, 0, jr_pkt_data(pkt), pkt->len, NULL, 0, now);
        jr_pkt_free(pkt);
        return err;
    }
    if (JR_UNLIKELY(pkt->len > JR_IPV6_PAYLOAD_MAX)) {
        jr_drop(ip->counters, pkt, JR_C_IP6_TX_TOO_BIG);
        return -EMSGSIZE;
    }
    if (JR_UNLIKELY(!put_header(ip, pkt, tx, rt, tx->proto, flow_label(ip, tx, jr_pkt_data(pkt), pkt->len)))) {
        jr_pkt_free(pkt);
        return -ENOBUFS;
    }
    return jr_ether_output(rt->ifp, pkt, rt->next_hop, rt->broadcast, now);
}

struct fragment {
    bool needed; /* a fragment header */
    uint32_t off, len, id, flow;
    bool more;
};

static int send_fragment(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                         struct jr_ip_gather *g, const struct fragment *f, jr_time now)
{
    const uint32_t head = f->needed ? JR_IPV6_FRAG_HLEN : 0;
    struct jr_pkt *pkt = jr_ip_pkt_new(ip, rt);
    uint8_t *p;

    if (!pkt)
        return -ENOBUFS;
    p = jr_pkt_put(pkt, head + f->len);
    if (!p || pkt->off < JR_IPV6_HLEN) {
        jr_drop(ip->counters, pkt, JR_C_BASE_NOBUF);
        return -ENOBUFS;
    }
    if (f->needed)
        jr_ipv6_build_frag(p, tx->proto, f->off, f->more, f->id);
    jr_ip_gather_take(g, p + head, f->len);
    pkt->l4_off = (uint16_t)(pkt->off + head);
    (void)put_header(ip, pkt, tx, rt, f->needed ? JR_IPPROTO_FRAGMENT : tx->proto, f->flow);
    return jr_ether_output(rt->ifp, pkt, rt->next_hop, rt->broadcast, now);
}

/* RFC 7739 5.3: a counter per pair of hosts, that only its owner can follow. */
static uint32_t next_id(struct jr_ip *ip, const struct jr_ip_tx *tx)
{
    const struct jr_addr key[2] = {tx->src, tx->dst};

    return ip->ids6[jr_siphash(ip->cfg.secret, key, sizeof key) % JR_IP_IDS]++;
}

int jr_ip6_output_gather(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt, const void *head,
                         uint32_t head_len, const void *a, uint32_t a_len, const void *b, uint32_t b_len, jr_time now)
{
    struct jr_ip_gather g = {.piece = {{head, head_len}, {a, a_len}, {b, b_len}}};
    const uint64_t total = (uint64_t)head_len + a_len + b_len;
    struct fragment f = {0};
    struct jr_ip_route found;
    uint32_t room;
    int err = 0;

    ip->now = now;
    rt = route_for(ip, tx, rt, &found);
    if (!rt) {
        jr_count(ip->counters, JR_C_IP6_NO_ROUTE);
        return -ENETUNREACH;
    }
    room = jr_min_u32(rt->mtu - JR_IPV6_HLEN, rt->ifp->dev->tx_pool->data_room);
    f.needed = total > room;
    if (total > JR_IPV6_PAYLOAD_MAX || (f.needed && tx->df)) {
        jr_count(ip->counters, JR_C_IP6_TX_TOO_BIG);
        return -EMSGSIZE;
    }
    f.flow = head_len ? flow_label(ip, tx, head, head_len) : flow_label(ip, tx, a, a_len);
    if (f.needed) {
        jr_count(ip->counters, JR_C_IP6_FRAG_TX);
        room = (room - JR_IPV6_FRAG_HLEN) & ~7u;
        f.id = next_id(ip, tx);
    }
    for (; err == 0 && (f.off < total || f.off == 0); f.off += room) {
        f.len = jr_min_u32(room, (uint32_t)total - f.off);
        f.more = f.off + f.len < total;
        err = send_fragment(ip, tx, rt, &g, &f, now);
        if (!f.needed)
            break;
    }
    return err;
}

uint32_t jr_ip6_pmtu_update(struct jr_ip *ip, struct jr_addr dst, uint32_t told, jr_time now)
{
    struct jr_ip_route rt;

    ip->now = now;
    if (!jr_ip_route(ip, dst, &rt) || rt.local)
        return 0;
    if (told >= rt.mtu || told < JR_IPV6_MIN_MTU) { /* RFC 8201 4: discarded */
        jr_count(ip->counters, JR_C_PMTU_IGNORED);
        return rt.mtu;
    }
    jr_count(ip->counters, JR_C_PMTU_LOWERED);
    jr_pmtu_store(&ip->pmtu, dst, told, false, now);
    ip->generation++;
    return told;
}
