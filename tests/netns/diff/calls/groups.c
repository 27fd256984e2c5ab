/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending to many: groups of both versions by every way of joining and of naming an interface, and broadcasts. */
#include "any.h"

#include <ifaddrs.h>
#include <net/if.h>

#define GROUP "224.0.2.77"
#define GROUP6 "ff02::4d:77"

static int own_index(void)
{
    struct ifaddrs *all = NULL;
    int index = 0;

    NEED(getifaddrs(&all) == 0);
    for (const struct ifaddrs *i = all; i; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET &&
            ((const struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == host4.sin_addr.s_addr)
            index = (int)if_nametoindex(i->ifa_name);
    freeifaddrs(all);
    return index;
}

enum how { NO, BY_ADDR, BY_INDEX };
static const char *const how_text[] = {"none", "address", "index"};

static struct ip_mreqn mreqn(const char *group, enum how how)
{
    struct ip_mreqn m = {.imr_multiaddr.s_addr = inet_addr(group)};

    if (how == BY_ADDR)
        m.imr_address = host4.sin_addr;
    if (how == BY_INDEX)
        m.imr_ifindex = own_index();
    return m;
}

static long join(int fd, const char *group, enum how how)
{
    const struct ip_mreqn m = mreqn(group, how);

    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m);
}

static long leave(int fd, const char *group, enum how how)
{
    const struct ip_mreqn m = mreqn(group, how);

    return setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m);
}

static long send_by(int fd, enum how how)
{
    const struct ip_mreqn m = mreqn("0.0.0.0", how);

    return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m);
}

static int receiver(struct addr a)
{
    const int fd = dgram(a.sa.sa_family);

    NEED(bind_to(fd, a) == 0);
    return fd;
}

static void take_from(int fd, const char *what)
{
    struct addr a = {.len = sizeof a.ss};
    char b[64];

    if (await(fd, POLLIN) == 0) {
        say("%s: nothing", what);
        return;
    }
    const ssize_t n = recvfrom(fd, b, sizeof b, 0, &a.sa, &a.len);
    say_result(what, n);
    if (n >= 0) {
        say_bytes("bytes", b, (size_t)n);
        say_addr("from", &a.ss, a.len);
    }
}

static void nothing(int fd, const char *what)
{
    say("%s: %s", what, await(fd, 0) == 0 && recv(fd, NULL, 0, MSG_DONTWAIT | MSG_PEEK) < 0 ? "nothing" : "something");
}

/* Every way of sending to every way of joining. */
static void ways(bool connected)
{
    for (enum how joins = NO; joins <= BY_INDEX; joins++) {
        for (enum how sends = NO; sends <= BY_INDEX; sends++) {
            const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0));
            const struct addr to = text_addr(GROUP, port_in(named(r)));
            say("joins by %s, sends by %s", how_text[joins], how_text[sends]);
            if (joins != NO)
                SAY(join(r, GROUP, joins));
            if (sends != NO)
                SAY(send_by(s, sends));
            if (connected) {
                SAY(connect_to(s, to));
                SAY(send(s, "group", 5, 0));
                say_name(s);
            } else {
                SAY(send_text(s, "group", to));
            }
            if (joins != NO && sends != NO)
                take_from(r, "got");
            else
                nothing(r, "got");
            close(s), close(r);
        }
    }
}
CASE(group4_ways) { ways(false); }
CASE(group4_ways_connected) { ways(true); }

CASE(group4_interface_after_connect)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(join(r, GROUP, BY_ADDR));
    SAY(send_by(s, BY_ADDR));
    SAY(connect_to(s, to));
    SAY(send_by(s, NO));
    SAY(send(s, "one", 3, 0));
    take_from(r, "one");
    SAY(send_by(s, BY_INDEX));
    SAY(send(s, "two", 3, 0));
    take_from(r, "two");
}

CASE(group4_interface_before_bind)
{
    const int r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(join(r, GROUP, BY_ADDR));
    for (int first = 0; first < 2; first++) {
        const int s = dgram(AF_INET);
        const struct addr a = wild(AF_INET, 0);

        if (first)
            SAY(send_by(s, BY_ADDR));
        SAY(bind(s, &a.sa, a.len));
        if (!first)
            SAY(send_by(s, BY_ADDR));
        SAY(send_text(s, "one", to));
        take_from(r, "one");
    }
}

CASE(group4_bound_sender)
{
    const int s = bound_dgram(AF_INET), r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(join(r, GROUP, BY_ADDR));
    SAY(send_text(s, "one", to));
    SAY(send_by(s, BY_ADDR));
    SAY(send_text(s, "two", to));
    take_from(r, "two");
    SAY(connect_to(s, to));
    SAY(send(s, "three", 5, 0));
    take_from(r, "three");
}

CASE(group4_loop)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(get_int(s, IPPROTO_IP, IP_MULTICAST_LOOP));
    SAY(join(r, GROUP, BY_ADDR));
    SAY(send_by(s, BY_ADDR));
    SAY(set_int(s, IPPROTO_IP, IP_MULTICAST_LOOP, 0));
    SAY(get_int(s, IPPROTO_IP, IP_MULTICAST_LOOP));
    SAY(send_text(s, "silent", to));
    nothing(r, "silent");
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, "\1", 1));
    SAY(get_int(s, IPPROTO_IP, IP_MULTICAST_LOOP));
    SAY(send_text(s, "loud", to));
    take_from(r, "loud");
    /* the receiver's own setting says nothing */
    SAY(set_int(r, IPPROTO_IP, IP_MULTICAST_LOOP, 0));
    SAY(send_text(s, "again", to));
    take_from(r, "again");
    SAY(set_int(s, IPPROTO_IP, IP_MULTICAST_TTL, 0));
    SAY(send_text(s, "near", to));
    take_from(r, "near");
}

CASE(group4_leaving)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(send_by(s, BY_ADDR));
    SAY(join(r, GROUP, BY_ADDR));
    SAY(join(r, GROUP, BY_ADDR));
    SAY(join(r, GROUP, BY_INDEX));
    SAY(send_text(s, "one", to));
    take_from(r, "one");
    SAY(leave(r, GROUP, BY_INDEX));
    SAY(leave(r, GROUP, BY_ADDR));
    SAY(leave(r, GROUP, NO));
    SAY(send_text(s, "two", to));
    nothing(r, "two");
    SAY(join(r, GROUP, BY_INDEX));
    SAY(leave(r, GROUP, NO));
    SAY(join(r, GROUP, BY_INDEX));
    SAY(send_text(s, "three", to));
    take_from(r, "three");
    SAY(leave(r, "224.0.2.78", BY_INDEX));
}

CASE(group4_bad_requests)
{
    const int s = dgram(AF_INET);
    struct ip_mreqn m = mreqn(GROUP, BY_ADDR);

    SAY(join(s, "10.0.0.1", BY_ADDR));
    SAY(join(s, "0.0.0.0", BY_ADDR));
    SAY(join(s, "255.255.255.255", BY_ADDR));
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(struct ip_mreq)));
    SAY(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(struct ip_mreq)));
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(struct ip_mreq) - 1));
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(struct ip_mreq) + 1));
    SAY(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, 4));
    m.imr_ifindex = 4711;
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m));
    m = mreqn(GROUP, NO);
    m.imr_address.s_addr = inet_addr("192.0.2.9");
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m));
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m.imr_address, sizeof m.imr_address));
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m.imr_address, 3));
    const int t = socket(AF_INET, SOCK_STREAM, 0);
    SAY(join(t, GROUP, BY_ADDR));
    SAY(get_int(t, IPPROTO_IP, IP_MULTICAST_TTL));
    SAY(set_int(t, IPPROTO_IP, IP_MULTICAST_TTL, 3));
    SAY(set_int(t, IPPROTO_IP, IP_MULTICAST_LOOP, 0));
}

CASE(group4_values)
{
    const int s = bound_dgram(AF_INET);
    struct in_addr a = {1};
    socklen_t len = sizeof a;
    struct ip_mreqn m = {0};

    SAY(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len));
    say("%s length %u", inet_ntoa(a), len);
    SAY(send_by(s, BY_INDEX));
    SAY(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len));
    say("%s length %u", inet_ntoa(a), len);
    SAY(send_by(s, BY_ADDR));
    SAY(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len));
    say("%s length %u", inet_ntoa(a), len);
    len = sizeof m;
    SAY(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, &len));
    say("length %u", len);
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &host4.sin_addr, 4));
    SAY(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len));
    say("%s", inet_ntoa(a));
    for (int v = -2; v < 3; v++) {
        SAY_AS("ttl", set_int(s, IPPROTO_IP, IP_MULTICAST_TTL, v));
        SAY(get_int(s, IPPROTO_IP, IP_MULTICAST_TTL));
    }
    SAY(set_int(s, IPPROTO_IP, IP_MULTICAST_TTL, 256));
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, "\377", 1));
    SAY(get_int(s, IPPROTO_IP, IP_MULTICAST_TTL));
}

/* Bound to the group itself, and to another. */
CASE(group4_bound_to_group)
{
    const int s = dgram(AF_INET), r = receiver(text_addr(GROUP, 0)), w = dgram(AF_INET), o = dgram(AF_INET);
    const int port = port_in(named(r));

    say_name(r);
    SAY(bind_to(w, wild(AF_INET, port)));
    SAY(bind_to(o, text_addr("224.0.2.78", port)));
    SAY(send_by(s, BY_ADDR));
    SAY(send_text(s, "before", text_addr(GROUP, port)));
    nothing(r, "before");
    SAY(join(r, GROUP, BY_ADDR));
    SAY(send_text(s, "after", text_addr(GROUP, port)));
    take_from(r, "after");
    nothing(o, "other group");
    SAY(send_text(s, "unicast", own(AF_INET, port)));
    nothing(r, "unicast");
    SAY(connect_to(r, own(AF_INET, 9)));
    say_name(r);
}

/* Who joined decides for the host, not for the socket, unless IP_MULTICAST_ALL is off. */
CASE(group4_all)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0)), j = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(send_by(s, BY_ADDR));
    SAY(send_text(s, "one", to));
    nothing(r, "one");
    SAY(join(j, GROUP, BY_ADDR));
    SAY(send_text(s, "two", to));
    take_from(r, "two");
    SAY(set_int(r, IPPROTO_IP, IP_MULTICAST_ALL, 0));
    SAY(get_int(r, IPPROTO_IP, IP_MULTICAST_ALL));
    SAY(send_text(s, "three", to));
    nothing(r, "three");
    SAY(join(r, GROUP, BY_ADDR));
    SAY(send_text(s, "four", to));
    take_from(r, "four");
    close(j);
    SAY(send_text(s, "five", to));
    take_from(r, "five");
}

/* A socket of IPv6 is not one of IPv4's that get what others joined. */
CASE(group4_all_of_ipv6)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET6, 0)), j = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(get_int(r, IPPROTO_IP, IP_MULTICAST_ALL));
    SAY(get_int(r, IPPROTO_IPV6, 29 /* IPV6_MULTICAST_ALL */));
    SAY(send_by(s, BY_ADDR));
    SAY(join(j, GROUP, BY_ADDR));
    SAY(send_text(s, "one", to));
    nothing(r, "one");
    SAY(set_int(r, IPPROTO_IP, IP_MULTICAST_ALL, 1));
    SAY(send_text(s, "two", to));
    take_from(r, "two");
    SAY(set_int(r, IPPROTO_IP, IP_MULTICAST_ALL, 2));
    SAY(get_int(r, IPPROTO_IP, IP_MULTICAST_ALL));
}

CASE(group4_all_before_bind)
{
    const int s = dgram(AF_INET), r = dgram(AF_INET), j = receiver(wild(AF_INET, 0));

    SAY(set_int(r, IPPROTO_IP, IP_MULTICAST_ALL, 0));
    SAY(bind_to(r, wild(AF_INET, 0)));
    SAY(join(j, GROUP, BY_ADDR));
    SAY(send_by(s, BY_ADDR));
    SAY(send_text(s, "nobody's", text_addr(GROUP, port_in(named(r)))));
    nothing(r, "nobody's");
    SAY(join(r, GROUP, BY_ADDR));
    SAY(send_text(s, "its own", text_addr(GROUP, port_in(named(r)))));
    take_from(r, "its own");
}

/* Everybody who may gets it. */
static void several(int option)
{
    int r[3];
    const int s = dgram(AF_INET);

    for (int i = 0; i < 3; i++) {
        r[i] = dgram(AF_INET);
        SAY(set_int(r[i], SOL_SOCKET, option, 1));
        SAY(bind_to(r[i], wild(AF_INET, i ? port_in(named(r[0])) : 0)));
        if (i)
            SAY(join(r[i], GROUP, BY_ADDR));
    }
    const struct addr to = text_addr(GROUP, port_in(named(r[0])));
    SAY(send_by(s, BY_ADDR));
    SAY(send_text(s, "all", to));
    for (int i = 0; i < 3; i++)
        take_from(r[i], "got");
    SAY(connect_to(r[2], own(AF_INET, 9)));
    SAY(send_text(s, "not the connected", to));
    take_from(r[0], "got");
    take_from(r[1], "got");
    nothing(r[2], "got");
}
CASE(group4_several_reuseaddr) { several(SO_REUSEADDR); }
CASE(group4_several_reuseport) { several(SO_REUSEPORT); }

static long source(int fd, int option, const char *from)
{
    const struct ip_mreq_source m = {.imr_multiaddr.s_addr = inet_addr(GROUP),
                                     .imr_interface = host4.sin_addr,
                                     .imr_sourceaddr.s_addr = inet_addr(from)};

    return setsockopt(fd, IPPROTO_IP, option, &m, sizeof m);
}

CASE(group4_sources)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(set_int(r, IPPROTO_IP, IP_MULTICAST_ALL, 0));
    SAY(send_by(s, BY_ADDR));
    SAY(source(r, IP_ADD_SOURCE_MEMBERSHIP, "192.0.2.7"));
    SAY(send_text(s, "one", to));
    nothing(r, "one");
    SAY(source(r, IP_ADD_SOURCE_MEMBERSHIP, host_ip));
    SAY(source(r, IP_ADD_SOURCE_MEMBERSHIP, host_ip));
    SAY(send_text(s, "two", to));
    take_from(r, "two");
    SAY(source(r, IP_BLOCK_SOURCE, host_ip));
    SAY(join(r, GROUP, BY_ADDR));
    SAY(source(r, IP_DROP_SOURCE_MEMBERSHIP, host_ip));
    SAY(send_text(s, "three", to));
    nothing(r, "three");
    SAY(source(r, IP_DROP_SOURCE_MEMBERSHIP, "192.0.2.7"));
    SAY(source(r, IP_DROP_SOURCE_MEMBERSHIP, "192.0.2.7"));
    SAY(join(r, GROUP, BY_ADDR));
    SAY(source(r, IP_BLOCK_SOURCE, host_ip));
    SAY(source(r, IP_BLOCK_SOURCE, host_ip));
    SAY(send_text(s, "four", to));
    nothing(r, "four");
    SAY(source(r, IP_UNBLOCK_SOURCE, host_ip));
    SAY(source(r, IP_UNBLOCK_SOURCE, host_ip));
    SAY(send_text(s, "five", to));
    take_from(r, "five");
    SAY(source(r, IP_ADD_SOURCE_MEMBERSHIP, host_ip));
}

/* RFC 3678's requests. */
static long group_req(int fd, int level, int option, const char *group, int index)
{
    struct group_req g = {.gr_interface = (uint32_t)index};
    const struct addr a = text_addr(group, 0);

    memcpy(&g.gr_group, &a.ss, sizeof a.ss);
    return setsockopt(fd, level, option, &g, sizeof g);
}

CASE(group4_protocol_independent)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));

    SAY(send_by(s, BY_ADDR));
    SAY(group_req(r, IPPROTO_IP, MCAST_JOIN_GROUP, GROUP, own_index()));
    SAY(group_req(r, IPPROTO_IP, MCAST_JOIN_GROUP, GROUP, own_index()));
    SAY(send_text(s, "one", to));
    take_from(r, "one");
    SAY(group_req(r, IPPROTO_IP, MCAST_LEAVE_GROUP, GROUP, own_index()));
    SAY(group_req(r, IPPROTO_IP, MCAST_LEAVE_GROUP, GROUP, own_index()));
    SAY(send_text(s, "two", to));
    nothing(r, "two");
    SAY(group_req(r, IPPROTO_IP, MCAST_JOIN_GROUP, GROUP6, own_index()));
    SAY(group_req(r, IPPROTO_IP, MCAST_JOIN_GROUP, "10.0.0.1", own_index()));
    SAY(group_req(r, IPPROTO_IP, MCAST_JOIN_GROUP, GROUP, 4711));
}

/* What recvmsg tells of a datagram to a group. */
CASE(group4_told)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0));
    const struct addr to = text_addr(GROUP, port_in(named(r)));
    char b[8], control[256];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    SAY(set_int(r, IPPROTO_IP, IP_PKTINFO, 1));
    SAY(set_int(r, IPPROTO_IP, IP_RECVTTL, 1));
    SAY(join(r, GROUP, BY_ADDR));
    SAY(send_by(s, BY_ADDR));
    SAY(send_text(s, "x", to));
    await(r, POLLIN);
    SAY(recvmsg(r, &m, MSG_DONTWAIT));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct in_pktinfo pi;
        say("level %d type %d length %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        if (c->cmsg_type != IP_PKTINFO)
            continue;
        memcpy(&pi, CMSG_DATA(c), sizeof pi);
        say("own interface %d", pi.ipi_ifindex == own_index());
        say("addr %s", inet_ntoa(pi.ipi_addr));
        say("spec_dst %s", inet_ntoa(pi.ipi_spec_dst));
    }
}

/* ---- version 6 ---- */

static long join6(int fd, int option, const char *group, int index)
{
    struct ipv6_mreq m = {.ipv6mr_interface = (uint32_t)index};

    NEED(inet_pton(AF_INET6, group, &m.ipv6mr_multiaddr) == 1);
    return setsockopt(fd, IPPROTO_IPV6, option, &m, sizeof m);
}

CASE(group6_join)
{
    const int s = dgram(AF_INET6), r = receiver(wild(AF_INET6, 0)), i = own_index();
    struct addr to = text_addr(GROUP6, port_in(named(r)));

    SAY(send_text(s, "none", to));
    SAY(set_int(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, i));
    say("set %d", get_int(s, IPPROTO_IPV6, IPV6_MULTICAST_IF) == i);
    SAY(send_text(s, "before", to));
    nothing(r, "before");
    SAY(join6(r, IPV6_JOIN_GROUP, GROUP6, i));
    SAY(join6(r, IPV6_JOIN_GROUP, GROUP6, i));
    SAY(send_text(s, "after", to));
    take_from(r, "after");
    to.in6.sin6_scope_id = (uint32_t)i;
    SAY(set_int(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0));
    SAY(send_text(s, "silent", to));
    nothing(r, "silent");
    SAY(set_int(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1));
    SAY(send_text(s, "scope", to));
    take_from(r, "scope");
    SAY(join6(r, IPV6_LEAVE_GROUP, GROUP6, i));
    SAY(join6(r, IPV6_LEAVE_GROUP, GROUP6, i));
    SAY(send_text(s, "left", to));
    nothing(r, "left");
    SAY(join6(r, IPV6_JOIN_GROUP, "2001:db8::1", i));
    SAY(join6(r, IPV6_JOIN_GROUP, GROUP6, 4711));
    SAY(set_int(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, 4711));
    SAY(set_int(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 256));
    SAY(group_req(r, IPPROTO_IPV6, MCAST_JOIN_GROUP, GROUP6, i));
    SAY(send_text(s, "request", to));
    take_from(r, "request");
    SAY(group_req(r, IPPROTO_IPV6, MCAST_LEAVE_GROUP, GROUP6, i));
    SAY(group_req(r, IPPROTO_IPV6, MCAST_JOIN_GROUP, GROUP, i));
}

static long source6(int fd, int option, const char *from)
{
    struct group_source_req g = {.gsr_interface = (uint32_t)own_index()};
    const struct addr group = text_addr(GROUP6, 0), source = text_addr(from, 0);

    memcpy(&g.gsr_group, &group.ss, sizeof group.ss);
    memcpy(&g.gsr_source, &source.ss, sizeof source.ss);
    return setsockopt(fd, IPPROTO_IPV6, option, &g, sizeof g);
}

/* Whose datagrams to a group these are. */
static void learn(int s, int r, const struct addr *to, char text[INET6_ADDRSTRLEN])
{
    struct sockaddr_in6 from = {0};
    socklen_t len = sizeof from;
    char b[8];

    SAY(send_text(s, "who", *to));
    await(r, POLLIN);
    SAY(recvfrom(r, b, sizeof b, MSG_DONTWAIT, (struct sockaddr *)&from, &len));
    NEED(inet_ntop(AF_INET6, &from.sin6_addr, text, INET6_ADDRSTRLEN));
}

CASE(group6_sources)
{
    const int s = dgram(AF_INET6), r = receiver(wild(AF_INET6, 0)), i = own_index();
    const struct addr to = text_addr(GROUP6, port_in(named(r)));
    char from[INET6_ADDRSTRLEN];

    SAY(set_int(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, i));
    SAY(source6(r, MCAST_BLOCK_SOURCE, "2001:db8::99"));
    SAY(group_req(r, IPPROTO_IPV6, MCAST_JOIN_GROUP, GROUP6, i));
    learn(s, r, &to, from);
    SAY(source6(r, MCAST_BLOCK_SOURCE, from));
    SAY(send_text(s, "blocked", to));
    nothing(r, "blocked");
    SAY(source6(r, MCAST_UNBLOCK_SOURCE, from));
    SAY(send_text(s, "heard", to));
    take_from(r, "heard");
    SAY(source6(r, MCAST_UNBLOCK_SOURCE, from));
    SAY(group_req(r, IPPROTO_IPV6, MCAST_LEAVE_GROUP, GROUP6, i));
    SAY(source6(r, MCAST_JOIN_SOURCE_GROUP, "2001:db8::99"));
    SAY(source6(r, MCAST_JOIN_SOURCE_GROUP, "192.0.2.1"));
    SAY(send_text(s, "other", to));
    nothing(r, "other");
    SAY(source6(r, MCAST_JOIN_SOURCE_GROUP, from));
    SAY(send_text(s, "joined", to));
    take_from(r, "joined");
    SAY(source6(r, MCAST_LEAVE_SOURCE_GROUP, from));
    SAY(source6(r, MCAST_LEAVE_SOURCE_GROUP, from));
}

/* ---- broadcasts ---- */

CASE(broadcast_local)
{
    const int s = dgram(AF_INET), r = receiver(wild(AF_INET, 0)), b = dgram(AF_INET), o = receiver(own(AF_INET, 0));
    struct in_addr all = host4.sin_addr;

    all.s_addr |= htonl(host4.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? 0xffffff : 0xff);
    const char *const text = strdup(inet_ntoa(all));
    const int port = port_in(named(r));
    SAY(get_int(s, SOL_SOCKET, SO_BROADCAST));
    SAY(send_text(s, "one", text_addr(text, port)));
    SAY(connect_to(s, text_addr(text, port)));
    SAY(set_int(s, SOL_SOCKET, SO_BROADCAST, 1));
    SAY(send_text(s, "two", text_addr(text, port)));
    take_from(r, "two");
    SAY(bind_to(b, text_addr(text, 0)));
    say_name(b);
    SAY(send_text(s, "three", text_addr(text, port_in(named(b)))));
    take_from(b, "three");
    SAY(send_text(s, "four", text_addr(text, port_in(named(o)))));
    nothing(o, "four");
    SAY(connect_to(s, text_addr(text, port)));
    SAY(send(s, "five", 4, 0));
    take_from(r, "five");
    SAY(connect_to(b, own(AF_INET, 9)));
    say_name(b);
}
