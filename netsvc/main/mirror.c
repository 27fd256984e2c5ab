/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two growing arrays, one of addresses and one of routes; each entry remembers in which reading it was confirmed.
 * The configuration's own prefixes, of exclusive ports, win over the kernel's of the same length.
 */
#include "main/mirror.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>

#include "base/log.h"
#include "ip/route.h"
#include "jr_abi.h"
#include "link/nd6.h"
#include "link/neigh.h"
#include "main/worker.h"

struct addr_entry {
    struct jr_mirror_addr a;
    uint32_t seen;
};
struct route_entry {
    struct jr_mirror_route r;
    uint32_t seen;
};

struct jr_mirror {
    struct jr_worker *w;
    struct addr_entry *addrs;
    size_t n_addrs, cap_addrs;
    struct route_entry *routes;
    size_t n_routes, cap_routes;
    uint32_t reading;
    bool dirty; /* the policy page is older than this */
    bool wants_reading;
};

/* Room for one more element; false: no memory, which is logged. */
static bool grow(void **array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 64;
    void *p = reallocarray(*array, more, size);
    if (!p) {
        jr_log(JR_LOG_ERROR, "no memory for another route or address of the kernel's");
        return false;
    }
    *array = p;
    *cap = more;
    return true;
}

struct jr_mirror *jr_mirror_new(struct jr_worker *w)
{
    struct jr_mirror *m = calloc(1, sizeof *m);
    if (m)
        *m = (struct jr_mirror){.w = w, .dirty = true};
    return m;
}

void jr_mirror_free(struct jr_mirror *m)
{
    free(m->addrs);
    free(m->routes);
    free(m);
}

static struct jr_worker_port *port_of(struct jr_mirror *m, uint32_t ifindex)
{
    for (unsigned i = 0; i < m->w->n_ports; i++)
        if (ifindex && m->w->ports[i].port.ifindex == (int)ifindex)
            return &m->w->ports[i];
    return NULL;
}

/* The port when the kernel shares it: an exclusive one takes nothing from the kernel but whether the link is up. */
static struct jr_worker_port *shared_port(struct jr_mirror *m, uint32_t ifindex)
{
    struct jr_worker_port *p = port_of(m, ifindex);
    return p && p->cfg->dev.share ? p : NULL;
}

static bool in_prefix(struct jr_addr a, struct jr_addr prefix, uint8_t plen)
{
    return jr_addr_is_v4(a) == jr_addr_is_v4(prefix) && jr_addr_eq(jr_route_mask(a, plen), jr_route_mask(prefix, plen));
}

static uint8_t host_plen(struct jr_addr a) { return jr_addr_is_v4(a) ? 32 : 128; }

/* Whether the configuration has this very prefix: an exclusive port's subnet or a [[route]]. */
static bool is_configured(const struct jr_mirror *m, struct jr_addr dst, uint8_t plen)
{
    const struct jr_config *cfg = m->w->cfg;
    for (unsigned i = 0; i < cfg->n_routes; i++)
        if (cfg->routes[i].dst.plen == plen && jr_addr_eq(cfg->routes[i].dst.addr, dst))
            return true;
    for (unsigned i = 0; i < cfg->n_ports; i++)
        for (unsigned j = 0; j < cfg->ports[i].n_addrs; j++)
            if (cfg->ports[i].addrs[j].plen == plen && in_prefix(cfg->ports[i].addrs[j].addr, dst, plen))
                return true;
    return false;
}

bool jr_mirror_wants_reading(const struct jr_mirror *m) { return m->wants_reading; }

static bool has_route_by(const struct jr_mirror *m, uint32_t ifindex)
{
    for (size_t i = 0; i < m->n_routes; i++)
        if (m->routes[i].r.ifindex == ifindex)
            return true;
    return false;
}

void jr_mirror_on_link(struct jr_mirror *m, const struct jr_mirror_link *link)
{
    struct jr_worker_port *p = port_of(m, link->ifindex);
    if (!link->admin_up && has_route_by(m, link->ifindex))
        m->wants_reading = true;
    if (!p)
        return;
    if (p->ifp->up != link->up) {
        jr_log(JR_LOG_INFO, "port %s: link is %s", p->cfg->dev.name, link->up ? "up" : "down");
        jr_netif_set_up(p->ifp, link->up);
    }
    if (!p->cfg->dev.share)
        return;
    uint32_t max = p->port.dev->mtu_max ? p->port.dev->mtu_max : p->port.dev->mtu;
    uint32_t mtu = link->mtu < max ? link->mtu : max;
    if (mtu && mtu != p->ifp->mtu)
        jr_netif_set_mtu(p->ifp, mtu);
    if (link->has_mac)
        jr_netif_set_mac(p->ifp, link->mac);
}

static void steer_addr(struct jr_worker_port *p, const struct jr_mirror_addr *a)
{
    if (!p->port.steer || jr_ipv6_is_linklocal(a->addr)) /* those flows stay the kernel's */
        return;
    int rc = jr_steer_add_addr(p->port.steer, a->addr);
    if (!rc && !jr_addr_is_any(a->bcast))
        rc = jr_steer_add_addr(p->port.steer, a->bcast);
    if (rc)
        jr_log(JR_LOG_WARN, "port %s: steering to an address: %s", p->cfg->dev.name, strerror(-rc));
}

static bool is_own(const struct jr_config *cfg, struct jr_addr addr);

/* An address of an interface that is the kernel's alone: with loopback = "service" it is reached through the stack,
 * too, by this host's programs. */
static bool is_looped(struct jr_mirror *m, const struct jr_mirror_addr *a)
{
    const bool loopback = jr_addr_is_v4(a->addr) ? a->addr.b[12] == 127 : jr_ipv6_is_loopback(a->addr);

    return m->w->lo && !loopback && !shared_port(m, a->ifindex) && !jr_ipv6_is_linklocal(a->addr) &&
           !is_own(m->w->cfg, a->addr);
}

static void loop_addr(struct jr_mirror *m, const struct jr_mirror_addr *a, bool added)
{
    if (!is_looped(m, a))
        return;
    const int rc = added ? jr_ip_loop_addr_add(m->w->ip, a->addr) : jr_ip_loop_addr_del(m->w->ip, a->addr);
    if (rc && rc != -EADDRNOTAVAIL)
        jr_log(JR_LOG_WARN, "an address of this host: %s", strerror(-rc));
}

static void apply_addr(struct jr_mirror *m, const struct jr_mirror_addr *a, jr_time now)
{
    struct jr_worker_port *p = shared_port(m, a->ifindex);
    loop_addr(m, a, true);
    if (!p)
        return;
    const struct jr_ip_addr6 a6 = {
        .addr = a->addr,
        .plen = a->plen,
        .deprecated = a->deprecated,
        .temporary = a->temporary,
        .preferred_until = JR_TIME_NEVER,
        .valid_until = JR_TIME_NEVER,
    };
    int rc = jr_addr_is_v4(a->addr) ? jr_ip_addr_add(m->w->ip, p->ifp, a->addr, a->plen, a->bcast, false, now)
                                    : jr_ip_addr6_add(m->w->ip, p->ifp, &a6, false, now);
    if (rc)
        jr_log(JR_LOG_WARN, "port %s: address: %s", p->cfg->dev.name, strerror(-rc));
    steer_addr(p, a);
}

static void retire_addr(struct jr_mirror *m, size_t i)
{
    struct jr_mirror_addr a = m->addrs[i].a;
    m->addrs[i] = m->addrs[--m->n_addrs];
    m->dirty = true;
    struct jr_worker_port *p = shared_port(m, a.ifindex);
    loop_addr(m, &a, false);
    if (!p)
        return;
    jr_ip_addr_del(m->w->ip, p->ifp, a.addr);
    if (!p->port.steer)
        return;
    jr_steer_del_addr(p->port.steer, a.addr);
    jr_steer_del_addr(p->port.steer, a.bcast);
    for (size_t j = 0; j < m->n_addrs; j++) /* a subnet's addresses share their broadcast address */
        if (m->addrs[j].a.ifindex == a.ifindex)
            steer_addr(p, &m->addrs[j].a);
}

static size_t find_addr(const struct jr_mirror *m, const struct jr_mirror_addr *a)
{
    size_t i = 0;
    while (i < m->n_addrs && !(m->addrs[i].a.ifindex == a->ifindex && m->addrs[i].a.plen == a->plen &&
                               jr_addr_eq(m->addrs[i].a.addr, a->addr)))
        i++;
    return i;
}

void jr_mirror_on_addr(struct jr_mirror *m, const struct jr_mirror_addr *a, bool added, jr_time now)
{
    size_t i = find_addr(m, a);
    if (!added) {
        if (i < m->n_addrs)
            retire_addr(m, i);
        m->wants_reading = true;
        return;
    }
    if (i == m->n_addrs) {
        if (!grow((void **)&m->addrs, m->n_addrs, &m->cap_addrs, sizeof *m->addrs))
            return;
        m->n_addrs++;
        m->dirty = true;
    }
    m->addrs[i] = (struct addr_entry){*a, m->reading};
    apply_addr(m, a, now);
}

static void apply_route(struct jr_mirror *m, const struct jr_mirror_route *r)
{
    if (is_configured(m, r->dst, r->plen))
        return;
    struct jr_worker_port *p = shared_port(m, r->ifindex);
    struct jr_ip_route_conf conf = {.dst = r->dst, .plen = r->plen, .metric = r->metric, .mtu = p ? r->mtu : 0};
    if (p) {
        conf.ifp = p->ifp;
        conf.gw = jr_ipv6_set_zone(r->gw, p->ifp->nd6->zone);
        conf.src = r->src;
    }
    int rc = jr_ip_route_add(m->w->ip, &conf);
    if (rc)
        jr_log(JR_LOG_WARN, "a route of the kernel's with prefix length %u: %s", r->plen, strerror(-rc));
}

static void retire_route(struct jr_mirror *m, size_t i)
{
    struct jr_mirror_route r = m->routes[i].r;
    m->routes[i] = m->routes[--m->n_routes];
    m->dirty = true;
    if (!is_configured(m, r.dst, r.plen))
        jr_ip_route_del(m->w->ip, r.dst, r.plen, r.metric);
}

void jr_mirror_on_route(struct jr_mirror *m, const struct jr_mirror_route *r, bool added)
{
    size_t i = 0;
    while (i < m->n_routes && !(m->routes[i].r.plen == r->plen && m->routes[i].r.metric == r->metric &&
                                jr_addr_eq(m->routes[i].r.dst, r->dst)))
        i++;
    if (!added) {
        if (i < m->n_routes)
            retire_route(m, i);
        return;
    }
    if (i == m->n_routes) {
        if (!grow((void **)&m->routes, m->n_routes, &m->cap_routes, sizeof *m->routes))
            return;
        m->n_routes++;
    }
    m->dirty = true;
    m->routes[i] = (struct route_entry){*r, m->reading};
    apply_route(m, r);
}

void jr_mirror_on_neigh(struct jr_mirror *m, const struct jr_mirror_neigh *n, jr_time now)
{
    static const struct {
        uint16_t nud;
        enum jr_neigh_state state;
    } states[] = {
        {NUD_PERMANENT | NUD_NOARP, JR_NEIGH_PERMANENT},
        {NUD_REACHABLE, JR_NEIGH_REACHABLE},
        {NUD_STALE | NUD_DELAY, JR_NEIGH_STALE},
        {NUD_PROBE, JR_NEIGH_PROBE},
    };
    struct jr_worker_port *p = shared_port(m, n->ifindex);
    if (!p || jr_addr_is_any(n->addr) || jr_ipv6_is_multicast(n->addr))
        return;
    const struct jr_addr addr = jr_ipv6_set_zone(n->addr, p->ifp->nd6->zone);
    if (n->nud & NUD_FAILED) {
        jr_neigh_fail(p->ifp, addr, now);
        return;
    }
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (n->nud & states[i].nud) {
            jr_neigh_set(p->ifp, addr, n->mac, states[i].state, now);
            return;
        }
    }
    if (!(n->nud & NUD_INCOMPLETE)) /* deleted */
        jr_neigh_set(p->ifp, addr, n->mac, JR_NEIGH_INCOMPLETE, now);
}

void jr_mirror_begin(struct jr_mirror *m)
{
    m->reading++;
    m->wants_reading = false;
}

void jr_mirror_end(struct jr_mirror *m)
{
    for (size_t i = m->n_addrs; i-- > 0;)
        if (m->addrs[i].seen != m->reading)
            retire_addr(m, i);
    for (size_t i = m->n_routes; i-- > 0;)
        if (m->routes[i].seen != m->reading)
            retire_route(m, i);
    jr_mirror_publish(m);
}

/* ---- The policy page: where a destination's sockets go ---- */

struct table {
    struct jr_ctl_route *r;
    size_t n;
};

static void put(struct table *t, struct jr_addr prefix, uint8_t plen, uint32_t route)
{
    t->r[t->n++] = (struct jr_ctl_route){prefix, jr_addr_is_v4(prefix) ? 96u + plen : plen, route};
}

/* An exclusive port's subnets and the configuration's routes. */
static void put_configured(const struct jr_config *cfg, struct table *t)
{
    for (unsigned i = 0; i < cfg->n_ports; i++) {
        for (unsigned j = 0; j < cfg->ports[i].n_addrs; j++) {
            const struct jr_config_prefix *p = &cfg->ports[i].addrs[j];
            put(t, jr_route_mask(p->addr, p->plen), p->plen, JR_ROUTE_SERVICE);
        }
    }
    for (unsigned i = 0; i < cfg->n_routes; i++)
        put(t, cfg->routes[i].dst.addr, cfg->routes[i].dst.plen, JR_ROUTE_SERVICE);
}

/* Of equal prefixes only the lowest metric's counts. */
static bool is_hidden(const struct jr_mirror *m, const struct jr_mirror_route *r)
{
    for (size_t i = 0; i < m->n_routes; i++) {
        const struct jr_mirror_route *o = &m->routes[i].r;
        if (o->plen == r->plen && o->metric < r->metric && jr_addr_eq(o->dst, r->dst))
            return true;
    }
    return is_configured(m, r->dst, r->plen);
}

/* An exclusive port's address, whatever the kernel may have too. */
static bool is_own(const struct jr_config *cfg, struct jr_addr addr)
{
    for (unsigned i = 0; i < cfg->n_ports; i++)
        for (unsigned j = 0; j < cfg->ports[i].n_addrs; j++)
            if (jr_addr_eq(cfg->ports[i].addrs[j].addr, addr))
                return true;
    return false;
}

static bool shares_ports(const struct jr_config *cfg)
{
    bool any = false;
    for (unsigned i = 0; i < cfg->n_ports; i++)
        any |= cfg->ports[i].dev.share;
    return any;
}

void jr_mirror_publish(struct jr_mirror *m)
{
    const struct jr_config *cfg = m->w->cfg;
    if (!m->dirty)
        return;
    size_t max = m->n_routes + m->n_addrs + JR_CONFIG_ROUTES + JR_CONFIG_PORTS * JR_CONFIG_ADDRS + 6;
    struct table t = {.r = calloc(max, sizeof *t.r)};
    struct jr_addr *own = calloc(m->n_addrs + JR_CONFIG_PORTS * JR_CONFIG_ADDRS, sizeof *own);
    size_t n_own = 0;
    if (!t.r || !own)
        goto out; /* it stays dirty */
    const uint32_t groups = shares_ports(cfg) ? JR_ROUTE_KERNEL : cfg->ctl.multicast;
    put(&t, jr_addr_v4(__builtin_bswap32(0x7f000000)), 8, JR_ROUTE_KERNEL);
    put(&t, jr_addr_v4(__builtin_bswap32(0xe0000000)), 4, groups);
    put(&t, jr_addr_v4(~0u), 32, groups);
    /* and what one link alone knows, in IPv6 */
    put(&t, (struct jr_addr){.b = {0xff}}, 8, JR_ROUTE_KERNEL);
    put(&t, (struct jr_addr){.b = {0xfe, 0x80}}, 10, JR_ROUTE_KERNEL);
    put_configured(cfg, &t);
    for (size_t i = 0; i < m->n_routes; i++) {
        const struct jr_mirror_route *r = &m->routes[i].r;
        if (!is_hidden(m, r))
            put(&t, r->dst, r->plen, shared_port(m, r->ifindex) ? JR_ROUTE_SERVICE : JR_ROUTE_KERNEL);
    }
    for (size_t i = 0; i < m->n_addrs; i++) {
        if (jr_ipv6_is_linklocal(m->addrs[i].a.addr))
            continue;
        if (shared_port(m, m->addrs[i].a.ifindex) || is_looped(m, &m->addrs[i].a))
            own[n_own++] = m->addrs[i].a.addr;
        else if (!is_own(cfg, m->addrs[i].a.addr))
            put(&t, m->addrs[i].a.addr, host_plen(m->addrs[i].a.addr), JR_ROUTE_KERNEL);
    }
    for (unsigned i = 0; i < cfg->n_ports; i++)
        for (unsigned j = 0; j < cfg->ports[i].n_addrs; j++)
            own[n_own++] = cfg->ports[i].addrs[j].addr;
    jr_ctl_set_routes(m->w->ctl, t.r, t.n, own, n_own);
    m->dirty = false;
out:
    free(t.r);
    free(own);
}
