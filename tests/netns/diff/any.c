/* SPDX-License-Identifier: BSD-3-Clause */
#include "any.h"

static struct addr make(int family, const struct sockaddr_in *v4, const struct sockaddr_in6 *v6, int port)
{
    struct addr a = {.len = family == AF_INET ? sizeof a.in : sizeof a.in6};

    if (family == AF_INET)
        a.in = *v4;
    else
        a.in6 = *v6;
    a.in.sin_port = htons((uint16_t)port); /* at the same place in both */
    return a;
}

struct addr own(int family, int port) { return make(family, &host4, &host6, port); }

struct addr other(int family, int port) { return make(family, &peer4, &peer6, port); }

struct addr wild(int family, int port)
{
    const struct sockaddr_in v4 = {.sin_family = AF_INET};
    const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    return make(family, &v4, &v6, port);
}

struct addr text_addr(const char *ip, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
        return make(AF_INET, &v4, &v6, port);
    NEED(inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1);
    return make(AF_INET6, &v4, &v6, port);
}

struct addr named(int fd)
{
    struct addr a = {.len = sizeof a.ss};

    NEED(getsockname(fd, &a.sa, &a.len) == 0);
    return a;
}

struct addr unspec(void) { return (struct addr){.len = sizeof(struct sockaddr_in6)}; }

int port_in(struct addr a) { return ntohs(a.in.sin_port); }

int dgram(int family)
{
    const int fd = socket(family, SOCK_DGRAM, 0);

    NEED(fd >= 0);
    return fd;
}

int bind_to(int fd, struct addr a) { return bind(fd, &a.sa, a.len); }

int connect_to(int fd, struct addr a) { return connect(fd, &a.sa, a.len); }

ssize_t send_text(int fd, const char *text, struct addr to)
{
    return sendto(fd, text, strlen(text), 0, &to.sa, to.len);
}

int bound_dgram(int family)
{
    const int fd = dgram(family);

    NEED(bind_to(fd, own(family, 0)) == 0);
    must_be_carried(fd);
    return fd;
}

int peer_dgram(int family)
{
    const int fd = peer_socket(family, SOCK_DGRAM);

    NEED(bind_to(fd, other(family, 0)) == 0);
    return fd;
}

struct ends linked(int family)
{
    struct ends e = {bound_dgram(family), peer_dgram(family)};

    NEED(connect_to(e.s, other(family, port_in(named(e.p)))) == 0);
    NEED(connect_to(e.p, own(family, port_in(named(e.s)))) == 0);
    return e;
}

void say_name(int fd)
{
    struct addr a = {.len = sizeof a.ss};

    if (say_result("getsockname", getsockname(fd, &a.sa, &a.len)) == 0)
        say_addr("name", &a.ss, a.len);
}

void say_peer(int fd)
{
    struct addr a = {.len = sizeof a.ss};

    if (say_result("getpeername", getpeername(fd, &a.sa, &a.len)) == 0)
        say_addr("peer", &a.ss, a.len);
}

static void receive(int fd, const char *what)
{
    char b[2048];
    const ssize_t n = recv(fd, b, sizeof b, MSG_DONTWAIT);

    if (n < 0)
        say_result(what, n);
    else
        say_bytes(what, b, (size_t)(n > 64 ? 64 : n));
}

void take(int fd, const char *what)
{
    await(fd, POLLIN);
    receive(fd, what);
}

void none(int fd, const char *what)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    poll(&p, 1, 30);
    receive(fd, what);
}

/* One datagram more, to a socket of its own: nothing overtakes on that wire. */
void settled(int family)
{
    const int last = bound_dgram(family), from = peer_dgram(family);

    NEED(send_text(from, "!", named(last)) == 1 && await(last, POLLIN) == POLLIN);
    close(last);
    close(from);
}

int level_of(int family) { return family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6; }
