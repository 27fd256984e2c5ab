/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagram sockets of both families: binding, connecting, dissolving, shutting down, what is waiting. */
#include "any.h"

#define BOTH(n) static void n(int family)

/* ---- binding ---- */

BOTH(fresh)
{
    const int s = dgram(family);
    char b[4];

    say_name(s);
    say_peer(s);
    SAY(recv(s, b, 4, MSG_DONTWAIT));
    SAY(recv(s, b, 0, MSG_DONTWAIT));
    SAY(send(s, "", 0, 0));
    SAY(write(s, "", 0));
    SAY(await(s, POLLIN | POLLOUT));
    SAY(shutdown(s, SHUT_RDWR));
    SAY(getsockopt(s, SOL_SOCKET, SO_ERROR, b, &(socklen_t){4}));
    SAY(listen(s, 5));
    SAY(accept(s, NULL, NULL));
    SAY(accept4(s, NULL, NULL, SOCK_NONBLOCK));
    say_name(s);
}
CASE(udp4_fresh) { fresh(AF_INET); }
CASE(udp6_fresh) { fresh(AF_INET6); }

BOTH(binding)
{
    const int s = dgram(family), u = dgram(family);
    struct addr a = own(family, 0);

    SAY(bind(s, &a.sa, a.len - 1));
    SAY(bind(s, &a.sa, 0));
    SAY(bind_to(s, a));
    must_be_carried(s);
    say_name(s);
    SAY(bind_to(s, a));
    SAY(bind_to(s, own(family, 12345)));
    SAY(bind_to(u, named(s)));
    SAY(bind_to(u, wild(family, port_in(named(s)))));
    say_name(u);
    SAY(bind_to(u, text_addr(family == AF_INET ? "192.0.2.1" : "2001:db8::1", 0)));
    SAY(bind_to(u, text_addr(family == AF_INET ? "2001:db8::1" : "192.0.2.1", 0)));
    SAY(bind_to(u, unspec()));
    SAY(connect_to(u, named(s)));
    SAY(bind_to(u, a));
    close(s);
    const int again = dgram(family);
    SAY(bind_to(again, a));
    SAY(connect_to(again, unspec()));
    SAY(bind_to(again, a));
}
CASE(udp4_binding) { binding(AF_INET); }
CASE(udp6_binding) { binding(AF_INET6); }

BOTH(wild_binding)
{
    const int s = dgram(family), p = peer_dgram(family), u = dgram(family);

    SAY(bind_to(s, wild(family, 0)));
    say_name(s);
    const int port = port_in(named(s));
    SAY(bind_to(u, wild(family, port)));
    SAY(bind_to(u, own(family, port)));
    SAY(send_text(p, "one", own(family, port)));
    take(s, "unconnected");
    SAY(connect_to(s, named(p)));
    say_name(s);
    say_peer(s);
    SAY(send_text(p, "two", own(family, port)));
    take(s, "connected");
    SAY(connect_to(s, unspec()));
    say_name(s);
    say_peer(s);
    say("the same port %d", port_in(named(s)) == port);
    SAY(send_text(p, "three", own(family, port)));
    take(s, "dissolved");
}
CASE(udp4_wild_binding) { wild_binding(AF_INET); }
CASE(udp6_wild_binding) { wild_binding(AF_INET6); }

/* ---- connecting ---- */

BOTH(connecting)
{
    const int s = dgram(family), p = peer_dgram(family), q = peer_dgram(family);

    SAY(connect_to(s, named(p)));
    must_be_carried(s);
    say_name(s);
    say_peer(s);
    const struct addr me = own(family, port_in(named(s)));
    SAY(send_text(q, "stranger", me));
    SAY(send_text(p, "friend", me));
    take(s, "got");
    none(s, "no more");
    SAY(connect_to(s, named(q)));
    say_peer(s);
    say("the same port %d", port_in(named(s)) == port_in(me));
    SAY(send_text(p, "stranger", me));
    SAY(send_text(q, "friend", me));
    take(s, "got");
    SAY(connect_to(s, unspec()));
    say_name(s);
    say_peer(s);
    SAY(send(s, "a", 1, 0));
    SAY(connect_to(s, unspec()));
    SAY(send_text(s, "again", named(p)));
    say_name(s);
    take(p, "got");
}
CASE(udp4_connecting) { connecting(AF_INET); }
CASE(udp6_connecting) { connecting(AF_INET6); }

/* What came while anybody could send stays, whoever it is connected to later. */
BOTH(connect_with_waiting)
{
    const int s = bound_dgram(family), p = peer_dgram(family), q = peer_dgram(family);

    SAY(send_text(q, "early", named(s)));
    await(s, POLLIN);
    SAY(connect_to(s, named(p)));
    SAY(send_text(q, "late", named(s)));
    SAY(send_text(p, "friend", named(s)));
    take(s, "first");
    take(s, "second");
    none(s, "third");
    SAY(connect_to(s, unspec()));
    SAY(send_text(q, "anybody", named(s)));
    take(s, "fourth");
}
CASE(udp4_connect_with_waiting) { connect_with_waiting(AF_INET); }
CASE(udp6_connect_with_waiting) { connect_with_waiting(AF_INET6); }

BOTH(connect_any)
{
    const int s = dgram(family), u = dgram(family), v = dgram(family);

    SAY(connect_to(s, wild(family, 0)));
    say_name(s);
    say_peer(s);
    SAY(connect_to(s, unspec()));
    say_name(s);
    SAY(bind_to(u, wild(family, 0)));
    SAY(connect_to(v, wild(family, port_in(named(u)))));
    say_name(v);
    say_peer(v);
    SAY(send(v, "hi", 2, 0));
    take(u, "got");
    SAY(connect_to(v, unspec()));
    say_peer(v);
    say_name(v);
    SAY(send_text(v, "to any", wild(family, port_in(named(u)))));
    take(u, "got");
}
CASE(udp4_connect_any) { connect_any(AF_INET); }
CASE(udp6_connect_any) { connect_any(AF_INET6); }

BOTH(port_zero)
{
    const int s = dgram(family), b = bound_dgram(family);
    struct ends e = linked(family);
    struct iovec v = {"a", 1};
    struct addr to = other(family, 0);
    struct msghdr m = {.msg_name = &to.sa, .msg_namelen = to.len, .msg_iov = &v, .msg_iovlen = 1};

    SAY(send_text(b, "a", to));
    SAY(sendmsg(b, &m, 0));
    SAY(connect_to(s, to));
    say_peer(s);
    SAY(send(s, "a", 1, 0));
    SAY(connect_to(b, to));
    say_peer(b);
    say_name(b);
    SAY(send(b, "a", 1, 0));
    await(b, POLLERR);
    SAY(write(b, "a", 1));
    SAY(send_text(b, "a", named(e.p)));
    SAY(send_text(b, "a", to));
    SAY(connect_to(e.s, to));
    say_peer(e.s);
    SAY(send(e.s, "a", 1, 0));
    await(e.s, POLLERR);
    SAY(recv(e.s, &v, 1, MSG_DONTWAIT));
    SAY(connect_to(e.s, named(e.p)));
    SAY(send(e.s, "a", 1, 0));
}
CASE(udp4_port_zero) { port_zero(AF_INET); }
CASE(udp6_port_zero) { port_zero(AF_INET6); }

BOTH(bad_families)
{
    const int s = dgram(family);
    struct addr a = other(family, 9), o = family == AF_INET ? text_addr("::1", 9) : text_addr("127.0.0.1", 9);

    a.sa.sa_family = 77;
    SAY(connect_to(s, a));
    SAY(send_text(s, "x", a));
    SAY(bind_to(s, a));
    if (family == AF_INET) {
        SAY(connect_to(s, o));
        SAY(send_text(s, "x", o));
        SAY(bind_to(s, o));
    }
    a = other(family, 9);
    SAY(connect(s, &a.sa, 1));
    SAY(connect(s, &a.sa, a.len - 5));
    SAY(connect(s, &a.sa, 2));
    SAY(connect(s, &a.sa, sizeof(struct sockaddr_storage)));
    say_peer(s);
    SAY(connect(s, &a.sa, sizeof(struct sockaddr_storage) + 1));
    SAY(sendto(s, "x", 1, 0, &a.sa, a.len - 5));
    SAY(sendto(s, "x", 1, 0, &a.sa, 2));
    SAY(sendto(s, "x", 1, 0, &a.sa, 1));
    SAY(sendto(s, "x", 1, 0, &a.sa, 0));
}
CASE(udp4_bad_families) { bad_families(AF_INET); }
CASE(udp6_bad_families) { bad_families(AF_INET6); }

/* A version 6 socket and version 4. */
CASE(udp6_mapped)
{
    const int s = dgram(AF_INET6), p = peer_dgram(AF_INET), u = dgram(AF_INET6);
    char text[64];
    struct addr mapped, a = {.len = sizeof a.ss};

    const struct addr four = named(p);
    inet_ntop(AF_INET, &four.in.sin_addr, text + 7, sizeof text - 7);
    memcpy(text, "::ffff:", 7);
    mapped = text_addr(text, port_in(named(p)));
    SAY(send_text(s, "mapped", mapped));
    say_name(s);
    char b[16];
    await(p, POLLIN);
    SAY(recvfrom(p, b, 16, 0, &a.sa, &a.len));
    say_addr("from", &a.ss, a.len);
    SAY(sendto(p, "answer", 6, 0, &a.sa, a.len));
    a.len = sizeof a.ss;
    await(s, POLLIN);
    SAY(recvfrom(s, b, 16, 0, &a.sa, &a.len));
    say_addr("from", &a.ss, a.len);
    SAY(send_text(s, "plain", named(p)));
    take(p, "of family 4");
    SAY(connect_to(s, named(p)));
    say_peer(s);
    SAY(connect_to(s, mapped));
    say_name(s);
    say_peer(s);
    SAY(send(s, "one", 3, 0));
    take(p, "connected");
    SAY(send_text(s, "six", own(AF_INET6, 9)));
    SAY(connect_to(s, unspec()));
    say_name(s);
    SAY(set_int(u, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    SAY(send_text(u, "x", mapped));
    SAY(connect_to(u, mapped));
    SAY(bind_to(u, mapped));
}

CASE(udp6_dual_ports)
{
    const int any6 = dgram(AF_INET6), any4 = dgram(AF_INET), only = dgram(AF_INET6), p = peer_dgram(AF_INET);

    SAY(bind_to(any6, wild(AF_INET6, 0)));
    const int port = port_in(named(any6));
    SAY(bind_to(any4, wild(AF_INET, port)));
    SAY(bind_to(any4, own(AF_INET, port)));
    SAY(set_int(only, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    SAY(bind_to(only, wild(AF_INET6, port)));
    SAY(send_text(p, "to six", own(AF_INET, port)));
    take(any6, "got");
    close(any6);
    SAY(bind_to(only, wild(AF_INET6, port)));
    SAY(bind_to(any4, wild(AF_INET, port)));
    SAY(send_text(p, "to four", own(AF_INET, port)));
    none(only, "only six");
    take(any4, "four");
    SAY(set_int(only, IPPROTO_IPV6, IPV6_V6ONLY, 0));
    SAY(get_int(only, IPPROTO_IPV6, IPV6_V6ONLY));
}

/* ---- shutting down ---- */

BOTH(shutting_down)
{
    struct ends e = linked(family);
    char b[8];
    int n = -1;

    feed(e, "one");
    SAY(shutdown(e.s, SHUT_RD));
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
    SAY(recv(e.s, b, 8, 0));
    SAY(ioctl(e.s, FIONREAD, &n));
    say("waiting %d", n);
    feed(e, "two");
    SAY(ioctl(e.s, FIONREAD, &n));
    say("waiting %d", n);
    SAY(await(e.s, POLLIN | POLLRDHUP | POLLHUP));
    SAY(recv(e.s, b, 8, 0));
    SAY(shutdown(e.s, SHUT_WR));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
    count_signals(SIGPIPE);
    SAY(send(e.s, "a", 1, 0));
    SAY(sendto(e.s, "a", 1, MSG_NOSIGNAL, NULL, 0));
    say("signals %d", (int)signals);
    SAY(connect_to(e.s, named(e.p)));
    SAY(send(e.s, "a", 1, MSG_NOSIGNAL));
    SAY(connect_to(e.s, unspec()));
    SAY(shutdown(e.s, SHUT_RD));
    SAY(send_text(e.s, "b", named(e.p)));
}
CASE(udp4_shutting_down) { shutting_down(AF_INET); }
CASE(udp6_shutting_down) { shutting_down(AF_INET6); }

BOTH(shutting_unconnected)
{
    const int s = bound_dgram(family), p = peer_dgram(family);
    char b[8];

    SAY(shutdown(s, SHUT_RD));
    SAY(recv(s, b, 8, MSG_DONTWAIT));
    SAY(shutdown(s, SHUT_WR));
    SAY(send_text(s, "a", named(p)));
    SAY(await(s, POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
    SAY(send_text(p, "in", named(s)));
    settled(family);
    take(s, "got");
}
CASE(udp4_shutting_unconnected) { shutting_unconnected(AF_INET); }
CASE(udp6_shutting_unconnected) { shutting_unconnected(AF_INET6); }

/* ---- what is waiting ---- */

BOTH(waiting)
{
    struct ends e = linked(family);
    char b[8];
    int n = -1;

    SAY(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    SAY(send(e.p, "", 0, 0));
    SAY(await(e.s, POLLIN));
    SAY(ioctl(e.s, FIONREAD, &n));
    say("empty %d", n);
    SAY(send(e.p, "abc", 3, 0));
    SAY(send(e.p, "defgh", 5, 0));
    await(e.s, POLLIN);
    SAY(ioctl(e.s, FIONREAD, &n));
    say("first %d", n);
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
    await(e.s, POLLIN);
    SAY(ioctl(e.s, FIONREAD, &n));
    say("second %d", n);
    SAY(recv(e.s, b, 2, MSG_DONTWAIT));
    await(e.s, POLLIN);
    SAY(ioctl(e.s, FIONREAD, &n));
    say("third %d", n);
    SAY(recv(e.s, b, 8, MSG_PEEK | MSG_DONTWAIT));
    SAY(recv(e.s, b, 2, MSG_TRUNC | MSG_DONTWAIT));
    SAY(ioctl(e.s, SIOCINQ, &n));
    say("none %d", n);
    SAY(ioctl(e.s, SIOCOUTQ, &n));
    say("out %d", n);
}
CASE(udp4_waiting) { waiting(AF_INET); }
CASE(udp6_waiting) { waiting(AF_INET6); }

/* With a minimum to receive: poll goes by it, recv by the datagram. */
BOTH(low_water)
{
    struct ends e = linked(family);
    char b[8];

    SAY(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, 4));
    feed(e, "ab");
    SAY(await(e.s, POLLIN));
    SAY(recv(e.s, b, 8, 0));
    SAY(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT));
    SAY(set_int(e.s, SOL_SOCKET, SO_SNDLOWAT, 4));
    SAY(get_int(e.s, SOL_SOCKET, SO_SNDLOWAT));
}
CASE(udp4_low_water) { low_water(AF_INET); }
CASE(udp6_low_water) { low_water(AF_INET6); }

/* ---- several pieces, several datagrams ---- */

BOTH(pieces)
{
    struct ends e = linked(family);
    char b[3][4] = {{0}};
    struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}}, in[3] = {{b[0], 1}, {b[1], 3}, {b[2], 4}};
    struct msghdr m = {.msg_iov = out, .msg_iovlen = 3}, r = {.msg_iov = in, .msg_iovlen = 3};

    SAY(writev(e.s, out, 3));
    await(e.p, POLLIN);
    SAY(readv(e.p, in, 3));
    SAY(sendmsg(e.p, &m, 0));
    await(e.s, POLLIN);
    SAY(recvmsg(e.s, &r, 0));
    say_bytes("pieces", b, sizeof b);
    say("flags %x", r.msg_flags);
    SAY(sendmsg(e.p, &m, 0));
    await(e.s, POLLIN);
    r.msg_iovlen = 2;
    SAY(recvmsg(e.s, &r, 0));
    say("flags %x", r.msg_flags);
    SAY(sendmsg(e.p, &m, 0));
    await(e.s, POLLIN);
    SAY(readv(e.s, in, 1));
    SAY(recv(e.s, b, 4, MSG_DONTWAIT));
}
CASE(udp4_pieces) { pieces(AF_INET); }
CASE(udp6_pieces) { pieces(AF_INET6); }

BOTH(batch)
{
    struct ends e = linked(family);
    const int q = peer_dgram(family);
    struct addr to[3] = {named(e.p), named(q), other(family, 0)}, from[3];
    char b[3][8];
    struct iovec v[3], w[3];
    struct mmsghdr m[3] = {0}, r[3] = {0};

    for (int i = 0; i < 3; i++) {
        v[i] = (struct iovec){"abc", (size_t)i};
        w[i] = (struct iovec){b[i], 2};
        m[i].msg_hdr = (struct msghdr){
            .msg_name = &to[i].sa, .msg_namelen = to[i].len, .msg_iov = &v[i], .msg_iovlen = 1};
        r[i].msg_hdr = (struct msghdr){
            .msg_name = &from[i].sa, .msg_namelen = sizeof from[i].ss, .msg_iov = &w[i], .msg_iovlen = 1};
        m[i].msg_len = r[i].msg_len = 99;
    }
    SAY(sendmmsg(e.s, m, 3, 0));
    say("%u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    SAY(sendmmsg(e.s, m + 2, 1, 0));
    SAY(sendmmsg(e.s, m, 2, MSG_OOB));
    SAY(sendmmsg(e.s, m, 3, MSG_DONTWAIT | MSG_NOSIGNAL));
    take(e.p, "first");
    take(q, "second");
    feed(e, "abcd"), feed(e, "e");
    settled(family);
    SAY(recvmmsg(e.s, r, 3, MSG_DONTWAIT, NULL));
    say("%u %u %u", r[0].msg_len, r[1].msg_len, r[2].msg_len);
    say("flags %x %x", r[0].msg_hdr.msg_flags, r[1].msg_hdr.msg_flags);
    say("namelen %u %u %u", r[0].msg_hdr.msg_namelen, r[1].msg_hdr.msg_namelen, r[2].msg_hdr.msg_namelen);
    feed(e, "abcd");
    SAY(recvmmsg(e.s, r, 3, MSG_WAITFORONE | MSG_PEEK, NULL));
    SAY(recvmmsg(e.s, r, 3, MSG_WAITFORONE | MSG_TRUNC, NULL));
    say("%u flags %x", r[0].msg_len, r[0].msg_hdr.msg_flags);
}
CASE(udp4_many) { batch(AF_INET); }
CASE(udp6_many) { batch(AF_INET6); }

/* An error after the first datagrams is told by the next call. */
BOTH(many_then_error)
{
    struct ends e = linked(family);
    char b[2][4];
    struct iovec v[3] = {{b[0], 4}, {BAD_PAGE(0), 4}, {b[1], 4}};
    struct mmsghdr m[3] = {0};

    for (int i = 0; i < 3; i++)
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    feed(e, "one"), feed(e, "two"), feed(e, "three");
    settled(family);
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, NULL));
    v[1].iov_base = "two";
    v[0].iov_base = v[2].iov_base = BAD_PAGE(0);
    SAY(sendmmsg(e.s, m + 1, 2, 0));
    SAY(sendmmsg(e.s, m, 3, 0));
    SAY(sendmmsg(e.s, (void *)BAD_PAGE(0), 3, 0));
    SAY(recvmmsg(e.s, (void *)BAD_PAGE(0), 3, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, (void *)BAD_PAGE(0)));
    SAY(sendmmsg(e.s, m + 1, 5000, 0));
}
CASE(udp4_many_then_error) { many_then_error(AF_INET); }
CASE(udp6_many_then_error) { many_then_error(AF_INET6); }

/* The time left is written, but looked at only between datagrams. */
BOTH(many_timed)
{
    struct ends e = linked(family);
    char b[3][4];
    struct iovec v[3];
    struct mmsghdr m[3] = {0};
    struct timespec ts = {10, 0};

    for (int i = 0; i < 3; i++) {
        v[i] = (struct iovec){b[i], 4};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    }
    feed(e, "one");
    SAY(recvmmsg(e.s, m, 1, 0, &ts));
    say("left %d", ts.tv_sec == 9 && ts.tv_nsec > 0);
    feed(e, "one"), feed(e, "two");
    ts = (struct timespec){0, 0};
    SAY(recvmmsg(e.s, m, 3, 0, &ts));
    await(e.s, POLLIN);
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, &ts));
    say("left %ld %ld", (long)ts.tv_sec, (long)ts.tv_nsec);
    ts = (struct timespec){5, 0};
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, &ts));
    say("left %ld %ld", (long)ts.tv_sec, (long)ts.tv_nsec);
    ts = (struct timespec){0, -1};
    SAY(recvmmsg(e.s, m, 3, 0, &ts));
    ts = (struct timespec){0, 1000000001};
    SAY(recvmmsg(e.s, m, 3, 0, &ts));
}
CASE(udp4_many_timed) { many_timed(AF_INET); }
CASE(udp6_many_timed) { many_timed(AF_INET6); }

/* ---- lengths ---- */

BOTH(lengths)
{
    struct ends e = linked(family);
    static char b[70000];
    const int most = family == AF_INET ? 65507 : 65527;

    set_int(e.p, SOL_SOCKET, SO_RCVBUF, 1 << 20);
    SAY_AS("most", send(e.s, b, (size_t)most, 0));
    SAY(await(e.p, POLLIN));
    SAY_AS("got", recv(e.p, b, sizeof b, MSG_DONTWAIT));
    SAY_AS("more", send(e.s, b, (size_t)most + 1, 0));
    SAY_AS("65536", send(e.s, b, 65536, 0));
    SAY_AS("the kernel's back", send(e.p, b, (size_t)most, 0));
    SAY(await(e.s, POLLIN));
    SAY_AS("peeked", recv(e.s, b, 10, MSG_PEEK | MSG_TRUNC));
    SAY_AS("got", recv(e.s, b, sizeof b, 0));
    SAY(send(e.p, "x", 1, 0));
    await(e.s, POLLIN);
    SAY_AS("a large buffer", recv(e.s, b, SSIZE_MAX, MSG_DONTWAIT));
}
CASE(udp4_lengths) { lengths(AF_INET); }
CASE(udp6_lengths) { lengths(AF_INET6); }
