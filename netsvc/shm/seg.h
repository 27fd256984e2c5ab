/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A segment: the shared memory of one program, and what the service remembers about it. Programs can write all of it,
 * so whatever decides something (key, slot owners, answered generations) is kept here, not there.
 */
#ifndef JR_SHM_SEG_H
#define JR_SHM_SEG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "jr_abi.h"
#include "shm/region.h"

struct jr_wake;

struct jr_seg_eq {
    int fd;              /* the eventfd, -1: not registered */
    uint32_t answered;   /* the sleep_gen that was last answered */
    uint32_t order_tail; /* ours of what the program sees */
    void *client;        /* who registered it; NULL: is no more */
};

struct jr_seg {
    struct jr_list link;          /* in the owner's list of segments */
    struct jr_list warm_link;     /* in the list of those with warm slots */
    uint64_t warm[4], cooling[4]; /* free slots whose rings were used since the last sweep, before the last sweep */
    struct jr_region region;
    uint32_t id;
    uint64_t key[2];
    uint32_t nused;       /* slots handed out */
    uint32_t closed_seen; /* last value of app->closed */
    uint64_t posted_left; /* cells that were taken and have to wait for the next turn */
    void *owner;          /* whoever may ask for handles; NULL: lives until its last slot is free */
    bool moved;           /* made for one moved socket */
    /* the mapping's parts */
    struct jr_abi_seg_hdr *hdr;
    struct jr_abi_seg_app *app;
    struct jr_abi_cell *cells;
    struct jr_abi_eq *eqs;
    struct jr_abi_slot *slots;
    void *so[JR_SEG_SLOTS];     /* the socket in a slot, NULL: free */
    uint8_t free[JR_SEG_SLOTS]; /* stack of free slots, JR_SEG_SLOTS - nused high */
    struct jr_seg_eq eq[JR_SEG_EQS];
    uint32_t cell_answered[JR_SEG_CELLS]; /* the cell's wait that was last answered */
};

/* NULL and errno. */
struct jr_seg *jr_seg_new(uint32_t id, const uint64_t key[2]);
/* dead: tells its users that the service is gone. */
void jr_seg_free(struct jr_seg *seg, bool dead);

/* JR_NO_SLOT when all are taken. */
uint32_t jr_seg_slot_get(struct jr_seg *seg, void *so);
void jr_seg_slot_put(struct jr_seg *seg, uint32_t slot);

static inline uint8_t *jr_seg_tx_base(const struct jr_seg *seg, uint32_t slot)
{
    return seg->region.base + JR_SEG_RING_OFF + (uint64_t)slot * 2 * JR_RING_MAX;
}
static inline uint8_t *jr_seg_rx_base(const struct jr_seg *seg, uint32_t slot)
{
    return jr_seg_tx_base(seg, slot) + JR_RING_MAX;
}

/* What programs have marked since the last look. All reads and writes of it are atomic. */
struct jr_seg_marks {
    uint64_t dirty[4];
    uint64_t posted;
    bool closed;
};
/* One line of memory, given the last value seen of its word closed; false: nothing. */
static inline bool jr_seg_is_marked(const struct jr_abi_seg_app *a, uint32_t closed_seen)
{
    return (__atomic_load_n(&a->dirty[0], __ATOMIC_RELAXED) | __atomic_load_n(&a->dirty[1], __ATOMIC_RELAXED) |
            __atomic_load_n(&a->dirty[2], __ATOMIC_RELAXED) | __atomic_load_n(&a->dirty[3], __ATOMIC_RELAXED) |
            __atomic_load_n(&a->posted, __ATOMIC_RELAXED)) != 0 ||
           __atomic_load_n(&a->closed, __ATOMIC_RELAXED) != closed_seen;
}
void jr_seg_take_marks(struct jr_seg *seg, struct jr_seg_marks *m);

/* Tells an event queue that something about a slot changed. Call after a full fence behind the change itself. True: it
 * had asked for an eventfd write and got it, and somebody is there. */
bool jr_seg_post(struct jr_seg *seg, uint32_t eq, uint32_t slot, struct jr_wake *wake);
/* Takes fd over: checked to be an eventfd by the caller. */
void jr_seg_eq_register(struct jr_seg *seg, uint32_t eq, int fd, void *client, struct jr_wake *wake);

/* A command: the service's copy of the app's half of a cell. */
struct jr_seg_cmd {
    uint32_t op, slot, len;
    uint8_t req[JR_CELL_PAYLOAD] __attribute__((aligned(8)));
};
void jr_seg_cell_read(const struct jr_seg *seg, uint32_t cell, struct jr_seg_cmd *cmd);
/* rep_len <= JR_CELL_PAYLOAD. */
void jr_seg_cell_reply(struct jr_seg *seg, uint32_t cell, int32_t result, const void *rep, uint32_t rep_len,
                       struct jr_wake *wake);

/* Whether somebody names a segment's key; takes the same time for every wrong one. */
bool jr_seg_key_ok(const struct jr_seg *seg, const uint64_t key[2]);

#endif
