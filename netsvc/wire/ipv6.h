/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6 headers (RFC 8200). Parsers leave the zone of an address zero, jr_ipv6_set_zone() fills it in, builders and
 * checksums leave it out (base/addr6.h).
 */
#ifndef JR_WIRE_IPV6_H
#define JR_WIRE_IPV6_H

#include "base/addr6.h"
#include "base/byteorder.h"
#include "wire/wire.h"

enum {
    JR_IPV6_HLEN = 40,
    JR_IPV6_FRAG_HLEN = 8,
    JR_IPV6_MIN_MTU = 1280,
    JR_IPV6_PAYLOAD_MAX = 65535,

    JR_IPPROTO_HOPOPTS = 0,
    JR_IPPROTO_ROUTING = 43,
    JR_IPPROTO_FRAGMENT = 44,
    JR_IPPROTO_ICMPV6 = 58,
    JR_IPPROTO_NONE = 59,
    JR_IPPROTO_DSTOPTS = 60,

    /* What one packet may carry before its transport header (RFC 8504 5.3). */
    JR_IPV6_EXT_MAX = 8,      /* headers */
    JR_IPV6_EXT_OPTS_MAX = 8, /* options in one of them, padding aside */
    JR_IPV6_CHAIN_MAX = 1024, /* bytes */
};

struct jr_ipv6 {
    struct jr_addr src, dst;
    uint16_t payload_len; /* what follows the header */
    uint8_t tclass;
    uint8_t proto; /* the next header */
    uint8_t hlim;
    uint32_t flow; /* 20 bits */
};

/* The headers between the IPv6 header and the transport's. Offsets count from the IPv6 header. */
struct jr_ipv6_chain {
    uint8_t proto;     /* what follows them; of a fragment that is not the first, of the first one */
    uint16_t hlen;     /* where that starts */
    uint16_t proto_at; /* the byte that says proto */
    bool router_alert;
    bool fragment;    /* a real one: the walk ends behind its header */
    uint16_t frag_at; /* the fragment header, an atomic one's too (RFC 6946); 0: none */
    uint16_t frag_nh; /* the byte in front of it that says "fragment" */
    uint32_t frag_id;
    uint16_t frag_off; /* bytes */
    bool frag_more;
    /* why it can't be accepted: what to tell the sender (RFC 4443 3.4), if anything */
    bool complain;
    uint8_t code;     /* of the parameter problem */
    uint16_t pointer; /* its pointer */
};

/* Checks everything the header tells. The packet is 40 + payload_len of the len bytes; the rest is padding. */
enum jr_counter jr_ipv6_parse(const uint8_t *p, uint32_t len, struct jr_ipv6 *out);
/* The same for the packet quoted in an ICMPv6 error, which is cut off. */
enum jr_counter jr_ipv6_parse_quote(const uint8_t *p, uint32_t len, struct jr_ipv6 *out);
/* Walks the extension headers of a packet of len bytes, in order and at most as many as are allowed; group: it was sent
 * to a multicast address. */
enum jr_counter jr_ipv6_walk(const uint8_t *p, uint32_t len, bool group, struct jr_ipv6_chain *out);
/* Goes on behind the header of a first fragment, which must hold the whole chain (RFC 7112). */
enum jr_counter jr_ipv6_walk_first(const uint8_t *p, uint32_t len, bool group, const struct jr_ipv6_chain *first,
                                   struct jr_ipv6_chain *out);
/* Writes JR_IPV6_HLEN bytes. */
void jr_ipv6_build(uint8_t *p, const struct jr_ipv6 *ip);
/* Writes JR_IPV6_FRAG_HLEN bytes. */
void jr_ipv6_build_frag(uint8_t *p, uint8_t proto, uint32_t off, bool more, uint32_t id);

/* ff02::1:ffXX:XXXX of a zone, where a neighbour is asked for a (RFC 4291 2.7.1). */
struct jr_addr jr_ipv6_solicited_node(struct jr_addr a, uint16_t zone);

#endif
