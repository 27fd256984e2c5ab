/* SPDX-License-Identifier: BSD-3-Clause */
/* An entry of the SYN cache, and the initial sequence number that can stand for one (RFC 4987 3.6). */
#ifndef JR_TCP_SYNCOOKIE_H
#define JR_TCP_SYNCOOKIE_H

#include "tcp/tcpcb.h"

#define JR_SYNCOOKIE_EPOCH (16 * JR_SEC) /* a cookie is good in the epoch it was made in and in the next */

enum { /* jr_sc_entry.flags */
       SC_SCALE = 1u << 0,
       SC_TS = 1u << 1,
       SC_SACK = 1u << 2,
};

struct jr_sc_entry { /* written by syncache.c */
    struct jr_list link;
    uint32_t hash;
    uint16_t lport, fport;
    struct jr_addr laddr, faddr;
    struct jr_tcpcb *listener;
    struct jr_timer timer;
    jr_time sent; /* when the SYN|ACK first left; 0: not known */
    jr_seq iss, irs;
    uint32_t ts_recent, ts_offset;
    uint16_t wnd, win; /* the peer's window, ours */
    uint16_t mss;      /* the peer's option */
    uint8_t wscale, flags, rexmits, challenges;
    uint32_t uto; /* the peer's, s; 0: none */
    uint8_t ecn;  /* ecn.c's; a cookie has no room for it */
};

/* Fills e's address, port and option fields with what the SYN offers and the listener wants, too. */
void jr_sc_fill(struct jr_sc_entry *e, struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const struct jr_tcp_opts *o);

jr_seq jr_syncookie_make(const struct jr_tcp *tcp, const struct jr_sc_entry *e, jr_time now);
/* Fills e from a cookie that comes back in an ACK; false: it is none of ours, or too old. */
bool jr_syncookie_read(struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const struct jr_tcp_opts *o,
                       struct jr_sc_entry *e, jr_time now);

#endif
