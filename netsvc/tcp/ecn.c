/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See ecn.h. RFC 3168 6.1 (negotiation, sender, receiver), RFC 8311 (what experiments may change), RFC 5562 (ECT
 * on the SYN|ACK), RFC 9768 2 and 3 (Accurate ECN: three flags of the header count the marked packets that the peer
 * received, modulo 8).
 */
#include "tcp/ecn.h"

#include "tcp/cc.h"
#include "tcp/output.h"
#include "tcp/state.h"

#define ACE_FIRST 5u /* both counters start here (RFC 9768 3.2.1), so that 0 is never what a bleached header says */
#define MARKS_PER_ACK 2u
#define MARKS_AT_MOST 6u /* a burst with more must not wait for its end */

enum { SC_ECN_NONE, SC_ECN_CLASSIC, SC_ECN_ACE }; /* sc_ecn, with the SYN's IP codepoint in bits 4 and 5 */

static const uint8_t ace_flags = TH_CWR | TH_ECE;

static uint32_t ace_of(const struct jr_tcp_seg *seg)
{
    return (seg->flags & TH_ECE ? 1u : 0u) | (seg->flags & TH_CWR ? 2u : 0u) | (seg->hdr.ae ? 4u : 0u);
}

static struct jr_ecn_bits bits_of_ace(uint32_t ace)
{
    return (struct jr_ecn_bits){.flags = (uint8_t)((ace & 1 ? TH_ECE : 0) | (ace & 2 ? TH_CWR : 0)), .ae = ace & 4};
}

/* RFC 9768 table 3: how one end tells the other in the handshake which codepoint its SYN or SYN|ACK came with. */
static uint32_t handshake_ace(uint8_t tos)
{
    static const uint8_t ace[4] = {[JR_ECN_NOTECT] = 2, [JR_ECN_ECT1] = 3, [JR_ECN_ECT0] = 4, [JR_ECN_CE] = 6};
    return ace[tos & JR_ECN_MASK];
}

static bool is_accurate(const struct jr_tcpcb *tp) { return tp->tcp->cfg.ecn_enable >= 3; }

static void count_received(const struct jr_tcpcb *tp, uint8_t tos)
{
    static const enum jr_counter c[4] = {
        [JR_ECN_ECT1] = JR_C_TCP_ECN_RCVECT1, [JR_ECN_ECT0] = JR_C_TCP_ECN_RCVECT0, [JR_ECN_CE] = JR_C_TCP_ECN_RCVCE};
    if ((tos & JR_ECN_MASK) != JR_ECN_NOTECT)
        jr_tcp_count_c(tp, c[tos & JR_ECN_MASK]);
}

uint8_t jr_ecn_syncache_add(const struct jr_tcpcb *listener, const struct jr_tcp_seg *seg)
{
    const uint32_t asked = ace_of(seg);
    count_received(listener, seg->rx->tos);
    if (listener->tcp->cfg.ecn_enable == 0 || asked == 0)
        return SC_ECN_NONE;
    if (is_accurate(listener) && asked != 3) /* 3.1.2: whatever isn't classic is some newer AccECN */
        return (uint8_t)(SC_ECN_ACE | (seg->rx->tos & JR_ECN_MASK) << 4);
    return (asked & 3) == 3 ? SC_ECN_CLASSIC : SC_ECN_NONE;
}

struct jr_ecn_bits jr_ecn_syncache_respond(const struct jr_tcp *tcp, uint8_t sc_ecn)
{
    struct jr_ecn_bits b = {0};
    if (sc_ecn == SC_ECN_NONE)
        return b;
    b.flags = TH_ECE;
    if (sc_ecn != SC_ECN_CLASSIC)
        b = bits_of_ace(handshake_ace(sc_ecn >> 4));
    b.ip = tcp->cfg.ecn_plusplus != 0 ? JR_ECN_ECT0 : JR_ECN_NOTECT;
    return b;
}

static void begin_classic(struct jr_tcpcb *tp)
{
    jr_tcp_count_c(tp, JR_C_TCP_ECN_SHS);
    tp->t_flags2 = (tp->t_flags2 & ~(uint32_t)TF2_ACE_PERMIT) | TF2_ECN_PERMIT;
}

/* PERMIT follows with the first segment after the handshake: until then the counters' place says something else. */
static void begin_accurate(struct jr_tcpcb *tp, uint8_t tos_of_syn)
{
    jr_tcp_count_c(tp, JR_C_TCP_ECN_ACE_SHS);
    tp->t_flags2 = (tp->t_flags2 & ~(uint32_t)TF2_ECN_PERMIT) | TF2_ACE_PERMIT;
    tp->t_scep = ACE_FIRST;
    tp->t_rcep = tp->t_rcep_sent = ACE_FIRST + ((tos_of_syn & JR_ECN_MASK) == JR_ECN_CE);
}

void jr_ecn_syncache_socket(struct jr_tcpcb *tp, uint8_t sc_ecn)
{
    if (sc_ecn == SC_ECN_CLASSIC)
        begin_classic(tp);
    else if (sc_ecn != SC_ECN_NONE)
        begin_accurate(tp, sc_ecn >> 4);
}

void jr_ecn_input_syn_sent(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg)
{
    const uint32_t ace = ace_of(seg);
    count_received(tp, seg->rx->tos);
    if (!(tp->t_flags2 & TF2_ECN_ASKED))
        return;
    if ((ace & 3) == 1 && (!seg->hdr.ae || !(tp->t_flags2 & TF2_ACE_ASKED))) {
        begin_classic(tp);
        return;
    }
    if (!(tp->t_flags2 & TF2_ACE_ASKED) || ace == 0 || ace == 7 || ace == 5)
        return;
    begin_accurate(tp, seg->rx->tos);
    tp->t_flags2 |= TF2_ACE_HANDSHAKE;
    tp->t_ace_syn = (uint8_t)handshake_ace(seg->rx->tos);
    if (ace == 6) /* our SYN was marked */
        tp->t_scep = ACE_FIRST + 1;
}

void jr_ecn_input_parallel_syn(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg)
{
    /* either SYN may ask: ours need not have, as a listener's SYN|ACK hasn't */
    if (tp->tcp->cfg.ecn_enable != 0 && (ace_of(seg) & 3) == 3)
        begin_classic(tp);
}

/* RFC 9768 3.2.2: what the peer's counter says; returns how many of our packets were marked. Where so much was
 * acknowledged that the counter may have gone around, it is taken to have (3.2.2.5.2). */
static uint32_t marked_packets(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, uint32_t acked)
{
    const uint32_t ace = ace_of(seg);
    if (!(tp->t_flags2 & TF2_ECN_PERMIT)) { /* the last ACK of the handshake, or what stands for it */
        tp->t_flags2 |= TF2_ECN_PERMIT;
        if (ace == 6)
            tp->t_scep = ACE_FIRST + 1;
        return 0;
    }
    uint32_t delta = (ace - tp->t_scep) & 7, pkts = (acked + tp->t_maxseg - 1) / tp->t_maxseg;
    if (delta != 0 && pkts > delta)
        delta = pkts - ((pkts - delta) & 7);
    tp->t_scep += delta;
    return delta;
}

/* RFC 9768 3.2.2.5.1: before the counter goes around unseen, an ACK. */
static void count_mark(struct jr_tcpcb *tp, jr_time now)
{
    tp->t_rcep++;
    if (tp->t_rcep - tp->t_rcep_sent < MARKS_PER_ACK)
        return;
    if (tp->t_rcep - tp->t_rcep_sent < MARKS_AT_MOST || jr_seq_eq(tp->last_ack_sent, tp->rcv_nxt)) {
        jr_tcp_ack_now(tp);
        return;
    }
    tp->t_flags |= TF_ACKNOW;
    jr_tcp_output(tp, now);
}

/* RFC 3168 6.1.3: a mark is echoed until the sender says that it has slowed down. */
static void classic_receiver(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, bool ce, bool forward, jr_time now)
{
    if (tp->cc->ecnpkt != NULL) {
        if (seg->len != 0)
            tp->cc->ecnpkt(tp, ce, now);
        return;
    }
    if (seg->flags & TH_CWR) { /* the sender need not wait to learn that it was heard */
        tp->t_flags2 &= ~(uint32_t)TF2_ECN_SND_ECE;
        if (seg->len != 0 || !forward || seg->wnd != tp->snd_wnd) /* FreeBSD's header prediction sends nothing */
            jr_tcp_ack_now(tp);
    }
    if (ce)
        tp->t_flags2 |= TF2_ECN_SND_ECE;
}

void jr_ecn_input_segment(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, jr_time now)
{
    const bool ce = (seg->rx->tos & JR_ECN_MASK) == JR_ECN_CE, ack = seg->flags & TH_ACK;
    const bool forward = ack && jr_seq_gt(seg->ack, tp->snd_una) && jr_seq_leq(seg->ack, tp->snd_max);
    const uint32_t acked = forward ? (uint32_t)jr_seq_diff(seg->ack, tp->snd_una) : 0;
    uint32_t marked = 0;
    if (ack && (jr_seq_lt(seg->ack, tp->snd_una) || jr_seq_gt(seg->ack, tp->snd_max)))
        return; /* what it says of our packets is old, or a lie */
    count_received(tp, seg->rx->tos);
    if (tp->t_flags2 & TF2_ACE_PERMIT) {
        if (ack && !(seg->flags & TH_SYN))
            marked = marked_packets(tp, seg, acked);
        tp->t_ecn_marked = jr_min_u32(marked * tp->t_maxseg, acked);
        if (ce)
            count_mark(tp, now);
    } else {
        marked = (seg->flags & (TH_ECE | TH_SYN)) == TH_ECE;
        tp->t_ecn_marked = marked ? acked : 0;
        tp->t_scep += marked;
        classic_receiver(tp, seg, ce, forward, now);
    }
    if (marked != 0 && ack)
        jr_cc_cong_signal(tp, JR_CC_ECN, now);
}

/* What our SYN asks for; not any more once it was lost ecn.maxretries times (RFC 3168 6.1.1.1). */
static struct jr_ecn_bits ask(struct jr_tcpcb *tp)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    const bool wanted = cfg->ecn_enable == 1 || cfg->ecn_enable == 3 ||
                        (cfg->ecn_enable != 0 && (tp->cc->flags & JR_CC_WANTS_ECN));
    tp->t_flags2 &= ~(uint32_t)(TF2_ECN_ASKED | TF2_ACE_ASKED);
    if (!wanted || tp->t_rxtshift > cfg->ecn_maxretries)
        return (struct jr_ecn_bits){0};
    tp->t_flags2 |= TF2_ECN_ASKED | (is_accurate(tp) ? TF2_ACE_ASKED : 0);
    return (struct jr_ecn_bits){.flags = ace_flags, .ae = is_accurate(tp)};
}

static struct jr_ecn_bits accurate_output(struct jr_tcpcb *tp, uint8_t flags)
{
    uint32_t ace = tp->t_rcep & 7;
    if (flags & TH_SYN)
        return (struct jr_ecn_bits){0};
    if ((tp->t_flags2 & TF2_ACE_HANDSHAKE) && (flags & TH_ACK)) {
        ace = tp->t_ace_syn;
        tp->t_flags2 = (tp->t_flags2 & ~(uint32_t)TF2_ACE_HANDSHAKE) | TF2_ECN_PERMIT;
    }
    tp->t_rcep_sent = tp->t_rcep;
    return bits_of_ace(ace);
}

struct jr_ecn_bits jr_ecn_output(struct jr_tcpcb *tp, uint8_t flags, bool newdata)
{
    struct jr_ecn_bits b = {0};
    if ((flags & (TH_SYN | TH_ACK)) == TH_SYN)
        return ask(tp);
    if (!jr_ecn_is_on(tp) || (flags & TH_RST))
        return b;
    if (tp->t_flags2 & TF2_ACE_PERMIT) {
        b = accurate_output(tp, flags);
    } else if (flags & TH_SYN) { /* simultaneous open */
        b.flags = TH_ECE;
    } else {
        if (tp->t_flags2 & TF2_ECN_SND_ECE)
            b.flags |= TH_ECE;
        if (newdata && (tp->t_flags2 & TF2_ECN_SND_CWR)) {
            b.flags |= TH_CWR;
            tp->t_flags2 &= ~(uint32_t)TF2_ECN_SND_CWR;
        }
    }
    if ((newdata && !(flags & TH_SYN)) || tp->tcp->cfg.ecn_plusplus >= 2) {
        const bool one = tp->t_flags2 & TF2_ECN_USE_ECT1;
        jr_tcp_count_c(tp, one ? JR_C_TCP_ECN_SNDECT1 : JR_C_TCP_ECN_SNDECT0);
        b.ip = one ? JR_ECN_ECT1 : JR_ECN_ECT0;
    }
    return b;
}
