/* SPDX-License-Identifier: BSD-3-Clause */
/* The program behind a socket, as the kernel described it when it attached. Its sockets may outlive it. */
#ifndef JR_SOCK_PEER_H
#define JR_SOCK_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* What one user has in use, for quotas. Lives as long as anything of the user's does. */
struct jr_user {
    struct jr_user *next;
    uint32_t uid;
    uint32_t refs;
    uint32_t nclients, nsegs, nsocks;
};

struct jr_peer {
    uint32_t refs;
    int32_t pid;
    uint32_t uid, gid;
    int bell;      /* eventfd by which it wakes the service, and its children do, who may outlive it too; -1: none */
    bool net_bind; /* had CAP_NET_BIND_SERVICE over our network namespace */
    char comm[16];
    char exe[256]; /* "" when it could not be read */
    struct jr_user *user;
    void (*last_put)(struct jr_peer *peer); /* by whoever made it */
    void *owner;
};

static inline struct jr_peer *jr_peer_get(struct jr_peer *peer)
{
    peer->refs++;
    return peer;
}
static inline void jr_peer_put(struct jr_peer *peer)
{
    if (--peer->refs == 0)
        peer->last_put(peer);
}

#endif
