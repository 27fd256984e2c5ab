/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network layer for tests of TCP: the functions of ip/ip.h that tcp/ calls, over nothing. What TCP sends is
 * checked (checksum, offload flags, sizes), cut into segments where TSO was asked for, and given to a callback.
 */
#ifndef JR_TESTS_TCP_IP_DOUBLE_H
#define JR_TESTS_TCP_IP_DOUBLE_H

#include "base/counters.h"
#include "base/heap_pkt.h"
#include "base/rng.h"
#include "ip/ip.h"

struct jr_ip {
    struct jr_ip_proto tcp;
    struct jr_counters counters;
    struct jr_heap_pool pool;
    struct jr_addr addr[2]; /* ours: IPv4, IPv6 */
    uint32_t mtu, tx_offloads, generation;
    bool no_route, shared;
    int fail;          /* what the next output returns, after freeing the packet; 0: send */
    uint32_t tso_pkts; /* packets that asked for TSO */
    /* One segment as it would be on the wire: TCP header and payload. */
    void (*out)(void *ctx, const struct jr_ip_tx *tx, const uint8_t *seg, uint32_t len, jr_time now);
    void *out_ctx;
};

void ip_double_init(struct jr_ip *ip, const char *v4, const char *v6);
/* Gives the stack a segment that arrived; bytes are copied to the very end of an allocation. csum: fill it in first. */
void ip_double_input(struct jr_ip *ip, struct jr_addr src, struct jr_addr dst, uint8_t *seg, uint32_t len, bool csum,
                     jr_time now);
/* Fills in the checksum of a segment. */
void ip_double_checksum(struct jr_addr src, struct jr_addr dst, uint8_t *seg, uint32_t len);
struct jr_addr ip_double_addr(const char *text);

#endif
