/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm/seg.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/wake.h"

_Static_assert(offsetof(struct jr_abi_seg_hdr, owner) == offsetof(struct jr_abi_pair, owner), "one robust distance");

static void set_parts(struct jr_seg *seg)
{
    uint8_t *b = seg->region.base;

    seg->hdr = (struct jr_abi_seg_hdr *)(b + JR_SEG_HDR_OFF);
    seg->app = (struct jr_abi_seg_app *)(b + JR_SEG_APP_OFF);
    seg->cells = (struct jr_abi_cell *)(b + JR_SEG_CELL_OFF);
    seg->eqs = (struct jr_abi_eq *)(b + JR_SEG_EQ_OFF);
    seg->slots = (struct jr_abi_slot *)(b + JR_SEG_SLOT_OFF);
}

struct jr_seg *jr_seg_new(uint32_t id, const uint64_t key[2])
{
    struct jr_seg *seg = calloc(1, sizeof *seg);
    int r;

    if (!seg)
        return NULL;
    r = jr_region_new(&seg->region, "joyride-seg", JR_SEG_SIZE, JR_SEG_SIZE, offsetof(struct jr_abi_seg_hdr, owner), 0);
    if (r < 0) {
        free(seg);
        errno = -r;
        return NULL;
    }
    set_parts(seg);
    jr_list_init(&seg->link);
    jr_list_init(&seg->warm_link);
    seg->id = id;
    memcpy(seg->key, key, sizeof seg->key);
    for (uint32_t i = 0; i < JR_SEG_SLOTS; i++)
        seg->free[i] = (uint8_t)(JR_SEG_SLOTS - 1 - i);
    for (uint32_t i = 0; i < JR_SEG_EQS; i++)
        seg->eq[i].fd = -1;
    seg->hdr->magic = JR_ABI_MAGIC;
    seg->hdr->version = JR_ABI_VERSION;
    seg->hdr->checksum = JR_ABI_CHECKSUM;
    seg->hdr->seg_id = id;
    seg->hdr->nslots = JR_SEG_SLOTS;
    memcpy(seg->hdr->key, key, sizeof seg->key);
    return seg;
}

/* Who waits here would wait for ever: whoever posts sees dropped, or we see the post. */
static void drop_commands(struct jr_seg *seg)
{
    uint64_t posted, waiting;

    __atomic_store_n(&seg->hdr->dropped, 1, __ATOMIC_SEQ_CST);
    posted = __atomic_exchange_n(&seg->app->posted, 0, __ATOMIC_SEQ_CST);
    waiting = posted | __atomic_load_n(&seg->app->cell_claim, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < JR_SEG_CELLS; i++) {
        struct jr_abi_cell *c = &seg->cells[i];
        if (posted >> i & 1) {
            c->result = -EBADF;
            __atomic_fetch_add(&c->done, 1, __ATOMIC_SEQ_CST);
        }
        if (waiting >> i & 1)
            jr_wake_now(&c->done);
    }
}

void jr_seg_free(struct jr_seg *seg, bool dead)
{
    drop_commands(seg);
    for (uint32_t i = 0; i < JR_SEG_EQS; i++)
        if (seg->eq[i].fd >= 0)
            close(seg->eq[i].fd);
    jr_list_del(&seg->link);
    jr_list_del(&seg->warm_link);
    jr_region_free(&seg->region, dead);
    free(seg);
}

uint32_t jr_seg_slot_get(struct jr_seg *seg, void *so)
{
    if (seg->nused == JR_SEG_SLOTS)
        return JR_NO_SLOT;
    const uint32_t slot = seg->free[JR_SEG_SLOTS - ++seg->nused];
    seg->so[slot] = so;
    return slot;
}

void jr_seg_slot_put(struct jr_seg *seg, uint32_t slot)
{
    seg->so[slot] = NULL;
    seg->free[JR_SEG_SLOTS - seg->nused--] = (uint8_t)slot;
}

void jr_seg_take_marks(struct jr_seg *seg, struct jr_seg_marks *m)
{
    const uint32_t closed = __atomic_load_n(&seg->app->closed, __ATOMIC_ACQUIRE);

    m->closed = closed != seg->closed_seen;
    seg->closed_seen = closed;
    m->posted = __atomic_load_n(&seg->app->posted, __ATOMIC_RELAXED);
    if (m->posted)
        m->posted = __atomic_exchange_n(&seg->app->posted, 0, __ATOMIC_SEQ_CST);
    m->posted |= seg->posted_left;
    seg->posted_left = 0;
    for (unsigned i = 0; i < 4; i++) {
        m->dirty[i] = __atomic_load_n(&seg->app->dirty[i], __ATOMIC_RELAXED);
        if (m->dirty[i])
            m->dirty[i] = __atomic_exchange_n(&seg->app->dirty[i], 0, __ATOMIC_SEQ_CST);
    }
}

bool jr_seg_post(struct jr_seg *seg, uint32_t eq, uint32_t slot, struct jr_wake *wake)
{
    struct jr_abi_eq *q = &seg->eqs[eq];
    struct jr_seg_eq *own = &seg->eq[eq];
    const uint64_t bit = 1ull << (slot & 63);
    uint64_t *word = &q->posted[slot >> 6];

    /* A bit that is still set was not taken since the change became visible: whoever takes it will see the change. */
    if (!(__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit)) {
        __atomic_store_n(&q->order[own->order_tail++ % JR_SEG_SLOTS], ++wake->posts << 8 | slot, __ATOMIC_RELAXED);
        __atomic_store_n(&q->order_tail, own->order_tail, __ATOMIC_RELEASE);
        __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
    }
    const uint32_t gen = __atomic_load_n(&q->sleep_gen, __ATOMIC_SEQ_CST);
    if (gen == own->answered || own->fd < 0)
        return false;
    own->answered = gen;
    __atomic_store_n(&q->woken_gen, gen, __ATOMIC_RELEASE);
    jr_wake_event(wake, own->fd);
    return own->client != NULL;
}

void jr_seg_eq_register(struct jr_seg *seg, uint32_t eq, int fd, void *client, struct jr_wake *wake)
{
    if (seg->eq[eq].fd >= 0) {
        jr_wake_flush(wake);
        close(seg->eq[eq].fd);
    }
    seg->eq[eq].fd = fd;
    seg->eq[eq].client = client;
    /* Whatever was posted before now had nobody to ring: the first look of the sleeper sees it. */
    seg->eq[eq].answered = __atomic_load_n(&seg->eqs[eq].woken_gen, __ATOMIC_ACQUIRE);
}

void jr_seg_cell_read(const struct jr_seg *seg, uint32_t cell, struct jr_seg_cmd *cmd)
{
    const struct jr_abi_cell *c = &seg->cells[cell];

    cmd->op = __atomic_load_n(&c->op, __ATOMIC_RELAXED);
    cmd->slot = __atomic_load_n(&c->slot, __ATOMIC_RELAXED);
    cmd->len = __atomic_load_n(&c->len, __ATOMIC_RELAXED);
    memcpy(cmd->req, c->req, sizeof cmd->req);
}

void jr_seg_cell_reply(struct jr_seg *seg, uint32_t cell, int32_t result, const void *rep, uint32_t rep_len,
                       struct jr_wake *wake)
{
    struct jr_abi_cell *c = &seg->cells[cell];
    uint32_t wait;

    memcpy(c->rep, rep, rep_len);
    c->rep_len = rep_len;
    c->result = result;
    __atomic_fetch_add(&c->done, 1, __ATOMIC_SEQ_CST);
    wait = __atomic_load_n(&c->wait, __ATOMIC_SEQ_CST);
    if (wait == seg->cell_answered[cell])
        return;
    seg->cell_answered[cell] = wait;
    jr_wake_futex(wake, &c->done);
}

bool jr_seg_key_ok(const struct jr_seg *seg, const uint64_t key[2])
{
    return ((seg->key[0] ^ key[0]) | (seg->key[1] ^ key[1])) == 0;
}
