/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The user timeout option, RFC 5482: how long data may stay unacknowledged, told to the peer and, where the program has
 * set none, learned from it. net.inet.tcp.uto.enable switches both on.
 */
#ifndef JR_TCP_UTO_H
#define JR_TCP_UTO_H

#include "tcp/tcpcb.h"

/* TCP_USER_TIMEOUT, ms; 0: the peer may say. */
void jr_uto_set(struct jr_tcpcb *tp, uint32_t ms);
/* An acceptable segment with the option. */
void jr_uto_input(struct jr_tcpcb *tp, uint32_t seconds);
/* Adds the option to a segment of ours where it belongs: to SYNs, the first segment after them, and after a change. */
void jr_uto_option(const struct jr_tcpcb *tp, uint8_t flags, struct jr_tcp_opts *o);

#endif
