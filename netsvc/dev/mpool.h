/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet buffers that are mbufs: the engine's struct jr_pkt lives in each mbuf's private area. */
#ifndef JR_DEV_MPOOL_H
#define JR_DEV_MPOOL_H

#include <rte_mbuf.h>

#include "base/counters.h"
#include "base/pkt.h"

struct jr_mpool {
    struct jr_pkt_pool pool;
    struct rte_mempool *mp;
    struct jr_counters *counters;
};

/* pkts buffers of room bytes each, headroom included. NULL and rte_errno. */
struct jr_mpool *jr_mpool_new(const char *name, unsigned pkts, unsigned room, struct jr_counters *counters);
void jr_mpool_free(struct jr_mpool *mp);
/* Bytes of memory that such a pool takes. */
size_t jr_mpool_bytes(unsigned pkts, unsigned room);

static inline struct jr_pkt *jr_pkt_of(struct rte_mbuf *m) { return rte_mbuf_to_priv(m); }
static inline struct rte_mbuf *jr_mbuf_of(const struct jr_pkt *pkt) { return pkt->priv; }

#endif
