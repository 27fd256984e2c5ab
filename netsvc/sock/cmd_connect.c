/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands connect and accept. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/addr6.h"
#include "sock/cmd.h"
#include "sock/pair.h"
#include "sock/port.h"
#include "sock/self.h"
#include "sock/sock.h"

static bool is_loopback(struct jr_addr a) { return jr_addr_is_v4(a) ? a.b[12] == 127 : jr_ipv6_is_loopback(a); }

/* Which way to a remote address; LOCAL comes with the listener. */
static uint32_t remote_route(struct jr_sock *so, const struct jr_endpoint *ep, struct jr_sock **listener)
{
    const struct jr_socks_config *cfg = &so->ss->cfg;
    const struct jr_rule_subject who = jr_sock_subject(so);
    const bool dgram = so->kind == JR_SOCK_DGRAM;
    struct jr_ip_route rt;

    if ((so->opt.v6only && jr_addr_is_v4(ep->addr)) || jr_ipv6_has_zone(ep->addr))
        return JR_ROUTE_KERNEL; /* it refuses, or knows every link */
    if (jr_rules_route(cfg->rules, &who, JR_RULE_OUT, dgram ? IPPROTO_UDP : IPPROTO_TCP, ep) == JR_ROUTE_KERNEL)
        return JR_ROUTE_KERNEL;
    if (jr_self_is_on(so->ss) && jr_ip_is_local(cfg->ip, ep->addr))
        return jr_self_route(so, ep);
    if (is_loopback(ep->addr) || jr_ip_is_local(cfg->ip, ep->addr)) {
        *listener = dgram || cfg->loopback != JR_ROUTE_LOCAL ? NULL : jr_pair_listener(so->ss, ep);
        if (*listener && so->ss->npairs < cfg->max_pairs)
            return JR_ROUTE_LOCAL;
        if (*listener)
            jr_count(cfg->counters, JR_C_SOCK_PAIRS_FULL);
        return JR_ROUTE_KERNEL;
    }
    return jr_ip_route(cfg->ip, ep->addr, &rt) ? JR_ROUTE_SERVICE : JR_ROUTE_KERNEL;
}

/* Linux: the port goes too unless bind(2) named it. */
static void disconnect_dgram(struct jr_sock *so, jr_time now)
{
    struct jr_endpoint local;

    jr_dgram_drain(so, now); /* to where it was connected until now */
    jr_udp_disconnect(so->up);
    jr_udp_local(so->up, &local);
    if (!local.port) {
        jr_port_unuse(so, now);
        jr_port_unreserve(so);
        so->bound.port = 0;
    }
    jr_sock_show_local(so, &local);
    jr_sock_show_remote(so, &(struct jr_endpoint){.addr = jr_sock_any(so)});
    jr_dgram_show_mss(so);
    jr_sock_set_state(so, 0, JR_ST_CONNECTED | (local.port ? 0u : JR_ST_BOUND));
}

static int connect_dgram(struct jr_sock *so, const struct jr_endpoint *ep, jr_time now)
{
    struct jr_endpoint local;
    int r;

    jr_dgram_drain(so, now); /* to where it was connected until now */
    r = jr_dgram_autobind(so, now);
    if (r == 0)
        r = jr_udp_connect(so->up, ep);
    if (r < 0)
        return r;
    jr_udp_local(so->up, &local);
    jr_sock_show_local(so, &local);
    jr_sock_show_remote(so, ep);
    jr_dgram_show_mss(so);
    jr_sock_set_state(so, JR_ST_CONNECTED | jr_self_bit(so->ss, ep->addr), 0);
    return 0;
}

/* Linux: connect() with TCP_FASTOPEN_CONNECT succeeds before anything is sent; MSG_FASTOPEN brings the data itself. */
static int defer_stream(struct jr_sock *so, const struct jr_endpoint *ep, bool has_data)
{
    so->deferred = true;
    jr_sock_show_remote(so, ep);
    jr_sock_set_state(so, (has_data ? JR_ST_CONNECTING : JR_ST_CONNECTED) | jr_self_bit(so->ss, ep->addr), 0);
    return has_data ? -EINPROGRESS : 0;
}

static int connect_stream(struct jr_sock *so, const struct jr_endpoint *ep, uint32_t flags, jr_time now)
{
    const int32_t on = 1;
    int r = jr_sock_bind_again(so);

    if (r < 0)
        return r;
    if (!so->attached)
        jr_stream_attach(so);
    if (flags & JR_CONNECT_FASTOPEN) {
        r = jr_tcp_setopt(so->tp, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on, now);
        return r < 0 ? r : defer_stream(so, ep, true);
    }
    return jr_tcp_fastopen_ready(so->tp, ep, now) ? defer_stream(so, ep, false) : jr_stream_connect(so, ep, now);
}

/*
 * The address that bind(2) gave, taken again. As with Linux a port that nobody asked for is free now, and still told
 * until the next one is chosen.
 */
static void bind_anew(struct jr_sock *so, struct jr_endpoint *was)
{
    const uint32_t flags = (so->opt.reuseaddr ? JR_TCP_BIND_REUSEADDR : 0u) |
                           (so->opt.reuseport ? JR_TCP_BIND_REUSEPORT : 0u);
    struct jr_endpoint ep = so->bound;

    if (ep.port && jr_tcp_bind(so->tp, &ep, flags) == 0) {
        jr_port_use(so, &ep);
        jr_sock_show_local(so, &ep);
        jr_sock_set_state(so, JR_ST_BOUND, 0);
        return;
    }
    if (so->bound.port)
        so->bound = (struct jr_endpoint){.addr = jr_sock_any(so)};
    was->addr = so->bound.addr;
    jr_sock_show_local(so, was);
}

int jr_sock_start_over(struct jr_sock *so, jr_time now)
{
    struct jr_endpoint was = so->local;
    int r;

    if (so->tp)
        jr_tcp_close(so->tp, true, now);
    so->attached = false;
    so->tp = NULL;
    jr_port_unuse(so, now);
    jr_port_unreserve(so);
    jr_sock_set_state(so, 0,
                      JR_ST_DEAD | JR_ST_BOUND | JR_ST_CONNECTED | JR_ST_CONNECTING | JR_ST_LISTENING | JR_ST_RX_EOF |
                          JR_ST_TX_CLOSED | JR_ST_PAIR | JR_ST_LOOP);
    so->snd.head = so->snd.tail = so->rcv.head = so->rcv.tail = 0;
    jr_ring_restart(&so->sl->tx, so->snd.cap);
    jr_ring_restart(&so->sl->rx, so->rcv.cap);
    so->deferred = so->fin_sent = false;
    so->tx_urg = so->gap_at = so->gap_end = so->rx_urg = 0;
    r = jr_sock_open(so);
    jr_opt_replay(so, now);
    if (r == 0)
        bind_anew(so, &was);
    jr_sock_touch(so, JR_SOCK_EV_STATE);
    return r;
}

/* A connect that failed leaves a socket that may try again (Linux). */
static int revive(struct jr_sock *so, jr_time now)
{
    if (!(so->st & JR_ST_DEAD) || (so->st & JR_ST_CONNECTED) || so->broken)
        return 0;
    return jr_sock_start_over(so, now);
}

/* connect(2) to AF_UNSPEC. Who was connected, or about to be, is told of it as of a reset. */
static int dissolve(struct jr_sock *so, jr_time now)
{
    const bool alive = (so->st & (JR_ST_CONNECTED | JR_ST_CONNECTING)) && !(so->st & JR_ST_DEAD);

    if (so->kind == JR_SOCK_DGRAM) {
        disconnect_dgram(so, now);
        return 0;
    }
    if (so->broken)
        return -EOPNOTSUPP;
    if (!(so->st & (JR_ST_CONNECTED | JR_ST_CONNECTING | JR_ST_LISTENING | JR_ST_DEAD)))
        return 0;
    jr_sock_stop_listening(so);
    if (so->pair)
        jr_pair_close(so, true);
    if (alive)
        jr_sock_set_error(so, ECONNRESET);
    return jr_sock_start_over(so, now);
}

static int check_stream_state(const struct jr_sock *so)
{
    if (so->st & JR_ST_CONNECTING)
        return -EALREADY;
    if (so->st & (JR_ST_CONNECTED | JR_ST_LISTENING))
        return -EISCONN;
    return so->st & JR_ST_DEAD ? -ECONNABORTED : 0;
}

int jr_cmd_connect(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_connect_req *req, struct jr_abi_cmd_connect_rep *rep)
{
    struct jr_sock *so = ctx->so, *listener = NULL;
    struct jr_endpoint ep;
    int r = jr_sock_open(so);

    rep->route = JR_ROUTE_SERVICE;
    if (r == 0 && req->addr.family == AF_UNSPEC)
        return dissolve(so, ctx->now);
    if (r == 0 && so->kind == JR_SOCK_STREAM && (r = revive(so, ctx->now)) == 0)
        r = check_stream_state(so);
    if (r < 0)
        return r;
    r = jr_sock_endpoint(so, &req->addr, &ep);
    if (r < 0)
        return r;
    jr_sock_to_self(&ep);
    rep->route = remote_route(so, &ep, &listener);
    if (rep->route == JR_ROUTE_KERNEL) {
        jr_sock_give_up(so, ctx->now);
        return 0;
    }
    if (rep->route == JR_ROUTE_LOCAL)
        r = jr_pair_connect(so, listener, &ep, ctx->now);
    else
        r = so->kind == JR_SOCK_DGRAM ? connect_dgram(so, &ep, ctx->now)
                                      : connect_stream(so, &ep, req->flags, ctx->now);
    rep->local = so->sl->local;
    return r;
}

/* The listener that a program names, if it knows the segment's key. */
static struct jr_sock *find_listener(struct jr_socks *ss, const struct jr_abi_cmd_accept_req *req)
{
    struct jr_seg *seg = ss->cfg.host.seg_find(ss->cfg.host.ctx, req->listener_seg);
    struct jr_sock *so;

    if (!seg || !jr_seg_key_ok(seg, req->key)) {
        jr_count(ss->cfg.counters, JR_C_SOCK_KEY_BAD);
        return NULL;
    }
    so = req->listener_slot < JR_SEG_SLOTS ? seg->so[req->listener_slot] : NULL;
    return so && so->seg == seg && so->slot == req->listener_slot ? so : NULL;
}

/* Until it is seen whether tcp or a local pair has one: the slot must be fresh. */
static bool is_fresh(const struct jr_sock *so)
{
    return so->kind == JR_SOCK_NONE && so->st == JR_ST_IN_USE && !so->broken;
}

/* The peer was told of the room in the embryo's buffer: a ring that SO_RCVBUF made smaller must hold that all the same.
 */
static void hold_promised(struct jr_sock *so, const struct jr_tcpcb *tp)
{
    const uint64_t edge = jr_tcp_rcv_edge(tp);

    while (so->rcv.cap < edge && so->rcv.cap < JR_RING_MAX)
        so->rcv.cap *= 2;
    __atomic_store_n(&so->sl->rx.cap, so->rcv.cap, __ATOMIC_RELEASE);
}

static void accept_tcp(struct jr_sock *so, struct jr_tcpcb *tp)
{
    struct jr_endpoint ep;

    so->tp = tp;
    so->ntp++;
    hold_promised(so, tp);
    jr_stream_attach(so);
    jr_tcp_local(tp, &ep);
    jr_port_use(so, &ep);
    jr_sock_show_local(so, &ep);
    jr_tcp_remote(tp, &ep);
    jr_sock_show_remote(so, &ep);
    jr_stream_show_mss(so);
    jr_sock_set_state(so, JR_ST_CONNECTED | JR_ST_BOUND | jr_self_bit(so->ss, ep.addr), 0);
}

int jr_cmd_accept(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_accept_req *req, struct jr_abi_cmd_accept_rep *rep)
{
    struct jr_sock *so = ctx->so, *listener = find_listener(ctx->ss, req);
    struct jr_tcpcb *tp = NULL;

    if (!listener || listener == so)
        return -EBADF;
    if (!(listener->st & JR_ST_LISTENING))
        return -EINVAL;
    if (!is_fresh(so))
        return -EINVAL;
    if (listener->nqueue == 0 && !(tp = jr_tcp_accept(listener->tp)))
        return -EAGAIN;
    so->kind = JR_SOCK_STREAM;
    so->is_v6 = listener->is_v6;
    jr_opt_inherit(so, listener);
    jr_opt_resize(so);
    if (tp)
        accept_tcp(so, tp);
    else
        jr_pair_accept(listener, so, ctx->now);
    __atomic_store_n(&listener->sl->accept_ready, jr_tcp_accept_count(listener->tp) + listener->nqueue,
                     __ATOMIC_RELEASE);
    rep->local = so->sl->local;
    rep->remote = so->sl->remote;
    return 0;
}
