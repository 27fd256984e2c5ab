/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header that AF_PACKET puts before each frame when asked for PACKET_VNET_HDR (virtio 1.2, 5.1.6): what is still to
 * be done to a frame that leaves (checksum, segmentation), and what need not be done to one that came. Pure
 * translation between it and struct jr_pkt; nothing here makes system calls.
 */
#ifndef JR_DEV_VNET_H
#define JR_DEV_VNET_H

#include <linux/virtio_net.h>

#include "base/pkt.h"

/* What a received frame is, from its header and its own bytes. */
struct jr_vnet_rx {
    uint32_t flags;     /* JR_PKT_RX_* */
    bool is_whole;      /* TCP or UDP and no fragment: nobody keeps it beyond the call it is handed over in */
    uint16_t udp_segsz; /* not 0: several datagrams in one frame, this much payload each but the last */
    uint16_t l4_off;    /* from the frame's start; 0: no TCP or UDP header was found */
};

/* Fills h for a frame that is about to leave, and the checksum field of one to be segmented: the kernel wants the whole
 * length in the pseudo header, which the engine leaves out. False: no such offload exists. */
bool jr_vnet_tx(struct jr_pkt *pkt, struct virtio_net_hdr *h);

struct jr_vnet_rx jr_vnet_rx(const struct virtio_net_hdr *h, const uint8_t *frame, uint32_t len);

/* How many datagrams a frame with udp_segsz holds. */
uint32_t jr_vnet_udp_count(const struct jr_vnet_rx *rx, uint32_t len);
/* Writes the n-th of them as a frame of its own to dst, which has room for l4_off + 8 + udp_segsz bytes. Its length. */
uint32_t jr_vnet_udp_cut(const struct jr_vnet_rx *rx, const uint8_t *frame, uint32_t len, uint32_t n, uint8_t *dst);

#endif
