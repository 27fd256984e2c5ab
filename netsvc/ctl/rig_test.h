/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests: two hosts with a service each, joined by a cable, and programs that map segments and mark words as libc's
 * client does, in the same process and thread. Time is fake; every wait runs the hosts.
 *
 *     a 10.0.0.1 ────────── b 10.0.0.2
 */
#ifndef JR_CTL_RIG_TEST_H
#define JR_CTL_RIG_TEST_H

#include <sys/socket.h>

#include "base/heap_pkt.h"
#include "base/pktq.h"
#include "base/test.h"
#include "ctl/ctl.h"
#include "ip/ip.h"
#include "jr_abi.h"
#include "link/netif.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

struct rig;
struct rig_host {
    struct rig *rig;
    struct jr_counters counters;
    struct jr_rng rng;
    struct jr_dev dev;
    struct jr_heap_pool pool;
    struct jr_pktq rx;
    struct jr_netif *ifp;
    struct jr_ip *ip;
    struct jr_tcp *tcp;
    struct jr_udp *udp;
    struct jr_ctl *ctl;
    struct jr_addr addr;
    char dir[64];
    uint32_t hook_adds, hook_dels;
    bool cut; /* the cable loses what this host sends */
};

struct rig {
    struct rig_host a, b;
    jr_time now;
};

/* tweak, if not NULL, changes the configuration of each host's border. */
void rig_init(struct rig *r, void (*tweak)(struct jr_ctl_config *cfg));
/* Checks that no packet leaked. */
void rig_fini(struct rig *r);
void rig_step(struct rig *r);
void rig_run(struct rig *r, jr_time us);

/* A program that is attached to a host. */
struct rig_app {
    struct rig_host *host;
    int fd, bell, policy_fd;
    uint32_t seg_id;
    int seg_fd;
    uint8_t *base;
    struct jr_abi_seg_hdr *hdr;
    struct jr_abi_seg_app *app;
    const struct jr_abi_policy *policy;
};

/* A socket of a program. */
struct rig_sock {
    struct rig_app *app;
    uint32_t slot;
    int fd;
    struct jr_abi_slot *sl;
    uint8_t *tx, *rx;
};

int rig_connect_raw(struct rig_host *h);
/* One request and its reply; returns the reply's status. nfds: room in, number out; may be NULL. */
int rig_request(struct rig_host *h, int fd, uint32_t op, const void *req, uint32_t len, int send_fd, void *rep,
                uint32_t rep_len, int *fds, unsigned *nfds);
bool rig_attach(struct rig_app *app, struct rig_host *h);
/* Maps a segment that came by another way. */
bool rig_map(struct rig_app *app, int seg_fd);
void rig_detach(struct rig_app *app);

bool rig_socket(struct rig_sock *s, struct rig_app *app, int type);
void rig_sock_at(struct rig_sock *s, struct rig_app *app, uint32_t slot, int fd);
/* The program's close(), with the mark that libc leaves; then the hosts run for a moment. */
void rig_close(struct rig_sock *s);
int rig_command(struct rig_sock *s, uint32_t op, const void *req, uint32_t len, void *rep, uint32_t rep_len);
int rig_bind(struct rig_sock *s, struct jr_addr addr, uint16_t port, uint32_t *route);
int rig_listen(struct rig_sock *s, uint32_t backlog, uint32_t *route);
int rig_connect(struct rig_sock *s, struct jr_addr addr, uint16_t port, uint32_t *route);
int rig_accept(struct rig_sock *listener, struct rig_sock *s);
int rig_shutdown(struct rig_sock *s, int how);
int rig_setopt(struct rig_sock *s, int level, int name, int value);
int rig_getopt(struct rig_sock *s, int level, int name, int *value);
uint32_t rig_state(const struct rig_sock *s);
/* The pending error's errno, taken; 0: none. */
int rig_error(struct rig_sock *s);

/* Stream data: as much as fits, or is there. */
uint32_t rig_send(struct rig_sock *s, const void *data, uint32_t len);
uint32_t rig_recv(struct rig_sock *s, void *data, uint32_t len);
void rig_mark(struct rig_sock *s);
bool rig_sendto(struct rig_sock *s, const void *data, uint32_t len, struct jr_addr addr, uint16_t port);
/* -1: nothing there. */
int rig_recvfrom(struct rig_sock *s, void *data, uint32_t len, struct jr_abi_addr *from);

/* A connection from a socket of one program to a listener of the other's, accepted. */
bool rig_pair_up(struct rig_app *ca, struct rig_app *la, uint16_t port, struct rig_sock *c, struct rig_sock *l,
                 struct rig_sock *s);

static inline uint64_t rig_count(const struct rig_host *h, enum jr_counter c)
{
    return jr_counter_get(&h->counters, c);
}

#endif
