/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * With loopback = "service" a datagram socket's address is taken in the kernel by a socket of the service's. What comes
 * to that goes into our socket's one buffer, and what no port of ours leads to leaves by it: other hosts by interfaces
 * that are the kernel's alone, groups, and programs on the kernel's stack.
 */
#ifndef JR_SOCK_RELAY_H
#define JR_SOCK_RELAY_H

#include "sock/sock.h"

/* The socket was bound in both stacks. */
void jr_relay_start(struct jr_sock *so);
/* Whether a datagram to this address and port leaves by the kernel; connected: it names none. */
bool jr_relay_takes(struct jr_sock *so, const struct jr_endpoint *to, bool connected);
/* In two pieces. 0 or a negative errno. */
int jr_relay_send(struct jr_sock *so, const struct jr_endpoint *to, const struct jr_abi_dgram *h,
                  const struct iovec iov[2]);
/* Options that matter there too. -ENOPROTOOPT: the stack's to decide; else the kernel has, as about groups. */
int jr_relay_setopt(struct jr_sock *so, int level, int name, const void *val, uint32_t len);
int jr_relay_getopt(struct jr_sock *so, int level, int name, void *val, uint32_t *len);

#endif
