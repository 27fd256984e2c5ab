/* SPDX-License-Identifier: BSD-3-Clause */
/* RACK; see rack.h. */
#include "tcp/rack.h"

#include "tcp/isn.h"
#include "tcp/rtt.h"

#define REO_WND_PERSIST 16u /* recoveries without D-SACK after which the window is small again */
#define REO_WND_MULT_MAX 64u

void jr_rack_init(struct jr_tcpcb *tp)
{
    tp->rack = (struct jr_rack){.end = tp->snd_una, .fack = tp->snd_una, .reo_wnd_mult = 1};
    tp->rack.on = tp->tcp->cfg.rack_enable == JR_RACK_ALWAYS;
    if ((tp->t_flags & TF_SACK_PERMIT) && jr_seq_lt(tp->snd_una, tp->snd_max)) /* data that went with the SYN */
        jr_sendmap_push(tp, tp->snd_una, tp->snd_max, true, tp->t_sndtime);
}

static bool sent_after(jr_time t1, jr_seq end1, jr_time t2, jr_seq end2)
{
    return t1 > t2 || (t1 == t2 && jr_seq_gt(end1, end2));
}

/* The ACK may be of an earlier transmission: then it says nothing about the last (6.2 step 2). */
static bool is_ambiguous(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_sent *s, uint64_t rtt)
{
    if (!(s->flags & JR_SENT_RXT))
        return false;
    if ((seg->opts.flags & TOF_TS) && seg->opts.tsecr != 0 &&
        jr_ts_lt(seg->opts.tsecr, jr_tcp_ts(tp->ts_offset, s->xmit)))
        return true;
    return rtt < jr_rtt_min(tp);
}

void jr_rack_delivered(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_sent *s, jr_seq end,
                       jr_time now)
{
    struct jr_rack *rk = &tp->rack;
    const uint64_t rtt = now - s->xmit;
    if (jr_seq_gt(end, rk->fack)) {
        rk->fack = end;
    } else if (jr_seq_lt(end, rk->fack) && !(s->flags & JR_SENT_RXT) && !rk->reordering_seen) {
        rk->reordering_seen = true;
        jr_tcp_count_c(tp, JR_C_TCP_REORDERING);
    }
    if (is_ambiguous(tp, seg, s, rtt))
        return;
    rk->rtt = (uint32_t)jr_min_u64(rtt, UINT32_MAX / 8);
    if (sent_after(s->xmit, end, rk->xmit, rk->end)) {
        rk->xmit = s->xmit;
        rk->end = end;
    }
}

void jr_rack_on_mistake(struct jr_tcpcb *tp)
{
    struct jr_rack *rk = &tp->rack;
    if (rk->on || tp->tcp->cfg.rack_enable != JR_RACK_REORDERED)
        return;
    rk->on = rk->reordering_seen = true;
    jr_tcp_count_c(tp, JR_C_TCP_RACK_ON);
}

void jr_rack_on_ack(struct jr_tcpcb *tp, const struct jr_delivery *d)
{
    struct jr_rack *rk = &tp->rack;
    if (d->dsack && rk->reordering_seen)
        jr_rack_on_mistake(tp);
    if (rk->in_dsack_round && jr_seq_geq(tp->snd_una, rk->dsack_round))
        rk->in_dsack_round = false;
    if (!d->dsack || rk->in_dsack_round)
        return;
    rk->in_dsack_round = true;
    rk->dsack_round = tp->snd_max;
    rk->reo_wnd_mult = (uint8_t)jr_min_u32(rk->reo_wnd_mult + 1u, REO_WND_MULT_MAX);
    rk->reo_wnd_persist = REO_WND_PERSIST;
}

void jr_rack_on_recovered(struct jr_tcpcb *tp)
{
    struct jr_rack *rk = &tp->rack;
    if (rk->reo_wnd_persist > 0)
        rk->reo_wnd_persist--;
    if (rk->reo_wnd_persist == 0)
        rk->reo_wnd_mult = 1;
}

uint32_t jr_rack_reo_wnd(const struct jr_tcpcb *tp)
{
    const struct jr_rack *rk = &tp->rack;
    if (!rk->reordering_seen && ((tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY)) || jr_sack_dupthresh(tp)))
        return 0;
    return jr_min_u32(jr_rtt_min(tp) / 4 * rk->reo_wnd_mult, tp->t_srtt);
}

uint32_t jr_rack_detect(struct jr_tcpcb *tp, uint64_t *timeout, jr_time now)
{
    struct jr_sendmap *m = &tp->map;
    const struct jr_rack *rk = &tp->rack;
    const uint32_t before = m->lost;
    const uint64_t patience = (uint64_t)rk->rtt + jr_rack_reo_wnd(tp);
    *timeout = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        const struct jr_sent *s = jr_sendmap_at(m, i);
        if (s->flags & (JR_SENT_SACKED | JR_SENT_LOST))
            continue;
        if (!sent_after(rk->xmit, rk->end, s->xmit, s->end)) {
            if (s->flags & JR_SENT_RXT)
                continue;
            break; /* what was sent once further up left later still, and what was sent again even later */
        }
        if (s->flags & JR_SENT_RXT && s->xmit == rk->xmit)
            continue; /* sent again when what lies above it had gone: where it lies says nothing then */
        const jr_time due = s->xmit + patience;
        if (due > now) {
            *timeout = jr_max_u64(*timeout, due - now);
            continue;
        }
        if (s->flags & JR_SENT_RXT)
            jr_tcp_count_c(tp, JR_C_TCP_SACK_LOST_REXMIT);
        jr_sendmap_mark(m, i, JR_SENT_LOST, 0);
        i = jr_sendmap_join(m, i);
    }
    return m->lost - before;
}

void jr_rack_on_rto(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_sendmap *m = &tp->map;
    const uint64_t patience = (uint64_t)tp->rack.rtt + jr_rack_reo_wnd(tp);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct jr_sent *s = jr_sendmap_at(m, i);
        if (s->flags & JR_SENT_SACKED || (i != 0 && s->xmit + patience > now))
            continue;
        jr_sendmap_mark(m, i, JR_SENT_LOST, 0);
        i = jr_sendmap_join(m, i);
    }
}
