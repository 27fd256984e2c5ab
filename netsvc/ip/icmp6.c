/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMPv6 of a host (RFC 4443): answers echo requests, tells senders what can't be delivered, hands errors about our own
 * packets to the transport that sent them, and Neighbour Discovery to link/ and nd6_rtr.c.
 */
#include "wire/icmp6.h"

#include <errno.h>
#include <string.h>

#include "ip/stack6.h"
#include "wire/cksum.h"
#include "wire/icmp.h"

/* RFC 4443 2.4 (e): about what no error may be sent. Those of a group are only told of two kinds of problems. */
static bool may_complain(const struct jr_ip *ip, const struct jr_icmp6 *icmp, const struct jr_ipv6 *hdr,
                         const uint8_t *quote, uint32_t quote_len)
{
    struct jr_ipv6_chain c;

    if (!jr_ipv6_is_host(hdr->src) && !jr_ip_is_local(ip, hdr->src))
        return false;
    if (jr_ipv6_is_multicast(hdr->dst)) {
        if (icmp->type != JR_ICMP6_PARAM_PROBLEM || icmp->code != JR_ICMP6_PARAM_OPTION)
            return false;
    } else if (!jr_ip_is_local(ip, hdr->dst)) {
        return false;
    }
    (void)jr_ipv6_walk(quote, quote_len, false, &c); /* as far as it goes */
    if (c.fragment && c.frag_off)
        return icmp->type == JR_ICMP6_PARAM_PROBLEM;
    if (c.proto == JR_IPPROTO_ICMPV6 && c.hlen < quote_len)
        return !jr_icmp6_is_error(quote[c.hlen]) && quote[c.hlen] != JR_ICMP6_REDIRECT;
    return true;
}

void jr_icmp6_error(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_icmp6 *icmp, const uint8_t *quote,
                    uint32_t quote_len, jr_time now)
{
    uint8_t msg[JR_IPV6_MIN_MTU - JR_IPV6_HLEN];
    struct jr_ip_route rt;
    struct jr_ipv6 hdr;

    if (ip->cfg.shared && !ifp->loopback) {
        jr_count(ip->counters, JR_C_ICMP6_ERR_SHARED);
        return;
    }
    if (jr_ipv6_parse_quote(quote, quote_len, &hdr) != JR_WIRE_OK)
        return;
    hdr.src = jr_ipv6_set_zone(hdr.src, ifp->nd6->zone);
    hdr.dst = jr_ipv6_set_zone(hdr.dst, ifp->nd6->zone);
    if (!may_complain(ip, icmp, &hdr, quote, quote_len) || !jr_ip_route(ip, hdr.src, &rt) || rt.local || rt.broadcast) {
        jr_count(ip->counters, JR_C_ICMP6_ERR_FORBIDDEN);
        return;
    }
    if (!ifp->loopback && !jr_bucket_take(ip, &ip->icmp6_errors, ip->cfg.icmp6_errppslimit, now)) {
        jr_count(ip->counters, JR_C_ICMP6_ERR_LIMITED);
        return;
    }
    const struct jr_ip_tx tx = {
        .src = jr_ipv6_is_multicast(hdr.dst) ? rt.src : hdr.dst,
        .dst = hdr.src,
        .proto = JR_IPPROTO_ICMPV6,
    };
    quote_len = jr_min_u32(quote_len, sizeof msg - JR_ICMP6_HLEN);
    memcpy(msg + JR_ICMP6_HLEN, quote, quote_len);
    jr_icmp6_build(msg, JR_ICMP6_HLEN + quote_len, icmp, tx.src, tx.dst);
    jr_count(ip->counters, JR_C_ICMP6_ERR_TX);
    (void)jr_ip6_output_gather(ip, &tx, &rt, msg, JR_ICMP6_HLEN + quote_len, NULL, 0, NULL, 0, now);
}

void jr_icmp6_unreach(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, uint8_t code4, jr_time now)
{
    const struct jr_icmp6 icmp = {
        .type = JR_ICMP6_UNREACH,
        .code = code4 == JR_ICMP_UNREACH_PORT ? JR_ICMP6_UNREACH_PORT : JR_ICMP6_UNREACH_ADDR,
    };

    jr_icmp6_error(ip, rx->ifp, &icmp, pkt->buf + pkt->l3_off, pkt->off + pkt->len - pkt->l3_off, now);
}

static void on_echo(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, const struct jr_icmp6 *req,
                    jr_time now)
{
    const uint8_t *body = jr_pkt_data(pkt) + JR_ICMP6_HLEN;
    const uint32_t len = pkt->len - JR_ICMP6_HLEN;
    uint8_t head[JR_ICMP6_HLEN] = {JR_ICMP6_ECHO_REPLY};
    struct jr_ip_tx tx = {.src = rx->dst, .dst = rx->src, .proto = JR_IPPROTO_ICMPV6, .tos = rx->tos};
    struct jr_ip_route rt;
    uint32_t sum;

    if (ip->cfg.shared || !jr_ip_route(ip, rx->src, &rt))
        return; /* the kernel answers; or nobody can */
    if (!jr_bucket_take(ip, &ip->icmp_echoes, ip->cfg.icmp_echo_per_s, now)) {
        jr_count(ip->counters, JR_C_ICMP6_ECHO_LIMITED);
        return;
    }
    if (rx->broadcast) /* RFC 4443 4.2: to a group too, from an address of our own */
        tx.src = rt.src;
    jr_store_be32(head + 4, req->rest);
    sum = jr_cksum_partial(head, sizeof head, jr_cksum_pseudo(tx.src, tx.dst, JR_IPPROTO_ICMPV6, pkt->len));
    jr_store_raw16(head + 2, jr_cksum_fold(jr_cksum_partial(body, len, sum)));
    jr_count(ip->counters, JR_C_ICMP6_ECHO);
    (void)jr_ip6_output_gather(ip, &tx, &rt, head, sizeof head, body, len, NULL, 0, now);
}

/* The ICMPv4 numbers that mean the same to a transport. */
static void translate(const struct jr_icmp6 *icmp, struct jr_ip_ctl *ctl)
{
    static const uint8_t unreach[] = {
        [JR_ICMP6_UNREACH_NOROUTE] = JR_ICMP_UNREACH_NET,
        [JR_ICMP6_UNREACH_ADMIN] = 13,
        [JR_ICMP6_UNREACH_SCOPE] = JR_ICMP_UNREACH_HOST,
        [JR_ICMP6_UNREACH_ADDR] = JR_ICMP_UNREACH_HOST,
        [JR_ICMP6_UNREACH_PORT] = JR_ICMP_UNREACH_PORT,
        [JR_ICMP6_UNREACH_POLICY] = 13,
        [JR_ICMP6_UNREACH_REJECT] = 13,
    };

    ctl->type6 = icmp->type;
    ctl->code6 = icmp->code;
    ctl->type = JR_ICMP_UNREACH;
    switch (icmp->type) {
    case JR_ICMP6_PACKET_TOO_BIG:
        ctl->code = JR_ICMP_UNREACH_FRAG;
        ctl->mtu = (uint16_t)jr_min_u32(icmp->rest, UINT16_MAX);
        return;
    case JR_ICMP6_TIME_EXCEEDED:
        ctl->type = JR_ICMP_TIME_EXCEEDED;
        ctl->code = icmp->code;
        return;
    case JR_ICMP6_PARAM_PROBLEM: /* an unknown next header: nobody speaks our protocol there */
        if (icmp->code == JR_ICMP6_PARAM_NEXT_HEADER)
            ctl->code = JR_ICMP_UNREACH_PROTO;
        else
            ctl->type = JR_ICMP_PARAM_PROBLEM;
        return;
    default:
        ctl->code = icmp->code < JR_ARRAY_LEN(unreach) ? unreach[icmp->code] : JR_ICMP_UNREACH_NET;
    }
}

/* An error about the packet of ours that starts at quote, told by from. */
static void on_error(struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr from, const struct jr_icmp6 *icmp,
                     const uint8_t *quote, uint32_t quote_len, jr_time now)
{
    const struct jr_ip_proto *proto;
    struct jr_ipv6_chain c;
    struct jr_ip_ctl ctl = {.from = from};
    struct jr_ipv6 hdr;

    if (jr_ipv6_parse_quote(quote, quote_len, &hdr) != JR_WIRE_OK ||
        jr_ipv6_walk(quote, quote_len, false, &c) != JR_WIRE_OK || (c.fragment && c.frag_off)) {
        jr_count(ip->counters, JR_C_ICMP6_BAD_QUOTE);
        return;
    }
    if (quote_len - c.hlen < 8) {
        jr_count(ip->counters, JR_C_ICMP6_SHORT);
        return;
    }
    ctl.src = jr_ipv6_set_zone(hdr.src, ifp->nd6->zone);
    ctl.dst = jr_ipv6_set_zone(hdr.dst, ifp->nd6->zone);
    if (jr_addr_is_v4(ctl.src) || !jr_ip_is_local(ip, ctl.src)) {
        jr_count(ip->counters, JR_C_ICMP6_NOT_OURS);
        return;
    }
    proto = &ip->protos[c.proto];
    if (!proto->ctlinput) {
        jr_count(ip->counters, JR_C_ICMP6_IGNORED);
        return;
    }
    ctl.quote = quote + c.hlen;
    ctl.quote_len = quote_len - c.hlen;
    translate(icmp, &ctl);
    jr_count(ip->counters, JR_C_ICMP6_ERR_RX);
    proto->ctlinput(proto->ctx, &ctl, now);
}

/* Neighbour Discovery and MLD. RFC 6980: never in fragments. */
static void on_control(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx,
                       const struct jr_icmp6 *icmp, bool was_fragmented, jr_time now)
{
    const struct jr_nd6_rx nd = {
        .src = rx->src,
        .dst = rx->dst,
        .hlim = rx->ttl,
        .icmp = *icmp,
        .p = jr_pkt_data(pkt),
        .len = pkt->len,
    };

    switch (icmp->type) {
    case JR_ICMP6_NEIGHBOR_SOLICIT:
    case JR_ICMP6_NEIGHBOR_ADVERT:
        if (was_fragmented)
            jr_count(ip->counters, JR_C_ND6_BAD);
        else
            jr_nd6_input(rx->ifp, &nd, now);
        return;
    case JR_ICMP6_ROUTER_ADVERT:
    case JR_ICMP6_REDIRECT:
        if (was_fragmented)
            jr_count(ip->counters, JR_C_ND6_BAD);
        else
            jr_nd6_rtr_input(ip, rx->ifp, &nd, now);
        return;
    case JR_ICMP6_MLD_QUERY:
    case JR_ICMP6_MLD1_REPORT:
        jr_mld6_input(rx->ifp, &nd, now);
        return;
    default:
        jr_count(ip->counters, JR_C_ICMP6_IGNORED);
    }
}

void jr_icmp6_input(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, bool was_fragmented, jr_time now)
{
    const uint8_t *p = jr_pkt_data(pkt);
    struct jr_icmp6 icmp;
    const enum jr_counter bad = jr_icmp6_parse(p, pkt->len, rx->src, rx->dst, &icmp);

    jr_count(ip->counters, JR_C_ICMP6_RX);
    if (bad != JR_WIRE_OK)
        jr_count(ip->counters, bad);
    else if (jr_icmp6_is_error(icmp.type) && icmp.type >= JR_ICMP6_UNREACH && icmp.type <= JR_ICMP6_PARAM_PROBLEM)
        on_error(ip, rx->ifp, rx->src, &icmp, p + JR_ICMP6_HLEN, pkt->len - JR_ICMP6_HLEN, now);
    else if (icmp.type == JR_ICMP6_ECHO && !jr_ipv6_is_any(rx->src))
        on_echo(ip, pkt, rx, &icmp, now);
    else
        on_control(ip, pkt, rx, &icmp, was_fragmented, now);
    jr_pkt_free(pkt);
}

void jr_icmp6_on_unresolved(struct jr_ip *ip, struct jr_netif *ifp, struct jr_pkt *pkt, jr_time now)
{
    const struct jr_icmp6 icmp = {.type = JR_ICMP6_UNREACH, .code = JR_ICMP6_UNREACH_ADDR};
    const struct jr_nd6_addr *ll = jr_nd6_linklocal(ifp);

    on_error(ip, ifp, ll ? ll->addr : (struct jr_addr){.q = {0, 0}}, &icmp, jr_pkt_data(pkt), pkt->len, now);
    jr_pkt_free(pkt);
}

static int icmp6_errno(uint8_t type, uint8_t code, bool *fatal)
{
    /* by code of JR_ICMP6_UNREACH, as icmpv6 errors reach sockets on Linux */
    static const struct {
        uint8_t err;
        bool fatal;
    } unreach[] = {
        {ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
        {ECONNREFUSED, true}, {EACCES, true}, {EACCES, true},
    };

    *fatal = false;
    switch (type) {
    case JR_ICMP6_PACKET_TOO_BIG:
        return EMSGSIZE;
    case JR_ICMP6_TIME_EXCEEDED:
        return EHOSTUNREACH;
    case JR_ICMP6_PARAM_PROBLEM:
        *fatal = true;
        return EPROTO;
    default:
        if (type != JR_ICMP6_UNREACH || code >= JR_ARRAY_LEN(unreach))
            return 0;
        *fatal = unreach[code].fatal;
        return unreach[code].err;
    }
}

int jr_ip_ctl_errno(const struct jr_ip_ctl *ctl, bool *fatal)
{
    return ctl->type6 ? icmp6_errno(ctl->type6, ctl->code6, fatal) : jr_icmp_errno(ctl->type, ctl->code, fatal);
}
