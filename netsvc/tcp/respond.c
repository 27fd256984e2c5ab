/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last step of every segment (checksum, offload flags, handing to the network layer), and segments that
 * belong to no connection: RSTs (RFC 9293 3.5.2 and 3.10.7.1) and the SYN cache's.
 */
#include "tcp/md5sig.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/timewait.h"
#include "wire/cksum.h"

#define PROTO_TCP 6

/* With offload the field holds the folded pseudo header; with TSO that counts a length of zero. */
static void fill_checksum(struct jr_pkt *pkt, const struct jr_tcp_wrap *w)
{
    struct jr_tcp_hdr *th = (struct jr_tcp_hdr *)jr_pkt_data(pkt);
    uint32_t len = w->tso_segsz != 0 ? 0 : w->hlen + w->payload;
    uint32_t sum = jr_cksum_pseudo(w->src, w->dst, PROTO_TCP, len);
    if (w->rt->tx_offloads & JR_PKT_TX_L4_CSUM) {
        pkt->flags |= JR_PKT_TX_L4_CSUM;
        th->sum = (uint16_t)~jr_cksum_fold(sum);
        return;
    }
    sum = jr_cksum_add(sum, w->sum);
    th->sum = jr_cksum_fold(jr_cksum_partial(th, w->hlen, sum));
}

int jr_tcp_send_pkt(struct jr_tcp *tcp, struct jr_pkt *pkt, const struct jr_tcp_wrap *w, jr_time now)
{
    const struct jr_ip_tx tx = {.src = w->src,
                                .dst = w->dst,
                                .proto = PROTO_TCP,
                                .tos = w->tos,
                                .ttl = w->ttl,
                                .df = tcp->cfg.path_mtu_discovery && !w->no_df};
    pkt->l4_off = (uint16_t)pkt->off;
    pkt->l4_len = (uint16_t)w->hlen;
    if (w->tso_segsz != 0) {
        pkt->flags |= JR_PKT_TX_TSO;
        pkt->tso_segsz = w->tso_segsz;
    }
    fill_checksum(pkt, w);
    jr_count(tcp->counters, JR_C_TCP_TX);
    return jr_ip_output(tcp->ip, pkt, &tx, w->rt, now);
}

void jr_tcp_send_bare(struct jr_tcp *tcp, struct jr_tcp_bare *b, jr_time now)
{
    struct jr_ip_route rt = {0};
    if (!jr_ip_route(tcp->ip, b->remote.addr, &rt)) {
        jr_count(tcp->counters, JR_C_TCP_NOROUTE);
        return;
    }
    struct jr_pkt *pkt = jr_ip_pkt_new(tcp->ip, &rt);
    if (pkt == NULL) {
        jr_count(tcp->counters, JR_C_TCP_NOBUF);
        return;
    }
    if (b->md5 != NULL)
        b->opts.flags |= TOF_SIGNATURE;
    uint32_t hlen = JR_TCP_HLEN + jr_tcp_opts_len(&b->opts);
    uint8_t *p = jr_pkt_push(pkt, hlen);
    const struct jr_tcp_view v = {.sport = b->local.port,
                                  .dport = b->remote.port,
                                  .seq = b->seq.v,
                                  .ack = b->ack.v,
                                  .win = b->win,
                                  .flags = b->flags,
                                  .ae = b->ae,
                                  .hlen = (uint8_t)hlen};
    jr_tcp_build(p, &v);
    uint8_t *digest = jr_tcp_build_opts(p + JR_TCP_HLEN, &b->opts);
    if (digest != NULL)
        jr_md5sig_sign(b->md5, b->local.addr, b->remote.addr, p, hlen, digest);
    const struct jr_tcp_wrap w = {.src = b->local.addr,
                                  .dst = b->remote.addr,
                                  .rt = &rt,
                                  .hlen = hlen,
                                  .tos = b->tos,
                                  .ttl = b->ttl,
                                  .no_df = b->no_df};
    jr_tcp_send_pkt(tcp, pkt, &w, now);
}

bool jr_tcp_is_blackhole(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg, bool listener)
{
    uint32_t from = listener ? 3 : seg->flags & TH_SYN ? 1 : 2;
    return tcp->cfg.blackhole >= from && (tcp->cfg.blackhole_local || !jr_ip_is_local(tcp->ip, seg->rx->src));
}

/* A bucket that holds one second's worth. */
static bool rst_allowed(struct jr_tcp *tcp, jr_time now)
{
    uint32_t limit = tcp->cfg.rstlimit;
    if (limit == 0)
        return true;
    uint64_t add = (now - tcp->rst_refill) * limit / JR_SEC;
    if (add != 0) {
        tcp->rst_tokens = (uint32_t)jr_min_u64(limit, tcp->rst_tokens + add);
        tcp->rst_refill = now;
    }
    if (tcp->rst_tokens == 0)
        return false;
    tcp->rst_tokens--;
    return true;
}

/* What a connection or socket there would sign its answer with. */
static const struct jr_tcp_md5key *key_for(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg)
{
    if (tcp->md5_keys == 0)
        return NULL;
    const struct jr_tcpcb *tp = jr_pcb_lookup(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
    if (tp == NULL || jr_timewait_is_record(tp))
        tp = jr_pcb_lookup_bound(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
    return tp != NULL ? jr_md5sig_key(tp, seg->rx->src) : NULL;
}

void jr_tcp_respond_rst(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, bool limit, jr_time now)
{
    if (seg->flags & TH_RST)
        return;
    if (limit && !seg->rx->loop && !rst_allowed(tcp, now)) {
        jr_count(tcp->counters, JR_C_TCP_RST_LIMITED);
        return;
    }
    struct jr_tcp_bare b = {.local = {seg->rx->dst, seg->hdr.dport}, .remote = {seg->rx->src, seg->hdr.sport}};
    b.md5 = key_for(tcp, seg);
    if (seg->flags & TH_ACK) {
        b.seq = jr_seq_of(seg->hdr.ack);
        b.flags = TH_RST;
    } else {
        uint32_t n = (seg->flags & TH_SYN ? 1 : 0) + (seg->flags & TH_FIN ? 1 : 0);
        b.ack = jr_seq_add(jr_seq_of(seg->hdr.seq), seg->pkt->len - seg->hdr.hlen + n);
        b.flags = TH_RST | TH_ACK;
    }
    jr_count(tcp->counters, JR_C_TCP_RST_SENT);
    jr_tcp_send_bare(tcp, &b, now);
}
