/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMPv4 messages (RFC 792; next-hop MTU: RFC 1191). */
#ifndef JR_WIRE_ICMP_H
#define JR_WIRE_ICMP_H

#include "wire/wire.h"

enum {
    JR_ICMP_HLEN = 8,

    JR_ICMP_ECHO_REPLY = 0,
    JR_ICMP_UNREACH = 3,
    JR_ICMP_SOURCE_QUENCH = 4,
    JR_ICMP_REDIRECT = 5,
    JR_ICMP_ECHO = 8,
    JR_ICMP_TIME_EXCEEDED = 11,
    JR_ICMP_PARAM_PROBLEM = 12,
    JR_ICMP_TSTAMP = 13,
    JR_ICMP_TSTAMP_REPLY = 14,
    JR_ICMP_MASKREQ = 17,
    JR_ICMP_MASKREPLY = 18,

    /* codes of JR_ICMP_UNREACH */
    JR_ICMP_UNREACH_NET = 0,
    JR_ICMP_UNREACH_HOST = 1,
    JR_ICMP_UNREACH_PROTO = 2,
    JR_ICMP_UNREACH_PORT = 3,
    JR_ICMP_UNREACH_FRAG = 4,
    JR_ICMP_UNREACH_SRCFAIL = 5,
    JR_ICMP_UNREACH_PROHIB = 13, /* RFC 1812 5.2.7.1 */
    /* and of JR_ICMP_TIME_EXCEEDED */
    JR_ICMP_TIME_TTL = 0,
    JR_ICMP_TIME_REASS = 1,
};

struct jr_icmp {
    uint8_t type, code;
    uint32_t rest; /* the second word: echo's id and sequence number, or for UNREACH_FRAG the MTU in its low half */
};

/* Checks length and checksum of the whole message. */
enum jr_counter jr_icmp_parse(const uint8_t *p, uint32_t len, struct jr_icmp *out);
/* Writes the header of a message of len bytes whose body is in place, and the checksum of it all. */
void jr_icmp_build(uint8_t *p, uint32_t len, const struct jr_icmp *icmp);

/* Messages about another packet: none may be sent in answer to one (RFC 1122 3.2.2). */
static inline bool jr_icmp_is_error(uint8_t type)
{
    return type == JR_ICMP_UNREACH || type == JR_ICMP_SOURCE_QUENCH || type == JR_ICMP_REDIRECT ||
           type == JR_ICMP_TIME_EXCEEDED || type == JR_ICMP_PARAM_PROBLEM;
}

#endif
