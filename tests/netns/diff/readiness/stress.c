/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No wake-up is ever lost: on each of many connections the peer sends a byte and waits for the answer before it sends
 * the next, while threads wait at two epolls and others register, modify, remove, copy, close and replace all the time.
 * A byte that nobody answers for seconds was a lost wake-up.
 */
#include "diff.h"

#include <stdatomic.h>

#define CONNS 24
#define WORKERS 2 /* at each epoll */
#define STALL_MS 8000

enum mode { LEVEL, EDGE, ONCE, BOTH, MODES };
static const char *const mode_names[] = {"level", "edge", "one shot", "level and edge"};

struct conn {
    pthread_mutex_t lock;
    int fd, copy, peer; /* copy: registered instead of fd, or -1 */
    enum mode mode;
    bool registered;
    int64_t sent_at; /* of the driver; 0: nothing is under way */
};

static struct conn conns[CONNS];
static int eps[2], listener, quit[2];
static struct sockaddr_in listens_at;
static atomic_bool over;
static atomic_uint answered, reports;
static uint64_t run_ms = 4000;

static uint32_t events_of(enum mode mode, int ep)
{
    switch (mode) {
    case LEVEL:
        return EPOLLIN;
    case EDGE:
        return EPOLLIN | EPOLLET;
    case ONCE:
        return EPOLLIN | EPOLLONESHOT;
    default:
        return EPOLLIN | (ep ? EPOLLET : 0u);
    }
}

static int registered_fd(const struct conn *c) { return c->copy >= 0 ? c->copy : c->fd; }
static bool is_in(const struct conn *c, int ep) { return c->mode == BOTH || ep == (int)(c - conns) % 2; }

static void ctl(struct conn *c, int op)
{
    for (int i = 0; i < 2; i++) {
        struct epoll_event ev = {.events = events_of(c->mode, i), .data.u32 = (uint32_t)(c - conns)};
        if (is_in(c, i))
            NEED(epoll_ctl(eps[i], op, registered_fd(c), &ev) == 0);
    }
    c->registered = op != EPOLL_CTL_DEL;
}

/* Answers what is there; true: it may be a report of nothing, as with level-triggered ones that another thread has
 * read. */
static void answer(struct conn *c, int ep)
{
    char buf[16];

    pthread_mutex_lock(&c->lock);
    for (ssize_t n; (n = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT)) > 0;)
        NEED(send(c->fd, buf, (size_t)n, MSG_NOSIGNAL) == n);
    if (c->mode == ONCE && c->registered && is_in(c, ep)) {
        struct epoll_event ev = {.events = events_of(ONCE, ep), .data.u32 = (uint32_t)(c - conns)};
        NEED(epoll_ctl(eps[ep], EPOLL_CTL_MOD, registered_fd(c), &ev) == 0);
    }
    pthread_mutex_unlock(&c->lock);
}

static void *worker(void *arg)
{
    const int ep = *(int *)arg == eps[1];
    struct epoll_event ev[4];

    while (!over) {
        const int n = epoll_wait(eps[ep], ev, 1 + (int)(reports % 4), -1);
        NEED(n > 0 || errno == EINTR);
        for (int i = 0; i < n; i++) {
            reports++;
            if (ev[i].data.u32 < CONNS)
                answer(&conns[ev[i].data.u32], ep);
        }
    }
    return NULL;
}

static void open_conn(struct conn *c)
{
    c->fd = host_socket(SOCK_STREAM);
    c->copy = -1;
    NEED(connect(c->fd, (struct sockaddr *)&listens_at, sizeof listens_at) == 0);
    NEED((c->peer = accept(listener, NULL, NULL)) >= 0);
    c->sent_at = 0;
}

static void change(struct conn *c, unsigned *dice)
{
    pthread_mutex_lock(&c->lock);
    switch (rand_r(dice) % 6) {
    case 0: /* out and, after others had a turn, in again */
        ctl(c, EPOLL_CTL_DEL);
        sched_yield();
        ctl(c, EPOLL_CTL_ADD);
        break;
    case 1: /* in another way */
        ctl(c, EPOLL_CTL_DEL);
        c->mode = (enum mode)((unsigned)rand_r(dice) % MODES);
        ctl(c, EPOLL_CTL_ADD);
        break;
    case 2: /* by a copy */
        ctl(c, EPOLL_CTL_DEL);
        if (c->copy >= 0)
            close(c->copy);
        c->copy = dup(c->fd);
        NEED(c->copy >= 0);
        ctl(c, EPOLL_CTL_ADD);
        break;
    default:
        ctl(c, EPOLL_CTL_MOD);
        break;
    }
    pthread_mutex_unlock(&c->lock);
}

static void *changer(void *arg)
{
    unsigned dice = (unsigned)(uintptr_t)arg;

    while (!over) {
        change(&conns[(unsigned)rand_r(&dice) % CONNS], &dice);
        if (rand_r(&dice) % 4 == 0)
            nap(1);
    }
    return NULL;
}

/* Only the driver ends connections: it has the peer's side. */
static void replace(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    reset_at_close(c->fd); /* no TIME_WAIT: a long run has more connections than there are ports */
    close(c->fd);
    if (c->copy >= 0)
        close(c->copy);
    close(c->peer);
    open_conn(c);
    ctl(c, EPOLL_CTL_ADD);
    pthread_mutex_unlock(&c->lock);
}

static bool drive(unsigned *dice)
{
    struct pollfd p[CONNS];

    for (int i = 0; i < CONNS; i++) {
        if (conns[i].sent_at == 0) {
            if (rand_r(dice) % 200 == 0)
                replace(&conns[i]);
            NEED(send(conns[i].peer, "x", 1, MSG_NOSIGNAL) == 1);
            conns[i].sent_at = now_ms();
        }
        p[i] = (struct pollfd){.fd = conns[i].peer, .events = POLLIN};
    }
    NEED(poll(p, CONNS, 1000) >= 0);
    for (int i = 0; i < CONNS; i++) {
        struct conn *c = &conns[i];
        char b;
        if ((p[i].revents & POLLIN) && recv(c->peer, &b, 1, MSG_DONTWAIT) == 1) {
            c->sent_at = 0;
            answered++;
        } else if (now_ms() - c->sent_at > STALL_MS) {
            pthread_mutex_lock(&c->lock);
            say("STALLED: connection %d, %s, %s, poll says %s", i, mode_names[c->mode],
                c->copy >= 0 ? "copy" : "itself", bits_text(poll_now(c->fd)));
            return false;
        }
    }
    return true;
}

static void stress(unsigned seed)
{
    pthread_t workers[2 * WORKERS], changers[2];
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = CONNS};
    bool good = true;

    NEED(pipe(quit) == 0);
    listener = peer_listen(&listens_at);
    for (int i = 0; i < 2; i++) {
        NEED((eps[i] = epoll_create1(0)) >= 0);
        NEED(epoll_ctl(eps[i], EPOLL_CTL_ADD, quit[0], &ev) == 0);
    }
    for (int i = 0; i < CONNS; i++) {
        pthread_mutex_init(&conns[i].lock, NULL);
        conns[i].mode = (enum mode)(i % MODES);
        open_conn(&conns[i]);
        ctl(&conns[i], EPOLL_CTL_ADD);
    }
    for (int i = 0; i < 2 * WORKERS; i++)
        NEED(pthread_create(&workers[i], NULL, worker, &eps[i % 2]) == 0);
    for (uintptr_t i = 0; i < 2; i++)
        NEED(pthread_create(&changers[i], NULL, changer, (void *)(seed + i)) == 0);
    alarm(60 + (unsigned)(run_ms / 1000));
    for (const int64_t t0 = now_ms(); good && now_ms() - t0 < (int64_t)run_ms;)
        good = drive(&seed);
    if (!good)
        _exit(4);
    over = true;
    NEED(write(quit[1], "q", 1) == 1);
    for (int i = 0; i < 2; i++)
        pthread_join(changers[i], NULL);
    for (int i = 0; i < 2 * WORKERS; i++)
        pthread_join(workers[i], NULL);
    fprintf(stderr, "%u answers, %u reports\n", answered, reports);
    say("every byte was answered, hundreds of them: %d", answered > 300);
}

/* READINESS_STRESS_MS makes it longer. */
CASE(no_wakeup_is_lost)
{
    const char *ms = getenv("READINESS_STRESS_MS");

    if (ms)
        run_ms = strtoul(ms, NULL, 10);
    stress((unsigned)getpid());
}
