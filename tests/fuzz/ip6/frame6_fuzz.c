/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stack of its own port, which believes routers and detects duplicates, is given the IPv6 packets an input holds.
 * Each is: two bytes of length, a control byte, the packet from its IPv6 header on. The control byte's bit 0 sends it
 * to our link address instead of a group's, bit 1 has the ICMPv6 checksum put right first (a fuzzer can't guess it),
 * bit 2 says that the device has verified checksums, the rest is how much time passes before, in 200 ms.
 */
#include <stdlib.h>

#include "base/counters.h"
#include "fake_dev.h"
#include "ip/ip.h"
#include "link/nd6.h"
#include "link/neigh.h"
#include "udp/udp.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stack {
    struct jr_counters counters;
    struct jr_rng rng;
    struct fake_dev dev;
    struct jr_netif *ifp;
    struct jr_ip *ip;
    struct jr_udp *udp;
    struct jr_udpcb *echo;
    jr_time now;
};

static const struct jr_addr us = {.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};

/* Sends back what came, to have output fuzzed too. */
static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    (void)so;
    (void)jr_udp_send(up, from, data, len / 2, data + len / 2, len - len / 2, rx->tos, 0, now);
}

static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now)
{
    (void)so, (void)up, (void)now;
    if (err <= 0)
        abort();
}

static void stack_init(struct stack *s)
{
    static const struct jr_udp_upcalls upcalls = {.input = on_input, .error = on_error};
    static const uint8_t secret[16] = {1};
    const struct jr_endpoint local = {{.q = {0, 0}}, 53}, unknown = {{.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}}, 7};
    const struct jr_addr none = {.q = {0, 0}};

    *s = (struct stack){.now = 1000 * JR_SEC};
    jr_rng_init(&s->rng, 1);
    fake_dev_init(&s->dev, 1500, 0);
    s->ifp = jr_netif_new(&s->dev.dev, &s->counters, &s->rng);
    s->ip = jr_ip_new(&s->counters, &s->rng, NULL);
    jr_ip_netif_add(s->ip, s->ifp);
    s->ifp->nd6->dad_count = 0;
    jr_ip_addr_add(s->ip, s->ifp, us, 64, none, true, s->now);
    s->ifp->nd6->dad_count = 1;
    jr_ip_start6(s->ip, s->ifp, true, s->now);
    s->udp = jr_udp_new(s->ip, 49152, 65535, secret);
    s->echo = jr_udp_open(s->udp, &upcalls, s);
    jr_udp_bind(s->echo, &local, 0);
    jr_udp_send(s->echo, &unknown, "hello", 5, NULL, 0, 0, 0, s->now);
}

static void stack_fini(struct stack *s)
{
    jr_udp_free(s->udp);
    jr_ip_free(s->ip);
    jr_netif_free(s->ifp);
    if (fake_dev_fini(&s->dev) != 0)
        abort(); /* a packet leaked */
}

/* As far as the headers make sense. */
static void fix_cksum(uint8_t *p, uint32_t len)
{
    struct jr_ipv6_chain c;
    struct jr_ipv6 hdr;

    if (jr_ipv6_parse(p, len, &hdr) != JR_WIRE_OK)
        return;
    len = (uint32_t)JR_IPV6_HLEN + hdr.payload_len;
    if (jr_ipv6_walk(p, len, false, &c) != JR_WIRE_OK || c.proto != JR_IPPROTO_ICMPV6 || c.hlen + 8u > len)
        return;
    jr_store_raw16(p + c.hlen + 2, 0);
    jr_store_raw16(p + c.hlen + 2,
                   jr_cksum_fold(jr_cksum_partial(p + c.hlen, len - c.hlen,
                                                  jr_cksum_pseudo(hdr.src, hdr.dst, c.proto, len - c.hlen))));
}

static void feed(struct stack *s, const uint8_t *data, uint32_t len, uint8_t control)
{
    static const struct jr_ether_addr peer = {{2, 0, 0, 0, 0, 2}}, group = {{0x33, 0x33, 0, 0, 0, 1}};
    static uint8_t frame[JR_ETHER_HLEN + 65535];
    struct jr_pkt *pkt;

    s->now += (control >> 3) * 200 * JR_MS;
    if (jr_ip_next_tick(s->ip) <= s->now)
        jr_ip_tick(s->ip, s->now);
    jr_ether_build(frame, control & 1 ? s->ifp->mac : group, peer, JR_ETHERTYPE_IPV6);
    if (len)
        memcpy(frame + JR_ETHER_HLEN, data, len);
    if (control & 2)
        fix_cksum(frame + JR_ETHER_HLEN, len);
    pkt = fake_dev_frame(&s->dev, frame, JR_ETHER_HLEN + len);
    if (control & 4)
        pkt->flags = JR_PKT_RX_L4_CSUM_OK;
    jr_ip_input(s->ifp, pkt, s->now);
    jr_ip_flush(s->ip, s->now);
    jr_pktq_purge(&s->dev.sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stack s;

    stack_init(&s);
    while (size >= 3) {
        const uint32_t len = jr_load_be16(data), n = jr_min_u32(len, (uint32_t)size - 3);
        feed(&s, data + 3, n, data[2]);
        data += 3 + n;
        size -= 3 + n;
    }
    stack_fini(&s);
    return 0;
}
