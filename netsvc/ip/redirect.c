/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP redirects (RFC 1122 3.2.2.2), where net.inet.icmp.drop_redirect is 0 and the kernel does not keep the routes:
 * another first hop to one host, for a while. Believed only from the router that is used for that host now.
 */
#include <string.h>

#include "ip/stack.h"
#include "link/netif.h"
#include "wire/icmp.h"

#define REDIRECT_TIMEOUT (600 * JR_SEC) /* net.inet.icmp.redirtimeout of older FreeBSDs */
enum { CODE_HOST_TOS = 3 };

struct jr_redirect *jr_redirect_find(struct jr_ip *ip, struct jr_addr dst, jr_time now)
{
    for (unsigned i = 0; i < ip->n_redirects; i++) {
        if (jr_addr_eq(ip->redirects[i].dst, dst) && now < ip->redirects[i].expires)
            return &ip->redirects[i];
    }
    return NULL;
}

/* The entry of dst, a new one, or the one that would end first. */
static struct jr_redirect *slot_for(struct jr_ip *ip, struct jr_addr dst)
{
    struct jr_redirect *oldest = &ip->redirects[0];

    for (unsigned i = 0; i < ip->n_redirects; i++) {
        if (jr_addr_eq(ip->redirects[i].dst, dst))
            return &ip->redirects[i];
        if (ip->redirects[i].expires < oldest->expires)
            oldest = &ip->redirects[i];
    }
    return ip->n_redirects < JR_IP_REDIRECTS ? &ip->redirects[ip->n_redirects++] : oldest;
}

void jr_redirect_input(struct jr_ip *ip, const struct jr_ip_rx *rx, const struct jr_icmp *icmp, const uint8_t *quote,
                       uint32_t quote_len, jr_time now)
{
    const struct jr_addr gw = jr_addr_v4(jr_be32(icmp->rest));
    struct jr_ip_route rt, direct;
    struct jr_ipv4 hdr;

    if (ip->cfg.drop_redirect || ip->cfg.shared || icmp->code > CODE_HOST_TOS) {
        jr_count(ip->counters, JR_C_ICMP_REDIRECT);
        return;
    }
    if (jr_ipv4_parse_quote(quote, quote_len, &hdr) != JR_WIRE_OK || !jr_ip_is_local(ip, hdr.src) ||
        !jr_ip_route(ip, hdr.dst, &rt) || rt.local || rt.broadcast || rt.ifp != rx->ifp ||
        !jr_addr_eq(rt.next_hop, rx->src) || jr_ip_is_local(ip, gw) || !jr_ipv4_is_host(gw) ||
        !jr_ip_route(ip, gw, &direct) || direct.ifp != rx->ifp || !jr_addr_eq(direct.next_hop, gw)) {
        jr_count(ip->counters, JR_C_ICMP_REDIRECT_BAD);
        return;
    }
    jr_count(ip->counters, JR_C_ICMP_REDIRECTED);
    *slot_for(ip, hdr.dst) = (struct jr_redirect){.dst = hdr.dst, .gw = gw, .expires = now + REDIRECT_TIMEOUT};
    ip->generation++;
}
