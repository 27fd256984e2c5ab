/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of the control socket, one function each. */
#include <errno.h>
#include <unistd.h>

#include "base/bits.h"
#include "ctl/priv.h"
#include "jr_dispatch.h"
#include "sock/sock.h"

#define HANDLES_AT_ONCE 16u /* making one costs microseconds, during which no packet moves */

static void refuse(struct jr_ctl *ctl, struct jr_client *c, uint32_t op, int err)
{
    jr_client_reply(ctl, c, op, err, NULL, 0, NULL, 0);
}

static void on_hello(struct jr_ctl *ctl, struct jr_client *c, const struct jr_abi_ctl_hello_req *req)
{
    const struct jr_abi_ctl_hello_rep rep = {.version = JR_ABI_VERSION, .checksum = JR_ABI_CHECKSUM};
    const int fds[2] = {ctl->policy.region.fd, c->peer->bell};

    if (req->version != JR_ABI_VERSION || req->checksum != JR_ABI_CHECKSUM) {
        jr_count(ctl->cfg.counters, JR_C_CTL_REFUSED_VERSION);
        jr_client_reply(ctl, c, JR_CTL_HELLO, -EPROTO, &rep, sizeof rep, NULL, 0);
        jr_client_drop(ctl, c);
        return;
    }
    c->hello = true;
    jr_count(ctl->cfg.counters, JR_C_CTL_CLIENTS);
    jr_client_reply(ctl, c, JR_CTL_HELLO, 0, &rep, sizeof rep, fds, 2);
}

static void on_seg_new(struct jr_ctl *ctl, struct jr_client *c)
{
    struct jr_seg *seg;

    if (!jr_peer_may(c->peer, c->peer->user->nsegs, ctl->cfg.max_segments_per_user)) {
        jr_count(ctl->cfg.counters, JR_C_CTL_REFUSED_QUOTA);
        refuse(ctl, c, JR_CTL_SEG_NEW, -EDQUOT);
        return;
    }
    seg = jr_ctl_seg_new(ctl);
    if (!seg) {
        refuse(ctl, c, JR_CTL_SEG_NEW, -errno);
        return;
    }
    seg->owner = c;
    c->peer->user->nsegs++;
    jr_list_push_tail(&c->segs, &seg->link);
    const struct jr_abi_ctl_seg_new_rep rep = {.seg_id = seg->id, .nslots = JR_SEG_SLOTS};
    jr_client_reply(ctl, c, JR_CTL_SEG_NEW, 0, &rep, sizeof rep, &seg->region.fd, 1);
}

/* One handle and its socket; the number of the slot, or a negative errno. */
static int make_handle(struct jr_ctl *ctl, struct jr_client *c, struct jr_seg *seg, int *fd)
{
    struct jr_handle *x;
    struct jr_sock *so;

    if (!jr_peer_may(c->peer, c->peer->user->nsocks, ctl->cfg.max_sockets_per_user))
        return -EDQUOT;
    if (seg->nused == JR_SEG_SLOTS)
        return -ENOSPC;
    x = jr_handle_open(ctl->handles, fd);
    if (!x)
        return -errno;
    so = jr_sock_new(&ctl->socks, seg, c->peer, x);
    if (!so) {
        close(*fd);
        return -ENOBUFS;
    }
    jr_handle_set_user(x, so);
    so->handle_ino = jr_handle_ino(x);
    jr_count(ctl->cfg.counters, JR_C_CTL_HANDLES);
    return (int)jr_sock_slot(so);
}

static void on_handles(struct jr_ctl *ctl, struct jr_client *c, const struct jr_abi_ctl_handles_req *req)
{
    struct jr_abi_ctl_handles_rep rep = {0};
    struct jr_seg *seg = jr_ctl_seg_find(ctl, req->seg_id);
    const uint32_t want = jr_min_u32(req->want, HANDLES_AT_ONCE);
    int fds[HANDLES_AT_ONCE], slot = -EINVAL;

    if (!seg || seg->owner != c) {
        refuse(ctl, c, JR_CTL_HANDLES, -EBADF);
        return;
    }
    while (rep.n < want && (slot = make_handle(ctl, c, seg, &fds[rep.n])) >= 0)
        rep.slot[rep.n++] = (uint32_t)slot;
    if (slot < 0) {
        jr_count(ctl->cfg.counters, slot == -EDQUOT ? JR_C_CTL_REFUSED_QUOTA : JR_C_CTL_HANDLE_FAILED);
        if (rep.n == 0) {
            refuse(ctl, c, JR_CTL_HANDLES, slot);
            return;
        }
    }
    jr_client_reply(ctl, c, JR_CTL_HANDLES, 0, &rep, sizeof rep, fds, rep.n);
    for (uint32_t i = 0; i < rep.n; i++)
        close(fds[i]); /* if nobody received them, this is their last close */
}

/* A segment that the client owns, or whose key it knows from having it mapped. */
static struct jr_seg *named_seg(struct jr_ctl *ctl, struct jr_client *c, uint32_t id, const uint64_t key[2])
{
    struct jr_seg *seg = jr_ctl_seg_find(ctl, id);

    return seg && (seg->owner == c || jr_seg_key_ok(seg, key)) ? seg : NULL;
}

static void on_eq_register(struct jr_ctl *ctl, struct jr_client *c, const struct jr_abi_ctl_eq_register_req *req,
                           int *fd)
{
    const struct jr_abi_ctl_eq_register_rep rep = {0};
    struct jr_seg *seg = named_seg(ctl, c, req->seg_id, req->key);

    if (!seg || req->eq >= JR_SEG_EQS || !jr_wake_is_eventfd(*fd)) {
        refuse(ctl, c, JR_CTL_EQ_REGISTER, -EINVAL);
        return;
    }
    jr_seg_eq_register(seg, req->eq, *fd, c, &ctl->socks.wake);
    c->neqs++;
    *fd = -1;
    jr_client_reply(ctl, c, JR_CTL_EQ_REGISTER, 0, &rep, sizeof rep, NULL, 0);
}

static void on_pair(struct jr_ctl *ctl, struct jr_client *c, const struct jr_abi_ctl_pair_req *req)
{
    struct jr_abi_ctl_pair_rep rep = {0};
    struct jr_seg *seg = named_seg(ctl, c, req->seg_id, req->key);
    struct jr_sock *so = seg && req->slot < JR_SEG_SLOTS ? seg->so[req->slot] : NULL;
    const int fd = so && jr_sock_seg(so) == seg ? jr_sock_pair(so, &rep.pair_id, &rep.end) : -EBADF;

    if (fd < 0)
        refuse(ctl, c, JR_CTL_PAIR, fd);
    else
        jr_client_reply(ctl, c, JR_CTL_PAIR, 0, &rep, sizeof rep, &fd, 1);
}

static void on_shadow(struct jr_ctl *ctl, struct jr_client *c, const struct jr_abi_ctl_shadow_req *req, int *fd)
{
    const struct jr_abi_ctl_shadow_rep rep = {0};
    struct jr_seg *seg = named_seg(ctl, c, req->seg_id, req->key);
    struct jr_sock *so = seg && req->slot < JR_SEG_SLOTS ? seg->so[req->slot] : NULL;
    const bool is_there = so && jr_sock_seg(so) == seg && jr_sock_slot(so) == req->slot;
    int r = -EBADF, shadow;

    if (is_there && fd)
        r = jr_sock_set_shadow(so, *fd);
    shadow = is_there ? jr_sock_kernel_side(so) : -1;
    if (is_there && !fd)
        r = shadow < 0 ? -ENOENT : 0;
    if (r < 0) {
        refuse(ctl, c, JR_CTL_SHADOW, r);
        return;
    }
    if (fd)
        *fd = -1;
    jr_client_reply(ctl, c, JR_CTL_SHADOW, 0, &rep, sizeof rep, &shadow, !fd);
}

static bool fds_fit(uint32_t op, unsigned n)
{
    if (op == JR_CTL_SHADOW)
        return n <= 1;
    return n == (op == JR_CTL_EQ_REGISTER || op == JR_CTL_ADOPT ? 1 : 0);
}

void jr_request_run(struct jr_ctl *ctl, struct jr_client *c, uint32_t op, const void *req, uint32_t len, int *fds,
                    unsigned nfds)
{
    const struct jr_ctl_info *info = jr_ctl_lookup(op);

    /* A libc of another version may say hello in another way: it is told so. */
    if (op == JR_CTL_HELLO && len < info->req_size) {
        const struct jr_abi_ctl_hello_req other = {0};
        on_hello(ctl, c, &other);
        return;
    }
    if (!info || len != info->req_size || !fds_fit(op, nfds) || (op != JR_CTL_HELLO) != c->hello) {
        jr_count(ctl->cfg.counters, JR_C_CTL_BAD_MESSAGE);
        jr_client_drop(ctl, c);
        return;
    }
    switch (op) {
    case JR_CTL_HELLO:
        on_hello(ctl, c, req);
        break;
    case JR_CTL_SEG_NEW:
        on_seg_new(ctl, c);
        break;
    case JR_CTL_HANDLES:
        on_handles(ctl, c, req);
        break;
    case JR_CTL_EQ_REGISTER:
        on_eq_register(ctl, c, req, &fds[0]);
        break;
    case JR_CTL_ADOPT:
        jr_request_adopt(ctl, c, req, &fds[0]);
        break;
    case JR_CTL_PAIR:
        on_pair(ctl, c, req);
        break;
    case JR_CTL_SHADOW:
        on_shadow(ctl, c, req, nfds ? &fds[0] : NULL);
        break;
    }
}
