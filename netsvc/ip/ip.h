/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network layer as transports see it. RFC 791, 1122 3.2/3.3, 792, 1812 where a host needs it.
 * Addresses, routes and neighbours are told to it (by rtnetlink or by the configuration); it never asks.
 */
#ifndef JR_IP_H
#define JR_IP_H

#include "base/addr.h"
#include <stdbool.h>

#include "base/pkt.h"
#include "base/time.h"

struct jr_ip;    /* one per worker */
struct jr_netif; /* link/netif.h: one per port */

struct jr_counters;

/* What a transport asks for an outgoing packet. pkt starts at the transport header, whose checksum is filled. */
struct jr_ip_tx {
    struct jr_addr src, dst;
    uint8_t proto;
    uint8_t tos;
    uint8_t ttl; /* 0: the default (net.inet.ip.ttl) */
    bool df;     /* don't fragment */
};

/* What ip tells a transport about a received packet. pkt starts at the transport header. */
struct jr_ip_rx {
    struct jr_addr src, dst;
    uint8_t proto;
    uint8_t tos;
    uint8_t ttl;
    bool broadcast; /* link or network broadcast, or multicast: TCP must drop it */
    struct jr_netif *ifp;
};

/* An ICMP error that quotes one of our packets, already matched to a protocol. */
struct jr_ip_ctl {
    struct jr_addr from;     /* who sent the error */
    struct jr_addr src, dst; /* of the quoted packet: src is ours */
    uint8_t type, code;      /* ICMPv4 numbers */
    uint16_t mtu;            /* for type 3 code 4; 0: not told */
    const uint8_t *quote;    /* transport header of the quoted packet */
    uint32_t quote_len;      /* at least 8 */
};

/* Where a packet to dst would go. */
struct jr_ip_route {
    struct jr_netif *ifp;
    struct jr_addr next_hop; /* dst itself when on link */
    struct jr_addr src;      /* preferred source */
    uint32_t mtu;            /* of the path as known */
    bool local;              /* dst is one of our own addresses */
    uint32_t tx_offloads;    /* JR_PKT_TX_* that the port takes; 0 when in doubt */
};

struct jr_ip_proto {
    void *ctx;
    /* Owns pkt. */
    void (*input)(void *ctx, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now);
    void (*ctlinput)(void *ctx, const struct jr_ip_ctl *ctl, jr_time now);
};

/* Registers the receiver of an IP protocol number. */
void jr_ip_set_proto(struct jr_ip *ip, uint8_t proto, const struct jr_ip_proto *ops);

/* Where the stack that ip belongs to counts. */
struct jr_counters *jr_ip_counters(struct jr_ip *ip);
/* Changes whenever an answer of jr_ip_route() might: a transport that keeps a route asks again when it does. */
uint32_t jr_ip_generation(const struct jr_ip *ip);

/* Looks the route up; false when there is none (the caller reports ENETUNREACH). */
bool jr_ip_route(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out);
/* Whether addr is one of our unicast addresses. */
bool jr_ip_is_local(const struct jr_ip *ip, struct jr_addr addr);

/* A packet with headroom for every header below the transport, from the pool of the port it would leave by. NULL: no memory. */
struct jr_pkt *jr_ip_pkt_new(struct jr_ip *ip, const struct jr_ip_route *rt);

/* Sends and takes ownership of pkt. 0, or a negative errno (-ENETUNREACH, -EHOSTUNREACH, -EMSGSIZE with df). The
 * packet may wait for address resolution. Transports that keep a route pass it, else NULL. */
int jr_ip_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                 jr_time now);

/* Writes an ICMP destination unreachable (type 3) with the given code for a received packet; rate limited.
 * pkt is only read; its l3_off and l4_off must be as ip set them. */
void jr_icmp_unreach(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, uint8_t code, jr_time now);

#endif
