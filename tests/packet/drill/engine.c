/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's world: a clock that only moves when a script says so, one port, the peer's link address known. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"
#include "link/neigh.h"
#include "wire/ether.h"

struct sent_frame {
    struct sent_frame *next;
    struct frame f;
};

static const struct jr_ether_addr mac_peer = {{2, 0, 0, 0, 0, 2}}, mac_us = {{2, 0, 0, 0, 0, 1}};

static struct engine *self(struct backend *be) { return JR_CONTAINER_OF(be, struct engine, be); }

static int64_t en_now(struct backend *be) { return (int64_t)(self(be)->now - self(be)->base); }

/* Neighbours and groups of IPv6 are no matter of scripts; ARP is of those that ask for it. */
static bool is_told(const struct engine *en, const struct jr_ether *eth, const uint8_t *frame)
{
    if (eth->type == JR_ETHERTYPE_ARP)
        return en->opt.arp;
    return eth->type != 0x86dd || memcmp(frame + eth->hlen + 24, en->opt.remote.b, 16) == 0;
}

/* What the port was given becomes a list of packets with the time they left at. */
static void collect(struct engine *en)
{
    struct jr_pkt *pkt;

    jr_tcp_flush(en->tcp, en->now);
    jr_ip_flush(en->ip, en->now);
    while ((pkt = jr_pktq_pop(&en->dev.sent))) {
        struct jr_ether eth;
        if (jr_ether_parse(jr_pkt_data(pkt), pkt->len, &eth) == JR_WIRE_OK && is_told(en, &eth, jr_pkt_data(pkt))) {
            struct sent_frame *s = calloc(1, sizeof *s);
            s->f.at_us = (int64_t)(en->now - en->base);
            s->f.len = pkt->len - eth.hlen;
            memcpy(s->f.b, jr_pkt_data(pkt) + eth.hlen, s->f.len);
            *en->tail = s;
            en->tail = &s->next;
        }
        jr_pkt_free(pkt);
    }
}

static void en_pass(struct backend *be, int64_t until_us)
{
    struct engine *en = self(be);
    const jr_time until = en->base + (jr_time)until_us, tcp = jr_tcp_next_tick(en->tcp), ip = jr_ip_next_tick(en->ip);
    const jr_time next = jr_min_u64(tcp, ip);

    if (next > until) {
        if (until > en->now)
            en->now = until;
        return;
    }
    if (next > en->now)
        en->now = next;
    if (tcp <= en->now)
        jr_tcp_tick(en->tcp, en->now);
    if (ip <= en->now)
        jr_ip_tick(en->ip, en->now);
    collect(en);
}

/* Where the peer sends it: groups and broadcasts to those who listen, all else to us. */
static struct jr_ether_addr mac_for(const struct engine *en, const uint8_t *ip)
{
    const uint32_t host = en->opt.plen < 32 ? 0xffffffffu >> en->opt.plen : 0, us = jr_load_be32(en->opt.local.b + 12);
    uint32_t dst;

    if (ip[0] >> 4 == 0)
        return ip[7] == 1 ? jr_ether_broadcast() : mac_us; /* ARP */
    if (ip[0] >> 4 != 4)
        return mac_us;
    dst = jr_load_be32(ip + 16);
    if (dst >> 28 == 14)
        return (struct jr_ether_addr){{1, 0, 0x5e, ip[17] & 0x7f, ip[18], ip[19]}};
    return dst == 0xffffffffu || (host && dst == (us | host)) ? jr_ether_broadcast() : mac_us;
}

static void en_inject(struct backend *be, const uint8_t *ip, uint32_t len)
{
    struct engine *en = self(be);
    uint8_t *frame = malloc(len + JR_ETHER_HLEN);

    jr_ether_build(frame, mac_for(en, ip), mac_peer,
                   ip[0] >> 4 == 6   ? 0x86dd
                   : ip[0] >> 4 == 0 ? JR_ETHERTYPE_ARP
                                     : JR_ETHERTYPE_IPV4);
    memcpy(frame + JR_ETHER_HLEN, ip, len);
    jr_ip_input(en->ifp, fake_dev_frame(&en->dev, frame, len + JR_ETHER_HLEN), en->now);
    free(frame);
    collect(en);
}

static bool en_sent(struct backend *be, struct frame *out)
{
    struct engine *en = self(be);
    struct sent_frame *s = en->head;

    if (!s)
        return false;
    memcpy(out, &s->f, offsetof(struct frame, b) + s->f.len);
    en->head = s->next;
    if (!en->head)
        en->tail = &en->head;
    free(s);
    return true;
}

static bool en_command(struct backend *be, const char *text, char *why, size_t room)
{
    const bool ok = engine_command(self(be), text, why, room);

    collect(self(be));
    return ok;
}

static void en_begin(struct backend *be, struct sys *sys)
{
    sys->since_us = en_now(be);
    esock_begin(self(be), sys);
    collect(self(be));
}

static void en_again(struct backend *be, struct sys *sys)
{
    esock_again(self(be), sys);
    collect(self(be));
}

/* Everything is given up, and then nothing may be left. */
static bool en_end(struct backend *be, char *why, size_t room)
{
    struct engine *en = self(be);
    uint32_t count, leaked, embryos;
    struct frame *drop = malloc(sizeof *drop);

    esock_close_all(en);
    collect(en);
    for (int64_t until = en_now(be) + 7200000000; en_now(be) < until;) /* the longest back-off is over by then */
        en_pass(be, until);
    count = jr_tcp_count(en->tcp);
    embryos = en->embryos;
    jr_tcp_free(en->tcp);
    jr_udp_free(en->udp);
    jr_ip_free(en->ip);
    jr_neigh_flush(en->ifp);
    jr_netif_free(en->ifp);
    leaked = fake_dev_fini(&en->dev);
    while (en_sent(be, drop))
        ;
    free(drop);
    free(en);
    snprintf(why, room, "%u connections, %u buffers and %u packets are left", count, embryos, leaked);
    return count == 0 && embryos == 0 && leaked == 0;
}

static const struct backend_ops engine_ops = {
    .now = en_now,
    .pass = en_pass,
    .inject = en_inject,
    .sent = en_sent,
    .command = en_command,
    .begin = en_begin,
    .again = en_again,
    .end = en_end,
};

static void start_network(struct engine *en)
{
    const struct options *o = &en->opt;
    struct jr_ip_config cfg;
    const struct jr_addr any6 = {0}, any = jr_addr_is_v4(o->local) ? jr_addr_v4(0) : any6;
    struct jr_ip_route_conf route = {.dst = any, .gw = any, .src = any};
    struct jr_addr bcast = any;

    jr_rng_init(&en->rng, 42);
    fake_dev_init(&en->dev, o->mtu, 0);
    en->ifp = jr_netif_new(&en->dev.dev, &en->counters, &en->rng);
    jr_link_config_defaults(&en->link);
    en->ifp->cfg = &en->link;
    jr_ip_config_defaults(&cfg);
    memcpy(cfg.secret, "fedcba9876543210", 16);
    cfg.ip6_dad_count = 0;
    en->ip = jr_ip_new(&en->counters, &en->rng, &cfg);
    jr_ip_netif_add(en->ip, en->ifp);
    if (jr_addr_is_v4(o->local) && o->plen < 31)
        bcast = jr_addr_v4(jr_addr_to_v4(o->local) | jr_be32(0xffffffffu >> o->plen));
    if (jr_ip_addr_add(en->ip, en->ifp, o->local, o->plen, bcast, true, en->now) != 0)
        drill_bad_script("--local_ip", 0, "the engine does not take this address");
    route.ifp = en->ifp;
    jr_ip_route_add(en->ip, &route);
    if (!o->arp)
        jr_neigh_set(en->ifp, o->remote, mac_peer, JR_NEIGH_PERMANENT, en->now);
    jr_ip_flush(en->ip, en->now);
    jr_pktq_purge(&en->dev.sent); /* the announcement of the address */
}

struct backend *engine_new(const struct options *opt)
{
    struct engine *en = calloc(1, sizeof *en);
    struct jr_tcp_config cfg;

    en->be.ops = &engine_ops;
    en->tail = &en->head;
    en->opt = *opt;
    en->base = en->now = 1000 * JR_SEC;
    start_network(en);
    jr_tcp_config_defaults(&cfg);
    memcpy(cfg.secret, "0123456789abcdef", 16);
    cfg.seed = 42;
    en->tcp = jr_tcp_new(en->ip, &cfg);
    en->cfg = jr_tcp_config(en->tcp);
    en->udp = jr_udp_new(en->ip, 49152, 65535, cfg.secret);
    return &en->be;
}
