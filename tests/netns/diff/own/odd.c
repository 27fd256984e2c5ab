/* SPDX-License-Identifier: BSD-3-Clause */
/* Odd addresses, devices, Fast Open and pipes between sockets of one host. */
#include "any.h"

#include <net/if.h>
#include <netinet/ip.h>
#include <sys/sendfile.h>

static const char *const places4[] = {"0.0.0.0",   "255.255.255.255", "127.255.255.255", "224.0.0.1",
                                      "240.0.0.1", "0.0.0.1",         "127.0.0.77",      "192.0.2.1"};
static const char *const places6[] = {
    "::",  "::ffff:0.0.0.0",  "::ffff:224.0.0.1", "fe80::1", "ff02::1", "ff01::1", "2001:db8::1",
    "::2", "::ffff:192.0.2.1"};

static void connect_everywhere(int family, int type, bool only)
{
    const size_t n = family == AF_INET ? sizeof places4 / sizeof *places4 : sizeof places6 / sizeof *places6;

    for (size_t i = 0; i < n; i++) {
        const char *const place = (family == AF_INET ? places4 : places6)[i];
        const int s = socket(family, type | SOCK_NONBLOCK, 0);
        if (only)
            MUST(set_int(s, IPPROTO_IPV6, IPV6_V6ONLY, 1));
        SAY_AS(place, connect_to(s, text_addr(place, NOBODY)));
        say_name(s);
        if (type == SOCK_DGRAM) {
            SAY_AS(place, send_text(s, "x", text_addr(place, NOBODY)));
            SAY_AS(place, send(s, "x", 1, 0));
        }
        close(s);
    }
}
CASE(own_odd_connect4) { connect_everywhere(AF_INET, SOCK_STREAM, false); }
CASE(own_odd_connect6) { connect_everywhere(AF_INET6, SOCK_STREAM, false); }
CASE(own_odd_connect6_only) { connect_everywhere(AF_INET6, SOCK_STREAM, true); }
CASE(own_odd_dgram4) { connect_everywhere(AF_INET, SOCK_DGRAM, false); }
CASE(own_odd_dgram6) { connect_everywhere(AF_INET6, SOCK_DGRAM, false); }
CASE(own_odd_dgram6_only) { connect_everywhere(AF_INET6, SOCK_DGRAM, true); }

static void bind_everywhere(int family, int type)
{
    const size_t n = family == AF_INET ? sizeof places4 / sizeof *places4 : sizeof places6 / sizeof *places6;

    for (size_t i = 0; i < n; i++) {
        const char *const place = (family == AF_INET ? places4 : places6)[i];
        const int s = socket(family, type, 0);
        if (SAY_AS(place, bind_to(s, text_addr(place, 0))) == 0) {
            say_name(s);
            if (type == SOCK_STREAM)
                SAY(listen(s, 1));
            else
                SAY(send_text(s, "x", own(family, NOBODY)));
        }
        const int f = socket(family, type, 0);
        SAY(set_int(f, level_of(family), family == AF_INET ? IP_FREEBIND : IPV6_FREEBIND, 1));
        SAY_AS(place, bind_to(f, text_addr(place, 0)));
        close(s);
        close(f);
    }
}
CASE(own_odd_bind4) { bind_everywhere(AF_INET, SOCK_STREAM); }
CASE(own_odd_bind6) { bind_everywhere(AF_INET6, SOCK_STREAM); }
CASE(own_odd_bind_dgram4) { bind_everywhere(AF_INET, SOCK_DGRAM); }
CASE(own_odd_bind_dgram6) { bind_everywhere(AF_INET6, SOCK_DGRAM); }

/* ---- from version 6 to version 4 ---- */

static void addrform(int type, bool listens)
{
    char mapped[64] = "::ffff:";
    const int s = socket(AF_INET6, type, 0), r = socket(AF_INET, type, 0), t = socket(AF_INET6, type, 0);

    strcat(mapped, host_ip);
    MUST(bind_to(r, own(AF_INET, 0)));
    if (type == SOCK_STREAM)
        MUST(listen(r, 5));
    SAY(set_int(s, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET));
    SAY(set_int(s, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET6));
    SAY(connect_to(s, text_addr(mapped, port_in(named(r)))));
    say_name(s);
    SAY(set_int(s, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET6));
    SAY(setsockopt(s, IPPROTO_IPV6, IPV6_ADDRFORM, &(int){AF_INET}, 2));
    SAY(set_int(s, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET));
    SAY(get_int(s, SOL_SOCKET, SO_DOMAIN));
    say_name(s);
    say_peer(s);
    SAY(set_int(s, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET));
    SAY(send(s, "abc", 3, 0));
    must_be_carried(s);
    if (type == SOCK_STREAM && listens) {
        SAY(connect_to(s, unspec()));
        SAY(bind_to(s, own(AF_INET, 0)));
        SAY(listen(s, 1));
        const int c = socket(AF_INET, SOCK_STREAM, 0);
        SAY(connect_to(c, named(s)));
        const int a = accept(s, NULL, NULL);
        say_name(a);
        SAY(get_int(a, SOL_SOCKET, SO_DOMAIN));
    }
    if (type == SOCK_STREAM) {
        const int six = socket(AF_INET6, SOCK_STREAM, 0);
        MUST(bind_to(six, own(AF_INET6, 0)));
        MUST(listen(six, 1));
        SAY(connect_to(t, named(six)));
    } else {
        SAY(connect_to(t, own(AF_INET6, NOBODY)));
    }
    SAY(set_int(t, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET));
}
CASE(own_odd_addrform) { addrform(SOCK_STREAM, true); }
CASE(own_odd_addrform_dgram) { addrform(SOCK_DGRAM, false); }

/* ---- devices ---- */

static void device(int family, int type)
{
    char name[IFNAMSIZ] = "";
    socklen_t len = sizeof name;
    const int s = socket(family, type, 0), c = socket(family, type, 0), d = socket(family, type, 0);

    SAY(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    SAY(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    say("%u %s", len, name);
    SAY(bind_to(s, own(family, 0)));
    const int port = port_in(named(s));
    if (type == SOCK_STREAM)
        SAY(listen(s, 2));
    SAY(bind_to(d, own(family, port)));
    SAY(connect_to(c, own(family, port)));
    SAY(send(c, "abc", 3, 0));
    if (type == SOCK_STREAM) {
        const int a = accept(s, NULL, NULL);
        char b[4];
        SAY(recv(a, b, 4, 0));
        len = sizeof name;
        SAY(getsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
        say("%u %s", len, name);
    } else {
        take(s, "bound to lo");
    }
    SAY(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    len = sizeof name;
    SAY(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    say("%u %s", len, name);
    SAY(send(c, "def", 3, 0));
    SAY(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
    SAY(set_int(c, SOL_SOCKET, SO_BINDTOIFINDEX, 1));
    SAY(get_int(c, SOL_SOCKET, SO_BINDTOIFINDEX));
    SAY(set_int(c, SOL_SOCKET, SO_BINDTOIFINDEX, 99));
}
CASE(own_odd_device4) { device(AF_INET, SOCK_STREAM); }
CASE(own_odd_device6) { device(AF_INET6, SOCK_STREAM); }
CASE(own_odd_device_dgram4) { device(AF_INET, SOCK_DGRAM); }
CASE(own_odd_device_dgram6) { device(AF_INET6, SOCK_DGRAM); }

/* ---- Fast Open ---- */

static int listener(int family, int fastopen)
{
    const int l = socket(family, SOCK_STREAM, 0);

    if (fastopen)
        SAY(set_int(l, IPPROTO_TCP, TCP_FASTOPEN, fastopen));
    MUST(bind_to(l, own(family, 0)));
    MUST(listen(l, 5));
    return l;
}

static void fast(int family, bool block, int fastopen)
{
    const int l = listener(family, fastopen);
    char b[16];

    for (int i = 0; i < 2; i++) {
        const int c = socket(family, SOCK_STREAM | (block ? 0 : SOCK_NONBLOCK), 0);
        const struct addr to = named(l);
        SAY(sendto(c, "hello", 5, MSG_FASTOPEN, &to.sa, to.len));
        const int a = accept(l, NULL, NULL);
        if (poll_for(c, POLLOUT) & POLLOUT)
            SAY(send(c, "more", 4, 0));
        SAY(recv(a, b, block || i ? 9 : 4, MSG_WAITALL) > 0);
        SAY(sendto(c, "again", 5, MSG_FASTOPEN, &to.sa, to.len));
        SAY(get_int(c, SOL_SOCKET, SO_ERROR));
        close(a);
        close(c);
    }
    const int n = socket(family, SOCK_STREAM, 0);
    const struct addr nobody = own(family, NOBODY);
    signal(SIGPIPE, SIG_IGN);
    SAY(sendto(n, "hello", 5, MSG_FASTOPEN, &nobody.sa, nobody.len));
    SAY(sendto(n, "hello", 5, MSG_FASTOPEN, NULL, 0));
}
CASE(own_odd_fastopen4) { fast(AF_INET, true, 0); }
CASE(own_odd_fastopen6) { fast(AF_INET6, true, 0); }
CASE(own_odd_fastopen_served) { fast(AF_INET, true, 5); }

CASE(own_odd_fastopen_connect)
{
    const int l = listener(AF_INET, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    char b[8];

    SAY(set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1));
    SAY(get_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT));
    SAY(connect_to(c, named(l)));
    SAY(send(c, "abc", 3, 0));
    const int a = accept(l, NULL, NULL);
    SAY(recv(a, b, 8, 0));
    SAY(set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1));
}

/* ---- counts ---- */

CASE(own_odd_counts)
{
    const int l = listener(AF_INET, 0), u = dgram(AF_INET), f = socket(AF_INET, SOCK_STREAM, 0);
    static const int requests[] = {FIONREAD, TIOCOUTQ, SIOCOUTQNSD, SIOCATMARK};
    char text[32];
    int n;

    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "request %x", (unsigned)requests[i]);
        n = -1;
        SAY_AS(text, ioctl(l, (unsigned)requests[i], &n));
        say("listener %d", n);
        n = -1;
        SAY_AS(text, ioctl(u, (unsigned)requests[i], &n));
        say("datagram %d", n);
        n = -1;
        SAY_AS(text, ioctl(f, (unsigned)requests[i], &n));
        say("fresh %d", n);
        SAY_AS(text, ioctl(f, (unsigned)requests[i], NULL));
    }
}

/* ---- pipes ---- */

static void pair_of(int family, int *c, int *a)
{
    const int l = listener(family, 0);

    *c = socket(family, SOCK_STREAM, 0);
    MUST(connect_to(*c, named(l)));
    *a = (int)MUST(accept(l, NULL, NULL));
    close(l);
}

CASE(own_odd_splice)
{
    int c, a, p[2], n;
    char b[64];

    pair_of(AF_INET, &c, &a);
    MUST(pipe2(p, O_NONBLOCK));
    set_timeout(a, SO_RCVTIMEO, 30);
    SAY(splice(a, NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK));
    SAY(splice(a, NULL, p[1], NULL, 10, 0));
    SAY(send(c, "0123456789", 10, 0));
    SAY(splice(a, NULL, p[1], NULL, 4, 0));
    SAY(splice(a, NULL, p[1], NULL, 100, SPLICE_F_MOVE | SPLICE_F_MORE));
    SAY(ioctl(p[0], FIONREAD, &n));
    say("%d", n);
    SAY(splice(p[0], NULL, c, NULL, 6, 0));
    SAY(splice(p[0], NULL, c, NULL, 60, 0));
    SAY(splice(p[0], NULL, c, NULL, 60, 0));
    SAY(recv(a, b, 10, MSG_WAITALL));
    SAY(shutdown(c, SHUT_WR));
    SAY(splice(a, NULL, p[1], NULL, 10, 0));
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    SAY(splice(a, NULL, p[1], NULL, 10, 0));
    SAY(splice(c, NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK));
}

CASE(own_odd_sendfile)
{
    int c, a;
    const int f = (int)MUST(memfd_create("f", 0));
    static char big[300000], got[300000];
    off_t off = 100;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    MUST(write(f, big, sizeof big));
    pair_of(AF_INET6, &c, &a);
    NEED(fork() > 0 || (recv(a, got, sizeof got - 100, MSG_WAITALL) == sizeof got - 100
                        ? _exit(memcmp(got, big + 100, sizeof got - 100) != 0),
                        1 : (_exit(9), 1)));
    long sum = 0, r;
    while ((r = sendfile(c, f, &off, 1 << 20)) > 0)
        sum += r;
    say("%ld at %ld, last %ld", sum, (long)off, r);
    int status;
    MUST(wait(&status));
    say("status %d", WEXITSTATUS(status));
}

/* ---- the rest of recvmsg's and sendmsg's arguments ---- */

CASE(own_odd_messages)
{
    int c, a;
    char b[8], control[8];
    struct iovec v[2] = {{b, 2}, {b + 2, 2}};
    struct sockaddr_in6 name;
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

    pair_of(AF_INET, &c, &a);
    SAY(send(c, "abcdefgh", 8, 0));
    m.msg_name = &name;
    m.msg_namelen = sizeof name;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    m.msg_flags = -1;
    SAY(recvmsg(a, &m, 0));
    say("name %u control %zu flags %x", m.msg_namelen, m.msg_controllen, (unsigned)m.msg_flags);
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 0};
    SAY(recvmsg(a, &m, MSG_DONTWAIT));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 2, .msg_flags = MSG_OOB};
    SAY(recvmsg(a, &m, MSG_PEEK | MSG_TRUNC));
    say("flags %x", (unsigned)m.msg_flags);
    SAY(sendmsg(c, &m, MSG_EOR | MSG_CONFIRM | MSG_DONTROUTE));
    m.msg_name = &name;
    m.msg_namelen = 3;
    SAY(sendmsg(c, &m, 0));
    m.msg_namelen = 0;
    m.msg_control = control;
    m.msg_controllen = 3;
    SAY(sendmsg(c, &m, 0));
    m.msg_controllen = 8;
    SAY(sendmsg(c, &m, 0));
    m.msg_control = NULL;
    m.msg_controllen = 0;
    m.msg_iovlen = 1025;
    SAY(sendmsg(c, &m, 0));
    SAY(recvmsg(a, &m, MSG_DONTWAIT));
}
