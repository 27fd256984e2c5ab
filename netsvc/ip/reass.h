/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reassembly (RFC 791 3.2, RFC 1122 3.3.2; RFC 8200 4.5), one engine for both families, each with its own bounds.
 * Fragments are copied out of the device's packets, so that they can't starve its pool, and are bounded in number,
 * bytes, time and share per source. A datagram whose fragments overlap is dropped whole (RFC 5722 4, applied to IPv4).
 */
#ifndef JR_IP_REASS_H
#define JR_IP_REASS_H

#include "base/heap_pkt.h"
#include "base/list.h"
#include "ip/ip.h"
#include "wire/ipv4.h"

#define JR_REASS_TIMEOUT (30 * JR_SEC)  /* FreeBSD's and Linux's; RFC 1122 would have 60 to 120 s */
#define JR_REASS6_TIMEOUT (60 * JR_SEC) /* RFC 8200 4.5 */
enum { JR_REASS_BUCKETS = 64 };

struct jr_reass_dgram;

struct jr_reass {
    struct jr_counters *counters;
    uint32_t datagrams_max, bytes_max, frags_max;
    jr_time timeout;
    uint64_t seed;
    uint32_t n_datagrams;
    uint32_t bytes; /* malloc'ed for fragments and their datagrams */
    struct jr_reass_dgram *buckets[JR_REASS_BUCKETS];
    struct jr_list fifo;      /* oldest first, which is also the order of their deadlines */
    struct jr_heap_pool pool; /* the packets put together */
};

/* A fragment: hdr_len bytes at hdr that the whole will begin with, skip bytes that it won't, len bytes of payload. */
struct jr_reass_frag {
    struct jr_addr src, dst;
    uint32_t id;
    uint8_t proto; /* part of the datagram's name (IPv4) */
    uint8_t ecn;
    bool more;
    uint32_t off;
    const uint8_t *hdr;
    uint16_t hdr_len;
    uint16_t skip;     /* IPv6's fragment header */
    uint16_t proto_at; /* IPv6: the byte of hdr that has to say what follows */
    uint32_t len;
};

/* The first fragment of a datagram that timed out, for an ICMP time exceeded: its header and 8 bytes, IPv6's as much as
 * fits such a message. */
typedef void (*jr_reass_expired)(void *ctx, const uint8_t *quote, uint32_t quote_len, jr_time now);

void jr_reass_init(struct jr_reass *rs, struct jr_counters *counters, const struct jr_ip_config *cfg, uint64_t seed);
void jr_reass_fini(struct jr_reass *rs);
/* pkt starts at its header hdr and is trimmed to its length; takes ownership. Returns the whole datagram, starting at a
 * header without fragment fields, or NULL while it is not complete. */
struct jr_pkt *jr_reass_input(struct jr_reass *rs, struct jr_pkt *pkt, const struct jr_ipv4 *hdr, jr_time now);
/* The same for a fragment that was taken apart; copies what it needs. */
struct jr_pkt *jr_reass_frag_input(struct jr_reass *rs, const struct jr_reass_frag *frag, jr_time now);
jr_time jr_reass_next_tick(const struct jr_reass *rs);
void jr_reass_tick(struct jr_reass *rs, jr_time now, jr_reass_expired expired, void *ctx);

#endif
