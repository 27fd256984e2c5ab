/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Local pairs: two programs of this host connected through a region that only they map. The service makes, queues
 * and ends them; bytes and wake-ups pass without it. Control behaves as TCP's: backlog, refusal, FIN, RST.
 */
#ifndef JR_SOCK_PAIR_H
#define JR_SOCK_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"

struct jr_sock;
struct jr_socks;
struct jr_pair;

/* The listener a local connect to ep would reach, or NULL. */
struct jr_sock *jr_pair_listener(struct jr_socks *ss, const struct jr_endpoint *ep);
/* 0: connected; -EINPROGRESS: the listener's queue is full; or an error. */
int jr_pair_connect(struct jr_sock *so, struct jr_sock *listener, const struct jr_endpoint *to, jr_time now);
/* Gives the oldest pair of a listener's queue to so; false: none. */
bool jr_pair_accept(struct jr_sock *listener, struct jr_sock *so, jr_time now);
int jr_pair_shutdown(struct jr_sock *so, int how);
/* so's last handle is gone, or reset: unread data or abort reset the other end. */
void jr_pair_close(struct jr_sock *so, bool abort);
/* A listener ends: what waits in its queue is reset or refused. */
void jr_pair_listener_gone(struct jr_sock *listener);
/* so's program wrote or read and its other end is watched. */
void jr_pair_on_dirty(struct jr_sock *so);
int jr_pair_fd(const struct jr_pair *pair);
uint32_t jr_pair_id(const struct jr_pair *pair);
/* Bytes in the two rings as the region says; for display. */
void jr_pair_queues(const struct jr_sock *so, uint64_t *rx, uint64_t *tx);
/* Connects that waited too long time out. */
void jr_pairs_expire(struct jr_socks *ss, jr_time now);
/* Tells both ends of every pair that the service is gone. */
void jr_pairs_end(struct jr_socks *ss);

#endif
