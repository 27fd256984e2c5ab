/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides what a connection may send now and sends it. RFC 9293 3.8 and 3.10.2, RFC 5681, RFC 6675 section 5
 * (what goes in recovery), RFC 1122 4.2.3.4 (Nagle, in Minshall's form) and 4.2.3.3 (silly windows).
 *
 * jr_tcp_output() is called at once by: jr_tcp_send() and its kin (the app wrote), jr_tcp_recved() when the
 * window grew by two segments or half the buffer, jr_tcp_shutdown(), jr_tcp_close(), jr_tcp_connect(), an
 * option that lets waiting data go (TCP_NODELAY, uncorking), and every timer but keep and 2msl. A received
 * segment that arrives out of order, is a duplicate, or closes a hole is answered before the next one is read,
 * as is the loss of one of ours; everything else a received segment causes (the ACK of every second segment,
 * data that an ACK or a wider window lets go) waits for jr_tcp_flush() at the end of the burst.
 */
#include "tcp/output.h"

#include "tcp/cc_hystart.h"
#include "tcp/ecn.h"
#include "tcp/fastopen.h"
#include "tcp/isn.h"
#include "tcp/md5sig.h"
#include "tcp/mss.h"
#include "tcp/pace.h"
#include "tcp/reass.h"
#include "tcp/sack.h"
#include "tcp/state.h"
#include "tcp/timer.h"
#include "tcp/tlp.h"
#include "tcp/undo.h"
#include "tcp/uto.h"
#include "wire/cksum.h"

#define TSO_MAX_BYTES 65400u /* of payload in an IP packet with any options of ours */

struct ctx { /* one call of jr_tcp_output() */
    struct jr_tcp_opts opts;
    uint32_t optlen;
    uint32_t maxpay; /* payload of a full segment */
    int64_t room;    /* bytes the congestion window has left */
    bool paced;      /* room is what pacing leaves, less than the window */
    bool tso;
    bool force;   /* small segments may go */
    bool has_win; /* win is jr_tcp_rcv_window()'s: nothing is received in between */
    uint32_t win;
};

struct plan { /* one segment, or several in one TSO packet */
    jr_seq seq;
    uint32_t len;
    uint8_t flags;
    bool rexmit; /* leaves snd_nxt alone */
    bool ae;     /* joins flags when the segment is built */
    bool cut;    /* the congestion window made it shorter */
};

uint32_t jr_tcp_rcv_window(const struct jr_tcpcb *tp)
{
    uint32_t cap = jr_tcp_rcv_hiwat(tp), used = jr_sockbuf_used(tp->rcv), open = jr_tcp_rcv_open(tp);
    uint32_t space = cap > used ? cap - used : 0;
    if (tp->rcv_clamp != 0)
        space = jr_min_u32(space, tp->rcv_clamp);
    if (space < cap / 4 && space < tp->t_maxseg) /* RFC 9293 3.8.6.2.2 */
        space = 0;
    return jr_min_u32(jr_max_u32(space, open), JR_TCP_MAXWIN << tp->rcv_scale);
}

/* The window as the field can tell it: rounded up as far as there is room, lest each segment that arrives would move
 * the right edge back a little (RFC 7323 2.4). */
static uint32_t as_told(const struct jr_tcpcb *tp, uint32_t win)
{
    const uint32_t unit = 1u << tp->rcv_scale, room = tp->rcv->cap;
    const uint64_t up = ((uint64_t)win + unit - 1) / unit * unit;
    const bool fits = up + jr_sockbuf_used(tp->rcv) <= room || (tp->t_flags & TF_DETACHED); /* then nothing will come */
    return fits && up <= (uint64_t)JR_TCP_MAXWIN << tp->rcv_scale ? (uint32_t)up : win & ~(unit - 1);
}

uint16_t jr_tcp_window_field(const struct jr_tcpcb *tp)
{
    return (uint16_t)(as_told(tp, jr_tcp_rcv_window(tp)) >> tp->rcv_scale);
}

bool jr_tcp_window_update_due(const struct jr_tcpcb *tp)
{
    if (tp->t_state < TCPS_ESTABLISHED || jr_tcp_have_rcvd_fin(tp->t_state))
        return false;
    uint32_t win = as_told(tp, jr_tcp_rcv_window(tp));
    uint32_t open = jr_tcp_rcv_open(tp), cap = jr_tcp_rcv_hiwat(tp);
    uint32_t adv = win - jr_min_u32(open, win);
    if (adv == 0)
        return false;
    if (2 * adv >= cap)
        return true;
    if (adv < 2 * tp->t_maxseg)
        return false;
    return adv >= cap / 4 || win <= cap / 8 || cap <= 8 * tp->t_maxseg || (tp->t_flags & TF_RXWIN0SENT);
}

uint32_t jr_tcp_rcv_due_in(const struct jr_tcpcb *tp)
{
    const uint32_t cap = jr_tcp_rcv_hiwat(tp), used = jr_sockbuf_used(tp->rcv), open = jr_tcp_rcv_open(tp);
    const uint32_t space = cap > used ? cap - used : 0, unit = 1u << tp->rcv_scale;
    const bool few = cap <= 8 * tp->t_maxseg || (tp->t_flags & TF_RXWIN0SENT);
    const uint32_t segs = few ? 2 * tp->t_maxseg : jr_max_u32(2 * tp->t_maxseg, cap / 4);
    const uint64_t due = (uint64_t)open + jr_min_u32((cap + 1) / 2, segs) + unit - 1;

    const uint32_t more = due > space ? (uint32_t)(due - space) : 1;
    return used != 0 ? jr_min_u32(more, used) : more; /* rounding may make it due when all is read */
}

static void fill_opts(const struct jr_tcpcb *tp, uint8_t flags, struct jr_tcp_opts *o, jr_time now)
{
    o->flags = 0;
    o->nsack = 0;
    if (flags & TH_SYN) {
        bool answer = flags & TH_ACK; /* simultaneous open: only what the peer's SYN had */
        o->flags |= tp->t_flags2 & TF2_NOOPT ? 0 : TOF_MSS;
        o->mss = jr_tcp_mss_offer(tp->tcp, tp->faddr, tp->rt.mtu);
        if (tp->t_usermss != 0)
            o->mss = (uint16_t)jr_min_u32(o->mss, tp->t_usermss);
        if ((tp->t_flags & TF_REQ_SCALE) && (!answer || (tp->t_flags & TF_RCVD_SCALE))) {
            o->flags |= TOF_SCALE;
            o->wscale = jr_tcp_wanted_scale(&tp->tcp->cfg);
        }
        if (tp->t_flags & TF_SACK_PERMIT)
            o->flags |= TOF_SACKPERM;
        jr_fastopen_option(tp, o);
    }
    bool ts = flags & TH_SYN && !(flags & TH_ACK) ? tp->t_flags & TF_REQ_TSTMP : tp->t_flags & TF_RCVD_TSTMP;
    if (ts) {
        o->flags |= TOF_TS;
        o->tsval = jr_tcp_ts(tp->ts_offset, now);
        o->tsecr = tp->ts_recent;
    }
    if (tp->md5 != NULL)
        o->flags |= TOF_SIGNATURE;
    if (tp->t_flags2 & TF2_UTO_SET)
        jr_uto_option(tp, flags, o);
    if ((tp->t_flags & TF_SACK_PERMIT) && !(flags & TH_SYN) && (tp->reass != NULL || (tp->t_flags & TF_DSACK)))
        jr_reass_sack_option(tp, o);
}

/* Whether the transmit records say what goes next and how much is in the network. */
static bool is_filling_holes(const struct jr_tcpcb *tp)
{
    return (tp->t_flags & (TF_FASTRECOVERY | TF_RTORECOVERY)) && (tp->t_flags & TF_SACK_PERMIT);
}

/* Bytes that may join those in the network (RFC 5681, RFC 3042, in recovery RFC 6675). */
static int64_t cwnd_room(const struct jr_tcpcb *tp)
{
    int64_t flight;
    if (is_filling_holes(tp))
        flight = jr_sack_pipe(tp);
    else
        flight = jr_seq_diff(tp->snd_nxt, tp->snd_una);
    if (tp->map.sacked != 0 && tp->tcp->cfg.rfc3042 && !is_filling_holes(tp))
        flight -= jr_sack_bytes_below(tp, tp->snd_nxt);
    return (int64_t)tp->snd_cwnd + tp->snd_limited - flight;
}

static void prepare(struct jr_tcpcb *tp, struct ctx *c, jr_time now)
{
    bool idle = jr_seq_eq(tp->snd_max, tp->snd_una);
    if (idle && tp->t_state >= TCPS_ESTABLISHED && tp->t_sndtime != 0 && now - tp->t_sndtime > tp->t_rxtcur &&
        jr_sockbuf_used(tp->snd) != 0)
        jr_cc_after_idle(tp, now);
    uint8_t flags = jr_tcp_outflags[tp->t_state];
    fill_opts(tp, flags, &c->opts, now);
    c->optlen = jr_tcp_opts_len(&c->opts);
    uint32_t usual = c->opts.flags & TOF_TS ? JR_TCP_TS_OLEN : 0;
    c->maxpay = tp->t_maxseg - (c->optlen > usual ? c->optlen - usual : 0);
    c->room = cwnd_room(tp);
    c->has_win = c->paced = false;
    if (tp->t_pacing_rate != 0) {
        const int64_t pace = jr_pace_room(tp, now);
        c->paced = pace < c->room;
        c->room = c->paced ? pace : c->room;
    }
    const uint32_t need = JR_PKT_TX_TSO | JR_PKT_TX_L4_CSUM;
    /* each segment would repeat the urgent pointer, which counts from its own start */
    c->tso = (tp->rt.tx_offloads & need) == need && jr_seq_leq(tp->snd_up, tp->snd_una) && tp->md5 == NULL;
}

/* Recovery's share: lost holes first, new data next, then, in fast recovery, other holes (RFC 6675 NextSeg 1 to 3).
 * F-RTO sends new data only until it knows. */
static bool plan_hole(struct jr_tcpcb *tp, const struct ctx *c, struct plan *p, bool lost)
{
    if (!is_filling_holes(tp) || tp->frto != JR_FRTO_NONE)
        return false;
    if (!lost && (!(tp->t_flags & TF_FASTRECOVERY) || tp->rack.on)) /* RACK needn't guess */
        return false;
    if (c->room < (int64_t)jr_min_u32(c->maxpay, tp->t_maxseg))
        return false;
    uint32_t max = c->maxpay;
    if (c->tso && tp->tcp->cfg.sack_tso)
        max = (uint32_t)jr_min_u64(TSO_MAX_BYTES, (uint64_t)c->room) / max * max;
    if (!jr_sack_next(tp, lost, max, &p->seq, &p->len))
        return false;
    /* A FIN in the hole has no byte in the buffer. */
    int32_t have = jr_seq_diff(jr_tcp_data_end(tp), p->seq);
    p->len = jr_min_u32(p->len, have > 0 ? (uint32_t)have : 0);
    p->rexmit = true;
    return true;
}

/* NextSeg rule 4: once per recovery, the last segment, when all else is sent. As FreeBSD, only once an ACK has taken
 * all that was SACKed: before, the reports of what lies above may still be on their way. */
static bool plan_rescue(struct jr_tcpcb *tp, const struct ctx *c, struct plan *p)
{
    if ((tp->t_flags & (TF_FASTRECOVERY | TF_SACK_PERMIT | TF_RESCUED)) != (TF_FASTRECOVERY | TF_SACK_PERMIT))
        return false;
    if (tp->rack.on)
        return false;
    jr_seq end = jr_seq_min(tp->snd_max, jr_tcp_data_end(tp));
    if (c->room < c->maxpay || jr_seq_geq(tp->snd_una, end) || tp->map.ranges != 0 ||
        !jr_seq_eq(tp->snd_max, tp->snd_recover))
        return false;
    p->len = jr_min_u32((uint32_t)jr_seq_diff(end, tp->snd_una), c->maxpay);
    p->seq = jr_seq_sub(end, p->len);
    p->rexmit = true;
    tp->t_flags |= TF_RESCUED;
    return true;
}

/* Whether a last segment that isn't full may go: Nagle's rule in Minshall's form, and corking. */
static bool may_be_small(const struct jr_tcpcb *tp, const struct plan *p)
{
    if (!jr_seq_eq(jr_seq_add(p->seq, p->len), jr_tcp_data_end(tp)))
        return false;
    if (jr_tcp_outflags[tp->t_state] & TH_FIN)
        return true;
    if (tp->t_flags & (TF_CORK | TF_MORE))
        return false;
    return (tp->t_flags & TF_NODELAY) || jr_seq_leq(tp->snd_sml, tp->snd_una);
}

/* Data in or right behind the SYN (RFC 7413): one segment's worth at a time. */
static void plan_early(const struct jr_tcpcb *tp, const struct ctx *c, struct plan *p)
{
    uint32_t room = jr_fastopen_room(tp, p->seq, c->optlen);
    jr_seq first = jr_seq_eq(p->seq, tp->iss) ? jr_seq_add(p->seq, 1) : p->seq;
    int32_t n = jr_seq_diff(jr_tcp_data_end(tp), first);
    if (tp->t_state == TCPS_SYN_RECEIVED)
        room = jr_min_u32(room, tp->snd_wnd - jr_min_u32(tp->snd_wnd, (uint32_t)jr_seq_diff(first, tp->snd_una)));
    p->len = n > 0 ? jr_min_u32((uint32_t)n, room) : 0;
}

/* What the windows let go from snd_nxt; also steps over what the peer has when going back after a time-out. */
static void plan_stream(struct jr_tcpcb *tp, const struct ctx *c, struct plan *p)
{
    uint32_t until = UINT32_MAX;
    if (jr_seq_lt(tp->snd_nxt, tp->snd_max) && tp->map.ranges != 0)
        tp->snd_nxt = jr_sack_skip(tp, tp->snd_nxt, &until);
    p->seq = tp->snd_nxt;
    if (tp->t_state < TCPS_ESTABLISHED) {
        plan_early(tp, c, p);
        return;
    }
    int64_t n = jr_seq_diff(jr_tcp_data_end(tp), p->seq);
    int64_t wnd = jr_seq_diff(jr_seq_add(tp->snd_una, tp->snd_wnd), p->seq);
    if (wnd < n)
        n = wnd;
    if (until < n)
        n = until;
    if (c->room < n) {
        n = c->room;
        p->cut = true;
    }
    p->len = n > 0 ? (uint32_t)n : 0;
    uint32_t max = c->maxpay;
    if (c->tso && p->len > max && jr_seq_eq(tp->snd_nxt, tp->snd_max))
        max = jr_max_u32(max, TSO_MAX_BYTES / max * max);
    if (p->len > max)
        p->len = max;
    else if (p->len > c->maxpay && !may_be_small(tp, p))
        p->len -= p->len % c->maxpay;
}

/* Whether p->len bytes are worth a packet (the sender's side of silly window avoidance). */
static bool worth_sending(const struct jr_tcpcb *tp, const struct ctx *c, const struct plan *p)
{
    if (p->len == 0)
        return false;
    if (p->len >= c->maxpay || c->force || (jr_seq_lt(p->seq, tp->snd_max) && !p->cut))
        return true;
    if (tp->max_sndwnd != 0 && p->len >= tp->max_sndwnd / 2)
        return true;
    return may_be_small(tp, p);
}

/* SYN and FIN have one place each in the sequence; anywhere else they are taken out. */
static uint8_t plan_flags(const struct jr_tcpcb *tp, const struct plan *p)
{
    uint8_t flags = jr_tcp_outflags[tp->t_state];
    if ((flags & TH_SYN) && !jr_seq_eq(p->seq, tp->iss))
        flags &= (uint8_t)~TH_SYN;
    if ((flags & TH_FIN) && !jr_seq_eq(jr_seq_add(p->seq, p->len), jr_tcp_data_end(tp)))
        flags &= (uint8_t)~TH_FIN;
    return flags;
}

/* As FreeBSD: an ACK while our FIN is not acknowledged has it again. */
static void repeat_fin(const struct jr_tcpcb *tp, struct plan *p)
{
    const jr_seq fin = jr_tcp_data_end(tp);
    if (!(jr_tcp_outflags[tp->t_state] & TH_FIN) || !(tp->t_flags & TF_SENTFIN))
        return;
    if (!jr_seq_eq(jr_seq_add(fin, 1), tp->snd_max) || jr_seq_gt(tp->snd_una, fin))
        return;
    p->seq = fin;
    p->flags |= TH_FIN;
    p->rexmit = true;
}

static bool plan_next(struct jr_tcpcb *tp, const struct ctx *c, struct plan *p)
{
    *p = (struct plan){0};
    if (plan_hole(tp, c, p, true)) {
        p->flags = plan_flags(tp, p);
        return true;
    }
    plan_stream(tp, c, p);
    p->flags = plan_flags(tp, p);
    if (worth_sending(tp, c, p))
        return true;
    if (plan_hole(tp, c, p, false) || plan_rescue(tp, c, p)) {
        p->flags = plan_flags(tp, p);
        return true;
    }
    bool fin_due = (p->flags & TH_FIN) && (!(tp->t_flags & TF_SENTFIN) || jr_seq_lt(p->seq, tp->snd_max));
    if (fin_due || (p->flags & TH_SYN))
        return true;
    if ((tp->t_flags & TF_ACKNOW) || jr_tcp_window_update_due(tp)) {
        p->len = 0;
        p->seq = tp->snd_max; /* an ACK is only acceptable at the edge of what was sent */
        p->flags &= (uint8_t) ~(TH_FIN | TH_SYN);
        repeat_fin(tp, p);
        return p->flags != 0;
    }
    return false;
}

/* Copies the payload out of the ring, around its end if need be, and sums it on the way unless the port does. */
static uint32_t copy_payload(const struct jr_sockbuf *sb, uint64_t off, uint8_t *dst, uint32_t len, bool offload)
{
    if (offload) {
        jr_sockbuf_read(sb, off, dst, len);
        return 0;
    }
    uint32_t at = (uint32_t)off & (sb->cap - 1), first = jr_min_u32(len, sb->cap - at);
    uint32_t sum = jr_cksum_copy(dst, sb->base + at, first, 0);
    if (first == len)
        return sum;
    return jr_cksum_join(sum, first, jr_cksum_copy(dst + first, sb->base, len - first, 0));
}

/* What was sent, and when. */
static inline void record(struct jr_tcpcb *tp, const struct plan *p, jr_seq end, jr_time now)
{
    jr_seq from = p->seq;
    const bool ragged = jr_seq_eq(tp->snd_sml, end) || p->flags & TH_FIN;
    if (jr_seq_eq(from, tp->snd_max) && jr_sendmap_extend(&tp->map, end, ragged, now))
        return;
    if (tp->t_state < TCPS_ESTABLISHED)
        return;
    if (jr_seq_lt(from, tp->snd_max)) {
        jr_sendmap_resent(tp, from, jr_seq_min(end, tp->snd_max), now);
        from = tp->snd_max;
    }
    if (jr_seq_gt(end, from))
        jr_sendmap_push(tp, from, end, ragged, now);
}

/* What sending p means for the send side's variables. */
static void note_sent(struct jr_tcpcb *tp, const struct ctx *c, const struct plan *p, jr_time now)
{
    uint32_t span = p->len + (p->flags & TH_SYN ? 1 : 0) + (p->flags & TH_FIN ? 1 : 0);
    jr_seq end = jr_seq_add(p->seq, span);
    tp->segs_out++;
    if (span == 0)
        return;
    tp->t_sndtime = now;
    if (p->len != 0) {
        tp->data_segs_out += 1 + (p->len - 1) / c->maxpay;
        tp->bytes_sent += p->len;
    }
    if (p->flags & TH_FIN)
        tp->t_flags |= TF_SENTFIN;
    if (jr_seq_lt(p->seq, tp->snd_max)) {
        tp->rexmt_segs++;
        tp->bytes_rexmt += p->len;
        jr_tcp_count_c(tp, JR_C_TCP_REXMIT);
        jr_cc_time_forget(tp);
        jr_undo_note_rexmit(tp, p->seq, p->len);
    } else if (!(tp->t_flags & (TF_RTTVALID | TF_SACK_PERMIT)) ||
               (!(tp->t_flags & TF_RTTVALID) && tp->t_state < TCPS_ESTABLISHED)) {
        tp->t_flags |= TF_RTTVALID;
        tp->t_rtseq = p->seq;
        tp->t_rtttime = now;
    }
    if (p->len != 0 && p->len % c->maxpay != 0)
        tp->snd_sml = jr_seq_add(p->seq, p->len);
    if (jr_seq_eq(tp->snd_max, tp->snd_una))
        tp->t_acktime = now;
    if (tp->t_flags & TF_SACK_PERMIT)
        record(tp, p, end, now);
    else if (p->len != 0 && jr_seq_eq(p->seq, tp->snd_max))
        jr_cc_time_sent(tp, p->seq, p->len, now);
    if (!p->rexmit)
        tp->snd_nxt = end;
    if (jr_seq_gt(end, tp->snd_max))
        tp->snd_max = end;
    uint32_t flight = (uint32_t)jr_seq_diff(tp->snd_max, tp->snd_una);
    if (flight > tp->snd_maxflight || jr_seq_geq(tp->snd_una, tp->snd_flight_seq)) {
        tp->snd_maxflight = flight;
        tp->snd_flight_seq = tp->snd_max;
    }
    if (tp->t_flags & TF_FASTRECOVERY)
        tp->prr_out += p->len;
    if (tp->t_pacing_rate != 0 && p->len != 0)
        jr_pace_sent(tp, p->len, now);
    if (!jr_tcp_timer_active(tp, TT_REXMT)) {
        if (jr_tcp_timer_active(tp, TT_PERSIST)) {
            jr_tcp_timer_clear(tp, TT_PERSIST);
            tp->t_rxtshift = 0;
        }
        jr_tcp_start_rexmt(tp, now);
    }
}

/* What the peer learned from our ACK and window field. */
static void note_acked(struct jr_tcpcb *tp, uint32_t win)
{
    jr_seq edge = jr_seq_add(tp->rcv_nxt, win);
    if (jr_seq_gt(edge, tp->rcv_adv))
        tp->rcv_adv = edge;
    if (win == 0) {
        tp->t_flags |= TF_RXWIN0SENT;
        tp->sndzerowin++;
    } else {
        tp->t_flags &= ~(uint32_t)TF_RXWIN0SENT;
    }
    tp->last_ack_sent = tp->rcv_nxt;
    tp->t_flags &= ~(uint32_t)(TF_ACKNOW | TF_DELACK | TF_DSACK);
    jr_tcp_timer_clear(tp, TT_DELACK);
}

/* Returns where the signature goes, or NULL. */
static uint8_t *build_header(const struct jr_tcpcb *tp, const struct ctx *c, const struct plan *p, uint32_t win,
                             uint8_t *h)
{
    struct jr_tcp_view v = {.sport = tp->lport,
                            .dport = tp->fport,
                            .seq = p->seq.v,
                            .flags = p->flags,
                            .ae = p->ae,
                            .hlen = (uint8_t)(JR_TCP_HLEN + c->optlen)};
    if (p->flags & TH_ACK)
        v.ack = tp->rcv_nxt.v;
    v.win = (uint16_t)(p->flags & TH_SYN ? win : win >> tp->rcv_scale);
    if (p->len != 0 && jr_seq_eq(jr_seq_add(p->seq, p->len), jr_tcp_data_end(tp)))
        v.flags |= TH_PUSH;
    int32_t urg = jr_seq_diff(tp->snd_up, p->seq);
    if (urg > 0 && jr_seq_gt(tp->snd_up, tp->snd_una)) {
        v.flags |= TH_URG;
        v.urp = (uint16_t)jr_min_u32((uint32_t)urg, 65535);
    }
    jr_tcp_build(h, &v);
    return jr_tcp_build_opts(h + JR_TCP_HLEN, &c->opts);
}

/* Builds and sends p. 0, or a negative errno: -ENOBUFS means that nothing was sent. */
static int emit(struct jr_tcpcb *tp, struct ctx *c, struct plan *p, jr_time now)
{
    struct jr_pkt *pkt = jr_ip_pkt_new(tp->tcp->ip, &tp->rt);
    if (pkt == NULL) {
        jr_tcp_count_c(tp, JR_C_TCP_NOBUF);
        return -ENOBUFS;
    }
    if ((c->opts.flags & TOF_MSS) && !(p->flags & TH_SYN)) { /* an ACK in SYN-RECEIVED */
        fill_opts(tp, p->flags, &c->opts, now);
        c->optlen = jr_tcp_opts_len(&c->opts);
    }
    uint32_t room = jr_pkt_tailroom(pkt);
    if (p->len > room) {
        p->len = room > c->maxpay ? room / c->maxpay * c->maxpay : room;
        p->flags &= (uint8_t)~TH_FIN;
    }
    struct jr_tcp_wrap w = {.src = tp->laddr,
                            .dst = tp->faddr,
                            .rt = &tp->rt,
                            .hlen = JR_TCP_HLEN + c->optlen,
                            .payload = p->len,
                            .tos = jr_tcp_tos(tp, tp->faddr),
                            .ttl = jr_tcp_ttl(tp, tp->faddr),
                            .no_df = jr_tcp_no_df(tp, tp->faddr)};
    if (p->len > c->maxpay && !(p->flags & TH_SYN))
        w.tso_segsz = (uint16_t)c->maxpay;
    if (p->len != 0) {
        uint64_t off = tp->snd->head + (uint32_t)jr_seq_diff(jr_seq_max(p->seq, tp->snd_sb_seq), tp->snd_sb_seq);
        w.sum = copy_payload(tp->snd, off, jr_pkt_put(pkt, p->len), p->len, tp->rt.tx_offloads & JR_PKT_TX_L4_CSUM);
    }
    const bool newdata = p->len != 0 && !p->rexmit && jr_seq_eq(p->seq, tp->snd_max);
    const struct jr_ecn_bits ecn = jr_ecn_output(tp, p->flags, newdata);
    p->flags |= ecn.flags;
    p->ae = ecn.ae;
    w.tos |= ecn.ip;
    if (!c->has_win) {
        c->win = jr_tcp_rcv_window(tp);
        c->has_win = true;
    }
    const uint32_t win = p->flags & TH_SYN ? jr_min_u32(c->win, JR_TCP_MAXWIN) : as_told(tp, c->win);
    uint8_t *digest = build_header(tp, c, p, win, jr_pkt_push(pkt, w.hlen));
    if (digest != NULL)
        jr_md5sig_sign(tp->md5, tp->laddr, tp->faddr, jr_pkt_data(pkt), pkt->len, digest);
    note_sent(tp, c, p, now);
    if (p->flags & TH_ACK)
        note_acked(tp, win);
    if (!(p->flags & TH_SYN))
        tp->t_flags2 &= ~(uint32_t)TF2_UTO_DUE;
    return jr_tcp_send_pkt(tp->tcp, pkt, &w, now);
}

/* What the network layer said: a full pool passes, a too large packet means that the path shrank. */
static int on_error(struct jr_tcpcb *tp, int err, jr_time now)
{
    switch (err) {
    case -ENOBUFS:
    case -ENOMEM:
        jr_tcp_timer_set(tp, TT_NUDGE, now + 2 * JR_MS);
        return 0;
    case -EMSGSIZE: {
        uint32_t before = tp->t_maxseg;
        tp->rt_ok = false;
        if (jr_tcp_route(tp))
            jr_tcp_mss_update(tp);
        if (tp->t_maxseg < before && tp->t_state >= TCPS_ESTABLISHED) {
            tp->snd_nxt = tp->snd_una;
            jr_tcp_want_output(tp);
        }
        return 0;
    }
    default:
        tp->t_softerror = (uint8_t)-err;
        return err;
    }
}

/* Data that can't go must not be forgotten: a timer is running, or one is started here. */
static void mind_unsent(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->t_state < TCPS_ESTABLISHED || jr_tcp_timer_active(tp, TT_REXMT) || jr_tcp_timer_active(tp, TT_PERSIST))
        return;
    if (jr_seq_leq(jr_tcp_data_end(tp), tp->snd_nxt))
        return;
    if ((tp->t_flags & (TF_CORK | TF_MORE)) && tp->snd_wnd != 0) {
        if (!jr_tcp_timer_active(tp, TT_NUDGE))
            jr_tcp_timer_set(tp, TT_NUDGE, now + JR_TCP_CORK_US);
        return;
    }
    tp->t_rxtshift = 0;
    jr_tcp_start_persist(tp, now);
}

/* The peer took back its window: stop resending into it and probe instead (RFC 9293 3.8.6, SHLD-14). */
static void mind_closed_window(struct jr_tcpcb *tp, jr_time now)
{
    if (tp->snd_wnd != 0 || tp->t_state < TCPS_ESTABLISHED || jr_seq_eq(tp->snd_nxt, tp->snd_una) ||
        jr_seq_leq(jr_tcp_data_end(tp), tp->snd_una))
        return;
    tp->snd_nxt = tp->snd_una;
    tp->t_flags &= ~(uint32_t)(TF_FASTRECOVERY | TF_RTORECOVERY | TF_RTTVALID);
    if (jr_tcp_timer_active(tp, TT_PERSIST))
        return;
    tp->t_rxtshift = 0;
    jr_tcp_start_persist(tp, now);
}

/* Whether there is something that the windows would let go. */
static bool is_held_by_pacing(const struct jr_tcpcb *tp, const struct ctx *c)
{
    if (c->room >= (int64_t)c->maxpay || cwnd_room(tp) <= 0 || tp->t_state < TCPS_ESTABLISHED)
        return false;
    const jr_seq edge = jr_seq_min(jr_tcp_data_end(tp), jr_seq_add(tp->snd_una, tp->snd_wnd));
    return jr_seq_lt(tp->snd_nxt, edge) || (tp->t_flags & TF_FASTRECOVERY);
}

static int output(struct jr_tcpcb *tp, bool force, jr_time now)
{
    tp->t_flags &= ~(uint32_t)TF_OUTPUT;
    if (tp->t_state == TCPS_CLOSED || tp->t_state == TCPS_LISTEN)
        return 0;
    if (!jr_tcp_route(tp)) {
        jr_tcp_count_c(tp, JR_C_TCP_NOROUTE);
        tp->t_softerror = ENETUNREACH;
        if (!jr_seq_eq(tp->snd_max, tp->snd_una) || jr_sockbuf_used(tp->snd) != 0)
            if (!jr_tcp_timer_active(tp, TT_REXMT) && !jr_tcp_timer_active(tp, TT_PERSIST))
                jr_tcp_start_rexmt(tp, now);
        return -ENETUNREACH;
    }
    mind_closed_window(tp, now);
    const jr_seq max = tp->snd_max;
    struct ctx c;
    struct plan p;
    c.force = force;
    prepare(tp, &c, now);
    int err = 0;
    while (err == 0 && plan_next(tp, &c, &p)) {
        err = emit(tp, &c, &p, now);
        if (err != -ENOBUFS)
            c.room -= p.len;
        if (p.len == 0 && !(p.flags & (TH_SYN | TH_FIN)))
            break; /* a bare ACK comes last */
    }
    tp->snd_limited = 0;
    if (!jr_seq_eq(tp->snd_max, max))
        jr_tlp_rearm(tp, now);
    if (c.paced && is_held_by_pacing(tp, &c)) {
        jr_pace_wait(tp, now);
        return err != 0 ? on_error(tp, err, now) : 0;
    }
    mind_unsent(tp, now);
    return err != 0 ? on_error(tp, err, now) : 0;
}

int jr_tcp_output(struct jr_tcpcb *tp, jr_time now) { return output(tp, false, now); }
int jr_tcp_output_forced(struct jr_tcpcb *tp, jr_time now) { return output(tp, true, now); }

/* One planned segment outside the usual order. */
static void output_one(struct jr_tcpcb *tp, struct plan *p, jr_time now)
{
    if (!jr_tcp_route(tp))
        return;
    struct ctx c = {0};
    prepare(tp, &c, now);
    p->len = jr_min_u32(p->len, c.maxpay);
    p->flags |= plan_flags(tp, p) & (uint8_t)~TH_SYN;
    int err = emit(tp, &c, p, now);
    if (err != 0)
        on_error(tp, err, now);
}

void jr_tcp_output_rexmit(struct jr_tcpcb *tp, jr_seq seq, jr_time now)
{
    uint32_t room;
    jr_seq from = jr_sack_skip(tp, seq, &room);
    int32_t have = jr_seq_diff(jr_seq_min(jr_tcp_data_end(tp), tp->snd_max), from);
    struct plan p = {.seq = from, .len = jr_min_u32(have > 0 ? (uint32_t)have : 0, room), .rexmit = true};
    if (jr_seq_lt(from, tp->snd_max))
        output_one(tp, &p, now);
}

void jr_tcp_output_probe(struct jr_tcpcb *tp, jr_time now)
{
    struct plan p = {.seq = tp->snd_una, .rexmit = true};
    if (jr_seq_gt(jr_tcp_data_end(tp), tp->snd_una))
        p.len = 1;
    bool rexmt = jr_tcp_timer_active(tp, TT_REXMT);
    if (jr_seq_gt(jr_seq_add(tp->snd_una, tp->snd_wnd), tp->snd_una)) { /* not closed, only small: fill it */
        jr_tcp_output_forced(tp, now);
        return;
    }
    output_one(tp, &p, now);
    tp->t_flags &= ~(uint32_t)TF_RTTVALID; /* the answer says nothing about the path */
    if (!rexmt)
        jr_tcp_timer_clear(tp, TT_REXMT);
}

/* An ACK and nothing else, whatever the state sends with its ACKs. */
static void output_bare_ack(struct jr_tcpcb *tp, jr_seq seq, jr_time now)
{
    struct jr_tcp_bare b = {.local = {tp->laddr, tp->lport},
                            .remote = {tp->faddr, tp->fport},
                            .seq = seq,
                            .ack = tp->rcv_nxt,
                            .flags = TH_ACK,
                            .tos = jr_tcp_tos(tp, tp->faddr),
                            .ttl = jr_tcp_ttl(tp, tp->faddr),
                            .no_df = jr_tcp_no_df(tp, tp->faddr),
                            .md5 = tp->md5};
    fill_opts(tp, TH_ACK, &b.opts, now);
    const struct jr_ecn_bits ecn = jr_ecn_output(tp, TH_ACK, false);
    b.flags |= ecn.flags;
    b.ae = ecn.ae;
    b.tos |= ecn.ip;
    b.win = jr_tcp_window_field(tp);
    tp->t_flags2 &= ~(uint32_t)TF2_UTO_DUE;
    jr_tcp_send_bare(tp->tcp, &b, now);
}

void jr_tcp_output_keepalive(struct jr_tcpcb *tp, jr_time now) { output_bare_ack(tp, jr_seq_sub(tp->snd_una, 1), now); }

void jr_tcp_output_challenge(struct jr_tcpcb *tp, jr_time now)
{
    if (!jr_tcp_route(tp))
        return;
    output_bare_ack(tp, tp->snd_max, now);
    note_acked(tp, as_told(tp, jr_tcp_rcv_window(tp)));
}

void jr_tcp_output_rst(struct jr_tcpcb *tp, jr_time now)
{
    struct jr_tcp_bare b = {.local = {tp->laddr, tp->lport},
                            .remote = {tp->faddr, tp->fport},
                            .seq = tp->snd_max,
                            .ack = tp->rcv_nxt,
                            .flags = TH_RST | TH_ACK,
                            .tos = jr_tcp_tos(tp, tp->faddr),
                            .ttl = jr_tcp_ttl(tp, tp->faddr),
                            .no_df = jr_tcp_no_df(tp, tp->faddr),
                            .md5 = tp->md5};
    jr_seq edge = jr_seq_add(tp->snd_una, tp->snd_wnd); /* beyond it the peer wouldn't believe it */
    if (jr_seq_gt(b.seq, edge))
        b.seq = jr_seq_max(edge, tp->snd_una);
    jr_tcp_count_c(tp, JR_C_TCP_RST_SENT);
    jr_tcp_send_bare(tp->tcp, &b, now);
}
