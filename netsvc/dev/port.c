/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens a port: looks at the interface, starts the driver, steers the kernel's share away, adds the fault layer. */
#include "dev/port.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "dev/afpacket.h"
#include "dev/ethdev.h"
#include "dev/netdev.h"

/* What the interface says and the driver can do. */
static int look_at_netdev(struct jr_port_config *cfg, struct jr_port *port)
{
    struct jr_netdev nd = {0};
    int rc = jr_netdev_query(cfg->interface, &nd);
    if (rc) {
        jr_log(JR_LOG_ERROR, "port %s: interface %s: %s", cfg->name, cfg->interface, strerror(-rc));
        return rc;
    }
    port->ifindex = nd.ifindex;
    cfg->mac = nd.mac;
    uint32_t max = jr_port_mtu_max(cfg->kind);
    if (!cfg->mtu && nd.mtu > max)
        jr_log(JR_LOG_WARN, "port %s: %s has MTU %u, the driver carries frames up to %u", cfg->name, cfg->interface,
               nd.mtu, max);
    jr_port_fill_defaults(cfg, nd.mtu < max ? nd.mtu : max);
    if (!cfg->queues)
        cfg->queues = cfg->kind == JR_PORT_AF_XDP ? nd.pairs : 1;
    if (cfg->kind == JR_PORT_AF_XDP && cfg->queues < nd.rx_queues)
        jr_log(
            JR_LOG_WARN,
            "port %s: %s has %u receive queues and %u are served: packets of the others are the kernel's (ethtool -L)",
            cfg->name, cfg->interface, nd.rx_queues, cfg->queues);
    if (!cfg->share)
        jr_netdev_up(cfg->interface);
    return 0;
}

/* The socket hears nothing before its filter is there. */
static int steer(struct jr_port *port, const struct jr_port_config *cfg)
{
    enum jr_steer_kind kind = cfg->kind == JR_PORT_AF_XDP ? JR_STEER_XDP : JR_STEER_PACKET;
    port->steer = jr_steer_open(cfg->interface, kind, !cfg->share);
    if (!port->steer) {
        int err = errno;
        jr_log(JR_LOG_ERROR, "port %s: steering programs on %s: %s", cfg->name, cfg->interface, strerror(err));
        return -err;
    }
    if (kind == JR_STEER_XDP)
        return 0;
    int rc = jr_steer_filter_socket(port->steer, jr_afpacket_fd(port->dev));
    if (rc) {
        jr_log(JR_LOG_ERROR, "port %s: socket filter: %s", cfg->name, strerror(-rc));
        return rc;
    }
    return jr_afpacket_start(port->dev);
}

static int open_driver(struct jr_port *port, const struct jr_port_config *cfg, unsigned index,
                       struct jr_counters *counters)
{
    int xdp_fd = -1;
    if (cfg->kind == JR_PORT_AF_PACKET)
        return jr_afpacket_open(cfg, port->ifindex, counters, &port->dev);
    if (cfg->kind == JR_PORT_AF_XDP) {
        xdp_fd = jr_steer_xdp_object();
        if (xdp_fd < 0)
            return xdp_fd;
    }
    int rc = jr_ethdev_open(cfg, index, xdp_fd, counters, &port->dev);
    if (xdp_fd >= 0)
        close(xdp_fd);
    return rc;
}

static int add_fault(struct jr_port *port, const struct jr_port_config *cfg, struct jr_counters *counters)
{
    if (!jr_fault_is_active(&cfg->fault))
        return 0;
    struct jr_dev *dev = jr_fault_new(port->dev, &cfg->fault, counters);
    if (!dev)
        return -ENOMEM;
    jr_log(JR_LOG_WARN, "port %s: faults are switched on", cfg->name);
    port->dev = dev;
    return 0;
}

int jr_port_open(struct jr_port *port, const struct jr_port_config *given, unsigned index, struct jr_counters *counters)
{
    struct jr_port_config cfg = *given;
    *port = (struct jr_port){0};
    bool has_netdev = cfg.kind == JR_PORT_AF_XDP || cfg.kind == JR_PORT_AF_PACKET;
    int rc = 0;
    if (has_netdev) {
        rc = look_at_netdev(&cfg, port);
        if (rc)
            return rc;
        jr_steer_clean(cfg.interface);
    } else {
        jr_port_fill_defaults(&cfg, 0);
    }
    rc = open_driver(port, &cfg, index, counters);
    if (!rc)
        port->dev->name = given->name;
    if (!rc && has_netdev)
        rc = steer(port, &cfg);
    if (!rc)
        rc = add_fault(port, &cfg, counters);
    if (rc) {
        jr_port_close(port);
        return rc;
    }
    port->dev->name = given->name;
    if (cfg.kind == JR_PORT_TAP) {
        struct jr_netdev nd;
        if (jr_netdev_query(cfg.interface, &nd) == 0)
            port->ifindex = nd.ifindex;
    }
    jr_log(JR_LOG_INFO, "port %s: %s%s%s, mac %02x:%02x:%02x:%02x:%02x:%02x, mtu %u", cfg.name,
           jr_port_kind_name(cfg.kind), cfg.interface[0] ? " on " : "", cfg.interface, port->dev->mac.b[0],
           port->dev->mac.b[1], port->dev->mac.b[2], port->dev->mac.b[3], port->dev->mac.b[4], port->dev->mac.b[5],
           port->dev->mtu);
    return 0;
}

void jr_port_close(struct jr_port *port)
{
    if (port->steer)
        jr_steer_close(port->steer);
    if (port->dev)
        port->dev->ops->close(port->dev);
    *port = (struct jr_port){0};
}
