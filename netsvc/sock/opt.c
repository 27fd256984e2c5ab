/* SPDX-License-Identifier: BSD-3-Clause */
#include "sock/opt.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sock/relay.h"
#include "sock/sock.h"

#define MIN_SNDBUF 4608 /* Linux's SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF */
#define MIN_RCVBUF 2304
#define DGRAM_BUF 212992 /* net.core.rmem_default and wmem_default */
#define STREAM_SNDBUF 16384
#define SYN_TTL 64 /* of a neighbour */

/* Remembers integer options of tcp's for a control block made later. */
static void remember(struct jr_sock *so, int level, int name, const void *val, uint32_t len)
{
    struct jr_sock_opts *o = &so->opt;
    uint32_t i = 0;

    if (len != sizeof(int32_t))
        return;
    while (i < o->ntcp && (o->tcp[i].level != level || o->tcp[i].name != name))
        i++;
    if (i == JR_SOCK_TCP_OPTS)
        return;
    o->ntcp += i == o->ntcp;
    o->tcp[i].level = (int16_t)level;
    o->tcp[i].name = (int16_t)name;
    memcpy(&o->tcp[i].value, val, sizeof(int32_t));
}

void jr_opt_replay(struct jr_sock *so, jr_time now)
{
    for (uint32_t i = 0; so->tp && i < so->opt.ntcp; i++)
        jr_tcp_setopt(so->tp, so->opt.tcp[i].level, so->opt.tcp[i].name, &so->opt.tcp[i].value, sizeof(int32_t), now);
}

/* A ring that nothing passed through takes its new size at once: the program is inside the very command. */
void jr_opt_resize(struct jr_sock *so)
{
    const uint32_t first_rx = so->kind == JR_SOCK_DGRAM ? so->ss->cfg.dgram_ring : so->ss->cfg.ring_init;

    jr_tune_set_limits(so);
    if (so->attached && so->opt.sndbuf)
        jr_tune_grant(so, so->tx_max);
    if (so->attached || so->pair || (so->st & JR_ST_CONNECTED))
        return;
    if (so->opt.sndbuf && so->kind == JR_SOCK_STREAM) {
        so->snd.cap = so->tx_grant = jr_min_u32(so->tx_max, jr_max_u32(so->ss->cfg.ring_init, 131072));
        __atomic_store_n(&so->sl->tx.cap, so->snd.cap, __ATOMIC_RELEASE);
        __atomic_store_n(&so->sl->tx_grant, so->tx_grant, __ATOMIC_RELEASE);
    }
    if (so->opt.rcvbuf && so->rcv.tail == 0) {
        so->rcv.cap = so->kind == JR_SOCK_DGRAM ? so->rx_max : jr_min_u32(so->rx_max, first_rx);
        if (so->tp)
            jr_tcp_set_rcv_space(so->tp, so->rcv.cap);
        __atomic_store_n(&so->sl->rx.cap, so->rcv.cap, __ATOMIC_RELEASE);
    }
}

static int set_bufsize(struct jr_sock *so, int name, int32_t v)
{
    const bool snd = name == SO_SNDBUF || name == SO_SNDBUFFORCE;
    int32_t *to = snd ? &so->opt.sndbuf : &so->opt.rcvbuf;
    const int32_t was = *to;

    if (!snd && !so->opt.rcvbuf) { /* counted from here on */
        so->charged = 0;
        so->charged_from = so->rcv.tail;
    }
    /* socket(7): doubled, and not too small; libc has held the value against the kernel's net.core.*mem_max */
    *to = v < 0 || v > INT32_MAX / 2 ? INT32_MAX - 1 : 2 * v;
    if (*to < (snd ? MIN_SNDBUF : MIN_RCVBUF))
        *to = snd ? MIN_SNDBUF : MIN_RCVBUF;
    jr_opt_resize(so);
    if (snd && was && *to > was && so->attached) /* the ring may be larger than either, but there is to be room now */
        jr_tune_grant(so, jr_min_u32(2 * so->snd.cap, so->ss->cfg.tx_ring_max));
    return 0;
}

static int set_linger(struct jr_sock *so, const void *val, uint32_t len)
{
    struct linger l;

    if (len < sizeof l)
        return -EINVAL;
    memcpy(&l, val, sizeof l);
    so->opt.linger_on = l.l_onoff != 0;
    so->opt.linger_s = l.l_onoff ? l.l_linger : 0;
    return 0;
}

/* The accepted end of a local pair has no control block of its own: one that stays closed keeps its options. */
static void have_option_block(struct jr_sock *so, jr_time now)
{
    if (so->tp || !(so->st & JR_ST_PAIR) || !(so->tp = jr_tcp_open(so->ss->cfg.tcp, &jr_stream_upcalls, so)))
        return;
    so->ntp++;
    jr_opt_replay(so, now);
}

static int pass_to_tcp(struct jr_sock *so, int level, int name, const void *val, uint32_t len, jr_time now)
{
    int r;

    have_option_block(so, now);
    if (so->kind != JR_SOCK_STREAM || !so->tp)
        return -ENOPROTOOPT;
    r = jr_tcp_setopt(so->tp, level, name, val, len, now);
    if (r == 0)
        remember(so, level, name, val, len);
    return r;
}

/* The protocol-independent calls of RFC 3678, in the form that libc gives them (struct jr_abi_mcast). */
static int set_group(struct jr_sock *so, int name, const void *val, uint32_t len, jr_time now)
{
    static const uint8_t ops[] = {
        [MCAST_JOIN_GROUP] = JR_UDP_MCAST_JOIN,
        [MCAST_LEAVE_GROUP] = JR_UDP_MCAST_LEAVE,
        [MCAST_BLOCK_SOURCE] = JR_UDP_MCAST_BLOCK,
        [MCAST_UNBLOCK_SOURCE] = JR_UDP_MCAST_UNBLOCK,
        [MCAST_JOIN_SOURCE_GROUP] = JR_UDP_MCAST_JOIN_SOURCE,
        [MCAST_LEAVE_SOURCE_GROUP] = JR_UDP_MCAST_LEAVE_SOURCE,
    };
    struct jr_abi_mcast m;
    struct jr_udp_mcast_req req = {.ifaddr = jr_addr_v4(0)};

    if (len < sizeof m)
        return -EINVAL;
    memcpy(&m, val, sizeof m);
    memcpy(req.group.b, m.group, sizeof req.group.b);
    memcpy(req.source.b, m.source, sizeof req.source.b);
    req.ifindex = m.ifindex;
    return jr_udp_mcast(so->up, ops[name], &req, now);
}

static bool is_membership(int name)
{
    return (name >= IP_ADD_MEMBERSHIP && name <= IP_MSFILTER) || (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER);
}

/* What datagrams' protocols know; -ENOPROTOOPT: not theirs. */
static int pass_to_udp(struct jr_sock *so, int level, int name, const void *val, uint32_t len, jr_time now)
{
    const int relayed = jr_relay_setopt(so, level, name, val, len);

    if (relayed != -ENOPROTOOPT)
        return relayed;
    if (level == IPPROTO_UDP && name == UDP_CORK) {
        int32_t on = 0;
        memcpy(&on, val, jr_min_u32(len, sizeof on));
        jr_dgram_set_cork(so, on != 0, now);
        return 0;
    }
    if (level == IPPROTO_UDP && name == UDP_GRO) {
        int32_t on = 0;
        memcpy(&on, val, jr_min_u32(len, sizeof on));
        so->opt.gro = on != 0;
        jr_dgram_publish(so);
        return 0;
    }
    /* groups are the kernel's: so is who joins one, unless it is bound to an address of ours */
    if (level == IPPROTO_IP && is_membership(name) && so->ss->cfg.multicast == JR_ROUTE_KERNEL &&
        !(so->st & JR_ST_BOUND))
        return -ENOPROTOOPT;
    if (level == IPPROTO_IP && name >= MCAST_JOIN_GROUP && name <= MCAST_LEAVE_SOURCE_GROUP)
        return set_group(so, name, val, len, now);
    const int r = jr_udp_setopt(so->up, level, name, val, len, now);
    if (r == 0 && ((level == IPPROTO_IP && name == IP_RECVERR) || (level == IPPROTO_IPV6 && name == IPV6_RECVERR)) &&
        *(const uint8_t *)val == 0)
        jr_errq_purge(so); /* the pending error stays */
    if (r == 0)
        jr_dgram_show_mss(so);
    return r;
}

static int get_from_udp(struct jr_sock *so, int level, int name, void *val, uint32_t *len)
{
    const int32_t v = name == UDP_CORK ? so->opt.cork : so->opt.gro;
    const int relayed = jr_relay_getopt(so, level, name, val, len);

    if (relayed != -ENOPROTOOPT)
        return relayed;
    if (level != IPPROTO_UDP || (name != UDP_GRO && name != UDP_CORK))
        return jr_udp_getopt(so->up, level, name, val, len);
    *len = jr_min_u32(*len, sizeof v);
    memcpy(val, &v, *len);
    return 0;
}

/* Who binds beside a socket looks at what its options are then. */
static int show_reuse(struct jr_sock *so)
{
    if (so->tp)
        jr_tcp_set_reuse(so->tp, (so->opt.reuseaddr ? JR_TCP_BIND_REUSEADDR : 0u) |
                                     (so->opt.reuseport ? JR_TCP_BIND_REUSEPORT : 0u));
    return 0;
}

static int set_socket(struct jr_sock *so, int name, int32_t v, const void *val, uint32_t len, jr_time now)
{
    switch (name) {
    case SO_REUSEADDR:
        so->opt.reuseaddr = v != 0;
        return show_reuse(so);
    case SO_REUSEPORT:
        so->opt.reuseport = v != 0;
        return show_reuse(so);
    case SO_BROADCAST:
        so->opt.broadcast = v != 0;
        return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        return set_bufsize(so, name, v);
    case SO_LINGER:
        return set_linger(so, val, len);
    case SO_RCVLOWAT: /* the program's own */
        if (so->kind == JR_SOCK_STREAM)
            jr_stream_on_low_water(so, now);
        return 0;
    case SO_KEEPALIVE:
        return pass_to_tcp(so, SOL_SOCKET, name, &v, sizeof v, now);
    default:
        return pass_to_tcp(so, SOL_SOCKET, name, val, len, now);
    }
}

/* Its peer is of version 4 already. Linux calls this one way, and there is none back. */
static int set_addrform(struct jr_sock *so, int32_t v)
{
    if (v != AF_INET || !(so->st & JR_ST_CONNECTED) || !jr_addr_is_v4(so->remote.addr))
        return -EINVAL;
    so->is_v6 = false;
    if (jr_addr_is_any(so->bound.addr))
        so->bound.addr = jr_sock_any(so);
    jr_sock_show_local(so, &so->local);
    jr_sock_show_remote(so, &so->remote);
    return 0;
}

static int set_ip(struct jr_sock *so, int level, int name, int32_t v, const void *val, uint32_t len, jr_time now)
{
    const bool tos = level == IPPROTO_IP ? name == IP_TOS : name == IPV6_TCLASS;
    const bool ttl = level == IPPROTO_IP ? name == IP_TTL : name == IPV6_UNICAST_HOPS;

    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
        if (!so->is_v6 || (so->st & JR_ST_BOUND))
            return so->is_v6 ? -EINVAL : -ENOPROTOOPT;
        so->opt.v6only = v != 0;
        return so->kind == JR_SOCK_STREAM ? pass_to_tcp(so, level, name, &v, sizeof v, now) : 0;
    }
    if (!tos && !ttl)
        return pass_to_tcp(so, level, name, val, len, now);
    if (v < -1 || v > 255 || (ttl && v == 0))
        return -EINVAL;
    if (so->kind == JR_SOCK_DGRAM)
        return jr_udp_setopt(so->up, level, name, &v, sizeof v, now);
    (tos ? so->opt.tos : so->opt.ttl)[level == IPPROTO_IPV6] = v < 0 ? 0 : (uint8_t)v;
    return so->tp || (so->st & JR_ST_PAIR) ? pass_to_tcp(so, level, name, &v, sizeof v, now) : 0;
}

int jr_opt_set(struct jr_sock *so, int level, int name, const void *val, uint32_t len, jr_time now)
{
    int32_t v = 0;

    if (len >= sizeof v)
        memcpy(&v, val, sizeof v);
    else if (len == 1 && level == IPPROTO_IP) /* ip(7) takes a byte as well */
        v = *(const uint8_t *)val;
    else if (level != IPPROTO_TCP)
        return -EINVAL;
    if (level == IPPROTO_IPV6 && name == IPV6_ADDRFORM)
        return set_addrform(so, v);
    if (so->kind == JR_SOCK_DGRAM) {
        const int r = pass_to_udp(so, level, name, val, len, now);
        if (r == 0 && len >= sizeof v)
            jr_opt_keep(so, level, name, v);
        if (r != -ENOPROTOOPT)
            return r;
    }
    if (level == IPPROTO_TCP && name == TCP_FASTOPEN_NO_COOKIE && (so->st & (JR_ST_CONNECTING | JR_ST_CONNECTED)))
        return -EINVAL;
    const int kept = len < sizeof v ? -ENOPROTOOPT : jr_opt_keep(so, level, name, v);
    if (kept != -ENOPROTOOPT)
        return kept;
    if (level == SOL_SOCKET)
        return set_socket(so, name, v, val, len, now);
    if (level == IPPROTO_IP || level == IPPROTO_IPV6)
        return set_ip(so, level, name, v, val, len, now);
    return pass_to_tcp(so, level, name, val, len, now);
}

/* A stream that is not connected has net.ipv4.tcp_wmem's middle number. */
static int32_t unset_sndbuf(const struct jr_sock *so)
{
    if (so->kind == JR_SOCK_DGRAM)
        return DGRAM_BUF;
    return so->st & JR_ST_CONNECTED ? (int32_t)(2 * so->tx_grant) : STREAM_SNDBUF;
}

/* SOL_SOCKET's integers that the service knows; false: not one of them. */
static bool get_socket(const struct jr_sock *so, int name, int32_t *v)
{
    const struct jr_socks_config *cfg = &so->ss->cfg;

    switch (name) {
    case SO_REUSEADDR:
        *v = so->opt.reuseaddr;
        return true;
    case SO_REUSEPORT:
        *v = so->opt.reuseport;
        return true;
    case SO_BROADCAST:
        *v = so->opt.broadcast;
        return true;
    case SO_TYPE:
        *v = so->kind;
        return true;
    case SO_DOMAIN:
        *v = so->is_v6 ? AF_INET6 : AF_INET;
        return true;
    case SO_PROTOCOL:
        *v = so->kind == JR_SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
        return true;
    case SO_ACCEPTCONN:
        *v = (so->st & JR_ST_LISTENING) != 0;
        return true;
    case SO_SNDBUF:
        *v = so->opt.sndbuf ? so->opt.sndbuf : unset_sndbuf(so);
        return true;
    case SO_RCVBUF:
        if (so->opt.rcvbuf)
            *v = so->opt.rcvbuf;
        else if (so->kind == JR_SOCK_DGRAM)
            *v = DGRAM_BUF;
        else
            *v = (int32_t)(2 * jr_max_u32(so->rcv.cap, cfg->ring_init));
        return true;
    default:
        return false;
    }
}

static bool get_int(struct jr_sock *so, int level, int name, int32_t *v)
{
    if (jr_opt_kept(so, level, name, v) == 0)
        return true;
    if (level == SOL_SOCKET)
        return get_socket(so, name, v);
    if ((level == IPPROTO_IP && name == IP_TOS) || (level == IPPROTO_IPV6 && name == IPV6_TCLASS)) {
        *v = so->opt.tos[level == IPPROTO_IPV6];
        return true;
    }
    if ((level == IPPROTO_IP && name == IP_TTL) || (level == IPPROTO_IPV6 && name == IPV6_UNICAST_HOPS)) {
        *v = so->opt.ttl[level == IPPROTO_IPV6] ? so->opt.ttl[level == IPPROTO_IPV6] : 64;
        return true;
    }
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
        *v = so->opt.v6only;
        return true;
    }
    return false;
}

/* A local pair speaks no TCP, but is in the state that TCP would be in: tcpi_state, by Linux's numbers. */
static uint8_t pair_tcp_state(const struct jr_sock *so)
{
    enum { ESTABLISHED = 1, FIN_WAIT2 = 5, CLOSE = 7, CLOSE_WAIT = 8 };
    const bool in_over = so->st & JR_ST_RX_EOF, out_over = so->st & JR_ST_TX_CLOSED;

    if (in_over)
        return out_over ? CLOSE : CLOSE_WAIT;
    return out_over ? FIN_WAIT2 : ESTABLISHED;
}

int jr_opt_get(struct jr_sock *so, int level, int name, void *val, uint32_t *len, jr_time now)
{
    const struct linger l = {.l_onoff = so->opt.linger_on, .l_linger = so->opt.linger_s};
    int32_t v;

    /* what Linux starts with is not what this stack calls it: libc knows */
    const bool pmtudisc = (level == IPPROTO_IP && name == IP_MTU_DISCOVER) ||
                          (level == IPPROTO_IPV6 && name == IPV6_MTU_DISCOVER);
    if (so->kind == JR_SOCK_DGRAM && !pmtudisc) {
        const int r = get_from_udp(so, level, name, val, len);
        if (r != -ENOPROTOOPT)
            return r;
    }
    if (level == SOL_SOCKET && name == SO_LINGER) {
        *len = jr_min_u32(*len, sizeof l);
        memcpy(val, &l, *len);
        return 0;
    }
    if (get_int(so, level, name, &v)) {
        *len = jr_min_u32(*len, sizeof v);
        memcpy(val, &v, *len);
        return 0;
    }
    have_option_block(so, now);
    if (!so->tp)
        return -ENOPROTOOPT;
    const int r = jr_tcp_getopt(so->tp, level, name, val, len, now);
    if (r == 0 && level == IPPROTO_TCP && name == TCP_INFO && *len > 0 && (so->st & JR_ST_PAIR))
        *(uint8_t *)val = pair_tcp_state(so);
    return r;
}

void jr_opt_inherit(struct jr_sock *so, const struct jr_sock *listener)
{
    so->opt = listener->opt;
    jr_opt_keep(so, SOL_SOCKET, SO_PRIORITY, 0);
    /* Linux: the TTL that the SYN came with */
    if (so->is_v6)
        jr_opt_keep(so, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SYN_TTL);
    else
        jr_opt_keep(so, IPPROTO_IP, IP_MULTICAST_TTL, SYN_TTL);
}
