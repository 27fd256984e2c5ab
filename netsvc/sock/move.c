/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving a socket to a segment that only its present holders map, when its handle reached a program that does not map
 * the one it lives in. The old slot stays as a signpost until the handle's last close.
 */
#include <errno.h>
#include <string.h>

#include "sock/sock.h"

static bool lock(uint32_t *owner, uint32_t *gen, bool force)
{
    uint32_t none = 0;

    if (!__atomic_compare_exchange_n(owner, &none, JR_LOCK_SERVICE, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        if (!force)
            return false;
        __atomic_store_n(owner, JR_LOCK_SERVICE, __ATOMIC_RELEASE);
    }
    __atomic_fetch_add(gen, 1,
                       __ATOMIC_SEQ_CST); /* whoever was interrupted inside starts again, and sees the signpost */
    return true;
}

static void unlock(uint32_t *owner) { __atomic_store_n(owner, 0, __ATOMIC_RELEASE); }

static bool lock_both(struct jr_abi_slot *sl, bool force)
{
    if (!lock(&sl->tx_lock, &sl->tx_lock_gen, force))
        return false;
    if (lock(&sl->rx_lock, &sl->rx_lock_gen, force))
        return true;
    unlock(&sl->tx_lock);
    return false;
}

/* The same offsets lie at the same places: capacities stay. */
static void copy_ring(struct jr_sockbuf *sb, uint8_t *to, uint64_t end)
{
    for (uint64_t off = sb->head; off < end;) {
        const uint32_t at = (uint32_t)(off & (sb->cap - 1));
        const uint32_t n = (uint32_t)jr_min_u64(end - off, sb->cap - at);
        memcpy(to + at, sb->base + at, n);
        off += n;
    }
    sb->base = to;
}

static void copy_app_lines(struct jr_abi_slot *to, const struct jr_abi_slot *from)
{
    to->family = from->family;
    to->type = from->type;
    to->protocol = from->protocol;
    to->oflags = __atomic_load_n(&from->oflags, __ATOMIC_RELAXED);
    to->err_taken = __atomic_load_n(&from->err_taken, __ATOMIC_RELAXED);
    to->rcvlowat = from->rcvlowat;
    to->rcvtimeo_us = from->rcvtimeo_us;
    to->sndtimeo_us = from->sndtimeo_us;
    to->shadow_fd = from->shadow_fd;
    to->app_flags = __atomic_load_n(&from->app_flags, __ATOMIC_RELAXED);
    to->stamp = __atomic_load_n(&from->stamp, __ATOMIC_RELAXED);
    to->peek_off = __atomic_load_n(&from->peek_off, __ATOMIC_RELAXED);
    to->zc_sent = __atomic_load_n(&from->zc_sent, __ATOMIC_RELAXED);
    to->zc_told = __atomic_load_n(&from->zc_told, __ATOMIC_RELAXED);
}

static void fill_slot(struct jr_sock *so, const struct jr_abi_slot *from)
{
    struct jr_abi_slot *to = so->sl;

    memset(to, 0, sizeof *to);
    copy_app_lines(to, from);
    to->tx.head = so->snd.head;
    to->tx.tail = so->snd.tail;
    to->tx.cap = so->snd.cap;
    to->tx.urg = so->tx_urg;
    to->tx.flags = __atomic_load_n(&from->tx.flags, __ATOMIC_RELAXED);
    to->rx.head = so->rcv.head;
    to->rx.tail = so->rcv.tail;
    to->rx.cap = so->rcv.cap;
    to->rx.urg = __atomic_load_n(&from->rx.urg, __ATOMIC_RELAXED);
    to->rx.gap_at = so->gap_at;
    to->rx.gap_end = so->gap_end;
    to->rx.urg_taken = __atomic_load_n(&from->rx.urg_taken, __ATOMIC_RELAXED);
    to->rx.flags = so->st & JR_ST_RX_EOF ? JR_RING_FIN : 0;
    to->rx.cflags = __atomic_load_n(&from->rx.cflags, __ATOMIC_RELAXED);
    to->err = __atomic_load_n(&from->err, __ATOMIC_RELAXED);
    to->tx_grant = so->tx_grant;
    to->accept_ready = from->accept_ready;
    to->rx_notify_at = from->rx_notify_at;
    to->gen = ++so->ss->next_gen;
    to->tcp_state = from->tcp_state;
    to->local = from->local;
    to->remote = from->remote;
    to->mss = from->mss;
    to->pair_id = from->pair_id;
    to->nerrors = so->n_errors;
    __atomic_store_n(&to->state, so->st, __ATOMIC_RELEASE);
}

static void sync_rings(struct jr_sock *so, jr_time now)
{
    if (so->kind == JR_SOCK_STREAM)
        jr_stream_sync(so, now);
    if (so->kind == JR_SOCK_DGRAM) {
        jr_dgram_on_dirty(so, now);
        jr_dgram_publish(so);
    }
}

int jr_sock_move(struct jr_sock *so, struct jr_seg *to, bool force, jr_time now)
{
    struct jr_abi_slot *from = so->sl;
    uint64_t rx_end;
    uint32_t slot;

    if (so->old_seg)
        return -EEXIST;
    if (!lock_both(from, force))
        return -EAGAIN;
    slot = jr_seg_slot_get(to, so);
    if (slot == JR_NO_SLOT) {
        unlock(&from->rx_lock);
        unlock(&from->tx_lock);
        return -ENOSPC;
    }
    sync_rings(so, now);
    rx_end = so->attached && so->tp ? jr_max_u64(jr_tcp_rcv_edge(so->tp), so->rcv.tail) : so->rcv.tail;
    copy_ring(&so->snd, jr_seg_tx_base(to, slot), so->snd.tail);
    copy_ring(&so->rcv, jr_seg_rx_base(to, slot), rx_end);
    so->old_seg = so->seg;
    so->old_slot = so->slot;
    so->seg = to;
    so->slot = slot;
    so->sl = &to->slots[slot];
    fill_slot(so, from);
    __atomic_store_n(&from->state, JR_ST_IN_USE | JR_ST_MOVED, __ATOMIC_SEQ_CST);
    unlock(&from->rx_lock);
    unlock(&from->tx_lock);
    jr_sock_tell_moved(so, so->old_seg, so->old_slot);
    so->data_answered = so->space_answered = 0;
    if (so->attached && so->tp)
        jr_tcp_buffers_changed(so->tp, now);
    jr_count(so->ss->cfg.counters, force ? JR_C_SOCK_MOVES_FORCED : JR_C_SOCK_MOVES);
    return 0;
}
