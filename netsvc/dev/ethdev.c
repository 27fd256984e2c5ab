/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data path between the engine and a DPDK port. A packet is not copied between the two: struct jr_pkt lies in
 * its mbuf, only offsets and lengths change sides. Offloads that the driver offers show in caps, and what a packet
 * asks for is translated on the way out.
 */
#include "dev/ethdev.h"

#include <errno.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "dev/mpool.h"

enum { BURST = 64, POLL_MIN_US = 20 };

struct jr_ethdev {
    struct jr_dev dev;
    uint16_t port_id;
    uint16_t rx_queues, rx_next; /* rx_next: the queue whose turn is first */
    bool started;
    bool is_vdev;
    bool polls;       /* nothing to wait on */
    uint32_t poll_us; /* the longest pause between two looks while asleep */
    jr_time last_poll, last_rx;
    struct jr_mpool *mpool;
    struct jr_counters *counters;
    struct jr_waitfds wait;
    char eal_name[RTE_DEV_NAME_MAX_LEN];
};

static uint32_t rx_flags(uint64_t ol)
{
    uint32_t flags = 0;
    if ((ol & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
        flags |= JR_PKT_RX_IP_CSUM_OK;
    if ((ol & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
        flags |= JR_PKT_RX_L4_CSUM_OK;
    return flags;
}

/* NULL: the packet did not fit one buffer and is gone. */
static inline struct jr_pkt *rx_pkt(struct jr_ethdev *e, struct rte_mbuf *m)
{
    if (unlikely(m->nb_segs > 1) && rte_pktmbuf_linearize(m)) {
        jr_count(e->counters, JR_C_DEV_RX_SEGMENTS);
        rte_pktmbuf_free(m);
        return NULL;
    }
    struct jr_pkt *pkt = jr_pkt_of(m);
    pkt->off = m->data_off;
    pkt->len = m->data_len;
    pkt->flags = rx_flags(m->ol_flags);
    pkt->l3_off = pkt->l4_off = pkt->l4_len = pkt->tso_segsz = 0;
    pkt->next = NULL;
    pkt->pool->in_use++;
    return pkt;
}

static unsigned rx_queue(struct jr_ethdev *e, uint16_t queue, struct jr_pkt **pkts, unsigned n)
{
    struct rte_mbuf *m[BURST];
    unsigned got = rte_eth_rx_burst(e->port_id, queue, m, (uint16_t)RTE_MIN(n, (unsigned)BURST));
    unsigned out = 0;
    for (unsigned i = 0; i < got; i++) {
        if (i + 1 < got)
            rte_prefetch0(rte_pktmbuf_mtod(m[i + 1], void *));
        struct jr_pkt *pkt = rx_pkt(e, m[i]);
        if (unlikely(!pkt))
            continue;
        e->dev.rx_bytes += pkt->len;
        pkts[out++] = pkt;
    }
    return out;
}

static unsigned eth_rx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_ethdev *e = (struct jr_ethdev *)dev;
    unsigned got = 0;
    e->last_poll = now;
    for (uint16_t i = 0; i < e->rx_queues && got < n; i++) {
        uint16_t queue = e->rx_next;
        e->rx_next = queue + 1u < e->rx_queues ? queue + 1 : 0;
        got += rx_queue(e, queue, pkts + got, n - got);
    }
    dev->rx_pkts += got;
    if (got)
        e->last_rx = now;
    return got;
}

/* The checksum field gets the pseudo header's sum, which the drivers expect there; with TSO without the length. */
static void tx_offloads(struct rte_mbuf *m, struct jr_pkt *pkt)
{
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(pkt->buf + pkt->l3_off);
    const bool v6 = ip->version_ihl >> 4 == 6;
    const struct rte_ipv6_hdr *ip6 = (const void *)ip;
    m->l2_len = pkt->l3_off - pkt->off;
    m->l3_len = pkt->l4_off - pkt->l3_off;
    m->l4_len = pkt->l4_len;
    m->ol_flags = v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    if (!v6 && pkt->flags & (JR_PKT_TX_IP_CSUM | JR_PKT_TX_TSO)) {
        m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
        ip->hdr_checksum = 0;
    }
    if (pkt->flags & JR_PKT_TX_TSO) {
        m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        m->tso_segsz = pkt->tso_segsz;
    }
    if (!(pkt->flags & (JR_PKT_TX_L4_CSUM | JR_PKT_TX_TSO)))
        return;
    uint16_t sum = v6 ? rte_ipv6_phdr_cksum(ip6, m->ol_flags) : rte_ipv4_phdr_cksum(ip, m->ol_flags);
    bool is_tcp = (v6 ? ip6->proto : ip->next_proto_id) == IPPROTO_TCP;
    m->ol_flags |= is_tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    memcpy(pkt->buf + pkt->l4_off + (is_tcp ? 16 : 6), &sum, sizeof sum);
}

static inline bool tx_mbuf(struct rte_mbuf **out, struct jr_pkt *pkt)
{
    struct rte_mbuf *m = jr_mbuf_of(pkt);
    m->data_off = (uint16_t)pkt->off;
    m->data_len = (uint16_t)pkt->len;
    m->pkt_len = pkt->len;
    m->ol_flags = 0;
    *out = m;
    bool offloads = pkt->flags & (JR_PKT_TX_IP_CSUM | JR_PKT_TX_L4_CSUM | JR_PKT_TX_TSO);
    if (offloads)
        tx_offloads(m, pkt);
    return offloads;
}

/* Up to BURST packets. Those that the driver refuses to prepare are dropped. */
static unsigned tx_some(struct jr_ethdev *e, struct jr_pkt **pkts, unsigned n)
{
    struct rte_mbuf *m[BURST];
    uint32_t bytes[BURST];
    struct jr_pkt_pool *pool[BURST];
    bool offloads = false;
    for (unsigned i = 0; i < n; i++) {
        offloads |= tx_mbuf(&m[i], pkts[i]);
        bytes[i] = pkts[i]->len;
        pool[i] = pkts[i]->pool;
    }
    unsigned ready = offloads ? rte_eth_tx_prepare(e->port_id, 0, m, (uint16_t)n) : n;
    unsigned sent = rte_eth_tx_burst(e->port_id, 0, m, (uint16_t)ready);
    for (unsigned i = 0; i < sent; i++) { /* the driver frees the mbufs, so they leave their pools' accounts here */
        pool[i]->in_use--;
        e->dev.tx_bytes += bytes[i];
    }
    e->dev.tx_pkts += sent;
    if (unlikely(sent == ready && ready < n)) {
        jr_drop(e->counters, pkts[ready], JR_C_DEV_TX_PREPARE);
        e->dev.tx_dropped++;
        sent++;
    }
    return sent;
}

static bool link_is_down(struct jr_ethdev *e)
{
    struct rte_eth_link link;
    return rte_eth_link_get_nowait(e->port_id, &link) == 0 && link.link_status == RTE_ETH_LINK_DOWN;
}

/* A wire that leads nowhere swallows packets: nobody waits for an unconnected memif to take them. */
static unsigned swallow(struct jr_ethdev *e, struct jr_pkt **pkts, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        jr_drop(e->counters, pkts[i], JR_C_DEV_LINK_DOWN);
    e->dev.tx_dropped += n;
    return n;
}

static unsigned eth_tx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_ethdev *e = (struct jr_ethdev *)dev;
    unsigned done = 0;
    (void)now;
    while (done < n) {
        unsigned part = RTE_MIN(n - done, (unsigned)BURST);
        unsigned took = tx_some(e, pkts + done, part);
        done += took;
        if (took == 0)
            return link_is_down(e) ? done + swallow(e, pkts + done, n - done) : done;
    }
    return done;
}

static jr_time eth_next_event(struct jr_dev *dev)
{
    struct jr_ethdev *e = (struct jr_ethdev *)dev;
    if (!e->polls)
        return JR_TIME_NEVER;
    /* the longer nothing came, the longer the pauses: within an eighth of the silence so far */
    jr_time pause = (e->last_poll - e->last_rx) / 8;
    return e->last_poll + RTE_MIN(RTE_MAX(pause, (jr_time)POLL_MIN_US), (jr_time)e->poll_us);
}

static unsigned eth_wait_fds(struct jr_dev *dev, int *fds, unsigned n)
{
    struct jr_ethdev *e = (struct jr_ethdev *)dev;
    unsigned i;
    for (i = 0; i < n && i < e->wait.n; i++)
        fds[i] = e->wait.fd[i];
    return i;
}

static void eth_close(struct jr_dev *dev)
{
    struct jr_ethdev *e = (struct jr_ethdev *)dev;
    if (e->started)
        rte_eth_dev_stop(e->port_id);
    if (e->port_id != RTE_MAX_ETHPORTS)
        rte_eth_dev_close(e->port_id);
    if (e->is_vdev)
        rte_eal_hotplug_remove("vdev", e->eal_name);
    if (e->mpool)
        jr_mpool_free(e->mpool);
    free(e);
}

static const struct jr_dev_ops eth_ops = {
    .rx_burst = eth_rx_burst,
    .tx_burst = eth_tx_burst,
    .next_event = eth_next_event,
    .wait_fds = eth_wait_fds,
    .close = eth_close,
};

const struct jr_waitfds *jr_ethdev_waitfds(const struct jr_dev *dev) { return &((const struct jr_ethdev *)dev)->wait; }

static int setup_queues(struct jr_ethdev *e, const struct jr_port_config *cfg, const struct rte_eth_dev_info *info,
                        uint64_t tx_offload)
{
    uint16_t rx = (uint16_t)cfg->rx_queue, tx = (uint16_t)cfg->tx_queue;
    int rc = rte_eth_dev_adjust_nb_rx_tx_desc(e->port_id, &rx, &tx);
    if (rc && rc != -ENOTSUP)
        return rc;
    int socket = rte_eth_dev_socket_id(e->port_id);
    for (uint16_t q = 0; q < e->rx_queues; q++) {
        rc = rte_eth_rx_queue_setup(e->port_id, q, rx, (unsigned)socket, NULL, e->mpool->mp);
        if (rc)
            return rc;
    }
    struct rte_eth_txconf txconf = info->default_txconf;
    txconf.offloads = tx_offload;
    /* some virtual drivers pair each receive queue with a transmit queue */
    for (uint16_t q = 0; q < e->rx_queues; q++) {
        rc = rte_eth_tx_queue_setup(e->port_id, q, tx, (unsigned)socket, &txconf);
        if (rc)
            return rc;
    }
    return 0;
}

static uint32_t caps_of(uint64_t rx, uint64_t tx)
{
    uint64_t tx_l4 = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    uint64_t rx_sum = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    uint32_t caps = 0;
    if (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)
        caps |= JR_DEV_TX_IP_CSUM;
    if ((tx & tx_l4) == tx_l4)
        caps |= JR_DEV_TX_L4_CSUM;
    if (tx & RTE_ETH_TX_OFFLOAD_TCP_TSO)
        caps |= JR_DEV_TX_TSO;
    if ((rx & rx_sum) == rx_sum)
        caps |= JR_DEV_RX_CSUM;
    return caps;
}

static int start(struct jr_ethdev *e, const struct jr_port_config *cfg)
{
    struct rte_eth_dev_info info;
    int rc = rte_eth_dev_info_get(e->port_id, &info);
    if (rc)
        return rc;
    uint64_t want_rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    uint64_t want_tx = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
                       RTE_ETH_TX_OFFLOAD_TCP_TSO;
    struct rte_eth_conf conf = {
        .rxmode.offloads = info.rx_offload_capa & want_rx,
        .txmode.offloads = info.tx_offload_capa & want_tx,
    };
    e->rx_queues = (uint16_t)RTE_MIN(RTE_MAX(cfg->queues, 1u), RTE_MIN(info.max_rx_queues, info.max_tx_queues));
    e->dev.caps = caps_of(conf.rxmode.offloads, conf.txmode.offloads);
    rc = rte_eth_dev_configure(e->port_id, e->rx_queues, e->rx_queues, &conf);
    if (rc)
        return rc;
    rc = setup_queues(e, cfg, &info, conf.txmode.offloads);
    if (rc)
        return rc;
    uint16_t mtu = 0;
    bool sets_mtu = !cfg->share && (!rte_eth_dev_get_mtu(e->port_id, &mtu) ? mtu != cfg->mtu : true);
    if (sets_mtu && rte_eth_dev_set_mtu(e->port_id, (uint16_t)cfg->mtu))
        jr_log(JR_LOG_DEBUG, "port %s: the driver has no MTU to set", cfg->name);
    rc = rte_eth_dev_start(e->port_id);
    e->started = rc == 0;
    if (e->started && !cfg->share) /* neighbours ask groups for our addresses (RFC 4861 7.2.2) */
        (void)rte_eth_allmulticast_enable(e->port_id);
    return rc;
}

/* The address we answer to. A tap's other end is an interface that already has the driver's. */
static struct jr_ether_addr own_mac(struct jr_ethdev *e, const struct jr_port_config *cfg, unsigned index)
{
    static const struct jr_ether_addr none;
    struct rte_ether_addr hw = {0};
    struct jr_ether_addr mac;
    if (memcmp(&cfg->mac, &none, sizeof none))
        return cfg->mac;
    rte_eth_macaddr_get(e->port_id, &hw);
    memcpy(mac.b, hw.addr_bytes, sizeof mac.b);
    if (!memcmp(&mac, &none, sizeof none))
        mac = (struct jr_ether_addr){{0x02, 'J', 'R', 0, 0, (uint8_t)(index + 1)}};
    if (cfg->kind == JR_PORT_TAP) {
        mac.b[0] |= 0x02;
        mac.b[5] ^= 0x01;
    }
    return mac;
}

static int probe(struct jr_ethdev *e, const struct jr_port_config *cfg, unsigned index, int xdp_fd)
{
    char args[512];
    if (!jr_port_vdev(cfg, index, xdp_fd, e->eal_name, sizeof e->eal_name, args, sizeof args))
        return -ENAMETOOLONG;
    if (cfg->kind != JR_PORT_PCI) {
        int rc = rte_eal_hotplug_add("vdev", e->eal_name, args);
        if (rc)
            return rc;
        e->is_vdev = true;
    }
    jr_log(JR_LOG_DEBUG, "port %s: %s,%s", cfg->name, e->eal_name, args);
    return rte_eth_dev_get_port_by_name(e->eal_name, &e->port_id);
}

int jr_ethdev_open(const struct jr_port_config *cfg, unsigned index, int xdp_fd, struct jr_counters *counters,
                   struct jr_dev **out)
{
    char pool_name[32];
    struct jr_waitfds before;
    struct jr_ethdev *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->port_id = RTE_MAX_ETHPORTS;
    e->counters = counters;
    e->poll_us = cfg->poll_us;
    e->dev = (struct jr_dev){.ops = &eth_ops, .name = cfg->name, .mtu = cfg->mtu};
    jr_waitfds_scan(&before);
    snprintf(pool_name, sizeof pool_name, "jr_port%u", index);
    e->mpool = jr_mpool_new(pool_name, cfg->buffers, jr_port_buffer_bytes(cfg), counters);
    int rc = e->mpool ? probe(e, cfg, index, xdp_fd) : -rte_errno;
    if (!rc)
        rc = start(e, cfg);
    if (rc) {
        jr_log(JR_LOG_ERROR, "port %s: %s", cfg->name, rte_strerror(-rc));
        eth_close(&e->dev);
        return rc;
    }
    e->dev.tx_pool = &e->mpool->pool;
    e->dev.mac = own_mac(e, cfg, index);
    jr_waitfds_scan(&e->wait);
    jr_waitfds_subtract(&e->wait, &before);
    e->polls = e->wait.n == 0;
    *out = &e->dev;
    return 0;
}
