/* SPDX-License-Identifier: BSD-3-Clause */
/* epoll with the host's sockets in it: level, edge, one shot, exclusive; what is refused; order; copies. */
#include "diff.h"

static int new_epoll(void)
{
    const int ep = epoll_create1(EPOLL_CLOEXEC);

    NEED(ep >= 0);
    return ep;
}

static int ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};

    return epoll_ctl(ep, op, fd, &ev);
}

static void add(int ep, int fd, uint32_t events, uint64_t data) { NEED(ctl(ep, EPOLL_CTL_ADD, fd, events, data) == 0); }

/* What is reported within MS, sorted by data unless RAW. */
static int tell_n(const char *when, int ep, int max, int ms, bool raw)
{
    struct epoll_event ev[64];
    char line[2048], *p = line;
    const int n = epoll_wait(ep, ev, max, ms);

    if (n < 0) {
        say_result(when, n);
        return n;
    }
    for (int i = 0; !raw && i < n; i++)
        for (int j = i + 1; j < n; j++)
            if (ev[j].data.u64 < ev[i].data.u64) {
                const struct epoll_event e = ev[i];
                ev[i] = ev[j];
                ev[j] = e;
            }
    *p = 0;
    for (int i = 0; i < n; i++)
        p += sprintf(p, " %llu:%s", (unsigned long long)ev[i].data.u64, bits_text(ev[i].events));
    say("%s: %d%s", when, n, line);
    return n;
}

static void tell(const char *when, int ep, int ms) { tell_n(when, ep, 64, ms, false); }

static void put(int fd, size_t n)
{
    static const char buf[4096];

    NEED(send(fd, buf, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static void get(int fd, size_t n)
{
    char buf[4096];

    NEED(recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n);
}

CASE(level)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN, 1);
    tell("nothing", ep, 0);
    put(fd[1], 3);
    tell("data", ep, 5000);
    tell("still", ep, 0);
    get(fd[0], 1);
    tell("less", ep, 0);
    get(fd[0], 2);
    tell("none", ep, 30);
    put(fd[1], 1);
    tell("again", ep, 5000);
    ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLOUT, 2);
    tell("out", ep, 0);
    ctl(ep, EPOLL_CTL_MOD, fd[0], 0, 3);
    tell("nothing wanted", ep, 30);
    close(fd[1]);
    settle(30);
    tell("closed, nothing wanted", ep, 30);
    ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLRDHUP, 4);
    tell("RDHUP", ep, 0);
    put(fd[0], 1);
    poll_for(fd[0], POLLHUP);
    ctl(ep, EPOLL_CTL_MOD, fd[0], 0, 5);
    tell("reset, nothing wanted", ep, 0);
}

static void edges(void (*make)(int fd[2]))
{
    int fd[2];
    const int ep = new_epoll();

    make(fd);
    add(ep, fd[0], EPOLLIN | EPOLLET, 1);
    tell("nothing", ep, 0);
    put(fd[1], 3);
    tell("data", ep, 5000);
    tell("no edge", ep, 30);
    put(fd[1], 3);
    tell("more data", ep, 5000);
    tell("no edge", ep, 30);
    get(fd[0], 1);
    tell("after a read of a part", ep, 30);
    ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLET, 2);
    tell("modified", ep, 0);
    tell("no edge", ep, 30);
    drain_off(fd[0]);
    ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLET, 3);
    tell("modified, empty", ep, 30);
    put(fd[1], 1);
    poll_for(fd[0], POLLIN);
    drain_off(fd[0]);
    tell("came and was read", ep, 30);
    put(fd[1], 1);
    tell("came", ep, 5000);
}

CASE(edge) { edges(tcp_pair); }
CASE(edge_passive) { edges(tcp_pair_passive); }
CASE(edge_udp) { edges(udp_pair); }

CASE(edge_in_and_out)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
    tell("added", ep, 0);
    tell("no edge", ep, 30);
    put(fd[1], 1);
    tell("data", ep, 5000);
    tell("no edge", ep, 30);
    put(fd[0], 10);
    settle(30);
    tell("after a write", ep, 30);
    NEED(shutdown(fd[1], SHUT_WR) == 0);
    tell("FIN", ep, 5000);
    tell("no edge", ep, 30);
    drain_off(fd[0]);
    tell("read to its end", ep, 30);
    NEED(shutdown(fd[0], SHUT_WR) == 0);
    tell("shut", ep, 1000);
    settle(50);
    tell("closed", ep, 30);
}

CASE(edge_out)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLOUT | EPOLLET, 1);
    tell("added", ep, 0);
    fill_both(fd[0]);
    tell_n("full", ep, 64, 0, false);
    tell("no edge", ep, 30);
    for (int i = 0; i < 300 && !(poll_now(fd[0]) & POLLOUT); i++) {
        drain_off(fd[1]);
        nap(10);
    }
    tell("room", ep, 5000);
    tell("no edge", ep, 30);
}

CASE(edge_shutdown)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1);
    SAY(shutdown(fd[0], SHUT_RD));
    tell("shut for reading", ep, 200);
    tell("no edge", ep, 30);
    SAY(shutdown(fd[0], SHUT_WR));
    settle(60); /* the kernel has an edge for the ACK of the FIN, too */
    tell("for writing", ep, 0);
    tell("no edge", ep, 30);
}

CASE(edge_connect)
{
    struct sockaddr_in sa;
    const int ep = new_epoll(), listener = peer_listen(&sa), fd = host_socket(SOCK_STREAM);

    nonblocking(fd);
    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
    tell("fresh", ep, 0);
    tell("no edge", ep, 30);
    SAY(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    tell("connected", ep, 5000);
    tell("no edge", ep, 30);
    close(listener);
    tell("reset", ep, 5000);
    tell("no edge", ep, 30);
}

CASE(edge_refused)
{
    struct sockaddr_in sa;
    const int ep = new_epoll(), fd = host_socket(SOCK_STREAM);

    close(peer_listen(&sa));
    nonblocking(fd);
    SAY(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
    poll_for(fd, POLLHUP);
    tell("refused", ep, 5000);
    tell("no edge", ep, 30);
}

CASE(edge_listener)
{
    struct sockaddr_in sa;
    const int ep = new_epoll(), listener = host_listen(&sa);
    const int one = peer_socket(AF_INET, SOCK_STREAM), two = peer_socket(AF_INET, SOCK_STREAM);

    add(ep, listener, EPOLLIN | EPOLLET, 1);
    tell("none", ep, 30);
    NEED(connect(one, (struct sockaddr *)&sa, sizeof sa) == 0);
    tell("one", ep, 5000);
    tell("no edge", ep, 30);
    NEED(connect(two, (struct sockaddr *)&sa, sizeof sa) == 0);
    tell("two", ep, 5000);
    tell("no edge", ep, 30);
    NEED(accept(listener, NULL, NULL) >= 0);
    tell("accepted one", ep, 30);
    NEED(accept(listener, NULL, NULL) >= 0);
    tell("accepted both", ep, 30);
}

CASE(edge_low_water)
{
    int fd[2], low = 10;
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN | EPOLLET, 1);
    NEED(setsockopt(fd[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0);
    put(fd[1], 5);
    tell("five", ep, 60);
    put(fd[1], 5);
    tell("ten", ep, 5000);
    tell("no edge", ep, 30);
    put(fd[1], 1);
    tell("eleven", ep, 5000);
}

CASE(one_shot)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN | EPOLLONESHOT, 1);
    put(fd[1], 1);
    tell("data", ep, 5000);
    tell("spent", ep, 30);
    put(fd[1], 1);
    tell("more data", ep, 60);
    ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLONESHOT, 2);
    tell("armed again", ep, 0);
    tell("spent", ep, 30);
    close(fd[1]);
    tell("closed", ep, 60);
    drain_off(fd[0]);
    put(fd[0], 1);
    poll_for(fd[0], POLLHUP);
    tell("reset: not even HUP", ep, 30);
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 3));
    ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLONESHOT | EPOLLET, 4);
    tell("armed", ep, 0);
    SAY(ctl(ep, EPOLL_CTL_DEL, fd[0], 0, 0));
    SAY(ctl(ep, EPOLL_CTL_DEL, fd[0], 0, 0));
}

CASE(exclusive)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLEXCLUSIVE | EPOLLIN | EPOLLRDHUP, 1));
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLEXCLUSIVE | EPOLLIN | EPOLLONESHOT, 1));
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLEXCLUSIVE | EPOLLPRI, 1));
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLEXCLUSIVE | EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLET | EPOLLWAKEUP,
            1));
    tell("added", ep, 0);
    SAY(ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN, 2));
    SAY(ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLEXCLUSIVE, 2));
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 2));
    SAY(ctl(ep, EPOLL_CTL_DEL, fd[0], 0, 2));
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 3));
    SAY(ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLEXCLUSIVE, 3));
}

CASE(refusals)
{
    int fd[2];
    struct epoll_event ev = {.events = EPOLLIN};
    const int ep = new_epoll(), file = open("/proc/self/exe", O_RDONLY);

    tcp_pair(fd);
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, -1, &ev));
    SAY(epoll_ctl(-1, EPOLL_CTL_ADD, fd[0], &ev));
    SAY(epoll_ctl(9999, EPOLL_CTL_ADD, fd[0], &ev));
    SAY(epoll_ctl(file, EPOLL_CTL_ADD, fd[0], &ev));
    SAY(epoll_ctl(fd[0], EPOLL_CTL_ADD, ep, &ev));
    SAY(epoll_ctl(fd[0], EPOLL_CTL_ADD, fd[0], &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
    SAY(epoll_ctl(ep, 0, fd[0], &ev));
    SAY(epoll_ctl(ep, 4, fd[0], &ev));
    SAY(epoll_ctl(ep, 77, file, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], NULL));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], (void *)8));
    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], NULL));
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
    SAY(epoll_create(0));
    SAY(epoll_create(-1));
    SAY(epoll_create1(1));
    SAY(epoll_create1(EPOLL_CLOEXEC | 4));
    close(fd[0]);
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
}

CASE(wait_refusals)
{
    int fd[2];
    struct epoll_event ev[2];
    const struct timespec bad = {0, 1000000000}, negative = {-1, 0}, none = {0, 0};
    const int ep = new_epoll(), empty = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN, 1);
    SAY(epoll_wait(ep, ev, 0, 0));
    SAY(epoll_wait(ep, ev, -1, 0));
    SAY(epoll_wait(ep, ev, 0x7fffffff / sizeof ev[0] + 1, 0));
    SAY(epoll_wait(fd[0], ev, 1, 0));
    SAY(epoll_wait(-1, ev, 1, 0));
    SAY(epoll_wait(9999, ev, 1, 0));
    SAY(epoll_wait(ep, NULL, 1, 0));
    SAY(epoll_wait(ep, (void *)-4096, 1, 0));
    SAY(epoll_wait(fd[0], ev, 0, 0));
    SAY(epoll_pwait2(ep, ev, 1, &bad, NULL));
    SAY(epoll_pwait2(ep, ev, 1, &negative, NULL));
    SAY(epoll_pwait2(ep, ev, 1, &none, NULL));
    SAY(epoll_pwait2(empty, ev, 1, &bad, NULL));
    put(fd[1], 1);
    poll_for(ep, POLLIN);
    SAY(epoll_wait(ep, NULL, 1, 0));
    SAY(epoll_wait(ep, (void *)-4096, 1, 0));
    SAY(epoll_pwait(ep, ev, 1, 0, (const sigset_t *)8));
    SAY(epoll_wait(ep, ev, 1, 0));
}

CASE(two_sets)
{
    int fd[2];
    const int one = new_epoll(), two = new_epoll();

    tcp_pair(fd);
    add(one, fd[0], EPOLLIN | EPOLLET, 1);
    add(two, fd[0], EPOLLIN, 2);
    put(fd[1], 1);
    tell("one", one, 5000);
    tell("two", two, 5000);
    tell("one again", one, 30);
    tell("two again", two, 0);
    drain_off(fd[0]);
    tell("two, drained", two, 30);
    SAY(ctl(one, EPOLL_CTL_DEL, fd[0], 0, 0));
    put(fd[1], 1);
    tell("two alone", two, 5000);
    tell("not one", one, 0);
}

CASE(copies)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    const int copy = dup(fd[0]);
    add(ep, fd[0], EPOLLIN, 1);
    SAY(ctl(ep, EPOLL_CTL_ADD, copy, EPOLLIN, 2));
    SAY(ctl(ep, EPOLL_CTL_ADD, copy, EPOLLIN, 2));
    put(fd[1], 1);
    tell("both", ep, 5000);
    SAY(ctl(ep, EPOLL_CTL_DEL, fd[0], 0, 0));
    tell("the copy", ep, 0);
    SAY(ctl(ep, EPOLL_CTL_MOD, copy, EPOLLIN | EPOLLET, 3));
    tell("as edge", ep, 0);
    tell("no edge", ep, 30);
    put(fd[1], 1);
    tell("edge", ep, 5000);
    SAY(close(copy));
    put(fd[1], 1);
    settle(30);
    tell("closed, but open elsewhere", ep, 60);
    SAY(ctl(ep, EPOLL_CTL_DEL, copy, 0, 0));
    SAY(close(fd[0]));
    tell("all closed", ep, 30);
}

/* The interest stays while any copy of the description is open, also under a number that is something else by now. */
CASE(closed_with_copy)
{
    int fd[2], other[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN, 1);
    const int copy = dup(fd[0]);
    put(fd[1], 1);
    tell("data", ep, 5000);
    close(fd[0]);
    tell("the number is closed", ep, 0);
    SAY(ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN, 7));
    SAY(ctl(ep, EPOLL_CTL_DEL, fd[0], 0, 0));
    tcp_pair(other);
    say("number reused %d", other[0] == fd[0] || dup2(other[0], fd[0]) == fd[0]);
    SAY(ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN, 8));
    SAY(ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 9));
    put(other[1], 1);
    poll_for(fd[0], POLLIN);
    tell("both", ep, 0);
    drain_off(copy);
    tell("the new one", ep, 0);
    close(copy);
    SAY(ctl(ep, EPOLL_CTL_DEL, fd[0], 0, 0));
    tell("none", ep, 0);
}

CASE(closed)
{
    int fd[2], again[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN, 1);
    put(fd[1], 1);
    tell("data", ep, 5000);
    close(fd[0]);
    tell("closed", ep, 0);
    tcp_pair(again);
    SAY(ctl(ep, EPOLL_CTL_ADD, again[0], EPOLLIN, 2));
    put(again[1], 1);
    tell("another", ep, 5000);
}

CASE(replaced_by_dup2)
{
    int one[2], two[2];
    const int ep = new_epoll();

    tcp_pair(one);
    tcp_pair(two);
    add(ep, one[0], EPOLLIN, 1);
    NEED(dup2(two[0], one[0]) == one[0]);
    put(two[1], 1);
    poll_for(two[0], POLLIN);
    tell("not registered", ep, 0);
    SAY(ctl(ep, EPOLL_CTL_ADD, one[0], EPOLLIN, 2));
    tell("registered", ep, 0);
}

/* Whoever was not reported comes before those who were. */
CASE(taking_turns)
{
    int fd[5][2], seen[5] = {0};
    struct epoll_event ev[2];
    const int ep = new_epoll();

    for (int i = 0; i < 5; i++) {
        tcp_pair(fd[i]);
        add(ep, fd[i][0], EPOLLIN, (uint64_t)i);
        put(fd[i][1], 1);
        poll_for(fd[i][0], POLLIN);
    }
    tell("all", ep, 0);
    for (int i = 0; i < 10; i++) {
        NEED(epoll_wait(ep, ev, 2, 0) == 2 && ev[0].data.u64 != ev[1].data.u64);
        seen[ev[0].data.u64]++;
        seen[ev[1].data.u64]++;
    }
    for (int i = 0; i < 5; i++)
        say("%d was reported %d times", i, seen[i]);
    drain_off(fd[3][0]);
    for (int i = 0; i < 8; i++) {
        NEED(epoll_wait(ep, ev, 1, 0) == 1);
        seen[ev[0].data.u64]++;
    }
    for (int i = 0; i < 5; i++)
        say("%d was reported %d times", i, seen[i]);
}

/* With fds of the kernel's nobody is starved either. */
CASE(taking_turns_mixed)
{
    int fd[3][2], pipes[3][2], seen[6] = {0};
    const int ep = new_epoll();

    for (int i = 0; i < 3; i++) {
        tcp_pair(fd[i]);
        NEED(pipe(pipes[i]) == 0 && write(pipes[i][1], "x", 1) == 1);
        add(ep, fd[i][0], EPOLLIN, (uint64_t)i);
        add(ep, pipes[i][0], EPOLLIN, (uint64_t)i + 3);
        put(fd[i][1], 1);
        poll_for(fd[i][0], POLLIN);
    }
    for (int i = 0; i < 120; i++) {
        struct epoll_event ev;
        NEED(epoll_wait(ep, &ev, 1, 0) == 1);
        seen[ev.data.u64]++;
    }
    for (int i = 0; i < 6; i++)
        say("%d is never starved: %d", i, seen[i] >= 4);
    for (int i = 0; i < 3; i++)
        drain_off(fd[i][0]);
    tell("pipes", ep, 0);
}

CASE(nested)
{
    int fd[2], pipes[2];
    const int inner = new_epoll(), outer = new_epoll(), top = new_epoll();

    tcp_pair(fd);
    NEED(pipe(pipes) == 0);
    add(inner, fd[0], EPOLLIN, 1);
    add(inner, pipes[0], EPOLLIN, 3);
    add(outer, inner, EPOLLIN, 2);
    add(top, outer, EPOLLIN | EPOLLET, 4);
    tell("nothing in the outer", outer, 30);
    put(fd[1], 1);
    poll_for(fd[0], POLLIN);
    settle(100); /* the service rings a moment after it posted; who looked in between would hear of it twice */
    tell("top", top, 5000);
    tell("outer", outer, 5000);
    say("poll %s", bits_text(poll_now(inner)));
    say("poll %s", bits_text(poll_now(outer)));
    tell("inner", inner, 0);
    tell("top, no edge", top, 30);
    tell("outer still", outer, 0);
    drain_off(fd[0]);
    tell("outer, drained", outer, 30);
    say("poll %s", bits_text(poll_now(inner)));
    say("poll %s", bits_text(poll_now(outer)));
    NEED(write(pipes[1], "x", 1) == 1);
    tell("outer by the pipe", outer, 0);
    put(fd[1], 1);
    poll_for(fd[0], POLLIN);
    NEED(read(pipes[0], &(char){0}, 1) == 1);
    tell("outer by the socket", outer, 5000); /* the service tells the inner one a moment after the socket */
    tell("inner", inner, 0);
    SAY(ctl(inner, EPOLL_CTL_DEL, fd[0], 0, 0));
    tell("outer, removed", outer, 30);
}

CASE(nested_added_first)
{
    int fd[2];
    const int inner = new_epoll(), outer = new_epoll();

    add(outer, inner, EPOLLIN, 2);
    tell("nothing", outer, 0);
    tcp_pair(fd);
    put(fd[1], 1);
    poll_for(fd[0], POLLIN);
    add(inner, fd[0], EPOLLIN, 1);
    tell("outer", outer, 1000);
    drain_off(fd[0]);
    tell("drained", outer, 30);
    put(fd[1], 1);
    tell("outer again", outer, 5000);
    close(inner);
    tell("closed", outer, 30);
}

CASE(nested_edge)
{
    int fd[2], other[2];
    const int inner = new_epoll(), outer = new_epoll();

    tcp_pair(fd);
    tcp_pair(other);
    add(inner, fd[0], EPOLLIN, 1);
    add(inner, other[0], EPOLLIN | EPOLLET, 3);
    add(outer, inner, EPOLLIN | EPOLLET, 2);
    tell("nothing", outer, 30);
    put(fd[1], 1);
    tell("edge", outer, 5000);
    tell("no edge", outer, 30);
    tell("inner", inner, 0);
    drain_off(fd[0]);
    tell("inner, drained", inner, 0);
    put(fd[1], 1);
    tell("edge", outer, 5000);
    put(other[1], 1);
    poll_for(other[0], POLLIN);
    tell("the other's", inner, 1000);
}

CASE(nested_loops)
{
    const int a = new_epoll(), b = new_epoll();
    int chain[8], fd[2];

    tcp_pair(fd);
    add(a, fd[0], EPOLLIN, 1);
    SAY(ctl(a, EPOLL_CTL_ADD, a, EPOLLIN, 1));
    SAY(ctl(a, EPOLL_CTL_ADD, b, EPOLLIN, 1));
    SAY(ctl(b, EPOLL_CTL_ADD, a, EPOLLIN, 1));
    SAY(ctl(b, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLEXCLUSIVE, 1));
    chain[0] = new_epoll();
    add(chain[0], fd[0], EPOLLIN, 1);
    for (int i = 1; i < 8; i++) {
        chain[i] = new_epoll();
        say("level %d: %s", i,
            ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN, 1) == 0 ? "taken" : errno_text(errno));
    }
    put(fd[1], 1);
    poll_for(fd[0], POLLIN);
    for (int i = 0; i < 4; i++)
        tell("chain", chain[i], 1000);
}

/* libc's own fds are none of the program's. */
CASE(many_sets_of_one)
{
    int fd[2], sets[20];

    tcp_pair(fd);
    for (int i = 0; i < 20; i++) {
        sets[i] = new_epoll();
        add(sets[i], fd[0], EPOLLIN | (i % 2 ? EPOLLET : 0), (uint64_t)i);
    }
    put(fd[1], 1);
    for (int i = 0; i < 20; i++)
        tell("first", sets[i], 5000);
    for (int i = 0; i < 20; i++)
        tell("second", sets[i], 0);
}

CASE(after_fork)
{
    int fd[2], status;
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLIN, 1);
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        tell("child", ep, 5000);
        get(fd[0], 1);
        tell("child, drained", ep, 0);
        _exit(0);
    }
    put(fd[1], 1);
    NEED(waitpid(pid, &status, 0) == pid && status == 0);
    put(fd[1], 1);
    poll_for(fd[0], POLLIN);
    tell("parent", ep, 1000);
}

CASE(urgent)
{
    int fd[2];
    const int ep = new_epoll();

    tcp_pair(fd);
    add(ep, fd[0], EPOLLPRI | EPOLLET, 1);
    put(fd[1], 1);
    tell("data", ep, 60);
    NEED(send(fd[1], "x", 1, MSG_OOB) == 1);
    tell("urgent", ep, 5000);
    tell("no edge", ep, 30);
    ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLPRI | EPOLLIN, 2);
    tell("level", ep, 0);
}

/* What became ready first is told first. That something came is heard of by another epoll, which is told at the same
 * time. */
static void bring(int other, int from)
{
    struct epoll_event ev;

    put(from, 1);
    NEED(epoll_wait(other, &ev, 1, 5000) == 1);
}

CASE(arrival)
{
    static const int order[] = {4, 1, 5, 0, 3, 2};
    int fd[7][2];
    const int ep = new_epoll(), other = new_epoll();

    for (int i = 0; i < 7; i++) {
        tcp_pair(fd[i]);
        if (i < 6)
            add(ep, fd[i][0], EPOLLIN, (uint64_t)i);
        add(other, fd[i][0], EPOLLIN | EPOLLET, (uint64_t)i);
    }
    for (int i = 0; i < 6; i++)
        bring(other, fd[order[i]][1]);
    tell_n("as they came", ep, 64, 5000, true);
    get(fd[4][0], 1);
    get(fd[1][0], 1);
    bring(other, fd[4][1]);
    tell_n("two drained, one again", ep, 64, 5000, true);
    bring(other, fd[1][1]);
    tell_n("in twos", ep, 2, 5000, true);
    tell_n("in twos", ep, 2, 5000, true);
    for (int i = 0; i < 6; i++)
        get(fd[i][0], 1);
    tell_n("none", ep, 64, 0, true);
    bring(other, fd[6][1]);
    bring(other, fd[3][1]);
    add(ep, fd[6][0], EPOLLIN, 6);
    bring(other, fd[2][1]);
    tell_n("one that was ready when it was added", ep, 64, 5000, true);
}
