/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port as the configuration describes it, and the way from there to a struct jr_dev: the kind's driver behind
 * it, the steering programs beside it when the interface is the kernel's too, the fault layer before it when asked.
 */
#ifndef JR_DEV_PORT_H
#define JR_DEV_PORT_H

#include <stddef.h>

#include "base/counters.h"
#include "dev/dev.h"
#include "dev/fault.h"
#include "dev/steer.h"

enum jr_port_kind {
    JR_PORT_AF_XDP,
    JR_PORT_AF_PACKET,
    JR_PORT_TAP,
    JR_PORT_MEMIF,
    JR_PORT_RING,
    JR_PORT_PCI,
    JR_PORT_KINDS,
};

struct jr_port_config {
    char name[32];
    enum jr_port_kind kind;
    char interface[64];          /* af_xdp, af_packet, tap: a kernel interface; pci: the device's address */
    bool share;                  /* the kernel keeps the interface and its addresses */
    uint32_t rx_queue, tx_queue; /* descriptors (af_packet: ring slots, long frames); 0: the kind's default */
    uint32_t queues;             /* receive queues; 0: as many as the interface has and the driver takes */
    uint32_t mtu;                /* 0: the interface's, else 1500 */
    struct jr_ether_addr mac;    /* all zero: the driver's */
    uint32_t buffers;            /* packet buffers; 0: the kind's default */
    uint32_t frame_bytes;        /* af_packet: longest frame that its ring holds; 0: what the MTU needs */
    uint32_t busy_budget;        /* af_xdp: packets per preferred busy poll; 0: off */
    uint32_t poll_us; /* longest pause between looks while asleep when the driver has no fd to wait on; 0: 5000 */
    char socket[108]; /* memif */
    uint32_t id;      /* memif: the connection's number on its socket */
    bool server;      /* memif */
    struct jr_fault_config fault;
};

struct jr_port {
    struct jr_dev *dev;
    struct jr_steer *steer; /* NULL: nothing to steer */
    int ifindex;            /* the kernel's; 0: the port is no interface of the kernel's */
};

/* Opens and starts the port; EAL runs. index tells ports apart. 0, or a negative errno after logging why. */
int jr_port_open(struct jr_port *port, const struct jr_port_config *cfg, unsigned index, struct jr_counters *counters);
void jr_port_close(struct jr_port *port);

/* kind.c: what a kind needs. "af_xdp" and so on; NULL beyond the last. */
const char *jr_port_kind_name(enum jr_port_kind kind);
/* Whether the kernel knows the port as an interface. */
bool jr_port_is_netdev(enum jr_port_kind kind);
/* The driver's MTU, buffers and descriptors where cfg leaves them open (mtu as known from the interface, 0: not). */
void jr_port_fill_defaults(struct jr_port_config *cfg, uint32_t mtu);
/* Bytes of one packet buffer, headroom included; cfg is complete. */
unsigned jr_port_buffer_bytes(const struct jr_port_config *cfg);
/* EAL's name of the virtual device and its arguments; cfg is complete. xdp_fd: the steering program's object. False:
 * too long. */
bool jr_port_vdev(const struct jr_port_config *cfg, unsigned index, int xdp_fd, char *name, size_t name_len, char *args,
                  size_t args_len);
/* Longest interface MTU that the driver carries; UINT32_MAX: no limit of its own. */
uint32_t jr_port_mtu_max(enum jr_port_kind kind);

#endif
