/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals: what is interrupted and what is restarted (signal(7)), handlers that use sockets, and those that do not
 * return. */
#include "diff.h"

static void nothing(int sig) { (void)sig; }

static void handle(int sig, void (*handler)(int), int flags)
{
    struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
    sigaction(sig, &sa, NULL);
}

static char big[16 << 20];

static long c_recv(void *a)
{
    char c;
    return recv(*(int *)a, &c, 1, 0);
}
static long c_read(void *a)
{
    char c;
    return read(*(int *)a, &c, 1);
}
static long c_recvfrom(void *a)
{
    char c;
    return recvfrom(*(int *)a, &c, 1, 0, NULL, NULL);
}
static long c_recvmsg(void *a)
{
    char c;
    struct iovec v = {&c, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    return recvmsg(*(int *)a, &m, 0);
}
static long c_recvmmsg(void *a)
{
    char c;
    struct iovec v = {&c, 1};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    return recvmmsg(*(int *)a, &m, 1, 0, NULL);
}
static long c_accept(void *a) { return accept(*(int *)a, NULL, NULL); }
static long c_send(void *a) { return send(*(int *)a, big, sizeof big, MSG_NOSIGNAL); }
static long c_poll(void *a)
{
    struct pollfd p = {.fd = *(int *)a, .events = POLLIN};
    return poll(&p, 1, 5000);
}
static long c_ppoll(void *a)
{
    struct pollfd p = {.fd = *(int *)a, .events = POLLIN};
    struct timespec ts = {5, 0};
    return ppoll(&p, 1, &ts, NULL);
}
static long c_select(void *a)
{
    fd_set s;
    FD_ZERO(&s);
    FD_SET(*(int *)a, &s);
    struct timeval tv = {5, 0};
    return select(*(int *)a + 1, &s, NULL, NULL, &tv);
}
static long c_pselect(void *a)
{
    fd_set s;
    FD_ZERO(&s);
    FD_SET(*(int *)a, &s);
    return pselect(*(int *)a + 1, &s, NULL, NULL, NULL, NULL);
} /* Both ends' buffers, so that no space comes any more. */
static void fill_up(int fd)
{
    for (int full = 0; full < 200;) {
        ssize_t n = send(fd, big, sizeof big, MSG_DONTWAIT | MSG_NOSIGNAL);
        full = n > 0 ? 0 : full + 1;
        nap(1);
    }
}

static int epoll_fd = -1; /* with the socket in it */
static long c_epoll(void *a)
{
    (void)a;
    struct epoll_event ev;
    return epoll_wait(epoll_fd, &ev, 1, 5000);
}

static const struct {
    const char *name;
    long (*call)(void *);
    int port;
} calls[] = {
    {"recv", c_recv, SILENT},       {"read", c_read, SILENT},         {"recvfrom", c_recvfrom, SILENT},
    {"recvmsg", c_recvmsg, SILENT}, {"recvmmsg", c_recvmmsg, SILENT}, {"send", c_send, SILENT},
    {"poll", c_poll, SILENT},       {"ppoll", c_ppoll, SILENT},       {"select", c_select, SILENT},
    {"pselect", c_pselect, SILENT}, {"epoll_wait", c_epoll, SILENT},  {"accept", c_accept, 0},
};

static int one(int port, bool full)
{
    struct epoll_event ev = {.events = EPOLLIN};
    int fd = port ? dial(port) : listen_on(host_ip, &port);
    warm(fd);
    if (full)
        fill_up(fd);
    close(epoll_fd);
    epoll_fd = MUST(epoll_create1(0));
    MUST(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev));
    return fd;
}

/* One signal while the call sleeps; then, should it have gone on, the end by shutdown. */
static void interrupt_each(int flags, int timeout_ms)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int fd = one(calls[i].port, calls[i].call == c_send);
        struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
        struct blocked b;
        if (timeout_ms) {
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
        }
        handle(SIGUSR1, nothing, flags);
        block(&b, calls[i].call, &fd);
        pthread_kill(b.thread, SIGUSR1);
        if (!came_back(calls[i].name, &b, 150)) {
            shutdown(fd, SHUT_RDWR);
            came_back(calls[i].name, &b, 3000);
        }
        close(fd);
    }
}

CASE(without_restart) { interrupt_each(0, 0); }

CASE(with_restart) { interrupt_each(SA_RESTART, 0); }

CASE(without_restart_with_timeout) { interrupt_each(0, 4000); }

CASE(with_restart_with_timeout) { interrupt_each(SA_RESTART, 4000); }

CASE(ignored_signals)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int fd = one(calls[i].port, calls[i].call == c_send);
        struct blocked b;
        signal(SIGUSR1, SIG_IGN);
        block(&b, calls[i].call, &fd);
        pthread_kill(b.thread, SIGUSR1);
        pthread_kill(b.thread, SIGWINCH);
        if (!came_back(calls[i].name, &b, 100)) {
            shutdown(fd, SHUT_RDWR);
            came_back(calls[i].name, &b, 3000);
        }
        close(fd);
    }
}

CASE(stopped_and_continued)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        /* Between two programs here the peer sees the end before it reads what is in front, and may reset first. */
        if (calls[i].call == c_send && !getenv("DIFF_PEER_NS"))
            continue;
        int fd = one(calls[i].port, calls[i].call == c_send);
        pid_t pid = MUST(fork());
        if (pid == 0) {
            long r = calls[i].call(&fd);
            say("%s = %ld %s", calls[i].name, r, r < 0 ? strerrorname_np(errno) : "");
            _exit(0);
        }
        wait_asleep(pid);
        kill(pid, SIGSTOP);
        waitpid(pid, NULL, WUNTRACED);
        kill(pid, SIGCONT);
        nap(50);
        shutdown(fd, SHUT_RDWR);
        reap(calls[i].name, pid);
        close(fd);
    }
}

static long c_connect(void *a)
{
    struct sockaddr_in sin = address(peer_ip, FULL);
    return connect(*(int *)a, (struct sockaddr *)&sin, sizeof sin);
}

CASE(connect_interrupted)
{
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct blocked b;
        handle(SIGUSR1, nothing, flags);
        block(&b, c_connect, &fd);
        pthread_kill(b.thread, SIGUSR1);
        if (!came_back("connect", &b, 150)) {
            shutdown(fd, SHUT_RDWR);
            came_back("connect", &b, 3000);
        } else {
            fcntl(fd, F_SETFL, O_NONBLOCK);
            say("again: %ld %s", c_connect(&fd), strerrorname_np(errno));
        }
        close(fd);
    }
}

/* What was done before the signal counts. */
static long c_waitall(void *a) { return recv(*(int *)a, big, 10, MSG_WAITALL); }

CASE(some_bytes_then_a_signal)
{
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        int fd = dial(HELLO);
        struct blocked b;
        handle(SIGUSR1, nothing, flags);
        while (recv(fd, big, 5, MSG_PEEK) != 5)
            ;
        block(&b, c_waitall, &fd);
        pthread_kill(b.thread, SIGUSR1);
        if (!came_back("recv", &b, 150)) {
            shutdown(fd, SHUT_RDWR);
            came_back("recv", &b, 3000);
        }
        SAY(recv(fd, big, 10, MSG_DONTWAIT));
        close(fd);
    }
}

/* ---- masks ---- */

CASE(ppoll_masks)
{
    int fd = dial(SILENT);
    sigset_t usr1, none;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec ts = {0, 50000000};
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    handle(SIGUSR1, nothing, SA_RESTART);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    raise(SIGUSR1);
    SAY(poll(&p, 1, 20));
    SAY(ppoll(&p, 1, &ts, &none));
    SAY(ppoll(&p, 1, &ts, &none));
    raise(SIGUSR1);
    fd_set s;
    FD_ZERO(&s);
    FD_SET(fd, &s);
    SAY(pselect(fd + 1, &s, NULL, NULL, &ts, &none));
    raise(SIGUSR1);
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    SAY(epoll_pwait(ep, &ev, 1, 50, &none));
    SAY(epoll_pwait(ep, &ev, 1, 50, &none));
    raise(SIGUSR1);
    struct timespec left = {0, 50000000};
    SAY(epoll_pwait2(ep, &ev, 1, &left, &none));
    /* Ready at once: the signal stays pending. */
    int e = dial(HELLO);
    while (recv(e, big, 5, MSG_PEEK) != 5)
        ;
    p.fd = e;
    raise(SIGUSR1);
    SAY(ppoll(&p, 1, &ts, &none));
    sigset_t pending;
    sigpending(&pending);
    SAY(sigismember(&pending, SIGUSR1));
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    SAY(sigismember(&now, SIGUSR1));
}

/* ---- handlers that use sockets ---- */

static int h_echo, h_listen, h_silent;
static volatile int handled;

static void uses_all(int sig)
{
    (void)sig;
    int saved = errno, bad = 0;
    char buf[16];
    struct sockaddr_in sin = address(peer_ip, ECHO);
    if (send(h_echo, "abc", 3, 0) != 3 || write(h_echo, "d", 1) != 1)
        bad |= 1;
    struct pollfd p = {.fd = h_echo, .events = POLLIN};
    if (poll(&p, 1, 2000) != 1)
        bad |= 2;
    if (recv(h_echo, buf, 4, MSG_WAITALL) != 4 || memcmp(buf, "abcd", 4) != 0)
        bad |= 4;
    fd_set s;
    FD_ZERO(&s);
    FD_SET(h_silent, &s);
    struct timeval tv = {0, 0};
    if (select(h_silent + 1, &s, NULL, NULL, &tv) != 0)
        bad |= 8;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof sin) != 0)
        bad |= 16;
    if (send(fd, "x", 1, 0) != 1 || read(fd, buf, 1) != 1)
        bad |= 32;
    if (shutdown(fd, SHUT_WR) != 0 || recv(fd, buf, 1, 0) != 0 || close(fd) != 0)
        bad |= 64;
    if (accept(h_listen, NULL, NULL) != -1 || errno != EAGAIN)
        bad |= 128;
    int v;
    socklen_t len = sizeof v;
    if (getsockopt(h_echo, SOL_SOCKET, SO_ERROR, &v, &len) != 0 || setsockopt(h_echo, IPPROTO_TCP, TCP_NODELAY, &v, 4))
        bad |= 256;
    if (dup2(h_echo, 90) != 90 || close(90) != 0 || fcntl(h_echo, F_GETFL) < 0)
        bad |= 512;
    if (bad)
        say("in the handler: %x", bad);
    handled++;
    errno = saved;
}

static void prepare_handler(void)
{
    int port;
    h_echo = dial(ECHO);
    h_silent = dial(SILENT);
    h_listen = listen_on(host_ip, &port);
    fcntl(h_listen, F_SETFL, O_NONBLOCK);
}

CASE(handler_uses_sockets_between_calls)
{
    prepare_handler();
    handle(SIGUSR1, uses_all, 0);
    for (int i = 0; i < 20; i++)
        raise(SIGUSR1);
    SAY(handled);
}

CASE(handler_uses_sockets_in_a_blocked_call)
{
    int fd = dial(SILENT);
    prepare_handler();
    handle(SIGUSR1, uses_all, SA_RESTART);
    struct blocked b;
    block(&b, c_recv, &fd);
    for (int i = 0; i < 5; i++) {
        pthread_kill(b.thread, SIGUSR1);
        while (handled <= i)
            nap(1);
    }
    shutdown(fd, SHUT_RDWR);
    came_back("recv", &b, 3000);
    SAY(handled);
}

static int ticks_wanted(int n)
{
    struct itimerval it = {.it_interval.tv_usec = 1500, .it_value.tv_usec = 1500}, off = {0};
    if (n)
        setitimer(ITIMER_REAL, &it, NULL);
    else
        setitimer(ITIMER_REAL, &off, NULL);
    return n;
}

CASE(handler_uses_sockets_at_any_moment)
{
    int ok = 0, fd = dial(ECHO);
    prepare_handler();
    handle(SIGALRM, uses_all, SA_RESTART);
    ticks_wanted(1);
    for (int i = 0; handled < 50 || (i < 1500 && handled < 500); i++) {
        int own = i % 8 == 0 ? dial(ECHO) : -1;
        if (!echoes(fd))
            say("broken at %d", i);
        if (own >= 0) {
            if (!echoes(own))
                say("own broken at %d", i);
            close(own);
        }
    }
    ticks_wanted(0);
    ok = echoes(fd) && echoes(h_echo);
    SAY(ok);
    SAY(handled >= 50);
}

static int same;
static volatile long from_handler;
static void sends_on_the_same(int sig)
{
    (void)sig;
    if (send(same, "H", 1, MSG_DONTWAIT) == 1)
        from_handler++;
}

/* No byte is lost or doubled when a handler sends on the socket that its thread sends on. */
CASE(handler_sends_on_the_same_socket)
{
    same = dial(ECHO);
    handle(SIGALRM, sends_on_the_same, SA_RESTART);
    ticks_wanted(1);
    long h = 0, m = 0, sent = 0;
    static char in[1 << 16], out[5000];
    memset(out, 'm', sizeof out);
    for (int i = 0; i < 4000 || from_handler < 30; i++) {
        ssize_t n = send(same, out, sizeof out, MSG_DONTWAIT);
        sent += n > 0 ? n : 0;
        n = recv(same, in, sizeof in, MSG_DONTWAIT);
        for (ssize_t k = 0; k < n; k++) {
            h += in[k] == 'H';
            m += in[k] == 'm';
        }
    }
    ticks_wanted(0);
    shutdown(same, SHUT_WR);
    ssize_t n;
    while ((n = recv(same, in, sizeof in, 0)) > 0)
        for (ssize_t k = 0; k < n; k++) {
            h += in[k] == 'H';
            m += in[k] == 'm';
        }
    say("all back: %d %d", h == from_handler, m == sent);
}

/* ---- handlers that do not return ---- */

static sigjmp_buf away;
static void jumps(int sig)
{
    (void)sig;
    siglongjmp(away, 1);
}

CASE(jump_out_of_each_call)
{
    handle(SIGALRM, jumps, 0);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        volatile int fd = one(calls[i].port, calls[i].call == c_send), n = fd;
        struct itimerval it = {.it_value.tv_usec = 20000};
        if (sigsetjmp(away, 1) == 0) {
            setitimer(ITIMER_REAL, &it, NULL);
            long r = calls[i].call((void *)&n);
            say("%s came back: %ld", calls[i].name, r);
        } else
            say("%s: away", calls[i].name);
        if (calls[i].port == SILENT) {
            char c;
            SAY(recv(fd, &c, 1, MSG_DONTWAIT));
            if (calls[i].call != c_send)
                SAY(send(fd, &c, 1, MSG_DONTWAIT));
        }
        SAY(close(fd));
    }
    int fd = dial(ECHO);
    SAY(echoes(fd));
}

CASE(jump_at_any_moment)
{
    volatile int jumped = 0, fd = dial(ECHO), i;
    static char buf[1 << 16];
    handle(SIGALRM, jumps, 0);
    ticks_wanted(1);
    for (i = 0; i < 3000 || jumped < 40; i++) {
        if (sigsetjmp(away, 1) != 0) {
            jumped++;
            continue;
        }
        send(fd, buf, 3000, MSG_DONTWAIT);
        recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        poll(&p, 1, 0);
        int v = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, sizeof v);
        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &(socklen_t){sizeof v});
    }
    ticks_wanted(0);
    shutdown(fd, SHUT_WR);
    while (recv(fd, buf, sizeof buf, 0) > 0)
        ;
    SAY(close(fd));
    fd = dial(ECHO);
    SAY(echoes(fd));
    SAY(jumped >= 40);
}

CASE(jump_while_opening_and_closing)
{
    volatile int jumped = 0, i;
    handle(SIGALRM, jumps, 0);
    ticks_wanted(1);
    for (i = 0; i < 1000 || jumped < 40; i++) {
        if (sigsetjmp(away, 1) != 0) {
            jumped++;
            for (int fd = 3; fd < 60; fd++)
                close(fd);
            continue;
        }
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in sin = address(host_ip, 0);
        if (i % 4 == 0)
            bind(fd, (struct sockaddr *)&sin, sizeof sin);
        struct epoll_event ev = {.events = EPOLLIN};
        int ep = epoll_create1(0);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
        epoll_wait(ep, &ev, 1, 0);
        close(ep);
        close(fd);
    }
    ticks_wanted(0);
    int fd = dial(ECHO);
    SAY(fd);
    SAY(echoes(fd));
}

/* ---- deaths ---- */

CASE(sigpipe)
{
    int fd = dial(END);
    char c;
    SAY(recv(fd, &c, 1, 0));
    shutdown(fd, SHUT_WR);
    SAY(send(fd, "x", 1, MSG_NOSIGNAL));
    handle(SIGPIPE, nothing, 0);
    SAY(write(fd, "x", 1));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        write(fd, "x", 1);
        _exit(0);
    }
    reap("child", pid);
}

static volatile sig_atomic_t polls;
static void on_io(int sig)
{
    (void)sig;
    polls++;
}

CASE(abort_and_core)
{
    int fd = dial(ECHO);
    struct rlimit rl = {0, 0};
    setrlimit(RLIMIT_CORE, &rl);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        dial(ECHO);
        abort();
    }
    reap("child", pid);
    pid = MUST(fork());
    if (pid == 0) {
        send(fd, NULL + 1, 1, 0);
        char *null = (char *)8;
        __asm__("" : "+r"(null));
        *null = 1;
        _exit(0);
    }
    reap("child", pid);
    SAY(echoes(fd));
    (void)on_io;
}
