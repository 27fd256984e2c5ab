/* SPDX-License-Identifier: BSD-3-Clause */
/* The multicast side of UDP's sockets; only udp/ includes this. */
#ifndef JR_UDP_MCAST_H
#define JR_UDP_MCAST_H

#include "ip/mcast.h"
#include "udp/udp.h"

/* Options whose value is not a number; -ENOPROTOOPT: none of these. */
int jr_udp_mcast_setopt(struct jr_udpcb *up, int name, const void *val, uint32_t len, jr_time now);
/* Whether the socket takes what came for a group. */
bool jr_udp_mcast_allows(const struct jr_udpcb *up, const struct jr_ip_rx *rx);
void jr_udp_mcast_drop_all(struct jr_udpcb *up, jr_time now);

#endif
