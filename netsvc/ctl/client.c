/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: who connects, what arrives, what is answered. Nothing here waits for a client: one that sends
 * garbage, does not read, floods or dies costs its own connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "ctl/priv.h"
#include "sock/sock.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define MSG_MAX 512 /* bytes; the largest request is far smaller */
#define MSGS_PER_TURN 4
#define ACCEPTS_PER_TURN 2 /* each reads files of /proc */

void jr_client_on_bell(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now)
{
    (void)src;
    (void)events;
    (void)now;
    /* Edge-triggered and never read: the program could take O_NONBLOCK away and let us wait. */
    jr_count(ctl->cfg.counters, JR_C_CTL_DOORBELLS);
}

/* A wake-up that only one was to get may have gone to this one, which can't pass it on any more. */
static void wake_others(struct jr_seg *seg, uint32_t eq)
{
    for (uint32_t slot = 0; slot < JR_SEG_SLOTS; slot++)
        if (seg->so[slot] && (__atomic_load_n(&seg->slots[slot].exclusive, __ATOMIC_RELAXED) >> eq & 1))
            jr_sock_post_watchers(seg->so[slot], JR_SOCK_EV_STATE);
}

static void forget_queues(struct jr_ctl *ctl, const struct jr_client *c)
{
    for (uint32_t i = 0; i < ctl->nsegs && c->neqs > 0; i++)
        for (uint32_t eq = 0; ctl->segs[i].seg && eq < JR_SEG_EQS; eq++) {
            struct jr_seg *seg = ctl->segs[i].seg;
            if (seg->eq[eq].client != c)
                continue;
            seg->eq[eq].client = NULL;
            wake_others(seg, eq);
        }
}

void jr_client_drop(struct jr_ctl *ctl, struct jr_client *c)
{
    if (c->dead)
        return;
    c->dead = true;
    epoll_ctl(ctl->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    if (c->adopt_fd >= 0)
        close(c->adopt_fd);
    jr_list_del(&c->adopt);
    forget_queues(ctl, c);
    for (struct jr_list *l; (l = jr_list_pop_head(&c->segs));) {
        struct jr_seg *seg = JR_LIST_ENTRY(l, struct jr_seg, link);
        seg->owner = NULL;
        c->peer->user->nsegs--;
        if (seg->nused == 0)
            jr_ctl_seg_unused(ctl, seg);
    }
    c->peer->user->nclients--;
    ctl->nclients--;
    jr_peer_put(c->peer);
    jr_list_del(&c->link);
    jr_list_push_tail(&ctl->zombies, &c->link);
}

void jr_client_bury(struct jr_ctl *ctl)
{
    for (struct jr_list *l; (l = jr_list_pop_head(&ctl->zombies));)
        free(JR_LIST_ENTRY(l, struct jr_client, link));
}

void jr_client_pause(struct jr_ctl *ctl, struct jr_client *c, bool pause)
{
    struct epoll_event e = {.events = pause ? 0 : EPOLLIN, .data.ptr = &c->control_src};

    epoll_ctl(ctl->epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

void jr_client_reply(struct jr_ctl *ctl, struct jr_client *c, uint32_t op, int status, const void *rep, uint32_t len,
                     const int *fds, unsigned nfds)
{
    struct jr_abi_ctl_hdr h = {.magic = JR_ABI_MAGIC, .op = op, .status = status, .len = len};
    struct iovec iov[2] = {{&h, sizeof h}, {(void *)(uintptr_t)rep, len}};
    char cbuf[CMSG_SPACE(JR_HANDLE_BATCH * sizeof(int))] __attribute__((aligned(8))) = {0};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

    if (nfds) {
        m.msg_control = cbuf;
        m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(cm), fds, nfds * sizeof(int));
    }
    if (c->dead || sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return;
    if (errno == EAGAIN)
        jr_count(ctl->cfg.counters, JR_C_CTL_SLOW_READER);
    jr_client_drop(ctl, c);
}

/* Collects the descriptors of a message. Returns how many; a message with more than fit is malformed. */
static unsigned take_fds(struct msghdr *m, int fds[JR_CTL_MSG_FDS])
{
    unsigned n = 0;

    for (struct cmsghdr *cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        const unsigned k = (unsigned)((cm->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < k; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cm) + i * sizeof fd, sizeof fd);
            if (n < JR_CTL_MSG_FDS)
                fds[n++] = fd;
            else
                close(fd);
        }
    }
    return n;
}

/* false: nothing more to read, or the client is gone. */
static bool read_one(struct jr_ctl *ctl, struct jr_client *c)
{
    uint8_t buf[MSG_MAX] __attribute__((aligned(8)));
    char cbuf[CMSG_SPACE(JR_CTL_MSG_FDS * sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = {buf, sizeof buf};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = sizeof cbuf};
    const struct jr_abi_ctl_hdr *h = (const struct jr_abi_ctl_hdr *)buf;
    int fds[JR_CTL_MSG_FDS];
    const ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    unsigned nfds;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        jr_client_drop(ctl, c);
        return false;
    }
    nfds = take_fds(&m, fds);
    if ((size_t)n < sizeof *h || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || h->magic != JR_ABI_MAGIC ||
        h->len != (size_t)n - sizeof *h) {
        jr_count(ctl->cfg.counters, JR_C_CTL_BAD_MESSAGE);
        jr_client_drop(ctl, c);
    } else {
        jr_request_run(ctl, c, h->op, h + 1, h->len, fds, nfds);
    }
    for (unsigned i = 0; i < nfds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return !c->dead && c->adopt_fd < 0;
}

static void on_control(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now)
{
    struct jr_client *c = JR_CONTAINER_OF(src, struct jr_client, control_src);

    (void)now;
    for (unsigned i = 0; i < MSGS_PER_TURN && !c->dead && (events & EPOLLIN); i++)
        if (!read_one(ctl, c))
            break;
    if (!c->dead && !(events & EPOLLIN) && (events & (EPOLLHUP | EPOLLERR)))
        jr_client_drop(ctl, c);
}

/* By the kernel's word: an accepted socket of this family lives in the network namespace of whoever connected. */
static bool is_our_netns(const struct jr_ctl *ctl, int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;

    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 || cookie == ctl->netns_cookie;
}

static struct jr_peer *admit(struct jr_ctl *ctl, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    struct jr_peer *peer;

    if (!is_our_netns(ctl, fd)) {
        jr_count(ctl->cfg.counters, JR_C_CTL_REFUSED_NETNS);
        return NULL;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return NULL;
    peer = jr_peer_new(ctl, cred.pid, cred.uid, cred.gid);
    if (!peer)
        return NULL;
    const struct jr_rule_subject who = {.exe = peer->exe, .comm = peer->comm, .uid = peer->uid};
    if (!jr_rules_may_attach(ctl->rules, &who)) {
        jr_count(ctl->cfg.counters, JR_C_CTL_REFUSED_RULE);
    } else if (ctl->nclients >= ctl->cfg.max_clients ||
               !jr_peer_may(peer, peer->user->nclients, ctl->cfg.max_clients_per_user)) {
        jr_count(ctl->cfg.counters, JR_C_CTL_REFUSED_QUOTA);
    } else {
        return peer;
    }
    jr_peer_put(peer);
    return NULL;
}

static void client_new(struct jr_ctl *ctl, int fd)
{
    struct jr_peer *peer = admit(ctl, fd);
    struct jr_client *c = peer ? calloc(1, sizeof *c) : NULL;

    if (!c) {
        if (peer)
            jr_peer_put(peer);
        close(fd);
        return;
    }
    c->control_src.ready = on_control;
    c->fd = fd;
    c->adopt_fd = -1;
    c->peer = peer;
    jr_list_init(&c->link);
    jr_list_init(&c->adopt);
    jr_list_init(&c->segs);
    jr_list_push_tail(&ctl->clients, &c->link);
    ctl->nclients++;
    peer->user->nclients++;
    peer->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (peer->bell < 0 || jr_ctl_watch(ctl, peer->bell, &ctl->bell_src, EPOLLIN | EPOLLET) < 0 ||
        jr_ctl_watch(ctl, c->fd, &c->control_src, EPOLLIN) < 0)
        jr_client_drop(ctl, c);
}

/* Without a descriptor to accept with, a waiting client would keep us busy for ever: it is sent away instead. */
static void turn_away(struct jr_ctl *ctl)
{
    int fd;

    close(ctl->spare_fd);
    fd = accept4(ctl->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    ctl->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    jr_count(ctl->cfg.counters, JR_C_CTL_REFUSED_QUOTA);
}

void jr_client_on_listen(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now)
{
    (void)src;
    (void)events;
    (void)now;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        const int fd = accept4(ctl->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            turn_away(ctl);
        if (fd < 0)
            return;
        client_new(ctl, fd);
    }
}
