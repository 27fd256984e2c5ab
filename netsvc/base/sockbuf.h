/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket buffer as the protocols see it: a power-of-two byte ring that somebody else owns (a slot's
 * ring in shared memory, or private memory before accept()). head and tail are stream offsets that only
 * grow; byte n of the stream is base[n & (cap - 1)]. The fields are the service's private copy: what an
 * app wrote has been snapshotted and checked by sock/ before it gets here.
 *
 * send side: tcp advances head (acknowledged), sock advances tail (app wrote).
 * receive side: tcp advances tail (in order), sock advances head (app read). Bytes behind tail may already
 * hold out-of-order data that tcp tracks itself.
 */
#ifndef JR_BASE_SOCKBUF_H
#define JR_BASE_SOCKBUF_H

#include <stdint.h>

struct jr_sockbuf {
    uint8_t *base;
    uint32_t cap; /* bytes, power of two; 0: no memory attached yet */
    uint64_t head;
    uint64_t tail;
};

static inline uint32_t jr_sockbuf_used(const struct jr_sockbuf *sb) { return (uint32_t)(sb->tail - sb->head); }
static inline uint32_t jr_sockbuf_space(const struct jr_sockbuf *sb) { return sb->cap - jr_sockbuf_used(sb); }
/* Copy len bytes of the stream, starting at stream offset off. The caller has checked the range. */
void jr_sockbuf_read(const struct jr_sockbuf *sb, uint64_t off, void *dst, uint32_t len);
void jr_sockbuf_write(const struct jr_sockbuf *sb, uint64_t off, const void *src, uint32_t len);

#endif
