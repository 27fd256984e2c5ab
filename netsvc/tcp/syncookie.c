/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SYN cookies; RFC 4987 3.6. A cookie is our ISN: 24 bits of a keyed hash over four-tuple, peer's ISN and a 16-second
 * epoch; then, crossed with eight more bits of it: three bits MSS, three bits window shift, SACK permitted, and the
 * epoch's last bit. That timestamps are in use, the returning ACK itself tells.
 */
#include "tcp/syncookie.h"

#include "tcp/isn.h"

static const uint16_t cookie_mss[8] = {216, 536, 1200, 1360, 1400, 1440, 1452, 1460};
static const uint8_t cookie_scale[8] = {0 /* none */, 0, 1, 2, 4, 6, 7, 8};

static uint64_t hash_of(const struct jr_tcp *tcp, const struct jr_sc_entry *e, uint32_t epoch)
{
    return jr_tcp_cookie_hash(tcp, e->laddr, e->lport, e->faddr, e->fport, e->irs.v, epoch);
}

jr_seq jr_syncookie_make(const struct jr_tcp *tcp, const struct jr_sc_entry *e, jr_time now)
{
    uint32_t epoch = (uint32_t)(now / JR_SYNCOOKIE_EPOCH), m = 7, s = 0;
    uint64_t h = hash_of(tcp, e, epoch);
    while (m > 0 && cookie_mss[m] > e->mss)
        m--;
    if (e->flags & SC_SCALE)
        for (s = 7; s > 1 && cookie_scale[s] > e->wscale; s--)
            ;
    uint32_t bits = m << 5 | s << 2 | (e->flags & SC_SACK ? 2u : 0u) | (epoch & 1);
    return jr_seq_of((uint32_t)(h >> 8) << 8 | ((bits ^ (uint32_t)(h & 0xfe)) & 0xff));
}

bool jr_syncookie_read(struct jr_tcpcb *l, const struct jr_tcp_seg *seg, const struct jr_tcp_opts *o,
                       struct jr_sc_entry *e, jr_time now)
{
    uint32_t cookie = seg->ack.v - 1, epoch = (uint32_t)(now / JR_SYNCOOKIE_EPOCH);
    if ((epoch ^ cookie) & 1)
        epoch--;
    jr_sc_fill(e, l, seg, o);
    e->irs = jr_seq_sub(seg->seq, 1);
    e->iss = jr_seq_of(cookie);
    uint64_t h = hash_of(l->tcp, e, epoch);
    if (((uint32_t)(h >> 8) << 8) != (cookie & ~0xffu))
        return false;
    uint32_t bits = (cookie ^ (uint32_t)(h & 0xfe)) & 0xff;
    e->mss = cookie_mss[bits >> 5];
    e->flags &= SC_TS;
    if (bits >> 2 & 7) {
        e->flags |= SC_SCALE;
        e->wscale = cookie_scale[bits >> 2 & 7];
    }
    if (bits & 2)
        e->flags |= SC_SACK;
    return true;
}
