/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 1071. One's-complement sums may be taken in words of any width and folded at the end, so the loop adds
 * 32-bit words into 64-bit lanes, four vectors of 16 bytes a round; it can't overflow below 2^34 bytes.
 * The vectors are GNU C's, which compile to SSE2, NEON or plain words. Copying and summing share one inlined body.
 */
#include "wire/cksum.h"

#include <string.h>

typedef uint64_t vec __attribute__((vector_size(16)));

static inline vec load_vec(const uint8_t *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline __attribute__((always_inline)) vec vec_halves(vec v) { return (v & 0xffffffff) + (v >> 32); }

static inline __attribute__((always_inline)) uint64_t cksum_body(uint8_t *dst, const uint8_t *src, uint32_t len)
{
    vec acc0 = {0, 0}, acc1 = {0, 0};
    uint64_t sum;
    uint32_t at = 0;

    for (; len - at >= 64; at += 64) {
        const vec a = load_vec(src + at), b = load_vec(src + at + 16);
        const vec c = load_vec(src + at + 32), d = load_vec(src + at + 48);

        if (dst) {
            memcpy(dst + at, &a, 16);
            memcpy(dst + at + 16, &b, 16);
            memcpy(dst + at + 32, &c, 16);
            memcpy(dst + at + 48, &d, 16);
        }
        acc0 += vec_halves(a) + vec_halves(b);
        acc1 += vec_halves(c) + vec_halves(d);
    }
    acc0 += acc1;
    sum = acc0[0] + acc0[1];
    for (; len - at >= 4; at += 4) {
        uint32_t w;
        memcpy(&w, src + at, 4);
        if (dst)
            memcpy(dst + at, &w, 4);
        sum += w;
    }
    if (len - at > 0) {
        uint32_t w = 0;
        memcpy(&w, src + at, len - at);
        if (dst)
            memcpy(dst + at, &w, len - at);
        sum += w;
    }
    return sum;
}

static uint32_t fold64(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    return (uint32_t)sum + (uint32_t)(sum >> 32);
}

uint32_t jr_cksum_partial(const void *p, uint32_t len, uint32_t sum) { return fold64(cksum_body(NULL, p, len) + sum); }

uint32_t jr_cksum_copy(void *dst, const void *src, uint32_t len, uint32_t sum)
{
    if (len == 0)
        return sum;
    return fold64(cksum_body(dst, src, len) + sum);
}
