/* SPDX-License-Identifier: BSD-3-Clause */
/* socket, bind, listen, accept, connect, getsockname, getpeername in every state. */
#include "diff.h"

#include <time.h>

static void names(const char *what, int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    if (SAY_AS(what, getsockname(fd, (void *)&a, &len)) == 0)
        say_addr("own", &a, len);
    len = sizeof a;
    if (SAY_AS(what, getpeername(fd, (void *)&a, &len)) == 0)
        say_addr("peer", &a, len);
}

CASE(socket_arguments)
{
    SAY(socket(AF_INET, 99, 0) < 0);
    SAY(socket(AF_INET, 0, 0));
    SAY(socket(AF_INET, -1, 0));
    SAY(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SAY(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    SAY(socket(AF_INET, SOCK_STREAM, 999));
    SAY(socket(AF_INET, SOCK_STREAM, -1));
    SAY(socket(AF_INET, SOCK_DGRAM, 200));
    SAY(socket(AF_INET, SOCK_RAW, 0));
    SAY(socket(AF_INET, SOCK_SEQPACKET, 0));
    SAY(socket(AF_INET, SOCK_RDM, 0));
    SAY(socket(AF_INET, SOCK_STREAM | 0x40000, 0));
    SAY(socket(AF_INET, SOCK_STREAM | 0x100, 0));
    SAY(socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP));
    SAY(socket(999, SOCK_STREAM, 0));
    SAY(socket(-1, SOCK_STREAM, 0));
    SAY(socket(AF_UNSPEC, SOCK_STREAM, 0));
    SAY(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) >= 0);
    SAY(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) >= 0);
    SAY(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE) >= 0);
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    SAY(fcntl(s, F_GETFD));
    SAY(fcntl(s, F_GETFL));
}

CASE(bind_arguments)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(host4.sin_addr, 0);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
    struct sockaddr_storage ss = {0};

    SAY(bind(s, (void *)&a, sizeof a - 1));
    SAY(bind(s, (void *)&a, 0));
    SAY(bind(s, (void *)&a, (socklen_t)-1));
    SAY(bind(s, (void *)&ss, sizeof ss + 1));
    SAY(bind(s, (void *)&a6, sizeof a6));
    a.sin_family = AF_UNIX;
    SAY(bind(s, (void *)&a, sizeof a));
    a.sin_family = AF_UNSPEC;
    SAY(bind(s, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(0x08080808)}, 0);
    SAY(bind(s, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(0xe0000001)}, 0);
    SAY(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(INADDR_BROADCAST)}, 0);
    SAY(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof a));
    a = at(host4.sin_addr, 0);
    SAY(bind(s, (void *)&a, sizeof a));
    must_be_carried(s);
    names("bound", s);
    SAY(bind(s, (void *)&a, sizeof a));
    SAY(bind(s, (void *)&a, 3));
    SAY(bind(s, (void *)&a6, sizeof a6));
    SAY(bind(-1, (void *)&a, sizeof a));
    SAY(bind(999, (void *)&a, sizeof a));
    SAY(bind(0, (void *)&a, sizeof a));
    const int u = socket(AF_INET, SOCK_STREAM, 0);
    a = (struct sockaddr_in){0};
    SAY(bind(u, (void *)&a, sizeof a));
    names("bound", u);
    const int w = socket(AF_INET, SOCK_STREAM, 0);
    a = at(host4.sin_addr, 0);
    SAY(bind(w, (void *)&a, sizeof ss));
}

static void in_use(int type, bool listening, int opt1, int opt2)
{
    const int s = socket(AF_INET, type, 0), t = socket(AF_INET, type, 0), u = socket(AF_INET, type, 0);

    if (opt1)
        set_int(s, SOL_SOCKET, opt1, 1);
    if (opt2)
        set_int(t, SOL_SOCKET, opt2, 1), set_int(u, SOL_SOCKET, opt2, 1);
    SAY(try_bind(s, host4.sin_addr, 0));
    must_be_carried(s);
    if (listening)
        SAY(listen(s, 1));
    SAY(try_bind(t, host4.sin_addr, port_of(s)));
    if (type == SOCK_STREAM)
        SAY(listen(t, 1));
    SAY(try_bind(u, (struct in_addr){0}, port_of(s)));
    SAY(try_bind(u, (struct in_addr){htonl(INADDR_LOOPBACK)}, port_of(s)));
}

CASE(bind_in_use) { in_use(SOCK_STREAM, false, 0, 0); }
CASE(bind_in_use_listening) { in_use(SOCK_STREAM, true, 0, 0); }
CASE(bind_in_use_reuse) { in_use(SOCK_STREAM, false, SO_REUSEADDR, SO_REUSEADDR); }
CASE(bind_in_use_reuse_one) { in_use(SOCK_STREAM, false, 0, SO_REUSEADDR); }
CASE(bind_in_use_reuse_listening) { in_use(SOCK_STREAM, true, SO_REUSEADDR, SO_REUSEADDR); }
CASE(bind_in_use_reuseport) { in_use(SOCK_STREAM, true, SO_REUSEPORT, SO_REUSEPORT); }
CASE(bind_in_use_reuseport_one) { in_use(SOCK_STREAM, true, SO_REUSEPORT, 0); }
CASE(bind_in_use_dgram) { in_use(SOCK_DGRAM, false, 0, 0); }
CASE(bind_in_use_dgram_reuse) { in_use(SOCK_DGRAM, false, SO_REUSEADDR, SO_REUSEADDR); }
CASE(bind_in_use_dgram_reuseport) { in_use(SOCK_DGRAM, false, SO_REUSEPORT, SO_REUSEPORT); }
CASE(bind_in_use_dgram_mixed) { in_use(SOCK_DGRAM, false, SO_REUSEPORT, SO_REUSEADDR); }

CASE(bind_after_connect)
{
    struct ends e = tcp_ends();
    struct ends u = udp_ends();
    const int n = socket(AF_INET, SOCK_DGRAM, 0);

    SAY(try_bind(e.s, host4.sin_addr, 0));
    SAY(try_bind(u.s, host4.sin_addr, 0));
    SAY(try_connect(n, peer4.sin_addr, NOBODY));
    SAY(try_bind(n, host4.sin_addr, 0));
    SAY(listen(e.s, 1));
    SAY(accept(e.s, NULL, NULL));
}

CASE(bind_privileged)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_DGRAM, 0);

    NEED(setresuid(1000, 1000, 1000) == 0);
    SAY(try_bind(s, host4.sin_addr, 80));
    SAY(try_bind(t, host4.sin_addr, 53));
    SAY(try_bind(s, host4.sin_addr, 1024 + 7));
    SAY(set_int(s, SOL_SOCKET, SO_MARK, 1));
    SAY(set_int(s, SOL_SOCKET, SO_PRIORITY, 7));
    SAY(set_int(s, SOL_SOCKET, SO_PRIORITY, 6));
    SAY(set_int(s, SOL_SOCKET, SO_RCVBUFFORCE, 100000));
    SAY(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    SAY(set_int(s, IPPROTO_IP, IP_TRANSPARENT, 1));
    SAY(set_int(s, SOL_SOCKET, SO_DEBUG, 1));
}

CASE(listen_states)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    int port;

    SAY(listen(-1, 1));
    SAY(listen(0, 1));
    SAY(accept(s, NULL, NULL));
    SAY(accept4(s, NULL, NULL, 0x1000));
    SAY(get_int(s, SOL_SOCKET, SO_ACCEPTCONN));
    SAY(try_bind(s, host4.sin_addr, 0));
    SAY(accept(s, NULL, NULL));
    SAY(listen(s, 1));
    SAY(get_int(s, SOL_SOCKET, SO_ACCEPTCONN));
    names("listening", s);
    SAY(listen(s, 5));
    SAY(listen(s, -1));
    SAY(listen(s, 0));
    SAY(try_bind(s, host4.sin_addr, 0));
    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    SAY(send(s, "a", 1, MSG_NOSIGNAL));
    SAY(recv(s, &port, 1, MSG_DONTWAIT));
    SAY(recv(s, &port, 1, 0));
    SAY(recv(s, &port, 1, MSG_OOB));
    SAY(await(s, 0));
    SAY(accept4(s, NULL, NULL, SOCK_NONBLOCK << 1));
    fcntl(s, F_SETFL, O_NONBLOCK);
    SAY(accept(s, NULL, NULL));
    SAY(ioctl(s, FIONREAD, &port));
    SAY(ioctl(s, SIOCOUTQ, &port));
    SAY(ioctl(s, SIOCATMARK, &port));
    SAY(shutdown(s, SHUT_WR));
    SAY(accept(s, NULL, NULL));
    SAY(shutdown(s, SHUT_RD));
    SAY(accept(s, NULL, NULL));
    SAY(get_int(s, SOL_SOCKET, SO_ACCEPTCONN));
    names("shut", s);
    SAY(listen(s, 1));
    SAY(accept(s, NULL, NULL));
}

CASE(listen_in_use)
{
    int port, l = host_listener(&port), m = socket(AF_INET, SOCK_STREAM, 0);

    SAY(try_bind(m, host4.sin_addr, port));
    SAY(try_bind(m, (struct in_addr){0}, port));
    close(l);
    SAY(try_bind(m, host4.sin_addr, port));
    SAY(listen(m, 1));
}

CASE(accept_addresses)
{
    int port, l = host_listener(&port), n;
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    for (int i = 0; i < 6; i++)
        NEED(try_connect(peer_socket(AF_INET, SOCK_STREAM), host4.sin_addr, port) == 0);
    SAY((n = accept(l, (void *)&a, &len)) >= 0);
    say_addr("from", &a, len);
    names("accepted", n);
    len = 5;
    SAY(accept(l, (void *)&a, &len) >= 0);
    say("length %u", len);
    len = 100;
    SAY(accept(l, (void *)&a, &len) >= 0);
    say("length %u", len);
    len = 0;
    SAY(accept(l, (void *)&a, &len) >= 0);
    say("length %u", len);
    SAY(accept(l, NULL, &len) >= 0);
    say("length %u", len);
    len = (socklen_t)-1;
    SAY(accept(l, (void *)&a, &len));
    set_timeout(l, SO_RCVTIMEO, 50);
    SAY(accept(l, NULL, NULL));
    fcntl(l, F_SETFL, O_NONBLOCK);
    SAY(accept(l, NULL, NULL));
}

CASE(accept_flags)
{
    int port, l = host_listener(&port), n;

    fcntl(l, F_SETFL, O_NONBLOCK);
    set_int(l, IPPROTO_TCP, TCP_NODELAY, 1);
    for (int i = 0; i < 2; i++)
        NEED(try_connect(peer_socket(AF_INET, SOCK_STREAM), host4.sin_addr, port) == 0);
    await(l, POLLIN);
    n = accept(l, NULL, NULL);
    SAY(fcntl(n, F_GETFL));
    SAY(fcntl(n, F_GETFD));
    SAY(get_int(n, IPPROTO_TCP, TCP_NODELAY));
    await(l, POLLIN);
    n = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    SAY(fcntl(n, F_GETFL));
    SAY(fcntl(n, F_GETFD));
}

CASE(accept_reset)
{
    const struct linger l0 = {1, 0};
    int port, l = host_listener(&port), n, p = peer_socket(AF_INET, SOCK_STREAM);
    char b[4];

    NEED(try_connect(p, host4.sin_addr, port) == 0);
    await(l, POLLIN);
    setsockopt(p, SOL_SOCKET, SO_LINGER, &l0, sizeof l0);
    close(p);
    settle(20);
    fcntl(l, F_SETFL, O_NONBLOCK);
    SAY((n = accept(l, NULL, NULL)) >= 0);
    SAY(recv(n, b, 4, 0));
    SAY(recv(n, b, 4, 0));
}

CASE(accept_emfile)
{
    int port, l = host_listener(&port);
    const struct rlimit none = {5, 5};

    NEED(try_connect(peer_socket(AF_INET, SOCK_STREAM), host4.sin_addr, port) == 0);
    await(l, POLLIN);
    while (open("/dev/null", O_RDONLY) < 4)
        ;
    NEED(setrlimit(RLIMIT_NOFILE, &none) == 0);
    SAY(accept(l, NULL, NULL));
    SAY(socket(AF_INET, SOCK_STREAM, 0));
    SAY(socket(AF_INET, SOCK_DGRAM, 0));
    SAY(dup(l));
    close(2);
    SAY(accept(l, NULL, NULL));
}

CASE(connect_arguments)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(peer4.sin_addr, NOBODY);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = 9};
    struct sockaddr_storage ss = {0};

    SAY(connect(s, (void *)&a, sizeof a - 1));
    SAY(connect(s, (void *)&a, 0));
    SAY(connect(s, (void *)&a, 1));
    SAY(connect(s, (void *)&a, (socklen_t)-1));
    SAY(connect(s, (void *)&ss, sizeof ss + 1));
    SAY(connect(s, (void *)&a6, sizeof a6));
    a.sin_family = AF_UNIX;
    SAY(connect(s, (void *)&a, sizeof a));
    a.sin_family = AF_UNSPEC;
    SAY(connect(s, (void *)&a, sizeof a));
    SAY(connect(-1, (void *)&a, sizeof a));
    SAY(connect(0, (void *)&a, sizeof a));
    SAY(try_connect(s, (struct in_addr){htonl(INADDR_BROADCAST)}, 9));
    SAY(try_connect(s, (struct in_addr){htonl(0xe0000001)}, 9));
    SAY(try_connect(s, (struct in_addr){htonl(0x08080808)}, 9));
    names("unconnected", s);
}

CASE(connect_refused)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    char b[4];

    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    must_be_carried(s);
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(await(s, POLLIN | POLLOUT | POLLRDHUP));
    names("refused", s);
    SAY(send(s, "a", 1, MSG_NOSIGNAL));
    SAY(recv(s, b, 4, 0));
    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    SAY(getpeername(s, (void *)b, &(socklen_t){4}));
    SAY(shutdown(s, SHUT_RDWR));
}

CASE(connect_refused_nonblocking)
{
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char b[4];

    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    SAY(await(s, POLLOUT));
    SAY(await(s, POLLIN | POLLRDHUP));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    SAY(await(s, POLLOUT));
    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    for (int i = 0; i < 1000 && !(await(s, 0) & POLLERR); i++)
        ;
    SAY(try_connect(s, peer4.sin_addr, NOBODY));
    await(s, POLLOUT);
    SAY(recv(s, b, 4, 0));
    SAY(recv(s, b, 4, 0));
    SAY(send(s, b, 4, MSG_NOSIGNAL));
}

CASE(connect_nonblocking)
{
    int port, l = peer_listener(&port), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    SAY(try_connect(s, peer4.sin_addr, port));
    SAY(await(s, POLLOUT));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(try_connect(s, peer4.sin_addr, port));
    SAY(try_connect(s, peer4.sin_addr, port));
    names("connected", s);
    (void)l;
}

/* An address of the net that nobody has. */
static struct in_addr silent(void) { return (struct in_addr){htonl((ntohl(host4.sin_addr.s_addr) & ~255u) + 99)}; }

CASE(connect_unanswered)
{
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char b[4];
    struct sockaddr un = {.sa_family = AF_UNSPEC};

    SAY(try_connect(s, silent(), 9));
    SAY(try_connect(s, silent(), 9));
    must_be_carried(s);
    names("connecting", s);
    SAY(await(s, 0));
    SAY(recv(s, b, 4, 0));
    SAY(send(s, b, 4, 0));
    SAY(listen(s, 1));
    SAY(accept(s, NULL, NULL));
    SAY(try_bind(s, host4.sin_addr, 0));
    SAY(ioctl(s, FIONREAD, b));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(connect(s, &un, sizeof un));
    names("disconnected", s);
    SAY(await(s, 0));
    const int t = socket(AF_INET, SOCK_STREAM, 0);
    set_timeout(t, SO_SNDTIMEO, 50);
    SAY(try_connect(t, silent(), 9));
    SAY(try_connect(t, silent(), 9));
    SAY(shutdown(t, SHUT_RDWR));
    SAY(await(t, POLLOUT));
    SAY(get_int(t, SOL_SOCKET, SO_ERROR));
}

CASE(connect_twice)
{
    struct ends e = tcp_ends();

    SAY(try_connect(e.s, peer4.sin_addr, NOBODY));
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    SAY(try_connect(e.s, peer4.sin_addr, NOBODY));
    names("connected", e.s);
    close(e.p);
    await(e.s, POLLRDHUP);
    SAY(try_connect(e.s, peer4.sin_addr, NOBODY));
}

CASE(connect_dissolve)
{
    int port, l = peer_listener(&port), p;
    struct ends e = tcp_ends();
    struct sockaddr un = {.sa_family = AF_UNSPEC};
    char b[4];

    SAY(connect(e.s, &un, 1));
    SAY(connect(e.s, &un, sizeof un));
    must_be_carried(e.s);
    names("dissolved", e.s);
    SAY(recv(e.p, b, 4, 0));
    SAY(recv(e.s, b, 4, 0));
    SAY(send(e.s, b, 4, MSG_NOSIGNAL));
    SAY(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(connect(e.s, &un, sizeof un));
    SAY(try_connect(e.s, peer4.sin_addr, port));
    p = accept(l, NULL, NULL);
    SAY(send(e.s, "abcd", 4, 0));
    SAY(recv(p, b, 4, 0));
    names("again", e.s);
    SAY(connect(e.s, &un, sizeof un));
    SAY(listen(e.s, 1));
    names("listening", e.s);
}

CASE(connect_bound)
{
    int port, l = peer_listener(&port), s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr un = {.sa_family = AF_UNSPEC};

    SAY(try_bind(s, host4.sin_addr, 0));
    const int own = port_of(s);
    SAY(try_connect(s, peer4.sin_addr, port));
    say("same port %d", own == port_of(s));
    const int t = socket(AF_INET, SOCK_STREAM, 0);
    set_int(t, SOL_SOCKET, SO_REUSEADDR, 1);
    SAY(try_bind(t, host4.sin_addr, own));
    SAY(connect(s, &un, sizeof un));
    names("dissolved", s);
    say("same port %d", own == port_of(s));
    (void)l;
}

CASE(name_lengths)
{
    struct ends e = tcp_ends();
    struct sockaddr_in a;
    unsigned char b[32];

    for (int i = -1; i < 20; i += 3) {
        socklen_t len = (socklen_t)i;
        memset(b, 0xee, sizeof b);
        SAY(getsockname(e.s, (void *)b, &len));
        say("length %d", (int)len);
        say("touched %d", b[i < 0 ? 0 : i] != 0xee);
    }
    socklen_t len = 6;
    SAY(getpeername(e.s, (void *)&a, &len));
    say("length %u", len);
    len = (socklen_t)-1;
    SAY(getpeername(e.s, (void *)&a, &len));
    SAY(getpeername(-1, (void *)&a, &len));
    SAY(getpeername(0, (void *)&a, &len));
    SAY(getsockname(0, (void *)&a, &len));
}

CASE(not_connected)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    char b[4];
    int n;

    count_signals(SIGPIPE);
    names("fresh", s);
    SAY(await(s, POLLIN | POLLOUT | POLLRDHUP));
    SAY(recv(s, b, 4, 0));
    SAY(recv(s, b, 0, 0));
    SAY(read(s, b, 0));
    SAY(recv(s, b, 4, MSG_PEEK));
    SAY(recv(s, b, 4, MSG_OOB));
    SAY(recv(s, b, 4, MSG_ERRQUEUE));
    SAY(send(s, b, 4, 0));
    say("signals %d", (int)signals);
    SAY(send(s, b, 4, MSG_NOSIGNAL));
    SAY(send(s, b, 0, MSG_NOSIGNAL));
    SAY(shutdown(s, SHUT_RD));
    SAY(shutdown(s, SHUT_WR));
    SAY(shutdown(s, SHUT_RDWR));
    SAY(shutdown(s, 9));
    SAY(shutdown(-1, 9));
    SAY(shutdown(0, 9));
    SAY(ioctl(s, FIONREAD, &n));
    SAY(ioctl(s, SIOCOUTQ, &n));
    SAY(ioctl(s, SIOCATMARK, &n));
    SAY(get_int(s, SOL_SOCKET, SO_ERROR));
    SAY(accept(-1, NULL, NULL));
    SAY(accept(0, NULL, NULL));
}

CASE(close_states)
{
    struct ends e = tcp_ends();
    char b[4];

    SAY(close(e.s));
    SAY(close(e.s));
    SAY(send(e.s, b, 1, 0));
    SAY(recv(e.s, b, 1, 0));
    SAY(shutdown(e.s, SHUT_WR));
    SAY(getsockname(e.s, (void *)b, &(socklen_t){4}));
    SAY(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, b, 4));
    SAY(fcntl(e.s, F_GETFL));
    SAY(ioctl(e.s, FIONREAD, b));
    SAY(recv(e.p, b, 4, 0));
}

CASE(close_unread)
{
    struct ends e = tcp_ends();
    char b[4];

    feed(e, "abc");
    close(e.s);
    SAY(await(e.p, POLLRDHUP));
    SAY(recv(e.p, b, 4, 0));
    SAY(recv(e.p, b, 4, 0));
}

CASE(close_linger)
{
    struct ends e = tcp_ends();
    const struct linger off = {1, 0}, on = {1, 1};
    struct timespec start;
    static char big[8 << 20];
    char b[4];

    setsockopt(e.s, SOL_SOCKET, SO_LINGER, &off, sizeof off);
    send(e.s, "abc", 3, 0);
    await_bytes(e.p, 3);
    close(e.s);
    SAY(await(e.p, POLLRDHUP));
    SAY(recv(e.p, b, 4, 0));
    SAY(recv(e.p, b, 4, 0));
    e = tcp_ends();
    setsockopt(e.s, SOL_SOCKET, SO_LINGER, &on, sizeof on);
    clock_gettime(CLOCK_MONOTONIC, &start);
    SAY(close(e.s));
    say("at once %d", ms_since(&start) < 900);
    e = tcp_ends();
    setsockopt(e.s, SOL_SOCKET, SO_LINGER, &on, sizeof on);
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    while (send(e.s, big, sizeof big, 0) > 0)
        ;
    fcntl(e.s, F_SETFL, 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    SAY(close(e.s));
    say("waited a second %d", ms_since(&start) >= 900 && ms_since(&start) < 2000);
}
