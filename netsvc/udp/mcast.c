/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket's multicast: its memberships and their source filters (RFC 3678, ip(7)), and what it sends to groups with.
 * What arrives for a group goes to every socket that fits, unless a filter of its own says no.
 */
#include "udp/mcast.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "udp/pcb.h"
#include "wire/ipv4.h"

enum { MEMBERSHIPS_MAX = 4095 }; /* FreeBSD's IP_MAX_MEMBERSHIPS */

struct membership {
    struct jr_list link; /* in jr_udpcb.groups */
    struct jr_mcast_member m;
};

static struct membership *of_link(struct jr_list *l) { return JR_LIST_ENTRY(l, struct membership, link); }

static struct membership *find(const struct jr_udpcb *up, const struct jr_netif *ifp, struct jr_addr group)
{
    JR_LIST_EACH(l, &up->groups) {
        struct membership *ms = of_link(l);
        if ((!ifp || ms->m.ifp == ifp) && jr_addr_eq(ms->m.group, group))
            return ms;
    }
    return NULL;
}

bool jr_udp_mcast_allows(const struct jr_udpcb *up, const struct jr_ip_rx *rx)
{
    const struct membership *ms = find(up, rx->ifp, rx->dst);

    return ms ? jr_mcast_filter_allows(&ms->m.filter, rx->src) : up->opt.mcast_all[!jr_addr_is_v4(rx->dst)];
}

static void drop(struct jr_udpcb *up, struct membership *ms, jr_time now)
{
    jr_ip_mcast_leave(up->udp->ip, &ms->m, now);
    jr_list_del(&ms->link);
    up->n_groups--;
    free(ms);
}

void jr_udp_mcast_drop_all(struct jr_udpcb *up, jr_time now)
{
    JR_LIST_EACH_SAFE(l, &up->groups)
        drop(up, of_link(l), now);
}

/* The port to join by: as named, else the one that leads to the group. */
static struct jr_netif *choose(struct jr_udpcb *up, const struct jr_udp_mcast_req *req)
{
    struct jr_ip *ip = up->udp->ip;
    struct jr_ip_route rt;

    if (req->ifindex)
        return jr_ip_netif_by_index(ip, req->ifindex);
    if (!jr_addr_is_any(req->ifaddr))
        return jr_ip_netif_of(ip, req->ifaddr);
    return jr_ip_route(ip, req->group, &rt) ? rt.ifp : NULL;
}

static int create(struct jr_udpcb *up, struct jr_netif *ifp, const struct jr_udp_mcast_req *req, bool exclude,
                  jr_time now)
{
    struct membership *ms = up->n_groups < MEMBERSHIPS_MAX ? calloc(1, sizeof *ms) : NULL;
    int err;

    if (!ms)
        return -ENOBUFS;
    ms->m.ifp = ifp;
    ms->m.group = req->group;
    ms->m.filter.exclude = exclude;
    if (!exclude)
        (void)jr_mcast_filter_add(&ms->m.filter, req->source);
    err = jr_ip_mcast_join(up->udp->ip, &ms->m, now);
    if (err) {
        free(ms);
        return err;
    }
    jr_list_push_tail(&up->groups, &ms->link);
    up->n_groups++;
    return 0;
}

/* The four calls about one source of a group (RFC 3678 4.1.3). */
static int change_source(struct jr_udpcb *up, struct membership *ms, enum jr_udp_mcast_op op,
                         const struct jr_udp_mcast_req *req, jr_time now)
{
    struct jr_mcast_filter *f = &ms->m.filter;
    const bool about_exclude = op == JR_UDP_MCAST_BLOCK || op == JR_UDP_MCAST_UNBLOCK;
    const bool adds = op == JR_UDP_MCAST_BLOCK || op == JR_UDP_MCAST_JOIN_SOURCE;

    if (f->exclude != about_exclude)
        return -EINVAL;
    if (adds && f->n == JR_MCAST_SOURCES)
        return -ENOBUFS;
    if (!(adds ? jr_mcast_filter_add(f, req->source) : jr_mcast_filter_del(f, req->source)))
        return -EADDRNOTAVAIL;
    if (!f->exclude && f->n == 0)
        drop(up, ms, now);
    else
        jr_ip_mcast_changed(up->udp->ip, &ms->m, now);
    return 0;
}

int jr_udp_mcast(struct jr_udpcb *up, enum jr_udp_mcast_op op, const struct jr_udp_mcast_req *req, jr_time now)
{
    struct jr_netif *ifp = choose(up, req);
    struct membership *ms;

    if (jr_ip_is_shared(up->udp->ip)) /* reception there is the kernel's */
        return -ENOPROTOOPT;
    if (!jr_addr_is_v4(req->group) || !jr_ipv4_is_multicast(req->group))
        return -EINVAL;
    if (!ifp)
        return -ENODEV;
    ms = find(up, req->ifindex || !jr_addr_is_any(req->ifaddr) || op != JR_UDP_MCAST_LEAVE ? ifp : NULL, req->group);
    switch (op) {
    case JR_UDP_MCAST_JOIN:
        return ms ? -EADDRINUSE : create(up, ifp, req, true, now);
    case JR_UDP_MCAST_LEAVE:
        if (!ms)
            return -EADDRNOTAVAIL;
        drop(up, ms, now);
        return 0;
    case JR_UDP_MCAST_JOIN_SOURCE:
        return ms ? change_source(up, ms, op, req, now) : create(up, ifp, req, false, now);
    default:
        return ms ? change_source(up, ms, op, req, now) : -EINVAL;
    }
}

/* IP_MSFILTER: the whole filter of a membership. */
static int set_filter(struct jr_udpcb *up, const void *val, uint32_t len, jr_time now)
{
    struct ip_msfilter f;
    const uint32_t head = offsetof(struct ip_msfilter, imsf_slist);
    const uint8_t *src = (const uint8_t *)val + head;
    struct membership *ms;

    if (len < head)
        return -EINVAL;
    memcpy(&f, val, head);
    if (f.imsf_numsrc > (len - head) / 4 || f.imsf_fmode > MCAST_INCLUDE)
        return -EINVAL;
    if (f.imsf_numsrc > JR_MCAST_SOURCES)
        return -ENOBUFS;
    const struct jr_udp_mcast_req req = {.group = jr_addr_v4(f.imsf_multiaddr.s_addr),
                                         .source = jr_addr_v4(0),
                                         .ifaddr = jr_addr_v4(f.imsf_interface.s_addr)};
    ms = find(up, jr_addr_is_any(req.ifaddr) ? NULL : choose(up, &req), req.group);
    if (!ms)
        return -EINVAL;
    if (f.imsf_fmode == MCAST_INCLUDE && f.imsf_numsrc == 0) {
        drop(up, ms, now);
        return 0;
    }
    ms->m.filter.exclude = f.imsf_fmode == MCAST_EXCLUDE;
    ms->m.filter.n = 0;
    for (unsigned i = 0; i < f.imsf_numsrc; i++) {
        in_addr_t a;
        memcpy(&a, src + 4 * i, sizeof a);
        (void)jr_mcast_filter_add(&ms->m.filter, jr_addr_v4(a));
    }
    jr_ip_mcast_changed(up->udp->ip, &ms->m, now);
    return 0;
}

/* struct ip_mreq, ip_mreqn or in_addr: which port. */
static void read_mreq(const void *val, uint32_t len, struct jr_udp_mcast_req *req)
{
    struct ip_mreqn m = {0};

    memcpy(&m, val, jr_min_u32(len, sizeof m));
    *req = (struct jr_udp_mcast_req){.group = jr_addr_v4(m.imr_multiaddr.s_addr),
                                     .source = jr_addr_v4(0),
                                     .ifaddr = jr_addr_v4(m.imr_address.s_addr),
                                     .ifindex = (uint32_t)m.imr_ifindex};
}

static int set_if(struct jr_udpcb *up, const void *val, uint32_t len)
{
    struct jr_udp_mcast_req req = {.group = jr_addr_v4(0), .ifaddr = jr_addr_v4(0)};

    if (len >= sizeof(struct ip_mreq))
        read_mreq(val, len, &req);
    else
        req.ifaddr = jr_addr_v4(*(const in_addr_t *)val);
    const bool none = !req.ifindex && jr_addr_is_any(req.ifaddr);
    struct jr_netif *chosen = none ? NULL : choose(up, &req);
    if (!none && !chosen)
        return -EADDRNOTAVAIL;
    up->mcast_if = chosen;
    up->mcast_src = req.ifaddr;
    return 0;
}

static int source_op(struct jr_udpcb *up, enum jr_udp_mcast_op op, const void *val, uint32_t len, jr_time now)
{
    struct ip_mreq_source m;

    if (len < sizeof m)
        return -EINVAL;
    memcpy(&m, val, sizeof m);
    const struct jr_udp_mcast_req req = {
        .group = jr_addr_v4(m.imr_multiaddr.s_addr),
        .source = jr_addr_v4(m.imr_sourceaddr.s_addr),
        .ifaddr = jr_addr_v4(m.imr_interface.s_addr),
    };
    return jr_udp_mcast(up, op, &req, now);
}

int jr_udp_mcast_setopt(struct jr_udpcb *up, int name, const void *val, uint32_t len, jr_time now)
{
    struct jr_udp_mcast_req req;

    switch (name) {
    case IP_MULTICAST_IF:
        return len < sizeof(in_addr_t) ? -EINVAL : set_if(up, val, len);
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
        if (len < sizeof(struct ip_mreq))
            return -EINVAL;
        read_mreq(val, len, &req);
        return jr_udp_mcast(up, name == IP_ADD_MEMBERSHIP ? JR_UDP_MCAST_JOIN : JR_UDP_MCAST_LEAVE, &req, now);
    case IP_ADD_SOURCE_MEMBERSHIP:
        return source_op(up, JR_UDP_MCAST_JOIN_SOURCE, val, len, now);
    case IP_DROP_SOURCE_MEMBERSHIP:
        return source_op(up, JR_UDP_MCAST_LEAVE_SOURCE, val, len, now);
    case IP_BLOCK_SOURCE:
        return source_op(up, JR_UDP_MCAST_BLOCK, val, len, now);
    case IP_UNBLOCK_SOURCE:
        return source_op(up, JR_UDP_MCAST_UNBLOCK, val, len, now);
    case IP_MSFILTER:
        return jr_ip_is_shared(up->udp->ip) ? -ENOPROTOOPT : set_filter(up, val, len, now);
    default:
        return -ENOPROTOOPT;
    }
}
