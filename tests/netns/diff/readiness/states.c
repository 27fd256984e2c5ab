/* SPDX-License-Identifier: BSD-3-Clause */
/* What a socket is ready for in every state, told by poll, select and epoll: as tcp_poll and datagram_poll have it. */
#include "diff.h"

static const char *select_text(int fd)
{
    static char text[32];
    fd_set in, out, ex;
    struct timeval none = {0, 0};

    FD_ZERO(&in);
    FD_SET(fd, &in);
    out = ex = in;
    const int n = select(fd + 1, &in, &out, &ex, &none);
    snprintf(text, sizeof text, "%d %c%c%c", n, n > 0 && FD_ISSET(fd, &in) ? 'r' : '-',
             n > 0 && FD_ISSET(fd, &out) ? 'w' : '-', n > 0 && FD_ISSET(fd, &ex) ? 'x' : '-');
    return text;
}

static uint32_t epoll_now(int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events};
    const int ep = epoll_create1(0);

    NEED(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
    const int n = epoll_wait(ep, &ev, 1, 0);
    close(ep);
    return n == 1 ? ev.events : 0;
}

/* The state of FD by all three, after at most five seconds' waiting for EVENTS. */
static void tell(const char *when, int fd, short events)
{
    if (events)
        poll_for(fd, events);
    say("%s: poll %s select %s epoll %s none asked %s", when, bits_text(poll_now(fd)), select_text(fd),
        bits_text(epoll_now(fd, 0x27df)), bits_text(epoll_now(fd, 0)));
}

CASE(fresh_stream) { tell("fresh", host_socket(SOCK_STREAM), 0); }
CASE(fresh_datagram) { tell("fresh", host_socket(SOCK_DGRAM), 0); }

CASE(fresh_then_shut)
{
    const int fd = host_socket(SOCK_STREAM), ud = host_socket(SOCK_DGRAM);

    SAY(shutdown(fd, SHUT_RDWR));
    tell("tcp", fd, 0);
    SAY(shutdown(ud, SHUT_RDWR));
    tell("udp", ud, 0);
}

CASE(bound)
{
    const int fd = host_socket(SOCK_STREAM);

    NEED(bind(fd, (struct sockaddr *)&host4, sizeof host4) == 0);
    tell("bound", fd, 0);
}

CASE(listening)
{
    struct sockaddr_in sa;
    const int fd = host_listen(&sa), one = peer_socket(AF_INET, SOCK_STREAM), two = peer_socket(AF_INET, SOCK_STREAM);

    tell("empty", fd, 0);
    NEED(connect(one, (struct sockaddr *)&sa, sizeof sa) == 0);
    tell("one waits", fd, POLLIN);
    NEED(connect(two, (struct sockaddr *)&sa, sizeof sa) == 0);
    NEED(accept(fd, NULL, NULL) >= 0);
    tell("another", fd, POLLIN);
    NEED(accept(fd, NULL, NULL) >= 0);
    tell("empty again", fd, 0);
    SAY(shutdown(fd, SHUT_RD));
    tell("shut", fd, 0);
}

CASE(listening_any)
{
    struct sockaddr_in sa = host4;
    socklen_t len = sizeof sa;
    const int fd = host_socket(SOCK_STREAM), one = peer_socket(AF_INET, SOCK_STREAM),
              local = socket(AF_INET, SOCK_STREAM, 0);

    sa.sin_addr.s_addr = htonl(INADDR_ANY);
    NEED(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 5) == 0);
    NEED(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
    tell("empty", fd, 0);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    NEED(connect(local, (struct sockaddr *)&sa, sizeof sa) == 0);
    tell("by loopback", fd, POLLIN);
    NEED(accept(fd, NULL, NULL) >= 0);
    tell("empty again", fd, 0);
    sa.sin_addr = host4.sin_addr;
    NEED(connect(one, (struct sockaddr *)&sa, sizeof sa) == 0);
    tell("by wire", fd, POLLIN);
    NEED(accept(fd, NULL, NULL) >= 0);
    tell("empty at last", fd, 0);
}

CASE(connecting)
{
    /* A backlog that is full: SYNs are dropped. */
    struct sockaddr_in sa = peer4;
    socklen_t len = sizeof sa;
    const int listener = peer_socket(AF_INET, SOCK_STREAM), fd = host_socket(SOCK_STREAM);

    NEED(bind(listener, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(listener, 0) == 0);
    NEED(getsockname(listener, (struct sockaddr *)&sa, &len) == 0);
    for (int i = 0; i < 2; i++) {
        const int first = peer_socket(AF_INET, SOCK_STREAM);
        nonblocking(first);
        connect(first, (struct sockaddr *)&sa, sizeof sa);
    }
    nap(50);
    nonblocking(fd);
    SAY(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    tell("connecting", fd, 0);
    SAY(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    close(listener);
}

CASE(refused)
{
    struct sockaddr_in sa;
    int err;
    socklen_t len = sizeof err;
    const int fd = host_socket(SOCK_STREAM);

    close(peer_listen(&sa));
    nonblocking(fd);
    SAY(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    tell("refused", fd, POLLOUT);
    SAY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
    say("error %s", errno_text(err));
    tell("error taken", fd, 0);
}

static void established(void (*make)(int fd[2]))
{
    int fd[2];
    char c;

    make(fd);
    tell("established", fd[0], 0);
    NEED(send(fd[1], "abc", 3, 0) == 3);
    tell("data", fd[0], POLLIN);
    NEED(recv(fd[0], &c, 1, 0) == 1);
    tell("less data", fd[0], 0);
    drain_off(fd[0]);
    tell("no data", fd[0], 0);
}

CASE(established_active) { established(tcp_pair); }
CASE(established_passive) { established(tcp_pair_passive); }
CASE(established_udp) { established(udp_pair); }

CASE(peer_shuts_first)
{
    int fd[2];

    tcp_pair(fd);
    NEED(send(fd[1], "abc", 3, 0) == 3 && shutdown(fd[1], SHUT_WR) == 0);
    tell("data and FIN", fd[0], POLLRDHUP);
    drain_off(fd[0]);
    tell("FIN", fd[0], 0);
    NEED(send(fd[0], "abc", 3, 0) == 3);
    tell("sent behind it", fd[0], 0);
    SAY(shutdown(fd[0], SHUT_WR));
    settle(50);
    tell("both shut", fd[0], 0);
    SAY(send(fd[0], "x", 1, MSG_NOSIGNAL));
    shutdown(fd[0], SHUT_RD);
    tell("and for reading", fd[0], 0);
}

CASE(host_shuts_first)
{
    int fd[2];

    tcp_pair(fd);
    SAY(shutdown(fd[0], SHUT_WR));
    tell("shut", fd[0], 0);
    NEED(send(fd[1], "abc", 3, 0) == 3);
    tell("data", fd[0], POLLIN);
    drain_off(fd[0]);
    settle(50);
    tell("FIN_WAIT_2", fd[0], 0);
    NEED(shutdown(fd[1], SHUT_WR) == 0);
    tell("both shut", fd[0], POLLHUP);
}

CASE(shut_for_reading)
{
    int fd[2];

    tcp_pair(fd);
    SAY(shutdown(fd[0], SHUT_RD));
    tell("shut", fd[0], 0);
    NEED(send(fd[1], "abc", 3, 0) == 3);
    settle(50);
    tell("data", fd[0], POLLIN);
    char buf[8];
    SAY(recv(fd[0], buf, sizeof buf, MSG_DONTWAIT));
    SAY(recv(fd[0], buf, sizeof buf, MSG_DONTWAIT));
    SAY(send(fd[0], "x", 1, MSG_NOSIGNAL));
    tell("sent", fd[0], 0);
}

CASE(shut_both_ways)
{
    int fd[2];

    tcp_pair(fd);
    SAY(shutdown(fd[0], SHUT_RDWR));
    tell("shut", fd[0], 0);
    NEED(shutdown(fd[1], SHUT_WR) == 0);
    settle(50);
    tell("by the peer, too", fd[0], 0);
}

CASE(peer_closes)
{
    int fd[2];

    tcp_pair(fd);
    close(fd[1]);
    tell("closed", fd[0], POLLRDHUP);
    NEED(send(fd[0], "x", 1, MSG_NOSIGNAL) == 1);
    tell("reset", fd[0], POLLHUP);
    SAY(recv(fd[0], &(char){0}, 1, 0));
    tell("once read", fd[0], 0);
    SAY(send(fd[0], "x", 1, MSG_NOSIGNAL));
    tell("once written", fd[0], 0);
    SAY(recv(fd[0], &(char){0}, 1, 0));
}

CASE(reset_by_peer)
{
    int fd[2], err;
    socklen_t len = sizeof err;

    tcp_pair(fd);
    NEED(send(fd[1], "abc", 3, 0) == 3);
    poll_for(fd[0], POLLIN);
    reset_at_close(fd[1]);
    close(fd[1]);
    tell("reset", fd[0], POLLRDHUP);
    NEED(getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &err, &len) == 0);
    say("error %s", errno_text(err));
    tell("error taken", fd[0], 0);
    char buf[8];
    SAY(recv(fd[0], buf, sizeof buf, 0));
    SAY(recv(fd[0], buf, sizeof buf, 0));
    tell("read", fd[0], 0);
    SAY(send(fd[0], "x", 1, MSG_NOSIGNAL));
}

CASE(reset_read_first)
{
    int fd[2];

    tcp_pair_passive(fd);
    reset_at_close(fd[1]);
    close(fd[1]);
    tell("reset", fd[0], POLLRDHUP);
    SAY(recv(fd[0], &(char){0}, 1, 0));
    tell("error taken", fd[0], 0);
    SAY(recv(fd[0], &(char){0}, 1, 0));
}

CASE(urgent)
{
    int fd[2];
    char buf[8];

    tcp_pair(fd);
    NEED(send(fd[1], "abc", 3, MSG_OOB) == 3);
    tell("urgent", fd[0], POLLPRI);
    SAY(recv(fd[0], buf, sizeof buf, 0));
    tell("at the mark", fd[0], 0);
    SAY(recv(fd[0], buf, sizeof buf, MSG_OOB));
    tell("taken", fd[0], 0);
    NEED(send(fd[1], "d", 1, 0) == 1);
    poll_for(fd[0], POLLIN);
    SAY(recv(fd[0], buf, sizeof buf, 0));
    tell("behind it", fd[0], 0);
}

CASE(low_water)
{
    int fd[2], low = 10;

    tcp_pair(fd);
    NEED(setsockopt(fd[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0);
    NEED(send(fd[1], "12345", 5, 0) == 5);
    settle(60);
    tell("five", fd[0], 0);
    NEED(send(fd[1], "12345", 5, 0) == 5);
    tell("ten", fd[0], POLLIN);
    NEED(recv(fd[0], &(char){0}, 1, 0) == 1);
    tell("nine", fd[0], 0);
    low = 5;
    NEED(setsockopt(fd[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0);
    tell("nine of five", fd[0], 0);
    drain_off(fd[0]);
    NEED(shutdown(fd[1], SHUT_WR) == 0);
    tell("FIN", fd[0], POLLIN);
}

CASE(full)
{
    int fd[2];

    tcp_pair(fd);
    fill_both(fd[0]);
    tell("full", fd[0], 0);
    NEED(recv(fd[1], &(char){0}, 1, 0) == 1);
    nap(20);
    tell("a byte of room", fd[0], 0);
    for (int i = 0; i < 200 && !(poll_now(fd[0]) & POLLOUT); i++) {
        drain_off(fd[1]);
        nap(10);
    }
    tell("room", fd[0], POLLOUT);
    fill_both(fd[0]);
    SAY(shutdown(fd[0], SHUT_WR));
    tell("full and shut", fd[0], 0);
}

CASE(udp_refused)
{
    int fd[2], err;
    socklen_t len = sizeof err;

    udp_pair(fd);
    close(fd[1]);
    NEED(send(fd[0], "x", 1, 0) == 1);
    tell("refused", fd[0], POLLERR);
    NEED(getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &err, &len) == 0);
    say("error %s", errno_text(err));
    tell("taken", fd[0], 0);
}

CASE(udp_shut)
{
    int fd[2];

    udp_pair(fd);
    SAY(shutdown(fd[0], SHUT_WR));
    tell("for writing", fd[0], 0);
    SAY(send(fd[0], "x", 1, MSG_NOSIGNAL));
    SAY(shutdown(fd[0], SHUT_RD));
    tell("for reading, too", fd[0], 0);
    NEED(send(fd[1], "x", 1, 0) == 1);
    settle(40);
    tell("datagram", fd[0], 0);
}

CASE(udp_empty_datagram)
{
    int fd[2];

    udp_pair(fd);
    NEED(send(fd[1], "", 0, 0) == 0);
    tell("empty one", fd[0], POLLIN);
    SAY(recv(fd[0], &(char){0}, 1, 0));
    tell("none", fd[0], 0);
}
