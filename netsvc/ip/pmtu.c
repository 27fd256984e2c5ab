/* SPDX-License-Identifier: BSD-3-Clause */
#include "ip/pmtu.h"

#include "base/bits.h"
#include "base/hash.h"

const struct jr_pmtu_entry *jr_pmtu_find(const struct jr_pmtu_table *tbl, struct jr_addr dst, jr_time now)
{
    const struct jr_pmtu_entry *set = tbl->sets[jr_hash_addr(dst, tbl->seed) % JR_PMTU_SETS];

    for (unsigned i = 0; i < JR_PMTU_WAYS; i++) {
        if (set[i].mtu && jr_addr_eq(set[i].dst, dst))
            return now < set[i].expires ? &set[i] : NULL;
    }
    return NULL;
}

void jr_pmtu_store(struct jr_pmtu_table *tbl, struct jr_addr dst, uint32_t mtu, bool no_df, jr_time now)
{
    struct jr_pmtu_entry *set = tbl->sets[jr_hash_addr(dst, tbl->seed) % JR_PMTU_SETS];
    struct jr_pmtu_entry *e = &set[0];

    for (unsigned i = 0; i < JR_PMTU_WAYS; i++) {
        if (set[i].mtu && jr_addr_eq(set[i].dst, dst)) {
            e = &set[i];
            break;
        }
        if (set[i].expires < e->expires) /* free ones have 0 */
            e = &set[i];
    }
    *e = (struct jr_pmtu_entry){.dst = dst, .mtu = mtu, .no_df = no_df, .expires = now + JR_PMTU_LIFE};
}

uint32_t jr_pmtu_plateau(uint32_t mtu)
{
    static const uint16_t plateaus[] = {65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

    for (unsigned i = 0; i < JR_ARRAY_LEN(plateaus); i++) {
        if (plateaus[i] < mtu)
            return plateaus[i];
    }
    return 68;
}
