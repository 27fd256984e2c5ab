/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recent acknowledgement: what was sent longer ago than a round trip and a little before something that has arrived is
 * lost. RFC 8985 5, 6.
 */
#ifndef JR_TCP_RACK_H
#define JR_TCP_RACK_H

#include "tcp/sack.h"

enum {                /* rack.enable */
       JR_RACK_NEVER, /* losses are RFC 6675's to find */
       JR_RACK_ALWAYS,
       JR_RACK_REORDERED, /* so too, until the path is known to reorder: a D-SACK on a connection that saw it */
};

/* The connection is established. */
void jr_rack_init(struct jr_tcpcb *tp);
/* RFC 8985 6.2 steps 2 and 3 for one range that has arrived, up to end. */
void jr_rack_delivered(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_sent *s, jr_seq end,
                       jr_time now);
/* Reordering was mistaken for loss: from now on losses are RACK's to find, if it was only to wait for that. */
void jr_rack_on_mistake(struct jr_tcpcb *tp);
/* Step 4's part for D-SACK: duplicates mean that the window for reordering was too short. */
void jr_rack_on_ack(struct jr_tcpcb *tp, const struct jr_delivery *d);
/* Step 4's part for the end of a recovery. */
void jr_rack_on_recovered(struct jr_tcpcb *tp);
/* Step 5: marks what is lost and, when something may still turn out to be, says in how many microseconds to look again.
 * Returns the bytes. */
uint32_t jr_rack_detect(struct jr_tcpcb *tp, uint64_t *timeout, jr_time now);
/* 6.3: what a retransmission time-out says is lost. */
void jr_rack_on_rto(struct jr_tcpcb *tp, jr_time now);
/* The reordering window in microseconds. */
uint32_t jr_rack_reo_wnd(const struct jr_tcpcb *tp);

#endif
