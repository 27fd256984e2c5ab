/* SPDX-License-Identifier: BSD-3-Clause */
/* What an acceptable ACK means for the send side. */
#ifndef JR_TCP_ACK_H
#define JR_TCP_ACK_H

#include "tcp/tcpcb.h"

/* RFC 9293 3.10.7.4 fifth, for states from ESTABLISHED on. false: the segment must not be processed further. */
bool jr_tcp_on_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now);
/* The part of it for an ACK that moves snd_una; also the fast path's. delivered: bytes that it says have arrived. */
void jr_tcp_on_new_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t delivered, jr_time now);
/* Begins SACK recovery if the scoreboard says that snd_una is lost and it may begin; sacked: bytes just reported. */
bool jr_tcp_find_loss(struct jr_tcpcb *tp, uint32_t sacked, jr_time now);
void jr_tcp_update_window(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg);
/* One RTT measurement in microseconds (RFC 6298 2). */
void jr_tcp_rtt_sample(struct jr_tcpcb *tp, uint32_t rtt_us);
/* A challenge ACK (RFC 5961), unless the connection sent too many lately. */
void jr_tcp_challenge_ack(struct jr_tcpcb *tp, jr_time now);

#endif
