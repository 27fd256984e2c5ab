/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CUBIC, RFC 9438: beta 0.7, C 0.4; slow start is HyStart++'s (4.10). Windows are bytes, times milliseconds;
 * products of three times are taken in 64 bits, for which the time from K is bounded at 90 s.
 */
#include "tcp/cc_hystart.h"

#define T_MAX_MS 90000
#define BETA 70     /* percent */
#define BETA_ECN 85 /* RFC 8511 3: for CUBIC */

struct cubic {
    uint32_t w_max;     /* window before the last reduction, after fast convergence */
    uint32_t w_est;     /* what Reno would have */
    uint32_t k_ms;      /* time from the epoch's start to w_max */
    uint32_t origin;    /* window the cubic is centred on */
    jr_time epoch;      /* start of this congestion avoidance; 0: not begun */
    jr_time held;       /* since when the window hasn't been used up; 0: it is */
    uint32_t est_acked; /* bytes towards w_est's next step */
    uint32_t cwnd_prior;
    uint32_t inc_acked; /* bytes towards snd_cwnd's next step */
};
_Static_assert(sizeof(struct cubic) <= sizeof(struct jr_cc_state), "fits");

static struct cubic *state(struct jr_tcpcb *tp) { return (struct cubic *)&tp->ccs; }

/* The largest r with r^3 <= v. */
static uint32_t cube_root(uint64_t v)
{
    uint64_t r = 0;
    for (int bit = 20; bit >= 0; bit--) {
        uint64_t t = r | 1ull << bit;
        if (t * t * t <= v)
            r = t;
    }
    return (uint32_t)r;
}

/* Figure 2: K = cbrt((W_max - cwnd_epoch) / C), windows in segments. */
static void begin_epoch(struct jr_tcpcb *tp, struct cubic *c, jr_time now)
{
    c->epoch = now != 0 ? now : 1;
    c->w_est = tp->snd_cwnd;
    c->est_acked = c->inc_acked = 0;
    if (tp->snd_cwnd >= c->w_max) {
        c->k_ms = 0;
        c->origin = tp->snd_cwnd;
        return;
    }
    c->origin = c->w_max;
    uint64_t segs_x1000 = (uint64_t)(c->w_max - tp->snd_cwnd) * 1000 / tp->t_maxseg;
    c->k_ms = jr_min_u32(cube_root(segs_x1000 * 2500000), T_MAX_MS);
}

/* Figure 1: W_cubic(t) = C * (t - K)^3 + W_max, in bytes. */
static uint32_t w_cubic(const struct jr_tcpcb *tp, const struct cubic *c, uint64_t t_ms)
{
    int64_t d = (int64_t)jr_min_u64(t_ms, 2 * T_MAX_MS) - c->k_ms;
    if (d > T_MAX_MS)
        d = T_MAX_MS;
    int64_t segs_x1000 = d * d * d / 2500000; /* 0.4 * (d / 1000)^3 * 1000 */
    int64_t w = c->origin + segs_x1000 * tp->t_maxseg / 1000;
    return w < 0 ? 0 : w > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)w;
}

/* 4.3: Reno's window for the same loss rate; alpha is 3 * (1 - beta) / (1 + beta) = 9/17, or 1 beyond cwnd_prior. */
static void update_w_est(struct jr_tcpcb *tp, struct cubic *c, uint32_t acked)
{
    c->est_acked += acked;
    uint32_t need = c->w_est >= c->cwnd_prior ? tp->snd_cwnd : (uint32_t)((uint64_t)tp->snd_cwnd * 17 / 9);
    while (c->est_acked >= need) {
        c->est_acked -= need;
        c->w_est += tp->t_maxseg;
    }
}

static void avoid_congestion(struct jr_tcpcb *tp, struct cubic *c, uint32_t acked, jr_time now)
{
    if (c->epoch == 0)
        begin_epoch(tp, c, now);
    update_w_est(tp, c, acked);
    uint64_t t = (now - c->epoch) / JR_MS;
    if (w_cubic(tp, c, t) < c->w_est) { /* 4.3: the Reno-friendly region */
        tp->snd_cwnd = jr_max_u32(tp->snd_cwnd, c->w_est);
        return;
    }
    uint32_t cwnd = tp->snd_cwnd, target = w_cubic(tp, c, t + tp->t_srtt / JR_MS);
    target = jr_max_u32(cwnd, jr_min_u32(target, cwnd + cwnd / 2));
    c->inc_acked = jr_min_u32(c->inc_acked + acked, cwnd);
    uint64_t inc = (uint64_t)(target - cwnd) * c->inc_acked / cwnd; /* 4.4 and 4.5 */
    if (inc != 0) {
        tp->snd_cwnd += (uint32_t)inc;
        c->inc_acked = 0;
    }
}

static void cubic_conn_init(struct jr_tcpcb *tp) { jr_hystart_init(tp); }

static void cubic_ack_received(struct jr_tcpcb *tp, uint32_t acked, enum jr_cc_ack_kind kind, jr_time now)
{
    struct cubic *c = state(tp);
    if (kind != JR_CC_ACK)
        return;
    if (!jr_cc_is_limited(tp)) { /* 4.2: time while the application holds back doesn't count */
        if (c->held == 0)
            c->held = now;
        return;
    }
    if (c->held != 0) {
        if (c->epoch != 0)
            c->epoch += now - jr_max_u64(c->held, c->epoch);
        c->held = 0;
    }
    if (tp->snd_cwnd < tp->snd_ssthresh)
        jr_cc_slow_start(tp, acked);
    else
        avoid_congestion(tp, c, acked, now);
}

/* 4.6 and 4.7, multiplicative decrease and fast convergence. */
static void reduce(struct jr_tcpcb *tp, uint32_t percent)
{
    struct cubic *c = state(tp);
    uint32_t w = jr_cc_used_window(tp);
    c->cwnd_prior = w;
    c->w_max = w < c->w_max ? (uint32_t)((uint64_t)w * 17 / 20) : w;
    c->epoch = c->held = 0;
    tp->snd_ssthresh = jr_cc_reduced(tp, percent);
}

static void cubic_cong_signal(struct jr_tcpcb *tp, enum jr_cc_signal signal, jr_time now)
{
    (void)now;
    switch (signal) {
    case JR_CC_NDUPACK:
        reduce(tp, BETA);
        break;
    case JR_CC_ECN:
        reduce(tp, tp->tcp->cfg.cc_abe ? BETA_ECN : BETA);
        tp->snd_cwnd = jr_min_u32(tp->snd_cwnd, tp->snd_ssthresh);
        break;
    case JR_CC_RTO: /* 4.8: the next congestion avoidance starts its cubic where it begins */
        if (tp->t_rxtshift <= 1)
            reduce(tp, BETA);
        state(tp)->w_max = 0;
        state(tp)->epoch = state(tp)->held = 0;
        tp->snd_cwnd = tp->t_maxseg;
        break;
    case JR_CC_RTO_ERR: /* 4.9 */
        return;
    }
    jr_hystart_end(tp);
}

static void cubic_after_idle(struct jr_tcpcb *tp, jr_time now)
{
    state(tp)->epoch = state(tp)->held = 0;
    jr_cc_restart(tp, now);
}

const struct jr_cc_algo jr_cc_cubic = {
    .name = "cubic",
    .conn_init = cubic_conn_init,
    .ack_received = cubic_ack_received,
    .cong_signal = cubic_cong_signal,
    .post_recovery = jr_cc_leave_recovery,
    .after_idle = cubic_after_idle,
    .newround = jr_hystart_newround,
};
