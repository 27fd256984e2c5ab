/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stack with an address, a route, some sockets and a waiting packet is given the frames an input holds. Each frame
 * is: two bytes of length, a control byte, the bytes. The control byte's bit 0 says that the device has
 * verified the checksums, bit 1 has the checksums of IPv4 and ICMP put right first (a fuzzer can't guess them), the
 * rest is how much time passes before, in 100 ms.
 */
#include <stdlib.h>

#include "base/counters.h"
#include "fake_dev.h"
#include "ip/ip.h"
#include "link/neigh.h"
#include "udp/udp.h"
#include "wire/cksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IP4(a, b, c, d) jr_addr_v4(jr_be32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)))

struct stack {
    struct jr_counters counters;
    struct jr_rng rng;
    struct fake_dev dev;
    struct jr_netif *ifp;
    struct jr_ip *ip;
    struct jr_udp *udp;
    struct jr_udpcb *echo, *connected;
    jr_time now;
};

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
    static const struct jr_udp_upcalls upcalls = {on_input, on_error, NULL};
    static const uint8_t secret[16] = {1};
    const struct jr_endpoint local = {jr_addr_v4(0), 53}, local2 = {IP4(10, 0, 0, 1), 500};
    const struct jr_endpoint far = {IP4(192, 0, 2, 1), 99}, unknown = {IP4(10, 0, 0, 7), 7};
    struct jr_ip_route_conf dflt = {.dst = jr_addr_v4(0), .gw = IP4(10, 0, 0, 254), .src = jr_addr_v4(0)};

    *s = (struct stack){.now = 1000 * JR_SEC};
    jr_rng_init(&s->rng, 1);
    fake_dev_init(&s->dev, 1500, 0);
    s->ifp = jr_netif_new(&s->dev.dev, &s->counters, &s->rng);
    s->ip = jr_ip_new(&s->counters, &s->rng, NULL);
    jr_ip_netif_add(s->ip, s->ifp);
    jr_ip_addr_add(s->ip, s->ifp, IP4(10, 0, 0, 1), 24, IP4(10, 0, 0, 255), true, s->now);
    dflt.ifp = s->ifp;
    jr_ip_route_add(s->ip, &dflt);
    s->udp = jr_udp_new(s->ip, 49152, 65535, secret);
    s->echo = jr_udp_open(s->udp, &upcalls, s);
    jr_udp_bind(s->echo, &local, 0);
    s->connected = jr_udp_open(s->udp, &upcalls, s);
    jr_udp_bind(s->connected, &local2, 0);
    jr_udp_connect(s->connected, &far);
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
static void fix_cksums(uint8_t *p, uint32_t len)
{
    const uint32_t hlen = len > 14 ? (p[14] & 15) * 4u : 0;

    if (hlen < 20 || 14 + hlen > len)
        return;
    jr_store_raw16(p + 24, 0);
    jr_store_raw16(p + 24, jr_cksum_fold(jr_cksum_partial(p + 14, hlen, 0)));
    const uint32_t total = jr_load_be16(p + 16);
    if (p[23] == 1 && total >= hlen + 8 && 14 + total <= len) {
        jr_store_raw16(p + 14 + hlen + 2, 0);
        jr_store_raw16(p + 14 + hlen + 2, jr_cksum_fold(jr_cksum_partial(p + 14 + hlen, total - hlen, 0)));
    }
}

static void feed(struct stack *s, const uint8_t *data, uint32_t len, uint8_t control)
{
    struct jr_pkt *pkt = fake_dev_frame(&s->dev, data, len);

    s->now += (control >> 2) * 100 * JR_MS;
    if (jr_ip_next_tick(s->ip) <= s->now)
        jr_ip_tick(s->ip, s->now);
    if (control & 1)
        pkt->flags = JR_PKT_RX_IP_CSUM_OK | JR_PKT_RX_L4_CSUM_OK;
    if (control & 2)
        fix_cksums(jr_pkt_data(pkt), len);
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
