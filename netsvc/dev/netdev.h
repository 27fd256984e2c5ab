/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel knows of one of its interfaces, asked once when a port is opened. netdevice(7). */
#ifndef JR_DEV_NETDEV_H
#define JR_DEV_NETDEV_H

#include "base/addr.h"

struct jr_netdev {
    int ifindex;
    uint32_t mtu;
    struct jr_ether_addr mac;
    uint32_t rx_queues; /* 1 when the driver doesn't say */
    uint32_t pairs;     /* of these, receive and transmit queues in one, at least 1: what the AF_XDP driver can serve */
};

/* 0, -ENODEV or another negative errno. */
int jr_netdev_query(const char *name, struct jr_netdev *out);
/* Sets IFF_UP. Negative errno. */
int jr_netdev_up(const char *name);

#endif
