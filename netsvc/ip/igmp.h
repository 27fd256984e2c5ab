/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's part of IGMP (RFC 3376, with RFC 2236 and RFC 1112 towards older routers): tells the routers of a link
 * which groups are wanted there. Only ip/ includes this. On a port that the kernel shares the kernel speaks IGMP.
 */
#ifndef JR_IP_IGMP_H
#define JR_IP_IGMP_H

#include "ip/mcast.h"

struct jr_mcast_if_filter {
    bool exclude;
    uint16_t n;
    struct jr_addr src[JR_MCAST_IF_SOURCES];
};

/* What one port takes of a group, and what the routers still have to be told of it. */
struct jr_mcast_group {
    struct jr_list link; /* in jr_mcast.groups */
    struct jr_netif *ifp;
    struct jr_addr addr;
    struct jr_list members;
    struct jr_mcast_if_filter now;   /* INCLUDE of nobody: left, only kept to say so */
    struct jr_mcast_if_filter known; /* what the routers know for certain */
    uint8_t reports_left;            /* state change reports still to send */
    bool tell_all;                   /* the whole state, not what changed */
    bool last_reporter;              /* versions 1 and 2 */
    jr_time change_at;               /* the next of them; JR_TIME_NEVER: none */
    jr_time answer_at;               /* an answer to a query is due; JR_TIME_NEVER: none */
    bool answer_all;                 /* about every source, not only those of asked */
    uint16_t n_asked;
    struct jr_addr asked[JR_MCAST_SOURCES];
};

/* Of a port. */
struct jr_igmp_if {
    struct jr_netif *ifp;       /* NULL: free */
    jr_time v1_until, v2_until; /* older routers are there until then (RFC 3376 8.12) */
    jr_time answer_at;          /* to a general query */
    uint8_t robustness;
};

enum { JR_MCAST_IFS = 16 };

struct jr_mcast {
    struct jr_list groups;
    jr_time next_tick;
    struct jr_igmp_if ifs[JR_MCAST_IFS];
};

void jr_mcast_init(struct jr_ip *ip);
void jr_mcast_fini(struct jr_ip *ip);
void jr_mcast_netif_gone(struct jr_ip *ip, struct jr_netif *ifp);
void jr_mcast_tick(struct jr_ip *ip, jr_time now);

/* igmp.c */
void jr_igmp_input(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now);
/* g->now is no longer what g->known is. */
void jr_igmp_changed(struct jr_ip *ip, struct jr_mcast_group *g, jr_time now);
void jr_igmp_group_tick(struct jr_ip *ip, struct jr_mcast_group *g, jr_time now);
void jr_igmp_if_tick(struct jr_ip *ip, struct jr_igmp_if *i, jr_time now);

static inline void jr_mcast_due(struct jr_mcast *mc, jr_time at)
{
    if (at < mc->next_tick)
        mc->next_tick = at;
}

#endif
