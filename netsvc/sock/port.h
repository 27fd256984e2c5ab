/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which local ports are the service's: told to the steering of shared ports (base/hooks.h), and reserved in the kernel
 * so that no program of the kernel's stack gets the same address and port. A TCP port stays ours for 2 MSL after its
 * last socket, because its connections may be in TIME_WAIT.
 */
#ifndef JR_SOCK_PORT_H
#define JR_SOCK_PORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"

/* An address as the kernel's calls have it. */
struct jr_kernel_addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
    socklen_t len;
};
/* as_v6: IPv4 in the form that AF_INET6 sockets take. */
struct jr_kernel_addr jr_kernel_addr(const struct jr_endpoint *ep, bool as_v6);
struct jr_endpoint jr_kernel_endpoint(const struct jr_kernel_addr *a);

struct jr_ports;
struct jr_sock;
struct jr_socks;

struct jr_ports *jr_ports_new(void);
void jr_ports_free(struct jr_socks *ss);
/* The socket uses this local address's port from now on, in the families that reach it; once per socket, a second call
 * with the same port is nothing. */
void jr_port_use(struct jr_sock *so, const struct jr_endpoint *local);
void jr_port_unuse(struct jr_sock *so, jr_time now);
/* Takes ep in the kernel. 0, also where the kernel does not have that address; -EADDRINUSE, -EMFILE. */
int jr_port_reserve(struct jr_sock *so, const struct jr_endpoint *ep);
void jr_port_unreserve(struct jr_sock *so);
/* Takes a port of the kernel's choice at ep->addr, and tells it in ep. 0 or a negative errno. */
int jr_port_pick(struct jr_sock *so, struct jr_endpoint *ep);
/* Whether a socket of the kernel's has ep, for so's protocol: a listener, for TCP. */
bool jr_port_is_kernels(const struct jr_sock *so, const struct jr_endpoint *ep);
/* Ends ports whose time is up. */
void jr_ports_sweep(struct jr_socks *ss, jr_time now);
bool jr_ports_is_lingering(const struct jr_socks *ss);

#endif
