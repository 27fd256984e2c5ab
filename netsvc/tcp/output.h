/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending: what a connection may send now, and segments that belong to none. */
#ifndef JR_TCP_OUTPUT_H
#define JR_TCP_OUTPUT_H

#include "tcp/tcpcb.h"

#define JR_TCP_QUICKACKS 8u
#define JR_TCP_CORK_US 200000u

/* Sends all that windows and rules allow. 0 or a negative errno of the network layer. */
int jr_tcp_output(struct jr_tcpcb *tp, jr_time now);
/* The same, and what is left over goes although it is small. */
int jr_tcp_output_forced(struct jr_tcpcb *tp, jr_time now);
/* Sends one segment from seq again, whatever the window (not beyond the next SACKed range). */
void jr_tcp_output_rexmit(struct jr_tcpcb *tp, jr_seq seq, jr_time now);
/* One byte into a closed window. */
void jr_tcp_output_probe(struct jr_tcpcb *tp, jr_time now);
void jr_tcp_output_keepalive(struct jr_tcpcb *tp, jr_time now);
void jr_tcp_output_challenge(struct jr_tcpcb *tp, jr_time now); /* an ACK at snd_max (RFC 5961) */
void jr_tcp_output_rst(struct jr_tcpcb *tp, jr_time now);
/* The window as an ACK's header would tell it. */
uint16_t jr_tcp_window_field(const struct jr_tcpcb *tp);
/* Whether the receive window has grown enough to tell the peer. */
bool jr_tcp_window_update_due(const struct jr_tcpcb *tp);

/* The window to offer now, in bytes: never less than what the peer was told. (Its last bits don't fit into the scaled
 * field; what was offered is honoured all the same, as RFC 7323 2.4 asks: rcv_adv never moves back.) */
uint32_t jr_tcp_rcv_window(const struct jr_tcpcb *tp);
/* What the peer may still send: right edge minus rcv_nxt. */
static inline uint32_t jr_tcp_rcv_open(const struct jr_tcpcb *tp)
{
    int32_t n = jr_seq_diff(tp->rcv_adv, tp->rcv_nxt);
    return n > 0 ? (uint32_t)n : 0;
}

/* Most bytes that may wait in rcv: FreeBSD's high-water mark. A ring larger than recvspace is used as if it had
 * recvspace, made a whole number of segments, until autotuning asks for more. */
static inline uint32_t jr_tcp_rcv_hiwat(const struct jr_tcpcb *tp)
{
    uint32_t cap = tp->rcv->cap, space = tp->tcp->cfg.recvspace;
    if (cap == 0)
        return tp->rcv_space != 0 && tp->rcv_space < space ? tp->rcv_space : space;
    if (tp->rcv_tuned || cap <= space)
        return cap;
    /* t_maxseg is never 0; the analyzer can't know. */
    uint32_t mss = jr_max_u32(tp->t_maxseg, 1) + (tp->t_flags & TF_RCVD_TSTMP ? JR_TCP_TS_OLEN : 0);
    return jr_min_u32(cap, (space + mss - 1) / mss * mss);
}
/* RCV.WND: what is acceptable, told to the peer or not. */
static inline uint32_t jr_tcp_rcv_wnd(const struct jr_tcpcb *tp)
{
    uint32_t used = jr_sockbuf_used(tp->rcv), hiwat = jr_tcp_rcv_hiwat(tp);
    if (tp->rcv_clamp != 0)
        hiwat = jr_min_u32(hiwat, used + tp->rcv_clamp);
    return jr_max_u32(hiwat > used ? hiwat - used : 0, jr_tcp_rcv_open(tp));
}

/* IP_MTU_DISCOVER says that routers may fragment. */
static inline bool jr_tcp_no_df(const struct jr_tcpcb *tp, struct jr_addr to)
{
    const unsigned how = jr_addr_is_v4(to) ? tp->pmtudisc : tp->pmtudisc6;

    return how == 0 || how > 3;
}

/* respond.c: a segment of no connection (or of one that is only an entry in the SYN cache). */
struct jr_tcp_bare {
    struct jr_endpoint local, remote;
    jr_seq seq, ack;
    uint8_t flags;
    bool ae;
    uint8_t tos, ttl;
    uint16_t win;
    bool no_df;                      /* of a socket that does without path MTU discovery */
    const struct jr_tcp_md5key *md5; /* NULL: not signed */
    struct jr_tcp_opts opts;
};
void jr_tcp_send_bare(struct jr_tcp *tcp, struct jr_tcp_bare *b, jr_time now);
/* RFC 9293 3.10.7.1: the RST that answers seg, unless seg is one. Rate limited when limit is set. */
void jr_tcp_respond_rst(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, bool limit, jr_time now);
/* Whether a segment that no connection wants gets no RST: blackhole(4). */
bool jr_tcp_is_blackhole(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg, bool listener);

/* Fills in ports, checksum and IP's part, and sends. pkt holds header, options and payload; sum is the payload's
 * (when offloads hasn't JR_PKT_TX_L4_CSUM). */
struct jr_tcp_wrap {
    struct jr_addr src, dst;
    const struct jr_ip_route *rt;
    uint32_t hlen, payload; /* bytes */
    uint32_t sum;
    uint16_t tso_segsz; /* 0: one segment */
    uint8_t tos, ttl;
    bool no_df;
};
int jr_tcp_send_pkt(struct jr_tcp *tcp, struct jr_pkt *pkt, const struct jr_tcp_wrap *w, jr_time now);

#endif
