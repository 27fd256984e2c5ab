/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio 1.2, 5.1.6.2 and 5.1.6.4, as Linux reads it (include/linux/virtio_net.h there). Fields are in the machine's
 * order, since AF_PACKET is not a virtio device.
 */
#include "dev/vnet.h"

#include <netinet/in.h>
#include <string.h>

#include "base/byteorder.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* Linux 6.2 */
#endif

enum {
    ETHER_HLEN = 14,
    UDP_HLEN = 8,
    IPV6_HLEN = 40,
    TCP_FLAGS = 13,
    TCP_CWR = 0x80,
    TCP_SUM = 16, /* where the checksum lies in a header */
    UDP_SUM = 6,
};

static uint8_t proto_of(const uint8_t *l3) { return l3[0] >> 4 == 4 ? l3[9] : l3[6]; }

/* The pseudo header's sum with a length, as the checksum field wants it (RFC 9293 3.1, RFC 8200 8.1). */
static uint16_t pseudo_sum(const uint8_t *l3, uint32_t len)
{
    const uint8_t *p = l3[0] >> 4 == 4 ? l3 + 12 : l3 + 8, *end = l3[0] >> 4 == 4 ? l3 + 20 : l3 + IPV6_HLEN;
    uint32_t sum = IPPROTO_TCP + (len & 0xffff) + (len >> 16);
    for (; p < end; p += 2)
        sum += jr_load_be16(p);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)(sum + (sum >> 16));
}

bool jr_vnet_tx(struct jr_pkt *pkt, struct virtio_net_hdr *h)
{
    memset(h, 0, sizeof *h);
    if (!(pkt->flags & (JR_PKT_TX_L4_CSUM | JR_PKT_TX_TSO | JR_PKT_TX_IP_CSUM)))
        return true;
    if (pkt->flags & JR_PKT_TX_IP_CSUM) /* there is no such request; the port never offers it */
        return false;
    const uint8_t *l3 = pkt->buf + pkt->l3_off;
    uint8_t *l4 = pkt->buf + pkt->l4_off, proto = proto_of(l3);
    if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
        return false;
    h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    h->csum_start = (uint16_t)(pkt->l4_off - pkt->off);
    h->csum_offset = proto == IPPROTO_TCP ? TCP_SUM : UDP_SUM;
    if (!(pkt->flags & JR_PKT_TX_TSO))
        return true;
    if (proto != IPPROTO_TCP)
        return false;
    h->gso_type = l3[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    if (l4[TCP_FLAGS] & TCP_CWR) /* only the first segment may carry it (RFC 3168 6.1.2) */
        h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    h->gso_size = pkt->tso_segsz;
    h->hdr_len = (uint16_t)(pkt->l4_off + pkt->l4_len - pkt->off);
    jr_store_be16(l4 + TCP_SUM, pseudo_sum(l3, pkt->off + pkt->len - pkt->l4_off));
    return true;
}

/* Finds the TCP or UDP header of an unfragmented packet; 0: there is none. */
static uint16_t find_l4(const uint8_t *frame, uint32_t len, uint8_t *proto)
{
    if (len < ETHER_HLEN + 20)
        return 0;
    const uint8_t *ip = frame + ETHER_HLEN;
    uint32_t hlen;
    switch (jr_load_be16(frame + 12)) {
    case 0x0800:
        hlen = (ip[0] & 15u) * 4;
        if (ip[0] >> 4 != 4 || hlen < 20 || jr_load_be16(ip + 6) & 0x3fff)
            return 0;
        break;
    case 0x86dd:
        hlen = IPV6_HLEN;
        if (ip[0] >> 4 != 6)
            return 0;
        break;
    default:
        return 0;
    }
    *proto = proto_of(ip);
    uint32_t need = *proto == IPPROTO_TCP ? 20 : UDP_HLEN;
    if ((*proto != IPPROTO_TCP && *proto != IPPROTO_UDP) || len < ETHER_HLEN + hlen + need)
        return 0;
    return (uint16_t)(ETHER_HLEN + hlen);
}

struct jr_vnet_rx jr_vnet_rx(const struct virtio_net_hdr *h, const uint8_t *frame, uint32_t len)
{
    struct jr_vnet_rx rx = {0};
    uint8_t proto = 0;
    rx.l4_off = find_l4(frame, len, &proto);
    if (!rx.l4_off)
        return rx;
    rx.is_whole = true;
    uint16_t sum = proto == IPPROTO_TCP ? TCP_SUM : UDP_SUM;
    /* a sum that the sender left to its hardware never was on a wire */
    bool is_partial = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && h->csum_start == rx.l4_off && h->csum_offset == sum;
    if (is_partial || h->flags & VIRTIO_NET_HDR_F_DATA_VALID)
        rx.flags |= JR_PKT_RX_L4_CSUM_OK;
    bool is_segments = (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_UDP_L4;
    if (is_segments && proto == IPPROTO_UDP && h->gso_size && len > rx.l4_off + UDP_HLEN + (uint32_t)h->gso_size)
        rx.udp_segsz = h->gso_size;
    return rx;
}

uint32_t jr_vnet_udp_count(const struct jr_vnet_rx *rx, uint32_t len)
{
    return (len - rx->l4_off - UDP_HLEN + rx->udp_segsz - 1) / rx->udp_segsz;
}

uint32_t jr_vnet_udp_cut(const struct jr_vnet_rx *rx, const uint8_t *frame, uint32_t len, uint32_t n, uint8_t *dst)
{
    uint32_t head = rx->l4_off + UDP_HLEN, at = head + n * rx->udp_segsz;
    uint32_t bytes = len - at < rx->udp_segsz ? len - at : rx->udp_segsz;
    memcpy(dst, frame, head);
    memcpy(dst + head, frame + at, bytes);
    uint8_t *ip = dst + ETHER_HLEN;
    if (ip[0] >> 4 == 4)
        jr_store_be16(ip + 2, (uint16_t)(head - ETHER_HLEN + bytes));
    else
        jr_store_be16(ip + 4, (uint16_t)(UDP_HLEN + bytes));
    jr_store_be16(dst + rx->l4_off + 4, (uint16_t)(UDP_HLEN + bytes));
    return head + bytes;
}
