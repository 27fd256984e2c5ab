/* SPDX-License-Identifier: BSD-3-Clause */
/* Situations in which programs find poll, select and epoll: sets of sockets and of other things at once, sets that
 * other processes have, too, descriptors that end while somebody waits. */
#include "diff.h"

static int epoll_of(int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};
    int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    return ep;
}

static int put(int ep, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static int change(int ep, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};
    return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev);
}

/* The data of all events of one call, in order of the numbers. */
static void tell(const char *what, int ep, int max, int ms)
{
    struct epoll_event ev[16];
    char line[200] = "";
    int n = epoll_wait(ep, ev, max, ms);
    for (int want = 0; want < 16; want++)
        for (int i = 0; i < n; i++)
            if (ev[i].data.u64 == (uint64_t)want)
                sprintf(line + strlen(line), " %d:%s", want, bits_text(ev[i].events));
    for (int i = 0; i < n; i++)
        if (ev[i].data.u64 >= 16)
            strcat(line, " ?");
    say("%s: %d%s", what, n, line);
}

/* A connection on which a byte waits to be read. */
static struct ends fed(void)
{
    struct ends e = tcp_ends();
    feed(e, "x");
    await(e.s, POLLIN);
    return e;
}

/* ---- sockets among other things ---- */

/* [0] socket with a byte, [1] pipe with a byte, [2] eventfd, [3] listener with nothing */
static int mixed(int fd[4])
{
    int pipes[2], port;
    uint64_t one = 1;
    fd[0] = fed().s;
    MUST(pipe(pipes));
    MUST(write(pipes[1], "x", 1));
    fd[1] = pipes[0];
    fd[2] = MUST(eventfd(0, EFD_NONBLOCK));
    MUST(write(fd[2], &one, sizeof one));
    fd[3] = host_listener(&port);
    int ep = epoll_of(fd[0], EPOLLIN, 0);
    for (int i = 1; i < 4; i++)
        MUST(put(ep, fd[i], EPOLLIN, i));
    return ep;
}

CASE(all_kinds_in_one_call)
{
    int fd[4], ep = mixed(fd);
    for (int i = 0; i < 20; i++) {
        nap(1);
        tell("level", ep, 16, 1000);
    }
    for (int i = 0; i < 4; i++)
        SAY(change(ep, fd[i], EPOLLIN | EPOLLET, i));
    tell("edge", ep, 16, 1000);
    tell("edge", ep, 16, 0);
    for (int i = 0; i < 4; i++)
        SAY(change(ep, fd[i], EPOLLIN | EPOLLONESHOT, i));
    tell("once", ep, 16, 1000);
    tell("once", ep, 16, 0);
    SAY(change(ep, fd[1], EPOLLIN, 1));
    SAY(change(ep, fd[0], EPOLLIN, 0));
    tell("again", ep, 16, 0);
}

/* However few are told at a time, nobody waits longer than the others take. */
CASE(nobody_starves)
{
    for (int max = 1; max <= 3; max++) {
        int fd[4], ep = mixed(fd), seen = 0;
        for (int i = 0; i < 12; i++) {
            struct epoll_event ev[4];
            nap(1);
            int n = epoll_wait(ep, ev, max, 1000);
            if (n != max)
                say("%d of %d", n, max);
            for (int k = 0; k < n; k++)
                seen |= 1 << ev[k].data.u64;
        }
        say("max %d: seen %x", max, seen);
    }
}

/* Sockets are told in turn even if all stay ready. */
CASE(sockets_take_turns)
{
    struct ends e[6];
    int ep = MUST(epoll_create1(0)), count[6] = {0};
    for (int i = 0; i < 6; i++) {
        e[i] = fed();
        MUST(put(ep, e[i].s, EPOLLIN, i));
    }
    for (int i = 0; i < 30; i++) {
        struct epoll_event ev[4];
        for (int k = epoll_wait(ep, ev, 4, 1000); k-- > 0;)
            count[ev[k].data.u64]++;
    }
    for (int i = 0; i < 6; i++)
        SAY(count[i]);
}

CASE(only_kernel_fds)
{
    uint64_t one = 1;
    int ep = MUST(epoll_create1(0)), fd[4];
    for (int i = 0; i < 4; i++) {
        fd[i] = MUST(eventfd(0, 0));
        MUST(write(fd[i], &one, sizeof one));
        MUST(put(ep, fd[i], EPOLLIN, i));
    }
    for (int i = 0; i < 20; i++)
        tell("level", ep, 4, 0);
    int sock = fed().s;
    MUST(put(ep, sock, EPOLLIN, 4));
    nap(1);
    tell("with a socket", ep, 16, 0);
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, sock, NULL));
    for (int i = 0; i < 20; i++)
        tell("without it", ep, 4, 0);
}

/* ---- other processes ---- */

CASE(child_changes_what_it_inherited)
{
    struct ends a = fed(), b = fed();
    int ep = epoll_of(a.s, EPOLLIN, 1);
    MUST(put(ep, b.s, EPOLLIN, 2));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        tell("child", ep, 16, 1000);
        SAY(put(ep, a.s, EPOLLIN, 3));
        SAY(change(ep, a.s, EPOLLOUT, 3));
        tell("child", ep, 16, 1000);
        SAY(epoll_ctl(ep, EPOLL_CTL_DEL, b.s, NULL));
        tell("child", ep, 16, 1000);
        SAY(epoll_ctl(ep, EPOLL_CTL_DEL, b.s, NULL));
        _exit(0);
    }
    reap("child", pid);
}

/* Killed while it waits; the others go on. */
CASE(child_dies_in_its_wait)
{
    struct ends e = tcp_ends();
    int ep = epoll_of(e.s, EPOLLIN, 1);
    for (int i = 0; i < 8; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            struct epoll_event ev;
            struct pollfd p = {.fd = e.s, .events = POLLIN};
            char c;
            if (i % 4 == 0)
                epoll_wait(ep, &ev, 1, -1);
            else if (i % 4 == 1)
                poll(&p, 1, -1);
            else if (i % 4 == 2)
                recv(e.s, &c, 1, 0);
            else
                ppoll((struct pollfd[]){p, {.fd = 0}}, 2, NULL, NULL);
            _exit(0);
        }
        wait_asleep(pid);
        kill(pid, SIGKILL);
        reap("child", pid);
        char c;
        feed(e, "x");
        tell("parent", ep, 16, 5000);
        SAY(await(e.s, POLLIN));
        SAY(recv(e.s, &c, 1, 0));
    }
}

/* Two processes wait, the first is killed: the second must hear of what comes. */
CASE(one_of_two_waiters_dies)
{
    for (int how = 0; how < 3; how++) {
        struct ends e = tcp_ends();
        pid_t pid[2];
        for (int i = 0; i < 2; i++) {
            pid[i] = MUST(fork());
            if (pid[i] == 0) {
                int ep = epoll_of(e.s, EPOLLIN, 1);
                struct epoll_event ev;
                struct pollfd p = {.fd = e.s, .events = POLLIN};
                char c;
                _exit(how == 0   ? epoll_wait(ep, &ev, 1, 10000) == 1
                      : how == 1 ? poll(&p, 1, 10000) == 1
                                 : recv(e.s, &c, 1, 0) == 1);
            }
            wait_asleep(pid[i]);
        }
        kill(pid[0], SIGKILL);
        reap("first", pid[0]); /* before it can have the byte */
        MUST(send(e.p, "x", 1, 0));
        reap("second", pid[1]);
        close(e.s);
        close(e.p);
    }
}

static int through_socketpair(int fd)
{
    int sv[2], got;
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    MUST(sendmsg(sv[0], &msg, 0));
    msg.msg_controllen = sizeof control;
    MUST(recvmsg(sv[1], &msg, 0));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof got);
    close(sv[0]);
    close(sv[1]);
    return got;
}

CASE(passed_to_oneself)
{
    struct ends e = tcp_ends();
    int ep = epoll_of(e.s, EPOLLIN, 1), copy = through_socketpair(ep);
    tell("nothing", copy, 16, 0);
    feed(e, "x");
    tell("copy", copy, 16, 5000);
    tell("first", ep, 16, 0);
    SAY(change(copy, e.s, EPOLLOUT, 2));
    tell("copy", copy, 16, 1000);
    tell("first", ep, 16, 1000);
    close(ep);
    tell("copy", copy, 16, 1000);
    SAY(epoll_ctl(copy, EPOLL_CTL_DEL, e.s, NULL));
    tell("copy", copy, 16, 0);
}

/* ---- descriptors that end while somebody waits ---- */

struct waiting {
    int ep, ms;
    struct epoll_event ev;
};

static long waits(void *a)
{
    struct waiting *w = a;
    w->ev.events = 0;
    return epoll_wait(w->ep, &w->ev, 1, w->ms);
}

CASE(epoll_closed_while_waited_on)
{
    struct ends e = tcp_ends();
    struct waiting w = {.ep = epoll_of(e.s, EPOLLIN, 1), .ms = 5000};
    struct blocked b;
    block(&b, waits, &w);
    SAY(close(w.ep));
    feed(e, "x");
    came_back("epoll_wait", &b, 8000);
    say("%s", bits_text(w.ev.events));
}

CASE(socket_closed_while_waited_on)
{
    struct ends e = tcp_ends();
    struct waiting w = {.ep = epoll_of(e.s, EPOLLIN, 1), .ms = 400};
    struct blocked b;
    block(&b, waits, &w);
    SAY(close(e.s));
    came_back("epoll_wait", &b, 8000);
}

/* The description lives on in the copy, and with it the interest. */
CASE(socket_closed_but_copied_while_waited_on)
{
    struct ends e = tcp_ends();
    struct waiting w = {.ep = epoll_of(e.s, EPOLLIN, 1), .ms = 5000};
    struct blocked b;
    int copy = dup(e.s);
    block(&b, waits, &w);
    SAY(close(e.s));
    feed(e, "x");
    came_back("epoll_wait", &b, 8000);
    say("%s", bits_text(w.ev.events));
    SAY(drain_off(copy));
}

CASE(added_while_waited_on)
{
    struct ends e = fed();
    struct waiting w = {.ep = MUST(epoll_create1(0)), .ms = 5000};
    struct blocked b;
    block(&b, waits, &w);
    SAY(put(w.ep, e.s, EPOLLIN, 1));
    came_back("epoll_wait", &b, 8000);
    say("%s", bits_text(w.ev.events));
    SAY(epoll_ctl(w.ep, EPOLL_CTL_DEL, e.s, NULL));
    block(&b, waits, &w);
    SAY(put(w.ep, e.s, EPOLLIN | EPOLLET | EPOLLONESHOT, 1));
    came_back("epoll_wait", &b, 8000);
    block(&b, waits, &w);
    SAY(change(w.ep, e.s, EPOLLIN | EPOLLET | EPOLLONESHOT, 1));
    came_back("epoll_wait", &b, 8000);
}

/* ---- odd arrays ---- */

CASE(odd_arrays)
{
    struct ends e = fed();
    int gone = dup(e.s);
    close(gone);
    struct pollfd p[] = {{.fd = e.s, .events = POLLIN},  {.fd = -1, .events = POLLIN, .revents = 7},
                         {.fd = e.s, .events = POLLOUT}, {.fd = gone, .events = POLLIN},
                         {.fd = e.s, .events = 0},       {.fd = -e.s, .events = POLLOUT, .revents = 7}};
    SAY(poll(p, 6, -1));
    for (int i = 0; i < 6; i++)
        say("%d: %s", i, bits_text((unsigned short)p[i].revents));
    SAY(poll(p, 0, 1));
    SAY(poll(&p[1], 1, 1));
    fd_set in, out, ex;
    FD_ZERO(&in);
    FD_SET(e.s, &in);
    out = ex = in;
    struct timeval tv = {5, 0};
    SAY(select(e.s + 1, &in, &out, &ex, &tv));
    say("%d %d %d", FD_ISSET(e.s, &in), FD_ISSET(e.s, &out), FD_ISSET(e.s, &ex));
    SAY(tv.tv_sec >= 4);
    FD_SET(e.s, &in);
    FD_SET(gone, &in);
    SAY(select(FD_SETSIZE, &in, NULL, NULL, &tv));
    FD_CLR(gone, &in);
    SAY(select(e.s, &in, NULL, NULL, &(struct timeval){0, 0}));
    SAY(select(-1, &in, NULL, NULL, &tv));
    SAY(select(e.s + 1, &in, NULL, NULL, &(struct timeval){0, -1}));
    SAY(select(e.s + 1, &in, NULL, NULL, &(struct timeval){0, 2000000}));
    SAY(pselect(e.s + 1, &in, NULL, NULL, &(struct timespec){0, 1000000000}, NULL));
}
