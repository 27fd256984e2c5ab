/* SPDX-License-Identifier: BSD-3-Clause */
/* [[port]] and [[route]]. */
#include <arpa/inet.h>
#include <stdio.h>

#include "main/config_value.h"

static void parse_kind(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    const char *names[JR_PORT_KINDS];
    for (int i = 0; i < JR_PORT_KINDS; i++)
        names[i] = jr_port_kind_name(i);
    int kind = jr_schema_choice(ctx, v, where, names, JR_PORT_KINDS);
    *(enum jr_port_kind *)at = kind >= 0 ? kind : JR_PORT_KINDS;
}

static void parse_role(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    static const char *const names[] = {"client", "server"};
    *(bool *)at = jr_schema_choice(ctx, v, where, names, 2) == 1;
}

static void parse_addresses(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config_port *p = at;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_ARRAY))
        return;
    for (const struct jr_toml *a = v->child; a; a = a->next) {
        if (p->n_addrs == JR_CONFIG_ADDRS) {
            jr_schema_error(ctx, a, where, "more than %d addresses", JR_CONFIG_ADDRS);
            return;
        }
        jr_config_iface_addr(ctx, a, where, &p->addrs[p->n_addrs++]);
    }
}

/* "10.0.0.9 02:00:00:00:00:09" */
static void parse_neighbour(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where,
                            struct jr_config_neigh *n)
{
    char addr[64];
    int end = 0;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return;
    uint8_t *b = n->mac.b;
    const int got = sscanf(v->str.s, "%63s %2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", addr, &b[0], &b[1], &b[2], &b[3],
                           &b[4], &b[5], &end);
    struct in_addr v4;
    bool ok = got == 7 && !v->str.s[end] && !(b[0] & 1);
    if (ok && inet_pton(AF_INET, addr, &v4) == 1)
        n->addr = jr_addr_v4(v4.s_addr);
    else if (!ok || inet_pton(AF_INET6, addr, n->addr.b) != 1)
        jr_schema_error(ctx, v, where, "'%.60s' is no neighbour, as in \"10.0.0.9 02:00:00:00:00:09\"", v->str.s);
}

static void parse_neighbours(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config_port *p = at;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_ARRAY))
        return;
    for (const struct jr_toml *a = v->child; a; a = a->next) {
        if (p->n_neighs == JR_CONFIG_NEIGHS) {
            jr_schema_error(ctx, a, where, "more than %d neighbours", JR_CONFIG_NEIGHS);
            return;
        }
        parse_neighbour(ctx, a, where, &p->neighs[p->n_neighs++]);
    }
}

/* What both directions hold; OF gives a field's place in the struct at hand. */
#define FAULT_KEYS(OF)                                                                                                 \
    {"drop", JR_KEY_REAL, OF(drop), 0, 1, NULL}, {"duplicate", JR_KEY_REAL, OF(duplicate), 0, 1, NULL},                \
        {"reorder", JR_KEY_REAL, OF(reorder), 0, 1, NULL}, {"corrupt", JR_KEY_REAL, OF(corrupt), 0, 1, NULL},          \
        {"delay_us", JR_KEY_U32, OF(delay_us), 0, 10000000, NULL},                                                     \
        {"jitter_us", JR_KEY_U32, OF(jitter_us), 0, 10000000, NULL},                                                   \
        {"reorder_us", JR_KEY_U32, OF(reorder_us), 0, 10000000, NULL},                                                 \
        {"rate_bps", JR_KEY_U64, OF(rate_bps), 1000, 1000000000000, NULL},                                             \
    {                                                                                                                  \
        "limit_pkts", JR_KEY_U32, OF(limit_pkts), 1, 1000000, NULL                                                     \
    }

#define OF_DIR(field) offsetof(struct jr_fault_dir, field)
#define OF_RX(field) offsetof(struct jr_fault_config, rx.field)

static void parse_later(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    (void)ctx;
    (void)v;
    (void)where;
    (void)at;
}

static const struct jr_schema_key fault_dir_keys[] = {FAULT_KEYS(OF_DIR)};
static const struct jr_schema_key fault_keys[] = {
    {"seed", JR_KEY_U64, offsetof(struct jr_fault_config, seed), 0, INT64_MAX, NULL},
    {"rx", JR_KEY_FN, 0, 0, 0, parse_later},
    {"tx", JR_KEY_FN, 0, 0, 0, parse_later},
    FAULT_KEYS(OF_RX),
};

/* Keys of the table itself hold for both directions, its rx and tx tables for one. */
static void parse_fault(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_fault_config *f = at;
    char name[80];
    JR_CONFIG_BIND(ctx, v, where, fault_keys, f);
    f->tx = f->rx;
    snprintf(name, sizeof name, "%.70s.rx", where);
    JR_CONFIG_BIND(ctx, jr_toml_get(v, "rx"), name, fault_dir_keys, &f->rx);
    snprintf(name, sizeof name, "%.70s.tx", where);
    JR_CONFIG_BIND(ctx, jr_toml_get(v, "tx"), name, fault_dir_keys, &f->tx);
}

#define P(field) offsetof(struct jr_config_port, dev.field)
static const struct jr_schema_key port_keys[] = {
    {"name", JR_KEY_STR, P(name), 0, sizeof(((struct jr_port_config *)0)->name), NULL},
    {"kind", JR_KEY_FN, P(kind), 0, 0, parse_kind},
    {"interface", JR_KEY_STR, P(interface), 0, sizeof(((struct jr_port_config *)0)->interface), NULL},
    {"share", JR_KEY_BOOL, P(share), 0, 0, NULL},
    {"rx_queue", JR_KEY_POW2, P(rx_queue), 64, 16384, NULL},
    {"tx_queue", JR_KEY_POW2, P(tx_queue), 64, 16384, NULL},
    {"queues", JR_KEY_U32, P(queues), 1, 16, NULL},
    {"mtu", JR_KEY_U32, P(mtu), 576, 65000, NULL},
    {"mac", JR_KEY_FN, P(mac), 0, 0, jr_config_mac},
    {"buffers", JR_KEY_U32, P(buffers), 512, 1048575, NULL},
    {"frame_bytes", JR_KEY_U32, P(frame_bytes), 1514, 65407, NULL},
    {"busy_budget", JR_KEY_U32, P(busy_budget), 0, 65535, NULL},
    {"poll_us", JR_KEY_U32, P(poll_us), 10, 1000000, NULL},
    {"socket", JR_KEY_STR, P(socket), 0, sizeof(((struct jr_port_config *)0)->socket), NULL},
    {"id", JR_KEY_U32, P(id), 0, INT32_MAX, NULL},
    {"role", JR_KEY_FN, P(server), 0, 0, parse_role},
    {"fault", JR_KEY_FN, P(fault), 0, 0, parse_fault},
    {"addresses", JR_KEY_FN, 0, 0, 0, parse_addresses},
    {"neighbours", JR_KEY_FN, 0, 0, 0, parse_neighbours},
    {"vlan", JR_KEY_U16, offsetof(struct jr_config_port, vlan), 1, 4094, NULL},
};
#undef P

/* Keys that one kind knows and another must not have. */
static void check_keys_of_kind(struct jr_schema_ctx *ctx, const struct jr_toml *t, const char *where,
                               enum jr_port_kind kind)
{
    static const struct {
        const char *key;
        uint32_t kinds; /* bit set */
    } only[] = {
        {"interface", 1u << JR_PORT_AF_XDP | 1u << JR_PORT_AF_PACKET | 1u << JR_PORT_TAP | 1u << JR_PORT_PCI},
        {"share", 1u << JR_PORT_AF_XDP | 1u << JR_PORT_AF_PACKET},
        {"queues", 1u << JR_PORT_AF_XDP | 1u << JR_PORT_PCI},
        {"mac", 1u << JR_PORT_TAP | 1u << JR_PORT_MEMIF | 1u << JR_PORT_RING},
        {"frame_bytes", 1u << JR_PORT_AF_PACKET},
        {"busy_budget", 1u << JR_PORT_AF_XDP},
        {"socket", 1u << JR_PORT_MEMIF},
        {"id", 1u << JR_PORT_MEMIF},
        {"role", 1u << JR_PORT_MEMIF},
    };
    for (size_t i = 0; i < sizeof only / sizeof only[0]; i++) {
        const struct jr_toml *v = jr_toml_get(t, only[i].key);
        char name[80];
        snprintf(name, sizeof name, "%s.%s", where, only[i].key);
        if (v && !(only[i].kinds >> kind & 1))
            jr_schema_error(ctx, v, name, "means nothing for a port of kind %s", jr_port_kind_name(kind));
    }
}

static void check_port(struct jr_schema_ctx *ctx, const struct jr_toml *t, const char *where,
                       const struct jr_config *cfg, const struct jr_config_port *p)
{
    const struct jr_port_config *d = &p->dev;
    if (!jr_toml_get(t, "name"))
        jr_schema_error(ctx, t, where, "has no name");
    if (!jr_toml_get(t, "kind")) {
        jr_schema_error(ctx, t, where, "has no kind");
        return;
    }
    if (d->kind == JR_PORT_KINDS)
        return; /* reported */
    for (const struct jr_config_port *q = cfg->ports; q < p; q++) {
        if (strcmp(q->dev.name, d->name) == 0)
            jr_schema_error(ctx, t, where, "the name '%s' is another port's too", d->name);
        if (d->interface[0] && strcmp(q->dev.interface, d->interface) == 0)
            jr_schema_error(ctx, t, where, "the interface %s is another port's too", d->interface);
    }
    check_keys_of_kind(ctx, t, where, d->kind);
    bool wants_interface = jr_port_is_netdev(d->kind) || d->kind == JR_PORT_PCI;
    if (wants_interface && !d->interface[0])
        jr_schema_error(ctx, t, where, "has no interface");
    if (jr_port_is_netdev(d->kind) && strlen(d->interface) > 15)
        jr_schema_error(ctx, jr_toml_get(t, "interface"), where, "an interface's name has at most 15 characters");
    if (d->kind == JR_PORT_MEMIF && !d->socket[0])
        jr_schema_error(ctx, t, where, "has no socket");
    if (d->mtu > jr_port_mtu_max(d->kind))
        jr_schema_error(ctx, jr_toml_get(t, "mtu"), where, "the driver's longest MTU is %u", jr_port_mtu_max(d->kind));
    if (d->share && p->vlan)
        jr_schema_error(ctx, jr_toml_get(t, "vlan"), where, "a shared port's tagged frames are the kernel's");
    if (d->share && p->n_neighs)
        jr_schema_error(ctx, jr_toml_get(t, "neighbours"), where,
                        "a shared port has the kernel's neighbours: use `ip neigh`");
    const struct jr_toml *shared_key = jr_toml_get(t, "addresses");
    if (d->share && shared_key)
        jr_schema_error(ctx, shared_key, where, "a shared port has the kernel's addresses: use `ip addr`");
    shared_key = jr_toml_get(t, "mtu");
    if (d->share && shared_key)
        jr_schema_error(ctx, shared_key, where, "a shared port has the kernel's MTU: use `ip link`");
}

void jr_config_ports(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config *cfg = at;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_ARRAY))
        return;
    for (const struct jr_toml *t = v->child; t; t = t->next) {
        char name[32];
        if (cfg->n_ports == JR_CONFIG_PORTS) {
            jr_schema_error(ctx, t, where, "more than %d ports", JR_CONFIG_PORTS);
            return;
        }
        snprintf(name, sizeof name, "port[%u]", cfg->n_ports);
        struct jr_config_port *p = &cfg->ports[cfg->n_ports++];
        if (t->type != JR_TOML_TABLE) {
            jr_schema_expect(ctx, t, name, JR_TOML_TABLE);
            continue;
        }
        /* an interface is the kernel's unless addresses say that it is ours */
        const struct jr_toml *kind = jr_toml_get(t, "kind");
        bool may_share = kind && kind->type == JR_TOML_STRING &&
                         (!strcmp(kind->str.s, "af_xdp") || !strcmp(kind->str.s, "af_packet"));
        p->dev.share = may_share && !jr_toml_get(t, "addresses");
        JR_CONFIG_BIND(ctx, t, name, port_keys, p);
        check_port(ctx, t, name, cfg, p);
    }
}

#define R(field) offsetof(struct jr_config_route, field)
static const struct jr_schema_key route_keys[] = {
    {"prefix", JR_KEY_FN, R(dst), 0, 0, jr_config_net},
    {"via", JR_KEY_FN, R(via), 0, 0, jr_config_addr},
    {"src", JR_KEY_FN, R(src), 0, 0, jr_config_addr},
    {"port", JR_KEY_STR, R(port), 0, sizeof(((struct jr_config_route *)0)->port), NULL},
    {"metric", JR_KEY_U32, R(metric), 0, UINT32_MAX, NULL},
    {"mtu", JR_KEY_U32, R(mtu), 576, 65535, NULL},
};
#undef R

static void check_route(struct jr_schema_ctx *ctx, const struct jr_toml *t, const char *where,
                        const struct jr_config *cfg, const struct jr_config_route *r)
{
    if (!jr_toml_get(t, "prefix"))
        jr_schema_error(ctx, t, where, "has no prefix");
    if (!r->port[0]) {
        jr_schema_error(ctx, t, where, "has no port");
        return;
    }
    const struct jr_config_port *p = NULL;
    for (unsigned i = 0; i < cfg->n_ports; i++)
        if (strcmp(cfg->ports[i].dev.name, r->port) == 0)
            p = &cfg->ports[i];
    if (!p)
        jr_schema_error(ctx, jr_toml_get(t, "port"), where, "there is no port '%s'", r->port);
    else if (p->dev.share)
        jr_schema_error(ctx, t, where, "port '%s' is shared and has the kernel's routes: use `ip route`", r->port);
}

void jr_config_routes(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config *cfg = at;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_ARRAY))
        return;
    for (const struct jr_toml *t = v->child; t; t = t->next) {
        char name[32];
        if (cfg->n_routes == JR_CONFIG_ROUTES) {
            jr_schema_error(ctx, t, where, "more than %d routes", JR_CONFIG_ROUTES);
            return;
        }
        snprintf(name, sizeof name, "route[%u]", cfg->n_routes);
        struct jr_config_route *r = &cfg->routes[cfg->n_routes++];
        JR_CONFIG_BIND(ctx, t, name, route_keys, r);
        if (t->type == JR_TOML_TABLE)
            check_route(ctx, t, name, cfg, r);
    }
}
