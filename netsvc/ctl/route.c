/* SPDX-License-Identifier: BSD-3-Clause */
/* The routes and own addresses that programs decide by. */
#include <stdlib.h>
#include <string.h>

#include "ctl/priv.h"

static int longest_first(const void *a, const void *b)
{
    const struct jr_ctl_route *x = a, *y = b;

    return x->plen > y->plen ? -1 : x->plen < y->plen;
}

static void fill(struct jr_abi_policy_route *to, const struct jr_ctl_route *from, uint32_t n)
{
    memset(to, 0, n * sizeof to[0]);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(to[i].prefix, from[i].prefix.b, sizeof to[i].prefix);
        to[i].plen = from[i].plen;
        to[i].route = from[i].route;
    }
}

void jr_ctl_set_routes(struct jr_ctl *ctl, const struct jr_ctl_route *routes, size_t nroutes, const struct jr_addr *own,
                       size_t nown)
{
    struct jr_abi_policy_route page[JR_POLICY_ROUTES];
    uint8_t addrs[JR_POLICY_ADDRS][16];
    struct jr_ctl_route *sorted = malloc((nroutes + 1) * sizeof sorted[0]);
    const uint32_t n = (uint32_t)(nroutes < JR_POLICY_ROUTES ? nroutes : JR_POLICY_ROUTES);
    const uint32_t na = (uint32_t)(nown < JR_POLICY_ADDRS ? nown : JR_POLICY_ADDRS);

    if (n < nroutes || na < nown || !sorted)
        jr_count(ctl->cfg.counters, JR_C_CTL_ROUTES_CUT);
    if (!sorted)
        return;
    if (nroutes)
        memcpy(sorted, routes, nroutes * sizeof sorted[0]);
    qsort(sorted, nroutes, sizeof sorted[0], longest_first);
    fill(page, sorted, n);
    for (uint32_t i = 0; i < na; i++)
        memcpy(addrs[i], own[i].b, sizeof addrs[i]);
    jr_policy_set(&ctl->policy, page, n, addrs, na);
    free(sorted);
}
