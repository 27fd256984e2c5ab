/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of datagram sockets that the protocols act on: ip(7), udp(7), socket(7) of Linux, by their numbers. */
#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "udp/pcb.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp_wire.h"

static int32_t int_of(const void *val, uint32_t len)
{
    int32_t v;

    if (len < sizeof v) /* ip(7) takes a byte as well */
        return *(const uint8_t *)val;
    memcpy(&v, val, sizeof v);
    return v;
}

static int set_bool(bool *to, int32_t v)
{
    *to = v != 0;
    return 0;
}

static int set_byte(uint8_t *to, int32_t v, int32_t min, int32_t dflt)
{
    if (v == -1)
        v = dflt;
    else if (v < min || v > 255)
        return -EINVAL;
    *to = (uint8_t)v;
    return 0;
}

#define LINUX_IPV6_MULTICAST_ALL 29 /* newer than libc's headers */

/* The option of IPv4 that means the same as one of ipv6(7); -1: none does. */
static int ip_name(int name)
{
    switch (name) {
    case IPV6_MTU_DISCOVER:
        return IP_MTU_DISCOVER;
    case IPV6_MTU:
        return IP_MTU;
    default:
        return -1;
    }
}

static int set_ip(struct jr_udpcb *up, int name, int32_t v)
{
    switch (name) {
    case IP_TOS:
        return set_byte(&up->opt.tos[0], v & 0xff, 0, 0);
    case IP_TTL:
        return set_byte(&up->opt.ttl[0], v, 1, 0);
    case IP_MTU_DISCOVER:
        if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
            return -EINVAL;
        up->opt.pmtudisc = (uint8_t)v;
        return 0;
    case IP_RECVERR:
        return set_bool(&up->opt.recverr[0], v);
    case IP_MULTICAST_TTL:
        return set_byte(&up->opt.mcast_ttl, v, 0, 1);
    case IP_MULTICAST_LOOP:
        return set_bool(&up->opt.mcast_loop, v);
    case IP_MULTICAST_ALL:
        return v == 0 || v == 1 ? set_bool(&up->opt.mcast_all[0], v) : -EINVAL;
    default:
        return -ENOPROTOOPT;
    }
}

static int set_ipv6(struct jr_udpcb *up, int name, int32_t v)
{
    switch (name) {
    case IPV6_TCLASS:
        return set_byte(&up->opt.tos[1], v < 0 ? 0 : v & 0xff, 0, 0);
    case IPV6_UNICAST_HOPS:
        return set_byte(&up->opt.ttl[1], v, 1, 0);
    case IPV6_RECVERR:
        return set_bool(&up->opt.recverr[1], v);
    case LINUX_IPV6_MULTICAST_ALL:
        return v == 0 || v == 1 ? set_bool(&up->opt.mcast_all[1], v) : -EINVAL;
    case IPV6_DONTFRAG: /* RFC 3542 11.2 */
        return set_ip(up, IP_MTU_DISCOVER, v ? IP_PMTUDISC_DO : IP_PMTUDISC_WANT);
    default:
        return set_ip(up, ip_name(name), v);
    }
}

int jr_udp_setopt(struct jr_udpcb *up, int level, int name, const void *val, uint32_t len, jr_time now)
{
    if (len == 0)
        return -EINVAL;
    const int32_t v = int_of(val, len);
    if (level == SOL_SOCKET && name == SO_BROADCAST)
        return set_bool(&up->opt.broadcast, v);
    if (level == SOL_SOCKET && name == SO_NO_CHECK)
        return set_bool(&up->opt.no_check, v);
    if (level == IPPROTO_UDP && name == UDP_SEGMENT) {
        if (v < 0 || v > UINT16_MAX)
            return -EINVAL;
        up->opt.segment = (uint16_t)v;
        return 0;
    }
    if (level == IPPROTO_IPV6)
        return set_ipv6(up, name, v);
    if (level != IPPROTO_IP)
        return -ENOPROTOOPT;
    const int r = jr_udp_mcast_setopt(up, name, val, len, now);
    return r == -ENOPROTOOPT ? set_ip(up, name, v) : r;
}

static int get_ip(struct jr_udpcb *up, int name, int32_t *v)
{
    switch (name) {
    case IP_TOS:
        *v = up->opt.tos[0];
        return 0;
    case IP_TTL:
        *v = up->opt.ttl[0] ? up->opt.ttl[0] : jr_ip_ttl(up->udp->ip);
        return 0;
    case IP_MTU_DISCOVER:
        *v = up->opt.pmtudisc;
        return 0;
    case IP_RECVERR:
        *v = up->opt.recverr[0];
        return 0;
    case IP_MULTICAST_TTL:
        *v = up->opt.mcast_ttl;
        return 0;
    case IP_MULTICAST_LOOP:
        *v = up->opt.mcast_loop;
        return 0;
    case IP_MULTICAST_ALL:
        *v = up->opt.mcast_all[0];
        return 0;
    case IP_MULTICAST_IF:
        *v = (int32_t)jr_addr_to_v4(up->mcast_src);
        return 0;
    case IP_MTU:
        if (!up->connected)
            return -ENOTCONN;
        *v = (int32_t)(jr_udp_whole_max(up) + JR_UDP_HLEN +
                       (jr_addr_is_v4(up->remote.addr) ? JR_IPV4_HLEN : JR_IPV6_HLEN));
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int jr_udp_getopt(struct jr_udpcb *up, int level, int name, void *val, uint32_t *len)
{
    int32_t v = 0;
    int err = 0;

    if (level == SOL_SOCKET && name == SO_BROADCAST)
        v = up->opt.broadcast;
    else if (level == SOL_SOCKET && name == SO_NO_CHECK)
        v = up->opt.no_check;
    else if (level == IPPROTO_UDP && name == UDP_SEGMENT)
        v = up->opt.segment;
    else if (level == IPPROTO_IPV6 && name == IPV6_TCLASS)
        v = up->opt.tos[1];
    else if (level == IPPROTO_IPV6 && name == IPV6_UNICAST_HOPS)
        v = up->opt.ttl[1] ? up->opt.ttl[1] : jr_ip_ttl(up->udp->ip);
    else if (level == IPPROTO_IPV6 && name == IPV6_RECVERR)
        v = up->opt.recverr[1];
    else if (level == IPPROTO_IPV6 && name == LINUX_IPV6_MULTICAST_ALL)
        v = up->opt.mcast_all[1];
    else if (level == IPPROTO_IPV6 && name == IPV6_DONTFRAG)
        v = up->opt.pmtudisc == IP_PMTUDISC_DO;
    else if (level == IPPROTO_IP || level == IPPROTO_IPV6)
        err = get_ip(up, level == IPPROTO_IP ? name : ip_name(name), &v);
    else
        err = -ENOPROTOOPT;
    if (err)
        return err;
    *len = jr_min_u32(*len, sizeof v);
    memcpy(val, &v, *len);
    return 0;
}
