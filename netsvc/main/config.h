/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration file as data: docs/configuration.md describes every key. Reading it needs no privileges and
 * touches nothing, so that --check-config tells the truth anywhere.
 */
#ifndef JR_MAIN_CONFIG_H
#define JR_MAIN_CONFIG_H

#include "base/log.h"
#include "ctl/ctl.h"
#include "dev/port.h"
#include "ip/ip.h"
#include "link/link.h"
#include "sock/rule.h"
#include "sysctl/sysctl.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

enum { JR_CONFIG_PORTS = 8, JR_CONFIG_ADDRS = 16, JR_CONFIG_NEIGHS = 64, JR_CONFIG_RULES = 256, JR_CONFIG_ROUTES = 64 };

struct jr_config_prefix {
    struct jr_addr addr; /* an interface's address, or a destination */
    uint8_t plen;        /* 0 to 32, IPv6: to 128 */
};

struct jr_config_neigh {
    struct jr_addr addr;
    struct jr_ether_addr mac;
};

struct jr_config_port {
    struct jr_port_config dev;
    struct jr_config_prefix addrs[JR_CONFIG_ADDRS]; /* of an exclusive port */
    unsigned n_addrs;
    struct jr_config_neigh neighs[JR_CONFIG_NEIGHS]; /* known for good */
    unsigned n_neighs;
    uint16_t vlan; /* 802.1Q tag of an exclusive port; 0: none */
};

struct jr_config_route {
    struct jr_config_prefix dst;
    struct jr_addr via, src; /* the wildcard: on link; chosen by the stack */
    char port[32];
    uint32_t metric, mtu;
};

struct jr_config {
    char path[256]; /* where it was read from */
    char run_dir[64];
    enum jr_log_level log_level;
    uint32_t idle_us;      /* without work for so long, the worker sleeps */
    int32_t nice;          /* the worker's, as nice(1)'s */
    uint32_t burst;        /* packets per receive call */
    int32_t lcores[8];     /* CPUs of the workers */
    unsigned n_lcores;     /* 0: anywhere */
    uint32_t hugepages_mb; /* most memory to ask for in huge pages */
    bool telemetry;

    struct jr_config_port ports[JR_CONFIG_PORTS];
    unsigned n_ports;
    struct jr_config_route routes[JR_CONFIG_ROUTES];
    unsigned n_routes;

    struct jr_ip_config ip;
    struct jr_udp_config udp;
    struct jr_link_config link;
    struct jr_tcp_config tcp;
    bool has_portrange;                                /* the ephemeral ports were chosen in the file */
    bool has_localtimewait, has_keepcnt, has_finwait2; /* so named sysctls of net.inet.tcp are in the file */
    struct jr_ctl_config ctl;              /* limits and policy; run_dir, stacks and key are filled in by main */
    struct jr_rule rules[JR_CONFIG_RULES]; /* ctl.rules points here */
    char *rule_programs[JR_CONFIG_RULES];  /* what rules[].program points to */
};

/* NULL when path could not be read or holds mistakes: each was logged with file, line and key. */
struct jr_config *jr_config_load(const char *path);
/* The same from memory; name stands for the file in messages. */
struct jr_config *jr_config_parse(const char *name, const char *text, size_t len);
/* Its knobs. */
struct jr_sysctl_tree jr_config_sysctls(struct jr_config *cfg);
void jr_config_free(struct jr_config *cfg);

#endif
