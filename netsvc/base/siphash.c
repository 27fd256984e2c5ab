/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/siphash.h"

#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t v, int n) { return v << n | v >> (64 - n); }

/* The first n bytes; byte by byte is any byte order's way, and compiles to one load for n = 8. */
static inline __attribute__((always_inline)) uint64_t load_le64(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    if (n == 8) {
        for (size_t i = 0; i < 8; i++)
            v |= (uint64_t)p[i] << (8 * i);
        return v;
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline __attribute__((always_inline)) void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline __attribute__((always_inline)) void sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

uint64_t jr_siphash(const uint8_t key[16], const void *data, size_t len)
{
    const uint8_t *p = data;
    const uint64_t k0 = load_le64(key, 8), k1 = load_le64(key + 8, 8);
    struct sip s = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull, k0 ^ 0x6c7967656e657261ull,
                    k1 ^ 0x7465646279746573ull};
    size_t left = len;

    for (; left >= 8; p += 8, left -= 8)
        sip_word(&s, load_le64(p, 8));
    sip_word(&s, (uint64_t)len << 56 | load_le64(p, left));
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
