/* SPDX-License-Identifier: BSD-3-Clause */
#include "main/spin.h"

#define SHORT_US 4u /* about what going to sleep costs */
#define ONE 256u
#define MARGIN (ONE / 4)

void jr_spin_init(struct jr_spin *s, uint32_t max_us, uint32_t cores)
{
    *s = (struct jr_spin){.max_us = max_us, .cores = cores * ONE};
}

/* A new value counts an eighth. */
static uint32_t average(uint32_t old, uint64_t fresh, uint64_t most)
{
    const int64_t x = (int64_t)(fresh < most ? fresh : most);

    return (uint32_t)(old + (x - (int64_t)old) / 8);
}

void jr_spin_on_turn(struct jr_spin *s, bool worked, jr_time now)
{
    if (!worked && !s->idle_at) {
        s->idle_at = now;
    } else if (worked && s->idle_at) {
        s->gap_us = average(s->gap_us, now - s->idle_at, 16ull * s->max_us); /* one long pause is soon forgotten */
        s->idle_at = 0;
    }
}

void jr_spin_on_load(struct jr_spin *s, uint32_t runnable)
{
    s->others = average(s->others, (runnable > 1 ? runnable - 1 : 0) * (uint64_t)ONE, 4ull * s->cores);
}

bool jr_spin_is_crowded(const struct jr_spin *s) { return s->others + ONE > s->cores + MARGIN; }

bool jr_spin_is_over(const struct jr_spin *s, jr_time now)
{
    const bool pays = !jr_spin_is_crowded(s) && s->gap_us <= 4 * s->max_us;
    const uint32_t limit = pays || s->max_us < SHORT_US ? s->max_us : SHORT_US;

    return s->idle_at && now - s->idle_at >= limit;
}
