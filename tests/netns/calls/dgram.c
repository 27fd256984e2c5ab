/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams: flags, lengths, addresses, several at once. */
#include "diff.h"

#include <time.h>

CASE(dgram_peek_trunc)
{
    struct ends e = udp_ends();
    char b[16] = {0};

    feed(e, "abcdef");
    T(recv(e.s, b, 3, MSG_PEEK));
    T(recv(e.s, b, 3, MSG_PEEK | MSG_TRUNC));
    T(recv(e.s, NULL, 0, MSG_PEEK | MSG_TRUNC));
    T(recv(e.s, b, 3, 0));
    say_bytes("got", b, 6);
    T(recv(e.s, b, 3, MSG_DONTWAIT));
    feed(e, "abcdef");
    T(recv(e.s, b, 3, MSG_TRUNC));
    feed(e, "abcdef");
    T(recv(e.s, b, 0, 0));
    T(recv(e.s, b, 9, MSG_DONTWAIT));
    feed(e, "abcdef");
    T(read(e.s, b, 0));
    T(read(e.s, b, 9));
    feed(e, "abcdef");
    T(recv(e.s, b, 16, MSG_WAITALL));
}

CASE(dgram_recvmsg_trunc)
{
    struct ends e = udp_ends();
    char b[16];
    struct sockaddr_in a;
    struct iovec v = {b, 3};
    struct msghdr m = {.msg_name = &a, .msg_namelen = 5, .msg_iov = &v, .msg_iovlen = 1, .msg_flags = 77};

    feed(e, "abcdef");
    T(recvmsg(e.s, &m, MSG_PEEK));
    say("namelen %u flags %x", m.msg_namelen, (unsigned)m.msg_flags);
    m.msg_namelen = sizeof a;
    T(recvmsg(e.s, &m, MSG_TRUNC));
    say("flags %x", (unsigned)m.msg_flags);
    say_addr("from", &a, m.msg_namelen);
    m.msg_namelen = sizeof a + 9;
    v.iov_len = 16;
    feed(e, "abcdef");
    T(recvmsg(e.s, &m, 0));
    say("namelen %u flags %x", m.msg_namelen, (unsigned)m.msg_flags);
    m.msg_namelen = (socklen_t)-1;
    feed(e, "abcdef");
    T(recvmsg(e.s, &m, 0));
    say("namelen %d", (int)m.msg_namelen);
    m.msg_iovlen = 0;
    m.msg_namelen = 0;
    feed(e, "abcdef");
    usleep(20000);
    T(recvmsg(e.s, &m, MSG_DONTWAIT));
    say("namelen %u flags %x", m.msg_namelen, (unsigned)m.msg_flags);
    T(recvmsg(e.s, &m, MSG_DONTWAIT));
}

CASE(dgram_zero_lengths)
{
    struct ends e = udp_ends();
    char b[4];

    T(send(e.p, "", 0, 0));
    T(await(e.s, POLLIN));
    T(recv(e.s, b, 4, 0));
    T(send(e.s, b, 0, 0));
    T(await(e.p, POLLIN));
    T(recv(e.p, b, 4, MSG_DONTWAIT));
    T(write(e.s, b, 0));
    await(e.p, POLLIN);
    T(recv(e.p, b, 4, MSG_DONTWAIT));
    T(writev(e.s, NULL, 0));
    await(e.p, POLLIN);
    T(recv(e.p, b, 4, MSG_DONTWAIT));
    struct msghdr m = {0};
    T(sendmsg(e.s, &m, 0));
    await(e.p, POLLIN);
    T(recv(e.p, b, 4, MSG_DONTWAIT));
}

CASE(dgram_lengths)
{
    struct ends e = udp_ends();
    static char b[70000];

    T(send(e.s, b, 65507, 0));
    T(await(e.p, POLLIN));
    T(recv(e.p, b, sizeof b, 0));
    T(send(e.s, b, 65508, 0));
    T(send(e.s, b, 65536, 0));
    T(send(e.s, b, (size_t)-1, 0));
    T(send(e.s, b, SSIZE_MAX, 0));
    T(write(e.s, b, 70000));
    T(send(e.p, b, 65507, 0));
    T(await(e.s, POLLIN));
    T(recv(e.s, b, sizeof b, 0));
}

CASE(dgram_pieces)
{
    struct ends e = udp_ends();
    static struct iovec v[1100];
    char b[2000];

    for (int i = 0; i < 1100; i++)
        v[i] = (struct iovec){"x", 1};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 1024};
    T(writev(e.s, v, 1024));
    T(writev(e.s, v, 1025));
    T(writev(e.s, v, -1));
    T(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 1025;
    T(sendmsg(e.s, &m, 0));
    T(recvmsg(e.s, &m, MSG_DONTWAIT));
    v[0].iov_len = (size_t)-1;
    T(writev(e.s, v, 2));
    m.msg_iovlen = 2;
    T(sendmsg(e.s, &m, 0));
    T(recv(e.p, b, 2000, 0));
    T(recv(e.p, b, 2000, 0));
    T(recv(e.p, b, 2000, MSG_DONTWAIT));
}

CASE(dgram_flags)
{
    struct ends e = udp_ends();
    char b[8];

    T(send(e.s, "a", 1, MSG_OOB));
    T(recv(e.s, b, 1, MSG_OOB | MSG_DONTWAIT));
    feed(e, "a");
    T(recv(e.s, b, 1, MSG_OOB));
    T(recv(e.s, b, 1, MSG_ERRQUEUE));
    T(send(e.s, "a", 1, MSG_CONFIRM));
    T(send(e.s, "a", 1, MSG_DONTROUTE));
    T(send(e.s, "a", 1, MSG_EOR));
    T(send(e.s, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
    T(send(e.s, "a", 1, 0x10 /* MSG_PROBE */));
    T(send(e.s, "a", 1, MSG_FASTOPEN));
    T(send(e.s, "a", 1, MSG_ZEROCOPY));
    T(recv(e.s, b, 1, MSG_DONTWAIT));
    await(e.p, POLLIN);
    usleep(20000);
    for (int i = 0; i < 9; i++)
        T(recv(e.p, b, 8, i == 0 ? 0 : MSG_DONTWAIT));
}

CASE(dgram_more)
{
    struct ends e = udp_ends();
    char b[16];

    T(send(e.s, "ab", 2, MSG_MORE));
    T(recv(e.p, b, 16, MSG_DONTWAIT));
    T(send(e.s, "cd", 2, 0));
    T(await(e.p, POLLIN));
    T(recv(e.p, b, 16, 0));
    T(set_int(e.s, IPPROTO_UDP, UDP_CORK, 1));
    T(get_int(e.s, IPPROTO_UDP, UDP_CORK));
    T(send(e.s, "ef", 2, 0));
    T(send(e.s, "gh", 2, 0));
    T(recv(e.p, b, 16, MSG_DONTWAIT));
    T(set_int(e.s, IPPROTO_UDP, UDP_CORK, 0));
    T(await(e.p, POLLIN));
    T(recv(e.p, b, 16, 0));
}

CASE(dgram_unconnected)
{
    const int s = socket(AF_INET, SOCK_DGRAM, 0), p = peer_socket(AF_INET, SOCK_DGRAM);
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    MUST(try_bind(p, peer_ip, 0) == 0);
    T(send(s, "a", 1, 0));
    T(write(s, "a", 1));
    T(getsockname(s, (void *)&a, &len));
    say_addr("name", &a, len);
    T(getpeername(s, (void *)&a, &len));
    T(shutdown(s, SHUT_RD));
    T(shutdown(s, SHUT_WR));
    T(shutdown(s, 7));
    a = at(peer_ip, port_of(p));
    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    len = sizeof a;
    T(getsockname(s, (void *)&a, &len));
    say_addr("name", &a, len);
    T(recv(s, &a, 1, MSG_DONTWAIT));
    T(listen(s, 1));
    T(accept(s, NULL, NULL));
}

CASE(dgram_bad_addresses)
{
    const int s = udp_bound();
    struct sockaddr_in a = at(peer_ip, 0);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};

    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a.sin_port = htons(9);
    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a - 1));
    T(sendto(s, "a", 1, 0, (void *)&a, 0));
    T(sendto(s, "a", 1, 0, (void *)&a, 1));
    T(sendto(s, "a", 1, 0, (void *)&a, 1000));
    T(sendto(s, "a", 1, 0, (void *)&a, (socklen_t)-1));
    T(sendto(s, "a", 1, 0, NULL, sizeof a));
    T(sendto(s, "a", 1, 0, (void *)&a6, sizeof a6));
    a.sin_family = AF_UNSPEC;
    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a.sin_family = AF_UNIX;
    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(INADDR_BROADCAST)}, 9);
    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(ntohl(host_ip.s_addr) | 255)}, 9);
    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(0x08080808)}, 9);
    T(sendto(s, "a", 1, 0, (void *)&a, sizeof a));
}

CASE(dgram_connected_sendto)
{
    struct ends e = udp_ends();
    const int q = peer_socket(AF_INET, SOCK_DGRAM);
    char b[8];
    struct sockaddr_in a;

    MUST(try_bind(q, peer_ip, 0) == 0);
    a = at(peer_ip, port_of(q));
    T(sendto(e.s, "a", 1, 0, (void *)&a, sizeof a));
    T(await(q, POLLIN));
    T(recv(q, b, 8, 0));
    /* not from whom it is connected to: not received */
    a = at(host_ip, port_of(e.s));
    T(sendto(q, "b", 1, 0, (void *)&a, sizeof a));
    feed(e, "cd");
    T(recv(e.s, b, 8, MSG_DONTWAIT));
    T(recv(e.s, b, 8, MSG_DONTWAIT));
}

CASE(dgram_reconnect)
{
    struct ends e = udp_ends();
    struct sockaddr un = {.sa_family = AF_UNSPEC};
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    T(try_connect(e.s, peer_ip, 9));
    T(getpeername(e.s, (void *)&a, &len));
    say("port %d", ntohs(a.sin_port));
    T(connect(e.s, &un, sizeof un));
    T(getpeername(e.s, (void *)&a, &len));
    T(getsockname(e.s, (void *)&a, &len));
    say_addr("name", &a, len);
    T(send(e.s, "a", 1, 0));
    T(connect(e.s, &un, sizeof un));
    T(connect(e.s, &un, 2));
    T(connect(e.s, &un, 1));
    T(connect(e.s, &un, 0));
    T(try_connect(e.s, peer_ip, 0));
    const int n = socket(AF_INET, SOCK_DGRAM, 0);
    T(connect(n, &un, sizeof un));
    T(try_connect(n, peer_ip, 9));
    must_be_carried(n);
    T(getsockname(n, (void *)&a, &len));
    say_addr("name", &a, len);
    T(connect(n, &un, sizeof un));
    T(getsockname(n, (void *)&a, &len));
    say_addr("name", &a, len);
}

CASE(dgram_refused)
{
    const int s = socket(AF_INET, SOCK_DGRAM, 0);
    char b[4];

    T(try_connect(s, peer_ip, 9));
    T(send(s, "a", 1, 0));
    T(await(s, POLLERR));
    T(recv(s, b, 4, 0));
    T(recv(s, b, 4, MSG_DONTWAIT));
    T(send(s, "a", 1, 0));
    T(await(s, POLLERR));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(await(s, POLLOUT));
    T(send(s, "a", 1, 0));
    await(s, POLLERR);
    T(send(s, "a", 1, 0));
    T(await(s, POLLERR));
    T(write(s, "a", 1));
    await(s, POLLERR);
    T(getsockopt(s, SOL_SOCKET, SO_ERROR, b, &(socklen_t){4}));
}

CASE(dgram_shutdown)
{
    struct ends e = udp_ends();
    char b[8];

    count_signals(SIGPIPE);
    T(shutdown(e.s, SHUT_RD));
    T(await(e.s, POLLIN | POLLRDHUP | POLLOUT));
    T(recv(e.s, b, 8, 0));
    feed(e, "ab");
    T(recv(e.s, b, 8, 0));
    T(send(e.s, "a", 1, 0));
    T(shutdown(e.s, SHUT_WR));
    T(send(e.s, "a", 1, MSG_NOSIGNAL));
    T(send(e.s, "a", 1, 0));
    say("signals %d", (int)signals);
    T(await(e.s, POLLIN | POLLRDHUP | POLLOUT));
    T(shutdown(e.s, SHUT_RDWR));
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
    T(sendmmsg(e.s, m, 4, 0));
    say("%u %u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len, m[3].msg_len);
    m[2].msg_hdr.msg_iovlen = 9999;
    T(sendmmsg(e.s, m, 4, 0));
    m[0].msg_hdr.msg_iovlen = 9999;
    T(sendmmsg(e.s, m, 4, 0));
    m[0].msg_hdr.msg_iovlen = m[2].msg_hdr.msg_iovlen = 1;
    feed(e, "abc"), feed(e, "abc"), feed(e, "abc");
    usleep(20000);
    T(recvmmsg(e.s, m, 4, MSG_DONTWAIT, NULL));
    say("%u %u %u flags %x %x", m[0].msg_len, m[1].msg_len, m[2].msg_len, (unsigned)m[0].msg_hdr.msg_flags,
        (unsigned)m[2].msg_hdr.msg_flags);
    T(recvmmsg(e.s, m, 4, MSG_DONTWAIT, NULL));
    T(recvmmsg(e.s, m, 4, MSG_DONTWAIT, &ts));
    feed(e, "abc");
    T(recvmmsg(e.s, m, 4, MSG_WAITFORONE, NULL));
    feed(e, "abc");
    ts = (struct timespec){0, 0};
    clock_gettime(CLOCK_MONOTONIC, &start);
    T(recvmmsg(e.s, m, 4, 0, &ts));
    say("at once %d", ms_since(&start) < 500);
    ts = (struct timespec){-1, 0};
    T(recvmmsg(e.s, m, 4, MSG_DONTWAIT, &ts));
    ts = (struct timespec){0, 1000000000};
    T(recvmmsg(e.s, m, 4, MSG_DONTWAIT, &ts));
    T(recvmmsg(e.s, m, 0, MSG_DONTWAIT, NULL));
    T(sendmmsg(e.s, m, 0, 0));
    set_timeout(e.s, SO_RCVTIMEO, 50);
    T(recvmmsg(e.s, m, 4, 0, NULL));
}

CASE(dgram_timeout)
{
    struct ends e = udp_ends();
    char b[4];

    set_timeout(e.s, SO_RCVTIMEO, 50);
    T(recv(e.s, b, 4, 0));
    T(recv(e.s, b, 4, MSG_PEEK));
    T(recvfrom(e.s, b, 4, MSG_WAITALL, NULL, NULL));
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    T(recv(e.s, b, 4, 0));
    T(recv(e.s, b, 4, MSG_WAITALL));
}

CASE(dgram_ioctl)
{
    struct ends e = udp_ends();
    int n = -1;

    T(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    feed(e, "abc");
    feed(e, "defg");
    usleep(10000);
    T(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    T(ioctl(e.s, SIOCOUTQ, &n));
    say("%d", n);
    T(ioctl(e.s, SIOCATMARK, &n));
    T(ioctl(e.s, SIOCOUTQNSD, &n));
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

    T(set_int(s, IPPROTO_IP, IP_RECVERR, 1));
    T(get_int(s, IPPROTO_IP, IP_RECVERR));
    T(try_connect(s, peer_ip, 9));
    T(recvmsg(s, &m, MSG_ERRQUEUE));
    T(send(s, "abcdef", 6, 0));
    T(await(s, POLLERR));
    v.iov_len = 4;
    T(recvmsg(s, &m, MSG_ERRQUEUE));
    say("namelen %u flags %x controllen %zu", m.msg_namelen, (unsigned)m.msg_flags, m.msg_controllen);
    say_bytes("payload", b, 4);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c) {
        say("level %d type %d len %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        say_bytes("error", CMSG_DATA(c), 16);
    }
    T(recvmsg(s, &m, MSG_ERRQUEUE));
    T(recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
}
