/* SPDX-License-Identifier: BSD-3-Clause */
/* The timing wheel against a plain array: never early, never more than a tick late, none lost. */
#include "base/timer.h"

#include "base/rng.h"
#include "base/test.h"

#define N 2000u

struct item {
    struct jr_timer t;
    bool armed;
};

static struct item items[N];

static void arm(struct jr_wheel *w, struct item *it, jr_time when)
{
    it->armed = true;
    jr_wheel_arm(w, &it->t, when);
}

/* Every power of 64 lies on a border between levels. */
static jr_time random_delay(struct jr_rng *rng)
{
    unsigned bits = 8 + jr_rng_below(rng, 34);
    return jr_rng_u64(rng) & ((1ull << bits) - 1);
}

static jr_time first_armed(void)
{
    jr_time best = JR_TIME_NEVER;
    for (unsigned i = 0; i < N; i++)
        if (items[i].armed && items[i].t.when < best)
            best = items[i].t.when;
    return best;
}

JR_TEST(random_arms_and_cancels)
{
    struct jr_rng rng;
    jr_rng_init(&rng, 7);
    struct jr_wheel w;
    jr_time now = 123456789;
    memset(items, 0, sizeof items);
    jr_wheel_init(&w, now);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned k = 0; k < 8; k++) {
            struct item *it = &items[jr_rng_below(&rng, N)];
            if (jr_rng_below(&rng, 4) == 0) {
                it->armed = false;
                jr_wheel_cancel(&w, &it->t);
            } else {
                arm(&w, it, now + random_delay(&rng));
            }
        }
        jr_time first = first_armed();
        JR_CHECK(jr_wheel_next(&w) <= first + (1 << JR_WHEEL_SHIFT));
        now += random_delay(&rng) >> jr_rng_below(&rng, 20);
        struct jr_timer *t;
        while ((t = jr_wheel_pop(&w, now)) != NULL) {
            struct item *it = (struct item *)t;
            JR_CHECK(it->armed);
            JR_CHECK(t->when <= now);
            it->armed = false;
        }
        first = first_armed();
        JR_CHECK(first == JR_TIME_NEVER || first + (1 << JR_WHEEL_SHIFT) > now);
    }
}

JR_TEST(next_is_never_when_empty)
{
    struct jr_wheel w;
    struct item a = {0};
    jr_wheel_init(&w, 5000);
    JR_CHECK(jr_wheel_next(&w) == JR_TIME_NEVER);
    arm(&w, &a, 1000);
    JR_CHECK(jr_wheel_next(&w) <= 5000);
    JR_CHECK(jr_wheel_pop(&w, 5000) == &a.t);
    JR_CHECK(!jr_wheel_is_armed(&a.t));
    JR_CHECK(jr_wheel_pop(&w, 1ull << 50) == NULL);
    JR_CHECK(jr_wheel_next(&w) == JR_TIME_NEVER);
}

JR_TEST(following_next_reaches_a_far_timer)
{
    struct jr_wheel w;
    struct item a = {0};
    const jr_time when = 30ull * 24 * 3600 * JR_SEC; /* beyond the top level's reach */
    jr_time now = 0;
    unsigned wakes = 0;
    jr_wheel_init(&w, now);
    arm(&w, &a, when);
    while (jr_wheel_pop(&w, now) == NULL && wakes < 100) {
        JR_REQUIRE(jr_wheel_next(&w) > now);
        now = jr_wheel_next(&w);
        wakes++;
    }
    JR_CHECK(now >= when && now - when <= 1 << JR_WHEEL_SHIFT);
    JR_CHECK(wakes < 20);
}

JR_TEST_MAIN
