/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of several reasons a call is refused for, and what a call that was refused leaves behind. */
#include "any.h"

static struct addr mapped(const char *ip, int port)
{
    char text[64] = "::ffff:";

    return text_addr(strcat(text, ip), port);
}

/* Addresses of every family and of lengths around the right ones. */
static void every_address(int s, int family, const char *state)
{
    const bool dgrams = get_int(s, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM;
    const bool taken = strcmp(state, "listening") == 0 || strcmp(state, "connected") == 0;
    static const socklen_t lengths[] = {0, 1, 2, 15, 16, 23, 24, 28, 128, 129};
    const struct addr of[] = {own(AF_INET, NOBODY), own(AF_INET6, NOBODY), mapped(host_ip, NOBODY)};
    char what[64];

    for (size_t k = 0; k < sizeof of / sizeof *of; k++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            struct addr a = of[k];
            a.len = lengths[i];
            const bool long_enough = a.len >= (a.sa.sa_family == AF_INET ? 16 : 24) && a.len <= sizeof a.ss;
            if (long_enough && (a.sa.sa_family == family || dgrams) && !taken)
                continue; /* it would be connected */
            snprintf(what, sizeof what, "%s: %zu/%u", state, k, (unsigned)a.len);
            SAY_AS(what, connect(s, &a.sa, a.len));
        }
}

static void connect_order(int family)
{
    const int s = socket(family, SOCK_STREAM, 0), l = socket(family, SOCK_STREAM, 0);
    const int c = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), r = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    every_address(s, family, "fresh");
    MUST(bind_to(s, own(family, 0)));
    every_address(s, family, "bound");
    MUST(bind_to(l, own(family, 0)) | listen(l, 5));
    every_address(l, family, "listening");
    SAY(connect_to(c, named(l)));
    NEED(await(c, POLLOUT) == POLLOUT);
    every_address(c, family, "connected");
    SAY(connect_to(r, own(family, NOBODY)));
    NEED(await(r, POLLHUP) & POLLHUP);
    every_address(r, family, "refused");
}
CASE(own_order_connect4) { connect_order(AF_INET); }
CASE(own_order_connect6) { connect_order(AF_INET6); }

static void dgram_order(int family)
{
    const int s = dgram(family), t = dgram(family);

    every_address(s, family, "fresh");
    say_name(s);
    MUST(connect_to(t, own(family, NOBODY)));
    every_address(t, family, "dgram");
}
CASE(own_order_dgram4) { dgram_order(AF_INET); }
CASE(own_order_dgram6) { dgram_order(AF_INET6); }

/* What Linux refuses to send has bound the socket all the same. */
static void send_order(int family)
{
    static const int flags[] = {0, MSG_OOB, MSG_CONFIRM | MSG_OOB};
    char what[64];

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        for (int k = 0; k < 4; k++) {
            const int s = dgram(family);
            struct addr to = k == 1   ? own(family == AF_INET ? AF_INET6 : AF_INET, NOBODY)
                             : k == 2 ? own(family, 0)
                                      : own(family, NOBODY);
            if (k == 3)
                to.len = 7;
            snprintf(what, sizeof what, "flags %x to %d", (unsigned)flags[i], k);
            SAY_AS(what, sendto(s, "x", 1, flags[i], k ? &to.sa : NULL, k ? to.len : 0));
            say_name(s);
            close(s);
        }
}
CASE(own_order_send4) { send_order(AF_INET); }
CASE(own_order_send6) { send_order(AF_INET6); }

static void bind_again(int family, int type)
{
    const int s = socket(family, type, 0);

    MUST(bind_to(s, own(family, 0)));
    SAY(bind_to(s, own(family, 0)));
    SAY(bind_to(s, wild(family, 0)));
    SAY(bind_to(s, text_addr(family == AF_INET ? "192.0.2.1" : "2001:db8::1", 0)));
    SAY(bind_to(s, own(family == AF_INET ? AF_INET6 : AF_INET, 0)));
}
CASE(own_order_bind4) { bind_again(AF_INET, SOCK_STREAM); }
CASE(own_order_bind6) { bind_again(AF_INET6, SOCK_STREAM); }
CASE(own_order_bind4_dgram) { bind_again(AF_INET, SOCK_DGRAM); }
CASE(own_order_bind6_dgram) { bind_again(AF_INET6, SOCK_DGRAM); }

/* ---- version 4 by version 6's sockets ---- */

CASE(own_order_versions)
{
    const int s = dgram(AF_INET6), z = dgram(AF_INET6), b = socket(AF_INET6, SOCK_STREAM, 0);
    const int m = socket(AF_INET6, SOCK_STREAM, 0);

    SAY(connect_to(s, mapped(host_ip, NOBODY)));
    SAY(connect_to(s, own(AF_INET6, NOBODY)));
    say_peer(s);
    SAY(connect_to(s, wild(AF_INET6, NOBODY)));
    say_peer(s);
    SAY(send_text(s, "x", wild(AF_INET6, NOBODY)));
    SAY(connect_to(z, mapped(host_ip, 0)));
    SAY(send(z, "x", 1, 0));
    MUST(bind_to(b, own(AF_INET6, 0)));
    SAY(connect_to(b, mapped(host_ip, NOBODY)));
    MUST(bind_to(m, mapped(host_ip, 0)));
    SAY(connect_to(m, wild(AF_INET6, NOBODY)));
}

/* ---- what is left ---- */

static void refused_stays(int family)
{
    const int s = bound_dgram(family), d = bound_dgram(family);

    SAY(connect_to(s, named(d)));
    SAY(connect_to(s, text_addr(family == AF_INET ? "192.0.2.1" : "2001:db8::1", NOBODY)));
    say_peer(s);
    SAY(connect_to(s, text_addr(family == AF_INET ? "255.255.255.255" : "ff02::5", NOBODY)));
    say_peer(s);
    SAY(send(s, "still", 5, 0));
    take(d, "still");
    must_be_carried(s);
}
CASE(own_order_stays4) { refused_stays(AF_INET); }
CASE(own_order_stays6) { refused_stays(AF_INET6); }

/* Who waits in the queue of a listener that is shut has gone when it listens again. */
static void listen_again(int how)
{
    int port;
    const int l = host_listener(&port), c = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_STREAM, 0);
    char b[4];

    SAY(connect_to(c, named(l)));
    NEED(await(l, POLLIN) == POLLIN);
    SAY(shutdown(l, how));
    SAY(recv(l, b, 4, MSG_DONTWAIT));
    SAY(listen(l, 5));
    settle(2);
    say("%s", bits_text(poll_now(l)));
    SAY(recv(l, b, 4, MSG_DONTWAIT));
    SAY(recv(c, b, 4, 0));
    nonblocking(l);
    SAY(accept(l, NULL, NULL));
    SAY(connect_to(d, named(l)));
    NEED(await(l, POLLIN) == POLLIN);
    SAY(accept(l, NULL, NULL) >= 0);
    SAY(accept(l, NULL, NULL));
}
CASE(own_order_listen_again) { listen_again(SHUT_RD); }
CASE(own_order_listen_again_both) { listen_again(SHUT_RDWR); }

/* A connect that did not wait, and what another says when the connection has had a fate already. */
static void fate(bool reset, bool shut)
{
    int port, on = 1;
    const int l = host_listener(&port), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    MUST(ioctl(l, FIONBIO, &on));
    SAY(connect_to(c, own(AF_INET, port)));
    NEED(await(c, POLLOUT) == POLLOUT && await(l, POLLIN) == POLLIN);
    const int a = MUST(accept(l, NULL, NULL));
    if (shut)
        SAY(shutdown(c, SHUT_WR));
    if (reset)
        reset_at_close(a);
    close(a);
    NEED(await(c, POLLIN | POLLRDHUP));
    SAY(connect_to(c, own(AF_INET, port)));
    SAY(connect_to(c, own(AF_INET, NOBODY)) < 0);
}
CASE(own_order_fate_closed) { fate(false, false); }
CASE(own_order_fate_reset) { fate(true, false); }
CASE(own_order_fate_shut) { fate(false, true); }

/* Shut before it was connected, dissolved, then made a listener. */
CASE(own_order_dissolved)
{
    const int s = host_socket(SOCK_STREAM);
    char b[4];

    nonblocking(s);
    SAY(shutdown(s, SHUT_RDWR));
    say("%s", bits_text(poll_now(s)));
    SAY(recv(s, b, 4, 0));
    SAY(connect_to(s, unspec()));
    say("%s", bits_text(poll_now(s)));
    SAY(recv(s, b, 4, 0));
    SAY(listen(s, 5));
    SAY(recv(s, b, 4, 0));
    SAY(recv(s, b, 4, MSG_OOB));
    SAY(recv(s, b, 4, MSG_OOB | MSG_ERRQUEUE));
}

/* An option that Linux refuses leaves a new socket what it was. */
CASE(own_order_refused_options)
{
    static const struct {
        int level, name;
    } odd[] = {{SOL_SOCKET, SO_ERROR},      {SOL_SOCKET, SO_TYPE},   {SOL_SOCKET, SO_DOMAIN}, {SOL_SOCKET, 9999},
               {IPPROTO_TCP, TCP_CORK},     {IPPROTO_TCP, TCP_INFO}, {IPPROTO_TCP, 9999},     {IPPROTO_IP, 9999},
               {IPPROTO_IPV6, IPV6_V6ONLY}, {IPPROTO_UDP, 9999},     {IPPROTO_SCTP, 1},       {9999, 1}};

    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        const int s = host_socket(type);
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
            SAY(setsockopt(s, odd[i].level, odd[i].name, "\1\0\0\0\0\0\0", i % 3 ? 8 : 4));
            SAY(getsockopt(s, odd[i].level, odd[i].name, (int[]){0}, &(socklen_t){4}));
        }
        must_be_carried(s);
    }
}
