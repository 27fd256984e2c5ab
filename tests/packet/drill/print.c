/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>

#include "packet.h"

static void print_opt(const struct tcp_opt *o, FILE *to)
{
    switch (o->kind) {
    case OPT_EOL:
        fputs("eol", to);
        return;
    case OPT_NOP:
        fputs("nop", to);
        return;
    case OPT_MSS:
        fprintf(to, "mss %u", o->data[0] << 8 | o->data[1]);
        return;
    case OPT_WSCALE:
        fprintf(to, "wscale %u", o->data[0]);
        return;
    case OPT_SACKOK:
        fputs("sackOK", to);
        return;
    case OPT_TS:
        if (o->any_val)
            fputs("TS val ... ", to);
        else
            fprintf(to, "TS val %u ", o->val);
        if (o->any_ecr)
            fputs("ecr ...", to);
        else
            fprintf(to, "ecr %u", o->ecr);
        return;
    case OPT_SACK:
        fputs("sack", to);
        for (unsigned i = 0; i < o->nsack; i++)
            fprintf(to, " %u:%u", o->sack[i][0], o->sack[i][1]);
        return;
    case OPT_MD5:
        if (o->md5 != MD5_AS_IT_IS) {
            fputs(o->md5 == MD5_VALID ? "md5 valid" : "md5 invalid", to);
            return;
        } /* FALLTHROUGH */
    default:
        if (o->kind == OPT_FO)
            fputs("FO ", to);
        else
            fprintf(to, "kind %u ", o->kind);
        for (unsigned i = 0; i + 2 < o->len; i++)
            fprintf(to, "%02x", o->data[i]);
    }
}

static void print_tcp(const struct packet *p, FILE *to)
{
    static const char letters[] = "FSRP.UEWA";

    for (unsigned i = 0; i < 9; i++) /* the acknowledgment's point comes last, as tcpdump has it */
        if (i != 4 && p->flags >> i & 1)
            fputc(letters[i], to);
    if (p->flags & F_ACK)
        fputc('.', to);
    if (p->flags == 0)
        fputc('-', to);
    fprintf(to, " %u:%u(%u)", p->seq, p->seq + p->len, p->len);
    if (p->flags & F_ACK)
        fprintf(to, " ack %u", p->ack);
    if (p->win >= 0)
        fprintf(to, " win %d", p->win);
    if (p->urg > 0 || p->flags & F_URG)
        fprintf(to, " urg %d", p->urg);
    if (p->any_opts)
        fputs(" <...>", to);
    for (unsigned i = 0; i < p->nopts; i++) {
        fputs(i ? "," : " <", to);
        print_opt(&p->opts[i], to);
        if (i + 1 == p->nopts)
            fputc('>', to);
    }
}

static void print_icmp(const struct packet *p, FILE *to)
{
    const bool v6 = p->proto == PROTO_ICMPV6;

    fprintf(to, "%s %s %s", v6 ? "icmpv6" : "icmp", icmp_type_name(p->icmp_type, v6),
            icmp_code_name(p->icmp_type, p->icmp_code, v6));
    if ((p->icmp_type == 3 && p->icmp_code == 4) || (v6 && p->icmp_type == 2))
        fprintf(to, " mtu %lld", (long long)p->mtu);
    else if (p->icmp_type == 0 || p->icmp_type == 8 || (v6 && p->icmp_type >= 128))
        fprintf(to, " id %d seq %d", p->echo_id, p->echo_seq);
    fprintf(to, " (%u)", p->len);
}

void packet_print(const struct packet *p, FILE *to)
{
    static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce", "ect01"};

    fputs(p->inbound ? "< " : "> ", to);
    if (p->ecn > 0)
        fprintf(to, "[%s] ", ecn[p->ecn]);
    if (p->frag_off || p->mf)
        fprintf(to, "[off %d%s] ", p->frag_off, p->mf ? ",mf" : "");
    for (unsigned i = 0; i < p->ip_opts.n; i++)
        fprintf(to, i == 0 ? "[ipopt %02x" : "%02x", p->ip_opts.b[i]);
    fputs(p->ip_opts.n ? "] " : "", to);
    if (p->sport)
        fprintf(to, "%u > %u ", p->sport, p->dport);
    if (p->proto == PROTO_TCP)
        print_tcp(p, to);
    else if (p->proto == PROTO_UDP)
        fprintf(to, "udp (%u)", p->len);
    else if (p->proto == PROTO_IGMP)
        igmp_print(p, to);
    else if (p->proto == PROTO_ARP)
        arp_print(p, to);
    else if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)
        print_icmp(p, to);
    else
        fprintf(to, "protocol %d (%u)", p->proto, p->len);
}

void packet_hexdump(const uint8_t *buf, uint32_t len, FILE *to)
{
    for (uint32_t i = 0; i < len; i++) {
        if (i % 16 == 0)
            fprintf(to, "%s    0x%04x: ", i ? "\n" : "", i);
        fprintf(to, i % 2 ? "%02x" : " %02x", buf[i]);
    }
    fputc('\n', to);
}
