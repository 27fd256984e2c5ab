/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP (RFC 768, 1122 4.1) as sock/ sees it. Datagrams are handed up whole; buffering is sock's. */
#ifndef JR_UDP_H
#define JR_UDP_H

#include "base/addr.h"
#include "base/time.h"
#include "ip/ip.h"
#include "jr_sysctl_fields.h"

struct jr_udp;
struct jr_udpcb;

/* What is known of a datagram that did not arrive; struct sock_extended_err's words (ip(7), IP_RECVERR). */
struct jr_udp_error {
    int err;        /* positive errno */
    uint8_t origin; /* SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ICMP */
    uint8_t type, code;
    uint32_t info;           /* the path's MTU, for EMSGSIZE */
    struct jr_addr offender; /* who told; the wildcard: this host */
    struct jr_endpoint dst;  /* where the datagram went */
    const uint8_t *data;     /* its payload, as far as it is known; valid during the call */
    uint32_t len;
};

struct jr_udp_upcalls {
    /* data is only valid during the call. */
    void (*input)(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                  const uint8_t *data, uint32_t len, jr_time now);
    void (*error)(void *so, struct jr_udpcb *up, int err, jr_time now); /* positive errno, from ICMP */
    /* For the error queue: with IP_RECVERR every error comes here too, before error(). May be NULL. */
    void (*queue_error)(void *so, struct jr_udpcb *up, const struct jr_udp_error *e, jr_time now);
};

/* The same bits as JR_TCP_BIND_*. */
enum {
    JR_UDP_BIND_REUSEADDR = 1u << 0,
    JR_UDP_BIND_REUSEPORT = 1u << 1,
    JR_UDP_BIND_V6ONLY = 1u << 2, /* :: means no IPv4 datagrams */
    JR_UDP_BIND_PICKED = 1u << 3, /* the program did not choose the port: it goes with the connection */
};

/* The knobs are codegen/spec/sysctl/udp.yaml's. */
struct jr_udp_config {
    JR_SYSCTL_UDP_FIELDS;
};
void jr_udp_config_defaults(struct jr_udp_config *cfg);

/* What one datagram asks for beyond its socket's options; zero and the wildcard are "as the socket has it". */
struct jr_udp_tx {
    struct jr_addr src; /* all zero: the socket's */
    struct jr_netif *ifp;
    bool has_tos;
    uint8_t tos, ttl;
    uint16_t segsz; /* payload bytes of each datagram cut from the data; UDP_SEGMENT */
};

/* Ephemeral ports come from [port_first, port_last]; the secret makes them unpredictable (RFC 6056). NULL: no memory.
 */
struct jr_udp *jr_udp_new(struct jr_ip *ip, uint16_t port_first, uint16_t port_last, const uint8_t secret[16]);
void jr_udp_free(struct jr_udp *udp);
/* The configuration in use: its knobs may be changed between two calls. */
struct jr_udp_config *jr_udp_config(struct jr_udp *udp);
/* A socket without an address; so is handed to upcalls, which must not close sockets. NULL: no memory. */
struct jr_udpcb *jr_udp_open(struct jr_udp *udp, const struct jr_udp_upcalls *up, void *so);
/* port 0: an ephemeral one. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL (bound already) */
int jr_udp_bind(struct jr_udpcb *up, const struct jr_endpoint *local, uint32_t flags /* JR_UDP_BIND_* */);
/* Whether a socket is in the way of one of the kernel's there. */
bool jr_udp_conflicts(struct jr_udp *udp, const struct jr_endpoint *local, uint32_t flags /* JR_UDP_BIND_* */);
/* Binds when not bound. Port 0 is a port like others, and one from which nothing comes: what comes from any is taken.
 * -ENETUNREACH, -EAFNOSUPPORT (bound to IPv4), -EADDRINUSE (no port left) */
int jr_udp_connect(struct jr_udpcb *up, const struct jr_endpoint *remote);
/* The address that bind() gave stays, and its port if it named one. */
void jr_udp_disconnect(struct jr_udpcb *up);
/* One datagram, gathered from two pieces (a ring may wrap). to NULL: the connected peer. Binds when not bound;
 * fragments when it must. -EDESTADDRREQ, -EMSGSIZE, -ENETUNREACH, -ENOBUFS, ... */
int jr_udp_send(struct jr_udpcb *up, const struct jr_endpoint *to, const void *a, uint32_t a_len, const void *b,
                uint32_t b_len, uint8_t tos, uint8_t ttl, jr_time now);
/* The same with all that a datagram may ask for; tx NULL: nothing. Also -EINVAL (src not ours, segsz too large or in
 * too many pieces), -EACCES (to a broadcast address without SO_BROADCAST). */
int jr_udp_sendmsg(struct jr_udpcb *up, const struct jr_endpoint *to, const void *a, uint32_t a_len, const void *b,
                   uint32_t b_len, const struct jr_udp_tx *tx, jr_time now);
/* The largest payload that goes to the peer (or, when not connected, by any port) in one packet. */
uint32_t jr_udp_whole_max(struct jr_udpcb *up);
/* setsockopt(2) and getsockopt(2) of what datagrams' protocols keep. -ENOPROTOOPT, -EINVAL, ... get stores the length.
 */
int jr_udp_setopt(struct jr_udpcb *up, int level, int name, const void *val, uint32_t len, jr_time now);
int jr_udp_getopt(struct jr_udpcb *up, int level, int name, void *val, uint32_t *len);
/* Memberships as RFC 3678 has them. The port is ifindex's, else ifaddr's, else the one that leads to the group. */
enum jr_udp_mcast_op {
    JR_UDP_MCAST_JOIN,
    JR_UDP_MCAST_LEAVE,
    JR_UDP_MCAST_JOIN_SOURCE,
    JR_UDP_MCAST_LEAVE_SOURCE,
    JR_UDP_MCAST_BLOCK,
    JR_UDP_MCAST_UNBLOCK,
};
struct jr_udp_mcast_req {
    struct jr_addr group, source, ifaddr;
    uint32_t ifindex;
};
/* -EINVAL, -ENODEV, -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS; -ENOPROTOOPT on ports that the kernel shares. */
int jr_udp_mcast(struct jr_udpcb *up, enum jr_udp_mcast_op op, const struct jr_udp_mcast_req *req, jr_time now);
void jr_udp_close(struct jr_udpcb *up);
/* Whether a socket gets what somebody sends to ep. */
bool jr_udp_is_bound(struct jr_udp *udp, const struct jr_endpoint *ep);
void jr_udp_local(const struct jr_udpcb *up, struct jr_endpoint *out);
void jr_udp_remote(const struct jr_udpcb *up, struct jr_endpoint *out);

#endif
