/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases.h's other half: PROGRAM HOST4 PEER4 HOST6 PEER6 SERVER [CASE...] runs cases, PROGRAM --serve PATH gives out
 * sockets of the namespace that it runs in. With CARRIED in the environment the host's sockets must be the service's.
 */
#include "cases.h"

#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define AT_ONCE 6
#define CASE_SECONDS 40

extern const struct ready_case *const __start_ready_cases[], *const __stop_ready_cases[];

struct sockaddr_in host4, peer4;
struct sockaddr_in6 host6, peer6;
static struct sockaddr_un server;
static bool carried;

/* ---- talking ---- */

void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

void die(const char *fmt, ...)
{
    va_list ap;

    printf("DIED: ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    _exit(3);
}

const char *errno_text(int err)
{
    const char *name = strerrorname_np(err);

    return name ? name : "?";
}

long say_result(const char *what, long result)
{
    const int err = errno;

    if (result < 0)
        say("%s = %ld %s", what, result, errno_text(err));
    else
        say("%s = %ld", what, result);
    errno = err;
    return result;
}

const char *bits_text(uint32_t bits)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {EPOLLIN, "IN"},         {EPOLLPRI, "PRI"},         {EPOLLOUT, "OUT"},       {EPOLLERR, "ERR"},
        {EPOLLHUP, "HUP"},       {POLLNVAL, "NVAL"},        {EPOLLRDNORM, "RDNORM"}, {EPOLLRDBAND, "RDBAND"},
        {EPOLLWRNORM, "WRNORM"}, {EPOLLWRBAND, "WRBAND"},   {EPOLLMSG, "MSG"},       {EPOLLRDHUP, "RDHUP"},
        {EPOLLET, "ET"},         {EPOLLONESHOT, "ONESHOT"},
    };
    static _Thread_local char buf[8][160];
    static _Thread_local unsigned at;
    char *out = buf[at++ % 8], *p = out;

    *p = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bits & names[i].bit)
            p += sprintf(p, "%s%s", p == out ? "" : "|", names[i].name);
        bits &= ~names[i].bit;
    }
    if (bits)
        p += sprintf(p, "%s%#x", p == out ? "" : "|", bits);
    return p == out ? "0" : out;
}

/* ---- the peer's sockets ---- */

static int fd_from(int conn)
{
    char control[CMSG_SPACE(sizeof(int))];
    int got;
    struct iovec iov = {&got, sizeof got};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    NEED(recvmsg(conn, &msg, MSG_CMSG_CLOEXEC) == sizeof got && CMSG_FIRSTHDR(&msg));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof got);
    return got;
}

int peer_socket(int domain, int type)
{
    const int want[2] = {domain, type};
    char end;
    const int conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    NEED(conn >= 0 && connect(conn, (struct sockaddr *)&server, sizeof server) == 0);
    NEED(send(conn, want, sizeof want, 0) == sizeof want);
    const int fd = fd_from(conn);
    NEED(recv(conn, &end, sizeof end, 0) == 0); /* the server has closed its own descriptor */
    close(conn);
    return fd;
}

static void give(int conn)
{
    int want[2], got = -1;
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {&got, sizeof got};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    if (recv(conn, want, sizeof want, 0) != sizeof want || (got = socket(want[0], want[1], 0)) < 0)
        return;
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof got)};
    memcpy(CMSG_DATA(c), &got, sizeof got);
    sendmsg(conn, &msg, 0);
    close(got);
}

static int serve(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strncpy(sa.sun_path, path, sizeof sa.sun_path - 1);
    NEED(fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 64) == 0);
    say("serving");
    for (int conn; (conn = accept(fd, NULL, NULL)) >= 0;) {
        give(conn);
        close(conn);
    }
    return 1;
}

int peer_listen(struct sockaddr_in *sa)
{
    const int fd = peer_socket(AF_INET, SOCK_STREAM);
    socklen_t len = sizeof *sa;

    *sa = peer4;
    NEED(bind(fd, (struct sockaddr *)sa, sizeof *sa) == 0 && listen(fd, 16) == 0);
    NEED(getsockname(fd, (struct sockaddr *)sa, &len) == 0);
    return fd;
}

/* ---- the host's ---- */

/* What the kernel itself says: libc would answer as for a socket. */
static long readlink_of_kernel(const char *path, char *link, size_t n)
{
    long r;

    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "0"((long)SYS_readlink), "D"(path), "S"(link), "d"(n)
                     : "rcx", "r11", "memory");
    return r;
}

void must_be_carried(int fd)
{
    char path[64], link[256];

    if (!carried)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const long n = readlink_of_kernel(path, link, sizeof link - 1);
    NEED(n > 0);
    link[n] = 0;
    if (strncmp(link, "socket:", 7) == 0)
        die("fd %d is a kernel socket", fd);
}

int host_socket(int type)
{
    const int fd = socket(AF_INET, type, 0);

    NEED(fd >= 0);
    must_be_carried(fd);
    return fd;
}

int host_listen(struct sockaddr_in *sa)
{
    const int fd = host_socket(SOCK_STREAM);
    socklen_t len = sizeof *sa;

    *sa = host4;
    NEED(bind(fd, (struct sockaddr *)sa, sizeof *sa) == 0 && listen(fd, 16) == 0);
    NEED(getsockname(fd, (struct sockaddr *)sa, &len) == 0);
    must_be_carried(fd);
    return fd;
}

void tcp_pair(int fd[2])
{
    struct sockaddr_in sa;
    const int listener = peer_listen(&sa);

    fd[0] = host_socket(SOCK_STREAM);
    NEED(connect(fd[0], (struct sockaddr *)&sa, sizeof sa) == 0);
    fd[1] = accept(listener, NULL, NULL);
    NEED(fd[1] >= 0);
    must_be_carried(fd[0]);
    close(listener);
}

void tcp_pair_passive(int fd[2])
{
    struct sockaddr_in sa;
    const int listener = host_listen(&sa);

    fd[1] = peer_socket(AF_INET, SOCK_STREAM);
    NEED(connect(fd[1], (struct sockaddr *)&sa, sizeof sa) == 0);
    fd[0] = accept(listener, NULL, NULL);
    NEED(fd[0] >= 0);
    must_be_carried(fd[0]);
    close(listener);
}

void udp_pair(int fd[2])
{
    struct sockaddr_in his = peer4, mine = host4;
    socklen_t len = sizeof his;

    fd[1] = peer_socket(AF_INET, SOCK_DGRAM);
    fd[0] = host_socket(SOCK_DGRAM);
    NEED(bind(fd[1], (struct sockaddr *)&his, len) == 0 && getsockname(fd[1], (struct sockaddr *)&his, &len) == 0);
    NEED(bind(fd[0], (struct sockaddr *)&mine, len) == 0 && getsockname(fd[0], (struct sockaddr *)&mine, &len) == 0);
    NEED(connect(fd[0], (struct sockaddr *)&his, len) == 0 && connect(fd[1], (struct sockaddr *)&mine, len) == 0);
    must_be_carried(fd[0]);
}

/* ---- small things ---- */

struct sockaddr_in at_port(struct sockaddr_in sa, uint16_t port)
{
    sa.sin_port = htons(port);
    return sa;
}

uint16_t local_port(int fd)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;

    NEED(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
    return ntohs(sa.sin_port);
}

uint32_t poll_now(int fd)
{
    struct pollfd p = {.fd = fd, .events = (short)0x27df};

    NEED(poll(&p, 1, 0) >= 0);
    return (uint16_t)p.revents;
}

uint32_t poll_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    NEED(poll(&p, 1, 5000) >= 0);
    return (uint16_t)p.revents;
}

size_t drain(int fd)
{
    char buf[65536];
    size_t sum = 0;

    for (ssize_t n; (n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0;)
        sum += (size_t)n;
    return sum;
}

size_t fill(int fd)
{
    static char buf[65536];
    size_t sum = 0;

    for (int idle = 0; idle < 20;) {
        const ssize_t n = send(fd, buf, sizeof buf, MSG_DONTWAIT | MSG_NOSIGNAL);
        NEED(n > 0 || errno == EAGAIN);
        if (n > 0) {
            sum += (size_t)n;
            idle = 0;
            continue;
        }
        sleep_ms(10);
        idle++;
    }
    return sum;
}

void nonblocking(int fd) { NEED(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0); }

void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    NEED(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
}

void sleep_ms(int ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};

    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}

int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* ---- running ---- */

struct running {
    pid_t pid;
    FILE *out;
};

static struct running start(const struct ready_case *c)
{
    struct running r = {.out = tmpfile()};

    NEED(r.out);
    fflush(stdout);
    r.pid = fork();
    NEED(r.pid >= 0);
    if (r.pid == 0) {
        NEED(dup2(fileno(r.out), 1) == 1);
        close(fileno(r.out));
        alarm(CASE_SECONDS);
        c->run();
        fflush(stdout);
        exit(0);
    }
    return r;
}

static void finish(const struct ready_case *c, struct running *r)
{
    char line[1024];
    int status;

    NEED(waitpid(r->pid, &status, 0) == r->pid);
    rewind(r->out);
    while (fgets(line, sizeof line, r->out))
        printf("%s: %s", c->name, line);
    if (WIFSIGNALED(status))
        say("%s: ended by %s", c->name, sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        say("%s: ended with %d", c->name, WEXITSTATUS(status));
    say("%s: end", c->name);
    fclose(r->out);
}

/* All, or those named, in that order and as often. */
static size_t choose(const struct ready_case **list, char **names)
{
    size_t n = 0;

    if (!*names)
        for (const struct ready_case *const *c = __start_ready_cases; c < __stop_ready_cases; c++)
            list[n++] = *c;
    for (; *names; names++)
        for (const struct ready_case *const *c = __start_ready_cases; c < __stop_ready_cases; c++)
            if (strcmp(*names, (*c)->name) == 0)
                list[n++] = *c;
    return n;
}

int main(int argc, char **argv)
{
    const struct ready_case *list[1024];
    struct running running[1024];
    size_t n = 0, done = 0;

    if (argc == 3 && strcmp(argv[1], "--serve") == 0)
        return serve(argv[2]);
    NEED(argc >= 6);
    host4.sin_family = peer4.sin_family = AF_INET;
    host6.sin6_family = peer6.sin6_family = AF_INET6;
    NEED(inet_pton(AF_INET, argv[1], &host4.sin_addr) == 1 && inet_pton(AF_INET, argv[2], &peer4.sin_addr) == 1);
    NEED(inet_pton(AF_INET6, argv[3], &host6.sin6_addr) == 1 && inet_pton(AF_INET6, argv[4], &peer6.sin6_addr) == 1);
    server.sun_family = AF_UNIX;
    strncpy(server.sun_path, argv[5], sizeof server.sun_path - 1);
    carried = getenv("CARRIED") != NULL;
    n = choose(list, argv + 6);
    NEED(n > 0);
    for (size_t started = 0; done < n; done++) {
        while (started < n && started < done + AT_ONCE) {
            running[started] = start(list[started]);
            started++;
        }
        finish(list[done], &running[done]);
    }
    return 0;
}
