/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hierarchical timing wheel: arm and cancel are O(1), finding the next one is a look at one bitmap per
 * level. Resolution is 1.024 ms; a timer never runs early.
 */
#ifndef JR_BASE_TIMER_H
#define JR_BASE_TIMER_H

#include "base/time.h"
#include <stdbool.h>
#include <stdint.h>

#define JR_WHEEL_LEVELS 5u
#define JR_WHEEL_BITS 6u
#define JR_WHEEL_SLOTS (1u << JR_WHEEL_BITS)
#define JR_WHEEL_SHIFT 10u /* microseconds per tick, as a power of two */

struct jr_timer {                  /* zeroed before first use; written by timer.c only */
    struct jr_timer *next, **prev; /* prev: NULL when not armed */
    jr_time when;                  /* when it was asked to run */
    uint16_t slot;                 /* level * 64 + slot; JR_WHEEL_DUE on the list of what is due */
    uint16_t kind;                 /* the owner's: what the timer is embedded in */
};

struct jr_wheel {
    uint64_t tick; /* everything up to and including this tick has been moved to due */
    struct jr_timer *due;
    uint64_t map[JR_WHEEL_LEVELS]; /* bit n: slot n isn't empty */
    struct jr_timer *slot[JR_WHEEL_LEVELS][JR_WHEEL_SLOTS];
};

void jr_wheel_init(struct jr_wheel *w, jr_time now);
/* Arms, or moves what is armed. */
void jr_wheel_arm(struct jr_wheel *w, struct jr_timer *t, jr_time when);
void jr_wheel_cancel(struct jr_wheel *w, struct jr_timer *t);
static inline bool jr_wheel_is_armed(const struct jr_timer *t) { return t->prev != 0; }
/* One timer that is due, disarmed; NULL when there is none (left). */
struct jr_timer *jr_wheel_pop(struct jr_wheel *w, jr_time now);
/* When pop should be called next: never later than the first timer, sometimes earlier. */
jr_time jr_wheel_next(const struct jr_wheel *w);

#endif
