/* SPDX-License-Identifier: BSD-3-Clause */
/* RTT estimation; see rtt.h. */
#include "tcp/rtt.h"

#include "tcp/isn.h"
#include "tcp/timer.h"

/* RFC 6298 2.2 and 2.3; dev: how far the measurement is from t_srtt, or how far its parts were on average. */
static void measure(struct jr_tcpcb *tp, uint32_t rtt_us, uint32_t dev)
{
    rtt_us = jr_max_u32(rtt_us, 1);
    tp->t_rttupdated++;
    if (tp->t_srtt == 0 || tp->rtt_doubted) {
        tp->t_srtt = rtt_us;
        tp->t_rttvar = rtt_us / 2;
        tp->rtt_doubted = false;
    } else {
        tp->t_rttvar += (uint32_t)(((int64_t)dev - tp->t_rttvar) / 4);
        tp->t_srtt += (uint32_t)(((int64_t)rtt_us - tp->t_srtt) / 8);
        tp->t_srtt = jr_max_u32(tp->t_srtt, 1);
    }
    tp->rtt_fresh = true;
    jr_tcp_set_rxtcur(tp, 0);
}

void jr_rtt_sample(struct jr_tcpcb *tp, uint32_t rtt_us)
{
    tp->t_rttmin = jr_min_u32(tp->t_rttmin, jr_max_u32(rtt_us, 1));
    measure(tp, rtt_us, rtt_us > tp->t_srtt ? rtt_us - tp->t_srtt : tp->t_srtt - rtt_us);
}

void jr_rtt_round(struct jr_tcpcb *tp, jr_seq ack)
{
    const uint32_t n = tp->rtt_n;
    if (n == 1)
        measure(tp, (uint32_t)tp->rtt_sum, (uint32_t)tp->rtt_dev);
    else if (n != 0)
        measure(tp, (uint32_t)(tp->rtt_sum / n), (uint32_t)(tp->rtt_dev / n));
    tp->rtt_sum = tp->rtt_dev = 0;
    tp->rtt_n = 0;
    tp->rtt_round = jr_seq_max(tp->snd_max, jr_seq_add(ack, 1));
}

bool jr_rtt_echo(const struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t *rtt_us, jr_time now)
{
    if (!(tp->t_flags & TF_RCVD_TSTMP) || !(seg->opts.flags & TOF_TS) || seg->opts.tsecr == 0)
        return false;
    const uint32_t ms = jr_tcp_ts(tp->ts_offset, now) - seg->opts.tsecr;
    if (ms >= JR_TCP_REXMTMAX_US / 1000)
        return false;
    *rtt_us = jr_max_u32(ms, 1) * 1000;
    return true;
}

void jr_rtt_doubt(struct jr_tcpcb *tp)
{
    tp->rtt_doubted = true;
    tp->t_rttmin = tp->t_rttmin_prev = UINT32_MAX; /* the path may be another one */
}

void jr_rtt_min_expire(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_rttmin_prev = tp->t_rttmin;
    tp->t_rttmin = UINT32_MAX;
    tp->t_rttmin_until = now + JR_TCP_RTTMIN_WINDOW;
}
