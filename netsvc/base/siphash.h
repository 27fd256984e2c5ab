/* SPDX-License-Identifier: BSD-3-Clause */
/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash whose outputs tell nothing without the key. */
#ifndef JR_BASE_SIPHASH_H
#define JR_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t jr_siphash(const uint8_t key[16], const void *data, size_t len);

#endif
