/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6 packets from the wire: RFC 8200, with limits on extension headers (RFC 8504 5.3). A host takes what is for it
 * and forwards nothing.
 */
#include "ip/stack6.h"
#include "wire/ipv4.h"

static bool has_dirty_zone(struct jr_addr a) { return jr_ipv6_has_zone(a) && jr_ipv6_zone(a) != 0; }

/* A source that no honest packet has. The wildcard may speak to groups: neighbours that have no address yet. */
static bool bad_source(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr src, bool to_group)
{
    if (ifp->loopback)
        return !jr_ip_is_local(ip, src);
    if (JR_UNLIKELY(!jr_ipv6_is_host(src)))
        return !(to_group && jr_ipv6_is_any(src));
    return jr_ip_is_local(ip, src);
}

/* Whether the packet is for us, else why not. Gives link-local addresses their zone. */
static enum jr_counter check_addresses(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_ipv6 *hdr,
                                       bool group, bool *to_group)
{
    const uint16_t zone = ifp->nd6->zone;

    if (JR_UNLIKELY(has_dirty_zone(hdr->src) || jr_addr_is_v4(hdr->src)))
        return JR_C_IP6_BAD_SRC;
    if (JR_UNLIKELY(has_dirty_zone(hdr->dst) || jr_addr_is_v4(hdr->dst) ||
                    (jr_ipv6_is_loopback(hdr->dst) && !ifp->loopback)))
        return JR_C_IP6_BAD_DST;
    hdr->src = jr_ipv6_set_zone(hdr->src, zone);
    hdr->dst = jr_ipv6_set_zone(hdr->dst, zone);
    *to_group = jr_ipv6_is_multicast(hdr->dst);
    if (JR_UNLIKELY(*to_group)) {
        if ((hdr->dst.b[1] & 15) < 2) /* scopes that don't leave an interface */
            return JR_C_IP6_BAD_DST;
        if (!jr_nd6_in_group(ifp, hdr->dst))
            return JR_C_IP6_NOT_FOR_US;
    } else if (!jr_ip_is_local(ip, hdr->dst)) {
        return JR_C_IP6_NOT_FOR_US;
    } else if (group) {
        return JR_C_IP6_BAD_DST;
    }
    return bad_source(ip, ifp, hdr->src, *to_group) ? JR_C_IP6_BAD_SRC : JR_WIRE_OK;
}

static void complain(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_pkt *pkt, uint8_t code, uint32_t pointer,
                     jr_time now)
{
    const struct jr_icmp6 icmp = {.type = JR_ICMP6_PARAM_PROBLEM, .code = code, .rest = pointer};

    jr_icmp6_error(ip, ifp, &icmp, jr_pkt_data(pkt), pkt->len, now);
}

/* The bytes a transport header has at least. */
static uint32_t transport_bytes(uint8_t proto)
{
    return proto == JR_IPPROTO_TCP ? 20 : proto == JR_IPPROTO_UDP || proto == JR_IPPROTO_ICMPV6 ? 8 : 0;
}

/* RFC 8200 4.5, RFC 7112: what a fragment must not be. Drops it and returns false. */
static bool check_fragment(struct jr_ip *ip, struct jr_netif *ifp, struct jr_pkt *pkt, bool to_group,
                           const struct jr_ipv6_chain *c, jr_time now)
{
    const uint32_t len = pkt->len - c->hlen;
    struct jr_ipv6_chain whole;

    if (c->frag_more && len % 8) {
        complain(ip, ifp, pkt, JR_ICMP6_PARAM_HEADER, 4, now);
        jr_drop(ip->counters, pkt, JR_C_IP_FRAG_BAD);
        return false;
    }
    if (c->frag_at - JR_IPV6_HLEN + c->frag_off + len > JR_IPV6_PAYLOAD_MAX) {
        complain(ip, ifp, pkt, JR_ICMP6_PARAM_HEADER, c->frag_at + 2u, now);
        jr_drop(ip->counters, pkt, JR_C_IP_FRAG_BAD);
        return false;
    }
    if (c->frag_off == 0 && (jr_ipv6_walk_first(jr_pkt_data(pkt), pkt->len, to_group, c, &whole) != JR_WIRE_OK ||
                             whole.hlen + transport_bytes(whole.proto) > pkt->len)) {
        complain(ip, ifp, pkt, JR_ICMP6_PARAM_FIRST_FRAGMENT, 0, now);
        jr_drop(ip->counters, pkt, JR_C_IP6_FRAG_FIRST_SHORT);
        return false;
    }
    return true;
}

/* The whole datagram when this was its last missing fragment; NULL: not yet, or never. */
static struct jr_pkt *reassemble(struct jr_ip *ip, struct jr_netif *ifp, struct jr_pkt *pkt, const struct jr_ipv6 *hdr,
                                 const struct jr_ipv6_chain *c, jr_time now)
{
    const struct jr_reass_frag frag = {
        .src = hdr->src,
        .dst = hdr->dst,
        .id = c->frag_id,
        .ecn = hdr->tclass & 3,
        .off = c->frag_off,
        .more = c->frag_more,
        .hdr = jr_pkt_data(pkt),
        .hdr_len = c->frag_at,
        .skip = JR_IPV6_FRAG_HLEN,
        .proto_at = c->frag_nh,
        .len = pkt->len - c->hlen,
    };
    struct jr_pkt *whole;

    if (!check_fragment(ip, ifp, pkt, jr_ipv6_is_multicast(hdr->dst), c, now))
        return NULL;
    whole = jr_reass_frag_input(&ip->reass6, &frag, now);
    jr_pkt_free(pkt);
    return whole;
}

static void deliver(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, const struct jr_ipv6_chain *c,
                    bool was_fragmented, jr_time now)
{
    const struct jr_ip_proto *proto = &ip->protos[rx->proto];

    jr_pkt_pull(pkt, c->hlen);
    pkt->l4_off = (uint16_t)pkt->off;
    if (JR_UNLIKELY(rx->proto == JR_IPPROTO_ICMPV6)) {
        jr_icmp6_input(ip, pkt, rx, was_fragmented, now);
    } else if (JR_UNLIKELY(jr_ipv6_is_any(rx->src))) {
        jr_drop(ip->counters, pkt, JR_C_IP6_BAD_SRC);
    } else if (JR_LIKELY(proto->input && rx->proto != JR_IPPROTO_ICMP)) {
        proto->input(proto->ctx, pkt, rx, now);
    } else if (rx->proto == JR_IPPROTO_NONE) {
        jr_drop(ip->counters, pkt, JR_C_IP6_NO_NEXT);
    } else {
        const struct jr_icmp6 icmp = {JR_ICMP6_PARAM_PROBLEM, JR_ICMP6_PARAM_NEXT_HEADER, c->proto_at};
        jr_icmp6_error(ip, rx->ifp, &icmp, pkt->buf + pkt->l3_off, pkt->off + pkt->len - pkt->l3_off, now);
        jr_drop(ip->counters, pkt, JR_C_IP6_NO_PROTO);
    }
}

/* The headers between IPv6's and the transport's; false: dropped. */
static bool walk_headers(struct jr_ip *ip, struct jr_netif *ifp, struct jr_pkt *pkt, bool to_group,
                         struct jr_ipv6_chain *c, jr_time now)
{
    const enum jr_counter bad = jr_ipv6_walk(jr_pkt_data(pkt), pkt->len, to_group, c);

    if (JR_LIKELY(bad == JR_WIRE_OK))
        return true;
    if (c->complain)
        complain(ip, ifp, pkt, c->code, c->pointer, now);
    jr_drop(ip->counters, pkt, bad);
    return false;
}

void jr_ip6_on_packet(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, bool group, jr_time now)
{
    struct jr_ip *ip = ctx;
    struct jr_ipv6_chain chain;
    struct jr_ip_rx rx;
    struct jr_ipv6 hdr;
    enum jr_counter bad;
    bool was_fragmented = false;

    ip->now = now;
    jr_count(ip->counters, JR_C_IP6_RX);
    bad = jr_ipv6_parse(jr_pkt_data(pkt), pkt->len, &hdr);
    if (JR_LIKELY(bad == JR_WIRE_OK))
        bad = check_addresses(ip, ifp, &hdr, group, &rx.broadcast);
    if (JR_UNLIKELY(bad != JR_WIRE_OK)) {
        jr_drop(ip->counters, pkt, bad);
        return;
    }
    pkt->len = (uint32_t)JR_IPV6_HLEN + hdr.payload_len; /* the rest is the link's padding */
    if (!walk_headers(ip, ifp, pkt, rx.broadcast, &chain, now))
        return;
    if (JR_UNLIKELY(chain.frag_at)) {
        was_fragmented = true; /* atomic ones too: RFC 6980 */
        if (!chain.fragment)
            jr_count(ip->counters, JR_C_IP6_FRAG_ATOMIC);
        else if (!(pkt = reassemble(ip, ifp, pkt, &hdr, &chain, now)) ||
                 !walk_headers(ip, ifp, pkt, rx.broadcast, &chain, now))
            return;
        hdr.tclass = (uint8_t)(jr_load_be16(jr_pkt_data(pkt)) >> 4);
    }
    rx.src = hdr.src;
    rx.dst = hdr.dst;
    rx.proto = chain.proto;
    rx.tos = hdr.tclass;
    rx.ttl = hdr.hlim;
    rx.multicast = false; /* it tells IPv4 groups from broadcasts */
    rx.loop = ifp->loopback;
    rx.ifp = ifp;
    deliver(ip, pkt, &rx, &chain, was_fragmented, now);
}
