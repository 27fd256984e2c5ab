/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Congestion window validation, RFC 7661, where net.inet.tcp.newcwv asks for it: a window that the application does not
 * use is kept through pauses of up to five minutes instead of falling back to the initial one, as it may be needed at
 * once; what stays unused for longer is taken back in halves. That an unused window doesn't grow and that a loss
 * reduces what was in flight, not what was allowed, is so without it (jr_cc_is_limited, jr_cc_used_window).
 */
#include "tcp/cc.h"

#define NVP (300 * JR_SEC) /* 4.4: how long a window may stay without validation */

/* 4.2: the most that was acknowledged in one of the last three round trips. */
static uint32_t pipe_ack(const struct jr_tcpcb *tp)
{
    const struct jr_cc_newcwv *v = &tp->newcwv;
    return jr_max_u32(v->sample[0], jr_max_u32(v->sample[1], v->sample[2]));
}

/* 4.4.1 and 4.5: a step down, and a new period begins. */
static void close_down(struct jr_tcpcb *tp, jr_time now)
{
    tp->snd_ssthresh = jr_max_u32(tp->snd_ssthresh, (uint32_t)((uint64_t)tp->snd_cwnd * 3 / 4));
    tp->snd_cwnd = jr_max_u32(tp->snd_cwnd / 2, jr_min_u32(tp->snd_cwnd, jr_cc_initial_window(tp)));
    tp->newcwv.unused_since = now;
    jr_tcp_count_c(tp, JR_C_TCP_CWV_REDUCED);
}

void jr_newcwv_acked(struct jr_tcpcb *tp, uint32_t acked) { tp->newcwv.acked += acked; }

void jr_newcwv_round(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_cc_newcwv *v = &tp->newcwv;
    v->sample[v->at] = v->acked;
    v->at = (uint8_t)((v->at + 1) % JR_ARRAY_LEN(v->sample));
    v->acked = 0;
    if (pipe_ack(tp) >= tp->snd_cwnd / 2)
        v->unused_since = 0;
    else if (v->unused_since == 0)
        v->unused_since = now;
    else if (now - v->unused_since >= NVP)
        close_down(tp, now);
}

void jr_newcwv_after_idle(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_cc_newcwv *v = &tp->newcwv;
    jr_time since = v->unused_since != 0 ? v->unused_since : tp->t_sndtime;
    for (; now - since >= NVP && tp->snd_cwnd > jr_cc_initial_window(tp); since += NVP)
        close_down(tp, now);
    memset(v->sample, 0, sizeof v->sample);
    v->unused_since = since;
}
