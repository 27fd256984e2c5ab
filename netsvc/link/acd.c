/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/acd.h"

#include <errno.h>
#include <stdlib.h>

#include "link/neigh.h"

/* RFC 5227 1.1 */
#define PROBE_WAIT (1 * JR_SEC)
#define PROBE_MIN (1 * JR_SEC)
#define PROBE_MAX (2 * JR_SEC)
#define ANNOUNCE_WAIT (2 * JR_SEC)

bool jr_acd_wanted(const struct jr_netif *ifp) { return ifp->cfg->arp_dad_count > 0 && !ifp->hooks.neigh_ask; }

static struct jr_acd_addr *find(const struct jr_netif *ifp, struct jr_addr addr)
{
    for (unsigned i = 0; i < ifp->n_probed; i++) {
        if (jr_addr_eq(ifp->probed[i].a.addr, addr))
            return &ifp->probed[i];
    }
    return NULL;
}

int jr_acd_start(struct jr_netif *ifp, const struct jr_netif_addr *a, bool connected, jr_time now)
{
    struct jr_acd_addr *p = find(ifp, a->addr);

    if (!p) {
        struct jr_acd_addr *grown = realloc(ifp->probed, (ifp->n_probed + 1) * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        ifp->probed = grown;
        p = &grown[ifp->n_probed++];
        p->left = (uint8_t)ifp->cfg->arp_dad_count;
        p->at = now + jr_rng_below(ifp->rng, PROBE_WAIT);
    }
    p->a = *a;
    p->connected = connected;
    ifp->neigh->next_tick = jr_min_u64(ifp->neigh->next_tick, p->at);
    return 0;
}

static void forget(struct jr_netif *ifp, struct jr_acd_addr *p) { *p = ifp->probed[--ifp->n_probed]; }

int jr_acd_stop(struct jr_netif *ifp, struct jr_addr addr)
{
    struct jr_acd_addr *p = find(ifp, addr);

    if (!p)
        return -EADDRNOTAVAIL;
    forget(ifp, p);
    return 0;
}

/* RFC 5227 2.1.1: somebody has it, or wants it at the same time. */
void jr_acd_heard(struct jr_netif *ifp, const struct jr_arp *arp)
{
    const bool probe = arp->op == JR_ARP_REQUEST && jr_addr_is_any(arp->spa);
    struct jr_acd_addr *p = find(ifp, probe ? arp->tpa : arp->spa);

    if (!p)
        return;
    jr_count(ifp->counters, JR_C_ARP_DUPLICATE);
    forget(ifp, p);
}

/* One probe, or the end. false: the address is no longer probed for. */
static bool go_on(struct jr_netif *ifp, struct jr_acd_addr *p, jr_time now)
{
    const struct jr_acd_addr done = *p;

    if (!ifp->up) {
        p->at = now + PROBE_MIN;
        return true;
    }
    if (p->left == 0) {
        forget(ifp, p);
        ifp->l3.addr4_ready(ifp->l3.ctx, ifp, &done.a, done.connected, now);
        return false;
    }
    jr_arp_probe(ifp, p->a.addr, now);
    p->left--;
    p->at = now + (p->left ? PROBE_MIN + jr_rng_below(ifp->rng, PROBE_MAX - PROBE_MIN) : ANNOUNCE_WAIT);
    return true;
}

jr_time jr_acd_tick(struct jr_netif *ifp, jr_time now)
{
    jr_time next = JR_TIME_NEVER;

    for (unsigned i = 0; i < ifp->n_probed;) {
        struct jr_acd_addr *p = &ifp->probed[i];
        if (now >= p->at && !go_on(ifp, p, now))
            continue;
        next = jr_min_u64(next, ifp->probed[i].at);
        i++;
    }
    return next;
}
