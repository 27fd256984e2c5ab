/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the cases whose names begin with one of the arguments: HOST_IP PEER_IP PEER_NAMESPACE [NAME...]. */
#include "diff.h"

#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define CASE_SECONDS 8

struct in_addr host_ip, peer_ip;
volatile sig_atomic_t signals, last_signal;

static int peer_ns = -1, own_ns = -1;
static const char *current = "";
static int step;
static bool carried_wanted;

extern const struct diff_case *const __start_diff_cases[], *const __stop_diff_cases[];

/* ---- telling ---- */

long told(const char *what, long r)
{
    const int err = errno;

    if (r < 0)
        printf("%s.%02d %s = %ld %s\n", current, step++, what, r, err ? strerrorname_np(err) : "no errno");
    else
        printf("%s.%02d %s = %ld\n", current, step++, what, r);
    fflush(stdout);
    errno = err;
    return r;
}

void say(const char *form, ...)
{
    va_list ap;

    printf("%s.%02d ", current, step++);
    va_start(ap, form);
    vprintf(form, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
}

void say_bytes(const char *what, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;

    printf("%s.%02d %s: ", current, step++, what);
    for (size_t i = 0; i < n; i++)
        printf(b[i] > ' ' && b[i] < 127 ? "%c" : "<%02x>", b[i]);
    printf("\n");
    fflush(stdout);
}

void say_addr(const char *what, const void *sa, socklen_t len)
{
    struct sockaddr_storage ss = {0};
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (void *)&ss;
    const struct sockaddr_in6 *in6 = (void *)&ss;

    memcpy(&ss, sa, len < sizeof ss ? len : sizeof ss);
    const bool v6 = ss.ss_family == AF_INET6;
    if (v6)
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
    else
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    const bool port = v6 ? in6->sin6_port : in->sin_port;
    say("%s: family %d length %u %s %s", what, ss.ss_family, len, text, port ? "with a port" : "no port");
}

void check(bool ok, const char *what)
{
    if (ok)
        return;
    say("COULD NOT: %s (%s)", what, strerrorname_np(errno));
    exit(1);
}

/* ---- both ends ---- */

/* The patched libc is not to know of it, and it sees syscall(2). */
static long raw(long number, long a, long b, long c)
{
    long r;

    __asm__ volatile("syscall" : "=a"(r) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
}

int peer_socket(int domain, int type)
{
    int fd;

    if (peer_ns < 0)
        return socket(domain, type, 0);
    MUST(setns(peer_ns, CLONE_NEWNET) == 0);
    fd = (int)raw(SYS_socket, domain, type | SOCK_CLOEXEC, 0);
    MUST(setns(own_ns, CLONE_NEWNET) == 0);
    MUST(fd >= 0);
    return fd;
}

struct sockaddr_in at(struct in_addr ip, int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = ip};
}

struct sockaddr_in name_of(int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    MUST(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
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

int peer_listener(int *port)
{
    const int l = peer_socket(AF_INET, SOCK_STREAM);

    MUST(try_bind(l, peer_ip, 0) == 0 && listen(l, 8) == 0);
    *port = port_of(l);
    return l;
}

int listener(int *port)
{
    const int l = socket(AF_INET, SOCK_STREAM, 0);

    MUST(try_bind(l, host_ip, 0) == 0 && listen(l, 8) == 0);
    must_be_carried(l);
    *port = port_of(l);
    return l;
}

int udp_bound(void)
{
    const int s = socket(AF_INET, SOCK_DGRAM, 0);

    MUST(try_bind(s, host_ip, 0) == 0);
    must_be_carried(s);
    return s;
}

struct ends tcp_ends(void)
{
    struct ends e;
    int port, l = peer_listener(&port);

    MUST((e.s = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
    MUST(try_connect(e.s, peer_ip, port) == 0);
    MUST((e.p = accept(l, NULL, NULL)) >= 0);
    close(l);
    must_be_carried(e.s);
    return e;
}

struct ends accepted_ends(void)
{
    struct ends e;
    int port, l = listener(&port);

    e.p = peer_socket(AF_INET, SOCK_STREAM);
    MUST(try_connect(e.p, host_ip, port) == 0);
    MUST((e.s = accept(l, NULL, NULL)) >= 0);
    close(l);
    must_be_carried(e.s);
    return e;
}

struct ends udp_ends(void)
{
    struct ends e = {udp_bound(), peer_socket(AF_INET, SOCK_DGRAM)};

    MUST(try_bind(e.p, peer_ip, 0) == 0);
    MUST(try_connect(e.s, peer_ip, port_of(e.p)) == 0);
    MUST(try_connect(e.p, host_ip, port_of(e.s)) == 0);
    must_be_carried(e.s);
    return e;
}

int await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, events ? 1000 : 20) > 0 ? p.revents : 0;
}

void await_bytes(int fd, int n)
{
    int have = 0;

    for (int i = 0; i < 2000 && have < n; i++) {
        MUST(ioctl(fd, FIONREAD, &have) == 0);
        if (have < n)
            usleep(1000);
    }
    MUST(have >= n);
}

void feed(struct ends e, const char *text)
{
    const int n = (int)strlen(text);

    MUST(send(e.p, text, (size_t)n, 0) == n);
    await_bytes(e.s, n);
}

void *bad_page(void)
{
    static char *page;

    if (!page) {
        page = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        MUST(page != MAP_FAILED);
        page += 4096;
    }
    return page;
}

void must_be_carried(int fd)
{
    struct stat st;

    /* what the kernel knows of it: a handle is a FIFO */
    if (carried_wanted && (raw(SYS_fstat, fd, (long)&st, 0) != 0 || !S_ISFIFO(st.st_mode)))
        say("NOT CARRIED BY THE SERVICE");
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

long ms_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* ---- running ---- */

static void run(const struct diff_case *c)
{
    const pid_t pid = fork();
    int status = 0;

    current = c->name;
    if (pid == 0) {
        alarm(CASE_SECONDS);
        c->run();
        exit(0);
    }
    MUST(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        printf("%s.~ DIED of %s\n", c->name, sigabbrev_np(WTERMSIG(status)));
    fflush(stdout);
}

static bool is_wanted(const char *name, char **prefixes)
{
    bool none = !*prefixes;

    for (; *prefixes; prefixes++)
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return none;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    MUST(inet_aton(argv[1], &host_ip) && inet_aton(argv[2], &peer_ip));
    if (*argv[3]) {
        own_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        peer_ns = open(argv[3], O_RDONLY | O_CLOEXEC);
        MUST(own_ns >= 0 && peer_ns >= 0);
    }
    carried_wanted = getenv("DIFF_CARRIED") != NULL;
    for (const struct diff_case *const *c = __start_diff_cases; c < __stop_diff_cases; c++)
        if (is_wanted((*c)->name, argv + 4))
            run(*c);
    return 0;
}
