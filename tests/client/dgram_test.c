/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams' ancillary data, options and errors, through libc's client and the service's own code. */
#include "two_hosts.h"

#include <linux/errqueue.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

/* What the echo on host b saw of a datagram, which is its answer. */
struct seen {
    int ttl, tos, gro, stamped, ifindex;
    uint32_t dst, spec_dst, origdst, drops;
    uint16_t origport;
    ssize_t len;
    uint8_t first;
};

static void look_at(struct msghdr *m, struct seen *s)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        const void *p = CMSG_DATA(c);
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&s->drops, p, sizeof s->drops);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec now, ts;
            clock_gettime(CLOCK_REALTIME, &now);
            memcpy(&ts, p, sizeof ts);
            s->stamped = now.tv_sec - ts.tv_sec <= 2;
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&s->gro, p, sizeof s->gro);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
            memcpy(&s->ttl, p, sizeof s->ttl);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            s->tos = *(const uint8_t *)p;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) {
            struct sockaddr_in in;
            memcpy(&in, p, sizeof in);
            s->origdst = in.sin_addr.s_addr;
            s->origport = ntohs(in.sin_port);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo pi;
            memcpy(&pi, p, sizeof pi);
            s->dst = pi.ipi_addr.s_addr;
            s->spec_dst = pi.ipi_spec_dst.s_addr;
        }
    }
}

static void on(int fd, int level, int name)
{
    int one = 1;
    JR_CHECK_EQ(__jr_setsockopt(fd, level, name, &one, sizeof one), 0);
}

static const int flags[][2] = {
    {IPPROTO_IP, IP_PKTINFO},     {IPPROTO_IP, IP_RECVTTL},     {IPPROTO_IP, IP_RECVTOS},
    {IPPROTO_IP, IP_ORIGDSTADDR}, {SOL_SOCKET, SO_TIMESTAMPNS}, {SOL_SOCKET, SO_RXQ_OVFL},
};

struct echo {
    uint16_t port;
    bool gro;
};

static void echo(void *arg)
{
    const struct echo *e = arg;
    struct sockaddr_in in = in_addr_of(MINI_B, e->port), from;
    static char buf[66000];
    char control[512];
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        on(fd, flags[i][0], flags[i][1]);
    if (e->gro)
        on(fd, IPPROTO_UDP, UDP_GRO);
    JR_CHECK_EQ(__jr_bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    for (;;) {
        struct iovec iov = {buf, sizeof buf};
        struct msghdr m = {&from, sizeof from, &iov, 1, control, sizeof control, 0};
        struct seen s = {.len = __jr_recvmsg(fd, &m, 0)};
        if (!JR_CHECK(s.len >= 0) || s.len == 4)
            return;
        s.first = (uint8_t)buf[0];
        look_at(&m, &s);
        JR_CHECK_EQ(__jr_sendto(fd, &s, sizeof s, 0, (struct sockaddr *)&from, sizeof from), sizeof s);
    }
}

/* A socket connected to the echo, which answers: it is there. */
static int to_echo(uint16_t port)
{
    struct sockaddr_in in = in_addr_of(MINI_B, port);
    struct timeval tv = {0, 200000};
    struct seen s;
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    JR_CHECK_EQ(__jr_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    for (int i = 0; i < 100; i++) {
        __jr_send(fd, "hello", 5, 0);
        if (__jr_recv(fd, &s, sizeof s, 0) == sizeof s)
            return fd;
        usleep(10000);
    }
    jr_test_fail(__FILE__, __LINE__, "the echo does not answer");
    return fd;
}

static struct seen answer_to(int fd, const void *data, size_t len, const struct cmsghdr *c)
{
    struct iovec iov = {(void *)data, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    struct seen s = {.len = -1};
    if (c) {
        m.msg_control = (void *)c;
        m.msg_controllen = CMSG_ALIGN(c->cmsg_len);
    }
    JR_CHECK_EQ(__jr_sendmsg(fd, &m, 0), (ssize_t)len);
    JR_CHECK_EQ(__jr_recv(fd, &s, sizeof s, 0), sizeof s);
    return s;
}

static void bye(int fd, pid_t pid)
{
    JR_CHECK_EQ(__jr_send(fd, "stop", 4, 0), 4);
    join(pid);
    __jr_close(fd);
    mini_stop();
}

/* One int as ancillary data. */
struct one {
    struct cmsghdr c;
    int v;
} __attribute__((aligned(8)));

static struct one cmsg_int(int level, int type, int v)
{
    return (struct one){{.cmsg_len = CMSG_LEN(sizeof v), .cmsg_level = level, .cmsg_type = type}, v};
}

/* rfc: ip(7) IP_PKTINFO */
SERVICE_TEST(what_came_is_told)
{
    static struct echo e = {53, false};
    pid_t pid = program('b', echo, &e);
    int fd = to_echo(53), v = 7;
    struct seen s = answer_to(fd, "abc", 3, NULL);
    JR_CHECK_EQ(s.len, 3);
    JR_CHECK_EQ(s.ttl, 64);
    JR_CHECK_EQ(s.tos, 0);
    JR_CHECK(s.stamped);
    JR_CHECK_EQ(s.dst, inet_addr(MINI_B));
    JR_CHECK_EQ(s.spec_dst, inet_addr(MINI_B));
    JR_CHECK_EQ(s.origdst, inet_addr(MINI_B));
    JR_CHECK_EQ(s.origport, 53);
    /* the socket's, then one datagram's own */
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, IP_TTL, &v, sizeof v), 0);
    v = 0x20;
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, IP_TOS, &v, sizeof v), 0);
    s = answer_to(fd, "abc", 3, NULL);
    JR_CHECK_EQ(s.ttl, 7);
    JR_CHECK_EQ(s.tos, 0x20);
    struct one c = cmsg_int(IPPROTO_IP, IP_TTL, 9);
    s = answer_to(fd, "abc", 3, &c.c);
    JR_CHECK_EQ(s.ttl, 9);
    JR_CHECK_EQ(s.tos, 0x20);
    c = cmsg_int(IPPROTO_IP, IP_TOS, 0);
    JR_CHECK_EQ(answer_to(fd, "abc", 3, &c.c).tos, 0);
    bye(fd, pid);
}

SERVICE_TEST(bad_ancillary_data_is_refused)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 9);
    struct one bad[] = {cmsg_int(IPPROTO_IP, IP_TTL, 0), cmsg_int(IPPROTO_IP, IP_TTL, 256), cmsg_int(IPPROTO_IP, 99, 1),
                        cmsg_int(IPPROTO_IP, IP_PKTINFO, 1), cmsg_int(IPPROTO_UDP, UDP_SEGMENT, 1)};
    struct iovec iov = {(char[]){"x"}, 1};
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct msghdr m = {&in, sizeof in, &iov, 1, &bad[i], sizeof bad[i], 0};
        JR_CHECK_EQ(__jr_sendmsg(fd, &m, 0), -1);
        JR_CHECK_EQ(errno, EINVAL);
    }
    bad[0].c.cmsg_len = 4;
    struct msghdr m = {&in, sizeof in, &iov, 1, &bad[0], sizeof bad[0], 0};
    JR_CHECK_EQ(__jr_sendmsg(fd, &m, 0), -1);
    JR_CHECK_EQ(errno, EINVAL);
    __jr_close(fd);
    mini_stop();
}

/* rfc: udp(7) UDP_SEGMENT; udp(7) UDP_GRO */
SERVICE_TEST(segments_out_and_merged_in)
{
    static struct echo e = {54, true};
    static char data[20000];
    pid_t pid = program('b', echo, &e);
    int fd = to_echo(54), v = 1000;
    struct seen s;
    ssize_t total = 0;
    /* one long record on the way back means that they came in one turn; else several, of which every one is whole */
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof v), 0);
    JR_CHECK_EQ(__jr_send(fd, data, 5500, 0), 5500);
    while (total < 5500 && JR_CHECK_EQ(__jr_recv(fd, &s, sizeof s, 0), sizeof s)) {
        JR_CHECK(s.gro == (s.len > 1000 ? 1000 : 0));
        total += s.len;
    }
    JR_CHECK_EQ(total, 5500);
    v = 0;
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof v), 0);
    JR_CHECK_EQ(answer_to(fd, data, 5500, NULL).gro, 0);
    bye(fd, pid);
}

static int wait_err(int fd)
{
    struct pollfd p = {.fd = fd, .events = 0};
    return __jr_poll(&p, 1, 3000) == 1 && (p.revents & POLLERR);
}

SERVICE_TEST(what_is_sent_goes_as_the_socket_was)
{
    static struct echo e = {57, false};
    pid_t pid = program('b', echo, &e);
    int fd = to_echo(57);
    struct seen s;
    for (int i = 1; i <= 50; i++) {
        JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, IP_TTL, &i, sizeof i), 0);
        JR_CHECK_EQ(__jr_send(fd, "x", 1, 0), 1);
    }
    for (int i = 1; i <= 50 && JR_CHECK_EQ(__jr_recv(fd, &s, sizeof s, 0), sizeof s); i++)
        JR_CHECK_EQ(s.ttl, i);
    bye(fd, pid);
}

SERVICE_TEST(errors_are_queued)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 9), to;
    char buf[64], control[256];
    struct iovec iov = {buf, sizeof buf};
    struct msghdr m = {&to, sizeof to, &iov, 1, control, sizeof control, 0};
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    on(fd, IPPROTO_IP, IP_RECVERR);
    JR_CHECK_EQ(__jr_recvmsg(fd, &m, MSG_ERRQUEUE), -1);
    JR_CHECK_EQ(errno, EAGAIN);
    JR_CHECK_EQ(__jr_sendto(fd, "lost", 4, 0, (struct sockaddr *)&in, sizeof in), 4);
    JR_CHECK(wait_err(fd));
    JR_CHECK_EQ(__jr_recvmsg(fd, &m, MSG_ERRQUEUE), 4); /* what the error quotes of it */
    JR_CHECK_MEM(buf, "lost", 4);
    JR_CHECK(m.msg_flags & MSG_ERRQUEUE);
    JR_CHECK_EQ(to.sin_port, htons(9));
    JR_CHECK_EQ(to.sin_addr.s_addr, in.sin_addr.s_addr);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    JR_REQUIRE(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR);
    struct sock_extended_err ee;
    memcpy(&ee, CMSG_DATA(c), sizeof ee);
    JR_CHECK_EQ(ee.ee_errno, ECONNREFUSED);
    JR_CHECK_EQ(ee.ee_origin, SO_EE_ORIGIN_ICMP);
    JR_CHECK_EQ(ee.ee_type, ICMP_DEST_UNREACH);
    JR_CHECK_EQ(ee.ee_code, ICMP_PORT_UNREACH);
    struct sockaddr_in by;
    memcpy(&by, SO_EE_OFFENDER((struct sock_extended_err *)(void *)CMSG_DATA(c)), sizeof by);
    JR_CHECK_EQ(by.sin_addr.s_addr, in.sin_addr.s_addr);
    /* with the last of the queue the pending error is gone too */
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    JR_CHECK_EQ(__jr_poll(&p, 1, 0), 1);
    JR_CHECK_EQ(p.revents, POLLOUT);
    __jr_close(fd);
    mini_stop();
}

SERVICE_TEST(a_connected_socket_hears_of_a_refusal)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 9);
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK_EQ(__jr_send(fd, "x", 1, 0), 1);
    char c;
    JR_CHECK_EQ(__jr_recv(fd, &c, 1, 0), -1);
    JR_CHECK_EQ(errno, ECONNREFUSED);
    __jr_close(fd);
    mini_stop();
}

SERVICE_TEST(too_large_without_fragments)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 9);
    static char big[20000];
    char control[256];
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0), v = IP_PMTUDISC_DO;
    socklen_t n = sizeof v;
    JR_CHECK_EQ(__jr_getsockopt(fd, IPPROTO_IP, IP_MTU, &v, &n), -1);
    JR_CHECK_EQ(errno, ENOTCONN);
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v, sizeof v), 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK_EQ(__jr_getsockopt(fd, IPPROTO_IP, IP_MTU, &v, &n), 0);
    JR_CHECK_EQ(v, 9000);
    JR_CHECK_EQ(__jr_send(fd, big, 8973, 0), -1);
    JR_CHECK_EQ(errno, EMSGSIZE);
    JR_CHECK_EQ(__jr_send(fd, big, 70000 - 1, 0), -1);
    JR_CHECK_EQ(errno, EMSGSIZE);
    on(fd, IPPROTO_IP, IP_RECVERR);
    JR_CHECK_EQ(__jr_send(fd, big, 8973, 0), 8973); /* and the queue tells */
    JR_CHECK(wait_err(fd));
    struct msghdr m = {.msg_control = control, .msg_controllen = sizeof control};
    JR_CHECK(__jr_recvmsg(fd, &m, MSG_ERRQUEUE) >= 0);
    struct sock_extended_err ee = {0};
    memcpy(&ee, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof ee);
    JR_CHECK_EQ(ee.ee_errno, EMSGSIZE);
    JR_CHECK_EQ(ee.ee_origin, SO_EE_ORIGIN_LOCAL);
    JR_CHECK_EQ(ee.ee_info, 9000);
    __jr_close(fd);
    mini_stop();
}

SERVICE_TEST(broadcasts_need_leave)
{
    struct sockaddr_in all = in_addr_of("255.255.255.255", 9), subnet = in_addr_of("10.9.0.255", 9),
                       b = in_addr_of(MINI_B, 9);
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    JR_CHECK_EQ(__jr_connect(fd, (struct sockaddr *)&b, sizeof b), 0); /* the service's now */
    JR_CHECK_EQ(__jr_sendto(fd, "x", 1, 0, (struct sockaddr *)&all, sizeof all), -1);
    JR_CHECK_EQ(errno, EACCES);
    JR_CHECK_EQ(__jr_sendto(fd, "x", 1, 0, (struct sockaddr *)&subnet, sizeof subnet), 1);
    JR_CHECK(wait_err(fd)); /* that it is the subnet's only the service knows */
    JR_CHECK_EQ(__jr_send(fd, "x", 1, 0), -1);
    JR_CHECK_EQ(errno, EACCES);
    on(fd, SOL_SOCKET, SO_BROADCAST);
    JR_CHECK_EQ(__jr_sendto(fd, "x", 1, 0, (struct sockaddr *)&subnet, sizeof subnet), 1);
    __jr_close(fd);
    mini_stop();
}

static void slow_reader(void *arg)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 55);
    const int *go = arg;
    static char buf[2000];
    char control[128], c;
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    on(fd, SOL_SOCKET, SO_RXQ_OVFL);
    JR_CHECK_EQ(__jr_bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    JR_CHECK_EQ(write(go[1], "r", 1), 1);
    JR_CHECK_EQ(read(go[2], &c, 1), 1);
    /* The first that were queued know of no loss; one that comes when there is room again does. */
    struct seen s = {0};
    for (int i = 0; i < 5000 && !s.drops; i++) {
        struct iovec iov = {buf, sizeof buf};
        struct msghdr m = {NULL, 0, &iov, 1, control, sizeof control, 0};
        if (!JR_CHECK(__jr_recvmsg(fd, &m, 0) >= 0))
            break;
        look_at(&m, &s);
    }
    JR_CHECK(s.drops > 0);
}

SERVICE_TEST(losses_are_counted)
{
    struct sockaddr_in in = in_addr_of(MINI_B, 55);
    static int go[4];
    static char data[1400];
    char c;
    JR_REQUIRE(pipe(go) == 0 && pipe(go + 2) == 0);
    pid_t pid = program('b', slow_reader, go);
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    JR_CHECK_EQ(read(go[0], &c, 1), 1);
    for (int i = 0; i < 3000; i++)
        JR_CHECK_EQ(__jr_sendto(fd, data, sizeof data, 0, (struct sockaddr *)&in, sizeof in), sizeof data);
    usleep(50000); /* they are in the ring or lost; a shorter wait would only make the test easier to pass */
    JR_CHECK_EQ(write(go[3], "g", 1), 1);
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        __jr_sendto(fd, data, sizeof data, 0, (struct sockaddr *)&in, sizeof in);
        usleep(1000);
    }
    JR_CHECK_EQ(status, 0);
    __jr_close(fd);
    mini_stop();
}

SERVICE_TEST(peek_and_truncation)
{
    static struct echo e = {56, false};
    pid_t pid = program('b', echo, &e);
    int fd = to_echo(56);
    char small[8];
    struct iovec iov = {small, sizeof small};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    struct seen s;
    JR_CHECK_EQ(__jr_send(fd, "abc", 3, 0), 3);
    JR_CHECK_EQ(__jr_recv(fd, small, sizeof small, MSG_PEEK | MSG_TRUNC), sizeof s);
    JR_CHECK_EQ(__jr_recv(fd, small, sizeof small, MSG_PEEK), sizeof small);
    JR_CHECK_EQ(__jr_recvmsg(fd, &m, 0), sizeof small);
    JR_CHECK(m.msg_flags & MSG_TRUNC);
    bye(fd, pid);
}

static void group_listener(void *arg)
{
    struct sockaddr_in group = in_addr_of("239.1.1.1", 5000), from;
    struct group_source_req gs = {0};
    struct group_req gr = {0};
    const int *go = arg;
    socklen_t n = sizeof from;
    char buf[16];
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    struct ip_mreqn m = {.imr_multiaddr = {inet_addr("239.1.1.2")}};
    memcpy(&gr.gr_group, &group, sizeof group);
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, sizeof gr), 0);
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, sizeof gr), -1);
    JR_CHECK_EQ(errno, EADDRINUSE);
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m), 0);
    from = in_addr_of("10.9.0.77", 0);
    memcpy(&gs.gsr_group, &group, sizeof group);
    memcpy(&gs.gsr_source, &from, sizeof from);
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, MCAST_BLOCK_SOURCE, &gs, sizeof gs), 0);
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, MCAST_BLOCK_SOURCE, &gs, sizeof gs - 1), -1);
    JR_CHECK_EQ(__jr_bind(fd, (struct sockaddr *)&group, sizeof group), 0);
    JR_CHECK(__jr_is_ours(fd));
    JR_CHECK_EQ(write(go[1], "r", 1), 1);
    JR_CHECK_EQ(__jr_recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &n), 4);
    JR_CHECK_EQ(from.sin_addr.s_addr, inet_addr(MINI_A));
    JR_CHECK_EQ(write(go[1], "d", 1), 1);
}

SERVICE_TEST(groups_of_the_service, .multicast = true)
{
    struct sockaddr_in to = in_addr_of("239.1.1.1", 5000);
    static int go[2];
    char c = 0;
    JR_REQUIRE(pipe(go) == 0);
    pid_t pid = program('b', group_listener, go);
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0), v = 3;
    socklen_t n = sizeof v;
    JR_CHECK_EQ(read(go[0], &c, 1), 1);
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &v, sizeof v), 0);
    v = 0;
    JR_CHECK_EQ(__jr_getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &v, &n), 0);
    JR_CHECK_EQ(v, 3);
    JR_CHECK_EQ(__jr_sendto(fd, "many", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
    JR_CHECK(__jr_is_ours(fd));
    JR_CHECK_EQ(read(go[0], &c, 1), 1);
    JR_CHECK_EQ(c, 'd');
    join(pid);
    __jr_close(fd);
    mini_stop();
}

SERVICE_TEST(groups_of_the_kernel)
{
    struct ip_mreqn m = {.imr_multiaddr = {inet_addr("239.1.1.2")}, .imr_address = {htonl(INADDR_LOOPBACK)}};
    int fd = __jr_socket(AF_INET, SOCK_DGRAM, 0);
    JR_CHECK(__jr_is_ours(fd));
    JR_CHECK_EQ(__jr_setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m), 0);
    JR_CHECK(!__jr_is_ours(fd));
    close(fd);
    mini_stop();
}

JR_TEST_MAIN
