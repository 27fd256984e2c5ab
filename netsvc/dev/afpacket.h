/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel interface through an AF_PACKET socket, with the offloads of the kernel's own stack: TCP super-segments and
 * unfinished checksums both ways (docs/adr/0004).
 */
#ifndef JR_DEV_AFPACKET_H
#define JR_DEV_AFPACKET_H

#include "dev/port.h"

/* cfg is complete (jr_port_fill_defaults); EAL runs. The port hears nothing before jr_afpacket_start(). 0 or a negative
 * errno, after logging why. */
int jr_afpacket_open(const struct jr_port_config *cfg, int ifindex, struct jr_counters *counters, struct jr_dev **out);
/* The socket, for a filter. */
int jr_afpacket_fd(const struct jr_dev *dev);
/* Negative errno. */
int jr_afpacket_start(struct jr_dev *dev);
/* Bytes of DPDK's memory that the port takes; cfg is complete. */
size_t jr_afpacket_bytes(const struct jr_port_config *cfg);

#endif
