/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The route table: longest prefix first, then lowest metric. Routes lie sorted in one array, grouped by prefix
 * length, so a look-up is one binary search per length in use; changes are rare and may move the array.
 */
#ifndef JR_IP_ROUTE_H
#define JR_IP_ROUTE_H

#include "ip/ip.h"

struct jr_route {
    struct jr_ip_route_conf conf; /* dst is masked */
    uint8_t bits;                 /* of the 16-byte address: plen, plus 96 for IPv4 */
    bool connected;               /* made with an address, and goes with it */
};

struct jr_route_table {
    struct jr_route *v;
    uint32_t n, cap;
    uint32_t n_groups;
    struct {
        uint8_t bits;
        uint32_t first, end; /* in v */
    } groups[129];           /* longest first */
};

void jr_route_table_fini(struct jr_route_table *tbl);
/* -ENOMEM, -EINVAL (prefix length) */
int jr_route_table_add(struct jr_route_table *tbl, const struct jr_ip_route_conf *conf, bool connected);
/* -ESRCH */
int jr_route_table_del(struct jr_route_table *tbl, struct jr_addr dst, uint8_t plen, uint32_t metric);
/* Removes every route for which gone() is true; returns how many. */
uint32_t jr_route_table_prune(struct jr_route_table *tbl, bool (*gone)(const void *ctx, const struct jr_route *r),
                              const void *ctx);
/* The best route whose port is up; NULL: none. Valid until the table changes. */
const struct jr_route *jr_route_table_find(const struct jr_route_table *tbl, struct jr_addr dst);
const struct jr_route *jr_route_table_get(const struct jr_route_table *tbl, struct jr_addr dst, uint8_t plen,
                                          uint32_t metric);

/* addr with all but its first plen bits (in the family's count) cleared. */
struct jr_addr jr_route_mask(struct jr_addr addr, uint8_t plen);

#endif
