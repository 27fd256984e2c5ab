/* SPDX-License-Identifier: BSD-3-Clause */
/* Fast recovery; see recover.h. */
#include "tcp/recover.h"

#include "tcp/cc.h"
#include "tcp/output.h"
#include "tcp/prr.h"
#include "tcp/rack.h"
#include "tcp/state.h"
#include "tcp/timer.h"
#include "tcp/undo.h"

/* Whether a loss may be acted upon: not twice for one window (RFC 6675 5.1). Without SACK snd_recover itself must be
 * behind (RFC 6582 3.2 step 1), or the ACKs before must not look like those that unneeded retransmissions cause (4.1).
 */
static bool may_enter(const struct jr_tcpcb *tp)
{
    if (tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY) || jr_seq_geq(tp->snd_una, tp->snd_max))
        return false;
    if (tp->t_flags & TF_SACK_PERMIT)
        return jr_seq_geq(tp->snd_una, tp->snd_recover);
    return jr_seq_gt(tp->snd_una, tp->snd_recover) ||
           (jr_seq_eq(tp->snd_una, tp->snd_recover) && tp->snd_cwnd > tp->t_maxseg &&
            tp->t_lastacked <= 4 * tp->t_maxseg);
}

static void enter(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now)
{
    const bool sack = tp->t_flags & TF_SACK_PERMIT;
    jr_tcp_count_c(tp, sack ? JR_C_TCP_SACK_RECOVERY : JR_C_TCP_FAST_RECOVERY);
    jr_undo_save(tp, false, now);
    jr_cc_cong_signal(tp, JR_CC_NDUPACK, now);
    tp->snd_recover = tp->snd_max;
    tp->t_flags |= TF_FASTRECOVERY;
    tp->t_flags &= ~(uint32_t)(TF_RTTVALID | TF_RESCUED);
    tp->snd_limited = 0;
    tp->partial_ack = false;
    jr_prr_begin(tp, d);
    jr_seq seq = tp->snd_una;
    uint32_t len;
    if (sack) {
        jr_prr_on_ack(tp, d);
        (void)jr_sack_next(tp, true, tp->t_maxseg, &seq, &len);
    } else {
        tp->snd_cwnd = tp->snd_ssthresh + JR_TCP_DUPTHRESH * tp->t_maxseg;
    }
    jr_tcp_output_rexmit(tp, seq, now);
    jr_tcp_start_rexmt(tp, now);
    jr_tcp_want_output(tp);
}

void jr_recover_leave(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_flags &= ~(uint32_t)(TF_FASTRECOVERY | TF_RESCUED);
    tp->t_dupacks = 0;
    jr_cc_post_recovery(tp, now);
    jr_rack_on_recovered(tp);
}

/* Newly lost bytes, and the timer for what may still turn out to be. */
static uint32_t detect(struct jr_tcpcb *tp, jr_time now)
{
    if (!tp->rack.on)
        return jr_sack_detect(tp);
    uint64_t timeout;
    const uint32_t lost = jr_rack_detect(tp, &timeout, now);
    jr_tcp_arm_reo(tp, timeout, now);
    return lost;
}

/* Holes wait to be filled and nothing has begun to. */
static bool try_enter(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now)
{
    if (tp->map.lost == 0 || !may_enter(tp))
        return false;
    enter(tp, d, now);
    return true;
}

void jr_recover_on_sack(struct jr_tcpcb *tp, struct jr_delivery *d, jr_time now)
{
    if (tp->map.marked || (tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY)))
        d->lost = detect(tp, now);
    if (tp->t_flags & TF_FASTRECOVERY) {
        jr_prr_on_ack(tp, d);
        jr_tcp_want_output(tp);
        return;
    }
    if (try_enter(tp, d, now))
        return;
    if (tp->map.lost != 0 || d->sacked != 0)
        jr_tcp_want_output(tp); /* what was SACKed has left the network: limited transmit, or slow start after RTO */
}

void jr_recover_on_reo(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_delivery d = {0};
    jr_tcp_count_c(tp, JR_C_TCP_RACK_TIMEO);
    d.lost = detect(tp, now);
    if (d.lost == 0 || try_enter(tp, &d, now))
        return;
    if (tp->t_flags & TF_FASTRECOVERY)
        jr_prr_on_ack(tp, &d);
    jr_tcp_output(tp, now);
}

/* RFC 3042: each of the first two duplicates lets one new segment go. */
static void limited_transmit(struct jr_tcpcb *tp)
{
    if (!tp->tcp->cfg.rfc3042 || jr_seq_lt(tp->snd_nxt, tp->snd_max))
        return;
    tp->snd_limited = tp->t_dupacks * tp->t_maxseg;
    jr_tcp_want_output(tp);
}

void jr_recover_on_dup_ack(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->t_flags & TF_FASTRECOVERY) {
        tp->snd_cwnd += tp->t_maxseg;
        jr_tcp_want_output(tp);
        return;
    }
    const struct jr_delivery none = {0};
    if (tp->t_dupacks < JR_TCP_DUPTHRESH)
        limited_transmit(tp);
    else if (tp->t_dupacks == JR_TCP_DUPTHRESH && may_enter(tp))
        enter(tp, &none, now);
}

/* RFC 6582 3.2 step 3, partial acknowledgement: the next hole begins where it ends. snd_una has moved. */
void jr_recover_on_partial_ack(struct jr_tcpcb *tp, uint32_t acked, jr_time now)
{
    jr_tcp_output_rexmit(tp, tp->snd_una, now);
    tp->snd_cwnd -= jr_min_u32(acked, tp->snd_cwnd - jr_min_u32(tp->snd_cwnd, tp->t_maxseg));
    if (acked >= tp->t_maxseg)
        tp->snd_cwnd += tp->t_maxseg;
    jr_tcp_want_output(tp);
}

void jr_recover_resegment(struct jr_tcpcb *tp, jr_time now)
{
    (void)now;
    tp->t_flags &= ~(uint32_t)(TF_FASTRECOVERY | TF_RTTVALID);
    tp->snd_recover = tp->snd_max;
    tp->snd_nxt = tp->snd_una;
}
