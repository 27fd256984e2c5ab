/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scoreboard; see sack.h. Holes are what lies between ranges: hole i lies below range i and begins where
 * range i - 1 ends (hole 0 at snd_una).
 */
#include "tcp/sack.h"

#include <stdlib.h>

#define DUPTHRESH 3u

static struct jr_tcp_sackboard *board_get(struct jr_tcpcb *tp)
{
    if (tp->board == NULL) {
        tp->board = malloc(sizeof *tp->board);
        if (tp->board != NULL) {
            tp->board->n = tp->board->bytes = 0;
            tp->board->lost_below = tp->snd_una;
        }
    }
    return tp->board;
}

void jr_sack_free(struct jr_tcpcb *tp)
{
    free(tp->board);
    tp->board = NULL;
}

static jr_seq hole_start(const struct jr_tcpcb *tp, uint32_t i)
{
    return i == 0 ? tp->snd_una : tp->board->r[i - 1].end;
}

static uint32_t range_len(const struct jr_sack_range *r) { return (uint32_t)jr_seq_diff(r->end, r->start); }

static void trim(struct jr_tcpcb *tp, jr_seq una)
{
    struct jr_tcp_sackboard *b = tp->board;
    uint32_t n = 0;
    while (n < b->n && jr_seq_leq(b->r[n].end, una))
        b->bytes -= range_len(&b->r[n++]);
    memmove(&b->r[0], &b->r[n], (b->n - n) * sizeof b->r[0]);
    b->n -= n;
    if (b->n != 0 && jr_seq_lt(b->r[0].start, una)) {
        b->bytes -= (uint32_t)jr_seq_diff(una, b->r[0].start);
        b->r[0].start = una;
    }
    if (b->n == 0)
        jr_sack_free(tp);
}

/* A range of its own; it splits the hole in which it lies. */
static void insert_range(struct jr_tcpcb *tp, uint32_t i, jr_seq start, jr_seq end, jr_seq una)
{
    struct jr_tcp_sackboard *b = tp->board;
    struct jr_sack_range *r = &b->r[i];
    if (b->n == JR_SACK_RANGES) {
        jr_tcp_count_c(tp, JR_C_TCP_SACK_FULL);
        return;
    }
    jr_seq below = i == 0 ? una : b->r[i - 1].end;
    struct jr_sack_range new = {.start = start, .end = end, .rxt = below, .mark = below};
    if (i < b->n) {
        new.rxt = jr_seq_min(r->rxt, start);
        new.mark = r->mark;
        r->rxt = jr_seq_max(r->rxt, end);
    }
    memmove(r + 1, r, (b->n - i) * sizeof *r);
    *r = new;
    b->n++;
    b->bytes += range_len(r);
}

static void add_range(struct jr_tcpcb *tp, jr_seq start, jr_seq end, jr_seq una)
{
    struct jr_tcp_sackboard *b = tp->board;
    uint32_t i = 0;
    while (i < b->n && jr_seq_lt(b->r[i].end, start))
        i++;
    struct jr_sack_range *r = &b->r[i];
    if (i == b->n || jr_seq_gt(r->start, end)) {
        insert_range(tp, i, start, end, una);
        return;
    }
    b->bytes -= range_len(r);
    r->start = jr_seq_min(r->start, start);
    r->end = jr_seq_max(r->end, end);
    r->rxt = jr_seq_min(r->rxt, r->start);
    uint32_t merged = 0;
    while (i + merged + 1 < b->n && jr_seq_leq(b->r[i + merged + 1].start, r->end)) {
        merged++;
        b->bytes -= range_len(&b->r[i + merged]);
        r->end = jr_seq_max(r->end, b->r[i + merged].end);
    }
    memmove(r + 1, r + 1 + merged, (b->n - i - 1 - merged) * sizeof *r);
    b->n -= merged;
    b->bytes += range_len(r);
}

/* RFC 2883 4: the first block may report a duplicate: below the cumulative ACK, or inside the second block. */
static bool is_dsack(const struct jr_tcp_seg *seg, jr_seq start, jr_seq end)
{
    if (jr_seq_leq(end, seg->ack))
        return true;
    return seg->opts.nsack > 1 && jr_seq_geq(start, jr_seq_of(seg->opts.sack[1][0])) &&
           jr_seq_leq(end, jr_seq_of(seg->opts.sack[1][1]));
}

uint32_t jr_sack_update(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg)
{
    jr_seq una = jr_seq_max(tp->snd_una, seg->ack);
    if (tp->board != NULL)
        trim(tp, una);
    if (!(seg->opts.flags & TOF_SACK))
        return 0;
    uint32_t before = tp->board != NULL ? tp->board->bytes : 0;
    for (uint32_t k = 0; k < seg->opts.nsack; k++) {
        jr_seq start = jr_seq_of(seg->opts.sack[k][0]), end = jr_seq_of(seg->opts.sack[k][1]);
        if (jr_seq_geq(start, end) || jr_seq_gt(end, tp->snd_max)) {
            jr_tcp_count_c(tp, JR_C_TCP_SACK_INVALID);
            continue;
        }
        if (k == 0 && is_dsack(seg, start, end)) {
            tp->dsack_dups++;
            continue;
        }
        if (jr_seq_leq(end, una)) /* an ACK that was overtaken */
            continue;
        start = jr_seq_max(start, una);
        if (board_get(tp) == NULL)
            return 0;
        add_range(tp, start, end, una);
    }
    return tp->board != NULL ? tp->board->bytes - before : 0;
}

/* Whether hole i is lost when `above` reported bytes lie above it (RFC 6675 section 4, IsLost). */
static bool is_lost(const struct jr_tcpcb *tp, uint32_t i, uint32_t above)
{
    const struct jr_tcp_sackboard *b = tp->board;
    return b->n - i >= DUPTHRESH || above > (DUPTHRESH - 1) * tp->t_maxseg || jr_seq_leq(b->r[i].start, b->lost_below);
}

void jr_sack_set_lost_below(struct jr_tcpcb *tp, jr_seq seq)
{
    if (tp->board != NULL)
        tp->board->lost_below = seq;
}

bool jr_sack_una_is_lost(const struct jr_tcpcb *tp)
{
    return tp->board != NULL && tp->board->n != 0 && is_lost(tp, 0, tp->board->bytes);
}

uint32_t jr_sack_pipe(const struct jr_tcpcb *tp)
{
    const struct jr_tcp_sackboard *b = tp->board;
    if (b == NULL || b->n == 0)
        return (uint32_t)jr_seq_diff(tp->snd_max, tp->snd_una);
    uint32_t pipe = (uint32_t)jr_seq_diff(tp->snd_max, b->r[b->n - 1].end), above = b->bytes;
    for (uint32_t i = 0; i < b->n; i++) {
        jr_seq from = hole_start(tp, i);
        int32_t resent = jr_seq_diff(b->r[i].rxt, from);
        if (resent > 0)
            pipe += (uint32_t)resent;
        if (!is_lost(tp, i, above))
            pipe += (uint32_t)jr_seq_diff(b->r[i].start, from);
        above -= range_len(&b->r[i]);
    }
    return pipe;
}

uint32_t jr_sack_bytes_below(const struct jr_tcpcb *tp, jr_seq seq)
{
    const struct jr_tcp_sackboard *b = tp->board;
    uint32_t sum = 0;
    for (uint32_t i = 0; b != NULL && i < b->n && jr_seq_lt(b->r[i].start, seq); i++)
        sum += (uint32_t)jr_seq_diff(jr_seq_min(b->r[i].end, seq), b->r[i].start);
    return sum;
}

bool jr_sack_next(const struct jr_tcpcb *tp, bool lost, uint32_t max, jr_seq *seq, uint32_t *len)
{
    const struct jr_tcp_sackboard *b = tp->board;
    uint32_t above = b != NULL ? b->bytes : 0;
    for (uint32_t i = 0; b != NULL && i < b->n; i++) {
        if (lost && !is_lost(tp, i, above))
            return false; /* nor is any hole further up */
        jr_seq from = jr_seq_max(hole_start(tp, i), b->r[i].rxt);
        if (jr_seq_lt(from, b->r[i].start)) {
            *seq = from;
            *len = jr_min_u32(max, (uint32_t)jr_seq_diff(b->r[i].start, from));
            return true;
        }
        above -= range_len(&b->r[i]);
    }
    return false;
}

void jr_sack_mark_rexmit(struct jr_tcpcb *tp, jr_seq seq, uint32_t len)
{
    struct jr_tcp_sackboard *b = tp->board;
    for (uint32_t i = 0; b != NULL && i < b->n; i++) {
        struct jr_sack_range *r = &b->r[i];
        if (!jr_seq_lt(seq, r->start))
            continue;
        r->rxt = jr_seq_max(r->rxt, jr_seq_min(jr_seq_add(seq, len), r->start));
        r->mark = tp->snd_max;
        return;
    }
}

void jr_sack_find_lost_rexmits(struct jr_tcpcb *tp)
{
    struct jr_tcp_sackboard *b = tp->board;
    if (b == NULL || b->n == 0)
        return;
    jr_seq high = b->r[b->n - 1].end;
    for (uint32_t i = 0; i < b->n; i++) {
        struct jr_sack_range *r = &b->r[i];
        jr_seq from = hole_start(tp, i);
        if (jr_seq_leq(r->rxt, from))
            continue;
        if (jr_seq_diff(high, r->mark) < (int32_t)(DUPTHRESH * tp->t_maxseg))
            continue;
        r->rxt = from;
        jr_tcp_count_c(tp, JR_C_TCP_SACK_LOST_REXMIT);
    }
}

jr_seq jr_sack_skip(const struct jr_tcpcb *tp, jr_seq seq, uint32_t *room)
{
    const struct jr_tcp_sackboard *b = tp->board;
    *room = UINT32_MAX;
    for (uint32_t i = 0; b != NULL && i < b->n; i++) {
        if (jr_seq_leq(b->r[i].end, seq))
            continue;
        if (jr_seq_gt(b->r[i].start, seq)) {
            *room = (uint32_t)jr_seq_diff(b->r[i].start, seq);
            break;
        }
        seq = b->r[i].end;
    }
    return seq;
}

jr_seq jr_sack_high(const struct jr_tcpcb *tp)
{
    return tp->board != NULL && tp->board->n != 0 ? tp->board->r[tp->board->n - 1].end : tp->snd_una;
}

/* RFC 2018 8: a receiver may drop what it reported. A report that touches snd_una can't be honest, else it would be
 * acknowledged; then none is believed any more. */
void jr_sack_check_reneging(struct jr_tcpcb *tp)
{
    const struct jr_tcp_sackboard *b = tp->board;
    if (b == NULL || b->n == 0 || jr_seq_gt(b->r[0].start, tp->snd_una))
        return;
    jr_tcp_count_c(tp, JR_C_TCP_SACK_RENEGED);
    jr_sack_free(tp);
}

void jr_sack_on_rto(struct jr_tcpcb *tp)
{
    jr_sack_check_reneging(tp);
    struct jr_tcp_sackboard *b = tp->board;
    for (uint32_t i = 0; b != NULL && i < b->n; i++)
        b->r[i].rxt = b->r[i].mark = hole_start(tp, i);
}
