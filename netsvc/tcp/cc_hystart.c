/* SPDX-License-Identifier: BSD-3-Clause */
/* HyStart++, RFC 9406 4.2, and the timing of many pieces of data per round; see cc_hystart.h. */
#include "tcp/cc_hystart.h"

#define MIN_RTT_DIVISOR 8
#define NONE UINT32_MAX
#define DENSE 10u

void jr_hystart_init(struct jr_tcpcb *tp)
{
    tp->hs = (struct jr_cc_hystart){
        .phase = tp->tcp->cfg.cc_hystart_enable ? HS_SLOW_START : HS_OFF, .last_minrtt = NONE, .current_minrtt = NONE};
}

void jr_hystart_end(struct jr_tcpcb *tp) { tp->hs.phase = HS_OFF; }

void jr_hystart_newround(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_cc_hystart *hs = &tp->hs;
    (void)now;
    if (hs->phase == HS_OFF)
        return;
    if (hs->phase == HS_CSS && ++hs->css_rounds >= tp->tcp->cfg.cc_hystart_css_rounds) {
        jr_tcp_count_c(tp, JR_C_TCP_HYSTART_EXIT);
        tp->snd_ssthresh = tp->snd_cwnd;
        jr_hystart_end(tp);
        return;
    }
    hs->last_minrtt = hs->current_minrtt;
    hs->current_minrtt = NONE;
    hs->samples = 0;
}

void jr_hystart_rttsample(struct jr_tcpcb *tp, uint32_t rtt_us, jr_time now)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    struct jr_cc_hystart *hs = &tp->hs;
    (void)now;
    if (hs->phase == HS_OFF)
        return;
    hs->current_minrtt = jr_min_u32(hs->current_minrtt, rtt_us);
    if (++hs->samples < cfg->cc_hystart_n_rttsamples || hs->last_minrtt == NONE)
        return;
    if (hs->phase == HS_CSS) {
        if (hs->current_minrtt < hs->css_baseline) /* it was jitter */
            hs->phase = HS_SLOW_START;
        return;
    }
    uint32_t thresh = jr_max_u32(hs->last_minrtt / MIN_RTT_DIVISOR, cfg->cc_hystart_minrtt_thresh);
    thresh = jr_min_u32(thresh, cfg->cc_hystart_maxrtt_thresh);
    if (hs->current_minrtt < hs->last_minrtt + thresh)
        return;
    jr_tcp_count_c(tp, JR_C_TCP_HYSTART_CSS);
    hs->css_baseline = hs->current_minrtt;
    hs->css_rounds = 0;
    hs->phase = HS_CSS;
}

uint32_t jr_hystart_growth(const struct jr_tcpcb *tp, uint32_t bytes)
{
    return tp->hs.phase == HS_CSS ? bytes / tp->tcp->cfg.cc_hystart_css_growth_div : bytes;
}

/* What a round begins with says soonest whether a queue has grown; the rest is watched from farther apart. */
static uint32_t step(const struct jr_tcpcb *tp)
{
    const uint32_t two = 2 * tp->t_maxseg;
    return tp->timed.dense != 0 ? two : jr_max_u32(two, tp->snd_cwnd / 4);
}

void jr_cc_time_round(struct jr_tcpcb *tp)
{
    tp->timed.dense = DENSE;
    tp->timed.next = jr_seq_min(tp->timed.next, jr_seq_add(tp->snd_max, 2 * tp->t_maxseg));
}

void jr_cc_time_sent(struct jr_tcpcb *tp, jr_seq seq, uint32_t len, jr_time now)
{
    struct jr_cc_timed *t = &tp->timed;
    if (tp->hs.phase == HS_OFF && tp->cc->rttsample == NULL)
        return;
    const jr_seq end = jr_seq_add(seq, len);
    if (t->n == 0)
        t->next = jr_seq_min(end, jr_seq_add(seq, step(tp)));
    while (jr_seq_leq(t->next, end) && t->n < JR_CC_TIMED) {
        const uint8_t at = (uint8_t)((t->head + t->n++) % JR_CC_TIMED);
        t->end[at] = t->next;
        t->at[at] = (uint32_t)now;
        t->dense -= t->dense != 0;
        t->next = jr_seq_add(t->next, step(tp));
    }
    if (jr_seq_leq(t->next, end)) /* no room: leave this one out */
        t->next = jr_seq_add(end, step(tp));
}

void jr_cc_time_forget(struct jr_tcpcb *tp) { tp->timed.n = 0; }

uint32_t jr_cc_time_acked(struct jr_tcpcb *tp, jr_seq ack, jr_time now)
{
    struct jr_cc_timed *t = &tp->timed;
    uint32_t rtt = 0;
    while (t->n != 0 && jr_seq_leq(t->end[t->head], ack)) {
        rtt = jr_max_u32((uint32_t)now - t->at[t->head], 1);
        t->head = (uint8_t)((t->head + 1) % JR_CC_TIMED);
        t->n--;
    }
    return rtt;
}
