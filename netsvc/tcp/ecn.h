/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Explicit congestion notification: RFC 3168 with RFC 8311's liberties, and Accurate ECN (RFC 9768: the ACE counter,
 * not its option). Functions are named for what they accompany; all decide by net.inet.tcp.ecn.enable:
 * 0 off, 1 ask and answer, 2 answer only, 3 and 4 the same with Accurate ECN, falling back to RFC 3168.
 */
#ifndef JR_TCP_ECN_H
#define JR_TCP_ECN_H

#include "tcp/tcpcb.h"

enum { JR_ECN_NOTECT = 0, JR_ECN_ECT1 = 1, JR_ECN_ECT0 = 2, JR_ECN_CE = 3, JR_ECN_MASK = 3 }; /* of IP's tos */

struct jr_ecn_bits {
    uint8_t flags; /* TH_ECE and TH_CWR to set */
    bool ae;
    uint8_t ip; /* for the tos */
};

/* What a SYN asks for, kept in the entry of the SYN cache; 0: nothing, or nothing that we grant. */
uint8_t jr_ecn_syncache_add(const struct jr_tcpcb *listener, const struct jr_tcp_seg *seg);
/* The SYN|ACK's bits. */
struct jr_ecn_bits jr_ecn_syncache_respond(const struct jr_tcp *tcp, uint8_t sc_ecn);
/* A connection made from such an entry. */
void jr_ecn_syncache_socket(struct jr_tcpcb *tp, uint8_t sc_ecn);
/* The answer to our SYN; a SYN that crosses it. */
void jr_ecn_input_syn_sent(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg);
void jr_ecn_input_parallel_syn(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg);
/* An acceptable segment, before its ACK and data are looked at. */
void jr_ecn_input_segment(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now);
/* Whether jr_ecn_input_segment() has anything to do. */
static inline bool jr_ecn_is_on(const struct jr_tcpcb *tp) { return tp->t_flags2 & (TF2_ECN_PERMIT | TF2_ACE_PERMIT); }
/* A segment that leaves; flags: as decided so far; newdata: bytes never sent before, no window probe. */
struct jr_ecn_bits jr_ecn_output(struct jr_tcpcb *tp, uint8_t flags, bool newdata);

#endif
