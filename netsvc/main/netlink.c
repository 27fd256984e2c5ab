/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One socket for dumps, events and neighbour requests. When events were lost (ENOBUFS) everything is read anew and
 * the mirror forgets what was not confirmed. Only the main routing table counts: what policy rules add is the kernel's.
 */
#include "main/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "main/mirror.h"
#include "wire/ipv6.h"

enum { BUF_BYTES = 32768, DUMP_MS = 2000 };

struct jr_netlink {
    struct mnl_socket *sock;
    struct jr_mirror *mirror;
    struct jr_counters *counters;
    uint32_t seq;
    jr_time now;
    bool dumping, dump_done, lost;
    char buf[BUF_BYTES] __attribute__((aligned(8)));
};

/* An address of either family; all zero: none. */
static struct jr_addr addr_of(const struct nlattr *a)
{
    struct jr_addr out = {.q = {0, 0}};

    if (a && mnl_attr_get_payload_len(a) == 4)
        return jr_addr_v4(mnl_attr_get_u32(a));
    if (a && mnl_attr_get_payload_len(a) == sizeof out.b)
        memcpy(out.b, mnl_attr_get_payload(a), sizeof out.b);
    return out;
}

static bool is_inet(uint8_t family) { return family == AF_INET || family == AF_INET6; }

struct attrs {
    const struct nlattr **tb;
    uint16_t max;
};

static int collect(const struct nlattr *a, void *data)
{
    struct attrs *set = data;
    if (mnl_attr_type_valid(a, set->max) > 0)
        set->tb[mnl_attr_get_type(a)] = a;
    return MNL_CB_OK;
}

static void parse_attrs(const struct nlmsghdr *nlh, size_t header, const struct nlattr **tb, uint16_t max)
{
    struct attrs set = {tb, max};
    mnl_attr_parse(nlh, (unsigned)header, collect, &set);
}

static void on_link(struct jr_netlink *nl, const struct nlmsghdr *nlh)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *tb[IFLA_MAX + 1] = {NULL};
    parse_attrs(nlh, sizeof *ifi, tb, IFLA_MAX);
    struct jr_mirror_link link = {
        .ifindex = (uint32_t)ifi->ifi_index,
        .admin_up = nlh->nlmsg_type == RTM_NEWLINK && (ifi->ifi_flags & IFF_UP),
        .mtu = tb[IFLA_MTU] ? mnl_attr_get_u32(tb[IFLA_MTU]) : 0,
    };
    link.up = link.admin_up && (ifi->ifi_flags & IFF_RUNNING);
    if (tb[IFLA_ADDRESS] && mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) == sizeof link.mac.b) {
        memcpy(link.mac.b, mnl_attr_get_payload(tb[IFLA_ADDRESS]), sizeof link.mac.b);
        link.has_mac = true;
    }
    if (ifi->ifi_family == AF_UNSPEC) /* bridges send partial messages of their own family */
        jr_mirror_on_link(nl->mirror, &link);
}

static void on_addr(struct jr_netlink *nl, const struct nlmsghdr *nlh)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *tb[IFA_MAX + 1] = {NULL};
    if (!is_inet(ifa->ifa_family))
        return;
    parse_attrs(nlh, sizeof *ifa, tb, IFA_MAX);
    const uint32_t flags = tb[IFA_FLAGS] ? mnl_attr_get_u32(tb[IFA_FLAGS]) : ifa->ifa_flags;
    const bool usable = !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) || (flags & IFA_F_OPTIMISTIC);
    struct jr_mirror_addr addr = {
        .ifindex = ifa->ifa_index,
        .addr = addr_of(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS]),
        .bcast = addr_of(tb[IFA_BROADCAST]),
        .plen = ifa->ifa_prefixlen,
        .deprecated = flags & IFA_F_DEPRECATED,
        .temporary = ifa->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY),
    };
    jr_mirror_on_addr(nl->mirror, &addr, nlh->nlmsg_type == RTM_NEWADDR && usable, nl->now);
}

/* Of several next hops the first: spreading flows over them is the kernel's art. */
static void first_hop(const struct nlattr *multipath, struct jr_mirror_route *route)
{
    const struct rtnexthop *nh = mnl_attr_get_payload(multipath);
    if (mnl_attr_get_payload_len(multipath) < sizeof *nh || nh->rtnh_len < sizeof *nh ||
        nh->rtnh_len > mnl_attr_get_payload_len(multipath))
        return;
    const struct nlattr *tb[RTA_MAX + 1] = {NULL};
    struct attrs set = {tb, RTA_MAX};
    mnl_attr_parse_payload(RTNH_DATA(nh), nh->rtnh_len - sizeof *nh, collect, &set);
    route->ifindex = (uint32_t)nh->rtnh_ifindex;
    route->gw = addr_of(tb[RTA_GATEWAY]);
}

static uint32_t metrics_mtu(const struct nlattr *metrics)
{
    const struct nlattr *a;
    if (metrics)
        mnl_attr_for_each_nested(a, metrics) if (mnl_attr_get_type(a) == RTAX_MTU &&
                                                 mnl_attr_get_payload_len(a) == 4) return mnl_attr_get_u32(a);
    return 0;
}

static void on_route(struct jr_netlink *nl, const struct nlmsghdr *nlh)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *tb[RTA_MAX + 1] = {NULL};
    if (!is_inet(rtm->rtm_family) || (rtm->rtm_flags & RTM_F_CLONED) || rtm->rtm_src_len || rtm->rtm_tos)
        return;
    parse_attrs(nlh, sizeof *rtm, tb, RTA_MAX);
    uint32_t table = tb[RTA_TABLE] ? mnl_attr_get_u32(tb[RTA_TABLE]) : rtm->rtm_table;
    if (table != RT_TABLE_MAIN)
        return;
    struct jr_mirror_route route = {
        .dst = tb[RTA_DST]                  ? addr_of(tb[RTA_DST])
               : rtm->rtm_family == AF_INET ? jr_addr_v4(0)
                                            : (struct jr_addr){.q = {0, 0}},
        .plen = rtm->rtm_dst_len,
        .metric = tb[RTA_PRIORITY] ? mnl_attr_get_u32(tb[RTA_PRIORITY]) : 0,
        .gw = addr_of(tb[RTA_GATEWAY]),
        .src = addr_of(tb[RTA_PREFSRC]),
        .mtu = metrics_mtu(tb[RTA_METRICS]),
    };
    if (jr_ipv6_is_linklocal(route.dst) || jr_ipv6_is_multicast(route.dst))
        return; /* known by their zone */
    if (rtm->rtm_type == RTN_UNICAST && tb[RTA_OIF])
        route.ifindex = mnl_attr_get_u32(tb[RTA_OIF]);
    else if (rtm->rtm_type == RTN_UNICAST && tb[RTA_MULTIPATH])
        first_hop(tb[RTA_MULTIPATH], &route);
    jr_mirror_on_route(nl->mirror, &route, nlh->nlmsg_type == RTM_NEWROUTE);
}

static void on_neigh(struct jr_netlink *nl, const struct nlmsghdr *nlh)
{
    const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *tb[NDA_MAX + 1] = {NULL};
    if (!is_inet(ndm->ndm_family))
        return;
    parse_attrs(nlh, sizeof *ndm, tb, NDA_MAX);
    struct jr_mirror_neigh neigh = {
        .ifindex = (uint32_t)ndm->ndm_ifindex,
        .addr = addr_of(tb[NDA_DST]),
        .nud = nlh->nlmsg_type == RTM_NEWNEIGH ? ndm->ndm_state : 0,
    };
    if (tb[NDA_LLADDR] && mnl_attr_get_payload_len(tb[NDA_LLADDR]) == sizeof neigh.mac.b)
        memcpy(neigh.mac.b, mnl_attr_get_payload(tb[NDA_LLADDR]), sizeof neigh.mac.b);
    jr_mirror_on_neigh(nl->mirror, &neigh, nl->now);
}

static void on_message(struct jr_netlink *nl, const struct nlmsghdr *nlh)
{
    switch (nlh->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        on_link(nl, nlh);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        on_addr(nl, nlh);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        on_route(nl, nlh);
        break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        on_neigh(nl, nlh);
        break;
    case NLMSG_DONE:
        nl->dump_done |= nlh->nlmsg_seq == nl->seq;
        break;
    case NLMSG_ERROR: /* neighbour requests ask for no acknowledgement: what comes is the end of a dump, or a failure */
        nl->dump_done |= nlh->nlmsg_seq == nl->seq;
        break;
    }
}

/* Reads until nothing is there. False when events were lost. */
static bool drain(struct jr_netlink *nl)
{
    for (;;) {
        ssize_t n = recv(mnl_socket_get_fd(nl->sock), nl->buf, sizeof nl->buf, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno != ENOBUFS;
        int len = (int)n;
        for (const struct nlmsghdr *nlh = (void *)nl->buf; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
            on_message(nl, nlh);
        if (nl->dumping && nl->dump_done)
            return true;
    }
}

static int request_dump(struct jr_netlink *nl, uint16_t type)
{
    char buf[128] __attribute__((aligned(4)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    nlh->nlmsg_seq = ++nl->seq;
    /* every family's header begins with the family; links take the longest */
    struct ifinfomsg *any = mnl_nlmsg_put_extra_header(nlh, sizeof *any);
    any->ifi_family = AF_UNSPEC;
    return mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

/* Reads one kind of object; events that come between are taken as they are. */
static int dump(struct jr_netlink *nl, uint16_t type)
{
    nl->dump_done = false;
    int rc = request_dump(nl, type);
    if (rc)
        return rc;
    nl->dumping = true;
    while (!nl->dump_done) {
        struct pollfd p = {.fd = mnl_socket_get_fd(nl->sock), .events = POLLIN};
        int n = poll(&p, 1, DUMP_MS);
        if (n == 0)
            break;
        if (n > 0 && !drain(nl))
            nl->lost = true;
    }
    nl->dumping = false;
    return nl->dump_done ? 0 : -ETIMEDOUT;
}

static int read_all(struct jr_netlink *nl)
{
    static const uint16_t types[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH};
    int rc = 0, tries = 0;
    do {
        nl->lost = false;
        jr_mirror_begin(nl->mirror);
        for (size_t i = 0; i < sizeof types / sizeof types[0] && !rc; i++)
            rc = dump(nl, types[i]);
        if (!rc)
            jr_mirror_end(nl->mirror);
    } while (!rc && nl->lost && ++tries < 3);
    return rc;
}

static int open_socket(struct jr_netlink *nl)
{
    static const int groups[] = {RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
                                 RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE,  RTNLGRP_NEIGH};
    int size = 1 << 20;
    nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
        return -errno;
    int fd = mnl_socket_get_fd(nl->sock);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i], sizeof groups[i]) < 0)
            return -errno;
    return 0;
}

struct jr_netlink *jr_netlink_new(struct jr_mirror *mirror, struct jr_counters *counters, jr_time now)
{
    struct jr_netlink *nl = calloc(1, sizeof *nl);
    if (!nl)
        return NULL;
    nl->mirror = mirror;
    nl->counters = counters;
    nl->now = now;
    int rc = open_socket(nl);
    if (!rc)
        rc = read_all(nl);
    if (rc) {
        jr_netlink_free(nl);
        errno = -rc;
        return NULL;
    }
    return nl;
}

void jr_netlink_free(struct jr_netlink *nl)
{
    if (nl->sock)
        mnl_socket_close(nl->sock);
    free(nl);
}

int jr_netlink_fd(const struct jr_netlink *nl) { return mnl_socket_get_fd(nl->sock); }

void jr_netlink_service(struct jr_netlink *nl, jr_time now)
{
    nl->now = now;
    if (drain(nl)) {
        if (!jr_mirror_wants_reading(nl->mirror)) {
            jr_mirror_publish(nl->mirror);
            return;
        }
    } else {
        jr_count(nl->counters, JR_C_MAIN_NETLINK_OVERRUNS);
    }
    int rc = read_all(nl);
    if (rc)
        jr_log(JR_LOG_WARN, "reading the kernel's routes and addresses: %s", strerror(-rc));
}

void jr_netlink_ask_neigh(struct jr_netlink *nl, uint32_t ifindex, struct jr_addr addr)
{
    char buf[128] __attribute__((aligned(4)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = RTM_NEWNEIGH;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
    struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof *ndm);
    ndm->ndm_family = jr_addr_is_v4(addr) ? AF_INET : AF_INET6;
    ndm->ndm_ifindex = (int)ifindex;
    ndm->ndm_state = NUD_NONE;
    ndm->ndm_flags = NTF_USE; /* as if a packet had to go there: the kernel resolves */
    if (jr_addr_is_v4(addr)) {
        mnl_attr_put_u32(nlh, NDA_DST, jr_addr_to_v4(addr));
    } else {
        const struct jr_addr wire = jr_ipv6_wire(addr);
        mnl_attr_put(nlh, NDA_DST, sizeof wire.b, wire.b);
    }
    if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
        jr_log(JR_LOG_DEBUG, "neighbour request: %s", strerror(errno));
}
