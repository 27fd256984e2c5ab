/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of connections, seeded so that nobody can aim at one chain, and the table of local ports. A port
 * knows what is bound to it by name (bind, listen) as a list, and connections that share it as a count.
 * Ephemeral ports: RFC 6056, algorithm 3 for connect, algorithm 1 for bind.
 */
#include "tcp/pcb.h"

#include <stdlib.h>

#include "base/siphash.h"
#include "tcp/isn.h"

/* Both halves of a product: every bit of a and b reaches the result. */
static inline uint64_t mum(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

uint32_t jr_pcb_hash(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                     uint16_t fport)
{
    const uint64_t *k = tcp->hash_key;
    uint64_t f = mum(faddr.q[0] ^ k[0], faddr.q[1] ^ k[1]);
    uint64_t l = mum(laddr.q[1] ^ k[2], laddr.q[0] ^ ((uint64_t)lport << 16 | fport) ^ k[3]);
    uint64_t h = mum(f ^ k[2], l ^ k[0]);
    return (uint32_t)(h ^ h >> 32);
}

static inline bool pcb_is(const struct jr_tcpcb *tp, uint32_t hash, struct jr_addr laddr, uint16_t lport,
                          struct jr_addr faddr, uint16_t fport)
{
    return tp->hash == hash && tp->lport == lport && tp->fport == fport && jr_addr_eq(tp->faddr, faddr) &&
           jr_addr_eq(tp->laddr, laddr);
}

struct jr_tcpcb *jr_pcb_lookup(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                               uint16_t fport)
{
    uint32_t hash = jr_pcb_hash(tcp, laddr, lport, faddr, fport);
    struct jr_tcpcb *tp = tcp->buckets[hash & tcp->bucket_mask];
    while (tp != NULL && !pcb_is(tp, hash, laddr, lport, faddr, fport))
        tp = tp->hash_next;
    return tp;
}

static struct jr_tcp_port *port_find(const struct jr_tcp *tcp, uint16_t port)
{
    struct jr_tcp_port **page = tcp->ports[port >> 8];
    return page != NULL ? page[port & 255] : NULL;
}

static struct jr_tcp_port *port_get(struct jr_tcp *tcp, uint16_t port)
{
    struct jr_tcp_port **page = tcp->ports[port >> 8], *p;
    if (page == NULL)
        page = tcp->ports[port >> 8] = calloc(256, sizeof *page);
    if (page == NULL)
        return NULL;
    p = page[port & 255];
    if (p == NULL) {
        p = calloc(1, sizeof *p);
        if (p == NULL)
            return NULL;
        jr_list_init(&p->bound);
        page[port & 255] = p;
    }
    return p;
}

static void port_put(struct jr_tcp *tcp, uint16_t port)
{
    struct jr_tcp_port *p = port_find(tcp, port);
    if (p == NULL || p->conns[0].n + p->conns[1].n != 0 || !jr_list_empty(&p->bound))
        return;
    tcp->ports[port >> 8][port & 255] = NULL;
    free(p);
}

void jr_pcb_free_ports(struct jr_tcp *tcp)
{
    for (uint32_t hi = 0; hi < 256; hi++) {
        for (uint32_t lo = 0; tcp->ports[hi] != NULL && lo < 256; lo++)
            free(tcp->ports[hi][lo]);
        free(tcp->ports[hi]);
        tcp->ports[hi] = NULL;
    }
}

/* Chains are kept short, for each link is a cache miss; without memory they just get longer. */
static void grow(struct jr_tcp *tcp)
{
    uint32_t n = (tcp->bucket_mask + 1) * 4;
    struct jr_tcpcb **b = calloc(n, sizeof *b);
    if (b == NULL)
        return;
    for (uint32_t i = 0; i <= tcp->bucket_mask; i++) {
        struct jr_tcpcb *tp = tcp->buckets[i];
        while (tp != NULL) {
            struct jr_tcpcb *next = tp->hash_next;
            tp->hash_next = b[tp->hash & (n - 1)];
            b[tp->hash & (n - 1)] = tp;
            tp = next;
        }
    }
    free(tcp->buckets);
    tcp->buckets = b;
    tcp->bucket_mask = n - 1;
}

static void count_conn(struct jr_tcp_port *p, const struct jr_tcpcb *tp, int by)
{
    const int v6 = !jr_addr_is_v4(tp->laddr);
    p->conns[v6].n += (uint32_t)by;
    if (!(tp->t_flags & TF_REUSEADDR))
        p->conns[v6].noreuseaddr += (uint32_t)by;
    if (!(tp->t_flags & TF_REUSEPORT))
        p->conns[v6].noreuseport += (uint32_t)by;
}

bool jr_pcb_insert(struct jr_tcpcb *tp)
{
    struct jr_tcp *tcp = tp->tcp;
    if (!(tp->t_flags & (TF_BOUND | TF_PORTREF))) {
        struct jr_tcp_port *p = port_get(tcp, tp->lport);
        if (p == NULL)
            return false;
        count_conn(p, tp, 1);
        tp->t_flags |= TF_PORTREF;
    }
    if (tcp->hash_count > tcp->bucket_mask / 2)
        grow(tcp);
    tp->hash = jr_pcb_hash(tcp, tp->laddr, tp->lport, tp->faddr, tp->fport);
    struct jr_tcpcb **b = &tcp->buckets[tp->hash & tcp->bucket_mask];
    tp->hash_next = *b;
    *b = tp;
    tcp->hash_count++;
    tp->t_flags |= TF_INHASH;
    return true;
}

static void port_leave(struct jr_tcpcb *tp)
{
    struct jr_tcp *tcp = tp->tcp;
    struct jr_tcp_port *p = port_find(tcp, tp->lport);
    if (tp->t_flags & TF_BOUND)
        jr_list_del(&tp->port_link);
    if (tp->t_flags & TF_PORTREF) {
        count_conn(p, tp, -1);
    }
    tp->t_flags &= ~(uint32_t)(TF_BOUND | TF_PORTREF);
    port_put(tcp, tp->lport);
}

static struct jr_tcpcb **link_to(const struct jr_tcpcb *tp)
{
    struct jr_tcpcb **b = &tp->tcp->buckets[tp->hash & tp->tcp->bucket_mask];
    while (*b != tp)
        b = &(*b)->hash_next;
    return b;
}

void jr_pcb_replace(struct jr_tcpcb *tp, struct jr_tcpcb *by)
{
    *link_to(tp) = by;
    tp->t_flags &= ~(uint32_t)(TF_INHASH | TF_PORTREF);
}

void jr_pcb_remove(struct jr_tcpcb *tp)
{
    struct jr_tcp *tcp = tp->tcp;
    if (tp->t_flags & TF_INHASH) {
        *link_to(tp) = tp->hash_next;
        tcp->hash_count--;
        tp->t_flags &= ~(uint32_t)TF_INHASH;
    }
    if (tp->t_flags & (TF_BOUND | TF_PORTREF))
        port_leave(tp);
}

static bool is_any6(struct jr_addr a) { return (a.q[0] | a.q[1]) == 0; }

/* Whether two local addresses can mean the same packets. */
static bool overlap(const struct jr_tcpcb *a, struct jr_addr b, bool b_v6only)
{
    if (jr_addr_eq(a->laddr, b))
        return true;
    bool v4a = jr_addr_is_v4(a->laddr), v4b = jr_addr_is_v4(b);
    if (v4a == v4b)
        return jr_addr_is_any(a->laddr) || jr_addr_is_any(b);
    if (v4a)
        return is_any6(b) && !b_v6only;
    return is_any6(a->laddr) && !(a->t_flags & TF_V6ONLY);
}

/* Connections that did not bind are in the way of any address of their family. */
static bool conns_conflict(const struct jr_tcpcb *tp, struct jr_addr addr, const struct jr_tcp_port *p)
{
    const bool families[2] = {jr_addr_is_v4(addr) || (is_any6(addr) && !(tp->t_flags & TF_V6ONLY)),
                              !jr_addr_is_v4(addr)};
    for (int i = 0; i < 2; i++) {
        if (!families[i] || p->conns[i].n == 0)
            continue;
        if (!(tp->t_flags & TF_REUSEADDR && p->conns[i].noreuseaddr == 0) &&
            !(tp->t_flags & TF_REUSEPORT && p->conns[i].noreuseport == 0))
            return true;
    }
    return false;
}

static bool conflicts(const struct jr_tcpcb *tp, struct jr_addr addr, const struct jr_tcp_port *p)
{
    if (p == NULL)
        return false;
    if (conns_conflict(tp, addr, p))
        return true;
    JR_LIST_EACH(it, &p->bound) {
        const struct jr_tcpcb *o = JR_LIST_ENTRY(it, struct jr_tcpcb, port_link);
        if (o == tp || !overlap(o, addr, tp->t_flags & TF_V6ONLY))
            continue;
        if (tp->t_flags & o->t_flags & TF_REUSEPORT)
            continue;
        if ((tp->t_flags & o->t_flags & TF_REUSEADDR) && o->t_state != TCPS_LISTEN)
            continue;
        return true;
    }
    return false;
}

bool jr_pcb_port_is_used(const struct jr_tcpcb *tp, struct jr_addr addr, uint16_t port)
{
    const struct jr_tcp_port *p = port_find(tp->tcp, port);
    if (p == NULL)
        return false;
    JR_LIST_EACH(it, &p->bound) {
        const struct jr_tcpcb *o = JR_LIST_ENTRY(it, struct jr_tcpcb, port_link);
        if (o != tp && overlap(o, addr, tp->t_flags & TF_V6ONLY))
            return true;
    }
    return p->conns[0].n + p->conns[1].n != 0;
}

static uint16_t pick_bind_port(struct jr_tcpcb *tp, struct jr_addr addr)
{
    struct jr_tcp *tcp = tp->tcp;
    uint32_t n = (uint32_t)tcp->cfg.port_last - tcp->cfg.port_first + 1;
    uint32_t at = jr_rng_below(&tcp->rng, n);
    for (uint32_t i = 0; i < n; i++, at = (at + 1) % n) {
        uint16_t port = (uint16_t)(tcp->cfg.port_first + at);
        if (!jr_pcb_port_is_used(tp, addr, port))
            return port;
    }
    return 0;
}

int jr_pcb_bind(struct jr_tcpcb *tp, struct jr_addr addr, uint16_t port)
{
    if (port == 0) {
        port = pick_bind_port(tp, addr);
        if (port == 0)
            return -EADDRINUSE;
    } else if (conflicts(tp, addr, port_find(tp->tcp, port))) {
        return -EADDRINUSE;
    }
    struct jr_tcp_port *p = port_get(tp->tcp, port);
    if (p == NULL)
        return -ENOMEM;
    tp->laddr = addr;
    tp->lport = port;
    tp->t_flags |= TF_BOUND;
    jr_list_push_tail(&p->bound, &tp->port_link);
    return 0;
}

bool jr_pcb_may_listen(const struct jr_tcpcb *tp)
{
    JR_LIST_EACH(it, &port_find(tp->tcp, tp->lport)->bound) {
        const struct jr_tcpcb *o = JR_LIST_ENTRY(it, struct jr_tcpcb, port_link);
        if (o != tp && o->t_state == TCPS_LISTEN && overlap(o, tp->laddr, tp->t_flags & TF_V6ONLY) &&
            !(tp->t_flags & o->t_flags & TF_REUSEPORT))
            return false;
    }
    return true;
}

/* A port that somebody bound by name isn't handed out; one that only connections use is, for another four-tuple. */
static bool port_is_free(const struct jr_tcpcb *tp, uint16_t port)
{
    const struct jr_tcp_port *p = port_find(tp->tcp, port);
    if (p == NULL)
        return true;
    return jr_list_empty(&p->bound) && jr_pcb_lookup(tp->tcp, tp->laddr, port, tp->faddr, tp->fport) == NULL;
}

uint16_t jr_pcb_pick_port(struct jr_tcpcb *tp)
{
    struct jr_tcp *tcp = tp->tcp;
    uint32_t n = (uint32_t)tcp->cfg.port_last - tcp->cfg.port_first + 1;
    uint32_t offset = jr_tcp_port_offset(tcp, tp->laddr, tp->faddr, tp->fport);
    for (uint32_t i = 0; i < n; i++) {
        uint16_t port = (uint16_t)(tcp->cfg.port_first + (offset + tcp->ephemeral_count++) % n);
        if (port_is_free(tp, port))
            return port;
    }
    return 0;
}

/* 4: this very address; 3, 2: the wildcard of its family; 1: :: for an IPv4 packet; 0: not for it. */
static int bound_score(const struct jr_tcpcb *tp, struct jr_addr laddr, bool any)
{
    if (tp->t_state != TCPS_LISTEN && !any)
        return 0;
    if (jr_addr_eq(tp->laddr, laddr))
        return 4;
    if (!jr_addr_is_any(tp->laddr))
        return 0;
    bool v4 = jr_addr_is_v4(laddr);
    if (jr_addr_is_v4(tp->laddr))
        return v4 ? 3 : 0;
    if (!v4)
        return 2;
    return tp->t_flags & TF_V6ONLY ? 0 : 1;
}

static struct jr_tcpcb *lookup_bound(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport,
                                     struct jr_addr faddr, uint16_t fport, bool any)
{
    const struct jr_tcp_port *p = port_find(tcp, lport);
    if (p == NULL)
        return NULL;
    struct jr_tcpcb *best = NULL;
    int best_score = 0;
    uint32_t same = 0;
    JR_LIST_EACH(it, &p->bound) {
        struct jr_tcpcb *tp = JR_LIST_ENTRY(it, struct jr_tcpcb, port_link);
        int score = bound_score(tp, laddr, any);
        if (score > best_score) {
            best = tp;
            best_score = score;
            same = 1;
        } else if (score != 0 && score == best_score) {
            same++;
        }
    }
    if (same <= 1)
        return best;
    uint32_t nth = jr_pcb_hash(tcp, laddr, lport, faddr, fport) % same;
    JR_LIST_EACH(it, &p->bound) {
        struct jr_tcpcb *tp = JR_LIST_ENTRY(it, struct jr_tcpcb, port_link);
        if (bound_score(tp, laddr, any) == best_score && nth-- == 0)
            return tp;
    }
    return best;
}

struct jr_tcpcb *jr_pcb_lookup_listen(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport,
                                      struct jr_addr faddr, uint16_t fport)
{
    return lookup_bound(tcp, laddr, lport, faddr, fport, false);
}

struct jr_tcpcb *jr_pcb_lookup_bound(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport,
                                     struct jr_addr faddr, uint16_t fport)
{
    return lookup_bound(tcp, laddr, lport, faddr, fport, true);
}
