/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What never changes in a packet (its storage, pool and mbuf) is written once when the pool is made, so that a
 * received packet costs a handful of stores.
 */
#include "dev/mpool.h"

#include <stdlib.h>

enum {
    PRIV_BYTES = RTE_ALIGN(sizeof(struct jr_pkt), RTE_CACHE_LINE_SIZE),
    CACHE_PKTS = 256,
};

static struct jr_pkt *get(struct jr_pkt_pool *pool)
{
    struct jr_mpool *mp = (struct jr_mpool *)pool;
    struct rte_mbuf *m = rte_pktmbuf_alloc(mp->mp);
    if (unlikely(!m)) {
        jr_count(mp->counters, JR_C_DEV_POOL_EMPTY);
        return NULL;
    }
    struct jr_pkt *pkt = jr_pkt_of(m);
    jr_pkt_reset(pkt);
    pool->in_use++;
    return pkt;
}

static void put(struct jr_pkt_pool *pool, struct jr_pkt *pkt)
{
    pool->in_use--;
    rte_pktmbuf_free(jr_mbuf_of(pkt));
}

static void init_pkt(struct rte_mempool *mp, void *arg, void *obj, unsigned i)
{
    (void)mp;
    (void)i;
    struct rte_mbuf *m = obj;
    *jr_pkt_of(m) = (struct jr_pkt){.buf = m->buf_addr, .buf_len = m->buf_len, .pool = arg, .priv = m};
}

struct jr_mpool *jr_mpool_new(const char *name, unsigned pkts, unsigned room, struct jr_counters *counters)
{
    struct jr_mpool *mp = calloc(1, sizeof *mp);
    if (!mp)
        return NULL;
    mp->mp = rte_pktmbuf_pool_create(name, pkts, CACHE_PKTS, PRIV_BYTES, (uint16_t)room, SOCKET_ID_ANY);
    if (!mp->mp) {
        free(mp);
        return NULL;
    }
    mp->pool = (struct jr_pkt_pool){.get = get, .put = put, .data_room = room - JR_PKT_HEADROOM};
    mp->counters = counters;
    rte_mempool_obj_iter(mp->mp, init_pkt, &mp->pool);
    return mp;
}

void jr_mpool_free(struct jr_mpool *mp)
{
    rte_mempool_free(mp->mp);
    free(mp);
}

size_t jr_mpool_bytes(unsigned pkts, unsigned room)
{
    uint32_t elt = rte_mempool_calc_obj_size(sizeof(struct rte_mbuf) + PRIV_BYTES + room, 0, NULL);
    return (size_t)pkts * elt;
}
