/* SPDX-License-Identifier: BSD-3-Clause */
/* See timewait.h. All records wait equally long, so a queue and one timer for its head do. */
#include "tcp/timewait.h"

#include <stdlib.h>

#include "tcp/ack.h"
#include "tcp/isn.h"
#include "tcp/output.h"
#include "tcp/pcb.h"
#include "tcp/state.h"
#include "tcp/timer.h"

#define HEAD_BYTES offsetof(struct jr_tcpcb, rcv_nxt)

struct jr_tcptw {
    _Alignas(64) uint8_t head[HEAD_BYTES]; /* a tcpcb's, for look-ups */
    struct jr_list link;
    jr_time expires, ack_war_end;
    jr_seq snd_max, rcv_nxt;
    uint32_t ts_recent, ts_offset;
    uint16_t win, ack_war_cnt;
    uint8_t tos, ttl;
};
_Static_assert(sizeof(struct jr_tcptw) == 128, "two cache lines");

struct jr_tw_chunk {
    struct jr_tw_chunk *next;
    struct jr_tcptw tw[63];
};

static struct jr_tcpcb *head_of(struct jr_tcptw *tw) { return (struct jr_tcpcb *)(void *)tw->head; }

/* What a segment in TIME_WAIT leads to; FreeBSD's choice for what has no ACK: a SYN that can't begin a new connection
 * gets no answer, for the RST that an answer provokes would be ignored. */
enum { TW_ACK = 1u << 0, TW_RESTART = 1u << 1, TW_REUSE = 1u << 2 };
static uint32_t judge(const struct jr_tcpcb *head, const struct jr_tcp_seg *seg, jr_seq rcv_nxt, jr_seq snd_max,
                      uint32_t ts_recent)
{
    const bool ts = head->t_flags & TF_RCVD_TSTMP;
    if (seg->flags & TH_RST) { /* RFC 1337 */
        jr_tcp_count_c(head, JR_C_TCP_RST_IN_TIMEWAIT);
        return 0;
    }
    if ((seg->flags & (TH_SYN | TH_ACK)) == TH_SYN) { /* RFC 6191 */
        const bool newer = ts && (seg->opts.flags & TOF_TS)
                               ? jr_ts_lt(ts_recent, seg->opts.tsval) ||
                                     (ts_recent == seg->opts.tsval && jr_seq_gt(seg->seq, rcv_nxt))
                               : jr_seq_gt(seg->seq, rcv_nxt);
        if (newer) {
            jr_tcp_count_c(head, JR_C_TCP_TIMEWAIT_REUSED);
            return TW_REUSE;
        }
    }
    if (!(seg->flags & TH_ACK)) {
        jr_tcp_count_c(head, JR_C_TCP_NO_ACK);
        return 0;
    }
    if (ts && !(seg->opts.flags & TOF_TS) && !head->tcp->cfg.tolerate_missing_ts) {
        jr_tcp_count_c(head, JR_C_TCP_TS_MISSING);
        return 0;
    }
    const uint32_t span = seg->len + (seg->flags & TH_SYN ? 1 : 0) + 1;
    const bool plain = seg->flags == TH_ACK && !seg->hdr.ae && seg->len == 0 && jr_seq_eq(seg->seq, rcv_nxt) &&
                       jr_seq_eq(seg->ack, snd_max);
    const bool fin_again = (seg->flags & TH_FIN) && jr_seq_eq(jr_seq_add(seg->seq, span), rcv_nxt);
    return (plain ? 0 : TW_ACK) | (fin_again ? TW_RESTART : 0);
}

bool jr_timewait_input(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    const uint32_t todo = judge(tp, seg, tp->rcv_nxt, tp->snd_max, tp->ts_recent);
    if (todo & TW_REUSE) {
        jr_tcp_dead(tp, 0);
        return false;
    }
    if (todo & TW_RESTART)
        jr_tcp_enter_timewait(tp, now);
    if (todo & TW_ACK)
        jr_tcp_challenge_ack(tp, now);
    return true;
}

static void arm(struct jr_tcp *tcp)
{
    struct jr_list *first = jr_list_first(&tcp->tw_records);
    if (first == NULL)
        jr_wheel_cancel(&tcp->wheel, &tcp->tw_timer);
    else
        jr_wheel_arm(&tcp->wheel, &tcp->tw_timer, JR_LIST_ENTRY(first, struct jr_tcptw, link)->expires);
}

/* Memory goes back when the last record goes. */
static void free_chunks(struct jr_tcp *tcp)
{
    while (tcp->tw_chunks != NULL) {
        struct jr_tw_chunk *c = tcp->tw_chunks;
        tcp->tw_chunks = c->next;
        free(c);
    }
    jr_list_init(&tcp->tw_unused);
}

static struct jr_tcptw *record_new(struct jr_tcp *tcp)
{
    struct jr_list *l = jr_list_pop_head(&tcp->tw_unused);
    if (l == NULL) {
        struct jr_tw_chunk *c = aligned_alloc(_Alignof(struct jr_tw_chunk), sizeof *c);
        if (c == NULL)
            return NULL;
        c->next = tcp->tw_chunks;
        tcp->tw_chunks = c;
        for (size_t i = 1; i < JR_ARRAY_LEN(c->tw); i++)
            jr_list_push_tail(&tcp->tw_unused, &c->tw[i].link);
        l = &c->tw[0].link;
    }
    tcp->tw_record_count++;
    return JR_LIST_ENTRY(l, struct jr_tcptw, link);
}

static void record_drop(struct jr_tcp *tcp, struct jr_tcptw *tw)
{
    jr_pcb_remove(head_of(tw));
    jr_list_del(&tw->link);
    jr_list_push_head(&tcp->tw_unused, &tw->link);
    tcp->tw_count--;
    if (--tcp->tw_record_count == 0)
        free_chunks(tcp);
}

void jr_timewait_compress(struct jr_tcpcb *tp)
{
    struct jr_tcp *tcp = tp->tcp;
    const uint32_t busy = TF_ATTACHED | TF_DIRTY | TF_DEAD | TF_BOUND; /* a bound name is compared by its address */
    if ((tp->t_flags & (busy | TF_ORPHAN | TF_INHASH)) != (TF_ORPHAN | TF_INHASH) || tp->md5_keys != NULL ||
        tp->parent != NULL)
        return;
    struct jr_tcptw *tw = record_new(tcp);
    if (tw == NULL)
        return;
    memcpy(tw->head, tp, HEAD_BYTES);
    head_of(tw)->t_state = JR_TCPS_RECORD;
    tw->expires = tp->t_dl[TT_2MSL];
    tw->ack_war_end = tp->ack_war_end;
    tw->ack_war_cnt = (uint16_t)tp->ack_war_cnt;
    tw->snd_max = tp->snd_max;
    tw->rcv_nxt = tp->rcv_nxt;
    tw->ts_recent = tp->ts_recent;
    tw->ts_offset = tp->ts_offset;
    tw->win = jr_tcp_window_field(tp);
    tw->tos = jr_tcp_tos(tp, tp->faddr);
    tw->ttl = jr_tcp_ttl(tp, tp->faddr);
    jr_pcb_replace(tp, head_of(tw));
    const bool first = jr_list_empty(&tcp->tw_records);
    jr_list_push_tail(&tcp->tw_records, &tw->link);
    if (first)
        arm(tcp);
    jr_tcp_timers_stop(tp);
    jr_tcp_move(tp, TCPS_CLOSED);
    jr_tcp_bury(tp);
}

bool jr_timewait_drop_oldest(struct jr_tcp *tcp)
{
    struct jr_list *first = jr_list_first(&tcp->tw_records);
    if (first == NULL)
        return false;
    record_drop(tcp, JR_LIST_ENTRY(first, struct jr_tcptw, link));
    arm(tcp);
    return true;
}

void jr_timewait_timeout(struct jr_tcp *tcp, jr_time now)
{
    struct jr_list *l;
    while ((l = jr_list_first(&tcp->tw_records)) != NULL && JR_LIST_ENTRY(l, struct jr_tcptw, link)->expires <= now)
        record_drop(tcp, JR_LIST_ENTRY(l, struct jr_tcptw, link));
    arm(tcp);
}

void jr_timewait_free(struct jr_tcp *tcp)
{
    while (jr_timewait_drop_oldest(tcp))
        ;
    free_chunks(tcp);
}

static void answer(struct jr_tcptw *tw, jr_time now)
{
    const struct jr_tcpcb *h = head_of(tw);
    const struct jr_tcp_config *cfg = &h->tcp->cfg;
    if (now >= tw->ack_war_end) {
        tw->ack_war_end = now + cfg->ack_war_timewindow * JR_MS;
        tw->ack_war_cnt = 0;
    }
    if (tw->ack_war_cnt >= cfg->ack_war_cnt) {
        jr_tcp_count_c(h, JR_C_TCP_CHALLENGE_LIMITED);
        return;
    }
    tw->ack_war_cnt++;
    jr_tcp_count_c(h, JR_C_TCP_CHALLENGE_ACK);
    struct jr_tcp_bare b = {.local = {h->laddr, h->lport},
                            .remote = {h->faddr, h->fport},
                            .seq = tw->snd_max,
                            .ack = tw->rcv_nxt,
                            .flags = TH_ACK,
                            .tos = tw->tos,
                            .ttl = tw->ttl,
                            .win = tw->win};
    if (h->t_flags & TF_RCVD_TSTMP) {
        b.opts.flags = TOF_TS;
        b.opts.tsval = jr_tcp_ts(tw->ts_offset, now);
        b.opts.tsecr = tw->ts_recent;
    }
    jr_tcp_send_bare(h->tcp, &b, now);
}

bool jr_timewait_record_input(struct jr_tcpcb *record, struct jr_tcp_seg *seg, jr_seq *floor, jr_time now)
{
    struct jr_tcptw *tw = (struct jr_tcptw *)(void *)record;
    struct jr_tcp *tcp = record->tcp;
    const uint8_t *p = jr_pkt_data(seg->pkt) + JR_TCP_HLEN;
    if (!jr_tcp_parse_opts(p, seg->hdr.hlen - JR_TCP_HLEN, seg->flags & TH_SYN, &seg->opts))
        jr_tcp_count_c(record, JR_C_TCP_BAD_OPTIONS);
    const uint32_t todo = judge(record, seg, tw->rcv_nxt, tw->snd_max, tw->ts_recent);
    if (todo & TW_REUSE) {
        *floor = tw->snd_max;
        record_drop(tcp, tw);
        arm(tcp);
        return false;
    }
    if (todo & TW_ACK)
        answer(tw, now);
    if (todo & TW_RESTART) {
        tw->expires = now + 2ull * tcp->cfg.msl * JR_MS;
        jr_list_del(&tw->link);
        jr_list_push_tail(&tcp->tw_records, &tw->link);
        arm(tcp);
    }
    return true;
}
