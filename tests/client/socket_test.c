/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets of one program: making, connecting, moving bytes, ending. */
#include "client_test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

CLIENT_TEST(makes_a_socket)
{
    int fd = __jr_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    JR_REQUIRE(fd >= 0);
    JR_CHECK(__jr_is_ours(fd));
    JR_CHECK_EQ(jr_ent_kind(__jr_fd_entry(fd)), JR_FD_SOCKET);
    JR_CHECK_EQ(__jr_fcntl(fd, F_GETFD, NULL), FD_CLOEXEC);
    JR_CHECK_EQ(__jr_fcntl(fd, F_GETFL, NULL), O_RDWR);
    int v = 0;
    socklen_t n = sizeof v;
    JR_CHECK_EQ(__jr_getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n), 0);
    JR_CHECK_EQ(v, SOCK_STREAM);
    int low = dup(0);
    int fd2 = __jr_socket(AF_INET6, SOCK_DGRAM, 0);
    JR_CHECK_EQ(fd2, low + 1); /* the lowest free number, as the kernel's */
    close(low);
    JR_CHECK_EQ(__jr_close(fd), 0);
    JR_CHECK(!__jr_is_ours(fd));
    JR_CHECK_EQ(__jr_close(fd2), 0);
    WAIT_FOR(fake_closes() == 2);
}

CLIENT_TEST(other_domains_are_the_kernels)
{
    int fd = __jr_socket(AF_UNIX, SOCK_STREAM, 0);
    JR_CHECK(fd >= 0 && !__jr_is_ours(fd));
    close(fd);
    fd = __jr_socket(AF_INET, SOCK_RAW, 1);
    JR_CHECK(fd < 0 || !__jr_is_ours(fd));
    JR_CHECK_EQ(__jr_socket(AF_INET, SOCK_STREAM, 17), -1);
    JR_CHECK_EQ(errno, EPROTONOSUPPORT);
}

CLIENT_TEST(reuses_what_it_closed)
{
    for (int i = 0; i < 2000; i++) {
        int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
        if (!JR_CHECK(fd >= 0 && __jr_is_ours(fd)))
            return;
        __jr_close(fd);
    }
}

CLIENT_TEST(takes_segments_as_needed)
{
    static int fd[700];
    for (int i = 0; i < 700; i++) {
        fd[i] = __jr_socket(AF_INET, SOCK_STREAM, 0);
        if (!JR_CHECK(fd[i] >= 0 && __jr_is_ours(fd[i])))
            return;
    }
    JR_CHECK_EQ(__jr.nsegs, 3);
    for (int i = 0; i < 700; i++)
        __jr_close(fd[i]);
}

static void exchange(int a, int b)
{
    char buf[64] = "";
    JR_CHECK_EQ(__jr_send(a, "hello", 5, 0), 5);
    JR_CHECK_EQ(__jr_recv(b, buf, sizeof buf, 0), 5);
    JR_CHECK_MEM(buf, "hello", 5);
}

static void round_trip(void)
{
    int fd[3];
    JR_REQUIRE(connected(fd));
    exchange(fd[0], fd[1]);
    exchange(fd[1], fd[0]);
    struct sockaddr_in a, b;
    socklen_t n = sizeof a, m = sizeof b;
    JR_CHECK_EQ(__jr_getpeername(fd[0], (struct sockaddr *)&a, &n), 0);
    JR_CHECK_EQ(ntohs(a.sin_port), 7);
    JR_CHECK_EQ(__jr_getsockname(fd[0], (struct sockaddr *)&a, &n), 0);
    JR_CHECK_EQ(__jr_getpeername(fd[1], (struct sockaddr *)&b, &m), 0);
    JR_CHECK_EQ(a.sin_port, b.sin_port);
    JR_CHECK_EQ(__jr_close(fd[0]), 0);
    char c;
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, 0), 0);
    __jr_close(fd[1]);
    __jr_close(fd[2]);
}
CLIENT_TEST(connects_and_talks) { round_trip(); }
CLIENT_TEST(connects_and_talks_as_a_pair, .pairs = true) { round_trip(); }
CLIENT_TEST(connects_and_talks_spinning, .spin_us = 50) { round_trip(); }

CLIENT_TEST(is_refused)
{
    struct sockaddr_in in = in_addr_of(ADDR, 9);
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0), v = -1;
    socklen_t n = sizeof v;
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    JR_CHECK_EQ(errno, ECONNREFUSED);
    JR_CHECK_EQ(__jr_getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n), 0);
    JR_CHECK_EQ(v, 0); /* connect took it */
    __jr_close(fd);
}

CLIENT_TEST(connects_without_waiting, .hold_us = 50000)
{
    struct sockaddr_in in = in_addr_of(ADDR, 7);
    int l = do_listen(ADDR, 7, 0), v;
    socklen_t n = sizeof v;
    int fd = __jr_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    JR_CHECK_EQ(errno, EINPROGRESS);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    JR_CHECK_EQ(errno, EALREADY);
    JR_CHECK_EQ(__jr_send(fd, "x", 1, 0), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    JR_CHECK_EQ(__jr_poll(&p, 1, 0), 0);
    JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
    JR_CHECK_EQ(p.revents, POLLOUT);
    JR_CHECK_EQ(__jr_getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n), 0);
    JR_CHECK_EQ(v, 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    JR_CHECK_EQ(errno, EISCONN);
    __jr_close(fd);
    __jr_close(l);
}

struct flood {
    int fd;
    size_t total, piece;
};

static void *flood_out(void *arg)
{
    struct flood *fl = arg;
    uint8_t buf[100000];
    for (size_t at = 0; at < fl->total;) {
        size_t n = fl->piece < fl->total - at ? fl->piece : fl->total - at;
        for (size_t i = 0; i < n; i++)
            buf[i] = (uint8_t)((at + i) * 31 >> 3);
        ssize_t r = __jr_send(fl->fd, buf, n, 0);
        if (!JR_CHECK_EQ(r, (ssize_t)n))
            break;
        at += n;
    }
    __jr_shutdown(fl->fd, SHUT_WR);
    return NULL;
}

static void flood(size_t total, size_t piece, size_t read_piece)
{
    int fd[3];
    pthread_t t;
    uint8_t buf[100000];
    JR_REQUIRE(connected(fd));
    struct flood fl = {fd[0], total, piece};
    pthread_create(&t, NULL, flood_out, &fl);
    size_t at = 0;
    ssize_t r;
    while ((r = __jr_recv(fd[1], buf, read_piece, 0)) > 0) {
        for (ssize_t i = 0; i < r; i++)
            if (buf[i] != (uint8_t)((at + (size_t)i) * 31 >> 3)) {
                JR_CHECK_EQ(at + (size_t)i, -1);
                r = 0;
            }
        at += (size_t)r;
    }
    JR_CHECK_EQ(r, 0);
    JR_CHECK_EQ(at, total);
    pthread_join(t, NULL);
    for (int i = 0; i < 3; i++)
        __jr_close(fd[i]);
}
CLIENT_TEST(streams_much) { flood(20000000, 70000, 50000); }
CLIENT_TEST(streams_through_a_growing_ring, .ring = 4096, .grant = 262144) { flood(20000000, 70001, 65536); }
CLIENT_TEST(streams_small_pieces) { flood(300000, 7, 11); }
CLIENT_TEST(streams_spinning, .spin_us = 20) { flood(5000000, 1000, 1500); }
CLIENT_TEST(streams_as_a_pair, .pairs = true) { flood(20000000, 70000, 50000); }
CLIENT_TEST(streams_small_pieces_as_a_pair, .pairs = true, .ring = 4096) { flood(300000, 7, 11); }

CLIENT_TEST(full_and_empty_without_blocking)
{
    int fd[3];
    char buf[40000] = {0};
    JR_REQUIRE(connected(fd));
    fake_hold(true);
    JR_CHECK_EQ(__jr_recv(fd[1], buf, 1, MSG_DONTWAIT), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    JR_CHECK_EQ(__jr_send(fd[0], buf, sizeof buf, MSG_DONTWAIT), 16384);
    JR_CHECK_EQ(__jr_send(fd[0], buf, sizeof buf, MSG_DONTWAIT), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    JR_CHECK_EQ(set_nonblock(fd[0]), 0);
    JR_CHECK_EQ(__jr_fcntl(fd[0], F_GETFL, NULL), O_RDWR | O_NONBLOCK);
    JR_CHECK_EQ(__jr_write(fd[0], buf, 10), -1);
    int v = 0;
    JR_CHECK_EQ(__jr_ioctl(fd[0], TIOCOUTQ, &v), 0);
    JR_CHECK_EQ(v, 16384);
    fake_hold(false);
    struct pollfd p = {.fd = fd[1], .events = POLLIN};
    JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
    WAIT_FOR(__jr_ioctl(fd[0], TIOCOUTQ, &v) == 0 && v == 0);
    JR_CHECK_EQ(__jr_ioctl(fd[1], FIONREAD, &v), 0);
    JR_CHECK_EQ(v, 16384);
    for (int i = 0; i < 3; i++)
        __jr_close(fd[i]);
}

CLIENT_TEST(flags_of_receive)
{
    int fd[3], v = 100;
    char buf[100] = "";
    JR_REQUIRE(connected(fd));
    __jr_send(fd[0], "abcdef", 6, 0);
    JR_CHECK_EQ(__jr_recv(fd[1], buf, 3, MSG_PEEK), 3);
    JR_CHECK_EQ(__jr_recv(fd[1], buf, 6, MSG_PEEK | MSG_WAITALL), 6);
    JR_CHECK_EQ(__jr_recv(fd[1], NULL, 2, MSG_TRUNC), 2);
    JR_CHECK_EQ(__jr_recv(fd[1], buf, sizeof buf, 0), 4);
    JR_CHECK_MEM(buf, "cdef", 4);
    JR_CHECK_EQ(__jr_read(fd[1], buf, 0), 0);
    JR_CHECK_EQ(__jr_recv(fd[1], buf, 1, MSG_OOB), -1);
    JR_CHECK_EQ(errno, EINVAL);
    struct timeval tv = {0, 50000};
    JR_CHECK_EQ(__jr_setsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
    int64_t t = now_ms();
    JR_CHECK_EQ(__jr_recv(fd[1], buf, 1, 0), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    JR_CHECK(now_ms() - t >= 49);
    JR_CHECK_EQ(__jr_setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
    __jr_send(fd[0], "0123456789", 10, 0);
    fake_settle();
    struct pollfd p = {.fd = fd[1], .events = POLLIN};
    JR_CHECK_EQ(__jr_poll(&p, 1, 30), 0);
    JR_CHECK_EQ(__jr_recv(fd[1], buf, sizeof buf, 0), 10); /* after the time limit */
    struct iovec iov[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    JR_CHECK_EQ(__jr_writev(fd[0], iov, 3), 5);
    JR_CHECK_EQ(__jr_recv(fd[1], buf, 5, MSG_WAITALL), 5);
    JR_CHECK_MEM(buf, "abcde", 5);
    for (int i = 0; i < 3; i++)
        __jr_close(fd[i]);
}

static volatile sig_atomic_t pipes, alarms;
static void on_pipe(int sig)
{
    (void)sig;
    pipes++;
}
static void on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

static void ends(void)
{
    int fd[3];
    char c;
    JR_REQUIRE(connected(fd));
    signal(SIGPIPE, on_pipe);
    JR_CHECK_EQ(__jr_shutdown(fd[0], SHUT_WR), 0);
    JR_CHECK_EQ(__jr_send(fd[0], "x", 1, MSG_NOSIGNAL), -1);
    JR_CHECK_EQ(errno, EPIPE);
    JR_CHECK_EQ(pipes, 0);
    JR_CHECK_EQ(__jr_send(fd[0], "x", 1, 0), -1);
    JR_CHECK_EQ(pipes, 1);
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, 0), 0);
    JR_CHECK_EQ(__jr_send(fd[1], "y", 1, 0), 1);
    JR_CHECK_EQ(__jr_recv(fd[0], &c, 1, 0), 1);
    struct pollfd p = {.fd = fd[1], .events = POLLIN | POLLOUT | POLLRDHUP};
    JR_CHECK_EQ(__jr_poll(&p, 1, 0), 1);
    JR_CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLRDHUP);
    JR_CHECK_EQ(__jr_shutdown(fd[1], SHUT_RDWR), 0);
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, 0), 0);
    p.events = 0;
    JR_CHECK_EQ(__jr_poll(&p, 1, 0), 1);
    JR_CHECK_EQ(p.revents, POLLHUP);
    for (int i = 0; i < 3; i++)
        __jr_close(fd[i]);
}
CLIENT_TEST(shuts_down) { ends(); }
CLIENT_TEST(shuts_down_a_pair, .pairs = true) { ends(); }

CLIENT_TEST(reset_by_peer)
{
    int fd[3];
    char c;
    JR_REQUIRE(connected(fd));
    fake_reset(port_of(fd[0]));
    struct pollfd p = {.fd = fd[0], .events = POLLIN | POLLOUT};
    JR_CHECK_EQ(__jr_poll(&p, 1, 0), 1);
    JR_CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
    JR_CHECK_EQ(__jr_recv(fd[0], &c, 1, 0), -1);
    JR_CHECK_EQ(errno, ECONNRESET);
    JR_CHECK_EQ(__jr_recv(fd[0], &c, 1, 0), 0);
    JR_CHECK_EQ(__jr_send(fd[0], &c, 1, MSG_NOSIGNAL), -1);
    JR_CHECK_EQ(errno, EPIPE);
}

static int blocked;
static void *interrupt_it(void *arg)
{
    wait_asleep(getpid());
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    WAIT_FOR(alarms == 1);
    wait_asleep(getpid());
    __jr_send(blocked, "z", 1, 0);
    return NULL;
}

static void interrupted(int sa_flags, int expect, bool with_timeout)
{
    int fd[3];
    char c;
    pthread_t me = pthread_self(), t;
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = sa_flags};
    struct timeval tv = {30, 0};
    JR_REQUIRE(connected(fd));
    sigaction(SIGUSR1, &sa, NULL);
    if (with_timeout)
        __jr_setsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    blocked = fd[0];
    pthread_create(&t, NULL, interrupt_it, &me);
    int r = (int)__jr_recv(fd[1], &c, 1, 0);
    if (expect)
        JR_CHECK_EQ(errno, expect);
    JR_CHECK_EQ(r, expect ? -1 : 1);
    JR_CHECK_EQ(alarms, 1);
    pthread_join(t, NULL);
}
CLIENT_TEST(interrupted_receive) { interrupted(0, EINTR, false); }
CLIENT_TEST(restarted_receive) { interrupted(SA_RESTART, 0, false); }
CLIENT_TEST(interrupted_receive_with_timeout) { interrupted(SA_RESTART, EINTR, true); }

static atomic_int sleeper; /* the thread */
static void *receive_for_ever(void *arg)
{
    char c;
    sleeper = gettid();
    __jr_recv(*(int *)arg, &c, 1, 0);
    return NULL;
}

CLIENT_TEST(cancelled_receive)
{
    int fd[3];
    pthread_t t;
    void *res;
    JR_REQUIRE(connected(fd));
    sleeper = 0;
    pthread_create(&t, NULL, receive_for_ever, &fd[1]);
    WAIT_FOR(sleeper != 0);
    wait_asleep(sleeper);
    pthread_cancel(t);
    pthread_join(t, &res);
    JR_CHECK(res == PTHREAD_CANCELED);
    exchange(fd[0], fd[1]);
    for (uint32_t i = 0; i < __jr.nsegs; i++)
        JR_CHECK_EQ(__jr.seg[i]->busy, 0);
}

CLIENT_TEST(datagrams, .ring = 262144)
{
    struct sockaddr_in in = in_addr_of(ADDR, 53), from;
    socklen_t n = sizeof from;
    char buf[2000] = "", cbuf[200];
    int one = 1;
    int s = __jr_socket(AF_INET, SOCK_DGRAM, 0), c = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    JR_CHECK_EQ(__jr_bind(s, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK_EQ(__jr_send(c, "x", 1, 0), -1);
    JR_CHECK_EQ(errno, EDESTADDRREQ);
    JR_CHECK_EQ(__jr_sendto(c, "query", 5, 0, (struct sockaddr *)&in, sizeof in), 5);
    JR_CHECK_EQ(__jr_recvfrom(s, buf, sizeof buf, 0, (struct sockaddr *)&from, &n), 5);
    JR_CHECK_EQ(ntohs(from.sin_port), port_of(c));
    JR_CHECK_EQ(__jr_sendto(s, "longer answer", 13, 0, (struct sockaddr *)&from, n), 13);
    JR_CHECK_EQ(__jr_sendto(s, "", 0, 0, (struct sockaddr *)&from, n), 0);
    JR_CHECK_EQ(__jr_recv(c, buf, 6, MSG_PEEK | MSG_TRUNC), 13);
    JR_CHECK_EQ(__jr_setsockopt(c, IPPROTO_IP, IP_RECVTTL, &one, sizeof one), 0);
    struct iovec iov = {buf, 6};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = sizeof cbuf};
    JR_CHECK_EQ(__jr_recvmsg(c, &m, 0), 6);
    JR_CHECK_EQ(m.msg_flags, MSG_TRUNC);
    JR_CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, IP_TTL);
    JR_CHECK_EQ(__jr_recv(c, buf, 6, 0), 0);
    JR_CHECK_EQ(__jr_recv(c, buf, 6, MSG_DONTWAIT), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    JR_CHECK_EQ(__jr_connect(c, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK_EQ(__jr_send(c, "connected", 9, 0), 9);
    JR_CHECK_EQ(__jr_recv(s, buf, sizeof buf, 0), 9);
    static char big[66000];
    JR_CHECK_EQ(__jr_send(c, big, sizeof big, 0), -1);
    JR_CHECK_EQ(errno, EMSGSIZE);
    struct mmsghdr mm[3];
    struct iovec iovs[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
    for (int i = 0; i < 3; i++)
        mm[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iovs[i], .msg_iovlen = 1}};
    JR_CHECK_EQ(__jr_sendmmsg(c, mm, 3, 0), 3);
    JR_CHECK_EQ(mm[2].msg_len, 3);
    struct iovec in_iov[4];
    char in_buf[4][10];
    struct mmsghdr rm[4];
    for (int i = 0; i < 4; i++) {
        in_iov[i] = (struct iovec){in_buf[i], 10};
        rm[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &in_iov[i], .msg_iovlen = 1}};
    }
    fake_settle();
    JR_CHECK_EQ(__jr_recvmmsg(s, rm, 4, MSG_WAITFORONE, NULL), 3);
    JR_CHECK_EQ(rm[1].msg_len, 2);
    __jr_close(s);
    __jr_close(c);
}

CLIENT_TEST(files_and_pipes)
{
    int fd[3], p[2], f = memfd_create("f", 0);
    static char data[100000], back[100000];
    off_t off = 10;
    JR_REQUIRE(connected(fd));
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7 >> 2);
    JR_REQUIRE(write(f, data, sizeof data) == sizeof data && pipe(p) == 0);
    lseek(f, 0, SEEK_SET);
    set_nonblock(fd[0]);
    size_t sent = 0, got = 0;
    while (sent < sizeof data) { /* more than the ring takes at once */
        ssize_t r = __jr_sendfile(fd[0], f, NULL, sizeof data - sent);
        if (r > 0)
            sent += (size_t)r;
        else if (!JR_CHECK_EQ(errno, EAGAIN))
            return;
        JR_CHECK_EQ(lseek(f, 0, SEEK_CUR), (off_t)sent);
        r = __jr_recv(fd[1], back + got, sizeof back - got, MSG_DONTWAIT);
        got += r > 0 ? (size_t)r : 0;
    }
    while (got < sizeof back)
        got += (size_t)__jr_recv(fd[1], back + got, sizeof back - got, 0);
    JR_CHECK_MEM(data, back, sizeof data);
    JR_CHECK_EQ(__jr_sendfile(fd[0], f, &off, 20), 20);
    JR_CHECK_EQ(off, 30);
    JR_CHECK_EQ(__jr_recv(fd[1], back, 20, MSG_WAITALL), 20);
    JR_CHECK_MEM(data + 10, back, 20);
    JR_CHECK_EQ(__jr_sendfile(f, fd[0], NULL, 20), -1);
    JR_CHECK_EQ(errno, EINVAL);
    JR_CHECK_EQ(write(p[1], "splice", 6), 6);
    JR_CHECK_EQ(__jr_splice(p[0], NULL, fd[0], NULL, 100, 0), 6);
    JR_CHECK_EQ(__jr_splice(fd[1], NULL, p[1], NULL, 100, 0), 6);
    JR_CHECK_EQ(read(p[0], back, 100), 6);
    JR_CHECK_MEM(back, "splice", 6);
    /* What the pipe has room for, and then nothing, though the pipe's own calls would wait. */
    static char much[50000], more[30000], both[sizeof much + sizeof more];
    ssize_t in = sizeof much, n;
    memset(much, 'a', sizeof much);
    memset(more, 'b', sizeof more);
    JR_CHECK_EQ(write(p[1], much, sizeof much), in);
    for (size_t sent = 0; sent < sizeof more; sent += (size_t)n, fake_settle()) {
        n = __jr_send(fd[0], more + sent, sizeof more - sent < 6000 ? sizeof more - sent : 6000, MSG_DONTWAIT);
        if (n <= 0)
            break;
    }
    alarm(30);
    while ((n = __jr_splice(fd[1], NULL, p[1], NULL, 100000, SPLICE_F_NONBLOCK)) > 0)
        in += n;
    alarm(0);
    JR_CHECK_EQ(n, -1);
    JR_CHECK_EQ(errno, EAGAIN);
    JR_CHECK(in > (ssize_t)sizeof much && in <= 65536);
    JR_CHECK_EQ(read(p[0], both, sizeof both), in);
    JR_CHECK(both[sizeof much - 1] == 'a' && both[sizeof much] == 'b' && both[in - 1] == 'b');
    while (__jr_recv(fd[1], more, sizeof more, MSG_DONTWAIT) > 0)
        fake_settle();
    /* SPLICE_F_NONBLOCK would be about the pipe alone */
    __jr_fcntl(fd[1], F_SETFL, (void *)O_NONBLOCK);
    JR_CHECK_EQ(__jr_splice(fd[1], NULL, p[1], NULL, 100, 0), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    __jr_fcntl(fd[1], F_SETFL, NULL);
    JR_CHECK_EQ(__jr_splice(fd[1], NULL, f, NULL, 100, 0), -1);
    JR_CHECK_EQ(errno, EINVAL);
}

static void *dies_soon(void *arg)
{
    (void)arg;
    wait_asleep(getpid());
    fake_die();
    return NULL;
}

JR_TEST(service_dies)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int fd[3], idle[3];
        pthread_t t;
        char c;
        alarm(60);
        fake_start(&(struct fake_config){0});
        connected(fd);
        idle[0] = do_dial(ADDR, 7);
        signal(SIGPIPE, SIG_IGN);
        pthread_create(&t, NULL, dies_soon, NULL);
        JR_CHECK_EQ(__jr_recv(fd[0], &c, 1, 0), -1);
        JR_CHECK_EQ(errno, ECONNRESET);
        pthread_join(t, NULL);
        JR_CHECK_EQ(__jr_recv(fd[0], &c, 1, 0), 0);
        JR_CHECK_EQ(__jr_send(fd[0], &c, 1, 0), -1);
        JR_CHECK_EQ(errno, EPIPE);
        struct pollfd p = {.fd = idle[0], .events = POLLIN};
        JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
        JR_CHECK_EQ(p.revents, POLLIN | POLLERR | POLLHUP);
        int k = __jr_socket(AF_INET, SOCK_STREAM, 0);
        JR_CHECK(k >= 0 && !__jr_is_ours(k));
        JR_CHECK_EQ(__jr_accept(fd[2], NULL, NULL), -1);
        JR_CHECK_EQ(__jr_close(fd[0]), 0);
        _exit(jr_test_failures ? 1 : 0);
    }
    int status;
    waitpid(pid, &status, 0);
    JR_CHECK_EQ(status, 0);
}

CLIENT_TEST(other_version_is_the_kernels, .checksum_off = 1)
{
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK(fd >= 0 && !__jr_is_ours(fd));
    JR_CHECK_EQ(__jr.logged, 1);
}

CLIENT_TEST(silent_service_is_the_kernels, .silent = true)
{
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK(fd >= 0 && !__jr_is_ours(fd));
    fd = __jr_socket(AF_INET, SOCK_STREAM, 0); /* the failure is remembered */
    JR_CHECK(fd >= 0 && !__jr_is_ours(fd));
    fake_settle();
    JR_CHECK_EQ(fake_attached(), 1);
}

CLIENT_TEST(switched_off)
{
    setenv("JOYRIDE", "off", 1);
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK(fd >= 0 && !__jr_is_ours(fd));
    JR_CHECK(!__jr_any());
}

CLIENT_TEST(rings_the_bell_of_a_sleeper)
{
    int fd[3];
    JR_REQUIRE(connected(fd));
    for (int64_t end = now_ms() + 30000; fake_bells() == 0 && now_ms() < end; usleep(3000))
        exchange(fd[0], fd[1]);
    JR_CHECK(fake_bells() > 0);
}

CLIENT_TEST(follows_a_moved_socket)
{
    int fd[3];
    char buf[16];
    JR_REQUIRE(connected(fd));
    exchange(fd[0], fd[1]);
    __jr_send(fd[1], "early", 5, 0);
    fake_settle();
    struct jr_sock before, after;
    __jr_sock_get(fd[0], &before);
    JR_CHECK(fake_move(port_of(fd[0])));
    JR_CHECK_EQ(__jr_recv(fd[0], buf, 16, 0), 5);
    exchange(fd[0], fd[1]);
    exchange(fd[1], fd[0]);
    __jr_sock_get(fd[0], &after);
    JR_CHECK(before.slot != after.slot);
    JR_CHECK_EQ(before.ls->fds, 0);
    JR_CHECK_EQ(after.ls->fds, 1);
}

JR_TEST_MAIN
