/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The service's side of the border to programs, as the main loop sees it: attaching, segments, handles, sockets.
 * One struct jr_ctl per worker thread; no call blocks and nothing here locks. docs/shared-memory.md is the theory.
 *
 * One turn of the loop:
 *     rx bursts; jr_tcp_flush(); jr_ctl_poll(); jr_tcp_flush(); timers; tx bursts; jr_ctl_flush_wakeups()
 * and, when the epoll fd is readable, at the latest every millisecond while the loop spins: jr_ctl_service_fds().
 * Before it sleeps: jr_ctl_prepare_sleep(); true: sleep (at most until jr_ctl_next_event()); in both cases
 * jr_ctl_woke().
 */
#ifndef JR_CTL_H
#define JR_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/counters.h"
#include "base/hooks.h"
#include "base/time.h"
#include "sock/rule.h"

struct jr_ctl;
struct jr_ip;
struct jr_tcp;
struct jr_udp;

struct jr_ctl_config {
    const char *run_dir; /* holds netsvc.sock and the folder of the handles; must exist */
    struct jr_ip *ip;
    struct jr_tcp *tcp;
    struct jr_udp *udp;
    struct jr_counters *counters;
    struct jr_port_hooks hooks;  /* port_add NULL: nothing needs steering */
    const struct jr_rule *rules; /* first match wins; copied */
    size_t nrules;
    uint32_t default_route; /* JR_ROUTE_SERVICE or JR_ROUTE_KERNEL, where no rule matches */
    uint32_t loopback;      /* JR_ROUTE_LOCAL: pair with Joyride listeners; JR_ROUTE_KERNEL; JR_ROUTE_SERVICE */
    uint32_t udp_wildcard;  /* JR_ROUTE_* of datagram sockets bound to no address; KERNEL unless all their peers are
                               behind ports */
    uint32_t multicast;     /* JR_ROUTE_* of groups and of the limited broadcast; KERNEL on shared ports */
    bool shared_ports; /* a port's addresses are the kernel's too: reserve what we bind there, shadow wildcard listeners
                        */
    uint32_t spin_us;  /* told to programs */
    uint8_t key[16];   /* random: segment keys and table seeds come from it */
    uint32_t max_sockets_per_user, max_segments_per_user, max_clients_per_user; /* root has no limit */
    uint32_t max_clients, max_pairs;
    uint32_t ring_init, tx_ring_max, rx_ring_max; /* bytes, powers of two */
    uint32_t dgram_ring;                          /* bytes, rx ring of a datagram socket at first */
    uint64_t embryo_bytes_max;                    /* receive buffers of connections that nobody accepted yet */
    uint32_t time_wait_us;                        /* how long a port stays ours after its last socket: 2 MSL */
    mode_t socket_mode;                           /* of netsvc.sock, 0666 */
};
/* Everything but run_dir, stacks, counters and key. */
void jr_ctl_config_defaults(struct jr_ctl_config *cfg);

/* NULL and errno. Call it, and all that follows, in the worker's thread: the thread's robust list becomes ours. */
struct jr_ctl *jr_ctl_new(const struct jr_ctl_config *cfg, jr_time now);
/* Graceful end: every segment's owner word says that the service is gone, sleepers wake, fds are closed. Before
 * jr_tcp_free(). */
void jr_ctl_free(struct jr_ctl *ctl);

/* Looks at every segment's first line and does what is there. Returns how many things were done; 0 is cheap. */
unsigned jr_ctl_poll(struct jr_ctl *ctl, jr_time now);
/* Becomes readable when jr_ctl_service_fds() has work: new clients, requests, doorbells, closed handles. */
int jr_ctl_epoll_fd(struct jr_ctl *ctl);
void jr_ctl_service_fds(struct jr_ctl *ctl, jr_time now);
/* When jr_ctl_poll() wants to run although nobody rings; JR_TIME_NEVER: no need. */
jr_time jr_ctl_next_event(const struct jr_ctl *ctl);

/* Tells programs to ring from now on and looks once more; false: there is work, don't sleep. */
bool jr_ctl_prepare_sleep(struct jr_ctl *ctl);
void jr_ctl_woke(struct jr_ctl *ctl);
/* End of a turn: wakes whoever waits for what happened in it. */
void jr_ctl_flush_wakeups(struct jr_ctl *ctl);

/* A destination prefix (of the 128 bits, IPv4 as v4-mapped) and its JR_ROUTE_*. */
struct jr_ctl_route {
    struct jr_addr prefix;
    uint32_t plen;
    uint32_t route;
};
/* Replaces the policy page's routes (any order; what does not match goes to the kernel) and own addresses. Too many:
 * the longest prefixes stay and the rest, counted, goes to the kernel. */
void jr_ctl_set_routes(struct jr_ctl *ctl, const struct jr_ctl_route *routes, size_t nroutes, const struct jr_addr *own,
                       size_t nown);

/* JSON array of all sockets. Returns the length it needs without the NUL (as snprintf); cut at n but always terminated.
 */
size_t jr_ctl_dump(struct jr_ctl *ctl, jr_time now, char *buf, size_t n);
/* More threads want to run than there are cores: told to programs, which then don't poll in vain. */
void jr_ctl_set_crowded(struct jr_ctl *ctl, bool crowded);
uint32_t jr_ctl_socket_count(const struct jr_ctl *ctl);
uint32_t jr_ctl_client_count(const struct jr_ctl *ctl);

#endif
