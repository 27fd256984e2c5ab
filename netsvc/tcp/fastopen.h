/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP Fast Open (RFC 7413): data in the SYN. The client's side is a cache of the cookies that servers gave, and of
 * paths on which a SYN with the option got lost; the server's side makes and checks cookies and keeps nothing.
 */
#ifndef JR_TCP_FASTOPEN_H
#define JR_TCP_FASTOPEN_H

#include "tcp/tcpcb.h"

struct jr_fastopen_cache;

/* Of a connection that uses it; freed with the tcpcb. */
struct jr_tcp_fastopen { /* written by fastopen.c */
    uint32_t mss;        /* client: most bytes the server takes, as it said last time */
    bool server;
    uint8_t cookie_len; /* client 0: asks for one, so the SYN has no data */
    uint8_t cookie[JR_TCP_FO_MAX];
};

/* An active open: whether the SYN shall have the option, and with which cookie. */
void jr_fastopen_connect(struct jr_tcpcb *tp, jr_time now);
/* The SYN|ACK came: its cookie is kept for the next time. One without a cookie that took no data either: a while
 * without asking (RFC 7413 4.1.3). */
void jr_fastopen_on_synack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now);
/* The SYN was lost, perhaps because of the option: no such SYN to this server for a while. */
void jr_fastopen_on_lost_syn(struct jr_tcpcb *tp, jr_time now);
/* Forgets all cookies and paths. */
void jr_fastopen_flush(struct jr_tcp *tcp);

enum jr_fastopen_verdict { JR_FASTOPEN_OFF, JR_FASTOPEN_REFUSED, JR_FASTOPEN_ACCEPTED };
/* A SYN with the option for a listener. Unless it is off, o's cookie is replaced by the one to give to the client. */
enum jr_fastopen_verdict jr_fastopen_check(struct jr_tcpcb *listener, const struct jr_tcp_seg *seg,
                                           struct jr_tcp_opts *o, jr_time now);
/* A connection that the SYN alone makes: the cookie for its SYN|ACK, and the listener's count. false: no memory. */
bool jr_fastopen_accept(struct jr_tcpcb *tp, const struct jr_tcp_opts *o);
#define JR_FASTOPEN_KEY 16u /* bytes */
/* TCP_FASTOPEN_KEY of a listener: one key, or two, of which cookies are made with the first and either counts.
 * -EINVAL: not as long as one or two; -ENOMEM. Reading: -ENOPROTOOPT if it has none of its own. */
int jr_fastopen_set_keys(struct jr_tcpcb *tp, const void *val, uint32_t len);
int jr_fastopen_get_keys(const struct jr_tcpcb *tp, void *val, uint32_t *len);
/* It is established, accepted or dead: it is pending no longer. */
void jr_fastopen_settle(struct jr_tcpcb *tp);

/* Adds the option to a SYN or SYN|ACK. Only the first one has it. */
void jr_fastopen_option(const struct jr_tcpcb *tp, struct jr_tcp_opts *o);
/* Most bytes of data that may go before the handshake is done, in a segment that starts at seq and has optlen bytes of
 * options. */
uint32_t jr_fastopen_room(const struct jr_tcpcb *tp, jr_seq seq, uint32_t optlen);

#endif
