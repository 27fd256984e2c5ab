/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an ACK reports as arrived, taken into the transmit records, and what the scoreboard says about loss.
 * RFC 2018, RFC 2883 (D-SACK), RFC 6675.
 */
#ifndef JR_TCP_SACK_H
#define JR_TCP_SACK_H

#include "tcp/tcpcb.h"

#define JR_TCP_DUPTHRESH 3u

/* What one ACK newly reports, cumulatively or selectively (RFC 6937: DeliveredData is acked + sacked). */
struct jr_delivery {
    uint32_t acked;  /* bytes by which snd_una moves and which were not SACKed before */
    uint32_t sacked; /* bytes newly SACKed above the cumulative ACK */
    uint32_t lost;   /* bytes found lost since */
    bool forward;    /* snd_una moves */
    bool original;   /* data sent once, before the last time-out, has arrived */
    bool rtt_valid;  /* rtt_us: of the earliest sent data that was sent once */
    bool dsack;      /* the peer got [dsack_start, dsack_end) twice */
    uint32_t rtt_us;
    uint32_t rtt_sack_us; /* of the latest sent data that was sent once and is SACKed now; 0: none */
    jr_seq dsack_start, dsack_end;
};

/* Takes in the segment's cumulative ACK and SACK blocks; snd_una hasn't moved yet. */
void jr_sack_update(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, struct jr_delivery *d, jr_time now);
/* RFC 6675 4 (IsLost) and 5 (lost retransmissions): marks what is lost; returns how many bytes. */
uint32_t jr_sack_detect(struct jr_tcpcb *tp);
/* Whether three segments are reported, by one count or another (RFC 6675 4). */
bool jr_sack_dupthresh(const struct jr_tcpcb *tp);
/* RFC 6675 SetPipe: bytes thought to be in the network. */
static inline uint32_t jr_sack_pipe(const struct jr_tcpcb *tp)
{
    return (uint32_t)jr_seq_diff(tp->snd_max, tp->snd_una) - tp->map.sacked - tp->map.lost;
}
/* Reported bytes below seq. */
uint32_t jr_sack_bytes_below(const struct jr_tcpcb *tp, jr_seq seq);
/* RFC 6675 NextSeg, rule 1 (with lost set) or rule 3: what to send again, at most max bytes. */
bool jr_sack_next(const struct jr_tcpcb *tp, bool lost, uint32_t max, jr_seq *seq, uint32_t *len);
/* seq, or where the reported range that holds it ends; *room: bytes from there to the next reported range. */
jr_seq jr_sack_skip(const struct jr_tcpcb *tp, jr_seq seq, uint32_t *room);
/* The end of the highest reported range; snd_una when there is none. */
jr_seq jr_sack_high(const struct jr_tcpcb *tp);
/* Forgets all reports if the peer took back what it reported. */
void jr_sack_check_reneging(struct jr_tcpcb *tp);
/* A time-out: nothing that isn't reported is in the network. */
void jr_sack_lose_all(struct jr_tcpcb *tp);
void jr_sack_free(struct jr_tcpcb *tp);

#endif
