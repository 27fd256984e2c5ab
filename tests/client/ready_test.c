/* SPDX-License-Identifier: BSD-3-Clause */
/* poll, select and epoll over Joyride's sockets, the kernel's fds and both. */
#include "client_test.h"

#include <stdatomic.h>

static int later_fd;
static void *send_later(void *arg)
{
    (void)arg;
    wait_asleep(getpid());
    __jr_send(later_fd, "x", 1, MSG_NOSIGNAL);
    return NULL;
}

/* A byte is sent on it as soon as the program's first thread sleeps. */
static pthread_t later(int fd)
{
    pthread_t t;
    later_fd = fd;
    pthread_create(&t, NULL, send_later, NULL);
    return t;
}

static void *write_later(void *arg)
{
    wait_asleep(getpid());
    if (write(*(int *)arg, "k", 1) != 1)
        abort();
    return NULL;
}

static void drain(int fd)
{
    char buf[4096];
    while (__jr_recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
        ;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
}

/* ---- poll ---- */

static void polls(void)
{
    int fd[3], pipefd[2];
    JR_REQUIRE(connected(fd));
    JR_REQUIRE(pipe(pipefd) == 0);
    struct pollfd p[4] = {{.fd = fd[1], .events = POLLIN},
                          {.fd = -1, .events = POLLIN},
                          {.fd = pipefd[0], .events = POLLIN},
                          {.fd = fd[0], .events = POLLIN}};
    int64_t t0 = now_ms();
    JR_CHECK_EQ(__jr_poll(p, 4, 50), 0);
    JR_CHECK(now_ms() - t0 >= 49);
    pthread_t t = later(fd[0]);
    JR_CHECK_EQ(__jr_poll(p, 4, 5000), 1); /* mixed */
    JR_CHECK_EQ(p[0].revents, POLLIN);
    JR_CHECK_EQ(p[1].revents | p[2].revents | p[3].revents, 0);
    pthread_join(t, NULL);
    drain(fd[1]);
    t = later(fd[1]);
    struct pollfd only[2] = {{.fd = fd[1], .events = POLLIN}, {.fd = fd[0], .events = POLLIN}};
    JR_CHECK_EQ(__jr_poll(only, 2, -1), 1); /* ours alone */
    JR_CHECK_EQ(only[1].revents, POLLIN);
    pthread_join(t, NULL);
    drain(fd[0]);
    pthread_create(&t, NULL, write_later, &pipefd[1]);
    JR_CHECK_EQ(__jr_poll(p, 4, 5000), 1); /* the kernel's wakes */
    JR_CHECK_EQ(p[2].revents, POLLIN);
    pthread_join(t, NULL);
    t = later(fd[0]);
    JR_CHECK_EQ(__jr_poll(&p[0], 1, -1), 1); /* a single one: by its futex */
    pthread_join(t, NULL);
    p[1] = (struct pollfd){.fd = fd[1], .events = POLLOUT};
    JR_CHECK_EQ(__jr_poll(p, 4, -1), 3);
    JR_CHECK_EQ(p[0].revents, POLLIN);
    JR_CHECK_EQ(p[1].revents, POLLOUT);
    JR_CHECK_EQ(p[2].revents, POLLIN);
    struct jr_sock s;
    __jr_sock_get(fd[1], &s);
    JR_CHECK_EQ(s.slot->watch, 0); /* nobody polls any more */
}
CLIENT_TEST(polls_mixed_sets) { polls(); }
CLIENT_TEST(polls_pairs, .pairs = true) { polls(); }
CLIENT_TEST(polls_spinning, .spin_us = 50) { polls(); }

CLIENT_TEST(polls_for_space)
{
    int fd[3];
    static char buf[100000];
    JR_REQUIRE(connected(fd));
    set_nonblock(fd[0]);
    ssize_t n, sent = 0;
    while ((n = __jr_send(fd[0], buf, sizeof buf, 0)) > 0 || sent < 2 * 16384) {
        sent += n > 0 ? n : 0;
        usleep(1000);
    }
    struct pollfd p = {.fd = fd[0], .events = POLLOUT};
    JR_CHECK_EQ(__jr_poll(&p, 1, 30), 0);
    __jr_recv(fd[1], buf, 3000, 0);
    JR_CHECK_EQ(__jr_poll(&p, 1, 30), 0); /* a little room is not worth it */
    __jr_recv(fd[1], buf, 16384, 0);
    JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
    JR_CHECK_EQ(p.revents, POLLOUT);
}

static void on_usr1(int sig) { (void)sig; }
/* Again and again: the first may come while the call, about to sleep, is still asking the service for something. */
static atomic_bool interrupted;
static void *signal_often(void *arg)
{
    for (; !interrupted; usleep(20000))
        pthread_kill(*(pthread_t *)arg, SIGUSR1);
    return NULL;
}

#define CHECK_INTERRUPTED(call)                                                                                        \
    do {                                                                                                               \
        pthread_t me_ = pthread_self(), t_;                                                                            \
        interrupted = false;                                                                                           \
        pthread_create(&t_, NULL, signal_often, &me_);                                                                 \
        JR_CHECK_EQ(call, -1);                                                                                         \
        JR_CHECK_EQ(errno, EINTR);                                                                                     \
        interrupted = true;                                                                                            \
        pthread_join(t_, NULL);                                                                                        \
    } while (0)

CLIENT_TEST(poll_is_never_restarted)
{
    int fd[3];
    struct sigaction sa = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
    JR_REQUIRE(connected(fd));
    sigaction(SIGUSR1, &sa, NULL);
    struct pollfd p[2] = {{.fd = fd[1], .events = POLLIN}, {.fd = fd[0], .events = POLLIN}};
    for (nfds_t n = 1; n <= 2; n++)
        CHECK_INTERRUPTED(__jr_poll(p, n, 30000));
    int ep = __jr_epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    __jr_epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &ev);
    CHECK_INTERRUPTED(__jr_epoll_wait(ep, &ev, 1, 30000));
}

CLIENT_TEST(never_connected_sockets)
{
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN | POLLOUT}, {.fd = __jr.ctl_fd, .events = POLLIN}};
    JR_CHECK_EQ(__jr_poll(p, 2, 0), 2);
    JR_CHECK_EQ(p[0].revents, POLLOUT | POLLHUP);
    JR_CHECK_EQ(p[1].revents, POLLNVAL); /* libc's own is no fd of the program's */
    fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    p[0].fd = fd;
    JR_CHECK_EQ(__jr_poll(p, 1, 0), 1);
    JR_CHECK_EQ(p[0].revents, POLLOUT);
}

CLIENT_TEST(selects)
{
    int fd[3], pipefd[2];
    fd_set r, w, e;
    JR_REQUIRE(connected(fd));
    JR_REQUIRE(pipe(pipefd) == 0);
    struct timeval tv = {0, 30000};
    FD_ZERO(&r);
    FD_ZERO(&e);
    FD_SET(fd[1], &r);
    FD_SET(pipefd[0], &r);
    FD_SET(fd[1], &e);
    JR_CHECK_EQ(__jr_select(64, &r, NULL, &e, &tv), 0);
    JR_CHECK(!FD_ISSET(fd[1], &r) && !FD_ISSET(fd[1], &e));
    JR_CHECK_EQ(tv.tv_sec * 1000000 + tv.tv_usec, 0);
    pthread_t t = later(fd[0]);
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(fd[1], &r);
    FD_SET(pipefd[0], &r);
    tv = (struct timeval){50, 0};
    JR_CHECK_EQ(__jr_select(64, &r, NULL, NULL, &tv), 1);
    JR_CHECK(FD_ISSET(fd[1], &r) && !FD_ISSET(pipefd[0], &r));
    JR_CHECK(tv.tv_sec > 0 && tv.tv_sec < 50); /* what is left of it */
    pthread_join(t, NULL);
    FD_SET(fd[1], &w);
    JR_CHECK_EQ(__jr_select(64, &r, &w, NULL, NULL), 2);
    FD_SET(60, &r);
    JR_CHECK_EQ(__jr_select(64, &r, NULL, NULL, &tv), -1);
    JR_CHECK_EQ(errno, EBADF);
    FD_ZERO(&r);
    FD_SET(pipefd[0], &r);
    tv = (struct timeval){0, 1000};
    JR_CHECK_EQ(__jr_select(64, &r, NULL, NULL, &tv), 0); /* the kernel's alone */
}

/* ---- epoll ---- */

static int ep_add(int ep, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.fd = fd};
    return __jr_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static int ep_mod(int ep, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.fd = fd};
    return __jr_epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev);
}

#define EXPECT_NONE(ep, ms)                                                                                            \
    do {                                                                                                               \
        struct epoll_event ev_[4];                                                                                     \
        JR_CHECK_EQ(__jr_epoll_wait(ep, ev_, 4, ms), 0);                                                               \
    } while (0)
#define EXPECT_ONE(ep, fd_, events_)                                                                                   \
    do {                                                                                                               \
        struct epoll_event ev_[4] = {0};                                                                               \
        JR_CHECK_EQ(__jr_epoll_wait(ep, ev_, 4, 5000), 1);                                                             \
        JR_CHECK_EQ(ev_[0].data.fd, fd_);                                                                              \
        JR_CHECK_EQ(ev_[0].events, events_);                                                                           \
    } while (0)

static void level(void)
{
    int fd[3], ep = epoll_create1(0); /* one that the client did not see being made */
    JR_REQUIRE(connected(fd));
    JR_CHECK_EQ(ep_add(ep, fd[1], EPOLLIN), 0);
    JR_CHECK_EQ(ep_add(ep, fd[1], EPOLLIN), -1);
    JR_CHECK_EQ(errno, EEXIST);
    EXPECT_NONE(ep, 0);
    EXPECT_NONE(ep, 30);
    pthread_t t = later(fd[0]);
    EXPECT_ONE(ep, fd[1], EPOLLIN);
    EXPECT_ONE(ep, fd[1], EPOLLIN); /* still there */
    pthread_join(t, NULL);
    drain(fd[1]);
    EXPECT_NONE(ep, 10);
    JR_CHECK_EQ(ep_mod(ep, fd[1], EPOLLIN | EPOLLOUT), 0);
    EXPECT_ONE(ep, fd[1], EPOLLOUT);
    EXPECT_ONE(ep, fd[1], EPOLLOUT);
    JR_CHECK_EQ(ep_mod(ep, fd[1], EPOLLIN | EPOLLRDHUP), 0);
    EXPECT_NONE(ep, 0);
    __jr_shutdown(fd[0], SHUT_WR);
    EXPECT_ONE(ep, fd[1], EPOLLIN | EPOLLRDHUP);
    __jr_shutdown(fd[1], SHUT_WR);
    EXPECT_ONE(ep, fd[1], EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    JR_CHECK_EQ(__jr_epoll_ctl(ep, EPOLL_CTL_DEL, fd[1], NULL), 0);
    JR_CHECK_EQ(__jr_epoll_ctl(ep, EPOLL_CTL_DEL, fd[1], NULL), -1);
    JR_CHECK_EQ(errno, ENOENT);
    EXPECT_NONE(ep, 0);
    struct jr_sock s;
    __jr_sock_get(fd[1], &s);
    JR_CHECK_EQ(s.slot->watch, 0);
    JR_CHECK_EQ(__jr_close(ep), 0);
    for (int e = 0; e < 64; e++)
        JR_CHECK_EQ(s.seg->eqs[e].kind, JR_EQ_FREE);
}
CLIENT_TEST(epoll_level) { level(); }
CLIENT_TEST(epoll_level_pair, .pairs = true) { level(); }
CLIENT_TEST(epoll_level_spinning, .spin_us = 50) { level(); }

static void edge(void)
{
    int fd[3], ep = __jr_epoll_create1(EPOLL_CLOEXEC);
    JR_REQUIRE(connected(fd));
    JR_CHECK_EQ(ep_add(ep, fd[1], EPOLLIN | EPOLLET), 0);
    EXPECT_NONE(ep, 0);
    __jr_send(fd[0], "abc", 3, 0);
    EXPECT_ONE(ep, fd[1], EPOLLIN);
    EXPECT_NONE(ep, 20); /* reported once */
    char c;
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, 0), 1);
    EXPECT_NONE(ep, 20); /* reading is no edge */
    __jr_send(fd[0], "d", 1, 0);
    EXPECT_ONE(ep, fd[1], EPOLLIN); /* new data is */
    EXPECT_NONE(ep, 0);
    JR_CHECK_EQ(ep_mod(ep, fd[1], EPOLLIN | EPOLLET), 0);
    EXPECT_ONE(ep, fd[1], EPOLLIN); /* and so is MOD */
    drain(fd[1]);
    JR_CHECK_EQ(ep_mod(ep, fd[1], EPOLLOUT | EPOLLET), 0);
    EXPECT_ONE(ep, fd[1], EPOLLOUT);
    __jr_send(fd[0], "e", 1, 0);
    wait_readable(fd[1]);
    EXPECT_NONE(ep, 20); /* data does not concern it */
    __jr_shutdown(fd[0], SHUT_WR);
    EXPECT_ONE(ep, fd[1], EPOLLOUT); /* a change of state concerns all */
}
CLIENT_TEST(epoll_edge) { edge(); }
CLIENT_TEST(epoll_edge_pair, .pairs = true) { edge(); }

CLIENT_TEST(epoll_edge_of_space)
{
    int fd[3], ep = __jr_epoll_create1(0);
    static char buf[100000];
    JR_REQUIRE(connected(fd));
    set_nonblock(fd[0]);
    JR_CHECK_EQ(ep_add(ep, fd[0], EPOLLOUT | EPOLLET), 0);
    EXPECT_ONE(ep, fd[0], EPOLLOUT);
    EXPECT_NONE(ep, 0);
    ssize_t n, sent = 0;
    while ((n = __jr_send(fd[0], buf, sizeof buf, 0)) > 0 || sent < 2 * 16384) {
        sent += n > 0 ? n : 0;
        usleep(1000);
    }
    while (sent > 0) {
        n = __jr_recv(fd[1], buf, sizeof buf, 0);
        sent -= n;
    }
    fake_settle(); /* what the service says of the last bytes, it has said */
    EXPECT_ONE(ep, fd[0], EPOLLOUT);
    EXPECT_NONE(ep, 20);
}

CLIENT_TEST(epoll_oneshot)
{
    int fd[3], ep = __jr_epoll_create1(0);
    JR_REQUIRE(connected(fd));
    JR_CHECK_EQ(ep_add(ep, fd[1], EPOLLIN | EPOLLONESHOT), 0);
    __jr_send(fd[0], "a", 1, 0);
    EXPECT_ONE(ep, fd[1], EPOLLIN);
    EXPECT_NONE(ep, 10);
    __jr_send(fd[0], "b", 1, 0);
    fake_settle();
    EXPECT_NONE(ep, 10);
    JR_CHECK_EQ(ep_mod(ep, fd[1], EPOLLIN | EPOLLONESHOT), 0);
    EXPECT_ONE(ep, fd[1], EPOLLIN);
    EXPECT_NONE(ep, 10);
    fake_reset(port_of(fd[1]));
    EXPECT_NONE(ep, 10); /* a disarmed one does not even hear of errors */
    JR_CHECK_EQ(ep_mod(ep, fd[1], 0), 0);
    EXPECT_ONE(ep, fd[1], EPOLLERR | EPOLLHUP);
}

CLIENT_TEST(epoll_dup_and_close)
{
    int fd[3], ep = __jr_epoll_create1(0);
    JR_REQUIRE(connected(fd));
    int d = __jr_dup(fd[1]);
    JR_CHECK(d >= 0 && __jr_is_ours(d));
    JR_CHECK_EQ(ep_add(ep, fd[1], EPOLLIN), 0);
    JR_CHECK_EQ(ep_add(ep, d, EPOLLIN), 0);
    __jr_send(fd[0], "a", 1, 0);
    wait_readable(fd[1]);
    struct epoll_event ev[4];
    JR_CHECK_EQ(__jr_epoll_wait(ep, ev, 4, 5000), 2);
    int was = fd[1];
    JR_CHECK_EQ(__jr_close(fd[1]), 0);
    /* The description is still open: the kernel goes on reporting it too. */
    JR_CHECK_EQ(__jr_epoll_wait(ep, ev, 4, 5000), 2);
    JR_CHECK_EQ(__jr_close(d), 0);
    EXPECT_NONE(ep, 20);
    /* A new socket with the same number is another thing. */
    int again = do_dial(ADDR, 7);
    JR_CHECK_EQ(again, was); /* the lowest free one */
    EXPECT_NONE(ep, 0);
    JR_CHECK_EQ(ep_add(ep, again, EPOLLOUT), 0);
    EXPECT_ONE(ep, again, EPOLLOUT);
}

CLIENT_TEST(epoll_of_both_kinds)
{
    int fd[3], pipefd[2], ep = __jr_epoll_create1(0);
    struct epoll_event ev[4];
    JR_REQUIRE(connected(fd));
    JR_REQUIRE(pipe(pipefd) == 0);
    JR_CHECK_EQ(ep_add(ep, fd[1], EPOLLIN), 0);
    JR_CHECK_EQ(ep_add(ep, pipefd[0], EPOLLIN), 0);
    pthread_t t;
    pthread_create(&t, NULL, write_later, &pipefd[1]);
    EXPECT_ONE(ep, pipefd[0], EPOLLIN);
    pthread_join(t, NULL);
    __jr_send(fd[0], "a", 1, 0);
    wait_readable(fd[1]);
    int seen = 0;
    for (int64_t end = now_ms() + 30000; seen != 3 && now_ms() < end;) { /* neither starves the other */
        int n = __jr_epoll_wait(ep, ev, 4, 1000);
        for (int k = 0; k < n; k++)
            seen |= ev[k].data.fd == pipefd[0] ? 1 : ev[k].data.fd == fd[1] ? 2 : 4;
    }
    JR_CHECK_EQ(seen, 3);
    JR_CHECK_EQ(__jr_epoll_wait(ep, ev, 1, 1000), 1);
    struct timespec ts = {0, 1000};
    drain(fd[1]);
    char c;
    JR_CHECK_EQ(read(pipefd[0], &c, 1), 1);
    JR_CHECK_EQ(__jr_epoll_pwait2(ep, ev, 4, &ts, NULL), 0);
    JR_CHECK_EQ(__jr_epoll_wait(ep, ev, 0, 0), -1);
    JR_CHECK_EQ(errno, EINVAL);
    JR_CHECK_EQ(ep_add(pipefd[0], fd[1], EPOLLIN), -1);
    JR_CHECK_EQ(errno, EINVAL);
    JR_CHECK_EQ(ep_add(60, fd[1], EPOLLIN), -1);
    JR_CHECK_EQ(errno, EBADF);
}

static void nested(bool by_poll)
{
    int fd[3], inner = __jr_epoll_create1(0), outer = __jr_epoll_create1(0);
    struct epoll_event ev;
    JR_REQUIRE(connected(fd));
    if (!by_poll)
        JR_CHECK_EQ(ep_add(outer, inner, EPOLLIN), 0);
    JR_CHECK_EQ(ep_add(inner, fd[1], EPOLLIN), 0);
    struct pollfd p = {.fd = inner, .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        pthread_t t = later(fd[0]);
        if (by_poll) {
            JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
            JR_CHECK_EQ(p.revents, POLLIN);
        } else {
            JR_CHECK_EQ(__jr_epoll_wait(outer, &ev, 1, 5000), 1);
            JR_CHECK_EQ(ev.data.fd, inner);
        }
        EXPECT_ONE(inner, fd[1], EPOLLIN);
        pthread_join(t, NULL);
        drain(fd[1]);
        EXPECT_NONE(inner, 0);
    }
    JR_CHECK_EQ(by_poll ? __jr_poll(&p, 1, 20) : __jr_epoll_wait(outer, &ev, 1, 20), 0);
}
CLIENT_TEST(epoll_in_epoll) { nested(false); }
CLIENT_TEST(epoll_in_poll) { nested(true); }

CLIENT_TEST(socket_in_two_epolls)
{
    int fd[3], a = __jr_epoll_create1(0), b = __jr_epoll_create1(0);
    JR_REQUIRE(connected(fd));
    ep_add(a, fd[1], EPOLLIN);
    ep_add(b, fd[1], EPOLLIN | EPOLLET);
    __jr_send(fd[0], "a", 1, 0);
    EXPECT_ONE(a, fd[1], EPOLLIN);
    EXPECT_ONE(b, fd[1], EPOLLIN);
    EXPECT_ONE(a, fd[1], EPOLLIN);
    EXPECT_NONE(b, 10);
}

/* Two threads, each in an epoll of its own with the same socket, follow it when it moves. */
static void *waits_for_input(void *arg)
{
    struct epoll_event ev;
    int n = __jr_epoll_wait((int)(intptr_t)arg, &ev, 1, 10000);
    return (void *)(intptr_t)(n == 1 && ev.events == EPOLLIN);
}

CLIENT_TEST(moved_socket_in_two_epolls)
{
    for (int round = 0; round < 20; round++) {
        int fd[3], ep[2] = {__jr_epoll_create1(0), __jr_epoll_create1(0)};
        pthread_t t[2];
        void *good;
        char c;
        JR_REQUIRE(connected(fd));
        for (int i = 0; i < 2; i++) {
            ep_add(ep[i], fd[0], EPOLLIN);
            pthread_create(&t[i], NULL, waits_for_input, (void *)(intptr_t)ep[i]);
        }
        usleep(2000);
        JR_CHECK(fake_move(port_of(fd[0])));
        usleep(2000);
        __jr_send(fd[1], "x", 1, 0);
        for (int i = 0; i < 2; i++) {
            pthread_join(t[i], &good);
            JR_CHECK(good != NULL);
        }
        JR_CHECK_EQ(__jr_recv(fd[0], &c, 1, 0), 1);
        for (int i = 0; i < 3; i++)
            __jr_close(fd[i]);
        for (int i = 0; i < 2; i++)
            __jr_close(ep[i]);
    }
}

static void *polls_two(void *arg)
{
    const int *fd = arg;
    struct pollfd p[2] = {{.fd = fd[0], .events = POLLIN}, {.fd = fd[2], .events = POLLIN}};
    const int64_t began = now_ms();
    int n = __jr_poll(p, 2, 20000);
    /* At the end of its time it looks once more. */
    return (void *)(intptr_t)(n == 1 && p[0].revents == POLLIN && now_ms() - began < 15000);
}

/* It moves after poll has looked and before poll's watch is seen: nobody is told then. */
CLIENT_TEST(moves_as_poll_goes_to_sleep)
{
    int fd[3];
    pthread_t t;
    void *good;
    JR_REQUIRE(connected(fd));
    fake_move_at_next_queue(port_of(fd[0]));
    pthread_create(&t, NULL, polls_two, fd);
    while (fake_moves_at_queue())
        usleep(100);
    usleep(20000); /* it sleeps by now */
    __jr_send(fd[1], "x", 1, 0);
    pthread_join(t, &good);
    JR_CHECK(good != NULL);
    for (int i = 0; i < 3; i++)
        __jr_close(fd[i]);
}

/* Several threads wait on one epoll: every byte is found, nobody sleeps on. */
static int shared_ep, got_total, conns[8];
static void *epoll_worker(void *arg)
{
    struct epoll_event ev[2];
    char buf[64];
    (void)arg;
    for (;;) {
        int n = __jr_epoll_wait(shared_ep, ev, 2, 10000);
        if (!JR_CHECK(n > 0))
            return NULL;
        for (int i = 0; i < n; i++) {
            ssize_t r = __jr_recv(ev[i].data.fd, buf, sizeof buf, MSG_DONTWAIT);
            if (r == 0)
                return NULL;
            if (r > 0)
                __atomic_fetch_add(&got_total, (int)r, __ATOMIC_SEQ_CST);
            ep_mod(shared_ep, ev[i].data.fd, EPOLLIN | EPOLLONESHOT);
        }
    }
}

static void many_waiters(void)
{
    int l = do_listen(ADDR, 7, 0), out[8];
    pthread_t t[4];
    shared_ep = __jr_epoll_create1(0);
    for (int i = 0; i < 8; i++) {
        out[i] = do_dial(ADDR, 7);
        conns[i] = __jr_accept(l, NULL, NULL);
        set_nonblock(conns[i]);
        ep_add(shared_ep, conns[i], EPOLLIN | EPOLLONESHOT);
    }
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, epoll_worker, NULL);
    for (int k = 0; k < 2000; k++) {
        __jr_send(out[k % 8], "x", 1, 0);
        if (k % 100 == 0)
            usleep(2000);
    }
    WAIT_FOR(__atomic_load_n(&got_total, __ATOMIC_SEQ_CST) == 2000);
    for (int i = 0; i < 8; i++) /* EOF ends one worker each */
        __jr_shutdown(out[i], SHUT_WR);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}
CLIENT_TEST(epoll_many_waiters) { many_waiters(); }
CLIENT_TEST(epoll_many_waiters_spinning, .spin_us = 30) { many_waiters(); }
CLIENT_TEST(epoll_many_waiters_pairs, .pairs = true) { many_waiters(); }

CLIENT_TEST(epoll_accepts)
{
    int l = do_listen(ADDR, 7, SOCK_NONBLOCK), ep = __jr_epoll_create1(0), n = 0;
    JR_CHECK_EQ(__jr_accept4(l, NULL, NULL, 0), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    ep_add(ep, l, EPOLLIN | EPOLLET);
    EXPECT_NONE(ep, 0);
    for (int i = 0; i < 50; i++) {
        int c = do_dial(ADDR, 7);
        EXPECT_ONE(ep, l, EPOLLIN);
        int a = __jr_accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        n += a >= 0;
        JR_CHECK_EQ(__jr_fcntl(a, F_GETFL, NULL), O_RDWR | O_NONBLOCK);
        JR_CHECK_EQ(__jr_fcntl(a, F_GETFD, NULL), FD_CLOEXEC);
        __jr_close(c);
        __jr_close(a);
    }
    JR_CHECK_EQ(n, 50);
    EXPECT_NONE(ep, 0);
}

/* ---- a wildcard listener, with the kernel's behind it ---- */

CLIENT_TEST(shadow_listener, .listen_route = JR_ROUTE_BOTH)
{
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    int l = do_listen("0.0.0.0", 0, 0), ep = __jr_epoll_create1(0);
    JR_REQUIRE(l >= 0);
    uint16_t port = port_of(l);
    JR_CHECK(port != 0);
    in = in_addr_of("127.0.0.1", port);
    int k = socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK_EQ(connect(k, (struct sockaddr *)&in, sizeof in), 0);
    int a = __jr_accept(l, (struct sockaddr *)&in, &n); /* from the kernel */
    JR_CHECK(a >= 0 && !__jr_is_ours(a));
    int c = do_dial(ADDR, port);
    int b = __jr_accept(l, NULL, NULL); /* from the service */
    JR_CHECK(b >= 0 && __jr_is_ours(b));
    ep_add(ep, l, EPOLLIN);
    EXPECT_NONE(ep, 10);
    int k2 = socket(AF_INET, SOCK_STREAM, 0);
    in = in_addr_of("127.0.0.1", port);
    JR_CHECK_EQ(connect(k2, (struct sockaddr *)&in, sizeof in), 0);
    EXPECT_ONE(ep, l, EPOLLIN);
    EXPECT_ONE(ep, l, EPOLLIN);
    struct pollfd p = {.fd = l, .events = POLLIN};
    JR_CHECK_EQ(__jr_poll(&p, 1, 1000), 1);
    JR_CHECK_EQ(p.revents, POLLIN);
    __jr_close(__jr_accept(l, NULL, NULL));
    EXPECT_NONE(ep, 10);
    JR_CHECK_EQ(__jr_poll(&p, 1, 10), 0);
    int c2 = do_dial(ADDR, port);
    EXPECT_ONE(ep, l, EPOLLIN);
    JR_CHECK_EQ(__jr_poll(&p, 1, 1000), 1);
    __jr_close(__jr_accept(l, NULL, NULL));
    JR_CHECK_EQ(__jr_close(l), 0);
    k2 = socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK_EQ(connect(k2, (struct sockaddr *)&in, sizeof in), -1); /* the shadow went too */
    __jr_close(c);
    __jr_close(c2);
}

CLIENT_TEST(shadow_outlives_the_service, .listen_route = JR_ROUTE_BOTH)
{
    int l = do_listen("0.0.0.0", 0, 0);
    JR_REQUIRE(l >= 0);
    struct sockaddr_in in = in_addr_of("127.0.0.1", port_of(l));
    struct jr_sock s;
    __jr_sock_get(l, &s);
    set_bits(&s.seg->hdr->owner, FUTEX_OWNER_DIED);
    struct pollfd p = {.fd = l, .events = POLLIN};
    JR_CHECK_EQ(__jr_poll(&p, 1, 20), 0);
    int k = socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK_EQ(connect(k, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
    int a = __jr_accept(l, NULL, NULL);
    JR_CHECK(a >= 0 && !__jr_is_ours(a));
}

/* ---- turning to the kernel ---- */

CLIENT_TEST(turns_to_the_kernel)
{
    struct sockaddr_in in = in_addr_of("127.0.0.1", 0);
    socklen_t n = sizeof in;
    int one = 1, v = 0, ep = __jr_epoll_create1(0);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    JR_REQUIRE(bind(l, (struct sockaddr *)&in, sizeof in) == 0 && listen(l, 5) == 0);
    getsockname(l, (struct sockaddr *)&in, &n);
    int fd = __jr_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), d;
    JR_CHECK(__jr_is_ours(fd));
    JR_CHECK_EQ(__jr_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one), 0);
    d = __jr_dup(fd);
    JR_CHECK_EQ(ep_add(ep, fd, EPOLLOUT), 0);
    set_nonblock(fd);
    int r = __jr_connect(fd, (struct sockaddr *)&in, sizeof in);
    JR_CHECK(r == 0 || errno == EINPROGRESS);
    JR_CHECK(!__jr_is_ours(fd) && !__jr_is_ours(d));
    n = sizeof v;
    JR_CHECK_EQ(getsockopt(d, SOL_SOCKET, SO_KEEPALIVE, &v, &n), 0);
    JR_CHECK_EQ(v, 1);
    JR_CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    JR_CHECK_EQ(fcntl(d, F_GETFD), 0);
    JR_CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    EXPECT_ONE(ep, fd, EPOLLOUT);
    WAIT_FOR(fake_closes() == 1);
    int u = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    in = in_addr_of("127.0.0.1", 9);
    JR_CHECK_EQ(__jr_sendto(u, "x", 1, 0, (struct sockaddr *)&in, sizeof in), 1);
    JR_CHECK(!__jr_is_ours(u));
    int o = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    JR_CHECK_EQ(__jr_setsockopt(o, IPPROTO_IP, IP_FREEBIND, &one, sizeof one), 0); /* only the kernel knows it */
    JR_CHECK(!__jr_is_ours(o));
}

JR_TEST_MAIN
