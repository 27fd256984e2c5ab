/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP sockets: their life, their addresses and who gets what. Binding rules as in socket(7) of Linux. */
#include "udp/pcb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/siphash.h"

static struct jr_list *flow_bucket(struct jr_udp *udp, const struct jr_endpoint *local,
                                   const struct jr_endpoint *remote)
{
    return &udp->by_flow[jr_hash_flow(local->addr, local->port, remote->addr, remote->port, udp->seed) %
                         JR_UDP_BUCKETS];
}

static struct jr_udpcb *of_port_link(struct jr_list *n) { return JR_LIST_ENTRY(n, struct jr_udpcb, port_link); }

struct jr_udpcb *jr_udp_open(struct jr_udp *udp, const struct jr_udp_upcalls *up, void *so)
{
    struct jr_udpcb *pcb = calloc(1, sizeof *pcb);

    if (!pcb)
        return NULL;
    pcb->udp = udp;
    pcb->up = up;
    pcb->so = so;
    pcb->local.addr = pcb->bound = pcb->remote.addr = jr_addr_v4(0);
    pcb->opt = (struct jr_udp_opts){.mcast_ttl = 1, .mcast_loop = true, .mcast_all = {true, true}};
    pcb->mcast_src = jr_addr_v4(0);
    jr_list_init(&pcb->groups);
    jr_list_init(&pcb->port_link);
    jr_list_init(&pcb->flow_link);
    jr_list_push_tail(&udp->all, &pcb->all_link);
    return pcb;
}

void jr_udp_close(struct jr_udpcb *up)
{
    jr_udp_mcast_drop_all(up, jr_ip_now(up->udp->ip));
    jr_list_del(&up->port_link);
    jr_list_del(&up->flow_link);
    jr_list_del(&up->all_link);
    free(up);
}

void jr_udp_local(const struct jr_udpcb *up, struct jr_endpoint *out) { *out = up->local; }
void jr_udp_remote(const struct jr_udpcb *up, struct jr_endpoint *out) { *out = up->remote; }

static bool may_share(const struct jr_udpcb *a, uint32_t flags)
{
    return a->flags & flags & (JR_UDP_BIND_REUSEADDR | JR_UDP_BIND_REUSEPORT);
}

static bool is_any6(struct jr_addr a) { return (a.q[0] | a.q[1]) == 0; }

/* Whether a socket bound to wildcard w gets datagrams to addresses of a's family. */
static bool covers(struct jr_addr w, uint32_t flags, struct jr_addr a)
{
    const bool v4 = jr_addr_is_v4(a);

    return is_any6(w) ? !v4 || !(flags & JR_UDP_BIND_V6ONLY) : v4;
}

/* Whether two local addresses can mean the same datagrams. */
static bool overlap(struct jr_addr a, uint32_t a_flags, struct jr_addr b, uint32_t b_flags)
{
    if (jr_addr_eq(a, b))
        return true;
    return (jr_addr_is_any(a) && covers(a, a_flags, b)) || (jr_addr_is_any(b) && covers(b, b_flags, a));
}

/* Whether nobody is in the way of binding to local with these flags. */
static bool port_free(struct jr_udp *udp, const struct jr_endpoint *local, uint32_t flags)
{
    JR_LIST_EACH(n, jr_udp_port_bucket(udp, local->port)) {
        const struct jr_udpcb *other = of_port_link(n);
        if (other->local.port != local->port || may_share(other, flags))
            continue;
        if (overlap(other->bound, other->flags, local->addr, flags))
            return false;
    }
    return true;
}

static void take_port(struct jr_udpcb *up, const struct jr_endpoint *local, uint32_t flags)
{
    up->local = *local;
    up->bound = local->addr;
    up->flags = flags;
    jr_list_push_head(jr_udp_port_bucket(up->udp, local->port), &up->port_link);
}

int jr_udp_pcb_autobind(struct jr_udpcb *up, struct jr_addr addr)
{
    struct jr_udp *udp = up->udp;
    const uint32_t range = udp->port_last - udp->port_first + 1u;
    const uint64_t key[2] = {udp->dice++, jr_rng_u64(jr_ip_rng(udp->ip))};
    const uint32_t start = (uint32_t)(jr_siphash(udp->secret, key, sizeof key) % range);

    for (uint32_t i = 0; i < range; i++) {
        const struct jr_endpoint local = {addr, (uint16_t)(udp->port_first + (start + i) % range)};
        if (port_free(udp, &local, up->flags & JR_UDP_BIND_V6ONLY)) {
            take_port(up, &local, up->flags);
            return 0;
        }
    }
    return -EADDRINUSE;
}

bool jr_udp_conflicts(struct jr_udp *udp, const struct jr_endpoint *local, uint32_t flags)
{
    return local->port && !port_free(udp, local, flags);
}

int jr_udp_bind(struct jr_udpcb *up, const struct jr_endpoint *local, uint32_t flags)
{
    struct jr_ip_route rt;

    if (up->local.port)
        return -EINVAL;
    /* own addresses, and those by which datagrams to many arrive */
    if (!jr_addr_is_any(local->addr) && !jr_ip_is_local(up->udp->ip, local->addr) &&
        !(jr_ip_route(up->udp->ip, local->addr, &rt) && rt.broadcast))
        return -EADDRNOTAVAIL;
    if (local->port == 0) {
        up->flags = flags;
        return jr_udp_pcb_autobind(up, local->addr);
    }
    if (!port_free(up->udp, local, flags))
        return -EADDRINUSE;
    take_port(up, local, flags);
    up->user_port = !(flags & JR_UDP_BIND_PICKED);
    return 0;
}

void jr_udp_disconnect(struct jr_udpcb *up)
{
    jr_list_del(&up->flow_link);
    up->connected = false;
    up->remote = (struct jr_endpoint){jr_addr_v4(0), 0};
    up->local.addr = up->bound;
    if (!up->user_port) {
        jr_list_del(&up->port_link);
        up->local.port = 0;
    }
}

int jr_udp_connect(struct jr_udpcb *up, const struct jr_endpoint *remote)
{
    struct jr_ip_route rt;
    int err;

    if (!jr_ip_route(up->udp->ip, remote->addr, &rt))
        return -ENETUNREACH;
    if (!jr_addr_is_any(up->bound) && jr_addr_is_v4(up->bound) != jr_addr_is_v4(remote->addr))
        return jr_addr_is_v4(up->bound) ? -EAFNOSUPPORT : -ENETUNREACH;
    if (!up->local.port && (err = jr_udp_pcb_autobind(up, up->bound)) != 0)
        return err;
    jr_list_del(&up->flow_link);
    up->remote = *remote;
    up->connected = true;
    up->local.addr = jr_addr_is_any(up->bound) ? rt.src : up->bound;
    jr_list_push_head(flow_bucket(up->udp, &up->local, remote), &up->flow_link);
    return 0;
}

struct jr_udpcb *jr_udp_pcb_connected(struct jr_udp *udp, const struct jr_endpoint *local,
                                      const struct jr_endpoint *remote)
{
    JR_LIST_EACH(n, flow_bucket(udp, local, remote)) {
        struct jr_udpcb *up = JR_LIST_ENTRY(n, struct jr_udpcb, flow_link);
        if (up->local.port == local->port && up->remote.port == remote->port &&
            jr_addr_eq(up->local.addr, local->addr) && jr_addr_eq(up->remote.addr, remote->addr))
            return up;
    }
    return NULL;
}

unsigned jr_udp_pcb_score(const struct jr_udpcb *up, const struct jr_endpoint *local, const struct jr_endpoint *remote)
{
    unsigned score = 1;

    if (up->local.port != local->port)
        return 0;
    if (!jr_addr_is_any(up->local.addr)) {
        if (!jr_addr_eq(up->local.addr, local->addr))
            return 0;
        score += 2;
    } else if (!covers(up->local.addr, up->flags, local->addr)) {
        return 0;
    } else if (is_any6(up->local.addr) != jr_addr_is_v4(local->addr)) {
        score += 1; /* the wildcard of its own family */
    }
    if (up->connected && !jr_addr_eq(up->remote.addr, remote->addr))
        return 0;
    if (up->connected && up->remote.port && up->remote.port != remote->port)
        return 0;
    return score;
}

/* Among sockets that share a port by REUSEPORT and fit equally well, the flow chooses (socket(7)). */
static struct jr_udpcb *spread(struct jr_udp *udp, unsigned score, uint32_t count, const struct jr_endpoint *local,
                               const struct jr_endpoint *remote)
{
    uint32_t pick = (uint32_t)(jr_hash_flow(local->addr, local->port, remote->addr, remote->port, ~udp->seed) % count);

    JR_LIST_EACH(n, jr_udp_port_bucket(udp, local->port)) {
        struct jr_udpcb *up = of_port_link(n);
        if (up->flags & JR_UDP_BIND_REUSEPORT && jr_udp_pcb_score(up, local, remote) == score && pick-- == 0)
            return up;
    }
    return NULL;
}

struct jr_udpcb *jr_udp_pcb_lookup(struct jr_udp *udp, const struct jr_endpoint *local,
                                   const struct jr_endpoint *remote)
{
    struct jr_udpcb *best = jr_udp_pcb_connected(udp, local, remote);
    unsigned best_score = 0;
    uint32_t sharing = 0;

    if (best)
        return best;
    JR_LIST_EACH(n, jr_udp_port_bucket(udp, local->port)) {
        struct jr_udpcb *up = of_port_link(n);
        const unsigned score = jr_udp_pcb_score(up, local, remote);
        if (score > best_score) { /* among equals the latest, which is the first in the list */
            sharing = 0;
            best = up;
            best_score = score;
        }
        if (score && score == best_score && up->flags & JR_UDP_BIND_REUSEPORT)
            sharing++;
    }
    if (best && best->flags & JR_UDP_BIND_REUSEPORT && sharing > 1)
        return spread(udp, best_score, sharing, local, remote);
    return best;
}

bool jr_udp_is_bound(struct jr_udp *udp, const struct jr_endpoint *ep)
{
    JR_LIST_EACH(n, jr_udp_port_bucket(udp, ep->port)) {
        const struct jr_udpcb *up = of_port_link(n);
        if (jr_udp_pcb_score(up, ep, up->connected ? &up->remote : ep))
            return true;
    }
    return false;
}
