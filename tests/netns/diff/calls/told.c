/* SPDX-License-Identifier: BSD-3-Clause */
/* Ancillary data of datagrams, both ways; time stamps; the error queue; what a full buffer drops. */
#include "any.h"

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/ip.h>

#ifndef IP_RECVORIGDSTADDR
#define IP_RECVORIGDSTADDR 20
#endif
#define BOTH(n) static void n(int family)

struct opt {
    int level, name;
};

/* One control message, without what is different each time: ports and moments. */
static void say_cmsg(const struct cmsghdr *c)
{
    const size_t n = c->cmsg_len - CMSG_LEN(0);
    unsigned char d[128] = {0};
    struct timespec now, ts = {0};

    memcpy(d, CMSG_DATA(c), n < sizeof d ? n : sizeof d);
    say("level %d type %d length %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
    if (c->cmsg_level == SOL_SOCKET &&
        (c->cmsg_type == SO_TIMESTAMP || c->cmsg_type == SO_TIMESTAMPNS || c->cmsg_type == SO_TIMESTAMPING)) {
        memcpy(&ts, d, sizeof ts);
        clock_gettime(CLOCK_REALTIME, &now);
        say("lately %d", ts.tv_sec <= now.tv_sec && ts.tv_sec > now.tv_sec - 5);
        return;
    }
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
        say("dropped %d", d[0] > 0);
        return;
    }
    if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
        (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR))
        d[2] = d[3] = 0;
    if (n <= sizeof d)
        say_bytes("data", d, n);
}

/* The next message and all that comes with it. */
static void take_told(int fd, size_t room, int flags)
{
    static char control[1024] __attribute__((aligned(16)));
    char b[64];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};

    await(fd, POLLIN);
    memset(control, 0x55, sizeof control);
    if (say_result("recvmsg", recvmsg(fd, &m, flags | MSG_DONTWAIT)) < 0)
        return;
    say("flags %x controllen %zu", (unsigned)m.msg_flags, (size_t)m.msg_controllen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        say_cmsg(c);
        if (c->cmsg_len < sizeof *c)
            break;
    }
}

static const struct opt asked4[] = {
    {IPPROTO_IP, IP_PKTINFO},  {IPPROTO_IP, IP_RECVTTL}, {IPPROTO_IP, IP_RECVTOS}, {IPPROTO_IP, IP_RECVORIGDSTADDR},
    {IPPROTO_IP, IP_RECVOPTS}, {IPPROTO_IP, IP_RETOPTS}, {IPPROTO_IP, IP_PASSSEC}, {IPPROTO_IP, IP_RECVFRAGSIZE}};
static const struct opt checksum4[] = {{IPPROTO_IP, IP_CHECKSUM}};
static const struct opt asked6[] = {{IPPROTO_IPV6, IPV6_RECVPKTINFO},  {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
                                    {IPPROTO_IPV6, IPV6_RECVTCLASS},   {IPPROTO_IPV6, IPV6_ORIGDSTADDR},
                                    {IPPROTO_IPV6, IPV6_RECVFRAGSIZE}, {IPPROTO_IPV6, IPV6_RECVHOPOPTS},
                                    {IPPROTO_IPV6, IPV6_RECVPATHMTU}};
static const struct opt rfc2292[] = {{IPPROTO_IPV6, IPV6_2292PKTINFO}, {IPPROTO_IPV6, IPV6_2292HOPLIMIT}};
#define N(a) ((int)(sizeof(a) / sizeof *(a)))

static void each(int family, const struct opt *o, int n)
{
    struct ends e = linked(family);

    set_int(e.p, level_of(family), family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS, 33);
    set_int(e.p, level_of(family), family == AF_INET ? IP_TOS : IPV6_TCLASS, 0x28);
    for (int i = 0; i < n; i++) {
        say("option %d", o[i].name);
        SAY(set_int(e.s, o[i].level, o[i].name, 1));
        SAY(get_int(e.s, o[i].level, o[i].name));
        feed(e, "one");
        take_told(e.s, 512, 0);
        SAY(set_int(e.s, o[i].level, o[i].name, 0));
        feed(e, "two");
        take_told(e.s, 512, 0);
    }
}
CASE(told4_each) { each(AF_INET, asked4, N(asked4)); }
CASE(told4_checksum) { each(AF_INET, checksum4, N(checksum4)); }
CASE(told6_each) { each(AF_INET6, asked6, N(asked6)); }
CASE(told6_2292) { each(AF_INET6, rfc2292, N(rfc2292)); }

BOTH(all)
{
    struct ends e = linked(family);
    const struct opt *o = family == AF_INET ? asked4 : asked6;
    const int n = 4;

    for (int i = 0; i < n; i++)
        SAY(set_int(e.s, o[i].level, o[i].name, 1));
    SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMP, 1));
    SAY(set_int(e.s, SOL_SOCKET, SO_RXQ_OVFL, 1));
    feed(e, "peeked");
    take_told(e.s, 512, MSG_PEEK);
    take_told(e.s, 512, 0);
    static const size_t rooms[] = {0, 8, 15, 16, 17, 20, 24, 32, 40, 48, 56, 64, 80, 100, 120, 140, 160};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        say("room %zu", rooms[i]);
        feed(e, "x");
        take_told(e.s, rooms[i], 0);
    }
}
CASE(told4_all) { all(AF_INET); }
CASE(told6_all) { all(AF_INET6); }

/* A version 6 socket is told of version 4's datagrams by both levels' options. */
CASE(told6_mapped)
{
    const int s = dgram(AF_INET6), p = peer_dgram(AF_INET);

    for (int i = 0; i < 4; i++)
        SAY(set_int(s, asked6[i].level, asked6[i].name, 1));
    for (int i = 0; i < 4; i++)
        SAY(set_int(s, asked4[i].level, asked4[i].name, 1));
    SAY(bind_to(s, wild(AF_INET6, 0)));
    SAY(send_text(p, "mapped", own(AF_INET, port_in(named(s)))));
    take_told(s, 512, 0);
}

/* ---- sending ---- */

/* One message with one control message; what came of it. */
static void send_told(struct ends e, int level, int type, const void *data, size_t n, size_t claimed)
{
    char control[128] __attribute__((aligned(16))) = {0};
    struct iovec v = {"told", 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n)};
    struct cmsghdr *c = (struct cmsghdr *)control;

    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = claimed;
    memcpy(CMSG_DATA(c), data, n);
    if (say_result("sendmsg", sendmsg(e.s, &m, 0)) == 4)
        take_told(e.p, 512, 0);
}

static void send_int(struct ends e, int level, int type, int v)
{
    say("level %d type %d value %d", level, type, v);
    send_told(e, level, type, &v, sizeof v, CMSG_LEN(sizeof v));
}

CASE(told4_sending)
{
    struct ends e = linked(AF_INET);
    static const int values[] = {-2, -1, 0, 1, 7, 0x2c, 255, 256};

    SAY(set_int(e.p, IPPROTO_IP, IP_RECVTTL, 1));
    SAY(set_int(e.p, IPPROTO_IP, IP_RECVTOS, 1));
    for (int i = 0; i < N(values); i++) {
        send_int(e, IPPROTO_IP, IP_TTL, values[i]);
        send_int(e, IPPROTO_IP, IP_TOS, values[i]);
        send_int(e, IPPROTO_IP, 52 /* IP_PROTOCOL */, values[i]);
    }
    send_told(e, IPPROTO_IP, IP_TOS, "\10", 1, CMSG_LEN(1));
    send_told(e, IPPROTO_IP, IP_TTL, "\10", 1, CMSG_LEN(1));
    send_told(e, IPPROTO_IP, IP_TOS, "\10\0", 2, CMSG_LEN(2));
    send_told(e, IPPROTO_IP, IP_TTL, "\10\0\0\0", 4, CMSG_LEN(4) + 1);
    send_told(e, IPPROTO_IP, IP_TTL, "\10\0\0\0", 4, 4);
    send_told(e, IPPROTO_IP, IP_TTL, "\10\0\0\0", 4, 0);
    send_told(e, IPPROTO_IP, IP_TTL, "\10\0\0\0", 4, 4000);
    send_int(e, IPPROTO_IP, 99, 0);
    send_int(e, IPPROTO_IPV6, IPV6_HOPLIMIT, 9);
    send_int(e, IPPROTO_IPV6, 99, 9);
    send_int(e, IPPROTO_TCP, 1, 9);
    send_int(e, IPPROTO_UDP, 1, 9);
    send_int(e, SOL_SOCKET, SCM_RIGHTS, 0);
    send_int(e, SOL_SOCKET, SO_MARK, 0);
    send_int(e, SOL_SOCKET, SO_PRIORITY, 3);
    send_int(e, SOL_SOCKET, SO_TIMESTAMPING, 0);
    send_int(e, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RAW_HARDWARE);
    send_int(e, SOL_SOCKET, SCM_TXTIME, 0);
    send_int(e, SOL_SOCKET, 12345, 0);
}

CASE(told4_sending_source)
{
    struct ends e = linked(AF_INET);
    struct in_pktinfo pi = {0};

    send_told(e, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
    send_told(e, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi) - 1);
    pi.ipi_spec_dst = host4.sin_addr;
    send_told(e, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
    pi.ipi_spec_dst.s_addr = inet_addr("192.0.2.3");
    send_told(e, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
    pi.ipi_spec_dst.s_addr = 0;
    pi.ipi_ifindex = 4711;
    send_told(e, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
}

CASE(told6_sending)
{
    struct ends e = linked(AF_INET6);
    static const int values[] = {-2, -1, 0, 1, 7, 0x2c, 255, 256};

    SAY(set_int(e.p, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
    SAY(set_int(e.p, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
    for (int i = 0; i < N(values); i++) {
        if (values[i] != 0)
            send_int(e, IPPROTO_IPV6, IPV6_HOPLIMIT, values[i]);
        if (values[i] != -1) /* kernels disagree */
            send_int(e, IPPROTO_IPV6, IPV6_TCLASS, values[i]);
        send_int(e, IPPROTO_IPV6, IPV6_DONTFRAG, values[i]);
    }
    send_told(e, IPPROTO_IPV6, IPV6_TCLASS, "\10", 1, CMSG_LEN(1));
    send_int(e, IPPROTO_IP, IP_TTL, 9);
    send_int(e, IPPROTO_IP, 99, 9);
    send_int(e, IPPROTO_IPV6, 99, 9);
    send_int(e, SOL_SOCKET, SO_MARK, 0);
}

CASE(told6_sending_source)
{
    struct ends e = linked(AF_INET6);
    struct in6_pktinfo pi = {0};

    send_told(e, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
    send_told(e, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi) - 1);
    pi.ipi6_addr = host6.sin6_addr;
    send_told(e, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
    NEED(inet_pton(AF_INET6, "2001:db8::3", &pi.ipi6_addr) == 1);
    send_told(e, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
    memset(&pi, 0, sizeof pi);
    pi.ipi6_ifindex = 4711;
    send_told(e, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi, CMSG_LEN(sizeof pi));
}

/* The socket's own settings, seen by the other side. */
BOTH(own_fields)
{
    struct ends e = linked(family);
    const bool v4 = family == AF_INET;
    const int level = level_of(family);

    SAY(set_int(e.p, level, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, 1));
    SAY(set_int(e.p, level, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1));
    SAY(send(e.s, "a", 1, 0));
    take_told(e.p, 512, 0);
    static const int values[] = {1, 100, 255, -1};
    for (int i = 0; i < N(values); i++) {
        SAY(set_int(e.s, level, v4 ? IP_TTL : IPV6_UNICAST_HOPS, values[i]));
        SAY(set_int(e.s, level, v4 ? IP_TOS : IPV6_TCLASS, values[i]));
        SAY(get_int(e.s, level, v4 ? IP_TOS : IPV6_TCLASS));
        SAY(send(e.s, "b", 1, 0));
        take_told(e.p, 512, 0);
    }
}
CASE(told4_own_fields) { own_fields(AF_INET); }
CASE(told6_own_fields) { own_fields(AF_INET6); }

/* ---- moments ---- */

static void stamp_of(int fd, unsigned long request)
{
    struct timespec ts = {0}, now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (say_result("stamp", ioctl(fd, request, &ts)) == 0)
        say("lately %d", ts.tv_sec <= now.tv_sec && ts.tv_sec > now.tv_sec - 5);
}

BOTH(stamps)
{
    struct ends e = linked(family);
    char b[8];

    stamp_of(e.s, SIOCGSTAMP);
    feed(e, "one");
    stamp_of(e.s, SIOCGSTAMP);
    SAY(recv(e.s, b, 8, 0));
    stamp_of(e.s, SIOCGSTAMP);
    stamp_of(e.s, SIOCGSTAMPNS);
    feed(e, "two");
    SAY(recv(e.s, b, 8, 0));
    stamp_of(e.s, SIOCGSTAMPNS);
    SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMP, 1));
    feed(e, "three");
    take_told(e.s, 512, 0);
    SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPNS, 1));
    SAY(get_int(e.s, SOL_SOCKET, SO_TIMESTAMP));
    feed(e, "four");
    take_told(e.s, 512, 0);
    SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPNS, 0));
    feed(e, "five");
    take_told(e.s, 512, 0);
    SAY(ioctl(e.s, SIOCGSTAMP, BAD_PAGE(0)));
}
CASE(told4_stamps) { stamps(AF_INET); }
CASE(told6_stamps) { stamps(AF_INET6); }

/* A host stamps what comes only while some socket asks for it, and Linux begins to a while after the asking: hold a
 * socket that asks until a datagram has been stamped, so that the next sockets' are, from the first on. */
static void hold_stamps(int family)
{
    const struct ends e = linked(family);
    char control[64] __attribute__((aligned(16))), b[8];
    struct iovec v = {b, sizeof b};
    struct msghdr m;

    NEED(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE) == 0);
    do {
        feed(e, "stamp");
        m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        NEED(recvmsg(e.s, &m, 0) == 5);
    } while (!m.msg_controllen);
}

/* SO_TIMESTAMPING: when data came, and what the flags read as. */
static void stamping(int family)
{
    static const int flags[] = {
        SOF_TIMESTAMPING_RX_SOFTWARE,
        SOF_TIMESTAMPING_RX_HARDWARE,
        SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_RX_HARDWARE,
        SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE,
        SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_RAW_HARDWARE,
        0,
    };
    struct ends e = linked(family);
    int v[3] = {7, 7, 7};
    socklen_t n = sizeof v;

    hold_stamps(family);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPING, flags[i]));
        SAY(get_int(e.s, SOL_SOCKET, SO_TIMESTAMPING));
        feed(e, "stamp");
        take_told(e.s, 512, 0);
        SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPNS, 1));
        feed(e, "both");
        take_told(e.s, 512, 0);
        SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPNS, 0));
    }
    SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_TIMESTAMPING, v, &n));
    say("length %u: %d %d %d", n, v[0], v[1], v[2]);
}
CASE(told4_stamping) { stamping(AF_INET); }
CASE(told6_stamping) { stamping(AF_INET6); }

/* ---- errors ---- */

static void take_error(int fd, size_t room)
{
    char control[256] __attribute__((aligned(16))), b[16];
    struct addr a = {0};
    struct iovec v = {b, room};
    struct msghdr m = {.msg_name = &a.sa,
                       .msg_namelen = sizeof a.ss,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};

    if (say_result("error queue", recvmsg(fd, &m, MSG_ERRQUEUE)) < 0)
        return;
    say("flags %x", (unsigned)m.msg_flags);
    say_addr("to", &a.ss, m.msg_namelen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct {
            struct sock_extended_err ee;
            struct sockaddr_in6 offender;
        } x = {0};
        say("level %d type %d length %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        memcpy(&x, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0) < sizeof x ? c->cmsg_len - CMSG_LEN(0) : sizeof x);
        say("%s origin %d type %d code %d info %u data %u", errno_text((int)x.ee.ee_errno), x.ee.ee_origin,
            x.ee.ee_type, x.ee.ee_code, x.ee.ee_info, x.ee.ee_data);
        say_addr("offender", &x.offender, sizeof x.offender);
    }
}

BOTH(refused)
{
    const int s = bound_dgram(family), c = peer_dgram(family);
    const struct addr closed = named(c);
    char b[8];

    close(c);
    SAY(set_int(s, level_of(family), family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1));
    take_error(s, 8);
    for (int i = 0; i < 2; i++) {
        SAY(send_text(s, i ? "second" : "first", closed));
        SAY(await(s, POLLERR) & POLLERR);
        settled(family);
        if (i == 0)
            SAY(recv(s, b, 8, MSG_DONTWAIT));
    }
    SAY(await(s, POLLERR));
    take_error(s, 8);
    take_error(s, 2);
    take_error(s, 8);
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(recv(s, b, 8, MSG_DONTWAIT));
    SAY(send_text(s, "third", closed));
    await(s, POLLERR);
    settled(family);
    SAY(set_int(s, level_of(family), family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 0));
    take_error(s, 8);
    SAY(send_text(s, "fourth", closed));
    settled(family);
    SAY(recv(s, b, 8, MSG_DONTWAIT));
}
CASE(told4_refused) { refused(AF_INET); }
CASE(told6_refused) { refused(AF_INET6); }

/* ---- bytes that may not pass in one packet ---- */

BOTH(too_long)
{
    struct ends e = linked(family);
    static char b[70000];
    const int level = level_of(family), most = family == AF_INET ? 65507 : 65527;
    const int discover = family == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;

    SAY(set_int(e.s, level, family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1));
    SAY(set_int(e.s, level, discover, IP_PMTUDISC_DO));
    SAY_AS("most", send(e.s, b, (size_t)most, 0));
    SAY(get_int(e.s, level, family == AF_INET ? IP_MTU : IPV6_MTU));
    take_error(e.s, 0);
}
CASE(told4_too_long) { too_long(AF_INET); }
CASE(told6_too_long) { too_long(AF_INET6); }

/* ---- a full buffer ---- */

static int count_taken(int fd)
{
    static char b[70000];
    int n = 0;

    while (recv(fd, b, sizeof b, MSG_DONTWAIT) >= 0)
        n++;
    return n;
}

/* So many of these fit. What a datagram counts for is another number with every kernel: least and most are wide. */
static void overflow(int family, int rcvbuf, size_t bytes, int sent, int least, int most)
{
    int n;

    struct ends e = linked(family);
    static char b[70000];

    if (rcvbuf)
        SAY(set_int(e.s, SOL_SOCKET, SO_RCVBUF, rcvbuf));
    SAY(get_int(e.s, SOL_SOCKET, SO_RCVBUF));
    for (int i = 0; i < sent; i++)
        NEED(send(e.p, b, bytes, 0) == (ssize_t)bytes);
    settled(family);
    n = count_taken(e.s);
    say("buffer %d: of %d with %zu bytes %d to %d: %s", rcvbuf, sent, bytes, least, most,
        n < least  ? "fewer"
        : n > most ? "more"
                   : "yes");
    NEED(send(e.p, b, bytes, 0) == (ssize_t)bytes);
    settled(family);
    say("then %d", count_taken(e.s));
    close(e.s), close(e.p);
}

CASE(full4_least)
{
    static const size_t bytes[] = {0, 1, 100, 300, 500, 1000, 1400};

    for (int i = 0; i < N(bytes); i++)
        overflow(AF_INET, 1, bytes[i], 12, 1, 4);
}

CASE(full4_some)
{
    overflow(AF_INET, 10000, 1, 60, 15, 40);
    overflow(AF_INET, 10000, 100, 60, 15, 40);
    overflow(AF_INET, 10000, 600, 60, 8, 26);
    overflow(AF_INET, 10000, 1400, 60, 4, 13);
}

CASE(full4_default) { overflow(AF_INET, 0, 1000, 400, 40, 200); }
CASE(full6_least) { overflow(AF_INET6, 1, 100, 12, 1, 4); }
CASE(full6_some) { overflow(AF_INET6, 10000, 600, 60, 8, 26); }

CASE(full4_told)
{
    struct ends e = linked(AF_INET);
    char b[600] = "x";

    SAY(set_int(e.s, SOL_SOCKET, SO_RCVBUF, 1));
    SAY(set_int(e.s, SOL_SOCKET, SO_RXQ_OVFL, 1));
    for (int i = 0; i < 10; i++)
        NEED(send(e.p, b, sizeof b, 0) == sizeof b);
    settled(AF_INET);
    take_told(e.s, 512, 0);
    NEED(count_taken(e.s) >= 0);
    SAY(send(e.p, "y", 1, 0));
    take_told(e.s, 512, 0);
}
