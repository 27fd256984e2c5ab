/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hashing for tables whose keys nobody can choose against us, or that are keyed with a secret seed: a few
 * multiplications. Where an attacker picks the key and learns timing, use base/siphash.h.
 */
#ifndef JR_BASE_HASH_H
#define JR_BASE_HASH_H

#include <stdint.h>

#include "base/addr.h"

/* MurmurHash3's 64-bit finaliser: every input bit reaches every output bit. */
static inline uint64_t jr_hash_u64(uint64_t v)
{
    v ^= v >> 33;
    v *= 0xff51afd7ed558ccdull;
    v ^= v >> 33;
    v *= 0xc4ceb9fe1a85ec53ull;
    v ^= v >> 33;
    return v;
}
static inline uint64_t jr_hash_addr(struct jr_addr a, uint64_t seed)
{
    return jr_hash_u64(jr_hash_u64(a.q[0] ^ seed) ^ a.q[1]);
}
/* A connection's four-tuple. */
static inline uint64_t jr_hash_flow(struct jr_addr local, uint16_t lport, struct jr_addr remote, uint16_t rport,
                                    uint64_t seed)
{
    const uint64_t ports = (uint64_t)lport << 16 | rport;
    if (local.q[0] == remote.q[0]) /* the usual case, always so for IPv4: one constant prefix on both */
        return jr_hash_u64(jr_hash_u64(local.q[1] ^ seed) ^ remote.q[1] ^ ports << 32 ^ local.q[0]);
    return jr_hash_u64(jr_hash_addr(local, seed) ^ jr_hash_addr(remote, ports));
}

#endif
