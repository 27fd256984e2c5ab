/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps six to eight of segment processing: urgent data, data, FIN. Bytes go straight to their place in the
 * receive ring, in order or not. RFC 9293 3.10.7.4, RFC 6093 (urgent), RFC 5681 4.2 (when to acknowledge).
 */
#include "tcp/input.h"
#include "tcp/output.h"
#include "tcp/reass.h"
#include "tcp/state.h"
#include "tcp/timer.h"

uint32_t jr_tcp_rcv_room(struct jr_tcpcb *tp)
{
    struct jr_sockbuf *rcv = tp->rcv;
    if (rcv->cap == 0) {
        if (tp->t_flags & TF_DETACHED || tp->up == NULL || tp->up->embryo_rcvbuf == NULL ||
            !tp->up->embryo_rcvbuf(tp->so, rcv)) {
            jr_tcp_count_c(tp, JR_C_TCP_NORCVBUF);
            return 0;
        }
    }
    return jr_sockbuf_space(rcv);
}

/*
 * Receive buffer autotuning (FreeBSD's recvbuf_auto): seven eighths of it came within one round trip. Sooner than there
 * when the program keeps up: as soon as half of it came, so that a sender whose window doubles every round trip never
 * waits for ours.
 */
static void tune_rcvbuf(struct jr_tcpcb *tp, uint32_t len, jr_time now)
{
    const uint32_t rtt = tp->t_srtt != 0 ? tp->t_srtt : 100000;
    const uint32_t cap = jr_tcp_rcv_hiwat(tp), max = tp->tcp->cfg.recvbuf_max;
    const bool over = now - tp->rtt_start >= rtt;
    const uint32_t bytes = tp->rtt_bytes += len;
    if (over) {
        tp->rtt_bytes = 0;
        tp->rtt_start = now;
    }
    const bool due = over ? bytes > cap / 8 * 7 : bytes > cap / 2 && jr_sockbuf_used(tp->rcv) < cap / 2;
    if (!due || cap >= max || !tp->tcp->cfg.recvbuf_auto || tp->rcv_want > cap)
        return;
    tp->rcv_tuned = true;
    tp->rcv_want = jr_min_u32(jr_pow2_ceil(cap + 1), max);
    jr_tcp_event(tp, JR_TCP_EV_WANT);
}

/* Every second full segment is acknowledged at once; the first waits for delacktime, or for data going back. What this
 * host sent to itself waits for nothing: the next write may be short and would wait for the ACK (RFC 9293 3.7.4). */
static void schedule_ack(struct jr_tcpcb *tp, uint32_t len, jr_time now)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    bool second = (tp->t_flags & TF_DELACK) || len > tp->t_maxseg;
    if (second || !cfg->delayed_ack || tp->rt.loop || tp->quickacks != 0 || (tp->t_flags & TF_RXWIN0SENT)) {
        if (tp->quickacks != 0)
            tp->quickacks--;
        jr_tcp_ack_now(tp);
        return;
    }
    tp->t_flags |= TF_DELACK;
    jr_tcp_timer_set(tp, TT_DELACK, now + cfg->delacktime * JR_MS);
}

void jr_tcp_data_in_order(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    jr_sockbuf_write(tp->rcv, tp->rcv->tail, seg->data, seg->len);
    tp->rcv->tail += seg->len;
    tp->rcv_nxt = jr_seq_add(tp->rcv_nxt, seg->len);
    tp->bytes_received += seg->len;
    tp->data_segs_in++;
    jr_tcp_event(tp, JR_TCP_EV_RX);
    tune_rcvbuf(tp, seg->len, now);
    schedule_ack(tp, seg->len, now);
}

void jr_tcp_on_urg(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg)
{
    if (!(seg->flags & TH_URG) || seg->urp == 0 || jr_tcp_have_rcvd_fin(tp->t_state))
        return;
    jr_seq up = jr_seq_add(jr_seq_of(seg->hdr.seq), seg->urp + (seg->hdr.flags & TH_SYN ? 1u : 0u));
    if (tp->urg_seen ? jr_seq_leq(up, tp->rcv_up) : jr_seq_leq(up, tp->rcv_nxt))
        return;
    if (jr_seq_diff(up, tp->rcv_nxt) < 0)
        return;
    const uint64_t off = jr_tcp_rcv_off(tp, up);
    if (!tp->urg_seen || tp->urg_off + 1 != off)
        tp->urg_run = off - 1;
    tp->rcv_up = up;
    tp->urg_seen = true;
    tp->urg_off = off;
    jr_tcp_event(tp, JR_TCP_EV_URG);
}

/* Eighth: the peer's stream ends at rcv_nxt. */
static void on_fin(struct jr_tcpcb *tp, jr_time now)
{
    tp->rcv_nxt = jr_seq_add(tp->rcv_nxt, 1);
    tp->t_flags &= ~(uint32_t)TF_GOTFIN;
    if (!(tp->t_flags & TF_DETACHED))
        jr_tcp_event(tp, JR_TCP_EV_RX_FIN);
    jr_tcp_ack_now(tp);
    switch (tp->t_state) {
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
        jr_tcp_move(tp, TCPS_CLOSE_WAIT);
        break;
    case TCPS_FIN_WAIT_1: /* had our FIN been acknowledged, step five would have left this state */
        jr_tcp_move(tp, TCPS_CLOSING);
        break;
    case TCPS_FIN_WAIT_2:
        jr_tcp_enter_timewait(tp, now);
        break;
    }
}

/* Beyond rcv_nxt: the bytes go to their place, the range is noted, an ACK with SACK follows. */
static void out_of_order(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    jr_seq end = jr_seq_add(seg->seq, seg->len);
    tp->rcv_ooopack++;
    if (!jr_reass_has_room(tp, seg->seq, end)) {
        jr_tcp_count_c(tp, JR_C_TCP_REASS_FULL);
    } else {
        jr_sockbuf_write(tp->rcv, jr_tcp_rcv_off(tp, seg->seq), seg->data, seg->len);
        if (!jr_reass_insert(tp, seg->seq, end)) {
            jr_tcp_count_c(tp, JR_C_TCP_DUP_DATA);
            tp->t_flags |= TF_DSACK;
            tp->dsack_start = seg->seq;
            tp->dsack_end = end;
        }
    }
    jr_tcp_count_c(tp, JR_C_TCP_OOO);
    tp->t_flags |= TF_ACKNOW;
    jr_tcp_output(tp, now); /* a duplicate ACK must not melt into the next */
}

/* At rcv_nxt while ranges wait beyond it: they may join. */
static void fill_gap(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    jr_seq end = jr_seq_add(seg->seq, seg->len);
    jr_sockbuf_write(tp->rcv, tp->rcv->tail, seg->data, seg->len);
    end = jr_reass_collect(tp, end);
    uint32_t n = (uint32_t)jr_seq_diff(end, tp->rcv_nxt);
    tp->rcv->tail += n;
    tp->rcv_nxt = end;
    tp->bytes_received += n;
    jr_tcp_event(tp, JR_TCP_EV_RX);
    tune_rcvbuf(tp, n, now);
    tp->t_flags |= TF_ACKNOW; /* RFC 5681 4.2 */
    jr_tcp_output(tp, now);
}

/* Cuts off what the ring can't hold; the peer will send it again. */
static void fit(struct jr_tcpcb *tp, struct jr_tcp_seg *seg)
{
    uint32_t ahead = (uint32_t)jr_seq_diff(seg->seq, tp->rcv_nxt), room = jr_tcp_rcv_room(tp);
    room = room > ahead ? room - ahead : 0;
    if (seg->len <= room)
        return;
    jr_tcp_count_c(tp, JR_C_TCP_RCV_FULL);
    seg->len = room;
    seg->flags &= (uint8_t)~TH_FIN;
    jr_tcp_ack_now(tp);
}

void jr_tcp_keep_early_data(struct jr_tcpcb *tp, struct jr_tcp_seg *seg)
{
    seg->len = jr_min_u32(seg->len, jr_tcp_rcv_open(tp));
    if (seg->len == 0)
        return;
    fit(tp, seg);
    jr_seq end = jr_seq_add(seg->seq, seg->len);
    if (seg->len == 0 || !jr_reass_has_room(tp, seg->seq, end))
        return;
    jr_sockbuf_write(tp->rcv, jr_tcp_rcv_off(tp, seg->seq), seg->data, seg->len);
    (void)jr_reass_insert(tp, seg->seq, end);
}

void jr_tcp_early_data(struct jr_tcpcb *tp, jr_time now)
{
    jr_seq end = jr_reass_collect(tp, tp->rcv_nxt);
    uint32_t n = (uint32_t)jr_seq_diff(end, tp->rcv_nxt);
    tp->rcv->tail += n;
    tp->rcv_nxt = end;
    tp->bytes_received += n;
    jr_tcp_event(tp, JR_TCP_EV_RX);
    schedule_ack(tp, n, now);
}

void jr_tcp_on_data(struct jr_tcpcb *tp, struct jr_tcp_seg *seg, jr_time now)
{
    if (jr_tcp_have_rcvd_fin(tp->t_state))
        return;
    if (seg->len != 0)
        fit(tp, seg);
    if (seg->flags & TH_FIN) {
        tp->t_flags |= TF_GOTFIN;
        tp->rcv_fin = jr_seq_add(seg->seq, seg->len);
    }
    if (seg->len != 0) {
        tp->data_segs_in++;
        if (!jr_seq_eq(seg->seq, tp->rcv_nxt)) {
            out_of_order(tp, seg, now);
        } else if (tp->reass != NULL) {
            fill_gap(tp, seg, now);
        } else {
            tp->data_segs_in--;
            jr_tcp_data_in_order(tp, seg, now);
        }
    }
    if ((tp->t_flags & TF_GOTFIN) && jr_seq_eq(tp->rcv_fin, tp->rcv_nxt))
        on_fin(tp, now);
    else if ((seg->flags & TH_FIN) && seg->len == 0)
        jr_tcp_ack_now(tp); /* a FIN ahead of a gap */
}
