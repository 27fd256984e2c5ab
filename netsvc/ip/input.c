/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets from the wire: RFC 791, RFC 1122 3.2.1. A host takes what is for it and forwards nothing. */
#include "ip/opts.h"
#include "ip/stack.h"
#include "wire/icmp.h"

/* A source that no honest packet has. */
static bool bad_source(const struct jr_ip *ip, const struct jr_netif *ifp, const struct jr_ipv4 *hdr, bool broadcast)
{
    if (ifp->loopback)
        return !jr_ip_is_local(ip, hdr->src);
    if (JR_UNLIKELY(!jr_ipv4_is_host(hdr->src))) /* a host that has no address yet may speak to all */
        return !(broadcast && jr_addr_is_any(hdr->src));
    return jr_ip_is_local(ip, hdr->src) || jr_ip_is_broadcast(ifp, hdr->src);
}

/* Whether the packet is for us; else why not. */
static enum jr_counter check_addresses(const struct jr_ip *ip, const struct jr_netif *ifp, const struct jr_ipv4 *hdr,
                                       bool group, bool *broadcast, bool *multicast)
{
    *broadcast = *multicast = false;
    if (JR_UNLIKELY(jr_ipv4_is_loopback(hdr->dst) && !ifp->loopback))
        return JR_C_IP_BAD_DST;
    if (JR_UNLIKELY(!jr_ip_is_local(ip, hdr->dst))) {
        *multicast = jr_ipv4_is_multicast(hdr->dst);
        if (*multicast && !jr_ip_mcast_wanted(ip, ifp, hdr->dst, hdr->proto == JR_IPPROTO_IGMP ? NULL : &hdr->src))
            return JR_C_IP_MULTICAST;
        if (jr_ipv4_is_zeronet(hdr->dst))
            return JR_C_IP_BAD_DST;
        if (!*multicast && !jr_ip_is_broadcast(ifp, hdr->dst))
            return JR_C_IP_NOT_FOR_US;
        *broadcast = true;
    } else if (group) {
        return JR_C_IP_BAD_DST; /* RFC 1122 3.3.6: link broadcast of a unicast packet */
    }
    return bad_source(ip, ifp, hdr, *broadcast) ? JR_C_IP_BAD_SRC : JR_WIRE_OK;
}

/* Everything that can be told from the header. */
static enum jr_counter check_header(const struct jr_ip *ip, const struct jr_pkt *pkt, struct jr_ipv4 *hdr, uint8_t *at)
{
    const uint8_t *p = jr_pkt_data(pkt);
    const enum jr_counter bad = jr_ipv4_parse(p, pkt->len, hdr);

    if (JR_UNLIKELY(bad != JR_WIRE_OK))
        return bad;
    if (!(pkt->flags & JR_PKT_RX_IP_CSUM_OK) && !jr_ipv4_cksum_ok(p, hdr->hlen))
        return JR_C_IP_BAD_CKSUM;
    return hdr->hlen == JR_IPV4_HLEN ? JR_WIRE_OK : jr_ip_opts_check(&ip->cfg, p, hdr->hlen, at);
}

static void deliver(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    const struct jr_ip_proto *proto = &ip->protos[rx->proto];

    if (proto->input) {
        proto->input(proto->ctx, pkt, rx, now);
    } else if (rx->proto == JR_IPPROTO_ICMP) {
        jr_icmp_input(ip, pkt, rx, now);
    } else if (rx->proto == JR_IPPROTO_IGMP) {
        jr_igmp_input(ip, pkt, rx, now);
    } else {
        jr_icmp_unreach(ip, pkt, rx, JR_ICMP_UNREACH_PROTO, now);
        jr_drop(ip->counters, pkt, JR_C_IP_NO_PROTO);
    }
}

/* RFC 1122 3.2.1.8, 3.2.2.5: senders hear of options that make no sense or are not wanted here. */
static void complain(struct jr_ip *ip, const struct jr_pkt *pkt, bool group, enum jr_counter why, uint8_t at,
                     jr_time now)
{
    const uint8_t *p = jr_pkt_data(pkt);

    if (group)
        return;
    if (why == JR_C_IP_BAD_OPTS)
        jr_icmp_error(ip, JR_ICMP_PARAM_PROBLEM, 0, (uint32_t)at << 24, p, pkt->len, now);
    else if (why == JR_C_IP_SOURCE_ROUTE)
        jr_icmp_error(ip, JR_ICMP_UNREACH, JR_ICMP_UNREACH_SRCFAIL, 0, p, pkt->len, now);
    else if (why == JR_C_IP_OPTS_REFUSED)
        jr_icmp_error(ip, JR_ICMP_UNREACH, JR_ICMP_UNREACH_PROHIB, 0, p, pkt->len, now);
}

void jr_ip_on_packet(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, bool group, jr_time now)
{
    struct jr_ip *ip = ctx;
    struct jr_ip_rx rx;
    struct jr_ipv4 hdr;
    enum jr_counter bad;
    uint8_t at = 0;

    ip->now = now;
    jr_count(ip->counters, JR_C_IP_RX);
    bad = check_header(ip, pkt, &hdr, &at);
    if (JR_LIKELY(bad == JR_WIRE_OK))
        bad = check_addresses(ip, ifp, &hdr, group, &rx.broadcast, &rx.multicast);
    if (JR_UNLIKELY(bad != JR_WIRE_OK)) {
        complain(ip, pkt, group, bad, at, now);
        jr_drop(ip->counters, pkt, bad);
        return;
    }
    pkt->len = hdr.total_len; /* the rest is the link's padding */
    if (JR_UNLIKELY(hdr.mf || hdr.frag_off)) {
        pkt = jr_reass_input(&ip->reass, pkt, &hdr, now);
        if (!pkt)
            return;
        (void)jr_ipv4_parse(jr_pkt_data(pkt), pkt->len, &hdr); /* of the whole; can't fail */
    }
    rx.src = hdr.src;
    rx.dst = hdr.dst;
    rx.proto = hdr.proto;
    rx.tos = hdr.tos;
    rx.ttl = hdr.ttl;
    rx.loop = ifp->loopback;
    rx.ifp = ifp;
    jr_pkt_pull(pkt, hdr.hlen);
    pkt->l4_off = (uint16_t)pkt->off;
    deliver(ip, pkt, &rx, now);
}
