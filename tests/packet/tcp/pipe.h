/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two TCP stacks joined by a pipe that delays, loses, doubles, reorders and corrupts by seeded dice. Time jumps
 * from event to event.
 */
#ifndef JR_TESTS_TCP_PIPE_H
#define JR_TESTS_TCP_PIPE_H

#include "rig.h"

struct pipe_cfg {
    uint64_t seed;
    uint32_t delay_us;
    uint64_t bytes_per_s; /* 0: no limit */
    uint32_t queue_bytes; /* with bytes_per_s: what the bottleneck holds; 0: any amount */
    uint32_t loss_ppm, dup_ppm, reorder_ppm, corrupt_ppm;
    uint32_t reorder_us; /* extra delay of a reordered segment */
};

struct side {
    struct jr_ip ip;
    struct jr_tcp *tcp;
    struct jr_tcp_config cfg;
    struct pipe *pipe;
    struct side *other;
    jr_time free_at; /* when the bottleneck towards the other side is idle */
    uint64_t pkts, lost, wire_bytes;
};

struct flying;

struct pipe {
    struct pipe_cfg cfg;
    struct side a, b;
    struct jr_rng rng;
    jr_time now;
    struct flying **heap; /* by arrival */
    uint32_t n, room;
    uint64_t order;
};

void pipe_init(struct pipe *p, const struct pipe_cfg *cfg);
void pipe_start(struct pipe *p);
/* Runs the next event; false when nothing will ever happen again. */
bool pipe_step(struct pipe *p);
/* Checks that nothing leaked. */
void pipe_end(struct pipe *p);

/* A socket on one side; buffers attached. */
struct sock *side_socket(struct side *s, uint32_t sndcap, uint32_t rcvcap);
/* Connects a to b through a listener; NULL when it failed. */
bool pipe_connect(struct pipe *p, uint32_t bufcap, struct sock **a, struct sock **b);
void side_destroy(struct side *side, struct sock *s);

#endif
