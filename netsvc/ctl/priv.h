/* SPDX-License-Identifier: BSD-3-Clause */
/* Private to ctl/: the state behind struct jr_ctl, and a program that attached. */
#ifndef JR_CTL_PRIV_H
#define JR_CTL_PRIV_H

#include "base/list.h"
#include "ctl/ctl.h"
#include "ctl/handle.h"
#include "shm/policy.h"
#include "shm/seg.h"
#include "sock/socks.h"

#define JR_CTL_MAX_SEGS 16384u
#define JR_CTL_MSG_FDS 4 /* more than any request carries */

struct jr_ctl_source; /* what stands behind a descriptor in the epoll set */
typedef void (*jr_ctl_ready)(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now);
struct jr_ctl_source {
    jr_ctl_ready ready;
};

struct jr_client {
    struct jr_ctl_source control_src;
    struct jr_list link;  /* in jr_ctl.clients, or in .zombies until the epoll events at hand are done */
    struct jr_list adopt; /* in jr_ctl.adopting while an adopt waits for a program's lock */
    struct jr_list segs;  /* jr_seg.link */
    struct jr_peer *peer;
    int fd;
    int adopt_fd; /* -1: none waits */
    uint32_t adopt_flags;
    uint32_t neqs;    /* event queues ever registered */
    jr_time adopt_by; /* then the locks are taken */
    bool hello, dead;
};

/* All that a scan needs of a segment without marks, but for the one line that is the program's. */
struct jr_ctl_seg {
    struct jr_seg *seg; /* NULL: free */
    const struct jr_abi_seg_app *app;
    uint32_t closed_seen;
    bool more; /* commands wait for the next turn */
};

struct jr_ctl {
    struct jr_ctl_config cfg;
    struct jr_socks socks;
    struct jr_policy policy;
    struct jr_rules *rules;
    struct jr_handles *handles;
    struct jr_user *users;
    struct jr_list clients, zombies, adopting;
    uint32_t nclients;
    struct jr_ctl_seg *segs;  /* by the low part of the id */
    uint32_t nsegs, seg_room; /* entries ever used, entries there is memory for */
    uint32_t seg_serial;
    struct jr_ctl_source listen_src, handles_src, relay_src, bell_src; /* the last of all programs' bells */
    int listen_fd, epoll_fd, spare_fd;
    uint64_t netns_cookie;
    char *socket_path;
    jr_time now;            /* of the call at hand */
    struct jr_seg *scanned; /* whose marks are being worked on: it is not freed before the end of that */
    unsigned fd_work;       /* what jr_ctl_service_fds() did since the last poll, which reports it */
    bool ending;
};

/* ctl.c */
struct jr_seg *jr_ctl_seg_new(struct jr_ctl *ctl); /* NULL and errno */
struct jr_seg *jr_ctl_seg_find(void *ctl, uint32_t id);
void jr_ctl_seg_unused(void *ctl, struct jr_seg *seg);
/* The folder's and the socket's descriptors join the epoll set. */
int jr_ctl_watch(struct jr_ctl *ctl, int fd, struct jr_ctl_source *src, uint32_t events);

/* client.c */
void jr_client_on_bell(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now);
void jr_client_on_listen(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now);
void jr_client_drop(struct jr_ctl *ctl, struct jr_client *c);
void jr_client_bury(struct jr_ctl *ctl); /* frees the zombies */
/* Sends a reply; fds stay the caller's. Drops a client that does not read. */
void jr_client_reply(struct jr_ctl *ctl, struct jr_client *c, uint32_t op, int status, const void *rep, uint32_t len,
                     const int *fds, unsigned nfds);
/* Stops or resumes listening to a client's requests. */
void jr_client_pause(struct jr_ctl *ctl, struct jr_client *c, bool pause);

/* peer.c */
struct jr_peer *jr_peer_new(struct jr_ctl *ctl, int32_t pid, uint32_t uid, uint32_t gid);
/* Whether a user may have one more; root may always. */
bool jr_peer_may(const struct jr_peer *peer, uint32_t have, uint32_t limit);

/* request.c: one per control message. fds that a handler keeps become -1. The reply is sent. */
void jr_request_run(struct jr_ctl *ctl, struct jr_client *c, uint32_t op, const void *req, uint32_t len, int *fds,
                    unsigned nfds);
/* adopt.c */
void jr_request_adopt(struct jr_ctl *ctl, struct jr_client *c, const struct jr_abi_ctl_adopt_req *req, int *fd);
unsigned jr_adopt_retry(struct jr_ctl *ctl, jr_time now);

#endif
