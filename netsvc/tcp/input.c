/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of every received segment: check it, find its connection, take the fast path if it is the expected
 * one, else the numbered steps of segment.c. A segment is copied into the receive ring here or below, so its
 * packet always ends here. RFC 9293 3.10.7; header prediction after Jacobson (RFC 1323 4.2.1's ancestor).
 */
#include "tcp/input.h"

#include <arpa/inet.h>

#include "base/log.h"
#include "tcp/ack.h"
#include "tcp/ecn.h"
#include "tcp/md5sig.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/state.h"
#include "tcp/syncache.h"
#include "tcp/timewait.h"
#include "wire/cksum.h"

#define PROTO_TCP 6

/* Reads the header; false: counted, to be dropped. */
static bool check_segment(struct jr_tcp *tcp, struct jr_pkt *pkt, const struct jr_ip_rx *rx, struct jr_tcp_seg *seg)
{
    const uint8_t *p = jr_pkt_data(pkt);
    enum jr_counter why;
    if (rx->broadcast)
        why = JR_C_TCP_BROADCAST;
    else if (pkt->len < JR_TCP_HLEN)
        why = JR_C_TCP_SHORT;
    else if (!jr_tcp_parse(p, pkt->len, &seg->hdr))
        why = JR_C_TCP_BAD_OFFSET;
    else if (!(pkt->flags & JR_PKT_RX_L4_CSUM_OK) &&
             jr_cksum_fold(jr_cksum_partial(p, pkt->len, jr_cksum_pseudo(rx->src, rx->dst, PROTO_TCP, pkt->len))) != 0)
        why = JR_C_TCP_BAD_CKSUM;
    else if (tcp->cfg.drop_synfin && (seg->hdr.flags & (TH_SYN | TH_FIN)) == (TH_SYN | TH_FIN))
        why = JR_C_TCP_SYNFIN;
    else
        why = JR_C__COUNT;
    if (why != JR_C__COUNT) {
        jr_count(tcp->counters, why);
        return false;
    }
    seg->pkt = pkt;
    seg->rx = rx;
    seg->seq = jr_seq_of(seg->hdr.seq);
    seg->ack = jr_seq_of(seg->hdr.ack);
    seg->flags = seg->hdr.flags;
    seg->urp = seg->hdr.urp;
    seg->data = p + seg->hdr.hlen;
    seg->len = pkt->len - seg->hdr.hlen;
    seg->opts_ok = false;
    return true;
}

/* The option bytes of a segment that the fast path may handle: timestamps alone, as new as the last, or none. */
static bool predict_opts(const struct jr_tcpcb *tp, struct jr_tcp_seg *seg)
{
    const uint8_t *p = jr_pkt_data(seg->pkt) + JR_TCP_HLEN;
    seg->opts.flags = 0;
    if (!(tp->t_flags & TF_RCVD_TSTMP))
        return seg->hdr.hlen == JR_TCP_HLEN;
    if (!jr_tcp_parse_ts_only(p, seg->hdr.hlen - JR_TCP_HLEN, &seg->opts.tsval, &seg->opts.tsecr))
        return false;
    seg->opts.flags = TOF_TS;
    return !jr_ts_lt(seg->opts.tsval, tp->ts_recent);
}

/* Header prediction: the next segment in order, or the next acknowledgement, with nothing unusual going on. */
static bool fast_path(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    if (tp->t_state != TCPS_ESTABLISHED || (seg->flags & (uint8_t) ~(TH_PUSH | TH_ECE | TH_CWR)) != TH_ACK ||
        !jr_seq_eq(seg->seq, tp->rcv_nxt) || tp->reass != NULL || tp->map.marked ||
        (tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY | TF_GOTFIN)) || !jr_seq_eq(tp->snd_nxt, tp->snd_max))
        return false;
    if (jr_seq_lt(seg->ack, tp->snd_una) || jr_seq_gt(seg->ack, tp->snd_max))
        return false;
    bool acks = !jr_seq_eq(seg->ack, tp->snd_una);
    if (seg->len == 0 ? !acks : seg->len > jr_tcp_rcv_open(tp) || seg->len > jr_sockbuf_space(tp->rcv))
        return false;
    if (!predict_opts(tp, seg))
        return false;
    tp->t_rcvtime = now;
    tp->segs_in++;
    if ((seg->opts.flags & TOF_TS) && jr_seq_leq(seg->seq, tp->last_ack_sent)) { /* RFC 7323 4.3 */
        tp->ts_recent = seg->opts.tsval;
        tp->ts_recent_age = now;
    }
    seg->wnd = (uint32_t)seg->hdr.win << tp->snd_scale;
    if (jr_ecn_is_on(tp))
        jr_ecn_input_segment(tp, seg, now);
    if (acks)
        jr_tcp_on_expected_ack(tp, seg, now);
    jr_tcp_update_window(tp, seg);
    if (seg->len != 0)
        jr_tcp_data_in_order(tp, seg, now);
    return true;
}

/* Where a port is shared, silence leaves the answer to the kernel, which gets nothing for what is bound here. */
static bool is_kernels(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg)
{
    return jr_ip_is_kernels(tcp->ip, seg->rx) &&
           jr_pcb_lookup_bound(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport) == NULL;
}

static void refuse(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, bool listener, jr_time now)
{
    jr_count(tcp->counters, JR_C_TCP_NOPORT);
    if (!is_kernels(tcp, seg) && !jr_tcp_is_blackhole(tcp, seg, listener))
        jr_tcp_respond_rst(tcp, seg, true, now);
}

static struct jr_tcpcb *listener_of(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg)
{
    return jr_pcb_lookup_listen(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
}

static void log_in_vain(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg)
{
    char to[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];
    if (tcp->cfg.log_in_vain < (seg->flags & TH_SYN ? 1 : 2) || jr_ip_is_kernels(tcp->ip, seg->rx) ||
        listener_of(tcp, seg) != NULL)
        return;
    inet_ntop(AF_INET6, seg->rx->dst.b, to, sizeof to);
    inet_ntop(AF_INET6, seg->rx->src.b, from, sizeof from);
    jr_log(JR_LOG_INFO, "tcp: [%s]:%u from [%s]:%u, flags 0x%02x: no listener", to, seg->hdr.dport, from,
           seg->hdr.sport, seg->flags);
}

/* RFC 9293 3.10.7.1 and 3.10.7.2: nobody has this four-tuple; perhaps somebody listens. */
static void no_connection(struct jr_tcp *tcp, struct jr_tcp_seg *seg, const jr_seq *iss_floor, jr_time now)
{
    if (tcp->cfg.log_in_vain != 0)
        log_in_vain(tcp, seg);
    /* first: RST */
    if (seg->flags & TH_RST) {
        jr_syncache_on_rst(tcp, seg, now);
        return;
    }
    /* second: ACK */
    if (seg->flags & TH_ACK) {
        struct jr_tcpcb *tp = seg->flags & TH_SYN ? NULL : jr_syncache_expand(tcp, seg, now);
        if (tp != NULL)
            jr_tcp_segment_arrives(tp, seg, now);
        else if (seg->flags & TH_SYN)
            refuse(tcp, seg, listener_of(tcp, seg) != NULL, now);
        if (tp != NULL && tp->t_state == TCPS_SYN_RECEIVED) { /* the segment failed a later check after all */
            tp->t_flags |= TF_ORPHAN;
            jr_tcp_dead(tp, 0);
        }
        return;
    }
    /* third: SYN */
    struct jr_tcpcb *l = listener_of(tcp, seg);
    if (l != NULL && (seg->flags & TH_SYN)) {
        jr_syncache_add(l, seg, iss_floor, now);
        return;
    }
    if (l == NULL)
        refuse(tcp, seg, false, now);
    else
        jr_count(tcp->counters, JR_C_TCP_NO_SYN);
}

/* With so few all fit into the cache, and asking costs more than it gains. */
#define PREFETCH_FROM 256u

void jr_tcp_prefetch(void *ctx, const struct jr_ip_hint *hints, unsigned n)
{
    struct jr_tcp *tcp = ctx;
    struct jr_tcpcb **bucket[JR_IP_BURST];
    if (tcp->hash_count < PREFETCH_FROM)
        return;
    for (unsigned i = 0; i < n; i++) {
        const struct jr_ip_hint *h = &hints[i];
        bucket[i] = &tcp->buckets[jr_pcb_hash(tcp, h->dst, h->dport, h->src, h->sport) & tcp->bucket_mask];
        __builtin_prefetch(bucket[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        if (*bucket[i] != NULL)
            jr_tcp_prefetch_pcb(*bucket[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct jr_tcpcb *tp = *bucket[i];
        if (tp != NULL && tp->t_state == TCPS_ESTABLISHED)
            __builtin_prefetch(tp->rcv, 1);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct jr_tcpcb *tp = *bucket[i];
        if (tp != NULL && tp->t_state == TCPS_ESTABLISHED && tp->rcv->cap != 0)
            __builtin_prefetch(tp->rcv->base + (tp->rcv->tail & (tp->rcv->cap - 1)), 1);
    }
}

/* RFC 5082: the socket takes packets of neighbours only. */
static bool is_from_afar(const struct jr_tcpcb *tp, const struct jr_ip_rx *rx)
{
    return tp != NULL && rx->ttl < tp->minttl[!jr_addr_is_v4(rx->src)];
}

void jr_tcp_input(void *ctx, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    struct jr_tcp *tcp = ctx;
    struct jr_tcp_seg seg;
    jr_count(tcp->counters, JR_C_TCP_RX);
    if (check_segment(tcp, pkt, rx, &seg)) {
        struct jr_tcpcb *tp = jr_pcb_lookup(tcp, rx->dst, seg.hdr.dport, rx->src, seg.hdr.sport);
        const bool record = tp != NULL && jr_timewait_is_record(tp);
        const struct jr_tcpcb *const owner = tcp->md5_keys == 0 ? NULL : !tp || record ? listener_of(tcp, &seg) : tp;
        if (JR_UNLIKELY(tcp->has_minttl) && is_from_afar(tp && !record ? tp : listener_of(tcp, &seg), rx)) {
            jr_count(tcp->counters, JR_C_TCP_MINTTL);
        } else if (owner != NULL && !jr_md5sig_accept(tcp, owner, &seg)) {
            /* counted */
        } else if (tp == NULL) {
            no_connection(tcp, &seg, NULL, now);
        } else if (record) {
            jr_seq floor;
            if (!jr_timewait_record_input(tp, &seg, &floor, now))
                no_connection(tcp, &seg, &floor, now);
        } else if (!fast_path(tp, &seg, now)) {
            const jr_seq floor = tp->snd_max;
            if (!jr_tcp_segment_arrives(tp, &seg, now))
                no_connection(tcp, &seg, &floor, now);
        }
    }
    jr_pkt_free(pkt);
}
