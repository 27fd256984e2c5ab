/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/heap_pkt.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

struct jr_pkt *jr_heap_pkt_new(struct jr_heap_pool *hp, uint32_t room)
{
    struct jr_pkt *pkt;

    if (hp->fail_in && --hp->fail_in == 0)
        return NULL;
    if (hp->limit && hp->pool.in_use >= hp->limit)
        return NULL;
    pkt = calloc(1, sizeof *pkt);
    if (!pkt)
        return NULL;
    pkt->buf_len = JR_PKT_HEADROOM + room;
    pkt->buf = malloc(pkt->buf_len);
    if (!pkt->buf) {
        free(pkt);
        return NULL;
    }
    pkt->off = JR_PKT_HEADROOM;
    pkt->pool = &hp->pool;
    hp->pool.in_use++;
    hp->gets++;
    return pkt;
}

static struct jr_pkt *heap_get(struct jr_pkt_pool *pool)
{
    return jr_heap_pkt_new(JR_CONTAINER_OF(pool, struct jr_heap_pool, pool), pool->data_room);
}

static void heap_put(struct jr_pkt_pool *pool, struct jr_pkt *pkt)
{
    assert(pool->in_use > 0);
    pool->in_use--;
    free(pkt->buf);
    free(pkt);
}

void jr_heap_pool_init(struct jr_heap_pool *hp, uint32_t data_room, uint32_t limit)
{
    *hp = (struct jr_heap_pool){
        .pool = {.get = heap_get, .put = heap_put, .data_room = data_room},
        .limit = limit,
    };
}

struct jr_pkt *jr_heap_pkt_copy(struct jr_heap_pool *hp, const void *data, uint32_t len)
{
    struct jr_pkt *pkt = jr_heap_pkt_new(hp, len);

    if (!pkt)
        return NULL;
    if (len)
        memcpy(jr_pkt_put(pkt, len), data, len);
    return pkt;
}
