/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings' capacities: they start small and follow what tcp could use, within the configuration and SO_*BUF. The
 * pages of a ring that stays empty go back to the system: an idle connection costs its slot and its control block.
 */
#include "sock/sock.h"

void jr_tune_set_limits(struct jr_sock *so)
{
    const struct jr_socks_config *cfg = &so->ss->cfg;

    so->tx_max = so->opt.sndbuf ? jr_pow2_ceil((uint32_t)so->opt.sndbuf / 2) : cfg->tx_ring_max;
    so->rx_max = so->opt.rcvbuf ? jr_pow2_ceil((uint32_t)so->opt.rcvbuf / 2) : cfg->rx_ring_max;
    if (so->kind == JR_SOCK_DGRAM) /* as in Linux a constant; and the largest datagram fits */
        so->rx_max = so->opt.rcvbuf ? jr_max_u32(so->rx_max, 131072) : cfg->dgram_ring;
    so->tx_max = jr_min_u32(jr_max_u32(so->tx_max, JR_RING_MIN), jr_min_u32(cfg->tx_ring_max, JR_RING_MAX));
    so->rx_max = jr_min_u32(jr_max_u32(so->rx_max, JR_RING_MIN), jr_min_u32(cfg->rx_ring_max, JR_RING_MAX));
}

/* Twice as large at a time, as far as the bytes in the ring allow it now; the rest when they have moved on. */
void jr_tune_try_rx(struct jr_sock *so, jr_time now)
{
    const uint64_t edge = so->tp ? jr_max_u64(jr_tcp_rcv_edge(so->tp), so->rcv.tail) : so->rcv.tail;
    bool grown = false;

    while (so->rcv.cap < so->rx_want && jr_ring_grow_rx(&so->rcv, edge, so->rcv.cap * 2))
        grown = true;
    if (!grown)
        return;
    __atomic_store_n(&so->sl->rx.cap, so->rcv.cap, __ATOMIC_RELEASE);
    jr_count(so->ss->cfg.counters, JR_C_SOCK_RX_GROWN);
    if (so->tp)
        jr_tcp_buffers_changed(so->tp, now);
}

/* The program's transmit lock, if it is free: an app may have copied bytes in and not published them yet; with its lock
 * held there are none. */
static bool lock_tx(struct jr_sock *so)
{
    uint32_t none = 0;

    if (!__atomic_compare_exchange_n(&so->sl->tx_lock, &none, JR_LOCK_SERVICE, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    __atomic_fetch_add(&so->sl->tx_lock_gen, 1, __ATOMIC_SEQ_CST); /* a call that was interrupted inside starts again */
    return true;
}

static void unlock_tx(struct jr_sock *so) { __atomic_store_n(&so->sl->tx_lock, 0, __ATOMIC_RELEASE); }

#define MOVE_MAX (4u << 20) /* bytes that are moved while the program waits and no packet moves */

void jr_tune_try_tx(struct jr_sock *so)
{
    struct jr_abi_ring *r = &so->sl->tx;

    if (so->snd.cap > MOVE_MAX || !lock_tx(so))
        return;
    /* The private copy of the ring may be behind; nothing of it is taken over here. */
    struct jr_sockbuf all = so->snd;
    const uint32_t what = jr_ring_take_tx(r, &all, so->tx_grant);
    if (!(what & (JR_RING_BAD | JR_RING_RESIZED))) {
        jr_ring_spread(&so->snd, all.tail, so->tx_grant);
        __atomic_store_n(&r->cap, so->tx_grant, __ATOMIC_RELEASE);
    }
    unlock_tx(so);
    jr_sock_touch(so, JR_SOCK_EV_SPACE);
}

void jr_tune_grant(struct jr_sock *so, uint32_t tx)
{
    if (tx <= so->tx_grant)
        return;
    so->tx_grant = tx;
    __atomic_store_n(&so->sl->tx_grant, tx, __ATOMIC_RELEASE);
    jr_count(so->ss->cfg.counters, JR_C_SOCK_TX_GROWN);
    jr_tune_try_tx(so);
    jr_sock_touch(so, JR_SOCK_EV_SPACE);
}

void jr_tune_on_want(struct jr_sock *so, jr_time now)
{
    const uint32_t tx = jr_min_u32(jr_tcp_snd_want(so->tp), so->tx_max);

    so->rx_want = jr_min_u32(jr_tcp_rcv_want(so->tp), so->rx_max);
    if (so->rx_want > so->rcv.cap)
        jr_tune_try_rx(so, now);
    jr_tune_grant(so, tx);
}

#define PUNCHES_PER_SWEEP 64u /* each costs microseconds, during which no packet moves */

static void punch(struct jr_sock *so, const struct jr_sockbuf *sb)
{
    jr_region_punch(&so->seg->region, (size_t)(sb->base - so->seg->region.base), sb->cap);
}

static bool punch_tx(struct jr_sock *so)
{
    if (!lock_tx(so))
        return false;
    const bool empty = __atomic_load_n(&so->sl->tx.tail, __ATOMIC_ACQUIRE) == so->snd.head;
    if (empty)
        punch(so, &so->snd);
    unlock_tx(so);
    return empty;
}

static bool is_idle(struct jr_sock *so)
{
    const bool still = so->tx_seen == so->snd.tail && so->rx_seen == so->rcv.tail;

    so->tx_seen = so->snd.tail;
    so->rx_seen = so->rcv.tail;
    if (!still || jr_sockbuf_used(&so->snd) || (so->attached && so->tp && jr_tcp_rcv_held(so->tp) != so->rcv.tail))
        return false;
    return !(jr_ring_take_rx(&so->sl->rx, &so->rcv) & JR_RING_BAD) && jr_sockbuf_used(&so->rcv) == 0;
}

bool jr_tune_sweep(struct jr_socks *ss)
{
    struct jr_list keep, *l;
    unsigned n = 0;

    jr_list_init(&keep);
    while (n < PUNCHES_PER_SWEEP && (l = jr_list_pop_head(&ss->used))) {
        struct jr_sock *so = JR_LIST_ENTRY(l, struct jr_sock, used);
        if (so->broken)
            continue;
        if (is_idle(so) && punch_tx(so)) {
            punch(so, &so->rcv);
            n++;
        } else {
            jr_list_push_tail(&keep, l);
        }
    }
    const bool more = !jr_list_empty(&ss->used);
    while ((l = jr_list_pop_head(&keep)))
        jr_list_push_tail(&ss->used, l);
    jr_count_n(ss->cfg.counters, JR_C_SOCK_RINGS_PUNCHED, n);
    return more;
}
