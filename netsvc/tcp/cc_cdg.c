/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CAIA delay gradient, cc_cdg(4); Hayes and Armitage, "Revisiting TCP congestion control using delay gradients"
 * (2011). Once per round the smallest and largest round trips are compared with the last round's: a growing queue makes
 * a step back likely, not certain, so that flows do not step in time. Steps that change nothing are given up for a
 * while (somebody else fills the queue), and a shadow window remembers what a loss-based flow would have. A loss while
 * the queue was not full is not congestion. Gradients are smoothed exponentially.
 */
#include "tcp/cc_hystart.h"

#define ONE 65536u /* probabilities */
#define NONE UINT32_MAX

enum queue { Q_UNKNOWN, Q_EMPTY, Q_RISING, Q_FALLING, Q_FULL };

struct cdg {
    uint32_t min, max, last_min, last_max; /* round trips of this round and the last, microseconds; min NONE: none */
    int32_t g_min, g_max;                  /* smoothed gradients, microseconds per round, times 16 */
    uint32_t shadow;                       /* bytes */
    uint32_t acked;                        /* towards the next segment of window */
    uint8_t queue;
    uint8_t consecutive; /* steps back in a row, and rounds held after too many of them */
    bool backed_off;     /* in the last round: its effect isn't seen yet */
};
_Static_assert(sizeof(struct cdg) <= sizeof(struct jr_cc_state), "fits");

static struct cdg *state(struct jr_tcpcb *tp) { return (struct cdg *)&tp->ccs; }

static void cdg_conn_init(struct jr_tcpcb *tp)
{
    struct cdg *c = state(tp);
    c->min = c->last_min = NONE;
    c->shadow = tp->snd_cwnd;
}

static void cdg_rttsample(struct jr_tcpcb *tp, uint32_t rtt_us, jr_time now)
{
    struct cdg *c = state(tp);
    (void)now;
    c->max = c->min == NONE ? rtt_us : jr_max_u32(c->max, rtt_us);
    c->min = jr_min_u32(c->min, rtt_us);
}

/* e^-(g / scale) in 16 bits of fraction: 2^-i by shifting, 2^-f by a parabola that is right at both ends. */
static uint32_t exp_minus(uint32_t g_us, uint32_t scale_us)
{
    const uint64_t x = (uint64_t)g_us * 94548 / scale_us; /* log2(e) times ONE */
    const uint64_t i = x >> 16, f = x & (ONE - 1);
    if (i >= 16)
        return 0;
    const uint64_t part = ONE - f * 43024 / ONE + f * f / ONE * 10256 / ONE;
    return (uint32_t)(part >> i);
}

static bool chance_of_backing_off(struct jr_tcpcb *tp, int32_t gradient)
{
    if (gradient <= 0)
        return false;
    const uint32_t keep = exp_minus((uint32_t)gradient, tp->tcp->cfg.cc_cdg_exp_backoff_scale * 1000);
    return jr_rng_below(&tp->tcp->rng, ONE) >= keep;
}

/* The paper's table 1: both ends of the round trips' range tell on which side the queue is held. */
static void judge_queue(struct cdg *c)
{
    if (c->g_min > 0)
        c->queue = c->g_max <= 0 ? Q_FULL : Q_RISING;
    else if (c->g_min < 0)
        c->queue = c->g_max >= 0 ? Q_EMPTY : Q_FALLING;
    else if (c->g_max > 0)
        c->queue = Q_RISING;
}

static void step_back(struct jr_tcpcb *tp, struct cdg *c)
{
    c->shadow = jr_max_u32(c->shadow, tp->snd_cwnd);
    tp->snd_cwnd = tp->snd_ssthresh = jr_cc_reduced(tp, tp->tcp->cfg.cc_cdg_beta_delay);
    c->backed_off = true;
    c->acked = 0;
    jr_tcp_count_c(tp, JR_C_TCP_CDG_BACKOFF);
}

/* true: stepping back had no effect for too long. */
static bool is_ineffectual(struct jr_tcpcb *tp, struct cdg *c)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    if (c->consecutive < cfg->cc_cdg_loss_compete_consec_cong)
        return false;
    if (++c->consecutive >= cfg->cc_cdg_loss_compete_consec_cong + cfg->cc_cdg_loss_compete_hold_backoff)
        c->consecutive = 0;
    return true;
}

static void cdg_newround(struct jr_tcpcb *tp, jr_time now)
{
    struct cdg *c = state(tp);
    const int32_t n = (int32_t)tp->tcp->cfg.cc_cdg_smoothing_factor;
    (void)now;
    if (c->min == NONE)
        return;
    const bool slow_start = tp->snd_cwnd < tp->snd_ssthresh, skip = c->backed_off;
    int32_t d_min = 0, d_max = 0;
    if (c->last_min != NONE) {
        d_min = (int32_t)(c->min - c->last_min);
        d_max = (int32_t)(c->max - c->last_max);
        c->g_min += (d_min * 16 - c->g_min) / n;
        c->g_max += (d_max * 16 - c->g_max) / n;
        judge_queue(c);
    }
    c->last_min = c->min;
    c->last_max = c->max;
    c->min = NONE;
    c->backed_off = false;
    if (skip) /* the queue that this round saw is still the old window's */
        return;
    /* Slow start can't wait for an average. */
    const int32_t g = slow_start ? (d_min > d_max ? d_min : d_max) : c->g_min / 16;
    if (!chance_of_backing_off(tp, g)) {
        if (g <= 0)
            c->consecutive = 0;
        return;
    }
    if (is_ineffectual(tp, c))
        return;
    c->consecutive++;
    step_back(tp, c);
}

static void cdg_ack_received(struct jr_tcpcb *tp, uint32_t acked, enum jr_cc_ack_kind kind, jr_time now)
{
    struct cdg *c = state(tp);
    (void)now;
    if (kind != JR_CC_ACK || !jr_cc_is_limited(tp))
        return;
    if (tp->snd_cwnd < tp->snd_ssthresh) {
        jr_cc_slow_start(tp, acked);
        return;
    }
    c->acked += acked;
    if (c->acked < tp->snd_cwnd)
        return;
    c->acked -= tp->snd_cwnd;
    tp->snd_cwnd += tp->t_maxseg;
    c->shadow = jr_max_u32(c->shadow + tp->t_maxseg, tp->snd_cwnd);
}

static void cdg_cong_signal(struct jr_tcpcb *tp, enum jr_cc_signal signal, jr_time now)
{
    const uint32_t beta = tp->tcp->cfg.cc_cdg_beta_loss;
    struct cdg *c = state(tp);
    (void)now;
    switch (signal) {
    case JR_CC_NDUPACK:
        if (c->queue != Q_FULL && c->queue != Q_UNKNOWN && c->queue != Q_RISING) {
            tp->snd_ssthresh = jr_cc_used_window(tp);
            return;
        }
        tp->snd_ssthresh = jr_max_u32((uint32_t)((uint64_t)jr_max_u32(c->shadow, jr_cc_used_window(tp)) * beta / 100),
                                      2 * tp->t_maxseg);
        break;
    case JR_CC_ECN:
        tp->snd_ssthresh = jr_cc_reduced(tp, beta);
        tp->snd_cwnd = jr_min_u32(tp->snd_cwnd, tp->snd_ssthresh);
        break;
    case JR_CC_RTO:
        if (tp->t_rxtshift <= 1)
            tp->snd_ssthresh = jr_cc_reduced(tp, beta);
        tp->snd_cwnd = tp->t_maxseg;
        break;
    case JR_CC_RTO_ERR:
        return;
    }
    c->shadow = tp->snd_ssthresh;
    c->acked = 0;
}

const struct jr_cc_algo jr_cc_cdg = {
    .name = "cdg",
    .conn_init = cdg_conn_init,
    .ack_received = cdg_ack_received,
    .cong_signal = cdg_cong_signal,
    .post_recovery = jr_cc_leave_recovery,
    .after_idle = jr_cc_restart,
    .newround = cdg_newround,
    .rttsample = cdg_rttsample,
};
