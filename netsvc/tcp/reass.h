/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What arrived out of order. The bytes are already in the receive ring at their stream offset; here are only
 * their ranges, sorted, from which SACK blocks are made (RFC 2018, RFC 2883). A loss in every other segment of a long
 * path makes thousands of them: what isn't remembered is as good as lost. A hostile peer costs at most
 * reass.maxqueuelen ranges of a connection and reass.maxsegments of the stack; a segment costs one binary search and
 * one move of the ranges behind it.
 */
#ifndef JR_TCP_REASS_H
#define JR_TCP_REASS_H

#include "tcp/tcpcb.h"

#define JR_REASS_RECENT 8u

struct jr_reass_range {
    jr_seq start, end;
};

struct jr_tcp_reass { /* written by reass.c only */
    uint32_t n, room;
    uint32_t n_recent;
    jr_seq recent[JR_REASS_RECENT]; /* a byte of each of the ranges that grew last, the latest first */
    struct jr_reass_range r[];
};

/* Whether [start, end) can be added: false when it would need one range too many (or there is no memory). */
bool jr_reass_has_room(struct jr_tcpcb *tp, jr_seq start, jr_seq end);
/* Adds a range beyond rcv_nxt; false when it was all there before (a duplicate). */
bool jr_reass_insert(struct jr_tcpcb *tp, jr_seq start, jr_seq end);
/* The data up to upto is in order: forgets what lies before and returns where the in-order data ends now. */
jr_seq jr_reass_collect(struct jr_tcpcb *tp, jr_seq upto);
/* The end of the furthest range; rcv_nxt when there is none. */
jr_seq jr_reass_high(const struct jr_tcpcb *tp);
/* Fills in the SACK option: the D-SACK if one is due, then ranges, the last grown first. */
void jr_reass_sack_option(const struct jr_tcpcb *tp, struct jr_tcp_opts *o);
void jr_reass_free(struct jr_tcpcb *tp);

#endif
