/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bad network between two interfaces: what arrives at one leaves by the other, delayed, limited in rate, and some of
 * it lost, reordered, duplicated or with a bit flipped. Both directions alike and independent of each other. SIGTERM
 * ends it; then it prints what it did as JSON.
 *
 *     relay IF IF [loss=SHARE] [burst=FRAMES] [reorder=SHARE] [dup=SHARE] [corrupt=SHARE] [delay_us=N] [jitter_us=N]
 *                 [mbps=N] [queue_us=N] [seed=N]
 *
 * loss comes in bursts of that mean length (Gilbert's model); a reordered frame waits four milliseconds more than its
 * turn; queue_us is how much the queue before the rate limit holds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 65536 + 64, WAITING = 1 << 16, BURST = 64, REORDER_US = 4000 };

static struct {
    double loss, burst, reorder, dup, corrupt, mbps;
    uint64_t delay_us, jitter_us, queue_us, seed;
} opt = {.burst = 1, .queue_us = 100000, .seed = 1};

struct frame {
    uint64_t at; /* nanoseconds: when it leaves */
    uint64_t order;
    uint32_t len;
    uint8_t data[];
};

struct way { /* one direction */
    int in, out;
    uint64_t free_at; /* when the last bit of the last frame has left the rate limit */
    bool losing;
    struct frame **heap; /* by at, then order */
    unsigned n;
    uint64_t order;
    uint64_t frames, lost, overflow, dup, corrupt, reordered, refused;
};

static uint64_t rng;

/* xorshift64*: plenty for dice. */
static uint64_t dice(void)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return rng * 2685821657736338717ull;
}
static bool chance(double share) { return share > 0 && (double)(dice() >> 11) * 0x1p-53 < share; }

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- The frames that wait, a binary heap ---- */

static bool before(const struct frame *a, const struct frame *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct way *w, struct frame *f)
{
    unsigned i = w->n++;
    while (i && before(f, w->heap[(i - 1) / 2])) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = f;
}

static struct frame *pop(struct way *w)
{
    struct frame *top = w->heap[0], *last = w->heap[--w->n];
    unsigned i = 0;
    for (unsigned c; (c = 2 * i + 1) < w->n; i = c) {
        if (c + 1 < w->n && before(w->heap[c + 1], w->heap[c]))
            c++;
        if (before(last, w->heap[c]))
            break;
        w->heap[i] = w->heap[c];
    }
    w->heap[i] = last;
    return top;
}

/* ---- What happens to a frame ---- */

/* Gilbert: enters a run of losses so often, and leaves it so soon, that the share is `loss` and a run has `burst`. */
static bool is_lost(struct way *w)
{
    double leave = 1 / opt.burst, enter = opt.loss >= 1 ? 1 : opt.loss * leave / (1 - opt.loss);
    w->losing = w->losing ? !chance(leave) : chance(enter);
    return w->losing;
}

static void enqueue(struct way *w, const uint8_t *data, uint32_t len, uint64_t at)
{
    struct frame *f = w->n < WAITING ? malloc(sizeof *f + len) : NULL;
    if (!f) {
        w->overflow++;
        return;
    }
    *f = (struct frame){.at = at, .order = w->order++, .len = len};
    memcpy(f->data, data, len);
    push(w, f);
}

static void on_frame(struct way *w, uint8_t *data, uint32_t len, uint64_t now)
{
    w->frames++;
    if (is_lost(w)) {
        w->lost++;
        return;
    }
    uint64_t at = now;
    if (opt.mbps > 0) {
        uint64_t start = w->free_at > now ? w->free_at : now;
        if (start - now > opt.queue_us * 1000) {
            w->overflow++;
            return;
        }
        at = w->free_at = start + (uint64_t)((double)len * 8000 / opt.mbps);
    }
    at += opt.delay_us * 1000;
    if (opt.jitter_us)
        at += dice() % (opt.jitter_us * 1000);
    if (chance(opt.reorder)) {
        w->reordered++;
        at += REORDER_US * 1000;
    }
    if (chance(opt.corrupt) && len > ETH_HLEN) {
        w->corrupt++;
        data[ETH_HLEN + dice() % (len - ETH_HLEN)] ^= (uint8_t)(1u << dice() % 8);
    }
    enqueue(w, data, len, at);
    if (chance(opt.dup)) {
        w->dup++;
        enqueue(w, data, len, at);
    }
}

static void receive(struct way *w)
{
    static uint8_t buf[FRAME];
    for (unsigned i = 0; i < BURST; i++) {
        ssize_t n = recv(w->in, buf, sizeof buf, MSG_DONTWAIT | MSG_TRUNC);
        if (n <= 0)
            return;
        if (n <= (ssize_t)sizeof buf)
            on_frame(w, buf, (uint32_t)n, now_ns());
    }
}

static void deliver(struct way *w, uint64_t now)
{
    while (w->n && w->heap[0]->at <= now) {
        struct frame *f = pop(w);
        if (send(w->out, f->data, f->len, MSG_DONTWAIT) < 0)
            w->refused++;
        free(f);
    }
}

/* ---- Start and end ---- */

static int open_interface(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1, bytes = 16 << 20;
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    at.sll_ifindex = (int)if_nametoindex(name);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    if (fd < 0 || !at.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)&at, sizeof at)) {
        fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
        exit(1);
    }
    return fd;
}

static void usage(const char *what)
{
    fprintf(stderr, "relay: what is '%s'? usage: relay IF IF [loss=SHARE] [delay_us=N] [mbps=N] ...\n", what);
    exit(2);
}

static void parse(const char *arg)
{
    static const struct {
        const char *name;
        double *share;
        uint64_t *number;
    } known[] = {
        {"loss", &opt.loss, NULL},         {"burst", &opt.burst, NULL},         {"reorder", &opt.reorder, NULL},
        {"dup", &opt.dup, NULL},           {"corrupt", &opt.corrupt, NULL},     {"mbps", &opt.mbps, NULL},
        {"delay_us", NULL, &opt.delay_us}, {"jitter_us", NULL, &opt.jitter_us}, {"queue_us", NULL, &opt.queue_us},
        {"seed", NULL, &opt.seed},
    };
    const char *value = strchr(arg, '=');
    for (unsigned i = 0; value && i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) != (size_t)(value - arg) || strncmp(known[i].name, arg, (size_t)(value - arg)) != 0)
            continue;
        char *end;
        double v = strtod(value + 1, &end);
        if (end == value + 1 || *end || v < 0)
            break;
        if (known[i].share)
            *known[i].share = v;
        else
            *known[i].number = (uint64_t)v;
        return;
    }
    usage(arg);
}

static void report(const struct way *w)
{
    printf("{\"frames\":%llu,\"lost\":%llu,\"overflow\":%llu,\"dup\":%llu,\"corrupt\":%llu,\"reordered\":%llu,"
           "\"refused\":%llu}",
           (unsigned long long)w->frames, (unsigned long long)w->lost, (unsigned long long)w->overflow,
           (unsigned long long)w->dup, (unsigned long long)w->corrupt, (unsigned long long)w->reordered,
           (unsigned long long)w->refused);
}

static void run(struct way *ways, int signals)
{
    struct pollfd fds[3] = {{ways[0].in, POLLIN, 0}, {ways[1].in, POLLIN, 0}, {signals, POLLIN, 0}};
    while (!fds[2].revents) {
        uint64_t now = now_ns(), next = UINT64_MAX;
        for (unsigned i = 0; i < 2; i++) {
            deliver(&ways[i], now);
            if (ways[i].n && ways[i].heap[0]->at < next)
                next = ways[i].heap[0]->at;
        }
        uint64_t wait = next > now ? next - now : 0;
        struct timespec ts = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        if (ppoll(fds, 3, next == UINT64_MAX ? NULL : &ts, NULL) < 0)
            exit(1);
        for (unsigned i = 0; i < 2; i++)
            if (fds[i].revents)
                receive(&ways[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        usage(argc > 1 ? argv[1] : "");
    for (int i = 3; i < argc; i++)
        parse(argv[i]);
    rng = opt.seed * 0x9e3779b97f4a7c15ull | 1;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int left = open_interface(argv[1]), right = open_interface(argv[2]);
    struct way ways[2] = {{.in = left, .out = right}, {.in = right, .out = left}};
    for (unsigned i = 0; i < 2; i++) {
        ways[i].heap = calloc(WAITING, sizeof *ways[i].heap);
        if (!ways[i].heap)
            return 1;
    }
    puts("ready");
    fflush(stdout);
    run(ways, signalfd(-1, &set, SFD_CLOEXEC));
    fputs("{\"there\":", stdout);
    report(&ways[0]);
    fputs(",\"back\":", stdout);
    report(&ways[1]);
    puts("}");
    return 0;
}
