/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network in virtual time: two hosts, each a whole TCP engine of libjrcore, joined by a bottleneck that the test
 * describes. Any number of flows go from the first host to the second; each may add delay of its own. Everything is
 * drawn from one seed, no clock is read: the same description gives the same run to the last byte.
 */
#ifndef JR_TESTS_SIM_H
#define JR_TESTS_SIM_H

#include <stdio.h>

#include "base/counters.h"
#include "base/rng.h"
#include "tcp/tcp.h"

enum sim_aqm {
    SIM_DROPTAIL,
    SIM_STEP, /* marks what finds more than mark_bytes queued (RFC 8257 3.1); what can't be marked is left alone */
    SIM_RED,  /* marks, or drops what can't be marked, with a chance that grows from red_min to red_max bytes */
};

struct sim_link {
    uint64_t rate_bps;    /* bits per second of IP packets; 0: no limit */
    uint32_t delay_us;    /* one way */
    uint32_t queue_bytes; /* what waits before the tail is dropped; 0: any amount */
    enum sim_aqm aqm;
    uint32_t mark_bytes, red_min, red_max, red_ppm; /* red_ppm: the chance at red_max */
    uint32_t loss_ppm;                              /* each packet for itself */
    uint32_t burst_ppm, burst_end_ppm;              /* Gilbert-Elliott: into and out of the bad state, per packet */
    uint32_t burst_loss_ppm;                        /* loss in the bad state */
    uint32_t reorder_ppm, reorder_us;               /* held back so long, past those behind */
    uint32_t dup_ppm;
    uint32_t jitter_us;  /* 0 to this much more delay, order kept */
    uint32_t scatter_us; /* the same for each packet by itself: the order is lost */
    bool bleach;         /* clears the ECN field, as some middleboxes do */
};

struct sim_flow {
    char cc[16];              /* "": the host's default */
    uint32_t delay_us;        /* added to the link's, each way */
    double start_s, stop_s;   /* stop_s 0: never */
    uint64_t bytes;           /* 0: as much as goes */
    uint64_t app_bps;         /* the program writes no faster; 0: as fast as it can */
    uint32_t on_ms, off_ms;   /* it writes for on_ms, then not for off_ms; 0: all the time */
    uint64_t max_pacing_rate; /* SO_MAX_PACING_RATE, bytes per second; 0: not set */
};

struct sim_flow_result {
    uint64_t acked, measured; /* bytes in all, and since the warm-up ended */
    uint32_t segs, rexmits;
    double rtt_ms_mean, cwnd_mean; /* of samples since the warm-up; cwnd in segments */
    double done_s;                 /* when the last byte was delivered; 0: never */
    int error;
    bool connected, intact; /* intact: what arrived is what was sent (with check) */
};

struct sim_link_result {
    uint64_t bytes, pkts, drops, marks, losses; /* since the start */
    uint64_t ects;                              /* packets that could have been marked */
    uint64_t measured;                          /* bytes since the warm-up ended */
    double queue_mean, queue_max;               /* bytes, of samples since the warm-up */
};

struct sim;

struct sim_conf {
    uint64_t seed;
    double time_s, warmup_s;
    uint32_t mtu;
    uint32_t bufsize;  /* send and receive buffer of each flow; a power of two */
    uint32_t bufstart; /* what they begin with and grow from as tcp asks for it; 0: bufsize */
    bool check;        /* real bytes, compared at the end of the way */
    uint32_t sample_us;
    FILE *trace; /* CSV of samples; NULL: none */
    struct sim_link fwd, rev;
    uint32_t n_flows;
    struct sim_flow *flows;
    struct jr_tcp_config tx_tcp, rx_tcp; /* the two hosts' */
};

/* Defaults: 10 Mbit/s, 10 ms each way, 64 KiB queue, one bulk flow for 10 s. flows: n of them, the caller frees. */
void sim_conf_init(struct sim_conf *c, uint32_t n_flows);
void sim_conf_fini(struct sim_conf *c);

struct sim *sim_new(const struct sim_conf *c);
void sim_run(struct sim *s);
const struct sim_flow_result *sim_flow(const struct sim *s, uint32_t i);
const struct sim_link_result *sim_link_fwd(const struct sim *s);
const struct sim_link_result *sim_link_rev(const struct sim *s);
uint64_t sim_count(const struct sim *s, enum jr_counter c); /* of the sending host */
uint64_t sim_events(const struct sim *s);
/* Ends all connections; false when a packet or a connection leaked. */
bool sim_free(struct sim *s);

/* Payload that went through in the measured time, as a share of what the link carries as IP packets. */
double sim_utilisation(const struct sim *s);
double sim_goodput_bps(const struct sim *s, uint32_t flow);
/* Jain's index over the goodputs of flows [from, to): 1 is even. */
double sim_jain(const struct sim *s, uint32_t from, uint32_t to);

#endif
