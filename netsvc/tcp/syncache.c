/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SYN cache; see syncache.h. Entries hang in a table keyed like the connections', few to a bucket: when one is
 * full its oldest entry goes, and lives on in the cookie that its SYN|ACK carried. Retransmission of the SYN|ACK: 1, 2,
 * 4 s and FreeBSD's slop, then the entry is dropped.
 */
#include "tcp/syncache.h"

#include <stdlib.h>

#include "tcp/ecn.h"
#include "tcp/fastopen.h"
#include "tcp/input.h"
#include "tcp/isn.h"
#include "tcp/md5sig.h"
#include "tcp/mss.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/state.h"
#include "tcp/syncookie.h"
#include "tcp/timer.h"
#include "tcp/uto.h"

struct bucket {
    struct jr_list entries; /* the oldest first */
    uint32_t len;
    jr_time overflow; /* when cookies last stood in for entries; 0: never */
};

struct jr_tcp_syncache {
    uint32_t count, mask;
    struct bucket buckets[];
};

struct jr_tcp_syncache *jr_syncache_new(struct jr_tcp *tcp)
{
    uint32_t n = jr_pow2_ceil(jr_max_u32(tcp->cfg.syncache_hashsize, 1));
    struct jr_tcp_syncache *sc = calloc(1, sizeof *sc + n * sizeof *sc->buckets);
    if (sc == NULL)
        return NULL;
    sc->mask = n - 1;
    for (uint32_t i = 0; i < n; i++)
        jr_list_init(&sc->buckets[i].entries);
    return sc;
}

uint32_t jr_syncache_count(const struct jr_tcp *tcp) { return tcp->syncache->count; }

static struct bucket *bucket_of(const struct jr_tcp *tcp, uint32_t hash)
{
    return &tcp->syncache->buckets[hash & tcp->syncache->mask];
}

static struct jr_sc_entry *find(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                                uint16_t fport)
{
    uint32_t hash = jr_pcb_hash(tcp, laddr, lport, faddr, fport);
    JR_LIST_EACH(it, &bucket_of(tcp, hash)->entries) {
        struct jr_sc_entry *e = JR_LIST_ENTRY(it, struct jr_sc_entry, link);
        if (e->hash == hash && e->lport == lport && e->fport == fport && jr_addr_eq(e->faddr, faddr) &&
            jr_addr_eq(e->laddr, laddr))
            return e;
    }
    return NULL;
}

static struct jr_sc_entry *find_seg(const struct jr_tcp *tcp, const struct jr_tcp_seg *seg)
{
    return find(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
}

static void drop(struct jr_tcp *tcp, struct jr_sc_entry *e)
{
    bucket_of(tcp, e->hash)->len--;
    jr_list_del(&e->link);
    jr_wheel_cancel(&tcp->wheel, &e->timer);
    e->listener->listener->half--;
    tcp->syncache->count--;
    free(e);
}

/* Of one listener, or of all (NULL). */
static void drop_all(struct jr_tcp *tcp, const struct jr_tcpcb *listener)
{
    for (uint32_t i = 0; i <= tcp->syncache->mask; i++)
        JR_LIST_EACH_SAFE(it, &tcp->syncache->buckets[i].entries) {
            struct jr_sc_entry *e = JR_LIST_ENTRY(it, struct jr_sc_entry, link);
            if (listener == NULL || e->listener == listener)
                drop(tcp, e);
        }
}

void jr_syncache_free(struct jr_tcp *tcp)
{
    if (tcp->syncache == NULL)
        return;
    drop_all(tcp, NULL);
    free(tcp->syncache);
    tcp->syncache = NULL;
}

void jr_syncache_forget(struct jr_tcpcb *listener)
{
    if (listener->listener->half != 0)
        drop_all(listener->tcp, listener);
}

/* fo: has the Fast Open cookie that the SYN|ACK gives; NULL: none. */
static void answer(struct jr_tcp *tcp, const struct jr_sc_entry *e, const struct jr_tcp_opts *fo, jr_time now)
{
    struct jr_ip_route rt = {0};
    struct jr_tcp_bare b = {.local = {e->laddr, e->lport},
                            .remote = {e->faddr, e->fport},
                            .seq = e->iss,
                            .ack = jr_seq_add(e->irs, 1),
                            .flags = TH_SYN | TH_ACK,
                            .tos = jr_tcp_tos(e->listener, e->faddr),
                            .ttl = jr_tcp_ttl(e->listener, e->faddr),
                            .no_df = jr_tcp_no_df(e->listener, e->faddr),
                            .md5 = jr_md5sig_key(e->listener, e->faddr),
                            .win = e->win};
    const struct jr_ecn_bits ecn = jr_ecn_syncache_respond(tcp, e->ecn);
    b.flags |= ecn.flags;
    b.ae = ecn.ae;
    b.tos |= ecn.ip;
    uint32_t mtu = jr_ip_route(tcp->ip, e->faddr, &rt) ? rt.mtu : 1280;
    b.opts.flags = e->listener->t_flags2 & TF2_NOOPT ? 0 : TOF_MSS;
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
    if (e->listener->t_flags2 & TF2_UTO_SET)
        jr_uto_option(e->listener, TH_SYN, &b.opts);
    if (fo != NULL && (fo->flags & TOF_FASTOPEN)) {
        b.opts.flags |= TOF_FASTOPEN;
        b.opts.cookie_len = fo->cookie_len;
        memcpy(b.opts.cookie, fo->cookie, fo->cookie_len);
    }
    jr_tcp_send_bare(tcp, &b, now);
}

void jr_sc_fill(struct jr_sc_entry *e, struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const struct jr_tcp_opts *o)
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
    if (l->rcv_space != 0)
        e->win = (uint16_t)jr_min_u32(e->win, l->rcv_space);
    if (l->rcv_clamp != 0)
        e->win = (uint16_t)jr_min_u32(e->win, l->rcv_clamp);
    e->mss = o->flags & TOF_MSS ? o->mss : (uint16_t)jr_tcp_mss_default(&tcp->cfg, e->faddr);
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
    e->uto = o->flags & TOF_UTO ? o->uto : 0;
}

static void start_timer(struct jr_tcp *tcp, struct jr_sc_entry *e, jr_time now)
{
    const struct jr_tcp_config *cfg = &tcp->cfg;
    uint64_t ms = (uint64_t)cfg->rexmit_initial << e->rexmits;
    if (e->rexmits != 0)
        ms += cfg->rexmit_slop;
    jr_wheel_arm(&tcp->wheel, &e->timer, now + jr_min_u64(ms * JR_MS, JR_TCP_REXMTMAX_US));
}

/* The same SYN again: its SYN|ACK was lost, perhaps. */
static void on_known_syn(struct jr_tcp *tcp, struct jr_sc_entry *e, const struct jr_tcp_opts *o, jr_time now)
{
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_DUPSYN);
    if (o->flags & TOF_TS)
        e->ts_recent = o->tsval;
    else
        e->flags &= (uint8_t)~SC_TS;
    if (e->rexmits != 0) /* perhaps it was ECN that the SYN|ACK was lost for */
        e->ecn = 0;
    answer(tcp, e, NULL, now);
    e->rexmits = 0;
    start_timer(tcp, e, now);
}

/* NULL: only a cookie can answer. */
static struct jr_sc_entry *make_room(struct jr_tcp *tcp, struct bucket *b, jr_time now)
{
    const struct jr_tcp_config *cfg = &tcp->cfg;
    if (cfg->syncookies && cfg->syncookies_only)
        return NULL;
    if (b->len >= cfg->syncache_bucketlimit || tcp->syncache->count >= cfg->syncache_cachelimit) {
        jr_count(tcp->counters, JR_C_TCP_SYNCACHE_FULL);
        b->overflow = now;
        struct jr_list *oldest = jr_list_first(&b->entries);
        if (oldest == NULL)
            return NULL;
        drop(tcp, JR_LIST_ENTRY(oldest, struct jr_sc_entry, link));
    }
    return calloc(1, sizeof(struct jr_sc_entry));
}

static void enter(struct jr_tcp *tcp, struct bucket *b, struct jr_sc_entry *e, jr_time now)
{
    jr_list_push_tail(&b->entries, &e->link);
    b->len++;
    tcp->syncache->count++;
    e->listener->listener->half++;
    e->sent = now;
    e->timer.kind = JR_TIMER_SYNCACHE;
    start_timer(tcp, e, now);
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_ADDED);
}

/* Every ISN is a cookie while those are on: which entry will have to go, nobody knows yet. */
static void choose_iss(struct jr_tcp *tcp, struct jr_sc_entry *e, const jr_seq *floor, jr_time now)
{
    if (tcp->cfg.syncookies && floor == NULL) {
        e->iss = jr_syncookie_make(tcp, e, now);
        return;
    }
    e->iss = jr_tcp_new_isn(tcp, e->laddr, e->lport, e->faddr, e->fport, now);
    if (floor != NULL && jr_seq_leq(e->iss, *floor))
        e->iss = jr_seq_add(*floor, 64000 + jr_rng_below(&tcp->rng, 64000));
}

void jr_syncache_timeout(struct jr_tcp *tcp, struct jr_timer *t, jr_time now)
{
    struct jr_sc_entry *e = JR_CONTAINER_OF(t, struct jr_sc_entry, timer);
    if (e->rexmits >= tcp->cfg.syncache_rexmtlimit) {
        jr_count(tcp->counters, JR_C_TCP_SYNCACHE_STALE);
        drop(tcp, e);
        return;
    }
    e->rexmits++;
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_REXMIT);
    answer(tcp, e, NULL, now);
    start_timer(tcp, e, now);
}

static void inherit(struct jr_tcpcb *tp, struct jr_tcpcb *l)
{
    const uint32_t flags = TF_NODELAY | TF_KEEPALIVE | TF_REUSEADDR | TF_REUSEPORT | TF_CORK;
    tp->parent = l;
    tp->so = l->so;
    tp->up = l->up;
    tp->t_flags = l->t_flags & flags;
    tp->keepinit = l->keepinit;
    tp->keepidle = l->keepidle;
    tp->keepintvl = l->keepintvl;
    tp->keepcnt = l->keepcnt;
    tp->syncnt = l->syncnt;
    tp->user_timeout = l->user_timeout;
    tp->t_flags2 |= l->t_flags2 & (TF2_UTO_SET | TF2_UTO_DUE);
    tp->linger2 = l->linger2;
    tp->rcv_clamp = l->rcv_clamp;
    tp->rcv_space = l->rcv_space;
    memcpy(tp->tos, l->tos, sizeof tp->tos);
    tp->pmtudisc = l->pmtudisc;
    tp->pmtudisc6 = l->pmtudisc6;
    memcpy(tp->ttl, l->ttl, sizeof tp->ttl);
    memcpy(tp->minttl, l->minttl, sizeof tp->minttl);
    tp->cc = l->cc;
    tp->max_pacing_rate = l->max_pacing_rate;
    tp->t_usermss = l->t_usermss;
    tp->t_flags2 |= l->t_flags2 & TF2_NOOPT;
}

/* A tcpcb in SYN_RECEIVED, as if it had sent the SYN|ACK itself. */
static struct jr_tcpcb *make_connection(const struct jr_sc_entry *e, jr_time now)
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
    jr_ecn_syncache_socket(tp, e->ecn);
    tp->t_peermss = e->mss;
    tp->iss = e->iss;
    tp->irs = e->irs;
    tp->snd_una = tp->snd_up = tp->snd_sml = tp->snd_recover = tp->iss;
    tp->snd_nxt = tp->snd_max = tp->snd_sb_seq = jr_seq_add(tp->iss, 1);
    tp->rcv_nxt = tp->last_ack_sent = jr_seq_add(tp->irs, 1);
    jr_uto_input(tp, e->uto);
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
    if (!jr_md5sig_inherit(tp, l) || !jr_tcp_route(tp) || !jr_pcb_insert(tp)) {
        jr_tcp_pcb_free(tp);
        return NULL;
    }
    jr_tcp_mss_update(tp);
    return tp;
}

/* RFC 7413 4.2: the SYN's cookie proves the peer's address, so its data is delivered. The SYN|ACK waits a little for
 * the program's answer. false: the usual way must do. */
static bool open_at_once(struct jr_sc_entry *e, struct jr_tcp_seg *seg, const struct jr_tcp_opts *o,
                         const jr_seq *iss_floor, jr_time now)
{
    struct jr_tcpcb *l = e->listener;
    struct jr_tcp *tcp = l->tcp;
    if (l->listener->len > l->listener->backlog)
        return false;
    choose_iss(tcp, e, iss_floor, now);
    struct jr_tcpcb *tp = make_connection(e, now);
    if (tp == NULL)
        return false;
    tp->snd_nxt = tp->snd_max = tp->iss;
    if (!jr_fastopen_accept(tp, o)) {
        jr_tcp_pcb_free(tp);
        return false;
    }
    if (seg->len != 0)
        tp->t_flags2 |= TF2_FO_SYN_DATA;
    l->listener->len++;
    jr_list_push_tail(&l->listener->queue, &tp->link);
    jr_tcp_event(l, JR_TCP_EV_ACCEPT);
    jr_tcp_start_keep(tp, now);
    seg->seq = tp->rcv_nxt;
    jr_tcp_keep_early_data(tp, seg);
    if (tp->reass != NULL) {
        jr_tcp_early_data(tp, now);
        tp->t_flags = (tp->t_flags & ~(uint32_t)(TF_ACKNOW | TF_OUTPUT)) | TF_DELACK;
        jr_tcp_timer_set(tp, TT_DELACK, now + tcp->cfg.delacktime * JR_MS);
    } else {
        jr_tcp_ack_now(tp);
    }
    return true;
}

void jr_syncache_add(struct jr_tcpcb *l, struct jr_tcp_seg *seg, const jr_seq *iss_floor, jr_time now)
{
    struct jr_tcp *tcp = l->tcp;
    struct jr_tcp_opts o;
    if (!jr_tcp_parse_opts(jr_pkt_data(seg->pkt) + JR_TCP_HLEN, seg->hdr.hlen - JR_TCP_HLEN, true, &o))
        jr_count(tcp->counters, JR_C_TCP_BAD_OPTIONS);
    struct jr_sc_entry only = {0}, *e = find_seg(tcp, seg);
    if (e != NULL && jr_seq_eq(e->irs, seg->seq)) {
        on_known_syn(tcp, e, &o, now);
        return;
    }
    if (seg->rx->loop && l->listener->len > l->listener->backlog) {
        jr_count(tcp->counters, JR_C_TCP_LISTEN_OVERFLOW);
        return;
    }
    if (e != NULL) /* 3.10.7.4 fourth, SYN-RECEIVED after a passive open: back to LISTEN */
        drop(tcp, e);
    jr_sc_fill(&only, l, seg, &o);
    if (jr_fastopen_check(l, seg, &o, now) == JR_FASTOPEN_ACCEPTED && open_at_once(&only, seg, &o, iss_floor, now))
        return;
    struct bucket *b = bucket_of(tcp, only.hash);
    e = make_room(tcp, b, now);
    if (e == NULL && !tcp->cfg.syncookies)
        return;
    choose_iss(tcp, &only, e != NULL ? iss_floor : NULL, now);
    if (e != NULL) {
        *e = only;
        e->ecn = jr_ecn_syncache_add(l, seg);
        enter(tcp, b, e, now);
    } else {
        b->overflow = now;
        jr_count(tcp->counters, JR_C_TCP_COOKIE_SENT);
    }
    answer(tcp, e != NULL ? e : &only, &o, now);
}

static bool in_window(const struct jr_sc_entry *e, jr_seq seq)
{
    int32_t at = jr_seq_diff(seq, e->irs);
    return at > 0 && at <= (int32_t)jr_max_u32(e->win, 1);
}

/* RFC 5961: an ACK that makes an impostor's segment harmless and lets an honest peer say it again. */
static void challenge(struct jr_tcp *tcp, struct jr_sc_entry *e, jr_time now)
{
    if (e->challenges >= tcp->cfg.ack_war_cnt) {
        jr_count(tcp->counters, JR_C_TCP_CHALLENGE_LIMITED);
        return;
    }
    e->challenges++;
    jr_count(tcp->counters, JR_C_TCP_CHALLENGE_ACK);
    struct jr_tcp_bare b = {.local = {e->laddr, e->lport},
                            .remote = {e->faddr, e->fport},
                            .seq = jr_seq_add(e->iss, 1),
                            .ack = jr_seq_add(e->irs, 1),
                            .flags = TH_ACK,
                            .tos = jr_tcp_tos(e->listener, e->faddr),
                            .ttl = jr_tcp_ttl(e->listener, e->faddr),
                            .no_df = jr_tcp_no_df(e->listener, e->faddr),
                            .md5 = jr_md5sig_key(e->listener, e->faddr),
                            .win = (uint16_t)(e->flags & SC_SCALE ? e->win >> jr_tcp_wanted_scale(&tcp->cfg) : e->win)};
    if (e->flags & SC_TS) {
        b.opts.flags = TOF_TS;
        b.opts.tsval = jr_tcp_ts(e->ts_offset, now);
        b.opts.tsecr = e->ts_recent;
    }
    jr_tcp_send_bare(tcp, &b, now);
}

/* RFC 7323 3.2 and 5: a segment without the timestamp that was agreed on, or with an old one, is dropped. */
static bool timestamp_ok(struct jr_tcp *tcp, const struct jr_sc_entry *e, const struct jr_tcp_seg *seg)
{
    struct jr_tcp_opts o;
    if (!(e->flags & SC_TS))
        return true;
    (void)jr_tcp_parse_opts(jr_pkt_data(seg->pkt) + JR_TCP_HLEN, seg->hdr.hlen - JR_TCP_HLEN, false, &o);
    if (o.flags & TOF_TS ? !jr_ts_lt(o.tsval, e->ts_recent) : tcp->cfg.tolerate_missing_ts)
        return true;
    jr_count(tcp->counters, o.flags & TOF_TS ? JR_C_TCP_PAWS : JR_C_TCP_TS_MISSING);
    return false;
}

static struct jr_sc_entry *from_cookie(struct jr_tcpcb *l, const struct jr_tcp_seg *seg, struct jr_sc_entry *e,
                                       jr_time now)
{
    struct jr_tcp *tcp = l->tcp;
    uint32_t hash = jr_pcb_hash(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
    const struct bucket *b = bucket_of(tcp, hash);
    if (!tcp->cfg.syncookies || b->overflow == 0 || now - b->overflow > 2 * JR_SYNCOOKIE_EPOCH)
        return NULL;
    struct jr_tcp_opts o;
    (void)jr_tcp_parse_opts(jr_pkt_data(seg->pkt) + JR_TCP_HLEN, seg->hdr.hlen - JR_TCP_HLEN, false, &o);
    memset(e, 0, sizeof *e);
    if (!jr_syncookie_read(l, seg, &o, e, now)) {
        jr_count(tcp->counters, JR_C_TCP_COOKIE_BAD);
        return NULL;
    }
    jr_count(tcp->counters, JR_C_TCP_COOKIE_GOOD);
    return e;
}

/*
 * NULL: the accept queue or memory is full. FreeBSD lets one and a half times the backlog wait and resets what comes
 * then; programs of this host get what their kernel would do, which lets one more than the backlog wait and is silent.
 */
static struct jr_tcpcb *complete(struct jr_tcp *tcp, const struct jr_sc_entry *e, const struct jr_tcp_seg *seg,
                                 bool *refused, jr_time now)
{
    const struct jr_tcp_listener *q = e->listener->listener;
    struct jr_tcpcb *tp = NULL;
    if (q->len > q->backlog + (seg->rx->loop ? 0 : q->backlog / 2)) {
        jr_count(tcp->counters, JR_C_TCP_LISTEN_OVERFLOW);
    } else {
        tp = make_connection(e, now);
        if (tp == NULL)
            jr_count(tcp->counters, JR_C_TCP_NOMEM);
    }
    *refused = tp == NULL && tcp->cfg.syncache_rst_on_sock_fail && !seg->rx->loop;
    if (*refused)
        jr_tcp_respond_rst(tcp, seg, true, now);
    return tp;
}

struct jr_tcpcb *jr_syncache_expand(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, jr_time now)
{
    struct jr_sc_entry cookie, *found = find_seg(tcp, seg), *e = found;
    struct jr_tcpcb *l = found != NULL
                             ? found->listener
                             : jr_pcb_lookup_listen(tcp, seg->rx->dst, seg->hdr.dport, seg->rx->src, seg->hdr.sport);
    if (e == NULL && l != NULL)
        e = from_cookie(l, seg, &cookie, now);
    if (e == NULL || !jr_seq_eq(seg->ack, jr_seq_add(e->iss, 1))) {
        jr_count(tcp->counters, e == NULL ? JR_C_TCP_NOPORT : JR_C_TCP_SYNCACHE_BADACK);
        bool quiet = e == NULL && jr_ip_is_kernels(tcp->ip, seg->rx);
        if (!quiet && !jr_tcp_is_blackhole(tcp, seg, l != NULL))
            jr_tcp_respond_rst(tcp, seg, true, now);
        return NULL;
    }
    if (!timestamp_ok(tcp, e, seg))
        return NULL;
    if (!in_window(e, seg->seq)) {
        jr_count(tcp->counters, JR_C_TCP_SEQ_OUTSIDE);
        challenge(tcp, e, now);
        return NULL;
    }
    if (found != NULL && seg->len == 0 && !(seg->flags & TH_FIN) && now - e->sent < l->defer_accept * JR_SEC) {
        jr_count(tcp->counters, JR_C_TCP_SYNCACHE_DEFERRED); /* tcp(7): the program wants to hear of data only */
        return NULL;
    }
    bool refused;
    struct jr_tcpcb *tp = complete(tcp, e, seg, &refused, now);
    if (found != NULL && (tp != NULL || refused))
        drop(tcp, found);
    return tp;
}

void jr_syncache_on_rst(struct jr_tcp *tcp, const struct jr_tcp_seg *seg, jr_time now)
{
    struct jr_sc_entry *e = find_seg(tcp, seg);
    if (e == NULL || (seg->flags & (TH_ACK | TH_SYN | TH_FIN)) || !in_window(e, seg->seq)) {
        jr_count(tcp->counters, JR_C_TCP_RST_NOCONN);
        return;
    }
    if (!tcp->cfg.insecure_rst && !jr_seq_eq(seg->seq, jr_seq_add(e->irs, 1))) {
        challenge(tcp, e, now);
        return;
    }
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_RST);
    drop(tcp, e);
}

void jr_syncache_unreach(struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr, uint16_t fport,
                         jr_seq seq)
{
    struct jr_sc_entry *e = find(tcp, laddr, lport, faddr, fport);
    if (e == NULL || !jr_seq_eq(seq, e->iss) || e->rexmits < 3) /* as FreeBSD: the error may be passing */
        return;
    jr_count(tcp->counters, JR_C_TCP_SYNCACHE_UNREACH);
    drop(tcp, e);
}
