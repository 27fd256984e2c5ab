/* SPDX-License-Identifier: BSD-3-Clause */
/* Echo, errors we send, errors we are sent. */
#include <errno.h>

#include "host.h"

enum { PROTO = 253 };

static struct host h;
static struct frame f;
static uint8_t big[66000];

static struct {
    unsigned calls;
    struct jr_ip_ctl ctl;
    uint8_t quote[64];
} got;

static void on_ctl(void *ctx, const struct jr_ip_ctl *ctl, jr_time now)
{
    (void)ctx, (void)now;
    got.calls++;
    got.ctl = *ctl;
    memcpy(got.quote, ctl->quote, jr_min_u32(ctl->quote_len, sizeof got.quote));
}

static void init(const struct jr_ip_config *cfg)
{
    const struct jr_ip_proto proto = {.ctlinput = on_ctl};
    host_init(&h, cfg);
    jr_ip_set_proto(h.ip, PROTO, &proto);
    memset(&got, 0, sizeof got);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + i / 256);
}

static void ping(struct jr_addr src, struct jr_addr dst, uint32_t len)
{
    frame_icmp(&f, src, dst, &(struct jr_icmp){JR_ICMP_ECHO, 0, 0x00070001}, big, len);
    host_rx(&h, f.b, f.len);
}

/* rfc: 1122 3.2.2.6 */
JR_TEST(answers_echo_with_the_same_data)
{
    struct sent s;
    struct jr_icmp icmp;
    init(NULL);
    for (uint32_t len = 0; len <= 1472; len += 184) {
        ping(FAR, US, len);
        if (host_sent_ipv4(&h, &s)) {
            JR_CHECK(jr_ether_eq(s.eth.dst, MAC_ROUTER));
            JR_CHECK(jr_addr_eq(s.ip.src, US) && jr_addr_eq(s.ip.dst, FAR));
            JR_CHECK_EQ(s.len, len + 8);
            JR_CHECK_EQ(jr_icmp_parse(s.payload, s.len, &icmp), JR_WIRE_OK);
            JR_CHECK(icmp.type == JR_ICMP_ECHO_REPLY && icmp.code == 0 && icmp.rest == 0x00070001);
            JR_CHECK_MEM(s.payload + 8, big, len);
        }
        sent_free(&s);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_ECHO), 9);
    host_fini(&h);
}

JR_TEST(answers_echo_in_fragments_with_fragments)
{
    static uint8_t msg[65515];
    init(NULL);
    memcpy(msg + 8, big, sizeof msg - 8);
    jr_icmp_build(msg, sizeof msg, &(struct jr_icmp){JR_ICMP_ECHO, 0, 5});
    for (uint32_t off = 0; off < sizeof msg; off += 1480) {
        const uint32_t n = jr_min_u32(1480, sizeof msg - off);
        const struct jr_ipv4 ip = {.src = PEER,
                                   .dst = US,
                                   .proto = JR_IPPROTO_ICMP,
                                   .id = 3,
                                   .frag_off = (uint16_t)off,
                                   .mf = off + n < sizeof msg};
        frame_ipv4(&f, &ip, msg + off, n);
        host_rx(&h, f.b, f.len);
    }
    uint32_t at = 0;
    while (h.dev.sent.count) {
        struct sent s;
        if (host_sent_ipv4(&h, &s)) {
            JR_CHECK_EQ(s.ip.frag_off, at);
            memcpy(msg + at, s.payload, s.len);
            at += s.len;
        }
        sent_free(&s);
    }
    struct jr_icmp icmp;
    JR_CHECK_EQ(at, sizeof msg);
    JR_CHECK_EQ(jr_icmp_parse(msg, sizeof msg, &icmp), JR_WIRE_OK);
    JR_CHECK(icmp.type == JR_ICMP_ECHO_REPLY && icmp.rest == 5);
    JR_CHECK_MEM(msg + 8, big, sizeof msg - 8);
    host_fini(&h);
}

/* rfc: 1122 3.2.2.6 */
JR_TEST(does_not_answer_broadcast_echo)
{
    init(NULL);
    ping(PEER, SUBNET_BCAST, 10);
    ping(PEER, IP4(255, 255, 255, 255), 10);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_BROADCAST), 2);
    host_fini(&h);
}

JR_TEST(shared_port_leaves_answers_to_the_kernel)
{
    struct jr_ip_config cfg;
    jr_ip_config_defaults(&cfg);
    cfg.shared = true;
    init(&cfg);
    JR_CHECK(jr_ip_is_shared(h.ip));
    ping(PEER, US, 10);
    frame_udp(&f, PEER, 1, US, 2, "x", 1);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_ERR_SHARED), 1);
    jr_ip_set_shared(h.ip, false);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_discard(&h), 1);
    host_fini(&h);
}

/* Sends a packet of an unknown protocol and says whether an error came back. */
static bool complained(struct jr_addr src, struct jr_addr dst, uint8_t proto, uint16_t frag_off, uint32_t len)
{
    const struct jr_ipv4 ip = {.src = src, .dst = dst, .proto = proto, .frag_off = frag_off};
    frame_ipv4(&f, &ip, big, len);
    host_rx(&h, f.b, f.len);
    return h.dev.sent.count != 0;
}

/* rfc: 1122 3.2.2.1; 1812 4.3.2.3 */
JR_TEST(protocol_unreachable_quotes_the_packet)
{
    struct sent s;
    struct jr_icmp icmp;
    init(NULL);
    static const uint32_t lens[] = {0, 8, 500, 1400};
    for (size_t i = 0; i < JR_ARRAY_LEN(lens); i++) {
        JR_CHECK(complained(PEER, US, 99, 0, lens[i]));
        if (host_sent_ipv4(&h, &s)) {
            const uint32_t quoted = jr_min_u32(lens[i] + 20, 548);
            JR_CHECK(jr_addr_eq(s.ip.src, US) && jr_addr_eq(s.ip.dst, PEER));
            JR_CHECK_EQ(jr_icmp_parse(s.payload, s.len, &icmp), JR_WIRE_OK);
            JR_CHECK(icmp.type == JR_ICMP_UNREACH && icmp.code == JR_ICMP_UNREACH_PROTO && icmp.rest == 0);
            JR_CHECK_EQ(s.len, 8 + quoted);
            JR_CHECK_MEM(s.payload + 8, f.b + 14, quoted);
        }
        sent_free(&s);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_NO_PROTO), 4);
    host_fini(&h);
}

/* rfc: 1122 3.2.2 */
JR_TEST(no_errors_about_what_deserves_none)
{
    struct jr_icmp unreach = {JR_ICMP_UNREACH, JR_ICMP_UNREACH_PORT, 0};
    uint8_t quote[28];
    init(NULL);
    JR_CHECK(complained(PEER, US, 99, 0, 8)); /* the control */
    host_discard(&h);
    JR_CHECK(!complained(PEER, SUBNET_BCAST, 99, 0, 8));
    JR_CHECK(!complained(ANY, IP4(255, 255, 255, 255), 99, 0, 8));
    quote_udp(quote, US, 5, FAR, 6);
    frame_icmp(&f, FAR, US, &unreach, quote, 28);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_discard(&h), 0);
    /* about an ICMP error itself: jr_icmp_unreach() is asked, and refuses */
    const struct jr_ip_rx rx = {.src = FAR, .dst = US, .proto = JR_IPPROTO_ICMP, .ifp = h.ifp};
    struct jr_pkt *pkt = fake_dev_frame(&h.dev, f.b, f.len);
    pkt->l3_off = (uint16_t)(pkt->off + 14);
    jr_pkt_pull(pkt, 34);
    jr_icmp_unreach(h.ip, pkt, &rx, JR_ICMP_UNREACH_PROTO, h.now);
    host_flush(&h);
    JR_CHECK_EQ(host_discard(&h), 0);
    pkt->buf[pkt->l3_off + 20] = JR_ICMP_ECHO_REPLY; /* about other ICMP it does not */
    jr_icmp_unreach(h.ip, pkt, &rx, JR_ICMP_UNREACH_PROTO, h.now);
    host_flush(&h);
    JR_CHECK_EQ(host_discard(&h), 1);
    jr_store_be16(pkt->buf + pkt->l3_off + 6, 1); /* nor about fragments but the first */
    jr_icmp_unreach(h.ip, pkt, &rx, JR_ICMP_UNREACH_PROTO, h.now);
    host_flush(&h);
    JR_CHECK_EQ(host_discard(&h), 0);
    jr_pkt_free(pkt);
    host_fini(&h);
}

/* rfc: 1812 4.3.2.8 */
JR_TEST(errors_are_rate_limited)
{
    init(NULL);
    for (unsigned i = 0; i < 1000; i++)
        complained(PEER, US, 99, 0, 8);
    unsigned n = host_discard(&h);
    JR_CHECK(n >= 200 - 16 && n <= 200 + 16);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_ERR_LIMITED), 1000 - n);
    n = 0;
    for (unsigned i = 0; i < 5000; i++) { /* five seconds of a flood of 1000/s */
        h.now += JR_MS;
        complained(PEER, US, 99, 0, 8);
        n += host_discard(&h);
    }
    JR_CHECK(n >= 4 * (200 - 16) && n <= 5 * (200 + 16));
    host_fini(&h);
}

JR_TEST(each_second_has_a_limit_of_its_own)
{
    unsigned n[4];
    init(NULL);
    for (unsigned s = 0; s < JR_ARRAY_LEN(n); s++) {
        h.now += JR_SEC;
        for (unsigned i = 0; i < 300; i++)
            complained(PEER, US, 99, 0, 8);
        n[s] = host_discard(&h);
        JR_CHECK(n[s] >= 200 - 16 && n[s] <= 200 + 16);
    }
    JR_CHECK(n[0] != n[1] || n[1] != n[2] || n[2] != n[3]);
    host_fini(&h);
}

/* rfc: 1812 4.3.2.8 */
JR_TEST(echo_has_its_own_limit)
{
    struct jr_ip_config cfg;
    jr_ip_config_defaults(&cfg);
    cfg.icmp_echo_per_s = 30;
    cfg.icmplim_jitter = 0;
    cfg.icmp_errors_per_s = 5;
    init(&cfg);
    for (unsigned i = 0; i < 100; i++)
        ping(PEER, US, 1);
    const unsigned n = host_discard(&h);
    JR_CHECK_EQ(n, 30);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_ECHO_LIMITED), 70);
    for (unsigned i = 0; i < 100; i++)
        complained(PEER, US, 99, 0, 8);
    JR_CHECK_EQ(host_discard(&h), 5);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_ERR_LIMITED), 95);
    host_fini(&h);
    cfg.icmp_errors_per_s = 0; /* no limit */
    init(&cfg);
    for (unsigned i = 0; i < 1000; i++)
        complained(PEER, US, 99, 0, 8);
    JR_CHECK_EQ(host_discard(&h), 1000);
    host_fini(&h);
}

static void error_about(uint8_t *quote, uint32_t len, uint8_t type, uint8_t code, uint32_t rest)
{
    got.calls = 0;
    frame_icmp(&f, ROUTER, US, &(struct jr_icmp){type, code, rest}, quote, len);
    host_rx(&h, f.b, f.len);
}

/* rfc: 1122 3.2.2 */
JR_TEST(errors_reach_the_transport_that_sent)
{
    uint8_t quote[28];
    init(NULL);
    quote_udp(quote, US, 0x1234, FAR, 0x5678);
    quote[9] = PROTO;
    error_about(quote, 28, JR_ICMP_UNREACH, JR_ICMP_UNREACH_FRAG, 0xffff0000 | 1400);
    JR_CHECK_EQ(got.calls, 1);
    JR_CHECK(jr_addr_eq(got.ctl.from, ROUTER) && jr_addr_eq(got.ctl.src, US) && jr_addr_eq(got.ctl.dst, FAR));
    JR_CHECK(got.ctl.type == 3 && got.ctl.code == 4 && got.ctl.mtu == 1400 && got.ctl.quote_len == 8);
    JR_CHECK_MEM(got.quote, quote + 20, 8);
    error_about(quote, 28, JR_ICMP_UNREACH, JR_ICMP_UNREACH_HOST, 1400);
    JR_CHECK(got.calls == 1 && got.ctl.mtu == 0);
    error_about(quote, 28, JR_ICMP_TIME_EXCEEDED, 0, 0);
    JR_CHECK_EQ(got.calls, 1);
    error_about(quote, 28, JR_ICMP_PARAM_PROBLEM, 0, 0);
    JR_CHECK_EQ(got.calls, 1);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_ERR_RX), 4);
    host_fini(&h);
}

/* rfc: 5927 4.1 */
JR_TEST(errors_that_are_not_believed)
{
    uint8_t quote[32] = {0};
    init(NULL);
    quote_udp(quote, US, 1, FAR, 2);
    quote[9] = PROTO;
    error_about(quote, 28, JR_ICMP_SOURCE_QUENCH, 0, 0);
    JR_CHECK(got.calls == 0 && host_counted(&h, JR_C_ICMP_IGNORED) == 1);
    error_about(quote, 28, JR_ICMP_REDIRECT, 1, 0);
    JR_CHECK(got.calls == 0 && host_counted(&h, JR_C_ICMP_REDIRECT) == 1);
    for (uint32_t n = 0; n < 28; n++) {
        error_about(quote, n, JR_ICMP_UNREACH, 1, 0);
        JR_CHECK_EQ(got.calls, 0);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_BAD_QUOTE), 20);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP_SHORT), 8);
    quote_udp(quote, FAR, 1, PEER, 2);
    quote[9] = PROTO;
    error_about(quote, 28, JR_ICMP_UNREACH, 1, 0);
    JR_CHECK(got.calls == 0 && host_counted(&h, JR_C_ICMP_NOT_OURS) == 1);
    quote_udp(quote, US, 1, FAR, 2);
    quote[9] = PROTO;
    jr_store_be16(quote + 6, 185);
    error_about(quote, 28, JR_ICMP_UNREACH, 1, 0);
    JR_CHECK(got.calls == 0 && host_counted(&h, JR_C_ICMP_BAD_QUOTE) == 21);
    quote_udp(quote, US, 1, FAR, 2);
    quote[9] = 98; /* a protocol nobody speaks */
    error_about(quote, 28, JR_ICMP_UNREACH, 1, 0);
    JR_CHECK(got.calls == 0 && host_counted(&h, JR_C_ICMP_IGNORED) == 2);
    host_fini(&h);
}

JR_TEST(errnos)
{
    bool fatal;
    JR_CHECK(jr_icmp_errno(3, 3, &fatal) == ECONNREFUSED && fatal);
    JR_CHECK(jr_icmp_errno(3, 1, &fatal) == EHOSTUNREACH && !fatal);
    JR_CHECK(jr_icmp_errno(3, 0, &fatal) == ENETUNREACH && !fatal);
    JR_CHECK(jr_icmp_errno(3, 13, &fatal) == EHOSTUNREACH && fatal);
    JR_CHECK(jr_icmp_errno(3, 16, &fatal) == 0 && !fatal);
    JR_CHECK(jr_icmp_errno(11, 0, &fatal) == EHOSTUNREACH && !fatal);
    JR_CHECK(jr_icmp_errno(12, 0, &fatal) == EPROTO && fatal);
    JR_CHECK(jr_icmp_errno(8, 0, &fatal) == 0 && !fatal);
}

JR_TEST_MAIN
