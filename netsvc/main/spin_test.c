/* SPDX-License-Identifier: BSD-3-Clause */
/* When the worker polls and when it sleeps, by a clock that the test turns. */
#include "main/spin.h"

#include "base/test.h"

static jr_time now;
static struct jr_spin s;

static void start(uint32_t max_us)
{
    now = 1000000;
    jr_spin_init(&s, max_us, 2);
    jr_spin_on_turn(&s, true, now);
}

/* Turns of a microsecond without work until it would sleep; how long that took. */
static jr_time polls_for(void)
{
    const jr_time from = ++now;

    jr_spin_on_turn(&s, false, now);
    while (!jr_spin_is_over(&s, now))
        jr_spin_on_turn(&s, false, ++now);
    return now - from;
}

static void work_comes_after(jr_time us) { jr_spin_on_turn(&s, true, now += us); }

/* Work after work. */
static void is_busy(unsigned times, jr_time gap)
{
    for (unsigned i = 0; i < times; i++) {
        jr_spin_on_turn(&s, false, ++now);
        work_comes_after(gap);
    }
}

static void run(unsigned ms, uint32_t threads)
{
    for (unsigned i = 0; i < ms; i++)
        jr_spin_on_load(&s, threads);
}

JR_TEST(polls_for_as_long_as_it_may)
{
    start(50);
    JR_CHECK(!jr_spin_is_over(&s, now + 1000)); /* there was work */
    JR_CHECK_EQ(polls_for(), 50);
    start(0);
    JR_CHECK_EQ(polls_for(), 0);
    start(2);
    run(100, 9);
    JR_CHECK_EQ(polls_for(), 2);
}

JR_TEST(does_not_poll_for_what_is_rare)
{
    start(50);
    for (int i = 0; i < 20; i++) {
        polls_for();
        work_comes_after(1000);
    }
    JR_CHECK_EQ(polls_for(), 4);
    is_busy(30, 10);
    JR_CHECK_EQ(polls_for(), 50);
}

JR_TEST(one_pause_is_forgotten_soon)
{
    start(50);
    is_busy(30, 10);
    polls_for();
    work_comes_after(3600ull * JR_SEC);
    is_busy(8, 10);
    JR_CHECK_EQ(polls_for(), 50);
}

JR_TEST(gives_way_while_others_want_its_core)
{
    start(50);
    run(100, 2); /* the other core is for the other thread */
    JR_CHECK_EQ(polls_for(), 50);
    JR_CHECK(!jr_spin_is_crowded(&s));
    work_comes_after(1);
    run(20, 3);
    JR_CHECK(jr_spin_is_crowded(&s));
    JR_CHECK_EQ(polls_for(), 4);
    run(100, 1000000);
    run(100, 1);
    work_comes_after(1);
    JR_CHECK_EQ(polls_for(), 50);
}

JR_TEST_MAIN
