/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sharing an interface with the kernel: BPF programs give the service the flows to ports it owns and leave all else
 * to the kernel's stack. This header knows nothing of BPF or DPDK.
 */
#ifndef JR_DEV_STEER_H
#define JR_DEV_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum jr_steer_kind {
    JR_STEER_XDP,    /* before an AF_XDP socket; the driver has loaded and attached the program */
    JR_STEER_PACKET, /* beside an AF_PACKET socket: a filter on it and a drop at the kernel's ingress hook */
};

struct jr_steer;

/* An fd of the XDP program's object file, for the driver to load (as /proc/self/fd/N). Negative errno. */
int jr_steer_xdp_object(void);

/* exclusive: every frame is the service's. Starts with no address and no port. NULL and errno. */
struct jr_steer *jr_steer_open(const char *ifname, enum jr_steer_kind kind, bool exclusive);
/* JR_STEER_PACKET: the socket keeps only the service's frames from now on. Negative errno. */
int jr_steer_filter_socket(struct jr_steer *st, int fd);
/* Detaches and frees. */
void jr_steer_close(struct jr_steer *st);

/* No system call: the bits lie in memory that the programs read. 0, or -EINVAL for a protocol other than TCP and UDP.
 */
int jr_steer_add_port(struct jr_steer *st, uint8_t proto, bool v6, uint16_t port);
void jr_steer_del_port(struct jr_steer *st, uint8_t proto, bool v6, uint16_t port);
/* Addresses of the host on this interface, and its broadcast addresses. Negative errno. */
int jr_steer_add_addr(struct jr_steer *st, struct jr_addr addr);
void jr_steer_del_addr(struct jr_steer *st, struct jr_addr addr);

/* Takes off what a service that was killed left on the interface, if anything. */
void jr_steer_clean(const char *ifname);

#endif
