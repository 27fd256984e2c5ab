/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers an outsider must not guess: initial sequence numbers, timestamp offsets, ephemeral ports, SYN cookies. */
#ifndef JR_TCP_ISN_H
#define JR_TCP_ISN_H

#include "tcp/tcpcb.h"

/* RFC 6528: a clock that ticks every 4 microseconds plus a keyed hash of the four-tuple. */
jr_seq jr_tcp_new_isn(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                      uint16_t fport, jr_time now);
/* Per pair of hosts (RFC 7323 5.4), so a later connection of the pair continues the earlier one's clock. */
uint32_t jr_tcp_ts_offset(const struct jr_tcp *tcp, struct jr_addr laddr, struct jr_addr faddr);
uint32_t jr_tcp_port_offset(const struct jr_tcp *tcp, struct jr_addr laddr, struct jr_addr faddr, uint16_t fport);
/* The hash part of a SYN cookie; what binds it to the peer's ISN and to a time of validity. */
uint64_t jr_tcp_cookie_hash(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                            uint16_t fport, uint32_t irs, uint32_t epoch);

/* The key of a period's Fast Open cookies. */
void jr_tcp_fastopen_key(const struct jr_tcp *tcp, uint32_t epoch, uint8_t key[16]);

/* Our timestamp clock: milliseconds. */
static inline uint32_t jr_tcp_ts(uint32_t offset, jr_time now) { return (uint32_t)(now / JR_MS) + offset; }

#endif
