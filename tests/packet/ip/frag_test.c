/* SPDX-License-Identifier: BSD-3-Clause */
/* Reassembly: any order, overlaps (RFC 5722), lost pieces, and what an attacker may try. */
#include "host.h"

enum { PROTO = 253 };

static struct host h;
static struct frame f;

static struct {
    unsigned calls;
    uint32_t len;
    uint8_t tos;
    uint8_t data[66000];
} got;

static uint8_t want[66000];

static void on_input(void *ctx, struct jr_pkt *pkt, const struct jr_ip_rx *rx, jr_time now)
{
    (void)ctx, (void)now;
    got.calls++;
    got.len = pkt->len;
    got.tos = rx->tos;
    memcpy(got.data, jr_pkt_data(pkt), pkt->len);
    const uint8_t *l3 = pkt->buf + pkt->l3_off;
    JR_CHECK(jr_ipv4_cksum_ok(l3, 20) || jr_load_be16(l3 + 6) == 0);
    jr_pkt_free(pkt);
}

static void init(const struct jr_ip_config *cfg)
{
    const struct jr_ip_proto proto = {.input = on_input};
    host_init(&h, cfg);
    jr_ip_set_proto(h.ip, PROTO, &proto);
    memset(&got, 0, sizeof got);
    for (size_t i = 0; i < sizeof want; i++)
        want[i] = (uint8_t)(i * 13 + i / 251);
}

static void piece_from(struct jr_addr src, uint16_t id, uint32_t off, uint32_t len, bool mf, uint8_t tos)
{
    const struct jr_ipv4 ip = {
        .src = src, .dst = US, .proto = PROTO, .id = id, .frag_off = (uint16_t)off, .mf = mf, .tos = tos};
    frame_ipv4(&f, &ip, want + off, len);
    host_rx(&h, f.b, f.len);
}

static void piece(uint32_t off, uint32_t len, bool mf) { piece_from(PEER, 1, off, len, mf, 0); }

static void check_got(uint32_t len)
{
    JR_CHECK_EQ(got.calls, 1);
    JR_CHECK_EQ(got.len, len);
    JR_CHECK_MEM(got.data, want, len);
    got.calls = 0;
}

/* rfc: 791 3.2; 815 3 */
JR_TEST(every_order_of_four_pieces)
{
    static const struct {
        uint32_t off, len;
    } p[4] = {{0, 8}, {8, 1000}, {1008, 24}, {1032, 3}};
    init(NULL);
    for (unsigned n = 0; n < 256; n++) {
        const unsigned o[4] = {n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3};
        if ((1u << o[0] | 1u << o[1] | 1u << o[2] | 1u << o[3]) != 15)
            continue;
        for (unsigned i = 0; i < 4; i++) {
            JR_CHECK_EQ(got.calls, 0);
            piece(p[o[i]].off, p[o[i]].len, o[i] != 3);
        }
        check_got(1035);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_REASSEMBLED), 24);
    JR_CHECK(jr_ip_next_tick(h.ip) == JR_TIME_NEVER);
    host_fini(&h);
}

/* rfc: 791 3.2 */
JR_TEST(the_longest_datagram)
{
    init(NULL);
    const uint32_t len = 65515;
    for (uint32_t off = 0; off < len; off += 1480)
        piece(off, jr_min_u32(1480, len - off), off + 1480 < len);
    check_got(len);
    host_fini(&h);
}

/* rfc: 815 3; 1122 3.3.2 */
JR_TEST(pieces_of_other_datagrams_don_t_mix)
{
    init(NULL);
    piece_from(PEER, 1, 0, 8, true, 0);
    piece_from(PEER, 2, 8, 8, false, 0);
    piece_from(FAR, 1, 8, 8, false, 0);
    JR_CHECK_EQ(got.calls, 0);
    piece_from(PEER, 1, 8, 8, false, 0);
    check_got(16);
    host_fini(&h);
}

JR_TEST(duplicates_are_ignored)
{
    init(NULL);
    piece(0, 16, true);
    piece(0, 16, true);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_DUPLICATE), 1);
    piece(16, 5, false);
    check_got(21);
    host_fini(&h);
}

/* rfc: 5722 4 */
JR_TEST(any_overlap_drops_all_and_what_follows)
{
    static const struct {
        uint32_t off[2], len[2];
        bool mf[2];
    } cases[] = {
        {{0, 8}, {16, 16}, {true, true}},  /* tail over head */
        {{8, 0}, {16, 16}, {true, true}},  /* head over tail */
        {{0, 0}, {24, 16}, {true, true}},  /* same start, shorter */
        {{0, 0}, {16, 24}, {true, true}},  /* same start, longer */
        {{0, 8}, {24, 8}, {true, true}},   /* inside */
        {{8, 0}, {8, 24}, {true, true}},   /* around */
        {{16, 8}, {8, 8}, {false, false}}, /* two ends */
        {{16, 24}, {8, 8}, {false, true}}, /* behind the end */
        {{24, 8}, {8, 8}, {true, false}},  /* an end before what is there */
        {{0, 8}, {16, 4}, {true, false}},  /* the last one inside */
    };
    init(NULL);
    for (size_t i = 0; i < JR_ARRAY_LEN(cases); i++) {
        host_mark(&h);
        for (int k = 0; k < 2; k++)
            piece_from(PEER, (uint16_t)(100 + i), cases[i].off[k], cases[i].len[k], cases[i].mf[k], 0);
        if (!JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_OVERLAP), 1))
            fprintf(stderr, "case %zu\n", i);
        piece_from(PEER, (uint16_t)(100 + i), 0, 8, true, 0);
        piece_from(PEER, (uint16_t)(100 + i), 8, 8, false, 0);
        JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_LATE), 2);
    }
    JR_CHECK_EQ(got.calls, 0);
    host_wait(&h, 31 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TIMEOUT), 0); /* they were dropped, not lost */
    piece_from(PEER, 100, 0, 8, true, 0);
    piece_from(PEER, 100, 8, 8, false, 0);
    check_got(16);
    host_fini(&h);
}

/* rfc: 791 3.2 */
JR_TEST(impossible_fragments)
{
    init(NULL);
    piece(0, 9, true);      /* not in eights, though not the last */
    piece(65528, 8, false); /* beyond 65535 */
    piece(65512, 8, true);
    piece(8, 0, false); /* empty */
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_BAD), 4);
    JR_CHECK_EQ(got.calls, 0);
    host_fini(&h);
}

/* rfc: 1122 3.3.2; 792 6 */
JR_TEST(missing_pieces_time_out_and_the_sender_is_told)
{
    struct sent s;
    init(NULL);
    piece_from(PEER, 7, 0, 1480, true, 0);
    piece_from(PEER, 8, 1480, 100, false, 0);
    host_wait(&h, 29 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TIMEOUT), 0);
    host_wait(&h, 2 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TIMEOUT), 2);
    if (host_sent_ipv4(&h, &s)) {
        struct jr_icmp icmp;
        JR_CHECK_EQ(jr_icmp_parse(s.payload, s.len, &icmp), JR_WIRE_OK);
        JR_CHECK(icmp.type == JR_ICMP_TIME_EXCEEDED && icmp.code == JR_ICMP_TIME_REASS);
        JR_CHECK_EQ(s.len, 8 + 28);
        JR_CHECK_EQ(jr_load_be16(s.payload + 8 + 4), 7);
    }
    sent_free(&s);
    JR_CHECK_EQ(host_discard(&h), 0); /* without the first piece nobody is told */
    JR_CHECK(jr_ip_next_tick(h.ip) == JR_TIME_NEVER);
    host_fini(&h);
}

JR_TEST(too_many_pieces)
{
    init(NULL);
    for (uint32_t i = 0; i < 200; i++)
        piece(i * 8, 8, true);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TOO_MANY), 1);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_LATE), 200 - 129);
    host_fini(&h);
}

JR_TEST(one_source_can_t_crowd_out_another)
{
    init(NULL);
    piece_from(FAR, 1, 0, 8, true, 0);
    for (uint32_t id = 0; id < 10000; id++)
        piece_from(PEER, (uint16_t)id, 0, 8, true, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_EVICTED), 10000 - 64);
    piece_from(FAR, 1, 8, 8, false, 0);
    check_got(16);
    host_fini(&h);
}

JR_TEST(number_of_datagrams_is_bounded)
{
    init(NULL);
    for (uint32_t i = 0; i < 1000; i++)
        piece_from(IP4(192, 0, 2 + i / 200, 1 + i % 200), 1, 0, 8, true, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_EVICTED), 1000 - 256);
    host_fini(&h);
}

JR_TEST(bytes_are_bounded)
{
    struct jr_ip_config cfg;
    jr_ip_config_defaults(&cfg);
    cfg.frag_bytes_max = 64 << 10;
    init(&cfg);
    for (uint32_t i = 0; i < 200; i++)
        piece_from(IP4(192, 0, 2, 1 + i), 1, 8, 1472, true, 0);
    const uint64_t evicted = host_counted(&h, JR_C_IP_FRAG_EVICTED);
    JR_CHECK(evicted > 150 && evicted < 165);
    /* a datagram that alone is over the budget goes too */
    for (uint32_t off = 0; off < 65000; off += 1480)
        piece_from(FAR, 5, off, 1480, true, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_NO_MEM), 1);
    host_fini(&h);
}

/* rfc: 3168 5.3 */
JR_TEST(congestion_marks_survive)
{
    init(NULL);
    piece_from(PEER, 1, 0, 8, true, 2);
    piece_from(PEER, 1, 8, 8, false, 3);
    JR_CHECK_EQ(got.tos & 3, 3);
    check_got(16);
    piece_from(PEER, 2, 0, 8, true, 0); /* not ECN-capable and congested: a lie (RFC 3168 5.3) */
    piece_from(PEER, 2, 8, 8, false, 3);
    JR_CHECK_EQ(got.calls, 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_BAD), 1);
    host_fini(&h);
}

JR_TEST(half_a_datagram_at_the_end_leaks_nothing)
{
    init(NULL);
    piece(0, 1480, true);
    piece(2960, 1480, true);
    host_fini(&h);
}

/* Our own fragments, sent to ourselves in random order, give what was sent. */
JR_TEST(round_trip)
{
    struct jr_rng rng;
    init(NULL);
    jr_rng_init(&rng, 9);
    for (unsigned round = 0; round < 200; round++) {
        const uint32_t len = 1 + jr_rng_below(&rng, 65515), step = 8 * (64 + jr_rng_below(&rng, 121));
        uint32_t offs[140], n = 0;
        for (uint32_t off = 0; off < len && n < 128; off += step)
            offs[n++] = off;
        if (n * step < len)
            continue;
        for (uint32_t i = n; i > 1; i--) {
            const uint32_t k = jr_rng_below(&rng, i), t = offs[k];
            offs[k] = offs[i - 1];
            offs[i - 1] = t;
        }
        for (uint32_t i = 0; i < n; i++)
            piece_from(PEER, (uint16_t)round, offs[i], jr_min_u32(step, len - offs[i]), offs[i] + step < len, 0);
        if (len <= step && !got.calls)
            continue;
        check_got(len);
    }
    host_fini(&h);
}

/* rfc: 1858 3 */
JR_TEST(nobody_cuts_a_tcp_header)
{
    static const uint8_t data[64];
    const struct jr_ipv4 first = {.src = PEER, .dst = US, .proto = JR_IPPROTO_TCP, .id = 7, .mf = true};
    struct jr_ipv4 second = first;

    init(NULL);
    host_mark(&h);
    frame_ipv4(&f, &first, data, 8);
    host_rx(&h, f.b, f.len);
    second.frag_off = 8;
    frame_ipv4(&f, &second, data, 24);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_FRAG_TINY), 2);
    JR_CHECK_EQ(jr_ip_next_tick(h.ip), JR_TIME_NEVER); /* nothing is kept */
    host_fini(&h);
}

JR_TEST_MAIN
