/* SPDX-License-Identifier: BSD-3-Clause */
/* A thread sleeps on a socket while another program that inherits it is executed, uses it and ends: what happens to
 * the socket afterwards must still wake the thread. */
#include "diff.h"

int executed(int argc, char **argv)
{
    const int fd = argc > 2 ? atoi(argv[2]) : -1;
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    SAY(getsockname(fd, (struct sockaddr *)&ss, &len));
    SAY(unready(fd, POLLIN));
    return 0;
}

static void lend(int fd)
{
    char number[12];
    const pid_t pid = fork();

    if (pid == 0) {
        snprintf(number, sizeof number, "%d", fd);
        char *argv[] = {(char *)self_path,
                        (char *)self_path,
                        (char *)host_ip,
                        (char *)peer_ip,
                        "exec",
                        (char *)case_name,
                        "uses",
                        number,
                        NULL};
        execv(self_path, argv);
        _exit(9);
    }
    reap("borrower", pid);
}

static long accepts(void *arg) { return accept(*(int *)arg, NULL, NULL) >= 0; }

static long polls_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, 10000) > 0 ? p.revents : 0;
}

static long polls(void *arg) { return polls_for(*(int *)arg, POLLIN); }
static long polls_more(void *arg) { return polls_for(*(int *)arg, POLLIN | POLLPRI | POLLRDHUP); }

static long polls_two(void *arg)
{
    struct pollfd p[2] = {{.fd = *(int *)arg, .events = POLLIN}, {.fd = host_socket(SOCK_DGRAM), .events = POLLIN}};

    return poll(p, 2, -1) > 0 ? p[0].revents : 0;
}

static long selects(void *arg)
{
    const int fd = *(int *)arg;
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, NULL);
}

static long epolls(void *arg)
{
    struct epoll_event ev = {.events = EPOLLIN};
    const int ep = epoll_create1(EPOLL_CLOEXEC);

    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, *(int *)arg, &ev));
    return epoll_wait(ep, &ev, 1, -1) == 1 ? ev.events : 0;
}

static long receives(void *arg)
{
    char b[8];

    return recv(*(int *)arg, b, sizeof b, 0);
}

static const struct {
    const char *text;
    long (*call)(void *);
} waits[] = {
    {"poll", polls}, {"poll for more", polls_more}, {"poll two", polls_two}, {"select", selects}, {"epoll", epolls},
};

static void comes(int port)
{
    const int c = peer_socket(AF_INET, SOCK_STREAM);
    const struct sockaddr_in sa = at(host4.sin_addr, port);

    MUST(connect(c, (const struct sockaddr *)&sa, sizeof sa));
}

static void on_listener(const char *text, long (*call)(void *))
{
    int port, l = host_listener(&port);
    struct blocked b;

    block(&b, call, &l);
    lend(l);
    comes(port);
    came_back(text, &b, 3000);
    close(l);
}

CASE(moved_listener)
{
    on_listener("accept", accepts);
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++)
        on_listener(waits[i].text, waits[i].call);
}

static void on_ends(const char *text, long (*call)(void *), struct ends e)
{
    struct blocked b;

    block(&b, call, &e.s);
    lend(e.s);
    NEED(send(e.p, "data", 4, 0) == 4);
    came_back(text, &b, 3000);
    close(e.s);
    close(e.p);
}

CASE(moved_stream)
{
    on_ends("recv", receives, tcp_ends());
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++)
        on_ends(waits[i].text, waits[i].call, tcp_ends());
}

CASE(moved_dgram)
{
    on_ends("recv", receives, udp_ends());
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++)
        on_ends(waits[i].text, waits[i].call, udp_ends());
}
