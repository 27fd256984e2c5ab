/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Congestion control behind a table of hooks, one algorithm per file, after FreeBSD's mod_cc(4) and mod_cc(9). A
 * hook reads the connection and writes snd_cwnd and snd_ssthresh, nothing else but its own numbers in ccs. What
 * recovery sends and when is not an algorithm's business (ack.c, sack.c).
 *
 * The engine doesn't call the table but the jr_cc_* functions of cc.c, which add what all algorithms share: rounds,
 * the state to return to when a signal turns out to be a mistake, reactions to ECN once per window.
 */
#ifndef JR_TCP_CC_H
#define JR_TCP_CC_H

#include "tcp/tcpcb.h"

enum jr_cc_signal {
    JR_CC_NDUPACK, /* a loss was found by duplicate ACKs, SACK, RACK or a probe */
    JR_CC_ECN,     /* the peer echoes congestion marks */
    JR_CC_RTO,     /* the retransmission timer ran out (t_rxtshift counts) */
    JR_CC_RTO_ERR, /* the last NDUPACK or RTO was a mistake: window and state are as before it again */
};

enum jr_cc_ack_kind {
    JR_CC_ACK,        /* new data was acknowledged outside fast recovery */
    JR_CC_PARTIALACK, /* within, or before marks' reduction is felt */
};

enum {                            /* jr_cc_algo.flags */
       JR_CC_WANTS_ECN = 1u << 0, /* connections ask for ECN even where the configuration only answers */
       JR_CC_PACED = 1u << 1,     /* sets t_pacing_rate itself */
};

struct jr_cc_algo {
    const char *name;
    uint32_t flags;
    /* The connection is established, or switched to this algorithm; ccs is zero. */
    void (*conn_init)(struct jr_tcpcb *tp);
    /* snd_una has not moved yet. */
    void (*ack_received)(struct jr_tcpcb *tp, uint32_t acked, enum jr_cc_ack_kind kind, jr_time now);
    /* NDUPACK: set snd_ssthresh (snd_cwnd belongs to recovery until it ends). ECN: set both. RTO: set snd_ssthresh
     * (first time only) and snd_cwnd. RTO_ERR: all is back already; usually nothing is left to do. */
    void (*cong_signal)(struct jr_tcpcb *tp, enum jr_cc_signal signal, jr_time now);
    /* Fast recovery is over: set snd_cwnd. */
    void (*post_recovery)(struct jr_tcpcb *tp, jr_time now);
    /* Nothing was sent for longer than the retransmission time-out (RFC 5681 4.1). */
    void (*after_idle)(struct jr_tcpcb *tp, jr_time now);
    /* The rest may be NULL. What was sent when the last round began is acknowledged; before ack_received. */
    void (*newround)(struct jr_tcpcb *tp, jr_time now);
    /* One of many per round, of data sent once. */
    void (*rttsample)(struct jr_tcpcb *tp, uint32_t rtt_us, jr_time now);
    /* A data segment came; ce: with a congestion mark. Decides when to echo (RFC 8257 3.2). */
    void (*ecnpkt)(struct jr_tcpcb *tp, bool ce, jr_time now);
};

extern const struct jr_cc_algo jr_cc_newreno, jr_cc_cubic, jr_cc_dctcp, jr_cc_cdg;

/* By name; the default (cubic) when name is empty or unknown to jr_cc_find, NULL when unknown to jr_cc_lookup. */
const struct jr_cc_algo *jr_cc_find(const char *name);
const struct jr_cc_algo *jr_cc_lookup(const char *name);

/* What the engine calls. */
void jr_cc_conn_init(struct jr_tcpcb *tp);
void jr_cc_set(struct jr_tcpcb *tp, const struct jr_cc_algo *algo);
void jr_cc_ack_received(struct jr_tcpcb *tp, uint32_t acked, jr_time now);
void jr_cc_cong_signal(struct jr_tcpcb *tp, enum jr_cc_signal signal, jr_time now);
void jr_cc_post_recovery(struct jr_tcpcb *tp, jr_time now);
void jr_cc_after_idle(struct jr_tcpcb *tp, jr_time now);

/* Shared by the algorithms. */
uint32_t jr_cc_initial_window(const struct jr_tcpcb *tp);
/* Whether the window was what held the sender back; else it must not grow (RFC 9438 5.8, RFC 7661). */
bool jr_cc_is_limited(const struct jr_tcpcb *tp);
void jr_cc_slow_start(struct jr_tcpcb *tp, uint32_t acked);
/* Bytes thought to be used of the window: what a reduction starts from. */
uint32_t jr_cc_used_window(const struct jr_tcpcb *tp);
/* percent of the used window, at least two segments. */
uint32_t jr_cc_reduced(const struct jr_tcpcb *tp, uint32_t percent);
/* Window after recovery: RFC 6582 3.2 step 3, first choice. */
void jr_cc_leave_recovery(struct jr_tcpcb *tp, jr_time now);
void jr_cc_restart(struct jr_tcpcb *tp, jr_time now);
/* cc_newcwv.c: what is added to the functions of like names when net.inet.tcp.newcwv is on. */
void jr_newcwv_acked(struct jr_tcpcb *tp, uint32_t acked);
void jr_newcwv_round(struct jr_tcpcb *tp, jr_time now);
void jr_newcwv_after_idle(struct jr_tcpcb *tp, jr_time now);

/* Bytes sent and not acknowledged, SACKed ones included. */
static inline uint32_t jr_cc_flight(const struct jr_tcpcb *tp)
{
    return (uint32_t)jr_seq_diff(tp->snd_max, tp->snd_una);
}

#endif
