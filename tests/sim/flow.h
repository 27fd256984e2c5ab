/* SPDX-License-Identifier: BSD-3-Clause */
/* The programs at both ends of a flow: one writes what its description says, the other reads everything. */
#ifndef JR_TESTS_SIM_FLOW_H
#define JR_TESTS_SIM_FLOW_H

#include "net.h"

struct end { /* a socket */
    struct flow *flow;
    struct jr_tcpcb *tp;
    struct jr_sockbuf snd, rcv;
    bool closed;
};

struct flow {
    struct sim *sim;
    uint32_t index;
    struct sim_flow conf;
    struct end tx, rx, listener;
    struct sim_flow_result res;
    uint64_t base; /* acked when the warm-up ended */
    double rtt_sum, cwnd_sum;
    uint64_t samples;
    uint64_t budget; /* bytes that a limited program may have written by now */
    bool started, finished;
};

struct host {
    struct jr_ip ip;
    struct jr_tcp *tcp;
    bool dirty;
};

struct sim {
    struct sim_conf conf;
    struct sim_queue q;
    sim_ns now;
    jr_time start;
    struct host host[2];
    struct sim_wire wire[2];
    struct flow *flows;
    struct sim_link_result result[2];
    uint64_t queue_samples, events;
    double queue_sum;
    bool warm;
    uint8_t *zeroes, *sink; /* shared by all flows without check */
};

static inline jr_time sim_now(const struct sim *s) { return s->now / 1000; }
static inline double sim_seconds(const struct sim *s) { return (double)(sim_now(s) - s->start) / 1e6; }

bool flow_listen(struct flow *f);
void flow_start(struct flow *f);
/* An EV_APP came: writes what is due and asks for the next. */
void flow_app(struct flow *f);
void flow_write(struct flow *f);
void flow_sample(struct flow *f);
void flow_close(struct flow *f);
/* false: something leaked. */
bool flow_fini(struct flow *f);

#endif
