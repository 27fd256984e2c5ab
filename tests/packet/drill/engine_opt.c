/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket options over the engine: those of the socket layer here, as FreeBSD has them, the rest by jr_tcp. */
#include <errno.h>
#include <linux/tcp.h> /* not netinet/tcp.h, whose TH_* are macros */
#include <string.h>

#include "base/bits.h"
#include "engine.h"
#include "symbol.h"
#include "tcp/tcpcb.h"

static uint32_t pow2_up(uint32_t n)
{
    uint32_t p = 2048;

    while (p < n)
        p *= 2;
    return p;
}

/* One step larger than asked for: FreeBSD rounds the buffer up to whole segments. */
uint32_t esock_rcv_cap(const struct esock *so)
{
    return so->rcvbuf ? pow2_up(so->rcvbuf) : 2 * pow2_up(so->en->cfg->recvspace);
}
/* As FreeBSD does when a connection has its segment size. */
static uint32_t whole_segments(const struct esock *so, uint32_t n)
{
    uint32_t mss;

    if (!so->tp || jr_tcp_state(so->tp) < TCPS_SYN_RECEIVED)
        return n;
    mss = so->tp->t_maxseg + (so->tp->t_flags & TF_RCVD_TSTMP ? JR_TCP_TS_OLEN : 0);
    return n <= mss ? n : (n + mss - 1) / mss * mss;
}

uint32_t esock_snd_limit(const struct esock *so)
{
    return so->sndbuf ? so->sndbuf : whole_segments(so, so->en->cfg->sendspace);
}

static int set_socket(struct esock *so, int name, int v, const void *val, uint32_t len)
{
    switch (name) {
    case SO_REUSEADDR:
    case SO_REUSEPORT: {
        const uint32_t bit = name == SO_REUSEADDR ? JR_TCP_BIND_REUSEADDR : JR_TCP_BIND_REUSEPORT;
        so->bind_flags = v ? so->bind_flags | bit : so->bind_flags & ~bit;
        return 0;
    }
    case SO_LINGER:
        if (len < sizeof so->linger)
            return EINVAL;
        memcpy(&so->linger, val, sizeof so->linger);
        return 0;
    case SO_SNDBUF:
        if (v <= 0)
            return EINVAL;
        so->sndbuf = (uint32_t)v;
        return 0;
    case SO_RCVBUF:
        if (v <= 0)
            return EINVAL;
        so->rcvbuf = (uint32_t)v;
        return 0;
    case SO_OOBINLINE:
        so->oobinline = v != 0;
        return 0;
    case SO_BROADCAST:
        return so->up ? -jr_udp_setopt(so->up, SOL_SOCKET, name, val, len, so->en->now) : 0;
    case SO_DEBUG:
    case SO_SNDTIMEO:
    case SO_RCVTIMEO:
    case DRILL_SO_NOSIGPIPE:
        return 0;
    default:
        return so->tp ? -jr_tcp_setopt(so->tp, SOL_SOCKET, name, val, len, so->en->now) : ENOPROTOOPT;
    }
}

static void remember(struct esock *so, int level, int name, int v)
{
    if (so->nopts == sizeof so->opts / sizeof *so->opts)
        return;
    so->opts[so->nopts].level = level;
    so->opts[so->nopts].name = name;
    so->opts[so->nopts++].value = v;
}

void esock_inherit(struct esock *so, const struct esock *listener)
{
    so->sndbuf = listener->sndbuf;
    so->rcvbuf = listener->rcvbuf;
    so->linger = listener->linger;
    so->oobinline = listener->oobinline;
    for (unsigned i = 0; i < listener->nopts; i++)
        jr_tcp_setopt(so->tp, listener->opts[i].level, listener->opts[i].name, &listener->opts[i].value, sizeof(int),
                      so->en->now);
}

/* Only whether: the peer and the key are the script's. */
static int set_md5(struct esock *so, int on)
{
    const struct options *o = &so->en->opt;
    struct tcp_md5sig sig = {.tcpm_keylen = on ? (uint16_t)strlen(o->md5_secret) : 0};

    if (jr_addr_is_v4(o->remote)) {
        struct sockaddr_in *in = (void *)&sig.tcpm_addr;
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = jr_addr_to_v4(o->remote);
    } else {
        struct sockaddr_in6 *in = (void *)&sig.tcpm_addr;
        in->sin6_family = AF_INET6;
        memcpy(&in->sin6_addr, o->remote.b, 16);
    }
    memcpy(sig.tcpm_key, o->md5_secret, strlen(o->md5_secret));
    return -jr_tcp_setopt(so->tp, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof sig, so->en->now);
}

int esock_setopt(struct esock *so, int level, int name, const void *val, uint32_t len)
{
    int v = 0, err;

    memcpy(&v, val, jr_min_u32(len, sizeof v));
    if (level == SOL_SOCKET)
        return set_socket(so, name, v, val, len);
    if (so->up)
        return -jr_udp_setopt(so->up, level, name, val, len, so->en->now);
    if (!so->tp)
        return so->dead ? EINVAL : 0;
    if (level == IPPROTO_TCP && name == TCP_MD5SIG && len == sizeof v && so->en->opt.md5_secret)
        return set_md5(so, v);
    err = -jr_tcp_setopt(so->tp, level, name, val, len, so->en->now);
    if (err == 0 && name != TCP_CONGESTION)
        remember(so, level, name, v);
    return err;
}

static int get_socket(struct esock *so, int name, int *v)
{
    switch (name) {
    case SO_ERROR:
        *v = so->error;
        so->error = 0;
        return 0;
    case SO_TYPE:
        *v = so->type;
        return 0;
    case SO_REUSEADDR:
        *v = (so->bind_flags & JR_TCP_BIND_REUSEADDR) != 0;
        return 0;
    case SO_REUSEPORT:
        *v = (so->bind_flags & JR_TCP_BIND_REUSEPORT) != 0;
        return 0;
    case SO_SNDBUF:
        *v = (int)esock_snd_limit(so);
        return 0;
    case SO_RCVBUF:
        *v = (int)(so->rcvbuf ? so->rcvbuf : whole_segments(so, so->en->cfg->recvspace));
        return 0;
    case SO_OOBINLINE:
        *v = so->oobinline;
        return 0;
    case SO_ACCEPTCONN:
        *v = so->listening;
        return 0;
    default:
        return ENOPROTOOPT;
    }
}

int esock_getopt(struct esock *so, int level, int name, void *val, uint32_t *len)
{
    int v;

    if (level == SOL_SOCKET && name == SO_LINGER) {
        *len = jr_min_u32(*len, sizeof so->linger);
        memcpy(val, &so->linger, *len);
        return 0;
    }
    if (level == SOL_SOCKET && get_socket(so, name, &v) == 0) {
        *len = jr_min_u32(*len, sizeof v);
        memcpy(val, &v, *len);
        return 0;
    }
    if (so->up)
        return -jr_udp_getopt(so->up, level, name, val, len);
    return so->tp ? -jr_tcp_getopt(so->tp, level, name, val, len, so->en->now) : EINVAL;
}
