/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams: flags of send and recv, pieces, ends. */
#include "diff.h"

CASE(stream_peek)
{
    struct ends e = tcp_ends();
    char b[16] = {0};

    feed(e, "abcdef");
    T(recv(e.s, b, 3, MSG_PEEK));
    T(recv(e.s, b + 3, 6, MSG_PEEK));
    say_bytes("peeked", b, sizeof b);
    T(recv(e.s, b, 4, 0));
    T(recv(e.s, b, 4, MSG_PEEK | MSG_DONTWAIT));
    T(recv(e.s, b, 4, 0));
    T(recv(e.s, b, 4, MSG_PEEK | MSG_DONTWAIT));
    T(recv(e.s, b, 4, MSG_DONTWAIT));
}

CASE(stream_trunc_discards)
{
    struct ends e = tcp_ends();
    char b[16] = "................";

    feed(e, "abcdef");
    T(recv(e.s, b, 4, MSG_TRUNC));
    say_bytes("untouched", b, 4);
    T(recv(e.s, b, 4, 0));
    say_bytes("rest", b, 2);
    feed(e, "ghijkl");
    T(recv(e.s, NULL, 3, MSG_TRUNC));
    T(recv(e.s, b, 4, MSG_TRUNC | MSG_PEEK));
    T(recv(e.s, b, 4, 0));
    say_bytes("rest", b, 3);
}

CASE(stream_waitall)
{
    struct ends e = tcp_ends();
    char b[16];

    feed(e, "abc");
    set_timeout(e.s, SO_RCVTIMEO, 50);
    T(recv(e.s, b, 8, MSG_WAITALL));
    T(recv(e.s, b, 8, MSG_WAITALL));
    feed(e, "abc");
    T(recv(e.s, b, 8, MSG_WAITALL | MSG_DONTWAIT));
    feed(e, "abc");
    shutdown(e.p, SHUT_WR);
    T(recv(e.s, b, 8, MSG_WAITALL));
    T(recv(e.s, b, 8, MSG_WAITALL));
}

CASE(stream_zero_lengths)
{
    struct ends e = tcp_ends();
    char b[4];

    T(send(e.s, b, 0, 0));
    T(send(e.s, NULL, 0, 0));
    T(write(e.s, b, 0));
    T(write(e.s, NULL, 0));
    T(recv(e.s, b, 0, MSG_DONTWAIT));
    T(read(e.s, b, 0));
    T(read(e.s, NULL, 0));
    T(recv(e.s, NULL, 0, MSG_DONTWAIT));
    feed(e, "x");
    T(recv(e.s, b, 0, 0));
    T(recv(e.s, b, 0, MSG_PEEK));
    T(recv(e.s, b, 4, 0));
    shutdown(e.s, SHUT_WR);
    signal(SIGPIPE, SIG_IGN);
    T(send(e.s, b, 0, 0));
    T(write(e.s, b, 0));
    shutdown(e.p, SHUT_WR);
    await(e.s, POLLIN);
    T(recv(e.s, b, 0, 0));
    T(recv(e.s, b, 4, 0));
}

CASE(stream_zero_blocks)
{
    struct ends e = tcp_ends();
    char b[4];

    set_timeout(e.s, SO_RCVTIMEO, 50);
    T(recv(e.s, b, 0, 0));
    T(read(e.s, b, 0));
    T(recv(e.s, b, 0, MSG_WAITALL));
}

CASE(stream_bad_flags)
{
    struct ends e = tcp_ends();
    char b[4];

    feed(e, "abc");
    T(recv(e.s, b, 1, MSG_ERRQUEUE));
    T(recv(e.s, b, 1, MSG_CMSG_CLOEXEC));
    T(recv(e.s, b, 1, MSG_MORE));
    T(recv(e.s, b, 1, MSG_NOSIGNAL | MSG_DONTROUTE | MSG_CONFIRM));
    T(recv(e.s, b, 1, MSG_OOB));
    T(send(e.s, "a", 1, MSG_DONTROUTE));
    T(send(e.s, "a", 1, MSG_CONFIRM));
    T(send(e.s, "a", 1, MSG_EOR));
    T(send(e.s, "a", 1, MSG_ZEROCOPY));
    T(send(e.s, "a", 1, MSG_PEEK | MSG_TRUNC | MSG_WAITALL));
    T(send(e.s, "a", 1, 0x800000));
}

CASE(stream_more)
{
    struct ends e = tcp_ends();
    char b[16];

    T(send(e.s, "ab", 2, MSG_MORE));
    T(send(e.s, "cd", 2, 0));
    await_bytes(e.p, 4);
    T(recv(e.p, b, 16, 0));
    T(send(e.s, "ef", 2, MSG_MORE));
    await_bytes(e.p, 2); /* after 200 ms */
    T(recv(e.p, b, 16, 0));
}

CASE(stream_addresses)
{
    struct ends e = tcp_ends();
    struct sockaddr_in a = at(peer_ip, 9);
    socklen_t len = sizeof a;
    char b[4];

    T(sendto(e.s, "a", 1, 0, (void *)&a, sizeof a));
    T(sendto(e.s, "a", 1, 0, (void *)&a, 3));
    T(sendto(e.s, "a", 1, 0, NULL, 77));
    feed(e, "ab");
    T(recvfrom(e.s, b, 1, 0, (void *)&a, &len));
    say("length %u port %d", len, a.sin_port == htons(9));
    len = 5;
    T(recvfrom(e.s, b, 1, 0, NULL, &len));
    say("length %u", len);
}

CASE(stream_recvmsg)
{
    struct ends e = tcp_ends();
    char b[16], control[64];
    struct sockaddr_in a;
    struct iovec iov[3] = {{b, 2}, {b + 8, 0}, {b + 2, 6}};
    struct msghdr m = {.msg_name = &a,
                       .msg_namelen = sizeof a,
                       .msg_iov = iov,
                       .msg_iovlen = 3,
                       .msg_control = control,
                       .msg_controllen = sizeof control,
                       .msg_flags = 77};

    feed(e, "abcdefghij");
    T(recvmsg(e.s, &m, 0));
    say("namelen %u controllen %zu flags %x", m.msg_namelen, m.msg_controllen, (unsigned)m.msg_flags);
    say_bytes("got", b, 8);
    m.msg_iovlen = 0;
    T(recvmsg(e.s, &m, MSG_DONTWAIT));
    m.msg_iovlen = 3;
    T(recvmsg(e.s, &m, MSG_TRUNC));
    say("flags %x", (unsigned)m.msg_flags);
    T(recvmsg(e.s, &m, MSG_DONTWAIT));
}

CASE(stream_pieces)
{
    struct ends e = tcp_ends();
    static struct iovec v[2000];
    char b[2000];

    for (int i = 0; i < 2000; i++)
        v[i] = (struct iovec){"x", 1};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 1024};
    T(writev(e.s, v, 1024));
    T(writev(e.s, v, 1025));
    T(writev(e.s, v, 0));
    T(writev(e.s, v, -1));
    T(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 1025;
    T(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 0;
    T(sendmsg(e.s, &m, 0));
    m.msg_iovlen = (size_t)-1;
    T(sendmsg(e.s, &m, 0));
    T(recvmsg(e.s, &m, MSG_DONTWAIT));
    T(readv(e.s, v, 1025));
    T(readv(e.s, v, -1));
    T(readv(e.s, v, 0));
    await_bytes(e.p, 2000);
    T(recv(e.p, b, 2000, MSG_WAITALL | MSG_PEEK));
}

CASE(stream_piece_lengths)
{
    struct ends e = tcp_ends();
    static char b[8]; /* not near the end of the address space */
    struct iovec v[2] = {{b, (size_t)-1}, {b, 1}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

    T(writev(e.s, v, 1));
    T(readv(e.s, v, 1));
    T(sendmsg(e.s, &m, 0));
    T(recvmsg(e.s, &m, MSG_DONTWAIT));
    v[0].iov_len = SSIZE_MAX;
    T(readv(e.s, v, 2));
    T(recv(e.s, b, (size_t)-1, MSG_DONTWAIT));
    T(recv(e.s, b, (size_t)-1 / 2, MSG_DONTWAIT));
    feed(e, "abcdefg");
    T(recv(e.s, b, (size_t)-1, MSG_DONTWAIT));
    feed(e, "abcdefg");
    T(read(e.s, b, (size_t)-1));
    T(read(e.s, b, SSIZE_MAX));
    v[0].iov_len = SSIZE_MAX;
    v[1].iov_len = 0;
    feed(e, "abcdefg");
    T(readv(e.s, v, 2));
}

CASE(stream_partial_write)
{
    struct ends e = tcp_ends();
    static char big[32 << 20];
    ssize_t r, sum = 0;

    set_int(e.p, SOL_SOCKET, SO_RCVBUF, 100000);
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    r = write(e.s, big, sizeof big);
    say("%s", r > 0 && r < (ssize_t)sizeof big ? "partial" : "whole or nothing");
    while (r > 0)
        sum += r, usleep(50000), r = write(e.s, big, sizeof big);
    say("%zd %s", r, strerrorname_np(errno));
    set_timeout(e.s, SO_SNDTIMEO, 100);
    fcntl(e.s, F_SETFL, 0);
    T(send(e.s, big, 4096, 0));
    while (recv(e.p, big, sizeof big, MSG_DONTWAIT) > 0)
        ;
    T(await(e.s, POLLOUT));
}

CASE(stream_peer_closed)
{
    struct ends e = tcp_ends();
    char b[8];

    count_signals(SIGPIPE);
    feed(e, "abc");
    close(e.p);
    T(await(e.s, POLLRDHUP));
    T(recv(e.s, b, 8, 0));
    T(recv(e.s, b, 8, 0));
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    T(send(e.s, "a", 1, 0));
    T(await(e.s, 0) & (POLLHUP | POLLERR));
    T(get_int(e.s, SOL_SOCKET, SO_ERROR));
    T(get_int(e.s, SOL_SOCKET, SO_ERROR));
    T(send(e.s, "a", 1, 0));
    say("signals %d", (int)signals);
    T(send(e.s, "a", 1, MSG_NOSIGNAL));
    T(write(e.s, "a", 1));
    say("signals %d", (int)signals);
    T(recv(e.s, b, 8, 0));
    T(shutdown(e.s, SHUT_WR));
    T(shutdown(e.s, SHUT_RDWR));
}

static void reset(struct ends e)
{
    const struct linger l = {1, 0};

    MUST(setsockopt(e.p, SOL_SOCKET, SO_LINGER, &l, sizeof l) == 0);
    close(e.p);
    await(e.s, POLLERR);
}

CASE(stream_reset_recv)
{
    struct ends e = tcp_ends();
    char b[8];

    feed(e, "abc");
    reset(e);
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    T(recv(e.s, b, 2, 0));
    T(recv(e.s, b, 8, 0));
    T(recv(e.s, b, 8, 0));
    T(get_int(e.s, SOL_SOCKET, SO_ERROR));
    T(send(e.s, b, 1, MSG_NOSIGNAL));
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
}

CASE(stream_reset_send)
{
    struct ends e = tcp_ends();
    char b[8];

    reset(e);
    count_signals(SIGPIPE);
    T(send(e.s, b, 1, 0));
    T(send(e.s, b, 1, 0));
    say("signals %d", (int)signals);
    T(recv(e.s, b, 8, 0));
}

CASE(stream_reset_so_error)
{
    struct ends e = tcp_ends();
    char b[8];
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    reset(e);
    T(get_int(e.s, SOL_SOCKET, SO_ERROR));
    T(get_int(e.s, SOL_SOCKET, SO_ERROR));
    T(recv(e.s, b, 8, 0));
    T(send(e.s, b, 1, MSG_NOSIGNAL));
    T(getpeername(e.s, (void *)&a, &len));
    len = sizeof a;
    T(getsockname(e.s, (void *)&a, &len));
    say("port %d", a.sin_port != 0);
    T(shutdown(e.s, SHUT_RDWR));
    T(get_int(e.s, IPPROTO_TCP, TCP_NODELAY));
    T(set_int(e.s, IPPROTO_TCP, TCP_NODELAY, 1));
}

CASE(stream_shutdown)
{
    struct ends e = tcp_ends();
    char b[8];

    T(shutdown(e.s, 3));
    T(shutdown(e.s, -1));
    T(shutdown(e.s, SHUT_WR));
    T(shutdown(e.s, SHUT_WR));
    T(send(e.s, "a", 1, MSG_NOSIGNAL));
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    feed(e, "abc");
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    T(recv(e.s, b, 8, 0));
    T(recv(e.p, b, 8, 0));
    T(shutdown(e.s, SHUT_RD));
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    T(recv(e.s, b, 8, 0));
    T(send(e.s, b, 1, MSG_NOSIGNAL));
}

CASE(stream_shutdown_rd)
{
    struct ends e = tcp_ends();
    char b[8];

    feed(e, "abc");
    T(shutdown(e.s, SHUT_RD));
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    T(recv(e.s, b, 2, 0));
    T(recv(e.s, b, 8, 0));
    T(recv(e.s, b, 8, 0));
    feed(e, "def");
    T(recv(e.s, b, 8, 0));
    T(recv(e.s, b, 8, MSG_DONTWAIT));
    T(send(e.s, "a", 1, 0));
}

CASE(stream_shutdown_both)
{
    struct ends e = tcp_ends();
    char b[8];
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    T(shutdown(e.s, SHUT_RDWR));
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    T(recv(e.s, b, 8, 0));
    T(send(e.s, b, 1, MSG_NOSIGNAL));
    T(getpeername(e.s, (void *)&a, &len));
    shutdown(e.p, SHUT_WR);
    usleep(50000);
    T(getpeername(e.s, (void *)&a, &len));
    T(shutdown(e.s, SHUT_RDWR));
    T(try_connect(e.s, peer_ip, 1));
}

CASE(stream_oob)
{
    struct ends e = tcp_ends();
    char b[8];
    int mark = -1;

    T(recv(e.s, b, 1, MSG_OOB));
    T(ioctl(e.s, SIOCATMARK, &mark));
    say("mark %d", mark);
    T(send(e.p, "abc", 3, MSG_OOB));
    T(await(e.s, POLLPRI));
    T(recv(e.s, b, 1, MSG_OOB | MSG_PEEK));
    T(recv(e.s, b, 5, MSG_OOB));
    say_bytes("urgent", b, 1);
    T(recv(e.s, b, 1, MSG_OOB));
    T(await(e.s, POLLPRI) & POLLPRI);
    T(recv(e.s, b, 8, 0));
    T(ioctl(e.s, SIOCATMARK, &mark));
    say("mark %d", mark);
    feed(e, "d");
    T(recv(e.s, b, 8, 0));
    T(ioctl(e.s, SIOCATMARK, &mark));
    say("mark %d", mark);
    T(send(e.s, "xyz", 3, MSG_OOB));
    T(await(e.p, POLLPRI));
    T(recv(e.p, b, 1, MSG_OOB));
    say_bytes("urgent", b, 1);
    T(send(e.s, "", 0, MSG_OOB));
}

CASE(stream_lowat)
{
    struct ends e = tcp_ends();
    char b[16];

    T(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, 4));
    T(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT));
    feed(e, "ab");
    T(await(e.s, POLLIN));
    set_timeout(e.s, SO_RCVTIMEO, 50);
    T(recv(e.s, b, 16, 0));
    T(recv(e.s, b, 16, 0));
    feed(e, "ab");
    T(recv(e.s, b, 16, MSG_DONTWAIT));
    feed(e, "abcd");
    T(await(e.s, POLLIN));
    T(recv(e.s, b, 2, 0));
    T(await(e.s, POLLIN));
    T(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, 0));
    T(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT));
    T(await(e.s, POLLIN));
    T(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, -1));
    T(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT) > 1000000);
    T(get_int(e.s, SOL_SOCKET, SO_SNDLOWAT));
    T(set_int(e.s, SOL_SOCKET, SO_SNDLOWAT, 4));
}

CASE(stream_timeouts)
{
    struct ends e = tcp_ends();
    struct timeval tv = {0, 50000};
    socklen_t len = sizeof tv;
    char b[4];

    T(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    T(getsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    say("%ld.%06ld %u", tv.tv_sec, tv.tv_usec, len);
    T(recv(e.s, b, 4, 0));
    T(read(e.s, b, 4));
    tv = (struct timeval){0, 1000000};
    T(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    tv = (struct timeval){-1, 0};
    T(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    T(recv(e.s, b, 4, 0));
    len = sizeof tv;
    T(getsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    say("%ld.%06ld", tv.tv_sec, tv.tv_usec);
    tv = (struct timeval){0, -1};
    T(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    tv = (struct timeval){0, 1};
    T(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    T(getsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
    say("%ld.%06ld", tv.tv_sec, tv.tv_usec);
    tv = (struct timeval){3, 14159};
    T(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    T(getsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
    say("%ld.%06ld", tv.tv_sec, tv.tv_usec);
    T(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, 8));
    len = 8;
    T(getsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
    say("%u", len);
}

CASE(stream_sendmmsg)
{
    struct ends e = tcp_ends();
    struct iovec v[3] = {{"abc", 3}, {"de", 2}, {"f", 1}};
    struct mmsghdr m[3] = {0};
    char b[16] = {0};

    for (int i = 0; i < 3; i++)
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    T(sendmmsg(e.s, m, 3, 0));
    say("%u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    T(sendmmsg(e.s, m, 0, 0));
    await_bytes(e.p, 6);
    T(recv(e.p, b, 16, 0));
    feed(e, "abcdefgh");
    v[0] = (struct iovec){b, 3};
    v[1] = (struct iovec){b + 3, 3};
    v[2] = (struct iovec){b + 6, 3};
    T(recvmmsg(e.s, m, 3, MSG_DONTWAIT, NULL));
    say("%u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    T(recvmmsg(e.s, m, 3, MSG_DONTWAIT, NULL));
}
