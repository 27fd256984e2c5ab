/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fifth step of segment processing: acknowledgements. RFC 9293 3.10.7.4, RFC 5961 section 5 (which ACKs to
 * believe), RFC 6298 (RTT), RFC 5681 and 6582 (fast retransmit and recovery without SACK), RFC 6675 (with it),
 * RFC 6937 (proportional rate reduction), RFC 3042 (limited transmit).
 */
#include "tcp/ack.h"

#include "tcp/cc.h"
#include "tcp/isn.h"
#include "tcp/output.h"
#include "tcp/sack.h"
#include "tcp/state.h"
#include "tcp/timer.h"
#include "tcp/tlp.h"

#define DUPTHRESH 3u

void jr_tcp_challenge_ack(struct jr_tcpcb *tp, jr_time now)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    if (now >= tp->ack_war_end) {
        tp->ack_war_end = now + cfg->ack_war_timewindow * JR_MS;
        tp->ack_war_cnt = 0;
    }
    if (tp->ack_war_cnt >= cfg->ack_war_cnt) {
        jr_tcp_count_c(tp, JR_C_TCP_CHALLENGE_LIMITED);
        return;
    }
    tp->ack_war_cnt++;
    jr_tcp_count_c(tp, JR_C_TCP_CHALLENGE_ACK);
    tp->t_flags |= TF_ACKNOW;
    jr_tcp_output(tp, now);
}

void jr_tcp_rtt_sample(struct jr_tcpcb *tp, uint32_t rtt_us)
{
    if (rtt_us == 0)
        rtt_us = 1;
    if (tp->t_rttmin == 0 || rtt_us < tp->t_rttmin)
        tp->t_rttmin = rtt_us;
    if (tp->t_srtt == 0) {
        tp->t_srtt = rtt_us;
        tp->t_rttvar = rtt_us / 2;
    } else {
        uint32_t d = rtt_us > tp->t_srtt ? rtt_us - tp->t_srtt : tp->t_srtt - rtt_us;
        tp->t_rttvar += (uint32_t)(((int64_t)d - tp->t_rttvar) / 4);
        tp->t_srtt += (uint32_t)(((int64_t)rtt_us - tp->t_srtt) / 8);
        if (tp->t_srtt == 0)
            tp->t_srtt = 1;
    }
    jr_tcp_set_rxtcur(tp, 0);
}

/* A segment timed by ourselves is exact to the microsecond; else the echoed timestamp, which Karn's problem spares. */
static void measure_rtt(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    if ((tp->t_flags & TF_RTTVALID) && jr_seq_gt(seg->ack, tp->t_rtseq)) {
        tp->t_flags &= ~(uint32_t)TF_RTTVALID;
        jr_tcp_rtt_sample(tp, (uint32_t)jr_min_u64(now - tp->t_rtttime, UINT32_MAX / 8));
        return;
    }
    if (tp->t_rxtshift == 0 || !(seg->opts.flags & TOF_TS) || seg->opts.tsecr == 0)
        return;
    uint32_t ms = jr_tcp_ts(tp->ts_offset, now) - seg->opts.tsecr;
    if (ms < JR_TCP_REXMTMAX_US / 1000)
        jr_tcp_rtt_sample(tp, ms * 1000);
}

/* The first time-out was a mistake: the ACK of what was sent before it came right after it. */
static void undo_timeout(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    if (tp->t_rxtshift != 1 || !(tp->t_flags & TF_RTORECOVERY) || tp->bad_until == 0)
        return;
    bool spurious = now < tp->bad_until;
    if ((seg->opts.flags & TOF_TS) && seg->opts.tsecr != 0)
        spurious = jr_ts_lt(seg->opts.tsecr, tp->bad_ts);
    if (!spurious)
        return;
    jr_tcp_count_c(tp, JR_C_TCP_BAD_REXMIT);
    jr_cc_cong_signal(tp, JR_CC_RTO_ERR, now);
    tp->snd_recover = tp->bad_recover;
    tp->t_flags &= ~(uint32_t)TF_RTORECOVERY;
    tp->snd_nxt = tp->snd_max;
    tp->bad_until = 0;
}

static void enter_recovery(struct jr_tcpcb *tp, uint32_t sacked, jr_time now)
{
    jr_tcp_count_c(tp, tp->t_flags & TF_SACK_PERMIT ? JR_C_TCP_SACK_RECOVERY : JR_C_TCP_FAST_RECOVERY);
    tp->recover_fs = jr_max_u32(jr_cc_flight(tp), 1);
    jr_cc_cong_signal(tp, JR_CC_NDUPACK, now);
    tp->snd_recover = tp->snd_max;
    tp->t_flags |= TF_FASTRECOVERY;
    tp->t_flags &= ~(uint32_t)(TF_RTTVALID | TF_RESCUED);
    tp->prr_delivered = sacked;
    tp->prr_out = 0;
    tp->snd_limited = 0;
    jr_tcp_output_rexmit(tp, tp->snd_una, now);
    jr_tcp_start_rexmt(tp, now);
    if (tp->t_flags & TF_SACK_PERMIT)
        tp->snd_cwnd = jr_sack_pipe(tp);
    else
        tp->snd_cwnd = tp->snd_ssthresh + DUPTHRESH * tp->t_maxseg;
    jr_tcp_want_output(tp);
}

/* RFC 6937: how much this ACK lets go, so that the window arrives at ssthresh when recovery ends. */
static void prr_on_ack(struct jr_tcpcb *tp, uint32_t delivered)
{
    jr_sack_find_lost_rexmits(tp);
    uint32_t pipe = jr_sack_pipe(tp);
    int64_t send;
    tp->prr_delivered += delivered;
    if (pipe > tp->snd_ssthresh) {
        send = (int64_t)(((uint64_t)tp->prr_delivered * tp->snd_ssthresh + tp->recover_fs - 1) / tp->recover_fs) -
               tp->prr_out;
    } else {
        int64_t limit = (int64_t)tp->prr_delivered - tp->prr_out;
        if (limit < delivered)
            limit = delivered;
        limit += tp->t_maxseg;
        send = (int64_t)tp->snd_ssthresh - pipe;
        if (limit < send)
            send = limit;
    }
    tp->snd_cwnd = pipe + (send > 0 ? (uint32_t)send : 0);
    jr_tcp_want_output(tp);
}

static void leave_recovery(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_flags &= ~(uint32_t)(TF_FASTRECOVERY | TF_RESCUED);
    tp->t_dupacks = 0;
    jr_cc_post_recovery(tp, now);
}

/* RFC 6582 3.2 step 3, partial acknowledgement: the next hole begins where it ends. snd_una has moved. */
static void newreno_partial_ack(struct jr_tcpcb *tp, uint32_t acked, jr_time now)
{
    jr_tcp_output_rexmit(tp, tp->snd_una, now);
    tp->snd_cwnd -= jr_min_u32(acked, tp->snd_cwnd - jr_min_u32(tp->snd_cwnd, tp->t_maxseg));
    if (acked >= tp->t_maxseg)
        tp->snd_cwnd += tp->t_maxseg;
    jr_tcp_want_output(tp);
}

static void recovery_on_new_ack(struct jr_tcpcb *tp, uint32_t acked, uint32_t delivered, jr_time now)
{
    if (jr_seq_geq(tp->snd_una, tp->snd_recover))
        leave_recovery(tp, now);
    else if (tp->t_flags & TF_SACK_PERMIT)
        prr_on_ack(tp, delivered);
    else
        newreno_partial_ack(tp, acked, now);
}

/* Whether a loss may be acted upon: not twice for one window (RFC 6582 3.2 step 1, RFC 6675 5.1). */
static bool may_enter_recovery(const struct jr_tcpcb *tp)
{
    return !(tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY)) && jr_seq_geq(tp->snd_una, tp->snd_recover) &&
           jr_seq_lt(tp->snd_una, tp->snd_max);
}

bool jr_tcp_find_loss(struct jr_tcpcb *tp, uint32_t sacked, jr_time now)
{
    if (!may_enter_recovery(tp) || !jr_sack_una_is_lost(tp))
        return false;
    enter_recovery(tp, sacked, now);
    return true;
}

/* RFC 3042: each of the first two duplicates lets one new segment go. With SACK cwnd_room() does that by itself: what
 * was reported is off the network. */
static void limited_transmit(struct jr_tcpcb *tp)
{
    if (tp->t_dupacks >= DUPTHRESH || jr_seq_lt(tp->snd_nxt, tp->snd_max))
        return;
    if (!(tp->t_flags & TF_SACK_PERMIT))
        tp->snd_limited = tp->t_dupacks * tp->t_maxseg;
    jr_tcp_want_output(tp);
}

static void on_dup_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t sacked, jr_time now)
{
    if (tp->tlp_out)
        jr_tlp_on_ack(tp, seg, now);
    jr_tcp_count_c(tp, JR_C_TCP_DUPACK);
    if (tp->t_dupacks < UINT8_MAX)
        tp->t_dupacks++;
    if (tp->t_flags & TF_FASTRECOVERY) {
        if (tp->t_flags & TF_SACK_PERMIT) {
            prr_on_ack(tp, sacked);
        } else {
            tp->snd_cwnd += tp->t_maxseg;
            jr_tcp_want_output(tp);
        }
        return;
    }
    if (tp->t_flags & TF_RTORECOVERY) {
        jr_tcp_want_output(tp); /* what was SACKED has left the network */
        return;
    }
    bool lost = tp->t_dupacks >= DUPTHRESH || ((tp->t_flags & TF_SACK_PERMIT) && jr_sack_una_is_lost(tp));
    if (lost && may_enter_recovery(tp))
        enter_recovery(tp, sacked, now);
    else
        limited_transmit(tp);
}

/* Moves the buffer's head behind what data the ACK covers; the FIN's own number isn't in the buffer. */
static void release_acked(struct jr_tcpcb *tp, jr_seq ack)
{
    jr_seq upto = jr_seq_min(ack, jr_tcp_data_end(tp));
    int32_t n = jr_seq_diff(upto, tp->snd_sb_seq);
    if (n <= 0)
        return;
    tp->snd->head += (uint32_t)n;
    tp->snd_sb_seq = upto;
    tp->bytes_acked += (uint32_t)n;
    jr_tcp_event(tp, JR_TCP_EV_TX);
}

static void retime_rexmt(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->t_rxtshift != 0)
        jr_tcp_set_rxtcur(tp, 0);
    tp->t_rxtshift = 0;
    tp->t_softerror = 0;
    tp->t_acktime = now;
    if (jr_seq_eq(tp->snd_una, tp->snd_max)) {
        jr_tcp_timer_clear(tp, TT_REXMT);
    } else if (!jr_tcp_timer_active(tp, TT_PERSIST)) {
        jr_tcp_start_rexmt(tp, now);
    }
}

/* Send buffer autotuning: the window could use more than the buffer holds (FreeBSD's sendbuf_auto). */
static void tune_sndbuf(struct jr_tcpcb *tp)
{
    uint32_t cap = tp->snd->cap, max = tp->tcp->cfg.sendbuf_max;
    if (cap == 0 || cap >= max || jr_min_u32(tp->snd_cwnd, tp->snd_wnd) < cap / 2 + cap / 4)
        return;
    if (jr_sockbuf_used(tp->snd) + (uint64_t)cap / 8 < cap)
        return;
    if (tp->snd_want > cap)
        return;
    tp->snd_want = jr_min_u32(cap * 2, max);
    jr_tcp_event(tp, JR_TCP_EV_WANT);
}

void jr_tcp_on_new_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t delivered, jr_time now)
{
    uint32_t acked = (uint32_t)jr_seq_diff(seg->ack, tp->snd_una);
    measure_rtt(tp, seg, now);
    undo_timeout(tp, seg, now);
    if (tp->tlp_out)
        jr_tlp_on_ack(tp, seg, now);
    jr_cc_ack_received(tp, acked, now);
    tune_sndbuf(tp);
    release_acked(tp, seg->ack);
    tp->snd_una = seg->ack;
    if (jr_seq_lt(tp->snd_nxt, tp->snd_una))
        tp->snd_nxt = tp->snd_una;
    if (jr_seq_lt(tp->snd_up, tp->snd_una))
        tp->snd_up = tp->snd_una;
    if (jr_seq_lt(tp->snd_sml, tp->snd_una))
        tp->snd_sml = tp->snd_una;
    retime_rexmt(tp, now);
    if (jr_seq_lt(tp->snd_nxt, jr_tcp_data_end(tp)) || jr_seq_lt(tp->snd_nxt, tp->snd_max))
        jr_tcp_want_output(tp);
    if ((tp->t_flags & TF_RTORECOVERY) && jr_seq_geq(tp->snd_una, tp->snd_recover))
        tp->t_flags &= ~(uint32_t)TF_RTORECOVERY;
    if (tp->t_flags & TF_FASTRECOVERY) {
        recovery_on_new_ack(tp, acked, delivered, now);
        return;
    }
    tp->snd_recover = jr_seq_max(tp->snd_recover, tp->snd_una);
    tp->t_dupacks = 0;
}

void jr_tcp_update_window(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg)
{
    bool newer = jr_seq_lt(tp->snd_wl1, seg->seq) ||
                 (jr_seq_eq(tp->snd_wl1, seg->seq) &&
                  (jr_seq_lt(tp->snd_wl2, seg->ack) || (jr_seq_eq(tp->snd_wl2, seg->ack) && seg->wnd > tp->snd_wnd)));
    if (!newer)
        return;
    if (seg->wnd > tp->snd_wnd || (seg->wnd == 0 && tp->snd_wnd != 0))
        jr_tcp_want_output(tp);
    tp->snd_wnd = seg->wnd;
    tp->snd_wl1 = seg->seq;
    tp->snd_wl2 = seg->ack;
    tp->max_sndwnd = jr_max_u32(tp->max_sndwnd, tp->snd_wnd);
}

/* RFC 5681 section 2; with SACK, an ACK that reports something new (RFC 6675 section 2). */
static bool is_dup_ack(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t sacked)
{
    if (jr_seq_eq(tp->snd_una, tp->snd_max))
        return false;
    if (tp->t_flags & TF_SACK_PERMIT)
        return sacked != 0;
    return seg->len == 0 && !(seg->flags & (TH_SYN | TH_FIN)) && jr_seq_eq(seg->ack, tp->snd_una) &&
           seg->wnd == tp->snd_wnd;
}

/* RFC 5961 5.2: believed are ACKs of what was sent, and old ones no older than the largest window. */
static bool is_acceptable(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    if (jr_seq_gt(seg->ack, tp->snd_max))
        jr_tcp_count_c(tp, JR_C_TCP_ACK_TOO_MUCH);
    else if (!tp->tcp->cfg.insecure_ack && jr_seq_lt(seg->ack, jr_seq_sub(tp->snd_una, tp->max_sndwnd)))
        jr_tcp_count_c(tp, JR_C_TCP_ACK_TOO_OLD);
    else
        return true;
    jr_tcp_challenge_ack(tp, now);
    return false;
}

bool jr_tcp_on_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    if (!is_acceptable(tp, seg, now))
        return false;
    bool forward = jr_seq_gt(seg->ack, tp->snd_una);
    uint32_t acked = forward ? (uint32_t)jr_seq_diff(seg->ack, tp->snd_una) : 0;
    uint32_t sacked = 0, delivered = acked;
    if ((tp->t_flags & TF_SACK_PERMIT) && (tp->board != NULL || (seg->opts.flags & TOF_SACK))) {
        uint32_t before = tp->board != NULL ? tp->board->bytes : 0;
        sacked = jr_sack_update(tp, seg);
        delivered = acked + (tp->board != NULL ? tp->board->bytes : 0) - before; /* RFC 6937 DeliveredData */
    }
    if (forward)
        jr_tcp_on_new_ack(tp, seg, delivered, now);
    else if (is_dup_ack(tp, seg, sacked))
        on_dup_ack(tp, seg, sacked, now);
    else if (!(tp->t_flags & TF_SACK_PERMIT))
        tp->t_dupacks = 0;
    if (forward && sacked != 0)
        (void)jr_tcp_find_loss(tp, sacked, now);
    jr_tcp_update_window(tp, seg);
    return true;
}
