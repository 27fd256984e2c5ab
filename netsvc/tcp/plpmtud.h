/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths on which large packets vanish without an ICMP error (RFC 2923 2.1, RFC 4821 7.7): smaller segments are tried.
 */
#ifndef JR_TCP_PLPMTUD_H
#define JR_TCP_PLPMTUD_H

#include "tcp/tcpcb.h"

/* A retransmission time-out, t_rxtshift times in a row now. */
void jr_plpmtud_on_rexmt(struct jr_tcpcb *tp);

#endif
