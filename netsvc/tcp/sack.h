/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sender's scoreboard: which ranges above snd_una the peer has reported, and how far the hole below each
 * was sent again. RFC 2018, RFC 6675. Memory exists only while something is reported.
 */
#ifndef JR_TCP_SACK_H
#define JR_TCP_SACK_H

#include "tcp/tcpcb.h"

#define JR_SACK_RANGES 128u

struct jr_sack_range {
    jr_seq start, end;
    jr_seq rxt;  /* the hole below start was resent up to here; at or before the hole's start: not yet */
    jr_seq mark; /* snd_max when that was */
};

struct jr_tcp_sackboard { /* written by sack.c only */
    uint32_t n, bytes;
    jr_seq lost_below; /* holes up to here are lost, whatever lies above them */
    struct jr_sack_range r[JR_SACK_RANGES];
};

/* Takes in the segment's cumulative ACK and SACK blocks; returns how many bytes are newly reported. */
uint32_t jr_sack_update(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg);
/* Whether what is reported means that the segment at snd_una is lost (RFC 6675 IsLost). */
bool jr_sack_una_is_lost(const struct jr_tcpcb *tp);
/* All holes below seq are lost. */
void jr_sack_set_lost_below(struct jr_tcpcb *tp, jr_seq seq);
/* RFC 6675 SetPipe: bytes thought to be in the network. */
uint32_t jr_sack_pipe(const struct jr_tcpcb *tp);
/* Reported bytes below seq. */
uint32_t jr_sack_bytes_below(const struct jr_tcpcb *tp, jr_seq seq);
/* RFC 6675 NextSeg, rule 1 (with lost set) or rule 3: what to send again, at most max bytes. */
bool jr_sack_next(const struct jr_tcpcb *tp, bool lost, uint32_t max, jr_seq *seq, uint32_t *len);
/* [seq, seq + len) was sent again. */
void jr_sack_mark_rexmit(struct jr_tcpcb *tp, jr_seq seq, uint32_t len);
/* A resent hole of which data sent well after it has arrived was lost again: it becomes sendable. */
void jr_sack_find_lost_rexmits(struct jr_tcpcb *tp);
/* seq, or where the reported range that holds it ends; *room: bytes from there to the next reported range. */
jr_seq jr_sack_skip(const struct jr_tcpcb *tp, jr_seq seq, uint32_t *room);
/* The end of the highest reported range; snd_una when there is none. */
jr_seq jr_sack_high(const struct jr_tcpcb *tp);
/* Forgets everything if the peer took back what it reported. */
void jr_sack_check_reneging(struct jr_tcpcb *tp);
void jr_sack_on_rto(struct jr_tcpcb *tp);
void jr_sack_free(struct jr_tcpcb *tp);

#endif
