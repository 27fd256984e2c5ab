/* SPDX-License-Identifier: BSD-3-Clause */
/* What many cases do: wait for something, fill and empty a socket, look after children, signals and threads. */
#include "../../asleep.h"
#include "diff.h"

volatile sig_atomic_t signals, last_signal;

/* ---- time ---- */

void nap(int ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
        ;
}

int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

long ms_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* ---- one socket ---- */

int await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, events ? 5000 : 20) > 0 ? p.revents : 0;
}

void await_bytes(int fd, int n)
{
    int have = 0;

    for (int i = 0; i < 5000 && have < n; i++) {
        MUST(ioctl(fd, FIONREAD, &have));
        if (have < n)
            nap(1);
    }
    NEED(have >= n);
}

void settle(int ms)
{
    char c = 0;

    nap(ms);
    for (int i = 0; i < 2; i++) {
        struct ends e = tcp_ends();
        NEED(send(e.p, &c, 1, 0) == 1 && recv(e.s, &c, 1, 0) == 1);
        NEED(send(e.s, &c, 1, 0) == 1 && recv(e.p, &c, 1, 0) == 1);
        reset_at_close(e.s);
        close(e.s);
        close(e.p);
    }
}

int unready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    settle(20);
    return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

uint32_t poll_now(int fd)
{
    struct pollfd p = {.fd = fd, .events = (short)0x27df};

    MUST(poll(&p, 1, 0));
    return (uint16_t)p.revents;
}

uint32_t poll_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    MUST(poll(&p, 1, 5000));
    return (uint16_t)p.revents;
}

void feed(struct ends e, const char *text)
{
    const int n = (int)strlen(text);

    NEED(send(e.p, text, (size_t)n, 0) == n);
    await_bytes(e.s, n);
}

size_t drain_off(int fd)
{
    char buf[65536];
    size_t sum = 0;

    for (ssize_t n; (n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0;)
        sum += (size_t)n;
    return sum;
}

size_t fill_both(int fd)
{
    static char buf[65536];
    size_t sum = 0;

    for (int idle = 0; idle < 5;) {
        const ssize_t n = send(fd, buf, sizeof buf, MSG_DONTWAIT | MSG_NOSIGNAL);
        NEED(n > 0 || errno == EAGAIN);
        if (n > 0) {
            sum += (size_t)n;
            idle = 0;
            continue;
        }
        settle(20);
        idle++;
    }
    return sum;
}

void nonblocking(int fd) { MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)); }

void reset_at_close(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
}

int set_int(int fd, int level, int name, int v) { return setsockopt(fd, level, name, &v, sizeof v); }

int get_int(int fd, int level, int name)
{
    int v = -1;
    socklen_t len = sizeof v;

    return getsockopt(fd, level, name, &v, &len) < 0 ? -1 : v;
}

int set_timeout(int fd, int name, int ms)
{
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    return setsockopt(fd, SOL_SOCKET, name, &tv, sizeof tv);
}

void warm(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct epoll_event ev = {.events = EPOLLIN};
    const int ep = epoll_create1(0);

    poll(&p, 1, 1);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    epoll_wait(ep, &ev, 1, 1);
    close(ep);
}

/* ---- memory and signals ---- */

void *bad_page(void)
{
    static char *page;

    if (!page) {
        page = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        NEED(page != MAP_FAILED);
        page += 4096;
    }
    return page;
}

static void on_signal(int sig)
{
    signals++;
    last_signal = sig;
}

int count_signals(int sig)
{
    const struct sigaction sa = {.sa_handler = on_signal};

    signals = last_signal = 0;
    return sigaction(sig, &sa, NULL);
}

/* ---- processes and threads ---- */

void reap(const char *who, pid_t pid)
{
    int status = 0;
    pid_t r;

    while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (r < 0)
        say("%s: waitpid: %s", who, errno_text(errno));
    else if (WIFSIGNALED(status))
        say("%s: signal %s", who, sigabbrev_np(WTERMSIG(status)));
    else
        say("%s: exit %d", who, WEXITSTATUS(status));
}

void wait_asleep(pid_t tid) { wait_asleep_for(tid, 5); }

static void *blocked_main(void *arg)
{
    struct blocked *b = arg;

    __atomic_store_n(&b->tid, gettid(), __ATOMIC_SEQ_CST);
    b->result = b->call(b->arg);
    b->error = errno;
    return NULL;
}

void block(struct blocked *b, long (*call)(void *), void *arg)
{
    b->call = call;
    b->arg = arg;
    b->tid = 0;
    MUST(-pthread_create(&b->thread, NULL, blocked_main, b));
    while (__atomic_load_n(&b->tid, __ATOMIC_SEQ_CST) == 0)
        sched_yield();
    wait_asleep(b->tid);
}

/* Over after a time; for a thread that is busy or waits for a processor not before it sleeps. */
static bool joined(struct blocked *b, int ms, void **r)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += ms % 1000 * 1000000L;
    end.tv_sec += ms / 1000 + end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    if (pthread_timedjoin_np(b->thread, r, &end) == 0)
        return true;
    wait_asleep(b->tid);
    return pthread_tryjoin_np(b->thread, r) == 0;
}

bool came_back(const char *who, struct blocked *b, int ms)
{
    void *r = NULL;

    if (!joined(b, ms, &r)) {
        say("%s: still blocked", who);
        return false;
    }
    if (r == PTHREAD_CANCELED)
        say("%s: cancelled", who);
    else if (b->result == -1)
        say("%s: -1 %s", who, errno_text(b->error));
    else
        say("%s: %ld", who, b->result);
    return true;
}
