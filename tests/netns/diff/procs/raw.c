/* SPDX-License-Identifier: BSD-3-Clause */
/* syscall(): the numbers of the socket and fd calls behave as the functions of the same name. */
#include "diff.h"

#include <linux/io_uring.h>
#include <linux/sched.h>

static int raw_dial(int port)
{
    struct sockaddr_in sin = address(peer_ip, port);
    int fd = MUST(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
    MUST(syscall(SYS_connect, fd, &sin, sizeof sin));
    return fd;
}

CASE(stream)
{
    int fd = raw_dial(ECHO), v = 0;
    char buf[64];
    struct sockaddr_in sin;
    socklen_t len = sizeof sin, vlen = sizeof v;
    SAY(syscall(SYS_write, fd, "abc", 3));
    SAY(syscall(SYS_read, fd, buf, 3));
    SAY(syscall(SYS_sendto, fd, "defg", 4, 0, NULL, 0));
    SAY(syscall(SYS_recvfrom, fd, buf, 4, MSG_WAITALL, NULL, NULL));
    struct iovec v2[2] = {{"hi", 2}, {"jk", 2}}, in = {buf, 4};
    struct msghdr m = {.msg_iov = v2, .msg_iovlen = 2}, mi = {.msg_iov = &in, .msg_iovlen = 1};
    SAY(syscall(SYS_writev, fd, v2, 2));
    SAY(syscall(SYS_readv, fd, &in, 1) > 0);
    SAY(syscall(SYS_sendmsg, fd, &m, 0));
    SAY(syscall(SYS_recvmsg, fd, &mi, 0) > 0);
    SAY(syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof v));
    SAY(syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &v, &vlen));
    SAY(v);
    SAY(syscall(SYS_getsockname, fd, &sin, &len));
    SAY(syscall(SYS_getpeername, fd, &sin, &len));
    SAY(ntohs(sin.sin_port));
    SAY(syscall(SYS_fcntl, fd, F_SETFL, O_NONBLOCK));
    SAY(!!(syscall(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK));
    SAY(syscall(SYS_read, fd, buf, 0));
    SAY(syscall(SYS_ioctl, fd, FIONREAD, &v));
    SAY(syscall(SYS_dup, fd) - fd);
    SAY(syscall(SYS_dup2, fd, 70));
    SAY(syscall(SYS_dup3, fd, 71, O_CLOEXEC));
    SAY(syscall(SYS_shutdown, fd, SHUT_RDWR));
    SAY(syscall(SYS_close, fd));
    SAY(syscall(SYS_close, fd));
    SAY(syscall(SYS_close_range, 70, 71, 0));
    SAY(syscall(SYS_close, 70));
    SAY(syscall(SYS_read, -1, buf, 1));
    SAY(syscall(SYS_socket, AF_INET, 77, 0));
}

CASE(readiness)
{
    int fd = raw_dial(HELLO);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    SAY(syscall(SYS_poll, &p, 1, 3000));
    struct timespec ts = {3, 0};
    SAY(syscall(SYS_ppoll, &p, 1, &ts, NULL, 8));
    fd_set s;
    FD_ZERO(&s);
    FD_SET(fd, &s);
    SAY(syscall(SYS_select, fd + 1, &s, NULL, NULL, NULL));
    struct {
        void *set;
        size_t size;
    } mask = {NULL, 8};
    SAY(syscall(SYS_pselect6, fd + 1, &s, NULL, NULL, &ts, &mask));
    SAY(syscall(SYS_pselect6, fd + 1, &s, NULL, NULL, &ts, NULL));
    int ep = syscall(SYS_epoll_create1, 0);
    struct epoll_event ev = {.events = EPOLLIN};
    SAY(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, fd, &ev));
    SAY(syscall(SYS_epoll_wait, ep, &ev, 1, 3000));
    SAY(syscall(SYS_epoll_pwait, ep, &ev, 1, 3000, NULL, 8));
    SAY(syscall(SYS_epoll_pwait2, ep, &ev, 1, &ts, NULL, 8));
    SAY(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_DEL, fd, NULL));
    SAY(syscall(SYS_close, ep));
}

CASE(server)
{
    struct sockaddr_in sin = address(host_ip, 0);
    socklen_t len = sizeof sin;
    int l = syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SAY(syscall(SYS_bind, l, &sin, sizeof sin));
    SAY(syscall(SYS_listen, l, 5));
    SAY(syscall(SYS_getsockname, l, &sin, &len));
    call_me(ntohs(sin.sin_port), 2, "echo");
    SAY(echoes(syscall(SYS_accept, l, NULL, NULL)));
    int a = syscall(SYS_accept4, l, NULL, NULL, SOCK_CLOEXEC);
    SAY(echoes(a));
    SAY(fcntl(a, F_GETFD));
}

CASE(copies)
{
    int fd = raw_dial(ECHO), p[2];
    char buf[512];
    MUST(pipe(p));
    MUST(write(p[1], "0123456789", 10));
    SAY(syscall(SYS_splice, p[0], NULL, fd, NULL, 10, 0));
    SAY(recv(fd, buf, 10, MSG_WAITALL));
    FILE *t = tmpfile();
    fputs("0123456789", t);
    fflush(t);
    off_t off = 3;
    SAY(syscall(SYS_sendfile, fd, fileno(t), &off, 4));
    SAY(off);
    SAY(recv(fd, buf, 4, MSG_WAITALL));
    say("%.4s", buf);
}

CASE(forks)
{
    int fd = raw_dial(ECHO);
    pid_t pid = syscall(SYS_fork);
    if (pid == 0) {
        int own = raw_dial(ECHO);
        say("fork: %d %d", echoes(fd), echoes(own));
        _exit(0);
    }
    reap("fork", pid);
    pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        close(fd);
        int n = open("/dev/null", O_RDONLY);
        char c;
        say("clone: same number %d, read %zd", n == fd, read(n, &c, 1));
        _exit(0);
    }
    reap("clone", pid);
    struct clone_args args = {.exit_signal = SIGCHLD};
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        say("clone3: %d", echoes(fd));
        _exit(0);
    }
    reap("clone3", pid);
    SAY(echoes(fd));
}

/* Not a cancellation point, whatever it calls. */
static long canceled(void *arg)
{
    char c;
    pthread_cancel(pthread_self());
    long r = syscall(SYS_recvfrom, *(int *)arg, &c, 1, MSG_DONTWAIT, NULL, NULL);
    __atomic_store_n((int *)arg, (int)r, __ATOMIC_SEQ_CST);
    pthread_testcancel();
    return 0;
}

CASE(no_cancellation_point)
{
    int fd = raw_dial(SILENT);
    struct blocked b;
    block(&b, canceled, &fd);
    came_back("thread", &b, 3000);
    SAY(fd);
}

/* EPOLL_CTL_ADD of FD by a ring. */
static void add_by_ring(int ring, const struct io_uring_params *p, int ep, int fd, struct epoll_event *ev)
{
    char *ids = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *sqe = mmap(NULL, p->sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);

    NEED(ids != MAP_FAILED && sqe != MAP_FAILED);
    *sqe = (struct io_uring_sqe){
        .opcode = IORING_OP_EPOLL_CTL, .fd = ep, .off = fd, .len = EPOLL_CTL_ADD, .addr = (uintptr_t)ev};
    *(unsigned *)(ids + p->sq_off.array) = 0;
    __atomic_store_n((unsigned *)(ids + p->sq_off.tail), 1, __ATOMIC_RELEASE);
    NEED(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
}

/* As libuv does: by a ring of the kernel's, if there is one to be had. */
CASE(ring)
{
    int ep = MUST(epoll_create1(0));
    struct io_uring_params p = {0};
    int ring = syscall(SYS_io_uring_setup, 4, &p);
    int fd = raw_dial(HELLO);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 7};

    if (ring >= 0)
        add_by_ring(ring, &p, ep, fd, &ev);
    else
        MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    ev.data.u32 = 0;
    SAY(epoll_wait(ep, &ev, 1, 3000));
    SAY(ev.data.u32);
    SAY_AS("events", ev.events & EPOLLIN);
    must_be_carried(fd);
}
