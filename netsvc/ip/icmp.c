/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP of a host: answers echo requests, tells senders what can't be delivered (RFC 1122 3.2.2, 4.1.3.1), and hands
 * the errors about our own packets to the transport that sent them. Source quench (RFC 6633) is ignored.
 */
#include "wire/icmp.h"

#include <errno.h>
#include <string.h>

#include "ip/opts.h"
#include "ip/stack6.h"
#include "wire/cksum.h"

enum {
    ERROR_MAX = 576,                /* bytes of an error, header and quote included (RFC 1812 4.3.2.3) */
    TOS_INTERNETWORK_CONTROL = 0xc0 /* RFC 1812 4.3.2.5 */
};

/* Each second has a limit of its own, so that what is sent tells nobody who counts it how much others asked for. */
bool jr_bucket_take(struct jr_ip *ip, struct jr_bucket *b, uint32_t per_s, jr_time now)
{
    const uint32_t jitter = ip->cfg.icmplim_jitter < per_s ? ip->cfg.icmplim_jitter : 0;

    if (b->since == 0 || now - b->since >= JR_SEC) {
        b->since = now;
        b->count = 0;
        b->jitter = (int32_t)jr_rng_below(ip->rng, 2 * jitter + 1) - (int32_t)jitter;
    }
    if (b->count >= per_s + (uint32_t)b->jitter)
        return false;
    b->count++;
    return true;
}

/* RFC 1122 3.2.2: about what no error may be sent. */
static bool may_complain(const struct jr_ip *ip, const struct jr_ipv4 *hdr, const uint8_t *quote, uint32_t quote_len)
{
    if (hdr->frag_off != 0 || !jr_ip_is_local(ip, hdr->dst))
        return false;
    if (!jr_ipv4_is_host(hdr->src) && !jr_ip_is_local(ip, hdr->src))
        return false;
    if (hdr->proto == JR_IPPROTO_ICMP)
        return quote_len > hdr->hlen && !jr_icmp_is_error(quote[hdr->hlen]);
    return true;
}

void jr_icmp_error(struct jr_ip *ip, uint8_t type, uint8_t code, uint32_t rest, const uint8_t *quote,
                   uint32_t quote_len, jr_time now)
{
    const struct jr_icmp icmp = {.type = type, .code = code, .rest = rest};
    uint8_t msg[ERROR_MAX - JR_IPV4_HLEN];
    struct jr_ip_route rt;
    struct jr_ipv4 hdr;
    const bool known = jr_ipv4_parse_quote(quote, quote_len, &hdr) == JR_WIRE_OK && jr_ip_route(ip, hdr.src, &rt);
    if (ip->cfg.shared && !(known && rt.loop)) {
        jr_count(ip->counters, JR_C_ICMP_ERR_SHARED);
        return;
    }
    if (!known || !may_complain(ip, &hdr, quote, quote_len) || rt.local || rt.broadcast) {
        jr_count(ip->counters, JR_C_ICMP_ERR_FORBIDDEN);
        return;
    }
    if (ip->cfg.icmp_errors_per_s && !rt.loop &&
        !jr_bucket_take(ip, &ip->icmp_errors, ip->cfg.icmp_errors_per_s, now)) {
        jr_count(ip->counters, JR_C_ICMP_ERR_LIMITED);
        return;
    }
    quote_len = jr_min_u32(quote_len, hdr.hlen + jr_max_u32(ip->cfg.icmp_quotelen, 8)); /* of its payload */
    quote_len = jr_min_u32(quote_len, sizeof msg - JR_ICMP_HLEN);
    memcpy(msg + JR_ICMP_HLEN, quote, quote_len);
    jr_icmp_build(msg, JR_ICMP_HLEN + quote_len, &icmp);
    const struct jr_ip_tx tx = {
        .src = hdr.dst,
        .dst = hdr.src,
        .proto = JR_IPPROTO_ICMP,
        .tos = TOS_INTERNETWORK_CONTROL,
    };
    jr_count(ip->counters, JR_C_ICMP_ERR_TX);
    (void)jr_ip_output_gather(ip, &tx, &rt, msg, JR_ICMP_HLEN + quote_len, NULL, 0, NULL, 0, now);
}

void jr_icmp_unreach(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, uint8_t code, jr_time now)
{
    if (!jr_addr_is_v4(rx->dst)) {
        jr_icmp6_unreach(ip, pkt, rx, code, now);
        return;
    }
    if (rx->broadcast) {
        jr_count(ip->counters, JR_C_ICMP_ERR_FORBIDDEN);
        return;
    }
    jr_icmp_error(ip, JR_ICMP_UNREACH, code, 0, pkt->buf + pkt->l3_off, pkt->off + pkt->len - pkt->l3_off, now);
}

/* An answer to a request: its code, id and sequence number again, then body; options as the request's ask. */
static void answer(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, const struct jr_icmp *req,
                   uint8_t type, const uint8_t *body, uint32_t len, jr_time now)
{
    uint8_t head[JR_ICMP_HLEN] = {type}, opts[JR_IPV4_HLEN_MAX - JR_IPV4_HLEN];
    const uint8_t *l3 = pkt->buf + pkt->l3_off;
    const struct jr_addr us = rx->broadcast ? jr_ip_answer_addr(ip, rx) : rx->dst;
    struct jr_ip_tx tx = {.src = us, .dst = rx->src, .proto = JR_IPPROTO_ICMP, .tos = rx->tos};

    if (ip->cfg.shared)
        return; /* the kernel answers */
    if (!jr_bucket_take(ip, &ip->icmp_echoes, ip->cfg.icmp_echo_per_s, now)) {
        jr_count(ip->counters, JR_C_ICMP_ECHO_LIMITED);
        return;
    }
    if ((l3[0] & 15) > JR_IPV4_HLEN / 4) {
        tx.opts = opts;
        tx.opts_len = jr_ip_opts_answer(l3, (uint8_t)((l3[0] & 15) * 4), us, now, opts);
    }
    jr_store_be32(head + 4, req->rest);
    jr_store_raw16(head + 2, jr_cksum_fold(jr_cksum_partial(body, len, jr_cksum_partial(head, sizeof head, 0))));
    jr_count(ip->counters, JR_C_ICMP_ECHO);
    (void)jr_ip_output_gather(ip, &tx, NULL, head, sizeof head, body, len, NULL, 0, now);
}

/* RFC 792: when the request came and when the answer leaves, which is the same to us. */
static void on_timestamp(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx,
                         const struct jr_icmp *req, jr_time now)
{
    uint8_t body[12];

    memcpy(body, jr_pkt_data(pkt) + JR_ICMP_HLEN, 4);
    jr_store_be32(body + 4, jr_ip_stamp(now));
    jr_store_be32(body + 8, jr_ip_stamp(now));
    answer(ip, pkt, rx, req, JR_ICMP_TSTAMP_REPLY, body, sizeof body, now);
}

/* RFC 950 appendix I: for the subnet that asks. */
static void on_mask(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, const struct jr_icmp *req,
                    jr_time now)
{
    const struct jr_netif_addr *a = jr_netif_addr_find(rx->ifp, jr_ip_answer_addr(ip, rx));
    uint8_t body[4];

    if (!a)
        return;
    jr_store_be32(body, a->plen ? ~0u << (32 - a->plen) : 0);
    answer(ip, pkt, rx, req, JR_ICMP_MASKREPLY, body, sizeof body, now);
}

/* What is asked of a host. false: nothing of the kind, or nothing we answer. */
static bool on_request(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, const struct jr_icmp *req,
                       jr_time now)
{
    const uint32_t len = pkt->len - JR_ICMP_HLEN;

    if (req->code != 0)
        return false;
    if (req->type == JR_ICMP_ECHO)
        answer(ip, pkt, rx, req, JR_ICMP_ECHO_REPLY, jr_pkt_data(pkt) + JR_ICMP_HLEN, len, now);
    else if (req->type == JR_ICMP_TSTAMP && ip->cfg.icmp_tstamprepl && len >= 12)
        on_timestamp(ip, pkt, rx, req, now);
    else if (req->type == JR_ICMP_MASKREQ && ip->cfg.icmp_maskrepl && len >= 4)
        on_mask(ip, pkt, rx, req, now);
    else
        return false;
    return true;
}

/* An error about the packet of ours that starts at quote, told by from. */
static void on_error(struct jr_ip *ip, struct jr_addr from, const struct jr_icmp *icmp, const uint8_t *quote,
                     uint32_t quote_len, jr_time now)
{
    const struct jr_ip_proto *proto;
    struct jr_ip_ctl ctl;
    struct jr_ipv4 hdr;

    if (jr_ipv4_parse_quote(quote, quote_len, &hdr) != JR_WIRE_OK || hdr.frag_off != 0) {
        jr_count(ip->counters, JR_C_ICMP_BAD_QUOTE);
        return;
    }
    if (quote_len - hdr.hlen < 8) {
        jr_count(ip->counters, JR_C_ICMP_SHORT);
        return;
    }
    if (!jr_ip_is_local(ip, hdr.src)) {
        jr_count(ip->counters, JR_C_ICMP_NOT_OURS);
        return;
    }
    proto = &ip->protos[hdr.proto];
    if (!proto->ctlinput) {
        jr_count(ip->counters, JR_C_ICMP_IGNORED);
        return;
    }
    ctl = (struct jr_ip_ctl){
        .from = from,
        .src = hdr.src,
        .dst = hdr.dst,
        .type = icmp->type,
        .code = icmp->code,
        .quote = quote + hdr.hlen,
        .quote_len = quote_len - hdr.hlen,
    };
    if (icmp->type == JR_ICMP_UNREACH && icmp->code == JR_ICMP_UNREACH_FRAG)
        ctl.mtu = (uint16_t)icmp->rest;
    jr_count(ip->counters, JR_C_ICMP_ERR_RX);
    proto->ctlinput(proto->ctx, &ctl, now);
}

void jr_icmp_input(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    const uint8_t *p = jr_pkt_data(pkt);
    struct jr_icmp icmp;
    const enum jr_counter bad = jr_icmp_parse(p, pkt->len, &icmp);

    jr_count(ip->counters, JR_C_ICMP_RX);
    if (bad != JR_WIRE_OK)
        jr_count(ip->counters, bad);
    else if (rx->broadcast && !ip->cfg.icmp_bmcastecho)
        jr_count(ip->counters, JR_C_ICMP_BROADCAST); /* RFC 1122 3.2.2.6 */
    else if (on_request(ip, pkt, rx, &icmp, now) || rx->broadcast)
        ;
    else if (icmp.type == JR_ICMP_REDIRECT)
        jr_redirect_input(ip, rx, &icmp, p + JR_ICMP_HLEN, pkt->len - JR_ICMP_HLEN, now);
    else if (icmp.type == JR_ICMP_UNREACH || icmp.type == JR_ICMP_TIME_EXCEEDED || icmp.type == JR_ICMP_PARAM_PROBLEM)
        on_error(ip, rx->src, &icmp, p + JR_ICMP_HLEN, pkt->len - JR_ICMP_HLEN, now);
    else
        jr_count(ip->counters, JR_C_ICMP_IGNORED);
    jr_pkt_free(pkt);
}

void jr_icmp_on_unresolved(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, jr_time now)
{
    const struct jr_icmp icmp = {.type = JR_ICMP_UNREACH, .code = JR_ICMP_UNREACH_HOST};
    struct jr_ip *ip = ctx;

    if (*jr_pkt_data(pkt) >> 4 == 6) {
        jr_icmp6_on_unresolved(ip, ifp, pkt, now);
        return;
    }
    on_error(ip, jr_ip_source_for(ip, ifp, jr_addr_v4(0)), &icmp, jr_pkt_data(pkt), pkt->len, now);
    jr_pkt_free(pkt);
}

int jr_icmp_errno(uint8_t type, uint8_t code, bool *fatal)
{
    /* by code of JR_ICMP_UNREACH, RFC 792, 1122 3.2.2.1, 1812 5.2.7.1 */
    static const struct {
        uint8_t err;
        bool fatal;
    } unreach[] = {
        {ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},  {ECONNREFUSED, true},
        {EMSGSIZE, false},     {EOPNOTSUPP, false},   {ENETUNREACH, true},  {EHOSTDOWN, true},
        {ENONET, true},        {ENETUNREACH, true},   {EHOSTUNREACH, true}, {ENETUNREACH, false},
        {EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true}, {EHOSTUNREACH, true},
    };

    *fatal = false;
    if (type == JR_ICMP_TIME_EXCEEDED)
        return EHOSTUNREACH;
    if (type == JR_ICMP_PARAM_PROBLEM) {
        *fatal = true;
        return EPROTO;
    }
    if (type != JR_ICMP_UNREACH || code >= JR_ARRAY_LEN(unreach))
        return 0;
    *fatal = unreach[code].fatal;
    return unreach[code].err;
}
