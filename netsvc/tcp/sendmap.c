/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring of transmit records; see sendmap.h. Inserting and removing in the middle moves the shorter side. */
#include "tcp/sendmap.h"

#include <stdlib.h>

#include "tcp/tcpcb.h"

void jr_sendmap_init(struct jr_sendmap *m)
{
    *m = (struct jr_sendmap){.mask = JR_SENDMAP_FEW - 1};
    m->ring = m->few;
}

static void empty(struct jr_sendmap *m)
{
    if (m->ring != m->few)
        free(m->ring);
    jr_sendmap_init(m);
}

void jr_sendmap_free(struct jr_sendmap *m) { empty(m); }

static bool grow(struct jr_sendmap *m)
{
    const uint32_t cap = m->mask + 1;
    struct jr_sent *ring = malloc(2 * cap * sizeof *ring);
    if (ring == NULL)
        return false;
    for (uint32_t i = 0; i < m->n; i++)
        ring[i] = *jr_sendmap_at(m, i);
    if (m->ring != m->few)
        free(m->ring);
    m->ring = ring;
    m->head = 0;
    m->mask = 2 * cap - 1;
    return true;
}

/* Makes room for a record at i; its content is undefined. */
static bool open_gap(struct jr_sendmap *m, uint32_t i)
{
    if (m->n > m->mask && !grow(m))
        return false;
    m->n++;
    if (i < m->n / 2) {
        m->head--;
        for (uint32_t k = 0; k < i; k++)
            *jr_sendmap_at(m, k) = *jr_sendmap_at(m, k + 1);
    } else {
        for (uint32_t k = m->n - 1; k > i; k--)
            *jr_sendmap_at(m, k) = *jr_sendmap_at(m, k - 1);
    }
    return true;
}

static void close_gap(struct jr_sendmap *m, uint32_t i)
{
    if (i < m->n / 2) {
        for (uint32_t k = i; k > 0; k--)
            *jr_sendmap_at(m, k) = *jr_sendmap_at(m, k - 1);
        m->head++;
    } else {
        for (uint32_t k = i; k + 1 < m->n; k++)
            *jr_sendmap_at(m, k) = *jr_sendmap_at(m, k + 1);
    }
    m->n--;
}

/* There can be no other record: the last one's time is good enough for all of it. */
static void blur(struct jr_sendmap *m, jr_seq end, bool ragged, jr_time now)
{
    struct jr_sent *last = jr_sendmap_at(m, m->n - 1);
    jr_sendmap_mark(m, m->n - 1, JR_SENT_VAGUE | (ragged ? JR_SENT_RAGGED : 0), JR_SENT_SACKED | JR_SENT_LOST);
    last->xmit = now;
    last->end = end;
}

void jr_sendmap_push(struct jr_tcpcb *tp, jr_seq seq, jr_seq end, bool ragged, jr_time now)
{
    struct jr_sendmap *m = &tp->map;
    uint32_t flags = ragged ? JR_SENT_RAGGED : 0;
    if (m->n == 0) {
        m->base = tp->snd_una;
        m->marked = false;
        if (jr_seq_lt(m->base, seq)) /* data that went before records were kept, in a SYN, counts as sent now */
            flags |= JR_SENT_VAGUE;
    } else if (m->n > m->mask && (m->n >= tp->tcp->cfg.map_limit || !grow(m))) {
        blur(m, end, ragged, now);
        return;
    }
    *jr_sendmap_at(m, m->n++) = (struct jr_sent){.end = end, .xmit = now, .flags = flags};
}

uint32_t jr_sendmap_find(const struct jr_sendmap *m, jr_seq seq)
{
    if (m->n == 0 || jr_seq_lt(seq, m->base))
        return m->n;
    uint32_t lo = 0, hi = m->n;
    while (lo < hi) {
        const uint32_t mid = (lo + hi) / 2;
        if (jr_seq_leq(jr_sendmap_at(m, mid)->end, seq))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool jr_sendmap_split(struct jr_sendmap *m, uint32_t i, jr_seq seq)
{
    if (!open_gap(m, i + 1))
        return false;
    struct jr_sent *a = jr_sendmap_at(m, i), *b = jr_sendmap_at(m, i + 1);
    *b = *a;
    a->end = seq;
    a->flags &= ~(uint64_t)JR_SENT_RAGGED;
    if (a->flags & JR_SENT_SACKED)
        m->ranges++;
    return true;
}

void jr_sendmap_mark(struct jr_sendmap *m, uint32_t i, uint32_t set, uint32_t clear)
{
    struct jr_sent *s = jr_sendmap_at(m, i);
    const uint32_t was = (uint32_t)s->flags, is = (was & ~clear) | set, len = jr_sendmap_len(m, i);
    s->flags = is;
    if ((was ^ is) & JR_SENT_SACKED) {
        m->sacked += is & JR_SENT_SACKED ? len : 0 - len;
        m->ranges += is & JR_SENT_SACKED ? 1 : 0 - 1u;
    }
    if ((was ^ is) & JR_SENT_LOST)
        m->lost += is & JR_SENT_LOST ? len : 0 - len;
    if (is & JR_SENT_MARKS) {
        m->marks_end = m->marked ? jr_seq_max(m->marks_end, s->end) : s->end;
        m->marked = true;
    }
}

/* Reported ranges are one whatever they were; what waits to be sent again or was sent again at the same time, too. */
static bool may_join(const struct jr_sent *a, const struct jr_sent *b)
{
    const uint32_t marks = a->flags & JR_SENT_MARKS;
    if (marks != (b->flags & JR_SENT_MARKS) && !(a->flags & b->flags & JR_SENT_SACKED))
        return false;
    if (marks & JR_SENT_SACKED || marks == JR_SENT_LOST)
        return true;
    return marks == JR_SENT_RXT && a->xmit == b->xmit && jr_seq_eq(a->mark, b->mark);
}

uint32_t jr_sendmap_join(struct jr_sendmap *m, uint32_t i)
{
    for (uint32_t at = i == 0 ? 0 : i - 1; at + 1 < m->n && at <= i;) {
        struct jr_sent *a = jr_sendmap_at(m, at), *b = jr_sendmap_at(m, at + 1);
        if (!may_join(a, b)) {
            at++;
            continue;
        }
        if (a->flags & JR_SENT_SACKED)
            m->ranges--;
        b->xmit = a->xmit > b->xmit ? a->xmit : b->xmit;
        b->flags |= a->flags & (JR_SENT_RXT | JR_SENT_VAGUE);
        close_gap(m, at);
        if (i > at)
            i--;
    }
    return i;
}

void jr_sendmap_resent(struct jr_tcpcb *tp, jr_seq seq, jr_seq end, jr_time now)
{
    struct jr_sendmap *m = &tp->map;
    uint32_t i = jr_sendmap_find(m, seq);
    if (i == m->n)
        return;
    /* Without memory for a split all of the record counts as resent: that only delays the next time. */
    if (jr_seq_gt(seq, jr_sendmap_start(m, i)) && jr_sendmap_split(m, i, seq))
        i++;
    for (; i < m->n && jr_seq_lt(jr_sendmap_start(m, i), end); i++) {
        if (jr_seq_gt(jr_sendmap_at(m, i)->end, end))
            (void)jr_sendmap_split(m, i, end);
        if (jr_sendmap_at(m, i)->flags & JR_SENT_SACKED)
            continue;
        jr_sendmap_mark(m, i, JR_SENT_RXT, JR_SENT_LOST);
        jr_sendmap_at(m, i)->xmit = now;
        jr_sendmap_at(m, i)->mark = tp->snd_max;
        i = jr_sendmap_join(m, i);
    }
}

void jr_sendmap_pop(struct jr_sendmap *m, jr_seq ack)
{
    const struct jr_sent *s = jr_sendmap_at(m, 0);
    const bool whole = jr_seq_leq(s->end, ack);
    const uint32_t gone = (uint32_t)jr_seq_diff(whole ? s->end : ack, m->base);
    if (s->flags & JR_SENT_SACKED)
        m->sacked -= gone;
    if (s->flags & JR_SENT_LOST)
        m->lost -= gone;
    m->base = jr_seq_add(m->base, gone);
    if (!whole)
        return;
    if (s->flags & JR_SENT_SACKED)
        m->ranges--;
    m->head++;
    m->n--;
    if (m->n == 0 && m->mask >= 64)
        empty(m);
    if (m->n == 0 || (m->marked && jr_seq_geq(m->base, m->marks_end)))
        m->marked = false;
}

void jr_sendmap_unmark(struct jr_sendmap *m, uint32_t flags)
{
    for (uint32_t i = 0; i < m->n; i++)
        jr_sendmap_mark(m, i, 0, flags);
}
