/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams: flags, lengths, addresses, several at once. */
#include "diff.h"

#include <time.h>

CASE(dgram_peek_trunc)
{
    struct ends e = udp_ends();
    char b[16] = {0};

    feed(e, "abcdef");
    SAY(recv(e.s, b, 3, MSG_PEEK));
    SAY(recv(e.s, b, 3, MSG_PEEK | MSG_TRUNC));
    SAY(recv(e.s, NULL, 0, MSG_PEEK | MSG_TRUNC));
    SAY(recv(e.s, b, 3, 0));
    say_bytes("got", b, 6);
    SAY(recv(e.s, b, 3, MSG_DONTWAIT));
    feed(e, "abcdef");
    SAY(recv(e.s, b, 3, MSG_TRUNC));
    feed(e, "abcdef");
    SAY(recv(e.s, b, 0, 0));
    SAY(recv(e.s, b, 9, MSG_DONTWAIT));
    feed(e, "abcdef");
    SAY(read(e.s, b, 0));
    SAY(read(e.s, b, 9));
    feed(e, "abcdef");
    SAY(recv(e.s, b, 16, MSG_WAITALL));
}

CASE(dgram_recvmsg_trunc)
{
    struct ends e = udp_ends();
    char b[16];
    struct sockaddr_in a;
    struct iovec v = {b, 3};
    struct msghdr m = {.msg_name = &a, .msg_namelen = 5, .msg_iov = &v, .msg_iovlen = 1, .msg_flags = 77};

    feed(e, "abcdef");
    SAY(recvmsg(e.s, &m, MSG_PEEK));
    say("namelen %u flags %x", m.msg_namelen, (unsigned)m.msg_flags);
    m.msg_namelen = sizeof a;
    SAY(recvmsg(e.s, &m, MSG_TRUNC));
    say("flags %x", (unsigned)m.msg_flags);
    say_addr("from", &a, m.msg_namelen);
    m.msg_namelen = sizeof a + 9;
    v.iov_len = 16;
    feed(e, "abcdef");
    SAY(recvmsg(e.s, &m, 0));
    say("namelen %u flags %x", m.msg_namelen, (unsigned)m.msg_flags);
    m.msg_namelen = (socklen_t)-1;
    feed(e, "abcdef");
    SAY(recvmsg(e.s, &m, 0));
    say("namelen %d", (int)m.msg_namelen);
    m.msg_iovlen = 0;
    m.msg_namelen = 0;
    feed(e, "abcdef");
    settle(20);
    SAY(recvmsg(e.s, &m, MSG_DONTWAIT));
    say("namelen %u flags %x", m.msg_namelen, (unsigned)m.msg_flags);
    SAY(recvmsg(e.s, &m, MSG_DONTWAIT));
}

CASE(dgram_zero_lengths)
{
    struct ends e = udp_ends();
    char b[4];

    SAY(send(e.p, "", 0, 0));
    SAY(await(e.s, POLLIN));
    SAY(recv(e.s, b, 4, 0));
    SAY(send(e.s, b, 0, 0));
    SAY(await(e.p, POLLIN));
    SAY(recv(e.p, b, 4, MSG_DONTWAIT));
    SAY(write(e.s, b, 0));
    await(e.p, POLLIN);
    SAY(recv(e.p, b, 4, MSG_DONTWAIT));
    SAY(writev(e.s, NULL, 0));
    SAY(unready(e.p, POLLIN));
    SAY(recv(e.p, b, 4, MSG_DONTWAIT));
    struct msghdr m = {0};
    SAY(sendmsg(e.s, &m, 0));
    await(e.p, POLLIN);
    SAY(recv(e.p, b, 4, MSG_DONTWAIT));
}

CASE(dgram_lengths)
{
    struct ends e = udp_ends();
    static char b[70000];

    SAY(send(e.s, b, 65507, 0));
    SAY(await(e.p, POLLIN));
    SAY(recv(e.p, b, sizeof b, 0));
    SAY(send(e.s, b, 65508, 0));
    SAY(send(e.s, b, 65536, 0));
    SAY(send(e.s, b, (size_t)-1, 0));
    SAY(send(e.s, b, SSIZE_MAX, 0));
    SAY(write(e.s, b, 70000));
    SAY(send(e.p, b, 65507, 0));
    SAY(await(e.s, POLLIN));
    SAY(recv(e.s, b, sizeof b, 0));
}

CASE(dgram_pieces)
{
    struct ends e = udp_ends();
    static struct iovec v[1100];
    char b[2000];

    for (int i = 0; i < 1100; i++)
        v[i] = (struct iovec){"x", 1};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 1024};
    SAY(writev(e.s, v, 1024));
    SAY(writev(e.s, v, 1025));
    SAY(writev(e.s, v, -1));
    SAY(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 1025;
    SAY(sendmsg(e.s, &m, 0));
    SAY(recvmsg(e.s, &m, MSG_DONTWAIT));
    v[0].iov_len = (size_t)-1;
    SAY(writev(e.s, v, 2));
    m.msg_iovlen = 2;
    SAY(sendmsg(e.s, &m, 0));
    SAY(recv(e.p, b, 2000, 0));
    SAY(recv(e.p, b, 2000, 0));
    SAY(recv(e.p, b, 2000, MSG_DONTWAIT));
}

CASE(dgram_flags)
{
    struct ends e = udp_ends();
    char b[8];

    SAY(send(e.s, "a", 1, MSG_OOB));
    SAY(recv(e.s, b, 1, MSG_OOB | MSG_DONTWAIT));
    feed(e, "a");
    SAY(recv(e.s, b, 1, MSG_OOB));
    SAY(recv(e.s, b, 1, MSG_ERRQUEUE));
    SAY(send(e.s, "a", 1, MSG_CONFIRM));
    SAY(send(e.s, "a", 1, MSG_DONTROUTE));
    SAY(send(e.s, "a", 1, MSG_EOR));
    SAY(send(e.s, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
    SAY(send(e.s, "a", 1, 0x10 /* MSG_PROBE */));
    SAY(send(e.s, "a", 1, MSG_FASTOPEN));
    SAY(send(e.s, "a", 1, MSG_ZEROCOPY));
    SAY(recv(e.s, b, 1, MSG_DONTWAIT));
    await(e.p, POLLIN);
    settle(20);
    for (int i = 0; i < 9; i++)
        SAY(recv(e.p, b, 8, i == 0 ? 0 : MSG_DONTWAIT));
}

CASE(dgram_more)
{
    struct ends e = udp_ends();
    char b[16];

    SAY(send(e.s, "ab", 2, MSG_MORE));
    SAY(recv(e.p, b, 16, MSG_DONTWAIT));
    SAY(send(e.s, "cd", 2, 0));
    SAY(await(e.p, POLLIN));
    SAY(recv(e.p, b, 16, 0));
    SAY(set_int(e.s, IPPROTO_UDP, UDP_CORK, 1));
    SAY(get_int(e.s, IPPROTO_UDP, UDP_CORK));
    SAY(send(e.s, "ef", 2, 0));
    SAY(send(e.s, "gh", 2, 0));
    SAY(recv(e.p, b, 16, MSG_DONTWAIT));
    SAY(set_int(e.s, IPPROTO_UDP, UDP_CORK, 0));
    SAY(await(e.p, POLLIN));
    SAY(recv(e.p, b, 16, 0));
}

CASE(dgram_unconnected)
{
    const int s = socket(AF_INET, SOCK_DGRAM, 0), p = peer_socket(AF_INET, SOCK_DGRAM);
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    NEED(try_bind(p, peer4.sin_addr, 0) == 0);
    SAY(send(s, "a", 1, 0));
    SAY(write(s, "a", 1));
    SAY(getsockname(s, (void *)&a, &len));
    say_addr("name", &a, len);
    SAY(getpeername(s, (void *)&a, &len));
    SAY(shutdown(s, SHUT_RD));
    SAY(shutdown(s, SHUT_WR));
    SAY(shutdown(s, 7));
    a = at(peer4.sin_addr, port_of(p));
    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    len = sizeof a;
    SAY(getsockname(s, (void *)&a, &len));
    say_addr("name", &a, len);
    SAY(recv(s, &a, 1, MSG_DONTWAIT));
    SAY(listen(s, 1));
    SAY(accept(s, NULL, NULL));
}

CASE(dgram_bad_addresses)
{
    const int s = udp_bound();
    struct sockaddr_in a = at(peer4.sin_addr, 0);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};

    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a.sin_port = htons(9);
    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a - 1));
    SAY(sendto(s, "a", 1, 0, (void *)&a, 0));
    SAY(sendto(s, "a", 1, 0, (void *)&a, 1));
    SAY(sendto(s, "a", 1, 0, (void *)&a, 1000));
    SAY(sendto(s, "a", 1, 0, (void *)&a, (socklen_t)-1));
    SAY(sendto(s, "a", 1, 0, NULL, sizeof a));
    SAY(sendto(s, "a", 1, 0, (void *)&a6, sizeof a6));
    a.sin_family = AF_UNSPEC;
    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a.sin_family = AF_UNIX;
    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(INADDR_BROADCAST)}, 9);
    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(ntohl(host4.sin_addr.s_addr) | 255)}, 9);
    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(0x08080808)}, 9);
    SAY(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
}

CASE(dgram_connected_sendto)
{
    struct ends e = udp_ends();
    const int q = peer_socket(AF_INET, SOCK_DGRAM);
    char b[8];
    struct sockaddr_in a;

    NEED(try_bind(q, peer4.sin_addr, 0) == 0);
    a = at(peer4.sin_addr, port_of(q));
    SAY(sendto(e.s, "a", 1, 0, (void *)&a, sizeof a));
    SAY(await(q, POLLIN));
    SAY(recv(q, b, 8, 0));
    /* not from whom it is connected to: not received */
    a = at(host4.sin_addr, port_of(e.s));
    SAY(sendto(q, "b", 1, 0, (void *)&a, sizeof a));
    feed(e, "cd");
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
}

CASE(dgram_reconnect)
{
    struct ends e = udp_ends();
    struct sockaddr un = {.sa_family = AF_UNSPEC};
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    SAY(try_connect(e.s, peer4.sin_addr, NOBODY));
    SAY(getpeername(e.s, (void *)&a, &len));
    say("port %d", ntohs(a.sin_port));
    SAY(connect(e.s, &un, sizeof un));
    SAY(getpeername(e.s, (void *)&a, &len));
    SAY(getsockname(e.s, (void *)&a, &len));
    say_addr("name", &a, len);
    SAY(send(e.s, "a", 1, 0));
    SAY(connect(e.s, &un, sizeof un));
    SAY(connect(e.s, &un, 2));
    SAY(connect(e.s, &un, 1));
    SAY(connect(e.s, &un, 0));
    SAY(try_connect(e.s, peer4.sin_addr, 0));
    const int n = socket(AF_INET, SOCK_DGRAM, 0);
    SAY(connect(n, &un, sizeof un));
    SAY(try_connect(n, peer4.sin_addr, NOBODY));
    must_be_carried(n);
    SAY(getsockname(n, (void *)&a, &len));
    say_addr("name", &a, len);
    SAY(connect(n, &un, sizeof un));
    SAY(getsockname(n, (void *)&a, &len));
    say_addr("name", &a, len);
}

CASE(dgram_refused)
{
    const int s = socket(AF_INET, SOCK_DGRAM, 0);
    char b[4];

    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    SAY(send(s, "a", 1, 0));
    SAY(await(s, POLLERR));
    SAY(recv(s, b, 4, 0));
    SAY(recv(s, b, 4, MSG_DONTWAIT));
    SAY(send(s, "a", 1, 0));
    SAY(await(s, POLLERR));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(await(s, POLLOUT));
    SAY(send(s, "a", 1, 0));
    await(s, POLLERR);
    SAY(send(s, "a", 1, 0)); /* tells of the error, and sends nothing */
    SAY(unready(s, POLLERR));
    SAY(write(s, "a", 1));
    await(s, POLLERR);
    SAY(getsockopt(s, SOL_SOCKET, SO_ERROR, b, &(socklen_t){4}));
}

CASE(dgram_shutdown)
{
    struct ends e = udp_ends();
    char b[8];

    count_signals(SIGPIPE);
    SAY(shutdown(e.s, SHUT_RD));
    SAY(await(e.s, POLLIN | POLLRDHUP | POLLOUT));
    SAY(recv(e.s, b, 8, 0));
    feed(e, "ab");
    SAY(recv(e.s, b, 8, 0));
    SAY(send(e.s, "a", 1, 0));
    SAY(shutdown(e.s, SHUT_WR));
    SAY(send(e.s, "a", 1, MSG_NOSIGNAL));
    SAY(send(e.s, "a", 1, 0));
    say("signals %d", (int)signals);
    SAY(await(e.s, POLLIN | POLLRDHUP | POLLOUT));
    SAY(shutdown(e.s, SHUT_RDWR));
}

CASE(dgram_many)
{
    struct ends e = udp_ends();
    char b[4][8] = {0};
    struct iovec v[4];
    struct mmsghdr m[4] = {0};
    struct timespec ts = {0, 50000000}, start;

    for (int i = 0; i < 4; i++) {
        v[i] = (struct iovec){b[i], (size_t)i + 1};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    }
    SAY(sendmmsg(e.s, m, 4, 0));
    say("%u %u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len, m[3].msg_len);
    m[2].msg_hdr.msg_iovlen = 9999;
    SAY(sendmmsg(e.s, m, 4, 0));
    m[0].msg_hdr.msg_iovlen = 9999;
    SAY(sendmmsg(e.s, m, 4, 0));
    m[0].msg_hdr.msg_iovlen = m[2].msg_hdr.msg_iovlen = 1;
    feed(e, "abc"), feed(e, "abc"), feed(e, "abc");
    settle(20);
    SAY(recvmmsg(e.s, m, 4, MSG_DONTWAIT, NULL));
    say("%u %u %u flags %x %x", m[0].msg_len, m[1].msg_len, m[2].msg_len, (unsigned)m[0].msg_hdr.msg_flags,
        (unsigned)m[2].msg_hdr.msg_flags);
    SAY(recvmmsg(e.s, m, 4, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 4, MSG_DONTWAIT, &ts));
    feed(e, "abc");
    SAY(recvmmsg(e.s, m, 4, MSG_WAITFORONE, NULL));
    feed(e, "abc");
    ts = (struct timespec){0, 0};
    clock_gettime(CLOCK_MONOTONIC, &start);
    SAY(recvmmsg(e.s, m, 4, 0, &ts));
    say("at once %d", ms_since(&start) < 500);
    ts = (struct timespec){-1, 0};
    SAY(recvmmsg(e.s, m, 4, MSG_DONTWAIT, &ts));
    ts = (struct timespec){0, 1000000000};
    SAY(recvmmsg(e.s, m, 4, MSG_DONTWAIT, &ts));
    SAY(recvmmsg(e.s, m, 0, MSG_DONTWAIT, NULL));
    SAY(sendmmsg(e.s, m, 0, 0));
    set_timeout(e.s, SO_RCVTIMEO, 50);
    SAY(recvmmsg(e.s, m, 4, 0, NULL));
}

CASE(dgram_timeout)
{
    struct ends e = udp_ends();
    char b[4];

    set_timeout(e.s, SO_RCVTIMEO, 50);
    SAY(recv(e.s, b, 4, 0));
    SAY(recv(e.s, b, 4, MSG_PEEK));
    SAY(recvfrom(e.s, b, 4, MSG_WAITALL, NULL, NULL));
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    SAY(recv(e.s, b, 4, 0));
    SAY(recv(e.s, b, 4, MSG_WAITALL));
}

CASE(dgram_ioctl)
{
    struct ends e = udp_ends();
    int n = -1;

    SAY(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    feed(e, "abc");
    SAY(send(e.p, "defg", 4, 0)); /* the first counts, alone */
    settle(10);
    SAY(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    SAY(ioctl(e.s, SIOCOUTQ, &n));
    say("%d", n);
    SAY(ioctl(e.s, SIOCATMARK, &n));
    SAY(ioctl(e.s, SIOCOUTQNSD, &n));
}

CASE(dgram_recverr)
{
    const int s = socket(AF_INET, SOCK_DGRAM, 0);
    char b[64] = {0}, control[256];
    struct sockaddr_in a;
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_name = &a,
                       .msg_namelen = sizeof a,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};

    SAY(set_int(s, IPPROTO_IP, IP_RECVERR, 1));
    SAY(get_int(s, IPPROTO_IP, IP_RECVERR));
    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    SAY(recvmsg(s, &m, MSG_ERRQUEUE));
    SAY(send(s, "abcdef", 6, 0));
    SAY(await(s, POLLERR));
    v.iov_len = 4;
    SAY(recvmsg(s, &m, MSG_ERRQUEUE));
    say("namelen %u flags %x controllen %zu", m.msg_namelen, (unsigned)m.msg_flags, m.msg_controllen);
    say_bytes("payload", b, 4);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c) {
        say("level %d type %d len %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        say_bytes("error", CMSG_DATA(c), 16);
    }
    SAY(recvmsg(s, &m, MSG_ERRQUEUE));
    SAY(recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
}
