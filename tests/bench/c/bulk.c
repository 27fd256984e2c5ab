/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One stream in one direction: the sender writes pieces of one size for a number of seconds and shuts down, the
 * receiver reads to the end.
 *
 *     bulk listen|connect IP PORT send|recv PIECE blocking|epoll SECONDS
 *
 * Prints {"bytes", "seconds", "calls", "cpu"}: seconds from the first byte to the last.
 */
#include "common.h"

#include <fcntl.h>
#include <sys/epoll.h>

struct run {
    int fd, epfd; /* epfd: -1 when blocking */
    uint32_t events;
    char *piece;
    size_t size;
    uint64_t bytes, calls;
};

static void wait_ready(const struct run *r)
{
    struct epoll_event ev;
    if (epoll_wait(r->epfd, &ev, 1, -1) < 0 && errno != EINTR)
        die("epoll_wait");
}

/* One read or write that blocks, by whichever means; 0: end. */
static size_t transfer(struct run *r, bool send_it)
{
    for (;;) {
        const ssize_t n = send_it ? write(r->fd, r->piece, r->size) : read(r->fd, r->piece, r->size);
        r->calls++;
        if (n >= 0)
            return (size_t)n;
        if (errno != EAGAIN)
            die(send_it ? "write" : "read");
        wait_ready(r);
    }
}

static double send_for(struct run *r, double seconds)
{
    const double start = now_s();
    while (now_s() - start < seconds)
        for (int i = 0; i < 16; i++)
            r->bytes += transfer(r, true);
    shutdown(r->fd, SHUT_WR);
    fcntl(r->fd, F_SETFL, 0);
    while (read(r->fd, r->piece, r->size) > 0) /* until the other side has everything */
        ;
    return now_s() - start;
}

static double receive_all(struct run *r)
{
    size_t n = transfer(r, false);
    const double start = now_s();
    for (; n; n = transfer(r, false))
        r->bytes += n;
    return now_s() - start;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: bulk listen|connect IP PORT send|recv PIECE blocking|epoll SECONDS\n");
        return 2;
    }
    const bool send_it = strcmp(argv[4], "send") == 0, use_epoll = strcmp(argv[6], "epoll") == 0;
    struct run r = {.epfd = -1, .size = strtoul(argv[5], NULL, 10), .events = send_it ? EPOLLOUT : EPOLLIN};
    r.piece = calloc(1, r.size);
    r.fd = one_connection(argv[1], argv[2], argv[3]);
    if (use_epoll) {
        struct epoll_event ev = {.events = r.events | EPOLLRDHUP * !send_it};
        r.epfd = epoll_create1(EPOLL_CLOEXEC);
        fcntl(r.fd, F_SETFL, O_NONBLOCK);
        if (epoll_ctl(r.epfd, EPOLL_CTL_ADD, r.fd, &ev) < 0)
            die("epoll_ctl");
    }
    const double cpu = cpu_s();
    const double seconds = send_it ? send_for(&r, strtod(argv[7], NULL)) : receive_all(&r);
    printf("{\"bytes\": %llu, \"seconds\": %.6f, \"calls\": %llu, \"cpu\": %.6f}\n", (unsigned long long)r.bytes,
           seconds, (unsigned long long)r.calls, cpu_s() - cpu);
    return 0;
}
