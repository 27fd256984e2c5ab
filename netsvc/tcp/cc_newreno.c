/* SPDX-License-Identifier: BSD-3-Clause */
/* NewReno: RFC 5681 with RFC 6582's recovery and RFC 3465's byte counting. */
#include "tcp/cc.h"

struct newreno {
    uint32_t acked; /* bytes acknowledged towards the next segment of window */
};
_Static_assert(sizeof(struct newreno) <= sizeof(struct jr_cc_state), "fits");

static struct newreno *state(struct jr_tcpcb *tp) { return (struct newreno *)&tp->ccs; }

static void newreno_init(struct jr_tcpcb *tp) { state(tp)->acked = 0; }

static void newreno_on_ack(struct jr_tcpcb *tp, uint32_t acked, jr_time now)
{
    (void)now;
    if (!jr_cc_is_limited(tp))
        return;
    if (tp->snd_cwnd < tp->snd_ssthresh) {
        jr_cc_slow_start(tp, acked);
        return;
    }
    struct newreno *nr = state(tp);
    nr->acked += acked;
    if (nr->acked >= tp->snd_cwnd) {
        nr->acked -= tp->snd_cwnd;
        tp->snd_cwnd += tp->t_maxseg;
    }
}

static void halve(struct jr_tcpcb *tp)
{
    tp->snd_ssthresh = jr_max_u32(jr_min_u32(jr_cc_flight(tp), tp->snd_cwnd) / 2, 2 * tp->t_maxseg);
}

static void newreno_on_loss(struct jr_tcpcb *tp, jr_time now)
{
    (void)now;
    halve(tp);
    state(tp)->acked = 0;
}

static void newreno_on_rto(struct jr_tcpcb *tp, jr_time now)
{
    (void)now;
    if (tp->t_rxtshift <= 1)
        halve(tp);
    tp->snd_cwnd = tp->t_maxseg;
    state(tp)->acked = 0;
}

const struct jr_cc_algo jr_cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_recovered = jr_cc_leave_recovery,
    .on_rto = newreno_on_rto,
    .on_idle = jr_cc_restart,
};
