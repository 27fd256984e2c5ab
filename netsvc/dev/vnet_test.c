/* SPDX-License-Identifier: BSD-3-Clause */
/* What AF_PACKET's header says about packets that leave and frames that came. */
#include "base/byteorder.h"
#include "base/heap_pkt.h"
#include "base/test.h"
#include "dev/vnet.h"

enum { TCP = 6, UDP = 17, GSO_UDP_L4 = 5 };

/* An Ethernet frame of IPv4 or IPv6 with a transport header of hlen bytes and a payload; returns its length. */
static uint32_t frame(uint8_t *p, bool v6, uint8_t proto, uint32_t hlen, uint32_t payload)
{
    uint32_t l3 = v6 ? 40 : 20;
    memset(p, 0, 14 + l3 + hlen);
    jr_store_be16(p + 12, v6 ? 0x86dd : 0x0800);
    uint8_t *ip = p + 14;
    ip[0] = v6 ? 0x60 : 0x45;
    if (v6) {
        jr_store_be16(ip + 4, (uint16_t)(hlen + payload));
        ip[6] = proto;
        for (unsigned i = 8; i < 40; i++)
            ip[i] = (uint8_t)(i * 7);
    } else {
        jr_store_be16(ip + 2, (uint16_t)(l3 + hlen + payload));
        ip[9] = proto;
        for (unsigned i = 12; i < 20; i++)
            ip[i] = (uint8_t)(i * 13);
    }
    if (proto == UDP)
        jr_store_be16(ip + l3 + 4, (uint16_t)(hlen + payload));
    for (uint32_t i = 0; i < payload; i++)
        p[14 + l3 + hlen + i] = (uint8_t)i;
    return 14 + l3 + hlen + payload;
}

/* The same as a packet of the engine's. */
static struct jr_pkt *packet(struct jr_heap_pool *hp, bool v6, uint8_t proto, uint32_t hlen, uint32_t payload)
{
    struct jr_pkt *pkt = jr_pkt_new(&hp->pool);
    pkt->len = frame(jr_pkt_data(pkt), v6, proto, hlen, payload);
    pkt->l3_off = (uint16_t)(pkt->off + 14);
    pkt->l4_off = (uint16_t)(pkt->l3_off + (v6 ? 40 : 20));
    pkt->l4_len = (uint16_t)hlen;
    return pkt;
}

JR_TEST(a_packet_without_offloads_has_an_empty_header)
{
    struct jr_heap_pool hp;
    struct virtio_net_hdr h, none = {0};
    jr_heap_pool_init(&hp, 4096, 0);
    struct jr_pkt *pkt = packet(&hp, false, TCP, 32, 100);
    memset(&h, 0xff, sizeof h);
    JR_CHECK(jr_vnet_tx(pkt, &h));
    JR_CHECK(memcmp(&h, &none, sizeof h) == 0);
    jr_pkt_free(pkt);
    JR_CHECK_EQ(hp.pool.in_use, 0);
}

JR_TEST(a_checksum_is_left_to_the_kernel)
{
    struct jr_heap_pool hp;
    struct virtio_net_hdr h;
    jr_heap_pool_init(&hp, 4096, 0);
    for (int v6 = 0; v6 < 2; v6++) {
        for (int udp = 0; udp < 2; udp++) {
            struct jr_pkt *pkt = packet(&hp, v6, udp ? UDP : TCP, udp ? 8 : 20, 100);
            pkt->flags = JR_PKT_TX_L4_CSUM;
            jr_store_be16(pkt->buf + pkt->l4_off + (udp ? 6 : 16), 0x1234); /* the engine's pseudo header */
            JR_CHECK(jr_vnet_tx(pkt, &h));
            JR_CHECK_EQ(h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
            JR_CHECK_EQ(h.gso_type, VIRTIO_NET_HDR_GSO_NONE);
            JR_CHECK_EQ(h.csum_start, 14 + (v6 ? 40 : 20));
            JR_CHECK_EQ(h.csum_offset, udp ? 6 : 16);
            JR_CHECK_EQ(jr_load_be16(pkt->buf + pkt->l4_off + (udp ? 6 : 16)), 0x1234);
            jr_pkt_free(pkt);
        }
    }
}

JR_TEST(segmentation_tells_size_and_headers)
{
    struct jr_heap_pool hp;
    struct virtio_net_hdr h;
    jr_heap_pool_init(&hp, 65536, 0);
    for (int v6 = 0; v6 < 2; v6++) {
        struct jr_pkt *pkt = packet(&hp, v6, TCP, 32, 60000);
        uint8_t *l4 = pkt->buf + pkt->l4_off;
        pkt->flags = JR_PKT_TX_L4_CSUM | JR_PKT_TX_TSO;
        pkt->tso_segsz = 1448;
        JR_CHECK(jr_vnet_tx(pkt, &h));
        JR_CHECK_EQ(h.gso_type, v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
        JR_CHECK_EQ(h.gso_size, 1448);
        JR_CHECK_EQ(h.hdr_len, 14 + (v6 ? 40 : 20) + 32);
        uint32_t sum = TCP + 60032;
        for (uint8_t *p = pkt->buf + pkt->l3_off + (v6 ? 8 : 12); p < l4; p += 2)
            sum += jr_load_be16(p);
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        JR_CHECK_EQ(jr_load_be16(l4 + 16), sum);
        JR_CHECK(jr_vnet_tx(pkt, &h)); /* the kernel had no room: again later */
        JR_CHECK_EQ(jr_load_be16(l4 + 16), sum);
        l4[13] |= 0x80;
        JR_CHECK(jr_vnet_tx(pkt, &h));
        JR_CHECK(h.gso_type & VIRTIO_NET_HDR_GSO_ECN);
        jr_pkt_free(pkt);
    }
}

JR_TEST(offloads_that_do_not_exist_are_refused)
{
    struct jr_heap_pool hp;
    struct virtio_net_hdr h;
    jr_heap_pool_init(&hp, 4096, 0);
    struct jr_pkt *pkt = packet(&hp, false, UDP, 8, 3000);
    pkt->flags = JR_PKT_TX_L4_CSUM | JR_PKT_TX_TSO;
    JR_CHECK(!jr_vnet_tx(pkt, &h));
    pkt->flags = JR_PKT_TX_IP_CSUM;
    JR_CHECK(!jr_vnet_tx(pkt, &h));
    jr_pkt_free(pkt);
    pkt = packet(&hp, false, 1, 8, 30);
    pkt->flags = JR_PKT_TX_L4_CSUM;
    JR_CHECK(!jr_vnet_tx(pkt, &h));
    jr_pkt_free(pkt);
}

JR_TEST(what_was_checked_or_never_left_the_host_is_not_summed_again)
{
    uint8_t f[2048];
    for (int v6 = 0; v6 < 2; v6++) {
        uint32_t len = frame(f, v6, TCP, 32, 100);
        uint16_t l4 = v6 ? 54 : 34;
        struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = l4, .csum_offset = 16};
        struct jr_vnet_rx rx = jr_vnet_rx(&h, f, len);
        JR_CHECK_EQ(rx.flags, JR_PKT_RX_L4_CSUM_OK);
        JR_CHECK(rx.is_whole);
        JR_CHECK_EQ(rx.l4_off, l4);
        h.csum_start = 20; /* somebody else's sum */
        JR_CHECK_EQ(jr_vnet_rx(&h, f, len).flags, 0);
        h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
        JR_CHECK_EQ(jr_vnet_rx(&h, f, len).flags, JR_PKT_RX_L4_CSUM_OK);
        h.flags = 0;
        rx = jr_vnet_rx(&h, f, len);
        JR_CHECK_EQ(rx.flags, 0);
        JR_CHECK(rx.is_whole);
    }
}

JR_TEST(only_whole_tcp_and_udp_packets_are_said_to_be_short_lived)
{
    uint8_t f[2048];
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    uint32_t len = frame(f, false, UDP, 8, 100);
    JR_CHECK(jr_vnet_rx(&h, f, len).is_whole);
    jr_store_be16(f + 14 + 6, 0x4000); /* don't fragment */
    JR_CHECK(jr_vnet_rx(&h, f, len).is_whole);
    jr_store_be16(f + 14 + 6, 0x2000); /* more fragments */
    JR_CHECK(!jr_vnet_rx(&h, f, len).is_whole);
    JR_CHECK_EQ(jr_vnet_rx(&h, f, len).flags, 0);
    jr_store_be16(f + 14 + 6, 0x0001); /* a later fragment */
    JR_CHECK(!jr_vnet_rx(&h, f, len).is_whole);
    frame(f, true, UDP, 8, 100);
    f[14 + 6] = 44; /* a fragment header follows */
    JR_CHECK(!jr_vnet_rx(&h, f, 162).is_whole);
    frame(f, false, 1, 8, 100);
    JR_CHECK(!jr_vnet_rx(&h, f, len).is_whole);
    frame(f, false, TCP, 20, 100);
    jr_store_be16(f + 12, 0x0806);
    JR_CHECK(!jr_vnet_rx(&h, f, len).is_whole);
}

JR_TEST(a_cut_off_frame_has_no_transport)
{
    uint8_t f[256];
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    for (int v6 = 0; v6 < 2; v6++) {
        uint32_t len = frame(f, v6, TCP, 20, 0);
        for (uint32_t n = 0; n < len; n++) {
            uint8_t exact[256];
            memcpy(exact, f, n);
            JR_CHECK(!jr_vnet_rx(&h, exact, n).is_whole);
        }
        JR_CHECK(jr_vnet_rx(&h, f, len).is_whole);
    }
}

JR_TEST(a_train_of_datagrams_is_cut_where_its_sender_joined_it)
{
    uint8_t f[4096], out[1600];
    for (int v6 = 0; v6 < 2; v6++) {
        uint32_t len = frame(f, v6, UDP, 8, 2500), head = v6 ? 62 : 42;
        struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = GSO_UDP_L4,
                                   .gso_size = 1000,
                                   .csum_start = (uint16_t)(head - 8),
                                   .csum_offset = 6};
        struct jr_vnet_rx rx = jr_vnet_rx(&h, f, len);
        JR_CHECK_EQ(rx.udp_segsz, 1000);
        JR_CHECK_EQ(jr_vnet_udp_count(&rx, len), 3);
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t payload = i < 2 ? 1000 : 500;
            JR_CHECK_EQ(jr_vnet_udp_cut(&rx, f, len, i, out), head + payload);
            JR_CHECK_EQ(jr_load_be16(out + head - 4), 8 + payload);
            JR_CHECK_EQ(jr_load_be16(out + 14 + (v6 ? 4 : 2)), 8 + payload + (v6 ? 0 : 20));
            JR_CHECK(memcmp(out + head, f + head + i * 1000, payload) == 0);
        }
        h.gso_size = 2500; /* a train of one is a datagram */
        JR_CHECK_EQ(jr_vnet_rx(&h, f, len).udp_segsz, 0);
        h.gso_size = 0;
        JR_CHECK_EQ(jr_vnet_rx(&h, f, len).udp_segsz, 0);
    }
}

JR_TEST_MAIN
