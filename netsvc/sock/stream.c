/* SPDX-License-Identifier: BSD-3-Clause */
/* Stream sockets: what tcp reports goes to the slot and its rings, what the app published goes to tcp. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "jr_tcp_fsm.h"

#include "sock/pair.h"
#include "sock/port.h"
#include "sock/self.h"

enum { LOOKS = 4 }; /* at a program that reads just now */

/*
 * Where the app is to mark its reading next: often enough to keep the peer sending, rarely enough to cost nothing. A
 * peer whose segments are large beside the buffer may wait for just one update, and a ring that is to grow always can
 * when all of it has been read. true: the app has come as far already, and saw the old mark.
 */
static bool set_notify_at(struct jr_sock *so)
{
    uint32_t step = so->rcv.cap / 4;

    if (so->tp)
        step = jr_min_u32(step, jr_tcp_rcv_due_in(so->tp));
    if (so->rx_want > so->rcv.cap)
        step = jr_min_u32(step, jr_sockbuf_used(&so->rcv));
    __atomic_store_n(&so->sl->rx_notify_at, so->rcv.head + step, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&so->sl->rx.head, __ATOMIC_SEQ_CST) - so->rcv.head >= jr_max_u32(step, 1);
}

/*
 * Before the bytes are: the urgent mark, by which the program's reads stop. Linux passes over an urgent byte that a
 * newer one replaced, right behind it or later, if reading had come just as far; the program does it at gap_at.
 */
static void show_urgent(struct jr_sock *so)
{
    struct jr_abi_ring *rx = &so->sl->rx;
    const uint64_t head = __atomic_load_n(&rx->head, __ATOMIC_ACQUIRE);
    const uint64_t pos = head == so->gap_at ? so->gap_end : head;
    uint64_t off, to = pos;

    if (!jr_tcp_urgent(so->tp, &off))
        return;
    if (so->rx_urg == pos + 1 && so->rx_urg < off)
        to = so->rx_urg;
    if (to >= jr_tcp_urgent_run(so->tp) && to < off - 1)
        to = off - 1;
    if (to > pos) {
        so->gap_at = head;
        so->gap_end = to;
        __atomic_store_n(&rx->gap_end, so->gap_end, __ATOMIC_RELEASE);
        __atomic_store_n(&rx->gap_at, so->gap_at, __ATOMIC_RELEASE);
    }
    so->rx_urg = off;
    __atomic_store_n(&rx->urg, off, __ATOMIC_RELEASE);
}

/* The program marked a byte urgent that is in the ring now. */
static bool take_urgent(struct jr_sock *so)
{
    const uint64_t urg = __atomic_load_n(&so->sl->tx.urg, __ATOMIC_ACQUIRE);

    if (urg == so->tx_urg || urg > so->snd.tail || urg <= so->snd.head)
        return false;
    so->tx_urg = urg;
    return true;
}

void jr_stream_attach(struct jr_sock *so)
{
    jr_tcp_attach(so->tp, so, &so->snd, &so->rcv);
    so->attached = true;
    show_urgent(so);
    __atomic_store_n(&so->sl->tx.head, so->snd.head, __ATOMIC_RELEASE);
    __atomic_store_n(&so->sl->rx.tail, so->rcv.tail, __ATOMIC_RELEASE);
    set_notify_at(so);
}

static bool sync_rx(struct jr_sock *so, jr_time now)
{
    for (int i = 0; i < LOOKS; i++) {
        const uint32_t what = jr_ring_take_rx(&so->sl->rx, &so->rcv);

        if (what & JR_RING_BAD) {
            jr_sock_violation(so, JR_C_SHM_RING_BAD, now);
            return false;
        }
        if (!(what & JR_RING_MOVED))
            return true;
        if (so->rx_want > so->rcv.cap)
            jr_tune_try_rx(so, now);
        if (so->tp)
            jr_tcp_recved(so->tp, now);
        if (!set_notify_at(so))
            return true;
    }
    return true;
}

int jr_stream_connect(struct jr_sock *so, const struct jr_endpoint *ep, jr_time now)
{
    struct jr_endpoint local;
    const int r = jr_tcp_connect(so->tp, ep, now);

    if (r < 0)
        return r;
    jr_tcp_local(so->tp, &local);
    jr_port_use(so, &local);
    jr_sock_show_local(so, &local);
    jr_sock_show_remote(so, ep);
    jr_sock_set_state(so, JR_ST_CONNECTING | JR_ST_BOUND | jr_self_bit(so->ss, ep->addr), JR_ST_CONNECTED);
    return -EINPROGRESS;
}

static void connect_deferred(struct jr_sock *so, jr_time now)
{
    const struct jr_endpoint to = so->remote;
    int r;

    so->deferred = false;
    r = jr_stream_connect(so, &to, now);
    if (r != -EINPROGRESS)
        jr_sock_fail(so, -r);
}

/* is_last: the FIN comes next, and the last bytes go with it. */
static bool sync_tx(struct jr_sock *so, bool is_last, jr_time now)
{
    const uint32_t what = jr_ring_take_tx(&so->sl->tx, &so->snd, so->tx_grant);
    const uint32_t flags = __atomic_load_n(&so->sl->tx.flags, __ATOMIC_ACQUIRE);

    if (what & JR_RING_BAD) {
        jr_sock_violation(so, JR_C_SHM_RING_BAD, now);
        return false;
    }
    if (!so->tp)
        return true;
    if (so->deferred) {
        if (what & JR_RING_MOVED)
            connect_deferred(so, now);
        return true;
    }
    if ((what & JR_RING_RESIZED) && !(what & JR_RING_MOVED))
        jr_tcp_buffers_changed(so->tp, now);
    if (what & JR_RING_MOVED) {
        jr_tune_used(so);
        if (take_urgent(so))
            jr_tcp_send_urgent(so->tp, so->tx_urg, now);
        else if ((flags & (JR_RING_MORE | JR_RING_FIN)) || is_last)
            jr_tcp_send_more(so->tp, now);
        else
            jr_tcp_send(so->tp, now);
    }
    if ((flags & JR_RING_FIN) && !so->fin_sent) {
        so->fin_sent = true;
        jr_tcp_shutdown(so->tp, now);
        jr_sock_set_state(so, JR_ST_TX_CLOSED, 0);
    }
    return true;
}

static void sync(struct jr_sock *so, bool is_last, jr_time now)
{
    if (!so->attached || so->broken)
        return;
    /* The stream ends at our FIN: what the app publishes behind it was never sent */
    if (so->fin_sent || sync_tx(so, is_last, now))
        sync_rx(so, now);
}

void jr_stream_sync(struct jr_sock *so, jr_time now) { sync(so, false, now); }

void jr_stream_on_dirty(struct jr_sock *so, jr_time now)
{
    if (so->pair)
        jr_pair_on_dirty(so);
    else
        jr_stream_sync(so, now);
}

void jr_stream_on_low_water(struct jr_sock *so, jr_time now)
{
    const uint32_t low = __atomic_load_n(&so->sl->rcvlowat, __ATOMIC_RELAXED);

    if (so->attached)
        jr_stream_sync(so, now);
    const uint32_t used = so->attached ? jr_sockbuf_used(&so->rcv) : 0;
    if ((so->st & JR_ST_RX_EOF) || (used != 0 && used >= low))
        jr_sock_touch(so, JR_SOCK_EV_EDGE_IN);
}

static void on_rx(struct jr_sock *so, jr_time now)
{
    __atomic_store_n(&so->sl->rx.tail, so->rcv.tail, __ATOMIC_RELEASE);
    jr_sock_touch(so, JR_SOCK_EV_DATA);
    jr_tune_used(so);
    /* A ring that wants to grow looks at every arrival: bytes in their places let it only half of the time. */
    if (so->broken || (jr_sockbuf_used(&so->rcv) < so->rcv.cap / 2 && so->rx_want <= so->rcv.cap))
        return;
    if (!sync_rx(so, now) || so->rx_want <= so->rcv.cap)
        return;
    jr_tune_try_rx(so, now);
    set_notify_at(so);
}

void jr_stream_show_mss(struct jr_sock *so)
{
    int mss = 0;
    uint32_t len = sizeof mss;

    if (jr_tcp_getopt(so->tp, IPPROTO_TCP, TCP_MAXSEG, &mss, &len, 0) == 0)
        so->sl->mss = (uint32_t)mss;
}

static void on_connected(struct jr_sock *so)
{
    struct jr_endpoint ep;

    jr_tcp_local(so->tp, &ep);
    jr_sock_show_local(so, &ep);
    jr_stream_show_mss(so);
    jr_sock_set_state(so, JR_ST_CONNECTED | JR_ST_BOUND, JR_ST_CONNECTING);
    jr_sock_touch(so, JR_SOCK_EV_STATE);
}

static void on_error(struct jr_sock *so, struct jr_tcpcb *tp)
{
    int err = jr_tcp_error(tp);

    if (so->broken)
        return;
    /* Linux: a reset in CLOSE_WAIT. Reading goes on to say that the stream ended. */
    if (err == ECONNRESET && (so->st & JR_ST_RX_EOF) && !so->fin_sent)
        err = EPIPE;
    jr_sock_fail(so, err);
}

static void on_closed(struct jr_sock *so)
{
    so->tp = NULL;
    so->attached = false;
    __atomic_store_n(&so->sl->tcp_state, 0, __ATOMIC_RELAXED);
    if (so->handle_open && !(so->st & (JR_ST_DEAD | JR_ST_CONNECTED | JR_ST_LISTENING)))
        jr_sock_set_state(so, 0, JR_ST_BOUND);
}

static void on_event(void *arg, struct jr_tcpcb *tp, uint32_t events, jr_time now)
{
    struct jr_sock *so = arg;

    if (so->tp == tp) {
        if (so->attached && (events & JR_TCP_EV_TX)) {
            __atomic_store_n(&so->sl->tx.head, so->snd.head, __ATOMIC_RELEASE);
            if (JR_UNLIKELY(jr_tcp_state(tp) == TCPS_CLOSED))
                __atomic_store_n(&so->sl->tcp_state, TCPS_CLOSED, __ATOMIC_RELAXED);
            if (so->tx_grant > so->snd.cap && jr_sockbuf_used(&so->snd) > so->snd.cap / 2)
                jr_tune_try_tx(so);
            jr_sock_touch(so, JR_SOCK_EV_SPACE);
        }
        if (so->attached && (events & JR_TCP_EV_URG)) {
            show_urgent(so);
            jr_sock_touch(so, JR_SOCK_EV_DATA);
        }
        if (so->attached && (events & JR_TCP_EV_RX))
            on_rx(so, now);
        if (events & JR_TCP_EV_RX_FIN) {
            __atomic_fetch_or(&so->sl->rx.flags, JR_RING_FIN, __ATOMIC_RELEASE);
            jr_sock_set_state(so, JR_ST_RX_EOF, 0);
            jr_sock_touch(so, JR_SOCK_EV_STATE);
        }
        if (events & JR_TCP_EV_CONNECTED)
            on_connected(so);
        if (events & JR_TCP_EV_ERROR)
            on_error(so, tp);
        if (events & JR_TCP_EV_ACCEPT) {
            __atomic_store_n(&so->sl->accept_ready, jr_tcp_accept_count(tp) + so->nqueue, __ATOMIC_RELEASE);
            jr_sock_touch(so, JR_SOCK_EV_DATA);
        }
        if ((events & JR_TCP_EV_WANT) && so->attached && !so->broken)
            jr_tune_on_want(so, now);
    }
    if (!(events & JR_TCP_EV_CLOSED))
        return;
    if (so->tp == tp)
        on_closed(so);
    if (--so->ntp == 0 && !so->handle_open)
        jr_sock_release(so);
}

/* An embryo's buffer remembers whose limit it counts against: its listener may be gone when it is freed. */
struct embryo {
    struct jr_socks *ss;
    uint64_t bytes;
    uint8_t data[];
};
#define EMBRYO_BYTES 65536u

static bool embryo_rcvbuf(void *arg, struct jr_sockbuf *rcv)
{
    const struct jr_sock *listener = arg;
    struct jr_socks *ss = listener->ss;
    struct embryo *e;

    if (ss->embryo_bytes + EMBRYO_BYTES > ss->cfg.embryo_bytes_max || !(e = malloc(sizeof *e + EMBRYO_BYTES))) {
        jr_count(ss->cfg.counters, JR_C_SOCK_EMBRYO_FULL);
        return false;
    }
    e->ss = ss;
    e->bytes = EMBRYO_BYTES;
    ss->embryo_bytes += EMBRYO_BYTES;
    rcv->base = e->data;
    rcv->cap = listener->opt.rcvbuf ? jr_min_u32(EMBRYO_BYTES, listener->rcv.cap) : EMBRYO_BYTES;
    return true;
}

static void embryo_free(void *arg, struct jr_sockbuf *rcv)
{
    struct embryo *e = JR_CONTAINER_OF(rcv->base, struct embryo, data);

    (void)arg;
    e->ss->embryo_bytes -= e->bytes;
    free(e);
    rcv->base = NULL;
    rcv->cap = 0;
}

const struct jr_tcp_upcalls jr_stream_upcalls = {
    .event = on_event,
    .embryo_rcvbuf = embryo_rcvbuf,
    .embryo_free = embryo_free,
};

void jr_stream_on_close(struct jr_sock *so, jr_time now)
{
    const bool abort = so->opt.linger_on && so->opt.linger_s == 0;

    jr_sock_stop_listening(so);
    if (so->pair)
        jr_pair_close(so, abort);
    sync(so, !abort, now);
    if (so->tp && so->attached && jr_sockbuf_used(&so->rcv) != 0)
        jr_tcp_send(so->tp, now); /* unread bytes make a RST of the FIN, which takes nothing along */
    if (so->tp)                   /* unread: RFC 2525 2.17, as Linux does */
        jr_tcp_close(so->tp, abort || so->broken || jr_sockbuf_used(jr_tcp_rcv(so->tp)) != 0, now);
}
