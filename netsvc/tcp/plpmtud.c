/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Black hole detection as FreeBSD does it (pmtud_blackhole_detection): every second time-out of a full segment lowers
 * the segment size, first to pmtud_blackhole_mss, then to mssdflt. If that doesn't help it wasn't a black hole, and
 * the size returns to what it was.
 */
#include "tcp/plpmtud.h"

#include "tcp/mss.h"
#include "tcp/timer.h"

enum { MODE_OFF, MODE_ALL, MODE_V4_ONLY, MODE_V6_ONLY };
enum { FIRST_TRY = 2, LAST_TRY = 6 };

static bool is_on(const struct jr_tcpcb *tp)
{
    uint32_t mode = tp->tcp->cfg.pmtud_blackhole_detection;
    return mode == MODE_ALL || mode == (jr_tcp_is_v4(tp) ? MODE_V4_ONLY : MODE_V6_ONLY);
}

void jr_plpmtud_on_rexmt(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    if (!is_on(tp) || tp->t_state < TCPS_ESTABLISHED || !cfg->path_mtu_discovery)
        return;
    const uint32_t shift = tp->t_rxtshift;
    if (shift >= FIRST_TRY && shift < LAST_TRY && shift % 2 == 0) {
        if (jr_sockbuf_used(tp->snd) < tp->t_maxseg)
            return; /* too small to be the reason */
        uint32_t first = jr_tcp_is_v4(tp) ? cfg->pmtud_blackhole_mss : cfg->v6pmtud_blackhole_mss;
        uint32_t full = tp->t_maxseg + (tp->t_flags & TF_RCVD_TSTMP ? JR_TCP_TS_OLEN : 0);
        uint32_t mss = full > first ? first : jr_tcp_mss_default(cfg, tp->faddr);
        if (mss >= full)
            return;
        tp->t_blackhole_mss = (uint16_t)mss;
        jr_tcp_count_c(tp, JR_C_TCP_PMTUD_BLACKHOLE);
        jr_tcp_mss_update(tp);
    } else if (shift >= LAST_TRY && tp->t_blackhole_mss != 0) {
        tp->t_blackhole_mss = 0;
        jr_tcp_count_c(tp, JR_C_TCP_PMTUD_BLACKHOLE_FAILED);
        jr_tcp_mss_update(tp);
    }
}
