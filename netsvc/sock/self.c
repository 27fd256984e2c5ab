/* SPDX-License-Identifier: BSD-3-Clause */
#include "sock/self.h"

#include "sock/cmd.h"
#include "sock/pair.h"
#include "sock/port.h"

enum { ROUNDS_MAX = 64 }; /* a turn's share: others are waiting, too */

uint32_t jr_self_bit(const struct jr_socks *ss, struct jr_addr addr)
{
    return jr_self_is_on(ss) && jr_ip_is_local(ss->cfg.ip, addr) ? JR_ST_LOOP : 0;
}

uint32_t jr_self_route(struct jr_sock *so, const struct jr_endpoint *ep)
{
    const bool dgram = so->kind == JR_SOCK_DGRAM;
    struct jr_socks *ss = so->ss;

    if (dgram ? jr_udp_is_bound(ss->cfg.udp, ep) : jr_pair_listener(ss, ep) != NULL)
        return JR_ROUTE_SERVICE;
    return jr_port_is_kernels(so, ep) ? JR_ROUTE_KERNEL : JR_ROUTE_SERVICE;
}

void jr_self_settle(struct jr_socks *ss, jr_time now)
{
    if (!jr_self_is_on(ss))
        return;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        jr_tcp_flush(ss->cfg.tcp, now);
        if (jr_ip_run_loop(ss->cfg.ip, now) == 0)
            return;
    }
}

int jr_cmd_settle(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_settle_req *req, struct jr_abi_cmd_settle_rep *rep)
{
    int err = 0;

    (void)req;
    (void)rep;
    ctx->ss->send_error = &err;
    jr_sock_on_dirty(ctx->so, ctx->now);
    ctx->ss->send_error = NULL;
    return err;
}
