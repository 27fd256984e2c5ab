/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SYN cache; see syncache.h. Entries hang in a table keyed like the connections' and in one list by age:
 * when there is no room the SYN is answered with a cookie and nothing is remembered (or, without cookies, the
 * oldest entry goes). Retransmission of the SYN|ACK: 1, 2, 4 s, then the entry is dropped.
 *
 * A cookie is our ISN: 24 bits of a keyed hash over four-tuple, peer's ISN and a 16-second epoch; then, crossed
 * with eight more bits of it: three bits MSS, three bits window shift, SACK permitted, and the epoch's last bit.
 */
#include "tcp/syncache.h"

#include <stdlib.h>

#include "tcp/input.h"
#include "tcp/isn.h"
#include "tcp/mss.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/state.h"
#include "tcp/timer.h"

#define BUCKETS 4096u
#define COOKIE_EPOCH (16 * JR_SEC)

enum { /* entry.flags */
       SC_SCALE = 1u << 0,
       SC_TS = 1u << 1,
       SC_SACK = 1u << 2,
};

struct entry {
    struct entry *next;
    uint32_t hash;
    uint16_t lport, fport;
    struct jr_addr laddr, faddr;
    struct jr_tcpcb *listener;
    struct jr_list age;
    struct jr_timer timer;
    jr_time sent; /* when the SYN|ACK first left */
    jr_seq iss, irs;
    uint32_t ts_recent, ts_offset;
    uint16_t wnd, win; /* the peer's window, ours */
    uint16_t mss;      /* the peer's option */
    uint8_t wscale, flags, rexmits, tos;
};

struct jr_tcp_syncache {
    struct entry *buckets[BUCKETS];
    struct jr_list by_age;
    uint32_t count;
    jr_time last_cookie; /* when one was sent; 0: never */
};

static const uint16_t cookie_mss[8] = {216, 536, 1200, 1360, 1400, 1440, 1452, 1460};
static const uint8_t cookie_scale[8] = {0 /* none */, 0, 1, 2, 4, 6, 7, 8};

struct jr_tcp_syncache *jr_syncache_new(struct jr_tcp *tcp)
{
    (void)tcp;
    struct jr_tcp_syncache *sc = calloc(1, sizeof *sc);
    if (sc != NULL)
        jr_list_init(&sc->by_age);
    return sc;
}

uint32_t jr_syncache_count(const struct jr_tcp *tcp) { return tcp->syncache->count; }

static struct entry *find(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                          uint16_t fport)
{
    uint32_t hash = jr_pcb_hash(tcp, laddr, lport, faddr, fport);
    struct entry *e = tcp->syncache->buckets[hash % BUCKETS];
    while (e != NULL && (e->hash != hash || e->lport != lport || e->fport != fport || !jr_addr_eq(e->faddr, faddr) ||
                         !jr_addr_eq(e->laddr, laddr)))
        e = e->next;
    return e;
}

static struct entry *find_seg(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg)
{
    return find(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
}

static void drop(struct jr_tcp *tcp, struct entry *e)
{
    struct entry **p = &tcp->syncache->buckets[e->hash % BUCKETS];
    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    jr_wheel_cancel(&tcp->wheel, &e->timer);
    jr_list_del(&e->age);
    e->listener->listener->half--;
    tcp->syncache->count--;
    free(e);
}

void jr_syncache_free(struct jr_tcp *tcp)
{
    struct jr_list *l;
    while (tcp->syncache != NULL && (l = jr_list_first(&tcp->syncache->by_age)) != NULL)
        drop(tcp, JR_LIST_ENTRY(l, struct entry, age));
    free(tcp->syncache);
    tcp->syncache = NULL;
}

void jr_syncache_forget(struct jr_tcpcb *listener)
{
    struct jr_tcp *tcp = listener->tcp;
    JR_LIST_EACH_SAFE(it, &tcp->syncache->by_age) {
        struct entry *e = JR_LIST_ENTRY(it, struct entry, age);
        if (e->listener == listener)
            drop(tcp, e);
    }
}

static void answer(struct jr_tcp *tcp, const struct entry *e, jr_time now)
{
    struct jr_ip_route rt = {0};
    struct jr_tcp_bare b = {.local = {e->laddr, e->lport},
                            .remote = {e->faddr, e->fport},
                            .seq = e->iss,
                            .ack = jr_seq_add(e->irs, 1),
                            .flags = TH_SYN | TH_ACK,
                            .tos = e->tos,
                            .win = e->win};
    uint32_t mtu = jr_ip_route(tcp->ip, e->faddr, &rt) ? rt.mtu : 1280;
    b.opts.flags = TOF_MSS;
    b.opts.mss = jr_tcp_mss_offer(tcp, e->faddr, mtu);
    if (e->listener->t_usermss != 0)
        b.opts.mss = (uint16_t)jr_min_u32(b.opts.mss, e->listener->t_usermss);
    if (e->flags & SC_SCALE) {
        b.opts.flags |= TOF_SCALE;
        b.opts.wscale = jr_tcp_wanted_scale(&tcp->cfg);
    }
    if (e->flags & SC_SACK)
        b.opts.flags |= TOF_SACKPERM;
    if (e->flags & SC_TS) {
        b.opts.flags |= TOF_TS;
        b.opts.tsval = jr_tcp_ts(e->ts_offset, now);
        b.opts.tsecr = e->ts_recent;
    }
    jr_tcp_send_bare(tcp, &b, now);
}

/* What the SYN offers and the listener wants, too. */
static void fill(struct entry *e, struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const struct jr_tcp_opts *o)
{
    const struct jr_tcp *tcp = l->tcp;
    e->listener = l;
    e->laddr = seg->rx->dst;
    e->faddr = seg->rx->src;
    e->lport = seg->hdr.dport;
    e->fport = seg->hdr.sport;
    e->hash = jr_pcb_hash(tcp, e->laddr, e->lport, e->faddr, e->fport);
    e->irs = seg->seq;
    e->wnd = seg->hdr.win;
    e->win = (uint16_t)jr_min_u32(tcp->cfg.recvspace, JR_TCP_MAXWIN);
    if (l->rcv_clamp != 0)
        e->win = (uint16_t)jr_min_u32(e->win, l->rcv_clamp);
    e->tos = l->tos;
    e->mss = o->flags & TOF_MSS ? o->mss : (uint16_t)tcp->cfg.mssdflt;
    if ((o->flags & TOF_SCALE) && (l->t_flags & TF_REQ_SCALE)) {
        e->flags |= SC_SCALE;
        e->wscale = o->wscale;
    }
    if ((o->flags & TOF_TS) && (l->t_flags & TF_REQ_TSTMP)) {
        e->flags |= SC_TS;
        e->ts_recent = o->tsval;
        e->ts_offset = jr_tcp_ts_offset(tcp, e->laddr, e->faddr);
    }
    if ((o->flags & TOF_SACKPERM) && (l->t_flags & TF_SACK_PERMIT))
        e->flags |= SC_SACK;
}

static jr_seq make_cookie(const struct jr_tcp *tcp, const struct entry *e, jr_time now)
{
    uint32_t epoch = (uint32_t)(now / COOKIE_EPOCH), m = 7, s = 0;
    uint64_t h = jr_tcp_cookie_hash(tcp, e->laddr, e->lport, e->faddr, e->fport, e->irs.v, epoch);
    while (m > 0 && cookie_mss[m] > e->mss)
        m--;
    if (e->flags & SC_SCALE)
        for (s = 7; s > 1 && cookie_scale[s] > e->wscale; s--)
            ;
    uint32_t bits = m << 5 | s << 2 | (e->flags & SC_SACK ? 2u : 0u) | (epoch & 1);
    return jr_seq_of((uint32_t)(h >> 8) << 8 | ((bits ^ (uint32_t)(h & 0xfe)) & 0xff));
}

/* Fills e from a cookie that comes back in an ACK; false: it is none of ours, or too old. */
static bool read_cookie(struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const struct jr_tcp_opts *o, struct entry *e,
                        jr_time now)
{
    const struct jr_tcp *tcp = l->tcp;
    uint32_t cookie = seg->ack.v - 1, epoch = (uint32_t)(now / COOKIE_EPOCH);
    if ((epoch ^ cookie) & 1)
        epoch--;
    fill(e, l, seg, o);
    e->irs = jr_seq_sub(seg->seq, 1);
    e->iss = jr_seq_of(cookie);
    uint64_t h = jr_tcp_cookie_hash(tcp, e->laddr, e->lport, e->faddr, e->fport, e->irs.v, epoch);
    if (((uint32_t)(h >> 8) << 8) != (cookie & ~0xffu))
        return false;
    uint32_t bits = (cookie ^ (uint32_t)(h & 0xfe)) & 0xff;
    e->mss = cookie_mss[bits >> 5];
    e->flags &= SC_TS; /* the ACK's own timestamp tells that they are in use */
    if (bits >> 2 & 7) {
        e->flags |= SC_SCALE;
        e->wscale = cookie_scale[bits >> 2 & 7];
    }
    if (bits & 2)
        e->flags |= SC_SACK;
    return true;
}

/* The same SYN again: its SYN|ACK was lost, perhaps. */
static void on_known_syn(struct jr_tcp *tcp, struct entry *e, const struct jr_tcp_opts *o, jr_time now)
{
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_DUPSYN);
    if (o->flags & TOF_TS)
        e->ts_recent = o->tsval;
    answer(tcp, e, now);
}

static struct entry *make_room(struct jr_tcp *tcp)
{
    struct jr_tcp_syncache *sc = tcp->syncache;
    if (sc->count >= tcp->cfg.syncache_cachelimit) {
        jr_count(tcp->counters, JR_C_TCP_SYNCACHE_FULL);
        struct jr_list *oldest = jr_list_first(&sc->by_age);
        if (tcp->cfg.syncookies || oldest == NULL)
            return NULL;
        drop(tcp, JR_LIST_ENTRY(oldest, struct entry, age));
    }
    return calloc(1, sizeof(struct entry));
}

static void enter(struct jr_tcp *tcp, struct entry *e, jr_time now)
{
    struct jr_tcp_syncache *sc = tcp->syncache;
    struct entry **b = &sc->buckets[e->hash % BUCKETS];
    e->next = *b;
    *b = e;
    jr_list_push_tail(&sc->by_age, &e->age);
    sc->count++;
    e->listener->listener->half++;
    e->sent = now;
    e->timer.kind = JR_TIMER_SYNCACHE;
    jr_wheel_arm(&tcp->wheel, &e->timer, now + tcp->cfg.rexmit_initial * JR_MS);
}

void jr_syncache_add(struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const jr_seq *iss_floor, jr_time now)
{
    struct jr_tcp *tcp = l->tcp;
    struct jr_tcp_opts o;
    if (!jr_tcp_parse_opts(jr_pkt_data(seg->pkt) + JR_TCP_HLEN, seg->hdr.hlen - JR_TCP_HLEN, true, &o))
        jr_count(tcp->counters, JR_C_TCP_BAD_OPTIONS);
    struct entry *e = find_seg(tcp, seg);
    if (e != NULL && jr_seq_eq(e->irs, seg->seq)) {
        on_known_syn(tcp, e, &o, now);
        return;
    }
    if (e != NULL) /* 3.10.7.4 fourth, SYN-RECEIVED after a passive open: back to LISTEN */
        drop(tcp, e);
    if (l->listener->len > l->listener->backlog) {
        jr_count(tcp->counters, JR_C_TCP_LISTEN_OVERFLOW);
        return;
    }
    struct entry cookie = {0};
    e = make_room(tcp);
    if (e == NULL && !tcp->cfg.syncookies)
        return;
    struct entry *use = e != NULL ? e : &cookie;
    fill(use, l, seg, &o);
    if (e == NULL) {
        use->iss = make_cookie(tcp, use, now);
        tcp->syncache->last_cookie = now;
        jr_count(tcp->counters, JR_C_TCP_COOKIE_SENT);
    } else {
        use->iss = jr_tcp_new_isn(tcp, use->laddr, use->lport, use->faddr, use->fport, now);
        if (iss_floor != NULL && jr_seq_leq(use->iss, *iss_floor))
            use->iss = jr_seq_add(*iss_floor, 64000 + jr_rng_below(&tcp->rng, 64000));
        enter(tcp, e, now);
        jr_count(tcp->counters, JR_C_TCP_SYNCACHE_ADDED);
    }
    answer(tcp, use, now);
}

void jr_syncache_timeout(struct jr_tcp *tcp, struct jr_timer *t, jr_time now)
{
    struct entry *e = JR_CONTAINER_OF(t, struct entry, timer);
    if (e->rexmits >= tcp->cfg.syncache_rexmtlimit) {
        jr_count(tcp->counters, JR_C_TCP_SYNCACHE_STALE);
        drop(tcp, e);
        return;
    }
    e->rexmits++;
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_REXMIT);
    answer(tcp, e, now);
    jr_wheel_arm(&tcp->wheel, &e->timer, now + ((uint64_t)tcp->cfg.rexmit_initial << e->rexmits) * JR_MS);
}

static void inherit(struct jr_tcpcb *tp, struct jr_tcpcb *l)
{
    const uint32_t flags = TF_NODELAY | TF_KEEPALIVE | TF_REUSEADDR | TF_REUSEPORT | TF_CORK;
    tp->parent = l;
    tp->so = l->so;
    tp->up = l->up;
    tp->t_flags = l->t_flags & flags;
    tp->keepidle = l->keepidle;
    tp->keepintvl = l->keepintvl;
    tp->keepcnt = l->keepcnt;
    tp->user_timeout = l->user_timeout;
    tp->linger2 = l->linger2;
    tp->rcv_clamp = l->rcv_clamp;
    tp->tos = l->tos;
    tp->ttl = l->ttl;
    tp->cc = l->cc;
    tp->t_usermss = l->t_usermss;
}

/* A tcpcb in SYN_RECEIVED, as if it had sent the SYN|ACK itself. */
static struct jr_tcpcb *make_connection(const struct entry *e, jr_time now)
{
    struct jr_tcpcb *l = e->listener, *tp = jr_tcp_pcb_new(l->tcp);
    if (tp == NULL)
        return NULL;
    tp->laddr = e->laddr;
    tp->faddr = e->faddr;
    tp->lport = e->lport;
    tp->fport = e->fport;
    inherit(tp, l);
    tp->t_flags |= (e->flags & SC_SCALE ? TF_REQ_SCALE | TF_RCVD_SCALE : 0) |
                   (e->flags & SC_TS ? TF_REQ_TSTMP | TF_RCVD_TSTMP : 0) | (e->flags & SC_SACK ? TF_SACK_PERMIT : 0);
    tp->t_peermss = e->mss;
    tp->iss = e->iss;
    tp->irs = e->irs;
    tp->snd_una = tp->iss;
    tp->snd_nxt = tp->snd_max = tp->snd_sb_seq = jr_seq_add(tp->iss, 1);
    tp->rcv_nxt = tp->last_ack_sent = jr_seq_add(tp->irs, 1);
    tp->rcv_adv = jr_seq_add(tp->rcv_nxt, e->win);
    tp->snd_wnd = e->wnd;
    tp->snd_wl1 = tp->irs;
    tp->ts_recent = e->ts_recent;
    tp->ts_recent_age = now;
    tp->ts_offset = e->flags & SC_TS ? e->ts_offset : 0;
    if (e->flags & SC_SCALE) {
        tp->snd_scale = e->wscale;
        tp->rcv_scale = jr_tcp_wanted_scale(&l->tcp->cfg);
    }
    tp->t_rxtshift = e->rexmits;
    if (e->sent != 0) {
        tp->t_flags |= TF_RTTVALID;
        tp->t_rtttime = e->sent;
        tp->t_rtseq = tp->iss;
    }
    jr_tcp_move(tp, TCPS_SYN_RECEIVED);
    tp->t_rcvtime = now;
    if (!jr_tcp_route(tp) || !jr_pcb_insert(tp)) {
        jr_tcp_pcb_free(tp);
        return NULL;
    }
    jr_tcp_mss_update(tp);
    return tp;
}

/* RFC 9293 3.10.7.4 for SYN-RECEIVED, first and fifth. */
static bool completes(const struct entry *e, const struct jr_tcp_seg *seg)
{
    int32_t at = jr_seq_diff(seg->seq, e->irs);
    return jr_seq_eq(seg->ack, jr_seq_add(e->iss, 1)) && at > 0 && at <= (int32_t)jr_max_u32(e->win, 1);
}

/* RFC 7323 3.2 and 5: a segment without the timestamp that was agreed on, or with an old one, is dropped. */
static bool timestamp_ok(struct jr_tcp *tcp, const struct entry *e, const struct jr_tcp_seg *seg)
{
    struct jr_tcp_opts o;
    if (!(e->flags & SC_TS))
        return true;
    (void)jr_tcp_parse_opts(jr_pkt_data(seg->pkt) + JR_TCP_HLEN, seg->hdr.hlen - JR_TCP_HLEN, false, &o);
    if ((o.flags & TOF_TS) && !jr_ts_lt(o.tsval, e->ts_recent))
        return true;
    jr_count(tcp->counters, o.flags & TOF_TS ? JR_C_TCP_PAWS : JR_C_TCP_TS_MISSING);
    return false;
}

static struct entry *from_cookie(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, struct entry *e, jr_time now)
{
    struct jr_tcp_syncache *sc = tcp->syncache;
    if (sc->last_cookie == 0 || now - sc->last_cookie > 2 * COOKIE_EPOCH)
        return NULL;
    struct jr_tcpcb *l = jr_pcb_lookup_listen(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
    struct jr_tcp_opts o;
    (void)jr_tcp_parse_opts(jr_pkt_data(seg->pkt) + JR_TCP_HLEN, seg->hdr.hlen - JR_TCP_HLEN, false, &o);
    memset(e, 0, sizeof *e);
    if (l == NULL || !read_cookie(l, seg, &o, e, now)) {
        jr_count(tcp->counters, JR_C_TCP_COOKIE_BAD);
        return NULL;
    }
    jr_count(tcp->counters, JR_C_TCP_COOKIE_GOOD);
    return e;
}

struct jr_tcpcb *jr_syncache_expand(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, jr_time now)
{
    struct entry cookie, *found = find_seg(tcp, seg);
    struct entry *e = found != NULL ? found : from_cookie(tcp, seg, &cookie, now);
    if (e == NULL || !completes(e, seg)) {
        jr_count(tcp->counters, e == NULL ? JR_C_TCP_NOPORT : JR_C_TCP_SYNCACHE_BADACK);
        if (tcp->cfg.blackhole < 2 && (e != NULL || !jr_ip_is_shared(tcp->ip)))
            jr_tcp_respond_rst(tcp, seg, true, now);
        return NULL;
    }
    if (!timestamp_ok(tcp, e, seg))
        return NULL;
    if (e->listener->listener->len > e->listener->listener->backlog) {
        jr_count(tcp->counters, JR_C_TCP_LISTEN_OVERFLOW); /* the peer's next segment tries again */
        return NULL;
    }
    struct jr_tcpcb *tp = make_connection(e, now);
    if (tp == NULL)
        jr_count(tcp->counters, JR_C_TCP_NOMEM);
    else if (found != NULL)
        drop(tcp, found);
    return tp;
}

void jr_syncache_on_rst(struct jr_tcp *tcp, const struct jr_tcp_seg *seg)
{
    struct entry *e = find_seg(tcp, seg);
    if (e == NULL || !jr_seq_eq(seg->seq, jr_seq_add(e->irs, 1))) {
        jr_count(tcp->counters, JR_C_TCP_RST_NOCONN);
        return;
    }
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_RST);
    drop(tcp, e);
}

void jr_syncache_unreach(struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr, uint16_t fport,
                         jr_seq seq)
{
    struct entry *e = find(tcp, laddr, lport, faddr, fport);
    if (e == NULL || !jr_seq_eq(seq, e->iss) || e->rexmits < 3) /* as FreeBSD: the error may be passing */
        return;
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_UNREACH);
    drop(tcp, e);
}
