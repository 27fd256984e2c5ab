/* SPDX-License-Identifier: BSD-3-Clause */
/* A DPDK ethdev as a struct jr_dev: one transmit queue, one or more receive queues polled in turn. */
#ifndef JR_DEV_ETHDEV_H
#define JR_DEV_ETHDEV_H

#include "dev/port.h"
#include "dev/waitfd.h"

/* cfg is complete (jr_port_fill_defaults). 0 or a negative errno, after logging why. */
int jr_ethdev_open(const struct jr_port_config *cfg, unsigned index, int xdp_fd, struct jr_counters *counters,
                   struct jr_dev **out);
/* The driver's own sockets. */
const struct jr_waitfds *jr_ethdev_waitfds(const struct jr_dev *dev);

#endif
