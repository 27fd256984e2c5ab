/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP (RFC 768, 1122 4.1) as sock/ sees it. Datagrams are handed up whole; buffering is sock's. */
#ifndef JR_UDP_H
#define JR_UDP_H

#include "base/addr.h"
#include "base/time.h"
#include "ip/ip.h"

struct jr_udp;
struct jr_udpcb;

struct jr_udp_upcalls {
    /* data is only valid during the call. */
    void (*input)(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                  const uint8_t *data, uint32_t len, jr_time now);
    void (*error)(void *so, struct jr_udpcb *up, int err, jr_time now); /* positive errno, from ICMP */
};

/* The same bits as JR_TCP_BIND_*. */
enum { JR_UDP_BIND_REUSEADDR = 1u << 0, JR_UDP_BIND_REUSEPORT = 1u << 1 };

/* Ephemeral ports come from [port_first, port_last]; the secret makes them unpredictable (RFC 6056). NULL: no memory.
 */
struct jr_udp *jr_udp_new(struct jr_ip *ip, uint16_t port_first, uint16_t port_last, const uint8_t secret[16]);
void jr_udp_free(struct jr_udp *udp);
/* A socket without an address; so is handed to upcalls, which must not close sockets. NULL: no memory. */
struct jr_udpcb *jr_udp_open(struct jr_udp *udp, const struct jr_udp_upcalls *up, void *so);
/* port 0: an ephemeral one. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL (bound already) */
int jr_udp_bind(struct jr_udpcb *up, const struct jr_endpoint *local, uint32_t flags /* JR_UDP_BIND_* */);
/* Binds when not bound. -ENETUNREACH, -EADDRINUSE (no port left), -EINVAL (port 0) */
int jr_udp_connect(struct jr_udpcb *up, const struct jr_endpoint *remote); /* port 0 and any address: disconnect */
/* One datagram, gathered from two pieces (a ring may wrap). to NULL: the connected peer. Binds when not bound;
 * fragments when it must. -EDESTADDRREQ, -EMSGSIZE, -ENETUNREACH, -ENOBUFS, ... */
int jr_udp_send(struct jr_udpcb *up, const struct jr_endpoint *to, const void *a, uint32_t a_len, const void *b,
                uint32_t b_len, uint8_t tos, uint8_t ttl, jr_time now);
void jr_udp_close(struct jr_udpcb *up);
void jr_udp_local(const struct jr_udpcb *up, struct jr_endpoint *out);
void jr_udp_remote(const struct jr_udpcb *up, struct jr_endpoint *out);

#endif
