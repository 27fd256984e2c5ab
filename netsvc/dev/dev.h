/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port as the engine sees it: bursts of packets in and out. Behind it stands a DPDK ethdev, the fault
 * layer around another device, or a test's fake. This header knows nothing of DPDK.
 */
#ifndef JR_DEV_H
#define JR_DEV_H

#include "base/addr.h"
#include "base/pkt.h"
#include "base/time.h"

enum { /* jr_dev.caps */
       JR_DEV_TX_IP_CSUM = 1u << 0,
       JR_DEV_TX_L4_CSUM = 1u << 1,
       JR_DEV_TX_TSO = 1u << 2,
       JR_DEV_RX_CSUM = 1u << 3,
};

struct jr_dev;

struct jr_dev_ops {
    /* Up to n received packets; the caller owns them afterwards. Returns how many. */
    unsigned (*rx_burst)(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now);
    /* Sends in order; the device owns the packets it took. Returns how many it took. */
    unsigned (*tx_burst)(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now);
    /* Asked right before every sleep: when the device wants to be polled although no fd is readable (delayed packets).
     * May be NULL. */
    jr_time (*next_event)(struct jr_dev *dev);
    /* fds whose readability means rx work, for sleeping; returns how many (at most n). May be NULL. */
    unsigned (*wait_fds)(struct jr_dev *dev, int *fds, unsigned n);
    void (*close)(struct jr_dev *dev);
};

struct jr_dev {
    const struct jr_dev_ops *ops;
    const char *name;            /* the port's name in the configuration */
    struct jr_pkt_pool *tx_pool; /* where the engine gets packets that leave by this port */
    struct jr_ether_addr mac;
    uint32_t mtu;     /* bytes of L3 payload */
    uint32_t mtu_max; /* what mtu may become while the port runs; 0: no more than it was */
    uint32_t caps;    /* JR_DEV_* */
    uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes, tx_dropped;
};

#endif
