/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parsers read a view of bytes and hand out plain values: addresses as struct jr_addr, integers in host order.
 * They never read past len. Builders write into room the caller has checked.
 */
#ifndef JR_WIRE_WIRE_H
#define JR_WIRE_WIRE_H

#include "base/counters.h"

/* What a parser says: this, or the counter under which the packet has to be dropped. */
#define JR_WIRE_OK JR_C__COUNT

#endif
