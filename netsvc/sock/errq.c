/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The error queue of a datagram socket with IP_RECVERR (ip(7)): what became of datagrams, with the start of each. It
 * is short: who does not read it loses the newest, as in Linux when the buffer is full.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* for errqueue.h */

#include <linux/errqueue.h>

#include "sock/cmd.h"
#include "sock/sock.h"

enum { ERRORS_MAX = 32, QUOTE_MAX = sizeof(((struct jr_abi_cmd_recverr_rep *)0)->val) };

struct error {
    struct jr_list link;
    struct jr_udp_error e; /* e.data is not valid */
    jr_time at;
    uint8_t quote[QUOTE_MAX];
};

static void show_count(struct jr_sock *so) { __atomic_store_n(&so->sl->nerrors, so->n_errors, __ATOMIC_RELEASE); }

void jr_errq_add(void *arg, struct jr_udpcb *up, const struct jr_udp_error *e, jr_time now)
{
    struct jr_sock *so = arg;
    struct error *q = so->n_errors < ERRORS_MAX ? calloc(1, sizeof *q) : NULL;

    (void)up;
    if (!q) {
        jr_count(so->ss->cfg.counters, JR_C_SOCK_ERRQ_FULL);
        return;
    }
    q->e = *e;
    q->at = now;
    if (e->len)
        memcpy(q->quote, e->data, jr_min_u32(e->len, QUOTE_MAX));
    jr_list_push_tail(&so->errors, &q->link);
    so->n_errors++;
    show_count(so);
    jr_sock_touch(so, JR_SOCK_EV_STATE);
}

void jr_errq_purge(struct jr_sock *so)
{
    for (struct jr_list *l; (l = jr_list_pop_head(&so->errors));)
        free(JR_LIST_ENTRY(l, struct error, link));
    so->n_errors = 0;
    show_count(so);
}

static struct jr_abi_addr abi_addr(const struct jr_sock *so, struct jr_addr addr, uint16_t port)
{
    const struct jr_endpoint ep = {addr, port};

    return jr_addr_is_any(addr) ? (struct jr_abi_addr){0} : jr_sock_abi_addr(so, &ep);
}

/* As Linux: the pending error that came with a queued one goes with it, and the next one's stands for it. */
static void next_pending(struct jr_sock *so)
{
    struct jr_list *l = jr_list_first(&so->errors);
    const struct error *q = l ? JR_LIST_ENTRY(l, struct error, link) : NULL;

    jr_sock_set_error(so, q && q->e.origin != SO_EE_ORIGIN_LOCAL ? q->e.err : 0);
}

int jr_cmd_recverr(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_recverr_req *req, struct jr_abi_cmd_recverr_rep *rep)
{
    struct jr_sock *so = ctx->so;
    struct jr_list *l = jr_list_pop_head(&so->errors);

    (void)req;
    if (!l)
        return -EAGAIN;
    struct error *q = JR_LIST_ENTRY(l, struct error, link);
    so->n_errors--;
    rep->err = (uint32_t)q->e.err;
    rep->origin = q->e.origin;
    rep->type = q->e.type;
    rep->code = q->e.code;
    rep->info = q->e.info;
    rep->offender = abi_addr(so, q->e.offender, 0);
    rep->dst = abi_addr(so, q->e.dst.addr, q->e.dst.port);
    rep->stamp_us = q->at;
    rep->len = q->e.len;
    memcpy(rep->val, q->quote, jr_min_u32(q->e.len, QUOTE_MAX));
    free(q);
    show_count(so);
    next_pending(so);
    return 0;
}
