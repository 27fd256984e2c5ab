/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The round trip time: smoothed for the time-out (RFC 6298 2), its minimum of late for RACK (RFC 8985 6.2 step 1). With
 * an ACK of every second segment there are many samples to a round trip; they count as one, their mean, for the
 * reason that RFC 7323 appendix G gives: the estimators' gains are made for one a round trip.
 */
#ifndef JR_TCP_RTT_H
#define JR_TCP_RTT_H

#include "tcp/tcpcb.h"

#define JR_TCP_RTTMIN_WINDOW (10 * JR_SEC)

/* One measurement, to count by itself. */
void jr_rtt_sample(struct jr_tcpcb *tp, uint32_t rtt_us);
/* The round trip is over: its samples make one measurement. */
void jr_rtt_round(struct jr_tcpcb *tp, jr_seq ack);
/* The time the peer's echo of our timestamp tells; false: it has none or an impossible one. */
bool jr_rtt_echo(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t *rtt_us, jr_time now);
/* What a retransmission time-out leaves of the estimate (RFC 6298 5, end): the next sample starts it over. */
void jr_rtt_doubt(struct jr_tcpcb *tp);
/* The window of the minimum moves on. */
void jr_rtt_min_expire(struct jr_tcpcb *tp, jr_time now);

/* One of many: ack acknowledged it. */
static inline void jr_rtt_note(struct jr_tcpcb *tp, uint32_t rtt_us, jr_seq ack, jr_time now)
{
    const uint32_t srtt = tp->t_srtt;
    if (now >= tp->t_rttmin_until)
        jr_rtt_min_expire(tp, now);
    if (rtt_us < tp->t_rttmin)
        tp->t_rttmin = rtt_us;
    tp->rtt_sum += rtt_us;
    tp->rtt_dev += rtt_us > srtt ? rtt_us - srtt : srtt - rtt_us;
    tp->rtt_n++;
    if (jr_seq_geq(ack, tp->rtt_round))
        jr_rtt_round(tp, ack);
}

/* The least of the last two windows, microseconds; 0: nothing was measured. */
static inline uint32_t jr_rtt_min(const struct jr_tcpcb *tp)
{
    const uint32_t min = tp->t_rttmin < tp->t_rttmin_prev ? tp->t_rttmin : tp->t_rttmin_prev;
    return min == UINT32_MAX ? 0 : min;
}

#endif
