/* SPDX-License-Identifier: BSD-3-Clause */
/* What is believed of the words a program writes into its rings, and how a receive ring grows under its data. */
#include "shm/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/test.h"

static struct jr_abi_ring ring;
static struct jr_sockbuf sb;

static void tx_at(uint64_t head, uint64_t tail, uint32_t cap)
{
    sb = (struct jr_sockbuf){.head = head, .tail = tail, .cap = cap};
    ring = (struct jr_abi_ring){.head = head, .tail = tail, .cap = cap};
}

JR_TEST(tail_moves_within_the_capacity)
{
    tx_at(1000, 1500, 4096);
    JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 4096), 0);
    ring.tail = 1000 + 4096;
    JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 4096), JR_RING_MOVED);
    JR_CHECK_EQ(sb.tail, 1000 + 4096);
}

JR_TEST(tail_that_lies_is_refused)
{
    const uint64_t lies[] = {1499, 0, 1000 + 4097, UINT64_MAX, 1000 + (1ull << 32), 999};

    for (size_t i = 0; i < JR_ARRAY_LEN(lies); i++) {
        tx_at(1000, 1500, 4096);
        ring.tail = lies[i];
        JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 4096), JR_RING_BAD);
        JR_CHECK_EQ(sb.tail, 1500);
    }
    tx_at(UINT64_MAX - 10, UINT64_MAX - 5, 4096); /* 2^64 bytes will not pass, but a test may pretend */
    ring.tail = 3;
    JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 4096), JR_RING_MOVED);
}

JR_TEST(capacity_is_checked)
{
    const uint32_t lies[] = {0, 1, 2048, 4097, 6000, 32768, 1u << 31, UINT32_MAX};

    for (size_t i = 0; i < JR_ARRAY_LEN(lies); i++) {
        tx_at(0, 100, 4096);
        ring.cap = lies[i];
        JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 16384), JR_RING_BAD);
        JR_CHECK_EQ(sb.cap, 4096);
    }
    tx_at(0, 100, 4096);
    ring.cap = 16384;
    ring.tail = 9000;
    JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 16384), JR_RING_MOVED | JR_RING_RESIZED);
    tx_at(4096, 4196, 4096); /* lies in the upper half of the larger ring */
    ring.cap = 8192;
    JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 16384), JR_RING_BAD);
    tx_at(4000, 4200, 4096); /* over the edge */
    ring.cap = 8192;
    JR_CHECK_EQ(jr_ring_take_tx(&ring, &sb, 16384), JR_RING_BAD);
}

JR_TEST(head_stays_between_what_it_was_and_tail)
{
    sb = (struct jr_sockbuf){.head = 100, .tail = 300, .cap = 4096};
    ring.head = 100;
    JR_CHECK_EQ(jr_ring_take_rx(&ring, &sb), 0);
    ring.head = 301;
    JR_CHECK_EQ(jr_ring_take_rx(&ring, &sb), JR_RING_BAD);
    ring.head = 99;
    JR_CHECK_EQ(jr_ring_take_rx(&ring, &sb), JR_RING_BAD);
    ring.head = 300;
    JR_CHECK_EQ(jr_ring_take_rx(&ring, &sb), JR_RING_MOVED);
    JR_CHECK_EQ(sb.head, 300);
}

JR_TEST(places_are_kept_or_not)
{
    JR_CHECK(jr_ring_keeps_places(5, 5, 4096, 8192)); /* nothing to move */
    JR_CHECK(jr_ring_keeps_places(0, 4096, 4096, 8192));
    JR_CHECK(!jr_ring_keeps_places(1, 4097, 4096, 8192));
    JR_CHECK(!jr_ring_keeps_places(4096, 4097, 4096, 8192));
    JR_CHECK(jr_ring_keeps_places(8192, 8200, 4096, 8192));
    JR_CHECK(!jr_ring_keeps_places(8192, 8200, 4096, 16384));
    JR_CHECK(jr_ring_keeps_places(0, 4096, 8192, 4096)); /* shrinking is the same backwards */
    JR_CHECK(!jr_ring_keeps_places(0, 4097, 8192, 4096));
}

/* The byte that stands at a stream offset. */
static uint8_t byte_at(uint64_t off) { return (uint8_t)(off * 167 + (off >> 8)); }

/* A ring at random offsets, with data in order and behind a gap, doubled again and again. */
JR_TEST(growing_keeps_what_is_in_order_and_what_is_not)
{
    uint8_t *mem = malloc(1 << 16);
    struct jr_rng rng;
    unsigned grown = 0;

    jr_rng_init(&rng, 7);
    for (int round = 0; round < 5000; round++) {
        uint32_t cap = 256;
        const uint64_t head = jr_rng_below(&rng, 100000), tail = head + jr_rng_below(&rng, cap / 2),
                       edge = tail + jr_rng_below(&rng, cap - (uint32_t)(tail - head) + 1);
        struct jr_sockbuf rcv = {.base = mem, .cap = cap, .head = head, .tail = tail};
        for (uint64_t o = head; o < edge; o++)
            mem[o & (cap - 1)] = byte_at(o);
        uint8_t shown[256]; /* what the app, with the old capacity, is just reading */
        memcpy(shown, mem, sizeof shown);
        while (cap < 4096 && jr_ring_grow_rx(&rcv, edge, cap * 2)) {
            cap *= 2;
            grown++;
        }
        JR_REQUIRE(rcv.cap == cap);
        for (uint64_t o = head; o < edge; o++)
            JR_REQUIRE(mem[o & (cap - 1)] == byte_at(o));
        for (uint64_t o = head; o < tail; o++)
            JR_REQUIRE(mem[o & 255] == shown[o & 255]);
    }
    JR_CHECK(grown > 1000);
    free(mem);
}

/* A full ring at random offsets that only the service uses: it grows wherever its bytes lie. */
JR_TEST(spreading_keeps_everything)
{
    uint8_t *mem = malloc(1 << 16);
    struct jr_rng rng;

    jr_rng_init(&rng, 8);
    for (int round = 0; round < 5000; round++) {
        const uint32_t cap = 256, more = cap << (1 + jr_rng_below(&rng, 4));
        const uint64_t head = jr_rng_below(&rng, 100000), tail = head + jr_rng_below(&rng, cap + 1);
        struct jr_sockbuf snd = {.base = mem, .cap = cap, .head = head, .tail = head + (tail - head) / 2};
        for (uint64_t o = head; o < tail; o++)
            mem[o & (cap - 1)] = byte_at(o);
        jr_ring_spread(&snd, tail, more);
        JR_REQUIRE(snd.cap == more);
        for (uint64_t o = head; o < tail; o++)
            JR_REQUIRE(mem[o & (more - 1)] == byte_at(o));
    }
    free(mem);
}

JR_TEST_MAIN
