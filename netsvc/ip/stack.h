/* SPDX-License-Identifier: BSD-3-Clause */
/* The network layer's own view of itself; only ip/ includes this. */
#ifndef JR_IP_STACK_H
#define JR_IP_STACK_H

#include "base/bits.h"
#include "base/counters.h"
#include "ip/ip.h"
#include "ip/igmp.h"
#include "ip/pmtu.h"
#include "ip/reass.h"
#include "ip/route.h"
#include "link/netif.h"
#include "wire/ipv4.h"

enum { JR_IP_NETIFS = 16, JR_IP_IDS = 1024, JR_IP_REDIRECTS = 64 };

struct jr_redirect {
    struct jr_addr dst, gw;
    jr_time expires;
};

/* Our unicast addresses, hashed; rebuilt from the interfaces' lists at every change. */
struct jr_local_addrs {
    uint64_t seed;
    uint32_t mask; /* slots - 1; 0: none */
    struct jr_local_addr {
        struct jr_addr addr;
        struct jr_netif *ifp; /* NULL: free */
    } * slots;
};

/* A token bucket. Each packet costs one token and up to one more by dice, so that an observer who counts our answers
 * can't tell how many others got one (RFC 9416; "SAD DNS"). */
struct jr_bucket {
    jr_time since; /* a second is counted from here */
    uint32_t count;
    int32_t jitter; /* of this second's limit */
};

struct jr_nd6_rtr;

struct jr_ip {
    struct jr_counters *counters;
    struct jr_rng *rng;
    struct jr_ip_config cfg;
    jr_time now; /* the latest time seen, for look-ups that are not told it */
    uint32_t generation;
    struct jr_netif *netifs[JR_IP_NETIFS];
    unsigned n_netifs;
    struct jr_netif *lo; /* not among netifs; NULL: none */
    uint16_t zones;      /* numbers given to ports that the kernel does not know */
    struct jr_ip_proto protos[256];
    struct jr_local_addrs local;
    struct jr_route_table routes;
    struct jr_pmtu_table pmtu;
    struct jr_reass reass;
    struct jr_mcast mcast;
    struct jr_redirect redirects[JR_IP_REDIRECTS];
    unsigned n_redirects;
    struct jr_reass reass6;
    struct jr_bucket icmp_errors, icmp_echoes, icmp6_errors;
    uint16_t ids[2][JR_IP_IDS]; /* of whole packets, of packets fragmented here */
    uint32_t ids6[JR_IP_IDS];
    struct jr_nd6_rtr *rtr; /* nd6_rtr.c; NULL until a router is heard */
};

/* icmp.c: whether one more may be sent. */
bool jr_bucket_take(struct jr_ip *ip, struct jr_bucket *b, uint32_t per_s, jr_time now);
/* A route the caller kept, or a fresh one; NULL: there is none that leads off this host. */
static inline const struct jr_ip_route *jr_ip_route_for(struct jr_ip *ip, const struct jr_ip_tx *tx,
                                                        const struct jr_ip_route *rt, struct jr_ip_route *found)
{
    if (!rt && jr_ip_route(ip, tx->dst, found))
        rt = found;
    return rt && !rt->local ? rt : NULL;
}

/* What is still to be sent, in up to three pieces. */
struct jr_ip_gather {
    struct {
        const uint8_t *p;
        uint32_t len;
    } piece[3];
    unsigned i;
};
/* output.c: the next n bytes; there must be as many. */
void jr_ip_gather_take(struct jr_ip_gather *g, uint8_t *dst, uint32_t n);

/* output.c: JR_PKT_TX_* that the port takes. */
uint32_t jr_ip_offloads_of(const struct jr_netif *ifp);

/* addr.c */
void jr_ip_addr4_ready(void *ctx, struct jr_netif *ifp, const struct jr_netif_addr *a, bool connected, jr_time now);
int jr_ip_local_rebuild(struct jr_ip *ip);
/* The interface that has addr, or NULL. */
struct jr_netif *jr_ip_local_find(const struct jr_ip *ip, struct jr_addr addr);
/* Limited, or of one of the interface's subnets. */
bool jr_ip_is_broadcast(const struct jr_netif *ifp, struct jr_addr addr);
/* The source for packets that leave by ifp towards next_hop; the wildcard when the stack has no address. */
struct jr_addr jr_ip_source_for(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr next_hop);

/* input.c: what link/ calls */
void jr_ip_on_packet(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, bool group, jr_time now);

/* icmp.c */
void jr_icmp_input(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now);
/* redirect.c: the other first hop that a router told for dst; NULL: none. */
struct jr_redirect *jr_redirect_find(struct jr_ip *ip, struct jr_addr dst, jr_time now);
struct jr_icmp;
void jr_redirect_input(struct jr_ip *ip, const struct jr_ip_rx *rx, const struct jr_icmp *icmp, const uint8_t *quote,
                       uint32_t quote_len, jr_time now);
/* An error about the packet whose first quote_len bytes these are, if one may be sent. */
void jr_icmp_error(struct jr_ip *ip, uint8_t type, uint8_t code, uint32_t rest, const uint8_t *quote,
                   uint32_t quote_len, jr_time now);
/* A packet of our own whose next hop did not answer: what link/ calls. */
void jr_icmp_on_unresolved(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, jr_time now);

#endif
