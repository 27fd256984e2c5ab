/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a socket handle costs, by the kernel object it is made of (docs/adr/0001-the-socket-handle.md): a socketpair
 * whose other end the service watches, a FIFO or a plain file in a folder watched by inotify. The service and the
 * program are two processes; each figure is the mean over many objects, in nanoseconds of the process that pays.
 *
 *     cc -O2 -o handle_cost handle_cost.c && ./handle_cost [OBJECTS] [FOLDER on tmpfs]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH 100
#define MAX_OBJECTS 8000

enum kind { PAIR, FIFO, FILE_, KINDS };
static const char *const names[KINDS] = {"socketpair", "FIFO + inotify", "file + inotify"};

static int n_objects = 4000;
static const char *folder = "/dev/shm";
static int dir, ino_fd, ep;
static int fds[MAX_OBJECTS], ours[MAX_OBJECTS];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Memory of the kernel's own objects, KiB. */
static long slab_kib(void)
{
    char line[128];
    long v = -1;
    FILE *f = fopen("/proc/meminfo", "r");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Slab: %ld", &v) == 1)
            break;
    if (f)
        fclose(f);
    return v;
}

static void name_of(int i, char name[16]) { snprintf(name, 16, "%d", i); }

/* First use of a name. */
static void make(enum kind k, int i)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    char name[16];
    int sv[2];

    name_of(i, name);
    if (k == PAIR) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) < 0 ||
            epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], &e) < 0)
            die("socketpair");
        ours[i] = sv[0];
        fds[i] = sv[1];
        return;
    }
    if (k == FIFO && mkfifoat(dir, name, 0600) < 0)
        die("mkfifo");
    fds[i] = openat(dir, name, (k == FILE_ ? O_CREAT : 0) | O_RDWR | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fds[i] < 0)
        die("open");
}

/* Later uses: a socketpair can't be used twice. */
static void reopen(enum kind k, int i)
{
    char name[16];

    if (k == PAIR) {
        make(k, i);
        return;
    }
    name_of(i, name);
    fds[i] = openat(dir, name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fds[i] < 0)
        die("reopen");
}

static void pass(int sock, int from, int n)
{
    char byte = 0, cbuf[CMSG_SPACE(BATCH * sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
    memcpy(CMSG_DATA(c), fds + from, (size_t)n * sizeof(int));
    if (sendmsg(sock, &m, 0) != 1)
        die("sendmsg");
    for (int i = 0; i < n; i++)
        close(fds[from + i]);
}

static void receive(int sock, int to)
{
    char byte, cbuf[CMSG_SPACE(BATCH * sizeof(int))];
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = sizeof cbuf};

    if (recvmsg(sock, &m, 0) != 1)
        die("recvmsg");
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    memcpy(fds + to, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
}

/* The program: receives all, closes all, tells what its calls cost. */
static void program(int sock)
{
    double t[2];
    char go;

    for (;;) {
        double a = now_ns();
        t[0] = t[1] = 0;
        for (int i = 0; i < n_objects; i += BATCH) {
            if (recv(sock, &go, 1, MSG_PEEK) <= 0)
                exit(0);
            a = now_ns();
            receive(sock, i);
            t[0] += now_ns() - a;
        }
        if (read(sock, &go, 1) != 1)
            exit(0);
        a = now_ns();
        for (int i = 0; i < n_objects; i++)
            close(fds[i]);
        t[1] = now_ns() - a;
        if (write(sock, t, sizeof t) != sizeof t)
            exit(1);
    }
}

/* The reports of all closes, as the service reads them in batches. */
static int reports(enum kind k)
{
    struct epoll_event events[256];
    char buf[16384] __attribute__((aligned(8)));
    int n = 0, got;
    ssize_t len;

    if (k != PAIR) {
        while ((len = read(ino_fd, buf, sizeof buf)) > 0)
            for (char *p = buf; p < buf + len; n++)
                p += sizeof(struct inotify_event) + ((struct inotify_event *)p)->len;
        return n;
    }
    while ((got = epoll_wait(ep, events, 256, 0)) > 0)
        for (int i = 0; i < got; i++, n++)
            close(ours[events[i].data.u32]); /* leaves the epoll set with it */
    return n;
}

/* One life of all objects: made by f, passed, closed by the program, reported. Nanoseconds per object. */
struct cost {
    double make, pass, take, close, report;
    long bytes;
};

static struct cost life(enum kind k, int sock, void (*f)(enum kind, int))
{
    struct cost c = {0};
    double t[2], a = now_ns();
    const long before = slab_kib();

    for (int i = 0; i < n_objects; i++)
        f(k, i);
    c.make = now_ns() - a;
    c.bytes = (slab_kib() - before) * 1024 / n_objects;
    for (int i = 0; i < n_objects; i += BATCH) {
        a = now_ns();
        pass(sock, i, BATCH);
        c.pass += now_ns() - a;
        usleep(0);
    }
    if (write(sock, "g", 1) != 1 || read(sock, t, sizeof t) != sizeof t)
        die("program");
    c.take = t[0];
    c.close = t[1];
    a = now_ns();
    const int n = reports(k);
    c.report = now_ns() - a;
    if (n != n_objects) {
        fprintf(stderr, "%s: %d reports for %d objects\n", names[k], n, n_objects);
        exit(1);
    }
    return c;
}

static void print(const char *what, const struct cost *c)
{
    const double n = n_objects;

    printf("%-28s %8.0f %8.0f %8.0f %8.0f %8.0f %8ld\n", what, c->make / n, c->pass / n, c->take / n, c->close / n,
           c->report / n, c->bytes);
}

static void measure(enum kind k, int sock)
{
    char what[64], name[16];
    struct cost c = life(k, sock, make);

    print(names[k], &c);
    for (int r = 0; r < 3; r++)
        c = life(k, sock, reopen);
    snprintf(what, sizeof what, "  again");
    print(what, &c);
    for (int i = 0; i < n_objects && k != PAIR; i++) {
        name_of(i, name);
        unlinkat(dir, name, 0);
    }
}

int main(int argc, char **argv)
{
    char path[256];
    int sv[2];

    if (argc > 1)
        n_objects = atoi(argv[1]) / BATCH * BATCH;
    if (argc > 2)
        folder = argv[2];
    if (n_objects < BATCH || n_objects > MAX_OBJECTS) /* below inotify's queue and the descriptor limit */
        return 2;
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){20000, 20000});
    snprintf(path, sizeof path, "%s/handle_cost.XXXXXX", folder);
    if (!mkdtemp(path) || (dir = open(path, O_DIRECTORY | O_CLOEXEC)) < 0)
        die(path);
    ino_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (inotify_add_watch(ino_fd, path, IN_CLOSE_WRITE) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
        die("start");
    const pid_t pid = fork();
    if (pid == 0) {
        close(sv[0]);
        program(sv[1]);
    }
    close(sv[1]);
    printf("%-28s %8s %8s %8s %8s %8s %8s\n", "ns per handle", "make", "pass", "receive", "close", "report", "bytes");
    for (int k = 0; k < KINDS; k++)
        measure((enum kind)k, sv[0]);
    close(sv[0]);
    waitpid(pid, NULL, 0);
    rmdir(path);
    return 0;
}
