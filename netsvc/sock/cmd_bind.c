/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands bind and listen: whose address it is, who may have the port, and which stack it is for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sock/cmd.h"
#include "sock/port.h"
#include "sock/relay.h"
#include "sock/self.h"
#include "sock/sock.h"

#define CAP_NET_BIND_SERVICE_BIT 10
#define PICKS 256 /* the kernel may go through a run of ports that are in TIME_WAIT here */

/* What the program's main thread may do now; it may have dropped privileges since it attached. */
static bool still_may_bind(int32_t pid)
{
    unsigned long long caps = 0;
    char path[32], line[128];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    f = fopen(path, "re");
    if (!f)
        return true; /* gone, or hidden from us: what it had when it attached counts */
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "CapEff:", 7) == 0)
            caps = strtoull(line + 7, NULL, 16);
    fclose(f);
    return caps >> CAP_NET_BIND_SERVICE_BIT & 1;
}

static bool may_bind_port(const struct jr_sock *so, uint16_t port)
{
    if (port == 0 || port >= so->ss->unprivileged_port)
        return true;
    if (so->peer->net_bind && still_may_bind(so->peer->pid))
        return true;
    jr_count(so->ss->cfg.counters, JR_C_SOCK_BIND_DENIED);
    return false;
}

/* The kernel's, ours, or ours and a shadow in the kernel. */
static uint32_t local_route(const struct jr_sock *so, const struct jr_endpoint *ep)
{
    const struct jr_socks_config *cfg = &so->ss->cfg;
    const struct jr_rule_subject who = jr_sock_subject(so);
    const bool dgram = so->kind == JR_SOCK_DGRAM;
    struct jr_ip_route rt;

    if (so->opt.v6only && jr_addr_is_v4(ep->addr)) /* it can't be: the kernel says so */
        return JR_ROUTE_KERNEL;
    if (jr_rules_route(cfg->rules, &who, JR_RULE_IN, dgram ? IPPROTO_UDP : IPPROTO_TCP, ep) == JR_ROUTE_KERNEL)
        return JR_ROUTE_KERNEL;
    if (jr_self_is_on(so->ss) && !dgram && (jr_addr_is_any(ep->addr) || jr_ip_is_local(cfg->ip, ep->addr)))
        return JR_ROUTE_BOTH; /* programs on the kernel's stack come by its own loopback */
    if (jr_addr_is_any(ep->addr))
        return dgram ? cfg->udp_wildcard : cfg->shared_ports ? JR_ROUTE_BOTH : JR_ROUTE_SERVICE;
    if (dgram && jr_ip_route(cfg->ip, ep->addr, &rt) && rt.broadcast)
        return cfg->shared_ports ? JR_ROUTE_KERNEL : cfg->multicast;
    return jr_ip_is_local(cfg->ip, ep->addr) ? JR_ROUTE_SERVICE : JR_ROUTE_KERNEL;
}

static uint32_t bind_flags(const struct jr_sock *so)
{
    return (so->opt.reuseaddr ? JR_TCP_BIND_REUSEADDR : 0u) | (so->opt.reuseport ? JR_TCP_BIND_REUSEPORT : 0u) |
           (so->opt.v6only ? JR_UDP_BIND_V6ONLY : 0u);
}

static int bind_protocol(struct jr_sock *so, struct jr_endpoint *ep, uint32_t flags)
{
    int r;

    if (so->kind == JR_SOCK_DGRAM) {
        r = jr_udp_bind(so->up, ep, flags);
        if (r == 0)
            jr_udp_local(so->up, ep);
    } else {
        r = jr_tcp_bind(so->tp, ep, flags);
        if (r == 0)
            jr_tcp_local(so->tp, ep);
    }
    return r;
}

/* TIME_WAIT and what is bound without the kernel's knowledge may be in the way. Where a program allows it with
 * SO_REUSEADDR, a port with connections is the last resort: the next one may be to the same place. */
int jr_sock_bind_picked(struct jr_sock *so, struct jr_endpoint *ep)
{
    const uint32_t flags = bind_flags(so), fresh = so->kind == JR_SOCK_STREAM ? JR_TCP_BIND_FRESH : JR_UDP_BIND_PICKED;
    int held[PICKS], n = 0, r;

    for (;; n++) {
        r = jr_port_pick(so, ep);
        if (r < 0 || (r = bind_protocol(so, ep, n < PICKS ? flags | fresh : flags)) != -EADDRINUSE || n == PICKS)
            break;
        held[n] = so->kernel_fd; /* so that the next is another one */
        so->kernel_fd = -1;
        ep->port = 0;
    }
    while (n > 0)
        close(held[--n]);
    return r;
}

/* Both stacks must agree before the program hears of success. An automatic port comes from a range that only we use,
 * or from the kernel. */
static int bind_both(struct jr_sock *so, struct jr_endpoint *ep)
{
    int r = 0;

    if (ep->port == 0 && jr_self_is_on(so->ss)) {
        r = jr_sock_bind_picked(so, ep);
    } else {
        if ((so->ss->cfg.shared_ports || jr_self_is_on(so->ss)) && ep->port != 0)
            r = jr_port_reserve(so, ep);
        if (r == 0)
            r = bind_protocol(so, ep, bind_flags(so));
    }
    if (r < 0) {
        jr_port_unreserve(so);
        return r;
    }
    if (so->is_v6 && !jr_addr_is_any(ep->addr) && !jr_addr_is_v4(ep->addr))
        so->opt.v6only = true; /* as Linux tells of it from then on */
    jr_port_use(so, ep);
    jr_sock_show_local(so, ep);
    jr_sock_set_state(so, JR_ST_BOUND | (so->kind == JR_SOCK_DGRAM ? jr_self_bit(so->ss, ep->addr) : 0), 0);
    if (so->kind == JR_SOCK_DGRAM && jr_self_is_on(so->ss))
        jr_relay_start(so);
    return 0;
}

int jr_sock_bind_again(struct jr_sock *so)
{
    struct jr_endpoint ep = so->bound;

    return (so->st & JR_ST_BOUND) || jr_addr_is_any(ep.addr) ? 0 : bind_both(so, &ep);
}

/* ip(7): IP_BIND_ADDRESS_NO_PORT leaves the choice to connect(2). */
static bool waits_for_port(const struct jr_sock *so, const struct jr_endpoint *ep)
{
    int32_t v = 0;

    return so->kind == JR_SOCK_STREAM && ep->port == 0 &&
           jr_opt_kept(so, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &v) == 0 && v;
}

int jr_cmd_bind(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_bind_req *req, struct jr_abi_cmd_bind_rep *rep)
{
    struct jr_sock *so = ctx->so;
    struct jr_endpoint ep;
    int r = jr_sock_open(so);

    if (r < 0)
        return r;
    if (so->st & (JR_ST_BOUND | JR_ST_CONNECTED | JR_ST_CONNECTING | JR_ST_DEAD))
        return -EINVAL;
    if (req->addr.family == AF_INET6 && !so->is_v6)
        return -EAFNOSUPPORT;
    r = jr_sock_endpoint(so, &req->addr, &ep);
    if (r < 0)
        return r;
    so->opt.reuseaddr |= (req->flags & JR_BIND_REUSEADDR) != 0;
    so->opt.reuseport |= (req->flags & JR_BIND_REUSEPORT) != 0;
    rep->route = local_route(so, &ep);
    if (rep->route == JR_ROUTE_KERNEL) {
        /* the kernel does not know of a port that this stack chose */
        if (so->kind == JR_SOCK_DGRAM && jr_udp_conflicts(so->ss->cfg.udp, &ep, bind_flags(so)))
            return -EADDRINUSE;
        jr_sock_give_up(so, ctx->now);
        return 0;
    }
    if (!may_bind_port(so, ep.port))
        return -EACCES;
    so->bound = ep;
    if (waits_for_port(so, &ep))
        jr_sock_show_local(so, &ep);
    else
        r = bind_both(so, &ep);
    if (r < 0)
        so->bound = (struct jr_endpoint){.addr = jr_sock_any(so)};
    rep->addr = so->sl->local;
    return r;
}

static void start_listening(struct jr_sock *so)
{
    jr_policy_set_listener(so->ss->cfg.policy, so->local.port, true);
    if (!jr_list_linked(&so->listening))
        jr_list_push_tail(&so->ss->listeners, &so->listening);
    jr_sock_set_state(so, JR_ST_LISTENING, 0);
}

int jr_cmd_listen(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_listen_req *req, struct jr_abi_cmd_listen_rep *rep)
{
    struct jr_sock *so = ctx->so;
    struct jr_endpoint any = {.addr = jr_sock_any(so)};
    int r = jr_sock_open(so);

    if (r < 0)
        return r;
    if (so->kind != JR_SOCK_STREAM)
        return -EOPNOTSUPP;
    if ((so->st & (JR_ST_CONNECTED | JR_ST_CONNECTING | JR_ST_DEAD)) || !so->tp)
        return -EINVAL;
    rep->route = local_route(so, so->st & JR_ST_BOUND ? &so->local : &any);
    if (rep->route == JR_ROUTE_KERNEL) {
        jr_sock_give_up(so, ctx->now);
        return 0;
    }
    if ((r = jr_sock_bind_again(so)) < 0)
        return r;
    if (!(so->st & JR_ST_BOUND) && (r = bind_both(so, &any)) < 0)
        return r;
    r = jr_tcp_listen(so->tp, req->backlog, ctx->now);
    if (r < 0)
        return r;
    so->backlog = req->backlog;
    start_listening(so);
    if (rep->route == JR_ROUTE_BOTH && !so->shadow_copies)
        jr_port_unreserve(so); /* the shadow listener takes the port in the kernel now */
    rep->addr = so->sl->local;
    return 0;
}
