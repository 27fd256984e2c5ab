/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors that quote one of our segments. Believed only when the quoted sequence number is outstanding
 * (RFC 5927 4.1). Any error ends a connection attempt, as on Linux: a program with another address to try needn't
 * wait (RFC 5461 4.1). Established connections only remember it, to report it if they time out (RFC 1122 4.2.3.9).
 * "Fragmentation needed" lowers the segment size (RFC 1191).
 */
#include "base/byteorder.h"
#include "tcp/input.h"
#include "tcp/mss.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/sack.h"
#include "tcp/state.h"
#include "tcp/syncache.h"

enum { TYPE_UNREACH = 3, CODE_NEEDFRAG = 4 };

/* Only ever lower; then what was too large is sent again, the window unharmed. */
static void on_needfrag(struct jr_tcpcb *tp, const struct jr_ip_ctl *ctl, jr_time now)
{
    uint32_t over = jr_tcp_header_bytes(tp->faddr) + (tp->t_flags & TF_RCVD_TSTMP ? JR_TCP_TS_OLEN : 0);
    uint32_t cur = tp->t_maxseg + over;
    uint32_t mtu = jr_ip_pmtu_update(tp->tcp->ip, tp->faddr, ctl->mtu, now);
    uint32_t before = tp->t_maxseg;
    if (mtu >= cur)
        return;
    jr_tcp_count_c(tp, JR_C_TCP_PMTU);
    tp->t_pmtu = jr_max_u32(mtu, tp->tcp->cfg.minmss + over);
    tp->rt_ok = false;
    if (!jr_tcp_route(tp))
        return;
    jr_tcp_mss_update(tp);
    if (tp->t_state < TCPS_ESTABLISHED || tp->t_maxseg >= before || jr_seq_eq(tp->snd_una, tp->snd_max))
        return;
    tp->snd_nxt = tp->snd_una;
    tp->t_flags &= ~(uint32_t)(TF_FASTRECOVERY | TF_RTTVALID);
    tp->snd_recover = tp->snd_max;
    jr_tcp_output(tp, now);
}

void jr_tcp_ctlinput(void *ctx, const struct jr_ip_ctl *ctl, jr_time now)
{
    struct jr_tcp *tcp = ctx;
    if (ctl->quote_len < 8)
        return;
    const uint16_t lport = jr_load_be16(ctl->quote), fport = jr_load_be16(ctl->quote + 2);
    const jr_seq seq = jr_seq_of(jr_load_be32(ctl->quote + 4));
    jr_count(tcp->counters, JR_C_TCP_ICMP);
    bool fatal = false;
    const int error = jr_icmp_errno(ctl->type, ctl->code, &fatal);
    struct jr_tcpcb *tp = jr_pcb_lookup(tcp, ctl->src, lport, ctl->dst, fport);
    if (tp == NULL) {
        if (fatal)
            jr_syncache_unreach(tcp, ctl->src, lport, ctl->dst, fport, seq);
        return;
    }
    if (jr_seq_lt(seq, tp->snd_una) || jr_seq_geq(seq, tp->snd_max)) {
        jr_tcp_count_c(tp, JR_C_TCP_ICMP_IGNORED);
        return;
    }
    if (ctl->type == TYPE_UNREACH && ctl->code == CODE_NEEDFRAG)
        on_needfrag(tp, ctl, now);
    else if (error != 0 && tp->t_state == TCPS_SYN_SENT)
        jr_tcp_dead(tp, error);
    else if (error != 0)
        tp->t_softerror = (uint8_t)error;
}
