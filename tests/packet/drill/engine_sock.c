/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets over the engine: the least that gives jr_tcp and jr_udp the calls of POSIX, with FreeBSD's errors. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bits.h"
#include "base/byteorder.h"
#include "engine.h"

static void sock_free(struct esock *so)
{
    struct dgram *d;

    while ((d = so->dgrams)) {
        so->dgrams = d->next;
        free(d);
    }
    free(so->snd.base);
    free(so->rcv.base);
    free(so);
}

static void on_event(void *arg, struct jr_tcpcb *tp, uint32_t events, jr_time now)
{
    struct esock *so = arg;

    (void)now;
    if (events & JR_TCP_EV_CONNECTED) {
        so->connected = true;
        so->connecting = false;
    }
    if (events & JR_TCP_EV_RX_FIN)
        so->rx_fin = true;
    if (events & JR_TCP_EV_ERROR) {
        so->error = jr_tcp_error(tp);
        so->dead = true;
        so->connecting = false;
    }
    if (!(events & JR_TCP_EV_CLOSED))
        return;
    so->tp = NULL;
    so->dead = so->dead || !so->connected || (so->rx_fin && so->tx_fin);
    if (!so->open)
        sock_free(so);
}

static bool embryo_rcvbuf(void *arg, struct jr_sockbuf *rcv)
{
    struct esock *so = arg;

    rcv->cap = esock_rcv_cap(so);
    rcv->base = malloc(rcv->cap);
    so->en->embryos++;
    return true;
}

static void embryo_free(void *arg, struct jr_sockbuf *rcv)
{
    struct esock *so = arg;

    free(rcv->base);
    rcv->base = NULL;
    so->en->embryos--;
}

static const struct jr_tcp_upcalls tcp_upcalls = {on_event, embryo_rcvbuf, embryo_free};

static void on_dgram(void *arg, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    struct esock *so = arg;
    struct dgram *d = calloc(1, sizeof *d), **end = &so->dgrams;

    (void)up, (void)rx, (void)data, (void)now;
    *d = (struct dgram){.from = *from, .len = len};
    while (*end)
        end = &(*end)->next;
    *end = d;
}

static void on_dgram_error(void *arg, struct jr_udpcb *up, int err, jr_time now)
{
    (void)up, (void)now;
    ((struct esock *)arg)->error = err;
}

static const struct jr_udp_upcalls udp_upcalls = {.input = on_dgram, .error = on_dgram_error};

static int fd_new(struct engine *en, struct esock **out)
{
    int fd = 3;

    while (fd < ENGINE_FDS && en->fds[fd])
        fd++;
    if (fd == ENGINE_FDS)
        return -EMFILE;
    *out = en->fds[fd] = calloc(1, sizeof **out);
    (*out)->en = en;
    (*out)->open = true;
    return fd;
}

static int do_socket(struct engine *en, const struct sys *sys)
{
    const int type = sys->b & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct esock *so;
    int fd;

    if (sys->a != AF_INET && sys->a != AF_INET6)
        return -EAFNOSUPPORT;
    if (type != SOCK_STREAM && type != SOCK_DGRAM)
        return -EPROTONOSUPPORT;
    fd = fd_new(en, &so);
    if (fd < 0)
        return fd;
    so->type = type;
    so->v6 = sys->a == AF_INET6;
    so->nonblock = sys->b & SOCK_NONBLOCK;
    if (type == SOCK_STREAM)
        so->tp = jr_tcp_open(en->tcp, &tcp_upcalls, so);
    else
        so->up = jr_udp_open(en->udp, &udp_upcalls, so);
    return fd;
}

static int get_addr(const struct sys *sys, struct jr_endpoint *ep)
{
    if (sys->addr.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&sys->addr;
        *ep = (struct jr_endpoint){jr_addr_v4(in->sin_addr.s_addr), ntohs(in->sin_port)};
        return 0;
    }
    if (sys->addr.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)&sys->addr;
        memcpy(ep->addr.b, &in->sin6_addr, 16);
        ep->port = ntohs(in->sin6_port);
        return 0;
    }
    return -EAFNOSUPPORT;
}

static void put_addr(struct sys *sys, const struct esock *so, const struct jr_endpoint *ep)
{
    memset(&sys->addr, 0, sizeof sys->addr);
    if (so->v6) {
        struct sockaddr_in6 *in = (void *)&sys->addr;
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(ep->port);
        memcpy(&in->sin6_addr, ep->addr.b, 16);
        sys->addrlen = sizeof *in;
    } else {
        struct sockaddr_in *in = (void *)&sys->addr;
        in->sin_family = AF_INET;
        in->sin_port = htons(ep->port);
        in->sin_addr.s_addr = jr_addr_to_v4(ep->addr);
        sys->addrlen = sizeof *in;
    }
}

static int do_bind(struct esock *so, const struct sys *sys)
{
    struct jr_endpoint ep;
    const int err = get_addr(sys, &ep);

    if (err)
        return err;
    if (so->up)
        return jr_udp_bind(so->up, &ep, so->bind_flags);
    return so->tp ? jr_tcp_bind(so->tp, &ep, so->bind_flags) : -EINVAL;
}

static void give_buffers(struct esock *so)
{
    uint32_t cap = 2048;

    while (cap < 2 * esock_snd_limit(so))
        cap *= 2;
    so->snd = (struct jr_sockbuf){.base = malloc(cap), .cap = cap};
    so->rcv.cap = esock_rcv_cap(so);
    so->rcv.base = malloc(so->rcv.cap);
    jr_tcp_attach(so->tp, so, &so->snd, &so->rcv);
}

static int do_listen(struct esock *so, const struct sys *sys)
{
    int err;

    if (!so->tp || so->connecting || so->connected)
        return so->type == SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
    err = jr_tcp_listen(so->tp, sys->a < 0 ? UINT32_MAX : (uint32_t)sys->a, so->en->now);
    so->listening = so->listening || err == 0;
    return err;
}

static int do_accept(struct esock *l, struct sys *sys)
{
    struct jr_tcpcb *tp;
    struct jr_endpoint ep;
    struct esock *so;
    int fd;

    if (!l->listening)
        return -EINVAL;
    tp = jr_tcp_accept(l->tp);
    if (!tp)
        return -EAGAIN;
    fd = fd_new(l->en, &so);
    if (fd < 0) {
        jr_tcp_close(tp, true, l->en->now);
        return fd;
    }
    so->type = SOCK_STREAM;
    so->v6 = l->v6;
    so->nonblock = sys->a & SOCK_NONBLOCK;
    so->connected = true;
    so->tp = tp;
    jr_tcp_remote(tp, &ep);
    put_addr(sys, l, &ep);
    so->sndbuf = l->sndbuf;
    so->rcvbuf = l->rcvbuf;
    give_buffers(so);
    esock_inherit(so, l);
    return fd;
}

static int take_error(struct esock *so)
{
    const int err = so->error;

    so->error = 0;
    return -err;
}

static int do_connect(struct esock *so, struct sys *sys, bool first)
{
    struct jr_endpoint ep;
    int err;

    if (so->up)
        return get_addr(sys, &ep) ?: jr_udp_connect(so->up, &ep);
    if (so->error)
        return take_error(so);
    if (so->connected)
        return first ? -EISCONN : 0;
    if (so->dead)
        return -ECONNABORTED;
    if (so->listening)
        return -EOPNOTSUPP;
    if (so->connecting)
        return first ? -EALREADY : -EAGAIN;
    err = get_addr(sys, &ep);
    if (err)
        return err;
    if (!so->snd.base)
        give_buffers(so);
    err = jr_tcp_connect(so->tp, &ep, so->en->now);
    if (err)
        return err;
    so->connecting = true;
    return so->nonblock ? -EINPROGRESS : -EAGAIN;
}

static int send_dgram(struct esock *so, const struct sys *sys)
{
    static const uint8_t zeros[66000];
    struct jr_endpoint ep;
    int err = 0;

    if (so->error)
        return take_error(so);
    if (sys->addrlen)
        err = get_addr(sys, &ep);
    if (err == 0)
        err = jr_udp_send(so->up, sys->addrlen ? &ep : NULL, zeros, sys->len, NULL, 0, 0, 0, so->en->now);
    return err ? err : (int)sys->len;
}

static int send_some(struct esock *so, struct sys *sys)
{
    const uint32_t limit = jr_min_u32(esock_snd_limit(so), so->snd.cap), used = jr_sockbuf_used(&so->snd);
    const uint32_t n = jr_min_u32(sys->len - sys->moved, used < limit ? limit - used : 0);

    for (uint32_t i = 0; i < n; i++)
        so->snd.base[(so->snd.tail + i) & (so->snd.cap - 1)] = 0;
    so->snd.tail += n;
    sys->moved += n;
    if (n == 0)
        return 0;
    if (sys->flags & MSG_OOB)
        jr_tcp_send_urgent(so->tp, so->snd.tail, so->en->now);
    else if (sys->flags & MSG_MORE)
        jr_tcp_send_more(so->tp, so->en->now);
    else
        jr_tcp_send(so->tp, so->en->now);
    return (int)n;
}

/* Fast Open: the first data opens the connection. */
static int send_to_open(struct esock *so, struct sys *sys)
{
    struct jr_endpoint ep;
    int err = get_addr(sys, &ep);

    if (err)
        return err;
    give_buffers(so);
    send_some(so, sys);
    err = jr_tcp_connect(so->tp, &ep, so->en->now);
    so->connecting = err == 0;
    return err ? err : (int)sys->moved;
}

static bool wants_fastopen(const struct esock *so, const struct sys *sys)
{
    int on = 0;
    uint32_t len = sizeof on;

    if (so->connected || so->connecting || so->listening || !so->tp || !sys->addrlen || so->snd.base)
        return false;
    return jr_tcp_getopt(so->tp, IPPROTO_TCP, TCP_FASTOPEN, &on, &len, so->en->now) == 0 && on;
}

static int do_send(struct esock *so, struct sys *sys)
{
    const bool nonblock = so->nonblock || sys->flags & MSG_DONTWAIT;

    if (so->up)
        return send_dgram(so, sys);
    if (wants_fastopen(so, sys))
        return send_to_open(so, sys);
    if (so->error)
        return take_error(so);
    if (so->tx_fin || so->dead)
        return -EPIPE;
    if (!so->connected)
        return so->connecting && !nonblock ? -EAGAIN : -ENOTCONN;
    if (!so->tp)
        return -EPIPE;
    send_some(so, sys);
    if (sys->moved == sys->len || (nonblock && sys->moved))
        return (int)sys->moved;
    return -EAGAIN;
}

static int recv_dgram(struct esock *so, struct sys *sys)
{
    struct dgram *d = so->dgrams;
    int n;

    if (so->error)
        return take_error(so);
    if (!d)
        return -EAGAIN;
    n = (int)jr_min_u32(d->len, sys->len);
    sys->msg_flags = d->len > sys->len ? MSG_TRUNC : 0;
    put_addr(sys, so, &d->from);
    if (!(sys->flags & MSG_PEEK)) {
        so->dgrams = d->next;
        free(d);
    }
    return n;
}

static int recv_urgent(struct esock *so)
{
    uint64_t off;

    if (so->oobinline || !so->tp || !jr_tcp_urgent(so->tp, &off) || off <= so->urg_read || off <= so->rcv.head)
        return -EINVAL;
    if (off > so->rcv.tail)
        return -EAGAIN;
    so->urg_read = off;
    return 1;
}

/* How far a read may go: up to the urgent byte, which is stepped over unless it is in line. */
static uint32_t readable(struct esock *so)
{
    const uint32_t used = jr_sockbuf_used(&so->rcv);
    uint64_t off;

    if (!so->tp || !jr_tcp_urgent(so->tp, &off) || off <= so->rcv.head || off > so->rcv.tail)
        return used;
    if (so->rcv.head < off - 1)
        return (uint32_t)(off - 1 - so->rcv.head);
    if (so->oobinline)
        return used;
    so->rcv.head++;
    return used - 1;
}

static bool is_at_mark(const struct esock *so)
{
    uint64_t off;

    return so->tp && jr_tcp_urgent(so->tp, &off) && so->rcv.head == off - 1;
}

static int do_recv(struct esock *so, struct sys *sys)
{
    uint32_t n;

    if (so->up)
        return recv_dgram(so, sys);
    if (sys->flags & MSG_OOB)
        return recv_urgent(so);
    if (!so->connected && !so->dead)
        return so->connecting ? -EAGAIN : -ENOTCONN;
    n = jr_min_u32(sys->len - sys->moved, readable(so));
    if (n && !(sys->flags & MSG_PEEK)) {
        so->rcv.head += n;
        if (so->tp)
            jr_tcp_recved(so->tp, so->en->now);
    }
    sys->moved += n;
    if (sys->moved == sys->len || (sys->moved && !(sys->flags & MSG_WAITALL)))
        return (int)sys->moved;
    if (so->rx_fin || so->rx_shut)
        return (int)sys->moved;
    if (so->error)
        return take_error(so);
    return so->dead ? 0 : -EAGAIN;
}

static bool is_unread(const struct esock *so) { return jr_sockbuf_used(jr_tcp_rcv(so->tp)) != 0; }

static int do_close(struct engine *en, int fd)
{
    struct esock *so = en->fds[fd];

    en->fds[fd] = NULL;
    so->open = false;
    if (so->up)
        jr_udp_close(so->up);
    if (so->tp)
        jr_tcp_close(so->tp, (so->linger.l_onoff && so->linger.l_linger == 0) || (en->opt.rst_unread && is_unread(so)),
                     en->now);
    else
        sock_free(so);
    return 0;
}

static int do_shutdown(struct esock *so, int how)
{
    if (so->type == SOCK_STREAM && (!so->connected || so->dead))
        return -ENOTCONN;
    if (how != SHUT_WR)
        so->rx_shut = true;
    if (how != SHUT_WR && so->tp)
        jr_tcp_cantrcv(so->tp);
    if (how == SHUT_RD || so->tx_fin || !so->tp)
        return 0;
    so->tx_fin = true;
    jr_tcp_shutdown(so->tp, so->en->now);
    return 0;
}

static int do_fcntl(struct esock *so, const struct sys *sys)
{
    if (sys->a == F_GETFL)
        return O_RDWR | (so->nonblock ? O_NONBLOCK : 0);
    if (sys->a != F_SETFL)
        return 0;
    so->nonblock = sys->b & O_NONBLOCK;
    return 0;
}

static int do_ioctl(struct esock *so, struct sys *sys)
{
    switch ((unsigned)sys->a) {
    case FIONBIO:
        so->nonblock = sys->b != 0;
        return 0;
    case FIONREAD:
        sys->b = so->up ? (so->dgrams ? (int)so->dgrams->len : 0) : (int)jr_sockbuf_used(&so->rcv);
        return 0;
    case SIOCATMARK:
        sys->b = is_at_mark(so);
        return 0;
    case TIOCOUTQ:
        sys->b = (int)jr_sockbuf_used(&so->snd);
        return 0;
    default:
        return -ENOTTY;
    }
}

static int do_name(struct esock *so, struct sys *sys)
{
    struct jr_endpoint ep;

    if (sys->no == SYS_GETPEERNAME && !so->up && !so->connected)
        return -ENOTCONN;
    if (so->up)
        (sys->no == SYS_GETPEERNAME ? jr_udp_remote : jr_udp_local)(so->up, &ep);
    else if (so->tp)
        (sys->no == SYS_GETPEERNAME ? jr_tcp_remote : jr_tcp_local)(so->tp, &ep);
    else
        return -EINVAL;
    put_addr(sys, so, &ep);
    return 0;
}

static int epoll_new(struct engine *en)
{
    struct esock *ep;
    const int fd = fd_new(en, &ep);

    if (fd >= 0)
        ep->is_epoll = true;
    return fd;
}

/* -EAGAIN: would block; waits is set when it may wait. */
static int run(struct engine *en, struct sys *sys, bool first, bool *waits)
{
    struct esock *so;

    *waits = true;
    if (sys->no == SYS_SOCKET)
        return do_socket(en, sys);
    if (sys->no == SYS_EPOLL_CREATE)
        return epoll_new(en);
    if (sys->no == SYS_POLL)
        return esock_poll(en, sys);
    if (sys->fd < 0 || sys->fd >= ENGINE_FDS || !(so = en->fds[sys->fd]))
        return -EBADF;
    if (sys->no == SYS_CLOSE)
        return do_close(en, sys->fd);
    if (sys->no == SYS_EPOLL_CTL)
        return esock_epoll_ctl(en, sys);
    if (sys->no == SYS_EPOLL_WAIT)
        return esock_epoll_wait(en, sys);
    if (so->is_epoll)
        return -ENOTSOCK;
    *waits = !so->nonblock && !(sys->flags & MSG_DONTWAIT);
    switch (sys->no) {
    case SYS_BIND:
        return do_bind(so, sys);
    case SYS_LISTEN:
        return do_listen(so, sys);
    case SYS_ACCEPT:
        return do_accept(so, sys);
    case SYS_CONNECT:
        return do_connect(so, sys, first);
    case SYS_SEND:
        return do_send(so, sys);
    case SYS_RECV:
        return do_recv(so, sys);
    case SYS_SHUTDOWN:
        return do_shutdown(so, sys->a);
    case SYS_SETSOCKOPT:
        return -esock_setopt(so, sys->a, sys->b, sys->val, sys->len);
    case SYS_GETSOCKOPT:
        return -esock_getopt(so, sys->a, sys->b, sys->val, &sys->len);
    case SYS_FCNTL:
        return do_fcntl(so, sys);
    case SYS_IOCTL:
        return do_ioctl(so, sys);
    default:
        return do_name(so, sys);
    }
}

static void step(struct engine *en, struct sys *sys, bool first)
{
    bool waits;
    const int r = run(en, sys, first, &waits);

    sys->done = r != -EAGAIN || !waits;
    sys->ret = r < 0 ? -1 : r;
    sys->err = r < 0 ? -r : 0;
}

void esock_begin(struct engine *en, struct sys *sys) { step(en, sys, true); }
void esock_again(struct engine *en, struct sys *sys) { step(en, sys, false); }

void esock_close_all(struct engine *en)
{
    for (int fd = 0; fd < ENGINE_FDS; fd++) {
        struct esock *so = en->fds[fd];
        if (!so)
            continue;
        so->linger = (struct linger){.l_onoff = 1};
        do_close(en, fd);
    }
}
