/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet pool on malloc(), for tests and for devices without memory of their own. Every packet is its own
 * block, so a sanitizer sees each byte read or written beyond it.
 */
#ifndef JR_BASE_HEAP_PKT_H
#define JR_BASE_HEAP_PKT_H

#include "base/pkt.h"

struct jr_heap_pool {
    struct jr_pkt_pool pool;
    uint32_t limit;   /* most packets out at a time; 0: no limit */
    uint32_t fail_in; /* n > 0: the n-th get from now fails once (for tests of memory shortage) */
    uint64_t gets;    /* packets ever handed out */
};

void jr_heap_pool_init(struct jr_heap_pool *hp, uint32_t data_room, uint32_t limit);
/* An empty packet with this much room behind the headroom; NULL: no memory or the limit. */
struct jr_pkt *jr_heap_pkt_new(struct jr_heap_pool *hp, uint32_t room);
/* A packet holding a copy of len bytes and not one byte of tailroom; NULL: no memory. */
struct jr_pkt *jr_heap_pkt_copy(struct jr_heap_pool *hp, const void *data, uint32_t len);

#endif
