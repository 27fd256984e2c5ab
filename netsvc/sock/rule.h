/* SPDX-License-Identifier: BSD-3-Clause */
/* The administrator's rules: which programs' which sockets go to the service and which stay with the kernel. */
#ifndef JR_SOCK_RULE_H
#define JR_SOCK_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum { JR_RULE_IN = 1u << 0, JR_RULE_OUT = 1u << 1 }; /* listen and bind; connect and send */

/* Fields left at their "any" match everything. */
struct jr_rule {
    const char
        *program; /* fnmatch(3) pattern for the path of the executable, or for its name when without '/'; NULL: any */
    int64_t uid;  /* -1: any */
    uint32_t directions;            /* JR_RULE_*; 0: any */
    uint8_t proto;                  /* IPPROTO_TCP, IPPROTO_UDP; 0: any */
    uint16_t port_first, port_last; /* local port for IN, remote for OUT; 0 and 0: any */
    struct jr_addr prefix;          /* local address for IN, remote for OUT */
    uint32_t plen;                  /* of the 128 bits; 0: any */
    uint32_t route;                 /* JR_ROUTE_SERVICE or JR_ROUTE_KERNEL */
};

/* Who asks. */
struct jr_rule_subject {
    const char *exe; /* path, or "" when it could not be read */
    const char *comm;
    uint32_t uid;
};

struct jr_rules;
/* Copies rules. NULL: no memory. */
struct jr_rules *jr_rules_new(const struct jr_rule *rules, size_t n, uint32_t default_route);
void jr_rules_free(struct jr_rules *rules);
/* The route of one socket operation: the first rule that matches it, or the default. */
uint32_t jr_rules_route(const struct jr_rules *rules, const struct jr_rule_subject *who, uint32_t direction,
                        uint8_t proto, const struct jr_endpoint *ep);
/* Whether any socket of this program could go to the service. */
bool jr_rules_may_attach(const struct jr_rules *rules, const struct jr_rule_subject *who);

#endif
