/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SACK blocks and the scoreboard; see sack.h. A hostile peer costs at most sack.maxholes ranges of a connection,
 * sack.globalmaxholes of the stack, and per block a binary search and two insertions.
 */
#include "tcp/sack.h"

#include "tcp/rack.h"

void jr_sack_free(struct jr_tcpcb *tp)
{
    tp->tcp->sack_globalholes -= tp->map.ranges;
    jr_sendmap_free(&tp->map);
}

/* Record i, not reported before, has arrived. */
static void delivered(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, struct jr_delivery *d, uint32_t i, jr_time now)
{
    const struct jr_sent *s = jr_sendmap_at(&tp->map, i);
    if (!(s->flags & JR_SENT_RXT)) {
        if (jr_seq_leq(s->end, tp->undo.recover))
            d->original = true;
        if (!(s->flags & JR_SENT_VAGUE)) {
            const uint32_t rtt = (uint32_t)jr_min_u64(now - s->xmit, UINT32_MAX / 8);
            d->rtt_us = d->rtt_valid ? jr_max_u32(d->rtt_us, rtt) : rtt;
            d->rtt_valid = true;
            if (jr_seq_gt(s->end, seg->ack))
                d->rtt_sack_us = d->rtt_sack_us != 0 ? jr_min_u32(d->rtt_sack_us, rtt) : jr_max_u32(rtt, 1);
        }
    }
    jr_rack_delivered(tp, seg, s, s->end, now);
}

/* The cumulative ACK: forgets what lies before it. */
static void cumulative(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, struct jr_delivery *d, jr_time now)
{
    struct jr_sendmap *m = &tp->map;
    const uint32_t ranges = m->ranges, sacked = m->sacked;
    const jr_seq base = m->base;
    while (m->n != 0 && jr_seq_lt(m->base, seg->ack)) {
        const struct jr_sent *s = jr_sendmap_at(m, 0);
        if (!(s->flags & JR_SENT_SACKED)) {
            if (jr_seq_gt(s->end, seg->ack)) { /* part of a burst: its first segments, up to here */
                struct jr_sent part = *s;
                part.end = seg->ack;
                if (!(s->flags & JR_SENT_RXT) && jr_seq_leq(part.end, tp->undo.recover))
                    d->original = true;
                if (!(s->flags & (JR_SENT_RXT | JR_SENT_VAGUE)) && !d->rtt_valid) {
                    d->rtt_us = (uint32_t)jr_min_u64(now - s->xmit, UINT32_MAX / 8);
                    d->rtt_valid = true;
                }
                jr_rack_delivered(tp, seg, &part, part.end, now);
            } else {
                delivered(tp, seg, d, 0, now);
            }
        }
        jr_sendmap_pop(m, seg->ack);
    }
    tp->tcp->sack_globalholes -= ranges - m->ranges;
    d->acked = (uint32_t)jr_seq_diff(m->n != 0 ? m->base : seg->ack, base) - (sacked - m->sacked);
}

/* Whether one more range may be kept. */
static bool has_room(const struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    return tp->map.ranges < cfg->sack_maxholes && tp->tcp->sack_globalholes < cfg->sack_globalmaxholes;
}

/* Whether [start, end) would touch a reported range: then it makes no new one. */
static bool touches(const struct jr_sendmap *m, uint32_t i, jr_seq start, jr_seq end)
{
    if (i > 0 && jr_seq_eq(jr_sendmap_start(m, i), start) && jr_sendmap_at(m, i - 1)->flags & JR_SENT_SACKED)
        return true;
    for (; i < m->n && jr_seq_leq(jr_sendmap_start(m, i), end); i++)
        if (jr_sendmap_at(m, i)->flags & JR_SENT_SACKED)
            return true;
    return false;
}

/* One SACK block, above the cumulative ACK and below snd_max. */
static void report(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, struct jr_delivery *d, jr_seq start, jr_seq end,
                   jr_time now)
{
    struct jr_sendmap *m = &tp->map;
    uint32_t i = jr_sendmap_find(m, start);
    if (i == m->n)
        return;
    const struct jr_sent *s = jr_sendmap_at(m, i);
    if (s->flags & JR_SENT_SACKED && jr_seq_geq(s->end, end)) /* heard before: most blocks of most ACKs */
        return;
    if (!has_room(tp) && !touches(m, i, start, end)) {
        jr_tcp_count_c(tp, JR_C_TCP_SACK_FULL);
        return;
    }
    if (jr_seq_gt(start, jr_sendmap_start(m, i)) && !(s->flags & JR_SENT_SACKED)) {
        if (!jr_sendmap_split(m, i, start))
            return;
        i++;
    }
    for (; i < m->n && jr_seq_lt(jr_sendmap_start(m, i), end); i++) {
        s = jr_sendmap_at(m, i);
        if (s->flags & JR_SENT_SACKED)
            continue;
        if (jr_seq_gt(s->end, end) && !jr_sendmap_split(m, i, end))
            return;
        d->sacked += jr_sendmap_len(m, i);
        delivered(tp, seg, d, i, now);
        jr_sendmap_mark(m, i, JR_SENT_SACKED, JR_SENT_LOST);
        i = jr_sendmap_join(m, i);
    }
}

/* RFC 2883 4: the first block may report a duplicate: below the cumulative ACK, or inside the second block. */
static bool is_dsack(const struct jr_tcp_seg *seg, jr_seq start, jr_seq end)
{
    if (jr_seq_leq(end, seg->ack))
        return true;
    return seg->opts.nsack > 1 && jr_seq_geq(start, jr_seq_of(seg->opts.sack[1][0])) &&
           jr_seq_leq(end, jr_seq_of(seg->opts.sack[1][1]));
}

/* A duplicate can only be of what was sent, lately (RFC 5961 5.2's measure of it). */
static void note_dsack(struct jr_tcpcb *tp, struct jr_delivery *d, jr_seq start, jr_seq end)
{
    if (jr_seq_lt(start, jr_seq_sub(tp->snd_una, jr_max_u32(tp->max_sndwnd, tp->t_maxseg)))) {
        jr_tcp_count_c(tp, JR_C_TCP_SACK_INVALID);
        return;
    }
    tp->dsack_dups++;
    jr_tcp_count_c(tp, JR_C_TCP_DSACK_RECEIVED);
    d->dsack = true;
    d->dsack_start = start;
    d->dsack_end = end;
}

void jr_sack_update(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, struct jr_delivery *d, jr_time now)
{
    const jr_seq una = jr_seq_max(tp->snd_una, seg->ack);
    if (d->forward && tp->map.n != 0)
        cumulative(tp, seg, d, now);
    else if (d->forward)
        d->acked = (uint32_t)jr_seq_diff(seg->ack, tp->snd_una);
    if (!(seg->opts.flags & TOF_SACK))
        return;
    const uint32_t ranges = tp->map.ranges;
    for (uint32_t k = 0; k < seg->opts.nsack; k++) {
        jr_seq start = jr_seq_of(seg->opts.sack[k][0]), end = jr_seq_of(seg->opts.sack[k][1]);
        if (jr_seq_geq(start, end) || jr_seq_gt(end, tp->snd_max)) {
            jr_tcp_count_c(tp, JR_C_TCP_SACK_INVALID);
            continue;
        }
        if (k == 0 && is_dsack(seg, start, end))
            note_dsack(tp, d, start, end);
        else if (jr_seq_gt(end, una)) /* else: an ACK that was overtaken */
            report(tp, seg, d, jr_seq_max(start, una), end, now);
    }
    tp->tcp->sack_globalholes += tp->map.ranges - ranges;
}

bool jr_sack_dupthresh(const struct jr_tcpcb *tp)
{
    return tp->t_dupacks >= JR_TCP_DUPTHRESH || tp->map.ranges >= JR_TCP_DUPTHRESH ||
           tp->map.sacked > (JR_TCP_DUPTHRESH - 1) * tp->t_maxseg;
}

/* RFC 6675 4: enough lies above it; without sack.revised only bytes and ranges above count, and for the first hole the
 * number of duplicate ACKs. What was sent again is lost again when data sent well after it has arrived (sack.lrd). */
uint32_t jr_sack_detect(struct jr_tcpcb *tp)
{
    struct jr_sendmap *m = &tp->map;
    const uint32_t before = m->lost, patience = (JR_TCP_DUPTHRESH - 1) * tp->t_maxseg;
    const jr_seq high = jr_sack_high(tp);
    uint32_t ranges = m->ranges, above = m->sacked;
    for (uint32_t i = 0; i < m->n && ranges != 0; i++) {
        const struct jr_sent *s = jr_sendmap_at(m, i);
        if (s->flags & JR_SENT_SACKED) {
            ranges--;
            above -= jr_sendmap_len(m, i);
            continue;
        }
        const bool enough = ranges >= JR_TCP_DUPTHRESH || above > patience ||
                            (i == 0 && tp->tcp->cfg.sack_revised && tp->t_dupacks >= JR_TCP_DUPTHRESH);
        if (!enough)
            break; /* nor is it for any hole further up */
        if (s->flags & JR_SENT_LOST)
            continue;
        if (s->flags & JR_SENT_RXT) {
            if (!tp->tcp->cfg.sack_lrd || jr_seq_diff(high, s->mark) < (int32_t)(JR_TCP_DUPTHRESH * tp->t_maxseg))
                continue;
            jr_tcp_count_c(tp, JR_C_TCP_SACK_LOST_REXMIT);
        }
        jr_sendmap_mark(m, i, JR_SENT_LOST, 0);
        i = jr_sendmap_join(m, i);
    }
    return m->lost - before;
}

uint32_t jr_sack_bytes_below(const struct jr_tcpcb *tp, jr_seq seq)
{
    const struct jr_sendmap *m = &tp->map;
    if (m->sacked == 0 || jr_seq_eq(seq, tp->snd_max))
        return m->sacked;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < m->n && jr_seq_lt(jr_sendmap_start(m, i), seq); i++)
        if (jr_sendmap_at(m, i)->flags & JR_SENT_SACKED)
            sum += (uint32_t)jr_seq_diff(jr_seq_min(jr_sendmap_at(m, i)->end, seq), jr_sendmap_start(m, i));
    return sum;
}

bool jr_sack_next(const struct jr_tcpcb *tp, bool lost, uint32_t max, jr_seq *seq, uint32_t *len)
{
    const struct jr_sendmap *m = &tp->map;
    uint32_t ranges = m->ranges;
    if (lost ? m->lost == 0 : ranges == 0)
        return false;
    for (uint32_t i = 0; i < m->n && (lost || ranges != 0); i++) {
        const uint32_t flags = (uint32_t)jr_sendmap_at(m, i)->flags;
        ranges -= flags & JR_SENT_SACKED ? 1 : 0;
        if (lost ? !(flags & JR_SENT_LOST) : (flags & JR_SENT_MARKS) != 0)
            continue;
        *seq = jr_sendmap_start(m, i);
        *len = 0;
        do /* the same hole may be several records */
            *len += jr_sendmap_len(m, i++);
        while (*len < max && i < m->n && (jr_sendmap_at(m, i)->flags & JR_SENT_MARKS) == (flags & JR_SENT_MARKS));
        *len = jr_min_u32(*len, max);
        return true;
    }
    return false;
}

jr_seq jr_sack_skip(const struct jr_tcpcb *tp, jr_seq seq, uint32_t *room)
{
    const struct jr_sendmap *m = &tp->map;
    *room = UINT32_MAX;
    if (m->ranges == 0)
        return seq;
    for (uint32_t i = jr_sendmap_find(m, seq); i < m->n; i++) {
        const struct jr_sent *s = jr_sendmap_at(m, i);
        if (!(s->flags & JR_SENT_SACKED))
            continue;
        const jr_seq start = jr_sendmap_start(m, i);
        if (jr_seq_gt(start, seq)) {
            *room = (uint32_t)jr_seq_diff(start, seq);
            break;
        }
        seq = s->end;
    }
    return seq;
}

jr_seq jr_sack_high(const struct jr_tcpcb *tp)
{
    const struct jr_sendmap *m = &tp->map;
    for (uint32_t i = m->ranges != 0 ? m->n : 0; i-- > 0;)
        if (jr_sendmap_at(m, i)->flags & JR_SENT_SACKED)
            return jr_sendmap_at(m, i)->end;
    return tp->snd_una;
}

/* RFC 2018 8: a receiver may drop what it reported. A report that touches snd_una can't be honest, else it would be
 * acknowledged; then none is believed any more. */
void jr_sack_check_reneging(struct jr_tcpcb *tp)
{
    if (tp->map.n == 0 || !(jr_sendmap_at(&tp->map, 0)->flags & JR_SENT_SACKED))
        return;
    jr_tcp_count_c(tp, JR_C_TCP_SACK_RENEGED);
    tp->tcp->sack_globalholes -= tp->map.ranges;
    jr_sendmap_unmark(&tp->map, JR_SENT_SACKED);
}

void jr_sack_lose_all(struct jr_tcpcb *tp)
{
    struct jr_sendmap *m = &tp->map;
    for (uint32_t i = 0; i < m->n; i++) {
        if (jr_sendmap_at(m, i)->flags & JR_SENT_SACKED)
            continue;
        jr_sendmap_mark(m, i, JR_SENT_LOST, 0);
        i = jr_sendmap_join(m, i);
    }
}
