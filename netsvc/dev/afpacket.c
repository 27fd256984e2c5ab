/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receives from the ring (dev/rxring.h) and sends with sendmmsg(2); each frame has a virtio_net_hdr before it
 * (dev/vnet.h), by which the kernel finishes checksums and cuts super-segments to size just before the driver, if the
 * driver doesn't. A whole TCP or UDP packet is handed up where it lies in the ring; what may be kept (fragments, ARP)
 * is copied, because a slot that doesn't come back stops the ring.
 */
#include "dev/afpacket.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/pktq.h"
#include "dev/bufpool.h"
#include "dev/rxring.h"
#include "dev/vnet.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum {
    BURST = 64,
    /* the longest frame: an IP packet of 65535 bytes, Ethernet header, tag */
    LARGE_ROOM = 65535 + 18,
    SMALL_ROOM = 2048,
    SOCKET_BYTES = 8 << 20, /* frames longer than a slot wait in the socket's queue */
    ERROR_US = 1000,        /* between two looks at the socket's error while nothing comes */
    UNWATCH_PKTS = 64,      /* so many without a sleep, and the socket is not watched until the next one */
};

struct jr_afpacket {
    struct jr_dev dev;
    struct jr_counters *counters;
    int fd, ifindex;
    /* An epoll that has the socket only while the worker may sleep: else the kernel would go through the wake-up of a
     * sleeper that isn't there with every frame, a twentieth of the cost of receiving it. */
    int wait_fd;
    bool is_watched;
    unsigned unslept_pkts; /* received since the last sleep */
    bool copies_all;       /* somebody between the engine and us keeps packets */
    bool is_gone;          /* the interface does not exist any more */
    struct jr_rxring ring;
    struct jr_bufpool large, small; /* sent and long frames; copies */
    struct jr_pktq ready;           /* cut out of one frame, not yet handed up */
    jr_time error_at;               /* when the socket's error was looked at last */
    char interface[IF_NAMESIZE];
};

/* ---- Receiving ---- */

/* A buffer for a frame that leaves its slot; NULL: counted. */
static struct jr_pkt *buffer_for(struct jr_afpacket *a, uint32_t len)
{
    struct jr_bufpool *bp = len <= a->small.pool.data_room && a->small.n_free ? &a->small : &a->large;
    return jr_pkt_new(&bp->pool);
}

static void copy_out(struct jr_afpacket *a, const uint8_t *frame, uint32_t len, uint32_t flags)
{
    struct jr_pkt *pkt = buffer_for(a, len);
    if (!pkt)
        return;
    memcpy(jr_pkt_put(pkt, len), frame, len);
    pkt->flags = flags;
    jr_pktq_push(&a->ready, pkt);
}

/* One frame that holds many datagrams, as they would have come without segmentation offload at the sender. */
static void cut_datagrams(struct jr_afpacket *a, const struct jr_vnet_rx *rx, const uint8_t *frame, uint32_t len)
{
    uint32_t count = jr_vnet_udp_count(rx, len), most = rx->l4_off + 8u + rx->udp_segsz;
    for (uint32_t i = 0; i < count; i++) {
        struct jr_pkt *pkt = buffer_for(a, most);
        if (!pkt)
            return;
        (void)jr_pkt_put(pkt, jr_vnet_udp_cut(rx, frame, len, i, jr_pkt_data(pkt)));
        pkt->flags = rx->flags | JR_PKT_RX_IP_CSUM_OK; /* the header's sum was the whole frame's */
        jr_pktq_push(&a->ready, pkt);
    }
}

/* The whole of a frame that is longer than its slot, from the socket's queue; NULL: counted. */
static struct jr_pkt *receive_long(struct jr_afpacket *a, struct virtio_net_hdr *h)
{
    struct jr_pkt *pkt = jr_pkt_new(&a->large.pool);
    uint8_t nowhere[sizeof *h];
    struct iovec iov[2] = {{h, sizeof *h}, {nowhere, 0}};
    if (pkt)
        iov[1] = (struct iovec){jr_pkt_data(pkt), jr_pkt_tailroom(pkt)};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    ssize_t n = recvmsg(a->fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
    if (!pkt)
        return NULL; /* the pool counted it */
    if (n < (ssize_t)sizeof *h || msg.msg_flags & MSG_TRUNC) {
        jr_drop(a->counters, pkt, JR_C_DEV_RX_TOO_LONG);
        return NULL;
    }
    (void)jr_pkt_put(pkt, (uint32_t)n - (uint32_t)sizeof *h);
    return pkt;
}

static struct jr_pkt *take_long(struct jr_afpacket *a, uint32_t vid_flags)
{
    struct virtio_net_hdr h;
    struct jr_pkt *pkt = receive_long(a, &h);
    if (!pkt)
        return NULL;
    struct jr_vnet_rx rx = jr_vnet_rx(&h, jr_pkt_data(pkt), pkt->len);
    rx.flags |= vid_flags;
    pkt->flags = rx.flags;
    if (!rx.udp_segsz)
        return pkt;
    cut_datagrams(a, &rx, jr_pkt_data(pkt), pkt->len);
    jr_pkt_free(pkt);
    return NULL;
}

/* The kernel found the ring full since the last time. */
static void note_losses(struct jr_afpacket *a)
{
    struct tpacket_stats st;
    socklen_t len = sizeof st;
    if (getsockopt(a->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
        jr_count_n(a->counters, JR_C_DEV_RX_RING_FULL, st.tp_drops);
}

/* Turns a filled slot into a packet, or into several in a->ready, or into nothing. */
static struct jr_pkt *on_slot(struct jr_afpacket *a, struct jr_rxslot *slot, const struct jr_rxframe *f)
{
    struct jr_pkt *pkt = NULL;
    if (JR_UNLIKELY(f->status & TP_STATUS_LOSING))
        note_losses(a);
    if (f->snap < f->len) {
        if (f->status & TP_STATUS_COPY)
            pkt = take_long(a, f->vid_flags);
        else
            jr_count(a->counters, JR_C_DEV_RX_TOO_LONG);
        jr_rxring_skip(&a->ring, slot);
        return pkt;
    }
    const uint8_t *frame = slot->pkt.buf + f->off;
    struct jr_vnet_rx rx = jr_vnet_rx(f->vnet, frame, f->len);
    rx.flags |= f->vid_flags;
    if (JR_LIKELY(rx.is_whole && !rx.udp_segsz && !a->copies_all)) {
        pkt = jr_rxring_take(&a->ring, slot, f);
        pkt->flags = rx.flags;
        return pkt;
    }
    if (rx.udp_segsz)
        cut_datagrams(a, &rx, frame, f->len);
    else
        copy_out(a, frame, f->len, rx.flags);
    jr_rxring_skip(&a->ring, slot);
    return NULL;
}

/* A socket whose interface went down or away has an error, which would wake every sleep until it is read. */
static void look_at_error(struct jr_afpacket *a, jr_time now)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (now - a->error_at < ERROR_US)
        return;
    a->error_at = now;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &len) || !err || a->is_gone)
        return;
    char name[IF_NAMESIZE];
    if (if_indextoname((unsigned)a->ifindex, name))
        return;
    a->is_gone = true;
    jr_log(JR_LOG_ERROR, "port %s: interface %s is gone; start the service again when it is back", a->dev.name,
           a->interface);
}

static void watch(struct jr_afpacket *a, bool on)
{
    struct epoll_event ev = {.events = EPOLLIN};
    if (epoll_ctl(a->wait_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, a->fd, &ev) == 0)
        a->is_watched = on;
}

static unsigned afp_rx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_afpacket *a = (struct jr_afpacket *)dev;
    struct jr_rxframe f;
    unsigned got = 0;
    while (got < n) {
        struct jr_pkt *pkt = a->ready.head ? jr_pktq_pop(&a->ready) : NULL;
        if (!pkt) {
            struct jr_rxslot *slot = jr_rxring_peek(&a->ring, &f);
            if (!slot)
                break;
            pkt = on_slot(a, slot, &f);
        }
        if (!pkt)
            continue;
        dev->rx_bytes += pkt->len;
        pkts[got++] = pkt;
    }
    dev->rx_pkts += got;
    if (!got)
        look_at_error(a, now);
    a->unslept_pkts += got;
    if (a->unslept_pkts >= UNWATCH_PKTS && a->is_watched)
        watch(a, false);
    return got;
}

/* The worker is about to sleep. */
static jr_time afp_next_event(struct jr_dev *dev)
{
    struct jr_afpacket *a = (struct jr_afpacket *)dev;
    a->unslept_pkts = 0;
    if (!a->is_watched)
        watch(a, true);
    return JR_TIME_NEVER;
}

/* ---- Sending ---- */

struct batch {
    struct mmsghdr msg[BURST];
    struct iovec iov[BURST][2];
    struct virtio_net_hdr vnet[BURST];
};

/* Why the kernel did not take a packet; false: it may take it later. */
static bool is_refused(int err, enum jr_counter *why)
{
    switch (err) {
    case EAGAIN:
    case EINTR:
        return false;
    case ENETDOWN:
    case ENXIO:
    case ENODEV:
        *why = JR_C_DEV_LINK_DOWN;
        return true;
    case ENOBUFS: /* the interface's own queue is full: a drop on the way, as far as TCP goes */
        *why = JR_C_DEV_TX_QUEUE_FULL;
        return true;
    default:
        *why = JR_C_DEV_TX_PREPARE;
        return true;
    }
}

/* Up to BURST packets; returns how many are done with, sent or dropped. */
static unsigned send_some(struct jr_afpacket *a, struct jr_pkt **pkts, unsigned n)
{
    struct batch b;
    enum jr_counter why = JR_C_DEV_TX_PREPARE;
    unsigned ready = 0;
    for (; ready < n && jr_vnet_tx(pkts[ready], &b.vnet[ready]); ready++) {
        struct jr_pkt *pkt = pkts[ready];
        b.iov[ready][0] = (struct iovec){&b.vnet[ready], sizeof b.vnet[ready]};
        b.iov[ready][1] = (struct iovec){jr_pkt_data(pkt), pkt->len};
        b.msg[ready].msg_hdr = (struct msghdr){.msg_iov = b.iov[ready], .msg_iovlen = 2};
    }
    int took = ready ? sendmmsg(a->fd, b.msg, ready, MSG_DONTWAIT) : 0;
    bool refused = took < 0 ? is_refused(errno, &why) : took == 0;
    unsigned sent = took > 0 ? (unsigned)took : 0;
    for (unsigned i = 0; i < sent; i++) {
        a->dev.tx_bytes += pkts[i]->len;
        jr_pkt_free(pkts[i]);
    }
    a->dev.tx_pkts += sent;
    if (!refused)
        return sent;
    jr_drop(a->counters, pkts[sent], why);
    a->dev.tx_dropped++;
    return sent + 1;
}

static unsigned afp_tx_burst(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct jr_afpacket *a = (struct jr_afpacket *)dev;
    unsigned done = 0;
    (void)now;
    while (done < n) {
        unsigned part = n - done < BURST ? n - done : BURST;
        unsigned took = send_some(a, pkts + done, part);
        done += took;
        if (took == 0)
            break;
    }
    return done;
}

/* ---- Life ---- */

static unsigned afp_wait_fds(struct jr_dev *dev, int *fds, unsigned n)
{
    if (n)
        fds[0] = ((struct jr_afpacket *)dev)->wait_fd;
    return n ? 1 : 0;
}

static void afp_close(struct jr_dev *dev)
{
    struct jr_afpacket *a = (struct jr_afpacket *)dev;
    jr_pktq_purge(&a->ready);
    jr_rxring_close(&a->ring);
    if (a->fd >= 0)
        close(a->fd);
    if (a->wait_fd >= 0)
        close(a->wait_fd);
    jr_bufpool_fini(&a->large);
    jr_bufpool_fini(&a->small);
    free(a);
}

static const struct jr_dev_ops afp_ops = {
    .rx_burst = afp_rx_burst,
    .tx_burst = afp_tx_burst,
    .next_event = afp_next_event,
    .wait_fds = afp_wait_fds,
    .close = afp_close,
};

int jr_afpacket_fd(const struct jr_dev *dev) { return ((const struct jr_afpacket *)dev)->fd; }

/* The fault layer may keep so many beside those in use. */
static unsigned small_count(const struct jr_port_config *cfg)
{
    const struct jr_fault_config *f = &cfg->fault;
    unsigned rx = f->rx.limit_pkts ? f->rx.limit_pkts : 1000, tx = f->tx.limit_pkts ? f->tx.limit_pkts : 1000;
    return cfg->buffers + (jr_fault_is_active(f) ? rx + tx : 0);
}

/* Faults in sending take the offloads away, and with them the need for long frames. */
static bool has_tx_faults(const struct jr_port_config *cfg)
{
    const struct jr_fault_config tx = {.tx = cfg->fault.tx};
    return jr_fault_is_active(&tx);
}

size_t jr_afpacket_bytes(const struct jr_port_config *cfg)
{
    return jr_bufpool_bytes(cfg->tx_queue, LARGE_ROOM) + jr_bufpool_bytes(small_count(cfg), SMALL_ROOM);
}

/* A number as root, whatever the limits of the system say; else as much of it as they allow. */
static void set_buffer(int fd, int forced, int plain)
{
    int bytes = SOCKET_BYTES;
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes))
        setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

static int set_up_socket(struct jr_afpacket *a, const struct jr_port_config *cfg)
{
    int one = 1;
    a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* protocol 0: deaf until bound */
    if (a->fd < 0) {
        int err = errno;
        jr_log(JR_LOG_ERROR, "port %s: AF_PACKET socket: %s", cfg->name, strerror(err));
        return -err;
    }
    if (setsockopt(a->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one)) {
        int err = errno;
        jr_log(JR_LOG_ERROR,
               "port %s: this kernel's AF_PACKET has no offloads (PACKET_VNET_HDR: %s); use af_xdp or tap", cfg->name,
               strerror(err));
        return -err;
    }
    if (setsockopt(a->fd, SOL_PACKET, PACKET_COPY_THRESH, &one, sizeof one))
        return -errno;
    a->wait_fd = epoll_create1(EPOLL_CLOEXEC);
    if (a->wait_fd < 0)
        return -errno;
    watch(a, true);
    if (setsockopt(a->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one))
        jr_log(JR_LOG_WARN, "port %s: the kernel's own packets will be seen as received", cfg->name);
    set_buffer(a->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(a->fd, SO_SNDBUFFORCE, SO_SNDBUF);
    int rc = jr_rxring_open(&a->ring, a->fd, cfg->rx_queue, cfg->frame_bytes);
    if (rc)
        jr_log(JR_LOG_ERROR, "port %s: receive ring of %u frames of %u bytes: %s", cfg->name, cfg->rx_queue,
               cfg->frame_bytes, strerror(-rc));
    return rc;
}

int jr_afpacket_start(struct jr_dev *dev)
{
    struct jr_afpacket *a = (struct jr_afpacket *)dev;
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = __builtin_bswap16(ETH_P_ALL), .sll_ifindex = a->ifindex};
    if (bind(a->fd, (struct sockaddr *)&to, sizeof to) == 0)
        return 0;
    int err = errno;
    jr_log(JR_LOG_ERROR, "port %s: listening on %s: %s", dev->name, a->interface, strerror(err));
    return -err;
}

int jr_afpacket_open(const struct jr_port_config *cfg, int ifindex, struct jr_counters *counters, struct jr_dev **out)
{
    struct jr_afpacket *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->fd = a->wait_fd = -1;
    a->ifindex = ifindex;
    a->counters = counters;
    a->copies_all = jr_fault_is_active(&cfg->fault);
    snprintf(a->interface, sizeof a->interface, "%.15s", cfg->interface);
    a->dev = (struct jr_dev){.ops = &afp_ops,
                             .name = cfg->name,
                             .tx_pool = has_tx_faults(cfg) ? &a->small.pool : &a->large.pool,
                             .mac = cfg->mac,
                             .mtu = cfg->mtu,
                             .mtu_max = 65535,
                             .caps = JR_DEV_TX_L4_CSUM | JR_DEV_TX_TSO | JR_DEV_RX_CSUM};
    bool has_memory = jr_bufpool_init(&a->large, cfg->tx_queue, LARGE_ROOM, counters) &&
                      jr_bufpool_init(&a->small, small_count(cfg), SMALL_ROOM, counters);
    if (!has_memory)
        jr_log(JR_LOG_ERROR, "port %s: no memory for %u buffers", cfg->name, cfg->tx_queue + small_count(cfg));
    int rc = has_memory ? set_up_socket(a, cfg) : -ENOMEM;
    if (rc) {
        afp_close(&a->dev);
        return rc;
    }
    *out = &a->dev;
    return 0;
}
