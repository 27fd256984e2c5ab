/* SPDX-License-Identifier: BSD-3-Clause */
/* Options that came late to Linux: sending without a copy, peeking from an offset, packets of neighbours only, and new
 * names for old ones. */
#include "diff.h"

#include <linux/errqueue.h>

#define SO_TIMESTAMP_NEW_ 63
#define SO_TIMESTAMPNS_NEW_ 64
#define SO_RCVTIMEO_NEW_ 66
#define SO_SNDTIMEO_NEW_ 67

/* ---- MSG_ZEROCOPY ---- */

/* The next range of the error queue; how many sends it tells of, or -1. */
static int take_range(int fd, bool aloud)
{
    char control[128], b[16];
    struct iovec v = {b, sizeof b};
    struct sockaddr_in6 from;
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof from,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    const ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE);
    int count = -1;

    if (n < 0)
        return -1;
    if (aloud)
        say("%zd bytes flags %x name %u", n, (unsigned)m.msg_flags, m.msg_namelen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct sock_extended_err e;
        memcpy(&e, CMSG_DATA(c), sizeof e);
        count = (int)(e.ee_data - e.ee_info) + 1;
        if (aloud)
            say("level %d type %d length %zu: errno %u origin %u type %u", c->cmsg_level, c->cmsg_type,
                (size_t)c->cmsg_len, e.ee_errno, e.ee_origin, e.ee_type);
    }
    return count;
}

/* Waits until so many sends were told of. */
static void all_told(int fd, int sends)
{
    int told = 0, n;

    while (told < sends && (poll_for(fd, 0) & POLLERR))
        if ((n = take_range(fd, told == 0)) > 0)
            told += n;
    say("told of %d", told);
    SAY(take_range(fd, false));
    SAY(poll_now(fd) & POLLERR);
}

static void zerocopy(struct ends e)
{
    char b[64];

    SAY(send(e.s, "abc", 3, MSG_ZEROCOPY));
    SAY(take_range(e.s, false));
    SAY(set_int(e.s, SOL_SOCKET, SO_ZEROCOPY, 2));
    SAY(set_int(e.s, SOL_SOCKET, SO_ZEROCOPY, -1));
    SAY(set_int(e.s, SOL_SOCKET, SO_ZEROCOPY, 1));
    SAY(get_int(e.s, SOL_SOCKET, SO_ZEROCOPY));
    SAY(send(e.s, "def", 3, 0));
    SAY(take_range(e.s, false));
    for (int i = 0; i < 3; i++)
        SAY(send(e.s, "ghi", 3, MSG_ZEROCOPY));
    settle(20);
    SAY(recv(e.p, b, sizeof b, 0) > 0);
    all_told(e.s, 3);
    SAY(send(e.s, "jkl", 3, MSG_ZEROCOPY | MSG_DONTWAIT));
    settle(20);
    while (recv(e.p, b, sizeof b, MSG_DONTWAIT) > 0)
        ;
    all_told(e.s, 1);
    SAY(get_int(e.s, SOL_SOCKET, SO_ERROR));
    must_be_carried(e.s);
}
CASE(zerocopy_stream) { zerocopy(tcp_ends()); }
CASE(zerocopy_dgram) { zerocopy(udp_ends()); }

CASE(zerocopy_ready)
{
    struct ends e = tcp_ends();
    const int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    char b[16];

    MUST(set_int(e.s, SOL_SOCKET, SO_ZEROCOPY, 1));
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    SAY(epoll_wait(ep, &ev, 1, 0));
    SAY(send(e.s, "abc", 3, MSG_ZEROCOPY));
    SAY(recv(e.p, b, sizeof b, 0));
    SAY(epoll_wait(ep, &ev, 1, 5000));
    say("%s", bits_text(ev.events));
    SAY(epoll_wait(ep, &ev, 1, 0));
    all_told(e.s, 1);
}

CASE(zerocopy_inherited)
{
    const int l = socket(AF_INET, SOCK_STREAM, 0), c = peer_socket(AF_INET, SOCK_STREAM);

    MUST(set_int(l, SOL_SOCKET, SO_ZEROCOPY, 1));
    SAY(try_bind(l, host4.sin_addr, 0));
    SAY(listen(l, 1));
    SAY(try_connect(c, host4.sin_addr, port_of(l)));
    const int a = (int)SAY_AS("accept", accept(l, NULL, NULL) >= 0 ? 0 : -1);
    (void)a;
    must_be_carried(l);
}

/* ---- SO_PEEK_OFF ---- */

static void peek(int fd, size_t n, int flags)
{
    char b[32] = {0}, text[48];
    struct iovec v = {b, n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

    snprintf(text, sizeof text, "%zu with %x", n, (unsigned)flags);
    if (SAY_AS(text, recvmsg(fd, &m, flags | MSG_DONTWAIT)) >= 0) {
        say_bytes("got", b, strlen(b));
        say("flags %x", (unsigned)m.msg_flags);
    }
    SAY(get_int(fd, SOL_SOCKET, SO_PEEK_OFF));
}

static void peeking(struct ends e, int counted)
{
    SAY(get_int(e.s, SOL_SOCKET, SO_PEEK_OFF));
    SAY(set_int(e.s, SOL_SOCKET, SO_PEEK_OFF, 0));
    peek(e.s, 2, MSG_PEEK);
    feed(e, "abcdef");
    feed(e, "ghi");
    await_bytes(e.s, counted);
    settle(20);
    peek(e.s, 2, MSG_PEEK);
    peek(e.s, 2, MSG_PEEK);
    peek(e.s, 1, 0);
    peek(e.s, 8, MSG_PEEK);
    peek(e.s, 8, MSG_PEEK);
    peek(e.s, 8, MSG_PEEK);
    SAY(set_int(e.s, SOL_SOCKET, SO_PEEK_OFF, 1));
    peek(e.s, 20, MSG_PEEK | MSG_TRUNC);
    SAY(set_int(e.s, SOL_SOCKET, SO_PEEK_OFF, 100));
    peek(e.s, 2, MSG_PEEK);
    SAY(poll_now(e.s) & POLLIN);
    SAY(set_int(e.s, SOL_SOCKET, SO_PEEK_OFF, -7));
    peek(e.s, 2, MSG_PEEK);
    SAY(set_int(e.s, SOL_SOCKET, SO_PEEK_OFF, 2));
    peek(e.s, 20, 0);
    peek(e.s, 20, MSG_PEEK);
    peek(e.s, 20, 0);
    must_be_carried(e.s);
}
CASE(peekoff_stream) { peeking(tcp_ends(), 9); }
CASE(peekoff_dgram) { peeking(udp_ends(), 6); } /* the first alone is */

static long peeks(void *arg)
{
    char b[8];

    return recv(*(int *)arg, b, sizeof b, MSG_PEEK);
}

CASE(peekoff_waits)
{
    struct ends e = tcp_ends();
    struct blocked b;

    set_int(e.s, SOL_SOCKET, SO_PEEK_OFF, 3);
    feed(e, "abc");
    if (get_int(e.s, SOL_SOCKET, SO_PEEK_OFF) == 3) {
        block(&b, peeks, &e.s);
        feed(e, "de");
        SAY(came_back("peek", &b, 5000));
    }
    SAY(get_int(e.s, SOL_SOCKET, SO_PEEK_OFF));
}

/* ---- IP_MINTTL ---- */

CASE(minttl_stream)
{
    struct ends e = tcp_ends();
    char b[8];

    SAY(set_int(e.s, IPPROTO_IP, IP_MINTTL, 256));
    SAY(set_int(e.s, IPPROTO_IP, IP_MINTTL, -1));
    SAY(set_int(e.s, IPPROTO_IP, IP_MINTTL, 65));
    SAY(get_int(e.s, IPPROTO_IP, IP_MINTTL));
    SAY(send(e.p, "far", 3, 0));
    settle(20);
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
    SAY(set_int(e.p, IPPROTO_IP, IP_TTL, 255));
    SAY(await(e.s, POLLIN) & POLLIN); /* sent once more, by then */
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
    must_be_carried(e.s);
    SAY(set_int(e.s, IPPROTO_IP, IP_MINTTL, 0)); /* so that it can end */
}

CASE(minttl_listener)
{
    const int l = socket(AF_INET, SOCK_STREAM, 0);
    const int c = peer_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), d = peer_socket(AF_INET, SOCK_STREAM);

    SAY(set_int(l, IPPROTO_IP, IP_MINTTL, 255));
    SAY(try_bind(l, host4.sin_addr, 0));
    SAY(listen(l, 5));
    SAY(try_connect(c, host4.sin_addr, port_of(l)));
    SAY(poll_now(c) & POLLOUT);
    SAY(set_int(d, IPPROTO_IP, IP_TTL, 255));
    SAY(try_connect(d, host4.sin_addr, port_of(l)));
    const int a = accept(l, NULL, NULL);
    SAY(get_int(a, IPPROTO_IP, IP_MINTTL));
    must_be_carried(a);
    SAY(set_int(a, IPPROTO_IP, IP_MINTTL, 0));
    SAY(set_int(l, IPPROTO_IP, IP_MINTTL, 0));
}

CASE(minttl_dgram)
{
    struct ends e = udp_ends();
    char b[8];

    SAY(set_int(e.s, IPPROTO_IP, IP_MINTTL, 255));
    SAY(get_int(e.s, IPPROTO_IP, IP_MINTTL));
    feed(e, "abc");
    SAY(recv(e.s, b, 8, 0));
    must_be_carried(e.s);
}

/* ---- names ---- */

static void told(int fd)
{
    char control[256], b[8];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    SAY(recvmsg(fd, &m, 0));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        say("level %d type %d length %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
}

CASE(newname_stamps)
{
    static const int names[] = {SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW_, SO_TIMESTAMPNS_NEW_};
    struct ends e = udp_ends();
    char text[64];

    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "set %d", names[i]);
        SAY_AS(text, set_int(e.s, SOL_SOCKET, names[i], 1));
        for (int j = 0; j < 4; j++) {
            snprintf(text, sizeof text, "get %d", names[j]);
            SAY_AS(text, get_int(e.s, SOL_SOCKET, names[j]));
        }
        feed(e, "abc");
        told(e.s);
        if (i == 1 || i == 3) {
            SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMP, 0));
            SAY(get_int(e.s, SOL_SOCKET, names[i]));
        }
    }
    must_be_carried(e.s);
}

CASE(newname_timeouts)
{
    struct ends e = tcp_ends();
    struct timeval tv = {0, 40000};
    socklen_t len = sizeof tv;
    char b[4];

    SAY(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO_NEW_, &tv, sizeof tv));
    SAY(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO_NEW_, &tv, sizeof tv - 1));
    tv.tv_usec = 0;
    SAY(getsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    say("%ld %u", (long)tv.tv_usec, len);
    SAY(recv(e.s, b, 4, 0));
    must_be_carried(e.s);
}

CASE(newname_peername)
{
    struct ends e = tcp_ends();
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    SAY(getsockopt(e.s, SOL_SOCKET, SO_PEERNAME, &a, &len));
    say("port %d length %u", a.sin_port == name_of(e.p).sin_port, len);
    len = 8;
    SAY(getsockopt(e.s, SOL_SOCKET, SO_PEERNAME, &a, &len));
    say("length %u", len);
    len = 64;
    SAY(getsockopt(e.s, SOL_SOCKET, SO_PEERNAME, &a, &len));
    len = sizeof a;
    SAY(getsockopt(socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, SO_PEERNAME, &a, &len));
    SAY(getsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_PEERNAME, &a, &len));
    SAY(shutdown(e.s, SHUT_RDWR));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_PEERNAME, &a, &len));
}

CASE(newname_transparent)
{
    struct ends e = tcp_ends();

    SAY(set_int(e.s, IPPROTO_IP, IP_TRANSPARENT, 1));
    SAY(get_int(e.s, IPPROTO_IP, IP_TRANSPARENT));
    SAY(set_int(e.s, IPPROTO_IP, 51, 40000 << 16 | 30000));
    SAY(get_int(e.s, IPPROTO_IP, 51));
    SAY(set_int(e.s, IPPROTO_IP, 51, 30000 << 16 | 40000));
    must_be_carried(e.s);
}
