/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sequence number is not an integer: a one-field struct, so that `a > b` doesn't compile. Comparison is
 * modulo 2^32 (RFC 9293 3.4) and means something only for numbers less than 2^31 apart.
 */
#ifndef JR_TCP_SEQ_H
#define JR_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t v;
} jr_seq;

static inline jr_seq jr_seq_of(uint32_t v) { return (jr_seq){v}; }
static inline jr_seq jr_seq_add(jr_seq a, uint32_t n) { return (jr_seq){a.v + n}; }
static inline jr_seq jr_seq_sub(jr_seq a, uint32_t n) { return (jr_seq){a.v - n}; }
/* How far b lies behind a; negative when it is ahead. */
static inline int32_t jr_seq_diff(jr_seq a, jr_seq b) { return (int32_t)(a.v - b.v); }
static inline bool jr_seq_eq(jr_seq a, jr_seq b) { return a.v == b.v; }
static inline bool jr_seq_lt(jr_seq a, jr_seq b) { return jr_seq_diff(a, b) < 0; }
static inline bool jr_seq_leq(jr_seq a, jr_seq b) { return jr_seq_diff(a, b) <= 0; }
static inline bool jr_seq_gt(jr_seq a, jr_seq b) { return jr_seq_diff(a, b) > 0; }
static inline bool jr_seq_geq(jr_seq a, jr_seq b) { return jr_seq_diff(a, b) >= 0; }
static inline jr_seq jr_seq_max(jr_seq a, jr_seq b) { return jr_seq_gt(a, b) ? a : b; }
static inline jr_seq jr_seq_min(jr_seq a, jr_seq b) { return jr_seq_lt(a, b) ? a : b; }

/* Timestamps (RFC 7323) wrap the same way. */
static inline bool jr_ts_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }

#endif
