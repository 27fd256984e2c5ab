/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMPv6 messages (RFC 4443), and the options of those of Neighbour Discovery (RFC 4861 4.6). */
#ifndef JR_WIRE_ICMP6_H
#define JR_WIRE_ICMP6_H

#include "base/addr.h"
#include "wire/wire.h"

enum {
    JR_ICMP6_HLEN = 8,

    JR_ICMP6_UNREACH = 1,
    JR_ICMP6_PACKET_TOO_BIG = 2,
    JR_ICMP6_TIME_EXCEEDED = 3,
    JR_ICMP6_PARAM_PROBLEM = 4,
    JR_ICMP6_ECHO = 128,
    JR_ICMP6_ECHO_REPLY = 129,
    JR_ICMP6_MLD_QUERY = 130,
    JR_ICMP6_MLD1_REPORT = 131,
    JR_ICMP6_MLD1_DONE = 132,
    JR_ICMP6_ROUTER_SOLICIT = 133,
    JR_ICMP6_ROUTER_ADVERT = 134,
    JR_ICMP6_NEIGHBOR_SOLICIT = 135,
    JR_ICMP6_NEIGHBOR_ADVERT = 136,
    JR_ICMP6_REDIRECT = 137,
    JR_ICMP6_MLD2_REPORT = 143,

    /* codes of JR_ICMP6_UNREACH */
    JR_ICMP6_UNREACH_NOROUTE = 0,
    JR_ICMP6_UNREACH_ADMIN = 1,
    JR_ICMP6_UNREACH_SCOPE = 2,
    JR_ICMP6_UNREACH_ADDR = 3,
    JR_ICMP6_UNREACH_PORT = 4,
    JR_ICMP6_UNREACH_POLICY = 5,
    JR_ICMP6_UNREACH_REJECT = 6,
    /* of JR_ICMP6_TIME_EXCEEDED */
    JR_ICMP6_TIME_HLIM = 0,
    JR_ICMP6_TIME_REASS = 1,
    /* and of JR_ICMP6_PARAM_PROBLEM */
    JR_ICMP6_PARAM_HEADER = 0,
    JR_ICMP6_PARAM_NEXT_HEADER = 1,
    JR_ICMP6_PARAM_OPTION = 2,
    JR_ICMP6_PARAM_FIRST_FRAGMENT = 3, /* RFC 7112 */
};

struct jr_icmp6 {
    uint8_t type, code;
    uint32_t rest; /* the second word: echo's id and number, an MTU, a pointer, ND's flags */
};

/* Checks length and checksum of the whole message. */
enum jr_counter jr_icmp6_parse(const uint8_t *p, uint32_t len, struct jr_addr src, struct jr_addr dst,
                               struct jr_icmp6 *out);
/* Writes the header of a message of len bytes whose body is in place, and the checksum of it all. */
void jr_icmp6_build(uint8_t *p, uint32_t len, const struct jr_icmp6 *icmp, struct jr_addr src, struct jr_addr dst);

/* Messages about another packet (RFC 4443 2.1). */
static inline bool jr_icmp6_is_error(uint8_t type) { return type < 128; }

/* ---- Neighbour Discovery ---- */

enum {
    JR_ND_HLIM = 255, /* RFC 4861: what came over a router has less */
    JR_ND_NS_LEN = 24,
    JR_ND_NA_LEN = 24,
    JR_ND_RS_LEN = 8,
    JR_ND_RA_LEN = 16,
    JR_ND_REDIRECT_LEN = 40,
    JR_ND_LLADDR_LEN = 8, /* the option with an Ethernet address */

    JR_ND_OPT_SOURCE_LLADDR = 1,
    JR_ND_OPT_TARGET_LLADDR = 2,
    JR_ND_OPT_PREFIX = 3,
    JR_ND_OPT_REDIRECTED = 4,
    JR_ND_OPT_MTU = 5,
    JR_ND_OPT_NONCE = 14, /* RFC 3971, 7527 */
    JR_ND_OPTS_MAX = 32,
};
/* of a neighbour advertisement's second word */
#define JR_ND_NA_ROUTER 0x80000000u
#define JR_ND_NA_SOLICITED 0x40000000u
#define JR_ND_NA_OVERRIDE 0x20000000u

struct jr_nd_prefix {
    struct jr_addr prefix;
    uint8_t plen;
    bool on_link, autonomous;
    uint32_t valid, preferred; /* seconds; ~0: for ever */
};

/* One option; p points at it. */
struct jr_nd_opt {
    uint8_t type;
    uint32_t len; /* bytes, the first two included */
    const uint8_t *p;
};

/* The option at *at of the options in [p, p + len), and moves *at behind it. false: there is none; then *bad says
 * whether what is there is malformed (RFC 4861: the whole message is to be dropped). */
bool jr_nd_next_opt(const uint8_t *p, uint32_t len, uint32_t *at, struct jr_nd_opt *out, bool *bad);
/* Whether all options are well formed. */
bool jr_nd_opts_ok(const uint8_t *p, uint32_t len);
/* The Ethernet address in the first option of this type. */
bool jr_nd_find_lladdr(const uint8_t *p, uint32_t len, uint8_t type, struct jr_ether_addr *out);
bool jr_nd_parse_prefix(const struct jr_nd_opt *opt, struct jr_nd_prefix *out);
/* Writes JR_ND_LLADDR_LEN bytes. */
void jr_nd_build_lladdr(uint8_t *p, uint8_t type, struct jr_ether_addr mac);

#endif
