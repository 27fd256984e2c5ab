/* SPDX-License-Identifier: BSD-3-Clause */
/* Keyed hashes with SipHash under the stack's secret; see isn.h. A tag keeps the uses apart. */
#include "tcp/isn.h"

#include "base/siphash.h"

enum { TAG_ISN = 1, TAG_TS, TAG_PORT, TAG_COOKIE, TAG_FASTOPEN };

struct hash_input {
    struct jr_addr laddr, faddr;
    uint16_t lport, fport;
    uint32_t tag, a, b;
};
_Static_assert(sizeof(struct hash_input) == 48, "no padding is hashed");

jr_seq jr_tcp_new_isn(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                      uint16_t fport, jr_time now)
{
    const struct hash_input in = {.laddr = laddr, .faddr = faddr, .lport = lport, .fport = fport, .tag = TAG_ISN};
    return jr_seq_of((uint32_t)(now / 4) + (uint32_t)jr_siphash(tcp->cfg.secret, &in, sizeof in));
}

uint32_t jr_tcp_ts_offset(const struct jr_tcp *tcp, struct jr_addr laddr, struct jr_addr faddr)
{
    const struct hash_input in = {.laddr = laddr, .faddr = faddr, .tag = TAG_TS};
    return (uint32_t)jr_siphash(tcp->cfg.secret, &in, sizeof in);
}

uint32_t jr_tcp_port_offset(const struct jr_tcp *tcp, struct jr_addr laddr, struct jr_addr faddr, uint16_t fport)
{
    const struct hash_input in = {.laddr = laddr, .faddr = faddr, .fport = fport, .tag = TAG_PORT};
    return (uint32_t)jr_siphash(tcp->cfg.secret, &in, sizeof in);
}

uint64_t jr_tcp_cookie_hash(const struct jr_tcp *tcp, struct jr_addr laddr, uint16_t lport, struct jr_addr faddr,
                            uint16_t fport, uint32_t irs, uint32_t epoch)
{
    const struct hash_input in = {
        .laddr = laddr, .faddr = faddr, .lport = lport, .fport = fport, .tag = TAG_COOKIE, .a = irs, .b = epoch};
    return jr_siphash(tcp->cfg.secret, &in, sizeof in);
}

void jr_tcp_fastopen_key(const struct jr_tcp *tcp, uint32_t epoch, uint8_t key[16])
{
    for (uint32_t half = 0; half < 2; half++) {
        const struct hash_input in = {.tag = TAG_FASTOPEN, .a = half, .b = epoch};
        const uint64_t h = jr_siphash(tcp->cfg.secret, &in, sizeof in);
        memcpy(key + 8 * half, &h, sizeof h);
    }
}
