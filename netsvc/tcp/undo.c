/* SPDX-License-Identifier: BSD-3-Clause */
/* Undoing responses to losses that were none; see undo.h. */
#include "tcp/undo.h"

#include "tcp/cc.h"
#include "tcp/isn.h"
#include "tcp/rack.h"
#include "tcp/timer.h"

void jr_undo_save(struct jr_tcpcb *tp, bool rto, jr_time now)
{
    tp->undo = (struct jr_undo){
        .prev_recover = tp->snd_recover,
        .una = tp->snd_una,
        .recover = tp->snd_max,
        .ts = jr_tcp_ts(tp->ts_offset, now),
        .badrxtwin = now + tp->t_srtt / 2,
        .what = rto ? JR_UNDO_RTO : JR_UNDO_RECOVERY,
    };
}

void jr_undo_note_rexmit(struct jr_tcpcb *tp, jr_seq seq, uint32_t len)
{
    if (tp->undo.what == JR_UNDO_NONE || jr_seq_geq(seq, tp->undo.recover))
        return;
    tp->undo.rexmt += len;
    tp->undo.resent = true;
}

void jr_undo(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now)
{
    struct jr_undo *u = &tp->undo;
    jr_tcp_count_c(tp, u->what == JR_UNDO_RTO ? JR_C_TCP_BAD_REXMIT : JR_C_TCP_BAD_RECOVERY);
    jr_cc_cong_signal(tp, JR_CC_RTO_ERR, now);
    if (u->what == JR_UNDO_RECOVERY)
        jr_rack_on_mistake(tp);
    if (tp->t_flags & (TF_RTORECOVERY | TF_FASTRECOVERY))
        tp->snd_recover = u->prev_recover;
    tp->t_flags &= ~(uint32_t)(TF_RTORECOVERY | TF_FASTRECOVERY | TF_RESCUED);
    jr_sendmap_unmark(&tp->map, JR_SENT_LOST);
    tp->snd_nxt = tp->snd_max;
    tp->frto = JR_FRTO_NONE;
    tp->t_dupacks = 0;
    /* RFC 4015 3 step 7: the next such delay must not time out. Where only ACKs were lost it is none. */
    const uint32_t rtt = d->rtt_sack_us != 0 ? d->rtt_sack_us : d->forward ? tp->rtt_last : 0;
    if (u->what == JR_UNDO_RTO && rtt != 0) {
        tp->t_srtt = jr_max_u32(tp->t_srtt, rtt);
        tp->t_rttvar = jr_max_u32(tp->t_rttvar, rtt / 2);
        jr_tcp_set_rxtcur(tp, 0);
    }
    u->what = JR_UNDO_NONE;
}

void jr_undo_on_new_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_delivery *d, jr_time now)
{
    struct jr_undo *u = &tp->undo;
    /* Only the ACK of the first thing that was sent again tells: it must be the first to move snd_una. */
    if (u->what == JR_UNDO_NONE || !u->resent || !jr_seq_eq(tp->snd_una, u->una) ||
        !(tp->t_flags & (TF_RTORECOVERY | TF_FASTRECOVERY)))
        return;
    bool spurious = u->what == JR_UNDO_RTO && tp->t_rxtshift == 1 && now < u->badrxtwin;
    if ((seg->opts.flags & TOF_TS) && seg->opts.tsecr != 0)
        spurious = jr_ts_lt(seg->opts.tsecr, u->ts);
    if (spurious)
        jr_undo(tp, d, now);
}

void jr_undo_on_dsack(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now)
{
    struct jr_undo *u = &tp->undo;
    if (u->what == JR_UNDO_NONE || !u->resent)
        return;
    if (jr_seq_lt(d->dsack_start, u->una) || jr_seq_gt(d->dsack_end, u->recover))
        return;
    const uint32_t len = (uint32_t)jr_seq_diff(d->dsack_end, d->dsack_start);
    u->rexmt -= jr_min_u32(len, u->rexmt);
    if (u->rexmt == 0)
        jr_undo(tp, d, now);
}
