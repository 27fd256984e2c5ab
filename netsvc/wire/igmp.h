/* SPDX-License-Identifier: BSD-3-Clause */
/* IGMP messages: version 1 (RFC 1112 appendix I), 2 (RFC 2236) and 3 (RFC 3376). */
#ifndef JR_WIRE_IGMP_H
#define JR_WIRE_IGMP_H

#include "base/addr.h"
#include "wire/wire.h"

enum {
    JR_IGMP_HLEN = 8,     /* versions 1 and 2, and a report of version 3 without records */
    JR_IGMP_V3_HLEN = 12, /* a query of version 3 without sources */

    JR_IGMP_QUERY = 0x11,
    JR_IGMP_V1_REPORT = 0x12,
    JR_IGMP_V2_REPORT = 0x16,
    JR_IGMP_V2_LEAVE = 0x17,
    JR_IGMP_V3_REPORT = 0x22,
};

/* Group record types of a report (RFC 3376 4.2.12). */
enum jr_igmp_record {
    JR_IGMP_IS_IN = 1,
    JR_IGMP_IS_EX,
    JR_IGMP_TO_IN,
    JR_IGMP_TO_EX,
    JR_IGMP_ALLOW,
    JR_IGMP_BLOCK,
};

struct jr_igmp {
    uint8_t type;
    uint8_t version;      /* of the protocol that the message belongs to */
    uint32_t max_resp_ds; /* queries: tenths of a second */
    uint8_t qrv;          /* robustness; 0: not told */
    struct jr_addr group; /* the wildcard: all */
    uint16_t n_src;
    const uint8_t *src; /* n_src IPv4 addresses */
};

/* Checks length and checksum of the whole message. */
enum jr_counter jr_igmp_parse(const uint8_t *p, uint32_t len, struct jr_igmp *out);
/* A message of version 1 or 2: JR_IGMP_HLEN bytes. */
void jr_igmp_build(uint8_t *p, uint8_t type, struct jr_addr group);
/* A report of version 3 whose records, len bytes in all with the header, are in place. */
void jr_igmp_build_report(uint8_t *p, uint32_t len, uint16_t n_records);
/* Puts the head of a record (8 bytes), its sources to follow. */
void jr_igmp_build_record(uint8_t *p, enum jr_igmp_record type, uint16_t n_src, struct jr_addr group);

#endif
