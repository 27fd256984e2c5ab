/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm/ring.h"

#include <string.h>

/* [off, edge) from its places in a ring of old to those in a larger one: one lap of the old ring at a time. */
static void spread(uint8_t *base, uint64_t off, uint64_t edge, uint32_t old, uint32_t new_cap)
{
    while (off < edge) {
        const uint64_t end = jr_min_u64(edge, (off | (old - 1)) + 1);
        const uint32_t from = (uint32_t)(off & (old - 1)), to = (uint32_t)(off & (new_cap - 1));

        if (from != to)
            memcpy(base + to, base + from, end - off);
        off = end;
    }
}

void jr_ring_spread(struct jr_sockbuf *sb, uint64_t tail, uint32_t new_cap)
{
    spread(sb->base, sb->head, tail, sb->cap, new_cap);
    sb->cap = new_cap;
}

bool jr_ring_grow_rx(struct jr_sockbuf *rcv, uint64_t edge, uint32_t new_cap)
{
    if (!jr_ring_keeps_places(rcv->head, rcv->tail, rcv->cap, new_cap))
        return false;
    spread(rcv->base, rcv->tail, edge, rcv->cap, new_cap);
    rcv->cap = new_cap;
    return true;
}
