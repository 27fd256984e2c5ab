/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving: jr_tcp_input() is what the network layer calls for every segment; icmp.c's for every ICMP error. */
#ifndef JR_TCP_INPUT_H
#define JR_TCP_INPUT_H

#include "tcp/tcpcb.h"

/* ctx: the struct jr_tcp, in all three. Before a burst is read: asks for the memory that its segments need. */
void jr_tcp_prefetch(void *ctx, const struct jr_ip_hint *hints, unsigned n);
/* Owns pkt. */
void jr_tcp_input(void *ctx, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now);
void jr_tcp_ctlinput(void *ctx, const struct jr_ip_ctl *ctl, jr_time now);

/* segment.c: a segment for a connection (RFC 9293 3.10.7.3 and 3.10.7.4). false: the connection was in TIME_WAIT
 * and made way for the new one that the segment, a SYN, asks for; tp is dead then. */
bool jr_tcp_segment_arrives(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now);

/* data.c: in-order data of the fast path; everything else of steps six to eight. */
void jr_tcp_data_in_order(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now);
void jr_tcp_on_urg(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg);
void jr_tcp_on_data(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now);
/* Data that came with the SYN waits for the handshake's end (RFC 9293 3.10.7.3); then it is delivered. */
void jr_tcp_keep_early_data(struct jr_tcpcb *tp, struct jr_tcp_seg *seg);
void jr_tcp_early_data(struct jr_tcpcb *tp, jr_time now);
/* Bytes from rcv_nxt that the ring can hold; asks for memory when there is no ring yet. */
uint32_t jr_tcp_rcv_room(struct jr_tcpcb *tp);
/* The connection is established: from SYN_SENT or SYN_RECEIVED. */
void jr_tcp_established(struct jr_tcpcb *tp, jr_time now);

#endif
