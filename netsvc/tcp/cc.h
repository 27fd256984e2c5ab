/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Congestion control behind a table of hooks, one algorithm per file. A hook reads the connection and writes
 * snd_cwnd and snd_ssthresh, nothing else but its own numbers in ccs. What recovery sends and when is not an
 * algorithm's business (ack.c, sack.c).
 */
#ifndef JR_TCP_CC_H
#define JR_TCP_CC_H

#include "tcp/tcpcb.h"

struct jr_cc_algo {
    const char *name;
    /* The connection is established, or switched to this algorithm. */
    void (*init)(struct jr_tcpcb *tp);
    /* New data was acknowledged outside fast recovery; snd_una has not moved yet. */
    void (*on_ack)(struct jr_tcpcb *tp, uint32_t acked, jr_time now);
    /* A loss was found by duplicate ACKs or SACK: set snd_ssthresh (snd_cwnd belongs to recovery until it ends). */
    void (*on_loss)(struct jr_tcpcb *tp, jr_time now);
    /* Fast recovery is over: set snd_cwnd. */
    void (*on_recovered)(struct jr_tcpcb *tp, jr_time now);
    /* The retransmission timer ran out: set snd_ssthresh (first time only) and snd_cwnd. */
    void (*on_rto)(struct jr_tcpcb *tp, jr_time now);
    /* Nothing was sent for longer than the retransmission time-out (RFC 5681 4.1). */
    void (*on_idle)(struct jr_tcpcb *tp, jr_time now);
};

extern const struct jr_cc_algo jr_cc_newreno, jr_cc_cubic;

/* By name; the default (cubic) when name is empty or unknown to jr_cc_find, NULL when unknown to jr_cc_lookup. */
const struct jr_cc_algo *jr_cc_find(const char *name);
const struct jr_cc_algo *jr_cc_lookup(const char *name);

/* Shared by the algorithms. */
uint32_t jr_cc_initial_window(const struct jr_tcpcb *tp);
/* Whether the window was what held the sender back; else it must not grow (RFC 9438 5.8, RFC 7661). */
bool jr_cc_is_limited(const struct jr_tcpcb *tp);
void jr_cc_slow_start(struct jr_tcpcb *tp, uint32_t acked);
/* Window after recovery: RFC 6582 3.2 step 3, first choice. */
void jr_cc_leave_recovery(struct jr_tcpcb *tp, jr_time now);
void jr_cc_restart(struct jr_tcpcb *tp, jr_time now);
/* Bytes sent and not acknowledged, SACKed ones included. */
static inline uint32_t jr_cc_flight(const struct jr_tcpcb *tp)
{
    return (uint32_t)jr_seq_diff(tp->snd_max, tp->snd_una);
}

#endif
