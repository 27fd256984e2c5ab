/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/netif.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/nd6.h"
#include "link/neigh.h"
#include "wire/ether.h"

void jr_link_config_defaults(struct jr_link_config *cfg) { *cfg = (struct jr_link_config){JR_SYSCTL_LINK_DEFAULTS}; }

static const struct jr_link_config defaults = {JR_SYSCTL_LINK_DEFAULTS};

struct jr_netif *jr_netif_new(struct jr_dev *dev, struct jr_counters *counters, struct jr_rng *rng)
{
    struct jr_netif *ifp = calloc(1, sizeof *ifp);

    if (!ifp)
        return NULL;
    ifp->dev = dev;
    ifp->cfg = &defaults;
    ifp->counters = counters;
    ifp->rng = rng;
    ifp->mac = dev->mac;
    ifp->mtu = dev->mtu;
    ifp->up = true;
    ifp->neigh = jr_neigh_table_new(jr_rng_u64(rng));
    ifp->nd6 = jr_nd6_new(rng);
    if (!ifp->neigh || !ifp->nd6) {
        if (ifp->neigh)
            jr_neigh_table_free(ifp->neigh);
        if (ifp->nd6)
            jr_nd6_free(ifp->nd6);
        free(ifp);
        return NULL;
    }
    return ifp;
}

static void txq_purge(struct jr_netif *ifp)
{
    for (unsigned i = 0; i < ifp->n_txq; i++)
        jr_pkt_free(ifp->txq[i]);
    ifp->n_txq = 0;
}

void jr_netif_free(struct jr_netif *ifp)
{
    txq_purge(ifp);
    jr_neigh_table_free(ifp->neigh);
    jr_nd6_free(ifp->nd6);
    free(ifp->addrs);
    free(ifp->probed);
    free(ifp);
}

void jr_netif_set_up(struct jr_netif *ifp, bool up)
{
    if (!up) {
        jr_count_n(ifp->counters, JR_C_LINK_DOWN, ifp->n_txq);
        txq_purge(ifp);
        jr_neigh_flush(ifp);
    }
    ifp->up = up;
}

void jr_netif_set_mtu(struct jr_netif *ifp, uint32_t mtu) { ifp->mtu = mtu; }
void jr_netif_set_mac(struct jr_netif *ifp, struct jr_ether_addr mac) { ifp->mac = mac; }

static struct jr_netif_addr *find_addr(const struct jr_netif *ifp, struct jr_addr addr)
{
    for (unsigned i = 0; i < ifp->n_addrs; i++) {
        if (jr_addr_eq(ifp->addrs[i].addr, addr))
            return &ifp->addrs[i];
    }
    return NULL;
}

const struct jr_netif_addr *jr_netif_addr_find(const struct jr_netif *ifp, struct jr_addr addr)
{
    return find_addr(ifp, addr);
}

int jr_netif_addr_add(struct jr_netif *ifp, const struct jr_netif_addr *addr)
{
    struct jr_netif_addr *a = find_addr(ifp, addr->addr);

    if (!a) {
        struct jr_netif_addr *grown = realloc(ifp->addrs, (ifp->n_addrs + 1) * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        ifp->addrs = grown;
        a = &grown[ifp->n_addrs++];
    }
    *a = *addr;
    return 0;
}

int jr_netif_addr_del(struct jr_netif *ifp, struct jr_addr addr)
{
    struct jr_netif_addr *a = find_addr(ifp, addr);

    if (!a)
        return -EADDRNOTAVAIL;
    ifp->n_addrs--;
    memmove(a, a + 1, (size_t)(ifp->addrs + ifp->n_addrs - a) * sizeof *a);
    return 0;
}

void jr_netif_set_vlan(struct jr_netif *ifp, uint16_t vid) { ifp->vlan = vid; }

static bool tag(struct jr_netif *ifp, struct jr_pkt *frame)
{
    uint8_t *p = jr_pkt_push(frame, JR_ETHER_TAG);

    if (!p) {
        jr_drop(ifp->counters, frame, JR_C_ETHER_NO_HEADROOM);
        return false;
    }
    jr_ether_tag(p, ifp->vlan);
    return true;
}

int jr_netif_tx(struct jr_netif *ifp, struct jr_pkt *frame, jr_time now)
{
    if (JR_UNLIKELY(ifp->vlan) && !tag(ifp, frame))
        return -ENOBUFS;
    if (JR_UNLIKELY(ifp->n_txq == JR_NETIF_TXQ) && jr_netif_flush(ifp, now) == JR_NETIF_TXQ) {
        jr_drop(ifp->counters, frame, JR_C_LINK_TX_FULL);
        return -ENOBUFS;
    }
    ifp->txq[ifp->n_txq++] = frame;
    return 0;
}

unsigned jr_netif_flush(struct jr_netif *ifp, jr_time now)
{
    unsigned sent;

    if (ifp->n_txq == 0)
        return 0;
    sent = ifp->dev->ops->tx_burst(ifp->dev, ifp->txq, ifp->n_txq, now);
    ifp->n_txq -= sent;
    if (ifp->n_txq)
        memmove(ifp->txq, ifp->txq + sent, ifp->n_txq * sizeof ifp->txq[0]);
    return ifp->n_txq;
}
