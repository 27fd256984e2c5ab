/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Adopting a handle that was inherited or received: the holder learns where its socket lives, and the socket moves
 * away from memory that others map. A program that is just inside a send or receive is given a moment to finish.
 */
#include <errno.h>
#include <unistd.h>

#include "ctl/priv.h"

#define PATIENCE (50 * JR_MS)

static void reply(struct jr_ctl *ctl, struct jr_client *c, struct jr_sock *so, bool with_memory)
{
    const struct jr_seg *seg = jr_sock_seg(so);
    const int shadow = c->adopt_flags & JR_ADOPT_RECEIVED ? jr_sock_shadow(so) : -1;
    const struct jr_abi_ctl_adopt_rep rep = {.seg_id = seg->id,
                                             .slot = jr_sock_slot(so),
                                             .gen = jr_sock_gen(so),
                                             .new_seg = with_memory,
                                             .shadow = shadow >= 0};
    int fds[2], n = 0;

    if (with_memory)
        fds[n++] = seg->region.fd;
    if (shadow >= 0)
        fds[n++] = shadow;
    jr_count(ctl->cfg.counters, JR_C_CTL_ADOPTED);
    jr_sock_held_by(so, c->peer);
    jr_client_reply(ctl, c, JR_CTL_ADOPT, 0, &rep, sizeof rep, fds, (unsigned)n);
    if (shadow >= 0)
        jr_sock_shadow_passed(so);
}

/* A segment that lives as long as the one socket in it. */
static int move_out(struct jr_ctl *ctl, struct jr_sock *so, bool force, jr_time now)
{
    struct jr_seg *seg = jr_ctl_seg_new(ctl);
    int r;

    if (!seg)
        return -errno;
    seg->moved = true;
    seg->hdr->nslots = 1; /* the first; holders map no more than its rings */
    r = jr_sock_move(so, seg, force, now);
    if (r < 0)
        jr_ctl_seg_unused(ctl, seg);
    return r;
}

/* false: not yet. */
static bool try_adopt(struct jr_ctl *ctl, struct jr_client *c, int fd, bool force, jr_time now)
{
    struct jr_sock *so = jr_handle_identify(ctl->handles, fd);
    int r = 0;

    if (!so) {
        jr_count(ctl->cfg.counters, JR_C_CTL_ADOPT_BAD);
        jr_client_reply(ctl, c, JR_CTL_ADOPT, -EBADF, NULL, 0, NULL, 0);
        return true;
    }
    if (jr_sock_seg(so)->owner == c) {
        reply(ctl, c, so, false);
        return true;
    }
    if (!jr_sock_seg(so)->moved)
        r = move_out(ctl, so, force, now);
    if (r == -EAGAIN && !force)
        return false;
    if (r < 0)
        jr_client_reply(ctl, c, JR_CTL_ADOPT, r, NULL, 0, NULL, 0);
    else
        reply(ctl, c, so, true);
    return true;
}

void jr_request_adopt(struct jr_ctl *ctl, struct jr_client *c, const struct jr_abi_ctl_adopt_req *req, int *fd)
{
    c->adopt_flags = req->flags;
    if (try_adopt(ctl, c, *fd, false, ctl->now))
        return;
    c->adopt_fd = *fd;
    *fd = -1;
    c->adopt_by = ctl->now + PATIENCE;
    jr_list_push_tail(&ctl->adopting, &c->adopt);
    jr_client_pause(ctl, c, true);
}

unsigned jr_adopt_retry(struct jr_ctl *ctl, jr_time now)
{
    unsigned n = 0;

    JR_LIST_EACH_SAFE(l, &ctl->adopting) {
        struct jr_client *c = JR_LIST_ENTRY(l, struct jr_client, adopt);
        if (!try_adopt(ctl, c, c->adopt_fd, now >= c->adopt_by, now))
            continue;
        n++;
        if (c->dead)
            continue;
        close(c->adopt_fd);
        c->adopt_fd = -1;
        jr_list_del(&c->adopt);
        jr_client_pause(ctl, c, false);
    }
    return n;
}
