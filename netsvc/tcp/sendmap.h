/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was sent and is not acknowledged, in order of sequence numbers: when each byte range last left and what is known
 * of it. Records are byte ranges: a TSO packet or a burst is one, and is split where a report or a retransmission
 * needs it. They stand in a ring, so that sending and the expected ACK touch only its ends. Kept for connections with
 * SACK only; RFC 8985 5.2 (per-segment variables), RFC 2018 and RFC 6675 (the scoreboard).
 */
#ifndef JR_TCP_SENDMAP_H
#define JR_TCP_SENDMAP_H

#include <stdbool.h>

#include "base/time.h"
#include "tcp/seq.h"

enum {                           /* jr_sent.flags */
       JR_SENT_SACKED = 1u << 0, /* the peer reported it */
       JR_SENT_LOST = 1u << 1,   /* not in the network any more: waits to be sent again */
       JR_SENT_RXT = 1u << 2,    /* was sent again; xmit is the last time */
       JR_SENT_RAGGED = 1u << 3, /* ends with a segment that isn't full: nothing may join it */
       JR_SENT_VAGUE = 1u << 4,  /* joined from several times, xmit is the last: no RTT sample */
       JR_SENT_MARKS = JR_SENT_SACKED | JR_SENT_LOST | JR_SENT_RXT
};

struct jr_sent {
    jr_seq end;
    jr_seq mark; /* RXT: snd_max when it was sent again */
    uint64_t flags : 8, xmit : 56;
};

#define JR_SENDMAP_FEW 4u

struct jr_sendmap { /* written by sendmap.c, and by the marks of sack.c and rack.c through it */
    struct jr_sent *ring;
    uint32_t mask, head, n;
    jr_seq base;           /* where the first record begins */
    uint32_t sacked, lost; /* bytes */
    uint32_t ranges;       /* records that are SACKED; neighbours are joined */
    bool marked;           /* some record has one of JR_SENT_MARKS */
    jr_seq marks_end;      /* then: nothing from here on has */
    struct jr_sent few[JR_SENDMAP_FEW];
};

struct jr_tcpcb;

static inline struct jr_sent *jr_sendmap_at(const struct jr_sendmap *m, uint32_t i)
{
    return &m->ring[(m->head + i) & m->mask];
}
static inline jr_seq jr_sendmap_start(const struct jr_sendmap *m, uint32_t i)
{
    return i == 0 ? m->base : jr_sendmap_at(m, i - 1)->end;
}
static inline uint32_t jr_sendmap_len(const struct jr_sendmap *m, uint32_t i)
{
    return (uint32_t)jr_seq_diff(jr_sendmap_at(m, i)->end, jr_sendmap_start(m, i));
}

void jr_sendmap_init(struct jr_sendmap *m);
void jr_sendmap_free(struct jr_sendmap *m);

/* [seq, end) was sent for the first time; ragged: its last segment isn't full. */
void jr_sendmap_push(struct jr_tcpcb *tp, jr_seq seq, jr_seq end, bool ragged, jr_time now);
/* The same for more of a burst: what directly follows the last record, at its time. false: it needs a record. */
static inline bool jr_sendmap_extend(struct jr_sendmap *m, jr_seq end, bool ragged, jr_time now)
{
    struct jr_sent *last = jr_sendmap_at(m, m->n - 1);
    if (m->n == 0 || last->xmit != now || last->flags & (JR_SENT_RAGGED | JR_SENT_MARKS))
        return false;
    last->end = end;
    last->flags |= ragged ? JR_SENT_RAGGED : 0;
    return true;
}
/* [seq, end) was sent again. */
void jr_sendmap_resent(struct jr_tcpcb *tp, jr_seq seq, jr_seq end, jr_time now);
/* The record that holds seq; n when it lies outside. */
uint32_t jr_sendmap_find(const struct jr_sendmap *m, jr_seq seq);
/* Makes record i end at seq, which lies inside it; what follows becomes record i + 1. false: no memory. */
bool jr_sendmap_split(struct jr_sendmap *m, uint32_t i, jr_seq seq);
/* Sets and clears flags of record i, keeping the sums. */
void jr_sendmap_mark(struct jr_sendmap *m, uint32_t i, uint32_t set, uint32_t clear);
/* Joins record i with its neighbours where nothing is lost by it. Returns where it is now. */
uint32_t jr_sendmap_join(struct jr_sendmap *m, uint32_t i);
/* Forgets the first record, or the part of it before ack. */
void jr_sendmap_pop(struct jr_sendmap *m, jr_seq ack);
/* Clears flags of all records. */
void jr_sendmap_unmark(struct jr_sendmap *m, uint32_t flags);

#endif
