/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The service's view of a ring: every shared word is copied once, held against the service's own copy of the ring and
 * only then believed. The private copy is the struct jr_sockbuf that the protocols work on.
 */
#ifndef JR_SHM_RING_H
#define JR_SHM_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/sockbuf.h"
#include "jr_abi.h"

enum {
    JR_RING_MOVED = 1u << 0,   /* tail or head moved */
    JR_RING_RESIZED = 1u << 1, /* the app raised cap */
    JR_RING_BAD = 1u << 31,    /* what stands there can't be: nothing was taken over */
};

/* Whether the live bytes [head, tail) of a ring keep their places when its capacity changes. */
static inline bool jr_ring_keeps_places(uint64_t head, uint64_t tail, uint32_t cap, uint32_t new_cap)
{
    const uint32_t small = jr_min_u32(cap, new_cap), big = jr_max_u32(cap, new_cap), between = (big - 1) & ~(small - 1);

    if (head == tail)
        return true;
    return tail - head <= small && !(head & between) && !((tail - 1) & between);
}

/* tx: the app's tail and cap (at most limit, the largest grant ever given). */
static inline uint32_t jr_ring_take_tx(const struct jr_abi_ring *ring, struct jr_sockbuf *snd, uint32_t limit)
{
    const uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    const uint32_t cap = __atomic_load_n(&ring->cap, __ATOMIC_ACQUIRE);
    uint32_t what = 0;

    if (cap != snd->cap) {
        if (!jr_is_pow2(cap) || cap < snd->cap || cap > limit ||
            !jr_ring_keeps_places(snd->head, snd->tail, snd->cap, cap))
            return JR_RING_BAD;
        what |= JR_RING_RESIZED;
    }
    /* Unsigned: one comparison catches what goes back as well as what goes too far. */
    if (tail - snd->tail > snd->head + cap - snd->tail)
        return JR_RING_BAD;
    if (tail != snd->tail)
        what |= JR_RING_MOVED;
    snd->cap = cap;
    snd->tail = tail;
    return what;
}

/* rx: the app's head. */
static inline uint32_t jr_ring_take_rx(const struct jr_abi_ring *ring, struct jr_sockbuf *rcv)
{
    const uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

    if (head == rcv->head)
        return 0;
    if (head - rcv->head > rcv->tail - rcv->head)
        return JR_RING_BAD;
    rcv->head = head;
    return JR_RING_MOVED;
}

/* The service's side as the reset of a slot leaves it. */
static inline void jr_ring_reset(struct jr_abi_ring *ring, uint32_t cap) { *ring = (struct jr_abi_ring){.cap = cap}; }

/* Empties a ring that threads may be asleep on: what they wait by goes on counting. */
static inline void jr_ring_restart(struct jr_abi_ring *ring, uint32_t cap)
{
    __atomic_store_n(&ring->flags, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->cflags, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->urg, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->urg_taken, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->gap_at, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->gap_end, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->cap, cap, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->tail, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->head, 0, __ATOMIC_RELEASE);
}

/*
 * Enlarges a receive ring in place. Bytes the app can see, [head, tail), must keep their places; those behind tail up
 * to edge, which only the service knows, are copied to where the new capacity puts them. false: not now.
 */
bool jr_ring_grow_rx(struct jr_sockbuf *rcv, uint64_t edge, uint32_t new_cap);

/* Enlarges a ring nobody else uses meanwhile: the bytes [head, tail) move to their new places. */
void jr_ring_spread(struct jr_sockbuf *sb, uint64_t tail, uint32_t new_cap);

#endif
