/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What earlier connections learned of the way to a host: its round trip and where congestion began. As FreeBSD's
 * tcp_hostcache, whose path MTU ip/ keeps. RFC 9040 (sharing of control blocks' state).
 */
#ifndef JR_TCP_HOSTCACHE_H
#define JR_TCP_HOSTCACHE_H

#include "tcp/tcpcb.h"

struct jr_hostcache;

/* Gives a connection that was just established what is known. */
void jr_hostcache_apply(struct jr_tcpcb *tp, jr_time now);
/* A connection ends: keeps what it measured, as of when the peer was last heard. */
void jr_hostcache_update(const struct jr_tcpcb *tp);
void jr_hostcache_purge(struct jr_tcp *tcp);
uint32_t jr_hostcache_count(const struct jr_tcp *tcp);

#endif
