/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands setsockopt, getsockopt and shutdown. */
#include <errno.h>

#include "jr_tcp_fsm.h"

#include "sock/cmd.h"
#include "sock/pair.h"
#include "sock/sock.h"

int jr_cmd_setsockopt(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_setsockopt_req *req,
                      struct jr_abi_cmd_setsockopt_rep *rep)
{
    const int r = jr_sock_open(ctx->so);

    (void)rep;
    if (r < 0)
        return r;
    if (req->len > sizeof req->val)
        return -EINVAL;
    if (ctx->so->kind == JR_SOCK_DGRAM) /* the option is not for what was sent before */
        jr_dgram_drain(ctx->so, ctx->now);
    return jr_opt_set(ctx->so, req->level, req->name, req->val, req->len, ctx->now);
}

int jr_cmd_getsockopt(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_getsockopt_req *req,
                      struct jr_abi_cmd_getsockopt_rep *rep)
{
    int r = jr_sock_open(ctx->so);
    uint32_t len = jr_min_u32(req->len, sizeof rep->val);

    if (r < 0)
        return r;
    if (ctx->so->kind == JR_SOCK_DGRAM) /* what was sent may have bound it */
        jr_dgram_drain(ctx->so, ctx->now);
    r = jr_opt_get(ctx->so, req->level, req->name, rep->val, &len, ctx->now);
    rep->len = r < 0 ? 0 : jr_min_u32(len, sizeof rep->val);
    return r;
}

/* Linux: shutdown() for reading ends a listener and a connect that is under way. */
static int shutdown_unconnected(struct jr_sock *so, int how, jr_time now)
{
    if (how == SHUT_WR && (so->st & JR_ST_LISTENING))
        return 0;
    jr_sock_stop_listening(so);
    if (so->st & JR_ST_CONNECTING)
        jr_sock_set_error(so, ECONNRESET);
    if (so->pair)
        jr_pair_close(so, true);
    return jr_sock_start_over(so, now);
}

static int shut(struct jr_sock *so, int how, jr_time now)
{
    if (so->kind == JR_SOCK_STREAM && (so->st & (JR_ST_LISTENING | JR_ST_CONNECTING)))
        return shutdown_unconnected(so, how, now);
    if (!(so->st & JR_ST_CONNECTED) || (so->st & JR_ST_DEAD) || so->deferred)
        return -ENOTCONN;
    if (so->st & JR_ST_PAIR)
        return jr_pair_shutdown(so, how);
    if (so->kind == JR_SOCK_DGRAM)
        return 0;
    if (!so->tp || jr_tcp_state(so->tp) == TCPS_TIME_WAIT) /* both ends said theirs */
        return so->fin_sent ? 0
                            : -ENOTCONN; /* sent, and answered, by the ring's mark, which is set before this comes */
    if (how != SHUT_WR)
        jr_tcp_cantrcv(so->tp);
    if (how == SHUT_RD)
        return 0;
    jr_stream_sync(so, now);
    if (so->tp && !so->fin_sent && !so->broken) {
        so->fin_sent = true;
        jr_tcp_shutdown(so->tp, now);
    }
    jr_sock_set_state(so, JR_ST_TX_CLOSED, 0);
    return 0;
}

int jr_cmd_shutdown(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_shutdown_req *req,
                    struct jr_abi_cmd_shutdown_rep *rep)
{
    (void)rep;
    if (req->how > SHUT_RDWR)
        return -EINVAL;
    const int r = shut(ctx->so, (int)req->how, ctx->now);
    jr_sock_touch(ctx->so, JR_SOCK_EV_EDGE); /* whether it did anything or not */
    return r;
}
