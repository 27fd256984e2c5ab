/* SPDX-License-Identifier: BSD-3-Clause */
/* The stack as an object: its life, its ports, its routes and its clock. */
#include "ip/ip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "ip/stack6.h"
#include "link/loopif.h"
#include "link/neigh.h"
#include "wire/icmp.h"

enum { ZONE_OWN = 0xff00 };

void jr_ip_config_defaults(struct jr_ip_config *cfg) { *cfg = (struct jr_ip_config){JR_SYSCTL_IP_DEFAULTS}; }

struct jr_ip_config *jr_ip_config(struct jr_ip *ip) { return &ip->cfg; }

static void init6(struct jr_ip *ip)
{
    const struct jr_ip_config *cfg = &ip->cfg;
    const uint64_t seed = jr_siphash(cfg->secret, "reass6", 6) ^ jr_rng_u64(ip->rng);

    jr_reass_init(&ip->reass6, ip->counters, cfg, seed);
    ip->reass6.datagrams_max = cfg->ip6_maxfragpackets;
    ip->reass6.bytes_max = cfg->ip6_maxfragbytes;
    ip->reass6.frags_max = cfg->ip6_maxfragsperpacket;
    ip->reass6.timeout = JR_REASS6_TIMEOUT;
    for (unsigned i = 0; i < JR_IP_IDS; i++)
        ip->ids6[i] = jr_rng_u32(ip->rng);
}

struct jr_ip *jr_ip_new(struct jr_counters *counters, struct jr_rng *rng, const struct jr_ip_config *cfg)
{
    struct jr_ip *ip = calloc(1, sizeof *ip);

    if (!ip)
        return NULL;
    ip->counters = counters;
    ip->rng = rng;
    if (cfg)
        ip->cfg = *cfg;
    else
        jr_ip_config_defaults(&ip->cfg);
    ip->local.seed = jr_siphash(ip->cfg.secret, "local", 5);
    ip->pmtu.seed = jr_siphash(ip->cfg.secret, "pmtu", 4) ^ jr_rng_u64(rng);
    jr_mcast_init(ip);
    jr_reass_init(&ip->reass, counters, &ip->cfg, jr_siphash(ip->cfg.secret, "reass", 5) ^ jr_rng_u64(rng));
    for (unsigned i = 0; i < 2 * JR_IP_IDS; i++)
        ip->ids[i / JR_IP_IDS][i % JR_IP_IDS] = (uint16_t)jr_rng_u32(rng);
    init6(ip);
    return ip;
}

void jr_ip_free(struct jr_ip *ip)
{
    while (ip->n_netifs)
        jr_ip_netif_del(ip, ip->netifs[ip->n_netifs - 1]);
    jr_mcast_fini(ip);
    jr_reass_fini(&ip->reass);
    jr_reass_fini(&ip->reass6);
    free(ip->rtr);
    jr_route_table_fini(&ip->routes);
    free(ip->local.slots);
    free(ip);
}

void jr_ip_set_shared(struct jr_ip *ip, bool shared) { ip->cfg.shared = shared; }
bool jr_ip_is_shared(const struct jr_ip *ip) { return ip->cfg.shared; }

bool jr_ip_is_kernels(const struct jr_ip *ip, const struct jr_ip_rx *rx) { return ip->cfg.shared && !rx->loop; }

struct jr_counters *jr_ip_counters(struct jr_ip *ip) { return ip->counters; }
struct jr_rng *jr_ip_rng(const struct jr_ip *ip) { return ip->rng; }
jr_time jr_ip_now(const struct jr_ip *ip) { return ip->now; }
struct jr_netif *jr_ip_netif_of(const struct jr_ip *ip, struct jr_addr addr) { return jr_ip_local_find(ip, addr); }
uint8_t jr_ip_ttl(const struct jr_ip *ip) { return ip->cfg.ttl; }
uint32_t jr_ip_generation(const struct jr_ip *ip) { return ip->generation; }

void jr_ip_set_proto(struct jr_ip *ip, uint8_t proto, const struct jr_ip_proto *ops) { ip->protos[proto] = *ops; }

struct jr_netif *jr_ip_netif_by_index(const struct jr_ip *ip, uint32_t ifindex)
{
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        if (ip->netifs[i]->ifindex == ifindex)
            return ip->netifs[i];
    }
    return ip->lo && ip->lo->ifindex == ifindex ? ip->lo : NULL;
}

static struct jr_netif_l3 l3_of(struct jr_ip *ip)
{
    return (struct jr_netif_l3){
        .ctx = ip,
        .input = jr_ip_on_packet,
        .input6 = jr_ip6_on_packet,
        .addr4_ready = jr_ip_addr4_ready,
        .addr6_changed = jr_ip6_addr_changed,
        .router_gone = jr_nd6_rtr_gone,
        .neigh_silent = jr_nd6_rtr_silent,
        .unresolved = jr_icmp_on_unresolved,
    };
}

int jr_ip_netif_add(struct jr_ip *ip, struct jr_netif *ifp)
{
    if (ip->n_netifs == JR_IP_NETIFS)
        return -ENOSPC;
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        if (ip->netifs[i] == ifp)
            return -EEXIST;
    }
    ifp->l3 = l3_of(ip);
    /* where the kernel gave no number: one that none of its interfaces has */
    jr_nd6_set_zone(ifp, ifp->ifindex && ifp->ifindex < ZONE_OWN ? (uint16_t)ifp->ifindex
                                                                 : (uint16_t)(ZONE_OWN + ip->zones++));
    ifp->nd6->dad_count = ip->cfg.ip6_dad_count;
    ip->netifs[ip->n_netifs++] = ifp;
    return jr_ip_local_rebuild(ip);
}

static bool route_of_netif(const void *ctx, const struct jr_route *r) { return r->conf.ifp == ctx; }

static void drop_packet(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, bool group, jr_time now)
{
    (void)ctx, (void)group, (void)now;
    jr_drop(ifp->counters, pkt, JR_C_LINK_DOWN);
}

void jr_ip_netif_del(struct jr_ip *ip, struct jr_netif *ifp)
{
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        if (ip->netifs[i] != ifp)
            continue;
        memmove(&ip->netifs[i], &ip->netifs[i + 1], (ip->n_netifs - i - 1) * sizeof ip->netifs[0]);
        ip->n_netifs--;
        jr_mcast_netif_gone(ip, ifp);
        jr_route_table_prune(&ip->routes, route_of_netif, ifp);
        jr_nd6_rtr_forget(ip, ifp);
        ifp->l3 = (struct jr_netif_l3){.input = drop_packet, .input6 = drop_packet};
        if (jr_ip_local_rebuild(ip) != 0) {
            ip->local.mask = 0; /* without memory: better no address than one of a port that is gone */
            ip->generation++;
        }
        return;
    }
}

int jr_ip_route_add(struct jr_ip *ip, const struct jr_ip_route_conf *route)
{
    const int err = jr_route_table_add(&ip->routes, route, false);

    if (err == 0)
        ip->generation++;
    return err;
}

int jr_ip_route_del(struct jr_ip *ip, struct jr_addr dst, uint8_t plen, uint32_t metric)
{
    const int err = jr_route_table_del(&ip->routes, dst, plen, metric);

    if (err == 0)
        ip->generation++;
    return err;
}

int jr_ip_set_loop(struct jr_ip *ip, struct jr_netif *lo, jr_time now)
{
    const struct jr_addr self = jr_addr_v4(jr_be32(0x7f000001)), all = jr_addr_v4(jr_be32(0x7fffffff));
    const struct jr_netif_addr a = {.addr = self, .bcast = all, .plen = 8, .announce_at = JR_TIME_NEVER};

    (void)now;
    if (jr_netif_addr_add(lo, &a) != 0)
        return -ENOMEM;
    lo->l3 = l3_of(ip);
    jr_nd6_set_zone(lo, (uint16_t)lo->ifindex);
    ip->lo = lo;
    ip->generation++;
    return 0;
}

/* Of both families: they are not announced, and no route leads to their subnets. */
int jr_ip_loop_addr_add(struct jr_ip *ip, struct jr_addr addr)
{
    const struct jr_netif_addr a = {.addr = addr, .plen = 32, .announce_at = JR_TIME_NEVER};
    const int err = jr_netif_addr_add(ip->lo, &a);

    return err ? err : jr_ip_local_rebuild(ip);
}

int jr_ip_loop_addr_del(struct jr_ip *ip, struct jr_addr addr)
{
    const int err = jr_netif_addr_del(ip->lo, addr);

    return err ? err : jr_ip_local_rebuild(ip);
}

enum { LOOP_MAX = 8192 }; /* packets in one go: the wire and the programs are waiting, too */

unsigned jr_ip_run_loop(struct jr_ip *ip, jr_time now) { return ip->lo ? jr_loopif_run(ip->lo, LOOP_MAX, now) : 0; }

void jr_ip_input(struct jr_netif *ifp, struct jr_pkt *frame, jr_time now) { jr_ether_input(ifp, frame, now); }

void jr_ip_flush(struct jr_ip *ip, jr_time now)
{
    for (unsigned i = 0; i < ip->n_netifs; i++)
        jr_netif_flush(ip->netifs[i], now);
}

jr_time jr_ip_next_tick(const struct jr_ip *ip)
{
    jr_time next = jr_min_u64(jr_reass_next_tick(&ip->reass), ip->mcast.next_tick);

    for (unsigned i = 0; i < ip->n_netifs; i++)
        next = jr_min_u64(next, jr_min_u64(jr_neigh_next_tick(ip->netifs[i]), jr_nd6_next_tick(ip->netifs[i])));
    return jr_min_u64(next, jr_min_u64(jr_reass_next_tick(&ip->reass6), jr_nd6_rtr_next_tick(ip)));
}

static void on_reass_expired(void *ctx, const uint8_t *quote, uint32_t quote_len, jr_time now)
{
    /* RFC 1122 3.3.2: time exceeded, if fragment zero came */
    jr_icmp_error(ctx, JR_ICMP_TIME_EXCEEDED, JR_ICMP_TIME_REASS, 0, quote, quote_len, now);
}

/* RFC 8200 4.5 */
static void on_reass6_expired(void *ctx, const uint8_t *quote, uint32_t quote_len, jr_time now)
{
    const struct jr_icmp6 icmp = {.type = JR_ICMP6_TIME_EXCEEDED, .code = JR_ICMP6_TIME_REASS};
    struct jr_ip *ip = ctx;

    for (unsigned i = 0; i < ip->n_netifs; i++) { /* the one whose address it was sent to */
        struct jr_addr dst;
        memcpy(dst.b, quote + 24, sizeof dst.b);
        if (jr_ip_local_find(ip, jr_ipv6_set_zone(dst, ip->netifs[i]->nd6->zone)) == ip->netifs[i]) {
            jr_icmp6_error(ip, ip->netifs[i], &icmp, quote, quote_len, now);
            return;
        }
    }
}

void jr_ip_tick(struct jr_ip *ip, jr_time now)
{
    ip->now = now;
    jr_mcast_tick(ip, now);
    jr_reass_tick(&ip->reass, now, on_reass_expired, ip);
    jr_reass_tick(&ip->reass6, now, on_reass6_expired, ip);
    for (unsigned i = 0; i < ip->n_netifs; i++) {
        jr_neigh_tick(ip->netifs[i], now);
        jr_nd6_tick(ip->netifs[i], now);
    }
    jr_nd6_rtr_tick(ip, now);
}
