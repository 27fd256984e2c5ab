/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INCOMPLETE -answer-> REACHABLE -time-> STALE -use-> PROBE -answer-> REACHABLE. PROBE first waits five seconds for a
 * confirmation from above, then asks the known station three times, then becomes INCOMPLETE and asks everybody;
 * INCOMPLETE that gets no answer to so many requests hands back the packets that wait, and is FAILED for a while (IPv4)
 * or forgotten.
 */
#include "link/neigh.h"

#include <errno.h>
#include <stdlib.h>

#include "link/nd6.h"
#include "wire/ether.h"

struct jr_neigh_table *jr_neigh_table_new(uint64_t seed)
{
    struct jr_neigh_table *tbl = calloc(1, sizeof *tbl);

    if (!tbl)
        return NULL;
    tbl->seed = seed;
    tbl->next_tick = JR_TIME_NEVER;
    for (unsigned i = JR_NEIGH_MAX; i-- > 0;) {
        tbl->entries[i].next = tbl->free;
        tbl->free = &tbl->entries[i];
    }
    return tbl;
}

void jr_neigh_table_free(struct jr_neigh_table *tbl)
{
    for (unsigned i = 0; i < JR_NEIGH_MAX; i++)
        jr_pktq_purge(&tbl->entries[i].wait);
    free(tbl);
}

static struct jr_neigh **bucket(struct jr_neigh_table *tbl, struct jr_addr addr)
{
    return &tbl->buckets[jr_hash_addr(addr, tbl->seed) % JR_NEIGH_BUCKETS];
}

/* Takes the entry out of the table and returns what waited for it. */
static struct jr_pktq forget(struct jr_neigh_table *tbl, struct jr_neigh *n)
{
    struct jr_neigh **at = bucket(tbl, n->addr);
    const struct jr_pktq wait = n->wait;

    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    if (tbl->last == n)
        tbl->last = NULL;
    tbl->n_wait -= wait.count;
    *n = (struct jr_neigh){.next = tbl->free};
    tbl->free = n;
    return wait;
}

static void drop_all(struct jr_netif *ifp, struct jr_pktq *q, enum jr_counter why)
{
    for (struct jr_pkt *pkt; (pkt = jr_pktq_pop(q));)
        jr_drop(ifp->counters, pkt, why);
}

/* Room for one more: the entry used longest ago goes. */
static void evict(struct jr_netif *ifp)
{
    struct jr_neigh_table *tbl = ifp->neigh;
    struct jr_neigh *oldest = NULL;

    for (unsigned i = 0; i < JR_NEIGH_MAX; i++) {
        struct jr_neigh *n = &tbl->entries[i];
        if (n->state != JR_NEIGH_NONE && n->state != JR_NEIGH_PERMANENT && (!oldest || n->used < oldest->used))
            oldest = n;
    }
    if (oldest) {
        struct jr_pktq wait = forget(tbl, oldest);
        drop_all(ifp, &wait, JR_C_NEIGH_TABLE_FULL);
    }
}

static struct jr_neigh *create(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    struct jr_neigh_table *tbl = ifp->neigh;
    struct jr_neigh *n;

    if (!tbl->free)
        evict(ifp);
    n = tbl->free;
    if (!n)
        return NULL; /* all are permanent */
    tbl->free = n->next;
    *n = (struct jr_neigh){.addr = addr, .state = JR_NEIGH_INCOMPLETE, .used = now, .timer = JR_TIME_NEVER};
    n->next = *bucket(tbl, addr);
    *bucket(tbl, addr) = n;
    return n;
}

static void set_timer(struct jr_neigh_table *tbl, struct jr_neigh *n, jr_time at)
{
    n->timer = at;
    tbl->next_tick = jr_min_u64(tbl->next_tick, at);
}

/* ARP's knobs are for IPv4; where the kernel resolves, it has its own. */
static unsigned max_tries(const struct jr_netif *ifp, const struct jr_neigh *n)
{
    return jr_addr_is_v4(n->addr) && !ifp->hooks.neigh_ask ? ifp->cfg->arp_maxtries : JR_NEIGH_TRIES;
}

/* When an entry that nobody uses is forgotten. */
static jr_time end_of(const struct jr_netif *ifp, const struct jr_neigh *n)
{
    const bool ages = jr_addr_is_v4(n->addr) && !ifp->hooks.neigh_ask &&
                      (n->state == JR_NEIGH_REACHABLE || n->state == JR_NEIGH_STALE);

    return ages ? n->used + ifp->cfg->arp_max_age * JR_SEC : JR_TIME_NEVER;
}

static void ask(struct jr_netif *ifp, struct jr_neigh *n, jr_time now)
{
    const struct jr_ether_addr mac = n->mac;

    n->tries++;
    n->asked = now;
    set_timer(ifp->neigh, n, now + JR_NEIGH_RETRY);
    if (ifp->hooks.neigh_ask) {
        jr_count(ifp->counters, JR_C_NEIGH_ASKED);
        ifp->hooks.neigh_ask(ifp->hooks.ctx, ifp, n->addr, now);
    } else if (!jr_addr_is_v4(n->addr)) {
        jr_nd6_solicit(ifp, n->addr, n->state == JR_NEIGH_PROBE ? &mac : NULL, now);
    } else {
        jr_arp_request(ifp, n->addr, n->state == JR_NEIGH_PROBE ? &mac : NULL, now);
    }
}

static void wait_for(struct jr_netif *ifp, struct jr_neigh *n, struct jr_pkt *pkt)
{
    struct jr_neigh_table *tbl = ifp->neigh;

    if (n->wait.count >= ifp->cfg->arp_maxhold || (tbl->n_wait >= JR_NEIGH_WAIT_TOTAL && n->wait.count > 0)) {
        tbl->n_wait--;
        jr_drop(ifp->counters, jr_pktq_pop(&n->wait), JR_C_NEIGH_QUEUE_FULL); /* the oldest helps least */
    } else if (tbl->n_wait >= JR_NEIGH_WAIT_TOTAL) {
        jr_drop(ifp->counters, pkt, JR_C_NEIGH_QUEUE_FULL);
        return;
    }
    tbl->n_wait++;
    jr_pktq_push(&n->wait, pkt);
}

/* net.link.ether.inet.wait: whoever sends to one that did not answer hears so at once; it is still asked. */
static void refuse(struct jr_netif *ifp, struct jr_neigh *n, struct jr_pkt *pkt, jr_time now)
{
    jr_drop(ifp->counters, pkt, JR_C_NEIGH_FAILED);
    if (now - n->asked < JR_NEIGH_RETRY)
        return;
    ask(ifp, n, now);
    set_timer(ifp->neigh, n, now + ifp->cfg->arp_wait * JR_SEC);
}

const struct jr_ether_addr *jr_neigh_resolve(struct jr_netif *ifp, struct jr_addr addr, struct jr_pkt *pkt, jr_time now,
                                             int *err)
{
    struct jr_neigh *n = jr_neigh_find(ifp->neigh, addr);

    *err = 0;
    if (!n) {
        n = create(ifp, addr, now);
        if (!n) {
            jr_drop(ifp->counters, pkt, JR_C_NEIGH_TABLE_FULL);
            *err = -ENOBUFS;
            return NULL;
        }
        wait_for(ifp, n, pkt);
        ask(ifp, n, now);
        return NULL;
    }
    n->used = now;
    if (n->state == JR_NEIGH_INCOMPLETE) {
        wait_for(ifp, n, pkt);
        return NULL;
    }
    if (n->state == JR_NEIGH_FAILED) {
        refuse(ifp, n, pkt, now);
        *err = -EHOSTUNREACH;
        return NULL;
    }
    if (n->state == JR_NEIGH_STALE || (n->state == JR_NEIGH_REACHABLE && now >= n->timer)) {
        n->state = JR_NEIGH_PROBE;
        n->tries = 0;
        set_timer(ifp->neigh, n, now + JR_NEIGH_DELAY_FIRST_PROBE);
    }
    return &n->mac;
}

static void send_waiting(struct jr_netif *ifp, struct jr_neigh *n, jr_time now)
{
    struct jr_pktq q = n->wait;
    const struct jr_addr addr = n->addr;

    n->wait = (struct jr_pktq){0};
    ifp->neigh->n_wait -= q.count;
    for (struct jr_pkt *pkt; (pkt = jr_pktq_pop(&q));)
        (void)jr_ether_output(ifp, pkt, addr, false, now); /* owns pkt also when it fails */
}

static void mind_age(struct jr_netif *ifp, const struct jr_neigh *n)
{
    ifp->neigh->next_tick = jr_min_u64(ifp->neigh->next_tick, end_of(ifp, n));
}

static void make_reachable(struct jr_netif *ifp, struct jr_neigh *n, jr_time now)
{
    n->state = JR_NEIGH_REACHABLE;
    n->tries = 0;
    /* no tick needed: the end of trust is seen at the next use */
    n->timer = now + JR_NEIGH_REACHABLE_TIME / 2 + jr_rng_below(ifp->rng, JR_NEIGH_REACHABLE_TIME);
}

void jr_neigh_set(struct jr_netif *ifp, struct jr_addr addr, struct jr_ether_addr mac, enum jr_neigh_state state,
                  jr_time now)
{
    struct jr_neigh *n = jr_neigh_find(ifp->neigh, addr);

    if (state == JR_NEIGH_NONE || state == JR_NEIGH_INCOMPLETE) {
        if (n && (state == JR_NEIGH_NONE || n->wait.count == 0)) {
            struct jr_pktq wait = forget(ifp->neigh, n);
            drop_all(ifp, &wait, JR_C_NEIGH_FAILED);
        }
        return;
    }
    if (!n && !(n = create(ifp, addr, now)))
        return;
    n->mac = mac;
    make_reachable(ifp, n, now);
    if (state == JR_NEIGH_PERMANENT || state == JR_NEIGH_STALE)
        n->state = (uint8_t)state;
    mind_age(ifp, n);
    send_waiting(ifp, n, now);
}

static void hand_back(struct jr_netif *ifp, struct jr_pktq *q, jr_time now)
{
    for (struct jr_pkt *pkt; (pkt = jr_pktq_pop(q));) {
        jr_count(ifp->counters, JR_C_NEIGH_FAILED);
        if (ifp->l3.unresolved)
            ifp->l3.unresolved(ifp->l3.ctx, ifp, pkt, now);
        else
            jr_pkt_free(pkt);
    }
}

void jr_neigh_fail(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    struct jr_neigh *n = jr_neigh_find(ifp->neigh, addr);
    struct jr_pktq q;

    if (!n || n->state == JR_NEIGH_PERMANENT)
        return;
    q = forget(ifp->neigh, n);
    hand_back(ifp, &q, now);
}

/* Nobody answered. The entry stays to say so for a while. */
static void give_up(struct jr_netif *ifp, struct jr_neigh *n, jr_time now)
{
    struct jr_pktq q = n->wait;

    if (ifp->l3.neigh_silent)
        ifp->l3.neigh_silent(ifp->l3.ctx, ifp, n->addr, now);
    if (!jr_addr_is_v4(n->addr) || ifp->hooks.neigh_ask || ifp->cfg->arp_wait == 0) {
        jr_neigh_fail(ifp, n->addr, now);
        return;
    }
    ifp->neigh->n_wait -= q.count;
    n->wait = (struct jr_pktq){0};
    n->state = JR_NEIGH_FAILED;
    set_timer(ifp->neigh, n, now + ifp->cfg->arp_wait * JR_SEC);
    hand_back(ifp, &q, now);
}

void jr_neigh_confirm(struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    struct jr_neigh *n = jr_neigh_find(ifp->neigh, addr);

    if (!n || n->state == JR_NEIGH_INCOMPLETE || n->state == JR_NEIGH_FAILED || n->state == JR_NEIGH_PERMANENT)
        return;
    make_reachable(ifp, n, now);
    mind_age(ifp, n);
}

void jr_neigh_heard(struct jr_netif *ifp, struct jr_addr addr, struct jr_ether_addr mac, bool solicited,
                    bool may_create, jr_time now)
{
    struct jr_neigh *n = jr_neigh_find(ifp->neigh, addr);
    bool moved, fresh;

    if (!n && (!may_create || !(n = create(ifp, addr, now))))
        return;
    if (n->state == JR_NEIGH_PERMANENT)
        return;
    fresh = n->state == JR_NEIGH_INCOMPLETE || n->state == JR_NEIGH_FAILED;
    moved = !fresh && !jr_ether_eq(n->mac, mac);
    if (moved)
        jr_count(ifp->counters, JR_C_NEIGH_MOVED);
    n->mac = mac;
    if (solicited)
        make_reachable(ifp, n, now);
    else if (fresh || moved)
        n->state = JR_NEIGH_STALE; /* it speaks, which does not show that it hears us (RFC 4861 7.2.3) */
    if ((fresh || moved) && ifp->hooks.neigh_learned)
        ifp->hooks.neigh_learned(ifp->hooks.ctx, ifp, addr, mac);
    mind_age(ifp, n);
    send_waiting(ifp, n, now);
}

void jr_neigh_advert(struct jr_netif *ifp, struct jr_addr addr, const struct jr_ether_addr *mac, bool solicited,
                     bool override, jr_time now)
{
    struct jr_neigh *n = jr_neigh_find(ifp->neigh, addr);
    bool differs;

    if (!n || n->state == JR_NEIGH_PERMANENT || (n->state == JR_NEIGH_INCOMPLETE && !mac))
        return;
    differs = mac && n->state != JR_NEIGH_INCOMPLETE && !jr_ether_eq(n->mac, *mac);
    if (differs && !override) {
        if (n->state == JR_NEIGH_REACHABLE)
            n->state = JR_NEIGH_STALE;
        return;
    }
    if (mac)
        jr_neigh_heard(ifp, addr, *mac, solicited, false, now);
    else if (solicited)
        make_reachable(ifp, n, now);
}

void jr_neigh_flush(struct jr_netif *ifp)
{
    for (unsigned i = 0; i < JR_NEIGH_MAX; i++) {
        struct jr_neigh *n = &ifp->neigh->entries[i];
        if (n->state != JR_NEIGH_NONE && n->state != JR_NEIGH_PERMANENT) {
            struct jr_pktq wait = forget(ifp->neigh, n);
            drop_all(ifp, &wait, JR_C_LINK_DOWN);
        }
    }
}

static void entry_tick(struct jr_netif *ifp, struct jr_neigh *n, jr_time now)
{
    if (n->tries >= max_tries(ifp, n)) {
        if (n->state == JR_NEIGH_INCOMPLETE) {
            give_up(ifp, n, now);
            return;
        }
        if (ifp->hooks.neigh_ask) { /* the kernel says so when a neighbour is gone; silence is no news */
            n->state = JR_NEIGH_STALE;
            return;
        }
        n->state = JR_NEIGH_INCOMPLETE;
        n->tries = 0;
    }
    ask(ifp, n, now);
}

void jr_neigh_tick(struct jr_netif *ifp, jr_time now)
{
    struct jr_neigh_table *tbl = ifp->neigh;

    if (now < tbl->next_tick)
        return;
    tbl->next_tick = jr_arp_tick(ifp, now);
    for (unsigned i = 0; i < JR_NEIGH_MAX; i++) {
        struct jr_neigh *n = &tbl->entries[i];
        if (now >= end_of(ifp, n) || (n->state == JR_NEIGH_FAILED && now >= n->timer)) {
            (void)forget(tbl, n); /* known: nothing waits */
            continue;
        }
        tbl->next_tick = jr_min_u64(tbl->next_tick, end_of(ifp, n));
        if (n->state != JR_NEIGH_INCOMPLETE && n->state != JR_NEIGH_PROBE && n->state != JR_NEIGH_FAILED)
            continue;
        if (now >= n->timer)
            entry_tick(ifp, n, now);
        else
            set_timer(tbl, n, n->timer);
    }
}
