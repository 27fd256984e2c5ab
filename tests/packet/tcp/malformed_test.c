/* SPDX-License-Identifier: BSD-3-Clause */
/* Malformed segments in every state: cut at every byte, impossible offsets and options, wrong checksums, garbage. */
#include "base/byteorder.h"
#include "rig.h"

enum where { IN_NOTHING, IN_LISTEN, IN_SYN_SENT, IN_HALF_OPEN, IN_ESTABLISHED, IN_TIME_WAIT, WHERE_COUNT };

struct fixture {
    struct rig r;
    struct sock *s, *l;
};

static void setup(struct fixture *f, enum where w)
{
    struct rig *r = &f->r;
    rig_init(r);
    rig_start(r);
    f->s = f->l = NULL;
    if (w == IN_LISTEN || w == IN_HALF_OPEN)
        f->l = rig_listen(r, 100);
    if (w == IN_HALF_OPEN)
        rig_in(r, .flags = TH_SYN, .opts = rig_syn_opts(r, RIG_ALL));
    if (w == IN_SYN_SENT) {
        f->s = rig_socket(r, 4096, 65536);
        const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
        jr_tcp_attach(f->s->tp, f->s, &f->s->snd, &f->s->rcv);
        jr_tcp_connect(f->s->tp, &to, r->now);
    }
    if (w == IN_ESTABLISHED || w == IN_TIME_WAIT)
        f->s = rig_passive(r, RIG_ALL);
    if (w == IN_TIME_WAIT) {
        jr_tcp_shutdown(f->s->tp, r->now);
        rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 2);
    }
    rig_drain(r);
}

static void teardown(struct fixture *f)
{
    if (f->s)
        rig_destroy(&f->r, f->s);
    if (f->l)
        rig_destroy(&f->r, f->l);
    rig_drain(&f->r);
    rig_end(&f->r);
}

/* A segment that the fixture's stack takes for its peer's, with room for 40 bytes of options. */
static uint32_t segment(struct rig *r, uint8_t *p, uint8_t flags, const uint8_t *opts, uint32_t olen, uint32_t len)
{
    struct jr_tcp_view v = {.sport = r->peer_port,
                            .dport = r->local_port,
                            .seq = RIG_PEER_ISS + 1,
                            .ack = r->iss + 1,
                            .win = 1000,
                            .flags = flags,
                            .hlen = (uint8_t)(20 + olen)};
    jr_tcp_build(p, &v);
    if (olen != 0)
        memcpy(p + 20, opts, olen);
    memset(p + 20 + olen, 'x', len);
    return 20 + olen + len;
}

static void feed(struct rig *r, uint8_t *p, uint32_t len, bool csum)
{
    ip_double_input(&r->ip, r->peer, r->local, p, len, csum, r->now);
    jr_tcp_flush(r->tcp, r->now);
    rig_drain(r);
}

JR_TEST(cut_at_every_byte)
{
    static const uint8_t ts[12] = {1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0};
    for (enum where w = 0; w < WHERE_COUNT; w++) {
        struct fixture f;
        setup(&f, w);
        uint8_t p[64];
        uint32_t len = segment(&f.r, p, TH_ACK, ts, 12, 10);
        for (uint32_t n = 0; n < 32; n++)
            feed(&f.r, p, n, true);
        JR_CHECK_EQ(rig_count(&f.r, JR_C_TCP_SHORT), 20);
        JR_CHECK_EQ(rig_count(&f.r, JR_C_TCP_BAD_OFFSET), 12);
        for (uint32_t n = 32; n <= len; n++)
            feed(&f.r, p, n, true);
        JR_CHECK_EQ(rig_count(&f.r, JR_C_TCP_BAD_CKSUM), 0);
        teardown(&f);
    }
}

JR_TEST(every_data_offset)
{
    for (enum where w = 0; w < WHERE_COUNT; w++) {
        struct fixture f;
        setup(&f, w);
        uint8_t p[64];
        uint32_t len = segment(&f.r, p, TH_ACK, NULL, 0, 4);
        for (unsigned off = 0; off < 16; off++) {
            p[12] = (uint8_t)(off << 4);
            feed(&f.r, p, len, true);
        }
        JR_CHECK_EQ(rig_count(&f.r, JR_C_TCP_BAD_OFFSET), 14); /* 20 and 24 bytes are possible */
        teardown(&f);
    }
}

JR_TEST(every_bit_of_damage_is_caught)
{
    struct fixture f;
    setup(&f, IN_ESTABLISHED);
    uint8_t p[64];
    uint32_t len = segment(&f.r, p, TH_ACK, NULL, 0, 10);
    ip_double_checksum(f.r.peer, f.r.local, p, len);
    for (uint32_t bit = 0; bit < len * 8; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        feed(&f.r, p, len, false);
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    JR_CHECK_EQ(rig_count(&f.r, JR_C_TCP_BAD_CKSUM) + rig_count(&f.r, JR_C_TCP_BAD_OFFSET), len * 8);
    JR_CHECK_EQ(jr_sockbuf_used(&f.s->rcv), 0);
    teardown(&f);
}

JR_TEST(a_port_that_checked_is_believed)
{
    struct fixture f;
    setup(&f, IN_NOTHING);
    uint8_t p[64];
    uint32_t len = segment(&f.r, p, TH_SYN, NULL, 0, 0);
    const struct jr_ip_rx rx = {.src = f.r.peer, .dst = f.r.local, .proto = 6};
    struct jr_pkt *pkt = jr_heap_pkt_copy(&f.r.ip.pool, p, len);
    pkt->flags |= JR_PKT_RX_L4_CSUM_OK;
    f.r.ip.tcp.input(f.r.ip.tcp.ctx, pkt, &rx, f.r.now);
    JR_CHECK_EQ(rig_count(&f.r, JR_C_TCP_BAD_CKSUM), 0);
    JR_CHECK_EQ(rig_count(&f.r, JR_C_TCP_NOPORT), 1);
    teardown(&f);
}

JR_TEST(every_option_kind_and_length)
{
    static const uint8_t flags[] = {TH_SYN, TH_SYN | TH_ACK, TH_ACK, TH_ACK | TH_FIN};
    for (enum where w = 0; w < WHERE_COUNT; w++) {
        struct fixture f;
        setup(&f, w);
        for (unsigned kind = 0; kind < 35; kind++)
            for (unsigned olen = 0; olen < 45; olen++) {
                uint8_t p[128], o[40];
                memset(o, 1, sizeof o);
                o[0] = (uint8_t)kind;
                o[1] = (uint8_t)olen;
                uint32_t len = segment(&f.r, p, flags[(kind + olen) % 4], o, 40, 5);
                feed(&f.r, p, len, true);
                o[39] = (uint8_t)kind; /* its length lies outside */
                len = segment(&f.r, p, flags[(kind + olen) % 4], o, 40, 0);
                feed(&f.r, p, len, true);
            }
        teardown(&f);
    }
}

RIG_TEST(bad_options_are_counted_and_good_ones_before_them_count)
{
    struct sock *l = rig_listen(r, 5);
    static const uint8_t o[8] = {2, 4, 1000 >> 8, 1000 & 255, 3, 1, 7, 0}; /* MSS, then a scale of length 1 */
    uint8_t p[64];
    uint32_t len = segment(r, p, TH_SYN, o, sizeof o, 0);
    ip_double_input(&r->ip, r->peer, r->local, p, len, true, r->now);
    JR_CHECK_EQ(rig_count(r, JR_C_TCP_BAD_OPTIONS), 1);
    struct seg *g = rig_expect(r, TH_SYN | TH_ACK, 0, 2, 0);
    JR_CHECK_EQ(g->opts.flags & TOF_SCALE, 0);
    rig_in(r, .flags = TH_ACK, .seq = 2, .ack = 1);
    struct sock *s = rig_accept(r, l, 8192, 65536);
    sock_write(r, s, 3000);
    rig_expect(r, TH_ACK, 1, 2, 1000);
    rig_destroy(r, s);
    rig_destroy(r, l);
}

JR_TEST(all_flags_in_all_states)
{
    for (enum where w = 0; w < WHERE_COUNT; w++)
        for (unsigned flags = 0; flags < 256; flags++) {
            struct fixture f;
            setup(&f, w);
            uint8_t p[64];
            uint32_t len = segment(&f.r, p, (uint8_t)flags, NULL, 0, flags & 1 ? 3 : 0);
            feed(&f.r, p, len, true);
            feed(&f.r, p, len, true);
            rig_advance(&f.r, JR_SEC);
            teardown(&f);
        }
}

JR_TEST(garbage)
{
    struct jr_rng rng;
    jr_rng_init(&rng, 99);
    for (enum where w = 0; w < WHERE_COUNT; w++) {
        struct fixture f;
        setup(&f, w);
        for (unsigned i = 0; i < 5000; i++) {
            uint8_t p[200];
            uint32_t len = jr_rng_below(&rng, sizeof p);
            for (uint32_t k = 0; k < len; k++)
                p[k] = (uint8_t)jr_rng_u32(&rng);
            if (len >= 20 && i % 2) {
                jr_store_be16(p, f.r.peer_port);
                jr_store_be16(p + 2, f.r.local_port);
                p[12] = (uint8_t)((5 + jr_rng_below(&rng, 11)) << 4);
                jr_store_be32(p + 4, RIG_PEER_ISS + jr_rng_below(&rng, 4));
                jr_store_be32(p + 8, f.r.iss + jr_rng_below(&rng, 4));
            }
            feed(&f.r, p, len, true);
        }
        teardown(&f);
    }
}

JR_TEST_MAIN
