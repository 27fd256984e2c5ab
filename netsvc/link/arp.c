/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP (RFC 826), address conflicts (RFC 5227). */
#include "link/acd.h"
#include "link/neigh.h"
#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#define DEFEND_INTERVAL (10 * JR_SEC)
#define ANNOUNCE_INTERVAL (2 * JR_SEC) /* RFC 5227 1.1 */

static void arp_send(struct jr_netif *ifp, const struct jr_arp *arp, struct jr_ether_addr to, jr_time now)
{
    struct jr_pkt *pkt = jr_pkt_new(ifp->dev->tx_pool);
    uint8_t *p;

    if (!pkt) {
        jr_count(ifp->counters, JR_C_BASE_NOBUF);
        return;
    }
    p = jr_pkt_put(pkt, JR_ETHER_HLEN + JR_ARP_LEN);
    if (!p) {
        jr_drop(ifp->counters, pkt, JR_C_BASE_NOBUF);
        return;
    }
    jr_ether_build(p, to, ifp->mac, JR_ETHERTYPE_ARP);
    jr_arp_build(p + JR_ETHER_HLEN, arp);
    jr_count(ifp->counters, arp->op == JR_ARP_REQUEST ? JR_C_ARP_TX_REQUEST : JR_C_ARP_TX_REPLY);
    (void)jr_netif_tx(ifp, pkt, now);
}

static bool in_subnet(const struct jr_netif_addr *a, struct jr_addr addr)
{
    const uint32_t mask = a->plen ? jr_be32(~0u << (32 - a->plen)) : 0;

    return ((a->addr.w[3] ^ addr.w[3]) & mask) == 0;
}

/* The address to ask with: of the target's subnet, else any, else none. */
static struct jr_addr asking_addr(const struct jr_netif *ifp, struct jr_addr target)
{
    for (unsigned i = 0; i < ifp->n_addrs; i++) {
        if (in_subnet(&ifp->addrs[i], target))
            return ifp->addrs[i].addr;
    }
    return ifp->n_addrs ? ifp->addrs[0].addr : jr_addr_v4(0);
}

void jr_arp_request(struct jr_netif *ifp, struct jr_addr addr, const struct jr_ether_addr *to, jr_time now)
{
    const struct jr_arp arp = {
        .op = JR_ARP_REQUEST,
        .sha = ifp->mac,
        .spa = asking_addr(ifp, addr),
        .tpa = addr,
    };

    arp_send(ifp, &arp, to ? *to : jr_ether_broadcast(), now);
}

void jr_arp_probe(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    const struct jr_arp arp = {.op = JR_ARP_REQUEST, .sha = ifp->mac, .spa = jr_addr_v4(0), .tpa = addr};

    arp_send(ifp, &arp, jr_ether_broadcast(), now);
}

void jr_arp_announce(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    const struct jr_arp arp = {.op = JR_ARP_REQUEST, .sha = ifp->mac, .spa = addr, .tpa = addr};

    if (ifp->up && !ifp->hooks.neigh_ask)
        arp_send(ifp, &arp, jr_ether_broadcast(), now);
}

static void next_announcement(struct jr_netif *ifp, struct jr_netif_addr *a, jr_time now)
{
    /* RFC 5227 2.3: twice, where one probes */
    const unsigned repeats = jr_max_u32(ifp->cfg->garp_rexmit_count, jr_acd_wanted(ifp) ? 1 : 0);

    if (a->announced == 0 || a->announced > repeats || !ifp->up || ifp->hooks.neigh_ask) {
        a->announce_at = JR_TIME_NEVER;
        return;
    }
    a->announce_at = now + (ANNOUNCE_INTERVAL << (a->announced - 1));
    ifp->neigh->next_tick = jr_min_u64(ifp->neigh->next_tick, a->announce_at);
}

void jr_arp_announce_new(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    jr_arp_announce(ifp, addr, now);
    for (unsigned i = 0; i < ifp->n_addrs; i++) {
        struct jr_netif_addr *a = &ifp->addrs[i];
        if (!jr_addr_eq(a->addr, addr))
            continue;
        a->announced = 1;
        next_announcement(ifp, a, now);
    }
}

jr_time jr_arp_tick(struct jr_netif *ifp, jr_time now)
{
    jr_time next = jr_acd_tick(ifp, now);

    for (unsigned i = 0; i < ifp->n_addrs; i++) {
        struct jr_netif_addr *a = &ifp->addrs[i];
        if (a->announced && now >= a->announce_at) {
            jr_arp_announce(ifp, a->addr, now);
            a->announced++;
            next_announcement(ifp, a, now);
        }
        if (a->announced)
            next = jr_min_u64(next, a->announce_at);
    }
    return next;
}

static void on_conflict(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    jr_count(ifp->counters, JR_C_ARP_CONFLICT);
    if (ifp->defended == 0 || now - ifp->defended >= DEFEND_INTERVAL) {
        ifp->defended = now;
        jr_arp_announce(ifp, addr, now);
    }
}

static void on_request(struct jr_netif *ifp, const struct jr_arp *req, jr_time now)
{
    const struct jr_arp reply = {
        .op = JR_ARP_REPLY,
        .sha = ifp->mac,
        .tha = req->sha,
        .spa = req->tpa,
        .tpa = req->spa,
    };

    jr_count(ifp->counters, JR_C_ARP_RX_REQUEST);
    if (!ifp->hooks.neigh_ask)
        arp_send(ifp, &reply, req->sha, now);
}

/* Nobody may speak as such an address; the wildcard only probes. */
static bool sender_possible(const struct jr_netif *ifp, const struct jr_arp *arp)
{
    for (unsigned i = 0; i < ifp->n_addrs; i++) {
        if (jr_addr_eq(ifp->addrs[i].bcast, arp->spa) && !jr_addr_is_any(arp->spa))
            return false;
    }
    return !jr_ether_is_group(arp->sha) && (jr_ipv4_is_host(arp->spa) || jr_addr_is_any(arp->spa));
}

void jr_arp_input(struct jr_netif *ifp, const struct jr_pkt *pkt, jr_time now)
{
    struct jr_arp arp;
    const enum jr_counter bad = jr_arp_parse(jr_pkt_data(pkt), pkt->len, &arp);
    bool for_us, known;

    jr_count(ifp->counters, JR_C_ARP_RX);
    if (bad != JR_WIRE_OK) {
        jr_count(ifp->counters, bad);
        return;
    }
    if (jr_ether_eq(arp.sha, ifp->mac)) {
        jr_count(ifp->counters, JR_C_ARP_IGNORED); /* our own, reflected */
        return;
    }
    if (!sender_possible(ifp, &arp)) {
        jr_count(ifp->counters, JR_C_ARP_BAD);
        return;
    }
    jr_acd_heard(ifp, &arp);
    if (jr_netif_addr_find(ifp, arp.spa)) {
        on_conflict(ifp, arp.spa, now);
        return;
    }
    for_us = jr_netif_addr_find(ifp, arp.tpa) != NULL;
    known = jr_neigh_find(ifp->neigh, arp.spa) != NULL;
    if (known && arp.op == JR_ARP_REPLY && for_us)
        jr_count(ifp->counters, JR_C_ARP_RX_REPLY);
    else if (!known && !(for_us && arp.op == JR_ARP_REQUEST))
        jr_count(ifp->counters, JR_C_ARP_IGNORED);
    if (!jr_addr_is_any(arp.spa)) /* a probe (RFC 5227 1.1) says nothing about its sender */
        jr_neigh_heard(ifp, arp.spa, arp.sha, for_us && arp.op == JR_ARP_REPLY, for_us && arp.op == JR_ARP_REQUEST,
                       now);
    if (for_us && arp.op == JR_ARP_REQUEST)
        on_request(ifp, &arp, now);
}
