/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host cache; see hostcache.h. Few entries to a bucket, the latest first; the last one gives way. New values are
 * averaged with the old; an entry that nobody refreshed for hostcache.expire seconds is as good as gone.
 */
#include "tcp/hostcache.h"

#include <stdlib.h>

#include "tcp/pcb.h"
#include "tcp/timer.h"

#define ENOUGH_SAMPLES 4u /* round trips measured before a connection's word counts */

struct host {
    struct jr_list link;
    struct jr_addr addr;
    uint32_t srtt, rttvar; /* microseconds; 0: not known */
    uint32_t ssthresh;     /* bytes; 0: not known */
    uint32_t cwnd;
    jr_time expires;
};

struct bucket {
    struct jr_list hosts;
    uint32_t len;
};

struct jr_hostcache {
    uint32_t mask, count;
    struct bucket buckets[];
};

static struct jr_hostcache *cache_of(struct jr_tcp *tcp)
{
    if (tcp->hostcache != NULL)
        return tcp->hostcache;
    uint32_t n = jr_pow2_ceil(tcp->cfg.hostcache_hashsize);
    struct jr_hostcache *c = calloc(1, sizeof *c + n * sizeof *c->buckets);
    if (c == NULL)
        return NULL;
    c->mask = n - 1;
    for (uint32_t i = 0; i < n; i++)
        jr_list_init(&c->buckets[i].hosts);
    return tcp->hostcache = c;
}

static void forget(struct jr_hostcache *c, struct bucket *b, struct host *h)
{
    jr_list_del(&h->link);
    b->len--;
    c->count--;
    free(h);
}

void jr_hostcache_purge(struct jr_tcp *tcp)
{
    struct jr_hostcache *c = tcp->hostcache;
    for (uint32_t i = 0; c != NULL && i <= c->mask; i++)
        JR_LIST_EACH_SAFE(it, &c->buckets[i].hosts)
            forget(c, &c->buckets[i], JR_LIST_ENTRY(it, struct host, link));
    free(c);
    tcp->hostcache = NULL;
}

uint32_t jr_hostcache_count(const struct jr_tcp *tcp) { return tcp->hostcache != NULL ? tcp->hostcache->count : 0; }

static struct bucket *bucket_of(const struct jr_tcp *tcp, struct jr_hostcache *c, struct jr_addr addr)
{
    const struct jr_addr none = {0};
    return &c->buckets[jr_pcb_hash(tcp, none, 0, addr, 0) & c->mask];
}

/* Drops what has lapsed on the way. */
static struct host *find(struct jr_hostcache *c, struct bucket *b, struct jr_addr addr, jr_time now)
{
    struct host *found = NULL;
    JR_LIST_EACH_SAFE(it, &b->hosts) {
        struct host *h = JR_LIST_ENTRY(it, struct host, link);
        if (h->expires <= now)
            forget(c, b, h);
        else if (jr_addr_eq(h->addr, addr))
            found = h;
    }
    return found;
}

static struct host *obtain(struct jr_tcp *tcp, struct jr_addr addr, jr_time now)
{
    struct jr_hostcache *c = cache_of(tcp);
    if (c == NULL)
        return NULL;
    struct bucket *b = bucket_of(tcp, c, addr);
    struct host *h = find(c, b, addr, now);
    if (h != NULL)
        return h;
    if (b->len >= tcp->cfg.hostcache_bucketlimit || c->count >= tcp->cfg.hostcache_cachelimit) {
        jr_count(tcp->counters, JR_C_TCP_HC_OVERFLOW);
        if (b->len == 0)
            return NULL;
        forget(c, b, JR_LIST_ENTRY(b->hosts.prev, struct host, link));
    }
    h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->addr = addr;
    jr_list_push_head(&b->hosts, &h->link);
    b->len++;
    c->count++;
    jr_count(tcp->counters, JR_C_TCP_HC_ADDED);
    return h;
}

static void average(uint32_t *known, uint32_t now) { *known = *known == 0 ? now : (*known + now) / 2; }

void jr_hostcache_update(const struct jr_tcpcb *tp)
{
    struct jr_tcp *tcp = tp->tcp;
    if (!tcp->cfg.hostcache_enable || tp->t_rttupdated < ENOUGH_SAMPLES)
        return;
    struct host *h = obtain(tcp, tp->faddr, tp->t_rcvtime);
    if (h == NULL)
        return;
    average(&h->srtt, tp->t_srtt);
    average(&h->rttvar, tp->t_rttvar);
    if (tp->snd_ssthresh < UINT32_MAX / 4) /* a loss has set it */
        average(&h->ssthresh, tp->snd_ssthresh);
    average(&h->cwnd, tp->snd_cwnd);
    h->expires = tp->t_rcvtime + tcp->cfg.hostcache_expire * JR_SEC;
}

void jr_hostcache_apply(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_tcp *tcp = tp->tcp;
    if (!tcp->cfg.hostcache_enable || tcp->hostcache == NULL)
        return;
    const struct host *h = find(tcp->hostcache, bucket_of(tcp, tcp->hostcache, tp->faddr), tp->faddr, now);
    if (h == NULL)
        return;
    if (tp->t_srtt == 0 && h->srtt != 0) {
        jr_tcp_count_c(tp, JR_C_TCP_USED_RTT);
        tp->t_srtt = h->srtt;
        tp->t_rttvar = h->rttvar != 0 ? h->rttvar : h->srtt / 2;
        jr_tcp_set_rxtcur(tp, 0);
    }
    if (h->ssthresh != 0) {
        jr_tcp_count_c(tp, JR_C_TCP_USED_SSTHRESH);
        tp->snd_ssthresh = jr_max_u32(2 * tp->t_maxseg, h->ssthresh);
    }
}
