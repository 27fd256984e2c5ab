/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/loopif.h"

#include <stdlib.h>

#include "base/bits.h"

enum {
    ROOM = JR_LOOPIF_MTU + 1,
    PACKETS_MAX = 2048, /* on their way: 128 MiB at most, of which only what is touched exists */
    BURST = 32,
};

struct jr_loopif {
    struct jr_dev dev;
    struct jr_pkt_pool pool;
    struct jr_pkt *first, **last; /* sent, to be received */
    struct jr_pkt *free;          /* the one given back last is used first: it is in the cache */
};

static struct jr_pkt *pool_get(struct jr_pkt_pool *pool)
{
    struct jr_loopif *lo = JR_CONTAINER_OF(pool, struct jr_loopif, pool);
    struct jr_pkt *pkt = lo->free;

    if (pkt) {
        lo->free = pkt->next;
    } else {
        if (pool->in_use == PACKETS_MAX || !(pkt = malloc(sizeof *pkt + JR_PKT_HEADROOM + ROOM)))
            return NULL;
        *pkt = (struct jr_pkt){.buf = (uint8_t *)(pkt + 1), .buf_len = JR_PKT_HEADROOM + ROOM, .pool = pool};
    }
    pool->in_use++;
    jr_pkt_reset(pkt);
    return pkt;
}

static void pool_put(struct jr_pkt_pool *pool, struct jr_pkt *pkt)
{
    struct jr_loopif *lo = JR_CONTAINER_OF(pool, struct jr_loopif, pool);

    pool->in_use--;
    pkt->next = lo->free;
    lo->free = pkt;
}

static unsigned tx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_loopif *lo = JR_CONTAINER_OF(dev, struct jr_loopif, dev);

    (void)now;
    for (unsigned i = 0; i < n; i++) {
        dev->tx_pkts++;
        dev->tx_bytes += pkts[i]->len;
        pkts[i]->flags = JR_PKT_RX_IP_CSUM_OK | JR_PKT_RX_L4_CSUM_OK;
        pkts[i]->next = NULL;
        *lo->last = pkts[i];
        lo->last = &pkts[i]->next;
    }
    return n;
}

static unsigned rx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_loopif *lo = JR_CONTAINER_OF(dev, struct jr_loopif, dev);
    unsigned i = 0;

    (void)now;
    for (; i < n && lo->first; i++) {
        pkts[i] = lo->first;
        lo->first = pkts[i]->next;
        pkts[i]->next = NULL;
        dev->rx_pkts++;
        dev->rx_bytes += pkts[i]->len;
    }
    if (!lo->first)
        lo->last = &lo->first;
    return i;
}

static const struct jr_dev_ops ops = {.rx_burst = rx_burst, .tx_burst = tx_burst};

struct jr_netif *jr_loopif_new(struct jr_counters *counters, struct jr_rng *rng)
{
    struct jr_loopif *lo = calloc(1, sizeof *lo);
    struct jr_netif *ifp;

    if (!lo)
        return NULL;
    lo->pool = (struct jr_pkt_pool){.get = pool_get, .put = pool_put, .data_room = ROOM};
    lo->dev = (struct jr_dev){
        .ops = &ops,
        .name = "lo",
        .tx_pool = &lo->pool,
        .mtu = JR_LOOPIF_MTU,
        .caps = JR_DEV_TX_IP_CSUM | JR_DEV_TX_L4_CSUM | JR_DEV_RX_CSUM,
    };
    lo->last = &lo->first;
    ifp = jr_netif_new(&lo->dev, counters, rng);
    if (!ifp) {
        free(lo);
        return NULL;
    }
    ifp->loopback = true;
    return ifp;
}

void jr_loopif_free(struct jr_netif *ifp)
{
    struct jr_loopif *lo = JR_CONTAINER_OF(ifp->dev, struct jr_loopif, dev);
    struct jr_pkt *pkt;

    jr_netif_free(ifp);
    while (rx_burst(&lo->dev, &pkt, 1, 0))
        jr_pkt_free(pkt);
    while ((pkt = lo->free)) {
        lo->free = pkt->next;
        free(pkt);
    }
    free(lo);
}

unsigned jr_loopif_run(struct jr_netif *ifp, unsigned max, jr_time now)
{
    struct jr_pkt *pkts[BURST];
    unsigned done = 0, n = 1;

    for (; n && done < max; done += n) {
        jr_netif_flush(ifp, now);
        n = rx_burst(ifp->dev, pkts, jr_min_u32(BURST, max - done), now);
        for (unsigned i = 0; i < n; i++)
            jr_ether_input(ifp, pkts[i], now);
    }
    return done;
}
