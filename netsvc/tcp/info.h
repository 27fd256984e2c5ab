/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP_INFO. */
#ifndef JR_TCP_INFO_H
#define JR_TCP_INFO_H

#include "tcp/tcpcb.h"

/* Writes at most *len bytes of Linux's struct tcp_info and sets *len to how many. 0. */
int jr_tcp_info(const struct jr_tcpcb *tp, void *val, uint32_t *len, jr_time now);

#endif
