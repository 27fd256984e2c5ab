/* SPDX-License-Identifier: BSD-3-Clause */
/* A script that is being run: the clock, the connections it talks about, calls that block. */
#ifndef DRILL_RUN_H
#define DRILL_RUN_H

#include "backend.h"

enum { RUN_CONNS = 64, RUN_FDS = 256, RUN_PENDING = 8, CONN_TS = 64 };

struct conn {              /* how a script's numbers map onto the wire's */
    uint16_t lport, rport; /* lport 0: the stack has not said yet */
    uint32_t off;          /* the stack's sequence numbers minus the script's */
    bool has_ts;
    uint32_t ts_live, ts_script; /* the first timestamp seen from the stack */
    unsigned nts;
    struct {
        uint32_t script, live;
    } ts[CONN_TS];
};

struct pending { /* a call that has begun */
    const struct event *ev;
    struct sys sys;
    int64_t end_us; /* when it has to be over */
};

struct run {
    const struct script *s;
    struct backend *be;
    bool strict;  /* nothing unexpected may be left at the end */
    bool verbose; /* print each event */
    bool failed;
    int64_t event_us; /* the script's time of the event being run */
    struct conn conns[RUN_CONNS];
    unsigned nconns;
    struct conn *cur;
    bool listens;
    uint16_t lport;          /* bound last */
    uint16_t bound[RUN_FDS]; /* the port that each of the script's sockets was bound to; 0: none */
    int fd[RUN_FDS];         /* the backend's, by the script's; -1: none */
    int fastopen_fd;         /* whose first sendto() connects; the script's, -1: none */
    int info_fd;             /* of the connection that code asks about; the script's */
    struct pending *pending[RUN_PENDING];
    struct code *code;
    uint8_t last_sent[1600];
    uint32_t last_sent_len;
};

/* Everything that is wrong is told as file:line: expected ... got ... */
void run_fail(struct run *r, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* true: the script passed. */
bool run_script(const struct script *s, struct backend *be, bool strict, bool verbose);
/* Whether at_us is when the event (or, for a call that blocks, its end) may happen. */
bool run_check_time(struct run *r, const struct event *ev, int64_t from_us, int64_t to_us, int64_t at_us,
                    const char *what);
int64_t run_now(struct run *r);

/* conn.c */
struct conn *conn_new(struct run *r, uint16_t lport, uint16_t rport);
struct conn *conn_find(struct run *r, uint16_t lport, uint16_t rport);
/* The connection that a script's packet belongs to; makes one for a packet out of the blue. */
struct conn *conn_of_script(struct run *r, const struct packet *p);
/* The packet with the numbers of the wire. */
struct packet conn_to_live(struct run *r, struct conn *c, const struct packet *script);
/* A seen packet with the numbers of the script; learns from the first one of a connection. */
void conn_to_script(struct conn *c, const struct packet *script, struct packet *live);

/* match.c: false: why not. */
bool packet_matches(const struct options *o, const struct packet *want, const struct packet *got, char *why,
                    size_t room);

/* link.c */
bool same_igmp(const struct packet *want, const struct packet *got);
bool same_arp(const struct packet *want, const struct packet *got);
bool same_bytes(const struct bytes *want, const struct bytes *got);

/* call.c: begins the call; what follows from a call that is over is checked. */
void call_begin(struct run *r, const struct event *ev);
/* Looks after the calls that have begun. */
void call_poll(struct run *r);
bool call_any_pending(const struct run *r);

/* code.c */
void code_collect(struct run *r, const struct event *ev);
/* Runs python3 over what was collected. */
void code_run(struct run *r);

#endif
