/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known of paths' MTUs (RFC 1191), as FreeBSD's hostcache: a bounded table whose entries lapse. Nothing is
 * written here before a transport has matched the report to a packet of its own.
 */
#ifndef JR_IP_PMTU_H
#define JR_IP_PMTU_H

#include "base/addr.h"
#include "base/time.h"

enum {
    JR_PMTU_SETS = 128,
    JR_PMTU_WAYS = 4,
    /* The least that is believed (Linux's ip_no_pmtu_disc(7) min_pmtu): below, packets go without DF instead. */
    JR_PMTU_MIN = 552,
};
#define JR_PMTU_LIFE (600 * JR_SEC)

struct jr_pmtu_entry {
    struct jr_addr dst;
    uint32_t mtu; /* 0: free */
    bool no_df;
    jr_time expires;
};

struct jr_pmtu_table {
    uint64_t seed;
    struct jr_pmtu_entry sets[JR_PMTU_SETS][JR_PMTU_WAYS];
};

/* NULL: nothing known. */
const struct jr_pmtu_entry *jr_pmtu_find(const struct jr_pmtu_table *tbl, struct jr_addr dst, jr_time now);
void jr_pmtu_store(struct jr_pmtu_table *tbl, struct jr_addr dst, uint32_t mtu, bool no_df, jr_time now);
/* The next lower common MTU, for routers that tell none (RFC 1191 7.1). */
uint32_t jr_pmtu_plateau(uint32_t mtu);

#endif
