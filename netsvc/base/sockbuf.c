/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/sockbuf.h"

#include <string.h>

void jr_sockbuf_read(const struct jr_sockbuf *sb, uint64_t off, void *dst, uint32_t len)
{
    const uint32_t at = (uint32_t)(off & (sb->cap - 1));
    const uint32_t first = len < sb->cap - at ? len : sb->cap - at;

    memcpy(dst, sb->base + at, first);
    if (len > first)
        memcpy((uint8_t *)dst + first, sb->base, len - first);
}

void jr_sockbuf_write(const struct jr_sockbuf *sb, uint64_t off, const void *src, uint32_t len)
{
    const uint32_t at = (uint32_t)(off & (sb->cap - 1));
    const uint32_t first = len < sb->cap - at ? len : sb->cap - at;

    memcpy(sb->base + at, src, first);
    if (len > first)
        memcpy(sb->base, (const uint8_t *)src + first, len - first);
}
