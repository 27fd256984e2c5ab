/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet's fixed fields are written once; its struct lies right before its bytes. */
#include "dev/bufpool.h"

#include <rte_malloc.h>

enum { LINE = 64 };

static size_t stride(uint32_t room)
{
    size_t bytes = sizeof(struct jr_pkt) + JR_PKT_HEADROOM + room;
    /* an odd number of lines, so that the headers of successive buffers don't fall into the same set of a cache */
    return ((bytes + LINE - 1) / LINE | 1) * LINE;
}

size_t jr_bufpool_bytes(unsigned n, uint32_t room) { return n * (stride(room) + sizeof(struct jr_pkt *)) + 2 * LINE; }

static struct jr_pkt *get(struct jr_pkt_pool *pool)
{
    struct jr_bufpool *bp = (struct jr_bufpool *)pool;
    if (bp->n_free == 0) {
        jr_count(bp->counters, JR_C_DEV_POOL_EMPTY);
        return NULL;
    }
    struct jr_pkt *pkt = bp->free[--bp->n_free];
    jr_pkt_reset(pkt);
    pool->in_use++;
    return pkt;
}

static void put(struct jr_pkt_pool *pool, struct jr_pkt *pkt)
{
    struct jr_bufpool *bp = (struct jr_bufpool *)pool;
    pool->in_use--;
    bp->free[bp->n_free++] = pkt;
}

bool jr_bufpool_init(struct jr_bufpool *bp, unsigned n, uint32_t room, struct jr_counters *counters)
{
    *bp = (struct jr_bufpool){.pool = {.get = get, .put = put, .data_room = room}, .counters = counters};
    bp->memory = rte_malloc("jr_bufpool", n * stride(room), LINE);
    bp->free = rte_malloc("jr_bufpool", n * sizeof *bp->free, LINE);
    if (!bp->memory || !bp->free) {
        jr_bufpool_fini(bp);
        return false;
    }
    while (bp->n_free < n) {
        struct jr_pkt *pkt = (struct jr_pkt *)((uint8_t *)bp->memory + bp->n_free * stride(room));
        *pkt = (struct jr_pkt){.buf = (uint8_t *)(pkt + 1), .buf_len = JR_PKT_HEADROOM + room, .pool = &bp->pool};
        bp->free[bp->n_free++] = pkt;
    }
    return true;
}

void jr_bufpool_fini(struct jr_bufpool *bp)
{
    rte_free(bp->memory);
    rte_free(bp->free);
    bp->memory = NULL;
    bp->free = NULL;
    bp->n_free = 0;
}
