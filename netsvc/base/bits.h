/* SPDX-License-Identifier: BSD-3-Clause */
/* Small integer and pointer helpers. */
#ifndef JR_BASE_BITS_H
#define JR_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JR_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define JR_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define JR_LIKELY(x) __builtin_expect(!!(x), 1)
#define JR_UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline uint32_t jr_min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t jr_max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline uint64_t jr_min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t jr_max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

static inline bool jr_is_pow2(uint64_t v) { return v != 0 && (v & (v - 1)) == 0; }
/* The smallest power of two that is at least v; 1 for 0. v must not exceed 2^31. */
static inline uint32_t jr_pow2_ceil(uint32_t v) { return v <= 1 ? 1 : 1u << (32 - __builtin_clz(v - 1)); }

#endif
