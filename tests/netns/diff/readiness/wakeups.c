/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is woken: one epoll or several, in each other, level- or edge-triggered, waited for by epoll_wait or poll, by one
 * thread or two; and by EPOLLEXCLUSIVE only one of many. */
#include "diff.h"

/* e0 with a socket; with two; with an epoll that has one; that has two; with two epolls that have one each */
enum shape { ONE, TWO, INNER_ONE, INNER_TWO, TWO_INNER, SHAPES };
static const char *const shape_names[] = {"one", "two", "inner one", "inner two", "two inner"};

struct tree {
    enum shape shape;
    bool outer_edge, inner_edge; /* of what is in e0; of what is in those */
    int ep[3];
    struct ends s[2];
};

static void put(int ep, int fd, bool edge, uint32_t data)
{
    struct epoll_event ev = {.events = EPOLLIN | (edge ? EPOLLET : 0), .data.u32 = data};

    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

static void plant(struct tree *t)
{
    const bool inner = t->shape >= INNER_ONE;

    for (int i = 0; i < 3; i++)
        t->ep[i] = (int)MUST(epoll_create1(0));
    for (int i = 0; i < 2; i++) {
        t->s[i] = tcp_ends();
        MUST(set_int(t->s[i].p, IPPROTO_TCP, TCP_NODELAY, 1));
    }
    const bool edge = inner ? t->inner_edge : t->outer_edge;
    put(t->ep[inner], t->s[0].s, edge, 1);
    if (t->shape == TWO || t->shape == INNER_TWO)
        put(t->ep[inner], t->s[1].s, edge, 2);
    if (t->shape == TWO_INNER)
        put(t->ep[2], t->s[1].s, edge, 2);
    if (inner)
        put(t->ep[0], t->ep[1], t->outer_edge, 3);
    if (t->shape == TWO_INNER)
        put(t->ep[0], t->ep[2], t->outer_edge, 4);
}

static void fell(struct tree *t)
{
    for (int i = 0; i < 3; i++)
        close(t->ep[i]);
    for (int i = 0; i < 2; i++) {
        close(t->s[i].s);
        close(t->s[i].p);
    }
}

static void feed_all(const struct tree *t)
{
    const bool both = t->shape == TWO || t->shape >= INNER_TWO;

    for (int i = 0; i <= both; i++)
        feed(t->s[i], "x");
}

static const char *name_of_tree(const struct tree *t)
{
    static char text[64];

    sprintf(text, "%s, %s", shape_names[t->shape], t->outer_edge ? "edge" : "level");
    if (t->shape >= INNER_ONE)
        strcat(text, t->inner_edge ? " of edge" : " of level");
    return text;
}

/* All trees; one whose inner edge means nothing is passed over. */
static bool next_tree(struct tree *t, int i)
{
    *t = (struct tree){.shape = (enum shape)(i / 4), .outer_edge = i & 1, .inner_edge = i & 2};
    return t->shape >= INNER_ONE || !t->inner_edge;
}

/* ---- one thread ---- */

static void tell(const char *when, int ep, int max, int ms)
{
    struct epoll_event ev[4];
    char line[100] = "";
    const int n = epoll_wait(ep, ev, max, ms);

    for (int i = 0; i < n; i++)
        sprintf(line + strlen(line), " %u:%s", ev[i].data.u32, bits_text(ev[i].events));
    say("%s: %d%s", when, n, line);
}

static void one_thread(bool poll_first, int max)
{
    struct tree t;

    for (int i = 0; i < SHAPES * 4; i++) {
        if (!next_tree(&t, i))
            continue;
        plant(&t);
        say("-- %s", name_of_tree(&t));
        tell("nothing", t.ep[0], max, 0);
        feed_all(&t);
        for (int k = 0; k < 4; k++) {
            if (poll_first)
                say("poll %s", bits_text(poll_now(t.ep[0])));
            tell("ready", t.ep[0], max, 0);
        }
        tell("inner", t.ep[1], max, 0);
        tell("then", t.ep[0], max, 0);
        feed_all(&t);
        for (int k = 0; k < 3; k++)
            tell("more", t.ep[0], max, 0);
        drain_off(t.s[0].s);
        drain_off(t.s[1].s);
        tell("drained", t.ep[0], max, 0);
        say("poll %s", bits_text(poll_now(t.ep[0])));
        fell(&t);
    }
}

CASE(one_thread_takes_one) { one_thread(false, 1); }
CASE(one_thread_takes_two) { one_thread(false, 2); }
CASE(one_thread_polls) { one_thread(true, 1); }
CASE(one_thread_polls_two) { one_thread(true, 2); }

/* ---- two threads ---- */

enum { LIMIT_MS = 1500 };

struct waiting {
    struct blocked b;
    int ep;
    bool polls;
};

static long waits(void *arg)
{
    struct waiting *w = arg;
    struct pollfd p = {.fd = w->ep, .events = POLLIN};
    struct epoll_event ev;

    if (w->polls)
        return poll(&p, 1, LIMIT_MS) > 0 ? epoll_wait(w->ep, &ev, 1, 0) : 0;
    return epoll_wait(w->ep, &ev, 1, LIMIT_MS);
}

/* Whether how many are woken depends on nothing but the tree. */
static bool is_certain(const struct tree *t, bool poll)
{
    if (poll) /* what one of them takes, the other may see or not */
        return !t->outer_edge && !t->inner_edge;
    return !(t->shape == INNER_TWO && t->outer_edge); /* two edges may be one */
}

/* Of each tree two threads wait at once, of all trees at the same time. */
static void two_threads(bool first_polls, bool second_polls)
{
    static struct tree trees[SHAPES * 4];
    static struct waiting w[SHAPES * 4][2];
    bool runs[SHAPES * 4];

    for (int i = 0; i < SHAPES * 4; i++) {
        runs[i] = next_tree(&trees[i], i) && is_certain(&trees[i], first_polls | second_polls);
        if (!runs[i])
            continue;
        plant(&trees[i]);
        for (int k = 0; k < 2; k++) {
            w[i][k] = (struct waiting){.ep = trees[i].ep[0], .polls = k ? second_polls : first_polls};
            block(&w[i][k].b, waits, &w[i][k]);
        }
        feed_all(&trees[i]);
    }
    for (int i = 0; i < SHAPES * 4; i++) {
        if (!runs[i])
            continue;
        for (int k = 0; k < 2; k++)
            pthread_join(w[i][k].b.thread, NULL);
        say("%s: %ld", name_of_tree(&trees[i]), w[i][0].b.result + w[i][1].b.result);
        fell(&trees[i]);
    }
}

CASE(two_threads_wait) { two_threads(false, false); }
CASE(two_threads_poll) { two_threads(true, true); }
CASE(two_threads_wait_and_poll) { two_threads(false, true); }

/* ---- one of many ---- */

enum { MANY = 4 };

/* How many of the sets in which LISTENER is, as EVENTS say, are told of a connection. */
static void told(const char *what, const uint32_t events[MANY], int calls)
{
    struct sockaddr_in sa;
    struct waiting w[MANY];
    const int listener = host_listen(&sa), stop = eventfd(0, 0);
    const uint64_t one = 1;
    int n = 0;

    for (int i = 0; i < MANY; i++) {
        struct epoll_event ev = {.events = events[i]};
        w[i] = (struct waiting){.ep = (int)MUST(epoll_create1(0))};
        MUST(epoll_ctl(w[i].ep, EPOLL_CTL_ADD, listener, &ev));
        block(&w[i].b, waits, &w[i]);
    }
    for (int i = 0; i < calls; i++) {
        const int fd = peer_socket(AF_INET, SOCK_STREAM);
        MUST(connect(fd, (struct sockaddr *)&sa, sizeof sa));
        nap(50);
    }
    for (int i = 0; i < MANY; i++) {
        pthread_join(w[i].b.thread, NULL);
        n += w[i].b.result == 1;
    }
    say("%s: %d", what, n);
    /* each of them may look afterwards */
    for (int i = 0; i < MANY; i++) {
        struct epoll_event ev;
        say("%d", epoll_wait(w[i].ep, &ev, 1, 0));
        close(w[i].ep);
    }
    MUST(write(stop, &one, sizeof one));
    close(listener);
}

CASE(exclusive_one)
{
    told("one call",
         (uint32_t[]){EPOLLIN | EPOLLEXCLUSIVE, EPOLLIN | EPOLLEXCLUSIVE, EPOLLIN | EPOLLEXCLUSIVE,
                      EPOLLIN | EPOLLEXCLUSIVE},
         1);
}
CASE(exclusive_two)
{
    told("two calls",
         (uint32_t[]){EPOLLIN | EPOLLEXCLUSIVE, EPOLLIN | EPOLLEXCLUSIVE, EPOLLIN | EPOLLEXCLUSIVE,
                      EPOLLIN | EPOLLEXCLUSIVE},
         2);
}
CASE(exclusive_some)
{
    told("one call", (uint32_t[]){EPOLLIN | EPOLLEXCLUSIVE, EPOLLIN, EPOLLIN, EPOLLIN | EPOLLEXCLUSIVE}, 1);
}
CASE(exclusive_none) { told("one call", (uint32_t[]){EPOLLIN, EPOLLIN, EPOLLIN, EPOLLIN}, 1); }

/* A process that waits and is killed does not take the others' turn. */
CASE(exclusive_killed)
{
    struct sockaddr_in sa;
    const int listener = host_listen(&sa);
    pid_t pid[MANY];

    for (int i = 0; i < MANY; i++) {
        pid[i] = (pid_t)MUST(fork());
        if (pid[i] == 0) {
            struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE};
            const int ep = (int)MUST(epoll_create1(0));
            MUST(epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev));
            const int n = epoll_wait(ep, &ev, 1, 20000);
            _exit(n == 1 && accept(listener, NULL, NULL) >= 0 ? 7 : 8);
        }
        wait_asleep(pid[i]);
    }
    for (int i = 0; i < MANY; i++) {
        if (i != 2) {
            kill(pid[i], SIGKILL);
            reap("killed", pid[i]);
        }
    }
    const int fd = peer_socket(AF_INET, SOCK_STREAM);
    MUST(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    reap("left", pid[2]);
}

/* ---- in order ---- */

CASE(as_they_became_ready)
{
    static const int order[] = {4, 1, 5, 0, 3, 2};
    struct ends e[6];
    struct epoll_event ev[6];
    const int ep = (int)MUST(epoll_create1(0));

    for (int i = 0; i < 6; i++) {
        e[i] = tcp_ends();
        put(ep, e[i].s, i >= 3, (uint32_t)i);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++)
            feed(e[order[(i + round) % 6]], "x");
        feed(e[5], "x"); /* it has its place already */
        tell("three", ep, 3, 0);
        tell("the others", ep, 4, 0);
        for (int i = 0; i < 6; i++)
            drain_off(e[i].s);
        SAY(epoll_wait(ep, ev, 6, 0));
    }
}
