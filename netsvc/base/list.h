/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intrusive doubly linked list with a sentinel. A node that is in no list points at itself, so jr_list_del()
 * may be called twice and jr_list_linked() tells which it is.
 */
#ifndef JR_BASE_LIST_H
#define JR_BASE_LIST_H

#include <stdbool.h>

#include "base/bits.h"

struct jr_list {
    struct jr_list *prev, *next;
};

static inline void jr_list_init(struct jr_list *l) { l->prev = l->next = l; }
static inline bool jr_list_empty(const struct jr_list *l) { return l->next == l; }
static inline bool jr_list_linked(const struct jr_list *n) { return n->next != n; }

static inline void jr_list_insert_between(struct jr_list *n, struct jr_list *prev, struct jr_list *next)
{
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}
static inline void jr_list_push_head(struct jr_list *l, struct jr_list *n) { jr_list_insert_between(n, l, l->next); }
static inline void jr_list_push_tail(struct jr_list *l, struct jr_list *n) { jr_list_insert_between(n, l->prev, l); }
static inline void jr_list_insert_before(struct jr_list *pos, struct jr_list *n)
{
    jr_list_insert_between(n, pos->prev, pos);
}
static inline void jr_list_del(struct jr_list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    jr_list_init(n);
}
/* NULL when empty. */
static inline struct jr_list *jr_list_first(const struct jr_list *l) { return jr_list_empty(l) ? NULL : l->next; }
static inline struct jr_list *jr_list_pop_head(struct jr_list *l)
{
    struct jr_list *n = jr_list_first(l);
    if (n)
        jr_list_del(n);
    return n;
}

#define JR_LIST_ENTRY(node, type, member) JR_CONTAINER_OF(node, type, member)
/* it: a struct jr_list pointer; it may not be removed inside, in the _SAFE form it may. */
#define JR_LIST_EACH(it, list) for (struct jr_list *it = (list)->next; it != (list); it = it->next)
#define JR_LIST_EACH_SAFE(it, list)                                                                                    \
    for (struct jr_list *it = (list)->next, *it##_next = it->next; it != (list); it = it##_next, it##_next = it->next)

#endif
