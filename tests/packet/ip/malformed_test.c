/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that are cut, bent or made of noise. Whatever comes in: nothing crashes or leaks (the sanitizers watch), and
 * each frame that is not delivered or answered has moved a counter.
 */
#include "host.h"

static struct host h;
static struct frame f, g;

/* All counters together. */
static uint64_t total(const struct host *host)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < JR_C__COUNT; i++)
        sum += jr_counter_get(&host->counters, (enum jr_counter)i);
    return sum;
}

static void feed(const uint8_t *p, uint32_t len)
{
    const uint64_t before = total(&h);
    host_rx(&h, p, len);
    JR_CHECK(total(&h) > before);
    JR_CHECK(h.dev.pool.pool.in_use <= h.dev.sent.count + h.ifp->neigh->n_wait);
    if (h.dev.sent.count > 100)
        host_discard(&h);
}

/* One frame of every kind that is understood here. */
static bool sample(unsigned kind, struct frame *out)
{
    uint8_t quote[28];
    const struct jr_ipv4 frag = {.src = PEER, .dst = US, .proto = 17, .id = 9, .mf = true};
    const struct jr_arp arp = {JR_ARP_REQUEST, MAC_PEER, MAC_US, PEER, US};

    switch (kind) {
    case 0:
        frame_arp(out, jr_ether_broadcast(), &arp);
        return true;
    case 1:
        frame_udp(out, PEER, 5, US, 53, "payload", 7);
        return true;
    case 2:
        frame_udp(out, PEER, 5, US, 54, "payload", 7);
        return true;
    case 3:
        frame_icmp(out, FAR, US, &(struct jr_icmp){JR_ICMP_ECHO, 0, 1}, "payload", 7);
        return true;
    case 4:
        quote_udp(quote, US, 53, FAR, 99);
        frame_icmp(out, FAR, US, &(struct jr_icmp){JR_ICMP_UNREACH, 4, 1300}, quote, 28);
        return true;
    case 5:
        frame_ipv4(out, &frag, "16 bytes of data", 16);
        return true;
    case 6:
        frame_udp(out, PEER, 5, SUBNET_BCAST, 53, "to all", 6);
        return true;
    default:
        return false;
    }
}

static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    uint32_t *sum = so;
    (void)up, (void)from, (void)rx, (void)now;
    for (uint32_t i = 0; i < len; i++)
        *sum += data[i]; /* reads each byte */
}
static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now) { (void)so, (void)up, (void)err, (void)now; }

static void init(void)
{
    static const struct jr_udp_upcalls upcalls = {on_input, on_error, NULL};
    static uint32_t sum;
    const struct jr_endpoint local = {ANY, 53};
    host_init(&h, NULL);
    JR_CHECK_EQ(jr_udp_bind(jr_udp_open(h.udp, &upcalls, &sum), &local, 0), 0);
}

JR_TEST(every_frame_cut_at_every_byte)
{
    init();
    for (unsigned k = 0; sample(k, &f); k++) {
        for (uint32_t n = 0; n <= f.len; n++)
            feed(f.b, n);
    }
    host_fini(&h);
}

JR_TEST(every_frame_cut_with_lengths_that_agree)
{
    init();
    for (unsigned k = 1; sample(k, &f); k++) {
        for (uint32_t n = 34; n < f.len; n++) {
            g = f;
            jr_store_be16(g.b + 16, (uint16_t)(n - 14));
            frame_fix_cksum(&g);
            feed(g.b, n);
        }
    }
    host_fini(&h);
}

JR_TEST(every_byte_takes_every_value)
{
    init();
    for (unsigned k = 0; sample(k, &f); k++) {
        for (uint32_t i = 0; i < f.len; i++) {
            for (unsigned v = 0; v < 256; v++) {
                g = f;
                g.b[i] = (uint8_t)v;
                feed(g.b, g.len);
                frame_fix_cksum(&g); /* and past the header checksum */
                feed(g.b, g.len);
                h.now += 1000;
            }
        }
        host_wait(&h, 40 * JR_SEC);
    }
    host_fini(&h);
}

JR_TEST(header_fields_name_their_drop)
{
    static const struct {
        uint8_t at, value;
        enum jr_counter want;
    } cases[] = {
        {14, 0x55, JR_C_IP_BAD_VERSION}, {14, 0x65, JR_C_IP_BAD_VERSION}, {14, 0x44, JR_C_IP_BAD_HLEN},
        {14, 0x40, JR_C_IP_BAD_HLEN},    {14, 0x4f, JR_C_IP_SHORT},       {16, 0xff, JR_C_IP_BAD_LEN},
        {17, 19, JR_C_IP_BAD_LEN},       {17, 0, JR_C_IP_BAD_LEN},        {23, 200, JR_C_IP_NO_PROTO},
        {30, 11, JR_C_IP_NOT_FOR_US},    {39, 99, JR_C_UDP_BAD_LEN},      {39, 7, JR_C_UDP_BAD_LEN},
        {40, 1, JR_C_UDP_BAD_CKSUM},
    };
    init();
    for (size_t i = 0; i < JR_ARRAY_LEN(cases); i++) {
        JR_CHECK(sample(1, &f));
        f.b[cases[i].at] = cases[i].value;
        frame_fix_cksum(&f);
        host_mark(&h);
        host_rx(&h, f.b, f.len);
        if (!JR_CHECK_EQ(host_counted(&h, cases[i].want), 1))
            fprintf(stderr, "case %zu\n", i);
    }
    host_fini(&h);
}

JR_TEST(options_of_all_sorts)
{
    struct jr_rng rng;
    init();
    jr_rng_init(&rng, 11);
    for (unsigned round = 0; round < 20000; round++) {
        const uint32_t words = 1 + jr_rng_below(&rng, 10), extra = 4 * words;
        sample(1, &f);
        g = f;
        memmove(g.b + 34 + extra, g.b + 34, f.len - 34);
        for (uint32_t i = 0; i < extra; i++)
            g.b[34 + i] = (uint8_t)(jr_rng_below(&rng, 3) ? jr_rng_below(&rng, 12) : jr_rng_u32(&rng));
        g.len = f.len + extra;
        g.b[14] = (uint8_t)(0x45 + words);
        jr_store_be16(g.b + 16, (uint16_t)(g.len - 14));
        frame_fix_cksum(&g);
        feed(g.b, g.len);
    }
    JR_CHECK(host_counted(&h, JR_C_IP_BAD_OPTS) > 100 && host_counted(&h, JR_C_UDP_RX) > 100);
    host_fini(&h);
}

JR_TEST(noise)
{
    struct jr_rng rng;
    init();
    jr_rng_init(&rng, 12);
    for (unsigned round = 0; round < 50000; round++) {
        sample(jr_rng_below(&rng, 7), &f);
        for (unsigned flips = jr_rng_below(&rng, 6); flips-- > 0;)
            f.b[jr_rng_below(&rng, f.len)] = (uint8_t)jr_rng_u32(&rng);
        if (jr_rng_below(&rng, 2))
            frame_fix_cksum(&f);
        feed(f.b, jr_rng_below(&rng, 4) ? f.len : jr_rng_below(&rng, f.len + 1));
        h.now += jr_rng_below(&rng, 20000);
        if (jr_ip_next_tick(h.ip) <= h.now)
            jr_ip_tick(h.ip, h.now);
    }
    host_fini(&h);
}

JR_TEST_MAIN
