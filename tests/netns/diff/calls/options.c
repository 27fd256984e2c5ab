/* SPDX-License-Identifier: BSD-3-Clause */
/* getsockopt and setsockopt: defaults, what values are taken, lengths. */
#include "any.h"

#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <net/if.h>

struct opt {
    int level, name;
    const char *text;
};
#define O(level, name)                                                                                                 \
    {                                                                                                                  \
        level, name, #name                                                                                             \
    }

#ifndef IP_RECVFRAGSIZE
#define IP_RECVFRAGSIZE 25
#endif

/* Integers, whose value says nothing that depends on the moment. */
static const struct opt socket_opts[] = {
    O(SOL_SOCKET, SO_DEBUG),
    O(SOL_SOCKET, SO_REUSEADDR),
    O(SOL_SOCKET, SO_REUSEPORT),
    O(SOL_SOCKET, SO_TYPE),
    O(SOL_SOCKET, SO_ERROR),
    O(SOL_SOCKET, SO_DONTROUTE),
    O(SOL_SOCKET, SO_BROADCAST),
    O(SOL_SOCKET, SO_KEEPALIVE),
    O(SOL_SOCKET, SO_OOBINLINE),
    O(SOL_SOCKET, SO_NO_CHECK),
    O(SOL_SOCKET, SO_PRIORITY),
    O(SOL_SOCKET, SO_BSDCOMPAT),
    O(SOL_SOCKET, SO_PASSCRED),
    O(SOL_SOCKET, SO_RCVLOWAT),
    O(SOL_SOCKET, SO_SNDLOWAT),
    O(SOL_SOCKET, SO_TIMESTAMP),
    O(SOL_SOCKET, SO_ACCEPTCONN),
    O(SOL_SOCKET, SO_PASSSEC),
    O(SOL_SOCKET, SO_MARK),
    O(SOL_SOCKET, SO_PROTOCOL),
    O(SOL_SOCKET, SO_DOMAIN),
    O(SOL_SOCKET, SO_RXQ_OVFL),
    O(SOL_SOCKET, SO_WIFI_STATUS),
    O(SOL_SOCKET, SO_PEEK_OFF),
    O(SOL_SOCKET, SO_NOFCS),
    O(SOL_SOCKET, SO_LOCK_FILTER),
    O(SOL_SOCKET, SO_SELECT_ERR_QUEUE),
    O(SOL_SOCKET, SO_BUSY_POLL),
    O(SOL_SOCKET, SO_MAX_PACING_RATE),
    O(SOL_SOCKET, SO_ZEROCOPY),
    O(SOL_SOCKET, SO_TIMESTAMPNS),
    O(SOL_SOCKET, SO_INCOMING_NAPI_ID),
    O(SOL_SOCKET, 69 /* PREFER_BUSY_POLL */),
    O(SOL_SOCKET, 70 /* BUSY_POLL_BUDGET */),
    O(SOL_SOCKET, 73 /* RESERVE_MEM */),
    O(SOL_SOCKET, 74 /* TXREHASH */),
    O(SOL_SOCKET, 75 /* RCVMARK */),
    O(SOL_SOCKET, 63 /* TIMESTAMP_NEW */),
    O(SOL_SOCKET, 64 /* TIMESTAMPNS_NEW */),
    O(SOL_SOCKET, 12345),
    O(SOL_SOCKET, -1),
    O(SOL_SOCKET, 0),
};
static const struct opt tcp_opts[] = {
    O(IPPROTO_TCP, TCP_NODELAY),
    O(IPPROTO_TCP, TCP_CORK),
    O(IPPROTO_TCP, TCP_KEEPIDLE),
    O(IPPROTO_TCP, TCP_KEEPINTVL),
    O(IPPROTO_TCP, TCP_KEEPCNT),
    O(IPPROTO_TCP, TCP_SYNCNT),
    O(IPPROTO_TCP, TCP_LINGER2),
    O(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    O(IPPROTO_TCP, TCP_QUICKACK),
    O(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS),
    O(IPPROTO_TCP, TCP_THIN_DUPACK),
    O(IPPROTO_TCP, TCP_USER_TIMEOUT),
    O(IPPROTO_TCP, TCP_REPAIR),
    O(IPPROTO_TCP, TCP_FASTOPEN),
    O(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    O(IPPROTO_TCP, TCP_SAVE_SYN),
    O(IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
    O(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE),
    O(IPPROTO_TCP, TCP_INQ),
    O(IPPROTO_TCP, TCP_TX_DELAY),
    O(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    O(IPPROTO_TCP, TCP_MAXSEG),
    O(IPPROTO_TCP, 12345),
    O(IPPROTO_TCP, -1),
};
static const struct opt ip_opts[] = {
    O(IPPROTO_IP, IP_TOS),
    O(IPPROTO_IP, IP_TTL),
    O(IPPROTO_IP, IP_HDRINCL),
    O(IPPROTO_IP, IP_ROUTER_ALERT),
    O(IPPROTO_IP, IP_RECVOPTS),
    O(IPPROTO_IP, IP_RETOPTS),
    O(IPPROTO_IP, IP_PKTINFO),
    O(IPPROTO_IP, IP_MTU_DISCOVER),
    O(IPPROTO_IP, IP_RECVERR),
    O(IPPROTO_IP, IP_RECVTTL),
    O(IPPROTO_IP, IP_RECVTOS),
    O(IPPROTO_IP, IP_MTU),
    O(IPPROTO_IP, IP_FREEBIND),
    O(IPPROTO_IP, IP_PASSSEC),
    O(IPPROTO_IP, IP_TRANSPARENT),
    O(IPPROTO_IP, IP_ORIGDSTADDR),
    O(IPPROTO_IP, IP_MINTTL),
    O(IPPROTO_IP, IP_NODEFRAG),
    O(IPPROTO_IP, IP_CHECKSUM),
    O(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    O(IPPROTO_IP, IP_RECVFRAGSIZE),
    O(IPPROTO_IP, 26 /* RECVERR_RFC4884 */),
    O(IPPROTO_IP, IP_MULTICAST_TTL),
    O(IPPROTO_IP, IP_MULTICAST_LOOP),
    O(IPPROTO_IP, IP_MULTICAST_ALL),
    O(IPPROTO_IP, IP_UNICAST_IF),
    O(IPPROTO_IP, IP_MULTICAST_IF),
    O(IPPROTO_IP, 51 /* LOCAL_PORT_RANGE */),
    O(IPPROTO_IP, 12345),
    O(IPPROTO_IP, -1),
};
static const struct opt ip6_opts[] = {
    O(IPPROTO_IPV6, IPV6_V6ONLY),
    O(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    O(IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
    O(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
    O(IPPROTO_IPV6, IPV6_MULTICAST_IF),
    O(IPPROTO_IPV6, IPV6_TCLASS),
    O(IPPROTO_IPV6, IPV6_RECVPKTINFO),
    O(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
    O(IPPROTO_IPV6, IPV6_RECVTCLASS),
    O(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    O(IPPROTO_IPV6, IPV6_MTU),
    O(IPPROTO_IPV6, IPV6_RECVERR),
    O(IPPROTO_IPV6, IPV6_DONTFRAG),
    O(IPPROTO_IPV6, IPV6_RECVPATHMTU),
    O(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL),
    O(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES),
    O(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
    O(IPPROTO_IPV6, IPV6_ORIGDSTADDR),
    O(IPPROTO_IPV6, IPV6_TRANSPARENT),
    O(IPPROTO_IPV6, IPV6_FREEBIND),
    O(IPPROTO_IPV6, IPV6_RECVFRAGSIZE),
    O(IPPROTO_IPV6, IPV6_RECVRTHDR),
    O(IPPROTO_IPV6, IPV6_RECVHOPOPTS),
    O(IPPROTO_IPV6, IPV6_RECVDSTOPTS),
    O(IPPROTO_IPV6, IPV6_UNICAST_IF),
    O(IPPROTO_IPV6, IPV6_CHECKSUM),
    O(IPPROTO_IPV6, IPV6_ADDRFORM),
    O(IPPROTO_IPV6, 33 /* FLOWINFO_SEND */),
    O(IPPROTO_IPV6, 29 /* MULTICAST_ALL */),
    O(IPPROTO_IPV6, 12345),
};
static const struct opt udp_opts[] = {
    O(IPPROTO_UDP, UDP_CORK),
    O(IPPROTO_UDP, UDP_ENCAP),
    O(IPPROTO_UDP, UDP_NO_CHECK6_TX),
    O(IPPROTO_UDP, UDP_NO_CHECK6_RX),
    O(IPPROTO_UDP, 103 /* UDP_SEGMENT */),
    O(IPPROTO_UDP, 104 /* UDP_GRO */),
    O(IPPROTO_UDP, 12345),
};

#define EACH(o, table) for (const struct opt *o = table; o < table + sizeof table / sizeof *table; o++)

static void show(int fd, const struct opt *o, const char *how)
{
    unsigned char v[64] = {0};
    socklen_t len = sizeof(int);
    char text[96];
    int n;

    snprintf(text, sizeof text, "get %s %s", o->text, how);
    const long r = SAY_AS(text, getsockopt(fd, o->level, o->name, v, &len));
    memcpy(&n, v, sizeof n);
    say("%s: %d length %u", o->text, n, r == 0 ? len : 0);
}

/* Values one after the other; what the option then is. */
static void try_values(int fd, const struct opt *o)
{
    static const int values[] = {0, 1, 2, 7, 255, 256, 40000, -1, -2, 1 << 30};
    char text[96];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(text, sizeof text, "set %s to %d", o->text, values[i]);
        SAY_AS(text, set_int(fd, o->level, o->name, values[i]));
        show(fd, o, "");
    }
}

static void try_lengths(int fd, const struct opt *o)
{
    static const socklen_t lens[] = {0, 1, 2, 3, 4, 5, 8, 64, (socklen_t)-1};
    char text[96];

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        unsigned char v[64] = {1, 0};
        socklen_t len = lens[i];
        snprintf(text, sizeof text, "set %s length %d", o->text, (int)len);
        SAY_AS(text, setsockopt(fd, o->level, o->name, v, len));
        snprintf(text, sizeof text, "get %s length %d", o->text, (int)len);
        memset(v, 0xee, sizeof v);
        const long r = SAY_AS(text, getsockopt(fd, o->level, o->name, v, &len));
        say("%s: length %d, %s", o->text, r < 0 ? 0 : (int)len,
            v[len < 8 ? len : 8] == 0xee ? "not beyond" : "touched more");
    }
}

static int fresh(int domain, int type) { return socket(domain, type, 0); }

/* What a new socket has, and one that is connected. */
static void defaults(const struct opt *table, size_t n, int domain)
{
    const int s = fresh(domain, SOCK_STREAM), u = fresh(domain, SOCK_DGRAM);
    const struct ends e = tcp_ends(), f = udp_ends();

    for (const struct opt *o = table; o < table + n; o++) {
        show(s, o, "stream");
        show(u, o, "datagram");
        if (domain == AF_INET) {
            show(e.s, o, "connected stream");
            show(f.s, o, "connected datagram");
        }
    }
}

#define N(t) (sizeof(t) / sizeof *(t))
CASE(opt_default_socket) { defaults(socket_opts, N(socket_opts), AF_INET); }
CASE(opt_default_tcp) { defaults(tcp_opts, N(tcp_opts) - 4, AF_INET); }
CASE(opt_default_ip) { defaults(ip_opts, N(ip_opts), AF_INET); }
CASE(opt_default_ip6) { defaults(ip6_opts, N(ip6_opts), AF_INET6); }
CASE(opt_default_udp) { defaults(udp_opts, N(udp_opts), AF_INET); }

/* So that the connection can end: of what comes, nothing may be left out. */
static void hear_all(int fd)
{
    const int none = 0;

    setsockopt(fd, IPPROTO_IP, IP_MINTTL, &none, sizeof none);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &none, sizeof none);
}

static void values_on(const struct opt *table, size_t n, int fd)
{
    for (const struct opt *o = table; o < table + n; o++)
        try_values(fd, o);
    hear_all(fd);
}

static void lengths_on(const struct opt *table, size_t n, int fd)
{
    for (const struct opt *o = table; o < table + n; o++)
        try_lengths(fd, o);
    hear_all(fd);
}

/* SO_DEBUG and the like on sockets that are carried: nothing may turn them to the kernel. */
CASE(opt_values_socket_stream) { values_on(socket_opts, N(socket_opts), tcp_ends().s); }
CASE(opt_values_socket_dgram) { values_on(socket_opts, N(socket_opts), udp_ends().s); }
CASE(opt_values_socket_fresh) { values_on(socket_opts, N(socket_opts), fresh(AF_INET, SOCK_STREAM)); }
CASE(opt_values_tcp) { values_on(tcp_opts, N(tcp_opts), tcp_ends().s); }
CASE(opt_values_tcp_fresh) { values_on(tcp_opts, N(tcp_opts), fresh(AF_INET, SOCK_STREAM)); }
CASE(opt_values_tcp_on_dgram) { values_on(tcp_opts, 4, udp_ends().s); }
CASE(opt_values_ip_stream) { values_on(ip_opts, N(ip_opts), tcp_ends().s); }
CASE(opt_values_ip_dgram) { values_on(ip_opts, N(ip_opts), udp_ends().s); }
CASE(opt_values_ip6_stream) { values_on(ip6_opts, N(ip6_opts), fresh(AF_INET6, SOCK_STREAM)); }
CASE(opt_values_ip6_dgram) { values_on(ip6_opts, N(ip6_opts), fresh(AF_INET6, SOCK_DGRAM)); }
CASE(opt_values_ip6_on_ip4) { values_on(ip6_opts, 8, tcp_ends().s); }
CASE(opt_values_udp) { values_on(udp_opts, N(udp_opts), udp_ends().s); }
CASE(opt_values_udp_on_stream) { values_on(udp_opts, N(udp_opts), tcp_ends().s); }
CASE(opt_lengths_socket) { lengths_on(socket_opts, N(socket_opts), tcp_ends().s); }
CASE(opt_lengths_tcp) { lengths_on(tcp_opts, N(tcp_opts) - 4, tcp_ends().s); }
CASE(opt_lengths_ip_stream) { lengths_on(ip_opts, N(ip_opts), tcp_ends().s); }
CASE(opt_lengths_ip_dgram) { lengths_on(ip_opts, N(ip_opts), udp_ends().s); }
CASE(opt_lengths_ip6) { lengths_on(ip6_opts, N(ip6_opts), fresh(AF_INET6, SOCK_STREAM)); }
CASE(opt_lengths_udp) { lengths_on(udp_opts, N(udp_opts), udp_ends().s); }

/* A socket of IPv6 has options of both versions. */
static void versions(int fd)
{
    static const struct {
        const char *text;
        int name4, name6, v4, v6;
    } both[] = {
        {"class", IP_TOS, IPV6_TCLASS, 0x60, 0xb8},
        {"hops", IP_TTL, IPV6_UNICAST_HOPS, 33, 44},
        {"hops again", IP_TTL, IPV6_UNICAST_HOPS, -1, 55},
        {"group hops", IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, 3, 4},
        {"group loop", IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, 0, 1},
        {"discover", IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_PMTUDISC_DO, IPV6_PMTUDISC_DONT},
        {"errors", IP_RECVERR, IPV6_RECVERR, 1, 0},
        {"errors", IP_RECVERR, IPV6_RECVERR, 0, 1},
        {"told class", IP_RECVTOS, IPV6_RECVTCLASS, 1, 0},
        {"told hops", IP_RECVTTL, IPV6_RECVHOPLIMIT, 0, 1},
    };

    for (unsigned i = 0; i < N(both); i++) {
        say("%s", both[i].text);
        SAY(set_int(fd, IPPROTO_IPV6, both[i].name6, both[i].v6));
        SAY(get_int(fd, IPPROTO_IPV6, both[i].name6));
        SAY(get_int(fd, IPPROTO_IP, both[i].name4));
        SAY(set_int(fd, IPPROTO_IP, both[i].name4, both[i].v4));
        SAY(get_int(fd, IPPROTO_IPV6, both[i].name6));
        SAY(get_int(fd, IPPROTO_IP, both[i].name4));
    }
}

CASE(opt_versions_stream) { versions(fresh(AF_INET6, SOCK_STREAM)); }
CASE(opt_versions_dgram) { versions(fresh(AF_INET6, SOCK_DGRAM)); }
CASE(opt_versions_accepted)
{
    const int l = fresh(AF_INET6, SOCK_STREAM), c = fresh(AF_INET6, SOCK_STREAM);

    SAY(set_int(l, IPPROTO_IPV6, IPV6_TCLASS, 0xb8));
    SAY(set_int(l, IPPROTO_IP, IP_TOS, 0x60));
    SAY(set_int(l, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44));
    SAY(bind_to(l, own(AF_INET6, 0)));
    SAY(listen(l, 1));
    SAY(connect_to(c, named(l)));
    const int a = accept(l, NULL, NULL);
    NEED(a >= 0);
    SAY(get_int(a, IPPROTO_IPV6, IPV6_TCLASS));
    SAY(get_int(a, IPPROTO_IP, IP_TOS));
    SAY(get_int(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
    SAY(get_int(a, IPPROTO_IP, IP_TTL));
    versions(a);
}

CASE(opt_still_carried)
{
    struct ends e = tcp_ends(), u = udp_ends();

    EACH(o, socket_opts)
    {
        set_int(e.s, o->level, o->name, 1);
        set_int(u.s, o->level, o->name, 1);
    }
    EACH(o, ip_opts)
    {
        set_int(e.s, o->level, o->name, 1);
        set_int(u.s, o->level, o->name, 1);
    }
    must_be_carried(e.s);
    must_be_carried(u.s);
}

CASE(opt_levels)
{
    struct ends e = tcp_ends(), u = udp_ends();
    static const int levels[] = {SOL_SOCKET,  IPPROTO_IP,   IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6,
                                 IPPROTO_RAW, IPPROTO_ICMP, SOL_PACKET,  -1,          12345};
    char text[64];

    for (size_t i = 0; i < N(levels); i++) {
        snprintf(text, sizeof text, "stream level %d", levels[i]);
        SAY_AS(text, set_int(e.s, levels[i], 9999, 1));
        SAY_AS(text, get_int(e.s, levels[i], 9999));
        snprintf(text, sizeof text, "datagram level %d", levels[i]);
        SAY_AS(text, set_int(u.s, levels[i], 9999, 1));
        SAY_AS(text, get_int(u.s, levels[i], 9999));
    }
    SAY(setsockopt(-1, SOL_SOCKET, SO_KEEPALIVE, text, 4));
    SAY(setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, text, 4));
    SAY(getsockopt(0, SOL_SOCKET, SO_KEEPALIVE, text, &(socklen_t){4}));
}

static void buffers(int fd)
{
    static const int values[] = {0, 1, 1000, 4096, 10000, 100000, 212992, 1 << 20, 1 << 30, -1, INT32_MAX};
    static const int names[] = {SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE};
    char text[64];

    for (size_t i = 0; i < N(names); i++)
        for (size_t j = 0; j < N(values); j++) {
            snprintf(text, sizeof text, "set %d to %d", names[i], values[j]);
            SAY_AS(text, set_int(fd, SOL_SOCKET, names[i], values[j]));
            say("%d", get_int(fd, SOL_SOCKET, i % 2 ? SO_RCVBUF : SO_SNDBUF));
        }
    SAY(get_int(fd, SOL_SOCKET, SO_SNDBUFFORCE));
}

CASE(opt_buffers_fresh) { buffers(fresh(AF_INET, SOCK_STREAM)); }
CASE(opt_buffers_stream) { buffers(tcp_ends().s); }
CASE(opt_buffers_dgram) { buffers(udp_ends().s); }
CASE(opt_buffers_default)
{
    SAY(get_int(fresh(AF_INET, SOCK_STREAM), SOL_SOCKET, SO_SNDBUF));
    SAY(get_int(fresh(AF_INET, SOCK_STREAM), SOL_SOCKET, SO_RCVBUF));
    SAY(get_int(fresh(AF_INET, SOCK_DGRAM), SOL_SOCKET, SO_SNDBUF));
    SAY(get_int(fresh(AF_INET, SOCK_DGRAM), SOL_SOCKET, SO_RCVBUF));
}

CASE(opt_linger)
{
    const int s = tcp_ends().s;
    struct linger l = {77, 77};
    socklen_t len = sizeof l;

    SAY(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len));
    say("%d %d %u", l.l_onoff, l.l_linger, len);
    static const struct linger all[] = {{1, 5}, {5, 0}, {0, 9}, {1, -1}, {1, 1 << 30}, {-1, 3}};
    for (size_t i = 0; i < N(all); i++) {
        SAY(setsockopt(s, SOL_SOCKET, SO_LINGER, &all[i], sizeof all[i]));
        SAY(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len));
        say("%d %d", l.l_onoff, l.l_linger);
    }
    SAY(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 7));
    SAY(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 4));
    len = 4;
    SAY(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len));
    len = 100;
    SAY(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len));
    say("%u", len);
    const struct linger off = {0, 0};
    SAY(setsockopt(udp_ends().s, SOL_SOCKET, SO_LINGER, &off, sizeof off));
}

CASE(opt_device)
{
    int s = tcp_ends().s;
    char name[IFNAMSIZ] = {0};
    socklen_t len = sizeof name;

    SAY(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    say("%u %s", len, name);
    SAY(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nothere", 8));
    SAY(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
    SAY(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "jr0", 4));
    len = sizeof name;
    SAY(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    say("%u %s", len, name);
    len = 3;
    SAY(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    SAY(send(s, "a", 1, 0));
    SAY(get_int(s, SOL_SOCKET, SO_BINDTOIFINDEX) > 0);
    SAY(set_int(s, SOL_SOCKET, SO_BINDTOIFINDEX, 0));
    SAY(set_int(s, SOL_SOCKET, SO_BINDTOIFINDEX, -1));
    s = fresh(AF_INET, SOCK_DGRAM);
    SAY(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "jr0", 3));
    len = sizeof name;
    SAY(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    say("%u %s", len, name);
    SAY(try_connect(s, peer4.sin_addr, NOBODY));
}

CASE(opt_identity)
{
    const int s = tcp_ends().s, t = tcp_ends().s;
    struct {
        int pid, uid, gid;
    } cred;
    unsigned long a = 0, b = 0, c = 0;
    socklen_t len = sizeof cred;
    char name[64];

    SAY(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len));
    say("%d %d %d", cred.pid, cred.uid, cred.gid);
    len = 8;
    SAY(getsockopt(s, SOL_SOCKET, SO_COOKIE, &a, &len));
    SAY(getsockopt(t, SOL_SOCKET, SO_COOKIE, &b, &len));
    SAY(getsockopt(s, SOL_SOCKET, SO_COOKIE, &c, &len));
    say("cookies %d %d", a != 0 && a != b, a == c);
    len = 4;
    SAY(getsockopt(s, SOL_SOCKET, SO_COOKIE, &a, &len));
    SAY(get_int(s, SOL_SOCKET, SO_INCOMING_CPU) >= -1);
    SAY(set_int(s, SOL_SOCKET, SO_INCOMING_CPU, 0));
    len = sizeof name;
    SAY(getsockopt(s, SOL_SOCKET, SO_PEERSEC, name, &len));
    len = sizeof name;
    SAY(getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, name, &len));
    len = sizeof name;
    SAY(getsockopt(s, SOL_SOCKET, SO_PEERNAME, name, &len));
    say("%u", len);
    len = 8;
    SAY(getsockopt(s, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, name, &len));
    len = 36;
    SAY(getsockopt(s, SOL_SOCKET, SO_MEMINFO, name, &len));
    say("%u", len);
    SAY(setsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, sizeof cred));
    SAY(set_int(s, SOL_SOCKET, SO_COOKIE, 1));
}

CASE(opt_filter)
{
    struct sock_filter drop[] = {{0x06, 0, 0, 0}}, bad[] = {{0xffff, 0, 0, 0}}, two[] = {{0x06, 0, 0, 10}};
    struct sock_fprog p = {1, drop};
    struct ends u = udp_ends();
    char b[16];

    SAY(setsockopt(u.s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p - 1));
    SAY(setsockopt(u.s, SOL_SOCKET, SO_ATTACH_FILTER, &(struct sock_fprog){1, bad}, sizeof p));
    SAY(setsockopt(u.s, SOL_SOCKET, SO_ATTACH_FILTER, &(struct sock_fprog){0, drop}, sizeof p));
    SAY(set_int(u.s, SOL_SOCKET, SO_DETACH_FILTER, 0));
    SAY(setsockopt(u.s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
    send(u.p, "abc", 3, 0);
    settle(20);
    SAY(recv(u.s, b, 16, MSG_DONTWAIT));
    SAY(setsockopt(u.s, SOL_SOCKET, SO_ATTACH_FILTER, &(struct sock_fprog){1, two}, sizeof p));
    send(u.p, "abcdef", 6, 0);
    settle(20);
    SAY(recv(u.s, b, 16, MSG_DONTWAIT));
    SAY(set_int(u.s, SOL_SOCKET, SO_DETACH_FILTER, 0));
    SAY(set_int(u.s, SOL_SOCKET, SO_DETACH_FILTER, 0));
    SAY(set_int(u.s, SOL_SOCKET, SO_ATTACH_BPF, -1));
    SAY(set_int(u.s, SOL_SOCKET, SO_ATTACH_BPF, 0));
}

CASE(opt_fastopen_key)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    unsigned char keys[40] = {1, 2, 3};
    socklen_t n = sizeof keys;

    SAY(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 15));
    SAY(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 17));
    SAY(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 40));
    SAY(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 16));
    SAY(getsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, &n));
    say_bytes("keys", keys, n);
    keys[31] = 9;
    SAY(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 32));
    n = 20;
    SAY(getsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, &n));
    n = sizeof keys;
    SAY(getsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, &n));
    say_bytes("keys", keys, n);
}

CASE(opt_timestamping)
{
    struct ends u = udp_ends();

    SAY(set_int(u.s, SOL_SOCKET, SO_TIMESTAMPING, 0));
    SAY(get_int(u.s, SOL_SOCKET, SO_TIMESTAMPING));
    SAY(set_int(u.s, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30));
    SAY(set_int(u.s, SOL_SOCKET, SO_TIMESTAMP, 1));
    SAY(get_int(u.s, SOL_SOCKET, SO_TIMESTAMP));
    SAY(get_int(u.s, SOL_SOCKET, SO_TIMESTAMPNS));
    SAY(set_int(u.s, SOL_SOCKET, SO_TIMESTAMPNS, 1));
    SAY(get_int(u.s, SOL_SOCKET, SO_TIMESTAMP));
    SAY(get_int(u.s, SOL_SOCKET, SO_TIMESTAMPNS));
    SAY(set_int(u.s, SOL_SOCKET, SO_TIMESTAMP, 0));
    SAY(get_int(u.s, SOL_SOCKET, SO_TIMESTAMPNS));
}

CASE(opt_congestion)
{
    const int s = tcp_ends().s;
    char name[32] = {0};
    socklen_t len = sizeof name;

    SAY(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    SAY(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
    say("%u %s", len, name);
    len = 3;
    memset(name, 0, sizeof name);
    SAY(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
    say("%u %s", len, name);
    SAY(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8));
    SAY(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "", 0));
    SAY(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 6));
    len = sizeof name;
    SAY(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
    say("%u %s", len, name);
    len = sizeof name;
    SAY(getsockopt(s, IPPROTO_TCP, TCP_ULP, name, &len));
    say("%u", len);
    SAY(setsockopt(s, IPPROTO_TCP, TCP_ULP, "nonesuch", 8));
    SAY(setsockopt(s, IPPROTO_TCP, TCP_ULP, "", 0));
    len = sizeof name;
    SAY(getsockopt(s, IPPROTO_TCP, TCP_CC_INFO, name, &len));
}

CASE(opt_tcp_info)
{
    struct ends e = tcp_ends();
    unsigned char b[512];
    struct tcp_info *i = (void *)b;
    socklen_t len = sizeof b;

    memset(b, 0xee, sizeof b);
    SAY(getsockopt(e.s, IPPROTO_TCP, TCP_INFO, b, &len));
    say("length %u", len);
    say("state %u ca %u retransmits %u probes %u backoff %u options %u", i->tcpi_state, i->tcpi_ca_state,
        i->tcpi_retransmits, i->tcpi_probes, i->tcpi_backoff, i->tcpi_options & 7);
    say("snd_mss %u unacked %u sacked %u lost %u retrans %u total %u", i->tcpi_snd_mss, i->tcpi_unacked, i->tcpi_sacked,
        i->tcpi_lost, i->tcpi_retrans, i->tcpi_total_retrans);
    say("pmtu %u advmss %u cwnd %u reordering %u", i->tcpi_pmtu, i->tcpi_advmss, i->tcpi_snd_cwnd, i->tcpi_reordering);
    len = 10;
    SAY(getsockopt(e.s, IPPROTO_TCP, TCP_INFO, b, &len));
    say("length %u", len);
    const int s = fresh(AF_INET, SOCK_STREAM);
    len = sizeof b;
    SAY(getsockopt(s, IPPROTO_TCP, TCP_INFO, b, &len));
    say("length %u state %u", len, i->tcpi_state);
    try_bind(s, host4.sin_addr, 0);
    SAY(listen(s, 7));
    SAY(getsockopt(s, IPPROTO_TCP, TCP_INFO, b, &len));
    say("state %u unacked %u sacked %u", i->tcpi_state, i->tcpi_unacked, i->tcpi_sacked);
    shutdown(e.p, SHUT_WR);
    await(e.s, POLLRDHUP);
    SAY(getsockopt(e.s, IPPROTO_TCP, TCP_INFO, b, &len));
    say("state %u", i->tcpi_state);
    SAY(setsockopt(e.s, IPPROTO_TCP, TCP_INFO, b, 4));
}

CASE(opt_tcp_bytes)
{
    struct ends e = tcp_ends();
    struct tcp_info i;
    socklen_t len = sizeof i;
    char b[3000];

    send(e.s, b, sizeof b, 0);
    await_bytes(e.p, sizeof b);
    feed(e, "abcdef");
    settle(50);
    getsockopt(e.s, IPPROTO_TCP, TCP_INFO, &i, &len);
    say("acked %d rtt %d lastsent %d", i.tcpi_unacked == 0, i.tcpi_rtt > 0, i.tcpi_last_data_sent < 1000);
    SAY(get_int(e.s, IPPROTO_TCP, TCP_MAXSEG));
    SAY(set_int(e.s, IPPROTO_TCP, TCP_MAXSEG, 500));
    SAY(get_int(e.s, IPPROTO_TCP, TCP_MAXSEG));
    const int s = fresh(AF_INET, SOCK_STREAM);
    SAY(get_int(s, IPPROTO_TCP, TCP_MAXSEG));
    SAY(set_int(s, IPPROTO_TCP, TCP_MAXSEG, 500));
    SAY(get_int(s, IPPROTO_TCP, TCP_MAXSEG));
    SAY(set_int(s, IPPROTO_TCP, TCP_MAXSEG, 50));
    SAY(set_int(s, IPPROTO_TCP, TCP_MAXSEG, 0));
    SAY(get_int(s, IPPROTO_TCP, TCP_MAXSEG));
    SAY(set_int(s, IPPROTO_TCP, TCP_MAXSEG, 70000));
}

CASE(opt_mtu)
{
    struct ends e = tcp_ends(), u = udp_ends();

    SAY(get_int(e.s, IPPROTO_IP, IP_MTU));
    SAY(get_int(u.s, IPPROTO_IP, IP_MTU));
    SAY(get_int(fresh(AF_INET, SOCK_STREAM), IPPROTO_IP, IP_MTU));
    SAY(get_int(fresh(AF_INET, SOCK_DGRAM), IPPROTO_IP, IP_MTU));
    SAY(set_int(u.s, IPPROTO_IP, IP_MTU, 1000));
}

CASE(opt_ip_options)
{
    struct ends e = tcp_ends(), u = udp_ends();
    char b[40];
    socklen_t len = sizeof b;
    struct in_pktinfo pi;

    SAY(getsockopt(e.s, IPPROTO_IP, IP_OPTIONS, b, &len));
    say("%u", len);
    SAY(setsockopt(u.s, IPPROTO_IP, IP_OPTIONS, "", 0));
    SAY(setsockopt(u.s, IPPROTO_IP, IP_OPTIONS, "\1\1\1", 4));
    SAY(setsockopt(u.s, IPPROTO_IP, IP_OPTIONS, "\x99\2\1", 4));
    SAY(setsockopt(u.s, IPPROTO_IP, IP_OPTIONS, b, 41));
    len = sizeof b;
    SAY(getsockopt(e.s, IPPROTO_IP, IP_PKTOPTIONS, b, &len));
    say("%u", len);
    len = sizeof b;
    SAY(getsockopt(u.s, IPPROTO_IP, IP_PKTOPTIONS, b, &len));
    SAY(setsockopt(u.s, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi));
    SAY(setsockopt(u.s, IPPROTO_IP, IP_IPSEC_POLICY, b, 4));
}

CASE(opt_multicast)
{
    const int s = udp_bound(), t = tcp_ends().s;
    struct ip_mreqn q = {.imr_multiaddr = {inet_addr("239.1.2.3")}, .imr_address = host4.sin_addr};
    struct in_addr a = {1};
    socklen_t len = sizeof a;

    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof(struct ip_mreq)));
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
    SAY(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &q, sizeof q));
    SAY(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &q, sizeof q));
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, 4));
    q.imr_multiaddr.s_addr = inet_addr("10.1.1.1");
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
    q.imr_multiaddr.s_addr = inet_addr("239.1.2.3");
    q.imr_address.s_addr = inet_addr("9.9.9.9");
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof(struct ip_mreq)));
    q.imr_ifindex = 9999;
    SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
    SAY(setsockopt(t, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
    SAY(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len));
    say("%x %u", a.s_addr, len);
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &host4.sin_addr, 4));
    SAY(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len));
    say("%d", a.s_addr == host4.sin_addr.s_addr);
    a.s_addr = inet_addr("9.9.9.9");
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, 4));
    SAY(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, 3));
}
