/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stack with two ports (one of them in a VLAN), addresses of both families, groups joined, some sockets and a waiting
 * packet is given the frames an input holds. Each frame is: two bytes of length, whose top bit names the port in the
 * VLAN, a control byte, the bytes. The control byte's bit 0 says that the device has verified the checksums, bit 1 has
 * the checksums put right first (a fuzzer can't guess them), the rest is how much time passes before, in 100 ms.
 * What a socket gets it sends back, as the first bytes of it say: cut into datagrams, with a source address, a TTL, a
 * port; or it uses it as arguments of socket options.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "fake_dev.h"
#include "ip/ip.h"
#include "link/neigh.h"
#include "udp/udp.h"
#include "wire/cksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IP4(a, b, c, d) jr_addr_v4(jr_be32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)))

enum { PORTS = 2, VLAN = 5, TAGGED = 0x8000 };

struct stack {
    struct jr_counters counters;
    struct jr_rng rng;
    struct fake_dev dev[PORTS];
    struct jr_netif *ifp[PORTS];
    struct jr_ip *ip;
    struct jr_udp *udp;
    struct jr_udpcb *echo, *echo6, *connected;
    struct jr_udpcb *asks; /* whose option is set once the frame is done with; NULL: none */
    uint8_t option[256];
    uint32_t option_len;
    jr_time now;
};

/* Options of the protocols, of which those about groups have parsers of their own. */
static void set_option(struct stack *s)
{
    const int level = s->option[0] & 1 ? IPPROTO_IPV6 : IPPROTO_IP, name = s->option[1];
    uint32_t n = s->option_len - 2;

    (void)jr_udp_setopt(s->asks, level, name, s->option + 2, n, s->now);
    (void)jr_udp_getopt(s->asks, level, name, s->option + 2, &n);
    s->asks = NULL;
}

/* Sends back what came, to have output fuzzed too. */
static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    struct jr_udp_tx tx = {.src = jr_addr_v4(0), .has_tos = true, .tos = rx->tos};
    struct stack *s = so;

    if (len > 8 && data[0] == 0xfe) {
        s->asks = up;
        s->option_len = jr_min_u32(len - 1, sizeof s->option);
        memcpy(s->option, data + 1, s->option_len);
        return;
    }
    if (len > 8 && data[0] == 0xff) {
        tx.segsz = (uint16_t)(data[1] * 16);
        tx.ttl = data[2];
        tx.ifp = data[3] & 1 ? rx->ifp : NULL;
        if (data[3] & 2)
            tx.src = rx->dst;
    }
    (void)jr_udp_sendmsg(up, from, data, len / 2, data + len / 2, len - len / 2, &tx, now);
}

static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now)
{
    (void)so, (void)up, (void)now;
    if (err <= 0)
        abort();
}

static struct jr_addr ip6(uint16_t net, uint64_t host)
{
    struct jr_addr a = {0};

    jr_store_be32(a.b, 0x20010db8u);
    jr_store_be16(a.b + 6, net);
    jr_store_be32(a.b + 12, (uint32_t)host);
    return a;
}

static void port_init(struct stack *s, unsigned i)
{
    const struct jr_ip_addr6 detected = {.addr = ip6((uint16_t)i, 3),
                                         .plen = 64,
                                         .detect = true,
                                         .preferred_until = JR_TIME_NEVER,
                                         .valid_until = JR_TIME_NEVER};

    fake_dev_init(&s->dev[i], 1500, 0);
    s->ifp[i] = jr_netif_new(&s->dev[i].dev, &s->counters, &s->rng);
    s->ifp[i]->ifindex = i + 1;
    if (i)
        jr_netif_set_vlan(s->ifp[i], VLAN);
    jr_ip_netif_add(s->ip, s->ifp[i]);
    jr_ip_addr_add(s->ip, s->ifp[i], IP4(10, 0, i, 1), 24, IP4(10, 0, i, 255), true, s->now);
    jr_ip_addr_add(s->ip, s->ifp[i], ip6((uint16_t)i, 1), 64, (struct jr_addr){0}, true, s->now);
    jr_ip_addr6_add(s->ip, s->ifp[i], &detected, true, s->now);
    jr_ip_start6(s->ip, s->ifp[i], true, s->now);
}

static struct jr_udpcb *open_at(struct stack *s, struct jr_addr addr, uint16_t port)
{
    static const struct jr_udp_upcalls upcalls = {on_input, on_error, NULL};
    const struct jr_endpoint local = {addr, port};
    struct jr_udpcb *up = jr_udp_open(s->udp, &upcalls, s);

    jr_udp_bind(up, &local, JR_UDP_BIND_V6ONLY);
    return up;
}

static void join(struct stack *s, unsigned port)
{
    const struct jr_udp_mcast_req any = {
        .group = IP4(239, 1, 2, 3), .source = jr_addr_v4(0), .ifaddr = jr_addr_v4(0), .ifindex = port + 1};
    struct jr_udp_mcast_req one = any;

    one.group = IP4(232, 1, 1, 1);
    one.source = IP4(10, 0, 0, 9);
    (void)jr_udp_mcast(s->echo, JR_UDP_MCAST_JOIN, &any, s->now);
    (void)jr_udp_mcast(s->echo, JR_UDP_MCAST_JOIN_SOURCE, &one, s->now);
}

static void stack_init(struct stack *s)
{
    static const uint8_t secret[16] = {1};
    const struct jr_endpoint far = {IP4(192, 0, 2, 1), 99}, unknown = {IP4(10, 0, 0, 7), 7};
    struct jr_ip_route_conf dflt = {.dst = jr_addr_v4(0), .gw = IP4(10, 0, 0, 254), .src = jr_addr_v4(0)};

    *s = (struct stack){.now = 1000 * JR_SEC};
    jr_rng_init(&s->rng, 1);
    s->ip = jr_ip_new(&s->counters, &s->rng, NULL);
    for (unsigned i = 0; i < PORTS; i++)
        port_init(s, i);
    dflt.ifp = s->ifp[0];
    jr_ip_route_add(s->ip, &dflt);
    s->udp = jr_udp_new(s->ip, 49152, 65535, secret);
    s->echo = open_at(s, jr_addr_v4(0), 53);
    s->echo6 = open_at(s, (struct jr_addr){0}, 53);
    s->connected = open_at(s, IP4(10, 0, 0, 1), 500);
    jr_udp_connect(s->connected, &far);
    jr_udp_send(s->echo, &unknown, "hello", 5, NULL, 0, 0, 0, s->now);
    for (unsigned i = 0; i < PORTS; i++)
        join(s, i);
}

static void stack_fini(struct stack *s)
{
    jr_udp_free(s->udp);
    jr_ip_free(s->ip);
    for (unsigned i = 0; i < PORTS; i++) {
        jr_netif_free(s->ifp[i]);
        if (fake_dev_fini(&s->dev[i]) != 0)
            abort(); /* a packet leaked */
    }
}

/* The sum at l4 + at over a transport's bytes; pseudo: the addresses before it count too. */
static void fix_l4(uint8_t *l4, uint32_t len, uint32_t at, const uint8_t *addrs, uint32_t addr_bytes, uint8_t proto)
{
    uint32_t sum = 0;
    uint16_t cksum;

    if (len < at + 2)
        return;
    jr_store_raw16(l4 + at, 0);
    if (addr_bytes) {
        uint8_t pseudo[4] = {0, proto, (uint8_t)(len >> 8), (uint8_t)len};
        sum = jr_cksum_partial(addrs, addr_bytes, jr_cksum_partial(pseudo, sizeof pseudo, 0));
    }
    cksum = jr_cksum_fold(jr_cksum_partial(l4, len, sum));
    jr_store_raw16(l4 + at, cksum ? cksum : 0xffff);
}

static void fix4(uint8_t *ip, uint32_t room)
{
    const uint32_t hlen = (ip[0] & 15) * 4u, total = jr_load_be16(ip + 2);

    if (hlen < 20 || hlen > room)
        return;
    jr_store_raw16(ip + 10, 0);
    jr_store_raw16(ip + 10, jr_cksum_fold(jr_cksum_partial(ip, hlen, 0)));
    if (total < hlen || total > room)
        return;
    if (ip[9] == IPPROTO_ICMP || ip[9] == IPPROTO_IGMP)
        fix_l4(ip + hlen, total - hlen, 2, NULL, 0, ip[9]);
    else if (ip[9] == IPPROTO_UDP)
        fix_l4(ip + hlen, total - hlen, 6, ip + 12, 8, ip[9]);
}

static void fix6(uint8_t *ip, uint32_t room)
{
    uint32_t at = 40, end = 40u + jr_load_be16(ip + 4);
    uint8_t proto = ip[6];

    if (end > room)
        return;
    while (at + 8 <= end && (proto == IPPROTO_HOPOPTS || proto == IPPROTO_DSTOPTS)) {
        proto = ip[at];
        at += (ip[at + 1] + 1u) * 8;
    }
    if (at >= end)
        return;
    if (proto == IPPROTO_ICMPV6)
        fix_l4(ip + at, end - at, 2, ip + 8, 32, proto);
    else if (proto == IPPROTO_UDP)
        fix_l4(ip + at, end - at, 6, ip + 8, 32, proto);
}

/* As far as the headers make sense. */
static void fix_cksums(uint8_t *p, uint32_t len)
{
    const uint32_t eth = len > 14 && p[12] == 0x81 && p[13] == 0 ? 18 : 14;

    if (len >= eth + 40 && p[eth] >> 4 == 6)
        fix6(p + eth, len - eth);
    else if (len >= eth + 20)
        fix4(p + eth, len - eth);
}

static void feed(struct stack *s, unsigned port, const uint8_t *data, uint32_t len, uint8_t control)
{
    struct jr_pkt *pkt = fake_dev_frame(&s->dev[port], data, len);

    s->now += (control >> 2) * 100 * JR_MS;
    if (jr_ip_next_tick(s->ip) <= s->now)
        jr_ip_tick(s->ip, s->now);
    if (control & 1)
        pkt->flags = JR_PKT_RX_IP_CSUM_OK | JR_PKT_RX_L4_CSUM_OK;
    if (control & 2)
        fix_cksums(jr_pkt_data(pkt), len);
    jr_ip_input(s->ifp[port], pkt, s->now);
    if (s->asks)
        set_option(s);
    jr_ip_flush(s->ip, s->now);
    for (unsigned i = 0; i < PORTS; i++)
        jr_pktq_purge(&s->dev[i].sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stack s;

    stack_init(&s);
    while (size >= 3) {
        const uint16_t head = jr_load_be16(data);
        const uint32_t n = jr_min_u32(head & ~TAGGED, (uint32_t)size - 3);
        feed(&s, head & TAGGED ? 1 : 0, data + 3, n, data[2]);
        data += 3 + n;
        size -= 3 + n;
    }
    stack_fini(&s);
    return 0;
}
