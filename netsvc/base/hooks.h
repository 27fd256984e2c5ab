/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the socket layer tells the ports: which local transport ports the service owns. A port that is shared
 * with the kernel steers only those to the service; everything else stays the kernel's.
 */
#ifndef JR_BASE_HOOKS_H
#define JR_BASE_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct jr_port_hooks {
    void *ctx;
    /* proto is IPPROTO_TCP or IPPROTO_UDP, over IPv6 or IPv4, port in host order. 0 or a negative errno. */
    int (*port_add)(void *ctx, uint8_t proto, bool v6, uint16_t port);
    void (*port_del)(void *ctx, uint8_t proto, bool v6, uint16_t port);
};

#endif
