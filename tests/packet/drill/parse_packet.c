/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/byteorder.h"
#include "script.h"

static const struct {
    const char *name;
    int ecn;
} ecn_names[] = {{"ect01", ECN_ECT01}, {"ect0", ECN_ECT0}, {"ect1", ECN_ECT1},
                 {"ce", ECN_CE},       {"noecn", ECN_NOT}, {"nonect", ECN_NOT}};

static bool parse_ecn(struct text *t, struct packet *p)
{
    for (size_t i = 0; i < sizeof ecn_names / sizeof *ecn_names; i++) {
        if (text_take(t, ecn_names[i].name)) {
            p->ecn = ecn_names[i].ecn;
            return true;
        }
    }
    return false;
}

/* What few scripts write: addresses, options, the part of the packet that a fragment is. */
static bool parse_ip_more(struct text *t, struct packet *p)
{
    if (text_take(t, "src")) {
        p->src = parse_addr4(t);
        p->has_src = true;
    } else if (text_take(t, "dst")) {
        p->dst = parse_addr4(t);
        p->has_dst = true;
    } else if (text_ellipsis(t)) {
        p->any_ip_opts = true;
    } else if (text_take(t, "ipopt")) {
        parse_bytes(t, &p->ip_opts);
        if (p->ip_opts.n % 4 || p->ip_opts.n > 40)
            text_fail(t, "%u bytes of IP options", p->ip_opts.n);
    } else if (p->inbound && text_take(t, "proto")) {
        p->said_proto = (int)text_int_in(t, "protocol", 0, 255);
    } else if (p->inbound && text_take(t, "nocksum")) {
        p->no_cksum = true;
    } else if (p->inbound && text_take(t, "cut")) {
        p->cut_from = (uint32_t)text_int_in(t, "first byte", 0, 65528);
        text_need(t, ":");
        p->cut_to = (uint32_t)text_int_in(t, "last byte", p->cut_from + 1, 65535);
    } else {
        return false;
    }
    return true;
}

/* [ect0, ttl 64]: what the IP header has or must have. */
static void parse_ip_info(struct text *t, struct packet *p, const char *close)
{
    do {
        if (parse_ecn(t, p) || parse_ip_more(t, p))
            continue;
        if (text_take(t, "tos") || text_take(t, "class"))
            p->tos = (int)text_int_in(t, "tos", 0, 255);
        else if (text_take(t, "ttl") || text_take(t, "hlim") || text_take(t, "hop_limit"))
            p->ttl = (int)text_int_in(t, "ttl", 0, 255);
        else if (text_take(t, "flowlabel"))
            text_int_in(t, "flow label", 0, 0xfffff);
        else if (text_take(t, "df"))
            p->df = 1;
        else if (text_take(t, "nodf"))
            p->df = 0;
        else if (text_take(t, "id"))
            p->id = (int)text_int_in(t, "id", 0, 65535);
        else if (text_take(t, "off"))
            p->frag_off = (int)text_int_in(t, "fragment offset", 0, 65528);
        else if (text_take(t, "mf"))
            p->mf = true;
        else if (text_take(t, "badcksum"))
            p->bad_cksum = true;
        else
            text_fail(t, "'%.20s' is nothing an IP header has", t->p);
    } while (text_take(t, ","));
    text_need(t, close);
}

static void parse_length(struct text *t, struct packet *p)
{
    text_need(t, "(");
    p->len = (uint32_t)text_int_in(t, "length", 0, 65507);
    text_need(t, ")");
}

static void parse_seq(struct text *t, struct packet *p)
{
    if (!p->inbound && text_ellipsis(t)) {
        p->any_seq = true;
        parse_length(t, p);
        return;
    }
    p->seq = (uint32_t)text_int_in(t, "sequence number", 0, UINT32_MAX);
    text_need(t, ":");
    p->end = (uint32_t)text_int_in(t, "sequence number", 0, UINT32_MAX);
    text_need(t, "(");
    p->len = (uint32_t)text_int_in(t, "length", 0, 65495);
    text_need(t, ")");
    p->plain_seq = text_take(t, "!");
    if (p->seq + p->len != p->end)
        text_fail(t, "%u:%u is not %u bytes", p->seq, p->end, p->len);
}

static bool next_is_seq(struct text *t)
{
    const char *p;

    text_skip(t);
    for (p = t->p; isdigit((unsigned char)*p); p++)
        ;
    return p != t->p && *p == ':';
}

/* "40000 > 8080" */
static void parse_ports(struct text *t, struct packet *p)
{
    const char *const back = t->p;
    int64_t sport;

    if (!text_next_is_digit(t))
        return;
    sport = text_int(t, "port");
    if (!text_take(t, ">")) {
        t->p = back;
        return;
    }
    if (sport < 1 || sport > 65535)
        text_fail(t, "port %lld", (long long)sport);
    p->sport = (uint16_t)sport;
    p->dport = (uint16_t)text_int_in(t, "port", 1, 65535);
    text_take(t, ":");
}

static void parse_flags(struct text *t, struct packet *p)
{
    static const char letters[] = "FSRP.UEWA";
    const char *from;

    text_skip(t);
    for (from = t->p; *t->p && !isspace((unsigned char)*t->p); t->p++) {
        const char *l = strchr(letters, *t->p);
        if (l)
            p->flags |= (uint16_t)(1u << (l - letters));
        else if (*t->p >= '0' && *t->p <= '7')
            p->flags |= (uint16_t)((unsigned)(*t->p - '0') << 6);
        else if (*t->p != '-')
            text_fail(t, "'%c' is no TCP flag", *t->p);
    }
    if (from == t->p)
        text_fail(t, "expected TCP's flags");
}

static void parse_ts(struct text *t, struct tcp_opt *o)
{
    *o = (struct tcp_opt){.kind = OPT_TS, .len = 10};
    text_need(t, "val");
    if (!(o->any_val = text_ellipsis(t)))
        o->val = (uint32_t)text_int_in(t, "timestamp", 0, UINT32_MAX);
    text_need(t, "ecr");
    if (!(o->any_ecr = text_ellipsis(t)))
        o->ecr = (uint32_t)text_int_in(t, "timestamp", 0, UINT32_MAX);
}

static void parse_sack(struct text *t, struct tcp_opt *o)
{
    *o = (struct tcp_opt){.kind = OPT_SACK, .len = 2};
    while (text_next_is_digit(t)) {
        if (o->nsack == 4)
            text_fail(t, "more than four SACK blocks");
        o->sack[o->nsack][0] = (uint32_t)text_int(t, "left edge");
        text_need(t, ":");
        o->sack[o->nsack++][1] = (uint32_t)text_int(t, "right edge");
        o->len += 8;
    }
}

static void plain_opt(struct tcp_opt *o, uint8_t kind, const uint8_t *data, unsigned n)
{
    *o = (struct tcp_opt){.kind = kind, .len = (uint8_t)(n + 2)};
    memcpy(o->data, data, n);
}

/* md5 valid, md5 invalid, or its bytes */
static void parse_md5(struct text *t, struct tcp_opt *o)
{
    uint8_t b[16] = {0};
    const bool valid = text_take(t, "valid"), invalid = !valid && text_take(t, "invalid");

    if (!valid && !invalid && text_hex(t, b, sizeof b) != sizeof b)
        text_fail(t, "a signature has 16 bytes");
    plain_opt(o, OPT_MD5, b, sizeof b);
    o->md5 = valid ? MD5_VALID : invalid ? MD5_INVALID : MD5_AS_IT_IS;
}

static void parse_opt(struct text *t, struct tcp_opt *o)
{
    uint8_t b[40] = {0};

    if (text_take(t, "mss")) {
        const int64_t mss = text_int_in(t, "mss", 0, 65535);
        plain_opt(o, OPT_MSS, (uint8_t[]){(uint8_t)(mss >> 8), (uint8_t)mss}, 2);
    } else if (text_take(t, "wscale")) {
        b[0] = (uint8_t)text_int_in(t, "window scale", 0, 255);
        plain_opt(o, OPT_WSCALE, b, 1);
    } else if (text_take(t, "sackOK")) {
        plain_opt(o, OPT_SACKOK, b, 0);
    } else if (text_take(t, "sack")) {
        parse_sack(t, o);
    } else if (text_take(t, "TS")) {
        parse_ts(t, o);
    } else if (text_take(t, "md5")) {
        parse_md5(t, o);
    } else if (text_take(t, "nop")) {
        *o = (struct tcp_opt){.kind = OPT_NOP, .len = 1};
    } else if (text_take(t, "eol")) {
        *o = (struct tcp_opt){.kind = OPT_EOL, .len = 1};
    } else if (text_take(t, "FOEXP")) {
        memcpy(b, "\xf9\x89", 2);
        plain_opt(o, OPT_EXP, b, 2 + text_hex(t, b + 2, 36));
    } else if (text_take(t, "FO")) {
        plain_opt(o, OPT_FO, b, text_hex(t, b, 38));
    } else if (text_take(t, "kind")) { /* any other: its number and bytes */
        const uint8_t kind = (uint8_t)text_int_in(t, "kind", 2, 255);
        plain_opt(o, kind, b, text_hex(t, b, 38));
    } else {
        text_fail(t, "'%.20s' is no TCP option", t->p);
    }
}

static void parse_opts(struct text *t, struct packet *p)
{
    unsigned bytes = 0;

    if (text_ellipsis(t)) {
        p->any_opts = true;
        text_need(t, ">");
        return;
    }
    do {
        if (p->nopts == sizeof p->opts / sizeof *p->opts)
            text_fail(t, "too many options");
        parse_opt(t, &p->opts[p->nopts]);
        bytes += p->opts[p->nopts++].len;
    } while (text_take(t, ","));
    text_need(t, ">");
    if (bytes > 40)
        text_fail(t, "%u bytes of options do not fit in 40", bytes);
    if (bytes % 4)
        text_fail(t, "%u bytes of options are no multiple of four", bytes);
}

/* '<' begins options, unless it begins the next packet ("< S 0:0..." without a time is not allowed) */
static void parse_tcp(struct text *t, struct packet *p)
{
    p->proto = PROTO_TCP;
    parse_flags(t, p);
    parse_seq(t, p);
    for (;;) {
        if (text_take(t, "ack"))
            p->ack = (uint32_t)text_int_in(t, "acknowledgment", 0, UINT32_MAX);
        else if (text_take(t, "win"))
            p->win = (int)text_int_in(t, "window", 0, 65535);
        else if (text_take(t, "urg"))
            p->urg = (int)text_int_in(t, "urgent pointer", 0, 65535);
        else
            break;
    }
    if (text_take(t, "<"))
        parse_opts(t, p);
}

static void parse_icmp(struct text *t, struct packet *p, bool v6)
{
    const char *name;

    p->proto = v6 ? PROTO_ICMPV6 : PROTO_ICMP;
    name = text_word(t);
    if (!name || !icmp_type_named(name, v6, &p->icmp_type))
        text_fail(t, "'%s' is no type of ICMP", name ? name : "");
    for (;;) {
        const char *const back = t->p;
        if (text_take(t, "mtu")) {
            p->mtu = text_int_in(t, "mtu", 0, UINT32_MAX);
        } else if (text_take(t, "id")) {
            p->echo_id = (int)text_int_in(t, "id", 0, 65535);
        } else if (text_take(t, "ptr")) {
            p->pointer = (int)text_int_in(t, "pointer", 0, 255);
        } else if (text_take(t, "gw")) {
            p->mtu = jr_be32(jr_addr_to_v4(parse_addr4(t))); /* the same bytes */
        } else if (text_take(t, "bytes")) {
            parse_bytes(t, &p->body);
            p->len = p->body.n;
        } else if (text_take(t, "seq")) {
            p->echo_seq = (int)text_int_in(t, "seq", 0, 65535);
        } else if (text_peek(t) == '(') {
            parse_length(t, p);
        } else if (isalpha((unsigned char)*t->p) && (name = text_word(t)) && *t->p != '(') {
            if (!icmp_code_named(p->icmp_type, name, v6, &p->icmp_code))
                text_fail(t, "'%s' is no code of this ICMP type", name);
        } else {
            t->p = back;
            return;
        }
    }
}

static struct packet *packet_new(bool inbound)
{
    struct packet *p = drill_alloc(sizeof *p);

    *p = (struct packet){.inbound = inbound,
                         .ecn = ECN_UNCHECKED,
                         .tos = -1,
                         .ttl = -1,
                         .df = -1,
                         .id = -1,
                         .win = -1,
                         .urg = -1,
                         .mtu = -1,
                         .echo_id = -1,
                         .echo_seq = -1,
                         .pointer = -1,
                         .said_proto = -1};
    return p;
}

/* The packet that an ICMP error is about: [1:1461(1460)] or [udp (100)]. The bracket has been read. */
static struct packet *parse_quote(struct text *t)
{
    struct packet *q = packet_new(false);

    if (text_take(t, "udp")) {
        q->proto = PROTO_UDP;
        parse_length(t, q);
    } else {
        q->proto = PROTO_TCP;
        parse_seq(t, q);
        q->flags = F_ACK;
    }
    text_need(t, "]");
    return q;
}

struct packet *packet_parse(struct text *t, bool inbound)
{
    struct packet *p = packet_new(inbound);

    while (text_peek(t) == '[' || *t->p == '(') {
        const bool round = *t->p++ == '(';
        if (!round && (next_is_seq(t) || strncmp(t->p, "udp", 3) == 0))
            p->quote = parse_quote(t);
        else
            parse_ip_info(t, p, round ? ")" : "]");
    }
    parse_ports(t, p);
    if (text_take(t, "igmp")) {
        parse_igmp(t, p);
    } else if (text_take(t, "arp")) {
        parse_arp(t, p);
    } else if (text_take(t, "icmpv6")) {
        parse_icmp(t, p, true);
    } else if (text_take(t, "icmp")) {
        parse_icmp(t, p, t->v6);
    } else if (text_take(t, "udp")) {
        p->proto = PROTO_UDP;
        parse_length(t, p);
    } else {
        parse_tcp(t, p);
    }
    if (!p->quote && (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6) && text_take(t, "["))
        p->quote = parse_quote(t);
    return p;
}
