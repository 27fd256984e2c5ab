/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a packet that was sent is the one a script expects; what the script leaves out may be anything. */
#include <stdlib.h>
#include <string.h>

#include "run.h"

static bool differ(char *why, size_t room, const char *what, long long want, long long got)
{
    snprintf(why, room, "%s %lld, not %lld", what, got, want);
    return false;
}

static bool same_opt(const struct options *o, const struct tcp_opt *want, const struct tcp_opt *got, char *why,
                     size_t room)
{
    if (want->kind != got->kind)
        return differ(why, room, "TCP option of kind", want->kind, got->kind);
    if (want->kind == OPT_TS) {
        if (!want->any_ecr && want->ecr != got->ecr)
            return differ(why, room, "timestamp echo", want->ecr, got->ecr);
        if (!want->any_val && o->ts_tick_us &&
            llabs((int64_t)(int32_t)(got->val - want->val) * o->ts_tick_us) > o->tolerance_us)
            return differ(why, room, "timestamp", want->val, got->val);
        return true;
    }
    if (want->len != got->len)
        return differ(why, room, "length of a TCP option", want->len, got->len);
    if (want->md5 != MD5_AS_IT_IS && want->md5 != got->md5) {
        snprintf(why, room, "a signature that is %s", got->md5 == MD5_VALID ? "valid" : "not valid");
        return false;
    }
    if (want->md5 != MD5_AS_IT_IS)
        return true;
    if (want->kind == OPT_SACK) {
        for (unsigned i = 0; i < want->nsack; i++)
            if (memcmp(want->sack[i], got->sack[i], sizeof want->sack[i]) != 0)
                return differ(why, room, "SACK block at", want->sack[i][0], got->sack[i][0]);
        return true;
    }
    if (want->len > 2 && memcmp(want->data, got->data, want->len - 2u) != 0) {
        snprintf(why, room, "the value of TCP option %u", want->kind);
        return false;
    }
    return true;
}

static bool same_opts(const struct options *o, const struct packet *want, const struct packet *got, char *why,
                      size_t room)
{
    if (want->any_opts)
        return true;
    for (unsigned i = 0; i < want->nopts && i < got->nopts; i++)
        if (!same_opt(o, &want->opts[i], &got->opts[i], why, room))
            return false;
    return want->nopts == got->nopts || differ(why, room, "number of TCP options", want->nopts, got->nopts);
}

static bool same_tcp(const struct options *o, const struct packet *want, const struct packet *got, char *why,
                     size_t room)
{
    if ((want->flags ^ got->flags) & ~(o->any_push ? F_PUSH : 0)) {
        snprintf(why, room, "other TCP flags");
        return false;
    }
    if (!want->any_seq && want->seq != got->seq)
        return differ(why, room, "sequence number", want->seq, got->seq);
    if (want->len != got->len)
        return differ(why, room, "payload of", want->len, got->len);
    if (want->flags & F_ACK && want->ack != got->ack)
        return differ(why, room, "acknowledgment", want->ack, got->ack);
    if (want->win >= 0 && want->win != got->win)
        return differ(why, room, "window", want->win, got->win);
    if (want->urg >= 0 && want->urg != got->urg)
        return differ(why, room, "urgent pointer", want->urg, got->urg);
    return same_opts(o, want, got, why, room);
}

static bool same_icmp(const struct packet *want, const struct packet *got, char *why, size_t room)
{
    if (want->icmp_type != got->icmp_type || want->icmp_code != got->icmp_code) {
        snprintf(why, room, "another ICMP message");
        return false;
    }
    if (want->mtu >= 0 && want->mtu != got->mtu)
        return differ(why, room, "MTU", want->mtu, got->mtu);
    if (want->echo_id >= 0 && want->echo_id != got->echo_id)
        return differ(why, room, "echo id", want->echo_id, got->echo_id);
    if (want->echo_seq >= 0 && want->echo_seq != got->echo_seq)
        return differ(why, room, "echo sequence number", want->echo_seq, got->echo_seq);
    if (want->pointer >= 0 && want->pointer != got->pointer)
        return differ(why, room, "pointer", want->pointer, got->pointer);
    if (want->len && want->len != got->len)
        return differ(why, room, "body of", want->len, got->len);
    if (want->body.n && !same_bytes(&want->body, &got->body)) {
        snprintf(why, room, "another body of ICMP");
        return false;
    }
    return true;
}

static bool same_ip(const struct packet *want, const struct packet *got, char *why, size_t room)
{
    if (want->ecn == ECN_ECT01 ? got->ecn != ECN_ECT0 && got->ecn != ECN_ECT1 : want->ecn >= 0 && want->ecn != got->ecn)
        return differ(why, room, "ECN bits", want->ecn, got->ecn);
    if (want->tos >= 0 && (want->tos ^ got->tos) & (want->ecn >= 0 ? 0xfc : 0xff))
        return differ(why, room, "type of service", want->tos, got->tos);
    if ((want->has_src && !jr_addr_eq(want->src, got->src)) || (want->has_dst && !jr_addr_eq(want->dst, got->dst))) {
        snprintf(why, room, "other addresses");
        return false;
    }
    if (!want->any_ip_opts && !same_bytes(&want->ip_opts, &got->ip_opts)) {
        snprintf(why, room, "other IP options");
        return false;
    }
    if (want->ttl >= 0 && want->ttl != got->ttl)
        return differ(why, room, "time to live", want->ttl, got->ttl);
    if (want->id >= 0 && want->id != got->id)
        return differ(why, room, "identification", want->id, got->id);
    if (want->df >= 0 && want->df != got->df)
        return differ(why, room, "don't fragment", want->df, got->df);
    if (want->frag_off != got->frag_off || want->mf != got->mf)
        return differ(why, room, "fragment at", want->frag_off, got->frag_off);
    return true;
}

bool packet_matches(const struct options *o, const struct packet *want, const struct packet *got, char *why,
                    size_t room)
{
    if (want->proto != got->proto)
        return differ(why, room, "protocol", want->proto, got->proto);
    if (want->proto == PROTO_ARP && !same_arp(want, got)) {
        snprintf(why, room, "another ARP packet");
        return false;
    }
    if (want->proto == PROTO_ARP)
        return true;
    if (!same_ip(want, got, why, room))
        return false;
    if (got->frag_off || got->mf)
        return want->len == got->len || differ(why, room, "payload of", want->len, got->len);
    if (want->sport && (want->sport != got->sport || want->dport != got->dport)) {
        snprintf(why, room, "ports %u > %u", got->sport, got->dport);
        return false;
    }
    if (want->proto == PROTO_TCP)
        return same_tcp(o, want, got, why, room);
    if (want->proto == PROTO_UDP)
        return want->len == got->len || differ(why, room, "payload of", want->len, got->len);
    if (want->proto == PROTO_IGMP) {
        if (same_igmp(want, got))
            return true;
        snprintf(why, room, "another IGMP message");
        return false;
    }
    return same_icmp(want, got, why, room);
}
