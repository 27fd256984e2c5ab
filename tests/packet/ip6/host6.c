/* SPDX-License-Identifier: BSD-3-Clause */
#include "host6.h"

#include <arpa/inet.h>

struct jr_addr ip6(const char *text)
{
    struct jr_addr a;

    JR_CHECK_EQ(inet_pton(AF_INET6, text, a.b), 1);
    return a;
}

struct jr_addr on_link(struct host *h, const char *text) { return jr_ipv6_set_zone(ip6(text), h->ifp->nd6->zone); }

void host6_init(struct host *h, struct jr_ip_config *cfg)
{
    struct jr_ip_config dflt;
    struct jr_ip_route_conf out = {.dst = ANY6, .src = ANY6};

    if (!cfg) {
        jr_ip_config_defaults(&dflt);
        cfg = &dflt;
    }
    cfg->ip6_dad_count = 0;
    host_init(h, cfg);
    JR_CHECK_EQ(jr_ip_addr_add(h->ip, h->ifp, US6, 64, ANY6, true, h->now), 0);
    JR_CHECK_EQ(jr_ip_start6(h->ip, h->ifp, cfg->ip6_accept_rtadv, h->now), 0);
    out.ifp = h->ifp;
    out.gw = on_link(h, "fe80::fe");
    JR_CHECK_EQ(jr_ip_route_add(h->ip, &out), 0);
    jr_neigh_set(h->ifp, PEER6, MAC_PEER, JR_NEIGH_PERMANENT, h->now);
    jr_neigh_set(h->ifp, on_link(h, "fe80::2"), MAC_PEER, JR_NEIGH_PERMANENT, h->now);
    jr_neigh_set(h->ifp, out.gw, MAC_ROUTER, JR_NEIGH_PERMANENT, h->now);
    host_wait(h, 20 * JR_SEC); /* the groups are reported */
    host_discard(h);
    host_mark(h);
}

void frame_ipv6(struct frame *f, const struct jr_ipv6 *ip, const void *payload, uint32_t len)
{
    const bool near = memcmp(ip->src.b, US6.b, 8) == 0 || jr_ipv6_is_linklocal(ip->src);
    struct jr_ipv6 hdr = *ip;

    if (hdr.payload_len == 0)
        hdr.payload_len = (uint16_t)len;
    if (hdr.hlim == 0)
        hdr.hlim = 64;
    jr_ether_build(f->b, jr_ipv6_is_multicast(ip->dst) ? jr_ether_multicast(ip->dst) : MAC_US,
                   near ? MAC_PEER : MAC_ROUTER, JR_ETHERTYPE_IPV6);
    jr_ipv6_build(f->b + 14, &hdr);
    if (len)
        memcpy(f->b + 54, payload, len);
    f->len = 54 + len;
}

void frame_udp6(struct frame *f, struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport,
                const void *data, uint32_t len)
{
    static uint8_t seg[65536];
    const struct jr_ipv6 ip = {.src = src, .dst = dst, .proto = JR_IPPROTO_UDP};

    if (len)
        memcpy(seg + JR_UDP_HLEN, data, len);
    jr_udp_build(seg, sport, dport, len, jr_cksum_partial(seg + JR_UDP_HLEN, len, 0), src, dst);
    frame_ipv6(f, &ip, seg, JR_UDP_HLEN + len);
}

void frame_icmp6(struct frame *f, struct jr_addr src, struct jr_addr dst, uint8_t hlim, const struct jr_icmp6 *icmp,
                 const void *body, uint32_t len)
{
    static uint8_t msg[65536];
    const struct jr_ipv6 ip = {.src = src, .dst = dst, .proto = JR_IPPROTO_ICMPV6, .hlim = hlim};

    if (len)
        memcpy(msg + JR_ICMP6_HLEN, body, len);
    jr_icmp6_build(msg, JR_ICMP6_HLEN + len, icmp, src, dst);
    frame_ipv6(f, &ip, msg, JR_ICMP6_HLEN + len);
}

void frame_nd(struct frame *f, struct jr_addr src, struct jr_addr dst, uint8_t type, uint32_t flags,
              struct jr_addr target, const struct jr_ether_addr *mac)
{
    const struct jr_addr wire = jr_ipv6_wire(target);
    uint8_t body[16 + JR_ND_LLADDR_LEN];
    const uint8_t opt = type == JR_ICMP6_NEIGHBOR_SOLICIT ? JR_ND_OPT_SOURCE_LLADDR : JR_ND_OPT_TARGET_LLADDR;

    memcpy(body, wire.b, 16);
    if (mac)
        jr_nd_build_lladdr(body + 16, opt, *mac);
    frame_icmp6(f, src, dst, JR_ND_HLIM, &(struct jr_icmp6){type, 0, flags}, body, mac ? sizeof body : 16);
}

bool host_sent_ipv6(struct host *h, struct sent6 *s)
{
    memset(s, 0, sizeof *s);
    s->pkt = host_sent(h);
    if (!JR_CHECK(s->pkt))
        return false;
    const uint8_t *p = jr_pkt_data(s->pkt);
    const uint32_t len = s->pkt->len - 14;
    if (!JR_CHECK_EQ(jr_ether_parse(p, s->pkt->len, &s->eth), JR_WIRE_OK) ||
        !JR_CHECK_EQ(s->eth.type, JR_ETHERTYPE_IPV6) || !JR_CHECK_EQ(jr_ipv6_parse(p + 14, len, &s->ip), JR_WIRE_OK) ||
        !JR_CHECK_EQ(jr_ipv6_walk(p + 14, len, false, &s->chain), JR_WIRE_OK))
        return false;
    JR_CHECK(jr_ether_eq(s->eth.src, MAC_US));
    JR_CHECK_EQ(s->ip.payload_len + JR_IPV6_HLEN, len);
    if (jr_ipv6_is_multicast(s->ip.dst))
        JR_CHECK(jr_ether_eq(s->eth.dst, jr_ether_multicast(s->ip.dst)));
    s->payload = p + 14 + s->chain.hlen;
    s->len = len - s->chain.hlen;
    return true;
}

void sent6_free(struct sent6 *s)
{
    if (s->pkt)
        jr_pkt_free(s->pkt);
    s->pkt = NULL;
}

bool host_sent_icmp6(struct host *h, struct sent6 *s, struct jr_icmp6 *icmp)
{
    memset(icmp, 0, sizeof *icmp);
    return host_sent_ipv6(h, s) && JR_CHECK_EQ(s->chain.proto, JR_IPPROTO_ICMPV6) &&
           JR_CHECK_EQ(jr_icmp6_parse(s->payload, s->len, s->ip.src, s->ip.dst, icmp), JR_WIRE_OK);
}
