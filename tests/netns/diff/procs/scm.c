/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets sent from process to process. */
#include "diff.h"

#include <sys/pidfd.h>

static int pass(int unix_fd, const int *fds, int n)
{
    char c = 'f';
    struct iovec v = {&c, 1};
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(64 * sizeof(int))];
    } u;
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    memset(&u, 0, sizeof u);
    u.h.cmsg_level = SOL_SOCKET;
    u.h.cmsg_type = SCM_RIGHTS;
    u.h.cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(&u.h), fds, n * sizeof(int));
    return sendmsg(unix_fd, &m, 0);
}

static int take(int unix_fd, int *fds, int n, int flags)
{
    char c;
    struct iovec v = {&c, 1};
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(64 * sizeof(int))];
    } u;
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    if (recvmsg(unix_fd, &m, flags) < 1)
        return -1;
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    if (h == NULL || h->cmsg_type != SCM_RIGHTS)
        return 0;
    int got = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(h), got * sizeof(int));
    return got;
}

static int pass_one(int unix_fd, int fd) { return pass(unix_fd, &fd, 1); }

static int take_one(int unix_fd)
{
    int fd = -1;
    return take(unix_fd, &fd, 1, 0) == 1 ? fd : -1;
}

int executed(int argc, char **argv)
{
    (void)argc;
    int fd = take_one(0);
    struct stat st;
    say("stranger got a socket: %d", fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode));
    if (strcmp(argv[1], "echoes") == 0)
        say("stranger echoes %d", echoes(fd));
    else if (strcmp(argv[1], "accepts") == 0)
        say("stranger accepts, echoes %d", echoes(accept(fd, NULL, NULL)));
    else if (strcmp(argv[1], "back") == 0)
        say("stranger gives back %d", pass_one(0, fd));
    return 0;
}

static pid_t stranger(const char *what, int *unix_fd)
{
    int sv[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        dup2(sv[1], 0);
        closefrom(3);
        execl(self_path, self_path, self_path, host_ip, peer_ip, "exec", case_name, what, NULL);
        _exit(9);
    }
    close(sv[1]);
    *unix_fd = sv[0];
    return pid;
}

CASE(to_oneself)
{
    int sv[2], fd = dial(ECHO);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    SAY(pass_one(sv[0], fd));
    int got = take_one(sv[1]);
    say("%d", got - fd);
    SAY(echoes(got));
    close(fd);
    SAY(echoes(got));
    SAY(pass_one(sv[0], got));
    close(got); /* only in flight now */
    got = take_one(sv[1]);
    SAY(echoes(got));
}

CASE(to_a_child)
{
    int sv[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int fd = take_one(sv[1]);
        say("child echoes %d", echoes(fd));
        _exit(0);
    }
    int fd = dial(ECHO);
    MUST(pass_one(sv[0], fd));
    reap("child", pid);
    SAY(echoes(fd));
}

CASE(to_the_parent)
{
    int sv[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(pass_one(sv[1], dial(ECHO)));
        _exit(0);
    }
    reap("child", pid);
    int fd = take_one(sv[0]);
    SAY(echoes(fd));
    SAY(echoes(dial(ECHO)));
}

/* Both echo by it. */
static void share_with_a_stranger(int fd)
{
    int u;
    pid_t pid = stranger("echoes", &u);
    MUST(pass_one(u, fd));
    reap("stranger", pid);
    SAY(echoes(fd));
}

CASE(to_a_stranger) { share_with_a_stranger(dial(ECHO)); }

CASE(udp_to_a_stranger) { share_with_a_stranger(dial_udp(ECHO)); }

CASE(to_a_stranger_and_closed)
{
    int u, fd = dial(ECHO);
    pid_t pid = stranger("echoes", &u);
    int r = pass_one(u, fd) | close(fd) << 8;
    reap("stranger", pid);
    SAY(r);
}

CASE(a_listener_to_a_stranger)
{
    int u, port, l = listen_on(host_ip, &port);
    call_me(port, 2, "echo");
    pid_t pid = stranger("accepts", &u);
    MUST(pass_one(u, l));
    reap("stranger", pid);
    SAY(echoes(accept(l, NULL, NULL)));
}

CASE(there_and_back)
{
    int u, fd = dial(ECHO);
    pid_t pid = stranger("back", &u);
    MUST(pass_one(u, fd));
    int got = take_one(u);
    reap("stranger", pid);
    SAY(echoes(got));
    SAY(echoes(fd));
    SAY(close(fd));
    SAY(echoes(got));
}

CASE(bytes_in_flight_move_along)
{
    int u, fd = dial(ECHO);
    char buf[1 << 16];
    memset(buf, 'x', sizeof buf);
    SAY(send(fd, buf, sizeof buf, 0));
    pid_t pid = stranger("back", &u);
    MUST(pass_one(u, fd));
    NEED(close(fd) == 0); /* the stranger speaks meanwhile */
    fd = take_one(u);
    reap("stranger", pid);
    long n = 0;
    while (n < (long)sizeof buf) {
        ssize_t r = recv(fd, buf, sizeof buf, 0);
        if (r <= 0)
            break;
        n += r;
    }
    SAY(n);
    SAY(echoes(fd));
}

CASE(many_at_once)
{
    int sv[2], fds[20], got[20], ok = 0;
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
    for (int i = 0; i < 20; i++)
        fds[i] = dial(ECHO);
    SAY(pass(sv[0], fds, 20));
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    SAY(take(sv[1], got, 20, MSG_CMSG_CLOEXEC));
    for (int i = 0; i < 20; i++)
        ok += echoes(got[i]) && fcntl(got[i], F_GETFD) == FD_CLOEXEC;
    SAY(ok);
}

CASE(fewer_taken_than_sent)
{
    int sv[2], fds[3], got[3];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    for (int i = 0; i < 3; i++)
        fds[i] = dial(ECHO);
    SAY(pass(sv[0], fds, 3));
    SAY(take(sv[1], got, 1, 0));
    SAY(echoes(got[0]));
    SAY(pass(sv[0], fds, 1));
    char c;
    SAY(read(sv[1], &c, 1));
    SAY(echoes(fds[0]));
}

CASE(unconnected_to_a_stranger_first)
{
    int u, fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    pid_t pid = stranger("back", &u);
    MUST(pass_one(u, fd));
    int got = take_one(u);
    reap("stranger", pid);
    struct sockaddr_in sin = address(peer_ip, ECHO);
    SAY(connect(fd, (struct sockaddr *)&sin, sizeof sin));
    SAY(echoes(got));
    SAY(echoes(fd));
}

CASE(taken_from_a_process)
{
    int fd = dial(ECHO), p[2];
    char c;
    MUST(pipe(p));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int own = dial(ECHO);
        write(p[1], &own, sizeof own);
        pause();
        _exit(0);
    }
    int theirs;
    read(p[0], &theirs, sizeof theirs);
    int pidfd = syscall(SYS_pidfd_open, pid, 0);
    int got = syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
    SAY(got >= 0);
    SAY(echoes(got));
    got = pidfd_getfd(pidfd, fd, 0);
    SAY(echoes(got));
    kill(pid, SIGKILL);
    reap("child", pid);
    (void)c;
}

CASE(a_stranger_epolls)
{
    int sv[2], fd = dial(HELLO);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 7};
    int ep = epoll_create1(0);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    SAY(pass_one(sv[0], fd));
    int got = take_one(sv[1]);
    SAY(epoll_wait(ep, &ev, 1, 2000));
    ev.data.u32 = 8;
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, got, &ev));
    close(fd);
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, got, &ev));
    char buf[8];
    SAY(recv(got, buf, 8, 0));
}
