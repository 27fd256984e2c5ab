/* SPDX-License-Identifier: BSD-3-Clause */
/* Segment size and window shift; see mss.h. */
#include "tcp/mss.h"

uint16_t jr_tcp_mss_offer(const struct jr_tcp *tcp, struct jr_addr dst, uint32_t mtu)
{
    uint32_t over = jr_tcp_header_bytes(dst);
    uint32_t mss = mtu > over ? mtu - over : 0;
    (void)tcp;
    return (uint16_t)jr_min_u32(mss, 65535 - over);
}

bool jr_tcp_route(struct jr_tcpcb *tp)
{
    struct jr_ip *ip = tp->tcp->ip;
    uint32_t gen = jr_ip_generation(ip);
    if (tp->rt_ok && tp->rt_gen == gen)
        return true;
    memset(&tp->rt, 0, sizeof tp->rt);
    tp->rt_ok = jr_ip_route(ip, tp->faddr, &tp->rt);
    tp->rt_gen = gen;
    if (tp->rt_ok && tp->t_state >= TCPS_ESTABLISHED)
        jr_tcp_mss_update(tp);
    return tp->rt_ok;
}

void jr_tcp_mss_update(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    uint32_t dflt = jr_tcp_mss_default(cfg, tp->faddr);
    uint32_t mtu = tp->rt.mtu, mss = jr_max_u32(tp->t_peermss != 0 ? tp->t_peermss : dflt, cfg->minmss);
    if (tp->t_pmtu != 0)
        mtu = jr_min_u32(mtu, tp->t_pmtu);
    mss = jr_min_u32(mss, jr_tcp_mss_offer(tp->tcp, tp->faddr, mtu));
    if (tp->t_blackhole_mss != 0)
        mss = jr_min_u32(mss, tp->t_blackhole_mss);
    if (tp->t_usermss != 0)
        mss = jr_min_u32(mss, tp->t_usermss);
    if (tp->t_flags & TF_RCVD_TSTMP)
        mss -= JR_TCP_TS_OLEN;
    tp->t_maxseg = jr_max_u32(mss, cfg->minmss - JR_TCP_TS_OLEN);
}

uint8_t jr_tcp_wanted_scale(const struct jr_tcp_config *cfg)
{
    const uint32_t max = cfg->maxsockbuf != 0 ? cfg->maxsockbuf : cfg->recvbuf_max;
    uint8_t scale = 0;
    while (scale < JR_TCP_MAX_WINSHIFT && ((uint64_t)JR_TCP_MAXWIN << scale) < max)
        scale++;
    return scale;
}
