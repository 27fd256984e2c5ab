/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls in an order that nobody thought of: each case draws some hundred from its seed, the same on both stacks. A few
 * sockets of both families and kinds bind, listen, connect to each other, accept, send, receive, are shut, dissolved,
 * copied and closed, with good arguments and with bad ones. What is under way arrives before the next call. */
#include "any.h"

enum { SLOTS = 8 };

struct world {
    uint64_t dice;
    int fd[SLOTS]; /* -1: closed */
    int id[SLOTS]; /* a copy has the same */
    int ids;
    int barrier[2];
    int step, letter;
    bool v6, stream, dgram;
};

static unsigned draw(struct world *w, unsigned n)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->dice >> 33) % n;
}

static bool one_in(struct world *w, unsigned n) { return draw(w, n) == 0; }

#define PICK(w, array) ((array)[draw(w, sizeof(array) / sizeof *(array))])

/* What is under way goes before this. */
static void arrives(struct world *w)
{
    char c = 0;

    for (int i = 0; i < 4; i++) {
        NEED(send(w->barrier[i & 1], &c, 1, 0) == 1);
        NEED(recv(w->barrier[~i & 1], &c, 1, 0) == 1);
    }
}

/* ---- what is said ---- */

static void told(struct world *w, unsigned i, const char *what, long r)
{
    if (r < 0)
        say("%d: %d %s = %s", w->step, w->id[i], what, errno_text(errno));
    else
        say("%d: %d %s = %ld", w->step, w->id[i], what, r);
}

/* None, nobody's, or one that was chosen, which may be another's too. */
static const char *port_text(int port) { return port == 0 ? "no port" : port == NOBODY ? "nobody" : "port"; }

static const char *address_text(const struct addr *a)
{
    static char text[4][128];
    static unsigned next;
    char ip[64] = "", *t = text[next++ % 4];

    if (a->sa.sa_family == AF_INET)
        inet_ntop(AF_INET, &a->in.sin_addr, ip, sizeof ip);
    else if (a->sa.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &a->in6.sin6_addr, ip, sizeof ip);
    snprintf(t, 128, "%d/%u %s %s", a->sa.sa_family, (unsigned)a->len, ip, *ip ? port_text(port_in(*a)) : "");
    return t;
}

/* ---- addresses ---- */

static struct addr mapped(int port)
{
    char text[64] = "::ffff:";

    return text_addr(strcat(text, host_ip), port);
}

/* An address that a socket may be called by. */
static struct addr name_for(struct world *w, int to)
{
    struct addr a = {.len = sizeof a.ss};

    if (to < 0 || getsockname(to, &a.sa, &a.len) < 0)
        return own(w->v6 && one_in(w, 2) ? AF_INET6 : AF_INET, NOBODY);
    const int port = port_in(a) ? port_in(a) : NOBODY;
    if (a.sa.sa_family == AF_INET && a.in.sin_addr.s_addr == 0 && one_in(w, 2))
        a = own(AF_INET, port);
    else if (a.sa.sa_family == AF_INET && w->v6 && one_in(w, 3))
        a = mapped(port);
    else if (a.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a.in6.sin6_addr) && one_in(w, 2))
        a = one_in(w, 2) ? own(AF_INET6, port) : mapped(port);
    if (!port_in(a))
        a.in.sin_port = htons(NOBODY);
    return a;
}

static struct addr spoil(struct world *w, struct addr a)
{
    switch (draw(w, 40)) {
    case 0:
        a.len = draw(w, 30);
        break;
    case 1:
        a.sa.sa_family = PICK(w, ((const int[]){AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, 77}));
        break;
    case 2:
        a.in.sin_port = 0;
        break;
    case 3:
        a = text_addr(PICK(w, ((const char *const[]){"192.0.2.1", "2001:db8::1", "224.0.0.5", "255.255.255.255",
                                                     "::ffff:192.0.2.1", "ff02::5"})),
                      NOBODY);
        break;
    case 4:
        a.len = sizeof a.ss;
        break;
    default:
        break;
    }
    return a;
}

static int tcp_state(int fd)
{
    struct tcp_info info = {0};
    socklen_t n = 1;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
        return -1;
    switch (info.tcpi_state) { /* a FIN is acknowledged now or a little later */
    case TCP_FIN_WAIT1:
        return TCP_FIN_WAIT2;
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        return TCP_CLOSE;
    default:
        return info.tcpi_state;
    }
}

static struct addr somewhere(struct world *w) { return spoil(w, name_for(w, w->fd[draw(w, SLOTS)])); }

static bool is_v4(const struct addr *a)
{
    return a->sa.sa_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

/* A datagram socket that has spoken version 6 and then shall speak version 4 does it from addresses of its own. */
static bool unlike(int fd, const struct addr *to)
{
    struct addr a = {.len = sizeof a.ss};

    MUST(getsockname(fd, &a.sa, &a.len));
    return a.sa.sa_family == AF_INET6 && get_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM && is_v4(&a) != is_v4(to);
}

/* Once Linux had it connected it may be between two states. */
static bool was_connected(int fd)
{
    struct addr a = {.len = sizeof a.ss};

    MUST(getsockname(fd, &a.sa, &a.len));
    return get_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM && tcp_state(fd) == TCP_CLOSE && port_in(a);
}

/* ---- calls ---- */

static void opens(struct world *w, unsigned i)
{
    const int family = w->v6 && one_in(w, 2) ? AF_INET6 : AF_INET;
    const int type = w->stream && (!w->dgram || one_in(w, 2)) ? SOCK_STREAM : SOCK_DGRAM;

    w->fd[i] = (int)MUST(socket(family, type | SOCK_NONBLOCK, 0));
    w->id[i] = w->ids++;
    say("%d: %d is new: %d %d", w->step, w->id[i], family, type);
}

static void binds(struct world *w, unsigned i)
{
    const int family = w->v6 && one_in(w, 2) ? AF_INET6 : AF_INET;
    const int port = one_in(w, 3) ? port_in(name_for(w, w->fd[draw(w, SLOTS)])) : 0;
    struct addr a = one_in(w, 2) ? wild(family, port) : own(family, port);

    if (was_connected(w->fd[i]))
        return;
    if (port == NOBODY)
        a.in.sin_port = 0;
    if (w->v6 && one_in(w, 8))
        a = one_in(w, 2) ? text_addr("::ffff:0.0.0.0", 0) : mapped(0);
    a = spoil(w, a);
    if (port_in(a) == NOBODY)
        a.in.sin_port = 0;
    char what[160];
    snprintf(what, sizeof what, "bind %s", address_text(&a));
    told(w, i, what, bind(w->fd[i], &a.sa, a.len));
}

static void listens(struct world *w, unsigned i)
{
    told(w, i, "listen", listen(w->fd[i], PICK(w, ((const int[]){5, 5, 5, -1}))));
}

static void connects(struct world *w, unsigned i)
{
    struct addr a = somewhere(w);
    char what[160];

    if (unlike(w->fd[i], &a))
        return;
    if (one_in(w, 8) && get_int(w->fd[i], SOL_SOCKET, SO_DOMAIN) == AF_INET)
        a = unspec();
    errno = 0;
    snprintf(what, sizeof what, "connect %s", address_text(&a));
    told(w, i, what, connect(w->fd[i], &a.sa, a.len));
    if (errno != EINPROGRESS)
        return;
    arrives(w);
    if (tcp_state(w->fd[i]) != TCP_CLOSE)
        return;
    if (one_in(w, 2)) /* a socket that was refused is told so, for until then Linux has it between two states */
        say("%d: %s", w->step, errno_text(get_int(w->fd[i], SOL_SOCKET, SO_ERROR)));
    told(w, i, what, connect(w->fd[i], &a.sa, a.len));
}

static void accepts(struct world *w, unsigned i)
{
    struct addr a = {.len = sizeof a.ss};
    unsigned to = 0;

    while (to < SLOTS && w->fd[to] >= 0)
        to++;
    if (to == SLOTS)
        return;
    w->fd[to] = accept4(w->fd[i], &a.sa, &a.len, SOCK_NONBLOCK);
    told(w, i, "accept", w->fd[to] < 0 ? -1 : (w->id[to] = w->ids++));
    if (w->fd[to] >= 0)
        say("%d: from %s", w->step, address_text(&a));
}

static int some_flags(struct world *w, const int *flags, unsigned n)
{
    int all = MSG_NOSIGNAL;

    while (one_in(w, 3))
        all |= flags[draw(w, n)];
    return all;
}

static void sends(struct world *w, unsigned i)
{
    static const int flags[] = {MSG_OOB, MSG_EOR, MSG_DONTROUTE, MSG_CONFIRM, MSG_DONTWAIT, 0x800000};
    const int f = some_flags(w, flags, sizeof flags / sizeof *flags);
    const unsigned n = PICK(w, ((const unsigned[]){0, 1, 3, 9}));
    struct addr a = somewhere(w);
    const bool named = one_in(w, 3) && !unlike(w->fd[i], &a);
    struct iovec v[2];
    char text[10], what[160];

    for (unsigned k = 0; k < sizeof text; k++)
        text[k] = (char)('a' + w->letter++ % 26);
    v[0] = (struct iovec){text, n / 2};
    v[1] = (struct iovec){text + n / 2, n - n / 2};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_name = named ? &a.sa : NULL, .msg_namelen = a.len};
    snprintf(what, sizeof what, "send %u %x %s", n, (unsigned)f, named ? address_text(&a) : "");
    switch (draw(w, 4)) {
    case 0:
        told(w, i, what, sendmsg(w->fd[i], &m, f));
        break;
    case 1:
        told(w, i, "writev", writev(w->fd[i], v, 2));
        break;
    default:
        told(w, i, what, sendto(w->fd[i], text, n, f, named ? &a.sa : NULL, named ? a.len : 0));
        break;
    }
}

static void receives(struct world *w, unsigned i)
{
    static const int flags[] = {MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_ERRQUEUE, MSG_DONTWAIT, 0x800000};
    const int f = some_flags(w, flags, sizeof flags / sizeof *flags);
    const unsigned n = PICK(w, ((const unsigned[]){0, 1, 4, 60, 60}));
    struct addr a = {.len = sizeof a.ss};
    struct iovec v = {(char[64]){0}, n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_name = &a.sa, .msg_namelen = sizeof a.ss};
    char what[64];
    ssize_t r;

    const unsigned way = draw(w, 4);
    if (way == 0)
        r = readv(w->fd[i], &v, 1);
    else if (way == 1)
        r = recvmsg(w->fd[i], &m, f);
    else
        r = recvfrom(w->fd[i], v.iov_base, n, f, &a.sa, &a.len);
    const int error = errno;
    if (way == 1)
        a.len = m.msg_namelen;
    snprintf(what, sizeof what, "%s %u %x", way == 0 ? "readv" : way == 1 ? "recvmsg" : "recvfrom", n, (unsigned)f);
    errno = error;
    told(w, i, what, r);
    if (r < 0)
        return;
    say("%d: %.*s from %s flags %x", w->step, (int)(r > n ? n : r), (char *)v.iov_base,
        way && a.len ? address_text(&a) : "", (unsigned)m.msg_flags);
}

/* What was shut without a connection stays so through a connect, in Linux: not tried. */
static void shuts(struct world *w, unsigned i)
{
    const int how = PICK(w, ((const int[]){0, 1, 1, 2, 3})), state = tcp_state(w->fd[i]);
    char what[32];

    if (how < 3 && (state == TCP_CLOSE || state == TCP_LISTEN))
        return;
    snprintf(what, sizeof what, "shutdown %d", how);
    told(w, i, what, shutdown(w->fd[i], how));
}

static void closes(struct world *w, unsigned i)
{
    if (one_in(w, 4)) {
        reset_at_close(w->fd[i]);
        say("%d: with a reset", w->step);
    }
    told(w, i, "close", close(w->fd[i]));
    w->fd[i] = -1;
}

static void copies(struct world *w, unsigned i)
{
    const unsigned to = draw(w, SLOTS);

    if (w->fd[to] < 0)
        w->fd[to] = (int)MUST(dup(w->fd[i]));
    else
        MUST(dup2(w->fd[i], w->fd[to]));
    say("%d: a copy of %d for %d", w->step, w->id[i], w->id[to]);
    w->id[to] = w->id[i];
}

static void names(struct world *w, unsigned i)
{
    struct addr a = {.len = PICK(w, ((const socklen_t[]){sizeof a.ss, sizeof a.ss, 0, 8, 16}))};

    told(w, i, "getsockname", getsockname(w->fd[i], &a.sa, &a.len));
    if (a.len > 15)
        say("%d: %s", w->step, address_text(&a));
    a = (struct addr){.len = sizeof a.ss};
    const int r = getpeername(w->fd[i], &a.sa, &a.len);
    told(w, i, "getpeername", r);
    if (r == 0)
        say("%d: %s", w->step, address_text(&a));
}

struct opt {
    int level, name;
    const char *text;
};
#define OPT(level, name)                                                                                               \
    {                                                                                                                  \
        level, name, #name                                                                                             \
    }
static const struct opt options[] = {
    OPT(SOL_SOCKET, SO_ERROR),      OPT(SOL_SOCKET, SO_ERROR),      OPT(SOL_SOCKET, SO_ERROR),
    OPT(SOL_SOCKET, SO_ACCEPTCONN), OPT(SOL_SOCKET, SO_TYPE),       OPT(SOL_SOCKET, SO_REUSEADDR),
    OPT(SOL_SOCKET, SO_REUSEPORT),  OPT(SOL_SOCKET, SO_OOBINLINE),  OPT(SOL_SOCKET, SO_BROADCAST),
    OPT(SOL_SOCKET, SO_RCVLOWAT),   OPT(SOL_SOCKET, SO_KEEPALIVE),  OPT(SOL_SOCKET, SO_LINGER),
    OPT(IPPROTO_IPV6, IPV6_V6ONLY), OPT(IPPROTO_TCP, TCP_NODELAY),  OPT(IPPROTO_TCP, TCP_CORK),
    OPT(IPPROTO_IP, IP_TTL),        OPT(IPPROTO_IP, IP_RECVERR),    OPT(IPPROTO_IPV6, IPV6_RECVERR),
    OPT(IPPROTO_IP, IP_TOS),        OPT(IPPROTO_IPV6, IPV6_TCLASS), OPT(SOL_SOCKET, SO_DOMAIN),
    OPT(IPPROTO_UDP, UDP_CORK),     OPT(SOL_SOCKET, SO_PROTOCOL),   OPT(IPPROTO_TCP, TCP_DEFER_ACCEPT)};

static void asks_option(struct world *w, unsigned i)
{
    const struct opt *o = &PICK(w, options);
    int v[2] = {0};
    socklen_t n = PICK(w, ((const socklen_t[]){4, 4, 8, 1, 0}));
    char what[64];

    const int r = getsockopt(w->fd[i], o->level, o->name, v, &n);
    const int error = errno;
    snprintf(what, sizeof what, "%s: %u %d %d", o->text, n, v[0], v[1]);
    errno = error;
    told(w, i, what, r);
}

static void sets_option(struct world *w, unsigned i)
{
    const struct opt *o = &PICK(w, options);
    const int v[2] = {PICK(w, ((const int[]){0, 1, 1, 1, 2, -1})), 0};
    const socklen_t n = PICK(w, ((const socklen_t[]){4, 4, 4, 4, 8, 1, 0}));
    char what[64];

    if (o->name == TCP_DEFER_ACCEPT || o->name == TCP_CORK || o->name == UDP_CORK) /* they depend on time */
        return;
    snprintf(what, sizeof what, "%s := %d/%u", o->text, v[0], n);
    told(w, i, what, setsockopt(w->fd[i], o->level, o->name, v, n));
}

static void asks_counts(struct world *w, unsigned i)
{
    int n = -1;

    long r = ioctl(w->fd[i], FIONREAD, &n);
    told(w, i, "FIONREAD", r);
    say("%d: %d", w->step, n);
    n = -1;
    r = ioctl(w->fd[i], SIOCATMARK, &n);
    told(w, i, "SIOCATMARK", r);
    say("%d: %d", w->step, n);
}

static void asks_state(struct world *w, unsigned i) { told(w, i, "state", tcp_state(w->fd[i])); }

static void polls(struct world *w)
{
    struct pollfd p[SLOTS];
    char line[512] = "";

    for (unsigned i = 0; i < SLOTS; i++)
        p[i] = (struct pollfd){.fd = w->fd[i], .events = 0x27df};
    const int r = poll(p, SLOTS, 0);
    for (unsigned i = 0; i < SLOTS; i++)
        if (p[i].revents)
            sprintf(line + strlen(line), " %d:%s", w->id[i], bits_text((uint16_t)p[i].revents));
    say("%d: poll: %d%s", w->step, r, line);
}

static void call(struct world *w)
{
    const unsigned what = draw(w, 64), i = draw(w, SLOTS);

    if (w->fd[i] < 0)
        opens(w, i);
    else if (what < 6)
        binds(w, i);
    else if (what < 10)
        listens(w, i);
    else if (what < 18)
        connects(w, i);
    else if (what < 24)
        accepts(w, i);
    else if (what < 32)
        sends(w, i);
    else if (what < 42)
        receives(w, i);
    else if (what < 44)
        shuts(w, i);
    else if (what < 46)
        closes(w, i);
    else if (what < 47)
        copies(w, i);
    else if (what < 50)
        names(w, i);
    else if (what < 53)
        asks_option(w, i);
    else if (what < 57)
        sets_option(w, i);
    else if (what < 59)
        asks_counts(w, i);
    else if (what < 61)
        asks_state(w, i);
    else
        polls(w);
    arrives(w);
}

static void calls(unsigned seed, int n, bool v6, bool stream, bool dgram)
{
    struct world w = {.dice = seed, .v6 = v6, .stream = stream, .dgram = dgram};
    const struct ends e = tcp_ends();

    signal(SIGPIPE, SIG_IGN);
    w.barrier[0] = e.s;
    w.barrier[1] = e.p;
    MUST(set_int(e.s, IPPROTO_TCP, TCP_NODELAY, 1) | set_int(e.p, IPPROTO_TCP, TCP_NODELAY, 1));
    for (int i = 0; i < SLOTS; i++)
        w.fd[i] = -1;
    for (w.step = 0; w.step < n; w.step++)
        call(&w);
}

#define STREAM(n)                                                                                                      \
    CASE(own_random_stream_##n) { calls(n, 300, false, true, false); }
#define STREAM6(n)                                                                                                     \
    CASE(own_random_stream6_##n) { calls(1000 + n, 300, true, true, false); }
#define DGRAM(n)                                                                                                       \
    CASE(own_random_dgram_##n) { calls(2000 + n, 300, false, false, true); }
#define DGRAM6(n)                                                                                                      \
    CASE(own_random_dgram6_##n) { calls(3000 + n, 300, true, false, true); }
#define MIXED(n)                                                                                                       \
    CASE(own_random_mixed_##n) { calls(4000 + n, 300, true, true, true); }
STREAM(1)
STREAM(2)
STREAM(4)
STREAM(8)
STREAM(9)
STREAM(10)
STREAM(11)
STREAM(12)
STREAM(14)
STREAM(18)
STREAM(19)
STREAM(20)
STREAM(21)
STREAM(23)
STREAM(24)
STREAM6(1)
STREAM6(2)
STREAM6(3)
STREAM6(4)
STREAM6(5)
STREAM6(6)
STREAM6(9)
STREAM6(10)
STREAM6(11)
STREAM6(12)
STREAM6(13)
STREAM6(16)
STREAM6(17)
STREAM6(18)
STREAM6(19)
STREAM6(20)
DGRAM(2)
DGRAM(3)
DGRAM(4)
DGRAM(5)
DGRAM(6)
DGRAM(8)
DGRAM(11)
DGRAM(12)
DGRAM(13)
DGRAM(14)
DGRAM(15)
DGRAM(17)
DGRAM(18)
DGRAM(21)
DGRAM(22)
DGRAM(23)
DGRAM6(1)
DGRAM6(2)
DGRAM6(3)
DGRAM6(4)
DGRAM6(5)
DGRAM6(6)
DGRAM6(7)
DGRAM6(8)
DGRAM6(10)
DGRAM6(11)
DGRAM6(12)
DGRAM6(13)
DGRAM6(14)
DGRAM6(15)
DGRAM6(17)
DGRAM6(18)
MIXED(1)
MIXED(2)
MIXED(3)
MIXED(4)
MIXED(5)
MIXED(6)
MIXED(7)
MIXED(8)
MIXED(9)
MIXED(10)
MIXED(14)
MIXED(15)
MIXED(16)
MIXED(17)
MIXED(18)
MIXED(19)
