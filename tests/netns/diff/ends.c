/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets of both sides of a connection: the host's, which are under test, and the peer's. */
#include "diff.h"

const char *host_ip, *peer_ip;
struct sockaddr_in host4, peer4;
struct sockaddr_in6 host6, peer6;

/* The patched libc is not to know of it, and it sees syscall(2). */
static long raw(long number, long a, long b, long c)
{
    long r;

    __asm__ volatile("syscall" : "=a"(r) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
}

void must_be_carried(int fd)
{
    struct stat st;

    /* what the kernel knows of it: a handle is a FIFO */
    if (getenv("DIFF_CARRIED") && (raw(SYS_fstat, fd, (long)&st, 0) != 0 || !S_ISFIFO(st.st_mode)))
        say("NOT CARRIED BY THE SERVICE");
}

int peer_socket(int domain, int type)
{
    const char *path = getenv("DIFF_PEER_NS");

    if (!path)
        return (int)MUST(socket(domain, type, 0));
    const int own = (int)MUST(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    const int his = (int)MUST(open(path, O_RDONLY | O_CLOEXEC));
    MUST(setns(his, CLONE_NEWNET));
    const int fd = (int)raw(SYS_socket, domain, type | SOCK_CLOEXEC, 0);
    MUST(setns(own, CLONE_NEWNET));
    close(his);
    close(own);
    return (int)MUST(fd);
}

int host_socket(int type)
{
    const int fd = (int)MUST(socket(AF_INET, type, 0));

    must_be_carried(fd);
    return fd;
}

/* ---- names ---- */

struct sockaddr_in at(struct in_addr ip, int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = ip};
}

struct sockaddr_in address(const char *ip, int port)
{
    struct in_addr addr;

    NEED(inet_pton(AF_INET, ip, &addr) == 1);
    return at(addr, port);
}

struct sockaddr_in name_of(int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    MUST(getsockname(fd, (struct sockaddr *)&a, &len));
    return a;
}

int port_of(int fd) { return ntohs(name_of(fd).sin_port); }

int try_bind(int fd, struct in_addr ip, int port)
{
    const struct sockaddr_in a = at(ip, port);

    return bind(fd, (const struct sockaddr *)&a, sizeof a);
}

int try_connect(int fd, struct in_addr ip, int port)
{
    const struct sockaddr_in a = at(ip, port);

    return connect(fd, (const struct sockaddr *)&a, sizeof a);
}

/* ---- listeners ---- */

static int listening(int fd, struct sockaddr_in *sa)
{
    MUST(bind(fd, (struct sockaddr *)sa, sizeof *sa));
    MUST(listen(fd, 16));
    *sa = name_of(fd);
    return fd;
}

int peer_listen(struct sockaddr_in *sa)
{
    *sa = peer4;
    return listening(peer_socket(AF_INET, SOCK_STREAM), sa);
}

int host_listen(struct sockaddr_in *sa)
{
    *sa = host4;
    const int fd = listening(host_socket(SOCK_STREAM), sa);

    must_be_carried(fd);
    return fd;
}

int peer_listener(int *port)
{
    struct sockaddr_in sa;
    const int fd = peer_listen(&sa);

    *port = ntohs(sa.sin_port);
    return fd;
}

int host_listener(int *port)
{
    struct sockaddr_in sa;
    const int fd = host_listen(&sa);

    *port = ntohs(sa.sin_port);
    return fd;
}

int listen_on(const char *ip, int *port)
{
    struct sockaddr_in sin = address(ip, 0);
    const int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

    MUST(bind(fd, (struct sockaddr *)&sin, sizeof sin));
    MUST(listen(fd, 128));
    *port = port_of(fd);
    return fd;
}

int udp_bound(void)
{
    const int s = host_socket(SOCK_DGRAM);

    MUST(try_bind(s, host4.sin_addr, 0));
    must_be_carried(s);
    return s;
}

/* ---- both ends ---- */

struct ends tcp_ends(void)
{
    struct ends e;
    struct sockaddr_in sa;
    const int l = peer_listen(&sa);

    e.s = host_socket(SOCK_STREAM);
    MUST(connect(e.s, (struct sockaddr *)&sa, sizeof sa));
    e.p = (int)MUST(accept(l, NULL, NULL));
    close(l);
    must_be_carried(e.s);
    return e;
}

struct ends accepted_ends(void)
{
    struct ends e;
    struct sockaddr_in sa;
    const int l = host_listen(&sa);

    e.p = peer_socket(AF_INET, SOCK_STREAM);
    MUST(connect(e.p, (struct sockaddr *)&sa, sizeof sa));
    e.s = (int)MUST(accept(l, NULL, NULL));
    close(l);
    must_be_carried(e.s);
    return e;
}

struct ends udp_ends(void)
{
    struct ends e = {udp_bound(), peer_socket(AF_INET, SOCK_DGRAM)};

    MUST(try_bind(e.p, peer4.sin_addr, 0));
    MUST(try_connect(e.s, peer4.sin_addr, port_of(e.p)));
    MUST(try_connect(e.p, host4.sin_addr, port_of(e.s)));
    must_be_carried(e.s);
    return e;
}

static void to_pair(struct ends e, int fd[2])
{
    fd[0] = e.s;
    fd[1] = e.p;
}

void tcp_pair(int fd[2]) { to_pair(tcp_ends(), fd); }

void tcp_pair_passive(int fd[2]) { to_pair(accepted_ends(), fd); }

void udp_pair(int fd[2]) { to_pair(udp_ends(), fd); }

/* ---- the peer's services ---- */

static int dial_by(int type, int port)
{
    const struct sockaddr_in sin = address(peer_ip, port);
    const int fd = (int)MUST(socket(AF_INET, type, 0));

    MUST(connect(fd, (const struct sockaddr *)&sin, sizeof sin));
    return fd;
}

int dial(int port) { return dial_by(SOCK_STREAM, port); }

int dial_udp(int port) { return dial_by(SOCK_DGRAM, port); }

bool echoes(int fd)
{
    char buf[16] = "";

    return send(fd, "ping", 4, MSG_NOSIGNAL) == 4 && recv(fd, buf, 4, MSG_WAITALL) == 4 && memcmp(buf, "ping", 4) == 0;
}

void ask(char *answer, size_t size, const char *format, ...)
{
    char line[200];
    va_list args;
    size_t got = 0;

    va_start(args, format);
    int n = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    line[n++] = '\n';
    const int fd = dial(CONTROL);
    MUST(send(fd, line, (size_t)n, 0));
    while (got < size - 1) {
        const ssize_t r = recv(fd, answer + got, size - 1 - got, 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        got += (size_t)r;
    }
    answer[got] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    close(fd);
}

void call_me(int port, int count, const char *kind)
{
    char answer[64];

    ask(answer, sizeof answer, "dial %d %d %s", port, count, kind);
    if (strcmp(answer, "ok") == 0)
        return;
    say("the peer could not connect: %s", answer);
    _exit(97);
}
