/* SPDX-License-Identifier: BSD-3-Clause */
/* Both ends under test: what becomes of a connection, of its addresses and of who connects again. */
#include "own.h"

static int bound_again(int domain, const struct own_addr *a, int reuse)
{
    const int s = socket(domain, SOCK_STREAM, 0);

    if (reuse)
        set_int(s, SOL_SOCKET, SO_REUSEADDR, 1);
    const int r = bind(s, &a->sa, a->len), err = errno;
    close(s);
    errno = err;
    return r;
}

static void reciprocal(int domain)
{
    struct own o = own_ends(domain);
    struct own_addr c = own_name(o.c), a = own_name(o.a), p = {.len = sizeof p.in6};

    SAY(getpeername(o.c, &p.sa, &p.len));
    say("%d %d", p.len == a.len, memcmp(&p.sa, &a.sa, a.len) == 0);
    SAY(getpeername(o.a, &p.sa, &p.len));
    say("%d %d", p.len == c.len, memcmp(&p.sa, &c.sa, c.len) == 0);
    SAY(own_connect(o.c, &o.at));
    SAY(own_connect(o.a, &o.at));
    SAY(own_connect(o.l, &o.at));
    SAY(listen(o.c, 3));
    SAY(listen(o.a, 3));
    SAY(bind(o.a, &o.at.sa, o.at.len));
    SAY(accept(o.c, NULL, NULL));
    SAY(get_int(o.l, SOL_SOCKET, SO_ACCEPTCONN));
    SAY(get_int(o.a, SOL_SOCKET, SO_ACCEPTCONN));
    SAY(get_int(o.a, SOL_SOCKET, SO_DOMAIN));
    SAY(get_int(o.a, SOL_SOCKET, SO_PROTOCOL));
    SAY(send(o.l, "x", 1, MSG_NOSIGNAL));
    SAY(recv(o.l, &p, 1, MSG_DONTWAIT));
    SAY(ioctl(o.l, FIONREAD, &p));
    SAY(ioctl(o.l, SIOCOUTQ, &p));
    SAY(ioctl(o.l, SIOCATMARK, &p));
}
CASE(own_ends_ip4) { reciprocal(AF_INET); }
CASE(own_ends_ip6) { reciprocal(AF_INET6); }

static void shutdown_states(int domain)
{
    struct own o = own_ends(domain);

    SAY(shutdown(o.a, SHUT_WR));
    SAY(shutdown(o.a, SHUT_WR));
    SAY(own_poll(o.c, 0x7fff, 500));
    SAY(own_poll(o.a, 0x7fff, 0));
    SAY(shutdown(o.a, SHUT_WR));
    SAY(shutdown(o.c, SHUT_RDWR));
    SAY(own_poll(o.a, POLLHUP, 500));
    SAY(own_poll(o.a, 0x7fff, 0));
    SAY(own_poll(o.c, 0x7fff, 0));
    SAY(shutdown(o.a, SHUT_WR));
    SAY(shutdown(o.c, SHUT_WR));
    SAY(shutdown(o.a, SHUT_RD));
    SAY(get_int(o.a, SOL_SOCKET, SO_ERROR));
    SAY(get_int(o.c, SOL_SOCKET, SO_ERROR));
    SAY(send(o.a, "x", 1, MSG_NOSIGNAL));
    SAY(recv(o.a, &o, 1, 0));
}
CASE(own_shutdown_states) { shutdown_states(AF_INET); }
CASE(own_shutdown_states_ip6) { shutdown_states(AF_INET6); }

static int tcp_state(int fd)
{
    struct tcp_info i = {0};
    socklen_t len = sizeof i;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len) < 0 ? -1 : i.tcpi_state;
}

CASE(own_tcp_states)
{
    struct own o = own_ends(AF_INET);
    struct own_addr a = {.len = sizeof a.in6};

    SAY(tcp_state(o.l));
    SAY(tcp_state(o.c));
    SAY(tcp_state(o.a));
    SAY(shutdown(o.a, SHUT_WR));
    SAY(own_poll(o.c, POLLRDHUP, 500));
    SAY(tcp_state(o.c));
    SAY(shutdown(o.c, SHUT_WR));
    SAY(own_poll(o.a, POLLHUP, 500));
    SAY(tcp_state(o.c));
    SAY(tcp_state(o.a));
    SAY(getpeername(o.c, &a.sa, &a.len));
    SAY(getpeername(o.a, &a.sa, &a.len));
    SAY(get_int(o.c, IPPROTO_TCP, TCP_MAXSEG) > 0);
    SAY(set_int(o.c, IPPROTO_TCP, TCP_NODELAY, 1));
    SAY(set_int(o.c, SOL_SOCKET, SO_KEEPALIVE, 1));
    SAY(set_int(o.c, SOL_SOCKET, SO_RCVBUF, 10000));
    SAY(get_int(o.c, SOL_SOCKET, SO_RCVBUF));
}

/* Who closes first is in FIN_WAIT_2 until the other does, and keeps the address. */
static void fin_wait(int domain, bool linger2)
{
    struct own o = own_ends(domain);
    const struct own_addr c = own_name(o.c);

    if (linger2)
        SAY(set_int(o.c, IPPROTO_TCP, TCP_LINGER2, 1));
    SAY(close(o.c));
    SAY(bound_again(domain, &c, 0));
    SAY(bound_again(domain, &c, 1));
    if (linger2) {
        usleep(1400000);
        SAY(bound_again(domain, &c, 0));
    }
    SAY(close(o.a));
    SAY(bound_again(domain, &c, 0));
    SAY(bound_again(domain, &c, 1));
}
CASE(own_fin_wait) { fin_wait(AF_INET, false); }
CASE(own_fin_wait_ip6) { fin_wait(AF_INET6, false); }
CASE(own_fin_wait_short) { fin_wait(AF_INET, true); }

/* The side that closed last has its address at once, the other one not. */
static void time_wait(int domain, bool acceptor_first)
{
    struct own o = own_ends(domain);
    const struct own_addr c = own_name(o.c);
    int s = socket(domain, SOCK_STREAM, 0);

    close(acceptor_first ? o.a : o.c);
    own_poll(acceptor_first ? o.c : o.a, POLLRDHUP, 500);
    close(acceptor_first ? o.c : o.a);
    usleep(20000);
    SAY(bind(s, &c.sa, c.len));
    SAY(own_connect(s, &o.at));
    s = socket(domain, SOCK_STREAM, 0);
    SAY(set_int(s, SOL_SOCKET, SO_REUSEADDR, 1));
    SAY(bind(s, &c.sa, c.len));
    SAY(own_connect(s, &o.at));
    SAY(close(o.l));
    const int l = socket(domain, SOCK_STREAM, 0);
    SAY(bind(l, &o.at.sa, o.at.len));
    SAY(set_int(l, SOL_SOCKET, SO_REUSEADDR, 1));
    SAY(bind(l, &o.at.sa, o.at.len));
    SAY(listen(l, 1));
}
CASE(own_time_wait_acceptor) { time_wait(AF_INET, true); }
CASE(own_time_wait_connector) { time_wait(AF_INET, false); }
CASE(own_time_wait_acceptor_ip6) { time_wait(AF_INET6, true); }

CASE(own_reset_after_close)
{
    struct own o = own_ends(AF_INET);
    int v = 1;

    SAY(close(o.c));
    SAY(send(o.a, &v, sizeof v, MSG_NOSIGNAL));
    own_poll(o.a, POLLHUP, 500);
    SAY(own_poll(o.a, 0x7fff, 0));
    SAY(send(o.a, &v, sizeof v, MSG_NOSIGNAL));
    SAY(recv(o.a, &v, sizeof v, 0));
    SAY(recv(o.a, &v, sizeof v, 0));
    SAY(get_int(o.a, SOL_SOCKET, SO_ERROR));
}

static void unread(int domain, bool both)
{
    struct own o = own_ends(domain);
    char b[10] = "abcdefghi";

    SAY(write(o.c, b, sizeof b));
    if (both)
        SAY(write(o.a, b, sizeof b));
    SAY(own_poll(o.a, POLLIN, 500));
    SAY(close(o.a));
    SAY(own_poll(o.c, POLLHUP, 500));
    SAY(own_poll(o.c, 0x7fff, 500));
    SAY(read(o.c, b, sizeof b));
    SAY(read(o.c, b, sizeof b));
    SAY(read(o.c, b, sizeof b));
    SAY(write(o.c, b, 1) < 0 && errno == EPIPE);
}
CASE(own_unread) { signal(SIGPIPE, SIG_IGN), unread(AF_INET, false); }
CASE(own_unread_both) { signal(SIGPIPE, SIG_IGN), unread(AF_INET, true); }
CASE(own_unread_ip6) { signal(SIGPIPE, SIG_IGN), unread(AF_INET6, true); }

CASE(own_shut_read_unread)
{
    struct own o = own_ends(AF_INET);
    char b[10] = "abcdefghi";

    SAY(write(o.c, b, sizeof b));
    SAY(own_poll(o.a, POLLIN, 500));
    SAY(shutdown(o.a, SHUT_RD));
    SAY(own_poll(o.c, POLLIN | POLLHUP, 100));
    SAY(own_poll(o.a, 0x7fff, 100));
    SAY(write(o.c, b, sizeof b));
    SAY(own_poll(o.c, POLLIN | POLLHUP, 100));
    SAY(close(o.a));
    SAY(own_poll(o.c, POLLIN | POLLHUP, 500));
    SAY(read(o.c, b, sizeof b));
}

CASE(own_shut_write_unread)
{
    struct own o = own_ends(AF_INET);
    char b[10] = "abcdefghi";

    SAY(write(o.c, b, sizeof b));
    SAY(own_poll(o.a, POLLIN, 500));
    SAY(shutdown(o.a, SHUT_WR));
    SAY(own_poll(o.c, POLLIN | POLLHUP, 500));
    SAY(read(o.c, b, sizeof b));
    SAY(read(o.a, b, sizeof b));
    SAY(write(o.c, b, 3));
    SAY(close(o.c));
    SAY(read(o.a, b, sizeof b));
    SAY(read(o.a, b, sizeof b));
}

/* ---- connecting to oneself ---- */

static int to_itself(int domain, int maxseg)
{
    const int s = socket(domain, SOCK_STREAM, 0);
    struct own_addr a = own_address(domain);

    if (maxseg)
        SAY(set_int(s, IPPROTO_TCP, TCP_MAXSEG, maxseg));
    SAY(bind(s, &a.sa, a.len));
    a = own_name(s);
    SAY(own_connect(s, &a));
    must_be_carried(s);
    return s;
}

static void *reading(void *arg)
{
    char b[2500];
    long sum = 0, n;

    while ((n = read(*(int *)arg, b, sizeof b)) > 0)
        sum += n;
    return (void *)(n < 0 ? -errno : sum);
}

static void itself(int domain)
{
    static char big[1 << 20];
    int s = to_itself(domain, 0);
    pthread_t t;
    void *got;

    pthread_create(&t, NULL, reading, &s);
    SAY(write(s, big, sizeof big));
    SAY(shutdown(s, SHUT_WR));
    pthread_join(t, &got);
    say("read %ld", (long)got);
    SAY(tcp_state(s));
}
CASE(own_itself) { itself(AF_INET); }
CASE(own_itself_ip6) { itself(AF_INET6); }

CASE(own_itself_small)
{
    static char big[512 << 10];
    const int s = to_itself(AF_INET, 256);

    SAY(set_int(s, SOL_SOCKET, SO_SNDBUF, sizeof big));
    SAY(send(s, big, sizeof big, 0));
    SAY(shutdown(s, SHUT_WR));
}

static void *shutting(void *arg)
{
    usleep(150000);
    shutdown(((int *)arg)[0], ((int *)arg)[1]);
    return NULL;
}

CASE(own_itself_shut_while_sending)
{
    static char big[24 << 20];
    int arg[2] = {to_itself(AF_INET, 0), SHUT_WR};
    pthread_t t;

    signal(SIGPIPE, SIG_IGN);
    pthread_create(&t, NULL, shutting, arg);
    SAY(send(arg[0], big, sizeof big, 0) < (ssize_t)sizeof big);
    SAY(send(arg[0], big, 1, 0));
    pthread_join(t, NULL);
}

CASE(own_itself_shut_while_receiving)
{
    int arg[2] = {to_itself(AF_INET, 0), SHUT_RD};
    pthread_t t;
    char b[1];

    pthread_create(&t, NULL, shutting, arg);
    SAY(recv(arg[0], b, 0, 0));
    SAY(recv(arg[0], b, 1, 0));
    pthread_join(t, NULL);
}

/* ---- connecting again ---- */

static void refused_then_not(int domain)
{
    const int l = socket(domain, SOCK_STREAM, 0), s = socket(domain, SOCK_STREAM, 0);
    struct own_addr a = own_address(domain), c = own_address(domain), n;

    SAY(bind(l, &a.sa, a.len));
    a = own_name(l);
    SAY(bind(s, &c.sa, c.len));
    c = own_name(s);
    SAY(own_connect(s, &a));
    SAY(own_poll(s, 0x7fff, 0));
    n = own_name(s);
    say("same name %d", memcmp(&n.sa, &c.sa, c.len) == 0);
    const int other = socket(domain, SOCK_STREAM, 0);
    SAY(bind(other, &c.sa, c.len));
    SAY(own_connect(s, &a));
    SAY(listen(l, 5));
    SAY(own_connect(s, &a));
    SAY(accept(l, NULL, NULL) >= 0);
    n = own_name(s);
    say("same name %d", memcmp(&n.sa, &c.sa, c.len) == 0);
    say("carried");
    must_be_carried(s);
}
CASE(own_connect_again) { refused_then_not(AF_INET); }
CASE(own_connect_again_ip6) { refused_then_not(AF_INET6); }

static int refused_later(int domain)
{
    struct own_addr a = own_address(domain);
    const int b = socket(domain, SOCK_STREAM, 0);
    int r;

    SAY(bind(b, &a.sa, a.len));
    a = own_name(b);
    const int s = own_nonblocking(domain, &a, &r);
    say("%d %s", r, strerrorname_np(errno));
    SAY(own_poll(s, POLLERR, 500));
    return s;
}

/* How the error is taken: by SO_ERROR, a read, a peek, another connect. */
static void refused_seen(int domain, int how)
{
    const int s = refused_later(domain);
    const struct own_addr a = own_address(domain); /* port 0 */
    char b[1];

    if (how == 0)
        SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    if (how == 1)
        SAY(read(s, b, 1));
    if (how == 2)
        SAY(recv(s, b, 1, MSG_PEEK));
    if (how == 3)
        SAY(send(s, b, 1, MSG_NOSIGNAL));
    if (how == 4)
        SAY(own_connect(s, &a));
    SAY(own_poll(s, 0x7fff, 0));
    SAY(recv(s, b, 1, MSG_PEEK));
    SAY(read(s, b, 1));
    SAY(send(s, b, 1, MSG_NOSIGNAL));
    fcntl(s, F_SETFL, 0);
    SAY(own_connect(s, &a));
    SAY(own_connect(s, &a));
}
CASE(own_refused_error) { refused_seen(AF_INET, 0); }
CASE(own_refused_read) { refused_seen(AF_INET, 1); }
CASE(own_refused_peek) { refused_seen(AF_INET6, 2); }
CASE(own_refused_send) { refused_seen(AF_INET, 3); }
CASE(own_refused_connect) { refused_seen(AF_INET, 4); }

CASE(own_connected_then_closed)
{
    struct own_addr a;
    const int l = own_listener(AF_INET, 4, &a);
    int r, s = own_nonblocking(AF_INET, &a, &r);

    say("%d %s", r, strerrorname_np(errno));
    SAY(close(accept(l, NULL, NULL)));
    SAY(own_poll(s, POLLOUT, 500));
    SAY(own_poll(s, 0x7fff, 100));
    SAY(own_connect(s, &a));
    SAY(own_connect(s, &a));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
}

static void nowhere(int domain)
{
    struct own_addr a = own_address(domain);

    if (domain == AF_INET)
        a.in.sin_addr.s_addr = 0;
    else
        a.in6.sin6_addr = in6addr_any;
    SAY(own_connect(socket(domain, SOCK_STREAM, 0), &a));
    if (domain == AF_INET6) {
        a.in6.sin6_addr.s6_addr[10] = a.in6.sin6_addr.s6_addr[11] = 0xff;
        SAY(own_connect(socket(domain, SOCK_STREAM, 0), &a));
    }
}
CASE(own_connect_nowhere) { nowhere(AF_INET); }
CASE(own_connect_nowhere_ip6) { nowhere(AF_INET6); }

/* connect() to the wildcard reaches who listens on it. */
CASE(own_connect_any)
{
    struct own_addr a = own_address(AF_INET);
    const int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);

    a.in.sin_addr.s_addr = 0;
    SAY(bind(l, &a.sa, a.len));
    SAY(listen(l, 3));
    a = own_name(l);
    SAY(own_connect(s, &a));
    SAY(accept(l, NULL, NULL) >= 0);
    a = own_name(s);
    say_addr("own", &a.sa, a.len);
    SAY(getpeername(s, &a.sa, &a.len));
    say_addr("peer", &a.sa, a.len);
}

CASE(own_dissolved)
{
    struct own o = own_ends(AF_INET);
    struct sockaddr un = {.sa_family = AF_UNSPEC};
    struct own_addr c = own_name(o.c), n;
    char b[4];

    SAY(write(o.a, "abc", 3));
    SAY(connect(o.c, &un, sizeof un));
    SAY(own_poll(o.a, POLLHUP, 500));
    SAY(own_poll(o.a, 0x7fff, 0));
    SAY(read(o.a, b, 3));
    SAY(read(o.c, b, 3));
    SAY(own_poll(o.c, 0x7fff, 0));
    n = own_name(o.c);
    say("address %x port %d", n.in.sin_addr.s_addr == c.in.sin_addr.s_addr, n.in.sin_port == c.in.sin_port);
    SAY(own_connect(o.c, &o.at));
    SAY(write(o.c, "x", 1));
    const int a = accept(o.l, NULL, NULL);
    SAY(read(a, b, 3));
    SAY(connect(a, &un, sizeof un));
    SAY(listen(a, 3));
    SAY(own_poll(a, 0x7fff, 0));
    SAY(connect(o.l, &un, sizeof un));
    SAY(get_int(o.l, SOL_SOCKET, SO_ACCEPTCONN));
    SAY(own_connect(socket(AF_INET, SOCK_STREAM, 0), &o.at));
    SAY(listen(o.l, 1));
    SAY(connect(socket(AF_INET, SOCK_STREAM, 0), &un, sizeof un));
    SAY(connect(o.l, &un, 1));
}

CASE(own_linger_not_connected)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    const struct linger l = {1, 10};
    struct timespec start;

    SAY(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l));
    SAY(own_poll(s, POLLHUP, 0));
    clock_gettime(CLOCK_MONOTONIC, &start);
    SAY(close(s));
    say("at once %d", ms_since(&start) < 1000);
}

/* l: SO_LINGER on the closing end, with data that the other end reads later. */
static void lingers(int on, int seconds, int nonblock)
{
    struct own o = own_ends(AF_INET);
    const struct linger l = {on, seconds};
    struct timespec start;
    static char big[1 << 20];
    long n = 0, r;

    SAY(setsockopt(o.c, SOL_SOCKET, SO_LINGER, &l, sizeof l));
    fcntl(o.c, F_SETFL, O_NONBLOCK);
    while ((r = send(o.c, big, sizeof big, 0)) > 0)
        n += r;
    if (!nonblock)
        fcntl(o.c, F_SETFL, 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    SAY(close(o.c));
    r = ms_since(&start);
    say("%s", r < 300 ? "at once" : r < 1800 ? "about a second" : "long");
    while ((r = recv(o.a, big, sizeof big, 0)) > 0)
        n -= r;
    say("end %ld %s, all there %d", r, r < 0 ? strerrorname_np(errno) : "", n == 0);
}
CASE(own_linger_off) { lingers(0, 0, 0); }
CASE(own_linger_zero) { lingers(1, 0, 0); }
CASE(own_linger_second) { lingers(1, 1, 0); }
CASE(own_linger_nonblocking) { lingers(1, 1, 1); }
