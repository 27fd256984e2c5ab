/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake service's commands, as they come in the cells. */
#include "fake_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* One that no listener of the kernel's has, for a program may listen in both worlds. */
static uint16_t free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    for (;;) {
        in.sin_port = htons((uint16_t)(10000 + ((unsigned)getpid() * 7 + fake.serial++) % 20000));
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int r = bind(fd, (struct sockaddr *)&in, sizeof in);
        close(fd);
        if (fd < 0 || r == 0)
            return ntohs(in.sin_port);
    }
}

static int32_t cmd_bind(struct sock *so, const struct jr_abi_cmd_bind_req *q, struct jr_abi_cmd_bind_rep *p)
{
    struct jr_abi_slot *sl = slot_of(so);

    sl->local = q->addr;
    if (sl->local.port == 0)
        sl->local.port = free_port();
    p->addr = sl->local;
    p->route = fake.cfg.listen_route;
    if (p->route != JR_ROUTE_KERNEL)
        fake_set_state(so, JR_ST_BOUND, 0);
    return 0;
}

static int32_t cmd_listen(struct sock *so, struct jr_abi_cmd_listen_rep *p)
{
    p->addr = slot_of(so)->local;
    p->route = fake.cfg.listen_route;
    fake_set_state(so, JR_ST_LISTENING, 0);
    return 0;
}

static int32_t connect_dgram(struct sock *so, const struct jr_abi_addr *to)
{
    struct jr_abi_slot *sl = slot_of(so);

    sl->remote = *to;
    fake_set_state(so, JR_ST_CONNECTED | JR_ST_BOUND, 0);
    sl->local.family = to->family;
    if (!sl->local.port)
        sl->local.port = (uint16_t)(50000 + fake.serial++ % 10000);
    return 0;
}

static int32_t cmd_connect(struct sock *so, const struct jr_abi_cmd_connect_req *q, struct jr_abi_cmd_connect_rep *p)
{
    p->route = JR_ROUTE_SERVICE;
    if (q->addr.family == AF_UNSPEC) {
        fake_set_state(so, 0, JR_ST_CONNECTED);
        return 0;
    }
    if (slot_of(so)->type == SOCK_DGRAM)
        return connect_dgram(so, &q->addr);
    so->to = q->addr;
    so->connecting = true;
    clock_gettime(CLOCK_MONOTONIC, &so->ready_at);
    so->ready_at.tv_nsec += (long)fake.cfg.hold_us * 1000;
    so->ready_at.tv_sec += so->ready_at.tv_nsec / 1000000000;
    so->ready_at.tv_nsec %= 1000000000;
    fake_set_state(so, JR_ST_CONNECTING, 0);
    return -EINPROGRESS;
}

static int32_t cmd_accept(struct sock *so, const struct jr_abi_cmd_accept_req *q, struct jr_abi_cmd_accept_rep *p)
{
    struct seg *ls = &fake.seg[q->listener_seg];
    struct sock *l = sock_at(ls, q->listener_slot);

    if (memcmp(q->key, hdr(ls)->key, sizeof q->key) != 0)
        return -EPERM;
    if (!l->queue)
        return -EAGAIN;
    fake_give_peer(l, so);
    p->local = slot_of(so)->local;
    p->remote = slot_of(so)->remote;
    return 0;
}

static int32_t cmd_shutdown(struct sock *so, const struct jr_abi_cmd_shutdown_req *q)
{
    if (q->how == SHUT_RD)
        return 0;
    fake_set_state(so, JR_ST_TX_CLOSED, 0);
    if (so->pair >= 0 && so->peer) {
        fake_set_state(so->peer, JR_ST_RX_EOF, 0);
        fake_tell(so->peer, FAKE_STATE);
    }
    return 0;
}

static int32_t command(struct seg *s, struct jr_abi_cell *c)
{
    struct sock *so = sock_at(s, c->slot);

    switch (c->op) {
    case JR_CMD_BIND:
        return cmd_bind(so, (void *)c->req, (void *)c->rep);
    case JR_CMD_LISTEN:
        return cmd_listen(so, (void *)c->rep);
    case JR_CMD_CONNECT:
        return cmd_connect(so, (void *)c->req, (void *)c->rep);
    case JR_CMD_ACCEPT:
        return cmd_accept(so, (void *)c->req, (void *)c->rep);
    case JR_CMD_SHUTDOWN:
        return cmd_shutdown(so, (void *)c->req);
    case JR_CMD_SETSOCKOPT: {
        const struct jr_abi_cmd_setsockopt_req *q = (void *)c->req;
        return q->level == SOL_SOCKET || q->level == IPPROTO_TCP ? 0 : -ENOPROTOOPT;
    }
    case JR_CMD_GETSOCKOPT:
        ((struct jr_abi_cmd_getsockopt_rep *)c->rep)->len = 4;
        return 0;
    default:
        return -ENOSYS;
    }
}

bool fake_run_cells(struct seg *s)
{
    uint64_t posted = __atomic_exchange_n(&app(s)->posted, 0, __ATOMIC_SEQ_CST);
    for (uint64_t b = posted; b; b &= b - 1) {
        unsigned i = (unsigned)__builtin_ctzll(b);
        struct jr_abi_cell *c = &cells(s)[i];
        memset(c->rep, 0, sizeof c->rep);
        c->result = command(s, c);
        c->rep_len = sizeof c->rep;
        __atomic_fetch_add(&c->done, 1, __ATOMIC_SEQ_CST);
        uint32_t wait = __atomic_load_n(&c->wait, __ATOMIC_SEQ_CST);
        if (wait != s->cell_answered[i]) {
            s->cell_answered[i] = wait;
            fake_futex_wake(&c->done);
        }
    }
    return posted != 0;
}
