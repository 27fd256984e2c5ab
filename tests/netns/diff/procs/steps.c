/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens between two instructions of a call: a tracer steps through it, and in front of and behind each of its
 * system calls, and at places between them, a handler leaves by siglongjmp, or the process is killed. Whatever was half
 * done, the sockets must go on working, for the process and for others that hold them. */
#include "diff.h"

#include <sys/ptrace.h>
#include <sys/user.h>

#define PLACES 20 /* besides those at system calls */
#define MAX_PLACES 90
#define MAX_STEPS 100000
#define SECONDS_TO_HANG 6

static struct {
    volatile int in_op;       /* 2: it has ended */
    volatile long done, mask; /* positions verified; what went wrong */
} * shared;

/* ---- the calls ---- */

static int sock, epfd, server;
static char junk[256];

static void o_send(void) { send(sock, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL); }
static void o_recv(void) { recv(sock, junk, sizeof junk, MSG_DONTWAIT); }
static void o_poll(void) { poll(&(struct pollfd){.fd = sock, .events = POLLIN | POLLOUT}, 1, 0); }
static void o_select(void)
{
    fd_set in;
    FD_ZERO(&in);
    FD_SET(sock, &in);
    select(sock + 1, &in, NULL, NULL, &(struct timeval){0, 0});
}
static void o_epoll_wait(void)
{
    struct epoll_event ev[4];
    epoll_wait(epfd, ev, 4, 0);
}
static void o_epoll_ctl(void)
{
    epoll_ctl(epfd, EPOLL_CTL_MOD, sock, &(struct epoll_event){.events = EPOLLIN, .data.fd = sock});
}
static void o_epoll_add(void)
{
    epoll_ctl(epfd, EPOLL_CTL_DEL, server, NULL);
    epoll_ctl(epfd, EPOLL_CTL_ADD, server, &(struct epoll_event){.events = EPOLLIN, .data.fd = server});
}
static void o_getsockopt(void)
{
    int v;
    getsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &v, &(socklen_t){sizeof v});
}
static void o_accept(void) { close(accept4(server, NULL, NULL, SOCK_NONBLOCK)); }
static void o_dup(void) { close(dup(sock)); }
static void o_socket(void) { close(socket(AF_INET, SOCK_STREAM, 0)); }

typedef void op(void);

static void prepare(void)
{
    int port;
    struct epoll_event ev = {.events = EPOLLIN};
    sock = dial(ECHO);
    server = listen_on(host_ip, &port);
    fcntl(server, F_SETFL, O_NONBLOCK);
    epfd = MUST(epoll_create1(0));
    ev.data.fd = sock;
    MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, sock, &ev));
    ev.data.fd = server;
    MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, server, &ev));
    struct timeval tv = {3, 0};
    MUST(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
}

/* Bits of what does not work any more. What a send left half way is before the ping. */
static long verify(void)
{
    static uint32_t count;
    char mark[16], buf[4096];
    size_t have = 0, len;
    long bad = 0;
    struct epoll_event ev[4];
    struct pollfd p = {.fd = sock, .events = POLLIN};
    o_getsockopt();
    len = snprintf(mark, sizeof mark, "<%u>", ++count);
    epoll_ctl(epfd, EPOLL_CTL_DEL, server, NULL);
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, server, &(struct epoll_event){.events = EPOLLIN, .data.fd = server}))
        bad |= 1;
    if (epoll_ctl(epfd, EPOLL_CTL_MOD, sock, &(struct epoll_event){.events = EPOLLIN, .data.fd = sock}))
        bad |= 2;
    if (send(sock, mark, len, MSG_NOSIGNAL) != (ssize_t)len)
        bad |= 4;
    if (epoll_wait(epfd, ev, 4, 3000) != 1 || ev[0].data.fd != sock)
        bad |= 8;
    if (poll(&p, 1, 3000) != 1)
        bad |= 16;
    while (!memmem(buf, have, mark, len)) {
        ssize_t n = recv(sock, buf + have, sizeof buf - have, 0);
        if (n <= 0) {
            bad |= 32;
            break;
        }
        have += n;
    }
    int fd = dial(ECHO);
    if (!echoes(fd) || close(fd) != 0)
        bad |= 64;
    return bad;
}

static void prepare_shared(void)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(shared == MAP_FAILED ? -1 : 0);
}

/* ---- the traced process ---- */

static sigjmp_buf away;
static void leave(int sig)
{
    (void)sig;
    siglongjmp(away, 1);
}

static void one_call(op *call)
{
    if (sigsetjmp(away, 1) == 0) {
        raise(SIGSTOP);
        shared->in_op = 1;
        call();
        shared->in_op = 2;
        raise(SIGSTOP); /* the tracer sees that there is nothing more to step through */
    }
    shared->in_op = 0;
}

/* ---- the tracer ---- */

/* Steps the stopped process into its call and COUNT instructions on; false: the call ended before. */
static bool step(pid_t pid, long count)
{
    int status;
    for (long i = 0; i < count;) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
            return false;
        if (shared->in_op == 2)
            return false;
        i += shared->in_op;
    }
    return true;
}

static bool at_syscall(pid_t pid)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
        return false;
    return (ptrace(PTRACE_PEEKTEXT, pid, regs.rip, 0) & 0xffff) == 0x050f;
}

/* Of the places of a long call so many that stepping to them all takes a few seconds. */
static int thinned(long *place, int n)
{
    long steps = 0;
    int kept = 0;
    for (int i = 0; i < n; i++)
        steps += place[i];
    for (int i = 0; i < n; i += 1 + (int)(steps / MAX_STEPS))
        place[kept++] = place[i];
    return kept;
}

/* Steps through the whole call; where to interfere the next times. */
static int find_places(pid_t pid, long *place)
{
    int n = 0;
    long length = 0;
    bool was = false;
    for (; step(pid, 1); length++) {
        bool is = at_syscall(pid);
        if ((is || was) && n < MAX_PLACES - PLACES)
            place[n++] = length + 1;
        was = is;
    }
    for (int i = 0; i < PLACES && i < length; i++)
        place[n++] = 1 + i * length / PLACES;
    return thinned(place, n);
}

/* Until the process stops or ends; false: it does neither. */
static bool waited(pid_t pid, int *status)
{
    for (int ms = 0; ms < SECONDS_TO_HANG * 1000; ms++) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
        nap(1);
    }
    return false;
}

static void end_of(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- handlers that leave ---- */

static void jumping_child(op *call)
{
    struct sigaction sa = {.sa_handler = leave};
    sigaction(SIGUSR1, &sa, NULL);
    prepare();
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    for (;;) {
        one_call(call);
        shared->mask |= verify();
        shared->done++;
    }
}

static void jump_out_of(op *call)
{
    long place[MAX_PLACES];
    int n = -1, i = 0, status;
    prepare_shared();
    shared->done = shared->mask = shared->in_op = 0;
    pid_t pid = MUST(fork());
    if (pid == 0)
        jumping_child(call);
    for (; n < 0 || i < n; i++) {
        if (!waited(pid, &status) || !WIFSTOPPED(status)) {
            say("hangs after place %d", i);
            break;
        }
        if (n < 0) {
            n = find_places(pid, place);
            i = -1;
            while (ptrace(PTRACE_CONT, pid, 0, 0), waited(pid, &status) && WSTOPSIG(status) != SIGSTOP)
                ;
            ptrace(PTRACE_CONT, pid, 0, 0);
            continue;
        }
        bool inside = step(pid, place[i]);
        ptrace(PTRACE_CONT, pid, 0, inside ? SIGUSR1 : 0);
        if (!inside && waited(pid, &status))
            ptrace(PTRACE_CONT, pid, 0, 0); /* the stop at the call's end */
    }
    if (i == n && !waited(pid, &status))
        say("hangs at the end");
    say("wrong: %lx", shared->mask);
    end_of(pid);
}

/* ---- deaths ---- */

static pid_t traced(op *call)
{
    int status;
    pid_t pid = MUST(fork());
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        one_call(call);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return pid;
}

/* The process that goes on had the socket before and has it after. */
static void die_inside(op *call)
{
    long place[MAX_PLACES], bad = 0;
    prepare_shared();
    prepare();
    pid_t pid = traced(call);
    int n = find_places(pid, place);
    end_of(pid);
    for (int i = 0; i < n && bad == 0; i++) {
        shared->in_op = 0;
        pid = traced(call);
        step(pid, place[i]);
        end_of(pid);
        bad = verify();
    }
    say("wrong: %lx", bad);
}

#define CALL(name)                                                                                                     \
    CASE(jump_in_##name) { jump_out_of(o_##name); }                                                                    \
    CASE(die_in_##name) { die_inside(o_##name); }

CALL(send)
CALL(recv)
CALL(poll)
CALL(select)
CALL(epoll_wait)
CALL(epoll_ctl)
CALL(epoll_add)
CALL(getsockopt)
CALL(accept)
CALL(dup)
CALL(socket)
