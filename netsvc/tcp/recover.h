/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fast recovery: when it begins, what each ACK means for it, when it ends. With SACK: RFC 6675 5, what is lost being
 * decided by RACK or the scoreboard, how much goes by PRR. Without: RFC 5681 3.2 and RFC 6582.
 */
#ifndef JR_TCP_RECOVER_H
#define JR_TCP_RECOVER_H

#include "tcp/sack.h"

/* With SACK, after an ACK was taken in: finds losses and acts on them. */
void jr_recover_on_sack(struct jr_tcpcb *tp, struct jr_delivery *d, jr_time now);
/* The reordering window is over. */
void jr_recover_on_reo(struct jr_tcpcb *tp, jr_time now);
/* Without SACK: a duplicate ACK; an ACK that moved snd_una by acked bytes during recovery. */
void jr_recover_on_dup_ack(struct jr_tcpcb *tp, jr_time now);
void jr_recover_on_partial_ack(struct jr_tcpcb *tp, uint32_t acked, jr_time now);
/* snd_una reached snd_recover. */
void jr_recover_leave(struct jr_tcpcb *tp, jr_time now);
/* All that is outstanding has to go again in smaller segments; no loss, so no response to one. */
void jr_recover_resegment(struct jr_tcpcb *tp, jr_time now);

#endif
