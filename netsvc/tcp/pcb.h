/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding control blocks: the table of connections by four-tuple, and who holds which local port. */
#ifndef JR_TCP_PCB_H
#define JR_TCP_PCB_H

#include "tcp/tcpcb.h"

uint32_t jr_pcb_hash(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                     uint16_t fport);
struct jr_tcpcb *jr_pcb_lookup(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                               uint16_t fport);
/* The most specific listener; of a group that shares address and port (SO_REUSEPORT) always the same for one flow. */
struct jr_tcpcb *jr_pcb_lookup_listen(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport,
                                      struct jr_addr faddr, uint16_t fport);
/* The same among all sockets that are bound, whether they listen or not. */
struct jr_tcpcb *jr_pcb_lookup_bound(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport,
                                     struct jr_addr faddr, uint16_t fport);

/* Enters a tcpcb whose four-tuple is set; it must not be there. false: no memory. */
bool jr_pcb_insert(struct jr_tcpcb *tp);
/* Puts what begins like tp, and is not on a port's list of what is bound, into its place. */
void jr_pcb_replace(struct jr_tcpcb *tp, struct jr_tcpcb *by);
/* Out of the table and off its port. */
void jr_pcb_remove(struct jr_tcpcb *tp);

/* 0, -EADDRINUSE or -ENOMEM; port 0 picks one. */
int jr_pcb_bind(struct jr_tcpcb *tp, struct jr_addr addr, uint16_t port);
/* Whether anybody uses the port at an address that overlaps, connections in TIME_WAIT among them. */
bool jr_pcb_port_is_used(const struct jr_tcpcb *tp, struct jr_addr addr, uint16_t port);
/* Whether turning a bound tcpcb into a listener collides with another listener. */
bool jr_pcb_may_listen(const struct jr_tcpcb *tp);
/* A local port for tp's addresses and foreign port (RFC 6056); 0: none is free. */
uint16_t jr_pcb_pick_port(struct jr_tcpcb *tp);
void jr_pcb_free_ports(struct jr_tcp *tcp);

#endif
