/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 address conflict detection (RFC 5227 2.1): an address is probed for before it is ours. What is found out goes to
 * the layer above, which then assigns it.
 */
#ifndef JR_LINK_ACD_H
#define JR_LINK_ACD_H

#include "link/netif.h"
#include "wire/arp.h"

struct jr_acd_addr {
    struct jr_netif_addr a;
    bool connected; /* the layer above wants to know again */
    uint8_t left;   /* probes still to be sent */
    jr_time at;     /* of the next, or the end */
};

/* Whether addresses of the interface are probed for. */
bool jr_acd_wanted(const struct jr_netif *ifp);
/* -ENOMEM. An address that is being probed for gets the new details. */
int jr_acd_start(struct jr_netif *ifp, const struct jr_netif_addr *a, bool connected, jr_time now);
/* -EADDRNOTAVAIL */
int jr_acd_stop(struct jr_netif *ifp, struct jr_addr addr);
/* Another station spoke. */
void jr_acd_heard(struct jr_netif *ifp, const struct jr_arp *arp);
/* Does what is due; returns when to come again. */
jr_time jr_acd_tick(struct jr_netif *ifp, jr_time now);

#endif
