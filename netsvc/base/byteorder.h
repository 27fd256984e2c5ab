/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads and stores of big-endian integers at any address. Values are in host order on the engine's side. */
#ifndef JR_BASE_BYTEORDER_H
#define JR_BASE_BYTEORDER_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline uint16_t jr_be16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint32_t jr_be32(uint32_t v) { return __builtin_bswap32(v); }
static inline uint64_t jr_be64(uint64_t v) { return __builtin_bswap64(v); }
#else
static inline uint16_t jr_be16(uint16_t v) { return v; }
static inline uint32_t jr_be32(uint32_t v) { return v; }
static inline uint64_t jr_be64(uint64_t v) { return v; }
#endif

static inline uint16_t jr_load_be16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return jr_be16(v);
}
static inline uint32_t jr_load_be32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return jr_be32(v);
}
static inline uint64_t jr_load_be64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return jr_be64(v);
}
static inline void jr_store_be16(void *p, uint16_t v)
{
    v = jr_be16(v);
    memcpy(p, &v, sizeof v);
}
static inline void jr_store_be32(void *p, uint32_t v)
{
    v = jr_be32(v);
    memcpy(p, &v, sizeof v);
}
static inline void jr_store_be64(void *p, uint64_t v)
{
    v = jr_be64(v);
    memcpy(p, &v, sizeof v);
}

/* As the bytes stand: for checksums and addresses, which the engine keeps in network order. */
static inline uint16_t jr_load_raw16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t jr_load_raw32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void jr_store_raw16(void *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void jr_store_raw32(void *p, uint32_t v) { memcpy(p, &v, sizeof v); }

#endif
