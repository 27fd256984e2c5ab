/* SPDX-License-Identifier: BSD-3-Clause */
#include "ip_double.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/test.h"
#include "wire/cksum.h"
#include "wire/tcp_wire.h"

#define SEG_MAX 70000u

struct jr_addr ip_double_addr(const char *text)
{
    struct jr_addr a = {0};
    uint32_t v4;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return jr_addr_v4(v4);
    inet_pton(AF_INET6, text, a.b);
    return a;
}

void ip_double_init(struct jr_ip *ip, const char *v4, const char *v6)
{
    memset(ip, 0, sizeof *ip);
    jr_heap_pool_init(&ip->pool, 2048, 0);
    ip->addr[0] = ip_double_addr(v4);
    ip->addr[1] = ip_double_addr(v6);
    ip->mtu = 1500;
}

void ip_double_checksum(struct jr_addr src, struct jr_addr dst, uint8_t *seg, uint32_t len)
{
    if (len < JR_TCP_HLEN)
        return;
    jr_store_raw16(seg + 16, 0);
    jr_store_raw16(seg + 16, jr_cksum_fold(jr_cksum_partial(seg, len, jr_cksum_pseudo(src, dst, 6, len))));
}

void ip_double_input(struct jr_ip *ip, struct jr_addr src, struct jr_addr dst, uint8_t *seg, uint32_t len, bool csum,
                     jr_time now)
{
    const struct jr_ip_rx rx = {.src = src, .dst = dst, .proto = 6, .ttl = 64};
    if (csum)
        ip_double_checksum(src, dst, seg, len);
    uint32_t fail_in = ip->pool.fail_in; /* shortages are meant for what the stack sends */
    ip->pool.fail_in = 0;
    struct jr_pkt *pkt = jr_heap_pkt_copy(&ip->pool, seg, len);
    ip->pool.fail_in = fail_in;
    pkt->l4_off = (uint16_t)pkt->off;
    ip->tcp.input(ip->tcp.ctx, pkt, &rx, now);
}

/* As a NIC would: each piece gets a copy of the header with its own sequence number. */
static void cut(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_pkt *pkt, jr_time now)
{
    static uint8_t seg[SEG_MAX];
    const uint8_t *p = jr_pkt_data(pkt);
    const uint32_t hlen = pkt->l4_len, segsz = pkt->tso_segsz, total = pkt->len - hlen;
    for (uint32_t at = 0; at < total; at += segsz) {
        uint32_t n = total - at < segsz ? total - at : segsz;
        memcpy(seg, p, hlen);
        memcpy(seg + hlen, p + hlen + at, n);
        jr_store_be32(seg + 4, jr_load_be32(p + 4) + at);
        if (at + n < total)
            seg[13] &= (uint8_t) ~(TH_FIN | TH_PUSH);
        ip_double_checksum(tx->src, tx->dst, seg, hlen + n);
        ip->out(ip->out_ctx, tx, seg, hlen + n, now);
    }
}

static void send_plain(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_pkt *pkt, jr_time now)
{
    static uint8_t seg[SEG_MAX];
    memcpy(seg, jr_pkt_data(pkt), pkt->len);
    uint32_t over = jr_addr_is_v4(tx->dst) ? 20 : 40;
    JR_CHECK(pkt->len + over <= ip->mtu);
    uint32_t pseudo = jr_cksum_pseudo(tx->src, tx->dst, 6, pkt->len);
    if (pkt->flags & JR_PKT_TX_L4_CSUM) {
        JR_CHECK_EQ(jr_load_raw16(seg + 16), (uint16_t)~jr_cksum_fold(pseudo));
        ip_double_checksum(tx->src, tx->dst, seg, pkt->len);
    }
    JR_CHECK_EQ(jr_cksum_fold(jr_cksum_partial(seg, pkt->len, pseudo)), 0);
    ip->out(ip->out_ctx, tx, seg, pkt->len, now);
}

int jr_ip_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                 jr_time now)
{
    int err = ip->fail;
    JR_CHECK_EQ(tx->proto, 6);
    JR_CHECK(tx->df);
    JR_CHECK(rt != NULL);
    JR_CHECK_EQ(pkt->l4_off, pkt->off);
    JR_CHECK_EQ(pkt->flags & ~ip->tx_offloads, 0);
    ip->fail = 0;
    if (err == 0 && pkt->flags & JR_PKT_TX_TSO) {
        ip->tso_pkts++;
        JR_CHECK(pkt->flags & JR_PKT_TX_L4_CSUM);
        JR_CHECK(pkt->len - pkt->l4_len > pkt->tso_segsz);
        JR_CHECK(pkt->tso_segsz + pkt->l4_len + 20u <= ip->mtu);
        cut(ip, tx, pkt, now);
    } else if (err == 0) {
        send_plain(ip, tx, pkt, now);
    }
    jr_pkt_free(pkt);
    return err;
}

struct jr_counters *jr_ip_counters(struct jr_ip *ip) { return &ip->counters; }
uint32_t jr_ip_generation(const struct jr_ip *ip) { return ip->generation; }
bool jr_ip_is_kernels(const struct jr_ip *ip, const struct jr_ip_rx *rx) { return (void)rx, ip->shared; }
bool jr_ip_is_shared(const struct jr_ip *ip) { return ip->shared; }

void jr_ip_set_proto(struct jr_ip *ip, uint8_t proto, const struct jr_ip_proto *ops)
{
    JR_CHECK_EQ(proto, 6);
    ip->tcp = *ops;
}

bool jr_ip_route(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out)
{
    if (ip->no_route)
        return false;
    *out = (struct jr_ip_route){
        .next_hop = dst, .src = ip->addr[jr_addr_is_v4(dst) ? 0 : 1], .mtu = ip->mtu, .tx_offloads = ip->tx_offloads};
    return true;
}

bool jr_ip_is_local(const struct jr_ip *ip, struct jr_addr addr)
{
    return jr_addr_eq(addr, ip->addr[0]) || jr_addr_eq(addr, ip->addr[1]);
}

struct jr_pkt *jr_ip_pkt_new(struct jr_ip *ip, const struct jr_ip_route *rt)
{
    (void)rt;
    return jr_pkt_new(&ip->pool.pool);
}

uint32_t jr_ip_pmtu_update(struct jr_ip *ip, struct jr_addr dst, uint16_t mtu, jr_time now)
{
    (void)dst;
    (void)now;
    if (mtu != 0 && mtu < ip->mtu) {
        ip->mtu = mtu;
        ip->generation++;
    }
    return ip->mtu;
}

int jr_icmp_errno(uint8_t type, uint8_t code, bool *fatal)
{
    *fatal = type == 3 && (code == 2 || code == 3);
    return type != 3 ? EHOSTUNREACH : code == 3 ? ECONNREFUSED : code == 0 ? ENETUNREACH : EHOSTUNREACH;
}

int jr_ip_ctl_errno(const struct jr_ip_ctl *ctl, bool *fatal) { return jr_icmp_errno(ctl->type, ctl->code, fatal); }
