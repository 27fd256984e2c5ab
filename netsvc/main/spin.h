/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long the worker polls without work before it sleeps. Polling answers sooner, but only while work comes sooner
 * than a sleep would have ended, and while there is a core for it: a program that waits for one is delayed by more than
 * polling wins. Both are learned. Times in microseconds.
 */
#ifndef JR_MAIN_SPIN_H
#define JR_MAIN_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct jr_spin {
    uint32_t max_us; /* while there is a core to spare */
    uint32_t gap_us; /* usual time from the last work to the next, averaged over about eight */
    uint32_t others; /* usual number of other threads that run or want to, in 256ths, averaged over about eight */
    uint32_t cores;  /* in 256ths, too */
    jr_time idle_at; /* since when there is no work; 0: there is */
};

void jr_spin_init(struct jr_spin *s, uint32_t max_us, uint32_t cores);

/* After each turn: did it do something? */
void jr_spin_on_turn(struct jr_spin *s, bool worked, jr_time now);

/* Now and then while awake: how many threads of the machine run or want to, this one among them. */
void jr_spin_on_load(struct jr_spin *s, uint32_t runnable);

/* Do more threads want to run than there are cores? */
bool jr_spin_is_crowded(const struct jr_spin *s);

/* Is it time to sleep? */
bool jr_spin_is_over(const struct jr_spin *s, jr_time now);

#endif
