/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine as a backend: one host with one fake port, and sockets over jr_tcp and jr_udp. */
#ifndef DRILL_ENGINE_H
#define DRILL_ENGINE_H

#include "backend.h"
#include "base/counters.h"
#include "base/list.h"
#include "base/rng.h"
#include "fake_dev.h"
#include "link/netif.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

enum { ENGINE_FDS = 64, ENGINE_EPOLL_MAX = 16 };

struct dgram {
    struct dgram *next;
    struct jr_endpoint from;
    uint32_t len;
};

struct esock { /* a socket, or an epoll set */
    struct engine *en;
    bool is_epoll, open;
    int type; /* SOCK_* */
    bool v6, nonblock;
    uint32_t bind_flags;

    struct jr_tcpcb *tp; /* NULL: gone */
    struct jr_sockbuf snd, rcv;
    bool listening, connecting, connected, rx_fin, tx_fin, rx_shut, dead;
    int error;               /* not yet told */
    uint32_t sndbuf, rcvbuf; /* as set; 0: not */
    struct linger linger;
    uint64_t urg_read; /* stream offset behind the last urgent byte that was read */
    bool oobinline;

    struct jr_udpcb *up;
    struct dgram *dgrams;

    struct {
        int fd;
        struct epoll_event ev;
        uint32_t seen; /* reported already, edge-triggered */
    } watch[ENGINE_EPOLL_MAX];
    unsigned nwatch;
    struct {
        int level, name, value;
    } opts[16]; /* what an accepted socket inherits */
    unsigned nopts;
};

struct engine {
    struct backend be;
    jr_time base, now;
    struct options opt;
    struct jr_counters counters;
    struct jr_rng rng;
    struct fake_dev dev;
    struct jr_netif *ifp;
    struct jr_link_config link;
    struct jr_ip *ip;
    struct jr_tcp *tcp;
    struct jr_udp *udp;
    struct jr_tcp_config *cfg; /* the one in use */
    uint32_t embryos;
    struct esock *fds[ENGINE_FDS];
    struct sent_frame *head, **tail;
};

/* engine_sock.c */
void esock_begin(struct engine *en, struct sys *sys);
void esock_again(struct engine *en, struct sys *sys);
void esock_close_all(struct engine *en);
/* engine_opt.c: 0 or an errno */
int esock_setopt(struct esock *so, int level, int name, const void *val, uint32_t len);
int esock_getopt(struct esock *so, int level, int name, void *val, uint32_t *len);
void esock_inherit(struct esock *so, const struct esock *listener);
uint32_t esock_rcv_cap(const struct esock *so);
uint32_t esock_snd_limit(const struct esock *so);
/* engine_conf.c */
bool engine_command(struct engine *en, const char *text, char *why, size_t room);
/* engine_poll.c */
uint32_t esock_ready(const struct esock *so);
int esock_poll(struct engine *en, struct sys *sys);
int esock_epoll_ctl(struct engine *en, struct sys *sys);
int esock_epoll_wait(struct engine *en, struct sys *sys);

#endif
