/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of ports: names, defaults and the arguments of DPDK's virtual devices. One row and one function each. */
#include <stdio.h>

#include "dev/port.h"

enum {
    FRAME_OVERHEAD = 22,    /* Ethernet header, two VLAN tags */
    RX_HEADROOM = 128,      /* RTE_PKTMBUF_HEADROOM: drivers receive behind it */
    SLOT_FRAME = 1900,      /* shortest frame that a slot of af_packet's ring is made for */
    SLOT_FRAME_MAX = 16000, /* longer ones come one by one from the socket's queue */
    RING_BYTES = 4 << 20,   /* what a cache can hold: every slot is written in turn */
    RING_MIN = 512,
};

static int af_xdp_args(const struct jr_port_config *cfg, int xdp_fd, char *args, size_t n)
{
    return snprintf(args, n, "iface=%s,start_queue=0,queue_count=%u,busy_budget=%u,xdp_prog=/proc/self/fd/%d",
                    cfg->interface, cfg->queues ? cfg->queues : 1, cfg->busy_budget, xdp_fd);
}

static int tap_args(const struct jr_port_config *cfg, int xdp_fd, char *args, size_t n)
{
    (void)xdp_fd;
    return snprintf(args, n, "iface=%s", cfg->interface);
}

static int memif_args(const struct jr_port_config *cfg, int xdp_fd, char *args, size_t n)
{
    (void)xdp_fd;
    unsigned log2 = 31 - (unsigned)__builtin_clz(cfg->rx_queue);
    return snprintf(args, n, "role=%s,id=%u,socket=%s,socket-abstract=no,rsize=%u,bsize=%u",
                    cfg->server ? "server" : "client", cfg->id, cfg->socket, log2,
                    (cfg->mtu + FRAME_OVERHEAD + 63) & ~63u);
}

static int ring_args(const struct jr_port_config *cfg, int xdp_fd, char *args, size_t n)
{
    (void)cfg;
    (void)xdp_fd;
    (void)n;
    args[0] = 0;
    return 0;
}

struct kind {
    const char *name;
    const char *driver; /* of the virtual device; NULL: a real one, or none of DPDK's */
    bool is_netdev;
    uint32_t mtu_max;
    uint32_t rx_queue, tx_queue, buffers;
    int (*args)(const struct jr_port_config *cfg, int xdp_fd, char *args, size_t n);
};

static const struct kind kinds[JR_PORT_KINDS] = {
    /* the driver puts 2048 buffers per queue into its fill ring; a frame and its headroom must fit a page */
    [JR_PORT_AF_XDP] = {"af_xdp", "net_af_xdp", true, 3498, 2048, 2048, 8191, af_xdp_args},
    [JR_PORT_AF_PACKET] = {"af_packet", NULL, true, 65535, 0, 256, 2048, NULL},
    [JR_PORT_TAP] = {"tap", "net_tap", true, 9000, 256, 256, 4095, tap_args},
    [JR_PORT_MEMIF] = {"memif", "net_memif", false, 65000, 1024, 1024, 8191, memif_args},
    [JR_PORT_RING] = {"ring", "net_ring", false, UINT32_MAX, 1024, 1024, 4095, ring_args},
    [JR_PORT_PCI] = {"pci", NULL, false, 9000, 1024, 1024, 16383, NULL},
};

const char *jr_port_kind_name(enum jr_port_kind kind) { return kind < JR_PORT_KINDS ? kinds[kind].name : NULL; }
bool jr_port_is_netdev(enum jr_port_kind kind) { return kinds[kind].is_netdev; }
uint32_t jr_port_mtu_max(enum jr_port_kind kind) { return kinds[kind].mtu_max; }

void jr_port_fill_defaults(struct jr_port_config *cfg, uint32_t mtu)
{
    const struct kind *k = &kinds[cfg->kind];
    if (!cfg->mtu)
        cfg->mtu = mtu ? mtu : 1500;
    if (!cfg->rx_queue)
        cfg->rx_queue = k->rx_queue;
    if (!cfg->tx_queue)
        cfg->tx_queue = k->tx_queue;
    if (!cfg->buffers)
        cfg->buffers = k->buffers;
    if (!cfg->poll_us)
        cfg->poll_us = 5000;
    if (cfg->kind != JR_PORT_AF_PACKET)
        return;
    uint32_t frame = cfg->mtu + FRAME_OVERHEAD;
    if (!cfg->frame_bytes)
        cfg->frame_bytes = frame < SLOT_FRAME ? SLOT_FRAME : frame > SLOT_FRAME_MAX ? SLOT_FRAME_MAX : frame;
    uint32_t slots = RING_BYTES / cfg->frame_bytes;
    if (!cfg->rx_queue) /* a power of two, as the file would have it */
        cfg->rx_queue = slots < RING_MIN ? RING_MIN : 1u << (31 - __builtin_clz(slots));
}

unsigned jr_port_buffer_bytes(const struct jr_port_config *cfg)
{
    uint32_t tx = JR_PKT_HEADROOM + cfg->mtu + FRAME_OVERHEAD;
    uint32_t rx = RX_HEADROOM + cfg->mtu + FRAME_OVERHEAD;
    uint32_t bytes = tx > rx ? tx : rx;
    if (bytes < 2048 + RX_HEADROOM)
        bytes = 2048 + RX_HEADROOM; /* what drivers take for granted */
    return (bytes + 63) & ~63u;
}

bool jr_port_vdev(const struct jr_port_config *cfg, unsigned index, int xdp_fd, char *name, size_t name_len, char *args,
                  size_t args_len)
{
    const struct kind *k = &kinds[cfg->kind];
    if (!k->driver) {
        args[0] = 0;
        return (size_t)snprintf(name, name_len, "%s", cfg->interface) < name_len;
    }
    return (size_t)snprintf(name, name_len, "%s%u", k->driver, index) < name_len &&
           (size_t)k->args(cfg, xdp_fd, args, args_len) < args_len;
}
