/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiving side of an AF_PACKET socket: a TPACKET_V2 ring that the kernel fills (packet(7),
 * Documentation/networking/packet_mmap.rst). A frame that fits a slot is read where it lies; of a longer one (segments
 * that the peer or the kernel put together) the slot has the beginning and the socket's queue the whole.
 */
#ifndef JR_DEV_RXRING_H
#define JR_DEV_RXRING_H

#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "base/pkt.h"

struct jr_rxslot {
    struct jr_pkt pkt;
    bool is_out; /* handed to the engine and not yet given back */
};

struct jr_rxring {
    struct jr_pkt_pool pool; /* of packets that lie in slots */
    uint8_t *map;
    size_t map_bytes;
    struct jr_rxslot *slots;
    uint32_t n, next;
    uint32_t slot_bytes, block_bytes, per_block;
};

/* What the kernel put into a slot. */
struct jr_rxframe {
    const struct virtio_net_hdr *vnet;
    uint32_t off;       /* from the slot's start */
    uint32_t len, snap; /* of the frame, and how much of it is here */
    uint32_t status;    /* TP_STATUS_* */
    uint32_t vid_flags; /* of the tag that the kernel took off, as in jr_pkt.flags */
};

/* At least n slots for frames of up to frame_bytes. The socket has PACKET_VNET_HDR. Negative errno. */
int jr_rxring_open(struct jr_rxring *r, int fd, uint32_t n, uint32_t frame_bytes);
void jr_rxring_close(struct jr_rxring *r);

/* The next slot that the kernel has filled; NULL: none. It stays the next until taken or skipped. */
struct jr_rxslot *jr_rxring_peek(struct jr_rxring *r, struct jr_rxframe *f);
/* Its frame as a packet in place; jr_pkt_free() gives the slot back. */
struct jr_pkt *jr_rxring_take(struct jr_rxring *r, struct jr_rxslot *slot, const struct jr_rxframe *f);
/* Gives it back to the kernel. */
void jr_rxring_skip(struct jr_rxring *r, struct jr_rxslot *slot);

#endif
