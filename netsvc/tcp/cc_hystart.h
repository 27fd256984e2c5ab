/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HyStart++ (RFC 9406): slow start that ends when round trips grow longer, not when the queue overflows. Used by
 * the algorithms that are loss-based; and many RTT samples per round, which it needs, for whoever asks for them.
 */
#ifndef JR_TCP_CC_HYSTART_H
#define JR_TCP_CC_HYSTART_H

#include "tcp/cc.h"

/* A new connection: slow start begins. */
void jr_hystart_init(struct jr_tcpcb *tp);
/* Slow start is over, by a loss, a mark or a time-out: only the first one is watched (RFC 9406 4.3). */
void jr_hystart_end(struct jr_tcpcb *tp);
/* Hooks of the same names. */
void jr_hystart_newround(struct jr_tcpcb *tp, jr_time now);
void jr_hystart_rttsample(struct jr_tcpcb *tp, uint32_t rtt_us, jr_time now);
/* What an ACK of this many bytes lets the window grow by. */
uint32_t jr_hystart_growth(const struct jr_tcpcb *tp, uint32_t bytes);

/* New data [seq, seq + len) left: some of it is timed. */
void jr_cc_time_sent(struct jr_tcpcb *tp, jr_seq seq, uint32_t len, jr_time now);
/* A round began. */
void jr_cc_time_round(struct jr_tcpcb *tp);
/* Something was sent again: what is being timed says nothing any more (Karn). */
void jr_cc_time_forget(struct jr_tcpcb *tp);
/* An ACK came: the RTT of the newest timed data that it covers, in microseconds; 0: of none. */
uint32_t jr_cc_time_acked(struct jr_tcpcb *tp, jr_seq ack, jr_time now);

#endif
