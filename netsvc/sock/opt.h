/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket options that the protocols don't keep themselves. Values as setsockopt(2) takes them. */
#ifndef JR_SOCK_OPT_H
#define JR_SOCK_OPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct jr_sock;

#define JR_SOCK_KEPT_OPTS 24u
#define JR_SOCK_TCP_OPTS 8u

struct jr_sock_opts {
    bool reuseaddr, reuseport, broadcast, linger_on, v6only;
    bool gro, cork;         /* UDP_GRO, UDP_CORK */
    uint8_t tos[2], ttl[2]; /* of streams, for a control block to come: IPv4's, IPv6's; ttl 0: the default */
    int32_t linger_s;
    int32_t sndbuf, rcvbuf;          /* as getsockopt tells them; 0: never set */
    uint32_t nkept;                  /* options without an effect here, as libc found them good */
    uint8_t kept[JR_SOCK_KEPT_OPTS]; /* which, in opt_kept.c's table */
    int32_t kept_value[JR_SOCK_KEPT_OPTS];
    uint32_t ntcp; /* integer options given to tcp, for a control block made after a failed connect */
    struct {
        int16_t level, name;
        int32_t value;
    } tcp[JR_SOCK_TCP_OPTS];
};

/* len bytes of val; both return 0 or a negative errno, get stores the value's length. */
int jr_opt_set(struct jr_sock *so, int level, int name, const void *val, uint32_t len, jr_time now);
int jr_opt_get(struct jr_sock *so, int level, int name, void *val, uint32_t *len, jr_time now);
/* Gives rings that nothing passed through the sizes that SO_SNDBUF and SO_RCVBUF ask for. */
void jr_opt_resize(struct jr_sock *so);
/* opt_kept.c: -ENOPROTOOPT: not one that is kept; or nobody set it. */
int jr_opt_keep(struct jr_sock *so, int level, int name, int32_t v);
int jr_opt_kept(const struct jr_sock *so, int level, int name, int32_t *v);
/* Tells a new control block what the old one was told. */
void jr_opt_replay(struct jr_sock *so, jr_time now);
/* What an accepted socket takes over from its listener. */
void jr_opt_inherit(struct jr_sock *so, const struct jr_sock *listener);

#endif
