/* SPDX-License-Identifier: BSD-3-Clause */
/* What a differential program is made of. It runs twice, on the stock libc and on the patched one, against a peer on
 * the kernel's stack (peer.py), and must print the same both times. Each CASE runs in a process of its own and prints
 * lines; how it ended is printed too. */
#ifndef JR_DIFF_H
#define JR_DIFF_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The peer's services. */
enum { ECHO = 7, SILENT = 9, FULL = 10, END = 11, RESET = 12, HELLO = 13, FLOOD = 19, CONTROL = 7000 };

extern const char *host_ip, *peer_ip, *self_path;
extern const char *case_name;

/* One line, in one write, whatever other processes print. */
static __attribute__((format(printf, 1, 2), unused)) void say(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = snprintf(line, sizeof line, "%s: ", case_name);
    n += vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    line[n++] = '\n';
    if (syscall(SYS_write, STDOUT_FILENO, line, n) < 0)
        _exit(99);
}

static __attribute__((unused)) long show(const char *what, long r)
{
    if (r == -1)
        say("%s = -1 %s", what, strerrorname_np(errno));
    else
        say("%s = %ld", what, r);
    return r;
}
/* An expression and its value, or its error. */
#define SHOW(e) show(#e, (long)(e))

/* Goes on only if the expression, part of the preparation, did not fail. */
#define MUST(e)                                                                                                        \
    ({                                                                                                                 \
        long must_ = (long)(e);                                                                                        \
        if (must_ < 0) {                                                                                               \
            say("line %d: %s failed: %s", __LINE__, #e, strerrorname_np(errno));                                       \
            _exit(98);                                                                                                 \
        }                                                                                                              \
        must_;                                                                                                         \
    })

struct diff_case {
    const char *name;
    void (*run)(void);
    struct diff_case *next;
};
extern struct diff_case *cases;

#define CASE(id)                                                                                                       \
    static void id(void);                                                                                              \
    static struct diff_case case_##id = {#id, id, NULL};                                                               \
    __attribute__((constructor)) static void enter_##id(void)                                                          \
    {                                                                                                                  \
        struct diff_case **at = &cases;                                                                                \
        while (*at)                                                                                                    \
            at = &(*at)->next;                                                                                         \
        *at = &case_##id;                                                                                              \
    }                                                                                                                  \
    static void id(void)

static __attribute__((unused)) struct sockaddr_in address(const char *ip, int port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, ip, &sin.sin_addr);
    return sin;
}

/* A socket connected to one of the peer's services. */
static __attribute__((unused)) int dial(int port)
{
    struct sockaddr_in sin = address(peer_ip, port);
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(fd, (struct sockaddr *)&sin, sizeof sin));
    return fd;
}

static __attribute__((unused)) int dial_udp(int port)
{
    struct sockaddr_in sin = address(peer_ip, port);
    int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    MUST(connect(fd, (struct sockaddr *)&sin, sizeof sin));
    return fd;
}

/* A listener on an address of the host ("0.0.0.0" for all) and a free port. */
static __attribute__((unused)) int listener(const char *ip, int *port)
{
    struct sockaddr_in sin = address(ip, 0);
    socklen_t len = sizeof sin;
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(bind(fd, (struct sockaddr *)&sin, sizeof sin));
    MUST(listen(fd, 128));
    MUST(getsockname(fd, (struct sockaddr *)&sin, &len));
    *port = ntohs(sin.sin_port);
    return fd;
}

/* Asks the peer for something (peer.py: class Control); its answer, a line without the end. */
static __attribute__((unused, format(printf, 3, 4))) void ask(char *answer, size_t size, const char *format, ...)
{
    char line[200];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    line[n++] = '\n';
    int fd = dial(CONTROL);
    MUST(send(fd, line, n, 0));
    size_t got = 0;
    while (got < size - 1) {
        ssize_t r = recv(fd, answer + got, size - 1 - got, 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        got += r;
    }
    answer[got] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    close(fd);
}

/* The peer opens COUNT connections of a KIND (its services' names) to the host's PORT. */
static __attribute__((unused)) void call_me(int port, int count, const char *kind)
{
    char answer[64];
    ask(answer, sizeof answer, "dial %d %d %s", port, count, kind);
    if (strcmp(answer, "ok") != 0) {
        say("the peer could not connect: %s", answer);
        _exit(97);
    }
}

/* What a socket to an echo is good for. */
static __attribute__((unused)) bool echoes(int fd)
{
    char buf[16] = "";
    return send(fd, "ping", 4, MSG_NOSIGNAL) == 4 && recv(fd, buf, 4, MSG_WAITALL) == 4 && memcmp(buf, "ping", 4) == 0;
}

static __attribute__((unused)) void nap(int ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* How a child ended. */
static __attribute__((unused)) void reap(const char *who, pid_t pid)
{
    int status = 0;
    pid_t r;
    while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (r < 0)
        say("%s: waitpid: %s", who, strerrorname_np(errno));
    else if (WIFSIGNALED(status))
        say("%s: signal %s", who, sigabbrev_np(WTERMSIG(status)));
    else
        say("%s: exit %d", who, WEXITSTATUS(status));
}

/* Waits until a thread or process sleeps in the kernel, which is where a blocking call ends. */
static __attribute__((unused)) void wait_asleep(pid_t tid)
{
    char path[64], line[256];
    for (int calm = 0, i = 0; calm < 10 && i < 5000; i++) {
        snprintf(path, sizeof path, "/proc/%d/stat", tid);
        FILE *f = fopen(path, "re");
        if (!f)
            return;
        bool asleep = fgets(line, sizeof line, f) && strrchr(line, ')') && strrchr(line, ')')[2] == 'S';
        fclose(f);
        calm = asleep ? calm + 1 : 0;
        nap(1);
    }
}

/* The first sleep on a socket may be preceded by preparations that sleep, too. */
static __attribute__((unused)) void warm(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct epoll_event ev = {.events = EPOLLIN};
    int ep = epoll_create1(0);
    poll(&p, 1, 1);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    epoll_wait(ep, &ev, 1, 1);
    close(ep);
}

/* ---- a thread that makes one call ---- */

struct blocked {
    pthread_t thread;
    pid_t tid; /* atomic; 0: not yet */
    long (*call)(void *);
    void *arg;
    long result;
    int error;
};

static void *blocked_main(void *arg)
{
    struct blocked *b = arg;
    __atomic_store_n(&b->tid, gettid(), __ATOMIC_SEQ_CST);
    b->result = b->call(b->arg);
    b->error = errno;
    return NULL;
}

/* Starts it and waits until it sleeps. */
static __attribute__((unused)) void block(struct blocked *b, long (*call)(void *), void *arg)
{
    b->call = call;
    b->arg = arg;
    b->tid = 0;
    MUST(-pthread_create(&b->thread, NULL, blocked_main, b));
    while (__atomic_load_n(&b->tid, __ATOMIC_SEQ_CST) == 0)
        sched_yield();
    wait_asleep(b->tid);
}

/* Whether it has come back within a time; then its result is printed. */
static __attribute__((unused)) bool came_back(const char *who, struct blocked *b, int ms)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    void *r = NULL;
    if (pthread_timedjoin_np(b->thread, &r, &end) != 0) {
        say("%s: still blocked", who);
        return false;
    }
    if (r == PTHREAD_CANCELED)
        say("%s: cancelled", who);
    else if (b->result == -1)
        say("%s: -1 %s", who, strerrorname_np(b->error));
    else
        say("%s: %ld", who, b->result);
    return true;
}

#endif
