/* SPDX-License-Identifier: BSD-3-Clause */
/* The ranges that came out of order; see reass.h. RFC 9293 3.10.7.4 seventh, RFC 2018 4, RFC 2883 4. */
#include "tcp/reass.h"

#include <stdlib.h>

#define FEW 8u /* ranges to begin with */

/* The first range that ends at or behind seq. */
static uint32_t find(const struct jr_tcp_reass *q, jr_seq seq)
{
    uint32_t lo = 0, hi = q->n;
    while (lo < hi) {
        const uint32_t mid = (lo + hi) / 2;
        if (jr_seq_lt(q->r[mid].end, seq))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Room for one more range. */
static bool make_room(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    struct jr_tcp_reass *q = tp->reass;
    const uint32_t n = q != NULL ? q->n : 0, had = q != NULL ? q->room : 0;
    if (n >= cfg->reass_maxqueuelen || tp->tcp->reass_segs >= cfg->reass_maxsegments)
        return false;
    if (n < had)
        return true;
    const uint32_t room = had != 0 ? 2 * had : FEW;
    q = realloc(q, sizeof *q + room * sizeof q->r[0]);
    if (q == NULL)
        return false;
    if (had == 0)
        q->n = q->n_recent = 0;
    q->room = room;
    tp->reass = q;
    return true;
}

bool jr_reass_has_room(struct jr_tcpcb *tp, jr_seq start, jr_seq end)
{
    if (make_room(tp))
        return true;
    const struct jr_tcp_reass *q = tp->reass;
    const uint32_t i = q != NULL ? find(q, start) : 0;
    return q != NULL && i < q->n && jr_seq_leq(q->r[i].start, end);
}

static void remove_ranges(struct jr_tcpcb *tp, uint32_t at, uint32_t n)
{
    struct jr_tcp_reass *q = tp->reass;
    memmove(&q->r[at], &q->r[at + n], (q->n - at - n) * sizeof q->r[0]);
    q->n -= n;
    tp->tcp->reass_segs -= n;
}

/* [start, end) grew: it is the first to be told, and no other entry stands for it. */
static void note_recent(struct jr_tcp_reass *q, jr_seq start, jr_seq end)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->n_recent; i++)
        if (jr_seq_lt(q->recent[i], start) || jr_seq_geq(q->recent[i], end))
            q->recent[n++] = q->recent[i];
    n = jr_min_u32(n, JR_REASS_RECENT - 1);
    memmove(&q->recent[1], &q->recent[0], n * sizeof q->recent[0]);
    q->recent[0] = start;
    q->n_recent = n + 1;
}

bool jr_reass_insert(struct jr_tcpcb *tp, jr_seq start, jr_seq end)
{
    struct jr_tcp_reass *q = tp->reass;
    const uint32_t i = find(q, start);
    struct jr_reass_range *r = &q->r[i];
    if (i == q->n || jr_seq_gt(r->start, end)) {
        memmove(r + 1, r, (q->n - i) * sizeof *r);
        q->n++;
        tp->tcp->reass_segs++;
        *r = (struct jr_reass_range){start, end};
        note_recent(q, start, end);
        return true;
    }
    const bool duplicate = jr_seq_leq(r->start, start) && jr_seq_geq(r->end, end);
    r->start = jr_seq_min(r->start, start);
    r->end = jr_seq_max(r->end, end);
    uint32_t merged = 0;
    while (i + merged + 1 < q->n && jr_seq_leq(q->r[i + merged + 1].start, r->end)) {
        merged++;
        r->end = jr_seq_max(r->end, q->r[i + merged].end);
    }
    remove_ranges(tp, i + 1, merged);
    note_recent(q, r->start, r->end);
    return !duplicate;
}

jr_seq jr_reass_collect(struct jr_tcpcb *tp, jr_seq upto)
{
    struct jr_tcp_reass *q = tp->reass;
    uint32_t n = 0;
    while (n < q->n && jr_seq_leq(q->r[n].start, upto)) {
        upto = jr_seq_max(upto, q->r[n].end);
        n++;
    }
    remove_ranges(tp, 0, n);
    if (q->n == 0)
        jr_reass_free(tp);
    return upto;
}

jr_seq jr_reass_high(const struct jr_tcpcb *tp)
{
    return tp->reass != NULL && tp->reass->n != 0 ? tp->reass->r[tp->reass->n - 1].end : tp->rcv_nxt;
}

static void add_block(struct jr_tcp_opts *o, jr_seq start, jr_seq end)
{
    o->flags |= TOF_SACK;
    o->sack[o->nsack][0] = start.v;
    o->sack[o->nsack][1] = end.v;
    o->nsack++;
}

void jr_reass_sack_option(const struct jr_tcpcb *tp, struct jr_tcp_opts *o)
{
    if (tp->t_flags & TF_DSACK)
        add_block(o, tp->dsack_start, tp->dsack_end);
    const struct jr_tcp_reass *q = tp->reass;
    if (q == NULL)
        return;
    for (uint32_t k = 0; k < q->n_recent && o->nsack < JR_TCP_MAX_SACK; k++) {
        const uint32_t i = find(q, jr_seq_add(q->recent[k], 1));
        if (i < q->n && jr_seq_leq(q->r[i].start, q->recent[k])) /* else it is in order by now */
            add_block(o, q->r[i].start, q->r[i].end);
    }
}

void jr_reass_free(struct jr_tcpcb *tp)
{
    if (tp->reass != NULL)
        tp->tcp->reass_segs -= tp->reass->n;
    free(tp->reass);
    tp->reass = NULL;
}
