/* SPDX-License-Identifier: BSD-3-Clause */
/* How large a segment may be: routes, path MTU, the peer's option and the app's wish (RFC 9293 3.7, RFC 6691). */
#ifndef JR_TCP_MSS_H
#define JR_TCP_MSS_H

#include "tcp/tcpcb.h"

/* Bytes of IP and TCP headers without options. */
static inline uint32_t jr_tcp_header_bytes(struct jr_addr dst) { return jr_addr_is_v4(dst) ? 40 : 60; }
/* What a peer takes that didn't say (RFC 9293 3.7.1). */
static inline uint32_t jr_tcp_mss_default(const struct jr_tcp_config *cfg, struct jr_addr dst)
{
    return jr_addr_is_v4(dst) ? cfg->mssdflt : cfg->v6mssdflt;
}
/* The MSS option for a path of this MTU. */
uint16_t jr_tcp_mss_offer(const struct jr_tcp *tcp, struct jr_addr dst, uint32_t mtu);
/* Sees to tp->rt; false when there is no route. */
bool jr_tcp_route(struct jr_tcpcb *tp);
/* Sets t_maxseg from all that is known. */
void jr_tcp_mss_update(struct jr_tcpcb *tp);
/* The shift we ask for: the smallest that lets a window grow to recvbuf_max. */
uint8_t jr_tcp_wanted_scale(const struct jr_tcp_config *cfg);

#endif
