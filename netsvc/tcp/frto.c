/* SPDX-License-Identifier: BSD-3-Clause */
/* F-RTO; see frto.h. */
#include "tcp/frto.h"

#include "tcp/cc.h"
#include "tcp/output.h"
#include "tcp/state.h"
#include "tcp/undo.h"

void jr_frto_begin(struct jr_tcpcb *tp, bool again)
{
    tp->frto = JR_FRTO_NONE;
    if (!again && tp->tcp->cfg.frto && jr_cc_flight(tp) > 0)
        tp->frto = JR_FRTO_RESENT;
}

/* It was no mistake: slow start from what is missing. */
static void conventional(struct jr_tcpcb *tp, bool second)
{
    tp->frto = JR_FRTO_NONE;
    if (second)
        tp->snd_cwnd = jr_min_u32(jr_max_u32(tp->snd_cwnd, tp->t_maxseg), 3 * tp->t_maxseg);
    if (!(tp->t_flags & TF_SACK_PERMIT))
        tp->snd_nxt = tp->snd_una;
    jr_tcp_want_output(tp);
}

/* Step 2b: up to two segments never sent before. false: there are none, or the peer's window doesn't hold them. */
static bool send_new(struct jr_tcpcb *tp, jr_time now)
{
    const jr_seq max = tp->snd_max;
    const uint32_t flight = tp->t_flags & TF_SACK_PERMIT ? jr_sack_pipe(tp) : jr_cc_flight(tp);
    const uint32_t want = flight + 2 * tp->t_maxseg;
    tp->snd_nxt = tp->snd_max;
    tp->frto = JR_FRTO_FORWARD;
    tp->snd_limited = want > tp->snd_cwnd ? want - tp->snd_cwnd : 0;
    jr_tcp_output(tp, now);
    return jr_seq_gt(tp->snd_max, max);
}

void jr_frto_on_new_ack(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now)
{
    const bool sack = tp->t_flags & TF_SACK_PERMIT;
    if (tp->frto == JR_FRTO_RESENT) {
        /* step 2a: it covers all, or less than what was resent: nothing can be told from it */
        if (jr_seq_geq(tp->snd_una, tp->undo.recover) || jr_seq_lt(tp->snd_una, tp->frto_end) || !send_new(tp, now))
            conventional(tp, false);
        return;
    }
    if (!sack || d->original) /* step 3b: it was sent once, and is there */
        jr_undo(tp, d, now);
    else
        conventional(tp, true);
}

void jr_frto_on_dup_ack(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now)
{
    if (tp->frto == JR_FRTO_RESENT) {
        if (!(tp->t_flags & TF_SACK_PERMIT)) /* step 2a; with SACK the next cumulative ACK decides */
            conventional(tp, false);
        return;
    }
    if ((tp->t_flags & TF_SACK_PERMIT) && d->original)
        jr_undo(tp, d, now);
    else
        conventional(tp, true);
}
