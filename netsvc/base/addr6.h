/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classes of IPv6 addresses (RFC 4291) and their zones (RFC 4007). Inside the engine a link-local address carries its
 * zone, as FreeBSD's stack has it: the interface's number stands in bytes 2 and 3, which are zero on the wire (RFC 4007
 * 6, RFC 4291 2.5.6).
 */
#ifndef JR_BASE_ADDR6_H
#define JR_BASE_ADDR6_H

#include "base/addr.h"
#include "base/byteorder.h"

static inline bool jr_ipv6_is_multicast(struct jr_addr a) { return a.b[0] == 0xff; }
static inline bool jr_ipv6_is_linklocal(struct jr_addr a) { return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80; }
static inline bool jr_ipv6_is_any(struct jr_addr a) { return (a.q[0] | a.q[1]) == 0; }
static inline bool jr_ipv6_is_loopback(struct jr_addr a) { return a.q[0] == 0 && a.q[1] == jr_be64(1); }
/* Groups of one interface or one link. */
static inline bool jr_ipv6_is_link_group(struct jr_addr a) { return a.b[0] == 0xff && (a.b[1] & 15) <= 2; }
/* Unique local (RFC 4193). */
static inline bool jr_ipv6_is_ula(struct jr_addr a) { return (a.b[0] & 0xfe) == 0xfc; }
/* May be the source of a packet or the address of a host: no group, no loopback, not unspecified, no IPv4 in disguise.
 */
static inline bool jr_ipv6_is_host(struct jr_addr a)
{
    return !jr_ipv6_is_multicast(a) && !jr_ipv6_is_any(a) && !jr_ipv6_is_loopback(a) && !jr_addr_is_v4(a);
}
static inline struct jr_addr jr_ipv6_all_nodes(void) { return (struct jr_addr){.b = {0xff, 2, [15] = 1}}; }
static inline struct jr_addr jr_ipv6_all_routers(void) { return (struct jr_addr){.b = {0xff, 2, [15] = 2}}; }

/* ---- Zones ---- */

static inline bool jr_ipv6_has_zone(struct jr_addr a) { return jr_ipv6_is_linklocal(a) || jr_ipv6_is_link_group(a); }
static inline uint16_t jr_ipv6_zone(struct jr_addr a) { return jr_ipv6_has_zone(a) ? jr_load_be16(a.b + 2) : 0; }
/* a within the zone; addresses of wider scope are in all of them. */
static inline struct jr_addr jr_ipv6_set_zone(struct jr_addr a, uint16_t zone)
{
    if (jr_ipv6_has_zone(a))
        jr_store_be16(a.b + 2, zone);
    return a;
}
/* As it stands on the wire. */
static inline struct jr_addr jr_ipv6_wire(struct jr_addr a) { return jr_ipv6_set_zone(a, 0); }

#endif
