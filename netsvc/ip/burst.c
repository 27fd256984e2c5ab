/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bursts of packets. With many connections each packet needs memory that no cache holds; before the first one is read
 * the protocol is told of all, so that it can ask for that memory while it is not needed yet.
 */
#include "base/byteorder.h"
#include "ip/stack.h"

#define IPPROTO_TCP_ 6
#define ETHER 14u

/* A TCP segment in an untagged frame without IP options: nearly every one. */
static bool peek(const struct jr_pkt *pkt, struct jr_ip_hint *h)
{
    const uint8_t *p = jr_pkt_data(pkt);
    const uint8_t *l4;
    if (pkt->len >= ETHER + 40 && p[12] == 0x08 && p[13] == 0 && p[ETHER] == 0x45 && p[ETHER + 9] == IPPROTO_TCP_) {
        h->src = jr_addr_v4(jr_load_raw32(p + ETHER + 12));
        h->dst = jr_addr_v4(jr_load_raw32(p + ETHER + 16));
        l4 = p + ETHER + 20;
    } else if (pkt->len >= ETHER + 60 && p[12] == 0x86 && p[13] == 0xdd && p[ETHER + 6] == IPPROTO_TCP_) {
        memcpy(h->src.b, p + ETHER + 8, 16);
        memcpy(h->dst.b, p + ETHER + 24, 16);
        l4 = p + ETHER + 40;
    } else {
        return false;
    }
    h->sport = jr_load_be16(l4);
    h->dport = jr_load_be16(l4 + 2);
    return true;
}

static void foretell(struct jr_ip *ip, struct jr_pkt **frames, unsigned n)
{
    const struct jr_ip_proto *tcp = &ip->protos[IPPROTO_TCP_];
    struct jr_ip_hint hints[JR_IP_BURST];
    unsigned k = 0;
    if (tcp->prefetch == NULL)
        return;
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(jr_pkt_data(frames[i]));
    for (unsigned i = 0; i < n; i++)
        k += peek(frames[i], &hints[k]);
    tcp->prefetch(tcp->ctx, hints, k);
}

void jr_ip_input_burst(struct jr_ip *ip, struct jr_netif *ifp, struct jr_pkt **frames, unsigned n, jr_time now)
{
    if (n > 1)
        foretell(ip, frames, n < JR_IP_BURST ? n : JR_IP_BURST);
    for (unsigned i = 0; i < n; i++)
        jr_ip_input(ifp, frames[i], now);
}
