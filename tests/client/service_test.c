/* SPDX-License-Identifier: BSD-3-Clause */
/* libc's client and the service's own code together: two hosts, a wire, local pairs, the service's death. */
#include "two_hosts.h"

#include <sys/ioctl.h>

static int dial(const char *addr, uint16_t port)
{
    struct sockaddr_in in = in_addr_of(addr, port);
    for (int i = 0; i < 3000; i++) {
        int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
        /* Until there is a listener here an own address is the kernel's business. */
        if (strcmp(addr, MINI_A) == 0 && !(ld_relaxed(&jr_policy()->tcp_listen[port / 64]) & 1ull << port % 64)) {
            __jr_close(fd);
            usleep(10000);
            continue;
        }
        if (__jr_connect(fd, (struct sockaddr *)&in, sizeof in) == 0)
            return fd;
        if (errno != ECONNREFUSED)
            perror("connect");
        __jr_close(fd);
        usleep(10000);
    }
    return -1;
}

/* ---- echo ---- */

struct echo {
    const char *addr;
    int conns;
};

static void echo_server(void *arg)
{
    struct echo *e = arg;
    char buf[65536];
    int l = do_listen(e->addr, 7, 0);
    JR_REQUIRE(l >= 0 && __jr_is_ours(l));
    for (int i = 0; i < e->conns; i++) {
        ssize_t r, at;
        int fd = __jr_accept(l, NULL, NULL);
        if (!JR_CHECK(fd >= 0))
            break;
        while ((r = __jr_read(fd, buf, sizeof buf)) > 0)
            for (at = 0; at < r;) {
                ssize_t w = __jr_write(fd, buf + at, (size_t)(r - at));
                if (!JR_CHECK(w > 0))
                    return;
                at += w;
            }
        JR_CHECK_EQ(r, 0);
        __jr_close(fd);
    }
    __jr_close(l);
}

struct sender {
    int fd;
    size_t total;
};

static uint8_t pattern(size_t at) { return (uint8_t)(at * 31 >> 3 ^ at >> 11); }

static void *send_all(void *arg)
{
    struct sender *s = arg;
    static __thread uint8_t buf[60000];
    for (size_t at = 0; at < s->total;) {
        size_t n = s->total - at < sizeof buf ? s->total - at : sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(at + i);
        if (!JR_CHECK_EQ(__jr_send(s->fd, buf, n, 0), (ssize_t)n))
            break;
        at += n;
    }
    __jr_shutdown(s->fd, SHUT_WR);
    return NULL;
}

static void echo_through(const char *addr, size_t total)
{
    struct sender s = {dial(addr, 7), total};
    pthread_t t;
    uint8_t buf[50000];
    size_t at = 0;
    ssize_t r;
    JR_REQUIRE(s.fd >= 0);
    JR_CHECK(__jr_is_ours(s.fd));
    pthread_create(&t, NULL, send_all, &s);
    while ((r = __jr_recv(s.fd, buf, sizeof buf, 0)) > 0) {
        for (ssize_t i = 0; i < r; i++)
            if (buf[i] != pattern(at + (size_t)i)) {
                JR_CHECK_EQ(at + (size_t)i, -1);
                break;
            }
        at += (size_t)r;
    }
    JR_CHECK_EQ(r, 0);
    JR_CHECK_EQ(at, total);
    pthread_join(t, NULL);
    __jr_close(s.fd);
}

static void echo_over_the_wire(void)
{
    struct echo e = {MINI_B, 3};
    pid_t pid = program('b', echo_server, &e);
    echo_through(MINI_B, 1);
    echo_through(MINI_B, 100000);
    echo_through(MINI_B, 20000000);
    join(pid);
    mini_stop();
}
SERVICE_TEST(echoes_over_the_wire) { echo_over_the_wire(); }
SERVICE_TEST(echoes_over_the_wire_spinning, .spin_us = 50) { echo_over_the_wire(); }
SERVICE_TEST(echoes_over_a_lossy_wire, .lose_every = 97)
{
    struct echo e = {MINI_B, 1};
    pid_t pid = program('b', echo_server, &e);
    echo_through(MINI_B, 3000000);
    join(pid);
    mini_stop();
}

static void echo_in_a_pair(void)
{
    struct echo e = {MINI_A, 3};
    pid_t pid = program('a', echo_server, &e);
    echo_through(MINI_A, 1);
    echo_through(MINI_A, 100000);
    echo_through(MINI_A, 20000000);
    join(pid);
    mini_stop();
}
SERVICE_TEST(echoes_in_a_local_pair) { echo_in_a_pair(); }
SERVICE_TEST(echoes_in_a_local_pair_spinning, .spin_us = 50) { echo_in_a_pair(); }

/* ---- an event loop on each side ---- */

static void epoll_server(void *arg)
{
    struct epoll_event ev[8];
    char buf[4096];
    int ep = __jr_epoll_create1(0), l = do_listen(arg, 7, SOCK_NONBLOCK), closed = 0;
    JR_CHECK_EQ(__jr_listen(l, 64), 0); /* the client may come 40 times before this program runs */
    ev[0] = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = l};
    __jr_epoll_ctl(ep, EPOLL_CTL_ADD, l, ev);
    while (closed < 40) {
        int n = __jr_epoll_wait(ep, ev, 8, 20000);
        if (!JR_CHECK(n > 0))
            return;
        for (int i = 0; i < n; i++) {
            int fd = ev[i].data.fd, c;
            if (fd == l) {
                while ((c = __jr_accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = c};
                    JR_CHECK_EQ(__jr_epoll_ctl(ep, EPOLL_CTL_ADD, c, &e), 0);
                }
                JR_CHECK_EQ(errno, EAGAIN);
                continue;
            }
            ssize_t r;
            while ((r = __jr_recv(fd, buf, sizeof buf, 0)) > 0)
                JR_CHECK_EQ(__jr_send(fd, buf, (size_t)r, 0), r);
            if (r == 0) {
                __jr_close(fd);
                closed++;
            }
        }
    }
}

static void epoll_client(const char *addr)
{
    int fd[40], ep = __jr_epoll_create1(0), done = 0;
    unsigned count[40] = {0};
    struct epoll_event ev[16];
    for (int i = 0; i < 40; i++) {
        fd[i] = dial(addr, 7);
        if (!JR_CHECK(fd[i] >= 0))
            return;
        set_nonblock(fd[i]);
        ev[0] = (struct epoll_event){.events = EPOLLIN, .data.u32 = (uint32_t)i};
        JR_CHECK_EQ(__jr_epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], ev), 0);
        JR_CHECK_EQ(__jr_send(fd[i], "ping", 4, 0), 4);
    }
    while (done < 40) {
        int n = __jr_epoll_wait(ep, ev, 16, 20000);
        if (!JR_CHECK(n > 0))
            return;
        for (int i = 0; i < n; i++) {
            uint32_t k = ev[i].data.u32;
            char buf[16];
            ssize_t r = __jr_recv(fd[k], buf, sizeof buf, 0);
            if (r < 0 && errno == EAGAIN)
                continue;
            if (!JR_CHECK_EQ(r, 4))
                return;
            if (++count[k] == 50) {
                __jr_close(fd[k]);
                done++;
            } else {
                JR_CHECK_EQ(__jr_send(fd[k], "ping", 4, 0), 4);
            }
        }
    }
}

SERVICE_TEST(event_loops_over_the_wire)
{
    pid_t pid = program('b', epoll_server, MINI_B);
    epoll_client(MINI_B);
    join(pid);
    mini_stop();
}
SERVICE_TEST(event_loops_in_pairs)
{
    pid_t pid = program('a', epoll_server, MINI_A);
    epoll_client(MINI_A);
    join(pid);
    mini_stop();
}

/* ---- errors ---- */

SERVICE_TEST(refused_and_reset)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 9);
    char c;
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    JR_CHECK_EQ(errno, ECONNREFUSED);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), -1); /* may be tried again */
    JR_CHECK_EQ(errno, ECONNREFUSED);
    __jr_close(fd);
    fd = __jr_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    JR_CHECK_EQ(errno, EINPROGRESS);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    JR_CHECK_EQ(__jr_poll(&p, 1, 5000), 1);
    JR_CHECK_EQ(p.revents, POLLOUT | POLLERR | POLLHUP);
    int v = 0;
    socklen_t n = sizeof v;
    JR_CHECK_EQ(__jr_getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n), 0);
    JR_CHECK_EQ(v, ECONNREFUSED);
    __jr_close(fd);
    struct linger lg = {1, 0};
    int l = do_listen(MINI_A, 8, 0);
    JR_REQUIRE(l >= 0);
    int a = dial(MINI_A, 8), b = __jr_accept(l, NULL, NULL);
    JR_CHECK_EQ(__jr_setsockopt(a, SOL_SOCKET, SO_LINGER, &lg, sizeof lg), 0);
    __jr_close(a);
    JR_CHECK_EQ(__jr_recv(b, &c, 1, 0), -1);
    JR_CHECK_EQ(errno, ECONNRESET);
    int d = do_listen(MINI_A, 8, 0);
    JR_CHECK_EQ(d, -1);
    JR_CHECK_EQ(errno, EADDRINUSE);
    mini_stop();
}

SERVICE_TEST(options)
{
    int v, fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof v;
    v = 1;
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &v, sizeof v), 0);
    v = 0;
    JR_CHECK_EQ(__jr_getsockopt(fd, IPPROTO_TCP, 1, &v, &n), 0);
    JR_CHECK(v != 0);
    v = 1;
    JR_CHECK_EQ(__jr_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, sizeof v), 0);
    JR_CHECK(__jr_is_ours(fd));
    JR_CHECK_EQ(__jr_setsockopt(fd, SOL_SOCKET, 9999, &v, sizeof v), -1);
    JR_CHECK_EQ(errno, ENOPROTOOPT);
    __jr_close(fd);
    mini_stop();
}

/* ---- datagrams ---- */

static void udp_server(void *arg)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 53), from;
    socklen_t n = sizeof from;
    static char buf[66000];
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    (void)arg;
    JR_CHECK_EQ(__jr_bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK(__jr_is_ours(fd));
    for (int i = 0; i < 102; i++) {
        ssize_t r = __jr_recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &n);
        if (!JR_CHECK(r >= 0))
            return;
        JR_CHECK_EQ(__jr_sendto(fd, buf, (size_t)r, 0, (struct sockaddr *)&from, n), r);
    }
}

SERVICE_TEST(datagrams_over_the_wire)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 53);
    static char big[60000], buf[66000];
    struct timeval tv = {0, 300000};
    char echo[16];
    pid_t pid = program('b', udp_server, NULL);
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    __jr_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    int first = 0;
    for (int i = 0; i < 20 && !first; i++) {
        JR_CHECK_EQ(__jr_sendto(fd, "hi", 2, 0, (struct sockaddr *)&in, sizeof in), 2);
        first = __jr_recv(fd, echo, sizeof echo, 0) == 2;
        /* Port unreachable until the server is there. */
    }
    JR_CHECK(first && __jr_is_ours(fd));
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    for (int i = 0; i < 100; i++) {
        JR_CHECK_EQ(__jr_send(fd, &i, sizeof i, 0), sizeof i);
        int got = -1;
        JR_CHECK_EQ(__jr_recv(fd, &got, sizeof got, 0), sizeof got);
        JR_CHECK_EQ(got, i);
    }
    JR_CHECK_EQ(__jr_send(fd, big, sizeof big, 0), sizeof big); /* in fragments */
    JR_CHECK_EQ(__jr_recv(fd, buf, sizeof buf, 0), sizeof big);
    join(pid);
    mini_stop();
}

/* ---- processes ---- */

static pid_t hooked_fork(void)
{
    __jr_fork_prepare();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        __jr_fork_child();
    else
        __jr_fork_parent();
    return pid;
}

/* An echo for one connection at ADDR, on the program's own host or across the wire. */
static void beside_an_echo(const char *addr, void (*body)(const char *addr))
{
    struct echo e = {addr, 1};
    pid_t pid = program(strcmp(addr, MINI_A) == 0 ? 'a' : 'b', echo_server, &e);
    body(addr);
    join(pid);
    mini_stop();
}

static void forking(const char *addr)
{
    char buf[8];
    int l = do_listen(MINI_A, 8, 0);
    int c = dial(addr, 7);
    JR_REQUIRE(l >= 0 && c >= 0);
    JR_CHECK_EQ(__jr_send(c, "one", 3, 0), 3);
    JR_CHECK_EQ(__jr_recv(c, buf, 3, MSG_WAITALL), 3);
    pid_t pid = hooked_fork();
    if (pid == 0) {
        JR_CHECK_EQ(__jr_send(c, "two", 3, 0), 3); /* inherited */
        struct pollfd p[2] = {{.fd = c, .events = POLLIN}, {.fd = l, .events = POLLIN}};
        JR_CHECK(__jr_poll(p, 2, 5000) >= 1);
        JR_CHECK_EQ(__jr_recv(c, buf, 3, MSG_WAITALL), 3);
        int mine = dial(MINI_A, 8); /* its own */
        JR_CHECK(mine >= 0);
        JR_CHECK_EQ(__jr_send(mine, "hey", 3, 0), 3);
        _exit(jr_test_failures ? 1 : 0);
    }
    int a = __jr_accept(l, NULL, NULL);
    JR_CHECK(a >= 0 && __jr_is_ours(a));
    JR_CHECK_EQ(__jr_recv(a, buf, 3, MSG_WAITALL), 3);
    join(pid);
    JR_CHECK_EQ(__jr_recv(a, buf, 3, 0), 0); /* the child's end, with the child */
    JR_CHECK_EQ(__jr_send(c, "tre", 3, 0), 3);
    JR_CHECK_EQ(__jr_recv(c, buf, 3, MSG_WAITALL), 3);
    JR_CHECK_MEM(buf, "tre", 3);
    __jr_close(c);
}

SERVICE_TEST(fork_over_the_wire) { beside_an_echo(MINI_B, forking); }
SERVICE_TEST(fork_with_pairs) { beside_an_echo(MINI_A, forking); }

static int as_new_image(int argc, char **argv)
{
    char buf[8] = "";
    (void)argc;
    __jr_start(environ);
    int fd = atoi(argv[2]);
    if (!__jr_is_ours(fd))
        return 11;
    if (__jr_send(fd, "image", 5, 0) != 5 || __jr_recv(fd, buf, 5, MSG_WAITALL) != 5 || memcmp(buf, "image", 5) != 0)
        return 12;
    return 0;
}

static void execing(const char *addr)
{
    char num[16], buf[8];
    int c = dial(addr, 7);
    JR_REQUIRE(c >= 0);
    JR_CHECK_EQ(__jr_send(c, "first", 5, 0), 5);
    snprintf(num, sizeof num, "%d", c);
    char *argv[] = {"/proc/self/exe", "--image", num, NULL};
    JR_CHECK_EQ(__jr_poll(&(struct pollfd){.fd = c, .events = POLLIN}, 1, 30000), 1); /* unread data goes along */
    pid_t pid = vfork();
    if (pid == 0) {
        size_t n = __jr_exec_size(environ);
        execve(argv[0], argv, n ? __jr_exec_prepare(environ, alloca(n), n) : environ);
        _exit(99);
    }
    int status = -1;
    /* The image reads the first echo before its own: it asks for "image". */
    waitpid(pid, &status, 0);
    JR_CHECK_EQ(WEXITSTATUS(status), 12);
    JR_CHECK_EQ(__jr_recv(c, buf, 5, MSG_WAITALL), 5); /* moved; the parent follows */
    JR_CHECK_MEM(buf, "image", 5);
    pid = hooked_fork();
    if (pid == 0) {
        size_t n = __jr_exec_size(environ);
        execve(argv[0], argv, n ? __jr_exec_prepare(environ, alloca(n), n) : environ);
        _exit(99);
    }
    join(pid);
    JR_CHECK_EQ(__jr_send(c, "after", 5, 0), 5);
    JR_CHECK_EQ(__jr_recv(c, buf, 5, MSG_WAITALL), 5);
    JR_CHECK_MEM(buf, "after", 5);
    __jr_close(c);
}

SERVICE_TEST(exec_over_the_wire) { beside_an_echo(MINI_B, execing); }
SERVICE_TEST(exec_with_pairs) { beside_an_echo(MINI_A, execing); }

/* ---- the service ends ---- */

static void silent_server(void *arg)
{
    int l = do_listen(arg, 7, 0);
    for (;;)
        __jr_accept(l, NULL, NULL);
}

static void dies(void)
{
    char c;
    pid_t pid = program('a', silent_server, MINI_A);
    int fd = dial(MINI_A, 7), k, ep = __jr_epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    JR_REQUIRE(fd >= 0);
    int fd2 = dial(MINI_A, 7);
    __jr_epoll_ctl(ep, EPOLL_CTL_ADD, fd2, &ev);
    JR_CHECK_EQ(__jr_epoll_wait(ep, &ev, 1, 0), 0);
    pthread_t t;
    pthread_create(&t, NULL, (void *(*)(void *))(void (*)(void))mini_kill, NULL);
    JR_CHECK_EQ(__jr_recv(fd, &c, 1, 0), -1);
    JR_CHECK_EQ(errno, ECONNRESET);
    JR_CHECK_EQ(__jr_epoll_wait(ep, &ev, 1, 5000), 1);
    JR_CHECK_EQ(ev.events, EPOLLIN | EPOLLERR | EPOLLHUP);
    JR_CHECK_EQ(__jr_send(fd, "x", 1, MSG_NOSIGNAL), -1);
    JR_CHECK_EQ(errno, EPIPE);
    pthread_join(t, NULL);
    k = __jr_socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK(k >= 0 && !__jr_is_ours(k));
    JR_CHECK_EQ(__jr_close(fd), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
SERVICE_TEST(service_is_killed) { dies(); }

struct jr_test *jr_test_first, **jr_test_last;
unsigned jr_test_failures;

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--image") == 0)
        return as_new_image(argc, argv);
    return jr_test_run_all(argc, argv);
}
