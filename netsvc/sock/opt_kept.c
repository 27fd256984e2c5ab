/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options without an effect on what the service does: kept for getsockopt(2), wherever the socket goes. libc has asked
 * the kernel whether the value is one, and answers for itself what nobody set; what it acts on is in its records.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include "sock/opt.h"
#include "sock/sock.h"

static const struct {
    int16_t level, name;
} kept_opts[] = {
    {SOL_SOCKET, SO_DEBUG},
    {SOL_SOCKET, SO_DONTROUTE},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_BSDCOMPAT},
    {SOL_SOCKET, SO_PASSCRED},
    {SOL_SOCKET, SO_PASSSEC},
    {SOL_SOCKET, SO_MARK},
    {SOL_SOCKET, SO_NO_CHECK},
    {SOL_SOCKET, SO_LOCK_FILTER},
    {SOL_SOCKET, SO_SELECT_ERR_QUEUE},
    {SOL_SOCKET, SO_BUSY_POLL},
    {SOL_SOCKET, 69}, /* SO_PREFER_BUSY_POLL */
    {SOL_SOCKET, SO_MAX_PACING_RATE},
    {SOL_SOCKET, SO_INCOMING_CPU},
    {SOL_SOCKET, 74}, /* SO_TXREHASH */
    {SOL_SOCKET, SO_WIFI_STATUS},
    {SOL_SOCKET, SO_BINDTOIFINDEX},
    {SOL_SOCKET, SO_NOFCS},
    {SOL_SOCKET, SO_TIMESTAMPING},
    {SOL_SOCKET, SO_KEEPALIVE}, /* of datagrams */
    {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_RECVTTL},
    {IPPROTO_IP, IP_RECVTOS},
    {IPPROTO_IP, IP_MTU_DISCOVER},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, 26}, /* IP_RECVERR_RFC4884 */
    {IPPROTO_IP, IP_RECVOPTS},
    {IPPROTO_IP, IP_RETOPTS},
    {IPPROTO_IP, IP_ROUTER_ALERT},
    {IPPROTO_IP, IP_FREEBIND},
    {IPPROTO_IP, IP_PASSSEC},
    {IPPROTO_IP, IP_CHECKSUM},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
    {IPPROTO_IP, IP_MINTTL}, /* of datagrams, as the next of IPv6 */
    {IPPROTO_IPV6, IPV6_MINHOPCOUNT},
    {IPPROTO_IP, IP_TRANSPARENT}, /* these three come only when the socket has its addresses */
    {IPPROTO_IPV6, IPV6_TRANSPARENT},
    {IPPROTO_IP, 51}, /* IP_LOCAL_PORT_RANGE */
    {IPPROTO_IP, IP_RECVFRAGSIZE},
    {IPPROTO_IP, IP_MULTICAST_TTL},
    {IPPROTO_IP, IP_MULTICAST_LOOP},
    {IPPROTO_IP, IP_MULTICAST_ALL},
    {IPPROTO_IP, IP_UNICAST_IF},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    {IPPROTO_IPV6, IPV6_MULTICAST_IF},
    {IPPROTO_IPV6, 29}, /* IPV6_MULTICAST_ALL */
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
    {IPPROTO_IPV6, IPV6_RECVTCLASS},
    {IPPROTO_IPV6, IPV6_RECVPATHMTU},
    {IPPROTO_IPV6, IPV6_RECVRTHDR},
    {IPPROTO_IPV6, IPV6_RECVHOPOPTS},
    {IPPROTO_IPV6, IPV6_RECVDSTOPTS},
    {IPPROTO_IPV6, IPV6_RECVFRAGSIZE},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_IPV6, IPV6_RECVERR},
    {IPPROTO_IPV6, IPV6_DONTFRAG},
    {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL},
    {IPPROTO_IPV6, IPV6_ADDR_PREFERENCES},
    {IPPROTO_IPV6, IPV6_ORIGDSTADDR},
    {IPPROTO_IPV6, IPV6_FREEBIND},
    {IPPROTO_IPV6, IPV6_UNICAST_IF},
    {IPPROTO_IPV6, 33}, /* IPV6_FLOWINFO_SEND */
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
    {IPPROTO_TCP, TCP_THIN_DUPACK},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE},
    {IPPROTO_UDP, UDP_NO_CHECK6_TX},
    {IPPROTO_UDP, UDP_NO_CHECK6_RX},
};
#define NKEPT (sizeof kept_opts / sizeof kept_opts[0])
_Static_assert(NKEPT < UINT8_MAX, "which fits a byte");

static uint32_t which_of(int level, int name)
{
    uint32_t i = 0;

    while (i < NKEPT && (kept_opts[i].level != level || kept_opts[i].name != name))
        i++;
    return i;
}

/* Kept of datagrams, acted on for streams. */
static bool is_tcps(int level, int name)
{
    if (level == IPPROTO_IP)
        return name == IP_MTU_DISCOVER || name == IP_MINTTL;
    if (level == IPPROTO_IPV6)
        return name == IPV6_MTU_DISCOVER || name == IPV6_MINHOPCOUNT;
    return level == SOL_SOCKET && name == SO_KEEPALIVE;
}

int jr_opt_keep(struct jr_sock *so, int level, int name, int32_t v)
{
    const uint32_t which = which_of(level, name);
    uint32_t i = 0;

    if (which == NKEPT || (so->kind == JR_SOCK_STREAM && is_tcps(level, name)))
        return -ENOPROTOOPT;
    while (i < so->opt.nkept && so->opt.kept[i] != which)
        i++;
    if (i == JR_SOCK_KEPT_OPTS)
        return -ENOBUFS;
    so->opt.nkept += i == so->opt.nkept;
    so->opt.kept[i] = (uint8_t)which;
    so->opt.kept_value[i] = name == SO_KEEPALIVE && level == SOL_SOCKET ? v != 0 : v;
    return 0;
}

int jr_opt_kept(const struct jr_sock *so, int level, int name, int32_t *v)
{
    const uint32_t which = which_of(level, name);

    for (uint32_t i = 0; i < so->opt.nkept; i++)
        if (so->opt.kept[i] == which) {
            *v = so->opt.kept_value[i];
            return 0;
        }
    return -ENOPROTOOPT;
}
