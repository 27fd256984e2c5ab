/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP's table of sockets: hashed by local port for all, and by the four-tuple too when connected. Only udp/
 * includes this.
 */
#ifndef JR_UDP_PCB_H
#define JR_UDP_PCB_H

#include "base/counters.h"
#include "base/list.h"
#include "ip/ip.h"
#include "udp/mcast.h"
#include "udp/udp.h"

enum { JR_UDP_BUCKETS = 1024 };

/* Written by opt.c only. */
struct jr_udp_opts {
    uint8_t tos[2], ttl[2]; /* IPv4's, IPv6's: a socket of IPv6 sends both; ttl 0: the default */
    uint8_t pmtudisc;       /* IP_PMTUDISC_*; DONT, as FreeBSD's datagrams have no DF */
    bool broadcast;         /* SO_BROADCAST */
    bool no_check;          /* SO_NO_CHECK */
    bool recverr[2];        /* IP_RECVERR, IPV6_RECVERR */
    uint16_t segment;       /* UDP_SEGMENT; 0: none */
    uint8_t mcast_ttl;      /* IP_MULTICAST_TTL, 1; 0: not beyond this host */
    bool mcast_loop;        /* IP_MULTICAST_LOOP, on */
    bool mcast_all[2];      /* IP_MULTICAST_ALL, IPV6_MULTICAST_ALL, on: also groups that only others joined */
};

struct jr_udpcb {
    struct jr_udp *udp;
    const struct jr_udp_upcalls *up;
    void *so;
    struct jr_endpoint local;  /* port 0: not bound */
    struct jr_endpoint remote; /* a port of 0 when connected: from any port of that host */
    bool connected;
    struct jr_addr bound; /* the address bind() gave; local.addr goes back to it at disconnect */
    bool user_port;       /* bind() chose the port: it stays at disconnect */
    uint32_t flags;       /* JR_UDP_BIND_* */
    struct jr_udp_opts opt;
    /* multicast: mcast.c */
    struct jr_list groups;
    uint32_t n_groups;
    struct jr_netif *mcast_if; /* IP_MULTICAST_IF; NULL: by the route */
    struct jr_addr mcast_src;  /* the address it was named by */
    struct jr_list all_link;
    struct jr_list port_link; /* in by_port when bound, the latest first */
    struct jr_list flow_link; /* in by_flow when connected */
    /* where the last datagram went */
    struct jr_addr rt_dst;
    struct jr_ip_route rt;
    uint32_t rt_generation;
    bool rt_valid;
};

struct jr_udp {
    struct jr_ip *ip;
    struct jr_counters *counters;
    struct jr_udp_config cfg;
    uint16_t port_first, port_last;
    uint8_t secret[16];
    uint64_t dice; /* ephemeral ports tried so far */
    uint64_t seed;
    struct jr_list all;
    struct jr_list by_port[JR_UDP_BUCKETS];
    struct jr_list by_flow[JR_UDP_BUCKETS];
};

/* Whether errors of what was sent there go to the queue. */
static inline bool jr_udp_queues_errors(const struct jr_udpcb *up, struct jr_addr to)
{
    return up->opt.recverr[!jr_addr_is_v4(to)];
}

static inline struct jr_list *jr_udp_port_bucket(struct jr_udp *udp, uint16_t port)
{
    return &udp->by_port[port % JR_UDP_BUCKETS];
}

/* The socket a unicast datagram to local from remote is for; NULL: none. */
struct jr_udpcb *jr_udp_pcb_lookup(struct jr_udp *udp, const struct jr_endpoint *local,
                                   const struct jr_endpoint *remote);
/* The socket connected to exactly this; NULL: none. */
struct jr_udpcb *jr_udp_pcb_connected(struct jr_udp *udp, const struct jr_endpoint *local,
                                      const struct jr_endpoint *remote);
/* Whether a datagram to local from remote may be given to this socket: how well it fits, 0 not at all. */
unsigned jr_udp_pcb_score(const struct jr_udpcb *up, const struct jr_endpoint *local, const struct jr_endpoint *remote);
/* Hands an error to the socket: to its queue if it wants that, and as its pending error. */
void jr_udp_pcb_error(struct jr_udpcb *up, const struct jr_udp_error *e, bool fatal, jr_time now);
/* What was sent to many, given to our own sockets (RFC 1112 6.1). */
void jr_udp_pcb_loop(struct jr_udp *udp, const struct jr_ip_rx *rx, const struct jr_endpoint *from, uint16_t dport,
                     const uint8_t *data, uint32_t len, jr_time now);
/* Binds to a free ephemeral port (RFC 6056 3.3.1). -EADDRINUSE */
int jr_udp_pcb_autobind(struct jr_udpcb *up, struct jr_addr addr);

#endif
