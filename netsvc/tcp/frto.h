/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forward RTO recovery: after a time-out and one retransmission, new data goes first; what comes back for it tells
 * whether the data before it had arrived all along. RFC 5682, 2 (basic) and 3 (with SACK).
 */
#ifndef JR_TCP_FRTO_H
#define JR_TCP_FRTO_H

#include "tcp/sack.h"

/* The timer ran out; step 1. again: in a recovery by time-out or (basic) by duplicates that isn't over. */
void jr_frto_begin(struct jr_tcpcb *tp, bool again);
/* Step 2 or 3: an ACK that moves snd_una (which has moved). */
void jr_frto_on_new_ack(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now);
/* A duplicate, or with SACK one that reports something. */
void jr_frto_on_dup_ack(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now);

#endif
