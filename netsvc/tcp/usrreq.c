/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of the socket layer (RFC 9293 3.10.1 to 3.10.5): open, bind, listen, connect, accept, send, close. */
#include <stdlib.h>

#include "tcp/cc.h"
#include "tcp/fastopen.h"
#include "tcp/input.h"
#include "tcp/isn.h"
#include "tcp/md5sig.h"
#include "tcp/mss.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/reass.h"
#include "tcp/state.h"
#include "tcp/syncache.h"
#include "tcp/timer.h"

struct jr_tcpcb *jr_tcp_open(struct jr_tcp *tcp, const struct jr_tcp_upcalls *up, void *so)
{
    struct jr_tcpcb *tp = jr_tcp_pcb_new(tcp);
    if (tp == NULL) {
        jr_count(tcp->counters, JR_C_TCP_NOMEM);
        return NULL;
    }
    tp->up = up;
    tp->so = so;
    tp->t_flags |= TF_ATTACHED;
    return tp;
}

int jr_tcp_bind(struct jr_tcpcb *tp, const struct jr_endpoint *local, uint32_t flags)
{
    if (tp->t_state != TCPS_CLOSED || tp->lport != 0)
        return -EINVAL;
    if (!jr_addr_is_any(local->addr) && !jr_ip_is_local(tp->tcp->ip, local->addr))
        return -EADDRNOTAVAIL;
    tp->t_flags &= ~(uint32_t)(TF_REUSEADDR | TF_REUSEPORT);
    if (flags & JR_TCP_BIND_REUSEADDR)
        tp->t_flags |= TF_REUSEADDR;
    if (flags & JR_TCP_BIND_REUSEPORT)
        tp->t_flags |= TF_REUSEPORT;
    if (flags & JR_TCP_BIND_FRESH && jr_pcb_port_is_used(tp, local->addr, local->port))
        return -EADDRINUSE;
    return jr_pcb_bind(tp, local->addr, local->port);
}

void jr_tcp_set_reuse(struct jr_tcpcb *tp, uint32_t flags)
{
    if (!(tp->t_flags & TF_BOUND)) /* others are counted by what they were */
        return;
    tp->t_flags &= ~(uint32_t)(TF_REUSEADDR | TF_REUSEPORT);
    tp->t_flags |= (flags & JR_TCP_BIND_REUSEADDR ? TF_REUSEADDR : 0u) |
                   (flags & JR_TCP_BIND_REUSEPORT ? TF_REUSEPORT : 0u);
}

int jr_tcp_listen(struct jr_tcpcb *tp, uint32_t backlog, jr_time now)
{
    (void)now;
    backlog = jr_min_u32(backlog, tp->tcp->cfg.somaxconn);
    if (tp->t_state == TCPS_LISTEN) {
        tp->listener->backlog = backlog;
        return 0;
    }
    if (tp->t_state != TCPS_CLOSED || tp->t_error != 0)
        return -EINVAL;
    if (tp->lport == 0) {
        int err = jr_pcb_bind(tp, tp->laddr, 0);
        if (err != 0)
            return err;
    }
    if (!jr_pcb_may_listen(tp))
        return -EADDRINUSE;
    tp->listener = calloc(1, sizeof *tp->listener);
    if (tp->listener == NULL)
        return -ENOMEM;
    jr_list_init(&tp->listener->queue);
    tp->listener->backlog = backlog;
    jr_tcp_move(tp, TCPS_LISTEN);
    return 0;
}

void jr_tcp_set_rcv_space(struct jr_tcpcb *tp, uint32_t bytes) { tp->rcv_space = bytes; }

/* Completes tp's four-tuple. */
static int choose_addresses(struct jr_tcpcb *tp, const struct jr_endpoint *remote)
{
    tp->faddr = remote->addr;
    tp->fport = remote->port;
    if (jr_addr_is_any(tp->laddr)) {
        memset(&tp->rt, 0, sizeof tp->rt);
        tp->rt_ok = false;
    }
    if (!jr_tcp_route(tp))
        return -ENETUNREACH;
    if (jr_addr_is_any(tp->laddr))
        tp->laddr = tp->rt.src;
    if (jr_addr_is_v4(tp->laddr) != jr_addr_is_v4(tp->faddr))
        return -EADDRNOTAVAIL;
    if (tp->lport == 0)
        tp->lport = jr_pcb_pick_port(tp);
    if (tp->lport == 0)
        return -EADDRNOTAVAIL;
    if (jr_pcb_lookup(tp->tcp, tp->laddr, tp->lport, tp->faddr, tp->fport) != NULL)
        return tp->t_flags & TF_BOUND ? -EADDRNOTAVAIL : -EADDRINUSE;
    return 0;
}

int jr_tcp_connect(struct jr_tcpcb *tp, const struct jr_endpoint *remote, jr_time now)
{
    if (tp->t_state != TCPS_CLOSED || tp->t_error != 0)
        return -EISCONN;
    if (jr_addr_is_any(remote->addr))
        return -EADDRNOTAVAIL;
    const struct jr_addr laddr = tp->laddr;
    const uint16_t lport = tp->lport;
    int err = choose_addresses(tp, remote);
    if (err == 0 && !jr_pcb_insert(tp))
        err = -ENOMEM;
    if (err != 0) {
        tp->laddr = laddr;
        tp->lport = lport;
        return err;
    }
    tp->iss = jr_tcp_new_isn(tp->tcp, tp->laddr, tp->lport, tp->faddr, tp->fport, now);
    tp->snd_una = tp->snd_nxt = tp->snd_max = tp->snd_up = tp->snd_sml = tp->snd_recover = tp->iss;
    tp->snd_sb_seq = jr_seq_add(tp->iss, 1);
    tp->ts_offset = jr_tcp_ts_offset(tp->tcp, tp->laddr, tp->faddr);
    tp->t_rcvtime = now;
    jr_tcp_mss_update(tp);
    tp->md5 = jr_md5sig_key(tp, tp->faddr);
    jr_fastopen_connect(tp, now);
    jr_tcp_move(tp, TCPS_SYN_SENT);
    jr_tcp_count_c(tp, JR_C_TCP_CONNECTS);
    jr_tcp_start_keep(tp, now);
    jr_tcp_output(tp, now); /* should it fail, the timer tries again */
    return 0;
}

struct jr_tcpcb *jr_tcp_accept(struct jr_tcpcb *l)
{
    struct jr_list *first = l->listener != NULL ? jr_list_pop_head(&l->listener->queue) : NULL;
    if (first == NULL)
        return NULL;
    struct jr_tcpcb *tp = JR_LIST_ENTRY(first, struct jr_tcpcb, link);
    l->listener->len--;
    jr_fastopen_settle(tp);
    tp->parent = NULL;
    return tp;
}

uint32_t jr_tcp_accept_count(const struct jr_tcpcb *l) { return l->listener != NULL ? l->listener->len : 0; }

static void release_embryo_buffer(struct jr_tcpcb *tp)
{
    jr_reass_free(tp);
    if (tp->own_rcv.base != NULL && tp->up->embryo_free != NULL)
        tp->up->embryo_free(tp->so, &tp->own_rcv);
    tp->own_rcv = (struct jr_sockbuf){.head = tp->own_rcv.tail, .tail = tp->own_rcv.tail};
}

/* Copies [from, to) of the stream between rings of different sizes. */
static void copy_stream(struct jr_sockbuf *dst, const struct jr_sockbuf *src, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint32_t at = (uint32_t)from & (src->cap - 1);
        uint32_t n = (uint32_t)jr_min_u64(to - from, src->cap - at);
        jr_sockbuf_write(dst, from, src->base + at, n);
        from += n;
    }
}

/* What came before the socket had a buffer moves into it; what doesn't fit is the peer's to send again. */
static void adopt_received(struct jr_tcpcb *tp, struct jr_sockbuf *rcv)
{
    const struct jr_sockbuf *old = tp->rcv;
    uint64_t high = jr_tcp_rcv_off(tp, jr_reass_high(tp));
    rcv->head = old->head;
    rcv->tail = old->tail;
    if (old->cap == 0 || high == old->head)
        return;
    if (rcv->cap < high - old->head) {
        jr_reass_free(tp);
        high = jr_min_u64(old->tail, old->head + rcv->cap);
        rcv->tail = high; /* callers give no less than recvspace; this only keeps memory whole */
    }
    copy_stream(rcv, old, old->head, high);
}

void jr_tcp_attach(struct jr_tcpcb *tp, void *so, struct jr_sockbuf *snd, struct jr_sockbuf *rcv)
{
    adopt_received(tp, rcv);
    if (tp->rcv == &tp->own_rcv && tp->own_rcv.base != NULL) {
        if (tp->up->embryo_free != NULL)
            tp->up->embryo_free(tp->so, &tp->own_rcv);
        tp->own_rcv = (struct jr_sockbuf){0};
    }
    snd->head = tp->snd->head;
    snd->tail = jr_max_u64(snd->tail, tp->snd->tail);
    tp->snd = snd;
    tp->rcv = rcv;
    tp->so = so;
    tp->t_flags |= TF_ATTACHED;
    uint32_t ev = 0;
    if (jr_sockbuf_used(rcv) != 0)
        ev |= JR_TCP_EV_RX;
    if (jr_tcp_have_rcvd_fin(tp->t_state))
        ev |= JR_TCP_EV_RX_FIN;
    if (tp->t_error != 0)
        ev |= JR_TCP_EV_ERROR;
    if (tp->urg_seen)
        ev |= JR_TCP_EV_URG;
    if (ev != 0)
        jr_tcp_event(tp, ev);
}

void jr_tcp_send(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_flags &= ~(uint32_t)TF_MORE;
    jr_tcp_output(tp, now);
}

void jr_tcp_send_more(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_flags |= TF_MORE;
    jr_tcp_output(tp, now);
}

void jr_tcp_send_urgent(struct jr_tcpcb *tp, uint64_t off, jr_time now)
{
    if (tp->t_state < TCPS_ESTABLISHED)
        return;
    if (off > tp->snd->head)
        tp->snd_up = jr_seq_add(tp->snd_sb_seq, (uint32_t)(off - tp->snd->head));
    tp->t_flags &= ~(uint32_t)TF_MORE;
    jr_tcp_output_forced(tp, now);
}

void jr_tcp_recved(struct jr_tcpcb *tp, jr_time now)
{
    if (jr_tcp_window_update_due(tp))
        jr_tcp_output(tp, now);
}

void jr_tcp_buffers_changed(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->t_state < TCPS_ESTABLISHED)
        return;
    if (jr_tcp_window_update_due(tp) || jr_seq_gt(jr_tcp_data_end(tp), tp->snd_nxt))
        jr_tcp_output(tp, now);
}

void jr_tcp_shutdown(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_flags &= ~(uint32_t)(TF_MORE | TF_CORK);
    jr_tcp_usrclosed(tp, now);
    jr_tcp_output(tp, now);
}

void jr_tcp_cantrcv(struct jr_tcpcb *tp) { tp->t_flags2 |= TF2_CANTRCV; }

static void close_embryo(struct jr_tcpcb *tp, jr_time now)
{
    tp->parent = NULL;
    tp->t_flags |= TF_ORPHAN;
    release_embryo_buffer(tp);
    if (tp->t_state != TCPS_CLOSED)
        jr_tcp_drop(tp, ECONNABORTED, now);
    else
        jr_tcp_dead(tp, 0);
}

static void close_listener(struct jr_tcpcb *l, jr_time now)
{
    struct jr_tcpcb *tp;
    jr_syncache_forget(l);
    while ((tp = jr_tcp_accept(l)) != NULL)
        close_embryo(tp, now);
    jr_tcp_dead(l, 0);
}

void jr_tcp_close(struct jr_tcpcb *tp, bool abort, jr_time now)
{
    if (tp->t_flags & TF_ORPHAN) { /* a second call may still cut a graceful close short */
        if (abort && !(tp->t_flags & TF_DETACHED))
            jr_tcp_drop(tp, ECONNABORTED, now);
        return;
    }
    if (tp->rcv == &tp->own_rcv)
        release_embryo_buffer(tp);
    tp->t_flags |= TF_ORPHAN;
    tp->t_flags &= ~(uint32_t)(TF_MORE | TF_CORK);
    if (tp->t_state == TCPS_LISTEN) {
        close_listener(tp, now);
        return;
    }
    if (tp->t_state == TCPS_CLOSED || tp->t_state == TCPS_SYN_SENT) {
        jr_tcp_dead(tp, 0);
        return;
    }
    if (tp->t_state == TCPS_TIME_WAIT) {
        jr_tcp_detach(tp);
        return;
    }
    if (abort) {
        jr_tcp_drop(tp, ECONNABORTED, now);
        return;
    }
    jr_tcp_usrclosed(tp, now);
    jr_tcp_output(tp, now);
    if (tp->t_state == TCPS_FIN_WAIT_2)
        jr_tcp_fin_acked(tp, now);
}

int jr_tcp_error(const struct jr_tcpcb *tp) { return tp->t_error; }
int jr_tcp_state(const struct jr_tcpcb *tp) { return tp->t_state; }
struct jr_sockbuf *jr_tcp_snd(struct jr_tcpcb *tp) { return tp->snd; }
struct jr_sockbuf *jr_tcp_rcv(struct jr_tcpcb *tp) { return tp->rcv; }

void jr_tcp_local(const struct jr_tcpcb *tp, struct jr_endpoint *out)
{
    *out = (struct jr_endpoint){tp->laddr, tp->lport};
}

void jr_tcp_remote(const struct jr_tcpcb *tp, struct jr_endpoint *out)
{
    *out = (struct jr_endpoint){tp->faddr, tp->fport};
}

uint64_t jr_tcp_rcv_held(const struct jr_tcpcb *tp) { return jr_tcp_rcv_off(tp, jr_reass_high(tp)); }

uint64_t jr_tcp_rcv_edge(const struct jr_tcpcb *tp)
{
    uint64_t edge = tp->rcv->tail + jr_tcp_rcv_open(tp);
    return jr_min_u64(edge, tp->rcv->head + tp->rcv->cap);
}

uint32_t jr_tcp_rcv_limit(const struct jr_tcpcb *tp) { return jr_tcp_rcv_hiwat(tp); }
uint32_t jr_tcp_rcv_want(const struct jr_tcpcb *tp) { return jr_max_u32(tp->rcv_want, tp->rcv->cap); }
uint32_t jr_tcp_snd_want(const struct jr_tcpcb *tp) { return jr_max_u32(tp->snd_want, tp->snd->cap); }

bool jr_tcp_urgent(const struct jr_tcpcb *tp, uint64_t *off)
{
    *off = tp->urg_off;
    return tp->urg_seen;
}

uint64_t jr_tcp_urgent_run(const struct jr_tcpcb *tp) { return tp->urg_run; }
