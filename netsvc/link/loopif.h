/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface by which a host reaches itself (RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3), as FreeBSD's lo(4): what is
 * sent comes in again, without link header or checksums, when jr_loopif_run() is called.
 */
#ifndef JR_LINK_LOOPIF_H
#define JR_LINK_LOOPIF_H

#include "link/netif.h"

enum { JR_LOOPIF_MTU = 65535 }; /* the largest IPv4 packet */

/* With a device and packets of its own. NULL: no memory. */
struct jr_netif *jr_loopif_new(struct jr_counters *counters, struct jr_rng *rng);
/* The packets that are still out must be back. */
void jr_loopif_free(struct jr_netif *ifp);
/* Hands up to max packets that were sent to the network layer. Returns how many. */
unsigned jr_loopif_run(struct jr_netif *ifp, unsigned max, jr_time now);

#endif
