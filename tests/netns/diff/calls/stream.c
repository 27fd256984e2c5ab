/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams: flags of send and recv, pieces, ends. */
#include "diff.h"

CASE(stream_peek)
{
    struct ends e = tcp_ends();
    char b[16] = {0};

    feed(e, "abcdef");
    SAY(recv(e.s, b, 3, MSG_PEEK));
    SAY(recv(e.s, b + 3, 6, MSG_PEEK));
    say_bytes("peeked", b, sizeof b);
    SAY(recv(e.s, b, 4, 0));
    SAY(recv(e.s, b, 4, MSG_PEEK | MSG_DONTWAIT));
    SAY(recv(e.s, b, 4, 0));
    SAY(recv(e.s, b, 4, MSG_PEEK | MSG_DONTWAIT));
    SAY(recv(e.s, b, 4, MSG_DONTWAIT));
}

CASE(stream_trunc_discards)
{
    struct ends e = tcp_ends();
    char b[16] = "................";

    feed(e, "abcdef");
    SAY(recv(e.s, b, 4, MSG_TRUNC));
    say_bytes("untouched", b, 4);
    SAY(recv(e.s, b, 4, 0));
    say_bytes("rest", b, 2);
    feed(e, "ghijkl");
    SAY(recv(e.s, NULL, 3, MSG_TRUNC));
    SAY(recv(e.s, b, 4, MSG_TRUNC | MSG_PEEK));
    SAY(recv(e.s, b, 4, 0));
    say_bytes("rest", b, 3);
}

CASE(stream_waitall)
{
    struct ends e = tcp_ends();
    char b[16];

    feed(e, "abc");
    set_timeout(e.s, SO_RCVTIMEO, 50);
    SAY(recv(e.s, b, 8, MSG_WAITALL));
    SAY(recv(e.s, b, 8, MSG_WAITALL));
    feed(e, "abc");
    SAY(recv(e.s, b, 8, MSG_WAITALL | MSG_DONTWAIT));
    feed(e, "abc");
    shutdown(e.p, SHUT_WR);
    SAY(recv(e.s, b, 8, MSG_WAITALL));
    SAY(recv(e.s, b, 8, MSG_WAITALL));
}

CASE(stream_zero_lengths)
{
    struct ends e = tcp_ends();
    char b[4];

    SAY(send(e.s, b, 0, 0));
    SAY(send(e.s, NULL, 0, 0));
    SAY(write(e.s, b, 0));
    SAY(write(e.s, NULL, 0));
    SAY(recv(e.s, b, 0, MSG_DONTWAIT));
    SAY(read(e.s, b, 0));
    SAY(read(e.s, NULL, 0));
    SAY(recv(e.s, NULL, 0, MSG_DONTWAIT));
    feed(e, "x");
    SAY(recv(e.s, b, 0, 0));
    SAY(recv(e.s, b, 0, MSG_PEEK));
    SAY(recv(e.s, b, 4, 0));
    shutdown(e.s, SHUT_WR);
    signal(SIGPIPE, SIG_IGN);
    SAY(send(e.s, b, 0, 0));
    SAY(write(e.s, b, 0));
    shutdown(e.p, SHUT_WR);
    await(e.s, POLLIN);
    SAY(recv(e.s, b, 0, 0));
    SAY(recv(e.s, b, 4, 0));
}

CASE(stream_zero_blocks)
{
    struct ends e = tcp_ends();
    char b[4];

    set_timeout(e.s, SO_RCVTIMEO, 50);
    SAY(recv(e.s, b, 0, 0));
    SAY(read(e.s, b, 0));
    SAY(recv(e.s, b, 0, MSG_WAITALL));
}

CASE(stream_bad_flags)
{
    struct ends e = tcp_ends();
    char b[4];

    feed(e, "abc");
    SAY(recv(e.s, b, 1, MSG_ERRQUEUE));
    SAY(recv(e.s, b, 1, MSG_CMSG_CLOEXEC));
    SAY(recv(e.s, b, 1, MSG_MORE));
    SAY(recv(e.s, b, 1, MSG_NOSIGNAL | MSG_DONTROUTE | MSG_CONFIRM));
    SAY(recv(e.s, b, 1, MSG_OOB));
    SAY(send(e.s, "a", 1, MSG_DONTROUTE));
    SAY(send(e.s, "a", 1, MSG_CONFIRM));
    SAY(send(e.s, "a", 1, MSG_EOR));
    SAY(send(e.s, "a", 1, MSG_ZEROCOPY));
    SAY(send(e.s, "a", 1, MSG_PEEK | MSG_TRUNC | MSG_WAITALL));
    SAY(send(e.s, "a", 1, 0x800000));
}

CASE(stream_more)
{
    struct ends e = tcp_ends();
    char b[16];

    SAY(send(e.s, "ab", 2, MSG_MORE));
    SAY(send(e.s, "cd", 2, 0));
    await_bytes(e.p, 4);
    SAY(recv(e.p, b, 16, 0));
    SAY(send(e.s, "ef", 2, MSG_MORE));
    await_bytes(e.p, 2); /* after 200 ms */
    SAY(recv(e.p, b, 16, 0));
}

CASE(stream_addresses)
{
    struct ends e = tcp_ends();
    struct sockaddr_in a = at(peer4.sin_addr, NOBODY);
    socklen_t len = sizeof a;
    char b[4];

    SAY(sendto(e.s, "a", 1, 0, (void *)&a, sizeof a));
    SAY(sendto(e.s, "a", 1, 0, (void *)&a, 3));
    SAY(sendto(e.s, "a", 1, 0, NULL, 77));
    feed(e, "ab");
    SAY(recvfrom(e.s, b, 1, 0, (void *)&a, &len));
    say("length %u port %d", len, a.sin_port == htons(9));
    len = 5;
    SAY(recvfrom(e.s, b, 1, 0, NULL, &len));
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
    SAY(recvmsg(e.s, &m, 0));
    say("namelen %u controllen %zu flags %x", m.msg_namelen, m.msg_controllen, (unsigned)m.msg_flags);
    say_bytes("got", b, 8);
    m.msg_iovlen = 0;
    SAY(recvmsg(e.s, &m, MSG_DONTWAIT));
    m.msg_iovlen = 3;
    SAY(recvmsg(e.s, &m, MSG_TRUNC));
    say("flags %x", (unsigned)m.msg_flags);
    SAY(recvmsg(e.s, &m, MSG_DONTWAIT));
}

CASE(stream_pieces)
{
    struct ends e = tcp_ends();
    static struct iovec v[2000];
    char b[2000];

    for (int i = 0; i < 2000; i++)
        v[i] = (struct iovec){"x", 1};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 1024};
    SAY(writev(e.s, v, 1024));
    SAY(writev(e.s, v, 1025));
    SAY(writev(e.s, v, 0));
    SAY(writev(e.s, v, -1));
    SAY(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 1025;
    SAY(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 0;
    SAY(sendmsg(e.s, &m, 0));
    m.msg_iovlen = (size_t)-1;
    SAY(sendmsg(e.s, &m, 0));
    SAY(recvmsg(e.s, &m, MSG_DONTWAIT));
    SAY(readv(e.s, v, 1025));
    SAY(readv(e.s, v, -1));
    SAY(readv(e.s, v, 0));
    await_bytes(e.p, 2000);
    SAY(recv(e.p, b, 2000, MSG_WAITALL | MSG_PEEK));
}

CASE(stream_piece_lengths)
{
    struct ends e = tcp_ends();
    static char b[8]; /* not near the end of the address space */
    struct iovec v[2] = {{b, (size_t)-1}, {b, 1}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

    SAY(writev(e.s, v, 1));
    SAY(readv(e.s, v, 1));
    SAY(sendmsg(e.s, &m, 0));
    SAY(recvmsg(e.s, &m, MSG_DONTWAIT));
    v[0].iov_len = SSIZE_MAX;
    SAY(readv(e.s, v, 2));
    SAY(recv(e.s, b, (size_t)-1, MSG_DONTWAIT));
    SAY(recv(e.s, b, (size_t)-1 / 2, MSG_DONTWAIT));
    feed(e, "abcdefg");
    SAY(recv(e.s, b, (size_t)-1, MSG_DONTWAIT));
    feed(e, "abcdefg");
    SAY(read(e.s, b, (size_t)-1));
    SAY(read(e.s, b, SSIZE_MAX));
    v[0].iov_len = SSIZE_MAX;
    v[1].iov_len = 0;
    feed(e, "abcdefg");
    SAY(readv(e.s, v, 2));
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
    SAY(send(e.s, big, 4096, 0));
    while (recv(e.p, big, sizeof big, MSG_DONTWAIT) > 0)
        ;
    SAY(await(e.s, POLLOUT));
}

CASE(stream_peer_closed)
{
    struct ends e = tcp_ends();
    char b[8];

    count_signals(SIGPIPE);
    feed(e, "abc");
    close(e.p);
    SAY(await(e.s, POLLRDHUP));
    SAY(recv(e.s, b, 8, 0));
    SAY(recv(e.s, b, 8, 0));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(send(e.s, "a", 1, 0));
    SAY(await(e.s, 0) & (POLLHUP | POLLERR));
    SAY(get_int(e.s, SOL_SOCKET, SO_ERROR));
    SAY(get_int(e.s, SOL_SOCKET, SO_ERROR));
    SAY(send(e.s, "a", 1, 0));
    say("signals %d", (int)signals);
    SAY(send(e.s, "a", 1, MSG_NOSIGNAL));
    SAY(write(e.s, "a", 1));
    say("signals %d", (int)signals);
    SAY(recv(e.s, b, 8, 0));
    SAY(shutdown(e.s, SHUT_WR));
    SAY(shutdown(e.s, SHUT_RDWR));
}

static void reset(struct ends e)
{
    const struct linger l = {1, 0};

    NEED(setsockopt(e.p, SOL_SOCKET, SO_LINGER, &l, sizeof l) == 0);
    close(e.p);
    await(e.s, POLLERR);
}

CASE(stream_reset_recv)
{
    struct ends e = tcp_ends();
    char b[8];

    feed(e, "abc");
    reset(e);
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(recv(e.s, b, 2, 0));
    SAY(recv(e.s, b, 8, 0));
    SAY(recv(e.s, b, 8, 0));
    SAY(get_int(e.s, SOL_SOCKET, SO_ERROR));
    SAY(send(e.s, b, 1, MSG_NOSIGNAL));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
}

CASE(stream_reset_send)
{
    struct ends e = tcp_ends();
    char b[8];

    reset(e);
    count_signals(SIGPIPE);
    SAY(send(e.s, b, 1, 0));
    SAY(send(e.s, b, 1, 0));
    say("signals %d", (int)signals);
    SAY(recv(e.s, b, 8, 0));
}

CASE(stream_reset_so_error)
{
    struct ends e = tcp_ends();
    char b[8];
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    reset(e);
    SAY(get_int(e.s, SOL_SOCKET, SO_ERROR));
    SAY(get_int(e.s, SOL_SOCKET, SO_ERROR));
    SAY(recv(e.s, b, 8, 0));
    SAY(send(e.s, b, 1, MSG_NOSIGNAL));
    SAY(getpeername(e.s, (void *)&a, &len));
    len = sizeof a;
    SAY(getsockname(e.s, (void *)&a, &len));
    say("port %d", a.sin_port != 0);
    SAY(shutdown(e.s, SHUT_RDWR));
    SAY(get_int(e.s, IPPROTO_TCP, TCP_NODELAY));
    SAY(set_int(e.s, IPPROTO_TCP, TCP_NODELAY, 1));
}

CASE(stream_shutdown)
{
    struct ends e = tcp_ends();
    char b[8];

    SAY(shutdown(e.s, 3));
    SAY(shutdown(e.s, -1));
    SAY(shutdown(e.s, SHUT_WR));
    SAY(shutdown(e.s, SHUT_WR));
    SAY(send(e.s, "a", 1, MSG_NOSIGNAL));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    feed(e, "abc");
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(recv(e.s, b, 8, 0));
    SAY(recv(e.p, b, 8, 0));
    SAY(shutdown(e.s, SHUT_RD));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(recv(e.s, b, 8, 0));
    SAY(send(e.s, b, 1, MSG_NOSIGNAL));
}

CASE(stream_shutdown_rd)
{
    struct ends e = tcp_ends();
    char b[8];

    feed(e, "abc");
    SAY(shutdown(e.s, SHUT_RD));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(recv(e.s, b, 2, 0));
    SAY(recv(e.s, b, 8, 0));
    SAY(recv(e.s, b, 8, 0));
    feed(e, "def");
    SAY(recv(e.s, b, 8, 0));
    SAY(recv(e.s, b, 8, MSG_DONTWAIT));
    SAY(send(e.s, "a", 1, 0));
}

CASE(stream_shutdown_both)
{
    struct ends e = tcp_ends();
    char b[8];
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    SAY(shutdown(e.s, SHUT_RDWR));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(recv(e.s, b, 8, 0));
    SAY(send(e.s, b, 1, MSG_NOSIGNAL));
    SAY(getpeername(e.s, (void *)&a, &len));
    shutdown(e.p, SHUT_WR);
    settle(50);
    SAY(getpeername(e.s, (void *)&a, &len));
    SAY(shutdown(e.s, SHUT_RDWR));
    SAY(try_connect(e.s, peer4.sin_addr, 1));
}

CASE(stream_oob)
{
    struct ends e = tcp_ends();
    char b[8];
    int mark = -1;

    SAY(recv(e.s, b, 1, MSG_OOB));
    SAY(ioctl(e.s, SIOCATMARK, &mark));
    say("mark %d", mark);
    SAY(send(e.p, "abc", 3, MSG_OOB));
    SAY(await(e.s, POLLPRI));
    SAY(recv(e.s, b, 1, MSG_OOB | MSG_PEEK));
    SAY(recv(e.s, b, 5, MSG_OOB));
    say_bytes("urgent", b, 1);
    SAY(recv(e.s, b, 1, MSG_OOB));
    SAY(unready(e.s, POLLPRI) & POLLPRI);
    SAY(recv(e.s, b, 8, 0));
    SAY(ioctl(e.s, SIOCATMARK, &mark));
    say("mark %d", mark);
    SAY(send(e.p, "d", 1, 0));
    SAY(recv(e.s, b, 8, 0));
    SAY(ioctl(e.s, SIOCATMARK, &mark));
    say("mark %d", mark);
    SAY(send(e.s, "xyz", 3, MSG_OOB));
    SAY(await(e.p, POLLPRI));
    SAY(recv(e.p, b, 1, MSG_OOB));
    say_bytes("urgent", b, 1);
    SAY(send(e.s, "", 0, MSG_OOB));
}

/* Sends bytes, then an urgent one, and takes note of what a reader of the stream gets until nothing is left. */
static void replace_urgent(struct ends e, const char *before, const char *urgent, bool read_now)
{
    char b[32];
    ssize_t n;

    if (*before) {
        send(e.p, before, strlen(before), 0);
        SAY(await(e.s, POLLIN));
    }
    send(e.p, urgent, 1, MSG_OOB);
    SAY(await(e.s, POLLPRI));
    settle(50);
    while (read_now && (n = recv(e.s, b, sizeof b, MSG_DONTWAIT)) > 0)
        say_bytes("read", b, (size_t)n);
}

CASE(stream_oob_replaced)
{
    struct ends e = tcp_ends();

    replace_urgent(e, "", "1", false);
    replace_urgent(e, "ab", "2", true); /* 1 was where reading had come to */
    replace_urgent(e, "", "3", false);
    replace_urgent(e, "", "4", false);
    replace_urgent(e, "cd", "5", true);
    replace_urgent(e, "ef", "6", false); /* 6 stands behind what nobody read */
    replace_urgent(e, "gh", "7", true);
    replace_urgent(e, "", "8", true);
    SAY(set_int(e.s, SOL_SOCKET, SO_OOBINLINE, 1));
    replace_urgent(e, "ij", "9", true);
}

CASE(stream_lowat)
{
    struct ends e = tcp_ends();
    char b[16];

    SAY(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, 4));
    SAY(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT));
    feed(e, "ab");
    SAY(unready(e.s, POLLIN));
    set_timeout(e.s, SO_RCVTIMEO, 50);
    SAY(recv(e.s, b, 16, 0));
    SAY(recv(e.s, b, 16, 0));
    feed(e, "ab");
    SAY(recv(e.s, b, 16, MSG_DONTWAIT));
    feed(e, "abcd");
    SAY(await(e.s, POLLIN));
    SAY(recv(e.s, b, 2, 0));
    SAY(unready(e.s, POLLIN));
    SAY(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, 0));
    SAY(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT));
    SAY(await(e.s, POLLIN));
    SAY(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, -1));
    SAY(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT) > 1000000);
    SAY(get_int(e.s, SOL_SOCKET, SO_SNDLOWAT));
    SAY(set_int(e.s, SOL_SOCKET, SO_SNDLOWAT, 4));
}

CASE(stream_timeouts)
{
    struct ends e = tcp_ends();
    struct timeval tv = {0, 50000};
    socklen_t len = sizeof tv;
    char b[4];

    SAY(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    say("%ld.%06ld %u", tv.tv_sec, tv.tv_usec, len);
    SAY(recv(e.s, b, 4, 0));
    SAY(read(e.s, b, 4));
    tv = (struct timeval){0, 1000000};
    SAY(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    tv = (struct timeval){-1, 0};
    SAY(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    SAY(recv(e.s, b, 4, 0));
    len = sizeof tv;
    SAY(getsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    say("%ld.%06ld", tv.tv_sec, tv.tv_usec);
    tv = (struct timeval){0, -1};
    SAY(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    tv = (struct timeval){0, 1};
    SAY(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
    say("%ld.%06ld", tv.tv_sec, tv.tv_usec);
    tv = (struct timeval){3, 14159};
    SAY(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
    say("%ld.%06ld", tv.tv_sec, tv.tv_usec);
    SAY(setsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, 8));
    len = 8;
    SAY(getsockopt(e.s, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
    say("%u", len);
}

/* The end has no stamp; TCP_INQ tells of it all the same. */
CASE(stream_stamp_of_the_end)
{
    struct ends e = tcp_ends();
    char control[128], b[8];
    struct iovec v = {b, 8};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    SAY(set_int(e.s, SOL_SOCKET, SO_TIMESTAMPNS, 1));
    SAY(set_int(e.s, IPPROTO_TCP, TCP_INQ, 1));
    shutdown(e.p, SHUT_WR);
    await(e.s, POLLRDHUP);
    SAY(recvmsg(e.s, &m, 0));
    say("controllen %zu flags %x", (size_t)m.msg_controllen, (unsigned)m.msg_flags);
}

/* An error that waits comes before messages; one behind messages is the next call's. */
CASE(stream_recvmmsg_error)
{
    struct ends e = tcp_ends();
    char b[2][8];
    struct iovec v[2] = {{b[0], 8}, {b[1], 8}};
    struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = &v[0], .msg_iovlen = 1}},
                           {.msg_hdr = {.msg_iov = &v[1], .msg_iovlen = 1}}};

    feed(e, "first");
    reset_at_close(e.p);
    close(e.p);
    await(e.s, POLLHUP);
    SAY(recvmmsg(e.s, m, 2, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 2, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 2, MSG_DONTWAIT, NULL));
    e = udp_ends();
    feed(e, "first");
    close(e.p);
    SAY(send(e.s, "x", 1, 0));
    await(e.s, POLLERR);
    SAY(recvmmsg(e.s, m, 2, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 2, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(e.s, m, 2, MSG_DONTWAIT, NULL));
}

CASE(stream_sendmmsg)
{
    struct ends e = tcp_ends();
    struct iovec v[3] = {{"abc", 3}, {"de", 2}, {"f", 1}};
    struct mmsghdr m[3] = {0};
    char b[16] = {0};

    for (int i = 0; i < 3; i++)
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    SAY(sendmmsg(e.s, m, 3, 0));
    say("%u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    SAY(sendmmsg(e.s, m, 0, 0));
    await_bytes(e.p, 6);
    SAY(recv(e.p, b, 16, 0));
    feed(e, "abcdefgh");
    v[0] = (struct iovec){b, 3};
    v[1] = (struct iovec){b + 3, 3};
    v[2] = (struct iovec){b + 6, 3};
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, NULL));
    say("%u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    SAY(recvmmsg(e.s, m, 3, MSG_DONTWAIT, NULL));
}
