/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm/robust.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel follows next only; prev is ours. */
struct node {
    struct robust_list link;
    struct node *prev;
};

/* The kernel reads head when the thread ends, so it lives as long as the thread. */
static __thread struct {
    struct robust_list_head head;
    struct node *first; /* NULL: the thread's own list is in force */
    struct robust_list_head *theirs;
    size_t theirs_len;
} robust;

static struct node *node_of(uint32_t *word) { return (struct node *)((char *)word - JR_ROBUST_DISTANCE); }

static void take_over(void)
{
    robust.theirs = NULL;
    syscall(SYS_get_robust_list, 0, &robust.theirs, &robust.theirs_len);
    robust.head.list.next = &robust.head.list;
    robust.head.futex_offset = JR_ROBUST_DISTANCE;
    robust.head.list_op_pending = NULL;
    syscall(SYS_set_robust_list, &robust.head, sizeof robust.head);
}

void jr_robust_add(uint32_t *word)
{
    struct node *n = node_of(word);

    if (!robust.first)
        take_over();
    n->prev = NULL;
    n->link.next = robust.first ? &robust.first->link : &robust.head.list;
    if (robust.first)
        robust.first->prev = n;
    __atomic_store_n(word, jr_robust_value(), __ATOMIC_RELEASE);
    robust.first = n;
    __atomic_store_n(&robust.head.list.next, &n->link, __ATOMIC_RELEASE);
}

void jr_robust_del(uint32_t *word)
{
    struct node *n = node_of(word);
    struct robust_list *next = n->link.next;

    if (!next)
        return;
    if (n->prev) {
        __atomic_store_n(&n->prev->link.next, next, __ATOMIC_RELEASE);
    } else {
        robust.first = next == &robust.head.list ? NULL : (struct node *)next;
        __atomic_store_n(&robust.head.list.next, next, __ATOMIC_RELEASE);
    }
    if (next != &robust.head.list)
        ((struct node *)next)->prev = n->prev;
    n->link.next = NULL;
    if (!robust.first && robust.theirs)
        syscall(SYS_set_robust_list, robust.theirs, robust.theirs_len);
}

uint32_t jr_robust_value(void) { return (uint32_t)syscall(SYS_gettid) | FUTEX_WAITERS; }

uint32_t jr_robust_dead(void) { return FUTEX_OWNER_DIED; }
