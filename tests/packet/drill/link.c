/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has no connection: IGMP (RFC 1112, 2236, 3376) and ARP (RFC 826), read from a script, as bytes, compared and
 * printed; and rows of bytes of which some may be anything.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/byteorder.h"
#include "run.h"

static const struct {
    const char *name;
    uint8_t type;
} igmp_names[] = {{"query", 0x11}, {"v1_report", 0x12}, {"v2_report", 0x16}, {"v2_leave", 0x17}, {"v3_report", 0x22}};

static const char *const record_names[] = {NULL, "is_in", "is_ex", "to_in", "to_ex", "allow", "block"};

struct jr_addr parse_addr4(struct text *t)
{
    char s[20];
    unsigned n = 0;
    struct in_addr a;

    text_skip(t);
    while (n < sizeof s - 1 && (isdigit((unsigned char)t->p[n]) || t->p[n] == '.'))
        n++;
    memcpy(s, t->p, n);
    s[n] = 0;
    if (inet_pton(AF_INET, s, &a) != 1)
        text_fail(t, "'%.20s' is no IPv4 address", t->p);
    t->p += n;
    return jr_addr_v4(a.s_addr);
}

static int nibble(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c == 'x' ? 16 : -1;
}

void parse_bytes(struct text *t, struct bytes *b)
{
    text_skip(t);
    for (b->n = 0; nibble(t->p[0]) >= 0 && nibble(t->p[1]) >= 0; t->p += 2, b->n++) {
        const int hi = nibble(t->p[0]), lo = nibble(t->p[1]);
        if (b->n == sizeof b->b)
            text_fail(t, "more than %zu bytes", sizeof b->b);
        b->mask[b->n] = hi == 16 || lo == 16 ? 0 : 0xff;
        b->b[b->n] = (uint8_t)((hi & 15) << 4 | (lo & 15)) & b->mask[b->n];
    }
    if (b->n == 0 || isalnum((unsigned char)*t->p))
        text_fail(t, "'%.20s' is not a row of bytes", t->p);
}

bool same_bytes(const struct bytes *want, const struct bytes *got)
{
    if (want->n != got->n)
        return false;
    for (unsigned i = 0; i < want->n; i++)
        if ((want->b[i] ^ got->b[i]) & want->mask[i])
            return false;
    return true;
}

static bool parse_record(struct text *t, struct igmp *g)
{
    struct igmp_record *r = &g->rec[g->nrec];
    uint8_t type = 1;

    while (type <= 6 && !text_take(t, record_names[type]))
        type++;
    if (type > 6)
        return false;
    if (g->nrec++ == IGMP_RECORDS)
        text_fail(t, "more than %d records", IGMP_RECORDS);
    *r = (struct igmp_record){.type = type, .group = parse_addr4(t)};
    if (text_take(t, "{")) {
        while (!text_take(t, "}")) {
            if (r->nsrc == IGMP_SOURCES)
                text_fail(t, "more than %d sources", IGMP_SOURCES);
            r->src[r->nsrc++] = parse_addr4(t);
        }
    }
    return true;
}

/* igmp query 239.1.2.3 resp 100 v3 {10.0.0.1}, igmp v2_report 239.1.2.3, igmp v3_report to_ex 239.1.2.3 {} */
void parse_igmp(struct text *t, struct packet *p)
{
    struct igmp *g = &p->igmp;
    size_t i = 0;

    p->proto = PROTO_IGMP;
    while (i < sizeof igmp_names / sizeof *igmp_names && !text_take(t, igmp_names[i].name))
        i++;
    if (i == sizeof igmp_names / sizeof *igmp_names)
        text_fail(t, "'%.20s' is no type of IGMP", t->p);
    g->type = igmp_names[i].type;
    g->group = jr_addr_v4(0);
    if (g->type == 0x22) {
        while (parse_record(t, g))
            ;
        return;
    }
    g->group = parse_addr4(t);
    if (text_take(t, "resp"))
        g->resp = (uint8_t)text_int_in(t, "response code", 0, 255);
    if ((g->v3 = text_take(t, "v3"))) {
        g->rec[0] = (struct igmp_record){.group = g->group};
        if (text_take(t, "{")) {
            while (!text_take(t, "}") && g->rec[0].nsrc < IGMP_SOURCES)
                g->rec[0].src[g->rec[0].nsrc++] = parse_addr4(t);
        }
    }
}

/* arp who-has 192.168.0.1 tell 192.0.2.1, arp 192.0.2.1 is-at 2 tell 192.168.0.1; the number ends 02:00:00:00:00:xx */
void parse_arp(struct text *t, struct packet *p)
{
    struct arp *a = &p->arp;

    p->proto = PROTO_ARP;
    a->sha = p->inbound ? 2 : 1;
    if (text_take(t, "who-has")) {
        a->op = 1;
        a->tpa = parse_addr4(t);
        text_need(t, "tell");
        a->spa = parse_addr4(t);
    } else {
        a->op = 2;
        a->spa = parse_addr4(t);
        text_need(t, "is-at");
        a->sha = (uint8_t)text_int_in(t, "station", 0, 255);
        text_need(t, "tell");
        a->tpa = parse_addr4(t);
        a->tha = p->inbound ? 1 : 2;
    }
    if (text_take(t, "from"))
        a->sha = (uint8_t)text_int_in(t, "station", 0, 255);
}

static void put_addr(uint8_t *at, struct jr_addr a) { memcpy(at, a.b + 12, 4); }
static struct jr_addr get_addr(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof v);
    return jr_addr_v4(v);
}

static uint32_t build_sources(uint8_t *at, const struct igmp_record *r)
{
    for (unsigned i = 0; i < r->nsrc; i++)
        put_addr(at + 4 * i, r->src[i]);
    return 4 * r->nsrc;
}

uint32_t igmp_build(const struct packet *p, uint8_t *at)
{
    const struct igmp *g = &p->igmp;
    uint32_t len = 8;

    memset(at, 0, 12);
    at[0] = g->type;
    at[1] = g->resp;
    if (g->type == 0x22) {
        at[7] = (uint8_t)g->nrec;
        for (unsigned i = 0; i < g->nrec; i++) {
            const struct igmp_record *r = &g->rec[i];
            memset(at + len, 0, 4);
            at[len] = r->type;
            at[len + 3] = (uint8_t)r->nsrc;
            put_addr(at + len + 4, r->group);
            len += 8 + build_sources(at + len + 8, r);
        }
        return len;
    }
    put_addr(at + 4, g->group);
    if (g->v3) {
        at[8] = 2;
        at[9] = 125;
        at[11] = (uint8_t)g->rec[0].nsrc;
        len = 12 + build_sources(at + 12, &g->rec[0]);
    }
    return len;
}

static bool decode_records(const uint8_t *b, uint32_t len, struct igmp *g)
{
    uint32_t at = 8;

    g->nrec = (unsigned)b[6] << 8 | b[7];
    if (g->nrec > IGMP_RECORDS)
        return false;
    for (unsigned i = 0; i < g->nrec; i++) {
        struct igmp_record *r = &g->rec[i];
        if (len - at < 8)
            return false;
        *r = (struct igmp_record){.type = b[at], .group = get_addr(b + at + 4)};
        r->nsrc = (unsigned)b[at + 2] << 8 | b[at + 3];
        if (r->nsrc > IGMP_SOURCES || len - at < 8 + 4 * r->nsrc || b[at + 1])
            return false;
        for (unsigned k = 0; k < r->nsrc; k++)
            r->src[k] = get_addr(b + at + 8 + 4 * k);
        at += 8 + 4 * r->nsrc;
    }
    return at == len;
}

const char *igmp_decode(const uint8_t *b, uint32_t len, struct packet *p)
{
    if (len < 8)
        return "an IGMP message that is cut short";
    p->igmp = (struct igmp){.type = b[0], .resp = b[1], .group = jr_addr_v4(0)};
    if (b[0] == 0x22)
        return decode_records(b, len, &p->igmp) ? NULL : "broken IGMP records";
    p->igmp.group = get_addr(b + 4);
    return len == 8 ? NULL : "bytes behind an IGMP message";
}

uint32_t arp_build(const struct packet *p, uint8_t *at)
{
    static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 0}, station[6] = {2};

    memcpy(at, head, sizeof head);
    at[7] = p->arp.op;
    memcpy(at + 8, station, 6);
    at[13] = p->arp.sha;
    put_addr(at + 14, p->arp.spa);
    memset(at + 18, 0, 6);
    if (p->arp.tha) {
        memcpy(at + 18, station, 6);
        at[23] = p->arp.tha;
    }
    put_addr(at + 24, p->arp.tpa);
    return ARP_BYTES;
}

const char *arp_decode(const uint8_t *b, struct packet *p)
{
    static const uint8_t head[7] = {0, 1, 8, 0, 6, 4, 0};

    if (memcmp(b, head, sizeof head) != 0 || b[8] != 2)
        return "an ARP packet with a strange head";
    p->proto = PROTO_ARP;
    p->arp = (struct arp){.op = b[7], .sha = b[13], .tha = b[23], .spa = get_addr(b + 14), .tpa = get_addr(b + 24)};
    return NULL;
}

static bool same_record(const struct igmp_record *a, const struct igmp_record *b)
{
    if (a->type != b->type || !jr_addr_eq(a->group, b->group) || a->nsrc != b->nsrc)
        return false;
    for (unsigned i = 0; i < a->nsrc; i++)
        if (!jr_addr_eq(a->src[i], b->src[i]))
            return false;
    return true;
}

bool same_igmp(const struct packet *want, const struct packet *got)
{
    const struct igmp *a = &want->igmp, *b = &got->igmp;

    if (a->type != b->type || !jr_addr_eq(a->group, b->group) || a->nrec != b->nrec)
        return false;
    for (unsigned i = 0; i < a->nrec; i++)
        if (!same_record(&a->rec[i], &b->rec[i]))
            return false;
    return true;
}

bool same_arp(const struct packet *want, const struct packet *got)
{
    return want->arp.op == got->arp.op && want->arp.sha == got->arp.sha && jr_addr_eq(want->arp.spa, got->arp.spa) &&
           jr_addr_eq(want->arp.tpa, got->arp.tpa);
}

static void print_addr(struct jr_addr a, FILE *to)
{
    char s[INET_ADDRSTRLEN];

    fputs(inet_ntop(AF_INET, a.b + 12, s, sizeof s), to);
}

void igmp_print(const struct packet *p, FILE *to)
{
    const char *name = "(unknown type)";

    for (size_t i = 0; i < sizeof igmp_names / sizeof *igmp_names; i++)
        if (igmp_names[i].type == p->igmp.type)
            name = igmp_names[i].name;
    fprintf(to, "igmp %s", name);
    if (p->igmp.type != 0x22) {
        fputc(' ', to);
        print_addr(p->igmp.group, to);
    }
    for (unsigned i = 0; i < p->igmp.nrec; i++) {
        const struct igmp_record *r = &p->igmp.rec[i];
        fprintf(to, " %s ", r->type >= 1 && r->type <= 6 ? record_names[r->type] : "(unknown)");
        print_addr(r->group, to);
        fputs(" {", to);
        for (unsigned k = 0; k < r->nsrc; k++) {
            fputs(k ? " " : "", to);
            print_addr(r->src[k], to);
        }
        fputc('}', to);
    }
}

void arp_print(const struct packet *p, FILE *to)
{
    fputs(p->arp.op == 1 ? "arp who-has " : "arp ", to);
    print_addr(p->arp.op == 1 ? p->arp.tpa : p->arp.spa, to);
    if (p->arp.op != 1)
        fprintf(to, " is-at %u", p->arp.sha);
    fputs(" tell ", to);
    print_addr(p->arp.op == 1 ? p->arp.spa : p->arp.tpa, to);
}
