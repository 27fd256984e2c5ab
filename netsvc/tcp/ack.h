/* SPDX-License-Identifier: BSD-3-Clause */
/* What an acceptable ACK means for the send side. */
#ifndef JR_TCP_ACK_H
#define JR_TCP_ACK_H

#include "tcp/tcpcb.h"

/* RFC 9293 3.10.7.4 fifth, for states from ESTABLISHED on. false: the segment must not be processed further. */
bool jr_tcp_on_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now);
/* The same for the fast path: an ACK that moves snd_una while nothing is marked lost, SACKed or resent. */
void jr_tcp_on_expected_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now);
void jr_tcp_update_window(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg);
/* A challenge ACK (RFC 5961), unless the connection sent too many lately. */
void jr_tcp_challenge_ack(struct jr_tcpcb *tp, jr_time now);

#endif
