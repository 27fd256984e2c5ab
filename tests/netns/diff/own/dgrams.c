/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams between sockets of one host: which of several sockets gets one, what the addresses are, and errors. */
#include "any.h"

static int shared(int family, struct addr a, int opt)
{
    const int s = dgram(family);

    if (opt)
        MUST(set_int(s, SOL_SOCKET, opt, 1));
    if (SAY(bind_to(s, a)) < 0)
        say("to port %s", port_in(a) ? "given" : "any");
    return s;
}

/* Who has it; the others have nothing. */
static void who(const char *what, const int *fds, int n)
{
    char b[64];

    settle(5);
    for (int i = 0; i < n; i++) {
        ssize_t got;
        while (fds[i] >= 0 && (got = recv(fds[i], b, sizeof b, MSG_DONTWAIT)) >= 0)
            say("%s: %.*s at %d", what, (int)got, b, i);
    }
}

static void most_specific(int family)
{
    const int s = dgram(family), t = dgram(family);
    int fds[4];

    MUST(bind_to(s, own(family, 0)));
    MUST(bind_to(t, own(family, 0)));
    fds[0] = shared(family, wild(family, 0), SO_REUSEADDR);
    const int port = port_in(named(fds[0]));
    fds[1] = shared(family, own(family, port), SO_REUSEADDR);
    fds[2] = shared(family, own(family, port), SO_REUSEADDR);
    MUST(connect_to(fds[2], named(s)));
    fds[3] = shared(family, wild(family, port), SO_REUSEADDR);
    SAY(send_text(s, "one", own(family, port)));
    SAY(send_text(t, "two", own(family, port)));
    who("all", fds, 4);
    close(fds[2]);
    fds[2] = -1;
    SAY(send_text(s, "three", own(family, port)));
    who("without the connected", fds, 4);
    close(fds[1]);
    fds[1] = -1;
    SAY(send_text(s, "four", own(family, port)));
    who("wildcards", fds, 4);
    close(fds[3]);
    fds[3] = -1;
    SAY(send_text(s, "five", own(family, port)));
    who("the first wildcard", fds, 4);
}
CASE(own_dgrams4_specific) { most_specific(AF_INET); }
CASE(own_dgrams6_specific) { most_specific(AF_INET6); }

/* The port is one's own until its socket is closed; then it is free at once. */
static void again(int family)
{
    for (int i = 0; i < 3; i++) {
        const int s = dgram(family);
        static int port;
        SAY(bind_to(s, own(family, port)));
        port = port_in(named(s));
        const int t = dgram(family);
        SAY(bind_to(t, own(family, port)));
        SAY(bind_to(t, wild(family, port)));
        close(t);
        close(s);
    }
}
CASE(own_dgrams4_again) { again(AF_INET); }
CASE(own_dgrams6_again) { again(AF_INET6); }

/* Every sender's datagrams go to one of those that share the port. */
static void spread(int family)
{
    int fds[4];
    char b[8];
    bool one_each = true;

    fds[0] = shared(family, own(family, 0), SO_REUSEPORT);
    const int port = port_in(named(fds[0]));
    for (int i = 1; i < 4; i++)
        fds[i] = shared(family, own(family, port), SO_REUSEPORT);
    for (int i = 0; i < 16; i++) {
        const int s = dgram(family);
        for (int k = 0; k < 4; k++)
            NEED(send_text(s, "x", own(family, port)) == 1);
        settle(1);
        int receivers = 0, sum = 0;
        for (int k = 0; k < 4; k++) {
            int n = 0;
            while (recv(fds[k], b, sizeof b, MSG_DONTWAIT) > 0)
                n++;
            receivers += n > 0;
            sum += n;
        }
        one_each &= receivers == 1 && sum == 4;
        close(s);
    }
    say("each at one %d", one_each);
}
CASE(own_dgrams4_spread) { spread(AF_INET); }
CASE(own_dgrams6_spread) { spread(AF_INET6); }

/* What an answer's source is. */
static void answer(int fd, const char *what)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char b[16];

    if (!(await(fd, POLLIN) & POLLIN)) {
        say("%s: nothing", what);
        return;
    }
    SAY_AS(what, recvfrom(fd, b, sizeof b, 0, (struct sockaddr *)&from, &len));
    say_addr(what, &from, len);
    SAY(sendto(fd, "back", 4, 0, (struct sockaddr *)&from, len));
}

CASE(own_dgrams_dual)
{
    const int any = dgram(AF_INET6), only = dgram(AF_INET6), c4 = dgram(AF_INET), c6 = dgram(AF_INET6);
    char mapped[64] = "::ffff:";

    strcat(mapped, host_ip);
    SAY(bind_to(any, wild(AF_INET6, 0)));
    const int port = port_in(named(any));
    SAY(send_text(c4, "four", own(AF_INET, port)));
    answer(any, "from IPv4");
    take(c4, "answer");
    SAY(send_text(c6, "six", own(AF_INET6, port)));
    answer(any, "from IPv6");
    take(c6, "answer");
    SAY(send_text(c6, "mapped", text_addr(mapped, port)));
    answer(any, "from mapped");
    say_name(c6);
    SAY(set_int(only, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    SAY(bind_to(only, wild(AF_INET6, 0)));
    SAY(send_text(only, "x", text_addr(mapped, port)));
    SAY(connect_to(only, text_addr(mapped, port)));
    SAY(connect_to(only, own(AF_INET6, port)));
    say_name(only);
    SAY(send_text(c4, "none", own(AF_INET, port_in(named(only)))));
    none(only, "IPv6 only");
}

CASE(own_dgrams_loopback_net)
{
    const int any = dgram(AF_INET), c = dgram(AF_INET), b = dgram(AF_INET);

    SAY(bind_to(any, wild(AF_INET, 0)));
    const int port = port_in(named(any));
    SAY(bind_to(c, text_addr("127.0.0.9", 0)));
    SAY(send_text(c, "x", text_addr("127.0.0.5", port)));
    answer(any, "to another of loopback's");
    take(c, "answer");
    SAY(connect_to(b, text_addr("127.1.2.3", port)));
    say_name(b);
    SAY(send(b, "y", 1, 0));
    answer(any, "connected");
    none(b, "the answer comes from elsewhere");
}

static void itself(int family)
{
    const int s = dgram(family);
    char b[16];
    int n = -1;

    SAY(bind_to(s, own(family, 0)));
    SAY(connect_to(s, named(s)));
    say_peer(s);
    SAY(send(s, "me", 2, 0));
    SAY(ioctl(s, FIONREAD, &n));
    say("%d", n);
    SAY(recv(s, b, sizeof b, MSG_PEEK));
    SAY(recv(s, b, sizeof b, MSG_DONTWAIT));
    SAY(recv(s, b, sizeof b, MSG_DONTWAIT));
    SAY(shutdown(s, SHUT_WR));
    signal(SIGPIPE, SIG_IGN);
    SAY(send(s, "me", 2, 0));
    SAY(shutdown(s, SHUT_RD));
    SAY(recv(s, b, sizeof b, 0));
}
CASE(own_dgrams4_itself) { itself(AF_INET); }
CASE(own_dgrams6_itself) { itself(AF_INET6); }

/* A port that nobody has: the connected are told, the others not, except by the error queue. */
static void nobody(int family)
{
    const int c = dgram(family), u = dgram(family), q = dgram(family), gone = dgram(family);
    const int level = level_of(family), name = family == AF_INET ? IP_RECVERR : IPV6_RECVERR;
    char b[16], control[256];
    struct iovec v = {b, sizeof b};
    struct sockaddr_storage from;

    MUST(bind_to(gone, own(family, 0)));
    const struct addr to = named(gone);
    SAY(connect_to(c, to));
    SAY(send(c, "1", 1, 0));
    close(gone);
    SAY(send(c, "2", 1, 0));
    SAY(poll_for(c, POLLIN) & POLLERR);
    SAY(send(c, "3", 1, 0));
    SAY(get_int(c, SOL_SOCKET, SO_ERROR));
    SAY(send(c, "4", 1, 0));
    SAY(recv(c, b, sizeof b, 0));
    SAY(send_text(u, "5", to));
    SAY(send_text(u, "6", to));
    SAY(get_int(u, SOL_SOCKET, SO_ERROR));
    SAY(set_int(q, level, name, 1));
    SAY(send_text(q, "seven", to));
    SAY(poll_for(q, POLLIN) & POLLERR);
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof from,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    SAY(recvmsg(q, &m, MSG_ERRQUEUE));
    say("flags %x control %zu", (unsigned)m.msg_flags, m.msg_controllen);
    SAY(send_text(q, "8", to));
    SAY(send_text(q, "9", to));
    SAY(send_text(q, "10", to));
}
CASE(own_dgrams4_nobody) { nobody(AF_INET); }
CASE(own_dgrams6_nobody) { nobody(AF_INET6); }

/* connect, dissolve, bind in all orders. */
static void orders(int family)
{
    const int s = dgram(family), r = dgram(family);

    MUST(bind_to(r, own(family, 0)));
    SAY(connect_to(s, named(r)));
    const int port = port_in(named(s));
    SAY(bind_to(s, own(family, 0)));
    SAY(connect_to(s, unspec()));
    say_name(s);
    SAY(bind_to(s, own(family, port)));
    say("the same %d", port_in(named(s)) == port);
    SAY(bind_to(s, own(family, 0)));
    SAY(connect_to(s, unspec()));
    say("the same %d", port_in(named(s)) == port);
    SAY(connect_to(s, named(r)));
    SAY(send(s, "a", 1, 0));
    take(r, "bound and connected");
    SAY(connect_to(s, named(s)));
    SAY(send(s, "b", 1, 0));
    take(s, "to itself");
    say_peer(s);
}
CASE(own_dgrams4_orders) { orders(AF_INET); }
CASE(own_dgrams6_orders) { orders(AF_INET6); }

static void ttl(int family)
{
    const int s = dgram(family), r = dgram(family), level = level_of(family);
    const int hops = family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS;
    const int told = family == AF_INET ? IP_RECVTTL : IPV6_RECVHOPLIMIT;
    static const int values[] = {1, 2, 255, -1};

    MUST(bind_to(r, own(family, 0)));
    SAY(set_int(r, level, told, 1));
    for (int i = 0; i < 4; i++) {
        char b[8], control[64];
        struct iovec v = {b, sizeof b};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        SAY(set_int(s, level, hops, values[i]));
        SAY(get_int(s, level, hops));
        SAY(send_text(s, "x", named(r)));
        SAY(recvmsg(r, &m, 0));
        const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        say("hops %d", c ? *(const int *)CMSG_DATA(c) : -1);
    }
}
CASE(own_dgrams4_hops) { ttl(AF_INET); }
CASE(own_dgrams6_hops) { ttl(AF_INET6); }

static void *receives(void *arg)
{
    char b[8];

    return (void *)recv(*(int *)arg, b, sizeof b, 0);
}

/* shutdown and connect while another thread waits. */
CASE(own_dgrams_woken)
{
    int s = dgram(AF_INET), r = dgram(AF_INET);
    pthread_t t;
    void *n;

    MUST(bind_to(r, own(AF_INET, 0)));
    MUST(bind_to(s, own(AF_INET, 0)));
    pthread_create(&t, NULL, receives, &r);
    nap(30);
    SAY(send_text(s, "x", named(r)));
    pthread_join(t, &n);
    say("%ld", (long)n);
    MUST(connect_to(r, named(s)));
    pthread_create(&t, NULL, receives, &r);
    nap(30);
    SAY(shutdown(r, SHUT_RD));
    pthread_join(t, &n);
    say("%ld", (long)n);
}

/* Buffers of different sizes, options before and after bind, and what is left of them. */
CASE(own_dgrams_options_kept)
{
    const int s = dgram(AF_INET);
    static const int names[] = {SO_REUSEADDR, SO_REUSEPORT, SO_BROADCAST, SO_KEEPALIVE, SO_TIMESTAMP, SO_RXQ_OVFL};

    for (int i = 0; i < 6; i++)
        SAY(set_int(s, SOL_SOCKET, names[i], 1));
    SAY(set_int(s, IPPROTO_IP, IP_TOS, 0x28));
    SAY(set_int(s, IPPROTO_IP, IP_PKTINFO, 1));
    SAY(bind_to(s, wild(AF_INET, 0)));
    SAY(connect_to(s, named(s)));
    SAY(connect_to(s, unspec()));
    for (int i = 0; i < 6; i++)
        SAY(get_int(s, SOL_SOCKET, names[i]));
    SAY(get_int(s, IPPROTO_IP, IP_TOS));
    SAY(get_int(s, IPPROTO_IP, IP_PKTINFO));
}
