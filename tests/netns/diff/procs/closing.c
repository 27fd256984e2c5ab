/* SPDX-License-Identifier: BSD-3-Clause */
/* close and shutdown while other threads are in a call on the same socket, and many threads on one socket. */
#include "diff.h"

static long do_recv(void *arg)
{
    char c;
    return recv(*(int *)arg, &c, 1, 0);
}

static long do_read_all(void *arg)
{
    static char buf[1 << 16];
    return recv(*(int *)arg, buf, sizeof buf, MSG_WAITALL);
}

static long do_send_all(void *arg)
{
    static char buf[64 << 20];
    return send(*(int *)arg, buf, sizeof buf, MSG_NOSIGNAL) > 0;
}

static long do_accept(void *arg)
{
    int r = accept(*(int *)arg, NULL, NULL);
    return r < 0 ? r : 0;
}

static long do_poll(void *arg)
{
    struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};
    int r = poll(&p, 1, -1);
    return r < 0 ? r : r << 16 | p.revents;
}

static long do_select(void *arg)
{
    int fd = *(int *)arg;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, NULL);
}

static long do_epoll(void *arg)
{
    struct epoll_event ev;
    int r = epoll_wait(*(int *)arg, &ev, 1, -1);
    return r <= 0 ? r : (long)ev.events;
}

static long do_connect(void *arg)
{
    struct sockaddr_in sin = address(peer_ip, FULL);
    return connect(*(int *)arg, (struct sockaddr *)&sin, sizeof sin);
}

/* On Linux a blocked reader does not notice a close; the number is free at once, and data still reaches the reader. */
CASE(close_while_recv)
{
    int fd = dial(ECHO);
    int other = dup(fd);
    struct blocked b;
    block(&b, do_recv, &fd);
    SAY(close(fd));
    came_back("recv", &b, 100);
    int n = open("/dev/null", O_RDONLY);
    SAY(n == fd);
    send(other, "x", 1, 0);
    came_back("recv", &b, 3000);
}

CASE(close_last_while_recv)
{
    int port, l = listen_on(host_ip, &port);
    call_me(port, 1, "ask");
    int fd = MUST(accept(l, NULL, NULL));
    char buf[4];
    MUST(recv(fd, buf, 4, MSG_WAITALL));
    struct blocked b;
    block(&b, do_recv, &fd);
    SAY(close(fd));
    came_back("recv", &b, 200);
    SAY(recv(fd, buf, 1, 0));
}

CASE(close_while_accept)
{
    int port, l = listen_on(host_ip, &port);
    struct blocked b;
    block(&b, do_accept, &l);
    SAY(close(l));
    came_back("accept", &b, 100);
}

CASE(close_while_poll)
{
    int fd = dial(SILENT);
    struct blocked b;
    block(&b, do_poll, &fd);
    SAY(close(fd));
    came_back("poll", &b, 100);
}

CASE(close_while_epoll)
{
    int fd = dial(SILENT), ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    struct blocked b;
    block(&b, do_epoll, &ep);
    SAY(close(fd));
    came_back("epoll_wait", &b, 100);
    int pair[2];
    MUST(pipe(pair));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev));
    write(pair[1], "x", 1);
    came_back("epoll_wait", &b, 2000);
}

CASE(close_the_epoll_itself)
{
    int fd = dial(SILENT), ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    struct blocked b;
    block(&b, do_epoll, &ep);
    SAY(close(ep));
    came_back("epoll_wait", &b, 100);
    SAY(epoll_wait(ep, &ev, 1, 0));
}

#define SHUTDOWN(name, how, call)                                                                                      \
    CASE(name)                                                                                                         \
    {                                                                                                                  \
        int fd = dial(SILENT);                                                                                         \
        struct blocked b;                                                                                              \
        block(&b, call, &fd);                                                                                          \
        SAY(shutdown(fd, how));                                                                                        \
        if (!came_back(#call, &b, 200)) {                                                                              \
            SAY(shutdown(fd, SHUT_RDWR));                                                                              \
            came_back(#call, &b, 3000);                                                                                \
        }                                                                                                              \
    }
SHUTDOWN(shut_rd_recv, SHUT_RD, do_recv)
SHUTDOWN(shut_wr_recv, SHUT_WR, do_recv)
SHUTDOWN(shut_rdwr_recv, SHUT_RDWR, do_recv)
SHUTDOWN(shut_rd_waitall, SHUT_RD, do_read_all)
SHUTDOWN(shut_rd_poll, SHUT_RD, do_poll)
SHUTDOWN(shut_wr_poll, SHUT_WR, do_poll)
SHUTDOWN(shut_rdwr_poll, SHUT_RDWR, do_poll)
SHUTDOWN(shut_rd_select, SHUT_RD, do_select)
SHUTDOWN(shut_wr_send, SHUT_WR, do_send_all)
SHUTDOWN(shut_rd_send, SHUT_RD, do_send_all)

CASE(shutdown_a_listener)
{
    for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
        int port, l = listen_on(host_ip, &port);
        struct blocked b;
        block(&b, do_accept, &l);
        SAY(shutdown(l, how));
        if (!came_back("accept", &b, 200)) {
            SAY(shutdown(l, SHUT_RDWR));
            came_back("accept", &b, 3000);
        }
        SAY(accept(l, NULL, NULL));
        SAY(listen(l, 5));
        close(l);
    }
}

CASE(shutdown_a_listener_on_any_address)
{
    int port, l = listen_on("0.0.0.0", &port);
    struct blocked b;
    block(&b, do_accept, &l);
    SAY(shutdown(l, SHUT_RDWR));
    came_back("accept", &b, 3000);
    SAY(accept(l, NULL, NULL));
}

CASE(shutdown_a_polled_listener)
{
    int port, l = listen_on(host_ip, &port);
    struct blocked b;
    block(&b, do_poll, &l);
    SAY(shutdown(l, SHUT_RDWR));
    came_back("poll", &b, 3000);
}

CASE(shutdown_an_epolled_one)
{
    int fd = dial(SILENT), ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    struct blocked b;
    block(&b, do_epoll, &ep);
    SAY(shutdown(fd, SHUT_RDWR));
    came_back("epoll_wait", &b, 3000);
}

CASE(shutdown_udp)
{
    int fd = dial_udp(SILENT);
    struct blocked b;
    block(&b, do_recv, &fd);
    SAY(shutdown(fd, SHUT_RD));
    came_back("recv", &b, 3000);
    int un = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in sin = address(host_ip, 0);
    MUST(bind(un, (struct sockaddr *)&sin, sizeof sin));
    block(&b, do_recv, &un);
    SAY(shutdown(un, SHUT_RDWR));
    came_back("recv", &b, 1000);
}

CASE(close_while_connect)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct blocked b;
    block(&b, do_connect, &fd);
    SAY(close(fd));
    came_back("connect", &b, 100);
}

CASE(shutdown_while_connect)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct blocked b;
    block(&b, do_connect, &fd);
    SAY(shutdown(fd, SHUT_RDWR));
    came_back("connect", &b, 1000);
}

CASE(dup2_over_a_blocked_one)
{
    int fd = dial(SILENT), n = open("/dev/null", O_RDONLY), keep = dup(fd);
    struct blocked b;
    block(&b, do_recv, &fd);
    SAY(dup2(n, fd) == fd);
    came_back("recv", &b, 100);
    SAY(do_recv(&fd));
    SAY(shutdown(keep, SHUT_RDWR));
    came_back("recv", &b, 3000);
}

/* ---- threads that close numbers which another one is just making and copying ---- */

static volatile int made = -1, copy = -1, over;

static void *closer(void *arg)
{
    while (!over) {
        close(made);
        close(copy);
        sched_yield();
    }
    return arg;
}

CASE(closed_by_others_while_made)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT}, got[4];
    pthread_t t[3];
    struct stat st;
    int keep = dial(ECHO);
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, closer, NULL);
    for (int64_t end = now_ms() + 1500, i = 0; now_ms() < end; i++) {
        made = i % 3 ? epoll_create1(0) : socket(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
        copy = i % 4 ? dup(made) : fcntl(made, F_DUPFD_CLOEXEC, 20);
        epoll_ctl(copy, EPOLL_CTL_ADD, keep, &ev);
        epoll_wait(made, got, 4, 0);
        bind(made, (struct sockaddr *)&host4, sizeof host4);
        fstat(copy, &st);
        dup2(made, 30);
        close(made);
        close(copy);
        close(30);
        made = copy = -1;
    }
    over = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    int fd = dial(ECHO);
    SAY(echoes(fd));
}

/* ---- many threads, one socket ---- */

static int shared;
static long total; /* atomic */

static void *drain(void *arg)
{
    char buf[999];
    ssize_t r;
    while ((r = recv(shared, buf, sizeof buf, 0)) > 0)
        __atomic_add_fetch(&total, r, __ATOMIC_SEQ_CST);
    return arg;
}

static void *fill(void *arg)
{
    char buf[1000];
    memset(buf, *(char *)arg, sizeof buf);
    for (int i = 0; i < 500; i++)
        if (send(shared, buf, sizeof buf, 0) != sizeof buf)
            say("short send");
    return NULL;
}

CASE(many_senders_many_receivers)
{
    pthread_t s[4], r[4];
    char names[] = "abcd";
    shared = dial(ECHO);
    for (int i = 0; i < 4; i++) {
        pthread_create(&s[i], NULL, fill, &names[i]);
        pthread_create(&r[i], NULL, drain, NULL);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(s[i], NULL);
    shutdown(shared, SHUT_WR);
    for (int i = 0; i < 4; i++)
        pthread_join(r[i], NULL);
    SAY(total);
}

static void *own(void *arg)
{
    long ok = 0;
    for (int i = 0; i < 30; i++) {
        int fd = dial(ECHO);
        ok += echoes(fd);
        close(fd);
    }
    __atomic_add_fetch(&total, ok, __ATOMIC_SEQ_CST);
    return arg;
}

CASE(threads_open_and_close)
{
    pthread_t t[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, own, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
    SAY(total);
    int fd = dial(ECHO);
    SAY(fd);
}

static void *taker(void *arg)
{
    int l = *(int *)arg;
    for (;;) {
        int fd = accept(l, NULL, NULL);
        if (fd < 0)
            return NULL;
        char buf[4];
        if (recv(fd, buf, 4, MSG_WAITALL) == 4)
            send(fd, "ok", 2, 0);
        close(fd);
    }
}

CASE(threads_accept)
{
    int port, l = listen_on(host_ip, &port);
    pthread_t t[6];
    char answer[64];
    for (int i = 0; i < 6; i++)
        pthread_create(&t[i], NULL, taker, &l);
    ask(answer, sizeof answer, "answers %d 100", port);
    say("%s", answer);
    SAY(shutdown(l, SHUT_RDWR));
    for (int i = 0; i < 6; i++)
        pthread_join(t[i], NULL);
    say("all ended");
}

static void *leaves(void *arg)
{
    int *fd = arg;
    *fd = dial(ECHO);
    pthread_exit(NULL);
}

CASE(sockets_outlive_their_thread)
{
    int fd;
    for (int i = 0; i < 5; i++) {
        pthread_t t;
        pthread_create(&t, NULL, leaves, &fd);
        pthread_join(t, NULL);
        SAY(echoes(fd));
    }
    /* The main thread goes, another one stays. */
}

static void *stays(void *arg)
{
    pthread_join(*(pthread_t *)arg, NULL);
    SAY(echoes(shared));
    shared = dial(ECHO);
    SAY(echoes(shared));
    exit(6);
}

CASE(main_thread_leaves)
{
    static pthread_t me, t;
    me = pthread_self();
    shared = dial(ECHO);
    pthread_create(&t, NULL, stays, &me);
    pthread_exit(NULL);
}

CASE(killed_in_the_middle)
{
    int fd = dial(ECHO);
    for (int i = 0; i < 5; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0)
            for (;;)
                echoes(fd);
        nap(20);
        kill(pid, SIGKILL);
        reap("child", pid);
        char buf[64];
        nap(50);
        while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
            ;
        SAY(echoes(fd));
    }
}
