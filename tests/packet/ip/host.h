/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host under test, with a fake clock and a fake port, and the frames its neighbours send:
 *
 *     us 10.0.0.1/24 ──┬── peer 10.0.0.2
 *                      └── router 10.0.0.254 ── far 192.0.2.1 (default route)
 */
#ifndef JR_TESTS_IP_HOST_H
#define JR_TESTS_IP_HOST_H

#include "base/counters.h"
#include "base/test.h"
#include "fake_dev.h"
#include "ip/ip.h"
#include "link/neigh.h"
#include "udp/udp.h"
#include "wire/arp.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/udp_wire.h"

#define US jr_addr_v4(jr_be32(0x0a000001))
#define PEER jr_addr_v4(jr_be32(0x0a000002))
#define SUBNET_BCAST jr_addr_v4(jr_be32(0x0a0000ff))
#define ROUTER jr_addr_v4(jr_be32(0x0a0000fe))
#define FAR jr_addr_v4(jr_be32(0xc0000201))
#define ANY jr_addr_v4(0)
#define IP4(a, b, c, d) jr_addr_v4(jr_be32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)))

#define MAC_US ((struct jr_ether_addr){{2, 0, 0, 0, 0, 1}})
#define MAC_PEER ((struct jr_ether_addr){{2, 0, 0, 0, 0, 2}})
#define MAC_ROUTER ((struct jr_ether_addr){{2, 0, 0, 0, 0, 0xfe}})

struct host {
    struct jr_counters counters, mark;
    struct jr_rng rng;
    struct fake_dev dev;
    struct jr_netif *ifp;
    struct jr_ip *ip;
    struct jr_udp *udp;
    jr_time now;
};

/* cfg NULL: the defaults. The peer's and the router's link addresses are known. */
void host_init(struct host *h, const struct jr_ip_config *cfg);
void host_init_mtu(struct host *h, const struct jr_ip_config *cfg, uint32_t mtu, uint32_t caps);
/* Checks that no packet leaked. */
void host_fini(struct host *h);

/* A frame arrives, and what it causes leaves. */
void host_rx(struct host *h, const void *frame, uint32_t len);
/* Time passes in steps of 100 ms, with its ticks. */
void host_wait(struct host *h, jr_time us);
void host_flush(struct host *h);
/* The oldest frame sent and not yet taken; NULL: none. jr_pkt_free() it. */
struct jr_pkt *host_sent(struct host *h);
/* Throws away what was sent; returns how many frames. */
unsigned host_discard(struct host *h);
/* What a counter grew by since the last host_mark(). */
uint64_t host_counted(const struct host *h, enum jr_counter id);
void host_mark(struct host *h);

struct frame {
    uint32_t len;
    uint8_t b[66000];
};

/* Ethernet from the peer (or the router, for a source that is not on link) to us, IPv4 as ip says: total_len 0 and
 * ttl 0 are filled in. */
void frame_ipv4(struct frame *f, const struct jr_ipv4 *ip, const void *payload, uint32_t len);
void frame_arp(struct frame *f, struct jr_ether_addr to, const struct jr_arp *arp);
void frame_udp(struct frame *f, struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport,
               const void *data, uint32_t len);
/* A datagram of our own, as an ICMP error about it quotes it; returns its length. */
uint32_t quote_udp(uint8_t *p, struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport);
void frame_icmp(struct frame *f, struct jr_addr src, struct jr_addr dst, const struct jr_icmp *icmp, const void *body,
                uint32_t len);
/* Recomputes the IPv4 header checksum of a frame that was changed. */
void frame_fix_cksum(struct frame *f);

/* A frame that was sent, taken apart; checks Ethernet and the IPv4 header. The payload points into pkt. */
struct sent {
    struct jr_pkt *pkt;
    struct jr_ether eth;
    struct jr_ipv4 ip;
    const uint8_t *payload;
    uint32_t len;
};
/* false: nothing was sent, or no sound IPv4 packet. Ends with sent_free(). */
bool host_sent_ipv4(struct host *h, struct sent *s);
void sent_free(struct sent *s);
bool host_sent_arp(struct host *h, struct jr_ether *eth, struct jr_arp *arp);

#endif
