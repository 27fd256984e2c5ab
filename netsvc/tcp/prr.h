/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proportional rate reduction: recovery sends in proportion to what arrives, so that the data in flight is at ssthresh
 * when it ends. RFC 9937 (which replaces RFC 6937): conservative bound, slow-start bound on ACKs that show progress.
 */
#ifndef JR_TCP_PRR_H
#define JR_TCP_PRR_H

#include "tcp/sack.h"

/* Recovery begins with the ACK that d is of; ssthresh is set, nothing was resent yet. */
void jr_prr_begin(struct jr_tcpcb *tp, const struct jr_delivery *d);
/* An ACK in recovery: sets snd_cwnd. */
void jr_prr_on_ack(struct jr_tcpcb *tp, const struct jr_delivery *d);

#endif
