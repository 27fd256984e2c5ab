/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams whose two ends are both under test, over the host's own address or ::1. */
#pragma once

#include "diff.h"

struct own_addr {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

struct own {
    int l, c, a; /* listener, connector, accepted */
    struct own_addr at;
};

/* The host's address (AF_INET) or ::1, port 0. */
static inline struct own_addr own_address(int domain)
{
    struct own_addr a = {0};

    if (domain == AF_INET6) {
        a.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        a.len = sizeof a.in6;
    } else {
        a.in = host4;
        a.len = sizeof a.in;
    }
    return a;
}

static inline struct own_addr own_name(int fd)
{
    struct own_addr a = {.len = sizeof a.in6};

    NEED(getsockname(fd, &a.sa, &a.len) == 0);
    return a;
}

static inline int own_listener(int domain, int backlog, struct own_addr *a)
{
    const int l = socket(domain, SOCK_STREAM, 0);

    *a = own_address(domain);
    NEED(bind(l, &a->sa, a->len) == 0);
    NEED(listen(l, backlog) == 0);
    *a = own_name(l);
    must_be_carried(l);
    return l;
}

static inline int own_connect(int fd, const struct own_addr *a) { return connect(fd, &a->sa, a->len); }

static inline struct own own_ends(int domain)
{
    struct own o;

    o.l = own_listener(domain, 16, &o.at);
    NEED((o.c = socket(domain, SOCK_STREAM, 0)) >= 0);
    NEED(own_connect(o.c, &o.at) == 0);
    NEED((o.a = accept(o.l, NULL, NULL)) >= 0);
    must_be_carried(o.c);
    must_be_carried(o.a);
    return o;
}

/* A socket whose connect does not wait, to A. */
static inline int own_nonblocking(int domain, const struct own_addr *a, int *r)
{
    const int s = socket(domain, SOCK_STREAM | SOCK_NONBLOCK, 0);

    *r = own_connect(s, a);
    return s;
}

static inline int own_poll(int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, ms) > 0 ? p.revents : 0;
}
