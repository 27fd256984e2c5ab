/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One TCP stack with a fake clock, sockets as plain memory, and a script that plays the peer. Sequence numbers in
 * a script are relative: .seq to the peer's ISN, .ack to the stack's, so a SYN is 0 and the first byte is 1.
 */
#ifndef JR_TESTS_TCP_RIG_H
#define JR_TESTS_TCP_RIG_H

#include "base/test.h"
#include "ip_double.h"
#include "jr_tcp_fsm.h"
#include "tcp/tcp.h"
#include "wire/tcp_wire.h"

#define RIG_MAX_SENT 4096u
#define RIG_PORT 80
#define RIG_PEER_PORT 5555
#define RIG_PEER_ISS 0xfffff000u /* so that sequences wrap early */

struct sock { /* what sock/ would hold */
    struct jr_tcpcb *tp;
    struct jr_sockbuf snd, rcv;
    uint32_t events; /* all reported since the test last cleared it */
    uint32_t calls;
    int error;
    bool closed;   /* JR_TCP_EV_CLOSED came; tp is gone */
    bool autoread; /* event handler throws what arrives away */
};

struct seg { /* a segment, injected or seen; zero means absent or default */
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t win; /* as on the wire; inject: 0 means 65535 */
    bool shut;    /* inject: a zero window */
    uint16_t urp;
    struct jr_tcp_opts opts;
    const void *data;
    uint32_t len;
    bool no_ts;      /* inject: leave out the timestamp that the connection uses */
    uint32_t ts_ago; /* inject: a timestamp that is older by this much */
    uint16_t sport;  /* inject: instead of the rig's */
    bool unsign;     /* inject: leave out the signature */
    bool missign;    /* inject: a wrong one */
    /* seen */
    uint16_t dport;
    jr_time at;
    uint8_t bytes[2048];
};

struct rig {
    struct jr_ip ip;
    struct jr_tcp_config cfg;
    struct jr_tcp *tcp;
    jr_time now;
    bool hold_flush; /* inject doesn't flush: segments form a burst */
    bool ts;         /* the peer uses timestamps */
    uint32_t peer_tsval, last_tsval;
    uint32_t iss;        /* the stack's, once seen */
    uint16_t local_port; /* the stack's side */
    uint16_t peer_port;
    struct jr_addr local, peer;
    struct seg *sent; /* ring of what the stack sent */
    uint32_t sent_head, sent_tail;
    uint32_t embryo_bufs; /* in use */
    bool no_embryo_buf;
    const char *secret;  /* RFC 2385: the peer signs, and what the stack sends must be signed */
    uint32_t signatures; /* seen, all good */
    uint32_t embryo_cap;
};

extern const struct jr_tcp_upcalls rig_upcalls;

/* rig_start() after rig_init() and changes to cfg; rig_end() checks that nothing leaked. */
void rig_init(struct rig *r);
void rig_start(struct rig *r);
void rig_end(struct rig *r);

/* A test on a stack of the standard configuration, which its body knows as r. */
#define RIG_TEST(name_)                                                                                                \
    static void rig_##name_(struct rig *r);                                                                            \
    JR_TEST(name_)                                                                                                     \
    {                                                                                                                  \
        struct rig rig;                                                                                                \
        rig_init(&rig);                                                                                                \
        rig_start(&rig);                                                                                               \
        rig_##name_(&rig);                                                                                             \
        rig_end(&rig);                                                                                                 \
    }                                                                                                                  \
    static void rig_##name_(struct rig *r)

struct sock *rig_socket(struct rig *r, uint32_t sndcap, uint32_t rcvcap);
/* Frees a socket whose JR_TCP_EV_CLOSED came. */
void rig_socket_free(struct sock *s);
/* Closes, lets time pass until it is over, frees. */
void rig_destroy(struct rig *r, struct sock *s);

void rig_inject(struct rig *r, struct seg s);
#define rig_in(r, ...) rig_inject((r), (struct seg){__VA_ARGS__})
void rig_flush(struct rig *r);
/* Moves the clock by us, running every tick that falls due. */
void rig_advance(struct rig *r, jr_time us);

/* The oldest segment not yet looked at; NULL: none. */
struct seg *rig_pop(struct rig *r);
/* Checks the next one. */
struct seg *rig_expect_at(struct rig *r, const char *file, int line, uint8_t flags, uint32_t seq, uint32_t ack,
                          uint32_t len);
#define rig_expect(r, flags, seq, ack, len) rig_expect_at((r), __FILE__, __LINE__, (flags), (seq), (ack), (len))
#define rig_expect_none(r) rig_expect_none_at((r), __FILE__, __LINE__)
bool rig_expect_none_at(struct rig *r, const char *file, int line);
void rig_drain(struct rig *r);

/* Standard openings; both leave nothing unread. opts of the peer's SYN: mss 1460 and what is asked for. */
enum { RIG_TS = 1, RIG_SACK = 2, RIG_SCALE = 4, RIG_ALL = 7 };
struct sock *rig_listen(struct rig *r, uint32_t backlog);
struct sock *rig_accept(struct rig *r, struct sock *listener, uint32_t sndcap, uint32_t rcvcap);
/* A connection that the script opened to a listener (which is gone again). */
struct sock *rig_passive(struct rig *r, uint32_t what);
struct sock *rig_passive_sized(struct rig *r, uint32_t what, uint32_t sndcap, uint32_t rcvcap);
struct sock *rig_active(struct rig *r, uint32_t what);

/* A test on one such connection, s, which is closed after it. */
#define RIG_CONN_TEST(name_, what_)                                                                                    \
    static void rig_##name_##_on(struct rig *r, struct sock *s);                                                       \
    RIG_TEST(name_)                                                                                                    \
    {                                                                                                                  \
        struct sock *s = rig_passive(r, (what_));                                                                      \
        rig_##name_##_on(r, s);                                                                                        \
        rig_destroy(r, s);                                                                                             \
    }                                                                                                                  \
    static void rig_##name_##_on(struct rig *r, struct sock *s __attribute__((unused)))
struct jr_tcp_opts rig_syn_opts(const struct rig *r, uint32_t what);

/* The app: n bytes of a pattern that depends on the stream offset. */
void sock_write(struct rig *r, struct sock *s, uint32_t n);
/* Appends without telling TCP. */
void sock_put(struct sock *s, uint32_t n);
/* Reads n bytes, checking the pattern, and tells TCP. */
void sock_read(struct rig *r, struct sock *s, uint32_t n);
uint8_t pattern_at(uint64_t off);
/* The pattern's bytes from off, to inject: valid until the next call. */
const void *pattern(uint64_t off, uint32_t n);
#define sock_state(s) jr_tcp_state((s)->tp)
#define rig_count(r, c) ((r)->ip.counters.v[c])

#endif
