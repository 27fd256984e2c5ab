/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm/policy.h"

#include <string.h>

int jr_policy_init(struct jr_policy *p, uint32_t spin_us, uint32_t loopback)
{
    const int r = jr_region_new(&p->region, "joyride-policy", JR_POLICY_SIZE, JR_POLICY_SIZE, JR_REGION_NO_OWNER,
                                JR_REGION_READ_ONLY);

    if (r < 0)
        return r;
    p->page = (struct jr_abi_policy *)p->region.base;
    p->page->magic = JR_ABI_MAGIC;
    p->page->version = JR_ABI_VERSION;
    p->page->checksum = JR_ABI_CHECKSUM;
    p->page->spin_us = p->spin_us = spin_us;
    p->page->loopback = loopback;
    return 0;
}

void jr_policy_fini(struct jr_policy *p) { jr_region_free(&p->region, false); }

void jr_policy_set(struct jr_policy *p, const struct jr_abi_policy_route *routes, uint32_t nroutes,
                   const uint8_t (*addrs)[16], uint32_t naddrs)
{
    struct jr_abi_policy *page = p->page;
    const uint32_t seq = page->seq;

    __atomic_store_n(&page->seq, seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    memcpy(page->routes, routes, nroutes * sizeof routes[0]);
    memcpy(page->addrs, addrs, naddrs * sizeof addrs[0]);
    page->nroutes = nroutes;
    page->naddrs = naddrs;
    __atomic_store_n(&page->seq, seq + 2, __ATOMIC_RELEASE);
}

void jr_policy_set_listener(struct jr_policy *p, uint16_t port, bool on)
{
    uint64_t *word = &p->page->tcp_listen[port >> 6];
    const uint64_t bit = 1ull << (port & 63);

    __atomic_store_n(word, on ? *word | bit : *word & ~bit, __ATOMIC_RELEASE);
}

void jr_policy_set_sleeping(struct jr_policy *p, bool sleeping)
{
    const uint32_t e = p->page->sleep_epoch;

    if ((e & 1) != sleeping)
        __atomic_store_n(&p->page->sleep_epoch, e + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void jr_policy_set_crowded(struct jr_policy *p, bool crowded)
{
    if (p->page->crowded == crowded)
        return;
    __atomic_store_n(&p->page->crowded, crowded, __ATOMIC_RELAXED);
    __atomic_store_n(&p->page->spin_us, crowded ? 0 : p->spin_us, __ATOMIC_RELAXED);
}
