/* SPDX-License-Identifier: BSD-3-Clause */
/* A port for tests: what the engine sends is kept for the test to look at, what the test queues is received. */
#ifndef JR_TESTS_FAKE_DEV_H
#define JR_TESTS_FAKE_DEV_H

#include "base/heap_pkt.h"
#include "base/pktq.h"
#include "dev/dev.h"

struct fake_dev {
    struct jr_dev dev;
    struct jr_heap_pool pool; /* packets sent come from here, and those of fake_dev_frame() */
    struct jr_pktq sent;      /* oldest first */
    struct jr_pktq rx;
    unsigned takes;  /* the most packets one burst takes */
    unsigned bursts; /* calls of tx_burst */
};

void fake_dev_init(struct fake_dev *fd, uint32_t mtu, uint32_t caps);
/* Drops what is still queued and returns how many packets leaked. */
uint32_t fake_dev_fini(struct fake_dev *fd);
/* A received frame: a copy of len bytes with nothing behind them. */
struct jr_pkt *fake_dev_frame(struct fake_dev *fd, const void *data, uint32_t len);

#endif
