/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4's host under test with IPv6 addresses, and the frames its neighbours send:
 *
 *     us 2001:db8::1/64 ───┬── peer 2001:db8::2
 *        fe80::…01         └── router fe80::fe ── far 2001:db8:ffff::1 (default route)
 */
#ifndef JR_TESTS_IP6_HOST6_H
#define JR_TESTS_IP6_HOST6_H

#include "host.h"
#include "link/nd6.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

#define US6 ip6("2001:db8::1")
#define PEER6 ip6("2001:db8::2")
#define FAR6 ip6("2001:db8:ffff::1")
#define ANY6 ((struct jr_addr){.q = {0, 0}})
#define ALL_NODES ip6("ff02::1")

/* Text to an address without zone. */
struct jr_addr ip6(const char *text);
/* The same on the host's link. */
struct jr_addr on_link(struct host *h, const char *text);

/* No duplicate detection; peer and router are known; the link-local address is US_LL. cfg as host_init(). */
void host6_init(struct host *h, struct jr_ip_config *cfg);

/* Ethernet from peer (or router, for far sources) to us or the group's address; IPv6 with payload. hlim 0: 64. */
void frame_ipv6(struct frame *f, const struct jr_ipv6 *ip, const void *payload, uint32_t len);
void frame_udp6(struct frame *f, struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport,
                const void *data, uint32_t len);
void frame_icmp6(struct frame *f, struct jr_addr src, struct jr_addr dst, uint8_t hlim, const struct jr_icmp6 *icmp,
                 const void *body, uint32_t len);
/* A neighbour solicitation or advertisement; mac NULL: without the link address option. */
void frame_nd(struct frame *f, struct jr_addr src, struct jr_addr dst, uint8_t type, uint32_t flags,
              struct jr_addr target, const struct jr_ether_addr *mac);

struct sent6 {
    struct jr_pkt *pkt;
    struct jr_ether eth;
    struct jr_ipv6 ip;
    struct jr_ipv6_chain chain;
    const uint8_t *payload; /* behind all headers that are not the transport's */
    uint32_t len;
};
/* false: nothing was sent, or no sound IPv6 packet. Ends with sent6_free(). */
bool host_sent_ipv6(struct host *h, struct sent6 *s);
void sent6_free(struct sent6 *s);
/* The same, expecting an ICMPv6 message with a good checksum. */
bool host_sent_icmp6(struct host *h, struct sent6 *s, struct jr_icmp6 *icmp);

#endif
