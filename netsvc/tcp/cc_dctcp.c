/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DCTCP, RFC 8257: the share of marked bytes per window, smoothed, says how far to step back. For networks whose
 * queues mark early; the peer must echo marks exactly, as this one does (3.2) or as Accurate ECN does. cc_dctcp(4).
 */
#include "tcp/cc_hystart.h"
#include "tcp/output.h"

#define ALPHA_ONE 1024u /* cc.dctcp.alpha's unit */

struct dctcp {
    uint32_t alpha;         /* of ALPHA_ONE */
    uint32_t acked, marked; /* bytes since the window began */
    uint32_t ca_acked;      /* bytes towards the next segment of window */
    jr_seq window_end;
    bool ce; /* receiver: DCTCP.CE */
    bool begun;
};
_Static_assert(sizeof(struct dctcp) <= sizeof(struct jr_cc_state), "fits");

static struct dctcp *state(struct jr_tcpcb *tp) { return (struct dctcp *)&tp->ccs; }

static void dctcp_conn_init(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    struct dctcp *d = state(tp);
    d->alpha = jr_min_u32(cfg->cc_dctcp_alpha, ALPHA_ONE);
    d->window_end = tp->snd_max;
    if (cfg->cc_dctcp_ect1)
        tp->t_flags2 |= TF2_ECN_USE_ECT1;
}

/* 3.3 steps 5 to 8: alpha = alpha * (1 - g) + g * M. */
static void end_window(struct jr_tcpcb *tp, struct dctcp *d)
{
    const uint32_t g = tp->tcp->cfg.cc_dctcp_shift_g;
    const uint32_t m = d->acked != 0 ? (uint32_t)((uint64_t)d->marked * ALPHA_ONE / d->acked) : 0;
    uint32_t decay = d->alpha >> g;
    if (decay == 0) /* else alpha would stay above 0 for ever */
        decay = d->alpha;
    d->alpha = jr_min_u32(d->alpha - decay + (m >> g), ALPHA_ONE);
    d->acked = d->marked = 0;
    d->window_end = tp->snd_max;
}

static void dctcp_ack_received(struct jr_tcpcb *tp, uint32_t acked, enum jr_cc_ack_kind kind, jr_time now)
{
    struct dctcp *d = state(tp);
    (void)now;
    d->acked += acked;
    d->marked += tp->t_ecn_marked;
    if (jr_seq_gt(jr_seq_add(tp->snd_una, acked), d->window_end))
        end_window(tp, d);
    if (kind != JR_CC_ACK || !jr_cc_is_limited(tp))
        return;
    if (tp->t_ecn_marked != 0 && tp->snd_cwnd >= tp->snd_ssthresh)
        return;
    if (tp->snd_cwnd < tp->snd_ssthresh) {
        jr_cc_slow_start(tp, acked);
        return;
    }
    d->ca_acked += acked;
    if (d->ca_acked >= tp->snd_cwnd) {
        d->ca_acked -= tp->snd_cwnd;
        tp->snd_cwnd += tp->t_maxseg;
    }
}

static void dctcp_cong_signal(struct jr_tcpcb *tp, enum jr_cc_signal signal, jr_time now)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    struct dctcp *d = state(tp);
    (void)now;
    switch (signal) {
    case JR_CC_NDUPACK: /* 3.5: a loss is a loss */
        tp->snd_ssthresh = jr_cc_reduced(tp, 50);
        break;
    case JR_CC_ECN: { /* 3.3 step 9: cwnd = cwnd * (1 - alpha / 2) */
        uint32_t alpha = d->alpha;
        if (!d->begun && cfg->cc_dctcp_slowstart)
            alpha = ALPHA_ONE;
        uint32_t w = tp->snd_cwnd - (uint32_t)((uint64_t)tp->snd_cwnd * alpha / (2 * ALPHA_ONE));
        tp->snd_ssthresh = tp->snd_cwnd = jr_max_u32(w, 2 * tp->t_maxseg);
        d->begun = true;
        break;
    }
    case JR_CC_RTO:
        if (tp->t_rxtshift <= 1)
            tp->snd_ssthresh = jr_cc_reduced(tp, 50);
        tp->snd_cwnd = tp->t_maxseg;
        d->window_end = tp->snd_max;
        d->acked = d->marked = 0;
        break;
    case JR_CC_RTO_ERR:
        return;
    }
    d->ca_acked = 0;
}

/* After idle the old share of marks says nothing. */
static void dctcp_after_idle(struct jr_tcpcb *tp, jr_time now)
{
    state(tp)->alpha = jr_min_u32(tp->tcp->cfg.cc_dctcp_alpha, ALPHA_ONE);
    jr_cc_restart(tp, now);
}

/* 3.2: every ACK covers only packets with a mark or only packets without. */
static void dctcp_ecnpkt(struct jr_tcpcb *tp, bool ce, jr_time now)
{
    struct dctcp *d = state(tp);
    if (d->ce != ce && !jr_seq_eq(tp->last_ack_sent, tp->rcv_nxt)) {
        tp->t_flags |= TF_ACKNOW;
        jr_tcp_output(tp, now);
    }
    d->ce = ce;
    if (ce)
        tp->t_flags2 |= TF2_ECN_SND_ECE;
    else
        tp->t_flags2 &= ~(uint32_t)TF2_ECN_SND_ECE;
}

const struct jr_cc_algo jr_cc_dctcp = {
    .name = "dctcp",
    .flags = JR_CC_WANTS_ECN,
    .conn_init = dctcp_conn_init,
    .ack_received = dctcp_ack_received,
    .cong_signal = dctcp_cong_signal,
    .post_recovery = jr_cc_leave_recovery,
    .after_idle = dctcp_after_idle,
    .ecnpkt = dctcp_ecnpkt,
};
