/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm/ring.h"

#include <string.h>

bool jr_ring_grow_rx(struct jr_sockbuf *rcv, uint64_t edge, uint32_t new_cap)
{
    const uint32_t old = rcv->cap;

    if (!jr_ring_keeps_places(rcv->head, rcv->tail, old, new_cap))
        return false;
    for (uint64_t off = rcv->tail; off < edge;) {
        const uint64_t end = jr_min_u64(edge, (off | (old - 1)) + 1); /* one lap of the old ring at a time */
        const uint32_t from = (uint32_t)(off & (old - 1)), to = (uint32_t)(off & (new_cap - 1));

        if (from != to)
            memcpy(rcv->base + to, rcv->base + from, end - off);
        off = end;
    }
    rcv->cap = new_cap;
    return true;
}
