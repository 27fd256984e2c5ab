/* SPDX-License-Identifier: BSD-3-Clause */
#include "sock/pair.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>

#include "shm/region.h"
#include "sock/port.h"
#include "sock/sock.h"

#define CONNECT_TIMEOUT (75 * JR_SEC) /* as tcp's keepinit */

struct jr_pair {
    struct jr_list all;      /* in jr_socks.pairs */
    struct jr_list link;     /* in the listener's queue, or in jr_socks.waiting while it is full */
    struct jr_region region; /* its first page; exists once connected */
    struct jr_abi_pair *shm;
    uint32_t id;
    struct jr_sock *end[2];           /* 0: the connector, 1: the acceptor; NULL: gone, or not accepted yet */
    struct jr_sock *listener;         /* until accepted */
    struct jr_endpoint local, remote; /* as the connector sees them */
    jr_time deadline;
};

/* Whether a listener on its family's wildcard takes connections to a. */
static bool covers(const struct jr_sock *so, struct jr_addr a)
{
    if (jr_addr_is_v4(so->local.addr))
        return jr_addr_is_v4(a);
    return !jr_addr_is_v4(a) || !so->opt.v6only;
}

struct jr_sock *jr_pair_listener(struct jr_socks *ss, const struct jr_endpoint *ep)
{
    struct jr_sock *best = NULL;

    JR_LIST_EACH(l, &ss->listeners) {
        struct jr_sock *so = JR_LIST_ENTRY(l, struct jr_sock, listening);
        if (so->local.port != ep->port)
            continue;
        if (jr_addr_eq(so->local.addr, ep->addr))
            return so;
        if (jr_addr_is_any(so->local.addr) && covers(so, ep->addr))
            best = so;
    }
    return best;
}

static struct jr_pair *pair_new(struct jr_sock *so, struct jr_sock *listener)
{
    struct jr_pair *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    jr_list_init(&p->link);
    jr_list_push_tail(&so->ss->pairs, &p->all);
    so->ss->npairs++;
    p->end[0] = so;
    p->listener = listener;
    p->region.fd = -1;
    so->pair = p;
    so->pair_end = 0;
    return p;
}

static void pair_free(struct jr_socks *ss, struct jr_pair *p, bool dead)
{
    for (int i = 0; i < 2; i++)
        if (p->end[i])
            p->end[i]->pair = NULL;
    jr_list_del(&p->link);
    jr_list_del(&p->all);
    ss->npairs--;
    jr_region_free(&p->region, dead);
    free(p);
}

/* The region, and both ends' rings in it. */
static int pair_make(struct jr_socks *ss, struct jr_pair *p)
{
    const int r = jr_region_new(&p->region, "joyride-pair", JR_PAIR_SIZE, JR_PAIR_RING_OFF,
                                offsetof(struct jr_abi_pair, owner), 0);

    if (r < 0)
        return r;
    p->id = ++ss->next_pair_id;
    p->shm = (struct jr_abi_pair *)p->region.base;
    p->shm->magic = JR_ABI_MAGIC;
    p->shm->version = JR_ABI_VERSION;
    p->shm->checksum = JR_ABI_CHECKSUM;
    p->shm->pair_id = p->id;
    for (int i = 0; i < 2; i++)
        jr_ring_reset(&p->shm->ring[i], ss->cfg.ring_init);
    jr_count(ss->cfg.counters, JR_C_SOCK_PAIRS);
    return 0;
}

static void show_end(struct jr_sock *so, const struct jr_pair *p)
{
    so->sl->pair_id = p->id;
    jr_sock_set_state(so, JR_ST_CONNECTED | JR_ST_BOUND | JR_ST_PAIR, JR_ST_CONNECTING);
    jr_sock_touch(so, JR_SOCK_EV_STATE);
}

static bool has_room(const struct jr_sock *listener)
{
    return listener->nqueue + jr_tcp_accept_count(listener->tp) <= listener->backlog; /* one more, as Linux */
}

static void show_queue(struct jr_sock *listener)
{
    __atomic_store_n(&listener->sl->accept_ready, jr_tcp_accept_count(listener->tp) + listener->nqueue,
                     __ATOMIC_RELEASE);
}

static int enqueue(struct jr_pair *p)
{
    struct jr_sock *so = p->listener;
    const int r = pair_make(so->ss, p);

    if (r < 0)
        return r;
    jr_list_del(&p->link);
    jr_list_push_tail(&so->queue, &p->link);
    so->nqueue++;
    show_queue(so);
    jr_sock_touch(so, JR_SOCK_EV_DATA);
    show_end(p->end[0], p);
    return 0;
}

/* A port of the stack's own range: the control block that holds it stays with the socket. */
static int bind_connector(struct jr_sock *so, struct jr_addr to)
{
    struct jr_endpoint ep = {.addr = jr_sock_any(so)};

    if (!(so->st & JR_ST_BOUND)) {
        const int r = jr_tcp_bind(so->tp, &ep, 0);
        if (r < 0)
            return r;
        jr_tcp_local(so->tp, &ep);
        jr_port_use(so, &ep);
    } else {
        ep = so->local;
    }
    if (jr_addr_is_any(ep.addr))
        ep.addr = to;
    jr_sock_show_local(so, &ep);
    return 0;
}

int jr_pair_connect(struct jr_sock *so, struct jr_sock *listener, const struct jr_endpoint *to, jr_time now)
{
    struct jr_pair *p;
    int r = bind_connector(so, to->addr);

    if (r < 0)
        return r;
    p = pair_new(so, listener);
    if (!p)
        return -ENOBUFS;
    p->local = so->local;
    p->remote = *to;
    jr_sock_show_remote(so, to);
    if (has_room(listener)) {
        r = enqueue(p);
        if (r < 0)
            pair_free(so->ss, p, false);
        return r;
    }
    p->deadline = now + CONNECT_TIMEOUT;
    jr_list_push_tail(&so->ss->waiting, &p->link);
    jr_sock_set_state(so, JR_ST_CONNECTING | JR_ST_BOUND, 0);
    return -EINPROGRESS;
}

static void connect_failed(struct jr_socks *ss, struct jr_pair *p, int err)
{
    struct jr_sock *so = p->end[0];

    pair_free(ss, p, false);
    jr_sock_fail(so, err);
}

static void promote_waiting(struct jr_sock *listener)
{
    struct jr_socks *ss = listener->ss;

    JR_LIST_EACH_SAFE(l, &ss->waiting) {
        struct jr_pair *p = JR_LIST_ENTRY(l, struct jr_pair, link);
        if (!has_room(listener))
            return;
        if (p->listener == listener && enqueue(p) < 0)
            connect_failed(ss, p, ENOBUFS);
    }
}

bool jr_pair_accept(struct jr_sock *listener, struct jr_sock *so, jr_time now)
{
    struct jr_list *l = jr_list_pop_head(&listener->queue);
    struct jr_pair *p;

    (void)now;
    if (!l)
        return false;
    p = JR_LIST_ENTRY(l, struct jr_pair, link);
    listener->nqueue--;
    p->listener = NULL;
    p->end[1] = so;
    so->pair = p;
    so->pair_end = 1;
    jr_sock_show_local(so, &p->remote);
    jr_sock_show_remote(so, &p->local);
    show_end(so, p);
    if (__atomic_load_n(&p->shm->ring[0].flags, __ATOMIC_ACQUIRE) & JR_RING_FIN)
        jr_sock_set_state(so, JR_ST_RX_EOF, 0);
    promote_waiting(listener);
    show_queue(listener);
    return true;
}

/* The other program sleeps on a word of the region, which every state change counts for. */
static void wake_word(struct jr_socks *ss, const uint32_t *wait, uint32_t *woken, uint32_t *seq)
{
    __atomic_store_n(woken, __atomic_load_n(wait, __ATOMIC_SEQ_CST), __ATOMIC_RELAXED);
    __atomic_fetch_add(seq, 1, __ATOMIC_SEQ_CST);
    jr_wake_futex(&ss->wake, seq);
}

static void wake_ring(struct jr_socks *ss, struct jr_abi_ring *r)
{
    wake_word(ss, &r->data_wait, &r->data_woken, &r->data_seq);
    wake_word(ss, &r->space_wait, &r->space_woken, &r->space_seq);
}

static void finish_tx(struct jr_sock *so, uint32_t flags)
{
    struct jr_pair *p = so->pair;
    struct jr_sock *other = p->end[1 - so->pair_end];

    __atomic_fetch_or(&p->shm->ring[so->pair_end].flags, flags, __ATOMIC_SEQ_CST);
    wake_ring(so->ss, &p->shm->ring[so->pair_end]);
    if (!other)
        return;
    jr_sock_set_state(other, JR_ST_RX_EOF, 0);
    jr_sock_touch(other, JR_SOCK_EV_STATE);
}

static void finish_rx(struct jr_sock *so)
{
    struct jr_abi_ring *r = &so->pair->shm->ring[1 - so->pair_end];

    __atomic_fetch_or(&r->cflags, JR_RING_FIN, __ATOMIC_SEQ_CST);
    wake_ring(so->ss, r);
}

int jr_pair_shutdown(struct jr_sock *so, int how)
{
    if (!so->pair || !so->pair->shm)
        return so->st & JR_ST_CONNECTED ? 0 : -ENOTCONN; /* the other end is gone already: TCP takes a shutdown, too */
    if (how != SHUT_RD) {
        finish_tx(so, JR_RING_FIN);
        jr_sock_set_state(so, JR_ST_TX_CLOSED, 0);
        jr_sock_touch(so, JR_SOCK_EV_STATE);
    }
    if (how != SHUT_WR)
        finish_rx(so);
    return 0;
}

void jr_pair_queues(const struct jr_sock *so, uint64_t *rx, uint64_t *tx)
{
    const struct jr_abi_ring *out = &so->pair->shm->ring[so->pair_end], *in = &so->pair->shm->ring[1 - so->pair_end];

    *tx = __atomic_load_n(&out->tail, __ATOMIC_ACQUIRE) - __atomic_load_n(&out->head, __ATOMIC_ACQUIRE);
    *rx = __atomic_load_n(&in->tail, __ATOMIC_ACQUIRE) - __atomic_load_n(&in->head, __ATOMIC_ACQUIRE);
}

void jr_pair_close(struct jr_sock *so, bool abort)
{
    struct jr_pair *p = so->pair;
    struct jr_sock *other = p->end[1 - so->pair_end];
    uint64_t rx = 0, tx;

    if (p->shm) {
        jr_pair_queues(so, &rx, &tx);
        finish_tx(so, abort || rx ? JR_RING_FIN | JR_RING_RST : JR_RING_FIN);
        finish_rx(so);
    }
    if (other && (abort || rx))
        jr_sock_fail(other, ECONNRESET);
    p->end[so->pair_end] = NULL;
    so->pair = NULL;
    if (other || (p->shm && p->listener)) /* one that waits to be accepted is accepted and then found finished */
        return;
    pair_free(so->ss, p, false);
}

void jr_pair_listener_gone(struct jr_sock *listener)
{
    struct jr_socks *ss = listener->ss;

    JR_LIST_EACH_SAFE(l, &ss->waiting) {
        struct jr_pair *p = JR_LIST_ENTRY(l, struct jr_pair, link);
        if (p->listener == listener)
            connect_failed(ss, p, ECONNREFUSED);
    }
    for (struct jr_list *l; (l = jr_list_first(&listener->queue));) {
        struct jr_pair *p = JR_LIST_ENTRY(l, struct jr_pair, link);
        for (int i = 0; i < 2; i++) {
            __atomic_fetch_or(&p->shm->ring[i].flags, JR_RING_FIN | JR_RING_RST, __ATOMIC_SEQ_CST);
            wake_ring(ss, &p->shm->ring[i]);
        }
        jr_wake_flush(&ss->wake); /* the words go away with the region */
        if (p->end[0])
            connect_failed(ss, p, ECONNRESET);
        else
            pair_free(ss, p, false);
    }
    listener->nqueue = 0;
}

void jr_pair_on_dirty(struct jr_sock *so)
{
    struct jr_sock *other = so->pair->end[1 - so->pair_end];

    if (other)
        jr_sock_touch(other, JR_SOCK_EV_STATE);
}

int jr_pair_fd(const struct jr_pair *pair) { return pair->region.fd; }
uint32_t jr_pair_id(const struct jr_pair *pair) { return pair->id; }

void jr_pairs_expire(struct jr_socks *ss, jr_time now)
{
    JR_LIST_EACH_SAFE(l, &ss->waiting) {
        struct jr_pair *p = JR_LIST_ENTRY(l, struct jr_pair, link);
        if (now >= p->deadline)
            connect_failed(ss, p, ETIMEDOUT);
    }
}

void jr_pairs_end(struct jr_socks *ss)
{
    for (struct jr_list *l; (l = jr_list_first(&ss->pairs));)
        pair_free(ss, JR_LIST_ENTRY(l, struct jr_pair, all), true);
}
