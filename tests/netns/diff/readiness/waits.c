/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting: time limits, signals and masks, threads, and that whatever happens meanwhile ends the wait. */
#include "diff.h"

#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>

enum way { POLL, PPOLL, SELECT, PSELECT, EPOLL, EPOLL_PWAIT, EPOLL_PWAIT2, WAYS };
static const char *const way_names[] = {"poll", "ppoll", "select", "pselect", "epoll", "epoll_pwait", "epoll_pwait2"};

static struct timespec ts_of(int ms) { return (struct timespec){ms / 1000, ms % 1000 * 1000000L}; }

static int wait_epoll(enum way way, int fd, short events, int ms, const sigset_t *mask)
{
    const struct timespec ts = ts_of(ms);
    struct epoll_event ev = {.events = (uint16_t)events};
    const int ep = epoll_create1(0);
    int n;

    NEED(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
    if (way == EPOLL)
        n = epoll_wait(ep, &ev, 1, ms);
    else if (way == EPOLL_PWAIT)
        n = epoll_pwait(ep, &ev, 1, ms, mask);
    else
        n = epoll_pwait2(ep, &ev, 1, ms < 0 ? NULL : &ts, mask);
    const int err = errno;
    close(ep);
    errno = err;
    return n;
}

static int wait_select(enum way way, int fd, short events, int ms, const sigset_t *mask)
{
    fd_set in, out;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    const struct timespec ts = ts_of(ms);

    FD_ZERO(&in);
    FD_ZERO(&out);
    if (events & POLLIN)
        FD_SET(fd, &in);
    if (events & POLLOUT)
        FD_SET(fd, &out);
    if (way == SELECT)
        return select(fd + 1, &in, &out, NULL, ms < 0 ? NULL : &tv);
    return pselect(fd + 1, &in, &out, NULL, ms < 0 ? NULL : &ts, mask);
}

/* The result of a wait for one fd. */
static int wait_way(enum way way, int fd, short events, int ms, const sigset_t *mask)
{
    struct pollfd p = {.fd = fd, .events = events};
    const struct timespec ts = ts_of(ms);

    switch (way) {
    case POLL:
        return poll(&p, 1, ms);
    case PPOLL:
        return ppoll(&p, 1, ms < 0 ? NULL : &ts, mask);
    case SELECT:
    case PSELECT:
        return wait_select(way, fd, events, ms, mask);
    default:
        return wait_epoll(way, fd, events, ms, mask);
    }
}

/* What happens as soon as the thread that asked for it sleeps. */
struct later {
    int fd, what;
    pthread_t thread, target;
    pid_t tid;             /* the target's */
    volatile bool is_back; /* it needs no further signal */
};
enum { SEND, SHUT, RST, CLOSE, KILL, DRAIN, CONNECT };
static struct sockaddr_in later_to;

static void *do_later(void *arg)
{
    const struct later *l = arg;

    wait_asleep(l->tid);
    switch (l->what) {
    case SEND:
        NEED(send(l->fd, "x", 1, MSG_NOSIGNAL) == 1);
        break;
    case SHUT:
        NEED(shutdown(l->fd, SHUT_WR) == 0);
        break;
    case RST:
        reset_at_close(l->fd);
        close(l->fd);
        break;
    case CLOSE:
        close(l->fd);
        break;
    case KILL:
        /* again, if it only slept on the way to its wait */
        for (int i = 0; !l->is_back; i++, nap(1))
            if (i % 2000 == 0)
                pthread_kill(l->target, SIGUSR1);
        break;
    case DRAIN:
        for (int idle = 0; idle < 30; idle++) {
            if (drain_off(l->fd) > 0)
                idle = 0;
            nap(5);
        }
        break;
    case CONNECT:
        NEED(connect(l->fd, (struct sockaddr *)&later_to, sizeof later_to) == 0);
        break;
    }
    return NULL;
}

static void later(struct later *l, int what, int fd)
{
    *l = (struct later){.fd = fd, .what = what, .target = pthread_self(), .tid = gettid()};
    NEED(pthread_create(&l->thread, NULL, do_later, l) == 0);
}

static volatile sig_atomic_t handled;
static void on_signal(int sig)
{
    (void)sig;
    handled++;
}

static void catch_usr1(int flags)
{
    const struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

    NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
}

/* How long a wait took, in steps large enough for a busy machine. */
static const char *took(int64_t since, int ms)
{
    const int64_t t = now_ms() - since;

    return t < ms - 1 ? "too soon" : t > ms + 30000 ? "too late" : "in time";
}

CASE(wakes_up)
{
    static const int whats[] = {SEND, SHUT, RST, CLOSE};
    static const char *const names[] = {"data", "FIN", "reset", "close"};
    struct later l;
    int fd[2];

    for (enum way w = 0; w < WAYS; w++)
        for (int i = 0; i < 4; i++) {
            tcp_pair(fd);
            later(&l, whats[i], fd[1]);
            const int n = wait_way(w, fd[0], POLLIN, 10000, NULL);
            say("%s by %s: %d", way_names[w], names[i], n);
            pthread_join(l.thread, NULL);
            close(fd[0]);
        }
}

CASE(wakes_up_without_limit)
{
    struct later l;
    int fd[2];

    for (enum way w = 0; w < WAYS; w++) {
        tcp_pair_passive(fd);
        later(&l, SEND, fd[1]);
        say("%s: %d", way_names[w], wait_way(w, fd[0], POLLIN, -1, NULL));
        pthread_join(l.thread, NULL);
        close(fd[0]);
    }
}

CASE(wakes_up_for_datagrams)
{
    struct later l;
    int fd[2];

    for (enum way w = 0; w < WAYS; w++) {
        udp_pair(fd);
        later(&l, SEND, fd[1]);
        say("%s: %d", way_names[w], wait_way(w, fd[0], POLLIN, 10000, NULL));
        pthread_join(l.thread, NULL);
        close(fd[0]);
    }
}

CASE(wakes_up_for_room)
{
    struct later l;
    int fd[2];

    for (enum way w = 0; w < WAYS; w++) {
        tcp_pair(fd);
        fill_both(fd[0]);
        later(&l, DRAIN, fd[1]);
        say("%s: %d", way_names[w], wait_way(w, fd[0], POLLOUT, 10000, NULL));
        pthread_join(l.thread, NULL);
        close(fd[0]);
    }
}

CASE(wakes_up_for_connections)
{
    struct later l;

    for (enum way w = 0; w < WAYS; w++) {
        const int listener = host_listen(&later_to), fd = peer_socket(AF_INET, SOCK_STREAM);
        later(&l, CONNECT, fd);
        say("%s: %d", way_names[w], wait_way(w, listener, POLLIN, 10000, NULL));
        pthread_join(l.thread, NULL);
        NEED(accept(listener, NULL, NULL) >= 0);
        close(listener);
    }
}

/* A wildcard listener has a kernel listener beside it: loopback and the wire both wake it. */
CASE(wakes_up_for_connections_from_anywhere)
{
    struct later l;
    socklen_t len = sizeof later_to;

    for (enum way w = 0; w < WAYS; w++) {
        const int listener = host_socket(SOCK_STREAM);
        later_to = host4;
        later_to.sin_addr.s_addr = htonl(INADDR_ANY);
        NEED(bind(listener, (struct sockaddr *)&later_to, len) == 0 && listen(listener, 5) == 0);
        NEED(getsockname(listener, (struct sockaddr *)&later_to, &len) == 0);
        for (int loopback = 0; loopback < 2; loopback++) {
            later_to.sin_addr.s_addr = loopback ? htonl(INADDR_LOOPBACK) : host4.sin_addr.s_addr;
            later(&l, CONNECT, loopback ? socket(AF_INET, SOCK_STREAM, 0) : peer_socket(AF_INET, SOCK_STREAM));
            say("%s: %d", way_names[w], wait_way(w, listener, POLLIN, 10000, NULL));
            pthread_join(l.thread, NULL);
            NEED(accept(listener, NULL, NULL) >= 0);
            say("then %d", wait_way(w, listener, POLLIN, 0, NULL));
        }
        close(listener);
    }
}

CASE(time_limits)
{
    int fd[2];

    tcp_pair(fd);
    for (enum way w = 0; w < WAYS; w++)
        for (int ms = 0; ms <= 60; ms += 20) {
            const int64_t t0 = now_ms();
            const int n = wait_way(w, fd[0], POLLIN, ms, NULL);
            say("%s %d ms: %d %s", way_names[w], ms, n, took(t0, ms));
        }
}

CASE(nanoseconds)
{
    int fd[2];
    struct epoll_event ev = {.events = EPOLLIN};
    const struct timespec tiny = {0, 1}, half = {0, 500000}, huge = {INT64_MAX, 999999999};
    struct later l;
    const int ep = epoll_create1(0);

    tcp_pair(fd);
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev) == 0);
    SAY(epoll_pwait2(ep, &ev, 1, &tiny, NULL));
    SAY(epoll_pwait2(ep, &ev, 1, &half, NULL));
    later(&l, SEND, fd[1]);
    SAY(epoll_pwait2(ep, &ev, 1, &huge, NULL));
    pthread_join(l.thread, NULL);
    drain_off(fd[0]);
    struct pollfd p = {.fd = fd[0], .events = POLLIN};
    SAY(ppoll(&p, 1, &tiny, NULL));
    later(&l, SEND, fd[1]);
    SAY(ppoll(&p, 1, &huge, NULL));
    pthread_join(l.thread, NULL);
    say("untouched %d", huge.tv_sec == INT64_MAX && tiny.tv_nsec == 1);
}

CASE(interrupted)
{
    int fd[2];
    struct later l;

    tcp_pair(fd);
    for (int restart = 0; restart < 2; restart++) {
        catch_usr1(restart ? SA_RESTART : 0);
        for (enum way w = 0; w < WAYS; w++) {
            handled = 0;
            later(&l, KILL, -1);
            const int64_t t0 = now_ms();
            const int n = wait_way(w, fd[0], POLLIN, restart ? -1 : 30000, NULL);
            const int err = errno;
            l.is_back = true;
            say("%s: %d %s, handled %d, %s", way_names[w], n, errno_text(err), handled > 0, took(t0, 8));
            pthread_join(l.thread, NULL);
        }
    }
}

/* The mask holds exactly while the call waits: a pending signal ends it at once, with EINTR, and runs before it
 * returns. */
CASE(masks)
{
    static const enum way masked[] = {PPOLL, PSELECT, EPOLL_PWAIT, EPOLL_PWAIT2};
    int fd[2];
    sigset_t usr1, none;

    tcp_pair(fd);
    catch_usr1(0);
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        handled = 0;
        raise(SIGUSR1);
        int n = wait_way(masked[i], fd[0], POLLIN, 10000, &none);
        say("%s, pending: %d %s, %d handled", way_names[masked[i]], n, errno_text(errno), handled);
        handled = 0;
        raise(SIGUSR1);
        n = wait_way(masked[i], fd[0], POLLOUT, 10000, &none);
        say("%s, pending, and ready: %d, %d handled", way_names[masked[i]], n, handled);
        n = wait_way(masked[i], fd[0], POLLIN, 0, &none);
        say("%s, no time: %d %s, %d handled", way_names[masked[i]], n, n < 0 ? errno_text(errno) : "", handled);
        sigset_t pending;
        sigpending(&pending);
        say("still pending %d", sigismember(&pending, SIGUSR1));
        struct timespec zero = {0, 0};
        sigtimedwait(&usr1, NULL, &zero);
        n = wait_way(masked[i], fd[0], POLLIN, 20, &usr1);
        say("%s, blocked: %d", way_names[masked[i]], n);
    }
    sigset_t now;
    sigprocmask(0, NULL, &now);
    say("blocked at the end %d", sigismember(&now, SIGUSR1));
}

CASE(select_tells_what_is_left)
{
    int fd[2];
    fd_set in;
    struct timeval tv = {20, 0};
    struct later l;

    tcp_pair(fd);
    later(&l, SEND, fd[1]);
    FD_ZERO(&in);
    FD_SET(fd[0], &in);
    SAY(select(fd[0] + 1, &in, NULL, NULL, &tv));
    say("left %d", tv.tv_sec < 20 && tv.tv_sec > 10);
    pthread_join(l.thread, NULL);
    drain_off(fd[0]);
    tv = (struct timeval){0, 30000};
    SAY(select(fd[0] + 1, &in, NULL, NULL, &tv));
    say("left %ld.%06ld, set %d", (long)tv.tv_sec, (long)tv.tv_usec, FD_ISSET(fd[0], &in));
    FD_SET(fd[0], &in);
    tv = (struct timeval){0, 0};
    SAY(select(fd[0] + 1, &in, NULL, NULL, &tv));
    say("left %ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
    FD_SET(fd[0], &in);
    tv = (struct timeval){20, 2500000};
    later(&l, SEND, fd[1]);
    SAY(select(fd[0] + 1, &in, NULL, NULL, &tv));
    say("left %d", tv.tv_sec >= 10 && tv.tv_sec <= 22 && tv.tv_usec < 1000000);
    pthread_join(l.thread, NULL);
    catch_usr1(0);
    drain_off(fd[0]);
    later(&l, KILL, -1);
    tv = (struct timeval){20, 0};
    SAY(select(fd[0] + 1, &in, NULL, NULL, &tv));
    l.is_back = true;
    say("left %d, set %d", tv.tv_sec < 20 && tv.tv_sec > 10, FD_ISSET(fd[0], &in));
    pthread_join(l.thread, NULL);
}

CASE(kernel_fds_beside)
{
    int fd[2], pipes[2];
    sigset_t usr2;
    struct later l;
    const int event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    const struct itimerspec soon = {.it_value = {0, 20000000}};

    tcp_pair(fd);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    sigprocmask(SIG_BLOCK, &usr2, NULL);
    const int sfd = signalfd(-1, &usr2, 0);
    NEED(pipe(pipes) == 0 && event >= 0 && timer >= 0 && sfd >= 0);
    const int ep = epoll_create1(0), fds[] = {fd[0], pipes[0], event, timer, sfd};
    for (int i = 0; i < 5; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) == 0);
    }
    for (int round = 0; round < 5; round++)
        for (int by_epoll = 0; by_epoll < 2; by_epoll++) {
            struct epoll_event ev[5];
            struct pollfd p[5];
            uint64_t count = 1;
            char buf[128];
            int n, which = -1;
            l.thread = 0;
            if (round == 0)
                later(&l, SEND, fd[1]);
            else if (round == 1)
                NEED(write(pipes[1], "x", 1) == 1);
            else if (round == 2)
                NEED(write(event, &count, 8) == 8);
            else if (round == 3)
                NEED(timerfd_settime(timer, 0, &soon, NULL) == 0);
            else
                raise(SIGUSR2);
            for (int i = 0; i < 5; i++)
                p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
            n = by_epoll ? epoll_wait(ep, ev, 5, 10000) : poll(p, 5, 10000);
            for (int i = 0; i < 5; i++)
                if (by_epoll ? n == 1 && ev[0].data.u32 == (uint32_t)i : p[i].revents != 0)
                    which = i;
            say("round %d: %d, fd %d", round, n, which);
            if (l.thread)
                pthread_join(l.thread, NULL);
            NEED(which >= 0 && read(fds[which], buf, sizeof buf) > 0);
        }
}

/* ---- several threads at one epoll ---- */

static int shared_ep, shared_n;
static void *one_wait(void *arg)
{
    struct epoll_event ev;

    (void)arg;
    if (epoll_wait(shared_ep, &ev, 1, 600) == 1)
        __atomic_add_fetch(&shared_n, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void many_wait(const char *how, uint32_t events)
{
    int fd[2];
    pthread_t t[5];
    struct epoll_event ev = {.events = events};

    tcp_pair(fd);
    shared_ep = epoll_create1(0);
    shared_n = 0;
    NEED(epoll_ctl(shared_ep, EPOLL_CTL_ADD, fd[0], &ev) == 0);
    for (int i = 0; i < 5; i++)
        NEED(pthread_create(&t[i], NULL, one_wait, NULL) == 0);
    nap(100);
    NEED(send(fd[1], "x", 1, 0) == 1);
    for (int i = 0; i < 5; i++)
        pthread_join(t[i], NULL);
    say("%s: %d of 5 threads", how, shared_n);
    close(shared_ep);
    close(fd[0]);
}

CASE(many_threads)
{
    many_wait("edge", EPOLLIN | EPOLLET);
    many_wait("one shot", EPOLLIN | EPOLLONESHOT);
    many_wait("level", EPOLLIN);
}

static void *wait_and_read(void *arg)
{
    struct epoll_event ev;

    (void)arg;
    while (epoll_wait(shared_ep, &ev, 1, -1) == 1) {
        char c;
        const ssize_t n = recv(ev.data.fd, &c, 1, MSG_DONTWAIT);
        if (n == 1 && c == 'q')
            return NULL;
        if (n == 1)
            __atomic_add_fetch(&shared_n, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

CASE(many_threads_share_the_work)
{
    int fd[4][2];
    pthread_t t[4];

    shared_ep = epoll_create1(0);
    for (int i = 0; i < 4; i++) {
        tcp_pair(fd[i]);
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd[i][0]};
        NEED(epoll_ctl(shared_ep, EPOLL_CTL_ADD, fd[i][0], &ev) == 0);
        NEED(pthread_create(&t[i], NULL, wait_and_read, NULL) == 0);
    }
    for (int i = 0; i < 400; i++)
        NEED(send(fd[i % 4][1], "x", 1, 0) == 1);
    for (int i = 0; i < 500 && __atomic_load_n(&shared_n, __ATOMIC_SEQ_CST) < 400; i++)
        nap(10);
    say("%d read", shared_n);
    for (int i = 0; i < 4; i++)
        NEED(send(fd[i][1], "q", 1, 0) == 1);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

/* What changes in the set while a thread waits on it counts at once. */
static void *wait_on(void *arg)
{
    struct epoll_event ev = {0};
    const int n = epoll_wait(*(int *)arg, &ev, 1, 5000);

    return (void *)(intptr_t)(n == 1 ? (int)ev.data.u32 : -1);
}

CASE(changed_while_waiting)
{
    int fd[2], other[2];
    pthread_t t;
    void *got;
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 1};
    int ep = epoll_create1(0);

    tcp_pair(fd);
    tcp_pair(other);
    NEED(send(fd[1], "x", 1, 0) == 1);
    poll_for(fd[0], POLLIN);
    NEED(pthread_create(&t, NULL, wait_on, &ep) == 0);
    nap(50);
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
    pthread_join(t, &got);
    say("added: %d", (int)(intptr_t)got);
    ev.events = 0;
    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &ev));
    NEED(pthread_create(&t, NULL, wait_on, &ep) == 0);
    nap(50);
    ev = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 2};
    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &ev));
    pthread_join(t, &got);
    say("modified: %d", (int)(intptr_t)got);
    NEED(pthread_create(&t, NULL, wait_on, &ep) == 0);
    nap(50);
    ev = (struct epoll_event){.events = EPOLLIN, .data.u32 = 3};
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, other[0], &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
    NEED(send(other[1], "x", 1, 0) == 1);
    pthread_join(t, &got);
    say("another: %d", (int)(intptr_t)got);
}

CASE(connect_while_waiting)
{
    struct sockaddr_in sa;
    pthread_t t;
    void *got;
    struct epoll_event ev = {.events = EPOLLOUT | EPOLLET, .data.u32 = 1};
    int ep = epoll_create1(0);
    const int listener = peer_listen(&sa), fd = host_socket(SOCK_STREAM);

    nonblocking(fd);
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
    SAY(epoll_wait(ep, &ev, 1, 0));
    NEED(pthread_create(&t, NULL, wait_on, &ep) == 0);
    nap(50);
    SAY(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    pthread_join(t, &got);
    say("connected: %d", (int)(intptr_t)got);
    say("%s", bits_text(poll_now(fd)));
    close(listener);
}

/* A socket that turns to the kernel stays in the set. */
CASE(turned_to_kernel)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = 1};
    const int ep = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0), fd = host_socket(SOCK_STREAM);

    NEED(bind(listener, (struct sockaddr *)&sa, len) == 0 && listen(listener, 5) == 0);
    NEED(getsockname(listener, (struct sockaddr *)&sa, &len) == 0);
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
    SAY(epoll_wait(ep, &ev, 1, 0));
    NEED(connect(fd, (struct sockaddr *)&sa, len) == 0);
    const int other = accept(listener, NULL, NULL);
    NEED(other >= 0);
    SAY(epoll_wait(ep, &ev, 1, 1000));
    say("%s %u", bits_text(ev.events), ev.data.u32);
    NEED(send(other, "x", 1, 0) == 1);
    SAY(epoll_wait(ep, &ev, 1, 1000));
    say("%s %u", bits_text(ev.events), ev.data.u32);
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
}

/* ---- passed on ---- */

static void pass(int conn, int fd)
{
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {"f", 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    NEED(sendmsg(conn, &msg, 0) == 1);
}

static int take(int conn)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    int fd;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    NEED(recvmsg(conn, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
    return fd;
}

/* A socket that another process made, received here, in a set of ours. */
CASE(received_socket)
{
    int conn[2], fd[2];
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u32 = 1};

    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, conn) == 0);
    fflush(stdout);
    if (fork() == 0) {
        tcp_pair(fd);
        pass(conn[1], fd[0]);
        close(fd[0]);
        for (char c; recv(conn[1], &c, 1, 0) == 1;)
            NEED(send(fd[1], "x", 1, 0) == 1);
        _exit(0);
    }
    close(conn[1]);
    const int sock = take(conn[0]), ep = epoll_create1(0);
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, sock, &ev) == 0);
    SAY(epoll_wait(ep, &ev, 1, 30));
    for (int i = 0; i < 3; i++) {
        NEED(send(conn[0], "x", 1, 0) == 1);
        SAY(epoll_wait(ep, &ev, 1, 5000));
        SAY(epoll_wait(ep, &ev, 1, 30));
    }
    say("%zu bytes", drain_off(sock));
    close(conn[0]);
    say("%d %s", epoll_wait(ep, &ev, 1, 5000), bits_text(ev.events));
}

/* A set with sockets in it, given away and waited on here. */
CASE(passed_socket_stays_here)
{
    int conn[2], fd[2], status;
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 1};
    const int ep = epoll_create1(0);

    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, conn) == 0);
    tcp_pair(fd);
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev) == 0);
    pass(conn[0], fd[0]);
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        const int got = take(conn[1]);
        poll_for(got, POLLIN);
        say("child reads %zu", drain_off(got));
        _exit(0);
    }
    NEED(send(fd[1], "x", 1, 0) == 1);
    NEED(waitpid(pid, &status, 0) == pid && status == 0);
    SAY(epoll_wait(ep, &ev, 1, 30));
    NEED(send(fd[1], "x", 1, 0) == 1);
    SAY(epoll_wait(ep, &ev, 1, 5000));
    say("%zu here", drain_off(fd[0]));
}
