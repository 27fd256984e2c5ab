/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel has told, kept to be compared when it is told anew, and applied: to the engine's interfaces,
 * addresses, routes and neighbours, to the steering of shared ports, to the policy page.
 */
#ifndef JR_MAIN_MIRROR_H
#define JR_MAIN_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"

struct jr_mirror;
struct jr_worker;

struct jr_mirror_link {
    uint32_t ifindex;
    bool up, admin_up, has_mac; /* up: with a carrier */
    uint32_t mtu;               /* 0: not told */
    struct jr_ether_addr mac;
};
struct jr_mirror_addr {
    uint32_t ifindex;
    struct jr_addr addr, bcast;
    uint8_t plen;
    bool deprecated, temporary; /* IPv6 */
};
struct jr_mirror_route {
    struct jr_addr dst;
    uint8_t plen;
    uint32_t metric;
    uint32_t ifindex; /* 0: unreachable, blackhole or of another kind that leaves by no interface */
    struct jr_addr gw, src;
    uint32_t mtu;
};
struct jr_mirror_neigh {
    uint32_t ifindex;
    struct jr_addr addr;
    struct jr_ether_addr mac;
    uint16_t nud; /* NUD_*; 0: deleted */
};

/* The worker's ports, engine and ctl are there and stay. NULL: no memory. */
struct jr_mirror *jr_mirror_new(struct jr_worker *w);
void jr_mirror_free(struct jr_mirror *m);

/* Around a reading of everything: what is not told between the two is gone. */
void jr_mirror_begin(struct jr_mirror *m);
void jr_mirror_end(struct jr_mirror *m);
/* After a batch of events: programs learn of changed routes. */
void jr_mirror_publish(struct jr_mirror *m);
/* The kernel dropped routes without saying so, as it does when an interface or an address goes: read everything. */
bool jr_mirror_wants_reading(const struct jr_mirror *m);

void jr_mirror_on_link(struct jr_mirror *m, const struct jr_mirror_link *link);
void jr_mirror_on_addr(struct jr_mirror *m, const struct jr_mirror_addr *addr, bool added, jr_time now);
void jr_mirror_on_route(struct jr_mirror *m, const struct jr_mirror_route *route, bool added);
void jr_mirror_on_neigh(struct jr_mirror *m, const struct jr_mirror_neigh *neigh, jr_time now);

#endif
