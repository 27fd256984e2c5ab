/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets as bytes. Nothing here is shared with the stack under test but MD5, which has tests of its own: what the
 * stack sends is taken apart by other code than what put it together. RFC 791, 8200, 9293, 768, 792.
 */
#include <string.h>

#include "base/byteorder.h"
#include "base/md5.h"
#include "packet.h"

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}
static uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }

static uint32_t sum(const uint8_t *p, uint32_t len, uint32_t s)
{
    for (uint32_t i = 0; i < len; i++)
        s += (uint32_t)p[i] << (i & 1 ? 0 : 8);
    return s;
}

static uint16_t fold(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static uint16_t l4_sum(const struct packet *p, const uint8_t *l4, uint32_t len)
{
    uint32_t s = sum(l4, len, 0);

    if (p->proto == PROTO_ICMP || p->proto == PROTO_IGMP)
        return fold(s);
    s += (uint32_t)p->proto + len;
    s = p->v6 ? sum(p->src.b, 16, s) : sum(p->src.b + 12, 4, s);
    s = p->v6 ? sum(p->dst.b, 16, s) : sum(p->dst.b + 12, 4, s);
    return fold(s);
}

static uint32_t build_opts(const struct packet *p, uint8_t *at)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < p->nopts; i++) {
        const struct tcp_opt *o = &p->opts[i];
        at[n] = o->kind;
        if (o->len > 1) {
            at[n + 1] = o->len;
            memcpy(at + n + 2, o->data, o->len - 2u);
        }
        if (o->kind == OPT_TS) {
            put32(at + n + 2, o->val);
            put32(at + n + 6, o->ecr);
        }
        for (unsigned k = 0; o->kind == OPT_SACK && k < o->nsack; k++) {
            put32(at + n + 2 + 8 * k, o->sack[k][0]);
            put32(at + n + 6 + 8 * k, o->sack[k][1]);
        }
        n += o->len;
    }
    return n;
}

static const char *md5_secret;

void packet_md5_secret(const char *secret) { md5_secret = secret; }

/* RFC 2385 2.0: pseudo header, header without options and with no checksum, data, key. */
static void md5_digest(const struct packet *p, const uint8_t *l4, uint32_t len, uint8_t digest[16])
{
    uint8_t pseudo[40] = {0}, head[20];
    const uint32_t hlen = l4[12] / 16 * 4u, n = p->v6 ? 40 : 12;
    struct jr_md5 m;

    memcpy(pseudo, p->v6 ? p->src.b : p->src.b + 12, p->v6 ? 16 : 4);
    memcpy(pseudo + (p->v6 ? 16 : 4), p->v6 ? p->dst.b : p->dst.b + 12, p->v6 ? 16 : 4);
    pseudo[n - (p->v6 ? 1 : 3)] = PROTO_TCP;
    put16(pseudo + n - (p->v6 ? 6 : 2), len);
    memcpy(head, l4, sizeof head);
    put16(head + 16, 0);
    jr_md5_init(&m);
    jr_md5_update(&m, pseudo, n);
    jr_md5_update(&m, head, sizeof head);
    jr_md5_update(&m, l4 + hlen, len - hlen);
    jr_md5_update(&m, md5_secret, strlen(md5_secret));
    jr_md5_final(&m, digest);
}

/* Where the packet's signature stands, or NULL. */
static uint8_t *md5_place(const struct packet *p, uint8_t *opts, const struct tcp_opt **which)
{
    for (unsigned i = 0; i < p->nopts; opts += p->opts[i++].len) {
        *which = &p->opts[i];
        if (p->opts[i].kind == OPT_MD5 && p->opts[i].len == 18)
            return opts + 2;
    }
    return NULL;
}

static void sign(const struct packet *p, uint8_t *l4, uint32_t len)
{
    const struct tcp_opt *o;
    uint8_t *at = md5_place(p, l4 + 20, &o);

    if (!at || !md5_secret || o->md5 == MD5_AS_IT_IS)
        return;
    md5_digest(p, l4, len, at);
    at[0] ^= o->md5 == MD5_INVALID;
}

static void check_signature(struct packet *p, const uint8_t *l4, uint32_t len)
{
    const struct tcp_opt *o;
    uint8_t *at = md5_place(p, (uint8_t *)l4 + 20, &o), want[16];

    if (!at || !md5_secret)
        return;
    md5_digest(p, l4, len, want);
    ((struct tcp_opt *)o)->md5 = memcmp(at, want, sizeof want) == 0 ? MD5_VALID : MD5_INVALID;
}

static uint32_t build_tcp(const struct packet *p, uint8_t *at)
{
    const uint32_t hlen = 20 + build_opts(p, at + 20);

    put16(at, p->sport);
    put16(at + 2, p->dport);
    put32(at + 4, p->seq);
    put32(at + 8, p->ack);
    put16(at + 12, hlen / 4 << 12 | p->flags);
    put16(at + 14, (uint32_t)p->win);
    put16(at + 16, 0);
    put16(at + 18, p->urg < 0 ? 0 : (uint32_t)p->urg);
    memset(at + hlen, 0, p->len);
    sign(p, at, hlen + p->len);
    put16(at + 16, l4_sum(p, at, hlen + p->len) ^ (p->bad_cksum ? 0x55u : 0));
    return hlen + p->len;
}

static uint32_t build_udp(const struct packet *p, uint8_t *at)
{
    uint16_t s;

    put16(at, p->sport);
    put16(at + 2, p->dport);
    put16(at + 4, 8 + p->len);
    put16(at + 6, 0);
    memset(at + 8, 0, p->len);
    s = l4_sum(p, at, 8 + p->len);
    put16(at + 6, p->no_cksum ? 0 : (s ? s : 0xffffu) ^ (p->bad_cksum ? 0x55u : 0));
    return 8 + p->len;
}

/* As much of the quoted packet as RFC 792 and routers of today send: the IP header and the first 8 to 20 bytes. */
static uint32_t build_quote(const struct packet *q, uint8_t *at)
{
    static uint8_t whole[70000];
    const uint32_t len = packet_build(q, whole, sizeof whole), ip = q->v6 ? 40 : 20;
    const uint32_t n = len < ip + 20 ? len : ip + 20;

    memcpy(at, whole, n);
    return n;
}

static uint32_t build_icmp(const struct packet *p, uint8_t *at)
{
    uint32_t len = 8;

    memset(at, 0, 8);
    at[0] = p->icmp_type;
    at[1] = p->icmp_code;
    if (p->quote) {
        if (p->mtu >= 0)
            put32(at + 4, (uint32_t)p->mtu);
        if (p->pointer >= 0)
            at[4] = (uint8_t)p->pointer;
        len += build_quote(p->quote, at + 8);
    } else {
        put16(at + 4, p->echo_id < 0 ? 0 : (uint32_t)p->echo_id);
        put16(at + 6, p->echo_seq < 0 ? 0 : (uint32_t)p->echo_seq);
        memset(at + 8, 0, p->len);
        memcpy(at + 8, p->body.b, p->body.n);
        len += p->len;
    }
    put16(at + 2, l4_sum(p, at, len) ^ (p->bad_cksum ? 0x55u : 0));
    return len;
}

static uint32_t tos_of(const struct packet *p)
{
    const uint32_t tos = p->tos < 0 ? 0 : (uint32_t)p->tos;

    return p->ecn < 0 ? tos : (tos & ~3u) | (p->ecn == ECN_ECT01 ? ECN_ECT0 : (uint32_t)p->ecn);
}

static void build_ip4(const struct packet *p, uint8_t *at, uint32_t l4_len)
{
    static uint16_t next_id = 1;

    const uint32_t hlen = 20 + p->ip_opts.n;

    memset(at, 0, 20);
    memcpy(at + 20, p->ip_opts.b, p->ip_opts.n);
    at[0] = (uint8_t)(0x40 | hlen / 4);
    at[1] = (uint8_t)tos_of(p);
    put16(at + 2, hlen + l4_len);
    put16(at + 4, p->id < 0 ? next_id++ : (uint32_t)p->id);
    put16(at + 6, (p->df == 1 ? 0x4000u : 0) | (p->mf ? 0x2000u : 0) | (uint32_t)p->frag_off / 8);
    at[8] = p->ttl < 0 ? 64 : (uint8_t)p->ttl;
    at[9] = (uint8_t)(p->said_proto >= 0 ? p->said_proto : p->proto);
    memcpy(at + 12, p->src.b + 12, 4);
    memcpy(at + 16, p->dst.b + 12, 4);
    put16(at + 10, fold(sum(at, hlen, 0)));
}

static void build_ip6(const struct packet *p, uint8_t *at, uint32_t l4_len)
{
    put32(at, 6u << 28 | tos_of(p) << 20);
    put16(at + 4, l4_len);
    at[6] = (uint8_t)p->proto;
    at[7] = p->ttl < 0 ? 64 : (uint8_t)p->ttl;
    memcpy(at + 8, p->src.b, 16);
    memcpy(at + 24, p->dst.b, 16);
}

static uint32_t build_igmp(const struct packet *p, uint8_t *at)
{
    const uint32_t len = igmp_build(p, at);

    put16(at + 2, l4_sum(p, at, len) ^ (p->bad_cksum ? 0x55u : 0));
    return len;
}

/* Of the whole packet's len bytes behind the header, those of the fragment; returns how many. */
static uint32_t cut(struct packet *p, uint8_t *l4, uint32_t len)
{
    const uint32_t to = p->cut_to < len ? p->cut_to : len;

    if (p->cut_to == 0 || p->cut_from >= to)
        return len;
    memmove(l4, l4 + p->cut_from, to - p->cut_from);
    p->frag_off = (int)p->cut_from;
    p->mf = p->mf || to < len;
    return to - p->cut_from;
}

uint32_t packet_build(const struct packet *script, uint8_t *buf, uint32_t room)
{
    struct packet whole = *script, *p = &whole;
    const uint32_t hlen = p->v6 ? 40 : 20 + p->ip_opts.n;
    uint32_t len;

    if (room < hlen + 200 + p->len)
        return 0;
    if (p->proto == PROTO_ARP)
        return arp_build(p, buf);
    if (p->proto == PROTO_TCP)
        len = build_tcp(p, buf + hlen);
    else if (p->proto == PROTO_UDP)
        len = build_udp(p, buf + hlen);
    else if (p->proto == PROTO_IGMP)
        len = build_igmp(p, buf + hlen);
    else
        len = build_icmp(p, buf + hlen);
    len = cut(p, buf + hlen, len);
    if (p->v6)
        build_ip6(p, buf, len);
    else
        build_ip4(p, buf, len);
    return hlen + len;
}

/* An option's value into the model's fields. */
static bool decode_opt(const uint8_t *at, struct tcp_opt *o)
{
    *o = (struct tcp_opt){.kind = at[0], .len = at[0] > OPT_NOP ? at[1] : 1};
    if (o->len > 2)
        memcpy(o->data, at + 2, o->len - 2u);
    if (o->kind == OPT_TS) {
        if (o->len != 10)
            return false;
        o->val = get32(at + 2);
        o->ecr = get32(at + 6);
    } else if (o->kind == OPT_SACK) {
        if (o->len < 10 || (o->len - 2) % 8)
            return false;
        o->nsack = (o->len - 2u) / 8;
        for (unsigned i = 0; i < o->nsack; i++) {
            o->sack[i][0] = get32(at + 2 + 8 * i);
            o->sack[i][1] = get32(at + 6 + 8 * i);
        }
    }
    return true;
}

static bool decode_opts(const uint8_t *at, uint32_t len, struct packet *p)
{
    for (uint32_t i = 0; i < len; i += p->opts[p->nopts++].len) {
        if (p->nopts == sizeof p->opts / sizeof *p->opts)
            return false;
        if (at[i] > OPT_NOP && (i + 2 > len || at[i + 1] < 2 || i + at[i + 1] > len))
            return false;
        if (!decode_opt(at + i, &p->opts[p->nopts]))
            return false;
    }
    return true;
}

static const char *decode_tcp(const uint8_t *l4, uint32_t len, struct packet *p)
{
    uint32_t hlen;

    if (len < 20 || (hlen = l4[12] / 16 * 4u) < 20 || hlen > len)
        return "a TCP header that is cut short";
    if (l4_sum(p, l4, len) != 0)
        return "a wrong TCP checksum";
    p->sport = (uint16_t)get16(l4);
    p->dport = (uint16_t)get16(l4 + 2);
    p->seq = get32(l4 + 4);
    p->ack = get32(l4 + 8);
    p->flags = get16(l4 + 12) & 0x1ff;
    p->win = (int)get16(l4 + 14);
    p->urg = (int)get16(l4 + 18);
    p->len = len - hlen;
    p->end = p->seq + p->len;
    if (get16(l4 + 12) & 0xe00)
        return "reserved bits that are set";
    if (!decode_opts(l4 + 20, hlen - 20, p))
        return "broken TCP options";
    check_signature(p, l4, len);
    return NULL;
}

static const char *decode_udp(const uint8_t *l4, uint32_t len, struct packet *p)
{
    if (len < 8 || get16(l4 + 4) != len)
        return "a UDP length that is not the packet's";
    if (get16(l4 + 6) != 0 && l4_sum(p, l4, len) != 0)
        return "a wrong UDP checksum";
    p->sport = (uint16_t)get16(l4);
    p->dport = (uint16_t)get16(l4 + 2);
    p->len = len - 8;
    return NULL;
}

static const char *decode_icmp(const uint8_t *l4, uint32_t len, struct packet *p)
{
    if (len < 8)
        return "an ICMP message that is cut short";
    if (l4_sum(p, l4, len) != 0)
        return "a wrong ICMP checksum";
    p->icmp_type = l4[0];
    p->icmp_code = l4[1];
    p->mtu = get32(l4 + 4);
    p->echo_id = (int)get16(l4 + 4);
    p->echo_seq = (int)get16(l4 + 6);
    p->pointer = l4[4];
    p->len = len - 8;
    p->body.n = p->len < sizeof p->body.b ? p->len : sizeof p->body.b;
    memcpy(p->body.b, l4 + 8, p->body.n);
    return NULL;
}

static const char *decode_ip(const uint8_t *b, uint32_t len, struct packet *p, uint32_t *hlen)
{
    p->v6 = b[0] >> 4 == 6;
    if (p->v6) {
        if (len < 40 || get16(b + 4) + 40 != len)
            return "an IPv6 length that is not the packet's";
        *hlen = 40;
        p->tos = (int)(get16(b) >> 4 & 0xff);
        p->proto = b[6];
        p->ttl = b[7];
        memcpy(p->src.b, b + 8, 16);
        memcpy(p->dst.b, b + 24, 16);
        p->df = 1;
    } else {
        if (len < 20 || b[0] >> 4 != 4 || (*hlen = (b[0] & 15) * 4u) < 20 || *hlen > len || get16(b + 2) != len)
            return "an IPv4 header that is broken";
        if (fold(sum(b, *hlen, 0)) != 0)
            return "a wrong IPv4 checksum";
        p->tos = b[1];
        p->ip_opts.n = *hlen - 20;
        memcpy(p->ip_opts.b, b + 20, p->ip_opts.n);
        p->id = (int)get16(b + 4);
        p->df = get16(b + 6) >> 14 & 1;
        p->mf = get16(b + 6) & 0x2000;
        p->frag_off = (int)(get16(b + 6) & 0x1fff) * 8;
        p->ttl = b[8];
        p->proto = b[9];
        memcpy(p->src.w, (uint32_t[]){0, 0, jr_be32(0xffff)}, 12);
        memcpy(p->src.b + 12, b + 12, 4);
        p->dst = p->src;
        memcpy(p->dst.b + 12, b + 16, 4);
    }
    p->ecn = p->tos & 3;
    return NULL;
}

static bool b_is_arp(const uint8_t *b) { return b[0] >> 4 == 0; }

bool packet_decode(const uint8_t *buf, uint32_t len, struct packet *p, const char **why)
{
    uint32_t hlen = 0;

    *p = (struct packet){.id = -1};
    if (len == ARP_BYTES && b_is_arp(buf)) {
        *why = arp_decode(buf, p);
        return !*why;
    }
    *why = len < 20 ? "too few bytes" : decode_ip(buf, len, p, &hlen);
    if (*why)
        return false;
    if (p->frag_off || p->mf) {
        p->len = len - hlen;
        return true;
    }
    if (p->proto == PROTO_TCP)
        *why = decode_tcp(buf + hlen, len - hlen, p);
    else if (p->proto == PROTO_UDP)
        *why = decode_udp(buf + hlen, len - hlen, p);
    else if (p->proto == PROTO_IGMP && fold(sum(buf + hlen, len - hlen, 0)) != 0)
        *why = "a wrong IGMP checksum";
    else if (p->proto == PROTO_IGMP)
        *why = igmp_decode(buf + hlen, len - hlen, p);
    else if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)
        *why = decode_icmp(buf + hlen, len - hlen, p);
    return !*why;
}
