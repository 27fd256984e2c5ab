/* SPDX-License-Identifier: BSD-3-Clause */
/* A first-in first-out queue of packets, linked through jr_pkt.next. */
#ifndef JR_BASE_PKTQ_H
#define JR_BASE_PKTQ_H

#include "base/pkt.h"

struct jr_pktq {
    struct jr_pkt *head, *tail;
    uint32_t count;
};

static inline void jr_pktq_push(struct jr_pktq *q, struct jr_pkt *pkt)
{
    pkt->next = NULL;
    if (q->tail)
        q->tail->next = pkt;
    else
        q->head = pkt;
    q->tail = pkt;
    q->count++;
}
static inline struct jr_pkt *jr_pktq_pop(struct jr_pktq *q)
{
    struct jr_pkt *pkt = q->head;
    if (!pkt)
        return NULL;
    q->head = pkt->next;
    if (!q->head)
        q->tail = NULL;
    q->count--;
    pkt->next = NULL;
    return pkt;
}
static inline void jr_pktq_purge(struct jr_pktq *q)
{
    for (struct jr_pkt *pkt; (pkt = jr_pktq_pop(q));)
        jr_pkt_free(pkt);
}

#endif
