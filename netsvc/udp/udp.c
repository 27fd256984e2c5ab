/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP, receiving: RFC 768, RFC 1122 4.1. */
#include "udp/udp.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* for errqueue.h */

#include <linux/errqueue.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/siphash.h"
#include "udp/pcb.h"
#include "wire/cksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp_wire.h"

/* To every socket that fits; they are the same bytes for all (RFC 1122 4.1.3.3 leaves open to how many). */
static bool deliver_to_all(struct jr_udp *udp, const struct jr_ip_rx *rx, const struct jr_endpoint *local,
                           const struct jr_endpoint *from, const uint8_t *data, uint32_t len, jr_time now)
{
    bool any = false;

    JR_LIST_EACH_SAFE(n, jr_udp_port_bucket(udp, local->port)) {
        struct jr_udpcb *up = JR_LIST_ENTRY(n, struct jr_udpcb, port_link);
        if (!jr_udp_pcb_score(up, local, from) || (rx->multicast && !jr_udp_mcast_allows(up, rx)))
            continue;
        any = true;
        jr_count(udp->counters, JR_C_UDP_RX);
        up->up->input(up->so, up, from, rx, data, len, now);
    }
    return any;
}

void jr_udp_pcb_loop(struct jr_udp *udp, const struct jr_ip_rx *rx, const struct jr_endpoint *from, uint16_t dport,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    const struct jr_endpoint local = {rx->dst, dport};

    (void)deliver_to_all(udp, rx, &local, from, data, len, now);
}

static enum jr_counter check_datagram(const struct jr_pkt *pkt, const struct jr_ip_rx *rx, struct jr_udp_hdr *hdr)
{
    const enum jr_counter bad = jr_udp_parse(jr_pkt_data(pkt), pkt->len, hdr);

    if (bad != JR_WIRE_OK)
        return bad;
    if (!hdr->has_cksum && !jr_addr_is_v4(rx->dst)) /* RFC 8200 8.1; RFC 6936's tunnels are not spoken here */
        return JR_C_UDP_ZERO_CKSUM6;
    if (!(pkt->flags & JR_PKT_RX_L4_CSUM_OK) && !jr_udp_cksum_ok(jr_pkt_data(pkt), hdr, rx->src, rx->dst))
        return JR_C_UDP_BAD_CKSUM;
    return JR_WIRE_OK;
}

static void on_closed_port(struct jr_udp *udp, const struct jr_pkt *pkt, const struct jr_ip_rx *rx,
                           const struct jr_endpoint *local, const struct jr_endpoint *from, jr_time now)
{
    if (udp->cfg.log_in_vain) {
        const uint8_t *to = local->addr.b + 12, *by = from->addr.b + 12;
        jr_log(JR_LOG_INFO, "udp: %u.%u.%u.%u:%u from %u.%u.%u.%u:%u: no socket", to[0], to[1], to[2], to[3],
               local->port, by[0], by[1], by[2], by[3], from->port);
    }
    if (udp->cfg.blackhole)
        jr_count(udp->counters, JR_C_UDP_BLACKHOLE);
    else
        jr_icmp_unreach(udp->ip, pkt, rx, JR_ICMP_UNREACH_PORT, now);
}

static void udp_input(void *ctx, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    struct jr_udp *udp = ctx;
    struct jr_udp_hdr hdr;
    const enum jr_counter bad = check_datagram(pkt, rx, &hdr);
    struct jr_endpoint local, from;
    const uint8_t *data;
    struct jr_udpcb *up;

    /* FreeBSD says nothing; to itself a host does, as Linux */
    if (bad != JR_WIRE_OK && !(bad == JR_C_UDP_PORT_ZERO && rx->loop)) {
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
        on_closed_port(udp, pkt, rx, &local, &from, now);
    }
    jr_pkt_free(pkt);
}

void jr_udp_pcb_error(struct jr_udpcb *up, const struct jr_udp_error *e, bool fatal, jr_time now)
{
    const bool queued = jr_udp_queues_errors(up, e->dst.addr);

    if (queued && up->up->queue_error)
        up->up->queue_error(up->so, up, e, now);
    if (fatal || queued)
        up->up->error(up->so, up, e->err, now);
}

/* RFC 1122 4.1.3.3: errors go up, to the socket that is connected to where the datagram went; others must have asked.
 */
static void udp_ctlinput(void *ctx, const struct jr_ip_ctl *ctl, jr_time now)
{
    struct jr_udp *udp = ctx;
    const struct jr_endpoint local = {ctl->src, jr_load_be16(ctl->quote)};
    const bool too_big = ctl->type == JR_ICMP_UNREACH && ctl->code == JR_ICMP_UNREACH_FRAG;
    struct jr_udp_error e = {
        .origin = ctl->type6 ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP,
        .type = ctl->type6 ? ctl->type6 : ctl->type,
        .code = ctl->type6 ? ctl->code6 : ctl->code,
        .offender = ctl->from,
        .dst = {ctl->dst, jr_load_be16(ctl->quote + 2)},
        .data = ctl->quote + JR_UDP_HLEN,
        .len = ctl->quote_len - JR_UDP_HLEN,
    };
    struct jr_udpcb *up = jr_udp_pcb_lookup(udp, &local, &e.dst);
    bool fatal;

    if (too_big && up)
        e.info = jr_ip_pmtu_update(udp->ip, ctl->dst, ctl->mtu, now);
    if (!up || !(up->connected || jr_udp_queues_errors(up, e.dst.addr))) {
        jr_count(udp->counters, JR_C_UDP_CTL_UNMATCHED);
        return;
    }
    e.err = jr_ip_ctl_errno(ctl, &fatal);
    if (too_big) { /* Linux: only who minds the path's MTU hears of it */
        if (up->opt.pmtudisc == IP_PMTUDISC_DONT)
            return;
        fatal = true;
    }
    if (e.err)
        jr_udp_pcb_error(up, &e, fatal, now);
}

void jr_udp_config_defaults(struct jr_udp_config *cfg) { *cfg = (struct jr_udp_config){JR_SYSCTL_UDP_DEFAULTS}; }

struct jr_udp_config *jr_udp_config(struct jr_udp *udp) { return &udp->cfg; }

struct jr_udp *jr_udp_new(struct jr_ip *ip, uint16_t port_first, uint16_t port_last, const uint8_t secret[16])
{
    struct jr_udp *udp = calloc(1, sizeof *udp);

    if (!udp)
        return NULL;
    udp->ip = ip;
    udp->counters = jr_ip_counters(ip);
    jr_udp_config_defaults(&udp->cfg);
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
