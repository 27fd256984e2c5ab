/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fifth step of segment processing: acknowledgements. RFC 9293 3.10.7.4, RFC 5961 section 5 (which ACKs to
 * believe), RFC 6298 3 and 5 (which RTT samples to take, when the timer starts over). What recovery makes of them is
 * in recover.c.
 */
#include "tcp/ack.h"

#include "tcp/cc.h"
#include "tcp/frto.h"
#include "tcp/output.h"
#include "tcp/rack.h"
#include "tcp/recover.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timer.h"
#include "tcp/tlp.h"
#include "tcp/undo.h"

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
    jr_tcp_output_challenge(tp, now);
}

/* rtt_us, or what the echoed timestamp says to the millisecond. */
static uint32_t bounded(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t rtt_us, jr_time now)
{
    uint32_t echo_us;
    return jr_rtt_echo(tp, seg, &echo_us, now) ? jr_min_u32(rtt_us, echo_us + JR_MS) : rtt_us;
}

/*
 * RFC 6298 3 (Karn): what was sent once tells; for the rest the echoed timestamp, which is of one transmission. What
 * was sent once may have arrived long ago, if the ACKs that said so were lost. Either it caused this ACK, or a segment
 * did whose timestamp is echoed: the lesser of both is the round trip.
 */
static void measure_rtt(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_delivery *d, jr_time now)
{
    uint32_t rtt_us;
    tp->rtt_last = 0;
    if (d->rtt_valid) {
        tp->rtt_last = bounded(tp, seg, d->rtt_sack_us != 0 ? d->rtt_sack_us : d->rtt_us, now);
        jr_rtt_note(tp, tp->rtt_last, seg->ack, now);
    } else if ((tp->t_flags & TF_RTTVALID) && jr_seq_gt(seg->ack, tp->t_rtseq)) {
        tp->t_flags &= ~(uint32_t)TF_RTTVALID;
        jr_rtt_note(tp, (uint32_t)jr_min_u64(now - tp->t_rtttime, UINT32_MAX / 8), seg->ack, now);
    } else if (!(tp->t_flags & TF_RTTVALID) && d->sacked == 0 && jr_rtt_echo(tp, seg, &rtt_us, now)) {
        jr_rtt_note(tp, rtt_us, seg->ack, now);
    }
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

/* RFC 6298 5.2 and 5.3; without SACK only the first partial ACK of a recovery counts (RFC 6582 3.2 step 3). t_rxtcur
 * stays backed off until there is a new sample (5.5). */
static void retime_rexmt(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_rxtshift = 0;
    tp->t_softerror = 0;
    tp->t_acktime = now;
    if (jr_seq_eq(tp->snd_una, tp->snd_max)) {
        jr_tcp_timer_clear(tp, TT_REXMT);
    } else if (!jr_tcp_timer_active(tp, TT_PERSIST)) {
        const bool impatient = (tp->t_flags & (TF_FASTRECOVERY | TF_SACK_PERMIT)) == TF_FASTRECOVERY;
        if (!impatient || !tp->partial_ack)
            jr_tcp_start_rexmt(tp, now);
        tp->partial_ack = impatient;
    }
}

/*
 * Send buffer autotuning (FreeBSD's sendbuf_auto): the windows could use more than half of a buffer that the program
 * keeps filled. Half, for what they let go in the next round trip must be there when they do; in slow start that is
 * twice as much again.
 */
static void tune_sndbuf(struct jr_tcpcb *tp)
{
    const uint32_t cap = tp->snd->cap, max = tp->tcp->cfg.sendbuf_max;
    const uint32_t wnd = jr_min_u32(tp->snd_cwnd, tp->snd_wnd);
    if (cap == 0 || cap >= max || !tp->tcp->cfg.sendbuf_auto || wnd <= cap / 2 || tp->snd_want > cap)
        return;
    if (jr_sockbuf_used(tp->snd) < cap / 8 * 7)
        return;
    tp->snd_want = jr_min_u32(jr_pow2_ceil(tp->snd_cwnd < tp->snd_ssthresh ? 2 * wnd : wnd + 1), max);
    tp->snd_want = jr_max_u32(tp->snd_want, jr_min_u32(2 * cap, max));
    jr_tcp_event(tp, JR_TCP_EV_WANT);
}

/* snd_una and all that must not lie behind it. */
static void advance(struct jr_tcpcb *tp, jr_seq ack, jr_time now)
{
    tune_sndbuf(tp);
    release_acked(tp, ack);
    tp->t_lastacked = (uint32_t)jr_seq_diff(ack, tp->snd_una);
    tp->snd_una = ack;
    if (jr_seq_lt(tp->snd_nxt, tp->snd_una))
        tp->snd_nxt = tp->snd_una;
    if (jr_seq_lt(tp->snd_up, tp->snd_una))
        tp->snd_up = tp->snd_una;
    if (jr_seq_lt(tp->snd_sml, tp->snd_una))
        tp->snd_sml = tp->snd_una;
    retime_rexmt(tp, now);
    if (jr_seq_lt(tp->snd_nxt, jr_tcp_data_end(tp)) || jr_seq_lt(tp->snd_nxt, tp->snd_max))
        jr_tcp_want_output(tp);
}

/* Outside recovery snd_recover keeps close behind, so that comparing with it means something. */
static void follow_una(struct jr_tcpcb *tp)
{
    if (jr_seq_gt(tp->snd_una, tp->snd_recover))
        tp->snd_recover = jr_seq_sub(tp->snd_una, 1);
    tp->t_dupacks = 0;
}

/* The records of a transfer without marks: sent once each, so in order of time, too. */
static void pop_records(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    struct jr_sendmap *m = &tp->map;
    const struct jr_sent *s = jr_sendmap_at(m, 0);
    const jr_time first = s->xmit;
    const bool vague = s->flags & JR_SENT_VAGUE;
    jr_time last;
    do {
        last = s->xmit;
        if (jr_seq_gt(s->end, seg->ack))
            break;
        m->head++;
        s = jr_sendmap_at(m, 0);
    } while (--m->n != 0);
    m->base = seg->ack;
    tp->rack.xmit = last;
    tp->rack.end = tp->rack.fack = seg->ack;
    tp->rack.rtt = (uint32_t)jr_min_u64(now - last, UINT32_MAX / 8);
    tp->rtt_last = vague ? 0 : (uint32_t)jr_min_u64(now - first, UINT32_MAX / 8);
    if (tp->rtt_last > 2 * tp->t_srtt) /* the ACK before may have been lost */
        tp->rtt_last = bounded(tp, seg, tp->rtt_last, now);
    if (!vague)
        jr_rtt_note(tp, tp->rtt_last, seg->ack, now);
}

void jr_tcp_on_expected_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    const struct jr_delivery d = {.forward = true};
    if (tp->map.n != 0)
        pop_records(tp, seg, now);
    else
        measure_rtt(tp, seg, &d, now);
    if (tp->tlp_out)
        jr_tlp_on_ack(tp, seg, &d, now);
    jr_cc_ack_received(tp, (uint32_t)jr_seq_diff(seg->ack, tp->snd_una), now);
    advance(tp, seg->ack, now);
    follow_una(tp);
}

static void on_new_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_delivery *d, jr_time now)
{
    const uint32_t acked = (uint32_t)jr_seq_diff(seg->ack, tp->snd_una);
    measure_rtt(tp, seg, d, now);
    jr_undo_on_new_ack(tp, seg, d, now);
    jr_cc_ack_received(tp, acked, now);
    advance(tp, seg->ack, now);
    if (tp->frto != JR_FRTO_NONE)
        jr_frto_on_new_ack(tp, d, now);
    if ((tp->t_flags & TF_RTORECOVERY) && jr_seq_geq(tp->snd_una, tp->snd_recover)) {
        tp->t_flags &= ~(uint32_t)TF_RTORECOVERY;
        jr_rack_on_recovered(tp);
    }
    if (!(tp->t_flags & TF_FASTRECOVERY))
        follow_una(tp);
    else if (jr_seq_geq(tp->snd_una, tp->snd_recover))
        jr_recover_leave(tp, now);
    else if (!(tp->t_flags & TF_SACK_PERMIT))
        jr_recover_on_partial_ack(tp, acked, now);
}

static void on_dup_ack(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now)
{
    jr_tcp_count_c(tp, JR_C_TCP_DUPACK);
    if (tp->t_dupacks < UINT8_MAX)
        tp->t_dupacks++;
    if (tp->frto != JR_FRTO_NONE)
        jr_frto_on_dup_ack(tp, d, now);
    else if (tp->t_flags & TF_RTORECOVERY)
        jr_tcp_want_output(tp);
    else if (!(tp->t_flags & TF_SACK_PERMIT))
        jr_recover_on_dup_ack(tp, now);
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

/* RFC 5681 section 2; with SACK, an ACK that reports something new (RFC 6675 section 2). An answer to a window probe
 * is none: it says that the window is closed, not that something was lost. */
static bool is_dup_ack(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t sacked)
{
    if (jr_seq_eq(tp->snd_una, tp->snd_max) || jr_tcp_timer_active(tp, TT_PERSIST))
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

/* What the reports and D-SACKs of an ACK mean, once snd_una has moved. */
static void on_sack(struct jr_tcpcb *tp, struct jr_delivery *d, jr_time now)
{
    jr_rack_on_ack(tp, d);
    if (d->dsack)
        jr_undo_on_dsack(tp, d, now);
    if (jr_seq_lt(tp->snd_una, tp->snd_max))
        jr_recover_on_sack(tp, d, now);
}

bool jr_tcp_on_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    if (!is_acceptable(tp, seg, now))
        return false;
    struct jr_delivery d = {.forward = jr_seq_gt(seg->ack, tp->snd_una)};
    const bool sack = tp->t_flags & TF_SACK_PERMIT;
    if (sack)
        jr_sack_update(tp, seg, &d, now);
    if (tp->tlp_out)
        jr_tlp_on_ack(tp, seg, &d, now);
    if (d.forward)
        on_new_ack(tp, seg, &d, now);
    else if (is_dup_ack(tp, seg, d.sacked))
        on_dup_ack(tp, &d, now);
    else if (!sack)
        tp->t_dupacks = 0;
    if (sack)
        on_sack(tp, &d, now);
    jr_tcp_update_window(tp, seg);
    return true;
}
