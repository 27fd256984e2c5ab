/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP, sending: RFC 768, RFC 1122 4.1; what one call asks for (ip(7)), and cutting its data into datagrams (udp(7)). */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* for errqueue.h */

#include <linux/errqueue.h>

#include "base/bits.h"
#include "udp/pcb.h"
#include "wire/cksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp_wire.h"

enum { SEGMENTS_MAX = 64 }; /* of one call: Linux's UDP_MAX_SEGMENTS */

/* One datagram: its data in two pieces, and how it goes. */
struct datagram {
    const uint8_t *a, *b;
    uint32_t a_len, b_len;
    uint16_t dport;
    bool cksum;
    struct jr_ip_tx tx;
};

/* The route to dst, kept with the socket; NULL: none. */
static const struct jr_ip_route *route_to(struct jr_udpcb *up, struct jr_addr dst)
{
    const uint32_t generation = jr_ip_generation(up->udp->ip);

    if (up->rt_valid && up->rt_generation == generation && jr_addr_eq(up->rt_dst, dst))
        return &up->rt;
    up->rt_valid = jr_ip_route(up->udp->ip, dst, &up->rt);
    up->rt_dst = dst;
    up->rt_generation = generation;
    return up->rt_valid ? &up->rt : NULL;
}

static uint32_t ip_bytes(struct jr_addr dst) { return jr_addr_is_v4(dst) ? JR_IPV4_HLEN : JR_IPV6_HLEN; }

/* Of IPv4. */
static bool is_group(struct jr_addr a) { return jr_addr_is_v4(a) && jr_ipv4_is_multicast(a); }

static void no_cksum(uint8_t *p) { jr_store_raw16(p + 6, 0); }

/* Fits one packet: copied and summed in one pass. */
static int send_whole(struct jr_udpcb *up, const struct datagram *dg, const struct jr_ip_route *rt, jr_time now)
{
    struct jr_pkt *pkt = jr_ip_pkt_new(up->udp->ip, rt);
    uint32_t sum;
    uint8_t *p;

    if (!pkt)
        return -ENOBUFS;
    p = jr_pkt_put(pkt, JR_UDP_HLEN + dg->a_len + dg->b_len);
    if (!p) {
        jr_drop(up->udp->counters, pkt, JR_C_BASE_NOBUF);
        return -ENOBUFS;
    }
    sum = jr_cksum_copy(p + JR_UDP_HLEN, dg->a, dg->a_len, 0);
    sum = jr_cksum_join(sum, dg->a_len, jr_cksum_copy(p + JR_UDP_HLEN + dg->a_len, dg->b, dg->b_len, 0));
    jr_udp_build(p, up->local.port, dg->dport, dg->a_len + dg->b_len, sum, dg->tx.src, dg->tx.dst);
    if (JR_UNLIKELY(!dg->cksum))
        no_cksum(p);
    pkt->l4_off = (uint16_t)pkt->off;
    pkt->l4_len = JR_UDP_HLEN;
    return jr_ip_output(up->udp->ip, pkt, &dg->tx, rt, now);
}

static int send_fragments(struct jr_udpcb *up, const struct datagram *dg, const struct jr_ip_route *rt, jr_time now)
{
    const uint32_t sum = jr_cksum_join(jr_cksum_partial(dg->a, dg->a_len, 0), dg->a_len,
                                       jr_cksum_partial(dg->b, dg->b_len, 0));
    uint8_t head[JR_UDP_HLEN];

    jr_udp_build(head, up->local.port, dg->dport, dg->a_len + dg->b_len, sum, dg->tx.src, dg->tx.dst);
    if (!dg->cksum)
        no_cksum(head);
    return jr_ip_output_gather(up->udp->ip, &dg->tx, rt, head, sizeof head, dg->a, dg->a_len, dg->b, dg->b_len, now);
}

/* IP_MTU_DISCOVER: which MTU counts, whether DF is set, and whether fragments may leave. */
struct mtu_rule {
    uint32_t mtu;
    bool df, may_fragment;
};

static struct mtu_rule mtu_rule(const struct jr_udpcb *up, const struct jr_ip_route *rt)
{
    const bool path = up->opt.pmtudisc <= IP_PMTUDISC_DO;
    const bool may = up->opt.pmtudisc != IP_PMTUDISC_DO && up->opt.pmtudisc != IP_PMTUDISC_PROBE &&
                     up->opt.pmtudisc != IP_PMTUDISC_INTERFACE;

    return (struct mtu_rule){
        .mtu = path ? rt->mtu : rt->ifp_mtu,
        .df = up->opt.pmtudisc >= IP_PMTUDISC_WANT && up->opt.pmtudisc <= IP_PMTUDISC_PROBE,
        .may_fragment = may,
    };
}

static int too_big(struct jr_udpcb *up, const struct jr_endpoint *to, uint32_t mtu, jr_time now)
{
    const struct jr_udp_error e = {
        .err = EMSGSIZE,
        .origin = SO_EE_ORIGIN_LOCAL,
        .info = mtu,
        .offender = jr_addr_v4(0),
        .dst = *to, /* and as in Linux nothing of the datagram */
    };

    if (jr_udp_queues_errors(up, to->addr) && up->up->queue_error)
        up->up->queue_error(up->so, up, &e, now);
    return -EMSGSIZE;
}

/*
 * To a group or to all on the link: also to our own sockets, where the filter of the group lets it through. The pieces
 * of a ring are put together first.
 */
static void loop_back(struct jr_udpcb *up, const struct datagram *dg, const struct jr_ip_route *rt, jr_time now)
{
    const struct jr_endpoint from = {dg->tx.src, up->local.port};
    const struct jr_ip_rx rx = {
        .src = dg->tx.src,
        .dst = dg->tx.dst,
        .proto = JR_IPPROTO_UDP,
        .tos = dg->tx.tos,
        .ttl = dg->tx.ttl ? dg->tx.ttl : jr_ip_ttl(up->udp->ip),
        .broadcast = true,
        .multicast = is_group(dg->tx.dst),
        .ifp = rt->ifp,
    };
    uint8_t *whole = NULL;

    if (rx.multicast && !jr_ip_mcast_wanted(up->udp->ip, rt->ifp, rx.dst, &rx.src))
        return;
    if (dg->b_len) {
        whole = malloc((size_t)dg->a_len + dg->b_len);
        if (!whole)
            return;
        memcpy(whole, dg->a, dg->a_len);
        memcpy(whole + dg->a_len, dg->b, dg->b_len);
    }
    jr_udp_pcb_loop(up->udp, &rx, &from, dg->dport, whole ? whole : dg->a, dg->a_len + dg->b_len, now);
    free(whole);
}

static int send_one(struct jr_udpcb *up, const struct jr_endpoint *to, struct datagram *dg,
                    const struct jr_ip_route *rt, jr_time now)
{
    const uint32_t len = dg->a_len + dg->b_len + JR_UDP_HLEN + ip_bytes(to->addr);
    const struct mtu_rule rule = mtu_rule(up, rt);
    const bool group = rt->broadcast && is_group(dg->tx.dst);
    struct jr_ip_route path;

    if (len > rule.mtu && !rule.may_fragment)
        return too_big(up, to, rule.mtu, now);
    dg->tx.df = rule.df && len <= rule.mtu;
    if (JR_UNLIKELY(rt->broadcast && !rt->loop) && jr_addr_is_v4(to->addr) && (!group || up->opt.mcast_loop))
        loop_back(up, dg, rt, now);
    if (JR_UNLIKELY(group && up->opt.mcast_ttl == 0 && dg->tx.ttl == 0))
        return 0;
    if (rule.mtu != rt->mtu) {
        path = *rt;
        path.mtu = rule.mtu;
        path.no_df = false;
        rt = &path;
    }
    if (JR_LIKELY(len <= rt->mtu))
        return send_whole(up, dg, rt, now);
    return send_fragments(up, dg, rt, now);
}

/* UDP_SEGMENT: datagrams of segsz bytes, the last one shorter. Each must fit a packet whole. */
static int send_segments(struct jr_udpcb *up, const struct jr_endpoint *to, const struct datagram *all,
                         const struct jr_ip_route *rt, uint16_t segsz, jr_time now)
{
    const uint32_t total = all->a_len + all->b_len;
    struct datagram dg = *all;
    int err = 0;

    if ((uint32_t)segsz + JR_UDP_HLEN + ip_bytes(to->addr) > rt->mtu ||
        (total + segsz - 1) / segsz > (uint32_t)SEGMENTS_MAX || !dg.cksum)
        return -EINVAL;
    for (uint32_t at = 0; err == 0 && at < total; at += segsz) {
        const uint32_t n = jr_min_u32(segsz, total - at);
        const uint32_t in_a = at < all->a_len ? jr_min_u32(n, all->a_len - at) : 0u;

        dg.a = all->a + jr_min_u32(at, all->a_len);
        dg.a_len = in_a;
        dg.b = at + in_a > all->a_len ? all->b + (at + in_a - all->a_len) : all->b;
        dg.b_len = n - in_a;
        err = send_one(up, to, &dg, rt, now);
        jr_count(up->udp->counters, err ? JR_C_UDP_TX_FAILED : JR_C_UDP_TX);
    }
    return err;
}

/* By the port that the caller names: the route if it leaves there, else as if everybody were on that link. */
static const struct jr_ip_route *route_by(struct jr_udpcb *up, struct jr_addr dst, struct jr_netif *ifp,
                                          struct jr_ip_route *found)
{
    const struct jr_ip_route *rt = ifp ? NULL : route_to(up, dst);

    if (!ifp || !jr_ip_route_by(up->udp->ip, dst, ifp, found))
        return rt;
    return found;
}

/* Fills the datagram's addresses and fields. */
static int prepare(struct jr_udpcb *up, const struct jr_endpoint *to, const struct jr_udp_tx *tx,
                   const struct jr_ip_route *rt, struct datagram *dg)
{
    struct jr_addr src = up->local.addr;
    const bool named = (tx->src.q[0] | tx->src.q[1]) != 0 && !jr_addr_is_any(tx->src);

    const bool v4 = jr_addr_is_v4(to->addr);

    if (v4 && rt->broadcast && !is_group(to->addr) && !up->opt.broadcast)
        return -EACCES;
    if (named && !jr_ip_is_local(up->udp->ip, tx->src))
        return v4 ? -ENETUNREACH : -EINVAL;
    if (named)
        src = tx->src;
    else if (is_group(to->addr) && !jr_addr_is_any(up->mcast_src))
        src = up->mcast_src;
    if (!jr_addr_is_any(src) && jr_addr_is_v4(src) != v4)
        return v4 ? -ENETUNREACH : -EAFNOSUPPORT;
    dg->dport = to->port;
    dg->cksum = !v4 || (up->udp->cfg.checksum && !up->opt.no_check); /* IPv6: RFC 8200 8.1 */
    dg->tx = (struct jr_ip_tx){
        .src = jr_ip_is_local(up->udp->ip, src) ? src : rt->src,
        .dst = to->addr,
        .proto = JR_IPPROTO_UDP,
        .tos = tx->has_tos ? tx->tos : up->opt.tos[!v4],
        .ttl = tx->ttl              ? tx->ttl
               : is_group(to->addr) ? up->opt.mcast_ttl
                                    : up->opt.ttl[!v4],
    };
    return 0;
}

static int send_to(struct jr_udpcb *up, const struct jr_endpoint *to, struct datagram *dg, const struct jr_udp_tx *tx,
                   jr_time now)
{
    const uint16_t segsz = tx->segsz ? tx->segsz : up->opt.segment;
    struct jr_ip_route found;
    struct jr_netif *ifp = tx->ifp;
    const struct jr_ip_route *rt;
    int err;

    if (!ifp && is_group(to->addr)) /* by the option, else from where it is bound to */
        ifp = up->mcast_if || jr_addr_is_any(up->local.addr) ? up->mcast_if
                                                             : jr_ip_netif_of(up->udp->ip, up->local.addr);
    rt = route_by(up, to->addr, ifp, &found);
    if (!rt)
        return -ENETUNREACH;
    if (!up->local.port && (err = jr_udp_pcb_autobind(up, up->bound)) != 0)
        return err;
    err = prepare(up, to, tx, rt, dg);
    if (err)
        return err;
    if (segsz && segsz < dg->a_len + dg->b_len)
        return send_segments(up, to, dg, rt, segsz, now);
    err = send_one(up, to, dg, rt, now);
    if (!err)
        jr_count(up->udp->counters, JR_C_UDP_TX);
    return err;
}

int jr_udp_sendmsg(struct jr_udpcb *up, const struct jr_endpoint *to, const void *a, uint32_t a_len, const void *b,
                   uint32_t b_len, const struct jr_udp_tx *tx, jr_time now)
{
    static const struct jr_udp_tx plain;
    struct datagram dg = {.a = a, .b = b, .a_len = a_len, .b_len = b_len};
    int err;

    if (!to) {
        if (!up->connected)
            return -EDESTADDRREQ;
        to = &up->remote;
    } else if (to->port == 0) {
        return -EINVAL;
    }
    if ((uint64_t)a_len + b_len > up->udp->cfg.maxdgram + (jr_addr_is_v4(to->addr) ? 0 : 20u)) /* by IPv4's measure */
        return -EMSGSIZE;
    err = send_to(up, to, &dg, tx ? tx : &plain, now);
    if (err)
        jr_count(up->udp->counters, JR_C_UDP_TX_FAILED);
    return err;
}

int jr_udp_send(struct jr_udpcb *up, const struct jr_endpoint *to, const void *a, uint32_t a_len, const void *b,
                uint32_t b_len, uint8_t tos, uint8_t ttl, jr_time now)
{
    const struct jr_udp_tx tx = {.has_tos = tos != 0, .tos = tos, .ttl = ttl};

    return jr_udp_sendmsg(up, to, a, a_len, b, b_len, &tx, now);
}

uint32_t jr_udp_whole_max(struct jr_udpcb *up)
{
    const struct jr_ip_route *rt = up->connected ? route_to(up, up->remote.addr) : NULL;

    return rt ? mtu_rule(up, rt).mtu - ip_bytes(up->remote.addr) - JR_UDP_HLEN : 0;
}
