/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Multicast reception (RFC 1112, RFC 3376 3): each socket's membership names a port, a group and the sources it wants;
 * what a port takes of a group is computed from the memberships of all its sockets.
 */
#ifndef JR_IP_MCAST_H
#define JR_IP_MCAST_H

#include "base/list.h"
#include "ip/ip.h"

enum {
    JR_MCAST_SOURCES = 64,     /* of one membership */
    JR_MCAST_IF_SOURCES = 128, /* of a port and a group; more than that, and every source is taken */
};

struct jr_mcast_group;

/* Who may send: only those in src, or all but those. */
struct jr_mcast_filter {
    bool exclude;
    uint16_t n;
    struct jr_addr src[JR_MCAST_SOURCES];
};

/* A socket's membership; the socket owns it and writes the filter between join and leave, then says so. */
struct jr_mcast_member {
    struct jr_netif *ifp;
    struct jr_addr group;
    struct jr_mcast_filter filter;
    /* written by ip/ */
    struct jr_mcast_group *of; /* NULL: the port is gone */
    struct jr_list link;
};

/* ifp, group and filter are set. -ENOMEM. */
int jr_ip_mcast_join(struct jr_ip *ip, struct jr_mcast_member *m, jr_time now);
void jr_ip_mcast_changed(struct jr_ip *ip, struct jr_mcast_member *m, jr_time now);
void jr_ip_mcast_leave(struct jr_ip *ip, struct jr_mcast_member *m, jr_time now);
bool jr_mcast_filter_allows(const struct jr_mcast_filter *f, struct jr_addr src);
/* Adds or takes one source; false: it is there, is not there, or there is no room. */
bool jr_mcast_filter_add(struct jr_mcast_filter *f, struct jr_addr src);
bool jr_mcast_filter_del(struct jr_mcast_filter *f, struct jr_addr src);
/* Whether somebody on the port wants this; also the group of all systems. src NULL: from anybody at all. */
bool jr_ip_mcast_wanted(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr group,
                        const struct jr_addr *src);

#endif
