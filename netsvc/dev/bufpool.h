/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet buffers of any size in one piece of DPDK's memory (huge pages when EAL has them), for a device that needs no
 * mbufs: an mbuf holds at most 64 KiB with its headroom, which a frame of the largest IP packet exceeds. The buffer
 * given back last is handed out first, so that what is in the cache is used again.
 */
#ifndef JR_DEV_BUFPOOL_H
#define JR_DEV_BUFPOOL_H

#include "base/counters.h"
#include "base/pkt.h"

struct jr_bufpool {
    struct jr_pkt_pool pool;
    struct jr_counters *counters;
    void *memory;
    struct jr_pkt **free; /* a stack */
    unsigned n_free;
};

/* n buffers that hold room bytes behind the headroom. False: no memory. */
bool jr_bufpool_init(struct jr_bufpool *bp, unsigned n, uint32_t room, struct jr_counters *counters);
void jr_bufpool_fini(struct jr_bufpool *bp);
/* Bytes of DPDK's memory that such a pool takes. */
size_t jr_bufpool_bytes(unsigned n, uint32_t room);

#endif
