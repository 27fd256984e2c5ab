/* SPDX-License-Identifier: BSD-3-Clause */
/* Follows the kernel's links, addresses, routes and neighbours by rtnetlink(7) and tells them to the mirror. */
#ifndef JR_MAIN_NETLINK_H
#define JR_MAIN_NETLINK_H

#include "base/addr.h"
#include "base/counters.h"
#include "base/time.h"

struct jr_mirror;
struct jr_netlink;

/* Subscribes and reads all there is. NULL and errno. */
struct jr_netlink *jr_netlink_new(struct jr_mirror *mirror, struct jr_counters *counters, jr_time now);
void jr_netlink_free(struct jr_netlink *nl);
int jr_netlink_fd(const struct jr_netlink *nl);
/* Reads what has happened; never blocks. */
void jr_netlink_service(struct jr_netlink *nl, jr_time now);
/* Asks the kernel to find a neighbour out; the answer is an event. */
void jr_netlink_ask_neigh(struct jr_netlink *nl, uint32_t ifindex, struct jr_addr addr);

#endif
