/* SPDX-License-Identifier: BSD-3-Clause */
/* Proportional rate reduction; see prr.h. */
#include "tcp/prr.h"

#include "tcp/cc.h"

void jr_prr_begin(struct jr_tcpcb *tp, const struct jr_delivery *d)
{
    /* What was SACKed before isn't delivered during recovery; what this ACK brings is. snd_una has moved already. */
    const uint32_t sacked_before = tp->map.sacked - jr_min_u32(d->sacked, tp->map.sacked);
    tp->recover_fs = jr_max_u32(jr_cc_flight(tp) - sacked_before + d->acked, 1);
    tp->prr_delivered = tp->prr_out = 0;
}

void jr_prr_on_ack(struct jr_tcpcb *tp, const struct jr_delivery *d)
{
    const struct jr_tcp_config *cfg = &tp->tcp->cfg;
    if (!cfg->do_prr) { /* RFC 6675 5 */
        tp->snd_cwnd = tp->snd_ssthresh;
        return;
    }
    const uint32_t pipe = jr_sack_pipe(tp), delivered = d->acked + d->sacked;
    int64_t out;
    tp->prr_delivered += delivered;
    if (pipe > tp->snd_ssthresh) {
        const uint64_t share = (uint64_t)tp->prr_delivered * tp->snd_ssthresh;
        out = (int64_t)((share + tp->recover_fs - 1) / tp->recover_fs) - tp->prr_out;
    } else {
        out = (int64_t)tp->prr_delivered - tp->prr_out;
        if (out < delivered)
            out = delivered;
        if (d->forward && d->lost == 0 && !cfg->do_prr_conservative)
            out += tp->t_maxseg;
        const int64_t room = (int64_t)tp->snd_ssthresh - pipe;
        if (room < out)
            out = room;
    }
    if (out <= 0)
        out = tp->prr_out == 0 ? tp->t_maxseg : 0; /* the first retransmission goes whatever the proportion says */
    tp->snd_cwnd = pipe + (uint32_t)out;
}
