/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequences of calls that nobody thought of: each case draws some hundred steps from its seed, the same on both stacks.
 * Sockets send, receive, shut down, close, are reset and connected anew, while epolls (one in another), poll and
 * select are asked about them. */
#include "diff.h"

enum {
    CONNS = 3,
    ENDS = 2 * CONNS,
    UDP = ENDS,
    LISTENER = UDP + 2,
    CLIENT,
    COPY,
    PIPE,
    EVENT = PIPE + 2,
    FDS,
    EPOLLS = 4,
    OUTER = EPOLLS - 1
};

struct world {
    uint64_t dice;
    int fd[FDS];  /* [2n], [2n + 1]: the ends of a connection; then of two datagram sockets; -1: closed */
    bool kernels; /* with files of the kernel's */
    int ep[EPOLLS];
    struct sockaddr_in to; /* the listener's name */
    int step, max;         /* at most so many events a call */
    bool sorted;
};

static unsigned draw(struct world *w, unsigned n)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->dice >> 33) % n;
}

static bool one_in(struct world *w, unsigned n) { return draw(w, n) == 0; }

/* No acknowledgement is left for later. */
static void arrives(struct world *w)
{
    for (unsigned i = 0; i < ENDS; i++)
        if (w->fd[i] >= 0)
            set_int(w->fd[i], IPPROTO_TCP, TCP_QUICKACK, 1);
}

/* ---- what happens to sockets ---- */

static void connect_anew(struct world *w, unsigned i)
{
    const unsigned first = i & ~1u;

    for (unsigned k = first; k < first + 2; k++)
        if (w->fd[k] >= 0)
            close(w->fd[k]);
    if (i < ENDS) {
        const struct ends e = one_in(w, 2) ? tcp_ends() : accepted_ends();
        w->fd[first] = e.s;
        w->fd[first + 1] = e.p;
        for (unsigned k = first; k < first + 2; k++) /* whether a small segment waits depends on time */
            MUST(set_int(w->fd[k], IPPROTO_TCP, TCP_NODELAY, 1));
    } else {
        udp_pair(&w->fd[first]);
    }
    say("%d: %u and %u are new", w->step, first, first + 1);
}

static void say_step(struct world *w, const char *what, unsigned i, long r)
{
    if (r < 0)
        say("%d: %s %u = %s", w->step, what, i, errno_text(errno));
    else
        say("%d: %s %u = %ld", w->step, what, i, r);
}

static void sends(struct world *w, unsigned i)
{
    static const char buf[3000];
    static const unsigned sizes[] = {1, 7, 3000};

    say_step(w, "send", i, send(w->fd[i], buf, sizes[draw(w, 3)], MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void receives(struct world *w, unsigned i)
{
    static char buf[100000];
    static const unsigned sizes[] = {1, 5, 100000};

    say_step(w, "recv", i, recv(w->fd[i], buf, sizes[draw(w, 3)], MSG_DONTWAIT));
}

static void ends(struct world *w, unsigned i)
{
    static const char *const hows[] = {"shut for reading", "shut for writing", "shut"};
    const unsigned how = draw(w, 5);

    if (i < ENDS && w->fd[i ^ 1] >= 0) /* with something unread the kernel would acknowledge the FIN later */
        drain_off(w->fd[i ^ 1]);
    if (how < 3) {
        say_step(w, hows[how], i, shutdown(w->fd[i], (int)how));
        return;
    }
    if (how == 3 && i < ENDS)
        reset_at_close(w->fd[i]);
    say_step(w, how == 3 ? "reset" : "close", i, close(w->fd[i]));
    w->fd[i] = -1;
}

static void calls_listener(struct world *w)
{
    if (w->fd[CLIENT] >= 0) {
        const int fd = accept4(w->fd[LISTENER], NULL, NULL, SOCK_NONBLOCK);
        say_step(w, "accept", LISTENER, fd < 0 ? fd : 0);
        close(fd);
        close(w->fd[CLIENT]);
        w->fd[CLIENT] = -1;
        return;
    }
    const bool refused = one_in(w, 3);
    w->fd[CLIENT] = peer_socket(AF_INET, SOCK_STREAM);
    nonblocking(w->fd[CLIENT]);
    struct sockaddr_in to = w->to;
    if (refused)
        to.sin_port = htons(NOBODY);
    say_step(w, refused ? "connect to nobody" : "connect", CLIENT,
             connect(w->fd[CLIENT], (struct sockaddr *)&to, sizeof to));
}

static void copies(struct world *w, unsigned i)
{
    if (w->fd[COPY] >= 0) {
        say_step(w, "close", COPY, close(w->fd[COPY]));
        w->fd[COPY] = -1;
    } else if (w->fd[i] >= 0) {
        w->fd[COPY] = dup(w->fd[i]);
        say("%d: %d is a copy of %u", w->step, COPY, i);
    }
}

static void kernels(struct world *w)
{
    static char buf[100];
    const uint64_t one = 1;

    switch (draw(w, 4)) {
    case 0:
        say_step(w, "write", PIPE + 1, write(w->fd[PIPE + 1], buf, 5));
        break;
    case 1:
        say_step(w, "read", PIPE, read(w->fd[PIPE], buf, 1 + draw(w, 2) * 99));
        break;
    case 2:
        say_step(w, "write", EVENT, write(w->fd[EVENT], &one, 8));
        break;
    default:
        say_step(w, "read", EVENT, read(w->fd[EVENT], buf, 8));
        break;
    }
}

static void happens(struct world *w)
{
    const unsigned what = draw(w, w->kernels ? 32 : 26), i = draw(w, UDP + 2);

    if (what >= 26) {
        kernels(w);
    } else if (what >= 24) {
        copies(w, i);
    } else if (what == 23) {
        calls_listener(w);
    } else if (w->fd[i] < 0) {
        connect_anew(w, i);
    } else if (what < 9) {
        sends(w, i);
    } else if (what < 17) {
        receives(w, i);
    } else if (what < 20) {
        ends(w, i);
    } else if (what == 20 && i < ENDS && !((poll_now(w->fd[i]) | poll_now(w->fd[i ^ 1])) & (POLLHUP | POLLRDHUP))) {
        say_step(w, "urgent", i, send(w->fd[i], "u", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL));
    } else if (what == 21) {
        const int low = (int)draw(w, 10);
        say_step(w, "low water", i, set_int(w->fd[i], SOL_SOCKET, SO_RCVLOWAT, low));
    } else if (what == 22) {
        say("%d: error %u: %s", w->step, i, errno_text(get_int(w->fd[i], SOL_SOCKET, SO_ERROR)));
    }
    arrives(w);
}

/* ---- what is asked ---- */

static uint32_t some_events(struct world *w)
{
    static const uint32_t bits[] = {EPOLLIN,     EPOLLIN,     EPOLLOUT, EPOLLRDHUP, EPOLLPRI,
                                    EPOLLRDNORM, EPOLLWRNORM, EPOLLHUP, EPOLLERR,   EPOLLRDBAND};
    uint32_t events = 0;

    for (unsigned n = draw(w, 4); n > 0; n--)
        events |= bits[draw(w, 10)];
    if (one_in(w, 2))
        events |= EPOLLET;
    if (one_in(w, 8))
        events |= EPOLLONESHOT;
    return events;
}

static void controls(struct world *w)
{
    static const char *const ops[] = {"", "add", "del", "mod"};
    static const int chances[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
    const unsigned e = draw(w, EPOLLS), i = draw(w, FDS);
    const int op = chances[draw(w, 5)];
    struct epoll_event ev = {.events = some_events(w), .data.u64 = i};
    char what[100];

    const bool inner = e == OUTER && one_in(w, 3) && w->sorted;
    if (inner)
        ev.data.u64 = 100 + i % OUTER;
    else if (w->fd[i] < 0)
        return;
    sprintf(what, "epoll %u %s %s", e, ops[op], bits_text(ev.events));
    say_step(w, what, (unsigned)ev.data.u64, epoll_ctl(w->ep[e], op, inner ? w->ep[i % OUTER] : w->fd[i], &ev));
}

static int by_data(const void *a, const void *b)
{
    const struct epoll_event *x = a, *y = b;

    return (x->data.u64 > y->data.u64) - (x->data.u64 < y->data.u64);
}

static void waits(struct world *w, unsigned e)
{
    struct epoll_event ev[32];
    char line[1024] = "";
    const int n = epoll_wait(w->ep[e], ev, w->max, 0);

    if (w->sorted && n > 1)
        qsort(ev, (size_t)n, sizeof ev[0], by_data);
    for (int i = 0; i < n; i++)
        sprintf(line + strlen(line), " %d:%s", (int)ev[i].data.u64, bits_text(ev[i].events));
    say("%d: epoll %u: %d%s", w->step, e, n, line);
}

static void polls(struct world *w)
{
    struct pollfd p[FDS + EPOLLS];
    char line[1024] = "";
    nfds_t n = 0;

    for (unsigned i = 0; i < FDS + EPOLLS; i++) {
        const int fd = i < FDS ? w->fd[i] : w->ep[i - FDS];
        p[n++] = (struct pollfd){.fd = fd, .events = one_in(w, 3) ? (short)0x27df : (short)some_events(w)};
    }
    const int r = poll(p, n, 0);
    for (nfds_t i = 0; i < n; i++)
        if (p[i].revents)
            sprintf(line + strlen(line), " %d:%s", (int)i, bits_text((uint16_t)p[i].revents));
    say("%d: poll: %d%s", w->step, r, line);
}

static void selects(struct world *w)
{
    fd_set set[3];
    char line[1024] = "";
    int top = 0;

    for (int k = 0; k < 3; k++)
        FD_ZERO(&set[k]);
    for (unsigned i = 0; i < FDS + EPOLLS; i++) {
        const int fd = i < FDS ? w->fd[i] : w->ep[i - FDS];
        for (int k = 0; k < 3 && fd >= 0; k++)
            if (one_in(w, 2))
                FD_SET(fd, &set[k]);
        top = fd >= top ? fd + 1 : top;
    }
    const int r = select(top, &set[0], &set[1], &set[2], &(struct timeval){0, 0});
    for (unsigned i = 0; i < FDS + EPOLLS; i++) {
        const int fd = i < FDS ? w->fd[i] : w->ep[i - FDS];
        for (int k = 0; k < 3 && fd >= 0; k++)
            if (FD_ISSET(fd, &set[k]))
                sprintf(line + strlen(line), " %u:%c", i, "rwx"[k]);
    }
    say("%d: select: %d%s", w->step, r, line);
}

static void asks(struct world *w)
{
    switch (draw(w, 8)) {
    case 0:
        polls(w);
        break;
    case 1:
        selects(w);
        break;
    case 2:
    case 3:
    case 4:
        controls(w);
        break;
    default:
        waits(w, draw(w, EPOLLS));
        break;
    }
}

static void steps(unsigned seed, int n, int max, bool with_kernels)
{
    struct world w = {.dice = seed, .max = max, .sorted = max > FDS, .kernels = with_kernels};
    int pipes[2];

    for (int i = 0; i < FDS; i++)
        w.fd[i] = -1;
    for (int i = 0; i < EPOLLS; i++)
        w.ep[i] = MUST(epoll_create1(0));
    w.fd[LISTENER] = host_listen(&w.to);
    nonblocking(w.fd[LISTENER]);
    if (with_kernels) {
        MUST(pipe2(pipes, O_NONBLOCK));
        w.fd[PIPE] = pipes[0];
        w.fd[PIPE + 1] = pipes[1];
        w.fd[EVENT] = MUST(eventfd(0, EFD_NONBLOCK));
    }
    for (unsigned i = 0; i < UDP + 2; i += 2)
        connect_anew(&w, i);
    for (w.step = 0; w.step < n; w.step++)
        if (one_in(&w, 2))
            happens(&w);
        else
            asks(&w);
}

/* Everything that is ready in one call; the first three, in order; with files of the kernel's. */
#define SEED(n)                                                                                                        \
    CASE(random_##n) { steps(n, 200, 32, false); }                                                                     \
    CASE(in_order_##n) { steps(1000 + n, 200, 3, false); }                                                             \
    CASE(mixed_##n) { steps(2000 + n, 200, 32, true); }
SEED(1)
SEED(2)
SEED(3)
SEED(4)
SEED(5)
SEED(6)
SEED(7)
SEED(8)
SEED(9)
SEED(10)
SEED(11)
SEED(12)
SEED(13)
SEED(14)
SEED(15)
SEED(16)
SEED(17)
SEED(18)
SEED(19)
SEED(20)
SEED(21)
SEED(22)
SEED(23)
SEED(24)
SEED(25)
SEED(26)
SEED(27)
SEED(28)
SEED(29)
SEED(30)
SEED(31)
SEED(32)
SEED(35)
SEED(36)
SEED(37)
SEED(38)
SEED(39)
SEED(40)
