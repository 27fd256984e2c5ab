/* SPDX-License-Identifier: BSD-3-Clause */
/* fork: sockets that two processes have, and what one of them does to the other's. */
#include "diff.h"

CASE(both_use_it)
{
    int fd = dial(ECHO);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        say("child echoes %d", echoes(fd));
        _exit(0);
    }
    reap("child", pid);
    say("parent echoes %d", echoes(fd));
}

CASE(in_turn)
{
    int fd = dial(ECHO), ok = 0;
    for (int i = 0; i < 8; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0)
            _exit(!echoes(fd));
        int status;
        waitpid(pid, &status, 0);
        ok += status == 0 && echoes(fd);
    }
    SAY(ok);
}

CASE(close_in_one_is_no_end)
{
    int fd = dial(ECHO);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(close(fd));
        SAY(close(fd));
        SAY(recv(fd, &pid, 1, 0));
        _exit(0);
    }
    reap("child", pid);
    say("parent echoes %d", echoes(fd));
    pid = MUST(fork());
    if (pid == 0) {
        nap(50);
        _exit(!echoes(fd));
    }
    SAY(close(fd));
    reap("child goes on", pid);
}

CASE(last_close_ends_it)
{
    int port, l = listen_on(host_ip, &port);
    call_me(port, 1, "echo");
    int fd = MUST(accept(l, NULL, NULL));
    int gone = dial(ECHO);
    pid_t pid = MUST(fork());
    if (pid == 0)
        _exit(0);
    reap("child", pid);
    close(gone);
    say("echoes %d", echoes(fd));
}

CASE(flags_are_shared)
{
    int fd = dial(SILENT);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int one = 1, low = 5;
        struct timeval tv = {.tv_usec = 50000};
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        _exit(0);
    }
    reap("child", pid);
    char c;
    int value = 0;
    socklen_t len = sizeof value;
    SAY(!!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    SAY(fcntl(fd, F_GETFD));
    SAY(recv(fd, &c, 1, 0));
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len);
    SAY(value);
    getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len);
    SAY(value);
    struct timeval tv = {0};
    len = sizeof tv;
    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
    SAY(tv.tv_sec);
    SAY(tv.tv_usec > 40000);
    fcntl(fd, F_SETFL, 0);
    SAY(recv(fd, &c, 1, 0));
}

/* Who connected is gone when its child goes on. */
CASE(the_child_outlives_it)
{
    int alive[2], left[2];
    char c;
    NEED(pipe(alive) == 0);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int fd = dial(ECHO), ok = 0;
        NEED(pipe(left) == 0);
        if (MUST(fork()) != 0)
            _exit(0);
        close(left[1]);
        MUST(read(left[0], &c, 1));
        for (int i = 0; i < 10; i++, nap(5))
            ok += echoes(fd);
        say("echoes %d", ok);
        _exit(0);
    }
    reap("who connected", pid);
    close(alive[1]);
    SAY(read(alive[0], &c, 1));
}

CASE(connect_in_the_child)
{
    struct sockaddr_in sin = address(peer_ip, ECHO);
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(connect(fd, (struct sockaddr *)&sin, sizeof sin));
        _exit(0);
    }
    reap("child", pid);
    say("parent echoes %d", echoes(fd));
    SAY(connect(fd, (struct sockaddr *)&sin, sizeof sin));
}

CASE(bind_in_the_child_listen_in_the_parent)
{
    struct sockaddr_in sin = address(host_ip, 0);
    socklen_t len = sizeof sin;
    int l = MUST(socket(AF_INET, SOCK_STREAM, 0));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(bind(l, (struct sockaddr *)&sin, sizeof sin));
        _exit(0);
    }
    reap("child", pid);
    SAY(listen(l, 5));
    SAY(getsockname(l, (struct sockaddr *)&sin, &len));
    SAY(sin.sin_port != 0);
    call_me(ntohs(sin.sin_port), 1, "echo");
    int fd = MUST(accept(l, NULL, NULL));
    say("echoes %d", echoes(fd));
}

static long do_recv(void *arg)
{
    char c;
    return recv(*(int *)arg, &c, 1, 0);
}

CASE(shutdown_in_the_child_wakes_the_parent)
{
    int fd = dial(SILENT);
    struct blocked b;
    block(&b, do_recv, &fd);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(shutdown(fd, SHUT_RDWR));
        _exit(0);
    }
    reap("child", pid);
    came_back("recv", &b, 5000);
}

CASE(data_for_one_of_many_readers)
{
    int port, l = listen_on(host_ip, &port), done[2];
    call_me(port, 1, "ask");
    int fd = MUST(accept(l, NULL, NULL));
    char buf[8];
    MUST(pipe(done));
    MUST(recv(fd, buf, 4, MSG_WAITALL));
    for (int i = 0; i < 4; i++)
        if (MUST(fork()) == 0) {
            ssize_t r = recv(fd, buf, 1, 0);
            write(done[1], r == 0 ? "e" : "d", 1);
            _exit(0);
        }
    send(fd, "done", 4, 0); /* the peer closes: an end for all */
    int ends = 0;
    for (int i = 0; i < 4; i++)
        ends += read(done[0], buf, 1) == 1 && buf[0] == 'e';
    SAY(ends);
}

static void worker(int l, const char *name)
{
    for (;;) {
        char buf[4];
        int fd = accept(l, NULL, NULL);
        if (fd < 0)
            _exit(1);
        if (recv(fd, buf, 4, MSG_WAITALL) == 4)
            send(fd, name, strlen(name), 0);
        close(fd);
    }
}

static void prefork(const char *ip)
{
    int port, l = listen_on(ip, &port);
    char answer[64];
    pid_t pid[4];
    for (int i = 0; i < 4; i++)
        if ((pid[i] = MUST(fork())) == 0)
            worker(l, "ok");
    close(l);
    ask(answer, sizeof answer, "answers %d 100", port);
    say("%s", answer);
    for (int i = 0; i < 4; i++)
        kill(pid[i], SIGTERM);
    for (int i = 0; i < 4; i++)
        reap("worker", pid[i]);
}

CASE(prefork_servers) { prefork(host_ip); }

CASE(prefork_servers_on_any_address) { prefork("0.0.0.0"); }

CASE(no_worker_starves)
{
    int port, l = listen_on(host_ip, &port), served[2], kinds = 0;
    MUST(pipe(served));
    for (int i = 0; i < 4; i++)
        if (MUST(fork()) == 0)
            for (;;) {
                int fd = accept(l, NULL, NULL);
                char c = '0' + i;
                write(served[1], &c, 1);
                pause();
                close(fd);
            }
    call_me(port, 4, "silent");
    bool seen[4] = {false};
    for (int i = 0; i < 4; i++) {
        char c;
        read(served[0], &c, 1);
        kinds += !seen[c - '0'];
        seen[c - '0'] = true;
    }
    SAY(kinds);
}

CASE(nonblocking_workers_with_epoll)
{
    int port, l = listen_on(host_ip, &port);
    char answer[64];
    fcntl(l, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 3; i++)
        if (MUST(fork()) == 0) {
            struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE};
            int ep = MUST(epoll_create1(0));
            MUST(epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev));
            for (;;) {
                char buf[4];
                epoll_wait(ep, &ev, 1, -1);
                int fd = accept(l, NULL, NULL);
                if (fd < 0 && errno == EAGAIN)
                    continue;
                if (fd < 0)
                    _exit(1);
                recv(fd, buf, 4, MSG_WAITALL);
                send(fd, "ok", 2, 0);
                close(fd);
            }
        }
    ask(answer, sizeof answer, "answers %d 60", port);
    say("%s", answer);
}

CASE(a_dead_worker_takes_nothing_along)
{
    int port, l = listen_on(host_ip, &port);
    for (int i = 0; i < 3; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            accept(l, NULL, NULL);
            _exit(0);
        }
        wait_asleep(pid);
        kill(pid, SIGKILL);
        reap("worker", pid);
    }
    call_me(port, 1, "echo");
    int fd = MUST(accept(l, NULL, NULL));
    say("echoes %d", echoes(fd));
}

CASE(child_makes_its_own)
{
    int before = dial(ECHO);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int port, fd = dial(ECHO), l = listen_on(host_ip, &port);
        say("fds %d %d, echoes %d", fd - before, l - before, echoes(fd));
        call_me(port, 1, "echo");
        int a = MUST(accept(l, NULL, NULL));
        say("accepted %d echoes %d", a - before, echoes(a));
        _exit(0);
    }
    reap("child", pid);
    int after = dial(ECHO);
    say("fd %d, echoes %d %d", after - before, echoes(after), echoes(before));
}

CASE(grandchildren)
{
    int fd = dial(ECHO);
    for (int depth = 0; depth < 5; depth++) {
        pid_t pid = MUST(fork());
        if (pid != 0) {
            reap("child", pid);
            say("depth %d echoes %d", depth, echoes(fd));
            if (depth > 0)
                _exit(0);
            return;
        }
        close(dial(ECHO));
    }
    say("deepest echoes %d", echoes(fd));
    _exit(0);
}

static volatile bool stop;
static void *chatter(void *arg)
{
    int fd = dial(ECHO);
    while (!stop)
        if (!echoes(fd))
            say("a thread's socket is broken");
    close(fd);
    return arg;
}

CASE(threads_talk_while_others_fork)
{
    pthread_t t[3];
    int ok = 0;
    int fd = dial(ECHO);
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, chatter, NULL);
    for (int i = 0; i < 30; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            int own = dial(ECHO);
            _exit(!echoes(own) || (i == 0 && !echoes(fd)));
        }
        int status;
        waitpid(pid, &status, 0);
        ok += status == 0;
    }
    stop = true;
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    SAY(ok);
}

CASE(blocked_threads_do_not_hold_the_child)
{
    int fd[3];
    struct blocked b[3];
    for (int i = 0; i < 3; i++) {
        fd[i] = dial(SILENT);
        block(&b[i], do_recv, &fd[i]);
    }
    pid_t pid = MUST(fork());
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            char c;
            SAY(recv(fd[i], &c, 1, MSG_DONTWAIT));
            SAY(send(fd[i], "x", 1, 0));
            SAY(close(fd[i]));
        }
        int own = dial(ECHO);
        say("child echoes %d", echoes(own));
        exit(0);
    }
    reap("child", pid);
    for (int i = 0; i < 3; i++) {
        SAY(shutdown(fd[i], SHUT_RDWR));
        came_back("recv", &b[i], 5000);
    }
}

static void fork_in_handler(int sig)
{
    (void)sig;
    pid_t pid = _Fork();
    if (pid == 0)
        _exit(7);
    reap("from the handler", pid);
}

CASE(fork_from_a_signal_handler)
{
    int fd = dial(ECHO);
    struct sigaction sa = {.sa_handler = fork_in_handler};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    say("echoes %d", echoes(fd));
}

static void fork_quietly(int sig)
{
    (void)sig;
    int status;
    pid_t pid = _Fork();
    if (pid == 0)
        _exit(0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
}

CASE(handlers_fork_while_data_flows)
{
    int fd = dial(ECHO), ok = 0;
    struct sigaction sa = {.sa_handler = fork_quietly, .sa_flags = SA_RESTART};
    struct itimerval it = {.it_interval.tv_usec = 5000, .it_value.tv_usec = 5000}, off = {0};
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
    for (int i = 0; i < 2000; i++)
        ok += echoes(fd);
    setitimer(ITIMER_REAL, &off, NULL);
    SAY(ok);
}

CASE(exit_handlers_use_sockets)
{
    static int fd;
    fd = dial(ECHO);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        static int own;
        own = dial(ECHO);
        void last(void) { say("atexit: inherited %d, own %d", echoes(fd), echoes(own)); }
        atexit(last);
        exit(0);
    }
    reap("child", pid);
}

CASE(udp_shared)
{
    int fd = dial_udp(ECHO);
    for (int i = 0; i < 3; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            char buf[16] = "";
            SAY(send(fd, "child", 5, 0));
            SAY(recv(fd, buf, sizeof buf, 0));
            _exit(0);
        }
        reap("child", pid);
    }
    char buf[16];
    SAY(send(fd, "me", 2, 0));
    SAY(recv(fd, buf, sizeof buf, 0));
}

/* A child that closes the epoll that it inherited (libevent, tevent) takes nothing out of it. */
static void child_leaves_epoll(int ep, bool closes_sockets, const int *fds, int n)
{
    pid_t pid = MUST(fork());

    if (pid == 0) {
        close(ep);
        for (int i = 0; closes_sockets && i < n; i++)
            close(fds[i]);
        _exit(0);
    }
    reap("child", pid);
}

CASE(epoll_closed_in_the_child)
{
    int port, fds[2] = {listen_on(host_ip, &port), dial(ECHO)};
    struct epoll_event ev = {.events = EPOLLIN};
    int ep = MUST(epoll_create1(0));

    for (int i = 0; i < 2; i++) {
        ev.data.u32 = i;
        MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev));
    }
    SAY(epoll_wait(ep, &ev, 1, 0));
    for (int round = 0; round < 2; round++) {
        child_leaves_epoll(ep, round == 1, fds, 2);
        call_me(port, 1, "silent");
        SAY(epoll_wait(ep, &ev, 1, 5000));
        SAY(ev.data.u32);
        SAY(accept(fds[0], NULL, NULL) >= 0);
        send(fds[1], "abc", 3, 0);
        SAY(epoll_wait(ep, &ev, 1, 5000));
        SAY(ev.data.u32);
        await_bytes(fds[1], 3);
        SAY(recv(fds[1], (char[4]){0}, 4, 0));
    }
}
