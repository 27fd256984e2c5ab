/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's packet: one contiguous buffer with headroom. A device wraps its own buffer (an mbuf, a
 * malloc'd block in tests) in it, so the engine never sees DPDK. Every packet belongs to the pool it
 * came from and goes back with jr_pkt_free(); a pool counts what is out, so a test can end by checking
 * that nothing leaked.
 */
#ifndef JR_BASE_PKT_H
#define JR_BASE_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* rx: what the device has already verified */
    JR_PKT_RX_IP_CSUM_OK = 1u << 0,
    JR_PKT_RX_L4_CSUM_OK = 1u << 1,
    /* tx: what the device is asked to fill in (only when the device offers it) */
    JR_PKT_TX_IP_CSUM = 1u << 2,
    JR_PKT_TX_L4_CSUM = 1u << 3,
    JR_PKT_TX_TSO = 1u << 4,
};

/* Received: the VLAN of a tag that the device took off the frame; 0: none. */
#define JR_PKT_RX_VID_SHIFT 20
static inline uint16_t jr_pkt_rx_vid(uint32_t flags) { return flags >> JR_PKT_RX_VID_SHIFT & 0xfff; }

/* Room kept in front of the payload for Ethernet + VLAN + IPv6 + TCP with 40 bytes of options. */
#define JR_PKT_HEADROOM 160u

struct jr_pkt;

struct jr_pkt_pool {
    /* A fresh packet with off = JR_PKT_HEADROOM and len = 0, or NULL when the pool is empty. */
    struct jr_pkt *(*get)(struct jr_pkt_pool *pool);
    void (*put)(struct jr_pkt_pool *pool, struct jr_pkt *pkt);
    uint32_t data_room; /* bytes behind the headroom that one packet can hold */
    uint32_t in_use;    /* packets got and not yet put */
};

struct jr_pkt {
    uint8_t *buf;       /* start of the storage */
    uint32_t buf_len;   /* bytes of storage */
    uint32_t off;       /* the first valid byte is buf[off] */
    uint32_t len;       /* valid bytes */
    uint32_t flags;     /* JR_PKT_* */
    uint16_t l3_off;    /* network header, from buf; set by link (rx) or ip (tx) */
    uint16_t l4_off;    /* transport header, from buf; set by ip (rx) or the transport (tx) */
    uint16_t l4_len;    /* transport header length in bytes (tx offloads) */
    uint16_t tso_segsz; /* payload bytes per segment when JR_PKT_TX_TSO */
    struct jr_pkt_pool *pool;
    struct jr_pkt *next; /* queue link; NULL outside a queue */
    void *priv;          /* the device's own handle (its mbuf) */
};

static inline uint8_t *jr_pkt_data(const struct jr_pkt *pkt) { return pkt->buf + pkt->off; }
static inline uint32_t jr_pkt_tailroom(const struct jr_pkt *pkt) { return pkt->buf_len - pkt->off - pkt->len; }

/* As a pool hands it out: empty, behind the headroom. */
static inline void jr_pkt_reset(struct jr_pkt *pkt)
{
    pkt->off = JR_PKT_HEADROOM;
    pkt->len = 0;
    pkt->flags = 0;
    pkt->l3_off = pkt->l4_off = pkt->l4_len = pkt->tso_segsz = 0;
    pkt->next = NULL;
}

/* Opens n bytes in front; NULL when the headroom is too small. */
static inline uint8_t *jr_pkt_push(struct jr_pkt *pkt, uint32_t n)
{
    if (pkt->off < n)
        return NULL;
    pkt->off -= n;
    pkt->len += n;
    return jr_pkt_data(pkt);
}

/* Takes n bytes off the front; false when the packet is shorter. */
static inline bool jr_pkt_pull(struct jr_pkt *pkt, uint32_t n)
{
    if (pkt->len < n)
        return false;
    pkt->off += n;
    pkt->len -= n;
    return true;
}

/* Opens n bytes at the end; NULL when the tailroom is too small. */
static inline uint8_t *jr_pkt_put(struct jr_pkt *pkt, uint32_t n)
{
    if (jr_pkt_tailroom(pkt) < n)
        return NULL;
    uint8_t *p = jr_pkt_data(pkt) + pkt->len;
    pkt->len += n;
    return p;
}

static inline struct jr_pkt *jr_pkt_new(struct jr_pkt_pool *pool) { return pool->get(pool); }
static inline void jr_pkt_free(struct jr_pkt *pkt) { pkt->pool->put(pkt->pool, pkt); }

#endif
