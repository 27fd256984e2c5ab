/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tail loss probe: when nothing comes back for two round trips, the last segment goes once more (or a new one), so
 * that a loss at the end of a burst shows itself by SACK long before the retransmission time-out. RFC 8985 7.
 */
#ifndef JR_TCP_TLP_H
#define JR_TCP_TLP_H

#include "tcp/sack.h"

/* Data was sent or acknowledged while the retransmission timer runs: it stands for a probe if that comes first. */
void jr_tlp_rearm(struct jr_tcpcb *tp, jr_time now);
/* When a probe would be due; JR_TIME_NEVER: none is wanted. */
jr_time jr_tlp_when(const struct jr_tcpcb *tp, jr_time now);
/* The probe's time has come. */
void jr_tlp_send(struct jr_tcpcb *tp, jr_time now);
/* 7.4: an ACK while a probe is out; the records are up to date, snd_una hasn't moved yet. */
void jr_tlp_on_ack(struct jr_tcpcb *tp, const struct jr_tcp_seg *seg, const struct jr_delivery *d, jr_time now);

#endif
