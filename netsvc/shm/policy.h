/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy page: what every program may read and the service alone writes. */
#ifndef JR_SHM_POLICY_H
#define JR_SHM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jr_abi.h"
#include "shm/region.h"

struct jr_policy {
    struct jr_region region;
    struct jr_abi_policy *page;
    uint32_t spin_us; /* while there are cores for it */
};

/* 0 or a negative errno. */
int jr_policy_init(struct jr_policy *p, uint32_t spin_us, uint32_t loopback);
void jr_policy_fini(struct jr_policy *p);
/* Replaces both lists at once; routes must be sorted, longest prefix first, and not exceed the page's arrays. */
void jr_policy_set(struct jr_policy *p, const struct jr_abi_policy_route *routes, uint32_t nroutes,
                   const uint8_t (*addrs)[16], uint32_t naddrs);
void jr_policy_set_listener(struct jr_policy *p, uint16_t port, bool on);
/* Makes the epoch odd (programs ring) or even, with a full fence behind it. */
void jr_policy_set_sleeping(struct jr_policy *p, bool sleeping);

/* Tells programs whether more threads want to run than there are cores: they don't spin then. */
void jr_policy_set_crowded(struct jr_policy *p, bool crowded);

#endif
