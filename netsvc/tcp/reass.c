/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of out-of-order ranges; see reass.h. RFC 9293 3.10.7.4 seventh, RFC 2018 4, RFC 2883 4. */
#include "tcp/reass.h"

#include <stdlib.h>

/* The first range that ends at or behind seq. */
static uint32_t find(const struct jr_tcp_reass *q, jr_seq seq)
{
    uint32_t i = 0;
    while (i < q->n && jr_seq_lt(q->r[i].end, seq))
        i++;
    return i;
}

bool jr_reass_has_room(struct jr_tcpcb *tp, jr_seq start, jr_seq end)
{
    if (tp->reass == NULL) {
        tp->reass = malloc(sizeof *tp->reass);
        if (tp->reass == NULL)
            return false;
        tp->reass->n = tp->reass->stamp = 0;
    }
    const struct jr_tcp_reass *q = tp->reass;
    if (q->n < JR_REASS_RANGES)
        return true;
    uint32_t i = find(q, start);
    return i < q->n && jr_seq_leq(q->r[i].start, end);
}

static void remove_ranges(struct jr_tcp_reass *q, uint32_t at, uint32_t n)
{
    memmove(&q->r[at], &q->r[at + n], (q->n - at - n) * sizeof q->r[0]);
    q->n -= n;
}

bool jr_reass_insert(struct jr_tcpcb *tp, jr_seq start, jr_seq end)
{
    struct jr_tcp_reass *q = tp->reass;
    uint32_t i = find(q, start);
    struct jr_reass_range *r = &q->r[i];
    if (i == q->n || jr_seq_gt(r->start, end)) {
        memmove(r + 1, r, (q->n - i) * sizeof *r);
        q->n++;
        *r = (struct jr_reass_range){start, end, ++q->stamp};
        return true;
    }
    bool duplicate = jr_seq_leq(r->start, start) && jr_seq_geq(r->end, end);
    r->start = jr_seq_min(r->start, start);
    r->end = jr_seq_max(r->end, end);
    r->stamp = ++q->stamp;
    uint32_t merged = 0;
    while (i + merged + 1 < q->n && jr_seq_leq(q->r[i + merged + 1].start, r->end)) {
        merged++;
        r->end = jr_seq_max(r->end, q->r[i + merged].end);
    }
    remove_ranges(q, i + 1, merged);
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
    remove_ranges(q, 0, n);
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
    uint32_t below = UINT32_MAX; /* stamps are unique: each round takes the highest not yet taken */
    while (o->nsack < JR_TCP_MAX_SACK) {
        const struct jr_reass_range *best = NULL;
        for (uint32_t i = 0; i < q->n; i++)
            if (q->r[i].stamp < below && (best == NULL || q->r[i].stamp > best->stamp))
                best = &q->r[i];
        if (best == NULL)
            return;
        add_block(o, best->start, best->end);
        below = best->stamp;
    }
}

void jr_reass_free(struct jr_tcpcb *tp)
{
    free(tp->reass);
    tp->reass = NULL;
}
