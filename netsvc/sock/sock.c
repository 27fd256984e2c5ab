/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a socket: from the handle's making to the moment nobody needs its slot any more. */
#include "sock/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sock/pair.h"
#include "sock/port.h"

/* A grant with which the largest datagram fits into the ring before the service knows what the socket is. */
#define FIRST_GRANT 131072u

static void reset_slot(struct jr_sock *so)
{
    struct jr_abi_slot *sl = so->sl;

    __atomic_store_n(&sl->state, 0, __ATOMIC_RELEASE);
    memset(sl, 0, sizeof *sl);
    jr_ring_reset(&sl->tx, so->snd.cap);
    jr_ring_reset(&sl->rx, so->rcv.cap);
    sl->shadow_fd = -1;
    sl->tx_grant = so->tx_grant;
    sl->rx_notify_at = UINT64_MAX;
    sl->gen = ++so->ss->next_gen;
    __atomic_store_n(&sl->state, so->st, __ATOMIC_RELEASE);
}

static void init_lists(struct jr_sock *so)
{
    jr_list_init(&so->all);
    jr_list_init(&so->touched);
    jr_list_init(&so->busy);
    jr_list_init(&so->used);
    jr_list_init(&so->listening);
    jr_list_init(&so->queue);
    jr_list_init(&so->errors);
    jr_list_init(&so->merging);
}

struct jr_sock *jr_sock_new(struct jr_socks *ss, struct jr_seg *seg, struct jr_peer *peer, void *handle)
{
    struct jr_sock *so = calloc(1, sizeof *so);

    if (!so)
        return NULL;
    so->slot = jr_seg_slot_get(seg, so);
    if (so->slot == JR_NO_SLOT) {
        free(so);
        return NULL;
    }
    so->ss = ss;
    so->seg = seg;
    so->sl = &seg->slots[so->slot];
    so->handle = handle;
    so->handle_open = true;
    so->kernel_fd = -1;
    so->peer = jr_peer_get(peer);
    so->st = JR_ST_IN_USE;
    so->tx_grant = jr_max_u32(ss->cfg.ring_init, FIRST_GRANT);
    so->snd = (struct jr_sockbuf){.base = jr_seg_tx_base(seg, so->slot), .cap = ss->cfg.ring_init};
    so->rcv = (struct jr_sockbuf){.base = jr_seg_rx_base(seg, so->slot), .cap = ss->cfg.ring_init};
    init_lists(so);
    jr_list_push_tail(&ss->all, &so->all);
    jr_tune_set_limits(so);
    reset_slot(so);
    ss->nsocks++;
    peer->user->nsocks++;
    jr_count(ss->cfg.counters, JR_C_SOCK_MADE);
    return so;
}

void jr_sock_held_by(struct jr_sock *so, struct jr_peer *peer)
{
    struct jr_peer *before = so->holder;

    if (peer == so->peer)
        return;
    so->holder = jr_peer_get(peer);
    if (before)
        jr_peer_put(before);
}

static void put_slot(struct jr_sock *so, struct jr_seg *seg, uint32_t slot)
{
    __atomic_store_n(&seg->slots[slot].state, 0, __ATOMIC_RELEASE);
    if (so->snd.tail | so->rcv.tail) {
        seg->warm[slot >> 6] |= 1ull << (slot & 63);
        if (!jr_list_linked(&seg->warm_link))
            jr_list_push_tail(&so->ss->warm, &seg->warm_link);
    }
    jr_seg_slot_put(seg, slot);
    if (seg->nused == 0 && !seg->owner)
        so->ss->cfg.host.seg_unused(so->ss->cfg.host.ctx, seg);
}

void jr_sock_release(struct jr_sock *so)
{
    struct jr_socks *ss = so->ss;

    jr_port_unreserve(so);
    jr_list_del(&so->all);
    jr_list_del(&so->touched);
    jr_list_del(&so->busy);
    jr_list_del(&so->used);
    jr_list_del(&so->listening);
    jr_list_del(&so->merging);
    jr_errq_purge(so);
    jr_dgram_cork_free(so);
    put_slot(so, so->seg, so->slot);
    if (so->old_seg)
        put_slot(so, so->old_seg, so->old_slot);
    ss->nsocks--;
    so->peer->user->nsocks--;
    jr_peer_put(so->peer);
    if (so->holder)
        jr_peer_put(so->holder);
    free(so);
}

int jr_sock_open(struct jr_sock *so)
{
    const int32_t off = 0;
    const uint32_t family = __atomic_load_n(&so->sl->family, __ATOMIC_ACQUIRE);
    const uint32_t type = __atomic_load_n(&so->sl->type, __ATOMIC_ACQUIRE) & 0xf;

    if (so->kind != JR_SOCK_NONE && (so->kind == JR_SOCK_DGRAM || so->tp || (so->st & (JR_ST_CONNECTED | JR_ST_DEAD))))
        return 0;
    if ((family != AF_INET && family != AF_INET6) || (type != SOCK_STREAM && type != SOCK_DGRAM))
        return -EINVAL;
    so->is_v6 = family == AF_INET6;
    if (type == SOCK_STREAM && (so->tp = jr_tcp_open(so->ss->cfg.tcp, &jr_stream_upcalls, so)))
        so->ntp++;
    if (type == SOCK_DGRAM && (so->up = jr_udp_open(so->ss->cfg.udp, &jr_dgram_upcalls, so)))
        so->rcv.cap = so->ss->cfg.dgram_ring;
    if (so->up && family == AF_INET6) /* Linux: what IPv4 it gets, it joined */
        jr_udp_setopt(so->up, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off, jr_ip_now(so->ss->cfg.ip));
    if (!so->tp && !so->up)
        return -ENOBUFS;
    so->kind = (uint8_t)type;
    jr_tune_set_limits(so);
    __atomic_store_n(&so->sl->rx.cap, so->rcv.cap, __ATOMIC_RELEASE);
    return 0;
}

void jr_sock_stop_listening(struct jr_sock *so)
{
    if (!(so->st & JR_ST_LISTENING))
        return;
    if (so->shadow_copies)
        jr_port_unreserve(so);
    jr_pair_listener_gone(so);
    __atomic_store_n(&so->sl->accept_ready, 0, __ATOMIC_RELEASE); /* for when it listens again */
    jr_list_del(&so->listening);
    JR_LIST_EACH(l, &so->ss->listeners)
        if (JR_LIST_ENTRY(l, struct jr_sock, listening)->local.port == so->local.port)
            return;
    jr_policy_set_listener(so->ss->cfg.policy, so->local.port, false);
}

static void drop_protocols(struct jr_sock *so, jr_time now)
{
    struct jr_tcpcb *tp = so->tp;

    so->attached = false;
    so->tp = NULL; /* its CLOSED is still to come: ntp counts it */
    if (tp)
        jr_tcp_close(tp, true, now);
    if (so->up)
        jr_udp_close(so->up);
    so->up = NULL;
    jr_list_del(&so->merging);
    jr_errq_purge(so);
}

void jr_sock_give_up(struct jr_sock *so, jr_time now)
{
    jr_count(so->ss->cfg.counters, JR_C_SOCK_TO_KERNEL);
    drop_protocols(so, now);
    jr_port_unuse(so, now);
    jr_port_unreserve(so);
    so->kind = JR_SOCK_NONE;
    jr_sock_set_state(so, 0, ~(uint32_t)JR_ST_IN_USE);
}

void jr_sock_on_close(struct jr_sock *so, jr_time now)
{
    jr_count(so->ss->cfg.counters, JR_C_SOCK_CLOSED);
    so->handle_open = false;
    so->handle = NULL;
    __atomic_store_n(&so->sl->watch, 0, __ATOMIC_RELAXED);
    if (so->kind == JR_SOCK_NONE && so->sl->tx.tail != 0) /* datagrams may be sent without ever a command */
        jr_sock_open(so);
    if (so->kind == JR_SOCK_STREAM)
        jr_stream_on_close(so, now);
    if (so->kind == JR_SOCK_DGRAM) {
        jr_dgram_drain(so, now);
        drop_protocols(so, now);
    }
    jr_port_unuse(so, now);
    if (so->ntp == 0)
        jr_sock_release(so);
}

struct jr_seg *jr_sock_seg(const struct jr_sock *so) { return so->seg; }
uint32_t jr_sock_slot(const struct jr_sock *so) { return so->slot; }
uint32_t jr_sock_gen(const struct jr_sock *so) { return so->sl->gen; }

int jr_sock_pair(const struct jr_sock *so, uint32_t *pair_id, uint32_t *end)
{
    if (!so->pair || !(so->st & JR_ST_PAIR))
        return -ENOTCONN;
    *pair_id = jr_pair_id(so->pair);
    *end = so->pair_end;
    return jr_pair_fd(so->pair);
}
