/* SPDX-License-Identifier: BSD-3-Clause */
/* xoshiro256** by Blackman and Vigna, seeded through splitmix64 as they advise. */
#include "base/rng.h"

static uint64_t rotl(uint64_t v, int n) { return v << n | v >> (64 - n); }

void jr_rng_init(struct jr_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15ull);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        rng->s[i] = z ^ z >> 31;
    }
}

uint64_t jr_rng_u64(struct jr_rng *rng)
{
    uint64_t *s = rng->s;
    const uint64_t out = rotl(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

uint32_t jr_rng_below(struct jr_rng *rng, uint32_t n) { return (uint32_t)((uint64_t)jr_rng_u32(rng) * n >> 32); }
