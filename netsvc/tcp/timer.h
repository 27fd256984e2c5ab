/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection's timers. Each is a deadline in the tcpcb; one wheel entry per connection stands at or before
 * the first of them. So moving a deadline later, which nearly every ACK does, touches only the tcpcb.
 */
#ifndef JR_TCP_TIMER_H
#define JR_TCP_TIMER_H

#include "tcp/tcpcb.h"

#define JR_TCP_MAXRXTSHIFT 12u /* back-off stops growing */
#define JR_TCP_RTO_AFTER_SYN_US (3u * 1000000u)
#define JR_TCP_REXMTMAX_US (64u * 1000000u)

static inline void jr_tcp_timer_set(struct jr_tcpcb *tp, int which, jr_time when)
{
    tp->t_dl[which] = when;
    if (!jr_wheel_is_armed(&tp->timer) || when < tp->timer.when)
        jr_wheel_arm(&tp->tcp->wheel, &tp->timer, when);
}
static inline void jr_tcp_timer_clear(struct jr_tcpcb *tp, int which) { tp->t_dl[which] = JR_TIME_NEVER; }
static inline bool jr_tcp_timer_active(const struct jr_tcpcb *tp, int which)
{
    return tp->t_dl[which] != JR_TIME_NEVER;
}
void jr_tcp_timers_stop(struct jr_tcpcb *tp);

/* The retransmission timer at now + t_rxtcur, or earlier when the user time-out says so. */
void jr_tcp_start_rexmt(struct jr_tcpcb *tp, jr_time now);
void jr_tcp_start_persist(struct jr_tcpcb *tp, jr_time now);
/* The keep-alive timer as the connection's options want it. */
void jr_tcp_start_keep(struct jr_tcpcb *tp, jr_time now);
/* Look for losses again after this many microseconds, if the time-out isn't sooner; 0: no need. */
void jr_tcp_arm_reo(struct jr_tcpcb *tp, uint64_t timeout, jr_time now);
/* What the RTT estimate makes of t_rxtcur, with back-off 2^shift (RFC 6298 2.3 and 5.5). */
void jr_tcp_set_rxtcur(struct jr_tcpcb *tp, uint32_t shift);

/* Runs what is due on one connection. */
void jr_tcp_timer_run(struct jr_tcpcb *tp, jr_time now);

#endif
