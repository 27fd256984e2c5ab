/* SPDX-License-Identifier: BSD-3-Clause */
/* The fault layer around a device that lives in an array, with a clock that the test turns. */
#include "dev/fault.h"

#include "base/heap_pkt.h"
#include "base/test.h"

struct fake {
    struct jr_dev dev;
    struct jr_pkt *in[64], *sent[4096]; /* in: what rx_burst will hand out */
    unsigned n_in, n_sent, room;        /* room: how many more packets tx_burst takes */
    bool closed;
};

static struct jr_heap_pool pool;
static struct jr_counters counters;

static unsigned fake_rx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct fake *k = (struct fake *)dev;
    (void)now;
    unsigned got = k->n_in < n ? k->n_in : n;
    memcpy(pkts, k->in, got * sizeof *pkts);
    k->n_in = 0;
    return got;
}

static unsigned fake_tx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct fake *k = (struct fake *)dev;
    (void)now;
    n = n < k->room ? n : k->room;
    memcpy(k->sent + k->n_sent, pkts, n * sizeof *pkts);
    k->n_sent += n;
    k->room -= n;
    return n;
}

static void fake_close(struct jr_dev *dev) { ((struct fake *)dev)->closed = true; }

static const struct jr_dev_ops fake_ops = {.rx_burst = fake_rx, .tx_burst = fake_tx, .close = fake_close};

static struct jr_dev *setup(struct fake *k, const struct jr_fault_config *cfg)
{
    memset(&counters, 0, sizeof counters);
    jr_heap_pool_init(&pool, 2048, 0);
    *k = (struct fake){.dev = {.ops = &fake_ops, .tx_pool = &pool.pool, .caps = ~0u}, .room = 4096};
    return jr_fault_new(&k->dev, cfg, &counters);
}

/* A packet of 125 bytes (1000 bits) that carries its number. */
static struct jr_pkt *numbered(uint32_t n)
{
    struct jr_pkt *pkt = jr_pkt_new(&pool.pool);
    memset(jr_pkt_put(pkt, 125), 0, 125);
    memcpy(jr_pkt_data(pkt), &n, sizeof n);
    return pkt;
}

static uint32_t number_of(const struct jr_pkt *pkt)
{
    uint32_t n;
    memcpy(&n, jr_pkt_data(pkt), sizeof n);
    return n;
}

static void send(struct jr_dev *dev, unsigned first, unsigned n, jr_time now)
{
    for (unsigned i = 0; i < n; i++) {
        struct jr_pkt *pkt = numbered(first + i);
        JR_CHECK_EQ(dev->ops->tx_burst(dev, &pkt, 1, now), 1);
    }
}

static void poll(struct jr_dev *dev, jr_time now)
{
    struct jr_pkt *got[32];
    JR_CHECK_EQ(dev->ops->rx_burst(dev, got, 32, now), 0);
}

static void teardown(struct jr_dev *dev, struct fake *k)
{
    for (unsigned i = 0; i < k->n_sent; i++)
        jr_pkt_free(k->sent[i]);
    dev->ops->close(dev);
    JR_CHECK(k->closed);
    JR_CHECK_EQ(pool.pool.in_use, 0);
}

JR_TEST(nothing_configured_changes_nothing)
{
    struct fake k;
    struct jr_fault_config cfg = {.seed = 1};
    JR_CHECK(!jr_fault_is_active(&cfg));
    struct jr_dev *dev = setup(&k, &cfg);
    JR_CHECK_EQ(dev->caps, ~0u);
    send(dev, 0, 100, 5);
    JR_REQUIRE(JR_CHECK_EQ(k.n_sent, 100));
    for (unsigned i = 0; i < 100; i++)
        JR_CHECK_EQ(number_of(k.sent[i]), i);
    JR_CHECK_EQ(dev->ops->next_event(dev), JR_TIME_NEVER);
    JR_CHECK_EQ(dev->tx_pkts, 100);
    JR_CHECK_EQ(dev->tx_bytes, 12500);
    teardown(dev, &k);
}

JR_TEST(drops_as_often_as_asked)
{
    struct fake k;
    struct jr_fault_config cfg = {.seed = 7, .tx.drop = 0.25};
    JR_CHECK(jr_fault_is_active(&cfg));
    struct jr_dev *dev = setup(&k, &cfg);
    JR_CHECK_EQ(dev->caps & JR_DEV_TX_L4_CSUM, 0);
    send(dev, 0, 4000, 0);
    JR_CHECK(k.n_sent > 2900 && k.n_sent < 3100);
    JR_CHECK_EQ(jr_counter_get(&counters, JR_C_FAULT_DROPPED), 4000 - k.n_sent);
    teardown(dev, &k);
}

JR_TEST(same_seed_same_losses)
{
    struct jr_fault_config cfg = {.tx = {.drop = 0.5}};
    uint32_t lost[3] = {0};
    for (unsigned run = 0; run < 3; run++) {
        struct fake k;
        cfg.seed = run < 2 ? 42 : 43;
        struct jr_dev *dev = setup(&k, &cfg);
        send(dev, 0, 64, 0);
        for (unsigned i = 0; i < k.n_sent; i++)
            lost[run] = lost[run] * 31 + number_of(k.sent[i]);
        teardown(dev, &k);
    }
    JR_CHECK_EQ(lost[0], lost[1]);
    JR_CHECK(lost[0] != lost[2]);
}

JR_TEST(duplicates)
{
    struct fake k;
    struct jr_fault_config cfg = {.tx.duplicate = 1.0};
    struct jr_dev *dev = setup(&k, &cfg);
    send(dev, 0, 3, 0);
    JR_REQUIRE(JR_CHECK_EQ(k.n_sent, 6));
    for (unsigned i = 0; i < 6; i++)
        JR_CHECK_EQ(number_of(k.sent[i]), i / 2);
    JR_CHECK(k.sent[0] != k.sent[1]);
    pool.fail_in = 2; /* the copy finds no memory */
    send(dev, 3, 1, 0);
    JR_CHECK_EQ(k.n_sent, 7);
    teardown(dev, &k);
}

JR_TEST(corrupts_exactly_one_bit)
{
    struct fake k;
    struct jr_fault_config cfg = {.rx.corrupt = 1.0};
    struct jr_dev *dev = setup(&k, &cfg);
    k.in[k.n_in++] = numbered(0);
    k.in[0]->flags = JR_PKT_RX_IP_CSUM_OK | JR_PKT_RX_L4_CSUM_OK;
    struct jr_pkt *got[4];
    JR_REQUIRE(JR_CHECK_EQ(dev->ops->rx_burst(dev, got, 4, 0), 1));
    unsigned bits = 0;
    for (unsigned i = 0; i < got[0]->len; i++)
        bits += (unsigned)__builtin_popcount(jr_pkt_data(got[0])[i]);
    JR_CHECK_EQ(bits, 1);
    JR_CHECK_EQ(got[0]->flags, 0);
    jr_pkt_free(got[0]);
    teardown(dev, &k);
}

JR_TEST(delay_holds_packets_until_they_are_due)
{
    struct fake k;
    struct jr_fault_config cfg = {.tx.delay_us = 500};
    struct jr_dev *dev = setup(&k, &cfg);
    send(dev, 0, 1, 1000);
    send(dev, 1, 1, 1100);
    JR_CHECK_EQ(dev->ops->next_event(dev), 1500);
    poll(dev, 1499);
    JR_CHECK_EQ(k.n_sent, 0);
    poll(dev, 1500);
    JR_CHECK_EQ(k.n_sent, 1);
    JR_CHECK_EQ(dev->ops->next_event(dev), 1600);
    teardown(dev, &k); /* the second is still on its way and must not leak */
}

JR_TEST(jitter_stays_within_its_bounds)
{
    struct fake k;
    struct jr_fault_config cfg = {.seed = 3, .tx = {.delay_us = 100, .jitter_us = 50}};
    struct jr_dev *dev = setup(&k, &cfg);
    send(dev, 0, 200, 0);
    poll(dev, 49);
    JR_CHECK_EQ(k.n_sent, 0);
    poll(dev, 100);
    JR_CHECK(k.n_sent > 50 && k.n_sent < 150);
    poll(dev, 150);
    JR_CHECK_EQ(k.n_sent, 200);
    teardown(dev, &k);
}

JR_TEST(reordered_packet_comes_later)
{
    struct fake k;
    struct jr_fault_config cfg = {.seed = 5, .tx = {.reorder = 0.2, .reorder_us = 30}};
    struct jr_dev *dev = setup(&k, &cfg);
    for (unsigned i = 0; i < 100; i++)
        send(dev, i, 1, i * 10);
    poll(dev, 10000);
    JR_REQUIRE(JR_CHECK_EQ(k.n_sent, 100));
    unsigned late = 0;
    for (unsigned i = 1; i < 100; i++)
        late += number_of(k.sent[i]) < number_of(k.sent[i - 1]);
    JR_CHECK(late >= 5 && late <= 30);
    JR_CHECK(jr_counter_get(&counters, JR_C_FAULT_REORDERED) >= late);
    teardown(dev, &k);
}

JR_TEST(rate_spaces_packets)
{
    struct fake k;
    struct jr_fault_config cfg = {.tx.rate_bps = 1000000}; /* 1000 bits: a millisecond each */
    struct jr_dev *dev = setup(&k, &cfg);
    send(dev, 0, 10, 0);
    for (unsigned ms = 1; ms <= 10; ms++) {
        poll(dev, ms * 1000 - 1);
        JR_CHECK_EQ(k.n_sent, ms - 1);
        poll(dev, ms * 1000);
        JR_CHECK_EQ(k.n_sent, ms);
    }
    send(dev, 10, 1, 50000); /* an idle line saved nothing up */
    JR_CHECK_EQ(dev->ops->next_event(dev), 51000);
    teardown(dev, &k);
}

JR_TEST(full_line_drops)
{
    struct fake k;
    struct jr_fault_config cfg = {.tx = {.delay_us = 1000, .limit_pkts = 5}};
    struct jr_dev *dev = setup(&k, &cfg);
    send(dev, 0, 8, 0);
    JR_CHECK_EQ(jr_counter_get(&counters, JR_C_FAULT_QUEUE_FULL), 3);
    poll(dev, 1000);
    JR_CHECK_EQ(k.n_sent, 5);
    teardown(dev, &k);
}

JR_TEST(full_device_gets_the_rest_later_in_order)
{
    struct fake k;
    struct jr_fault_config cfg = {.tx.delay_us = 10};
    struct jr_dev *dev = setup(&k, &cfg);
    send(dev, 0, 40, 0);
    k.room = 7;
    poll(dev, 10);
    JR_CHECK_EQ(k.n_sent, 7);
    JR_CHECK_EQ(dev->ops->next_event(dev), 0);
    k.room = 100;
    poll(dev, 11);
    JR_REQUIRE(JR_CHECK_EQ(k.n_sent, 40));
    for (unsigned i = 0; i < 40; i++)
        JR_CHECK_EQ(number_of(k.sent[i]), i);
    teardown(dev, &k);
}

JR_TEST(receive_side_is_delayed_too)
{
    struct fake k;
    struct jr_fault_config cfg = {.rx.delay_us = 100};
    struct jr_dev *dev = setup(&k, &cfg);
    JR_CHECK(dev->caps & JR_DEV_TX_TSO);
    for (unsigned i = 0; i < 10; i++)
        k.in[k.n_in++] = numbered(i);
    poll(dev, 0);
    struct jr_pkt *got[32];
    JR_CHECK_EQ(dev->ops->rx_burst(dev, got, 4, 100), 4);
    JR_CHECK_EQ(dev->ops->next_event(dev), 100);
    JR_CHECK_EQ(dev->ops->rx_burst(dev, got + 4, 28, 100), 6);
    for (unsigned i = 0; i < 10; i++) {
        JR_CHECK_EQ(number_of(got[i]), i);
        jr_pkt_free(got[i]);
    }
    JR_CHECK_EQ(dev->rx_pkts, 10);
    teardown(dev, &k);
}

JR_TEST_MAIN
