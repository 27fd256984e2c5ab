/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interface: a port (struct jr_dev) with what an IP host needs around it: addresses, neighbours, a queue in
 * which the packets of one loop iteration wait to leave in one burst. The network layer above is reached through
 * a table, so link/ knows nothing of ip/. One worker uses an interface; nothing locks.
 */
#ifndef JR_LINK_NETIF_H
#define JR_LINK_NETIF_H

#include "base/counters.h"
#include "base/rng.h"
#include "dev/dev.h"
#include "link/link.h"

struct jr_netif;
struct jr_neigh_table;
struct jr_nd6;
struct jr_acd_addr;
struct jr_netif_addr;

enum { JR_NETIF_TXQ = 512 };

/* The layer above. */
struct jr_netif_l3 {
    void *ctx;
    /* A packet for the network layer, which owns it from here: l3_off is set and the data starts there. group: it
     * came by link broadcast or multicast. */
    void (*input)(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, bool group, jr_time now);
    /* The same for IPv6. */
    void (*input6)(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, bool group, jr_time now);
    /* Nobody else has an address that was probed for (link/acd.h). */
    void (*addr4_ready)(void *ctx, struct jr_netif *ifp, const struct jr_netif_addr *a, bool connected, jr_time now);
    /* An IPv6 address became usable, deprecated, or went. */
    void (*addr6_changed)(void *ctx, struct jr_netif *ifp, jr_time now);
    /* A neighbour says that it is no router. */
    void (*router_gone)(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now);
    /* A neighbour does not answer; what waited for it comes by unresolved() next. */
    void (*neigh_silent)(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now);
    /* The next hop of this packet, which starts at its network header, did not answer. Owns pkt. */
    void (*unresolved)(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, jr_time now);
};

/* What is asked of and told to the outside; each may be NULL. */
struct jr_netif_hooks {
    void *ctx;
    /* Set on a port shared with the kernel: instead of sending ARP, the kernel is asked to resolve addr, and its answer
     * comes by jr_neigh_set(). Asked again every second, three times. ARP from the wire is then never answered. */
    void (*neigh_ask)(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now);
    /* A neighbour became known or changed its address, by ARP. */
    void (*neigh_learned)(void *ctx, struct jr_netif *ifp, struct jr_addr addr, struct jr_ether_addr mac);
};

struct jr_netif_addr {
    struct jr_addr addr;
    struct jr_addr bcast; /* the wildcard: none */
    uint8_t plen;         /* in the family's own count */
    uint8_t announced;    /* announcements sent */
    jr_time announce_at;  /* the next; JR_TIME_NEVER: none */
};

struct jr_netif {
    struct jr_dev *dev;
    struct jr_counters *counters;
    struct jr_rng *rng;
    struct jr_netif_l3 l3;
    struct jr_netif_hooks hooks;
    const struct jr_link_config *cfg; /* the owner's; the defaults at first */
    uint32_t ifindex;                 /* the kernel's, 0: none; for the owner's use */

    /* configuration: written by jr_netif_set_*() and the address functions only */
    struct jr_ether_addr mac;
    uint32_t mtu;
    uint16_t vlan; /* frames carry this 802.1Q tag; 0: none, though a priority is let pass */
    bool up;
    bool loopback; /* link/loopif.h: what is sent comes in again */
    struct jr_netif_addr *addrs;
    unsigned n_addrs;
    struct jr_acd_addr *probed; /* written by acd.c only */
    unsigned n_probed;

    struct jr_neigh_table *neigh;
    struct jr_nd6 *nd6; /* link/nd6.h: IPv6 addresses among other things; addrs above are IPv4's */
    jr_time defended;   /* last time a conflicting claim to an address was answered (RFC 5227 2.4) */

    struct jr_pkt *txq[JR_NETIF_TXQ]; /* written by netif.c only */
    unsigned n_txq;
};

/* Takes mac and mtu from the device; up. The device stays the caller's. NULL: no memory. */
struct jr_netif *jr_netif_new(struct jr_dev *dev, struct jr_counters *counters, struct jr_rng *rng);
/* Frees what waits in queues too. */
void jr_netif_free(struct jr_netif *ifp);

/* vid 1 to 4094, or 0 for none. */
void jr_netif_set_vlan(struct jr_netif *ifp, uint16_t vid);
/* Down: what is queued is dropped and neighbours are forgotten. */
void jr_netif_set_up(struct jr_netif *ifp, bool up);
void jr_netif_set_mtu(struct jr_netif *ifp, uint32_t mtu);
void jr_netif_set_mac(struct jr_netif *ifp, struct jr_ether_addr mac);

/* Addresses are ordered: the first of a subnet is its preferred source. -ENOMEM; an address that is there is updated.
 */
int jr_netif_addr_add(struct jr_netif *ifp, const struct jr_netif_addr *addr);
/* -EADDRNOTAVAIL */
int jr_netif_addr_del(struct jr_netif *ifp, struct jr_addr addr);
const struct jr_netif_addr *jr_netif_addr_find(const struct jr_netif *ifp, struct jr_addr addr);

/* A frame from the device; takes ownership. */
void jr_ether_input(struct jr_netif *ifp, struct jr_pkt *frame, jr_time now);
/* Puts the link header in front of a packet and queues it; takes ownership. group: next_hop is a broadcast or
 * multicast address. 0, -ENETDOWN, -EMSGSIZE, -ENOBUFS. Unresolved neighbours count as success. */
int jr_ether_output(struct jr_netif *ifp, struct jr_pkt *pkt, struct jr_addr next_hop, bool group, jr_time now);

/* Queues a whole frame; takes ownership. -ENOBUFS: the device takes nothing and the queue is full. */
int jr_netif_tx(struct jr_netif *ifp, struct jr_pkt *frame, jr_time now);
/* One burst to the device; what it does not take waits for the next flush. Returns how many wait. */
unsigned jr_netif_flush(struct jr_netif *ifp, jr_time now);

#endif
