/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_dev.h"

#include "base/bits.h"

static struct fake_dev *self(struct jr_dev *dev) { return JR_CONTAINER_OF(dev, struct fake_dev, dev); }

static unsigned fake_rx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    unsigned got = 0;

    (void)now;
    while (got < n && (pkts[got] = jr_pktq_pop(&self(dev)->rx)))
        got++;
    return got;
}

static unsigned fake_tx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    const unsigned taken = n < self(dev)->takes ? n : self(dev)->takes;

    (void)now;
    self(dev)->bursts++;
    for (unsigned i = 0; i < taken; i++) {
        dev->tx_pkts++;
        dev->tx_bytes += pkts[i]->len;
        jr_pktq_push(&self(dev)->sent, pkts[i]);
    }
    return taken;
}

static void fake_close(struct jr_dev *dev) { (void)dev; }

void fake_dev_init(struct fake_dev *fd, uint32_t mtu, uint32_t caps)
{
    static const struct jr_dev_ops ops = {.rx_burst = fake_rx, .tx_burst = fake_tx, .close = fake_close};

    *fd = (struct fake_dev){
        .dev = {.ops = &ops, .name = "fake", .mac = {{2, 0, 0, 0, 0, 1}}, .mtu = mtu, .caps = caps},
        .takes = ~0u,
    };
    jr_heap_pool_init(&fd->pool, mtu, 0);
    fd->dev.tx_pool = &fd->pool.pool;
}

uint32_t fake_dev_fini(struct fake_dev *fd)
{
    jr_pktq_purge(&fd->sent);
    jr_pktq_purge(&fd->rx);
    return fd->pool.pool.in_use;
}

struct jr_pkt *fake_dev_frame(struct fake_dev *fd, const void *data, uint32_t len)
{
    return jr_heap_pkt_copy(&fd->pool, data, len);
}
