/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Half-open passive connections: a small entry each, bounded in number, no tcpcb before the peer's ACK proves
 * its address. When a bucket is full, SYN cookies. RFC 9293 3.10.7.2, RFC 4987, RFC 5961 (challenge ACKs).
 */
#ifndef JR_TCP_SYNCACHE_H
#define JR_TCP_SYNCACHE_H

#include "tcp/tcpcb.h"

struct jr_tcp_syncache *jr_syncache_new(struct jr_tcp *tcp);
void jr_syncache_free(struct jr_tcp *tcp);

/* A SYN for a listener: remembers it and answers SYN|ACK. iss_floor: our ISN must lie above (a connection of the
 * same four-tuple in TIME_WAIT ended there), or NULL. */
void jr_syncache_add(struct jr_tcpcb *listener, struct jr_tcp_seg *seg, const jr_seq *iss_floor, jr_time now);
/* An ACK without a connection. The connection it completes, in SYN_RECEIVED, for which the segment is still to be
 * processed; NULL: there is none, and the segment was answered if it had to be. */
struct jr_tcpcb *jr_syncache_expand(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, jr_time now);
void jr_syncache_on_rst(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, jr_time now);
/* A hard ICMP error for a SYN|ACK with this sequence number. */
void jr_syncache_unreach(struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr, uint16_t fport,
                         jr_seq seq);
void jr_syncache_timeout(struct jr_tcp *tcp, struct jr_timer *t, jr_time now);
/* The listener goes: so do its entries. */
void jr_syncache_forget(struct jr_tcpcb *listener);
uint32_t jr_syncache_count(const struct jr_tcp *tcp);

#endif
