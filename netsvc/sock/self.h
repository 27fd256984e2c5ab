/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loopback = "service": sockets of this host among themselves, through the stack (docs/adr/0005-loopback.md). As in a
 * kernel, what was sent has arrived when the call ends, so commands and marks are settled before they are answered.
 */
#ifndef JR_SOCK_SELF_H
#define JR_SOCK_SELF_H

#include "sock/sock.h"

static inline bool jr_self_is_on(const struct jr_socks *ss) { return ss->cfg.loopback == JR_ROUTE_SERVICE; }
/* JR_ST_LOOP when addr is this host's. */
uint32_t jr_self_bit(const struct jr_socks *ss, struct jr_addr addr);
/* Who has an address of this host and its port: SERVICE, and the kernel's socket only where there is none of ours. */
uint32_t jr_self_route(struct jr_sock *so, const struct jr_endpoint *ep);
/* Packets to this host arrive, and what they bring about, until nothing is on its way. */
void jr_self_settle(struct jr_socks *ss, jr_time now);

#endif
