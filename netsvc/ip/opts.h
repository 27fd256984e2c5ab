/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 options as a host handles them (RFC 791 3.1, RFC 1122 3.2.1.8); only ip/ includes this. */
#ifndef JR_IP_OPTS_H
#define JR_IP_OPTS_H

#include "ip/ip.h"
#include "wire/ipv4.h"

/* Whether a received header's options let it pass; *at: what a parameter problem would point at. */
enum jr_counter jr_ip_opts_check(const struct jr_ip_config *cfg, const uint8_t *p, uint8_t hlen, uint8_t *at);
/* The options of an answer to a request with this header: record route and timestamps with our part added (RFC 1122
 * 3.2.2.6). to: 40 bytes. Returns how many, a multiple of 4. */
uint8_t jr_ip_opts_answer(const uint8_t *p, uint8_t hlen, struct jr_addr us, jr_time now, uint8_t *to);
/* Milliseconds for timestamps where nobody knows midnight: the high bit says so (RFC 792). */
static inline uint32_t jr_ip_stamp(jr_time now) { return 0x80000000u | (uint32_t)(now / JR_MS % 86400000); }

#endif
