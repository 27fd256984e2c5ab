/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and writing TCP headers and options; see tcp_wire.h. */
#include "wire/tcp_wire.h"

#include <string.h>

#include "base/byteorder.h"

enum { OPT_EOL, OPT_NOP, OPT_MSS, OPT_SCALE, OPT_SACKPERM, OPT_SACK, OPT_TS = 8 };

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

uint32_t jr_tcp_opts_len(struct jr_tcp_opts *o)
{
    uint32_t n = 0;
    if (o->flags & TOF_MSS)
        n += 4;
    if (o->flags & TOF_SCALE)
        n += 4;
    if (o->flags & TOF_SACKPERM)
        n += 2;
    if (o->flags & TOF_TS)
        n += (o->flags & TOF_SACKPERM) ? 10 : 12;
    else if (o->flags & TOF_SACKPERM)
        n += 2;
    if (o->flags & TOF_SACK) {
        uint32_t room = (JR_TCP_MAXOLEN - n - 4) / 8;
        if (o->nsack > room)
            o->nsack = (uint8_t)room;
        n += 4 + 8u * o->nsack;
    }
    return n;
}

/* The order and the padding are FreeBSD's: mss, nop, wscale, sackOK, timestamps. */
void jr_tcp_build_opts(uint8_t *p, const struct jr_tcp_opts *o)
{
    if (o->flags & TOF_MSS) {
        *p++ = OPT_MSS;
        *p++ = 4;
        p = put16(p, o->mss);
    }
    if (o->flags & TOF_SCALE) {
        *p++ = OPT_NOP;
        *p++ = OPT_SCALE;
        *p++ = 3;
        *p++ = o->wscale;
    }
    if (o->flags & TOF_SACKPERM) {
        *p++ = OPT_SACKPERM;
        *p++ = 2;
    }
    if ((o->flags & (TOF_SACKPERM | TOF_TS)) == TOF_SACKPERM || (o->flags & (TOF_SACKPERM | TOF_TS)) == TOF_TS) {
        *p++ = OPT_NOP;
        *p++ = OPT_NOP;
    }
    if (o->flags & TOF_TS) {
        *p++ = OPT_TS;
        *p++ = 10;
        p = put32(p, o->tsval);
        p = put32(p, o->tsecr);
    }
    if (o->flags & TOF_SACK) {
        *p++ = OPT_NOP;
        *p++ = OPT_NOP;
        *p++ = OPT_SACK;
        *p++ = (uint8_t)(2 + 8 * o->nsack);
        for (uint32_t i = 0; i < o->nsack; i++) {
            p = put32(p, o->sack[i][0]);
            p = put32(p, o->sack[i][1]);
        }
    }
}

void jr_tcp_build(uint8_t *p, const struct jr_tcp_view *v)
{
    uint8_t *q = put16(p, v->sport);
    q = put16(q, v->dport);
    q = put32(q, v->seq);
    q = put32(q, v->ack);
    *q++ = (uint8_t)(v->hlen / 4 << 4);
    *q++ = v->flags;
    q = put16(q, v->win);
    q = put16(q, 0);
    put16(q, v->urp);
}
