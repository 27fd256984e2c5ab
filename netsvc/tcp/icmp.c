/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors that quote one of our segments. Believed only when the quoted sequence number is outstanding
 * (RFC 5927 4.1). Those that say "no" for good end a connection attempt (icmp_may_rst), as does an error from our own
 * network layer; the others do when the attempt has been repeated a few times (RFC 5461 4). Established connections
 * only remember an error, to report it if they time out (RFC 1122 4.2.3.9). "Fragmentation needed" lowers the segment
 * size (RFC 1191).
 */
#include "base/byteorder.h"
#include "tcp/input.h"
#include "tcp/mss.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/recover.h"
#include "tcp/state.h"
#include "tcp/timewait.h"
#include "tcp/syncache.h"

enum { TYPE_UNREACH = 3, TYPE_TIME_EXCEEDED = 11 };
enum {
    CODE_PROTOCOL = 2,
    CODE_PORT = 3,
    CODE_NEEDFRAG = 4,
    CODE_NET_PROHIB = 9,
    CODE_HOST_PROHIB = 10,
    CODE_FILTER_PROHIB = 13
};
#define SOFT_REXMITS 3u /* retransmissions of a SYN after which a second soft error ends the attempt */

/* Only ever lower; then what was too large is sent again, the window unharmed. */
static void on_needfrag(struct jr_tcpcb *tp, const struct jr_ip_ctl *ctl, jr_time now)
{
    if (!tp->tcp->cfg.path_mtu_discovery)
        return;
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
    jr_recover_resegment(tp, now);
    jr_tcp_output(tp, now);
}

static bool is_refusal(const struct jr_ip_ctl *ctl)
{
    if (ctl->type == TYPE_TIME_EXCEEDED)
        return ctl->code == 0; /* in transit, not in reassembly */
    if (ctl->type != TYPE_UNREACH)
        return false;
    return ctl->code == CODE_PROTOCOL || ctl->code == CODE_PORT || ctl->code == CODE_NET_PROHIB ||
           ctl->code == CODE_HOST_PROHIB || ctl->code == CODE_FILTER_PROHIB;
}

static void on_error(struct jr_tcpcb *tp, const struct jr_ip_ctl *ctl, int error)
{
    bool opening = tp->t_state < TCPS_ESTABLISHED;
    bool sure = jr_addr_eq(ctl->from, ctl->src) || (is_refusal(ctl) && tp->tcp->cfg.icmp_may_rst);
    if (tp->t_state == TCPS_SYN_SENT && sure)
        jr_tcp_dead(tp, error);
    else if (opening && tp->t_rxtshift > SOFT_REXMITS && tp->t_softerror != 0)
        jr_tcp_dead(tp, error);
    else
        tp->t_softerror = (uint8_t)error;
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
    const int error = jr_ip_ctl_errno(ctl, &fatal);
    struct jr_tcpcb *tp = jr_pcb_lookup(tcp, ctl->src, lport, ctl->dst, fport);
    if (tp == NULL) {
        if (fatal)
            jr_syncache_unreach(tcp, ctl->src, lport, ctl->dst, fport, seq);
        return;
    }
    if (jr_timewait_is_record(tp) || jr_seq_lt(seq, tp->snd_una) || jr_seq_geq(seq, tp->snd_max)) {
        jr_tcp_count_c(tp, JR_C_TCP_ICMP_IGNORED);
        return;
    }
    if (ctl->type == TYPE_UNREACH && ctl->code == CODE_NEEDFRAG)
        on_needfrag(tp, ctl, now);
    else if (error != 0)
        on_error(tp, ctl, error);
}
