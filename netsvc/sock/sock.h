/* SPDX-License-Identifier: BSD-3-Clause */
/* A socket, private to sock/. Who writes what is told per group. */
#ifndef JR_SOCK_SOCK_H
#define JR_SOCK_SOCK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "base/sockbuf.h"
#include "shm/ring.h"
#include "sock/opt.h"
#include "sock/socks.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

struct jr_pair;

enum { /* jr_sock.ev: what to tell at the end of the turn */
       JR_SOCK_EV_DATA = 1u << 0,
       JR_SOCK_EV_SPACE = 1u << 1,
       JR_SOCK_EV_STATE = 1u << 2 | JR_SOCK_EV_DATA | JR_SOCK_EV_SPACE, /* tell everybody, asked or not */
       JR_SOCK_EV_EDGE = 1u << 3 | JR_SOCK_EV_STATE,   /* an edge though the state may be what it was */
       JR_SOCK_EV_EDGE_IN = 1u << 4 | JR_SOCK_EV_DATA, /* the same for who wants to read */
};

enum { JR_SOCK_NONE = 0, JR_SOCK_STREAM = SOCK_STREAM, JR_SOCK_DGRAM = SOCK_DGRAM }; /* jr_sock.kind */

struct jr_sock {
    /* who and where: sock.c, move.c */
    struct jr_socks *ss;
    struct jr_seg *seg;
    struct jr_abi_slot *sl;
    uint32_t slot;
    uint8_t kind;
    bool is_v6; /* the app called socket(AF_INET6) */
    bool handle_open;
    bool broken; /* lied in its rings: nothing is read from them any more */
    struct jr_peer *peer;
    struct jr_peer *holder; /* the last but PEER to adopt it, whose children ring its bell for it; NULL: nobody did */
    void *handle;
    uint64_t handle_ino;    /* for display: who holds it */
    struct jr_seg *old_seg; /* where it was before it moved; the slot there is kept as a signpost */
    uint32_t old_slot;
    struct jr_list all;

    /* what the slot says: state.c */
    uint32_t st; /* JR_ST_* */
    uint32_t err_serial;
    struct jr_endpoint local, remote;
    struct jr_endpoint bound; /* by bind(2), as asked for: a port of 0 was any */

    /* events: notify.c */
    struct jr_list touched;
    uint32_t ev;
    uint32_t zc_sent;                       /* the slot's, when it was last looked at */
    uint32_t data_answered, space_answered; /* data_wait and space_wait that were last answered */
    uint32_t edges;                         /* as shown in the slot */

    /* rings: stream.c, dgram.c, tune.c; head of snd and tail of rcv: tcp */
    struct jr_sockbuf snd, rcv;
    uint32_t tx_grant;                /* largest tx.cap ever allowed */
    uint32_t tx_max, rx_max;          /* limits by configuration and SO_SNDBUF, SO_RCVBUF */
    uint32_t rx_want;                 /* the capacity that rcv would have if its bytes allowed it; 0: no wish */
    bool attached;                    /* tcp works on the rings */
    uint64_t tx_urg;                  /* the program's last urgent mark that tcp knows of */
    uint64_t gap_at, gap_end, rx_urg; /* as shown in rx */
    bool fin_sent;
    bool deferred; /* Fast Open: the first data makes the connection, to remote */
    struct jr_list busy;
    struct jr_list used;       /* in jr_socks.used: ring pages exist */
    uint64_t tx_seen, rx_seen; /* tails at the last look for idle sockets */

    /* protocol: stream.c, dgram.c, cmd_*.c */
    struct jr_tcpcb *tp;
    uint32_t ntp; /* control blocks that still name this socket: tp, and given up ones whose CLOSED is to come */
    struct jr_udpcb *up;
    struct jr_sock_opts opt;

    /* datagrams: dgram.c, errq.c */
    struct jr_list errors; /* IP_RECVERR */
    uint32_t n_errors;
    uint32_t drops;   /* datagrams that found the ring full */
    uint32_t charged; /* what waits counts for against SO_RCVBUF, from the record at charged_from on */
    uint64_t charged_from;
    struct jr_cork *cork;     /* MSG_MORE, UDP_CORK: the datagram so far; NULL: none */
    struct jr_list merging;   /* in jr_socks.merging: the last record is not published yet */
    uint64_t merge_at;        /* UDP_GRO: that record's offset */
    struct jr_abi_dgram last; /* and its header */

    /* ports: port.c */
    uint16_t steered_port;    /* 0: none */
    uint8_t steered_families; /* 1: IPv4, 2: IPv6 */
    bool kernel_is_v6;        /* kernel_fd is an AF_INET6 socket; relay.c */
    uint32_t shadow_copies;   /* kernel_fd is the program's own listener, for so many who may get this socket; 0: not */
    int kernel_fd;            /* keeps the kernel from using the same port; -1 */

    /* local pairs: pair.c */
    struct jr_list listening; /* in jr_socks.listeners */
    struct jr_list queue;     /* listener: pairs to accept */
    uint32_t nqueue, backlog;
    struct jr_pair *pair;
    uint32_t pair_end;
};

/* state.c */
void jr_sock_set_state(struct jr_sock *so, uint32_t set, uint32_t clear);
void jr_sock_set_error(struct jr_sock *so, int err); /* positive errno, pending for the app */
void jr_sock_fail(struct jr_sock *so, int err);      /* the error, JR_ST_DEAD, everybody told */
void jr_sock_violation(struct jr_sock *so, enum jr_counter why, jr_time now);
/* The wildcard of its family. */
static inline struct jr_addr jr_sock_any(const struct jr_sock *so)
{
    return so->is_v6 ? (struct jr_addr){.q = {0, 0}} : jr_addr_v4(0);
}
void jr_sock_show_local(struct jr_sock *so, const struct jr_endpoint *ep);
void jr_sock_show_remote(struct jr_sock *so, const struct jr_endpoint *ep);
struct jr_abi_addr jr_sock_abi_addr(const struct jr_sock *so, const struct jr_endpoint *ep);
/* -EAFNOSUPPORT, -EINVAL. A wildcard of either family becomes 0.0.0.0. */
int jr_sock_endpoint(const struct jr_sock *so, const struct jr_abi_addr *a, struct jr_endpoint *ep);
/* Linux takes a destination of no address for this host. */
static inline void jr_sock_to_self(struct jr_endpoint *to)
{
    if (jr_addr_is_any(to->addr))
        to->addr = jr_addr_is_v4(to->addr) ? jr_addr_v4(htonl(INADDR_LOOPBACK)) : (struct jr_addr){.b = {[15] = 1}};
}
struct jr_rule_subject jr_sock_subject(const struct jr_sock *so);

/* cmd_connect.c: the socket as it was before connect(2) or listen(2), with all its options; its control block is spent.
 */
int jr_sock_start_over(struct jr_sock *so, jr_time now);

/* cmd_bind.c: the address that bind(2) gave, with a new port, for a socket that lost its own. */
int jr_sock_bind_again(struct jr_sock *so);
/* Binds to a port of the kernel's choice, which stays taken there. */
int jr_sock_bind_picked(struct jr_sock *so, struct jr_endpoint *ep);

/* socks.c: looks at what the program published in its rings. */
void jr_sock_on_dirty(struct jr_sock *so, jr_time now);

/* notify.c */
void jr_sock_touch(struct jr_sock *so, uint32_t ev);
/* Posts to the event queues that watch the socket; a full fence is behind the change. */
void jr_sock_post_watchers(struct jr_sock *so, uint32_t ev);
/* Wakes everybody who waits for anything at the slot that the socket left. */
void jr_sock_tell_moved(struct jr_sock *so, struct jr_seg *old_seg, uint32_t old_slot);

/* sock.c */
/* Makes the socket what socket() said, on its first command or datagram. */
int jr_sock_open(struct jr_sock *so);
/* Drops protocol state, ports and reservations: the app turns to the kernel. */
void jr_sock_give_up(struct jr_sock *so, jr_time now);
void jr_sock_release(struct jr_sock *so);
void jr_sock_stop_listening(struct jr_sock *so);

/* stream.c */
extern const struct jr_tcp_upcalls jr_stream_upcalls;
void jr_stream_attach(struct jr_sock *so);
void jr_stream_show_mss(struct jr_sock *so);
/* Sends the SYN, with what is in the ring already if it may. -EINPROGRESS, or why not. */
int jr_stream_connect(struct jr_sock *so, const struct jr_endpoint *ep, jr_time now);
void jr_stream_on_dirty(struct jr_sock *so, jr_time now);
/* Takes over what the app published, before something that depends on it. */
void jr_stream_sync(struct jr_sock *so, jr_time now);
/* The program changed its slot's rcvlowat: readers are woken if there is enough, or the end. */
void jr_stream_on_low_water(struct jr_sock *so, jr_time now);
void jr_stream_on_close(struct jr_sock *so, jr_time now);

/* dgram.c */
extern const struct jr_udp_upcalls jr_dgram_upcalls;
/* Sends what is in the ring, at most a turn's share; the rest stays in jr_socks.busy. */
void jr_dgram_on_dirty(struct jr_sock *so, jr_time now);
/* Sends all that is in the ring: before what would change how it goes, or ends the socket. */
void jr_dgram_drain(struct jr_sock *so, jr_time now);
void jr_dgram_set_cork(struct jr_sock *so, bool on, jr_time now); /* UDP_CORK */
void jr_dgram_cork_free(struct jr_sock *so);
int jr_dgram_autobind(struct jr_sock *so, jr_time now);
/* A datagram for the socket: into its ring, or dropped. */
void jr_dgram_take(struct jr_sock *so, const struct jr_abi_dgram *h, const uint8_t *data, jr_time now);
/* UDP_GRO: the program sees the record that datagrams are still added to. */
void jr_dgram_publish(struct jr_sock *so);
/* Tells the program what the largest datagram is that it may send whole. */
void jr_dgram_show_mss(struct jr_sock *so);

/* errq.c */
void jr_errq_add(void *arg, struct jr_udpcb *up, const struct jr_udp_error *e, jr_time now);
void jr_errq_purge(struct jr_sock *so);

/* tune.c */
void jr_tune_on_want(struct jr_sock *so, jr_time now);
void jr_tune_try_rx(struct jr_sock *so, jr_time now);
/* Enlarges the transmit ring to what is granted, if nobody is writing just now; else the program does it when the bytes
 * in the ring lie so that it can. */
void jr_tune_try_tx(struct jr_sock *so);
void jr_tune_set_limits(struct jr_sock *so);
/* Lets the transmit ring grow to tx bytes, a power of two. */
void jr_tune_grant(struct jr_sock *so, uint32_t tx);
/* Data passes: the pages of the rings will have to be given back when it no longer does. */
static inline void jr_tune_used(struct jr_sock *so)
{
    if (!jr_list_linked(&so->used))
        jr_list_push_tail(&so->ss->used, &so->used);
}
/* Gives the pages of idle sockets back, a few at a time. true: there are more. */
bool jr_tune_sweep(struct jr_socks *ss);

#endif
