/* SPDX-License-Identifier: BSD-3-Clause */
/* The stack's own addresses, and the choice of one as source (RFC 1122 3.3.4.3). */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ip/stack6.h"
#include "link/acd.h"
#include "link/neigh.h"

static struct jr_local_addr *slot_of(const struct jr_local_addrs *la, struct jr_addr addr)
{
    uint32_t i = (uint32_t)jr_hash_addr(addr, la->seed) & la->mask;

    while (la->slots[i].ifp && !jr_addr_eq(la->slots[i].addr, addr))
        i = (i + 1) & la->mask;
    return &la->slots[i];
}

static void put_local(struct jr_local_addrs *la, struct jr_addr addr, struct jr_netif *ifp)
{
    struct jr_local_addr *s = slot_of(la, addr);

    if (!s->ifp)
        *s = (struct jr_local_addr){addr, ifp};
}

int jr_ip_local_rebuild(struct jr_ip *ip)
{
    struct jr_local_addrs fresh = {.seed = ip->local.seed};
    uint32_t n = 0;

    for (unsigned i = 0; i < ip->n_netifs; i++)
        n += ip->netifs[i]->n_addrs + ip->netifs[i]->nd6->n_addrs;
    n += ip->lo ? ip->lo->n_addrs : 0;
    fresh.mask = jr_pow2_ceil(4 * n + 4) - 1;
    fresh.slots = calloc(fresh.mask + 1, sizeof *fresh.slots);
    if (!fresh.slots)
        return -ENOMEM;
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        struct jr_netif *ifp = ip->netifs[i];
        for (unsigned j = 0; j < ifp->n_addrs; j++)
            put_local(&fresh, ifp->addrs[j].addr, ifp);
        for (unsigned j = 0; j < ifp->nd6->n_addrs; j++) {
            if (jr_nd6_addr_usable(&ifp->nd6->addrs[j]))
                put_local(&fresh, ifp->nd6->addrs[j].addr, ifp);
        }
    }
    for (unsigned j = 0; ip->lo && j < ip->lo->n_addrs; j++)
        put_local(&fresh, ip->lo->addrs[j].addr, ip->lo);
    free(ip->local.slots);
    ip->local = fresh;
    ip->generation++;
    return 0;
}

/* All of 127.0.0.0/8 but its broadcast address, and ::1. */
static bool is_loopback(struct jr_addr a)
{
    if (!jr_addr_is_v4(a))
        return jr_ipv6_is_loopback(a);
    return jr_ipv4_is_loopback(a) && jr_addr_to_v4(a) != jr_be32(0x7fffffff);
}

struct jr_netif *jr_ip_local_find(const struct jr_ip *ip, struct jr_addr addr)
{
    if (JR_UNLIKELY(ip->lo) && is_loopback(addr))
        return ip->lo;
    return ip->local.mask ? slot_of(&ip->local, addr)->ifp : NULL;
}

bool jr_ip_is_local(const struct jr_ip *ip, struct jr_addr addr) { return jr_ip_local_find(ip, addr) != NULL; }

bool jr_ip_is_broadcast(const struct jr_netif *ifp, struct jr_addr addr)
{
    if (!jr_addr_is_v4(addr))
        return false;
    if (jr_ipv4_is_broadcast(addr))
        return true;
    for (unsigned i = 0; i < ifp->n_addrs; i++) {
        if (jr_addr_eq(ifp->addrs[i].bcast, addr))
            return true;
    }
    return false;
}

static bool same_subnet(const struct jr_netif_addr *a, struct jr_addr addr)
{
    return jr_addr_eq(jr_route_mask(a->addr, a->plen), jr_route_mask(addr, a->plen));
}

struct jr_addr jr_ip_source_for(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr next_hop)
{
    for (unsigned i = 0; i < ifp->n_addrs; i++) {
        if (same_subnet(&ifp->addrs[i], next_hop))
            return ifp->addrs[i].addr;
    }
    if (ifp->n_addrs)
        return ifp->addrs[0].addr;
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        if (ip->netifs[i]->n_addrs)
            return ip->netifs[i]->addrs[0].addr;
    }
    return jr_addr_v4(0);
}

struct jr_addr jr_ip_answer_addr(const struct jr_ip *ip, const struct jr_ip_rx *rx)
{
    return jr_addr_is_v4(rx->dst) ? jr_ip_source_for(ip, rx->ifp, rx->src) : jr_ip6_source_for(ip, rx->ifp, rx->src);
}

uint32_t jr_ip_ifindex(const struct jr_netif *ifp) { return ifp->ifindex; }

/* From now on the address is ours. */
static int assign4(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_netif_addr *a, bool connected, jr_time now)
{
    const struct jr_ip_route_conf route = {.dst = a->addr, .plen = a->plen, .ifp = ifp};
    const bool known = jr_netif_addr_find(ifp, a->addr) != NULL;
    int err = jr_netif_addr_add(ifp, a);

    if (err == 0)
        err = jr_ip_local_rebuild(ip);
    if (err == 0 && connected && !jr_route_table_get(&ip->routes, a->addr, a->plen, 0))
        err = jr_route_table_add(&ip->routes, &route, true);
    if (err == 0 && !known)
        jr_arp_announce_new(ifp, a->addr, now);
    return err;
}

void jr_ip_addr4_ready(void *ctx, struct jr_netif *ifp, const struct jr_netif_addr *a, bool connected, jr_time now)
{
    if (assign4(ctx, ifp, a, connected, now) != 0)
        jr_count(ifp->counters, JR_C_BASE_NOBUF);
}

int jr_ip_addr_add(struct jr_ip *ip, struct jr_netif *ifp, struct jr_addr addr, uint8_t plen, struct jr_addr bcast,
                   bool connected, jr_time now)
{
    const struct jr_netif_addr a = {.addr = addr, .bcast = bcast, .plen = plen};

    if (!jr_addr_is_v4(addr)) {
        const struct jr_ip_addr6 a6 = {
            .addr = addr, .plen = plen, .detect = true, .preferred_until = JR_TIME_NEVER, .valid_until = JR_TIME_NEVER};
        return jr_ip_addr6_add(ip, ifp, &a6, connected, now);
    }
    if (plen > 32 || !jr_ipv4_is_host(addr))
        return -EINVAL;
    return !jr_netif_addr_find(ifp, addr) && jr_acd_wanted(ifp) ? jr_acd_start(ifp, &a, connected, now)
                                                                : assign4(ip, ifp, &a, connected, now);
}

struct lost_addr {
    const struct jr_netif *ifp;
    struct jr_netif_addr a;
};

static bool route_goes_with(const void *ctx, const struct jr_route *r)
{
    const struct lost_addr *lost = ctx;

    if (r->conf.ifp != lost->ifp)
        return false;
    if (!jr_addr_is_any(r->conf.src) && jr_addr_eq(r->conf.src, lost->a.addr))
        return true;
    if (!r->connected || r->conf.plen != lost->a.plen || !same_subnet(&lost->a, r->conf.dst))
        return false;
    for (unsigned i = 0; i < lost->ifp->n_addrs; i++) {
        const struct jr_netif_addr *other = &lost->ifp->addrs[i];
        if (other->plen == lost->a.plen && same_subnet(other, lost->a.addr))
            return false; /* still a way into that subnet */
    }
    return true;
}

int jr_ip_addr_del(struct jr_ip *ip, struct jr_netif *ifp, struct jr_addr addr)
{
    const struct jr_netif_addr *a = jr_netif_addr_find(ifp, addr);
    struct lost_addr lost = {.ifp = ifp};

    if (!jr_addr_is_v4(addr))
        return jr_ip6_addr_del(ip, ifp, addr, ip->now);
    if (!a)
        return jr_acd_stop(ifp, addr);
    lost.a = *a;
    (void)jr_netif_addr_del(ifp, addr);
    jr_route_table_prune(&ip->routes, route_goes_with, &lost);
    return jr_ip_local_rebuild(ip);
}

void jr_ip_addr_each(const struct jr_ip *ip,
                     bool (*fn)(void *ctx, struct jr_netif *ifp, struct jr_addr addr, uint8_t plen), void *ctx)
{
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        struct jr_netif *ifp = ip->netifs[i];
        for (unsigned j = 0; j < ifp->n_addrs; j++) {
            if (!fn(ctx, ifp, ifp->addrs[j].addr, ifp->addrs[j].plen))
                return;
        }
        for (unsigned j = 0; j < ifp->nd6->n_addrs; j++) {
            const struct jr_nd6_addr *a = &ifp->nd6->addrs[j];
            if (jr_nd6_addr_usable(a) && !fn(ctx, ifp, a->addr, a->plen))
                return;
        }
    }
}
