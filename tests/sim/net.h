/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator's inside: events, packets in flight, and the network layer's double under each engine. */
#ifndef JR_TESTS_SIM_NET_H
#define JR_TESTS_SIM_NET_H

#include "ip/ip.h"
#include "sim.h"

#define SIM_PORT_BASE 1024u

typedef uint64_t sim_ns;

struct sim_pkt { /* a packet of the engine, with what the network must know */
    struct jr_pkt pkt;
    struct sim_pkt *free_next;
    uint16_t flow;
    uint8_t tos;
    uint8_t bytes[];
};

struct sim_event {
    sim_ns at;
    uint64_t order;
    enum { EV_ARRIVE, EV_SAMPLE, EV_APP } kind;
    uint32_t arg; /* EV_APP: flow; EV_ARRIVE: host */
    struct sim_pkt *pkt;
};

struct sim_queue { /* a heap of events */
    struct sim_event *heap;
    uint32_t n, room;
    uint64_t order;
};
void sim_queue_push(struct sim_queue *q, struct sim_event e);
struct sim_event sim_queue_pop(struct sim_queue *q);

struct sim_pool {
    struct jr_pkt_pool pool;
    struct sim_pkt *free;
};

struct jr_ip { /* a host's network layer */
    struct sim *sim;
    uint32_t id; /* 0 sends, 1 receives */
    struct jr_ip_proto tcp;
    struct jr_counters counters;
    struct sim_pool pool;
    struct jr_addr addr;
    uint32_t mtu;
};

struct sim_wire { /* a direction */
    struct sim_link conf;
    struct sim_link_result res;
    struct jr_rng rng;
    sim_ns free_at;  /* when the bottleneck has sent all it holds */
    sim_ns last_out; /* arrivals of jittered packets keep their order */
    bool bad;        /* Gilbert-Elliott */
};

void sim_pool_init(struct sim_pool *p, uint32_t room);
void sim_pool_fini(struct sim_pool *p);
struct sim_pkt *sim_pkt_copy(const struct sim_pkt *p);

/* Sends p through w. now in ns; returns when it arrives, or 0: it was lost (and freed). *again: when a duplicate
 * arrives, 0: there is none. extra: the flow's own delay. */
sim_ns sim_wire_send(struct sim_wire *w, struct sim_pkt *p, sim_ns extra, sim_ns now, sim_ns *again);
/* Bytes that wait. */
uint64_t sim_wire_queue(const struct sim_wire *w, sim_ns now);

/* sim.c: a packet of host's engine for the other one. */
void sim_output(struct sim *s, uint32_t host, struct sim_pkt *p);

#endif
