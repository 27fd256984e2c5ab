/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments we receive: RFC 8200 4.5, RFC 5722 (overlaps), RFC 7112 (first fragments). */
#include "host6.h"

static struct host h;
static struct frame f;
static uint8_t dgram[66000];
static uint32_t dgram_len;
static unsigned got;

static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    (void)so, (void)up, (void)from, (void)rx, (void)now;
    got++;
    JR_CHECK_EQ(len, dgram_len - 8);
    JR_CHECK_MEM(data, dgram + 8, len);
}
static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now) { (void)so, (void)up, (void)err, (void)now; }
static const struct jr_udp_upcalls upcalls = {.input = on_input, .error = on_error};

/* A datagram of len bytes with its header, to be sent piece by piece. */
static void init(uint32_t len)
{
    const struct jr_endpoint local = {ANY6, 7};

    host6_init(&h, NULL);
    got = 0;
    JR_CHECK_EQ(jr_udp_bind(jr_udp_open(h.udp, &upcalls, NULL), &local, 0), 0);
    dgram_len = len;
    for (uint32_t i = 8; i < len; i++)
        dgram[i] = (uint8_t)(i * 7 + i / 256);
    jr_udp_build(dgram, 5, 7, len - 8, jr_cksum_partial(dgram + 8, len - 8, 0), PEER6, US6);
}

static void send_piece(uint32_t id, uint32_t off, uint32_t len, bool more, uint8_t tclass)
{
    static uint8_t p[66000];
    const struct jr_ipv6 ip = {.src = PEER6, .dst = US6, .proto = JR_IPPROTO_FRAGMENT, .tclass = tclass};

    jr_ipv6_build_frag(p, JR_IPPROTO_UDP, off, more, id);
    memcpy(p + 8, dgram + off, len);
    frame_ipv6(&f, &ip, p, 8 + len);
    host_rx(&h, f.b, f.len);
}

/* rfc: 8200 4.5 */
JR_TEST(pieces_in_any_order_make_the_datagram)
{
    init(3000);
    send_piece(1, 0, 1000, true, 0);
    send_piece(1, 1000, 1000, true, 0);
    send_piece(1, 2000, 1000, false, 0);
    JR_CHECK_EQ(got, 1);
    send_piece(2, 2000, 1000, false, 0);
    send_piece(2, 1000, 1000, true, 0);
    send_piece(2, 1000, 1000, true, 0); /* exact copies are ignored */
    send_piece(2, 0, 1000, true, 0);
    JR_CHECK_EQ(got, 2);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_REASSEMBLED), 2);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

JR_TEST(the_largest_datagram)
{
    init(65535);
    for (uint32_t off = 0; off < 65535; off += 1440)
        send_piece(9, off, jr_min_u32(1440, 65535 - off), off + 1440 < 65535, 0);
    JR_CHECK_EQ(got, 1);
    host_fini(&h);
}

/* rfc: 5722 4; 8200 4.5 */
JR_TEST(overlaps_kill_the_datagram)
{
    init(3000);
    send_piece(1, 0, 1000, true, 0);
    send_piece(1, 992, 1008, true, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_OVERLAP), 1);
    send_piece(1, 1000, 1000, true, 0); /* what is still to come is swallowed */
    send_piece(1, 2000, 1000, false, 0);
    JR_CHECK_EQ(got, 0);
    JR_CHECK_EQ(host_discard(&h), 0); /* RFC 5722: silently */
    host_fini(&h);
}

static void expect(uint8_t type, uint8_t code, uint32_t rest)
{
    struct jr_icmp6 icmp;
    struct sent6 s;

    if (host_sent_icmp6(&h, &s, &icmp)) {
        JR_CHECK_EQ(icmp.type, type);
        JR_CHECK_EQ(icmp.code, code);
        JR_CHECK_EQ(icmp.rest, rest);
    }
    sent6_free(&s);
}

/* rfc: 8200 4.5 */
JR_TEST(impossible_fragments_are_told)
{
    init(65535);
    send_piece(1, 8, 1001, true, 0); /* not a multiple of 8 */
    expect(JR_ICMP6_PARAM_PROBLEM, JR_ICMP6_PARAM_HEADER, 4);
    send_piece(1, 65000, 535, false, 0);
    JR_CHECK_EQ(host_discard(&h), 0); /* the last byte of the largest */
    send_piece(2, 65528, 8, false, 0);
    expect(JR_ICMP6_PARAM_PROBLEM, JR_ICMP6_PARAM_HEADER, 42);
    host_fini(&h);
}

/* rfc: 7112 5 */
JR_TEST(the_first_fragment_has_the_whole_chain)
{
    static const uint8_t p[16] = {JR_IPPROTO_DSTOPTS, 0, 0, 1, 0, 0, 0, 1, JR_IPPROTO_UDP, 1, 1, 4};
    const struct jr_ipv6 ip = {.src = PEER6, .dst = US6, .proto = JR_IPPROTO_FRAGMENT};
    init(100);
    frame_ipv6(&f, &ip, p, 16);
    host_rx(&h, f.b, f.len);
    expect(JR_ICMP6_PARAM_PROBLEM, JR_ICMP6_PARAM_FIRST_FRAGMENT, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP6_FRAG_FIRST_SHORT), 1);
    host_fini(&h);
}

/* rfc: 8200 4.5; 4443 3.3 */
JR_TEST(time_is_up_after_a_minute)
{
    struct jr_icmp6 icmp;
    struct sent6 s;
    init(3000);
    send_piece(1, 0, 1000, true, 0);
    send_piece(2, 1000, 1000, true, 0);
    host_wait(&h, 59 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TIMEOUT), 0);
    host_wait(&h, 2 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TIMEOUT), 2);
    if (host_sent_icmp6(&h, &s, &icmp)) { /* of the one whose first fragment came */
        JR_CHECK(icmp.type == JR_ICMP6_TIME_EXCEEDED && icmp.code == JR_ICMP6_TIME_REASS);
        JR_CHECK_EQ(s.len, 8 + 48 + 1000);
        JR_CHECK_EQ(s.payload[8 + 6], JR_IPPROTO_FRAGMENT);
        JR_CHECK_MEM(s.payload + 8 + 48, dgram, 1000);
    }
    sent6_free(&s);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

JR_TEST(bounds_hold)
{
    init(66000 - 1);
    for (uint32_t id = 0; id < 2000; id++)
        send_piece(id, 0, 1400, true, 0);
    JR_CHECK(h.ip != NULL && host_counted(&h, JR_C_IP_FRAG_EVICTED) >= 2000 - 256);
    for (uint32_t i = 0; i < 65; i++)
        send_piece(77777, 8 * i, 8, true, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TOO_MANY), 1);
    host_fini(&h);
}

/* rfc: 8200 4.5 */
JR_TEST(extension_headers_of_the_first_fragment_stay)
{
    uint8_t p[1024] = {JR_IPPROTO_FRAGMENT, 0, 1, 4};
    const struct jr_ipv6 ip = {.src = PEER6, .dst = US6, .proto = JR_IPPROTO_DSTOPTS};
    init(800);
    jr_ipv6_build_frag(p + 8, JR_IPPROTO_UDP, 0, true, 3);
    memcpy(p + 16, dgram, 400);
    frame_ipv6(&f, &ip, p, 416);
    host_rx(&h, f.b, f.len);
    jr_ipv6_build_frag(p + 8, JR_IPPROTO_UDP, 400, false, 3);
    memcpy(p + 16, dgram + 400, 400);
    frame_ipv6(&f, &ip, p, 416);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(got, 1);
    host_fini(&h);
}

JR_TEST_MAIN
