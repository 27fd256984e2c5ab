/* SPDX-License-Identifier: BSD-3-Clause */
/* The rings' capacities: they start small and follow what tcp could use, within the configuration and SO_*BUF. */
#include "sock/sock.h"

void jr_tune_set_limits(struct jr_sock *so)
{
    const struct jr_socks_config *cfg = &so->ss->cfg;

    so->tx_max = so->opt.sndbuf ? jr_pow2_ceil((uint32_t)so->opt.sndbuf / 2) : cfg->tx_ring_max;
    so->rx_max = so->opt.rcvbuf ? jr_pow2_ceil((uint32_t)so->opt.rcvbuf / 2) : cfg->rx_ring_max;
    if (so->kind == JR_SOCK_DGRAM) /* as in Linux a constant; and the largest datagram fits */
        so->rx_max = so->opt.rcvbuf ? jr_max_u32(so->rx_max, 131072) : cfg->dgram_ring;
    so->tx_max = jr_min_u32(jr_max_u32(so->tx_max, JR_RING_MIN), JR_RING_MAX);
    so->rx_max = jr_min_u32(jr_max_u32(so->rx_max, JR_RING_MIN), JR_RING_MAX);
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

void jr_tune_on_want(struct jr_sock *so, jr_time now)
{
    const uint32_t tx = jr_min_u32(jr_tcp_snd_want(so->tp), so->tx_max);

    so->rx_want = jr_min_u32(jr_tcp_rcv_want(so->tp), so->rx_max);
    if (so->rx_want > so->rcv.cap)
        jr_tune_try_rx(so, now);
    if (tx <= so->tx_grant)
        return;
    so->tx_grant = tx;
    __atomic_store_n(&so->sl->tx_grant, tx, __ATOMIC_RELEASE);
    jr_count(so->ss->cfg.counters, JR_C_SOCK_TX_GROWN);
    jr_sock_touch(so, JR_SOCK_EV_SPACE);
}
