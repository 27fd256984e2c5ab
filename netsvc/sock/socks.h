/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All sockets of one worker, as ctl/ sees them. A socket lives in a slot of a segment; its handle's last close anywhere
 * ends it. Errors are negative errno values.
 */
#ifndef JR_SOCK_SOCKS_H
#define JR_SOCK_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/counters.h"
#include "base/hooks.h"
#include "base/list.h"
#include "base/time.h"
#include "shm/policy.h"
#include "shm/seg.h"
#include "shm/wake.h"
#include "sock/peer.h"
#include "sock/rule.h"

struct jr_ip;
struct jr_tcp;
struct jr_udp;
struct jr_sock;
struct jr_ports;

/* What sockets need from the side that hands out segments. */
struct jr_socks_host {
    void *ctx;
    struct jr_seg *(*seg_find)(void *ctx, uint32_t id);
    /* Reads the reports of closed handles that are there now: before a bind, whose port a dead program may have held.
     */
    void (*take_closes)(void *ctx, jr_time now);
    /* Something happened on a socket with O_ASYNC; its handle. */
    void (*signal)(void *ctx, void *handle);
    /* The last slot of a segment without an owner became free. */
    void (*seg_unused)(void *ctx, struct jr_seg *seg);
};

struct jr_socks_config {
    struct jr_ip *ip;
    struct jr_tcp *tcp;
    struct jr_udp *udp;
    struct jr_counters *counters;
    struct jr_port_hooks hooks;
    struct jr_socks_host host;
    const struct jr_rules *rules;
    struct jr_policy *policy;
    uint32_t loopback, udp_wildcard, multicast; /* JR_ROUTE_* */
    bool shared_ports;
    uint32_t ring_init, tx_ring_max, rx_ring_max, dgram_ring;
    uint64_t embryo_bytes_max;
    uint32_t max_pairs;
    uint32_t time_wait_us;
};

struct jr_socks {
    struct jr_socks_config cfg;
    struct jr_wake wake;
    struct jr_ports *ports;
    struct jr_list all;       /* jr_sock.all */
    struct jr_list touched;   /* jr_sock.touched: has something to tell at the end of the turn */
    struct jr_list busy;      /* jr_sock.busy: datagram sockets with more to send than one turn takes */
    struct jr_list merging;   /* jr_sock.merging */
    struct jr_list listeners; /* jr_sock.listening */
    struct jr_list pairs;     /* jr_pair.all */
    struct jr_list waiting;   /* jr_pair.link: connects for which the listener's queue has no room, oldest first */
    struct jr_list warm;      /* jr_seg.warm_link: segments with free slots whose ring pages still exist */
    struct jr_list used;      /* jr_sock.used: oldest look first */
    uint32_t nsocks, npairs, next_pair_id, next_gen;
    uint64_t embryo_bytes;
    int relay_fd;               /* epoll: kernel sockets behind datagram sockets (relay.h); -1: none */
    bool relayed;               /* since the last look at them, something was sent by one */
    int *send_error;            /* where a refused datagram is told, instead of being its socket's pending error */
    uint32_t dgram_budget;      /* datagrams that may still be sent in this turn */
    uint32_t unprivileged_port; /* the first that needs no privilege */
    jr_time next_chore;
};

/* 0 or a negative errno. cfg is copied. */
int jr_socks_init(struct jr_socks *ss, const struct jr_socks_config *cfg, jr_time now);
/* Resets every connection that is left; segments stay. */
void jr_socks_fini(struct jr_socks *ss, jr_time now);

/* Another program has it now. */
void jr_sock_held_by(struct jr_sock *so, struct jr_peer *peer);
/* A socket in a free slot of seg, for peer; its handle will be handle. NULL: no slot or no memory. */
struct jr_sock *jr_sock_new(struct jr_socks *ss, struct jr_seg *seg, struct jr_peer *peer, void *handle);
/* The last copy of its handle is gone: the socket closes as TCP and SO_LINGER want it. so must not be used any more. */
void jr_sock_on_close(struct jr_sock *so, jr_time now);

/* What a program marked in a segment. Returns how many things were done. */
unsigned jr_socks_on_marks(struct jr_socks *ss, struct jr_seg *seg, const struct jr_seg_marks *marks, jr_time now);
/* Datagrams left from the last turn, and chores whose time has come. */
unsigned jr_socks_poll(struct jr_socks *ss, jr_time now);
/* Takes what has come by relay_fd. */
unsigned jr_relay_service(struct jr_socks *ss, jr_time now);
jr_time jr_socks_next_event(const struct jr_socks *ss);
static inline bool jr_socks_has_work(const struct jr_socks *ss) { return !jr_list_empty(&ss->busy); }
/* End of the turn: publishes events to those who asked, and wakes them. */
void jr_socks_flush(struct jr_socks *ss);

struct jr_seg *jr_sock_seg(const struct jr_sock *so);
uint32_t jr_sock_slot(const struct jr_sock *so);
uint32_t jr_sock_gen(const struct jr_sock *so);
/* Takes the socket to a slot of another segment; -EAGAIN: a program is just using its rings, try again; force: don't
 * care. */
int jr_sock_move(struct jr_sock *so, struct jr_seg *to, bool force, jr_time now);
/* The region of a socket's local pair: its memfd and which end the socket is; -ENOTCONN: it is none. */
int jr_sock_pair(const struct jr_sock *so, uint32_t *pair_id, uint32_t *end);
/* The kernel's listener behind a socket, kept for whoever gets it; its fd or -1. It is taken over (0), or refused with
 * a negative errno. */
int jr_sock_shadow(const struct jr_sock *so);
/* The same, or before listen(2) what keeps its port in the kernel. */
int jr_sock_kernel_side(const struct jr_sock *so);
void jr_sock_shadow_passed(struct jr_sock *so); /* to one of those who may get it */
int jr_sock_set_shadow(struct jr_sock *so, int fd);

/* JSON object per socket, comma separated, as snprintf would. */
size_t jr_socks_dump(struct jr_socks *ss, jr_time now, char *buf, size_t n);

#endif
