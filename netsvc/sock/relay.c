/* SPDX-License-Identifier: BSD-3-Clause */
#include "sock/relay.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>

#include "ip/ip.h"
#include "sock/port.h"
#include "sock/self.h"

enum { SOCKETS = 16, DGRAMS = 32, DGRAM_BYTES = 65536 }; /* at a time */

/* What the kernel must tell of each datagram, and options that the program may have set before it bound. */
static const struct {
    int level, name;
} told[] = {{IPPROTO_IP, IP_PKTINFO},         {IPPROTO_IP, IP_RECVTTL},          {IPPROTO_IP, IP_RECVTOS},
            {IPPROTO_IPV6, IPV6_RECVPKTINFO}, {IPPROTO_IPV6, IPV6_RECVHOPLIMIT}, {IPPROTO_IPV6, IPV6_RECVTCLASS}},
  mirrored[] = {{SOL_SOCKET, SO_BROADCAST},
                {IPPROTO_IP, IP_TOS},
                {IPPROTO_IP, IP_TTL},
                {IPPROTO_IP, IP_MULTICAST_TTL},
                {IPPROTO_IP, IP_MULTICAST_LOOP},
                {IPPROTO_IPV6, IPV6_TCLASS},
                {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
                {IPPROTO_IP, IP_MULTICAST_ALL},
                {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
                {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
                {IPPROTO_IPV6, 29 /* IPV6_MULTICAST_ALL */}};

static bool is_mirrored(int level, int name)
{
    for (unsigned i = 0; i < sizeof mirrored / sizeof mirrored[0]; i++)
        if (mirrored[i].level == level && mirrored[i].name == name)
            return true;
    return false;
}

/* The interfaces by which groups are sent to, if the program named one before it bound. */
static void mirror_interfaces(struct jr_sock *so)
{
    int32_t v;
    uint32_t len = sizeof v;

    if (jr_udp_getopt(so->up, IPPROTO_IP, IP_MULTICAST_IF, &v, &len) == 0 && v != 0)
        setsockopt(so->kernel_fd, IPPROTO_IP, IP_MULTICAST_IF, &v, sizeof v);
    if (so->kernel_is_v6 && jr_opt_kept(so, IPPROTO_IPV6, IPV6_MULTICAST_IF, &v) == 0)
        setsockopt(so->kernel_fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &v, sizeof v);
}

void jr_relay_start(struct jr_sock *so)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = so};
    const int on = 1;
    int domain = AF_INET;
    socklen_t dlen = sizeof domain;

    if (so->kernel_fd < 0 || so->ss->relay_fd < 0)
        return;
    getsockopt(so->kernel_fd, SOL_SOCKET, SO_DOMAIN, &domain, &dlen);
    so->kernel_is_v6 = domain == AF_INET6;
    for (unsigned i = 0; i < sizeof told / sizeof told[0]; i++)
        setsockopt(so->kernel_fd, told[i].level, told[i].name, &on, sizeof on);
    for (unsigned i = 0; i < sizeof mirrored / sizeof mirrored[0]; i++) {
        int32_t v;
        uint32_t len = sizeof v;
        if (jr_opt_get(so, mirrored[i].level, mirrored[i].name, &v, &len, 0) == 0 && len == sizeof v)
            setsockopt(so->kernel_fd, mirrored[i].level, mirrored[i].name, &v, sizeof v);
    }
    mirror_interfaces(so);
    epoll_ctl(so->ss->relay_fd, EPOLL_CTL_ADD, so->kernel_fd, &ev);
}

bool jr_relay_takes(struct jr_sock *so, const struct jr_endpoint *to, bool connected)
{
    const struct jr_socks_config *cfg = &so->ss->cfg;
    struct jr_ip_route rt;

    if (!jr_self_is_on(so->ss) || so->kernel_fd < 0)
        return false;
    if (jr_ip_is_local(cfg->ip, to->addr))
        return !connected && !jr_udp_is_bound(cfg->udp, to) && jr_port_is_kernels(so, to);
    if (!jr_ip_route(cfg->ip, to->addr, &rt))
        return true;
    return rt.broadcast && !rt.loop && cfg->multicast == JR_ROUTE_KERNEL;
}

static void put_cmsg(struct msghdr *msg, int level, int type, const void *data, size_t n)
{
    struct cmsghdr *c = (struct cmsghdr *)((char *)msg->msg_control + msg->msg_controllen);

    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(c), data, n);
    msg->msg_controllen += CMSG_SPACE(n);
}

static void put_int(struct msghdr *msg, bool v4, int name4, int name6, int v)
{
    put_cmsg(msg, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? name4 : name6, &v, sizeof v);
}

/* What the program asked for with this datagram. */
static void put_wishes(struct msghdr *msg, const struct jr_abi_dgram *h, bool v4)
{
    if ((h->ifindex || h->local.family) && v4) {
        struct in_pktinfo pi = {.ipi_ifindex = (int)h->ifindex};
        memcpy(&pi.ipi_spec_dst, h->local.addr + 12, 4);
        put_cmsg(msg, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi);
    } else if (h->ifindex || h->local.family) {
        struct in6_pktinfo pi = {.ipi6_ifindex = h->ifindex};
        memcpy(&pi.ipi6_addr, h->local.addr, 16);
        put_cmsg(msg, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi);
    }
    if (h->flags & JR_DGRAM_TOS)
        put_int(msg, v4, IP_TOS, IPV6_TCLASS, h->tos);
    if (h->ttl)
        put_int(msg, v4, IP_TTL, IPV6_HOPLIMIT, h->ttl);
    if (h->segsz)
        put_cmsg(msg, IPPROTO_UDP, UDP_SEGMENT, &h->segsz, sizeof h->segsz);
}

int jr_relay_send(struct jr_sock *so, const struct jr_endpoint *to, const struct jr_abi_dgram *h,
                  const struct iovec iov[2])
{
    char control[256] __attribute__((aligned(8))) = {0};
    const struct jr_kernel_addr a = jr_kernel_addr(to, so->kernel_is_v6);
    struct msghdr msg = {
        .msg_name = (void *)&a.sa,
        .msg_namelen = a.len,
        .msg_iov = (struct iovec *)iov,
        .msg_iovlen = 2,
        .msg_control = control,
    };

    put_wishes(&msg, h, jr_addr_is_v4(to->addr));
    so->ss->relayed = true;
    jr_count(so->ss->cfg.counters, JR_C_SOCK_RELAY_TX);
    return sendmsg(so->kernel_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static struct sockaddr_storage in_storage(const uint8_t addr[16], int level)
{
    struct sockaddr_storage st = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    memcpy(&in.sin_addr, addr + 12, 4);
    memcpy(&in6.sin6_addr, addr, 16);
    if (level == IPPROTO_IP)
        memcpy(&st, &in, sizeof in);
    else
        memcpy(&st, &in6, sizeof in6);
    return st;
}

/* RFC 3678's calls, which libc gives in a shorter form. */
static int set_group(struct jr_sock *so, int level, int name, const void *val, uint32_t len)
{
    struct group_source_req gs;
    struct group_req g;
    struct jr_abi_mcast m;
    int r;

    if (len < sizeof m)
        return -EINVAL;
    memcpy(&m, val, sizeof m);
    g = (struct group_req){.gr_interface = m.ifindex, .gr_group = in_storage(m.group, level)};
    gs = (struct group_source_req){
        .gsr_interface = m.ifindex, .gsr_group = g.gr_group, .gsr_source = in_storage(m.source, level)};
    if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP)
        r = setsockopt(so->kernel_fd, level, name, &g, sizeof g);
    else
        r = setsockopt(so->kernel_fd, level, name, &gs, sizeof gs);
    return r < 0 ? -errno : 0;
}

/* Groups and the interfaces they are sent by: the kernel's interfaces are more than ours. */
static bool is_kernels(const struct jr_sock *so, int level, int name)
{
    if (so->ss->cfg.multicast != JR_ROUTE_KERNEL)
        return false;
    if (level == IPPROTO_IP)
        return name == IP_MULTICAST_IF || (name >= IP_ADD_MEMBERSHIP && name <= IP_MSFILTER) ||
               (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER);
    return level == IPPROTO_IPV6 && (name == IPV6_MULTICAST_IF || name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP ||
                                     (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER));
}

int jr_relay_setopt(struct jr_sock *so, int level, int name, const void *val, uint32_t len)
{
    if (!jr_self_is_on(so->ss) || so->kernel_fd < 0)
        return -ENOPROTOOPT;
    if (is_mirrored(level, name))
        setsockopt(so->kernel_fd, level, name, val, len);
    if (!is_kernels(so, level, name))
        return -ENOPROTOOPT;
    if (name >= MCAST_JOIN_GROUP && name <= MCAST_LEAVE_SOURCE_GROUP) /* of either level */
        return set_group(so, level, name, val, len);
    return setsockopt(so->kernel_fd, level, name, val, len) < 0 ? -errno : 0;
}

int jr_relay_getopt(struct jr_sock *so, int level, int name, void *val, uint32_t *len)
{
    if (!jr_self_is_on(so->ss) || so->kernel_fd < 0 || !is_kernels(so, level, name))
        return -ENOPROTOOPT;
    return getsockopt(so->kernel_fd, level, name, val, len) < 0 ? -errno : 0;
}

/* ---- What comes ---- */

static void read_cmsg(const struct cmsghdr *c, struct jr_abi_dgram *h, struct jr_addr *to)
{
    int v = 0;

    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo pi;
        memcpy(&pi, CMSG_DATA(c), sizeof pi);
        *to = jr_addr_v4(pi.ipi_addr.s_addr);
        h->ifindex = (uint32_t)pi.ipi_ifindex;
        h->spec_dst = pi.ipi_spec_dst.s_addr;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo pi;
        memcpy(&pi, CMSG_DATA(c), sizeof pi);
        memcpy(to->b, &pi.ipi6_addr, sizeof to->b);
        h->ifindex = pi.ipi6_ifindex;
    } else {
        memcpy(&v, CMSG_DATA(c), jr_min_u32(sizeof v, (uint32_t)(c->cmsg_len - CMSG_LEN(0))));
    }
    if (c->cmsg_level == IPPROTO_IP ? c->cmsg_type == IP_TTL : c->cmsg_type == IPV6_HOPLIMIT)
        h->ttl = (uint8_t)v;
    if (c->cmsg_level == IPPROTO_IP ? c->cmsg_type == IP_TOS : c->cmsg_type == IPV6_TCLASS)
        h->tos = (uint8_t)v;
}

/* One datagram, if there is one. */
static bool receive(struct jr_sock *so, jr_time now)
{
    static uint8_t data[DGRAM_BYTES];
    char control[256] __attribute__((aligned(8)));
    struct jr_kernel_addr a = {.len = 0};
    struct iovec iov = {data, sizeof data};
    struct msghdr msg = {
        .msg_name = &a.sa,
        .msg_namelen = sizeof a.in6,
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    const ssize_t n = recvmsg(so->kernel_fd, &msg, MSG_DONTWAIT);
    struct jr_endpoint to = {.addr = so->local.addr, .port = so->local.port};
    struct jr_abi_dgram h = {.stamp_us = now, .drops = so->drops};

    if (n < 0)
        return errno != EAGAIN; /* an error that the kernel was told of; the next call gets on */
    const struct jr_endpoint from = jr_kernel_endpoint(&a);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        read_cmsg(c, &h, &to.addr);
    if (so->st & JR_ST_CONNECTED &&
        !((so->remote.port == from.port || so->remote.port == 0) && jr_addr_eq(so->remote.addr, from.addr)))
        return true;
    h.len = (uint32_t)n;
    h.peer = jr_sock_abi_addr(so, &from);
    h.local = jr_sock_abi_addr(so, &to);
    jr_count(so->ss->cfg.counters, JR_C_SOCK_RELAY_RX);
    jr_dgram_take(so, &h, data, now);
    return true;
}

unsigned jr_relay_service(struct jr_socks *ss, jr_time now)
{
    struct epoll_event ev[SOCKETS];
    const int n = ss->relay_fd < 0 ? 0 : epoll_wait(ss->relay_fd, ev, SOCKETS, 0);

    ss->relayed = false;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < DGRAMS && receive(ev[i].data.ptr, now); k++)
            ;
    return n > 0 ? (unsigned)n : 0;
}
