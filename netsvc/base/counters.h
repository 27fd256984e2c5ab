/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Named event counters. The names come from the specs under codegen/spec/counters; each worker has one table, which it
 * alone writes and anybody may read at any time.
 */
#ifndef JR_BASE_COUNTERS_H
#define JR_BASE_COUNTERS_H

#include <stdint.h>

#include "base/pkt.h"
#include "jr_counters.h"

struct jr_counters {
    uint64_t v[JR_C__COUNT];
};

static inline uint64_t jr_counter_get(const struct jr_counters *c, enum jr_counter id)
{
    return __atomic_load_n(&c->v[id], __ATOMIC_RELAXED);
}

/* One writer, so load + store is enough; atomic so that a reader in another thread never sees half a value. */
static inline void jr_count_n(struct jr_counters *c, enum jr_counter id, uint64_t n)
{
    __atomic_store_n(&c->v[id], c->v[id] + n, __ATOMIC_RELAXED);
}
static inline void jr_count(struct jr_counters *c, enum jr_counter id) { jr_count_n(c, id, 1); }

/* The end of a packet that is not wanted: counted under its reason and given back. */
static inline void jr_drop(struct jr_counters *c, struct jr_pkt *pkt, enum jr_counter id)
{
    jr_count(c, id);
    jr_pkt_free(pkt);
}

#endif
