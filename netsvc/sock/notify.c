/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling programs what happened. Sockets that have something to tell are collected during a turn; at its end one full
 * fence stands between all publications and the look at who waits (docs/shared-memory.md, "Who tells whom").
 */
#include <fcntl.h>

#include "sock/sock.h"

void jr_sock_touch(struct jr_sock *so, uint32_t ev)
{
    so->ev |= ev;
    if (!jr_list_linked(&so->touched))
        jr_list_push_tail(&so->ss->touched, &so->touched);
}

void jr_sock_post_watchers(struct jr_sock *so, uint32_t ev)
{
    const uint64_t watch = __atomic_load_n(&so->sl->watch, __ATOMIC_SEQ_CST);
    const bool state = (ev & JR_SOCK_EV_STATE) == JR_SOCK_EV_STATE;
    uint64_t some = 0;

    if (watch && !state)
        some = watch & __atomic_load_n(&so->sl->exclusive, __ATOMIC_RELAXED);
    for (uint64_t all = watch ^ some; all; all &= all - 1)
        jr_seg_post(so->seg, (uint32_t)__builtin_ctzll(all), so->slot, &so->ss->wake);
    for (; some; some &= some - 1)
        if (jr_seg_post(so->seg, (uint32_t)__builtin_ctzll(some), so->slot, &so->ss->wake))
            return;
}

/* Answers a wait generation if there is a new one: true. seq is ours to write, whatever stands there. */
static bool answer(const uint32_t *wait, uint32_t *answered, uint32_t *woken, uint32_t *seq, struct jr_wake *wake)
{
    const uint32_t gen = __atomic_load_n(wait, __ATOMIC_SEQ_CST);

    if (gen == *answered)
        return false;
    *answered = gen;
    __atomic_store_n(woken, gen, __ATOMIC_RELAXED);
    __atomic_fetch_add(seq, 1, __ATOMIC_RELEASE);
    jr_wake_futex(wake, seq);
    return true;
}

/* A sleeping writer is worth waking when it can write a good piece: as Linux, when a third of the buffer is free. */
static bool has_worthwhile_space(const struct jr_sock *so)
{
    return so->kind != JR_SOCK_STREAM || jr_sockbuf_space(&so->snd) * 3ull >= so->snd.cap;
}

static void signal_owner(struct jr_sock *so)
{
    const struct jr_socks_host *host = &so->ss->cfg.host;

    if (so->handle && so->handle_open && host->signal)
        host->signal(host->ctx, so->handle);
}

static void tell(struct jr_sock *so)
{
    struct jr_abi_ring *tx = &so->sl->tx, *rx = &so->sl->rx;
    struct jr_wake *wake = &so->ss->wake;
    const bool state = (so->ev & JR_SOCK_EV_STATE) == JR_SOCK_EV_STATE;
    bool post = (so->ev & JR_SOCK_EV_DATA) != 0;

    if (so->ev & JR_SOCK_EV_DATA)
        answer(&rx->data_wait, &so->data_answered, &rx->data_woken, &rx->data_seq, wake);
    if ((so->ev & JR_SOCK_EV_SPACE) && (state || has_worthwhile_space(so)))
        post |= answer(&tx->space_wait, &so->space_answered, &tx->space_woken, &tx->space_seq, wake);
    if (so->ev & (JR_SOCK_EV_EDGE & ~JR_SOCK_EV_STATE))
        so->edges = (so->edges & 0xffff0000) | ((so->edges + 1) & 0xffff);
    if (so->ev & (JR_SOCK_EV_EDGE_IN & ~JR_SOCK_EV_DATA))
        so->edges += 0x10000;
    __atomic_store_n(&so->sl->edges, so->edges, __ATOMIC_RELAXED);
    if ((so->ev & JR_SOCK_EV_DATA) && (__atomic_load_n(&so->sl->oflags, __ATOMIC_RELAXED) & O_ASYNC))
        signal_owner(so);
    if (post)
        jr_sock_post_watchers(so, so->ev);
    so->ev = 0;
}

void jr_sock_tell_moved(struct jr_sock *so, struct jr_seg *old_seg, uint32_t old_slot)
{
    struct jr_abi_slot *sl = &old_seg->slots[old_slot];
    struct jr_wake *wake = &so->ss->wake;
    uint64_t watch;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    answer(&sl->rx.data_wait, &so->data_answered, &sl->rx.data_woken, &sl->rx.data_seq, wake);
    answer(&sl->tx.space_wait, &so->space_answered, &sl->tx.space_woken, &sl->tx.space_seq, wake);
    for (watch = __atomic_load_n(&sl->watch, __ATOMIC_SEQ_CST); watch; watch &= watch - 1)
        jr_seg_post(old_seg, (uint32_t)__builtin_ctzll(watch), old_slot, wake);
}

void jr_socks_flush(struct jr_socks *ss)
{
    struct jr_list *l;

    JR_LIST_EACH_SAFE(m, &ss->merging)
        jr_dgram_publish(JR_LIST_ENTRY(m, struct jr_sock, merging));
    if (!jr_list_empty(&ss->touched)) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        while ((l = jr_list_pop_head(&ss->touched)))
            tell(JR_LIST_ENTRY(l, struct jr_sock, touched));
    }
    jr_wake_flush(&ss->wake);
}
