/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a control block: made, moved from state to state through one door, told to its socket in
 * batches, ended in one of three ways (drop: with a RST; dead: silently; TIME_WAIT: later). Memory is
 * given back only at the end of a flush, so that nobody up the call chain holds a stale pointer.
 */
#include "tcp/state.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "tcp/cc.h"
#include "tcp/fastopen.h"
#include "tcp/hostcache.h"
#include "tcp/md5sig.h"
#include "tcp/output.h"
#include "tcp/pace.h"
#include "tcp/pcb.h"
#include "tcp/reass.h"
#include "tcp/sack.h"
#include "tcp/timer.h"
#include "tcp/timewait.h"

void jr_tcp_move(struct jr_tcpcb *tp, int to)
{
    assert(jr_tcp_fsm_allowed(tp->t_state, to));
    tp->t_state = (uint8_t)to;
}

struct jr_tcpcb *jr_tcp_pcb_new(struct jr_tcp *tcp)
{
    const struct jr_tcp_config *cfg = &tcp->cfg;
    if (cfg->maxsockets != 0 && tcp->count >= cfg->maxsockets)
        return NULL;
    struct jr_tcpcb *tp = aligned_alloc(_Alignof(struct jr_tcpcb), sizeof *tp);
    if (tp == NULL)
        return NULL;
    memset(tp, 0, sizeof *tp);
    tp->tcp = tcp;
    tp->t_state = TCPS_CLOSED;
    for (int i = 0; i < TT__COUNT; i++)
        tp->t_dl[i] = JR_TIME_NEVER;
    tp->t_rttmin = tp->t_rttmin_prev = UINT32_MAX;
    jr_sendmap_init(&tp->map);
    tp->timer.kind = JR_TIMER_TCPCB;
    tp->snd = &tp->own_snd;
    tp->rcv = &tp->own_rcv;
    tp->t_maxseg = cfg->mssdflt;
    tp->snd_cwnd = tp->snd_ssthresh = UINT32_MAX / 4;
    tp->t_rxtcur = (uint32_t)(cfg->rexmit_initial * JR_MS);
    tp->pmtudisc = tp->pmtudisc6 = cfg->path_mtu_discovery ? IP_PMTUDISC_WANT : IP_PMTUDISC_DONT;
    tp->keepinit = cfg->keepinit;
    tp->keepidle = cfg->keepidle;
    tp->keepintvl = cfg->keepintvl;
    tp->keepcnt = cfg->keepcnt;
    tp->linger2 = jr_tcp_default_linger2(cfg);
    if (cfg->rfc1323)
        tp->t_flags |= TF_REQ_SCALE | TF_REQ_TSTMP;
    if (cfg->sack_enable)
        tp->t_flags |= TF_SACK_PERMIT;
    tp->cc = jr_cc_find(cfg->cc_algorithm);
    jr_list_init(&tp->link);
    jr_list_init(&tp->port_link);
    jr_list_push_tail(&tcp->all, &tp->all_link);
    tcp->count++;
    return tp;
}

void jr_tcp_pcb_free(struct jr_tcpcb *tp)
{
    jr_pcb_remove(tp);
    jr_wheel_cancel(&tp->tcp->wheel, &tp->timer);
    jr_pace_stop(tp);
    jr_reass_free(tp);
    jr_sack_free(tp);
    free(tp->fo);
    free(tp->fo_keys);
    jr_md5sig_free(tp);
    if (tp->own_rcv.base != NULL && tp->up != NULL && tp->up->embryo_free != NULL)
        tp->up->embryo_free(tp->so, &tp->own_rcv);
    jr_list_del(&tp->link);
    jr_list_del(&tp->all_link);
    tp->tcp->count--;
    while (tp->listener != NULL && jr_list_pop_head(&tp->listener->queue) != NULL)
        ; /* whoever still waits there outlives the list's head */
    free(tp->listener);
    free(tp);
}

void jr_tcp_bury(struct jr_tcpcb *tp)
{
    if (tp->t_flags & TF_DEAD)
        return;
    tp->t_flags |= TF_DEAD;
    jr_list_del(&tp->link);
    jr_list_push_tail(&tp->tcp->dead, &tp->link);
}

void jr_tcp_detach(struct jr_tcpcb *tp)
{
    if (tp->t_flags & TF_DETACHED)
        return;
    tp->t_flags |= TF_DETACHED;
    if (tp->snd != &tp->own_snd) {
        tp->snd_sb_seq = jr_tcp_data_end(tp);
        tp->own_snd = (struct jr_sockbuf){.head = tp->snd->tail, .tail = tp->snd->tail};
        tp->snd = &tp->own_snd;
    }
    if (tp->rcv != &tp->own_rcv) {
        tp->own_rcv = (struct jr_sockbuf){.head = tp->rcv->tail, .tail = tp->rcv->tail};
        tp->rcv = &tp->own_rcv;
    }
    jr_reass_free(tp);
    tp->ev_pending = 0;
    if (tp->t_flags & TF_ATTACHED)
        jr_tcp_event(tp, JR_TCP_EV_CLOSED);
}

static void leave_timewait(struct jr_tcpcb *tp)
{
    jr_list_del(&tp->link);
    tp->tcp->tw_count--;
}

void jr_tcp_dead(struct jr_tcpcb *tp, int error)
{
    if (tp->t_state == TCPS_TIME_WAIT)
        leave_timewait(tp);
    else
        jr_hostcache_update(tp);
    if (tp->t_state != TCPS_CLOSED)
        jr_tcp_move(tp, TCPS_CLOSED);
    jr_fastopen_settle(tp);
    jr_tcp_timers_stop(tp);
    jr_pcb_remove(tp);
    jr_reass_free(tp);
    jr_sack_free(tp);
    tp->t_flags &= ~(uint32_t)(TF_OUTPUT | TF_ACKNOW | TF_DELACK);
    if (error != 0)
        tp->t_error = error;
    if (!(tp->t_flags & TF_ORPHAN)) {
        if (tp->t_flags & TF_ATTACHED)
            jr_tcp_event(tp, error != 0 ? JR_TCP_EV_ERROR : JR_TCP_EV_TX); /* so that the state is looked at */
        return;
    }
    jr_tcp_detach(tp);
    if (!(tp->ev_pending & JR_TCP_EV_CLOSED))
        jr_tcp_bury(tp);
}

void jr_tcp_drop(struct jr_tcpcb *tp, int error, jr_time now)
{
    if (jr_tcp_have_rcvd_syn(tp->t_state) && tp->t_state != TCPS_TIME_WAIT) {
        jr_tcp_count_c(tp, JR_C_TCP_DROPS);
        jr_tcp_output_rst(tp, now);
    }
    if (error == ETIMEDOUT && tp->t_softerror != 0)
        error = tp->t_softerror;
    jr_tcp_dead(tp, error);
}

void jr_tcp_usrclosed(struct jr_tcpcb *tp, jr_time now)
{
    switch (tp->t_state) {
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECEIVED:
        tp->t_flags |= TF_NEEDFIN;
        break;
    case TCPS_ESTABLISHED:
        jr_tcp_move(tp, TCPS_FIN_WAIT_1);
        break;
    case TCPS_CLOSE_WAIT:
        jr_tcp_move(tp, TCPS_LAST_ACK);
        break;
    case TCPS_FIN_WAIT_2:
        if (tp->t_flags & TF_ORPHAN)
            jr_tcp_timer_set(tp, TT_2MSL, now + tp->linger2 * JR_MS);
        break;
    }
}

void jr_tcp_fin_acked(struct jr_tcpcb *tp, jr_time now)
{
    if (!(tp->t_flags & TF_ORPHAN))
        return;
    if (tp->t_state == TCPS_FIN_WAIT_2)
        jr_tcp_timer_set(tp, TT_2MSL, now + tp->linger2 * JR_MS);
    jr_tcp_detach(tp);
}

uint32_t jr_tcp_default_linger2(const struct jr_tcp_config *cfg)
{
    return cfg->fast_finwait2_recycle ? cfg->finwait2_timeout : cfg->keepcnt * cfg->keepintvl;
}

void jr_tcp_enter_timewait(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_tcp *tcp = tp->tcp;
    if (tcp->cfg.nolocaltimewait && tp->t_state != TCPS_TIME_WAIT && jr_ip_is_local(tcp->ip, tp->faddr)) {
        if (tp->t_flags & TF_ACKNOW)
            jr_tcp_output(tp, now);
        jr_tcp_dead(tp, 0);
        return;
    }
    if (tp->t_state != TCPS_TIME_WAIT) {
        jr_hostcache_update(tp);
        jr_tcp_move(tp, TCPS_TIME_WAIT);
        jr_tcp_timers_stop(tp);
        jr_sack_free(tp);
        jr_list_del(&tp->link);
        tcp->tw_count++;
        jr_tcp_count_c(tp, JR_C_TCP_TIMEWAIT);
    } else {
        jr_list_del(&tp->link);
    }
    jr_list_push_tail(&tcp->timewait, &tp->link);
    jr_tcp_timer_set(tp, TT_2MSL, now + 2ull * tcp->cfg.msl * JR_MS);
    if (tp->t_flags & TF_ORPHAN) {
        jr_tcp_detach(tp);
        jr_tcp_mark(tp); /* the flush makes it small */
    }
    if (tcp->tw_count <= tcp->cfg.maxtcptw)
        return;
    jr_tcp_count_c(tp, JR_C_TCP_TIMEWAIT_OVERFLOW);
    if (!jr_timewait_drop_oldest(tcp))
        jr_tcp_dead(JR_LIST_ENTRY(jr_list_first(&tcp->timewait), struct jr_tcpcb, link), 0);
}

static void deliver(struct jr_tcpcb *tp, jr_time now)
{
    uint32_t ev = tp->ev_pending;
    tp->ev_pending = 0;
    if (ev == 0 || !(tp->t_flags & TF_ATTACHED))
        return;
    if (ev & JR_TCP_EV_CLOSED)
        tp->t_flags &= ~(uint32_t)TF_ATTACHED;
    tp->up->event(tp->so, tp, ev, now);
    if (!(ev & JR_TCP_EV_CLOSED))
        return;
    tp->so = NULL;
    if (tp->t_state == TCPS_CLOSED)
        jr_tcp_bury(tp);
}

void jr_tcp_flush(struct jr_tcp *tcp, jr_time now)
{
    struct jr_tcpcb *tp;
    while ((tp = tcp->dirty_head) != NULL) {
        tcp->dirty_head = tp->dirty_next;
        if (tcp->dirty_head == NULL)
            tcp->dirty_tail = &tcp->dirty_head;
        tp->t_flags &= ~(uint32_t)TF_DIRTY;
        deliver(tp, now);
        if (tp->t_flags & TF_OUTPUT)
            jr_tcp_output(tp, now);
        if (tp->t_state == TCPS_TIME_WAIT)
            jr_timewait_compress(tp);
    }
    struct jr_list *l;
    while ((l = jr_list_first(&tcp->dead)) != NULL)
        jr_tcp_pcb_free(JR_LIST_ENTRY(l, struct jr_tcpcb, link));
}
