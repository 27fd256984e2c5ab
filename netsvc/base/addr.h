/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One address type for both families: 16 bytes in network order, IPv4 as v4-mapped (RFC 4291 2.5.5.2).
 * Ports travel in host order inside the engine and turn to network order only in wire/.
 */
#ifndef JR_BASE_ADDR_H
#define JR_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct jr_addr {
    union {
        uint8_t b[16];
        uint32_t w[4];
        uint64_t q[2];
    };
};

struct jr_ether_addr {
    uint8_t b[6];
};

/* ip is in network order, as in struct in_addr. */
static inline struct jr_addr jr_addr_v4(uint32_t ip_be)
{
    struct jr_addr a = {.w = {0, 0, 0, ip_be}};
    a.b[10] = a.b[11] = 0xff;
    return a;
}
static inline bool jr_addr_is_v4(struct jr_addr a)
{
    static const uint8_t p[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(a.b, p, sizeof p) == 0;
}
static inline uint32_t jr_addr_to_v4(struct jr_addr a) { return a.w[3]; }
static inline bool jr_addr_eq(struct jr_addr a, struct jr_addr b) { return a.q[0] == b.q[0] && a.q[1] == b.q[1]; }
/* The wildcard of either family: :: or 0.0.0.0. */
static inline bool jr_addr_is_any(struct jr_addr a)
{
    return (a.q[0] | a.q[1]) == 0 || (jr_addr_is_v4(a) && a.w[3] == 0);
}

/* A half of a connection. */
struct jr_endpoint {
    struct jr_addr addr;
    uint16_t port; /* host order */
};

#endif
