/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and writing TCP headers and options; see tcp_wire.h. */
#include "wire/tcp_wire.h"

#include <string.h>

#include "base/byteorder.h"

enum {
    OPT_EOL,
    OPT_NOP,
    OPT_MSS,
    OPT_SCALE,
    OPT_SACKPERM,
    OPT_SACK,
    OPT_TS = 8,
    OPT_MD5 = 19,
    OPT_UTO = 28,
    OPT_FASTOPEN = 34
};

#define UTO_MINUTES 0x8000u /* RFC 5482 3: the unit */

static uint8_t *put16(uint8_t *p, uint16_t v)
{
    jr_store_be16(p, v);
    return p + 2;
}
static uint8_t *put32(uint8_t *p, uint32_t v)
{
    jr_store_be32(p, v);
    return p + 4;
}

bool jr_tcp_parse(const uint8_t *p, uint32_t len, struct jr_tcp_view *out)
{
    if (len < JR_TCP_HLEN)
        return false;
    uint32_t hlen = (uint32_t)(p[12] >> 4) * 4;
    if (hlen < JR_TCP_HLEN || hlen > len)
        return false;
    out->sport = jr_load_be16(p);
    out->dport = jr_load_be16(p + 2);
    out->seq = jr_load_be32(p + 4);
    out->ack = jr_load_be32(p + 8);
    out->hlen = (uint8_t)hlen;
    out->ae = p[12] & 1;
    out->flags = p[13];
    out->win = jr_load_be16(p + 14);
    out->urp = jr_load_be16(p + 18);
    return true;
}

static void parse_sack(const uint8_t *p, uint32_t len, struct jr_tcp_opts *out)
{
    if ((len - 2) % 8 != 0 || len < 10)
        return;
    out->flags |= TOF_SACK;
    out->nsack = 0;
    for (uint32_t i = 2; i < len && out->nsack < JR_TCP_MAX_SACK; i += 8) {
        out->sack[out->nsack][0] = jr_load_be32(p + i);
        out->sack[out->nsack][1] = jr_load_be32(p + i + 4);
        out->nsack++;
    }
}

/* RFC 7413 4.1.1: none, or an even number of bytes from 4 to 16; anything else is as if the option were not there. */
static void parse_fastopen(const uint8_t *p, uint32_t len, struct jr_tcp_opts *out)
{
    uint32_t n = len - 2;
    if (n != 0 && (n < JR_TCP_FO_MIN || n > JR_TCP_FO_MAX || n % 2 != 0))
        return;
    out->flags |= TOF_FASTOPEN;
    out->cookie_len = (uint8_t)n;
    memcpy(out->cookie, p + 2, n);
}

static void parse_one(const uint8_t *p, uint32_t len, bool syn, struct jr_tcp_opts *out)
{
    switch (p[0]) {
    case OPT_MSS:
        if (syn && len == 4) {
            out->flags |= TOF_MSS;
            out->mss = jr_load_be16(p + 2);
        }
        break;
    case OPT_SCALE:
        if (syn && len == 3) {
            out->flags |= TOF_SCALE;
            out->wscale = p[2] > JR_TCP_MAX_WINSHIFT ? JR_TCP_MAX_WINSHIFT : p[2];
        }
        break;
    case OPT_SACKPERM:
        if (syn && len == 2)
            out->flags |= TOF_SACKPERM;
        break;
    case OPT_SACK:
        if (!syn)
            parse_sack(p, len, out);
        break;
    case OPT_TS:
        if (len == 10) {
            out->flags |= TOF_TS;
            out->tsval = jr_load_be32(p + 2);
            out->tsecr = jr_load_be32(p + 6);
        }
        break;
    case OPT_MD5:
        if (len == 2 + JR_TCP_MD5_BYTES) {
            out->flags |= TOF_SIGNATURE;
            out->digest = p + 2;
        }
        break;
    case OPT_UTO:
        if (len == 4) {
            const uint32_t v = jr_load_be16(p + 2);
            out->flags |= TOF_UTO;
            out->uto = v & UTO_MINUTES ? (v & ~UTO_MINUTES) * 60 : v;
        }
        break;
    case OPT_FASTOPEN:
        if (syn)
            parse_fastopen(p, len, out);
        break;
    }
}

bool jr_tcp_parse_opts(const uint8_t *p, uint32_t len, bool syn, struct jr_tcp_opts *out)
{
    out->flags = 0;
    out->nsack = 0;
    for (uint32_t i = 0; i < len;) {
        if (p[i] == OPT_EOL)
            return true;
        if (p[i] == OPT_NOP) {
            i++;
            continue;
        }
        if (i + 1 >= len || p[i + 1] < 2 || p[i + 1] > len - i)
            return false;
        parse_one(p + i, p[i + 1], syn, out);
        i += p[i + 1];
    }
    return true;
}

bool jr_tcp_parse_ts_only(const uint8_t *p, uint32_t len, uint32_t *tsval, uint32_t *tsecr)
{
    static const uint8_t lead[4] = {OPT_NOP, OPT_NOP, OPT_TS, 10};
    if (len != 12 || memcmp(p, lead, sizeof lead) != 0)
        return false;
    *tsval = jr_load_be32(p + 4);
    *tsecr = jr_load_be32(p + 8);
    return true;
}

/* FreeBSD's order and alignment: an option stands where its numbers lie on even or four-byte bounds. */
static uint32_t align(uint32_t n, uint32_t pow2, uint32_t rest) { return n + ((rest - n) & (pow2 - 1)); }

uint32_t jr_tcp_opts_len(struct jr_tcp_opts *o)
{
    if (o->flags == TOF_TS)
        return JR_TCP_TS_OLEN;
    uint32_t n = o->flags & TOF_MSS ? 4 : 0;
    if (o->flags & TOF_SCALE)
        n = align(n, 2, 1) + 3;
    if (o->flags & TOF_SACKPERM)
        n += 2;
    if (o->flags & TOF_TS)
        n = align(n, 4, 2) + 10;
    if (o->flags & TOF_SIGNATURE)
        n = align(n, 4, 2) + 2 + JR_TCP_MD5_BYTES;
    if (o->flags & TOF_UTO)
        n = align(n, 4, 0) + 4;
    if (o->flags & TOF_SACK) {
        uint32_t at = align(n, 4, 2) + 2, room = at < JR_TCP_MAXOLEN ? (JR_TCP_MAXOLEN - at) / 8 : 0;
        if (o->nsack > room)
            o->nsack = (uint8_t)room;
        if (o->nsack != 0)
            n = at + 8u * o->nsack;
        else
            o->flags &= ~(uint32_t)TOF_SACK;
    }
    if (o->flags & TOF_FASTOPEN)
        n += 2u + o->cookie_len;
    return align(n, 4, 0);
}

static uint8_t *nops(uint8_t *start, uint8_t *p, uint32_t pow2, uint32_t rest)
{
    uint8_t *end = start + align((uint32_t)(p - start), pow2, rest);
    while (p < end)
        *p++ = OPT_NOP;
    return end;
}

static uint8_t *put_kind(uint8_t *p, uint8_t kind, uint32_t len)
{
    *p++ = kind;
    *p++ = (uint8_t)len;
    return p;
}

static uint8_t *put_sack(uint8_t *p, const struct jr_tcp_opts *o)
{
    p = put_kind(p, OPT_SACK, 2u + 8u * o->nsack);
    for (uint32_t i = 0; i < o->nsack; i++) {
        p = put32(p, o->sack[i][0]);
        p = put32(p, o->sack[i][1]);
    }
    return p;
}

uint8_t *jr_tcp_build_opts(uint8_t *dst, const struct jr_tcp_opts *o)
{
    uint8_t *p = dst, *digest = NULL;
    if (o->flags == TOF_TS) { /* as nearly every segment */
        jr_store_be32(dst, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10);
        put32(put32(dst + 4, o->tsval), o->tsecr);
        return NULL;
    }
    if (o->flags & TOF_MSS)
        p = put16(put_kind(p, OPT_MSS, 4), o->mss);
    if (o->flags & TOF_SCALE) {
        p = put_kind(nops(dst, p, 2, 1), OPT_SCALE, 3);
        *p++ = o->wscale;
    }
    if (o->flags & TOF_SACKPERM)
        p = put_kind(p, OPT_SACKPERM, 2);
    if (o->flags & TOF_TS)
        p = put32(put32(put_kind(nops(dst, p, 4, 2), OPT_TS, 10), o->tsval), o->tsecr);
    if (o->flags & TOF_SIGNATURE) {
        digest = put_kind(nops(dst, p, 4, 2), OPT_MD5, 2 + JR_TCP_MD5_BYTES);
        memset(digest, 0, JR_TCP_MD5_BYTES);
        p = digest + JR_TCP_MD5_BYTES;
    }
    if (o->flags & TOF_UTO)
        p = put16(put_kind(nops(dst, p, 4, 0), OPT_UTO, 4),
                  (uint16_t)(o->uto < UTO_MINUTES ? o->uto : UTO_MINUTES | (o->uto + 59) / 60));
    if (o->flags & TOF_SACK)
        p = put_sack(nops(dst, p, 4, 2), o);
    if (o->flags & TOF_FASTOPEN) {
        p = put_kind(p, OPT_FASTOPEN, 2u + o->cookie_len);
        memcpy(p, o->cookie, o->cookie_len);
        p += o->cookie_len;
    }
    while ((p - dst) % 4 != 0)
        *p++ = OPT_EOL;
    return digest;
}

void jr_tcp_build(uint8_t *p, const struct jr_tcp_view *v)
{
    uint8_t *q = put16(p, v->sport);
    q = put16(q, v->dport);
    q = put32(q, v->seq);
    q = put32(q, v->ack);
    *q++ = (uint8_t)(v->hlen / 4 << 4 | (v->ae ? 1 : 0));
    *q++ = v->flags;
    q = put16(q, v->win);
    q = put16(q, 0);
    put16(q, v->urp);
}
