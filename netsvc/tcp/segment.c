/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A segment for a connection that the fast path didn't take: the numbered steps of RFC 9293 3.10.7.3 (SYN-SENT)
 * and 3.10.7.4 (all other states but TIME-WAIT), with RFC 7323 (PAWS) and RFC 5961 (blind attacks).
 */
#include "tcp/ack.h"
#include "tcp/cc.h"
#include "tcp/ecn.h"
#include "tcp/fastopen.h"
#include "tcp/hostcache.h"
#include "tcp/input.h"
#include "tcp/isn.h"
#include "tcp/mss.h"
#include "tcp/output.h"
#include "tcp/rack.h"
#include "tcp/reass.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timer.h"
#include "tcp/timewait.h"
#include "tcp/uto.h"

#define PAWS_IDLE (24ull * 24 * 3600 * JR_SEC)

static void parse_options(struct jr_tcpcb *tp, struct jr_tcp_seg *seg)
{
    const uint8_t *p = jr_pkt_data(seg->pkt) + JR_TCP_HLEN;
    if (!jr_tcp_parse_opts(p, seg->hdr.hlen - JR_TCP_HLEN, seg->flags & TH_SYN, &seg->opts))
        jr_tcp_count_c(tp, JR_C_TCP_BAD_OPTIONS);
    seg->opts_ok = true;
}

/* What the peer's SYN offers and we wanted, too. */
static void negotiate(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    const struct jr_tcp_opts *o = &seg->opts;
    if ((o->flags & TOF_SCALE) && (tp->t_flags & TF_REQ_SCALE)) {
        tp->t_flags |= TF_RCVD_SCALE;
        tp->snd_scale = o->wscale;
        tp->rcv_scale = jr_tcp_wanted_scale(&tp->tcp->cfg);
    }
    if ((o->flags & TOF_TS) && (tp->t_flags & TF_REQ_TSTMP)) {
        tp->t_flags |= TF_RCVD_TSTMP;
        tp->ts_recent = o->tsval;
        tp->ts_recent_age = now;
    }
    if (!(o->flags & TOF_SACKPERM))
        tp->t_flags &= ~(uint32_t)TF_SACK_PERMIT;
    if (o->flags & TOF_UTO)
        jr_uto_input(tp, o->uto);
    tp->t_peermss = o->flags & TOF_MSS ? o->mss : (uint16_t)jr_tcp_mss_default(&tp->tcp->cfg, tp->faddr);
    jr_tcp_mss_update(tp);
}

void jr_tcp_established(struct jr_tcpcb *tp, jr_time now)
{
    bool resent = tp->t_rxtshift != 0;
    jr_tcp_move(tp, TCPS_ESTABLISHED);
    jr_tcp_count_c(tp, JR_C_TCP_ESTABLISHED);
    jr_tcp_timer_clear(tp, TT_KEEP);
    jr_tcp_start_keep(tp, now);
    tp->snd_cwnd = resent ? tp->t_maxseg : jr_cc_initial_window(tp); /* RFC 6928 2, RFC 5681 3.1 */
    tp->snd_ssthresh = UINT32_MAX / 4;
    tp->snd_recover = tp->snd_flight_seq = tp->rtt_round = tp->snd_una;
    jr_rack_init(tp);
    tp->snd_up = tp->snd_sml = tp->snd_una;
    tp->rcv_up = tp->rcv_nxt;
    tp->rtt_start = now;
    jr_hostcache_apply(tp, now);
    jr_cc_conn_init(tp);
    struct jr_tcpcb *l = tp->parent;
    if (tp->t_flags2 & TF2_FO_ACCEPT) {
        jr_fastopen_settle(tp);
    } else if (l != NULL) {
        l->listener->len++;
        jr_list_push_tail(&l->listener->queue, &tp->link);
        jr_tcp_event(l, JR_TCP_EV_ACCEPT);
    } else {
        jr_tcp_event(tp, JR_TCP_EV_CONNECTED);
    }
    if (tp->t_flags & TF_NEEDFIN)
        jr_tcp_usrclosed(tp, now);
    if (tp->reass != NULL) /* data came with the peer's SYN */
        jr_tcp_early_data(tp, now);
    jr_tcp_want_output(tp);
}

/* Our SYN is acknowledged. */
static void syn_acked(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    uint32_t rtt_us;
    if ((tp->t_flags & TF_RTTVALID) && tp->t_rxtshift == 0)
        jr_rtt_sample(tp, (uint32_t)jr_min_u64(now - tp->t_rtttime, UINT32_MAX / 8));
    else if (jr_rtt_echo(tp, seg, &rtt_us, now)) {
        jr_rtt_sample(tp, rtt_us);
        tp->rtt_doubted = rtt_us >
                          now - tp->t_sndtime + JR_MS; /* perhaps of a SYN before the last: only till data tells */
    } else if (tp->t_rxtshift != 0)
        tp->t_rxtcur = JR_TCP_RTO_AFTER_SYN_US; /* RFC 6298 5.7 */
    else
        jr_tcp_set_rxtcur(tp, 0);
    tp->t_flags &= ~(uint32_t)TF_RTTVALID;
    tp->snd_una = jr_seq_add(tp->iss, 1);
    tp->snd_nxt = jr_seq_max(tp->snd_nxt, tp->snd_una);
    jr_tcp_timer_clear(tp, TT_REXMT);
    tp->snd_wnd = tp->max_sndwnd = seg->wnd;
    tp->snd_wl1 = seg->seq;
    tp->snd_wl2 = seg->ack;
    tp->t_acktime = now;
    if (jr_seq_gt(tp->snd_max, tp->snd_una)) /* Fast Open: data was sent with the SYN or behind it */
        jr_tcp_start_rexmt(tp, now);
    jr_tcp_established(tp, now);
    tp->t_rxtshift = 0;
}

/* 3.10.7.3 */
static void on_syn_sent(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    /* first: ACK */
    bool ack = seg->flags & TH_ACK;
    if (ack && (jr_seq_leq(seg->ack, tp->iss) || jr_seq_gt(seg->ack, tp->snd_max))) {
        jr_tcp_count_c(tp, JR_C_TCP_ACK_TOO_MUCH);
        jr_tcp_respond_rst(tp->tcp, seg, false, now);
        return;
    }
    /* second: RST */
    if (seg->flags & TH_RST) {
        jr_tcp_count_c(tp, JR_C_TCP_RST_RECEIVED);
        if (ack)
            jr_tcp_dead(tp, ECONNREFUSED);
        return;
    }
    /* third: security: not spoken here. fourth: SYN */
    if (!(seg->flags & TH_SYN)) {
        jr_tcp_count_c(tp, JR_C_TCP_NO_SYN);
        return;
    }
    seg->wnd = seg->hdr.win; /* a SYN's window is never scaled */
    tp->irs = seg->seq;
    tp->rcv_nxt = jr_seq_add(seg->seq, 1);
    tp->last_ack_sent = tp->rcv_nxt;
    tp->rcv_adv = tp->rcv_nxt;
    tp->rcv_adv = jr_seq_add(tp->rcv_nxt, jr_tcp_rcv_window(tp)); /* as our SYN said: the shift is still 0 */
    negotiate(tp, seg, now);
    if (ack)
        jr_fastopen_on_synack(tp, seg, now);
    if (ack && jr_seq_gt(seg->ack, jr_seq_add(tp->iss, 1)))
        tp->t_flags2 |= TF2_FO_SYN_DATA;
    if (ack)
        jr_ecn_input_syn_sent(tp, seg);
    else
        jr_ecn_input_parallel_syn(tp, seg);
    if (!ack) {
        jr_tcp_move(tp, TCPS_SYN_RECEIVED);
        tp->snd_nxt = tp->snd_una;
        tp->t_flags &= ~(uint32_t)TF_RTTVALID;
        tp->snd_wnd = seg->wnd;
        tp->snd_wl1 = seg->seq;
        seg->seq = tp->rcv_nxt;
        jr_tcp_keep_early_data(tp, seg);
        jr_tcp_ack_now(tp);
        return;
    }
    syn_acked(tp, seg, now);
    tp->snd_nxt = tp->snd_una; /* what the SYN carried goes again, as far as it isn't acknowledged */
    if (jr_seq_gt(seg->ack, tp->snd_una))
        (void)jr_tcp_on_ack(tp, seg, now);
    jr_tcp_ack_now(tp);
    seg->seq = jr_seq_add(seg->seq, 1);
    seg->flags &= (uint8_t)~TH_SYN;
    jr_tcp_on_urg(tp, seg);
    if (seg->len != 0 || (seg->flags & TH_FIN))
        jr_tcp_on_data(tp, seg, now);
}

/* RFC 7323 5: an old duplicate has an older timestamp; a segment without one doesn't belong here (3.2). */
static bool paws_ok(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    if (!(tp->t_flags & TF_RCVD_TSTMP) || (seg->flags & TH_RST))
        return true;
    if (!(seg->opts.flags & TOF_TS)) {
        if (tp->tcp->cfg.tolerate_missing_ts)
            return true;
        jr_tcp_count_c(tp, JR_C_TCP_TS_MISSING);
        return false;
    }
    if (!jr_ts_lt(seg->opts.tsval, tp->ts_recent))
        return true;
    if (now - tp->ts_recent_age > PAWS_IDLE) {
        tp->ts_recent = 0;
        return true;
    }
    jr_tcp_count_c(tp, JR_C_TCP_PAWS);
    if (seg->len != 0 || (seg->flags & (TH_SYN | TH_FIN))) {
        tp->t_flags |= TF_ACKNOW;
        jr_tcp_output(tp, now);
    }
    return false;
}

/* RFC 7323 4.3 */
static void update_ts_recent(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_seq orig, jr_time now)
{
    if (!(seg->opts.flags & TOF_TS) || !(tp->t_flags & TF_RCVD_TSTMP))
        return;
    if (jr_seq_gt(orig, tp->last_ack_sent) || jr_ts_lt(seg->opts.tsval, tp->ts_recent))
        return;
    tp->ts_recent = seg->opts.tsval;
    tp->ts_recent_age = now;
}

/* second, as RFC 5961 3.2 has it: a RST at exactly rcv_nxt is believed; elsewhere in the window it is questioned. */
static void on_rst(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    int32_t at = jr_seq_diff(seg->seq, tp->rcv_nxt);
    bool exact = at == 0 || jr_seq_eq(seg->seq, tp->last_ack_sent);
    if (!exact && (at < 0 || at >= (int32_t)jr_max_u32(jr_tcp_rcv_wnd(tp), 1))) {
        jr_tcp_count_c(tp, JR_C_TCP_SEQ_OUTSIDE);
        return;
    }
    if (!exact && !tp->tcp->cfg.insecure_rst) {
        jr_tcp_challenge_ack(tp, now);
        return;
    }
    jr_tcp_count_c(tp, JR_C_TCP_RST_RECEIVED);
    jr_tcp_dead(tp, tp->t_state == TCPS_SYN_RECEIVED ? ECONNREFUSED : ECONNRESET);
}

static void note_duplicate(struct jr_tcpcb *tp, jr_seq start, uint32_t len, jr_time now)
{
    if (tp->t_flags & TF_DSACK) /* each is reported (RFC 2883 4), those of one burst, too */
        jr_tcp_output(tp, now);
    jr_tcp_count_c(tp, JR_C_TCP_DUP_DATA);
    tp->t_flags |= TF_ACKNOW;
    if (len == 0)
        return;
    tp->t_flags |= TF_DSACK; /* RFC 2883 */
    tp->dsack_start = start;
    tp->dsack_end = jr_seq_add(start, len);
}

/* Cuts off what lies before rcv_nxt. */
static void trim_left(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    int32_t old = jr_seq_diff(tp->rcv_nxt, seg->seq);
    if (old <= 0)
        return;
    uint32_t drop = (uint32_t)old;
    if (drop > seg->len || (drop == seg->len && !(seg->flags & TH_FIN))) {
        seg->flags &= (uint8_t)~TH_FIN;
        drop = seg->len;
    }
    note_duplicate(tp, seg->seq, drop, now);
    seg->seq = tp->rcv_nxt;
    seg->data += drop;
    seg->len -= drop;
}

/* Cuts off what lies beyond the window. false: nothing of the segment is acceptable. */
static bool trim_right(struct jr_tcpcb *tp, struct jr_tcp_seg *seg)
{
    uint32_t open = jr_tcp_rcv_wnd(tp);
    uint32_t at = (uint32_t)jr_seq_diff(seg->seq, tp->rcv_nxt);
    if (at + seg->len <= open)
        return true;
    if (seg->len == 0)
        return at == 0 || at <= open;
    if (at >= open) {
        tp->t_flags |= TF_ACKNOW;
        if (at != 0)
            return false;
        jr_tcp_count_c(tp, JR_C_TCP_WINPROBE); /* a probe of a closed window: its ACK still counts */
        seg->len = 0;
    } else {
        jr_tcp_count_c(tp, JR_C_TCP_DATA_AFTER_WIN);
        seg->len = open - at;
    }
    seg->flags &= (uint8_t) ~(TH_PUSH | TH_FIN);
    return true;
}

/* first: sequence number. What is acceptable is cut to what is new and fits; else an ACK goes out. */
static bool trim(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    if (tp->t_state == TCPS_SYN_RECEIVED && (seg->flags & TH_SYN) && jr_seq_eq(seg->seq, tp->irs)) {
        seg->flags &= (uint8_t)~TH_SYN; /* simultaneous open: the peer's SYN again, now with an ACK */
        seg->seq = jr_seq_add(seg->seq, 1);
    }
    trim_left(tp, seg, now);
    if (trim_right(tp, seg))
        return true;
    jr_tcp_count_c(tp, JR_C_TCP_SEQ_OUTSIDE);
    tp->t_flags |= TF_ACKNOW;
    jr_tcp_output(tp, now);
    return false;
}

/* fourth, as RFC 5961 4.2 has it. */
static bool is_unexpected_syn(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg)
{
    return (seg->flags & TH_SYN) && !(tp->t_state == TCPS_SYN_RECEIVED && jr_seq_eq(seg->seq, tp->irs));
}

static void on_unexpected_syn(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    int32_t at = jr_seq_diff(seg->seq, tp->last_ack_sent);
    jr_tcp_count_c(tp, JR_C_TCP_SYN_IN_WINDOW);
    if (tp->tcp->cfg.insecure_syn && at >= 0 && at < (int32_t)jr_tcp_rcv_wnd(tp))
        jr_tcp_drop(tp, ECONNRESET, now);
    else
        jr_tcp_challenge_ack(tp, now);
}

/* fifth, in SYN-RECEIVED. */
static bool on_ack_syn_received(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    if (jr_seq_leq(seg->ack, tp->snd_una) || jr_seq_gt(seg->ack, tp->snd_max)) {
        jr_tcp_count_c(tp, JR_C_TCP_ACK_TOO_MUCH);
        jr_tcp_respond_rst(tp->tcp, seg, false, now);
        return false;
    }
    syn_acked(tp, seg, now);
    return true;
}

/* fifth, the moves that the ACK of our FIN causes. false: the connection is gone. */
static bool on_fin_acked(struct jr_tcpcb *tp, jr_time now)
{
    if (!(tp->t_flags & TF_SENTFIN) || jr_seq_leq(tp->snd_una, jr_tcp_data_end(tp)))
        return true;
    switch (tp->t_state) {
    case TCPS_FIN_WAIT_1:
        jr_tcp_move(tp, TCPS_FIN_WAIT_2);
        jr_tcp_fin_acked(tp, now);
        break;
    case TCPS_CLOSING:
        jr_tcp_enter_timewait(tp, now);
        break;
    case TCPS_LAST_ACK:
        jr_tcp_dead(tp, 0);
        return false;
    }
    return true;
}

/* RFC 1122 4.2.2.13: nobody will read what arrives after close(), or shutdown() of both ways; the peer must learn that.
 */
static bool is_data_after_close(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg)
{
    bool fin_wait = tp->t_state == TCPS_FIN_WAIT_1 || tp->t_state == TCPS_FIN_WAIT_2;
    return ((tp->t_flags & TF_ORPHAN) || (tp->t_flags2 & TF2_CANTRCV)) && fin_wait && seg->len != 0;
}

/* 3.10.7.4, the other states. */
static void on_synchronized(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    const jr_seq orig = seg->seq;
    /* before all: PAWS */
    if (!paws_ok(tp, seg, now))
        return;
    /* second: RST (its own window check replaces the first step's) */
    if (seg->flags & TH_RST) {
        on_rst(tp, seg, now);
        return;
    }
    /* fourth: SYN */
    if (is_unexpected_syn(tp, seg)) {
        on_unexpected_syn(tp, seg, now);
        return;
    }
    /* first: sequence number */
    if (!trim(tp, seg, now))
        return;
    if (is_data_after_close(tp, seg)) {
        jr_tcp_count_c(tp, JR_C_TCP_DATA_AFTER_CLOSE);
        jr_tcp_respond_rst(tp->tcp, seg, false, now);
        jr_tcp_dead(tp, ECONNRESET);
        return;
    }
    update_ts_recent(tp, seg, orig, now);
    if (seg->opts.flags & TOF_UTO)
        jr_uto_input(tp, seg->opts.uto);
    /* fifth: ACK */
    if (!(seg->flags & TH_ACK)) {
        jr_tcp_count_c(tp, JR_C_TCP_NO_ACK);
        if (tp->t_flags & TF_ACKNOW)
            jr_tcp_want_output(tp);
        return;
    }
    if (jr_ecn_is_on(tp))
        jr_ecn_input_segment(tp, seg, now);
    if (tp->t_state == TCPS_SYN_RECEIVED && !on_ack_syn_received(tp, seg, now))
        return;
    if (!jr_tcp_on_ack(tp, seg, now) || tp->t_state == TCPS_CLOSED || !on_fin_acked(tp, now))
        return;
    /* sixth: URG */
    jr_tcp_on_urg(tp, seg);
    /* seventh and eighth: data, FIN */
    if (seg->len != 0 || (seg->flags & TH_FIN) || (tp->t_flags & TF_GOTFIN))
        jr_tcp_on_data(tp, seg, now);
    if (tp->t_flags & TF_ACKNOW)
        jr_tcp_want_output(tp);
}

bool jr_tcp_segment_arrives(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    tp->t_rcvtime = now;
    tp->segs_in++;
    parse_options(tp, seg);
    seg->wnd = seg->flags & TH_SYN ? seg->hdr.win : (uint32_t)seg->hdr.win << tp->snd_scale;
    if (tp->t_state == TCPS_TIME_WAIT)
        return jr_timewait_input(tp, seg, now);
    if (tp->t_state == TCPS_SYN_SENT)
        on_syn_sent(tp, seg, now);
    else if (tp->t_state != TCPS_CLOSED)
        on_synchronized(tp, seg, now);
    return true;
}
