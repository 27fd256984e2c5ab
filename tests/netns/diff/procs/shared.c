/* SPDX-License-Identifier: BSD-3-Clause */
/* What parent and child share after fork, and what a new program has: epolls and their interests, sleeps, signals,
 * locks, flags, options, connections under way. */
#include "diff.h"

static int go[2], back[2];

static void make_pipes(void) { MUST(pipe(go) | pipe(back)); }

static void tell(int *p) { MUST(write(p[1], "x", 1)); }
static void hear(int *p)
{
    char c;
    MUST(read(p[0], &c, 1));
}

static int add(int ep, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)fd};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static void say_wait(const char *who, int ep, int ms)
{
    struct epoll_event ev[8];
    int n = epoll_wait(ep, ev, 8, ms);
    say("%s: %d", who, n);
    for (int i = 0; i < n; i++)
        say("%s: %s of %d", who, bits_text(ev[i].events), (int)ev[i].data.u64);
}

CASE(epoll_made_before_used_in_the_child)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(0);
    SAY(add(ep, e.s, EPOLLIN));
    feed(e, "hello");
    pid_t pid = MUST(fork());
    if (pid == 0) {
        say_wait("child", ep, 1000);
        char buf[8];
        SAY(recv(e.s, buf, sizeof buf, 0));
        say_wait("child", ep, 0);
        _exit(0);
    }
    reap("child", pid);
    say_wait("parent", ep, 0);
    feed(e, "more");
    say_wait("parent", ep, 1000);
}

CASE(epoll_empty_before_used_by_both)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(0);
    make_pipes();
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int mine = epoll_create1(0);
        SAY(add(mine, e.s, EPOLLIN));
        tell(back);
        say_wait("child", mine, 5000);
        _exit(0);
    }
    hear(back);
    SAY(add(ep, e.s, EPOLLIN));
    feed(e, "hello");
    reap("child", pid);
    say_wait("parent", ep, 1000);
}

CASE(closed_in_the_parent_open_in_the_child)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(0);
    make_pipes();
    SAY(add(ep, e.s, EPOLLIN));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        hear(go);
        char buf[8];
        SAY(recv(e.s, buf, sizeof buf, 0));
        _exit(0);
    }
    feed(e, "hello");
    tell(go);
    reap("child", pid);
    say_wait("parent", ep, 0);
}

CASE(epoll_over_exec)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(EPOLL_CLOEXEC), keep = epoll_create1(0);
    SAY(add(ep, e.s, EPOLLIN));
    SAY(add(keep, 0, EPOLLIN) >= -1);
    SAY(fcntl(ep, F_GETFD));
    SAY(fcntl(keep, F_GETFD));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char a[12], b[12];
        snprintf(a, sizeof a, "%d", ep);
        snprintf(b, sizeof b, "%d", keep);
        execl(self_path, self_path, self_path, host_ip, peer_ip, "exec", case_name, a, b, NULL);
        _exit(9);
    }
    reap("new program", pid);
    feed(e, "hello");
    say_wait("parent", ep, 1000);
}

int executed(int argc, char **argv)
{
    NEED(argc >= 3);
    SAY(fcntl(atoi(argv[1]), F_GETFD));
    SAY(fcntl(atoi(argv[2]), F_GETFD));
    int s = dial(ECHO), ep = atoi(argv[2]);
    SAY(add(ep, s, EPOLLIN | EPOLLOUT));
    say_wait("own", ep, 1000);
    SAY(echoes(s));
    return 0;
}

CASE(nonblocking_is_of_both)
{
    struct ends e = tcp_ends();
    char c;
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(fcntl(e.s, F_SETFL, O_NONBLOCK));
        SAY(fcntl(e.s, F_SETFD, FD_CLOEXEC));
        SAY(set_timeout(e.s, SO_RCVTIMEO, 100));
        SAY(set_int(e.s, IPPROTO_TCP, TCP_NODELAY, 1));
        SAY(set_int(e.s, SOL_SOCKET, SO_RCVLOWAT, 3));
        SAY(fcntl(e.s, F_SETOWN, getpid()));
        _exit(0);
    }
    reap("child", pid);
    SAY(fcntl(e.s, F_GETFL));
    SAY(fcntl(e.s, F_GETFD));
    SAY(recv(e.s, &c, 1, 0));
    SAY(get_int(e.s, IPPROTO_TCP, TCP_NODELAY));
    SAY(get_int(e.s, SOL_SOCKET, SO_RCVLOWAT));
    SAY(fcntl(e.s, F_SETFL, 0));
    SAY(recv(e.s, &c, 1, 0));
    SAY(fcntl(e.s, F_GETOWN) == pid);
}

CASE(a_connection_under_way)
{
    int s = host_socket(SOCK_STREAM), status;
    struct sockaddr_in sin = address(peer_ip, ECHO);
    nonblocking(s);
    connect(s, (struct sockaddr *)&sin, sizeof sin);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        say("%#x", await(s, POLLOUT));
        SAY(get_int(s, SOL_SOCKET, SO_ERROR));
        fcntl(s, F_SETFL, 0);
        SAY(echoes(s));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    SAY(connect(s, (struct sockaddr *)&sin, sizeof sin) < 0 ? errno == EISCONN : 1);
    SAY(echoes(s));
}

CASE(refused_is_told_once)
{
    int s = host_socket(SOCK_STREAM), status;
    struct sockaddr_in sin = address(peer_ip, NOBODY);
    nonblocking(s);
    connect(s, (struct sockaddr *)&sin, sizeof sin);
    await(s, POLLOUT);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(get_int(s, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
        SAY(get_int(s, SOL_SOCKET, SO_ERROR));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    say("%#x", poll_now(s) & (POLLERR | POLLHUP));
}

CASE(exit_without_close)
{
    struct sockaddr_in sin;
    int l = peer_listen(&sin);
    static const int how[] = {0, SIGKILL, SIGTERM, SIGSEGV};
    for (int i = 0; i < 4; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            int s = host_socket(SOCK_STREAM);
            MUST(connect(s, (struct sockaddr *)&sin, sizeof sin));
            MUST(send(s, "bye", 3, 0));
            if (how[i]) {
                signal(how[i], SIG_DFL);
                setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
                raise(how[i]);
            }
            _exit(0);
        }
        int p = MUST(accept(l, NULL, NULL));
        char buf[8];
        SAY(recv(p, buf, 3, MSG_WAITALL));
        SAY(recv(p, buf, 1, 0));
        close(p);
        reap("child", pid);
    }
}

CASE(unread_data_reset_when_a_child_ends)
{
    struct sockaddr_in sin;
    int l = peer_listen(&sin);
    make_pipes();
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int s = host_socket(SOCK_STREAM);
        MUST(connect(s, (struct sockaddr *)&sin, sizeof sin));
        await_bytes(s, 5);
        tell(back);
        _exit(0);
    }
    int p = MUST(accept(l, NULL, NULL));
    MUST(send(p, "hello", 5, 0));
    hear(back);
    reap("child", pid);
    char c;
    poll_for(p, POLLIN);
    SAY(recv(p, &c, 1, 0));
}

CASE(listener_of_a_dead_parent)
{
    int port, l = listen_on(host_ip, &port), status;
    make_pipes();
    pid_t pid = MUST(fork());
    if (pid == 0) {
        pid_t inner = MUST(fork());
        if (inner == 0) {
            hear(go);
            SAY(echoes(accept(l, NULL, NULL)));
            tell(back);
            _exit(0);
        }
        _exit(0);
    }
    close(l);
    waitpid(pid, &status, 0);
    call_me(port, 1, "echo");
    tell(go);
    hear(back);
    struct sockaddr_in sin = address(host_ip, port);
    while (try_connect(host_socket(SOCK_STREAM), sin.sin_addr, port) == 0)
        nap(1);
    SAY(try_connect(host_socket(SOCK_STREAM), sin.sin_addr, port));
}

CASE(both_wait_one_is_killed)
{
    struct ends e = tcp_ends();
    char c;
    pid_t pid = MUST(fork());
    if (pid == 0) {
        recv(e.s, &c, 1, 0);
        _exit(0);
    }
    wait_asleep(pid);
    kill(pid, SIGKILL);
    reap("child", pid);
    feed(e, "x");
    SAY(recv(e.s, &c, 1, 0));
}

CASE(poll_of_closed_and_bad_ones)
{
    struct ends e = tcp_ends();
    int gone = dup(e.s);
    close(gone);
    struct pollfd p[5] = {{.fd = e.s, .events = POLLIN},
                          {.fd = gone, .events = POLLIN},
                          {.fd = -1, .events = POLLIN, .revents = 77},
                          {.fd = e.s, .events = POLLOUT},
                          {.fd = INT_MAX, .events = POLLIN}};
    SAY(poll(p, 5, 0));
    for (int i = 0; i < 5; i++)
        say("%d: %#x", i, p[i].revents);
    SAY(poll(p, 1, 10));
    SAY(poll(NULL, 0, 10));
    SAY(poll(bad_page(), 1, 0));
    struct rlimit few = {8, 4096};
    MUST(setrlimit(RLIMIT_NOFILE, &few));
    struct pollfd many[9] = {{.fd = e.s, .events = POLLOUT}};
    SAY(poll(many, 9, 0));
    SAY(poll(many, 8, 0));
    fd_set in;
    FD_ZERO(&in);
    FD_SET(gone, &in);
    FD_SET(e.s, &in);
    SAY(select(gone + 1, &in, NULL, NULL, &(struct timeval){0, 0}));
    FD_ZERO(&in);
    FD_SET(e.s, &in);
    SAY(select(-1, &in, NULL, NULL, &(struct timeval){0, 0}));
    SAY(select(e.s + 1, &in, NULL, NULL, &(struct timeval){-1, 0}));
    SAY(select(e.s + 1, &in, NULL, NULL, &(struct timeval){0, -1}));
    SAY(select(e.s + 1, bad_page(), NULL, NULL, &(struct timeval){0, 0}));
    SAY(select(0, &in, NULL, NULL, &(struct timeval){0, 0}));
}
