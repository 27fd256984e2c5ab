/* SPDX-License-Identifier: BSD-3-Clause */
/* See pace.h. */
#include "tcp/pace.h"

#include "tcp/output.h"
#include "tcp/tlp.h"

#define WHEEL_SHIFT 4      /* the wheel is told sixteenths of a microsecond */
#define QUANTUM_US 250u    /* a release is what this time allows */
#define QUANTUM_MAX 65536u /* one TSO packet */
#define NS 1000000000ull

/* As Linux's default: twice the window per round trip in slow start, so that it can double, 1.2 times it later. */
void jr_pace_update(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    uint64_t rate = tp->cc_pacing_rate;
    if (rate == 0 && cfg->pacing_enable && tp->t_srtt != 0) {
        const uint32_t percent = tp->snd_cwnd < tp->snd_ssthresh / 2 ? cfg->pacing_ss_percent : cfg->pacing_ca_percent;
        rate = (uint64_t)tp->snd_cwnd * percent * (JR_SEC / 100) / tp->t_srtt;
    }
    if (tp->max_pacing_rate != 0)
        rate = rate != 0 ? jr_min_u64(rate, tp->max_pacing_rate) : tp->max_pacing_rate;
    tp->t_pacing_rate = rate;
}

/* At least two segments: what an ACK would release. */
static uint64_t quantum(const struct jr_tcpcb *tp)
{
    const uint64_t q = jr_min_u64(tp->t_pacing_rate * QUANTUM_US / JR_SEC, QUANTUM_MAX);
    return jr_max_u64(q, 2ull * tp->t_maxseg);
}

static uint64_t ns_of(const struct jr_tcpcb *tp, uint64_t bytes) { return bytes * NS / tp->t_pacing_rate; }

int64_t jr_pace_room(const struct jr_tcpcb *tp, jr_time now)
{
    const uint64_t now_ns = now * 1000;
    if (now_ns < tp->pace_at_ns)
        return 0;
    const uint64_t late = jr_min_u64(now_ns - tp->pace_at_ns, NS / 1000);
    const uint64_t owed = jr_min_u64(late * tp->t_pacing_rate / NS, quantum(tp));
    return (int64_t)(quantum(tp) + owed);
}

/* A release that came late may catch up by one quantum; time without anything to send is not saved up. */
void jr_pace_sent(struct jr_tcpcb *tp, uint32_t len, jr_time now)
{
    const uint64_t credit = ns_of(tp, quantum(tp)), now_ns = now * 1000;
    tp->pace_at_ns = jr_max_u64(tp->pace_at_ns, now_ns > credit ? now_ns - credit : 0) + ns_of(tp, len);
}

void jr_pace_wait(struct jr_tcpcb *tp, jr_time now)
{
    const jr_time when = jr_max_u64((tp->pace_at_ns + 999) / 1000, now + 1);
    tp->pace_timer.kind = JR_TIMER_TCPCB;
    jr_wheel_arm(&tp->tcp->pace_wheel, &tp->pace_timer, when << WHEEL_SHIFT);
}

void jr_pace_stop(struct jr_tcpcb *tp) { jr_wheel_cancel(&tp->tcp->pace_wheel, &tp->pace_timer); }

jr_time jr_pace_next(const struct jr_tcp *tcp)
{
    const jr_time next = jr_wheel_next(&tcp->pace_wheel);
    return next == JR_TIME_NEVER ? next : (next + (1u << WHEEL_SHIFT) - 1) >> WHEEL_SHIFT;
}

void jr_pace_tick(struct jr_tcp *tcp, jr_time now)
{
    struct jr_timer *t;
    while ((t = jr_wheel_pop(&tcp->pace_wheel, now << WHEEL_SHIFT)) != NULL)
        jr_tcp_output(JR_CONTAINER_OF(t, struct jr_tcpcb, pace_timer), now);
}
