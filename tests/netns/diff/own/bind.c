/* SPDX-License-Identifier: BSD-3-Clause */
/* Which addresses and ports may be taken beside which: families, wildcards, SO_REUSEADDR, SO_REUSEPORT. */
#include "own.h"

enum place { V4_ANY, V4_HOST, V6_ANY, V6_ANY_ONLY, V6_HOST, MAPPED_ANY, MAPPED_HOST, PLACES };
static const char *const place_names[] = {"0.0.0.0", "v4", "::", ":: only", "::1", "mapped any", "mapped"};

static struct own_addr place_address(enum place p, int port)
{
    const bool v4 = p == V4_ANY || p == V4_HOST, mapped = p == MAPPED_ANY || p == MAPPED_HOST;
    struct own_addr a = own_address(v4 ? AF_INET : AF_INET6);

    if (p == V4_ANY)
        a.in.sin_addr.s_addr = 0;
    if (p == V6_ANY || p == V6_ANY_ONLY || mapped)
        a.in6.sin6_addr = in6addr_any;
    if (mapped)
        a.in6.sin6_addr.s6_addr[10] = a.in6.sin6_addr.s6_addr[11] = 0xff;
    if (p == MAPPED_HOST)
        memcpy(a.in6.sin6_addr.s6_addr + 12, &host4.sin_addr, 4);
    a.in.sin_port = htons((uint16_t)port); /* at the same place in both */
    return a;
}

static int kind = SOCK_STREAM;

static int place_socket(enum place p, int opt)
{
    const int s = socket(p == V4_ANY || p == V4_HOST ? AF_INET : AF_INET6, kind, 0);

    if (p == V6_ANY_ONLY)
        set_int(s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (opt)
        set_int(s, SOL_SOCKET, opt, 1);
    return s;
}

/* One that is free in both families: connections that ended a moment ago keep theirs in one of them. */
static int free_port(void)
{
    const int s = place_socket(V6_ANY, 0);
    const struct own_addr a = place_address(V6_ANY, 0);

    NEED(bind(s, &a.sa, a.len) == 0);
    const int port = ntohs(own_name(s).in6.sin6_port);
    close(s);
    return port;
}

/* Every place after every other one. */
static void beside(int opt1, int opt2, bool listening)
{
    char text[96];

    for (enum place p = 0; p < PLACES; p++)
        for (enum place q = 0; q < PLACES; q++) {
            const int s = place_socket(p, opt1), t = place_socket(q, opt2);
            const struct own_addr a = place_address(p, free_port());
            NEED(bind(s, &a.sa, a.len) == 0);
            if (listening)
                NEED(listen(s, 1) == 0);
            const struct own_addr b = place_address(q, ntohs(own_name(s).in.sin_port));
            snprintf(text, sizeof text, "%s after %s", place_names[q], place_names[p]);
            if (SAY_AS(text, bind(t, &b.sa, b.len)) == 0 && kind == SOCK_STREAM)
                SAY(listen(t, 1));
            close(s);
            close(t);
        }
}
static void beside_dgram(int opt1, int opt2)
{
    kind = SOCK_DGRAM;
    beside(opt1, opt2, false);
}
CASE(own_bind_dgram) { beside_dgram(0, 0); }
CASE(own_bind_dgram_reuseaddr) { beside_dgram(SO_REUSEADDR, SO_REUSEADDR); }
CASE(own_bind_dgram_reuseport) { beside_dgram(SO_REUSEPORT, SO_REUSEPORT); }
CASE(own_bind_dgram_mixed) { beside_dgram(SO_REUSEPORT, SO_REUSEADDR); }
CASE(own_bind_dgram_one) { beside_dgram(SO_REUSEADDR, 0); }
CASE(own_bind_beside) { beside(0, 0, false); }
CASE(own_bind_beside_listening) { beside(0, 0, true); }
CASE(own_bind_beside_reuseaddr) { beside(SO_REUSEADDR, SO_REUSEADDR, false); }
CASE(own_bind_beside_reuseaddr_listening) { beside(SO_REUSEADDR, SO_REUSEADDR, true); }
CASE(own_bind_beside_reuseport) { beside(SO_REUSEPORT, SO_REUSEPORT, true); }
CASE(own_bind_beside_mixed) { beside(SO_REUSEPORT, SO_REUSEADDR, false); }
CASE(own_bind_beside_one) { beside(SO_REUSEADDR, 0, false); }

/* Who is reached from where. */
CASE(own_bind_reached)
{
    char text[96];

    for (enum place p = 0; p < PLACES; p++)
        for (enum place q = 0; q < PLACES; q++) {
            const int l = place_socket(p, 0), s = place_socket(q, 0);
            struct own_addr a = place_address(p, 0);
            NEED(bind(l, &a.sa, a.len) == 0 && listen(l, 1) == 0);
            a = place_address(q, ntohs(own_name(l).in.sin_port));
            snprintf(text, sizeof text, "%s from %s", place_names[p], place_names[q]);
            if (SAY_AS(text, connect(s, &a.sa, a.len)) == 0) {
                const int c = accept(l, NULL, NULL);
                struct own_addr n = own_name(c);
                say_addr("accepted", &n.sa, n.len);
                n = own_name(s);
                say_addr("connected", &n.sa, n.len);
                n.len = sizeof n.in6;
                NEED(getpeername(c, &n.sa, &n.len) == 0);
                say_addr("peer", &n.sa, n.len);
                close(c);
            }
            close(s);
            close(l);
        }
}

/* The port that connect chose is taken on that family alone. */
static void ephemeral(enum place from, int opt)
{
    struct own_addr a = place_address(from == V6_HOST ? V6_HOST : V4_ANY, 0), b;
    const int l = socket(from == V6_HOST ? AF_INET6 : AF_INET, SOCK_STREAM, 0), s = place_socket(from, 0);
    char text[64];

    NEED(bind(l, &a.sa, a.len) == 0 && listen(l, 3) == 0);
    b = place_address(from, ntohs(own_name(l).in.sin_port));
    SAY(connect(s, &b.sa, b.len));
    const int port = ntohs(own_name(s).in.sin_port);
    for (enum place q = 0; q < PLACES; q++) {
        const int t = place_socket(q, opt);
        if (from == V6_HOST && q == V4_ANY) /* Linux finds it taken, and the mapped wildcard not */
            continue;
        a = place_address(q, port);
        snprintf(text, sizeof text, "%s at the connected port", place_names[q]);
        if (SAY_AS(text, bind(t, &a.sa, a.len)) == 0)
            SAY(listen(t, 1));
        close(t);
    }
}
CASE(own_bind_ephemeral) { ephemeral(V4_HOST, 0); }
CASE(own_bind_ephemeral_reuse) { ephemeral(V4_HOST, SO_REUSEADDR); }
CASE(own_bind_ephemeral_reuseport) { ephemeral(V4_HOST, SO_REUSEPORT); }
CASE(own_bind_ephemeral_ip6) { ephemeral(V6_HOST, 0); }
CASE(own_bind_ephemeral_mapped) { ephemeral(MAPPED_HOST, 0); }

/* SO_REUSEADDR is looked at when binding, and again when listening. */
CASE(own_bind_options_later)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);
    struct own_addr a = own_address(AF_INET);

    SAY(set_int(s, SOL_SOCKET, SO_REUSEADDR, 1));
    SAY(bind(s, &a.sa, a.len));
    a = own_name(s);
    SAY(set_int(t, SOL_SOCKET, SO_REUSEADDR, 1));
    SAY(bind(t, &a.sa, a.len));
    SAY(listen(s, 1));
    SAY(listen(t, 1));
    SAY(set_int(s, SOL_SOCKET, SO_REUSEADDR, 0));
    SAY(bind(socket(AF_INET, SOCK_STREAM, 0), &a.sa, a.len));
    SAY(close(s));
    SAY(listen(t, 1));
    const int u = socket(AF_INET, SOCK_STREAM, 0);
    SAY(bind(u, &a.sa, a.len));
    SAY(set_int(u, SOL_SOCKET, SO_REUSEADDR, 1));
    SAY(bind(u, &a.sa, a.len));
    SAY(close(t));
    SAY(bind(u, &a.sa, a.len));
    SAY(set_int(u, SOL_SOCKET, SO_REUSEPORT, 1));
    SAY(listen(u, 1));
    const int v = socket(AF_INET, SOCK_STREAM, 0);
    SAY(set_int(v, SOL_SOCKET, SO_REUSEPORT, 1));
    SAY(bind(v, &a.sa, a.len));
}

/* Connections of one local address to two listeners; the same twice. */
CASE(own_bind_same_address_connects)
{
    struct own_addr a, b, c = own_address(AF_INET);
    const int l = own_listener(AF_INET, 4, &a), m = own_listener(AF_INET, 4, &b);
    int s[4];

    for (int i = 0; i < 4; i++) {
        s[i] = socket(AF_INET, SOCK_STREAM, 0);
        set_int(s[i], SOL_SOCKET, SO_REUSEADDR, 1);
        SAY(bind(s[i], &c.sa, c.len));
        c = own_name(s[i]);
    }
    SAY(own_connect(s[0], &a));
    SAY(own_connect(s[1], &b));
    SAY(own_connect(s[2], &a));
    SAY(own_connect(s[3], &b));
    SAY(listen(s[2], 1));
    SAY(accept(l, NULL, NULL) >= 0);
    SAY(accept(m, NULL, NULL) >= 0);
}

/* SO_REUSEPORT: every connection reaches one of the listeners, and each gets some. */
static void spread(int domain)
{
    enum { L = 3, N = 120 };
    struct own_addr a = own_address(domain);
    int l[L], got[L] = {0}, c[N], fewest = N;

    for (int i = 0; i < L; i++) {
        l[i] = socket(domain, SOCK_STREAM, 0);
        NEED(set_int(l[i], SOL_SOCKET, SO_REUSEPORT, 1) == 0);
        NEED(bind(l[i], &a.sa, a.len) == 0 && listen(l[i], N) == 0);
        a = own_name(l[i]);
        fcntl(l[i], F_SETFL, O_NONBLOCK);
    }
    for (int i = 0; i < N; i++) {
        c[i] = socket(domain, SOCK_STREAM, 0);
        NEED(own_connect(c[i], &a) == 0);
    }
    int sum = 0;
    for (int i = 0; i < L; i++) {
        while (accept(l[i], NULL, NULL) >= 0)
            got[i]++;
        sum += got[i];
        fewest = got[i] < fewest ? got[i] : fewest;
    }
    say("all %d, each some %d", sum == N, fewest >= 10);
    SAY(close(l[0]));
    SAY(own_connect(socket(domain, SOCK_STREAM, 0), &a));
}
CASE(own_bind_spread) { spread(AF_INET); }
CASE(own_bind_spread_ip6) { spread(AF_INET6); }

CASE(own_bind_twice)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    struct own_addr a = own_address(AF_INET), o;

    SAY(bind(s, &a.sa, a.len));
    o = own_name(s);
    SAY(bind(s, &o.sa, o.len));
    SAY(bind(s, &a.sa, a.len));
    SAY(listen(s, 1));
    SAY(bind(s, &a.sa, a.len));
    SAY(shutdown(s, SHUT_RD));
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SAY(bind(s, &a.sa, a.len));
    SAY(listen(s, 1));
}

CASE(own_bind_loopback_net)
{
    struct own_addr a = own_address(AF_INET), b;
    const int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);

    a.in.sin_addr.s_addr = htonl(0x7f000102);
    SAY(bind(l, &a.sa, a.len));
    SAY(listen(l, 1));
    a = own_name(l);
    b = own_address(AF_INET);
    b.in.sin_addr.s_addr = htonl(0x7f000909);
    SAY(bind(s, &b.sa, b.len));
    SAY(own_connect(s, &a));
    SAY(accept(l, &b.sa, &b.len) >= 0);
    say_addr("peer", &b.sa, b.len);
    b = own_address(AF_INET);
    b.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    b.in.sin_port = a.in.sin_port;
    SAY(own_connect(socket(AF_INET, SOCK_STREAM, 0), &b));
    b.in.sin_addr.s_addr = htonl(0x7fffffff);
    SAY(own_connect(socket(AF_INET, SOCK_STREAM, 0), &b));
    SAY(bind(socket(AF_INET, SOCK_STREAM, 0), &b.sa, b.len));
}

CASE(own_bind_no_port)
{
    struct own_addr a, b = own_address(AF_INET), n;
    const int l = own_listener(AF_INET, 3, &a), s = socket(AF_INET, SOCK_STREAM, 0);

    SAY(set_int(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
    SAY(bind(s, &b.sa, b.len));
    n = own_name(s);
    say_addr("bound", &n.sa, n.len);
    SAY(own_connect(s, &a));
    n = own_name(s);
    say_addr("connected", &n.sa, n.len);
    SAY(accept(l, NULL, NULL) >= 0);
}

CASE(own_socketpair)
{
    int fd[2] = {7, 7};

    SAY(socketpair(AF_INET, 0, 0, fd));
    SAY(socketpair(AF_INET6, 0, 0, fd));
    SAY(socketpair(AF_INET, SOCK_STREAM, 0, fd));
    SAY(socketpair(AF_INET6, SOCK_STREAM, IPPROTO_TCP, fd));
    SAY(socketpair(AF_INET, SOCK_DGRAM, 17, fd));
    SAY(socketpair(AF_INET, SOCK_STREAM, 17, fd));
    SAY(socketpair(AF_MAX, 0, 0, fd));
    SAY(socketpair(8675309, 0, 0, fd));
    say("%d %d", fd[0], fd[1]);
}

/* An address of version 6 makes a socket one of that version alone; the wildcard does not. */
static void only_after(int type, enum place p)
{
    const struct own_addr at = place_address(p, 0), v4 = place_address(V4_HOST, 9),
                          mapped = place_address(MAPPED_HOST, 9);
    const int s = socket(AF_INET6, type, 0);

    kind = type;
    say("%d at %s", type, place_names[p]);
    SAY(get_int(s, IPPROTO_IPV6, IPV6_V6ONLY));
    SAY(bind(s, &at.sa, at.len));
    SAY(get_int(s, IPPROTO_IPV6, IPV6_V6ONLY));
    if (type == SOCK_DGRAM) {
        SAY(sendto(s, "x", 1, 0, &v4.sa, v4.len));
        SAY(sendto(s, "x", 1, 0, &mapped.sa, mapped.len));
    }
    SAY(connect(s, &v4.sa, v4.len));
    SAY(connect(s, &mapped.sa, mapped.len));
    close(s);
}

CASE(own_bind_only_after)
{
    static const enum place places[] = {V6_ANY, V6_HOST, MAPPED_HOST};

    for (int i = 0; i < 3; i++) {
        only_after(SOCK_STREAM, places[i]);
        only_after(SOCK_DGRAM, places[i]);
    }
}

CASE(own_bind_only_accepted)
{
    const struct own_addr at = place_address(V6_HOST, 0);
    const int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET6, SOCK_STREAM, 0);

    MUST(bind(l, &at.sa, at.len));
    MUST(listen(l, 1));
    const struct own_addr to = own_name(l);
    SAY(connect(c, &to.sa, to.len));
    const int s = (int)MUST(accept(l, NULL, NULL));
    SAY(get_int(l, IPPROTO_IPV6, IPV6_V6ONLY));
    SAY(get_int(s, IPPROTO_IPV6, IPV6_V6ONLY));
    SAY(get_int(c, IPPROTO_IPV6, IPV6_V6ONLY));
}
