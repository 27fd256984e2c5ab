/* SPDX-License-Identifier: BSD-3-Clause */
/* socket, bind, listen, accept, connect, getsockname, getpeername in every state. */
#include "diff.h"

#include <time.h>

static void names(const char *what, int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    if (TN(what, getsockname(fd, (void *)&a, &len)) == 0)
        say_addr("own", &a, len);
    len = sizeof a;
    if (TN(what, getpeername(fd, (void *)&a, &len)) == 0)
        say_addr("peer", &a, len);
}

CASE(socket_arguments)
{
    T(socket(AF_INET, 99, 0) < 0);
    T(socket(AF_INET, 0, 0));
    T(socket(AF_INET, -1, 0));
    T(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    T(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    T(socket(AF_INET, SOCK_STREAM, 999));
    T(socket(AF_INET, SOCK_STREAM, -1));
    T(socket(AF_INET, SOCK_DGRAM, 200));
    T(socket(AF_INET, SOCK_RAW, 0));
    T(socket(AF_INET, SOCK_SEQPACKET, 0));
    T(socket(AF_INET, SOCK_RDM, 0));
    T(socket(AF_INET, SOCK_STREAM | 0x40000, 0));
    T(socket(AF_INET, SOCK_STREAM | 0x100, 0));
    T(socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP));
    T(socket(999, SOCK_STREAM, 0));
    T(socket(-1, SOCK_STREAM, 0));
    T(socket(AF_UNSPEC, SOCK_STREAM, 0));
    T(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) >= 0);
    T(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) >= 0);
    T(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE) >= 0);
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    T(fcntl(s, F_GETFD));
    T(fcntl(s, F_GETFL));
}

CASE(bind_arguments)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(host_ip, 0);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
    struct sockaddr_storage ss = {0};

    T(bind(s, (void *)&a, sizeof a - 1));
    T(bind(s, (void *)&a, 0));
    T(bind(s, (void *)&a, (socklen_t)-1));
    T(bind(s, (void *)&ss, sizeof ss + 1));
    T(bind(s, (void *)&a6, sizeof a6));
    a.sin_family = AF_UNIX;
    T(bind(s, (void *)&a, sizeof a));
    a.sin_family = AF_UNSPEC;
    T(bind(s, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(0x08080808)}, 0);
    T(bind(s, (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(0xe0000001)}, 0);
    T(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof a));
    a = at((struct in_addr){htonl(INADDR_BROADCAST)}, 0);
    T(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof a));
    a = at(host_ip, 0);
    T(bind(s, (void *)&a, sizeof a));
    must_be_carried(s);
    names("bound", s);
    T(bind(s, (void *)&a, sizeof a));
    T(bind(s, (void *)&a, 3));
    T(bind(s, (void *)&a6, sizeof a6));
    T(bind(-1, (void *)&a, sizeof a));
    T(bind(999, (void *)&a, sizeof a));
    T(bind(0, (void *)&a, sizeof a));
    const int u = socket(AF_INET, SOCK_STREAM, 0);
    a = (struct sockaddr_in){0};
    T(bind(u, (void *)&a, sizeof a));
    names("bound", u);
    const int w = socket(AF_INET, SOCK_STREAM, 0);
    a = at(host_ip, 0);
    T(bind(w, (void *)&a, sizeof ss));
}

static void in_use(int type, bool listening, int opt1, int opt2)
{
    const int s = socket(AF_INET, type, 0), t = socket(AF_INET, type, 0), u = socket(AF_INET, type, 0);

    if (opt1)
        set_int(s, SOL_SOCKET, opt1, 1);
    if (opt2)
        set_int(t, SOL_SOCKET, opt2, 1), set_int(u, SOL_SOCKET, opt2, 1);
    T(try_bind(s, host_ip, 0));
    must_be_carried(s);
    if (listening)
        T(listen(s, 1));
    T(try_bind(t, host_ip, port_of(s)));
    if (type == SOCK_STREAM)
        T(listen(t, 1));
    T(try_bind(u, (struct in_addr){0}, port_of(s)));
    T(try_bind(u, (struct in_addr){htonl(INADDR_LOOPBACK)}, port_of(s)));
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

    T(try_bind(e.s, host_ip, 0));
    T(try_bind(u.s, host_ip, 0));
    T(try_connect(n, peer_ip, 9));
    T(try_bind(n, host_ip, 0));
    T(listen(e.s, 1));
    T(accept(e.s, NULL, NULL));
}

CASE(bind_privileged)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_DGRAM, 0);

    MUST(setresuid(1000, 1000, 1000) == 0);
    T(try_bind(s, host_ip, 80));
    T(try_bind(t, host_ip, 53));
    T(try_bind(s, host_ip, 1024 + 7));
    T(set_int(s, SOL_SOCKET, SO_MARK, 1));
    T(set_int(s, SOL_SOCKET, SO_PRIORITY, 7));
    T(set_int(s, SOL_SOCKET, SO_PRIORITY, 6));
    T(set_int(s, SOL_SOCKET, SO_RCVBUFFORCE, 100000));
    T(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    T(set_int(s, IPPROTO_IP, IP_TRANSPARENT, 1));
    T(set_int(s, SOL_SOCKET, SO_DEBUG, 1));
}

CASE(listen_states)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    int port;

    T(listen(-1, 1));
    T(listen(0, 1));
    T(accept(s, NULL, NULL));
    T(accept4(s, NULL, NULL, 0x1000));
    T(get_int(s, SOL_SOCKET, SO_ACCEPTCONN));
    T(try_bind(s, host_ip, 0));
    T(accept(s, NULL, NULL));
    T(listen(s, 1));
    T(get_int(s, SOL_SOCKET, SO_ACCEPTCONN));
    names("listening", s);
    T(listen(s, 5));
    T(listen(s, -1));
    T(listen(s, 0));
    T(try_bind(s, host_ip, 0));
    T(try_connect(s, peer_ip, 9));
    T(send(s, "a", 1, MSG_NOSIGNAL));
    T(recv(s, &port, 1, MSG_DONTWAIT));
    T(recv(s, &port, 1, 0));
    T(recv(s, &port, 1, MSG_OOB));
    T(await(s, 0));
    T(accept4(s, NULL, NULL, SOCK_NONBLOCK << 1));
    fcntl(s, F_SETFL, O_NONBLOCK);
    T(accept(s, NULL, NULL));
    T(ioctl(s, FIONREAD, &port));
    T(ioctl(s, SIOCOUTQ, &port));
    T(ioctl(s, SIOCATMARK, &port));
    T(shutdown(s, SHUT_WR));
    T(accept(s, NULL, NULL));
    T(shutdown(s, SHUT_RD));
    T(accept(s, NULL, NULL));
    T(get_int(s, SOL_SOCKET, SO_ACCEPTCONN));
    names("shut", s);
    T(listen(s, 1));
    T(accept(s, NULL, NULL));
}

CASE(listen_in_use)
{
    int port, l = listener(&port), m = socket(AF_INET, SOCK_STREAM, 0);

    T(try_bind(m, host_ip, port));
    T(try_bind(m, (struct in_addr){0}, port));
    close(l);
    T(try_bind(m, host_ip, port));
    T(listen(m, 1));
}

CASE(accept_addresses)
{
    int port, l = listener(&port), n;
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;

    for (int i = 0; i < 6; i++)
        MUST(try_connect(peer_socket(AF_INET, SOCK_STREAM), host_ip, port) == 0);
    T((n = accept(l, (void *)&a, &len)) >= 0);
    say_addr("from", &a, len);
    names("accepted", n);
    len = 5;
    T(accept(l, (void *)&a, &len) >= 0);
    say("length %u", len);
    len = 100;
    T(accept(l, (void *)&a, &len) >= 0);
    say("length %u", len);
    len = 0;
    T(accept(l, (void *)&a, &len) >= 0);
    say("length %u", len);
    T(accept(l, NULL, &len) >= 0);
    say("length %u", len);
    len = (socklen_t)-1;
    T(accept(l, (void *)&a, &len));
    set_timeout(l, SO_RCVTIMEO, 50);
    T(accept(l, NULL, NULL));
    fcntl(l, F_SETFL, O_NONBLOCK);
    T(accept(l, NULL, NULL));
}

CASE(accept_flags)
{
    int port, l = listener(&port), n;

    fcntl(l, F_SETFL, O_NONBLOCK);
    set_int(l, IPPROTO_TCP, TCP_NODELAY, 1);
    for (int i = 0; i < 2; i++)
        MUST(try_connect(peer_socket(AF_INET, SOCK_STREAM), host_ip, port) == 0);
    await(l, POLLIN);
    n = accept(l, NULL, NULL);
    T(fcntl(n, F_GETFL));
    T(fcntl(n, F_GETFD));
    T(get_int(n, IPPROTO_TCP, TCP_NODELAY));
    await(l, POLLIN);
    n = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    T(fcntl(n, F_GETFL));
    T(fcntl(n, F_GETFD));
}

CASE(accept_reset)
{
    const struct linger l0 = {1, 0};
    int port, l = listener(&port), n, p = peer_socket(AF_INET, SOCK_STREAM);
    char b[4];

    MUST(try_connect(p, host_ip, port) == 0);
    await(l, POLLIN);
    setsockopt(p, SOL_SOCKET, SO_LINGER, &l0, sizeof l0);
    close(p);
    usleep(20000);
    fcntl(l, F_SETFL, O_NONBLOCK);
    T((n = accept(l, NULL, NULL)) >= 0);
    T(recv(n, b, 4, 0));
    T(recv(n, b, 4, 0));
}

CASE(accept_emfile)
{
    int port, l = listener(&port);
    const struct rlimit {
        unsigned long cur, max;
    } none = {5, 5};
    extern int setrlimit();

    MUST(try_connect(peer_socket(AF_INET, SOCK_STREAM), host_ip, port) == 0);
    await(l, POLLIN);
    while (open("/dev/null", O_RDONLY) < 4)
        ;
    MUST(setrlimit(7, &none) == 0);
    T(accept(l, NULL, NULL));
    T(socket(AF_INET, SOCK_STREAM, 0));
    T(socket(AF_INET, SOCK_DGRAM, 0));
    T(dup(l));
    close(2);
    T(accept(l, NULL, NULL));
}

CASE(connect_arguments)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(peer_ip, 9);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = 9};
    struct sockaddr_storage ss = {0};

    T(connect(s, (void *)&a, sizeof a - 1));
    T(connect(s, (void *)&a, 0));
    T(connect(s, (void *)&a, 1));
    T(connect(s, (void *)&a, (socklen_t)-1));
    T(connect(s, (void *)&ss, sizeof ss + 1));
    T(connect(s, (void *)&a6, sizeof a6));
    a.sin_family = AF_UNIX;
    T(connect(s, (void *)&a, sizeof a));
    a.sin_family = AF_UNSPEC;
    T(connect(s, (void *)&a, sizeof a));
    T(connect(-1, (void *)&a, sizeof a));
    T(connect(0, (void *)&a, sizeof a));
    T(try_connect(s, (struct in_addr){htonl(INADDR_BROADCAST)}, 9));
    T(try_connect(s, (struct in_addr){htonl(0xe0000001)}, 9));
    T(try_connect(s, (struct in_addr){htonl(0x08080808)}, 9));
    names("unconnected", s);
}

CASE(connect_refused)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    char b[4];

    T(try_connect(s, peer_ip, 9));
    must_be_carried(s);
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(await(s, POLLIN | POLLOUT | POLLRDHUP));
    names("refused", s);
    T(send(s, "a", 1, MSG_NOSIGNAL));
    T(recv(s, b, 4, 0));
    T(try_connect(s, peer_ip, 9));
    T(getpeername(s, (void *)b, &(socklen_t){4}));
    T(shutdown(s, SHUT_RDWR));
}

CASE(connect_refused_nonblocking)
{
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char b[4];

    T(try_connect(s, peer_ip, 9));
    T(await(s, POLLOUT));
    T(await(s, POLLIN | POLLRDHUP));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(try_connect(s, peer_ip, 9));
    T(await(s, POLLOUT));
    T(try_connect(s, peer_ip, 9));
    for (int i = 0; i < 1000 && !(await(s, 0) & POLLERR); i++)
        ;
    T(try_connect(s, peer_ip, 9));
    await(s, POLLOUT);
    T(recv(s, b, 4, 0));
    T(recv(s, b, 4, 0));
    T(send(s, b, 4, MSG_NOSIGNAL));
}

CASE(connect_nonblocking)
{
    int port, l = peer_listener(&port), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    T(try_connect(s, peer_ip, port));
    T(await(s, POLLOUT));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(try_connect(s, peer_ip, port));
    T(try_connect(s, peer_ip, port));
    names("connected", s);
    (void)l;
}

/* An address of the net that nobody has. */
static struct in_addr silent(void) { return (struct in_addr){htonl((ntohl(host_ip.s_addr) & ~255u) + 99)}; }

CASE(connect_unanswered)
{
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char b[4];
    struct sockaddr un = {.sa_family = AF_UNSPEC};

    T(try_connect(s, silent(), 9));
    T(try_connect(s, silent(), 9));
    must_be_carried(s);
    names("connecting", s);
    T(await(s, 0));
    T(recv(s, b, 4, 0));
    T(send(s, b, 4, 0));
    T(listen(s, 1));
    T(accept(s, NULL, NULL));
    T(try_bind(s, host_ip, 0));
    T(ioctl(s, FIONREAD, b));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(connect(s, &un, sizeof un));
    names("disconnected", s);
    T(await(s, 0));
    const int t = socket(AF_INET, SOCK_STREAM, 0);
    set_timeout(t, SO_SNDTIMEO, 50);
    T(try_connect(t, silent(), 9));
    T(try_connect(t, silent(), 9));
    T(shutdown(t, SHUT_RDWR));
    T(await(t, POLLOUT));
    T(get_int(t, SOL_SOCKET, SO_ERROR));
}

CASE(connect_twice)
{
    struct ends e = tcp_ends();

    T(try_connect(e.s, peer_ip, 9));
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    T(try_connect(e.s, peer_ip, 9));
    names("connected", e.s);
    close(e.p);
    await(e.s, POLLRDHUP);
    T(try_connect(e.s, peer_ip, 9));
}

CASE(connect_dissolve)
{
    int port, l = peer_listener(&port), p;
    struct ends e = tcp_ends();
    struct sockaddr un = {.sa_family = AF_UNSPEC};
    char b[4];

    T(connect(e.s, &un, 1));
    T(connect(e.s, &un, sizeof un));
    must_be_carried(e.s);
    names("dissolved", e.s);
    T(recv(e.p, b, 4, 0));
    T(recv(e.s, b, 4, 0));
    T(send(e.s, b, 4, MSG_NOSIGNAL));
    T(await(e.s, POLLIN | POLLOUT | POLLRDHUP));
    T(connect(e.s, &un, sizeof un));
    T(try_connect(e.s, peer_ip, port));
    p = accept(l, NULL, NULL);
    T(send(e.s, "abcd", 4, 0));
    T(recv(p, b, 4, 0));
    names("again", e.s);
    T(connect(e.s, &un, sizeof un));
    T(listen(e.s, 1));
    names("listening", e.s);
}

CASE(connect_bound)
{
    int port, l = peer_listener(&port), s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr un = {.sa_family = AF_UNSPEC};

    T(try_bind(s, host_ip, 0));
    const int own = port_of(s);
    T(try_connect(s, peer_ip, port));
    say("same port %d", own == port_of(s));
    const int t = socket(AF_INET, SOCK_STREAM, 0);
    set_int(t, SOL_SOCKET, SO_REUSEADDR, 1);
    T(try_bind(t, host_ip, own));
    T(connect(s, &un, sizeof un));
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
        T(getsockname(e.s, (void *)b, &len));
        say("length %d", (int)len);
        say("touched %d", b[i < 0 ? 0 : i] != 0xee);
    }
    socklen_t len = 6;
    T(getpeername(e.s, (void *)&a, &len));
    say("length %u", len);
    len = (socklen_t)-1;
    T(getpeername(e.s, (void *)&a, &len));
    T(getpeername(-1, (void *)&a, &len));
    T(getpeername(0, (void *)&a, &len));
    T(getsockname(0, (void *)&a, &len));
}

CASE(not_connected)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    char b[4];
    int n;

    count_signals(SIGPIPE);
    names("fresh", s);
    T(await(s, POLLIN | POLLOUT | POLLRDHUP));
    T(recv(s, b, 4, 0));
    T(recv(s, b, 0, 0));
    T(read(s, b, 0));
    T(recv(s, b, 4, MSG_PEEK));
    T(recv(s, b, 4, MSG_OOB));
    T(recv(s, b, 4, MSG_ERRQUEUE));
    T(send(s, b, 4, 0));
    say("signals %d", (int)signals);
    T(send(s, b, 4, MSG_NOSIGNAL));
    T(send(s, b, 0, MSG_NOSIGNAL));
    T(shutdown(s, SHUT_RD));
    T(shutdown(s, SHUT_WR));
    T(shutdown(s, SHUT_RDWR));
    T(shutdown(s, 9));
    T(shutdown(-1, 9));
    T(shutdown(0, 9));
    T(ioctl(s, FIONREAD, &n));
    T(ioctl(s, SIOCOUTQ, &n));
    T(ioctl(s, SIOCATMARK, &n));
    T(get_int(s, SOL_SOCKET, SO_ERROR));
    T(accept(-1, NULL, NULL));
    T(accept(0, NULL, NULL));
}

CASE(close_states)
{
    struct ends e = tcp_ends();
    char b[4];

    T(close(e.s));
    T(close(e.s));
    T(send(e.s, b, 1, 0));
    T(recv(e.s, b, 1, 0));
    T(shutdown(e.s, SHUT_WR));
    T(getsockname(e.s, (void *)b, &(socklen_t){4}));
    T(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, b, 4));
    T(fcntl(e.s, F_GETFL));
    T(ioctl(e.s, FIONREAD, b));
    T(recv(e.p, b, 4, 0));
}

CASE(close_unread)
{
    struct ends e = tcp_ends();
    char b[4];

    feed(e, "abc");
    close(e.s);
    T(await(e.p, POLLRDHUP));
    T(recv(e.p, b, 4, 0));
    T(recv(e.p, b, 4, 0));
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
    T(await(e.p, POLLRDHUP));
    T(recv(e.p, b, 4, 0));
    T(recv(e.p, b, 4, 0));
    e = tcp_ends();
    setsockopt(e.s, SOL_SOCKET, SO_LINGER, &on, sizeof on);
    clock_gettime(CLOCK_MONOTONIC, &start);
    T(close(e.s));
    say("at once %d", ms_since(&start) < 900);
    e = tcp_ends();
    setsockopt(e.s, SOL_SOCKET, SO_LINGER, &on, sizeof on);
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    while (send(e.s, big, sizeof big, 0) > 0)
        ;
    fcntl(e.s, F_SETFL, 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    T(close(e.s));
    say("waited a second %d", ms_since(&start) >= 900 && ms_since(&start) < 2000);
}
