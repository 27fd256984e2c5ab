/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket options by Linux's numbers (tcp(7), socket(7), ip(7), ipv6(7)); TCP_INFO is info.c's. */
#include <linux/tcp.h> /* not netinet/tcp.h, whose TH_* are macros */
#include <netinet/in.h>
#include <sys/socket.h>

#include "tcp/cc.h"
#include "tcp/fastopen.h"
#include "tcp/info.h"
#include "tcp/md5sig.h"
#include "tcp/mss.h"
#include "tcp/output.h"
#include "tcp/pace.h"
#include "tcp/state.h"
#include "tcp/timer.h"
#include "tcp/uto.h"

#define MAX_KEEP_SECONDS 32767
#define MAX_KEEP_PROBES 127
#define MIN_CLAMP 1152 /* half of Linux's SOCK_MIN_RCVBUF */

static int get_int(const void *val, uint32_t len, int *v)
{
    if (len < sizeof *v)
        return -EINVAL;
    memcpy(v, val, sizeof *v);
    return 0;
}

static int put_bytes(void *val, uint32_t *len, const void *src, uint32_t n)
{
    *len = jr_min_u32(*len, n);
    memcpy(val, src, *len);
    return 0;
}

static void set_flag(struct jr_tcpcb *tp, uint32_t flag, bool on)
{
    if (on)
        tp->t_flags |= flag;
    else
        tp->t_flags &= ~flag;
}

static void set_flag2(struct jr_tcpcb *tp, uint32_t flag, bool on)
{
    tp->t_flags2 = on ? tp->t_flags2 | flag : tp->t_flags2 & ~flag;
}

static int set_seconds(uint32_t *ms, int v, uint32_t max)
{
    if (v < 1 || (uint32_t)v > max)
        return -EINVAL;
    *ms = (uint32_t)v * 1000;
    return 0;
}

static int set_keep(struct jr_tcpcb *tp, int name, int v, jr_time now)
{
    if (name == JR_TCP_KEEPINIT) {
        int err = set_seconds(&tp->keepinit, v, MAX_KEEP_SECONDS);
        if (err == 0 && tp->t_state < TCPS_ESTABLISHED)
            jr_tcp_start_keep(tp, now);
        return err;
    }
    if (name == TCP_KEEPINTVL)
        return set_seconds(&tp->keepintvl, v, MAX_KEEP_SECONDS);
    if (name == TCP_KEEPCNT) {
        if (v < 1 || v > MAX_KEEP_PROBES)
            return -EINVAL;
        tp->keepcnt = (uint32_t)v;
        return 0;
    }
    int err = set_seconds(&tp->keepidle, v, MAX_KEEP_SECONDS);
    if (err == 0 && tp->t_state >= TCPS_ESTABLISHED)
        jr_tcp_start_keep(tp, now);
    return err;
}

static int set_congestion(struct jr_tcpcb *tp, const char *val, uint32_t len)
{
    char name[16] = {0};
    memcpy(name, val, jr_min_u32(len, sizeof name - 1));
    const struct jr_cc_algo *cc = jr_cc_lookup(name);
    if (cc == NULL)
        return -ENOENT;
    jr_cc_set(tp, cc);
    return 0;
}

static int set_linger2(struct jr_tcpcb *tp, int v)
{
    tp->linger2 = v < 0    ? 0
                  : v == 0 ? jr_tcp_default_linger2(&tp->tcp->cfg)
                           : (uint32_t)jr_min_u32((uint32_t)v, 120) * 1000;
    return 0;
}

static int set_maxseg(struct jr_tcpcb *tp, int v)
{
    if (v != 0 && (v < 88 || v > 32767)) /* Linux's bounds; 0: as if never set */
        return -EINVAL;
    if (tp->t_state < TCPS_ESTABLISHED) /* it is said in the handshake */
        tp->t_usermss = (uint16_t)v;
    return 0;
}

static int set_quickack(struct jr_tcpcb *tp, int v, jr_time now)
{
    tp->quickacks = v ? 2 * JR_TCP_QUICKACKS : 0;
    set_flag2(tp, TF2_SLOWACK, !v);
    if (v && (tp->t_flags & TF_DELACK)) {
        tp->t_flags |= TF_ACKNOW;
        jr_tcp_output(tp, now);
    }
    return 0;
}

/* As on FreeBSD one flag for both sides: a socket that connects is a client, one that listens a server. */
static int set_fastopen(struct jr_tcpcb *tp, int v)
{
    if (v < 0 || (tp->t_state != TCPS_CLOSED && tp->t_state != TCPS_LISTEN))
        return -EINVAL;
    tp->fo_qlen = (uint32_t)v;
    set_flag2(tp, TF2_FASTOPEN, v);
    return 0;
}

/* Linux's, of clients: connecting waits for data if the cookie is known. */
static int set_fastopen_connect(struct jr_tcpcb *tp, int v)
{
    if (!tp->tcp->cfg.fastopen_client_enable)
        return -EOPNOTSUPP;
    if (v < 0 || v > 1 || tp->t_state != TCPS_CLOSED)
        return -EINVAL;
    set_flag2(tp, TF2_FASTOPEN | TF2_FO_DEFER, v);
    return 0;
}

/* Of a socket that has not connected yet. */
static int set_noopt(struct jr_tcpcb *tp, int v)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    if (tp->t_state != TCPS_CLOSED && tp->t_state != TCPS_LISTEN)
        return -EINVAL;
    set_flag2(tp, TF2_NOOPT, v);
    set_flag(tp, TF_REQ_SCALE | TF_REQ_TSTMP, !v && cfg->rfc1323);
    set_flag(tp, TF_SACK_PERMIT, !v && cfg->sack_enable);
    return 0;
}

static int set_tcp(struct jr_tcpcb *tp, int name, const void *val, uint32_t len, jr_time now)
{
    int v = 0, err = 0;
    if (name == TCP_CONGESTION)
        return set_congestion(tp, val, len);
    if (name == TCP_MD5SIG || name == TCP_MD5SIG_EXT)
        return jr_md5sig_set(tp, val, len, name == TCP_MD5SIG_EXT);
    if (name == TCP_FASTOPEN_KEY)
        return jr_fastopen_set_keys(tp, val, len);
    err = get_int(val, len, &v);
    if (err != 0)
        return err;
    switch (name) {
    case TCP_NODELAY:
        set_flag(tp, TF_NODELAY, v);
        if (v)
            jr_tcp_output_forced(tp, now); /* tcp(7): even when corked */
        return 0;
    case TCP_CORK:
        set_flag(tp, TF_CORK, v);
        if (!v)
            jr_tcp_output_forced(tp, now);
        return 0;
    case TCP_MAXSEG:
        return set_maxseg(tp, v);
    case JR_TCP_NOOPT:
        return set_noopt(tp, v);
    case JR_TCP_KEEPINIT:
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
    case TCP_KEEPCNT:
        return set_keep(tp, name, v, now);
    case TCP_USER_TIMEOUT:
        if (v < 0)
            return -EINVAL;
        jr_uto_set(tp, (uint32_t)v);
        return 0;
    case TCP_LINGER2:
        return set_linger2(tp, v);
    case TCP_SYNCNT:
        if (v < 1 || v > 127)
            return -EINVAL;
        tp->syncnt = (uint8_t)v;
        return 0;
    case TCP_WINDOW_CLAMP:
        if (v == 0 && tp->t_state != TCPS_CLOSED)
            return -EINVAL;
        tp->rcv_clamp = v == 0 ? 0 : (uint32_t)(v < MIN_CLAMP ? MIN_CLAMP : v);
        return 0;
    case TCP_QUICKACK:
        return set_quickack(tp, v, now);
    case TCP_DEFER_ACCEPT:
        tp->defer_accept = v > 0 ? (uint32_t)v : 0;
        return 0;
    case TCP_FASTOPEN:
        return set_fastopen(tp, v);
    case TCP_FASTOPEN_CONNECT:
        return set_fastopen_connect(tp, v);
    default:
        return -ENOPROTOOPT;
    }
}

/* Four bytes or eight, as socket(7): all ones mean no limit. */
static int set_max_pacing_rate(struct jr_tcpcb *tp, const void *val, uint32_t len, jr_time now)
{
    uint64_t rate = 0;
    if (len < sizeof(uint32_t))
        return -EINVAL;
    memcpy(&rate, val, len >= sizeof rate ? sizeof rate : sizeof(uint32_t));
    const bool none = len >= sizeof rate ? rate == UINT64_MAX : rate == UINT32_MAX;
    if (rate == 0)
        return -EINVAL;
    tp->max_pacing_rate = none ? 0 : rate;
    jr_pace_update(tp);
    if (tp->t_state >= TCPS_ESTABLISHED)
        jr_tcp_output(tp, now); /* what waited for a slower rate */
    return 0;
}

static int get_max_pacing_rate(const struct jr_tcpcb *tp, void *val, uint32_t *len)
{
    const uint64_t rate = tp->max_pacing_rate != 0 ? tp->max_pacing_rate : UINT64_MAX;
    const uint32_t low = (uint32_t)jr_min_u64(rate, UINT32_MAX);
    return *len >= sizeof rate ? put_bytes(val, len, &rate, sizeof rate) : put_bytes(val, len, &low, sizeof low);
}

static int set_socket(struct jr_tcpcb *tp, int name, const void *val, uint32_t len, jr_time now)
{
    if (name == SO_MAX_PACING_RATE)
        return set_max_pacing_rate(tp, val, len, now);
    int v = 0, err = get_int(val, len, &v);
    if (name != SO_KEEPALIVE)
        return -ENOPROTOOPT;
    if (err != 0)
        return err;
    set_flag(tp, TF_KEEPALIVE, v);
    if (tp->t_state >= TCPS_ESTABLISHED)
        jr_tcp_start_keep(tp, now);
    return 0;
}

static bool is_mtu_discover(int level, int name)
{
    return level == IPPROTO_IP ? name == IP_MTU_DISCOVER : name == IPV6_MTU_DISCOVER;
}

static bool is_minttl(int level, int name)
{
    return (level == IPPROTO_IP && name == IP_MINTTL) || (level == IPPROTO_IPV6 && name == IPV6_MINHOPCOUNT);
}

static int set_ip(struct jr_tcpcb *tp, int level, int name, const void *val, uint32_t len)
{
    int v = 0, err = get_int(val, len, &v);
    if (level == IPPROTO_IP && len == 1) { /* ip(7) takes a byte as well */
        v = *(const uint8_t *)val;
        err = 0;
    }
    if (err != 0)
        return err;
    if ((level == IPPROTO_IP && name == IP_TOS) || (level == IPPROTO_IPV6 && name == IPV6_TCLASS)) {
        tp->tos[level == IPPROTO_IPV6] = (uint8_t)(v < 0 ? 0 : v & 0xfc); /* the low bits are TCP's own (ECN) */
        return 0;
    }
    if ((level == IPPROTO_IP && name == IP_TTL) || (level == IPPROTO_IPV6 && name == IPV6_UNICAST_HOPS)) {
        if (v != -1 && (v < 1 || v > 255))
            return -EINVAL;
        tp->ttl[level == IPPROTO_IPV6] = (uint8_t)(v == -1 ? 0 : v);
        return 0;
    }
    if (is_minttl(level, name)) {
        if (v < 0 || v > 255)
            return -EINVAL;
        tp->minttl[level == IPPROTO_IPV6] = (uint8_t)v;
        tp->tcp->has_minttl |= v != 0;
        return 0;
    }
    if (is_mtu_discover(level, name)) {
        if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
            return -EINVAL;
        if (level == IPPROTO_IP)
            tp->pmtudisc = (unsigned)v & 0xf;
        else
            tp->pmtudisc6 = (unsigned)v & 0xf;
        return 0;
    }
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
        if (tp->lport != 0)
            return -EINVAL;
        set_flag(tp, TF_V6ONLY, v);
        return 0;
    }
    return -ENOPROTOOPT;
}

int jr_tcp_setopt(struct jr_tcpcb *tp, int level, int name, const void *val, uint32_t len, jr_time now)
{
    switch (level) {
    case IPPROTO_TCP:
        return set_tcp(tp, name, val, len, now);
    case SOL_SOCKET:
        return set_socket(tp, name, val, len, now);
    case IPPROTO_IP:
    case IPPROTO_IPV6:
        return set_ip(tp, level, name, val, len);
    default:
        return -ENOPROTOOPT;
    }
}

static int put_int(void *val, uint32_t *len, int v) { return put_bytes(val, len, &v, sizeof v); }

static int get_maxseg(const struct jr_tcpcb *tp)
{
    if (tp->t_state >= TCPS_ESTABLISHED)
        return (int)tp->t_maxseg;
    return tp->t_usermss != 0 ? tp->t_usermss : (int)tp->tcp->cfg.mssdflt;
}

static int get_congestion(const struct jr_tcpcb *tp, void *val, uint32_t *len)
{
    char name[16] = {0};
    memcpy(name, tp->cc->name, jr_min_u32((uint32_t)strlen(tp->cc->name), sizeof name - 1));
    return put_bytes(val, len, name, sizeof name);
}

static int get_tcp(const struct jr_tcpcb *tp, int name, void *val, uint32_t *len, jr_time now)
{
    switch (name) {
    case TCP_NODELAY:
        return put_int(val, len, !!(tp->t_flags & TF_NODELAY));
    case TCP_CORK:
        return put_int(val, len, !!(tp->t_flags & TF_CORK));
    case TCP_MAXSEG:
        return put_int(val, len, get_maxseg(tp));
    case JR_TCP_NOOPT:
        return put_int(val, len, !!(tp->t_flags2 & TF2_NOOPT));
    case JR_TCP_KEEPINIT:
        return put_int(val, len, (int)(tp->keepinit / 1000));
    case TCP_KEEPIDLE:
        return put_int(val, len, (int)(tp->keepidle / 1000));
    case TCP_KEEPINTVL:
        return put_int(val, len, (int)(tp->keepintvl / 1000));
    case TCP_KEEPCNT:
        return put_int(val, len, (int)tp->keepcnt);
    case TCP_USER_TIMEOUT:
        return put_int(val, len, (int)tp->user_timeout);
    case TCP_LINGER2:
        return put_int(val, len, tp->linger2 == 0 ? -1 : (int)(tp->linger2 / 1000));
    case TCP_SYNCNT:
        return put_int(val, len, tp->syncnt != 0 ? tp->syncnt : 6);
    case TCP_WINDOW_CLAMP:
        return put_int(val, len, (int)tp->rcv_clamp);
    case TCP_QUICKACK:
        return put_int(val, len, !(tp->t_flags2 & TF2_SLOWACK));
    case TCP_DEFER_ACCEPT:
        return put_int(val, len, (int)tp->defer_accept);
    case TCP_FASTOPEN:
        return put_int(val, len, (int)tp->fo_qlen);
    case TCP_FASTOPEN_KEY:
        return jr_fastopen_get_keys(tp, val, len);
    case TCP_FASTOPEN_CONNECT:
        return put_int(val, len, !!(tp->t_flags2 & TF2_FO_DEFER));
    case TCP_CONGESTION:
        return get_congestion(tp, val, len);
    case TCP_INFO:
        return jr_tcp_info(tp, val, len, now);
    default:
        return -ENOPROTOOPT;
    }
}

static int get_ip(const struct jr_tcpcb *tp, int level, int name, void *val, uint32_t *len)
{
    if ((level == IPPROTO_IP && name == IP_TOS) || (level == IPPROTO_IPV6 && name == IPV6_TCLASS))
        return put_int(val, len, tp->tos[level == IPPROTO_IPV6]);
    if ((level == IPPROTO_IP && name == IP_TTL) || (level == IPPROTO_IPV6 && name == IPV6_UNICAST_HOPS))
        return put_int(val, len, tp->ttl[level == IPPROTO_IPV6] ? tp->ttl[level == IPPROTO_IPV6] : 64);
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY)
        return put_int(val, len, !!(tp->t_flags & TF_V6ONLY));
    if (is_minttl(level, name))
        return put_int(val, len, tp->minttl[level == IPPROTO_IPV6]);
    if (is_mtu_discover(level, name))
        return put_int(val, len, level == IPPROTO_IP ? tp->pmtudisc : tp->pmtudisc6);
    if (level == IPPROTO_IP && name == IP_MTU)
        return tp->rt_ok ? put_int(val, len, (int)tp->rt.mtu) : -ENOTCONN;
    return -ENOPROTOOPT;
}

int jr_tcp_getopt(const struct jr_tcpcb *tp, int level, int name, void *val, uint32_t *len, jr_time now)
{
    switch (level) {
    case IPPROTO_TCP:
        return get_tcp(tp, name, val, len, now);
    case SOL_SOCKET:
        if (name == SO_KEEPALIVE)
            return put_int(val, len, !!(tp->t_flags & TF_KEEPALIVE));
        if (name == SO_MAX_PACING_RATE)
            return get_max_pacing_rate(tp, val, len);
        if (name == SO_ACCEPTCONN)
            return put_int(val, len, tp->t_state == TCPS_LISTEN);
        return -ENOPROTOOPT;
    case IPPROTO_IP:
    case IPPROTO_IPV6:
        return get_ip(tp, level, name, val, len);
    default:
        return -ENOPROTOOPT;
    }
}
