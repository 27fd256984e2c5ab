/* SPDX-License-Identifier: BSD-3-Clause */
/* Tail loss probes; see tlp.h. */
#include "tcp/tlp.h"

#include "tcp/ack.h"
#include "tcp/cc.h"
#include "tcp/output.h"
#include "tcp/sack.h"
#include "tcp/timer.h"

#define PTO_MIN_US 10000u
#define ACK_DELAY_US 100000u /* how long a peer may sit on the ACK of a single segment */

/* Microseconds until a probe is due; 0: none is wanted. */
static uint64_t probe_timeout(const struct jr_tcpcb *tp)
{
    const uint32_t busy = TF_FASTRECOVERY | TF_RTORECOVERY;
    if ((tp->t_flags & (busy | TF_SACK_PERMIT)) != TF_SACK_PERMIT || tp->t_state < TCPS_ESTABLISHED || tp->tlp_out ||
        tp->t_srtt == 0 || tp->t_rxtshift != 0)
        return 0;
    uint64_t pto = jr_max_u32(2 * tp->t_srtt, PTO_MIN_US);
    return jr_cc_flight(tp) <= tp->t_maxseg ? pto + ACK_DELAY_US : pto;
}

void jr_tlp_rearm(struct jr_tcpcb *tp, jr_time now)
{
    if (!jr_tcp_timer_active(tp, TT_REXMT))
        return;
    const uint64_t probe = probe_timeout(tp);
    const jr_time rto_at = tp->t_acktime + tp->t_rxtcur; /* sending more doesn't postpone the time-out */
    if (probe != 0 && now + probe < rto_at) {
        tp->tlp_armed = true;
        jr_tcp_timer_set(tp, TT_REXMT, now + probe);
    } else if (tp->tlp_armed) {
        tp->tlp_armed = false;
        jr_tcp_timer_set(tp, TT_REXMT, jr_max_u64(rto_at, now));
    }
}

/* Something is reported, but too little for three duplicates: what lies below left two round trips ago and is lost
 * (what RFC 5827 is after, with RFC 8985's patience). */
static void send_early(struct jr_tcpcb *tp, jr_time now)
{
    jr_sack_set_lost_below(tp, jr_sack_high(tp));
    tp->tlp_rexmit = false;
    if (!jr_tcp_find_loss(tp, 0, now))
        jr_tcp_start_rexmt(tp, now);
}

void jr_tlp_send(struct jr_tcpcb *tp, jr_time now)
{
    const jr_seq before = tp->snd_max;
    jr_tcp_count_c(tp, JR_C_TCP_TLP_PROBE);
    tp->tlp_armed = false;
    tp->tlp_out = true;
    tp->tlp_dsacks = tp->dsack_dups;
    tp->tlp_end = tp->snd_max;
    jr_sack_check_reneging(tp);
    if (tp->board != NULL) {
        send_early(tp, now);
        return;
    }
    if (jr_seq_gt(jr_tcp_data_end(tp), tp->snd_max)) {
        tp->snd_limited = tp->t_maxseg; /* one segment beyond the congestion window */
        jr_tcp_output_forced(tp, now);
    }
    tp->tlp_rexmit = jr_seq_eq(tp->snd_max, before);
    if (tp->tlp_rexmit) {
        jr_seq end = jr_seq_min(tp->snd_max, jr_tcp_data_end(tp));
        tp->t_flags &= ~(uint32_t)TF_RTTVALID;
        jr_tcp_output_rexmit(tp, jr_seq_max(tp->snd_una, jr_seq_sub(end, tp->t_maxseg)), now);
    }
    tp->tlp_end = tp->snd_max;
    jr_tcp_start_rexmt(tp, now);
}

/*
 * RFC 8985 7.4: a D-SACK says that nothing was lost. An ACK beyond the probe without one says that the probe repaired
 * a loss, which congestion control must learn. A SACK of the probe's end says that the holes below it are lost,
 * however few segments lie above them: they left two round trips earlier.
 */
void jr_tlp_on_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    if (tp->dsack_dups != tp->tlp_dsacks) {
        tp->tlp_out = false;
    } else if (jr_seq_gt(seg->ack, tp->tlp_end)) {
        tp->tlp_out = false;
        if (!tp->tlp_rexmit || (tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY)))
            return;
        jr_tcp_count_c(tp, JR_C_TCP_TLP_REPAIRED);
        jr_cc_cong_signal(tp, JR_CC_NDUPACK, now);
        tp->snd_cwnd = jr_min_u32(tp->snd_cwnd, tp->snd_ssthresh);
    } else if (tp->board != NULL && jr_seq_geq(jr_sack_high(tp), tp->tlp_end)) {
        tp->tlp_out = false;
        jr_sack_set_lost_below(tp, tp->tlp_end);
    }
}
