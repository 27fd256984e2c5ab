/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake service's insides. All of it belongs to the service's thread, except for what is atomic. */
#ifndef JR_TESTS_CLIENT_FAKE_INT_H
#define JR_TESTS_CLIENT_FAKE_INT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

#define SEGS 64
#define CLIENTS 64
#define PAIRS 64
#define MAX_SOCK (SEGS * JR_SEG_SLOTS)

struct seg {
    uint8_t *base;
    int fd;
    int eq_fd[JR_SEG_EQS];
    uint32_t eq_answered[JR_SEG_EQS];
    uint32_t cell_answered[JR_SEG_CELLS];
    bool used[JR_SEG_SLOTS];
};

struct sock {
    uint32_t state, err, closed_seen;
    uint32_t data_answered, space_answered;
    struct sock *peer;
    struct sock *queue, *next; /* listener: waiting connections */
    uint32_t nqueue;
    struct seg *seg;
    uint32_t slot;
    uint64_t tx_head, rx_tail;
    ino_t ino;
    char name[32];
    bool handle_open, fin_passed, queued;
    struct timespec ready_at;
    bool connecting;
    struct jr_abi_addr to;
    int pair, end;
};

struct pair {
    int fd;
    struct jr_abi_pair *p;
};

struct fake {
    struct fake_config cfg;
    pthread_t thread;
    sem_t ready;
    char dir[64];
    int lfd, bell, in, policy_fd;
    struct jr_abi_policy *policy;
    int client[CLIENTS];
    unsigned nclients, nsegs, npairs;
    struct seg seg[SEGS];
    struct sock *sock; /* [MAX_SOCK] */
    struct pair pair[PAIRS];
    atomic_bool stop, hold;
    atomic_uint closes, handles, attached, bells, job, job_port, job_result;
    atomic_uint move_at_queue; /* a port */
    unsigned serial;
};
extern struct fake fake;

static inline struct jr_abi_seg_hdr *hdr(struct seg *s) { return (void *)s->base; }
static inline struct jr_abi_seg_app *app(struct seg *s) { return (void *)(s->base + JR_SEG_APP_OFF); }
static inline struct jr_abi_cell *cells(struct seg *s) { return (void *)(s->base + JR_SEG_CELL_OFF); }
static inline struct jr_abi_eq *eqs(struct seg *s) { return (void *)(s->base + JR_SEG_EQ_OFF); }
static inline struct jr_abi_slot *slot_of(struct sock *so)
{
    return (struct jr_abi_slot *)(so->seg->base + JR_SEG_SLOT_OFF) + so->slot;
}
static inline uint8_t *ring_of(struct sock *so, int rx)
{
    return so->seg->base + JR_SEG_RING_OFF + ((size_t)so->slot * 2 + (size_t)rx) * JR_RING_MAX;
}
static inline struct sock *sock_at(struct seg *s, uint32_t slot)
{
    return &fake.sock[(size_t)(s - fake.seg) * JR_SEG_SLOTS + slot];
}

static inline void die(const char *what)
{
    perror(what);
    abort();
}

/* TSan does not know fences. */
static inline void full_fence(void)
{
    uint32_t word = 0;
    __atomic_fetch_add(&word, 0, __ATOMIC_SEQ_CST);
}

/* ---- fake_sock.c ---- */

enum { FAKE_DATA = 1, FAKE_SPACE = 2, FAKE_STATE = 7 };

void fake_futex_wake(uint32_t *w);
void fake_post_watchers(struct sock *so);
void fake_tell(struct sock *so, int what);
void fake_set_state(struct sock *so, uint32_t set, uint32_t clear);
void fake_fail(struct sock *so, int err);
/* The connecting socket itself waits in the listener's queue. */
void fake_connect_now(struct sock *so);
void fake_give_peer(struct sock *l, struct sock *so);
void fake_end_of_socket(struct sock *so);
struct sock *fake_by_port(uint16_t port);
bool fake_move_sock(uint16_t port);

/* ---- fake_wire.c ---- */

bool fake_move_bytes(struct sock *from, struct sock *to);
bool fake_move_dgrams(struct sock *from);

/* ---- fake_cmd.c ---- */

bool fake_run_cells(struct seg *s);

/* ---- fake_ctl.c ---- */

struct seg *fake_new_seg(void);
/* False: the client has gone. */
bool fake_on_request(int fd);
bool fake_read_closes(void);

#endif
