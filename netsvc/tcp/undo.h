/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What to bring back when a loss turns out to be none: FreeBSD's bad retransmit, told by timestamps (Eifel, RFC 3522),
 * by an ACK too soon to be the retransmission's, by F-RTO (RFC 5682) or by a D-SACK for all that was sent again
 * (RFC 3708). The response: the window and threshold as they were, and after a time-out an estimate of the round trip
 * no less than what was just seen (RFC 4015 3).
 */
#ifndef JR_TCP_UNDO_H
#define JR_TCP_UNDO_H

#include "tcp/sack.h"

/* A congestion response is about to begin, after a time-out (rto) or by fast recovery. */
void jr_undo_save(struct jr_tcpcb *tp, bool rto, jr_time now);
/* [seq, seq + len) was sent again. */
void jr_undo_note_rexmit(struct jr_tcpcb *tp, jr_seq seq, uint32_t len);
/* An ACK moves snd_una (which it hasn't yet): does it answer data as it was sent first? Then it is undone. */
void jr_undo_on_new_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_delivery *d, jr_time now);
/* A D-SACK came; the last one that was missing undoes. */
void jr_undo_on_dsack(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now);
/* It was spurious. */
void jr_undo(struct jr_tcpcb *tp, const struct jr_delivery *d, jr_time now);

#endif
