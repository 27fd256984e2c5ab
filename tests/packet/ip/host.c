/* SPDX-License-Identifier: BSD-3-Clause */
#include "host.h"

static const uint8_t secret[16] = "a secret for it";

void host_init_mtu(struct host *h, const struct jr_ip_config *cfg, uint32_t mtu, uint32_t caps)
{
    const struct jr_ip_route_conf out = {.dst = ANY, .gw = ROUTER, .src = ANY};
    struct jr_ip_route_conf dflt = out;

    memset(h, 0, sizeof *h);
    h->now = 1000 * JR_SEC;
    jr_rng_init(&h->rng, 42);
    fake_dev_init(&h->dev, mtu, caps);
    h->ifp = jr_netif_new(&h->dev.dev, &h->counters, &h->rng);
    h->ip = jr_ip_new(&h->counters, &h->rng, cfg);
    JR_CHECK_EQ(jr_ip_netif_add(h->ip, h->ifp), 0);
    JR_CHECK_EQ(jr_ip_addr_add(h->ip, h->ifp, US, 24, SUBNET_BCAST, true, h->now), 0);
    dflt.ifp = h->ifp;
    JR_CHECK_EQ(jr_ip_route_add(h->ip, &dflt), 0);
    jr_neigh_set(h->ifp, PEER, MAC_PEER, JR_NEIGH_PERMANENT, h->now);
    jr_neigh_set(h->ifp, ROUTER, MAC_ROUTER, JR_NEIGH_PERMANENT, h->now);
    h->udp = jr_udp_new(h->ip, 49152, 65535, secret);
    host_flush(h);
    host_discard(h); /* the announcement of the address */
    host_mark(h);
}

void host_init(struct host *h, const struct jr_ip_config *cfg) { host_init_mtu(h, cfg, 1500, 0); }

void host_fini(struct host *h)
{
    jr_udp_free(h->udp);
    jr_ip_free(h->ip);
    jr_neigh_flush(h->ifp);
    JR_CHECK_EQ(h->ifp->neigh->n_wait, 0);
    jr_netif_free(h->ifp);
    JR_CHECK_EQ(fake_dev_fini(&h->dev), 0);
}

void host_flush(struct host *h) { jr_ip_flush(h->ip, h->now); }

void host_rx(struct host *h, const void *frame, uint32_t len)
{
    jr_ip_input(h->ifp, fake_dev_frame(&h->dev, frame, len), h->now);
    host_flush(h);
}

void host_wait(struct host *h, jr_time us)
{
    const jr_time end = h->now + us;

    while (h->now < end) {
        h->now += jr_min_u64(100 * JR_MS, end - h->now);
        if (jr_ip_next_tick(h->ip) <= h->now)
            jr_ip_tick(h->ip, h->now);
        host_flush(h);
    }
}

struct jr_pkt *host_sent(struct host *h) { return jr_pktq_pop(&h->dev.sent); }

unsigned host_discard(struct host *h)
{
    const unsigned n = h->dev.sent.count;

    jr_pktq_purge(&h->dev.sent);
    return n;
}

uint64_t host_counted(const struct host *h, enum jr_counter id)
{
    return jr_counter_get(&h->counters, id) - jr_counter_get(&h->mark, id);
}

void host_mark(struct host *h) { h->mark = h->counters; }

void frame_ipv4(struct frame *f, const struct jr_ipv4 *ip, const void *payload, uint32_t len)
{
    struct jr_ipv4 hdr = *ip;
    const bool on_link = memcmp(ip->src.b, US.b, 15) == 0;
    struct jr_ether_addr to = MAC_US;

    if (jr_ipv4_is_broadcast(ip->dst) || jr_addr_eq(ip->dst, SUBNET_BCAST))
        to = jr_ether_broadcast();
    else if (jr_ipv4_is_multicast(ip->dst))
        to = jr_ether_multicast(ip->dst);
    if (hdr.total_len == 0)
        hdr.total_len = (uint16_t)(JR_IPV4_HLEN + len);
    if (hdr.ttl == 0)
        hdr.ttl = 64;
    jr_ether_build(f->b, to, on_link ? MAC_PEER : MAC_ROUTER, JR_ETHERTYPE_IPV4);
    jr_ipv4_build(f->b + 14, &hdr, true);
    if (len)
        memcpy(f->b + 34, payload, len);
    f->len = 34 + len;
}

void frame_arp(struct frame *f, struct jr_ether_addr to, const struct jr_arp *arp)
{
    jr_ether_build(f->b, to, arp->sha, JR_ETHERTYPE_ARP);
    jr_arp_build(f->b + 14, arp);
    f->len = 14 + JR_ARP_LEN;
}

static uint32_t build_udp(uint8_t *p, struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport,
                          const void *data, uint32_t len)
{
    if (len)
        memcpy(p + JR_UDP_HLEN, data, len);
    jr_udp_build(p, sport, dport, len, jr_cksum_partial(p + JR_UDP_HLEN, len, 0), src, dst);
    return JR_UDP_HLEN + len;
}

void frame_udp(struct frame *f, struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport,
               const void *data, uint32_t len)
{
    static uint8_t seg[65536];
    const struct jr_ipv4 ip = {.src = src, .dst = dst, .proto = JR_IPPROTO_UDP};

    frame_ipv4(f, &ip, seg, build_udp(seg, src, sport, dst, dport, data, len));
}

uint32_t quote_udp(uint8_t *p, struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport)
{
    const struct jr_ipv4 ip = {.src = src, .dst = dst, .proto = JR_IPPROTO_UDP, .total_len = 128, .ttl = 60};

    jr_ipv4_build(p, &ip, true);
    jr_udp_build(p + JR_IPV4_HLEN, sport, dport, 100, 0, src, dst);
    return JR_IPV4_HLEN + JR_UDP_HLEN;
}

void frame_icmp(struct frame *f, struct jr_addr src, struct jr_addr dst, const struct jr_icmp *icmp, const void *body,
                uint32_t len)
{
    static uint8_t msg[65536];
    const struct jr_ipv4 ip = {.src = src, .dst = dst, .proto = JR_IPPROTO_ICMP};

    if (len)
        memcpy(msg + JR_ICMP_HLEN, body, len);
    jr_icmp_build(msg, JR_ICMP_HLEN + len, icmp);
    frame_ipv4(f, &ip, msg, JR_ICMP_HLEN + len);
}

void frame_fix_cksum(struct frame *f)
{
    const uint32_t hlen = (f->b[14] & 15) * 4u;

    jr_store_raw16(f->b + 24, 0);
    if (14 + hlen <= f->len)
        jr_store_raw16(f->b + 24, jr_cksum_fold(jr_cksum_partial(f->b + 14, hlen, 0)));
}

bool host_sent_ipv4(struct host *h, struct sent *s)
{
    memset(s, 0, sizeof *s);
    s->pkt = host_sent(h);
    if (!JR_CHECK(s->pkt))
        return false;
    const uint8_t *p = jr_pkt_data(s->pkt);
    if (!JR_CHECK_EQ(jr_ether_parse(p, s->pkt->len, &s->eth), JR_WIRE_OK) ||
        !JR_CHECK_EQ(s->eth.type, JR_ETHERTYPE_IPV4) ||
        !JR_CHECK_EQ(jr_ipv4_parse(p + 14, s->pkt->len - 14, &s->ip), JR_WIRE_OK))
        return false;
    JR_CHECK(jr_ether_eq(s->eth.src, MAC_US));
    if (!(s->pkt->flags & JR_PKT_TX_IP_CSUM))
        JR_CHECK(jr_ipv4_cksum_ok(p + 14, s->ip.hlen));
    JR_CHECK_EQ(s->ip.total_len, s->pkt->len - 14);
    JR_CHECK_EQ(s->pkt->l3_off, s->pkt->off + 14);
    s->payload = p + 14 + s->ip.hlen;
    s->len = s->ip.total_len - s->ip.hlen;
    return true;
}

void sent_free(struct sent *s)
{
    if (s->pkt)
        jr_pkt_free(s->pkt);
    s->pkt = NULL;
}

bool host_sent_arp(struct host *h, struct jr_ether *eth, struct jr_arp *arp)
{
    struct jr_pkt *pkt = host_sent(h);
    bool ok;

    if (!JR_CHECK(pkt))
        return false;
    ok = JR_CHECK_EQ(jr_ether_parse(jr_pkt_data(pkt), pkt->len, eth), JR_WIRE_OK) &&
         JR_CHECK_EQ(eth->type, JR_ETHERTYPE_ARP) &&
         JR_CHECK_EQ(jr_arp_parse(jr_pkt_data(pkt) + 14, pkt->len - 14, arp), JR_WIRE_OK);
    jr_pkt_free(pkt);
    return ok;
}
