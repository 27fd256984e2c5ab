/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake service's sockets: what it tells the program of them, connections, and moving one elsewhere. */
#include "fake_int.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

void fake_futex_wake(uint32_t *w) { syscall(SYS_futex, w, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0); }

/* ---- telling ---- */

void fake_post_watchers(struct sock *so)
{
    uint64_t watch = __atomic_load_n(&slot_of(so)->watch, __ATOMIC_SEQ_CST);
    for (; watch; watch &= watch - 1) {
        unsigned e = (unsigned)__builtin_ctzll(watch);
        struct jr_abi_eq *q = &eqs(so->seg)[e];
        __atomic_fetch_or(&q->posted[so->slot / 64], 1ull << so->slot % 64, __ATOMIC_SEQ_CST);
        uint32_t gen = __atomic_load_n(&q->sleep_gen, __ATOMIC_SEQ_CST);
        if (gen == so->seg->eq_answered[e] || so->seg->eq_fd[e] < 0)
            continue;
        so->seg->eq_answered[e] = gen;
        __atomic_store_n(&q->woken_gen, gen, __ATOMIC_RELEASE);
        uint64_t one = 1;
        if (write(so->seg->eq_fd[e], &one, sizeof one) < 0)
            die("eventfd");
    }
}

static bool answer(uint32_t *wait, uint32_t *answered, uint32_t *woken, uint32_t *seq)
{
    uint32_t gen = __atomic_load_n(wait, __ATOMIC_SEQ_CST);
    if (gen == *answered)
        return false;
    *answered = gen;
    __atomic_store_n(woken, gen, __ATOMIC_RELAXED);
    __atomic_fetch_add(seq, 1, __ATOMIC_SEQ_CST);
    fake_futex_wake(seq);
    return true;
}

void fake_tell(struct sock *so, int what)
{
    struct jr_abi_slot *sl = slot_of(so);
    bool post = what & FAKE_DATA;
    if (what & FAKE_DATA)
        answer(&sl->rx.data_wait, &so->data_answered, &sl->rx.data_woken, &sl->rx.data_seq);
    if (what & FAKE_SPACE)
        post |= answer(&sl->tx.space_wait, &so->space_answered, &sl->tx.space_woken, &sl->tx.space_seq);
    if (post)
        fake_post_watchers(so);
}

void fake_set_state(struct sock *so, uint32_t set, uint32_t clear)
{
    so->state = (so->state & ~clear) | set;
    __atomic_store_n(&slot_of(so)->state, so->state, __ATOMIC_RELEASE);
}

void fake_fail(struct sock *so, int err)
{
    so->err = (so->err + (1 << 16)) & 0xffff0000;
    __atomic_store_n(&slot_of(so)->err, so->err | (uint32_t)err, __ATOMIC_RELEASE);
    so->err |= (uint32_t)err;
    so->connecting = false;
    fake_set_state(so, JR_ST_DEAD, JR_ST_CONNECTING);
    fake_tell(so, FAKE_STATE);
}

/* ---- connections ---- */

static struct sock *listener_on(uint16_t port)
{
    for (unsigned i = 0; i < fake.nsegs * JR_SEG_SLOTS; i++)
        if (fake.sock[i].handle_open && (fake.sock[i].state & JR_ST_LISTENING) &&
            slot_of(&fake.sock[i])->local.port == port)
            return &fake.sock[i];
    return NULL;
}

static void make_pair(struct sock *so)
{
    unsigned i = fake.npairs++;
    struct pair *p = &fake.pair[i];
    if (i >= PAIRS)
        die("pairs");
    p->fd = memfd_create("pair", MFD_CLOEXEC);
    if (ftruncate(p->fd, (off_t)JR_PAIR_SIZE) < 0)
        die("ftruncate");
    p->p = mmap(NULL, JR_PAIR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
    p->p->magic = JR_ABI_MAGIC;
    p->p->ring[0].cap = p->p->ring[1].cap = fake.cfg.ring;
    so->pair = (int)i;
    so->end = 0;
}

void fake_connect_now(struct sock *so)
{
    struct sock *l = listener_on(so->to.port);
    so->connecting = false;
    if (!l) {
        fake_fail(so, ECONNREFUSED);
        return;
    }
    so->queued = true;
    so->next = NULL;
    struct sock **p = &l->queue;
    while (*p)
        p = &(*p)->next;
    *p = so;
    l->nqueue++;
    slot_of(so)->remote = so->to;
    slot_of(so)->local.family = so->to.family;
    if (!slot_of(so)->local.port)
        slot_of(so)->local.port = (uint16_t)(40000 + fake.serial++ % 10000);
    if (fake.cfg.pairs)
        make_pair(so);
    fake_set_state(so, JR_ST_CONNECTED | JR_ST_BOUND | (fake.cfg.pairs ? JR_ST_PAIR : 0), JR_ST_CONNECTING);
    __atomic_store_n(&slot_of(l)->accept_ready, l->nqueue, __ATOMIC_RELEASE);
    fake_tell(so, FAKE_STATE);
    fake_tell(l, FAKE_DATA);
}

void fake_end_of_socket(struct sock *so)
{
    struct sock *p = so->peer;
    if (p) {
        p->peer = NULL;
        if (so->pair >= 0) {
            __atomic_fetch_or(&fake.pair[so->pair].p->ring[so->end].flags, JR_RING_FIN, __ATOMIC_SEQ_CST);
            struct jr_abi_ring *r = &fake.pair[so->pair].p->ring[so->end];
            __atomic_fetch_add(&r->data_seq, 1, __ATOMIC_SEQ_CST);
            fake_futex_wake(&r->data_seq);
        }
        fake_set_state(p, JR_ST_RX_EOF, 0);
        fake_tell(p, FAKE_STATE);
    }
    so->peer = NULL;
    so->handle_open = false;
    fake_set_state(so, 0, ~0u);
    so->seg->used[so->slot] = false;
}

void fake_give_peer(struct sock *l, struct sock *so)
{
    struct sock *c = l->queue;
    l->queue = c->next;
    l->nqueue--;
    c->queued = false;
    c->peer = so;
    so->peer = c;
    slot_of(so)->local = slot_of(l)->local;
    slot_of(so)->remote = slot_of(c)->local;
    uint32_t st = JR_ST_CONNECTED | JR_ST_BOUND | JR_ST_IN_USE;
    if (fake.cfg.pairs) {
        so->pair = c->pair;
        so->end = 1;
        st |= JR_ST_PAIR;
    }
    fake_set_state(so, st, 0);
    __atomic_store_n(&slot_of(l)->accept_ready, l->nqueue, __ATOMIC_RELEASE);
}

struct sock *fake_by_port(uint16_t port)
{
    for (unsigned i = 0; i < fake.nsegs * JR_SEG_SLOTS; i++)
        if (fake.sock[i].handle_open && (fake.sock[i].state & JR_ST_CONNECTED) &&
            slot_of(&fake.sock[i])->local.port == port)
            return &fake.sock[i];
    return NULL;
}

/* The slot that was left says so for ever after. */
bool fake_move_sock(uint16_t port)
{
    struct sock *old = fake_by_port(port);
    struct jr_abi_slot *a = old ? slot_of(old) : NULL;
    uint32_t zero = 0;
    if (!old)
        return false;
    while (!__atomic_compare_exchange_n(&a->tx_lock, &zero, JR_LOCK_SERVICE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        zero = 0;
    while (!__atomic_compare_exchange_n(&a->rx_lock, &zero, JR_LOCK_SERVICE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        zero = 0;
    struct seg *s = fake_new_seg();
    struct sock *so = sock_at(s, 5);
    *so = *old;
    so->seg = s;
    so->slot = 5;
    s->used[5] = true;
    memcpy(slot_of(so), a, sizeof *a);
    slot_of(so)->gen = 1;
    slot_of(so)->watch = 0;
    slot_of(so)->tx_lock = slot_of(so)->rx_lock = 0;
    for (int r = 0; r < 2; r++)
        memcpy(ring_of(so, r), ring_of(old, r), fake.cfg.grant > fake.cfg.ring ? fake.cfg.grant : fake.cfg.ring);
    if (so->peer)
        so->peer->peer = so;
    old->peer = NULL;
    old->handle_open = false;
    __atomic_store_n(&a->state, so->state | JR_ST_MOVED, __ATOMIC_SEQ_CST);
    __atomic_store_n(&a->rx_lock, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&a->tx_lock, 0, __ATOMIC_SEQ_CST);
    fake_tell(old, FAKE_STATE);
    return true;
}
