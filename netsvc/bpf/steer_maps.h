/* SPDX-License-Identifier: BSD-3-Clause */
/* What the steering programs and the service share in BPF maps. */
#ifndef JR_BPF_STEER_MAPS_H
#define JR_BPF_STEER_MAPS_H

#include <linux/types.h>

/* One bit for each protocol (0 TCP, 1 UDP), family (0 IPv4, 1 IPv6) and port, in words of 64. */
#define JR_STEER_PORT_WORDS 4096
#define JR_STEER_PORT_WORD(is_udp, is_v6, port) ((is_udp)*2048u + (is_v6)*1024u + ((port) >> 6))
/* Addresses of the host that one interface may have. */
#define JR_STEER_ADDRS 1024

/* As struct jr_addr: network order, IPv4 v4-mapped. */
struct jr_steer_addr {
    __u32 w[4];
};

struct jr_steer_conf {
    __u32 exclusive; /* not 0: every frame is the service's */
    __u32 pad;
};

#endif
