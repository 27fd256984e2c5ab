/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NewReno: RFC 5681 with RFC 6582's recovery, RFC 3465's byte counting, RFC 9406's slow start and RFC 8511's milder
 * answer to congestion marks. cc_newreno(4).
 */
#include "tcp/cc_hystart.h"

struct newreno {
    uint32_t acked; /* bytes acknowledged towards the next segment of window */
};
_Static_assert(sizeof(struct newreno) <= sizeof(struct jr_cc_state), "fits");

static struct newreno *state(struct jr_tcpcb *tp) { return (struct newreno *)&tp->ccs; }

static void newreno_conn_init(struct jr_tcpcb *tp) { jr_hystart_init(tp); }

static void newreno_ack_received(struct jr_tcpcb *tp, uint32_t acked, enum jr_cc_ack_kind kind, jr_time now)
{
    (void)now;
    if (kind != JR_CC_ACK || !jr_cc_is_limited(tp))
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

static void newreno_cong_signal(struct jr_tcpcb *tp, enum jr_cc_signal signal, jr_time now)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    (void)now;
    switch (signal) {
    case JR_CC_NDUPACK:
        tp->snd_ssthresh = jr_cc_reduced(tp, cfg->cc_newreno_beta);
        break;
    case JR_CC_ECN:
        tp->snd_ssthresh = jr_cc_reduced(tp, cfg->cc_abe ? cfg->cc_newreno_beta_ecn : cfg->cc_newreno_beta);
        tp->snd_cwnd = jr_min_u32(tp->snd_cwnd, tp->snd_ssthresh);
        break;
    case JR_CC_RTO: /* RFC 5681 (4): half, whatever beta is */
        if (tp->t_rxtshift <= 1)
            tp->snd_ssthresh = jr_cc_reduced(tp, 50);
        tp->snd_cwnd = tp->t_maxseg;
        break;
    case JR_CC_RTO_ERR:
        return;
    }
    state(tp)->acked = 0;
    jr_hystart_end(tp);
}

const struct jr_cc_algo jr_cc_newreno = {
    .name = "newreno",
    .conn_init = newreno_conn_init,
    .ack_received = newreno_ack_received,
    .cong_signal = newreno_cong_signal,
    .post_recovery = jr_cc_leave_recovery,
    .after_idle = jr_cc_restart,
    .newround = jr_hystart_newround,
};
