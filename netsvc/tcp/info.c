/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP_INFO in Linux's layout and numbers: states are Linux's, windows count segments, times are microseconds or ms. */
#include "tcp/info.h"

#include <linux/tcp.h>

#include "tcp/cc.h"
#include "tcp/ecn.h"
#include "tcp/output.h"
#include "tcp/reass.h"
#include "tcp/rtt.h"
#include "tcp/timer.h"

/*
 * Linux's TCP_ESTABLISHED... of the kernel's net/tcp_states.h, which programs know from ss(8) and /proc/net/tcp. A
 * socket whose connection is in TIME_WAIT is closed for Linux.
 */
static const uint8_t linux_state[TCPS__COUNT] = {
    [TCPS_ESTABLISHED] = 1, [TCPS_SYN_SENT] = 2,  [TCPS_SYN_RECEIVED] = 3, [TCPS_FIN_WAIT_1] = 4,
    [TCPS_FIN_WAIT_2] = 5,  [TCPS_TIME_WAIT] = 7, [TCPS_CLOSED] = 7,       [TCPS_CLOSE_WAIT] = 8,
    [TCPS_LAST_ACK] = 9,    [TCPS_LISTEN] = 10,   [TCPS_CLOSING] = 11,
};

enum { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

static uint8_t ca_state(const struct jr_tcpcb *tp)
{
    if (tp->t_flags & TF_FASTRECOVERY)
        return CA_RECOVERY;
    if (tp->t_flags & TF_RTORECOVERY)
        return CA_LOSS;
    return tp->t_dupacks != 0 || tp->map.sacked != 0 ? CA_DISORDER : CA_OPEN;
}

static uint32_t ms_since(jr_time then, jr_time now)
{
    return then != 0 && now > then ? (uint32_t)((now - then) / JR_MS) : 0;
}

/* In the network for the second time or more. */
static uint32_t resent_segments(const struct jr_tcpcb *tp)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; tp->map.marked && i < tp->map.n; i++) {
        const uint8_t f = jr_sendmap_at(&tp->map, i)->flags;
        if ((f & (JR_SENT_RXT | JR_SENT_SACKED | JR_SENT_LOST)) == JR_SENT_RXT)
            bytes += jr_sendmap_len(&tp->map, i);
    }
    return (bytes + tp->t_maxseg - 1) / tp->t_maxseg;
}

static void fill_sender(const struct jr_tcpcb *tp, struct tcp_info *ti, jr_time now)
{
    uint32_t seg = tp->t_maxseg;
    ti->tcpi_ca_state = ca_state(tp);
    ti->tcpi_retransmits = (uint8_t)tp->t_rxtshift;
    ti->tcpi_backoff = (uint8_t)tp->t_rxtshift;
    ti->tcpi_rto = tp->t_rxtcur;
    ti->tcpi_snd_mss = seg;
    ti->tcpi_unacked = (jr_cc_flight(tp) + seg - 1) / seg;
    ti->tcpi_sacked = tp->map.sacked / seg;
    ti->tcpi_lost = tp->map.lost / seg;
    ti->tcpi_retrans = resent_segments(tp);
    ti->tcpi_reordering = 3;
    ti->tcpi_reord_seen = tp->rack.reordering_seen;
    ti->tcpi_delivered = (uint32_t)((tp->bytes_acked + tp->map.sacked + seg - 1) / seg);
    ti->tcpi_delivered_ce = tp->t_flags2 & TF2_ACE_PERMIT ? tp->t_scep - 5 : tp->t_scep;
    ti->tcpi_last_data_sent = ms_since(tp->t_sndtime, now);
    ti->tcpi_last_ack_recv = ms_since(tp->t_rcvtime, now);
    ti->tcpi_rtt = tp->t_srtt;
    ti->tcpi_rttvar = tp->t_rttvar;
    ti->tcpi_min_rtt = jr_rtt_min(tp);
    ti->tcpi_snd_ssthresh = tp->snd_ssthresh >= UINT32_MAX / 4 ? INT32_MAX : tp->snd_ssthresh / seg;
    ti->tcpi_snd_cwnd = tp->snd_cwnd / seg;
    ti->tcpi_total_retrans = tp->rexmt_segs;
    ti->tcpi_bytes_acked = tp->bytes_acked;
    ti->tcpi_bytes_sent = tp->bytes_sent;
    ti->tcpi_bytes_retrans = tp->bytes_rexmt;
    ti->tcpi_segs_out = tp->segs_out;
    ti->tcpi_data_segs_out = tp->data_segs_out;
    ti->tcpi_notsent_bytes = jr_sockbuf_used(tp->snd) - jr_min_u32(jr_cc_flight(tp), jr_sockbuf_used(tp->snd));
    ti->tcpi_dsack_dups = tp->dsack_dups;
    ti->tcpi_pacing_rate = tp->t_pacing_rate != 0 ? tp->t_pacing_rate : UINT64_MAX;
    ti->tcpi_max_pacing_rate = tp->max_pacing_rate != 0 ? tp->max_pacing_rate : UINT64_MAX;
    ti->tcpi_snd_wnd = tp->snd_wnd;
    if (tp->t_srtt != 0)
        ti->tcpi_delivery_rate = (uint64_t)jr_min_u32(tp->snd_cwnd, jr_cc_flight(tp)) * JR_SEC / tp->t_srtt;
}

static void fill_receiver(const struct jr_tcpcb *tp, struct tcp_info *ti, jr_time now)
{
    ti->tcpi_ato = tp->tcp->cfg.delacktime * 1000;
    ti->tcpi_rcv_mss = jr_min_u32(tp->t_maxseg, 536);
    if (tp->data_segs_in != 0)
        ti->tcpi_rcv_mss = (uint32_t)jr_min_u64(tp->bytes_received / tp->data_segs_in, tp->t_maxseg);
    ti->tcpi_last_data_recv = ms_since(tp->t_rcvtime, now);
    ti->tcpi_advmss = tp->t_maxseg;
    ti->tcpi_pmtu = tp->rt_ok ? tp->rt.mtu : 0;
    ti->tcpi_rcv_ssthresh = jr_tcp_rcv_window(tp);
    ti->tcpi_rcv_rtt = tp->t_srtt;
    ti->tcpi_rcv_space = tp->rcv->cap;
    ti->tcpi_bytes_received = tp->bytes_received;
    ti->tcpi_segs_in = tp->segs_in;
    ti->tcpi_data_segs_in = tp->data_segs_in;
    ti->tcpi_rcv_ooopack = tp->rcv_ooopack;
}

int jr_tcp_info(const struct jr_tcpcb *tp, void *val, uint32_t *len, jr_time now)
{
    const bool persists = jr_tcp_timer_active(tp, TT_PERSIST);
    struct tcp_info ti = {.tcpi_state = linux_state[tp->t_state],
                          .tcpi_probes = (uint8_t)(persists ? tp->t_rxtshift : tp->keepprobes)};
    if (tp->t_flags & TF_RCVD_TSTMP)
        ti.tcpi_options |= TCPI_OPT_TIMESTAMPS;
    if (tp->t_flags & TF_SACK_PERMIT)
        ti.tcpi_options |= TCPI_OPT_SACK;
    if (jr_ecn_is_on(tp))
        ti.tcpi_options |= TCPI_OPT_ECN;
    if (tp->t_flags2 & TF2_FO_SYN_DATA)
        ti.tcpi_options |= TCPI_OPT_SYN_DATA;
    if (tp->t_flags & TF_RCVD_SCALE) {
        ti.tcpi_options |= TCPI_OPT_WSCALE;
        ti.tcpi_snd_wscale = tp->snd_scale & 15;
        ti.tcpi_rcv_wscale = tp->rcv_scale & 15;
    }
    if (tp->t_state == TCPS_LISTEN) { /* as Linux: the accept queue */
        ti.tcpi_unacked = tp->listener->len;
        ti.tcpi_sacked = tp->listener->backlog;
    } else {
        fill_sender(tp, &ti, now);
        fill_receiver(tp, &ti, now);
    }
    *len = jr_min_u32(*len, sizeof ti);
    memcpy(val, &ti, *len);
    return 0;
}

const char *jr_tcp_pending_timer(const struct jr_tcpcb *tp, jr_time now, uint64_t *left_us, unsigned *count)
{
    static const struct {
        int which;
        const char *name;
    } timers[] = {{TT_REXMT, "on"}, {TT_PERSIST, "persist"}, {TT_2MSL, "timewait"}, {TT_KEEP, "keepalive"}};

    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        const jr_time due = tp->t_dl[timers[i].which];
        if (!jr_tcp_timer_active(tp, timers[i].which))
            continue;
        *left_us = due > now ? due - now : 0;
        *count = timers[i].which == TT_KEEP ? tp->keepprobes : timers[i].which == TT_2MSL ? 0 : tp->t_rxtshift;
        return timers[i].name;
    }
    return NULL;
}
