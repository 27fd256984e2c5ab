/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups per port, and the merging of their sockets' filters (RFC 3376 3.2). */
#include "ip/mcast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ip/stack.h"
#include "link/netif.h"

bool jr_mcast_filter_allows(const struct jr_mcast_filter *f, struct jr_addr src)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (jr_addr_eq(f->src[i], src))
            return !f->exclude;
    }
    return f->exclude;
}

bool jr_mcast_filter_add(struct jr_mcast_filter *f, struct jr_addr src)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (jr_addr_eq(f->src[i], src))
            return false;
    }
    if (f->n == JR_MCAST_SOURCES)
        return false;
    f->src[f->n++] = src;
    return true;
}

bool jr_mcast_filter_del(struct jr_mcast_filter *f, struct jr_addr src)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (!jr_addr_eq(f->src[i], src))
            continue;
        f->src[i] = f->src[--f->n];
        return true;
    }
    return false;
}

static bool has(const struct jr_mcast_if_filter *f, struct jr_addr src)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (jr_addr_eq(f->src[i], src))
            return true;
    }
    return false;
}

static struct jr_mcast_member *member_of(struct jr_list *l) { return JR_LIST_ENTRY(l, struct jr_mcast_member, link); }

/* INCLUDE members only: the union of what they want. */
static void merge_include(struct jr_mcast_group *g)
{
    g->now = (struct jr_mcast_if_filter){0};
    JR_LIST_EACH(l, &g->members) {
        const struct jr_mcast_filter *f = &member_of(l)->filter;
        for (unsigned i = 0; i < f->n; i++) {
            if (has(&g->now, f->src[i]))
                continue;
            if (g->now.n == JR_MCAST_IF_SOURCES) { /* too many to tell apart: all */
                g->now = (struct jr_mcast_if_filter){.exclude = true};
                return;
            }
            g->now.src[g->now.n++] = f->src[i];
        }
    }
}

/* Everybody but those whom all EXCLUDE members exclude and no INCLUDE member wants. */
static void merge_exclude(struct jr_mcast_group *g, const struct jr_mcast_filter *first)
{
    g->now = (struct jr_mcast_if_filter){.exclude = true};
    for (unsigned i = 0; i < first->n; i++) {
        bool wanted = false;
        JR_LIST_EACH(l, &g->members)
            wanted |= jr_mcast_filter_allows(&member_of(l)->filter, first->src[i]);
        if (!wanted)
            g->now.src[g->now.n++] = first->src[i];
    }
}

static bool same(const struct jr_mcast_if_filter *a, const struct jr_mcast_if_filter *b)
{
    if (a->exclude != b->exclude || a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        if (!has(b, a->src[i]))
            return false;
    }
    return true;
}

static void recompute(struct jr_ip *ip, struct jr_mcast_group *g, jr_time now)
{
    const struct jr_mcast_if_filter before = g->now;
    const struct jr_mcast_filter *exclude = NULL;

    JR_LIST_EACH(l, &g->members) {
        if (member_of(l)->filter.exclude)
            exclude = &member_of(l)->filter;
    }
    if (exclude)
        merge_exclude(g, exclude);
    else
        merge_include(g);
    if (!same(&before, &g->now))
        jr_igmp_changed(ip, g, now);
}

static struct jr_mcast_group *find(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr addr)
{
    JR_LIST_EACH(l, &ip->mcast.groups) {
        struct jr_mcast_group *g = JR_LIST_ENTRY(l, struct jr_mcast_group, link);
        if (g->ifp == ifp && jr_addr_eq(g->addr, addr))
            return g;
    }
    return NULL;
}

int jr_ip_mcast_join(struct jr_ip *ip, struct jr_mcast_member *m, jr_time now)
{
    struct jr_mcast_group *g = find(ip, m->ifp, m->group);

    if (!g) {
        g = calloc(1, sizeof *g);
        if (!g)
            return -ENOMEM;
        g->ifp = m->ifp;
        g->addr = m->group;
        g->change_at = g->answer_at = JR_TIME_NEVER;
        jr_list_init(&g->members);
        jr_list_push_tail(&ip->mcast.groups, &g->link);
    }
    m->of = g;
    jr_list_push_tail(&g->members, &m->link);
    recompute(ip, g, now);
    return 0;
}

void jr_ip_mcast_changed(struct jr_ip *ip, struct jr_mcast_member *m, jr_time now)
{
    if (m->of)
        recompute(ip, m->of, now);
}

static void free_group(struct jr_mcast_group *g)
{
    while (!jr_list_empty(&g->members)) {
        struct jr_mcast_member *m = member_of(jr_list_pop_head(&g->members));
        m->of = NULL;
    }
    jr_list_del(&g->link);
    free(g);
}

void jr_ip_mcast_leave(struct jr_ip *ip, struct jr_mcast_member *m, jr_time now)
{
    struct jr_mcast_group *g = m->of;

    if (!g)
        return;
    jr_list_del(&m->link);
    m->of = NULL;
    recompute(ip, g, now);
    if (jr_list_empty(&g->members) && g->reports_left == 0)
        free_group(g);
}

bool jr_ip_mcast_wanted(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr group,
                        const struct jr_addr *src)
{
    const struct jr_mcast_group *g;

    if (jr_addr_to_v4(group) == jr_be32(0xe0000001) && jr_addr_is_v4(group)) /* all systems (RFC 1112 4) */
        return true;
    g = find(ip, ifp, group);
    return g && (!src || has(&g->now, *src) != g->now.exclude);
}

void jr_mcast_init(struct jr_ip *ip)
{
    jr_list_init(&ip->mcast.groups);
    ip->mcast.next_tick = JR_TIME_NEVER;
}

void jr_mcast_netif_gone(struct jr_ip *ip, struct jr_netif *ifp)
{
    JR_LIST_EACH_SAFE(l, &ip->mcast.groups) {
        struct jr_mcast_group *g = JR_LIST_ENTRY(l, struct jr_mcast_group, link);
        if (g->ifp == ifp)
            free_group(g);
    }
    for (unsigned i = 0; i < JR_MCAST_IFS; i++) {
        if (ip->mcast.ifs[i].ifp == ifp)
            ip->mcast.ifs[i].ifp = NULL;
    }
}

void jr_mcast_fini(struct jr_ip *ip)
{
    JR_LIST_EACH_SAFE(l, &ip->mcast.groups)
        free_group(JR_LIST_ENTRY(l, struct jr_mcast_group, link));
}

void jr_mcast_tick(struct jr_ip *ip, jr_time now)
{
    struct jr_mcast *mc = &ip->mcast;

    if (now < mc->next_tick)
        return;
    mc->next_tick = JR_TIME_NEVER;
    for (unsigned i = 0; i < JR_MCAST_IFS; i++) {
        if (mc->ifs[i].ifp)
            jr_igmp_if_tick(ip, &mc->ifs[i], now);
    }
    JR_LIST_EACH_SAFE(l, &mc->groups) {
        struct jr_mcast_group *g = JR_LIST_ENTRY(l, struct jr_mcast_group, link);
        jr_igmp_group_tick(ip, g, now);
        if (jr_list_empty(&g->members) && g->reports_left == 0)
            free_group(g);
    }
}
