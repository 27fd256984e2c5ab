/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TIME_WAIT (RFC 9293 3.6.1 and 3.10.7.4, RFC 1337, RFC 6191). While a program holds the socket its tcpcb waits; what
 * nobody holds any more waits as a record a tenth of that size, so that a server may have millions. Both are in the
 * table of connections: a record begins like a tcpcb, and its t_state is JR_TCPS_RECORD.
 */
#ifndef JR_TCP_TIMEWAIT_H
#define JR_TCP_TIMEWAIT_H

#include "tcp/tcpcb.h"

enum { JR_TCPS_RECORD = 0x80 | TCPS_TIME_WAIT };
static inline bool jr_timewait_is_record(const struct jr_tcpcb *tp) { return tp->t_state == JR_TCPS_RECORD; }

/* A segment for a tcpcb in TIME_WAIT whose options are parsed. false: a new connection may take its place. */
bool jr_timewait_input(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now);
/* The same for a record, which is no more if false is returned; floor is where the old connection's numbers end. */
bool jr_timewait_record_input(struct jr_tcpcb *record, struct jr_tcp_seg *seg, jr_seq *floor, jr_time now);

/* Puts a record in the place of a tcpcb that nobody holds; it stays where only all of it will do. */
void jr_timewait_compress(struct jr_tcpcb *tp);
/* Ends the oldest of them; false: there is none. */
bool jr_timewait_drop_oldest(struct jr_tcp *tcp);
/* Ends those whose time is up. */
void jr_timewait_timeout(struct jr_tcp *tcp, jr_time now);
void jr_timewait_free(struct jr_tcp *tcp);

#endif
