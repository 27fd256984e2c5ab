/* SPDX-License-Identifier: BSD-3-Clause */
/* Readiness of the engine backend's sockets: poll(2) and epoll(7). */
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "engine.h"

static uint32_t ready_dgram(const struct esock *so)
{
    return POLLOUT | POLLWRNORM | (so->dgrams ? POLLIN | POLLRDNORM : 0) | (so->error ? POLLERR : 0);
}

uint32_t esock_ready(const struct esock *so)
{
    uint32_t r = 0;

    if (so->type == SOCK_DGRAM)
        return ready_dgram(so);
    if (so->listening)
        return jr_tcp_accept_count(so->tp) ? POLLIN | POLLRDNORM : 0;
    if (so->error)
        r |= POLLERR;
    if (so->dead)
        return r | POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLRDHUP;
    if (!so->connected)
        return so->connecting ? r : r | POLLOUT | POLLHUP;
    if (jr_sockbuf_used(&so->rcv) || so->rx_fin || so->rx_shut)
        r |= POLLIN | POLLRDNORM;
    if (so->rx_fin || so->rx_shut)
        r |= POLLRDHUP;
    if (so->rx_fin && so->tx_fin)
        r |= POLLHUP;
    if (so->tx_fin || jr_sockbuf_used(&so->snd) < esock_snd_limit(so) * 2 / 3)
        r |= POLLOUT | POLLWRNORM;
    return r;
}

static struct esock *at(struct engine *en, int fd)
{
    return fd >= 0 && fd < ENGINE_FDS && en->fds[fd] && en->fds[fd]->open ? en->fds[fd] : NULL;
}

/* Whether a call with this timeout has waited long enough. */
static bool waited(const struct engine *en, const struct sys *sys)
{
    return sys->a >= 0 && (int64_t)(en->now - en->base) >= sys->since_us + (int64_t)sys->a * 1000;
}

int esock_poll(struct engine *en, struct sys *sys)
{
    int n = 0;

    for (unsigned i = 0; i < sys->nfds; i++) {
        struct pollfd *p = &sys->fds[i];
        const struct esock *so = at(en, p->fd);
        p->revents = so ? (short)(esock_ready(so) & ((uint32_t)p->events | POLLERR | POLLHUP)) : POLLNVAL;
        n += p->revents != 0;
    }
    return n || waited(en, sys) ? n : -EAGAIN;
}

int esock_epoll_ctl(struct engine *en, struct sys *sys)
{
    struct esock *ep = at(en, sys->fd);
    unsigned i = 0;

    if (!ep || !at(en, sys->b))
        return -EBADF;
    if (!ep->is_epoll)
        return -EINVAL;
    while (i < ep->nwatch && ep->watch[i].fd != sys->b)
        i++;
    if (sys->a == EPOLL_CTL_ADD) {
        if (i < ep->nwatch)
            return -EEXIST;
        if (i == ENGINE_EPOLL_MAX)
            return -ENOSPC;
        ep->nwatch++;
    } else if (i == ep->nwatch) {
        return -ENOENT;
    }
    if (sys->a == EPOLL_CTL_DEL) {
        ep->watch[i] = ep->watch[--ep->nwatch];
        return 0;
    }
    ep->watch[i].fd = sys->b;
    ep->watch[i].ev = sys->events[0];
    ep->watch[i].seen = 0;
    return 0;
}

int esock_epoll_wait(struct engine *en, struct sys *sys)
{
    struct esock *ep = at(en, sys->fd);
    unsigned n = 0;

    if (!ep || !ep->is_epoll)
        return ep ? -EINVAL : -EBADF;
    for (unsigned i = 0; i < ep->nwatch && n < sys->nfds; i++) {
        const struct esock *so = at(en, ep->watch[i].fd);
        const uint32_t wanted = ep->watch[i].ev.events;
        const uint32_t ready = so ? esock_ready(so) & (wanted | EPOLLERR | EPOLLHUP) : 0;
        const uint32_t fresh = wanted & EPOLLET ? ready & ~ep->watch[i].seen : ready;
        ep->watch[i].seen = ready;
        if (!fresh)
            continue;
        sys->events[n] = ep->watch[i].ev;
        sys->events[n++].events = ready;
        if (wanted & EPOLLONESHOT)
            ep->watch[i].ev.events = EPOLLONESHOT;
    }
    return n || waited(en, sys) ? (int)n : -EAGAIN;
}
