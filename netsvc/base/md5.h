/* SPDX-License-Identifier: BSD-3-Clause */
/* MD5 (RFC 1321), for the TCP option that asks for it (RFC 2385) and for nothing else: it is broken as a hash. */
#ifndef JR_BASE_MD5_H
#define JR_BASE_MD5_H

#include <stddef.h>
#include <stdint.h>

struct jr_md5 {
    uint32_t state[4];
    uint64_t bytes;
    uint8_t block[64];
};

void jr_md5_init(struct jr_md5 *m);
void jr_md5_update(struct jr_md5 *m, const void *data, size_t len);
void jr_md5_final(struct jr_md5 *m, uint8_t digest[16]);

#endif
