/* SPDX-License-Identifier: BSD-3-Clause */
/* The accept queue: its length, what is seen of connections beyond it, and what becomes of those that nobody accepted.
 */
#include "own.h"

enum { NONE = -1 };

static int count_accepted(int l)
{
    int n = 0;

    fcntl(l, F_SETFL, O_NONBLOCK);
    while (accept(l, NULL, NULL) >= 0)
        n++;
    fcntl(l, F_SETFL, 0);
    return n;
}

static void full(int domain, int backlog)
{
    struct own_addr a;
    const int l = own_listener(domain, backlog, &a);
    int s[6], r;

    for (int i = 0; i < backlog + 3; i++) {
        s[i] = own_nonblocking(domain, &a, &r);
        say("connect %d %s", r, r < 0 ? strerrorname_np(errno) : "");
        say("revents %x", own_poll(s[i], POLLIN | POLLOUT | POLLRDHUP, 50));
        say("error %d", get_int(s[i], SOL_SOCKET, SO_ERROR));
    }
    SAY(own_connect(s[backlog + 2], &a));
    SAY(send(s[backlog + 2], "x", 1, MSG_NOSIGNAL));
    SAY(await(l, POLLIN));
    SAY(count_accepted(l));
    SAY(own_poll(s[backlog + 1], POLLOUT, 2500));
    SAY(get_int(s[backlog + 1], SOL_SOCKET, SO_ERROR));
    SAY(own_poll(l, POLLIN, 500));
    SAY(count_accepted(l) > 0);
}
CASE(own_queue_full) { full(AF_INET, 1); }
CASE(own_queue_full_ip6) { full(AF_INET6, 1); }
CASE(own_queue_none) { full(AF_INET, 0); }
CASE(own_queue_three) { full(AF_INET, 3); }

/* Connects until one hangs; each that did not sends and ends. */
static void fill_and_send(int domain, int backlog)
{
    struct own_addr a;
    const int l = own_listener(domain, backlog, &a);
    int n = 0, r, s, v = 0;

    for (; n < 20; n++) {
        s = own_nonblocking(domain, &a, &r);
        if (r < 0 && !(own_poll(s, POLLOUT, 300) & POLLOUT))
            break;
        SAY(send(s, &n, sizeof n, MSG_NOSIGNAL));
        SAY(shutdown(s, SHUT_RDWR));
        close(s);
    }
    say("%d connections", n);
    for (int i = 0; i < n; i++) {
        const int c = accept(l, NULL, NULL);
        SAY(recv(c, &v, sizeof v, 0));
        say("%d", v);
        SAY(recv(c, &v, sizeof v, 0));
        close(c);
    }
}
CASE(own_queue_sent) { fill_and_send(AF_INET, 2); }
CASE(own_queue_sent_ip6) { fill_and_send(AF_INET6, 2); }

CASE(own_queue_blocking)
{
    struct own_addr a;
    const int l = own_listener(AF_INET, 0, &a);
    const int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);
    struct timespec start;
    char b[4];

    SAY(own_connect(s, &a));
    set_timeout(t, SO_SNDTIMEO, 200);
    clock_gettime(CLOCK_MONOTONIC, &start);
    SAY(own_connect(t, &a));
    say("waited %d", ms_since(&start) >= 190 && ms_since(&start) < 900);
    SAY(own_connect(t, &a));
    SAY(send(t, "abc", 3, MSG_DONTWAIT));
    SAY(recv(t, b, 3, MSG_DONTWAIT));
    SAY(get_int(t, SOL_SOCKET, SO_ERROR));
    SAY(accept(l, NULL, NULL) >= 0);
    set_timeout(t, SO_SNDTIMEO, 3000);
    SAY(own_connect(t, &a));
    SAY(own_connect(t, &a));
}

CASE(own_queue_raised)
{
    struct own_addr a;
    const int l = own_listener(AF_INET, 0, &a);
    int r, s = own_nonblocking(AF_INET, &a, &r), t = own_nonblocking(AF_INET, &a, &r);

    SAY(own_poll(s, POLLOUT, 100));
    SAY(own_poll(t, POLLOUT, 100));
    SAY(listen(l, 5));
    SAY(own_poll(t, POLLOUT, 2500));
    SAY(count_accepted(l));
}

CASE(own_queue_info)
{
    struct own_addr a;
    const int l = own_listener(AF_INET, 4, &a);
    struct tcp_info i = {0};
    socklen_t len = sizeof i;
    int r;

    for (int n = 0; n < 3; n++)
        own_poll(own_nonblocking(AF_INET, &a, &r), POLLOUT, 500);
    SAY(getsockopt(l, IPPROTO_TCP, TCP_INFO, &i, &len));
    say("state %u unacked %u sacked %u", i.tcpi_state, i.tcpi_unacked, i.tcpi_sacked);
    SAY(accept(l, NULL, NULL) >= 0);
    SAY(getsockopt(l, IPPROTO_TCP, TCP_INFO, &i, &len));
    say("unacked %u", i.tcpi_unacked);
}

/* How: -1 closes the listener. */
static void given_up(int domain, int how, int n)
{
    struct own_addr a;
    int l = own_listener(domain, 64, &a), s[64], r, refused = 0, reset = 0, fine = 0;

    for (int i = 0; i < n; i++)
        s[i] = own_nonblocking(domain, &a, &r);
    for (int i = 0; i < n; i++)
        own_poll(s[i], POLLOUT, 500);
    SAY(how == NONE ? close(l) : shutdown(l, how));
    for (int i = 0; i < n; i++) {
        own_poll(s[i], POLLRDHUP, 500);
        const int e = get_int(s[i], SOL_SOCKET, SO_ERROR);
        refused += e == ECONNREFUSED, reset += e == ECONNRESET, fine += e == 0;
    }
    say("refused %d reset %d fine %d", refused, reset, fine);
    SAY(own_poll(s[0], 0x7fff, 0));
    SAY(recv(s[0], &r, 1, MSG_DONTWAIT));
    SAY(send(s[0], &r, 1, MSG_NOSIGNAL));
    const int t = own_nonblocking(domain, &a, &r);
    SAY(own_poll(t, POLLOUT, 100));
    SAY(get_int(t, SOL_SOCKET, SO_ERROR));
    if (how == NONE)
        return;
    SAY(get_int(l, SOL_SOCKET, SO_ACCEPTCONN));
    SAY(own_poll(l, 0x7fff, 0));
    SAY(accept(l, NULL, NULL));
    say("port %d", own_name(l).in.sin_port == a.in.sin_port);
    SAY(listen(l, 3));
    say("port %d", own_name(l).in.sin_port == a.in.sin_port);
    SAY(own_poll(own_nonblocking(domain, &a, &r), POLLOUT, 500));
    a = own_name(l);
    SAY(own_poll(own_nonblocking(domain, &a, &r), POLLOUT, 500));
    SAY(own_poll(l, 0x7fff, 100));
    SAY(accept(l, NULL, NULL) >= 0);
}
CASE(own_queue_closed) { given_up(AF_INET, NONE, 3); }
CASE(own_queue_shut) { given_up(AF_INET, SHUT_RD, 40); }
CASE(own_queue_shut_ip6) { given_up(AF_INET6, SHUT_RDWR, 3); }

CASE(own_queue_shut_write)
{
    struct own_addr a;
    const int l = own_listener(AF_INET, 4, &a);
    int r;

    SAY(shutdown(l, SHUT_WR));
    SAY(get_int(l, SOL_SOCKET, SO_ACCEPTCONN));
    SAY(own_poll(own_nonblocking(AF_INET, &a, &r), POLLOUT, 500));
    SAY(own_poll(l, POLLIN, 100));
    SAY(accept(l, NULL, NULL) >= 0);
}

static void ended_while_connecting(int domain, int how)
{
    struct own_addr a;
    int l = own_listener(domain, 0, &a), r, s, t;
    char b[4];

    (void)l;
    s = own_nonblocking(domain, &a, &r);
    NEED(own_poll(s, POLLOUT, 500) == POLLOUT);
    t = own_nonblocking(domain, &a, &r);
    SAY(own_poll(t, 0x7fff, 0));
    SAY(shutdown(t, how));
    SAY(own_poll(t, 0, 0));
    SAY(own_poll(t, 0x7fff, 0));
    SAY(get_int(t, SOL_SOCKET, SO_ERROR));
    SAY(recv(t, b, 1, 0));
    SAY(send(t, b, 1, MSG_NOSIGNAL));
    SAY(shutdown(t, how));
    SAY(own_connect(t, &a));
    SAY(own_connect(t, &a));
}
CASE(own_connecting_shut_read) { ended_while_connecting(AF_INET, SHUT_RD); }
CASE(own_connecting_shut_write) { ended_while_connecting(AF_INET, SHUT_WR); }
CASE(own_connecting_shut_both) { ended_while_connecting(AF_INET6, SHUT_RDWR); }

CASE(own_connecting_calls)
{
    struct own_addr a, n;
    int l = own_listener(AF_INET, 0, &a), r, s, t;
    char b[4];

    (void)l;
    s = own_nonblocking(AF_INET, &a, &r);
    NEED(own_poll(s, POLLOUT, 500) == POLLOUT);
    t = own_nonblocking(AF_INET, &a, &r);
    SAY(own_connect(t, &a));
    SAY(recv(t, b, 1, 0));
    SAY(recv(t, b, 0, 0));
    SAY(recv(t, b, 1, MSG_OOB));
    SAY(send(t, b, 1, MSG_NOSIGNAL));
    SAY(ioctl(t, FIONREAD, &r));
    SAY(ioctl(t, SIOCOUTQ, &r));
    say("out %d", r);
    SAY(ioctl(t, SIOCATMARK, &r));
    SAY(listen(t, 1));
    n = own_address(AF_INET);
    SAY(bind(t, &n.sa, n.len));
    n.len = sizeof n.in6;
    SAY(getpeername(t, &n.sa, &n.len));
    SAY(getsockname(t, &n.sa, &n.len));
    say("own %d port %d", n.in.sin_addr.s_addr == host4.sin_addr.s_addr, n.in.sin_port != 0);
    SAY(set_int(t, SOL_SOCKET, SO_RCVBUF, 1 << 18));
    SAY(get_int(t, IPPROTO_TCP, TCP_MAXSEG) > 0);
    n.sa.sa_family = AF_UNSPEC;
    SAY(connect(t, &n.sa, sizeof n.in));
    SAY(own_poll(t, 0x7fff, 0));
    SAY(getsockname(t, &n.sa, &n.len));
    say("port %d", n.in.sin_port != 0);
    SAY(own_connect(t, &a));
}

static void *accepting(void *arg)
{
    const int r = accept(*(int *)arg, NULL, NULL);

    return (void *)(long)(r < 0 ? -errno : r);
}

CASE(own_accept_woken)
{
    struct own_addr a;
    int l = own_listener(AF_INET, 4, &a);
    pthread_t t;
    void *r;

    pthread_create(&t, NULL, accepting, &l);
    usleep(50000);
    SAY(shutdown(l, SHUT_RD));
    pthread_join(t, &r);
    say("accept told %ld", (long)r);
}

CASE(own_accept_inherits)
{
    static const struct {
        int level, name, v;
        const char *text;
    } opts[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1, "KEEPALIVE"},
        {SOL_SOCKET, SO_REUSEADDR, 1, "REUSEADDR"},
        {SOL_SOCKET, SO_REUSEPORT, 1, "REUSEPORT"},
        {SOL_SOCKET, SO_OOBINLINE, 1, "OOBINLINE"},
        {SOL_SOCKET, SO_PRIORITY, 3, "PRIORITY"},
        {SOL_SOCKET, SO_RCVLOWAT, 9, "RCVLOWAT"},
        {SOL_SOCKET, SO_SNDBUF, 50000, "SNDBUF"},
        {SOL_SOCKET, SO_RCVBUF, 50000, "RCVBUF"},
        {SOL_SOCKET, SO_BROADCAST, 1, "BROADCAST"},
        {SOL_SOCKET, SO_DONTROUTE, 0, "DONTROUTE"},
        {SOL_SOCKET, SO_TIMESTAMP, 1, "TIMESTAMP"},
        {SOL_SOCKET, SO_BUSY_POLL, 1, "BUSY_POLL"},
        {SOL_SOCKET, SO_MARK, 7, "MARK"},
        {IPPROTO_TCP, TCP_NODELAY, 1, "NODELAY"},
        {IPPROTO_TCP, TCP_CORK, 1, "CORK"},
        {IPPROTO_TCP, TCP_KEEPIDLE, 77, "KEEPIDLE"},
        {IPPROTO_TCP, TCP_KEEPINTVL, 7, "KEEPINTVL"},
        {IPPROTO_TCP, TCP_KEEPCNT, 3, "KEEPCNT"},
        {IPPROTO_TCP, TCP_SYNCNT, 3, "SYNCNT"},
        {IPPROTO_TCP, TCP_LINGER2, 3, "LINGER2"},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, "DEFER_ACCEPT"},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 1234, "USER_TIMEOUT"},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096, "NOTSENT_LOWAT"},
        {IPPROTO_TCP, TCP_FASTOPEN, 5, "FASTOPEN"},
        {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, "THIN_LINEAR"},
        {IPPROTO_IP, IP_TOS, 0x10, "TOS"},
        {IPPROTO_IP, IP_TTL, 33, "TTL"},
        {IPPROTO_IP, IP_RECVTTL, 1, "RECVTTL"},
        {IPPROTO_IP, IP_RECVERR, 1, "RECVERR"},
        {IPPROTO_IP, IP_PKTINFO, 1, "PKTINFO"},
        {IPPROTO_IP, IP_FREEBIND, 1, "FREEBIND"},
        {IPPROTO_IP, IP_MTU_DISCOVER, 1, "MTU_DISCOVER"},
        {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "NO_PORT"},
        {IPPROTO_IP, IP_MULTICAST_TTL, 5, "MULTICAST_TTL"},
    };
    struct own_addr a;
    const int l = own_listener(AF_INET, 4, &a), s = socket(AF_INET, SOCK_STREAM, 0);
    struct linger g = {1, 5};
    struct timeval tv = {3, 0};
    char cc[16] = {0};
    socklen_t len;

    for (size_t i = 0; i < sizeof opts / sizeof *opts; i++)
        SAY_AS(opts[i].text, set_int(l, opts[i].level, opts[i].name, opts[i].v));
    SAY(setsockopt(l, SOL_SOCKET, SO_LINGER, &g, sizeof g));
    SAY(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    SAY(setsockopt(l, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    SAY(fcntl(l, F_SETFL, O_NONBLOCK));
    SAY(own_connect(s, &a));
    NEED(await(l, POLLIN));
    const int c = accept(l, NULL, NULL);
    must_be_carried(c);
    for (size_t i = 0; i < sizeof opts / sizeof *opts; i++)
        SAY_AS(opts[i].text, get_int(c, opts[i].level, opts[i].name));
    len = sizeof g;
    SAY(getsockopt(c, SOL_SOCKET, SO_LINGER, &g, &len));
    say("%d %d", g.l_onoff, g.l_linger);
    len = sizeof tv;
    SAY(getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    say("%ld", (long)tv.tv_sec);
    len = sizeof cc;
    SAY(getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, cc, &len));
    say("%s", cc);
    SAY(fcntl(c, F_GETFL));
    SAY(fcntl(c, F_GETFD));
}

CASE(own_accept_deferred)
{
    struct own_addr a;
    const int l = own_listener(AF_INET, 4, &a), s = socket(AF_INET, SOCK_STREAM, 0);
    int v = 7, got = 0;

    SAY(set_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3));
    SAY(get_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT));
    SAY(own_connect(s, &a));
    SAY(own_poll(l, POLLIN, 100));
    SAY(write(s, &v, sizeof v));
    SAY(own_poll(l, POLLIN, 500));
    const int c = accept(l, NULL, NULL);
    SAY(recv(c, &got, sizeof got, 0));
    const int t = socket(AF_INET, SOCK_STREAM, 0);
    SAY(own_connect(t, &a));
    SAY(own_poll(l, POLLIN, 2000));
    SAY(own_poll(l, POLLIN, 4000));
    SAY(accept(l, NULL, NULL) >= 0);
}

CASE(own_accept_deferred_closed)
{
    struct own_addr a;
    const int l = own_listener(AF_INET, 4, &a), s = socket(AF_INET, SOCK_STREAM, 0);
    char b[4];

    SAY(set_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3));
    SAY(own_connect(s, &a));
    SAY(close(s));
    SAY(own_poll(l, POLLIN, 100));
    const int t = socket(AF_INET, SOCK_STREAM, 0);
    SAY(own_connect(t, &a));
    SAY(close(l));
    SAY(own_poll(t, 0x7fff, 100));
    SAY(recv(t, b, 1, MSG_DONTWAIT));
}
