/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pacing: new segments leave at a rate instead of when ACKs come (RFC 9438 5.1's and RFC 9406's advice against
 * bursts; SO_MAX_PACING_RATE of socket(7)). A connection that has no rate costs one comparison per output. Release
 * times are finer than the other timers': a wheel of their own turns in steps of 64 microseconds.
 */
#ifndef JR_TCP_PACE_H
#define JR_TCP_PACE_H

#include "tcp/tcpcb.h"

/* Sets t_pacing_rate from the window, the round trip, the option and the algorithm's own wish (0: it has none). After
 * every ACK where one of them asks for pacing. */
void jr_pace_update(struct jr_tcpcb *tp);
static inline bool jr_pace_is_wanted(const struct jr_tcpcb *tp)
{
    return tp->tcp->cfg.pacing_enable || tp->max_pacing_rate != 0 || tp->cc_pacing_rate != 0;
}
/* Bytes that may leave now; only with t_pacing_rate. */
int64_t jr_pace_room(const struct jr_tcpcb *tp, jr_time now);
void jr_pace_sent(struct jr_tcpcb *tp, uint32_t len, jr_time now);
/* Something waits for its time: output runs then. */
void jr_pace_wait(struct jr_tcpcb *tp, jr_time now);
void jr_pace_stop(struct jr_tcpcb *tp);

/* The engine's clock: when a release is due, and the release. */
jr_time jr_pace_next(const struct jr_tcp *tcp);
void jr_pace_tick(struct jr_tcp *tcp, jr_time now);

#endif
