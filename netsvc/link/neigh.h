/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbour table of an interface: protocol address to link address, with the states of RFC 4861 7.3.2 as
 * hosts use them for ARP too (RFC 1122 2.3.2). The table is bounded and never allocates after its start.
 */
#ifndef JR_LINK_NEIGH_H
#define JR_LINK_NEIGH_H

#include "base/bits.h"
#include "base/hash.h"
#include "base/pktq.h"
#include "link/netif.h"

enum jr_neigh_state {
    JR_NEIGH_NONE,       /* the slot is free */
    JR_NEIGH_INCOMPLETE, /* asked, no answer yet: packets wait */
    JR_NEIGH_REACHABLE,  /* answered a short while ago */
    JR_NEIGH_STALE,      /* known, not confirmed lately: used, and asked again when it is */
    JR_NEIGH_PROBE,      /* used while it is being asked */
    JR_NEIGH_FAILED,     /* did not answer: packets are refused, and it is asked again now and then */
    JR_NEIGH_PERMANENT,  /* set from outside for good */
};

enum {
    JR_NEIGH_MAX = 1024, /* entries */
    JR_NEIGH_BUCKETS = 1024,
    JR_NEIGH_WAIT_TOTAL = 256, /* and for all */
    JR_NEIGH_TRIES = 3,        /* requests, one a second */
};
#define JR_NEIGH_RETRY (1 * JR_SEC)
#define JR_NEIGH_REACHABLE_TIME (30 * JR_SEC) /* times 0.5 to 1.5 (RFC 4861 6.3.2) */
#define JR_NEIGH_DELAY_FIRST_PROBE (5 * JR_SEC)

struct jr_neigh {
    struct jr_neigh *next; /* in its bucket, or in the free list */
    struct jr_addr addr;
    struct jr_ether_addr mac;
    uint8_t state; /* enum jr_neigh_state */
    uint8_t tries; /* requests sent in this state */
    jr_time timer; /* REACHABLE: trust ends; INCOMPLETE, PROBE: the next request is due; FAILED: forgotten */
    jr_time asked; /* the last request */
    jr_time used;
    struct jr_pktq wait; /* INCOMPLETE only */
};

struct jr_neigh_table {
    struct jr_neigh *last; /* what was looked up last */
    uint64_t seed;
    jr_time next_tick; /* no timer is due before */
    uint32_t n_wait;   /* packets waiting in all */
    struct jr_neigh *free;
    struct jr_neigh *buckets[JR_NEIGH_BUCKETS];
    struct jr_neigh entries[JR_NEIGH_MAX];
};

struct jr_neigh_table *jr_neigh_table_new(uint64_t seed);
void jr_neigh_table_free(struct jr_neigh_table *tbl);

static inline struct jr_neigh *jr_neigh_find(struct jr_neigh_table *tbl, struct jr_addr addr)
{
    struct jr_neigh *n = tbl->last;

    if (JR_LIKELY(n && jr_addr_eq(n->addr, addr)))
        return n;
    for (n = tbl->buckets[jr_hash_addr(addr, tbl->seed) % JR_NEIGH_BUCKETS]; n; n = n->next) {
        if (jr_addr_eq(n->addr, addr)) {
            tbl->last = n;
            return n;
        }
    }
    return NULL;
}

/* Where to send pkt now; NULL: pkt (owned from then on) waits for the answer, or was dropped and *err tells why
 * (-ENOBUFS, -EHOSTUNREACH). */
const struct jr_ether_addr *jr_neigh_resolve(struct jr_netif *ifp, struct jr_addr addr, struct jr_pkt *pkt, jr_time now,
                                             int *err);

/* What the outside knows (rtnetlink, a static entry): sends what waits. state: REACHABLE, STALE, PROBE or PERMANENT;
 * INCOMPLETE and NONE forget the entry, in the first case unless packets wait for it. */
void jr_neigh_set(struct jr_netif *ifp, struct jr_addr addr, struct jr_ether_addr mac, enum jr_neigh_state state,
                  jr_time now);
/* The outside says that there is no such neighbour: what waits comes back as unresolved. */
void jr_neigh_fail(struct jr_netif *ifp, struct jr_addr addr, jr_time now);
/* Progress of a transport shows that the neighbour hears us (RFC 4861 7.3.1). */
void jr_neigh_confirm(struct jr_netif *ifp, struct jr_addr addr, jr_time now);
/* Heard by ARP. solicited: it answers us. create: also when it is not known yet. */
void jr_neigh_heard(struct jr_netif *ifp, struct jr_addr addr, struct jr_ether_addr mac, bool solicited, bool create,
                    jr_time now);
/* Heard by a neighbour advertisement (RFC 4861 7.2.5); mac NULL: it told none. override: it may change what is known.
 */
void jr_neigh_advert(struct jr_netif *ifp, struct jr_addr addr, const struct jr_ether_addr *mac, bool solicited,
                     bool override, jr_time now);
/* Forgets all but permanent entries; what waits is dropped. */
void jr_neigh_flush(struct jr_netif *ifp);

static inline jr_time jr_neigh_next_tick(const struct jr_netif *ifp) { return ifp->neigh->next_tick; }
void jr_neigh_tick(struct jr_netif *ifp, jr_time now);

/* arp.c: a request for addr, to everybody or to one station (NULL: everybody). */
void jr_arp_request(struct jr_netif *ifp, struct jr_addr addr, const struct jr_ether_addr *to, jr_time now);
/* The same, and again as net.link.ether.inet.garp_rexmit_count says. */
void jr_arp_announce_new(struct jr_netif *ifp, struct jr_addr addr, jr_time now);
/* Announcements that are due; returns when the next is. */
jr_time jr_arp_tick(struct jr_netif *ifp, jr_time now);
/* Asks whether somebody has an address that is not ours yet (RFC 5227 2.1.1). */
void jr_arp_probe(struct jr_netif *ifp, struct jr_addr addr, jr_time now);
/* Tells the link that an address is ours (RFC 5227 2.3). */
void jr_arp_announce(struct jr_netif *ifp, struct jr_addr addr, jr_time now);
/* An ARP packet, starting at its header; only read. */
void jr_arp_input(struct jr_netif *ifp, const struct jr_pkt *pkt, jr_time now);

#endif
