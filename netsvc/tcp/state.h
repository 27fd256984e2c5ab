/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a control block: the one door its state moves through, its events, its end. */
#ifndef JR_TCP_STATE_H
#define JR_TCP_STATE_H

#include "tcp/tcpcb.h"

/* The only writer of t_state; a move that the table doesn't allow is a bug and aborts. */
void jr_tcp_move(struct jr_tcpcb *tp, int to);

/* NULL: no memory or the limit. Not in any table; state CLOSED. */
struct jr_tcpcb *jr_tcp_pcb_new(struct jr_tcp *tcp);

/* Puts tp on the list of the next flush. */
static inline void jr_tcp_mark(struct jr_tcpcb *tp)
{
    if (tp->t_flags & TF_DIRTY)
        return;
    tp->t_flags |= TF_DIRTY;
    tp->dirty_next = NULL;
    *tp->tcp->dirty_tail = tp;
    tp->tcp->dirty_tail = &tp->dirty_next;
}
/* Events for the socket at the next flush. */
static inline void jr_tcp_event(struct jr_tcpcb *tp, uint32_t ev)
{
    tp->ev_pending |= ev;
    jr_tcp_mark(tp);
}
/* Output at the next flush. */
static inline void jr_tcp_want_output(struct jr_tcpcb *tp)
{
    tp->t_flags |= TF_OUTPUT;
    jr_tcp_mark(tp);
}
static inline void jr_tcp_ack_now(struct jr_tcpcb *tp)
{
    tp->t_flags |= TF_ACKNOW | TF_OUTPUT;
    jr_tcp_mark(tp);
}

/* The connection ends with an error (an errno); a peer that knows of it gets a RST. */
void jr_tcp_drop(struct jr_tcpcb *tp, int error, jr_time now);
/* The connection ends, nothing is sent. error 0: it ended as it should. */
void jr_tcp_dead(struct jr_tcpcb *tp, int error);
/* Lets go of the buffers of a socket that the app closed. */
void jr_tcp_detach(struct jr_tcpcb *tp);
/* The app will write no more: the move that leads to a FIN. */
void jr_tcp_usrclosed(struct jr_tcpcb *tp, jr_time now);
/* How long a closed socket waits in FIN_WAIT_2, ms. */
uint32_t jr_tcp_default_linger2(const struct jr_tcp_config *cfg);
/* Starts 2 MSL of waiting, or starts it again. */
void jr_tcp_enter_timewait(struct jr_tcpcb *tp, jr_time now);
/* Our FIN is acknowledged: a closed socket needs its buffers no longer. */
void jr_tcp_fin_acked(struct jr_tcpcb *tp, jr_time now);
/* Frees it with the next flush. */
void jr_tcp_bury(struct jr_tcpcb *tp);
/* Frees at once; for the end of the whole stack. */
void jr_tcp_pcb_free(struct jr_tcpcb *tp);

#endif
