/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The narrow interface to a TCP engine: all that sock/ and main/ know of it, so that another engine can
 * stand behind it. One struct jr_tcp per worker; nothing here locks. Errors are negative errno values.
 * RFC 9293; names follow FreeBSD.
 */
#ifndef JR_TCP_H
#define JR_TCP_H

#include "base/addr.h"
#include "base/sockbuf.h"
#include "base/time.h"
#include "ip/ip.h"
#include "jr_sysctl_fields.h"

struct jr_tcp;
struct jr_tcpcb;

enum {                                /* what an upcall reports; several bits may be set */
       JR_TCP_EV_CONNECTED = 1u << 0, /* handshake done, active side */
       JR_TCP_EV_RX = 1u << 1,        /* rcv.tail moved */
       JR_TCP_EV_RX_FIN = 1u << 2,    /* peer finished; everything before it is in rcv */
       JR_TCP_EV_TX = 1u << 3,        /* snd.head moved */
       JR_TCP_EV_ERROR = 1u << 4,     /* jr_tcp_error() holds an errno (RST, timeout, ICMP): the connection is dead */
       JR_TCP_EV_ACCEPT = 1u << 5,    /* listener: the accept queue got an entry */
       JR_TCP_EV_CLOSED = 1u << 6,    /* last call for this tcpcb: neither side will touch the buffers again */
       JR_TCP_EV_URG = 1u << 7,       /* urgent pointer moved */
       JR_TCP_EV_WANT = 1u << 8,      /* jr_tcp_rcv_want() or jr_tcp_snd_want() exceeds the buffer's cap */
};

/* event() is called only from jr_tcp_flush() and jr_tcp_tick(), once per connection and flush, never from inside
 * another call: it may call anything here. The embryo_ calls come from within input. */

struct jr_tcp_upcalls {
    void (*event)(void *so, struct jr_tcpcb *tp, uint32_t events, jr_time now);
    /* Memory for a receive buffer whose cap is 0: of a connection that nobody accepted yet (so is the listener's) or
     * of one attached without. head and tail stay as they are. false: none, drop the data. */
    bool (*embryo_rcvbuf)(void *so, struct jr_sockbuf *rcv);
    void (*embryo_free)(void *so, struct jr_sockbuf *rcv);
};

/* The knobs are codegen/spec/sysctl/tcp.yaml's: FreeBSD's names without "net.inet.tcp.", a dot as an underscore. */
struct jr_tcp_config {
    JR_SYSCTL_TCP_FIELDS;
    uint8_t secret[16]; /* ISN, timestamp offsets, ephemeral ports: SipHash key */
    uint64_t seed;      /* all other dice */
};
void jr_tcp_config_defaults(struct jr_tcp_config *cfg);

/* The timer that will do something next, as ss(8) names it ("on": a retransmission); NULL: none. *left_us until then,
 * *count: how often it ran out in a row. */
const char *jr_tcp_pending_timer(const struct jr_tcpcb *tp, jr_time now, uint64_t *left_us, unsigned *count);
/* The names of the congestion control algorithms, the default first; NULL behind the last. */
const char *jr_tcp_cc_available(unsigned i);

struct jr_tcp *jr_tcp_new(struct jr_ip *ip, const struct jr_tcp_config *cfg);
/* After a change of what jr_tcp_config() points at: caches that were switched off or shall be purged are emptied. */
void jr_tcp_config_changed(struct jr_tcp *tcp);
void jr_tcp_free(struct jr_tcp *tcp); /* drops every connection silently */
/* The configuration in use: its knobs may be changed between two calls. */
struct jr_tcp_config *jr_tcp_config(struct jr_tcp *tcp);

/* What the bursts read so far have to send and to report: delayed to here so that a burst costs one ACK and one upcall
 * per connection. Call it after each rx burst and before sleeping; tick ends with it. */
void jr_tcp_flush(struct jr_tcp *tcp, jr_time now);

/* When tick wants to run next (JR_TIME_NEVER: no timer is armed), and the run of what is due. */
jr_time jr_tcp_next_tick(const struct jr_tcp *tcp);
void jr_tcp_tick(struct jr_tcp *tcp, jr_time now);

/* A socket without an address. so is handed to upcalls. NULL: no memory or the configured limit. */
struct jr_tcpcb *jr_tcp_open(struct jr_tcp *tcp, const struct jr_tcp_upcalls *up, void *so);

enum {
    JR_TCP_BIND_REUSEADDR = 1u << 0,
    JR_TCP_BIND_REUSEPORT = 1u << 1,
    JR_TCP_BIND_FRESH = 1u << 8, /* a port that nobody asked for by number: nobody may use it, TIME_WAIT neither */
};
/* port 0: an ephemeral port (RFC 6056). -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL (bound already). */
int jr_tcp_bind(struct jr_tcpcb *tp, const struct jr_endpoint *local, uint32_t flags);
/* JR_TCP_BIND_* of a bound control block, from now on. */
void jr_tcp_set_reuse(struct jr_tcpcb *tp, uint32_t flags);
int jr_tcp_listen(struct jr_tcpcb *tp, uint32_t backlog, jr_time now);
/* SO_RCVBUF of what the listener accepts: the window of its SYN-ACKs. 0: as configured. */
void jr_tcp_set_rcv_space(struct jr_tcpcb *tp, uint32_t bytes);
/* Active open with buffers attached; binds when not bound. What is in snd already may go with the SYN (TCP_FASTOPEN).
 * -EADDRNOTAVAIL, -ENETUNREACH, -EISCONN, -EADDRINUSE. */
int jr_tcp_connect(struct jr_tcpcb *tp, const struct jr_endpoint *remote, jr_time now);
/* TCP_FASTOPEN_CONNECT, and the server's cookie is known: the SYN of jr_tcp_connect() would take data along that is in
 * snd by then, so it is better to wait for some. */
bool jr_tcp_fastopen_ready(struct jr_tcpcb *tp, const struct jr_endpoint *remote, jr_time now);
/* The oldest established connection of the listener, or NULL. The caller attaches buffers and its own so; then the next
 * flush reports what already happened (it may even be dead: jr_tcp_error()). */
struct jr_tcpcb *jr_tcp_accept(struct jr_tcpcb *listener);
uint32_t jr_tcp_accept_count(const struct jr_tcpcb *listener);
/* Gives a connection the socket's buffers; what was received before, in order or not, is copied over and keeps its
 * stream offsets. */
void jr_tcp_attach(struct jr_tcpcb *tp, void *so, struct jr_sockbuf *snd, struct jr_sockbuf *rcv);

/* snd.tail moved (push: nothing more comes soon, send what there is even where Nagle would wait is NOT implied). */
void jr_tcp_send(struct jr_tcpcb *tp, jr_time now);
/* The same for MSG_MORE: the last, not full segment waits for the next jr_tcp_send() (at most 200 ms). */
void jr_tcp_send_more(struct jr_tcpcb *tp, jr_time now);
/* The same for MSG_OOB: the byte before stream offset off, which is not beyond snd.tail, is the last urgent one. */
void jr_tcp_send_urgent(struct jr_tcpcb *tp, uint64_t off, jr_time now);
/* rcv.head moved: maybe a window update. */
void jr_tcp_recved(struct jr_tcpcb *tp, jr_time now);
/* Once so many more bytes are read, a window update is due: the peer may be waiting for it. */
uint32_t jr_tcp_rcv_due_in(const struct jr_tcpcb *tp);
/* The owner swapped cap (and base) of a buffer whose live bytes keep their places. */
void jr_tcp_buffers_changed(struct jr_tcpcb *tp, jr_time now);
/* The peer may fill rcv up to this stream offset: a new, smaller or larger, buffer must hold [head, edge) and a copy of
 * its bytes. */
uint64_t jr_tcp_rcv_edge(const struct jr_tcpcb *tp);
/* The stream offset behind the last byte that rcv holds, those out of order included. */
uint64_t jr_tcp_rcv_held(const struct jr_tcpcb *tp);
/* Most bytes that may wait in rcv: its capacity, or recvspace in whole segments while autotuning has not asked for
 * more. */
uint32_t jr_tcp_rcv_limit(const struct jr_tcpcb *tp);
/* Capacities that the connection could use (autotuning: bandwidth times delay), powers of two up to *buf_max. */
uint32_t jr_tcp_rcv_want(const struct jr_tcpcb *tp);
uint32_t jr_tcp_snd_want(const struct jr_tcpcb *tp);
/* The stream offset behind the last urgent byte received; false: the peer never sent urgent data. */
bool jr_tcp_urgent(const struct jr_tcpcb *tp, uint64_t *off);
/* Where the run of urgent bytes begins that ends with the last one: the others of it came just before. */
uint64_t jr_tcp_urgent_run(const struct jr_tcpcb *tp);
/* FIN after all of snd, whose tail must not move any more; the same after close. */
void jr_tcp_shutdown(struct jr_tcpcb *tp, jr_time now);
/* Nobody will read what comes; with a FIN of ours besides, more data ends the connection. */
void jr_tcp_cantrcv(struct jr_tcpcb *tp);
/* The app is gone: FIN after snd, whatever was left unread, and a RST when more data comes; or a RST at once when abort
 * is set. Buffers stay in use until
 * JR_TCP_EV_CLOSED; a second call with abort gives up what the first left to do. */
void jr_tcp_close(struct jr_tcpcb *tp, bool abort, jr_time now);

/* Connections and listeners alive; 0 after the last JR_TCP_EV_CLOSED (but for connections in TIME_WAIT). */
uint32_t jr_tcp_count(const struct jr_tcp *tcp);
struct jr_counters *jr_tcp_counters(struct jr_tcp *tcp);

int jr_tcp_error(const struct jr_tcpcb *tp); /* positive errno of JR_TCP_EV_ERROR, 0 none */
int jr_tcp_state(const struct jr_tcpcb *tp); /* TCPS_*, generated table */
void jr_tcp_local(const struct jr_tcpcb *tp, struct jr_endpoint *out);
void jr_tcp_remote(const struct jr_tcpcb *tp, struct jr_endpoint *out);
struct jr_sockbuf *jr_tcp_snd(struct jr_tcpcb *tp);
struct jr_sockbuf *jr_tcp_rcv(struct jr_tcpcb *tp);

/* FreeBSD's options that Linux has no number for. */
enum { JR_TCP_NOOPT = 0x10008, JR_TCP_KEEPINIT = 0x10080 };
/* Options by Linux's IPPROTO_TCP / SOL_SOCKET numbers, values as setsockopt(2) takes them; -ENOPROTOOPT for what tcp
 * doesn't know. */
int jr_tcp_setopt(struct jr_tcpcb *tp, int level, int name, const void *val, uint32_t len, jr_time now);
int jr_tcp_getopt(const struct jr_tcpcb *tp, int level, int name, void *val, uint32_t *len, jr_time now);

#endif
