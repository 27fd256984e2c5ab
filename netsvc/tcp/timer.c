/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens when a connection's time is up:
 *   rexmt   resends from snd_una with a window of one segment and backs off (RFC 6298 5, RFC 5681 3.1); before
 *           that, where there is SACK, it stands for a probe (RFC 8985 7) or the reordering window's end (6.2)
 *   persist probes a zero window, backing off between persmin and persmax (RFC 9293 3.8.6.1)
 *   keep    probes an idle peer; before the handshake is done, gives it up (RFC 9293 3.8.4)
 *   2msl    ends TIME_WAIT, or FIN_WAIT_2 of a socket that was closed
 *   delack  sends the ACK that waited for company (RFC 9293 3.8.6.3)
 *   nudge   tries output again: TCP_CORK waits at most 200 ms, a shortage of packets is over
 */
#include "tcp/timer.h"

#include "tcp/cc.h"
#include "tcp/fastopen.h"
#include "tcp/frto.h"
#include "tcp/output.h"
#include "tcp/pace.h"
#include "tcp/rack.h"
#include "tcp/recover.h"
#include "tcp/rtt.h"
#include "tcp/sack.h"
#include "tcp/state.h"
#include "tcp/syncache.h"
#include "tcp/timewait.h"
#include "tcp/tlp.h"
#include "tcp/plpmtud.h"
#include "tcp/undo.h"

static uint32_t backoff(uint32_t shift) { return 1u << (shift < 9 ? shift : 9); }

void jr_tcp_timers_stop(struct jr_tcpcb *tp)
{
    for (int i = 0; i < TT__COUNT; i++)
        tp->t_dl[i] = JR_TIME_NEVER;
    jr_wheel_cancel(&tp->tcp->wheel, &tp->timer);
    jr_pace_stop(tp);
}

/* What RFC 6298 calls RTO before back-off; slop is FreeBSD's allowance for the peer's delayed ACKs. */
static uint64_t rexmtval(const struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    if (tp->t_srtt == 0)
        return cfg->rexmit_initial * JR_MS;
    uint64_t v = (uint64_t)tp->t_srtt + 4ull * tp->t_rttvar;
    return jr_max_u64(v, cfg->rexmit_min * JR_MS) + cfg->rexmit_slop * JR_MS;
}

void jr_tcp_set_rxtcur(struct jr_tcpcb *tp, uint32_t shift)
{
    tp->t_rxtcur = (uint32_t)jr_min_u64(rexmtval(tp) * backoff(shift), JR_TCP_REXMTMAX_US);
}

void jr_tcp_start_rexmt(struct jr_tcpcb *tp, jr_time now)
{
    jr_time when = now + tp->t_rxtcur;
    if (tp->user_timeout != 0 && tp->t_rxtshift != 0) {
        jr_time end = tp->t_acktime + tp->user_timeout * JR_MS;
        when = jr_min_u64(when, jr_max_u64(end, now + JR_MS));
    }
    tp->t_rtodl = when;
    const jr_time probe = jr_tlp_when(tp, now);
    tp->rexmt_is = probe < when ? JR_REXMT_PTO : JR_REXMT_RTO;
    jr_tcp_timer_set(tp, TT_REXMT, jr_min_u64(probe, when));
}

void jr_tcp_arm_reo(struct jr_tcpcb *tp, uint64_t timeout, jr_time now)
{
    if (!jr_tcp_timer_active(tp, TT_REXMT))
        return;
    if (timeout != 0 && now + timeout < tp->t_rtodl) {
        tp->rexmt_is = JR_REXMT_REO;
        jr_tcp_timer_set(tp, TT_REXMT, now + timeout);
    } else if (tp->rexmt_is == JR_REXMT_REO) {
        tp->rexmt_is = JR_REXMT_RTO;
        jr_tcp_timer_set(tp, TT_REXMT, jr_max_u64(tp->t_rtodl, now));
    }
}

void jr_tcp_start_persist(struct jr_tcpcb *tp, jr_time now)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    /* FreeBSD's: twice the RTO of old and its back-off, which on a short path persmin hides for long */
    uint64_t v = (4 * (uint64_t)tp->t_srtt + 8 * (uint64_t)tp->t_rttvar) * backoff(tp->t_rxtshift);
    v = jr_min_u64(jr_max_u64(v, cfg->persmin * JR_MS), cfg->persmax * JR_MS);
    jr_tcp_timer_clear(tp, TT_REXMT);
    jr_tcp_timer_set(tp, TT_PERSIST, now + v);
}

static bool wants_keepalive(const struct jr_tcpcb *tp)
{
    return (tp->t_flags & TF_KEEPALIVE) || tp->tcp->cfg.always_keepalive;
}

void jr_tcp_start_keep(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->t_state == TCPS_CLOSED || tp->t_state == TCPS_LISTEN || tp->t_state == TCPS_TIME_WAIT)
        return;
    if (tp->t_state < TCPS_ESTABLISHED)
        jr_tcp_timer_set(tp, TT_KEEP, now + tp->keepinit * JR_MS);
    else if (wants_keepalive(tp))
        jr_tcp_timer_set(tp, TT_KEEP, jr_max_u64(tp->t_rcvtime + tp->keepidle * JR_MS, now));
    else
        jr_tcp_timer_clear(tp, TT_KEEP);
    tp->keepprobes = 0;
}

/* False: the connection is gone. */
static bool give_up(struct jr_tcpcb *tp, enum jr_counter c, jr_time now)
{
    jr_tcp_count_c(tp, c);
    jr_tcp_drop(tp, ETIMEDOUT, now);
    return false;
}

static bool user_timed_out(const struct jr_tcpcb *tp, jr_time now)
{
    return tp->user_timeout != 0 && now >= tp->t_acktime + tp->user_timeout * JR_MS;
}

/* RFC 9293 3.8.3: R2, in retransmissions, or in time where the application set it (RFC 5482). */
static bool is_enough(const struct jr_tcpcb *tp, bool opening, jr_time now)
{
    if (opening && tp->syncnt != 0 && tp->t_rxtshift > tp->syncnt)
        return true;
    if (tp->user_timeout != 0)
        return user_timed_out(tp, now);
    return tp->t_rxtshift > tp->tcp->cfg.retries;
}

/* The SYN again. */
static void back_off_syn(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    const uint64_t rto = (uint64_t)cfg->rexmit_initial * backoff(tp->t_rxtshift) + cfg->rexmit_slop;
    tp->t_rxtcur = (uint32_t)jr_min_u64(rto * JR_MS, JR_TCP_REXMTMAX_US);
    if (tp->t_rxtshift == 3 && cfg->rexmit_drop_options) /* perhaps a middlebox eats SYNs with options */
        tp->t_flags &= ~(uint32_t)(TF_REQ_SCALE | TF_REQ_TSTMP | TF_SACK_PERMIT);
}

/* RFC 6298 5.5, and what a time-out means for the window and for what is outstanding (RFC 5681 3.1, RFC 6675 5.1). */
static void back_off(struct jr_tcpcb *tp, jr_time now)
{
    /* A time-out while resending in slow start says nothing new to F-RTO (RFC 5682 2.1 step 1, 3.1 step 1). */
    const bool again = tp->t_rxtshift > 1 || (tp->t_flags & TF_RTORECOVERY);
    if (!again)
        jr_undo_save(tp, true, now);
    else if (tp->t_rxtshift > 1)
        tp->undo.what = JR_UNDO_NONE;
    tp->t_rxtcur = (uint32_t)jr_min_u64(2ull * tp->t_rxtcur, JR_TCP_REXMTMAX_US);
    tp->rtt_round = tp->snd_una; /* the next sample counts at once */
    jr_sack_check_reneging(tp);
    jr_cc_cong_signal(tp, JR_CC_RTO, now);
    const bool recovering = tp->t_flags & TF_FASTRECOVERY;
    tp->snd_recover = tp->snd_max;
    tp->t_flags &= ~(uint32_t)(TF_FASTRECOVERY | TF_RESCUED);
    tp->t_flags |= TF_RTORECOVERY;
    tp->tlp_out = false;
    jr_frto_begin(tp, again || (recovering && !(tp->t_flags & TF_SACK_PERMIT)));
    if (tp->t_rxtshift == 4) { /* R1: the path may have changed; start the estimate over (RFC 6298 5, end) */
        jr_rtt_doubt(tp);
        tp->rt_ok = false;
    }
}

/* What the time-out sends: with records the first segment, else what a window of one lets go. */
static void resend_first(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->map.n == 0) {
        tp->snd_nxt = tp->snd_una;
        jr_tcp_output(tp, now);
        tp->frto_end = tp->snd_nxt;
        return;
    }
    if (tp->rack.on)
        jr_rack_on_rto(tp, now);
    else
        jr_sack_lose_all(tp);
    tp->snd_nxt = tp->snd_max;
    jr_tcp_output_rexmit(tp, tp->snd_una, now);
    const struct jr_sent *s = jr_sendmap_at(&tp->map, 0);
    tp->frto_end = s->flags & JR_SENT_RXT ? s->end : tp->snd_una;
    jr_tcp_output(tp, now); /* an ACK, and on a closed window what minds that */
}

static bool on_rexmt(struct jr_tcpcb *tp, jr_time now)
{
    const uint8_t what = tp->rexmt_is;
    tp->rexmt_is = JR_REXMT_RTO;
    if (what != JR_REXMT_RTO) {
        jr_tcp_timer_set(tp, TT_REXMT, jr_max_u64(tp->t_rtodl, now + 1));
        if (what == JR_REXMT_PTO)
            jr_tlp_send(tp, now);
        else
            jr_recover_on_reo(tp, now);
        return true;
    }
    tp->t_rxtshift++;
    const bool opening = tp->t_state < TCPS_ESTABLISHED;
    if (is_enough(tp, opening, now))
        return give_up(tp, JR_C_TCP_TIMEOUTDROP, now);
    jr_tcp_count_c(tp, JR_C_TCP_REXMTTIMEO);
    if (opening) {
        jr_fastopen_on_lost_syn(tp, now);
        back_off_syn(tp);
        if (tp->t_rxtshift == 4)
            tp->rt_ok = false;
        tp->snd_nxt = tp->snd_una;
    } else {
        jr_plpmtud_on_rexmt(tp);
        back_off(tp, now);
    }
    tp->t_flags &= ~(uint32_t)TF_RTTVALID;
    tp->t_dupacks = 0;
    tp->t_flags |= TF_ACKNOW;
    jr_tcp_start_rexmt(tp, now);
    if (opening)
        jr_tcp_output(tp, now);
    else
        resend_first(tp, now);
    return true;
}

static bool on_persist(struct jr_tcpcb *tp, jr_time now)
{
    jr_tcp_count_c(tp, JR_C_TCP_PERSISTTIMEO);
    jr_time idle = now - tp->t_rcvtime;
    if ((tp->t_rxtshift >= JR_TCP_MAXRXTSHIFT && idle >= tp->keepidle * JR_MS) || user_timed_out(tp, now))
        return give_up(tp, JR_C_TCP_PERSISTDROP, now);
    /* A socket that nobody holds must not be kept alive for ever by a peer that never opens its window. */
    if ((tp->t_flags & TF_ORPHAN) && idle >= (jr_time)tp->keepcnt * tp->keepintvl * JR_MS)
        return give_up(tp, JR_C_TCP_PERSISTDROP, now);
    if (tp->t_rxtshift < JR_TCP_MAXRXTSHIFT)
        tp->t_rxtshift++;
    jr_tcp_output_probe(tp, now);
    if (jr_tcp_timer_active(tp, TT_REXMT))
        tp->t_rxtshift = 0; /* the window is only small, and now it is full */
    else if (jr_seq_gt(jr_tcp_data_end(tp), tp->snd_nxt))
        jr_tcp_start_persist(tp, now);
    return true;
}

static bool on_keep(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->t_state < TCPS_ESTABLISHED)
        return give_up(tp, JR_C_TCP_KEEPINIT_DROP, now);
    if (!wants_keepalive(tp))
        return true;
    jr_time idle = now - tp->t_rcvtime;
    if (tp->t_rcvtime >= tp->keepprobe_time)
        tp->keepprobes = 0;
    if (idle < tp->keepidle * JR_MS) {
        jr_tcp_timer_set(tp, TT_KEEP, tp->t_rcvtime + tp->keepidle * JR_MS);
        return true;
    }
    bool over = tp->user_timeout != 0 ? tp->keepprobes != 0 && idle >= tp->user_timeout * JR_MS
                                      : tp->keepprobes >= tp->keepcnt;
    if (over)
        return give_up(tp, JR_C_TCP_KEEPDROPS, now);
    tp->keepprobes++;
    tp->keepprobe_time = now;
    jr_tcp_count_c(tp, JR_C_TCP_KEEPPROBE);
    jr_tcp_output_keepalive(tp, now);
    jr_tcp_timer_set(tp, TT_KEEP, now + tp->keepintvl * JR_MS);
    return true;
}

static bool on_2msl(struct jr_tcpcb *tp, jr_time now)
{
    (void)now;
    if (tp->t_state == TCPS_FIN_WAIT_2)
        jr_tcp_count_c(tp, JR_C_TCP_FINWAIT2_DROPS);
    jr_tcp_dead(tp, 0);
    return false;
}

static bool on_delack(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->t_flags & TF_DELACK) {
        tp->t_flags = (tp->t_flags & ~(uint32_t)TF_DELACK) | TF_ACKNOW;
        jr_tcp_count_c(tp, JR_C_TCP_DELACK);
        jr_tcp_output(tp, now);
    }
    return true;
}

static bool on_nudge(struct jr_tcpcb *tp, jr_time now)
{
    jr_tcp_output_forced(tp, now);
    return true;
}

void jr_tcp_timer_run(struct jr_tcpcb *tp, jr_time now)
{
    static bool (*const run[TT__COUNT])(struct jr_tcpcb *, jr_time) = {
        [TT_REXMT] = on_rexmt, [TT_PERSIST] = on_persist, [TT_KEEP] = on_keep,
        [TT_2MSL] = on_2msl,   [TT_DELACK] = on_delack,   [TT_NUDGE] = on_nudge,
    };
    for (int i = 0; i < TT__COUNT; i++) {
        if (tp->t_dl[i] > now)
            continue;
        tp->t_dl[i] = JR_TIME_NEVER;
        if (!run[i](tp, now) || tp->t_state == TCPS_CLOSED)
            return;
    }
    jr_time first = JR_TIME_NEVER;
    for (int i = 0; i < TT__COUNT; i++)
        first = jr_min_u64(first, tp->t_dl[i]);
    if (first != JR_TIME_NEVER)
        jr_wheel_arm(&tp->tcp->wheel, &tp->timer, first);
}

/* So many connections whose time is up are fetched at once, as nothing of an idle one is in the cache. What one's timer
 * does leaves the others' memory alone until the flush. */
#define TICK_BATCH 16u

static unsigned pop_batch(struct jr_tcp *tcp, struct jr_tcpcb *batch[TICK_BATCH], jr_time now)
{
    struct jr_timer *t;
    unsigned n = 0;
    while (n < TICK_BATCH && (t = jr_wheel_pop(&tcp->wheel, now)) != NULL) {
        if (t->kind == JR_TIMER_SYNCACHE) {
            jr_syncache_timeout(tcp, t, now);
        } else if (t->kind == JR_TIMER_TIMEWAIT) {
            jr_timewait_timeout(tcp, now);
        } else {
            batch[n] = JR_CONTAINER_OF(t, struct jr_tcpcb, timer);
            jr_tcp_prefetch_pcb(batch[n++]);
        }
    }
    return n;
}

void jr_tcp_tick(struct jr_tcp *tcp, jr_time now)
{
    struct jr_tcpcb *batch[TICK_BATCH];
    unsigned n;
    while ((n = pop_batch(tcp, batch, now)) != 0) {
        for (unsigned i = 0; i < n; i++)
            __builtin_prefetch(batch[i]->rcv);
        for (unsigned i = 0; i < n; i++)
            jr_tcp_timer_run(batch[i], now);
    }
    jr_pace_tick(tcp, now);
    jr_tcp_flush(tcp, now);
}

jr_time jr_tcp_next_tick(const struct jr_tcp *tcp)
{
    return tcp->dirty_head != NULL || !jr_list_empty(&tcp->dead)
               ? 0
               : jr_min_u64(jr_wheel_next(&tcp->wheel), jr_pace_next(tcp));
}
