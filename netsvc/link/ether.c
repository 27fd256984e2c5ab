/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet framing (RFC 894), both ways. */
#include "link/neigh.h"

#include <errno.h>

#include "wire/ether.h"

/* Nothing is around a looped packet. */
static void loop_input(struct jr_netif *ifp, struct jr_pkt *pkt, jr_time now)
{
    pkt->l3_off = (uint16_t)pkt->off;
    if (*jr_pkt_data(pkt) >> 4 == 6)
        ifp->l3.input6(ifp->l3.ctx, ifp, pkt, false, now);
    else
        ifp->l3.input(ifp->l3.ctx, ifp, pkt, false, now);
}

void jr_ether_input(struct jr_netif *ifp, struct jr_pkt *pkt, jr_time now)
{
    if (ifp->loopback) {
        loop_input(ifp, pkt, now);
        return;
    }
    struct jr_ether eth;
    const enum jr_counter bad = jr_ether_parse(jr_pkt_data(pkt), pkt->len, &eth);
    bool group;

    if (JR_UNLIKELY(bad != JR_WIRE_OK)) {
        jr_drop(ifp->counters, pkt, bad);
        return;
    }
    if (JR_UNLIKELY(!ifp->up)) {
        jr_drop(ifp->counters, pkt, JR_C_LINK_DOWN);
        return;
    }
    if (JR_UNLIKELY((eth.vid ? eth.vid : jr_pkt_rx_vid(pkt->flags)) != ifp->vlan)) {
        jr_drop(ifp->counters, pkt, JR_C_ETHER_VLAN);
        return;
    }
    group = jr_ether_is_group(eth.dst);
    if (!group && !jr_ether_eq(eth.dst, ifp->mac)) {
        jr_drop(ifp->counters, pkt, JR_C_ETHER_NOT_FOR_US);
        return;
    }
    jr_pkt_pull(pkt, eth.hlen);
    pkt->l3_off = (uint16_t)pkt->off;
    if (JR_LIKELY(eth.type == JR_ETHERTYPE_IPV4)) {
        ifp->l3.input(ifp->l3.ctx, ifp, pkt, group, now);
    } else if (eth.type == JR_ETHERTYPE_IPV6) {
        ifp->l3.input6(ifp->l3.ctx, ifp, pkt, group, now);
    } else if (eth.type == JR_ETHERTYPE_ARP) {
        jr_arp_input(ifp, pkt, now);
        jr_pkt_free(pkt);
    } else {
        jr_drop(ifp->counters, pkt, JR_C_ETHER_UNKNOWN_TYPE);
    }
}

int jr_ether_output(struct jr_netif *ifp, struct jr_pkt *pkt, struct jr_addr next_hop, bool group, jr_time now)
{
    struct jr_ether_addr mac;
    uint16_t type;
    uint8_t *p;
    int err;

    if (JR_UNLIKELY(!ifp->up)) {
        jr_drop(ifp->counters, pkt, JR_C_LINK_DOWN);
        return -ENETDOWN;
    }
    if (JR_UNLIKELY(pkt->len > ifp->mtu && !(pkt->flags & JR_PKT_TX_TSO))) {
        jr_drop(ifp->counters, pkt, JR_C_LINK_TX_TOO_BIG);
        return -EMSGSIZE;
    }
    if (ifp->loopback)
        return jr_netif_tx(ifp, pkt, now);
    if (JR_UNLIKELY(group)) {
        const bool multicast = !jr_addr_is_v4(next_hop) || (next_hop.b[12] & 0xf0) == 0xe0;
        mac = multicast ? jr_ether_multicast(next_hop) : jr_ether_broadcast();
    } else {
        const struct jr_ether_addr *known = jr_neigh_resolve(ifp, next_hop, pkt, now, &err);
        if (!known)
            return err;
        mac = *known;
    }
    type = *jr_pkt_data(pkt) >> 4 == 6 ? JR_ETHERTYPE_IPV6 : JR_ETHERTYPE_IPV4;
    p = jr_pkt_push(pkt, JR_ETHER_HLEN);
    if (JR_UNLIKELY(!p)) {
        jr_drop(ifp->counters, pkt, JR_C_ETHER_NO_HEADROOM);
        return -ENOBUFS;
    }
    jr_ether_build(p, mac, ifp->mac, type);
    return jr_netif_tx(ifp, pkt, now);
}
