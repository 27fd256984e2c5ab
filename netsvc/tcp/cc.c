/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of congestion control algorithms and the parts they share (RFC 5681, RFC 6928, RFC 7661). */
#include "tcp/cc.h"

static const struct jr_cc_algo *const algos[] = {&jr_cc_cubic, &jr_cc_newreno};

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

uint32_t jr_cc_initial_window(const struct jr_tcpcb *tp)
{
    uint32_t n = tp->tcp->cfg.initcwnd_segments;
    if (n <= 10) /* RFC 6928 bounds it in bytes, too */
        return jr_min_u32(n * tp->t_maxseg, jr_max_u32(2 * tp->t_maxseg, 14600));
    return n * tp->t_maxseg;
}

bool jr_cc_is_limited(const struct jr_tcpcb *tp)
{
    uint64_t flight = tp->snd_maxflight;
    if (tp->snd_cwnd < tp->snd_ssthresh)
        return tp->snd_cwnd < 2 * flight;
    return tp->snd_cwnd <= flight + tp->t_maxseg;
}

void jr_cc_slow_start(struct jr_tcpcb *tp, uint32_t acked)
{
    if (tp->t_flags & TF_RTORECOVERY) /* RFC 3465 2.3 */
        acked = jr_min_u32(acked, tp->t_maxseg);
    tp->snd_cwnd += acked;
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
