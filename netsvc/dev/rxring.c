/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tp_status is the only word both sides write: the kernel sets TP_STATUS_USER after the frame, we set TP_STATUS_KERNEL
 * after we are done. The kernel fills slots in order and drops frames when the next one isn't its own, so a slot must
 * come back soon.
 */
#include "dev/rxring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { BLOCK_BYTES = 1 << 18 };

static struct tpacket2_hdr *header(const struct jr_rxslot *slot) { return (struct tpacket2_hdr *)slot->pkt.buf; }

static void give_back(struct jr_rxslot *slot)
{
    slot->is_out = false;
    __atomic_store_n(&header(slot)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

static void put(struct jr_pkt_pool *pool, struct jr_pkt *pkt)
{
    pool->in_use--;
    give_back((struct jr_rxslot *)pkt);
}

static struct jr_pkt *get(struct jr_pkt_pool *pool)
{
    (void)pool;
    return NULL; /* only the kernel makes packets here */
}

static int map_ring(struct jr_rxring *r, int fd)
{
    struct tpacket_req req = {
        .tp_block_size = r->block_bytes,
        .tp_block_nr = r->n / r->per_block,
        .tp_frame_size = r->slot_bytes,
        .tp_frame_nr = r->n,
    };
    if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req))
        return -errno;
    r->map_bytes = (size_t)req.tp_block_nr * r->block_bytes;
    void *p = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    r->map = p;
    return 0;
}

int jr_rxring_open(struct jr_rxring *r, int fd, uint32_t n, uint32_t frame_bytes)
{
    int version = TPACKET_V2;
    /* what the kernel puts before a frame's network header, and the alignment of slots */
    uint32_t before = TPACKET_ALIGN(TPACKET2_HDRLEN + 16) + (uint32_t)sizeof(struct virtio_net_hdr);
    *r = (struct jr_rxring){.pool = {.get = get, .put = put}, .block_bytes = BLOCK_BYTES};
    r->slot_bytes = (before + frame_bytes + 63) & ~63u;
    r->per_block = r->block_bytes / r->slot_bytes;
    if (!r->per_block)
        return -EMSGSIZE;
    r->n = (n + r->per_block - 1) / r->per_block * r->per_block;
    r->pool.data_room = frame_bytes;
    if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version))
        return -errno;
    int rc = map_ring(r, fd);
    if (rc)
        return rc;
    r->slots = calloc(r->n, sizeof *r->slots);
    if (!r->slots) {
        jr_rxring_close(r);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < r->n; i++) {
        uint8_t *at = r->map + (size_t)(i / r->per_block) * r->block_bytes + (i % r->per_block) * r->slot_bytes;
        r->slots[i].pkt = (struct jr_pkt){.buf = at, .buf_len = r->slot_bytes, .pool = &r->pool};
    }
    return 0;
}

void jr_rxring_close(struct jr_rxring *r)
{
    if (r->map)
        munmap(r->map, r->map_bytes);
    free(r->slots);
    r->map = NULL;
    r->slots = NULL;
    r->n = 0;
}

struct jr_rxslot *jr_rxring_peek(struct jr_rxring *r, struct jr_rxframe *f)
{
    struct jr_rxslot *slot = &r->slots[r->next];
    const struct tpacket2_hdr *h = header(slot);
    f->status = __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
    if (!(f->status & TP_STATUS_USER) || slot->is_out)
        return NULL;
    f->off = h->tp_mac;
    f->len = h->tp_len;
    f->snap = h->tp_snaplen;
    f->vid_flags = f->status & TP_STATUS_VLAN_VALID ? (h->tp_vlan_tci & 0xfffu) << JR_PKT_RX_VID_SHIFT : 0;
    f->vnet = (const struct virtio_net_hdr *)(slot->pkt.buf + f->off - sizeof *f->vnet);
    return slot;
}

static void advance(struct jr_rxring *r) { r->next = r->next + 1 < r->n ? r->next + 1 : 0; }

struct jr_pkt *jr_rxring_take(struct jr_rxring *r, struct jr_rxslot *slot, const struct jr_rxframe *f)
{
    struct jr_pkt *pkt = &slot->pkt;
    pkt->off = f->off;
    pkt->len = f->len;
    pkt->flags = 0;
    pkt->l3_off = pkt->l4_off = pkt->l4_len = pkt->tso_segsz = 0;
    pkt->next = NULL;
    slot->is_out = true;
    r->pool.in_use++;
    advance(r);
    return pkt;
}

void jr_rxring_skip(struct jr_rxring *r, struct jr_rxslot *slot)
{
    give_back(slot);
    advance(r);
}
