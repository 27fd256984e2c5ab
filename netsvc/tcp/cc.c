/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of congestion control algorithms, what happens around each hook, and the parts they share: RFC 5681,
 * RFC 6928 (initial window), RFC 3465 (byte counting), RFC 3168 6.1.2 (one reaction per window of data).
 */
#include "tcp/cc_hystart.h"
#include "tcp/pace.h"

static const struct jr_cc_algo *const algos[] = {&jr_cc_cubic, &jr_cc_newreno, &jr_cc_dctcp, &jr_cc_cdg};

const struct jr_cc_algo *jr_cc_lookup(const char *name)
{
    if (strcmp(name, "reno") == 0) /* Linux's name for it */
        return &jr_cc_newreno;
    for (size_t i = 0; i < JR_ARRAY_LEN(algos); i++)
        if (strcmp(algos[i]->name, name) == 0)
            return algos[i];
    return NULL;
}

const struct jr_cc_algo *jr_cc_find(const char *name)
{
    const struct jr_cc_algo *a = jr_cc_lookup(name);
    return a != NULL ? a : algos[0];
}

const char *jr_tcp_cc_available(unsigned i) { return i < JR_ARRAY_LEN(algos) ? algos[i]->name : NULL; }

void jr_cc_conn_init(struct jr_tcpcb *tp)
{
    tp->ccs = (struct jr_cc_state){{0}};
    tp->t_flags2 &= ~(uint32_t)(TF2_CONGRECOVERY | TF2_ECN_USE_ECT1);
    tp->cc_round_end = tp->snd_max;
    tp->hs.phase = HS_OFF;
    jr_cc_time_forget(tp);
    tp->cc_pacing_rate = 0;
    tp->cc->conn_init(tp);
    jr_pace_update(tp);
}

void jr_cc_set(struct jr_tcpcb *tp, const struct jr_cc_algo *algo)
{
    tp->cc = algo;
    jr_cc_conn_init(tp);
}

/* A window that was reduced for marks doesn't grow before the reduction is felt; DCTCP's is no such event. */
static bool is_recovering(struct jr_tcpcb *tp)
{
    if ((tp->t_flags2 & TF2_CONGRECOVERY) && jr_seq_geq(tp->snd_una, tp->ecn_recover))
        tp->t_flags2 &= ~(uint32_t)TF2_CONGRECOVERY;
    if ((tp->t_flags2 & TF2_CONGRECOVERY) && !(tp->cc->flags & JR_CC_WANTS_ECN))
        return true;
    return tp->t_flags & TF_FASTRECOVERY;
}

void jr_cc_ack_received(struct jr_tcpcb *tp, uint32_t acked, jr_time now)
{
    if (tp->tcp->cfg.newcwv)
        jr_newcwv_acked(tp, acked);
    if (jr_seq_gt(jr_seq_add(tp->snd_una, acked), tp->cc_round_end)) {
        tp->cc_round_end = tp->snd_max;
        jr_cc_time_round(tp);
        if (tp->tcp->cfg.newcwv)
            jr_newcwv_round(tp, now);
        if (tp->cc->newround != NULL)
            tp->cc->newround(tp, now);
    }
    const uint32_t rtt = tp->timed.n != 0 ? jr_cc_time_acked(tp, jr_seq_add(tp->snd_una, acked), now) : tp->rtt_last;
    if (rtt != 0) {
        jr_hystart_rttsample(tp, rtt, now);
        if (tp->cc->rttsample != NULL)
            tp->cc->rttsample(tp, rtt, now);
    }
    tp->cc->ack_received(tp, acked, is_recovering(tp) ? JR_CC_PARTIALACK : JR_CC_ACK, now);
    if (jr_pace_is_wanted(tp))
        jr_pace_update(tp);
}

static void remember(struct jr_tcpcb *tp)
{
    tp->snd_cwnd_prev = tp->snd_cwnd;
    tp->snd_ssthresh_prev = tp->snd_ssthresh;
    tp->ccs_prev = tp->ccs;
}

static void bring_back(struct jr_tcpcb *tp)
{
    tp->snd_cwnd = jr_max_u32(tp->snd_cwnd, tp->snd_cwnd_prev);
    tp->snd_ssthresh = tp->snd_ssthresh_prev;
    tp->ccs = tp->ccs_prev;
}

/* Whether this window of data was answered already (RFC 3168 6.1.2). DCTCP takes a loss for more than its marks. */
static bool was_answered(const struct jr_tcpcb *tp, enum jr_cc_signal signal)
{
    const bool marked = (tp->t_flags2 & TF2_CONGRECOVERY) && jr_seq_lt(tp->snd_una, tp->ecn_recover);
    if (signal == JR_CC_ECN)
        return marked || (tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY));
    return signal == JR_CC_NDUPACK && marked && !(tp->cc->flags & JR_CC_WANTS_ECN);
}

void jr_cc_cong_signal(struct jr_tcpcb *tp, enum jr_cc_signal signal, jr_time now)
{
    if (signal == JR_CC_RTO_ERR)
        bring_back(tp);
    else if (signal == JR_CC_NDUPACK || (signal == JR_CC_RTO && tp->t_rxtshift <= 1))
        remember(tp);
    if (was_answered(tp, signal)) {
        if (signal == JR_CC_NDUPACK)
            tp->snd_ssthresh = jr_max_u32(jr_min_u32(tp->snd_ssthresh, tp->snd_cwnd), 2 * tp->t_maxseg);
        return;
    }
    if (signal == JR_CC_ECN) {
        jr_tcp_count_c(tp, JR_C_TCP_ECN_REDUCED);
        tp->t_flags2 |= TF2_CONGRECOVERY;
        tp->ecn_recover = tp->snd_max;
    }
    if (signal != JR_CC_RTO_ERR)
        tp->t_flags2 |= TF2_ECN_SND_CWR;
    tp->cc->cong_signal(tp, signal, now);
}

void jr_cc_post_recovery(struct jr_tcpcb *tp, jr_time now) { tp->cc->post_recovery(tp, now); }

void jr_cc_after_idle(struct jr_tcpcb *tp, jr_time now)
{
    const uint32_t cwnd = tp->snd_cwnd;
    tp->cc->after_idle(tp, now);
    if (!tp->tcp->cfg.newcwv)
        return;
    tp->snd_cwnd = cwnd;
    jr_newcwv_after_idle(tp, now);
}

/* RFC 6928 section 2 bounds its ten segments in bytes, too; FreeBSD does for any number up to ten. */
uint32_t jr_cc_initial_window(const struct jr_tcpcb *tp)
{
    uint32_t n = tp->tcp->cfg.initcwnd_segments;
    if (n <= 10)
        return jr_min_u32(n * tp->t_maxseg, jr_max_u32(2 * tp->t_maxseg, 1460 * n));
    return n * tp->t_maxseg;
}

bool jr_cc_is_limited(const struct jr_tcpcb *tp)
{
    uint64_t flight = tp->snd_maxflight;
    if (tp->snd_cwnd < tp->snd_ssthresh)
        return tp->snd_cwnd < 2 * flight;
    return tp->snd_cwnd <= flight + tp->t_maxseg;
}

/* RFC 3465: at most L segments per ACK (0: as many as it covers), one while recovering from a time-out. */
void jr_cc_slow_start(struct jr_tcpcb *tp, uint32_t acked)
{
    uint32_t l = tp->t_flags & TF_RTORECOVERY ? 1 : tp->tcp->cfg.abc_l_var;
    if (l != 0)
        acked = jr_min_u32(acked, l * tp->t_maxseg);
    tp->snd_cwnd += jr_hystart_growth(tp, acked);
}

uint32_t jr_cc_used_window(const struct jr_tcpcb *tp)
{
    return jr_max_u32(jr_min_u32(tp->snd_cwnd, jr_cc_flight(tp)), tp->t_maxseg);
}

uint32_t jr_cc_reduced(const struct jr_tcpcb *tp, uint32_t percent)
{
    uint64_t w = (uint64_t)jr_cc_used_window(tp) * percent / 100;
    return jr_max_u32((uint32_t)w, 2 * tp->t_maxseg);
}

void jr_cc_leave_recovery(struct jr_tcpcb *tp, jr_time now)
{
    (void)now;
    uint32_t flight = jr_cc_flight(tp);
    tp->snd_cwnd = jr_min_u32(tp->snd_ssthresh, jr_max_u32(flight, tp->t_maxseg) + tp->t_maxseg);
}

void jr_cc_restart(struct jr_tcpcb *tp, jr_time now)
{
    (void)now;
    tp->snd_cwnd = jr_min_u32(tp->snd_cwnd, jr_cc_initial_window(tp));
}
