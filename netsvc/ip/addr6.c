/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 addresses of the stack: given, taken, changed by duplicate detection and time. */
#include <errno.h>

#include "ip/stack6.h"

struct jr_netif *jr_ip6_netif_of_zone(const struct jr_ip *ip, uint16_t zone)
{
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        if (ip->netifs[i]->nd6->zone == zone)
            return ip->netifs[i];
    }
    return NULL;
}

void jr_ip6_addr_changed(void *ctx, struct jr_netif *ifp, jr_time now)
{
    struct jr_ip *ip = ctx;

    (void)ifp;
    ip->now = now;
    if (jr_ip_local_rebuild(ip) != 0)
        ip->generation++; /* the table stays as it was; the next change tries again */
}

int jr_ip_addr6_add(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_ip_addr6 *conf, bool connected, jr_time now)
{
    const struct jr_nd6_addr a = {
        .addr = jr_ipv6_set_zone(conf->addr, ifp->nd6->zone),
        .plen = conf->plen,
        .temporary = conf->temporary,
        .autoconf = conf->autoconf,
        .preferred_until = conf->deprecated ? 0 : conf->preferred_until,
        .valid_until = conf->valid_until,
    };
    const struct jr_ip_route_conf route = {.dst = a.addr, .plen = a.plen, .ifp = ifp};
    int err;

    if (conf->plen > 128 || !jr_ipv6_is_host(conf->addr))
        return -EINVAL;
    err = jr_nd6_addr_add(ifp, &a, conf->detect, now);
    if (err == 0)
        err = jr_ip_local_rebuild(ip);
    if (err == 0 && connected && !jr_ipv6_is_linklocal(a.addr) && !jr_route_table_get(&ip->routes, a.addr, a.plen, 0))
        err = jr_route_table_add(&ip->routes, &route, true);
    ip->generation++;
    return err;
}

struct lost_addr {
    const struct jr_netif *ifp;
    struct jr_addr addr;
    uint8_t plen;
};

static bool route_goes_with(const void *ctx, const struct jr_route *r)
{
    const struct lost_addr *lost = ctx;

    if (r->conf.ifp != lost->ifp)
        return false;
    if (!jr_addr_is_any(r->conf.src) && jr_addr_eq(r->conf.src, lost->addr))
        return true;
    if (!r->connected || r->conf.plen != lost->plen || !jr_addr_eq(r->conf.dst, jr_route_mask(lost->addr, lost->plen)))
        return false;
    for (unsigned i = 0; i < lost->ifp->nd6->n_addrs; i++) {
        const struct jr_nd6_addr *other = &lost->ifp->nd6->addrs[i];
        if (other->plen == lost->plen && jr_addr_eq(jr_route_mask(other->addr, other->plen), r->conf.dst))
            return false; /* still a way into that prefix */
    }
    return true;
}

int jr_ip6_addr_del(struct jr_ip *ip, struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    const struct jr_addr zoned = jr_ipv6_set_zone(addr, ifp->nd6->zone);
    const struct jr_nd6_addr *a = jr_nd6_addr_find(ifp, zoned);
    struct lost_addr lost = {.ifp = ifp, .addr = zoned};

    if (!a)
        return -EADDRNOTAVAIL;
    lost.plen = a->plen;
    (void)jr_nd6_addr_del(ifp, zoned, now);
    jr_route_table_prune(&ip->routes, route_goes_with, &lost);
    return jr_ip_local_rebuild(ip);
}

int jr_ip_start6(struct jr_ip *ip, struct jr_netif *ifp, bool accept_rtadv, jr_time now)
{
    struct jr_ip_addr6 ll = {
        .addr = {.b = {0xfe, 0x80, [8] = (uint8_t)(ifp->mac.b[0] ^ 2), ifp->mac.b[1], ifp->mac.b[2], 0xff, 0xfe,
                       ifp->mac.b[3], ifp->mac.b[4], ifp->mac.b[5]}},
        .plen = 64,
        .detect = true,
        .preferred_until = JR_TIME_NEVER,
        .valid_until = JR_TIME_NEVER,
    };
    const int err = jr_ip_addr6_add(ip, ifp, &ll, false, now);

    ifp->nd6->accept_rtadv = accept_rtadv;
    if (err == 0 && accept_rtadv)
        jr_nd6_solicit_routers(ifp, now);
    return err;
}
