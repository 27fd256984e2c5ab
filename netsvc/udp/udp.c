/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP: RFC 768, RFC 1122 4.1. */
#include "udp/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/siphash.h"
#include "udp/pcb.h"
#include "wire/cksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/udp_wire.h"

/* To every socket that fits; they are the same bytes for all (RFC 1122 4.1.3.3 leaves open to how many). */
static bool deliver_to_all(struct jr_udp *udp, const struct jr_ip_rx *rx, const struct jr_endpoint *local,
                           const struct jr_endpoint *from, const uint8_t *data, uint32_t len, jr_time now)
{
    bool any = false;

    JR_LIST_EACH_SAFE(n, jr_udp_port_bucket(udp, local->port)) {
        struct jr_udpcb *up = JR_LIST_ENTRY(n, struct jr_udpcb, port_link);
        if (!jr_udp_pcb_score(up, local, from))
            continue;
        any = true;
        jr_count(udp->counters, JR_C_UDP_RX);
        up->up->input(up->so, up, from, rx, data, len, now);
    }
    return any;
}

static enum jr_counter check_datagram(const struct jr_pkt *pkt, const struct jr_ip_rx *rx, struct jr_udp_hdr *hdr)
{
    const enum jr_counter bad = jr_udp_parse(jr_pkt_data(pkt), pkt->len, hdr);

    if (bad != JR_WIRE_OK)
        return bad;
    if (!(pkt->flags & JR_PKT_RX_L4_CSUM_OK) && !jr_udp_cksum_ok(jr_pkt_data(pkt), hdr, rx->src, rx->dst))
        return JR_C_UDP_BAD_CKSUM;
    return JR_WIRE_OK;
}

static void udp_input(void *ctx, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    struct jr_udp *udp = ctx;
    struct jr_udp_hdr hdr;
    const enum jr_counter bad = check_datagram(pkt, rx, &hdr);
    struct jr_endpoint local, from;
    const uint8_t *data;
    struct jr_udpcb *up;

    if (bad != JR_WIRE_OK) {
        jr_drop(udp->counters, pkt, bad);
        return;
    }
    local = (struct jr_endpoint){rx->dst, hdr.dport};
    from = (struct jr_endpoint){rx->src, hdr.sport};
    data = jr_pkt_data(pkt) + JR_UDP_HLEN;
    if (rx->broadcast) {
        if (!deliver_to_all(udp, rx, &local, &from, data, hdr.len - JR_UDP_HLEN, now))
            jr_count(udp->counters, JR_C_UDP_NO_PORT_BROADCAST);
    } else if ((up = jr_udp_pcb_lookup(udp, &local, &from))) {
        jr_count(udp->counters, JR_C_UDP_RX);
        up->up->input(up->so, up, &from, rx, data, hdr.len - JR_UDP_HLEN, now);
    } else {
        jr_count(udp->counters, JR_C_UDP_NO_PORT);
        jr_icmp_unreach(udp->ip, pkt, rx, JR_ICMP_UNREACH_PORT, now);
    }
    jr_pkt_free(pkt);
}

/* RFC 1122 4.1.3.3: errors go up, to the socket that is connected to where the datagram went. */
static void udp_ctlinput(void *ctx, const struct jr_ip_ctl *ctl, jr_time now)
{
    struct jr_udp *udp = ctx;
    const struct jr_endpoint local = {ctl->src, jr_load_be16(ctl->quote)};
    const struct jr_endpoint remote = {ctl->dst, jr_load_be16(ctl->quote + 2)};
    struct jr_udpcb *up = jr_udp_pcb_connected(udp, &local, &remote);
    const bool too_big = ctl->type == JR_ICMP_UNREACH && ctl->code == JR_ICMP_UNREACH_FRAG;
    bool fatal;
    int err;

    if (too_big && (up || jr_udp_pcb_lookup(udp, &local, &remote)))
        (void)jr_ip_pmtu_update(udp->ip, ctl->dst, ctl->mtu, now);
    if (!up) {
        jr_count(udp->counters, JR_C_UDP_CTL_UNMATCHED);
        return;
    }
    err = jr_icmp_errno(ctl->type, ctl->code, &fatal);
    if (fatal)
        up->up->error(up->so, up, err, now);
}

struct jr_udp *jr_udp_new(struct jr_ip *ip, uint16_t port_first, uint16_t port_last, const uint8_t secret[16])
{
    struct jr_udp *udp = calloc(1, sizeof *udp);

    if (!udp)
        return NULL;
    udp->ip = ip;
    udp->counters = jr_ip_counters(ip);
    udp->port_first = port_first;
    udp->port_last = port_last;
    memcpy(udp->secret, secret, 16);
    udp->seed = jr_siphash(secret, "udp", 3);
    jr_list_init(&udp->all);
    for (unsigned i = 0; i < JR_UDP_BUCKETS; i++) {
        jr_list_init(&udp->by_port[i]);
        jr_list_init(&udp->by_flow[i]);
    }
    const struct jr_ip_proto proto = {.ctx = udp, .input = udp_input, .ctlinput = udp_ctlinput};
    jr_ip_set_proto(ip, JR_IPPROTO_UDP, &proto);
    return udp;
}

void jr_udp_free(struct jr_udp *udp)
{
    const struct jr_ip_proto none = {0};

    jr_ip_set_proto(udp->ip, JR_IPPROTO_UDP, &none);
    JR_LIST_EACH_SAFE(n, &udp->all)
        jr_udp_close(JR_LIST_ENTRY(n, struct jr_udpcb, all_link));
    free(udp);
}

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

struct datagram {
    const void *a, *b;
    uint32_t a_len, b_len;
};

/* Fits one packet: copied and summed in one pass. */
static int send_whole(struct jr_udpcb *up, uint16_t dport, const struct datagram *dg, const struct jr_ip_tx *tx,
                      const struct jr_ip_route *rt, jr_time now)
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
    jr_udp_build(p, up->local.port, dport, dg->a_len + dg->b_len, sum, tx->src, tx->dst);
    pkt->l4_off = (uint16_t)pkt->off;
    pkt->l4_len = JR_UDP_HLEN;
    return jr_ip_output(up->udp->ip, pkt, tx, rt, now);
}

static int send_fragments(struct jr_udpcb *up, uint16_t dport, const struct datagram *dg, const struct jr_ip_tx *tx,
                          const struct jr_ip_route *rt, jr_time now)
{
    const uint32_t sum = jr_cksum_join(jr_cksum_partial(dg->a, dg->a_len, 0), dg->a_len,
                                       jr_cksum_partial(dg->b, dg->b_len, 0));
    uint8_t head[JR_UDP_HLEN];

    jr_udp_build(head, up->local.port, dport, dg->a_len + dg->b_len, sum, tx->src, tx->dst);
    return jr_ip_output_gather(up->udp->ip, tx, rt, head, sizeof head, dg->a, dg->a_len, dg->b, dg->b_len, now);
}

static int send_to(struct jr_udpcb *up, const struct jr_endpoint *to, const struct datagram *dg, uint8_t tos,
                   uint8_t ttl, jr_time now)
{
    const uint64_t len = (uint64_t)dg->a_len + dg->b_len + JR_UDP_HLEN;
    const struct jr_ip_route *rt;
    struct jr_ip_tx tx = {.dst = to->addr, .proto = JR_IPPROTO_UDP, .tos = tos, .ttl = ttl};
    struct jr_addr src = up->local.addr;
    int err;

    if (len > JR_IPV4_MAX - JR_IPV4_HLEN)
        return -EMSGSIZE;
    rt = route_to(up, to->addr);
    if (!rt)
        return -ENETUNREACH;
    if (!up->local.port && (err = jr_udp_pcb_autobind(up, up->bound)) != 0)
        return err;
    tx.src = jr_ip_is_local(up->udp->ip, src) ? src : rt->src;
    if (JR_LIKELY(len + JR_IPV4_HLEN <= rt->mtu))
        return send_whole(up, to->port, dg, &tx, rt, now);
    return send_fragments(up, to->port, dg, &tx, rt, now);
}

int jr_udp_send(struct jr_udpcb *up, const struct jr_endpoint *to, const void *a, uint32_t a_len, const void *b,
                uint32_t b_len, uint8_t tos, uint8_t ttl, jr_time now)
{
    const struct datagram dg = {a, b, a_len, b_len};
    int err;

    if (!to) {
        if (!up->remote.port)
            return -EDESTADDRREQ;
        to = &up->remote;
    }
    if (to->port == 0)
        return -EINVAL;
    err = send_to(up, to, &dg, tos, ttl, now);
    jr_count(up->udp->counters, err ? JR_C_UDP_TX_FAILED : JR_C_UDP_TX);
    return err;
}
