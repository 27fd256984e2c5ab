/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The timing wheel; see timer.h. A timer sits on the lowest level whose 64 slots reach its tick; when the
 * clock gets to a slot of a higher level, the slot's timers move down (they cascade).
 */
#include "base/timer.h"

#include <stddef.h>
#include <string.h>

#define JR_WHEEL_DUE UINT16_MAX

void jr_wheel_init(struct jr_wheel *w, jr_time now)
{
    memset(w, 0, sizeof *w);
    w->tick = now >> JR_WHEEL_SHIFT;
}

static void list_push(struct jr_timer **head, struct jr_timer *t)
{
    t->next = *head;
    if (t->next != NULL)
        t->next->prev = &t->next;
    t->prev = head;
    *head = t;
}

static void list_remove(struct jr_timer *t)
{
    *t->prev = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    t->prev = NULL;
    t->next = NULL;
}

static void place(struct jr_wheel *w, struct jr_timer *t)
{
    uint64_t at = (t->when + (1u << JR_WHEEL_SHIFT) - 1) >> JR_WHEEL_SHIFT;
    if (at <= w->tick) {
        t->slot = JR_WHEEL_DUE;
        list_push(&w->due, t);
        return;
    }
    uint64_t reach = (1ull << (JR_WHEEL_BITS * JR_WHEEL_LEVELS)) - 1;
    if (at - w->tick > reach)
        at = w->tick + reach; /* cascades until it is near */
    unsigned level = 0;
    while ((at - w->tick) >> (JR_WHEEL_BITS * (level + 1)) != 0)
        level++;
    unsigned s = (unsigned)(at >> (JR_WHEEL_BITS * level)) & (JR_WHEEL_SLOTS - 1);
    t->slot = (uint16_t)(level * JR_WHEEL_SLOTS + s);
    w->map[level] |= 1ull << s;
    list_push(&w->slot[level][s], t);
}

void jr_wheel_cancel(struct jr_wheel *w, struct jr_timer *t)
{
    if (t->prev == NULL)
        return;
    list_remove(t);
    if (t->slot == JR_WHEEL_DUE)
        return;
    unsigned level = t->slot / JR_WHEEL_SLOTS, s = t->slot % JR_WHEEL_SLOTS;
    if (w->slot[level][s] == NULL)
        w->map[level] &= ~(1ull << s);
}

void jr_wheel_arm(struct jr_wheel *w, struct jr_timer *t, jr_time when)
{
    jr_wheel_cancel(w, t);
    t->when = when;
    place(w, t);
}

/* The first tick after w->tick at which a slot of this level must be handled. */
static uint64_t level_next(const struct jr_wheel *w, unsigned level)
{
    uint64_t map = w->map[level];
    if (map == 0)
        return UINT64_MAX;
    uint64_t base = w->tick >> (JR_WHEEL_BITS * level);
    unsigned turn = ((unsigned)base + 1) & (JR_WHEEL_SLOTS - 1);
    if (turn != 0)
        map = map >> turn | map << (JR_WHEEL_SLOTS - turn);
    return (base + 1 + (unsigned)__builtin_ctzll(map)) << (JR_WHEEL_BITS * level);
}

static uint64_t next_tick(const struct jr_wheel *w)
{
    uint64_t best = UINT64_MAX;
    for (unsigned level = 0; level < JR_WHEEL_LEVELS; level++) {
        uint64_t t = level_next(w, level);
        if (t < best)
            best = t;
    }
    return best;
}

static void empty_slot(struct jr_wheel *w, unsigned level)
{
    unsigned s = (unsigned)(w->tick >> (JR_WHEEL_BITS * level)) & (JR_WHEEL_SLOTS - 1);
    struct jr_timer *t = w->slot[level][s];
    w->slot[level][s] = NULL;
    w->map[level] &= ~(1ull << s);
    while (t != NULL) {
        struct jr_timer *next = t->next;
        place(w, t);
        t = next;
    }
}

struct jr_timer *jr_wheel_pop(struct jr_wheel *w, jr_time now)
{
    uint64_t target = now >> JR_WHEEL_SHIFT;
    while (w->due == NULL && w->tick < target) {
        uint64_t t = next_tick(w);
        if (t > target) {
            w->tick = target;
            break;
        }
        w->tick = t;
        for (unsigned level = JR_WHEEL_LEVELS; level-- > 0;)
            if (level == 0 || (t & ((1ull << (JR_WHEEL_BITS * level)) - 1)) == 0)
                empty_slot(w, level);
    }
    struct jr_timer *t = w->due;
    if (t != NULL)
        list_remove(t);
    return t;
}

jr_time jr_wheel_next(const struct jr_wheel *w)
{
    if (w->due != NULL)
        return 0;
    uint64_t t = next_tick(w);
    return t == UINT64_MAX ? JR_TIME_NEVER : t << JR_WHEEL_SHIFT;
}
