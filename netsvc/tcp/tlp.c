/* SPDX-License-Identifier: BSD-3-Clause */
/* Tail loss probes; see tlp.h. */
#include "tcp/tlp.h"

#include "tcp/cc.h"
#include "tcp/output.h"
#include "tcp/timer.h"

#define PTO_MIN_US 10000u /* not sooner than a host's scheduler may take to answer (FreeBSD's rack has the same) */
#define PTO_INITIAL_US 1000000u
#define ACK_DELAY_US 100000u /* TLP.max_ack_delay: how long a peer may sit on the ACK of a single segment */

/* 7.2 and 7.3's conditions: only while nothing better is going on, and not twice without a measurement between. */
static bool may_probe(const struct jr_tcpcb *tp)
{
    const uint32_t busy = TF_FASTRECOVERY | TF_RTORECOVERY;
    return (tp->t_flags & (busy | TF_SACK_PERMIT)) == TF_SACK_PERMIT && tp->t_state >= TCPS_ESTABLISHED &&
           !tp->tlp_out && tp->map.sacked == 0 && tp->t_rxtshift == 0 && tp->rtt_fresh && tp->rack.on;
}

jr_time jr_tlp_when(const struct jr_tcpcb *tp, jr_time now)
{
    if (!may_probe(tp))
        return JR_TIME_NEVER;
    if (tp->t_srtt == 0)
        return now + PTO_INITIAL_US;
    const uint64_t pto = jr_max_u32(2 * tp->t_srtt, PTO_MIN_US);
    return now + pto + (jr_cc_flight(tp) <= tp->t_maxseg ? ACK_DELAY_US : 0);
}

void jr_tlp_rearm(struct jr_tcpcb *tp, jr_time now)
{
    if (!jr_tcp_timer_active(tp, TT_REXMT) || tp->rexmt_is == JR_REXMT_REO)
        return;
    const jr_time at = jr_tlp_when(tp, now);
    if (at < tp->t_rtodl) {
        tp->rexmt_is = JR_REXMT_PTO;
        jr_tcp_timer_set(tp, TT_REXMT, at);
    } else if (tp->rexmt_is == JR_REXMT_PTO) {
        tp->rexmt_is = JR_REXMT_RTO;
        jr_tcp_timer_set(tp, TT_REXMT, jr_max_u64(tp->t_rtodl, now));
    }
}

void jr_tlp_send(struct jr_tcpcb *tp, jr_time now)
{
    const jr_seq before = tp->snd_max;
    jr_tcp_count_c(tp, JR_C_TCP_TLP_PROBE);
    tp->tlp_out = true;
    tp->rtt_fresh = false;
    tp->tlp_end = tp->snd_max;
    if (jr_seq_gt(jr_tcp_data_end(tp), tp->snd_max)) {
        tp->snd_limited = tp->t_maxseg; /* one segment beyond the congestion window */
        jr_tcp_output_forced(tp, now);
    }
    tp->tlp_rexmit = jr_seq_eq(tp->snd_max, before);
    if (tp->tlp_rexmit) {
        const jr_seq end = jr_seq_min(tp->snd_max, jr_tcp_data_end(tp));
        jr_tcp_output_rexmit(tp, jr_seq_max(tp->snd_una, jr_seq_sub(end, tp->t_maxseg)), now);
    }
    tp->tlp_end = tp->snd_max;
    jr_tcp_start_rexmt(tp, now);
}

/*
 * A probe of new data is done when it is acknowledged. One of old data that comes with a D-SACK, or as a duplicate that
 * reports nothing, repaired nothing; an ACK beyond it without one says that it repaired a loss, which congestion
 * control must learn. If only its own SACK comes, the holes below it are older by two round trips: RACK's business.
 */
void jr_tlp_on_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_delivery *d, jr_time now)
{
    if (jr_seq_lt(seg->ack, tp->tlp_end))
        return;
    if (!tp->tlp_rexmit || (d->dsack && jr_seq_eq(d->dsack_end, tp->tlp_end))) {
        tp->tlp_out = false;
    } else if (jr_seq_gt(seg->ack, tp->tlp_end)) {
        tp->tlp_out = false;
        if (d->dsack || (tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY)))
            return;
        jr_tcp_count_c(tp, JR_C_TCP_TLP_REPAIRED);
        jr_cc_cong_signal(tp, JR_CC_NDUPACK, now);
        tp->snd_cwnd = jr_min_u32(tp->snd_cwnd, tp->snd_ssthresh);
    } else if (!d->forward && seg->len == 0 && !(seg->opts.flags & TOF_SACK)) {
        tp->tlp_out = false;
    }
}
