/* SPDX-License-Identifier: BSD-3-Clause */
/* pthread_cancel in every call that is a cancellation point, and what works on the socket afterwards. */
#include "diff.h"

#define NO_LIMIT NULL

struct point {
    const char *name;
    long (*call)(void *);
    int port;
};

static struct iovec iov_of(void *p, size_t n) { return (struct iovec){p, n}; }

static char big[16 << 20];

static long p_read(void *a)
{
    char c;
    return read(*(int *)a, &c, 1);
}
static long p_readv(void *a)
{
    char c;
    struct iovec v = iov_of(&c, 1);
    return readv(*(int *)a, &v, 1);
}
static long p_recv(void *a)
{
    char c;
    return recv(*(int *)a, &c, 1, 0);
}
static long p_recvfrom(void *a)
{
    char c;
    return recvfrom(*(int *)a, &c, 1, 0, NULL, NULL);
}
static long p_recvmsg(void *a)
{
    char c;
    struct iovec v = iov_of(&c, 1);
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    return recvmsg(*(int *)a, &m, 0);
}
static long p_recvmmsg(void *a)
{
    char c;
    struct iovec v = iov_of(&c, 1);
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    return recvmmsg(*(int *)a, &m, 1, 0, NO_LIMIT);
}
static long all_out(long r) { return r; }
static long p_write(void *a)
{
    for (;;)
        if (write(*(int *)a, big, sizeof big) < 0)
            return all_out(-1);
}
static long p_writev(void *a)
{
    struct iovec v = iov_of(big, sizeof big);
    for (;;)
        if (writev(*(int *)a, &v, 1) < 0)
            return -1;
}
static long p_send(void *a)
{
    for (;;)
        if (send(*(int *)a, big, sizeof big, 0) < 0)
            return -1;
}
static long p_sendto(void *a)
{
    for (;;)
        if (sendto(*(int *)a, big, sizeof big, 0, NULL, 0) < 0)
            return -1;
}
static long p_sendmsg(void *a)
{
    struct iovec v = iov_of(big, sizeof big);
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    for (;;)
        if (sendmsg(*(int *)a, &m, 0) < 0)
            return -1;
}
static long p_sendmmsg(void *a)
{
    struct iovec v = iov_of(big, sizeof big);
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    for (;;)
        if (sendmmsg(*(int *)a, &m, 1, 0) < 0)
            return -1;
}
static long p_poll(void *a)
{
    struct pollfd p = {.fd = *(int *)a, .events = POLLIN};
    return poll(&p, 1, -1);
}
static long p_ppoll(void *a)
{
    struct pollfd p = {.fd = *(int *)a, .events = POLLIN};
    sigset_t none;
    sigemptyset(&none);
    return ppoll(&p, 1, NULL, &none);
}
static long p_select(void *a)
{
    fd_set s;
    FD_ZERO(&s);
    FD_SET(*(int *)a, &s);
    return select(*(int *)a + 1, &s, NULL, NULL, NULL);
}
static long p_pselect(void *a)
{
    fd_set s;
    FD_ZERO(&s);
    FD_SET(*(int *)a, &s);
    return pselect(*(int *)a + 1, &s, NULL, NULL, NULL, NULL);
}
static int epoll_of(int fd)
{
    static int ep = -1;
    if (ep >= 0)
        close(ep);
    ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    return ep;
}
static long p_epoll_wait(void *a)
{
    struct epoll_event ev;
    return epoll_wait(epoll_of(*(int *)a), &ev, 1, -1);
}
static long p_epoll_pwait(void *a)
{
    struct epoll_event ev;
    return epoll_pwait(epoll_of(*(int *)a), &ev, 1, -1, NULL);
}
static long p_splice(void *a)
{
    int p[2];
    MUST(pipe(p));
    return splice(*(int *)a, NULL, p[1], NULL, 100, 0);
}

static const struct point points[] = {
    {"read", p_read, ECHO},         {"readv", p_readv, ECHO},           {"recv", p_recv, ECHO},
    {"recvfrom", p_recvfrom, ECHO}, {"recvmsg", p_recvmsg, ECHO},       {"recvmmsg", p_recvmmsg, ECHO},
    {"write", p_write, SILENT},     {"writev", p_writev, SILENT},       {"send", p_send, SILENT},
    {"sendto", p_sendto, SILENT},   {"sendmsg", p_sendmsg, SILENT},     {"sendmmsg", p_sendmmsg, SILENT},
    {"poll", p_poll, ECHO},         {"ppoll", p_ppoll, ECHO},           {"select", p_select, ECHO},
    {"pselect", p_pselect, ECHO},   {"epoll_wait", p_epoll_wait, ECHO}, {"epoll_pwait", p_epoll_pwait, ECHO},
    {"splice", p_splice, ECHO},
};

static int cleaned;
static void clean(void *arg)
{
    (void)arg;
    cleaned++;
}

static const struct point *current;
static int mode;

static long with_cleanup(void *arg)
{
    long r;
    int old;
    if (mode == 1)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    if (mode == 2)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_cleanup_push(clean, NULL);
    r = current->call(arg);
    pthread_cleanup_pop(0);
    if (mode == 2)
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    return r;
}

static void usable(const struct point *p, int fd)
{
    int type = 0;
    socklen_t len = sizeof type;
    say("%s: cleaned %d", p->name, cleaned);
    if (p->port == ECHO)
        say("%s: echoes %d", p->name, echoes(fd));
    else {
        while (send(fd, big, sizeof big, MSG_DONTWAIT) > 0)
            ;
        say("%s: full: %s", p->name, strerrorname_np(errno));
    }
    SAY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len));
    SAY(shutdown(fd, SHUT_RDWR));
    SAY(close(fd));
}

static void cancel_each(int with)
{
    mode = with;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        int fd = dial(points[i].port);
        struct blocked b;
        current = &points[i];
        cleaned = 0;
        block(&b, with_cleanup, &fd);
        SAY(pthread_cancel(b.thread));
        came_back(points[i].name, &b, 5000);
        usable(&points[i], fd);
    }
}

CASE(deferred) { cancel_each(0); }

CASE(asynchronous) { cancel_each(1); }

/* A cancellation that came before: the call must not even begin. */
static long pending(void *arg)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cancel(pthread_self());
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    return with_cleanup(arg);
}

CASE(already_pending)
{
    mode = 0;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        int fd = dial(points[i].port == ECHO ? HELLO : SILENT);
        struct blocked b;
        char buf[8] = "";
        current = &points[i];
        while (points[i].port == ECHO && recv(fd, buf, 5, MSG_PEEK) != 5)
            ;
        cleaned = 0;
        block(&b, pending, &fd);
        came_back(points[i].name, &b, 5000);
        if (points[i].port == ECHO)
            SAY(recv(fd, buf, sizeof buf, 0));
        close(fd);
    }
}

/* Disabled: nothing happens until the end. */
CASE(disabled)
{
    mode = 2;
    int fd = dial(SILENT);
    struct blocked b;
    current = &points[2];
    block(&b, with_cleanup, &fd);
    pthread_cancel(b.thread);
    if (!came_back("recv", &b, 200)) {
        shutdown(fd, SHUT_RDWR);
        came_back("recv", &b, 3000);
    }
}

static long p_accept(void *a) { return accept(*(int *)a, NULL, NULL); }
static long p_accept4(void *a) { return accept4(*(int *)a, NULL, NULL, 0); }
static const struct point acceptors[] = {{"accept", p_accept, 0}, {"accept4", p_accept4, 0}};

static void cancel_accept(const char *ip)
{
    for (mode = 0; mode < 2; mode++)
        for (int i = 0; i < 2; i++) {
            int port, l = listen_on(ip, &port);
            struct blocked b;
            current = &acceptors[i];
            cleaned = 0;
            block(&b, with_cleanup, &l);
            pthread_cancel(b.thread);
            came_back(current->name, &b, 5000);
            SAY(cleaned);
            call_me(port, 1, "echo");
            SAY(echoes(accept(l, NULL, NULL)));
        }
}

CASE(accepting) { cancel_accept(host_ip); }

CASE(accepting_on_any_address) { cancel_accept("0.0.0.0"); }

static long p_connect(void *a)
{
    struct sockaddr_in sin = address(peer_ip, FULL);
    return connect(*(int *)a, (struct sockaddr *)&sin, sizeof sin);
}
static const struct point connector = {"connect", p_connect, 0};

CASE(connecting)
{
    for (mode = 0; mode < 2; mode++) {
        int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
        struct blocked b;
        current = &connector;
        cleaned = 0;
        block(&b, with_cleanup, &fd);
        pthread_cancel(b.thread);
        came_back("connect", &b, 5000);
        SAY(cleaned);
        SAY(close(fd));
    }
}

static long p_udp(void *a)
{
    char c;
    return recv(*(int *)a, &c, 1, 0);
}
static const struct point datagram = {"recv", p_udp, 0};

CASE(datagrams)
{
    for (mode = 0; mode < 2; mode++) {
        int fd = dial_udp(ECHO);
        struct blocked b;
        current = &datagram;
        block(&b, with_cleanup, &fd);
        pthread_cancel(b.thread);
        came_back("recv", &b, 5000);
        SAY(echoes(fd));
    }
}

/* Calls that are no cancellation points do their work and return, whatever is pending. */
static long no_points(void *arg)
{
    int fd = *(int *)arg, v = 1;
    struct sockaddr_in sin;
    socklen_t len = sizeof sin, vlen = sizeof v;
    pthread_cancel(pthread_self());
    long r = 0;
    r |= setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, sizeof v);
    r |= getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &vlen);
    r |= getsockname(fd, (struct sockaddr *)&sin, &len);
    r |= getpeername(fd, (struct sockaddr *)&sin, &len);
    r |= fcntl(fd, F_SETFL, 0);
    r |= ioctl(fd, FIONREAD, &v);
    r |= dup2(fd, 99) != 99;
    r |= shutdown(fd, SHUT_WR);
    int port, l = listen_on(host_ip, &port);
    r |= l < 0;
    __atomic_store_n((int *)arg, 1000 + (int)r, __ATOMIC_SEQ_CST);
    pthread_testcancel();
    return 55;
}

CASE(not_cancellation_points)
{
    int fd = dial(ECHO);
    struct blocked b;
    block(&b, no_points, &fd);
    came_back("none", &b, 3000);
    SAY(fd);
}

static volatile int spin_fd;
static void *in_a_hurry(void *arg)
{
    int old;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    for (;;) {
        char buf[512];
        send(spin_fd, buf, sizeof buf, MSG_NOSIGNAL);
        recv(spin_fd, buf, sizeof buf, MSG_DONTWAIT);
    }
    return arg;
}

/* Cancelled anywhere, also while it holds a lock of the socket. */
CASE(asynchronously_anywhere)
{
    int ok = 0;
    for (int i = 0; i < 60; i++) {
        pthread_t t;
        spin_fd = dial(ECHO);
        pthread_create(&t, NULL, in_a_hurry, NULL);
        usleep(500 + 37 * i);
        pthread_cancel(t);
        pthread_join(t, NULL);
        char buf[4096];
        send(spin_fd, "x", 1, 0);
        shutdown(spin_fd, SHUT_WR);
        while (recv(spin_fd, buf, sizeof buf, 0) > 0)
            ;
        ok += close(spin_fd) == 0;
    }
    SAY(ok);
}
