/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network layer as transports see it. RFC 791, 1122 3.2/3.3, 792, 1812 where a host needs it.
 * Addresses, routes and neighbours are told to it (by rtnetlink or by the configuration); it never asks.
 */
#ifndef JR_IP_H
#define JR_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/pkt.h"
#include "base/rng.h"
#include "base/time.h"
#include "jr_sysctl_fields.h"

struct jr_counters;
struct jr_ip;    /* one per worker */
struct jr_netif; /* link/netif.h: one per port */

/* What a transport asks for an outgoing packet. pkt starts at the transport header, whose checksum is filled. */
struct jr_ip_tx {
    struct jr_addr src, dst;
    uint8_t proto;
    uint8_t tos;
    uint8_t ttl;         /* 0: the default (net.inet.ip.ttl) */
    bool df;             /* don't fragment */
    const uint8_t *opts; /* IPv4 options, a multiple of 4 bytes; opts_len 0: none */
    uint8_t opts_len;
};

/* What ip tells a transport about a received packet. pkt starts at the transport header. */
struct jr_ip_rx {
    struct jr_addr src, dst;
    uint8_t proto;
    uint8_t tos;
    uint8_t ttl;
    bool broadcast; /* link or network broadcast, or multicast: TCP must drop it */
    bool multicast;
    bool loop; /* this host sent it */
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
    uint8_t type6, code6;    /* of an ICMPv6 error, whose meaning type and code translate; 0: it was ICMPv4 */
};

/* Where a packet to dst would go. */
struct jr_ip_route {
    struct jr_netif *ifp;
    struct jr_addr next_hop; /* dst itself when on link */
    struct jr_addr src;      /* preferred source */
    uint32_t mtu;            /* of the path as known */
    uint32_t ifp_mtu;        /* of the port */
    bool local;              /* dst is one of our own addresses, and there is no way to it: see jr_ip_set_loop() */
    bool loop;               /* what is sent comes in again here */
    uint32_t tx_offloads;    /* JR_PKT_TX_* that the port takes; 0 when in doubt */
    bool broadcast;          /* dst is a broadcast or multicast address */
    bool no_df;              /* the path's MTU is below what is believed: df is ignored and packets are fragmented */
};

/* Whose a packet seems to be that will be read soon; nothing of it is checked yet. */
struct jr_ip_hint {
    struct jr_addr src, dst;
    uint16_t sport, dport;
};
enum { JR_IP_BURST = 64 };

struct jr_ip_proto {
    void *ctx;
    /* Brings what the packets of a burst need into the cache; NULL: nothing to be had that way. */
    void (*prefetch)(void *ctx, const struct jr_ip_hint *hints, unsigned n);
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
/* The same by a port of the caller's choice: without a route by it, dst counts as a neighbour there. */
bool jr_ip_route_by(struct jr_ip *ip, struct jr_addr dst, struct jr_netif *ifp, struct jr_ip_route *out);
/* The address of ours to answer a packet to many with. */
struct jr_addr jr_ip_answer_addr(const struct jr_ip *ip, const struct jr_ip_rx *rx);
/* The kernel's index of a port; 0: none. */
uint32_t jr_ip_ifindex(const struct jr_netif *ifp);
/* The latest time the stack was told. */
jr_time jr_ip_now(const struct jr_ip *ip);
/* The port that has the address; NULL: none. */
struct jr_netif *jr_ip_netif_of(const struct jr_ip *ip, struct jr_addr addr);
/* net.inet.ip.ttl */
uint8_t jr_ip_ttl(const struct jr_ip *ip);
/* The port with the kernel's index; NULL: none. */
struct jr_netif *jr_ip_netif_by_index(const struct jr_ip *ip, uint32_t ifindex);
/* Whether addr is one of our unicast addresses. */
bool jr_ip_is_local(const struct jr_ip *ip, struct jr_addr addr);

/* A packet with headroom for every header below the transport, from the pool of the port it would leave by. NULL: no
 * memory. */
struct jr_pkt *jr_ip_pkt_new(struct jr_ip *ip, const struct jr_ip_route *rt);

/* Sends and takes ownership of pkt. 0, or a negative errno (-ENETUNREACH, -EHOSTUNREACH, -EMSGSIZE with df). The
 * packet may wait for address resolution. Transports that keep a route pass it, else NULL. */
int jr_ip_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                 jr_time now);

/* Writes an ICMP destination unreachable (type 3) with the given code for a received packet; rate limited.
 * pkt is only read; its l3_off and l4_off must be as ip set them. */
void jr_icmp_unreach(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, uint8_t code, jr_time now);

/* ---- For transports: what else the network layer knows ---- */

/* Whether the kernel uses the same ports. */
bool jr_ip_is_shared(const struct jr_ip *ip);
/* Whether what came is the kernel's when no pcb here matches: no RST, no ICMP error then. */
bool jr_ip_is_kernels(const struct jr_ip *ip, const struct jr_ip_rx *rx);
struct jr_rng *jr_ip_rng(const struct jr_ip *ip);
/* A transport that has matched an ICMP "fragmentation needed" to a packet it really sent says so here (RFC 1191, RFC
 * 5927: nothing is believed before). mtu as in jr_ip_ctl, 0: not told. Returns the path's MTU from now on. */
uint32_t jr_ip_pmtu_update(struct jr_ip *ip, struct jr_addr dst, uint16_t mtu, jr_time now);
/* The errno of an ICMP error, as icmp(7) has it; 0: none. fatal: it ends a connection attempt or a datagram
 * socket's call, the others are only hints (RFC 1122 4.2.3.9). */
int jr_icmp_errno(uint8_t type, uint8_t code, bool *fatal);
/* The same for an error of either family, ipv6(7)'s for ICMPv6. */
int jr_ip_ctl_errno(const struct jr_ip_ctl *ctl, bool *fatal);
/* Sends hdr (the transport header, checksum filled) followed by a and b in as many packets as it needs. */
int jr_ip_output_gather(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt, const void *hdr,
                        uint32_t hdr_len, const void *a, uint32_t a_len, const void *b, uint32_t b_len, jr_time now);

/* ---- For main/ and ctl/: the stack's life, its ports and what rtnetlink tells ---- */

/* The knobs are codegen/spec/sysctl/ip.yaml's. */
struct jr_ip_config {
    JR_SYSCTL_IP_FIELDS;
    bool shared;               /* see jr_ip_is_shared() */
    uint8_t secret[16];        /* packet ids and hash seeds */
    uint8_t stable_secret[16]; /* the same at each start: RFC 7217; all zeros: there is none */
};
void jr_ip_config_defaults(struct jr_ip_config *cfg);
/* The configuration in use: its knobs may be changed between two calls. */
struct jr_ip_config *jr_ip_config(struct jr_ip *ip);

/* counters and rng stay the caller's and must outlive it. cfg NULL: the defaults. NULL: no memory. */
struct jr_ip *jr_ip_new(struct jr_counters *counters, struct jr_rng *rng, const struct jr_ip_config *cfg);
/* Ports are taken off, not freed. */
void jr_ip_free(struct jr_ip *ip);
void jr_ip_set_shared(struct jr_ip *ip, bool shared);

/* The port's packets come to this stack from now on. -ENOSPC, -EEXIST. */
int jr_ip_netif_add(struct jr_ip *ip, struct jr_netif *ifp);
/* Takes it off with its addresses and routes. */
void jr_ip_netif_del(struct jr_ip *ip, struct jr_netif *ifp);

/* Packets to this host itself, 127.0.0.0/8 and ::1 among it, leave by this interface (link/loopif.h) from now on, and
 * come in when jr_ip_run_loop() is called. It stays the caller's; without one such packets are not sent. -ENOMEM */
int jr_ip_set_loop(struct jr_ip *ip, struct jr_netif *lo, jr_time now);
/* Another address of this host, which no port of the stack has. -EADDRNOTAVAIL, -ENOMEM */
int jr_ip_loop_addr_add(struct jr_ip *ip, struct jr_addr addr);
int jr_ip_loop_addr_del(struct jr_ip *ip, struct jr_addr addr);
/* Returns how many packets came in. */
unsigned jr_ip_run_loop(struct jr_ip *ip, jr_time now);

/* A frame that the port received; takes ownership. */
void jr_ip_input(struct jr_netif *ifp, struct jr_pkt *frame, jr_time now);
/* The same for what came at once, with cache misses that overlap. */
void jr_ip_input_burst(struct jr_ip *ip, struct jr_netif *ifp, struct jr_pkt **frames, unsigned n, jr_time now);
/* Hands what was queued for transmission to the devices; once per loop. */
void jr_ip_flush(struct jr_ip *ip, jr_time now);
/* Reassembly, neighbours. */
jr_time jr_ip_next_tick(const struct jr_ip *ip);
void jr_ip_tick(struct jr_ip *ip, jr_time now);

/* plen counts in the address's own family (0 to 32). bcast: the subnet's broadcast address, or the wildcard for none.
 * connected: also add the route to the subnet, which rtnetlink otherwise reports by itself. An address that is there is
 * updated. -EINVAL, -ENOMEM */
int jr_ip_addr_add(struct jr_ip *ip, struct jr_netif *ifp, struct jr_addr addr, uint8_t plen, struct jr_addr bcast,
                   bool connected, jr_time now);
/* An IPv6 address with all there is to say; jr_ip_addr_add() takes the usual. */
struct jr_ip_addr6 {
    struct jr_addr addr;
    uint8_t plen;
    bool detect;                          /* see first whether others have it (RFC 4862 5.4) */
    bool deprecated, temporary, autoconf; /* autoconf: made from a router's prefix */
    jr_time preferred_until, valid_until; /* JR_TIME_NEVER */
};
int jr_ip_addr6_add(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_ip_addr6 *addr, bool connected,
                    jr_time now);
/* A port of our own begins to speak IPv6: a link-local address, and routers are asked if they are to be believed. */
int jr_ip_start6(struct jr_ip *ip, struct jr_netif *ifp, bool accept_rtadv, jr_time now);
/* With its connected route and the routes that prefer it as source. -EADDRNOTAVAIL. */
int jr_ip_addr_del(struct jr_ip *ip, struct jr_netif *ifp, struct jr_addr addr);

struct jr_ip_route_conf {
    struct jr_addr dst;
    uint8_t plen;         /* 0 to 32 */
    uint32_t metric;      /* the lower one wins among equal prefixes */
    struct jr_netif *ifp; /* NULL: no way by our ports (unreachable, or the kernel's); it hides wider prefixes */
    struct jr_addr gw;    /* the wildcard: on link */
    struct jr_addr src;   /* preferred source; the wildcard: chosen by subnet */
    uint32_t mtu;         /* 0: the port's */
};
/* Replaces the route of the same dst, plen and metric. -ENOMEM, -EINVAL. */
int jr_ip_route_add(struct jr_ip *ip, const struct jr_ip_route_conf *route);
/* The route of the same dst, plen and metric. -ESRCH. */
int jr_ip_route_del(struct jr_ip *ip, struct jr_addr dst, uint8_t plen, uint32_t metric);

/* Every address of the stack until fn returns false (for snapshots and policy pages). */
void jr_ip_addr_each(const struct jr_ip *ip,
                     bool (*fn)(void *ctx, struct jr_netif *ifp, struct jr_addr addr, uint8_t plen), void *ctx);

#endif
