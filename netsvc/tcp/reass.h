/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What arrived out of order. The bytes are already in the receive ring at their stream offset; here are only
 * their ranges, few and sorted, from which SACK blocks are made (RFC 2018, RFC 2883).
 */
#ifndef JR_TCP_REASS_H
#define JR_TCP_REASS_H

#include "tcp/tcpcb.h"

#define JR_REASS_RANGES 64u

struct jr_reass_range {
    jr_seq start, end;
    uint32_t stamp; /* the higher, the later it grew */
};

struct jr_tcp_reass { /* written by reass.c only */
    uint32_t n, stamp;
    struct jr_reass_range r[JR_REASS_RANGES];
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
