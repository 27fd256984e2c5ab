/* SPDX-License-Identifier: BSD-3-Clause */
#include "ip/reass.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "wire/ipv6.h"

struct frag {
    struct frag *next;
    uint32_t off, len;
    uint8_t data[];
};

/* Room for a header and 8 bytes: IPv4's longest, or IPv6's with 64 bytes of further headers and the fragment's. */
enum { HDR_BYTES = 120, QUOTE6_MAX = JR_IPV6_MIN_MTU - JR_IPV6_HLEN - 8 };

struct jr_reass_dgram {
    struct jr_reass_dgram *hash_next;
    struct jr_list fifo;
    struct jr_addr src, dst;
    uint32_t id;
    uint8_t proto;
    bool dead;        /* dropped; stays to swallow what is still to come */
    uint8_t ecn_seen; /* a bit for each of the four ECN codes (RFC 3168 5.3) */
    uint8_t hdr_len;  /* 0: the first fragment is missing */
    uint8_t skip;     /* bytes of hdr behind hdr_len that the whole does without */
    uint8_t proto_at; /* IPv6 */
    uint8_t n_quote;  /* bytes in hdr */
    uint32_t n_frags;
    uint32_t have;  /* payload bytes */
    uint32_t total; /* payload bytes in all; 0: the last fragment is missing */
    uint32_t bytes; /* malloc'ed for it */
    jr_time deadline;
    struct frag *frags;     /* by offset, disjoint */
    uint8_t hdr[HDR_BYTES]; /* of the first fragment */
};

enum { FRAG_COST = 32 }; /* what malloc() and a frag take besides the data, roughly */

void jr_reass_init(struct jr_reass *rs, struct jr_counters *counters, const struct jr_ip_config *cfg, uint64_t seed)
{
    *rs = (struct jr_reass){
        .counters = counters,
        .datagrams_max = cfg->frag_datagrams_max,
        .bytes_max = cfg->frag_bytes_max,
        .frags_max = cfg->frags_per_datagram,
        .timeout = JR_REASS_TIMEOUT,
        .seed = seed,
    };
    jr_list_init(&rs->fifo);
    jr_heap_pool_init(&rs->pool, 0, 0);
}

static struct jr_reass_dgram **bucket(struct jr_reass *rs, struct jr_addr src, struct jr_addr dst, uint32_t id,
                                      uint8_t proto)
{
    return &rs->buckets[jr_hash_flow(dst, (uint16_t)id, src, (uint16_t)((id >> 16) ^ proto), rs->seed) %
                        JR_REASS_BUCKETS];
}

static void charge(struct jr_reass *rs, struct jr_reass_dgram *d, uint32_t bytes)
{
    rs->bytes += bytes;
    d->bytes += bytes;
}

static void free_frags(struct jr_reass *rs, struct jr_reass_dgram *d)
{
    while (d->frags) {
        struct frag *f = d->frags;
        d->frags = f->next;
        rs->bytes -= f->len + FRAG_COST;
        d->bytes -= f->len + FRAG_COST;
        free(f);
    }
}

static void remove_dgram(struct jr_reass *rs, struct jr_reass_dgram *d)
{
    struct jr_reass_dgram **at = bucket(rs, d->src, d->dst, d->id, d->proto);

    while (*at != d)
        at = &(*at)->hash_next;
    *at = d->hash_next;
    jr_list_del(&d->fifo);
    free_frags(rs, d);
    rs->bytes -= d->bytes;
    rs->n_datagrams--;
    free(d);
}

static struct jr_reass_dgram *oldest(struct jr_reass *rs)
{
    struct jr_list *n = jr_list_first(&rs->fifo);

    return n ? JR_LIST_ENTRY(n, struct jr_reass_dgram, fifo) : NULL;
}

void jr_reass_fini(struct jr_reass *rs)
{
    for (struct jr_reass_dgram *d; (d = oldest(rs));)
        remove_dgram(rs, d);
}

static void evict(struct jr_reass *rs, struct jr_reass_dgram *d)
{
    if (!d->dead)
        jr_count(rs->counters, JR_C_IP_FRAG_EVICTED);
    remove_dgram(rs, d);
}

/* Dropped, but remembered until its time is over. */
static void kill_dgram(struct jr_reass *rs, struct jr_reass_dgram *d, enum jr_counter why)
{
    jr_count(rs->counters, why);
    free_frags(rs, d);
    d->dead = true;
}

static struct jr_reass_dgram *find(struct jr_reass *rs, const struct jr_reass_frag *hdr)
{
    struct jr_reass_dgram *d = *bucket(rs, hdr->src, hdr->dst, hdr->id, hdr->proto);

    while (d && !(d->id == hdr->id && d->proto == hdr->proto && jr_addr_eq(d->src, hdr->src) &&
                  jr_addr_eq(d->dst, hdr->dst)))
        d = d->hash_next;
    return d;
}

/* One source may hold a quarter of the table; then its own oldest goes first. */
static void make_room(struct jr_reass *rs, struct jr_addr src)
{
    struct jr_reass_dgram *first = NULL;
    uint32_t same = 0;

    JR_LIST_EACH(n, &rs->fifo) {
        struct jr_reass_dgram *d = JR_LIST_ENTRY(n, struct jr_reass_dgram, fifo);
        if (jr_addr_eq(d->src, src)) {
            same++;
            first = first ? first : d;
        }
    }
    if (first && same >= (rs->datagrams_max + 3) / 4)
        evict(rs, first);
    else if (rs->n_datagrams >= rs->datagrams_max && oldest(rs))
        evict(rs, oldest(rs));
}

static struct jr_reass_dgram *create(struct jr_reass *rs, const struct jr_reass_frag *hdr, jr_time now)
{
    struct jr_reass_dgram *d, **at;

    make_room(rs, hdr->src);
    d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->src = hdr->src;
    d->dst = hdr->dst;
    d->id = hdr->id;
    d->proto = hdr->proto;
    d->deadline = now + rs->timeout;
    at = bucket(rs, d->src, d->dst, d->id, d->proto);
    d->hash_next = *at;
    *at = d;
    jr_list_push_tail(&rs->fifo, &d->fifo);
    rs->n_datagrams++;
    charge(rs, d, sizeof *d);
    return d;
}

/* The byte budget: older datagrams go; false when nothing but d is left to go. */
static bool make_bytes(struct jr_reass *rs, const struct jr_reass_dgram *d, uint32_t need)
{
    while (rs->bytes + need > rs->bytes_max) {
        struct jr_reass_dgram *victim = oldest(rs);
        if (victim == d) {
            struct jr_list *next = victim->fifo.next;
            if (next == &rs->fifo)
                return false;
            victim = JR_LIST_ENTRY(next, struct jr_reass_dgram, fifo);
        }
        evict(rs, victim);
    }
    return true;
}

enum place { PLACE_OK, PLACE_DUPLICATE, PLACE_OVERLAP };

/* Where a fragment [off, off + len) goes: *at is the link to put it into. */
static enum place find_place(struct jr_reass_dgram *d, uint32_t off, uint32_t len, struct frag ***at)
{
    struct frag **link = &d->frags, *prev = NULL;

    for (; *link && (*link)->off < off; link = &(*link)->next)
        prev = *link;
    *at = link;
    if (*link && (*link)->off == off && (*link)->len == len)
        return PLACE_DUPLICATE;
    if (prev && prev->off + prev->len > off)
        return PLACE_OVERLAP;
    if (*link && off + len > (*link)->off)
        return PLACE_OVERLAP;
    return PLACE_OK;
}

/* Whether the ends agree: one last fragment, and nothing behind it. */
static bool ends_agree(const struct jr_reass_dgram *d, uint32_t end, bool last)
{
    if (d->total)
        return last ? end == d->total : end <= d->total;
    if (last) {
        for (const struct frag *f = d->frags; f; f = f->next) {
            if (f->off + f->len > end)
                return false;
        }
    }
    return true;
}

/* Adds the fragment, or drops the datagram; false: it is not to be looked at any more. */
static bool add_frag(struct jr_reass *rs, struct jr_reass_dgram *d, const struct jr_reass_frag *hdr)
{
    const uint32_t off = hdr->off, len = hdr->len;
    struct frag **at, *f;
    const enum place place = find_place(d, off, len, &at);

    if (place == PLACE_DUPLICATE) {
        jr_count(rs->counters, JR_C_IP_FRAG_DUPLICATE);
        return false;
    }
    if (place == PLACE_OVERLAP || !ends_agree(d, off + len, !hdr->more)) {
        kill_dgram(rs, d, JR_C_IP_FRAG_OVERLAP);
        return false;
    }
    if (d->n_frags == rs->frags_max) {
        kill_dgram(rs, d, JR_C_IP_FRAG_TOO_MANY);
        return false;
    }
    f = make_bytes(rs, d, len + FRAG_COST) ? malloc(sizeof *f + len) : NULL;
    if (!f) {
        kill_dgram(rs, d, JR_C_IP_FRAG_NO_MEM);
        return false;
    }
    f->off = off;
    f->len = len;
    memcpy(f->data, hdr->hdr + hdr->hdr_len + hdr->skip, len);
    f->next = *at;
    *at = f;
    charge(rs, d, len + FRAG_COST);
    d->n_frags++;
    d->have += len;
    d->ecn_seen |= (uint8_t)(1 << hdr->ecn);
    if (!hdr->more)
        d->total = off + len;
    if (off == 0) {
        d->hdr_len = (uint8_t)hdr->hdr_len;
        d->skip = (uint8_t)hdr->skip;
        d->proto_at = (uint8_t)hdr->proto_at;
        d->n_quote = (uint8_t)(hdr->hdr_len + hdr->skip + (len < 8 ? len : 8));
        memcpy(d->hdr, hdr->hdr, d->n_quote);
    }
    return true;
}

/* The first fragment's header becomes the whole packet's. */
static void fix_header(const struct jr_reass_dgram *d, uint8_t *p, uint32_t len)
{
    const uint8_t ce = d->ecn_seen & 1 << 3 ? 3 : 0;

    if (jr_addr_is_v4(d->dst)) {
        jr_store_be16(p + 2, (uint16_t)len);
        jr_store_be16(p + 6, 0);
        p[1] |= ce;
    } else {
        jr_store_be16(p + 4, (uint16_t)(len - JR_IPV6_HLEN));
        p[d->proto_at] = d->hdr[d->hdr_len]; /* the fragment header's next header */
        p[1] |= (uint8_t)(ce << 4);
    }
}

/* All is there: one packet of it, with the first fragment's header. */
static struct jr_pkt *assemble(struct jr_reass *rs, const struct jr_reass_dgram *d)
{
    const uint32_t len = d->hdr_len + d->total;
    struct jr_pkt *pkt = jr_heap_pkt_new(&rs->pool, len);
    uint8_t *p;

    if (!pkt) {
        jr_count(rs->counters, JR_C_IP_FRAG_NO_MEM);
        return NULL;
    }
    p = jr_pkt_put(pkt, len);
    memcpy(p, d->hdr, d->hdr_len);
    fix_header(d, p, len);
    for (const struct frag *f = d->frags; f; f = f->next)
        memcpy(p + d->hdr_len + f->off, f->data, f->len);
    pkt->l3_off = (uint16_t)pkt->off;
    jr_count(rs->counters, JR_C_IP_REASSEMBLED);
    return pkt;
}

/* The longest whole packet that its header can name. */
static uint32_t whole_max(const struct jr_reass_frag *hdr)
{
    return jr_addr_is_v4(hdr->dst) ? JR_IPV4_MAX : JR_IPV6_HLEN + JR_IPV6_PAYLOAD_MAX;
}

struct jr_pkt *jr_reass_frag_input(struct jr_reass *rs, const struct jr_reass_frag *hdr, jr_time now)
{
    const uint32_t len = hdr->len, least = hdr->skip ? JR_IPV6_HLEN : JR_IPV4_HLEN;
    struct jr_reass_dgram *d;
    struct jr_pkt *whole = NULL;

    jr_count(rs->counters, JR_C_IP_FRAG_RX);
    if (len == 0 || (hdr->more && len % 8) || least + hdr->off + len > whole_max(hdr) ||
        hdr->hdr_len + hdr->skip + 8u > HDR_BYTES) {
        jr_count(rs->counters, JR_C_IP_FRAG_BAD);
        return NULL;
    }
    d = find(rs, hdr);
    if (!d && !(d = create(rs, hdr, now))) {
        jr_count(rs->counters, JR_C_IP_FRAG_NO_MEM);
        return NULL;
    }
    if (d->dead) {
        jr_count(rs->counters, JR_C_IP_FRAG_LATE);
        return NULL;
    }
    if (!add_frag(rs, d, hdr) || !d->total || d->have != d->total)
        return NULL;
    if ((d->ecn_seen & 1 << 3 && d->ecn_seen & 1) || d->hdr_len + d->total > whole_max(hdr))
        jr_count(rs->counters, JR_C_IP_FRAG_BAD);
    else
        whole = assemble(rs, d);
    remove_dgram(rs, d);
    return whole;
}

/* RFC 1858 3: no honest sender cuts a TCP header, whose flags a filter on the way has to see. */
static bool is_tiny(const struct jr_ipv4 *hdr)
{
    enum { UP_TO_FLAGS = 16 };

    return hdr->proto == JR_IPPROTO_TCP &&
           (hdr->frag_off == 8 || (hdr->frag_off == 0 && hdr->total_len - hdr->hlen < UP_TO_FLAGS));
}

struct jr_pkt *jr_reass_input(struct jr_reass *rs, struct jr_pkt *pkt, const struct jr_ipv4 *hdr, jr_time now)
{
    const struct jr_reass_frag frag = {
        .src = hdr->src,
        .dst = hdr->dst,
        .id = hdr->id,
        .proto = hdr->proto,
        .ecn = hdr->tos & 3,
        .more = hdr->mf,
        .off = hdr->frag_off,
        .hdr = jr_pkt_data(pkt),
        .hdr_len = hdr->hlen,
        .len = (uint32_t)hdr->total_len - hdr->hlen,
    };
    struct jr_pkt *whole = NULL;

    if (is_tiny(hdr))
        jr_count(rs->counters, JR_C_IP_FRAG_TINY);
    else
        whole = jr_reass_frag_input(rs, &frag, now);
    jr_pkt_free(pkt);
    return whole;
}

jr_time jr_reass_next_tick(const struct jr_reass *rs)
{
    const struct jr_list *n = jr_list_first(&rs->fifo);

    return n ? JR_LIST_ENTRY(n, struct jr_reass_dgram, fifo)->deadline : JR_TIME_NEVER;
}

/* What is told of a datagram that timed out. */
static void report(const struct jr_reass_dgram *d, jr_reass_expired expired, void *ctx, jr_time now)
{
    uint8_t quote[QUOTE6_MAX];
    uint32_t n = d->hdr_len + d->skip, more;

    if (jr_addr_is_v4(d->dst)) {
        expired(ctx, d->hdr, d->n_quote, now);
        return;
    }
    more = d->frags->len < sizeof quote - n ? d->frags->len : (uint32_t)sizeof quote - n;
    memcpy(quote, d->hdr, n);
    memcpy(quote + n, d->frags->data, more);
    expired(ctx, quote, n + more, now);
}

void jr_reass_tick(struct jr_reass *rs, jr_time now, jr_reass_expired expired, void *ctx)
{
    for (struct jr_reass_dgram *d; (d = oldest(rs)) && now >= d->deadline;) {
        if (!d->dead) {
            jr_count(rs->counters, JR_C_IP_FRAG_TIMEOUT);
            if (d->hdr_len)
                report(d, expired, ctx, now);
        }
        remove_dgram(rs, d);
    }
}
