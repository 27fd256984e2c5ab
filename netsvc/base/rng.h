/* SPDX-License-Identifier: BSD-3-Clause */
/* Seeded dice (xoshiro256**), so that a run can be repeated. Not for secrets: those use base/siphash.h. */
#ifndef JR_BASE_RNG_H
#define JR_BASE_RNG_H

#include <stdint.h>

struct jr_rng {
    uint64_t s[4];
};

void jr_rng_init(struct jr_rng *rng, uint64_t seed);
uint64_t jr_rng_u64(struct jr_rng *rng);
static inline uint32_t jr_rng_u32(struct jr_rng *rng) { return (uint32_t)(jr_rng_u64(rng) >> 32); }
/* Even over [0, n); 0 for n = 0. */
uint32_t jr_rng_below(struct jr_rng *rng, uint32_t n);

#endif
