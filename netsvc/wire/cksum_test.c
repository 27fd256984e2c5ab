/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/cksum.h"

#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "base/test.h"

/* RFC 1071's definition, one 16-bit word at a time. */
static uint16_t slow_cksum(const uint8_t *p, uint32_t len)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < len; i++)
        sum += i & 1 ? p[i] : p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return jr_be16((uint16_t)~sum);
}

static void fill(struct jr_rng *rng, uint8_t *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        p[i] = jr_rng_below(rng, 3) ? (uint8_t)jr_rng_u32(rng) : 0xff;
}

JR_TEST(every_length_and_alignment)
{
    uint8_t src[400], dst[400];
    struct jr_rng rng;
    jr_rng_init(&rng, 1);
    fill(&rng, src, sizeof src);
    for (uint32_t align = 0; align < 17; align++) {
        for (uint32_t len = 0; len < 300; len++) {
            const uint16_t want = slow_cksum(src + align, len);
            if (!JR_CHECK_EQ(jr_cksum_fold(jr_cksum_partial(src + align, len, 0)), want))
                return;
            memset(dst, 0x55, sizeof dst);
            JR_CHECK_EQ(jr_cksum_fold(jr_cksum_copy(dst + 3, src + align, len, 0)), want);
            JR_CHECK_MEM(dst + 3, src + align, len);
            JR_CHECK(dst[2] == 0x55 && dst[3 + len] == 0x55);
        }
    }
}

JR_TEST(all_ones_carry)
{
    static uint8_t src[65536];
    memset(src, 0xff, sizeof src);
    for (uint32_t len = sizeof src - 5; len <= sizeof src; len++)
        JR_CHECK_EQ(jr_cksum_fold(jr_cksum_partial(src, len, 0xffffffff)), slow_cksum(src, len));
    memset(src, 0, sizeof src);
    JR_CHECK_EQ(jr_cksum_fold(jr_cksum_partial(src, sizeof src, 0)), 0xffff);
}

JR_TEST(chain_and_join)
{
    uint8_t src[256];
    struct jr_rng rng;
    jr_rng_init(&rng, 2);
    fill(&rng, src, sizeof src);
    const uint16_t want = slow_cksum(src, sizeof src);
    for (uint32_t cut = 0; cut <= sizeof src; cut++) {
        const uint32_t a = jr_cksum_partial(src, cut, 0), b = jr_cksum_partial(src + cut, sizeof src - cut, 0);
        JR_CHECK_EQ(jr_cksum_fold(jr_cksum_join(a, cut, b)), want);
        if (cut % 2 == 0)
            JR_CHECK_EQ(jr_cksum_fold(jr_cksum_partial(src + cut, sizeof src - cut, a)), want);
    }
}

JR_TEST(pseudo_header)
{
    const struct jr_addr a = jr_addr_v4(jr_be32(0xffffffff)), b = jr_addr_v4(jr_be32(0x0a010203));
    const uint8_t v4[] = {0xff, 0xff, 0xff, 0xff, 10, 1, 2, 3, 0, 6, 0x12, 0x34};
    JR_CHECK_EQ(jr_cksum_fold(jr_cksum_pseudo(a, b, 6, 0x1234)), slow_cksum(v4, sizeof v4));
    uint8_t v6[40];
    struct jr_addr s, d;
    for (unsigned i = 0; i < 16; i++) {
        s.b[i] = v6[i] = (uint8_t)(0xf0 + i);
        d.b[i] = v6[16 + i] = (uint8_t)(0x80 + 7 * i);
    }
    memcpy(v6 + 32, (uint8_t[]){0, 1, 0x23, 0x45, 0, 0, 0, 17}, 8);
    JR_CHECK_EQ(jr_cksum_fold(jr_cksum_pseudo(s, d, 17, 0x12345)), slow_cksum(v6, sizeof v6));
}

/* Prints, does not judge: the machine may be busy. */
JR_TEST(speed)
{
    static uint8_t src[4096], dst[4096];
    const uint32_t len = 1448, rounds = 100000;
    uint32_t sum = 0;
    struct timespec t0, t1, t2;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (uint32_t i = 0; i < rounds; i++)
        sum = jr_cksum_copy(dst + (i & 15), src + (i & 63), len, sum);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    for (uint32_t i = 0; i < rounds; i++)
        sum = jr_cksum_partial(src + (i & 63), len, sum);
    clock_gettime(CLOCK_MONOTONIC, &t2);
    const double copy = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
    const double part = (double)(t2.tv_sec - t1.tv_sec) + (double)(t2.tv_nsec - t1.tv_nsec) / 1e9;
    const double bytes = (double)len * rounds / 1e9;
    printf("%u B: copy + sum %.1f GB/s, sum %.1f GB/s\n", len, bytes / copy, bytes / part);
    JR_CHECK_EQ(sum, 0);
}

JR_TEST_MAIN
