/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker process: one thread that owns ports, stacks and sockets, and everything it hangs together by. */
#ifndef JR_MAIN_WORKER_H
#define JR_MAIN_WORKER_H

#include "base/counters.h"
#include "base/rng.h"
#include "dev/port.h"
#include "ip/ip.h"
#include "link/netif.h"
#include "main/config.h"
#include "main/spin.h"

struct jr_udp;

struct jr_worker_port {
    const struct jr_config_port *cfg;
    struct jr_port port;
    struct jr_netif *ifp;
};

struct jr_worker {
    const struct jr_config *cfg;
    struct jr_counters counters;
    struct jr_rng rng;
    struct jr_link_config link;
    struct jr_ip *ip;
    struct jr_tcp *tcp;
    struct jr_udp *udp;
    struct jr_ctl *ctl;
    struct jr_worker_port ports[JR_CONFIG_PORTS];
    unsigned n_ports;    /* opened */
    struct jr_netif *lo; /* with loopback = "service" */
    struct jr_mirror *mirror;
    struct jr_netlink *netlink;
    struct jr_stats *stats;
    struct jr_knobs *knobs;

    /* loop.c */
    int control_fd; /* epoll: all that is not packets */
    int sleep_fd;   /* epoll: control_fd and the ports' fds */
    int signal_fd;
    int load_fd; /* /proc/loadavg */
    bool stop;
    struct jr_spin spin;
    jr_time control_at; /* when control_fd was looked at last */
    jr_time load_at;    /* and the machine's load */
    uint64_t turns;     /* since then */
};

/* Microseconds of CLOCK_MONOTONIC. */
jr_time jr_worker_now(void);

enum { JR_WORKER_NO_HUGE = 75 }; /* exit status: EAL did not start with huge pages, nothing was begun */

/* Runs until a signal or a fatal error; huge: EAL gets huge pages. ready_fd gets a byte when the service answers. Exit
 * status. */
int jr_worker_run(const struct jr_config *cfg, bool huge, int ready_fd);

/* loop.c: the epoll sets (0 or a negative errno), the loop until stop, the end. */
int jr_loop_init(struct jr_worker *w);
void jr_loop_run(struct jr_worker *w);
void jr_loop_fini(struct jr_worker *w);

#endif
