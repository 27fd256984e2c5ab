/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP Fast Open; see fastopen.h. RFC 7413 4.1 (cookies), 4.1.3 (the client's cache), 4.1.3.1 (lost SYNs). The knobs are
 * FreeBSD's. A server's cookie is SipHash of the client's address under the newest key: one of the service's own that
 * changes with each period (autokey), or what fastopen.setkey gave. The key before it still counts. A listener may have
 * keys of its own (TCP_FASTOPEN_KEY), as in Linux.
 */
#include "tcp/fastopen.h"

#include <errno.h>
#include <stdlib.h>

#include "base/siphash.h"
#include "tcp/isn.h"
#include "tcp/mss.h"

#define COOKIE_BYTES 8u

struct path {
    struct jr_list link;
    struct jr_addr laddr, faddr;
    uint16_t fport, mss;
    uint8_t cookie_len; /* 0: none is known */
    uint8_t cookie[JR_TCP_FO_MAX];
    jr_time disabled; /* since when; 0: it isn't */
};

struct bucket {
    struct jr_list paths; /* the latest first */
    uint32_t len;
};

struct jr_fastopen_cache {
    uint32_t mask;
    struct bucket buckets[];
};

static struct jr_fastopen_cache *cache_of(struct jr_tcp *tcp)
{
    if (tcp->fastopen != NULL)
        return tcp->fastopen;
    uint32_t n = jr_pow2_ceil(tcp->cfg.fastopen_ccache_buckets);
    struct jr_fastopen_cache *c = calloc(1, sizeof *c + n * sizeof *c->buckets);
    if (c == NULL)
        return NULL;
    c->mask = n - 1;
    for (uint32_t i = 0; i < n; i++)
        jr_list_init(&c->buckets[i].paths);
    return tcp->fastopen = c;
}

void jr_fastopen_flush(struct jr_tcp *tcp)
{
    struct jr_list *l;
    for (uint32_t i = 0; tcp->fastopen != NULL && i <= tcp->fastopen->mask; i++)
        while ((l = jr_list_pop_head(&tcp->fastopen->buckets[i].paths)) != NULL)
            free(JR_LIST_ENTRY(l, struct path, link));
    free(tcp->fastopen);
    tcp->fastopen = NULL;
}

static struct bucket *bucket_of(const struct jr_tcp *tcp, struct jr_fastopen_cache *c, struct jr_addr laddr,
                                const struct jr_endpoint *to)
{
    return &c->buckets[jr_tcp_port_offset(tcp, laddr, to->addr, to->port) & c->mask];
}

static struct path *find_in(struct bucket *b, struct jr_addr laddr, const struct jr_endpoint *to)
{
    JR_LIST_EACH(it, &b->paths) {
        struct path *p = JR_LIST_ENTRY(it, struct path, link);
        if (p->fport == to->port && jr_addr_eq(p->faddr, to->addr) && jr_addr_eq(p->laddr, laddr))
            return p;
    }
    return NULL;
}

static struct path *find(const struct jr_tcp *tcp, struct jr_addr laddr, const struct jr_endpoint *to)
{
    return tcp->fastopen != NULL ? find_in(bucket_of(tcp, tcp->fastopen, laddr, to), laddr, to) : NULL;
}

/* The path's entry, made if need be (the bucket's oldest gives way). NULL: no memory. */
static struct path *obtain(const struct jr_tcpcb *tp)
{
    struct jr_fastopen_cache *c = cache_of(tp->tcp);
    if (c == NULL)
        return NULL;
    const struct jr_endpoint to = {tp->faddr, tp->fport};
    struct bucket *b = bucket_of(tp->tcp, c, tp->laddr, &to);
    struct path *p = find_in(b, tp->laddr, &to);
    if (p != NULL)
        return p;
    if (b->len >= jr_max_u32(tp->tcp->cfg.fastopen_ccache_bucket_limit, 1)) {
        p = JR_LIST_ENTRY(b->paths.prev, struct path, link);
        jr_list_del(&p->link);
        memset(p, 0, sizeof *p);
    } else if ((p = calloc(1, sizeof *p)) != NULL) {
        b->len++;
    } else {
        return NULL;
    }
    p->laddr = tp->laddr;
    p->faddr = tp->faddr;
    p->fport = tp->fport;
    jr_list_push_head(&b->paths, &p->link);
    return p;
}

static bool is_disabled(const struct jr_tcp *tcp, struct path *p, jr_time now)
{
    if (p->disabled == 0)
        return false;
    if (now - p->disabled < tcp->cfg.fastopen_path_disable_time * JR_SEC)
        return true;
    p->disabled = 0;
    return false;
}

void jr_fastopen_connect(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_tcp *tcp = tp->tcp;
    if (!(tp->t_flags2 & TF2_FASTOPEN) || !tcp->cfg.fastopen_client_enable)
        return;
    const struct jr_endpoint to = {tp->faddr, tp->fport};
    struct path *p = find(tcp, tp->laddr, &to);
    if (p != NULL && is_disabled(tcp, p, now))
        return;
    tp->fo = calloc(1, sizeof *tp->fo);
    if (tp->fo == NULL || p == NULL)
        return;
    tp->fo->mss = p->mss;
    tp->fo->cookie_len = p->cookie_len;
    memcpy(tp->fo->cookie, p->cookie, sizeof p->cookie);
}

bool jr_tcp_fastopen_ready(struct jr_tcpcb *tp, const struct jr_endpoint *remote, jr_time now)
{
    struct jr_tcp *tcp = tp->tcp;
    struct jr_ip_route rt;
    if (!(tp->t_flags2 & TF2_FO_DEFER) || !tcp->cfg.fastopen_client_enable || tp->t_state != TCPS_CLOSED)
        return false;
    if (!jr_ip_route(tcp->ip, remote->addr, &rt))
        return false;
    struct path *p = find(tcp, jr_addr_is_any(tp->laddr) ? rt.src : tp->laddr, remote);
    return p != NULL && p->cookie_len != 0 && !is_disabled(tcp, p, now);
}

/* So that not every connection asks again: until path_disable_time has passed none does, and then for a new cookie. */
static void disable(struct path *p, jr_time now)
{
    p->cookie_len = 0;
    if (p->disabled == 0)
        p->disabled = jr_max_u64(now, 1);
}

void jr_fastopen_on_synack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    const struct jr_tcp_opts *o = &seg->opts;
    const bool cookie = o->flags & TOF_FASTOPEN && o->cookie_len != 0;
    if (tp->fo == NULL || tp->fo->server)
        return;
    if (!cookie && jr_seq_gt(seg->ack, jr_seq_add(tp->iss, 1)))
        return; /* it took the data: the cookie it knows is good */
    struct path *p = obtain(tp);
    if (p == NULL)
        return;
    if (!cookie) {
        disable(p, now);
        return;
    }
    p->disabled = 0;
    p->mss = tp->t_peermss;
    p->cookie_len = o->cookie_len;
    memcpy(p->cookie, o->cookie, o->cookie_len);
    jr_tcp_count_c(tp, JR_C_TCP_FASTOPEN_COOKIE);
}

void jr_fastopen_on_lost_syn(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->fo == NULL || tp->fo->server)
        return;
    struct path *p = obtain(tp);
    if (p != NULL)
        disable(p, now);
    jr_tcp_count_c(tp, JR_C_TCP_FASTOPEN_LOST);
}

/* The keys of the moment: a new period has begun, or somebody set one. */
static void renew_keys(struct jr_tcp *tcp, jr_time now)
{
    const uint32_t period = tcp->cfg.fastopen_autokey, epoch = period != 0 ? (uint32_t)(now / (period * JR_SEC)) : 0;
    if (!tcp->fokeys.made || epoch != tcp->fokeys.epoch) {
        if (tcp->fokeys.made && epoch == tcp->fokeys.epoch + 1)
            memcpy(tcp->fokeys.key[1], tcp->fokeys.key[0], 16);
        else
            jr_tcp_fastopen_key(tcp, epoch - 1, tcp->fokeys.key[1]);
        jr_tcp_fastopen_key(tcp, epoch, tcp->fokeys.key[0]);
        tcp->fokeys.epoch = epoch;
        tcp->fokeys.made = true;
    }
    if (tcp->fokeys.serial != tcp->cfg.fastopen_setkey.serial) {
        memcpy(tcp->fokeys.key[1], tcp->fokeys.key[0], 16);
        memcpy(tcp->fokeys.key[0], tcp->cfg.fastopen_setkey.b, 16);
        tcp->fokeys.serial = tcp->cfg.fastopen_setkey.serial;
    }
}

struct jr_fastopen_keys {
    uint32_t n;
    uint8_t key[2][JR_FASTOPEN_KEY];
};

int jr_fastopen_set_keys(struct jr_tcpcb *tp, const void *val, uint32_t len)
{
    if (len != JR_FASTOPEN_KEY && len != 2 * JR_FASTOPEN_KEY)
        return -EINVAL;
    if (tp->fo_keys == NULL && (tp->fo_keys = calloc(1, sizeof *tp->fo_keys)) == NULL)
        return -ENOMEM;
    tp->fo_keys->n = len / JR_FASTOPEN_KEY;
    memcpy(tp->fo_keys->key, val, len);
    return 0;
}

int jr_fastopen_get_keys(const struct jr_tcpcb *tp, void *val, uint32_t *len)
{
    if (tp->fo_keys == NULL)
        return -ENOPROTOOPT;
    *len = jr_min_u32(*len, tp->fo_keys->n * JR_FASTOPEN_KEY);
    memcpy(val, tp->fo_keys->key, *len);
    return 0;
}

static uint32_t keys_of(const struct jr_tcpcb *l) { return l->fo_keys != NULL ? l->fo_keys->n : 2; }

static void make_cookie(const struct jr_tcpcb *l, struct jr_addr client, uint32_t age, uint8_t *cookie)
{
    const bool v4 = jr_addr_is_v4(client);
    const uint8_t *key = l->fo_keys != NULL ? l->fo_keys->key[age] : l->tcp->fokeys.key[age];
    const uint64_t h = jr_siphash(key, v4 ? client.b + 12 : client.b, v4 ? 4 : 16);
    for (uint32_t i = 0; i < COOKIE_BYTES; i++)
        cookie[i] = (uint8_t)(h >> 8 * i);
}

static bool is_cookie(const struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const struct jr_tcp_opts *o)
{
    if (o->cookie_len == 0)
        return false;
    if (l->tcp->cfg.fastopen_acceptany)
        return true;
    for (uint32_t age = 0; age < keys_of(l); age++) {
        uint8_t want[COOKIE_BYTES], diff = 0;
        make_cookie(l, seg->rx->src, age, want);
        for (uint32_t i = 0; i < COOKIE_BYTES; i++)
            diff |= want[i] ^ o->cookie[i];
        if (o->cookie_len == COOKIE_BYTES && diff == 0)
            return true;
    }
    return false;
}

enum jr_fastopen_verdict jr_fastopen_check(struct jr_tcpcb *l, const struct jr_tcp_seg *seg, struct jr_tcp_opts *o,
                                           jr_time now)
{
    struct jr_tcp *tcp = l->tcp;
    if (!(o->flags & TOF_FASTOPEN))
        return JR_FASTOPEN_OFF;
    o->flags &= ~(uint32_t)TOF_FASTOPEN;
    if (!(l->t_flags2 & TF2_FASTOPEN) || !tcp->cfg.fastopen_server_enable)
        return JR_FASTOPEN_OFF;
    /* Half the queue at most for those that have not proved themselves (a stolen cookie may serve a flood). */
    if (l->listener->fastopen_pending > l->listener->backlog / 2)
        return JR_FASTOPEN_OFF;
    if (l->fo_qlen > 1 && l->listener->fastopen_pending >= l->fo_qlen) /* Linux: 1 and FreeBSD's "on" look the same */
        return JR_FASTOPEN_OFF;
    renew_keys(tcp, now);
    bool good = is_cookie(l, seg, o);
    jr_tcp_count_c(l, good ? JR_C_TCP_FASTOPEN_ACCEPTED : JR_C_TCP_FASTOPEN_REFUSED);
    o->flags |= TOF_FASTOPEN;
    o->cookie_len = COOKIE_BYTES;
    make_cookie(l, seg->rx->src, 0, o->cookie);
    return good ? JR_FASTOPEN_ACCEPTED : JR_FASTOPEN_REFUSED;
}

bool jr_fastopen_accept(struct jr_tcpcb *tp, const struct jr_tcp_opts *o)
{
    tp->fo = calloc(1, sizeof *tp->fo);
    if (tp->fo == NULL)
        return false;
    tp->fo->server = true;
    tp->fo->cookie_len = o->cookie_len;
    memcpy(tp->fo->cookie, o->cookie, o->cookie_len);
    tp->t_flags2 |= TF2_FO_ACCEPT | TF2_FO_PENDING;
    tp->parent->listener->fastopen_pending++;
    return true;
}

void jr_fastopen_settle(struct jr_tcpcb *tp)
{
    if (tp->t_flags2 & TF2_FO_PENDING)
        tp->parent->listener->fastopen_pending--;
    tp->t_flags2 &= ~(uint32_t)TF2_FO_PENDING;
}

void jr_fastopen_option(const struct jr_tcpcb *tp, struct jr_tcp_opts *o)
{
    if (tp->fo == NULL || tp->t_rxtshift != 0 || (o->flags & TOF_SIGNATURE))
        return;
    if ((tp->t_state == TCPS_SYN_RECEIVED) != tp->fo->server)
        return;
    o->flags |= TOF_FASTOPEN;
    o->cookie_len = tp->fo->cookie_len;
    memcpy(o->cookie, tp->fo->cookie, tp->fo->cookie_len);
}

uint32_t jr_fastopen_room(const struct jr_tcpcb *tp, jr_seq seq, uint32_t optlen)
{
    const struct jr_tcp_fastopen *fo = tp->fo;
    if (fo == NULL || tp->t_rxtshift != 0 || fo->cookie_len == 0)
        return 0;
    if (fo->server)
        return tp->t_state == TCPS_SYN_RECEIVED ? tp->t_maxseg - JR_TCP_MAXOLEN : 0;
    if (tp->t_state != TCPS_SYN_SENT || !jr_seq_eq(seq, tp->iss))
        return 0;
    uint32_t mss = jr_min_u32(fo->mss, jr_tcp_mss_offer(tp->tcp, tp->faddr, tp->rt.mtu));
    return mss > optlen ? mss - optlen : 0;
}
