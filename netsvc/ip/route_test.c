/* SPDX-License-Identifier: BSD-3-Clause */
/* The route table and the PMTU table, on their own. */
#include "ip/route.h"

#include <errno.h>

#include "base/bits.h"
#include "base/byteorder.h"
#include "base/rng.h"
#include "base/test.h"
#include "ip/pmtu.h"
#include "link/netif.h"

static struct jr_netif port[2] = {{.up = true}, {.up = true}};

static struct jr_addr ip4(uint32_t host) { return jr_addr_v4(jr_be32(host)); }

static struct jr_ip_route_conf conf(uint32_t dst, uint8_t plen, uint32_t metric, uint32_t gw)
{
    return (struct jr_ip_route_conf){
        .dst = ip4(dst), .plen = plen, .metric = metric, .ifp = &port[0], .gw = ip4(gw), .src = ip4(0)};
}

static void add(struct jr_route_table *t, uint32_t dst, uint8_t plen, uint32_t metric, uint32_t gw)
{
    const struct jr_ip_route_conf c = conf(dst, plen, metric, gw);
    JR_CHECK_EQ(jr_route_table_add(t, &c, false), 0);
}

/* The gateway chosen, 0: no route. */
static uint32_t gw_for(const struct jr_route_table *t, uint32_t dst)
{
    const struct jr_route *r = jr_route_table_find(t, ip4(dst));
    return r ? jr_be32(jr_addr_to_v4(r->conf.gw)) : 0;
}

JR_TEST(longest_prefix_wins_then_lowest_metric)
{
    struct jr_route_table t = {0};
    JR_CHECK_EQ(gw_for(&t, 0x0a000001), 0);
    add(&t, 0, 0, 0, 1);
    add(&t, 0x0a000000, 8, 0, 2);
    add(&t, 0x0a010000, 16, 0, 3);
    add(&t, 0x0a010200, 24, 100, 4);
    add(&t, 0x0a010200, 24, 50, 5);
    add(&t, 0x0a010203, 32, 0, 6);
    JR_CHECK_EQ(gw_for(&t, 0xc0000201), 1);
    JR_CHECK_EQ(gw_for(&t, 0x0a020304), 2);
    JR_CHECK_EQ(gw_for(&t, 0x0a01ffff), 3);
    JR_CHECK_EQ(gw_for(&t, 0x0a0102ff), 5);
    JR_CHECK_EQ(gw_for(&t, 0x0a010203), 6);
    JR_CHECK_EQ(jr_route_table_del(&t, ip4(0x0a010277), 24, 50), 0); /* host bits don't matter */
    JR_CHECK_EQ(gw_for(&t, 0x0a0102ff), 4);
    JR_CHECK_EQ(jr_route_table_del(&t, ip4(0x0a010200), 24, 50), -ESRCH);
    add(&t, 0, 0, 0, 9); /* replaces */
    JR_CHECK_EQ(gw_for(&t, 0xc0000201), 9);
    JR_CHECK_EQ(t.n, 5);
    struct jr_ip_route_conf bad = conf(0, 33, 0, 0);
    JR_CHECK_EQ(jr_route_table_add(&t, &bad, false), -EINVAL);
    jr_route_table_fini(&t);
}

JR_TEST(a_port_that_is_down_lets_the_next_best_through)
{
    struct jr_route_table t = {0};
    struct jr_ip_route_conf c = conf(0x0a000000, 8, 0, 2);
    add(&t, 0, 0, 0, 1);
    c.ifp = &port[1];
    JR_CHECK_EQ(jr_route_table_add(&t, &c, false), 0);
    add(&t, 0x0a000000, 8, 10, 3);
    JR_CHECK_EQ(gw_for(&t, 0x0a000001), 2);
    port[1].up = false;
    JR_CHECK_EQ(gw_for(&t, 0x0a000001), 3);
    JR_CHECK_EQ(jr_route_table_del(&t, ip4(0x0a000000), 8, 10), 0);
    JR_CHECK_EQ(gw_for(&t, 0x0a000001), 1);
    port[1].up = true;
    jr_route_table_fini(&t);
}

/* Against a plain search through all, with many random routes coming and going. */
JR_TEST(agrees_with_a_linear_search)
{
    enum { N = 300 };
    static struct jr_ip_route_conf all[N];
    struct jr_route_table t = {0};
    struct jr_rng rng;
    jr_rng_init(&rng, 3);
    for (unsigned step = 0; step < 3000; step++) {
        struct jr_ip_route_conf *c = &all[jr_rng_below(&rng, N)];
        if (c->ifp) {
            JR_CHECK_EQ(jr_route_table_del(&t, c->dst, c->plen, c->metric), 0);
            c->ifp = NULL;
            continue;
        }
        *c = conf(jr_rng_u32(&rng) & 0xf3f30303, (uint8_t)jr_rng_below(&rng, 33), (uint32_t)(c - all), step + 1);
        JR_CHECK_EQ(jr_route_table_add(&t, c, false), 0);
        for (unsigned probe = 0; probe < 10; probe++) {
            const uint32_t dst = jr_rng_u32(&rng) & 0xf3f30303;
            const struct jr_ip_route_conf *best = NULL;
            for (unsigned i = 0; i < N; i++) {
                const bool fits = all[i].ifp && jr_addr_eq(jr_route_mask(ip4(dst), all[i].plen),
                                                           jr_route_mask(all[i].dst, all[i].plen));
                if (fits &&
                    (!best || all[i].plen > best->plen || (all[i].plen == best->plen && all[i].metric < best->metric)))
                    best = &all[i];
            }
            if (!JR_CHECK_EQ(gw_for(&t, dst), best ? jr_be32(jr_addr_to_v4(best->gw)) : 0))
                goto out;
        }
    }
out:
    jr_route_table_fini(&t);
}

JR_TEST(masks)
{
    JR_CHECK(jr_addr_eq(jr_route_mask(ip4(0xffffffff), 0), ip4(0)));
    JR_CHECK(jr_addr_eq(jr_route_mask(ip4(0xffffffff), 9), ip4(0xff800000)));
    JR_CHECK(jr_addr_eq(jr_route_mask(ip4(0xffffffff), 32), ip4(0xffffffff)));
    struct jr_addr a, want = {.b = {0x20, 1, 0xc0}};
    memset(a.b, 0xff, 16);
    a.b[0] = 0x20, a.b[1] = 1;
    JR_CHECK(jr_addr_eq(jr_route_mask(a, 18), want));
}

JR_TEST(pmtu_lapses_and_is_bounded)
{
    static struct jr_pmtu_table t;
    t.seed = 5;
    JR_CHECK(!jr_pmtu_find(&t, ip4(1), 0));
    jr_pmtu_store(&t, ip4(1), 1400, false, 10);
    JR_CHECK(jr_pmtu_find(&t, ip4(1), 10) && jr_pmtu_find(&t, ip4(1), 10)->mtu == 1400);
    jr_pmtu_store(&t, ip4(1), 552, true, 20);
    JR_CHECK(jr_pmtu_find(&t, ip4(1), 20)->mtu == 552 && jr_pmtu_find(&t, ip4(1), 20)->no_df);
    JR_CHECK(!jr_pmtu_find(&t, ip4(1), 20 + JR_PMTU_LIFE));
    for (uint32_t i = 0; i < 10000; i++)
        jr_pmtu_store(&t, ip4(i), 1000 + i % 100, false, 100 + i);
    JR_CHECK(jr_pmtu_find(&t, ip4(9999), 10100) != NULL); /* the newest is there */
    JR_CHECK_EQ(jr_pmtu_plateau(1500), 1492);
    JR_CHECK_EQ(jr_pmtu_plateau(1492), 1006);
    JR_CHECK_EQ(jr_pmtu_plateau(68), 68);
}

JR_TEST_MAIN
