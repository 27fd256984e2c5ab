/* SPDX-License-Identifier: BSD-3-Clause */
/* See uto.h. RFC 5482 3.1 (whose value counts) and 3.2 (when it is told). */
#include "tcp/uto.h"

/* 3.1: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)), unless the program has decided (CHANGEABLE). */
static void adopt(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    const uint64_t ms = tp->uto_remote * 1000ull;
    if (tp->t_flags2 & TF2_UTO_SET)
        return;
    if (ms == 0 || !cfg->uto_enable)
        tp->user_timeout = 0;
    else
        tp->user_timeout = (uint32_t)jr_min_u64(jr_max_u64(ms, cfg->uto_lower),
                                                jr_max_u32(cfg->uto_upper, cfg->uto_lower));
}

void jr_uto_set(struct jr_tcpcb *tp, uint32_t ms)
{
    const uint32_t set = TF2_UTO_SET | TF2_UTO_DUE;
    tp->t_flags2 = ms != 0 ? tp->t_flags2 | set : tp->t_flags2 & ~set;
    tp->user_timeout = ms;
    adopt(tp);
}

void jr_uto_input(struct jr_tcpcb *tp, uint32_t seconds)
{
    if (seconds == 0 || !tp->tcp->cfg.uto_enable) /* 3: zero is to be ignored */
        return;
    tp->uto_remote = seconds;
    adopt(tp);
}

void jr_uto_option(const struct jr_tcpcb *tp, uint8_t flags, struct jr_tcp_opts *o)
{
    if (!(tp->t_flags2 & TF2_UTO_SET) || !tp->tcp->cfg.uto_enable)
        return;
    if (!(flags & TH_SYN) && !(tp->t_flags2 & TF2_UTO_DUE))
        return;
    o->flags |= TOF_UTO;
    o->uto = jr_max_u32((tp->user_timeout + 999) / 1000, 1);
}
