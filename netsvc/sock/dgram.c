/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagram sockets: records (struct jr_abi_dgram, payload, padding to 8) in both rings. */
#include <errno.h>
#include <string.h>

#include "ip/ip.h"
#include "sock/port.h"
#include "sock/relay.h"
#include "sock/self.h"

#define TURN_DGRAMS 64u
#define MAX_PAYLOAD 65527u /* 65535 - UDP header; IPv4 takes less */
#define GRO_SEGMENTS 64u   /* in one record, as Linux's UDP_GRO_CNT_MAX */

static uint64_t record_size(uint32_t len) { return sizeof(struct jr_abi_dgram) + (((uint64_t)len + 7) & ~7ull); }

int jr_dgram_autobind(struct jr_sock *so, jr_time now)
{
    struct jr_endpoint ep;
    int r;

    (void)now;
    if (so->st & JR_ST_BOUND)
        return 0;
    jr_udp_local(so->up, &ep); /* an address without a port: it was bound to both, and connected */
    if (jr_addr_is_any(ep.addr))
        ep.addr = jr_sock_any(so);
    if (jr_self_is_on(so->ss))
        r = jr_sock_bind_picked(so, &ep);
    else
        r = jr_udp_bind(so->up, &ep, so->opt.v6only ? JR_UDP_BIND_V6ONLY : 0);
    if (r < 0)
        return r;
    jr_udp_local(so->up, &ep);
    jr_port_use(so, &ep);
    jr_sock_show_local(so, &ep);
    jr_sock_set_state(so, JR_ST_BOUND, 0);
    if (jr_self_is_on(so->ss))
        jr_relay_start(so);
    return 0;
}

/* What the record asks for beyond the socket's options. */
static int read_tx(const struct jr_sock *so, const struct jr_abi_dgram *h, struct jr_udp_tx *tx)
{
    *tx = (struct jr_udp_tx){
        .src = jr_addr_v4(0),
        .has_tos = (h->flags & JR_DGRAM_TOS) != 0,
        .tos = h->tos,
        .ttl = h->ttl,
        .segsz = h->segsz,
    };
    if (h->local.family != 0)
        memcpy(tx->src.b, h->local.addr, sizeof tx->src.b);
    if (h->ifindex == 0)
        return 0;
    tx->ifp = jr_ip_netif_by_index(so->ss->cfg.ip, h->ifindex);
    return tx->ifp ? 0 : -ENODEV;
}

static int send_record(struct jr_sock *so, const struct jr_abi_dgram *h, jr_time now)
{
    const uint64_t off = so->snd.head + sizeof *h;
    const uint32_t at = (uint32_t)(off & (so->snd.cap - 1)), first = jr_min_u32(h->len, so->snd.cap - at);
    const bool connected = h->peer.family == 0;
    struct jr_endpoint to = so->remote;
    struct jr_udp_tx tx;
    int r;

    if (!connected && (r = jr_sock_endpoint(so, &h->peer, &to)) < 0)
        return r;
    r = jr_dgram_autobind(so, now);
    if (r == 0 && jr_relay_takes(so, &to, connected)) {
        const struct iovec iov[2] = {{so->snd.base + at, first}, {so->snd.base, h->len - first}};
        return jr_relay_send(so, &to, h, iov);
    }
    if (r == 0)
        r = read_tx(so, h, &tx);
    if (r < 0)
        return r;
    return jr_udp_sendmsg(so->up, connected ? NULL : &to, so->snd.base + at, first, so->snd.base, h->len - first, &tx,
                          now);
}

/* The next record of the ring. false: the ring is empty, or lies. */
static bool next_record(struct jr_sock *so, struct jr_abi_dgram *h, jr_time now)
{
    const uint64_t avail = so->snd.tail - so->snd.head;

    if (avail == 0)
        return false;
    if (avail >= sizeof *h) {
        jr_sockbuf_read(&so->snd, so->snd.head, h, sizeof *h);
        if (h->len <= MAX_PAYLOAD && record_size(h->len) <= avail)
            return true;
    }
    jr_sock_violation(so, JR_C_SHM_DGRAM_BAD, now);
    return false;
}

static void refused(struct jr_sock *so, int err)
{
    if (so->ss->send_error) { /* the program waits for it */
        *so->ss->send_error = err;
        return;
    }
    jr_sock_set_error(so, -err);
    jr_sock_touch(so, JR_SOCK_EV_STATE);
}

/* At most max records; the rest waits in jr_socks.busy. Returns how many. */
static uint32_t send_ring(struct jr_sock *so, uint32_t max, jr_time now)
{
    uint32_t n = 0;
    struct jr_abi_dgram h;

    for (; n < max && next_record(so, &h, now); n++) {
        const int r = send_record(so, &h, now);
        so->snd.head += record_size(h.len);
        if (r >= 0)
            continue;
        jr_count(so->ss->cfg.counters, JR_C_SOCK_DGRAM_TX_FAILED);
        if (r != -ENOBUFS && r != -EAGAIN)
            refused(so, r);
    }
    __atomic_store_n(&so->sl->tx.head, so->snd.head, __ATOMIC_RELEASE);
    jr_sock_touch(so, JR_SOCK_EV_SPACE);
    if (so->snd.head != so->snd.tail && !so->broken && !jr_list_linked(&so->busy))
        jr_list_push_tail(&so->ss->busy, &so->busy);
    return n;
}

void jr_dgram_on_dirty(struct jr_sock *so, jr_time now)
{
    uint32_t what;

    if (so->broken || jr_sock_open(so) < 0 || so->kind != JR_SOCK_DGRAM)
        return;
    what = jr_ring_take_tx(&so->sl->tx, &so->snd, so->tx_grant);
    what |= jr_ring_take_rx(&so->sl->rx, &so->rcv);
    if (what & JR_RING_BAD) {
        jr_sock_violation(so, JR_C_SHM_RING_BAD, now);
    } else if (so->snd.head != so->snd.tail) {
        const uint32_t max = jr_min_u32(TURN_DGRAMS, so->ss->dgram_budget);
        jr_tune_used(so);
        so->ss->dgram_budget -= send_ring(so, max, now);
    }
}

void jr_dgram_drain(struct jr_sock *so, jr_time now)
{
    jr_dgram_on_dirty(so, now);
    if (so->snd.head != so->snd.tail && !so->broken)
        send_ring(so, UINT32_MAX, now);
}

/* SO_RCVBUF, which is not the ring's: that holds the largest datagram at least. */
static bool is_full(const struct jr_sock *so)
{
    return so->opt.rcvbuf && jr_sockbuf_used(&so->rcv) >= (uint32_t)so->opt.rcvbuf;
}

/* Room for a record, after a look at how far the app has read and perhaps with a larger ring. */
static bool make_room(struct jr_sock *so, uint64_t need, jr_time now)
{
    if (jr_sockbuf_space(&so->rcv) >= need && !is_full(so))
        return true;
    if (jr_ring_take_rx(&so->sl->rx, &so->rcv) & JR_RING_BAD) {
        jr_sock_violation(so, JR_C_SHM_RING_BAD, now);
        return false;
    }
    if (jr_sockbuf_space(&so->rcv) < need && so->rcv.cap < so->rx_max) {
        so->rx_want = so->rcv.cap * 2;
        jr_tune_try_rx(so, now);
    }
    return jr_sockbuf_space(&so->rcv) >= need && !is_full(so);
}

void jr_dgram_publish(struct jr_sock *so)
{
    if (!jr_list_linked(&so->merging))
        return;
    jr_list_del(&so->merging);
    jr_sockbuf_write(&so->rcv, so->merge_at, &so->last, sizeof so->last);
    __atomic_store_n(&so->sl->rx.tail, so->rcv.tail, __ATOMIC_RELEASE);
}

static bool same_header(const struct jr_abi_dgram *a, const struct jr_abi_dgram *b)
{
    return memcmp(&a->peer, &b->peer, sizeof a->peer) == 0 && memcmp(&a->local, &b->local, sizeof a->local) == 0 &&
           a->ifindex == b->ifindex && a->tos == b->tos && a->ttl == b->ttl;
}

/*
 * UDP_GRO: datagrams of one flow that came in this turn, all as long as the first but perhaps the last, lie in one
 * record. It is published at the end of the turn.
 */
static bool merge(struct jr_sock *so, const struct jr_abi_dgram *h, const uint8_t *data, jr_time now)
{
    struct jr_abi_dgram *last = &so->last;
    const uint32_t segsz = last->segsz ? last->segsz : last->len;
    uint64_t grown;

    if (!jr_list_linked(&so->merging) || !same_header(last, h) || h->len == 0 || h->len > segsz ||
        last->len % segsz != 0 || last->len + h->len > MAX_PAYLOAD || last->len / segsz >= GRO_SEGMENTS)
        return false;
    grown = record_size(last->len + h->len) - record_size(last->len);
    if (!make_room(so, grown, now))
        return false;
    jr_sockbuf_write(&so->rcv, so->merge_at + sizeof *h + last->len, data, h->len);
    so->rcv.tail += grown;
    last->segsz = (uint16_t)segsz;
    last->len += h->len;
    jr_count(so->ss->cfg.counters, JR_C_SOCK_DGRAM_MERGED);
    return true;
}

static void add_record(struct jr_sock *so, const struct jr_abi_dgram *h, const uint8_t *data)
{
    const uint64_t at = so->rcv.tail;

    jr_dgram_publish(so);
    jr_sockbuf_write(&so->rcv, at, h, sizeof *h);
    jr_sockbuf_write(&so->rcv, at + sizeof *h, data, h->len);
    so->rcv.tail += record_size(h->len);
    jr_tune_used(so);
    if (so->opt.gro && h->len) {
        so->last = *h;
        so->merge_at = at;
        jr_list_push_tail(&so->ss->merging, &so->merging);
    } else {
        __atomic_store_n(&so->sl->rx.tail, so->rcv.tail, __ATOMIC_RELEASE);
    }
}

void jr_dgram_take(struct jr_sock *so, const struct jr_abi_dgram *h, const uint8_t *data, jr_time now)
{
    if (so->broken)
        return;
    if (!merge(so, h, data, now)) {
        if (!make_room(so, record_size(h->len), now)) {
            so->drops++;
            jr_count(so->ss->cfg.counters, JR_C_SOCK_DGRAM_RX_FULL);
            return;
        }
        add_record(so, h, data);
    }
    jr_sock_touch(so, JR_SOCK_EV_DATA);
}

static void on_input(void *arg, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    struct jr_sock *so = arg;
    const struct jr_endpoint local = {.addr = rx->dst, .port = so->local.port};
    const struct jr_abi_dgram h = {
        .len = len,
        .peer = jr_sock_abi_addr(so, from),
        .local = jr_sock_abi_addr(so, &local),
        .ifindex = jr_ip_ifindex(rx->ifp),
        .tos = rx->tos,
        .ttl = rx->ttl,
        .stamp_us = now,
        .drops = so->drops,
        .spec_dst = jr_addr_to_v4(rx->broadcast ? jr_ip_answer_addr(so->ss->cfg.ip, rx) : rx->dst),
    };

    (void)up;
    jr_dgram_take(so, &h, data, now);
}

void jr_dgram_show_mss(struct jr_sock *so)
{
    if (so->up)
        __atomic_store_n(&so->sl->mss, jr_udp_whole_max(so->up), __ATOMIC_RELAXED);
}

static void on_error(void *arg, struct jr_udpcb *up, int err, jr_time now)
{
    (void)up;
    (void)now;
    jr_dgram_show_mss(arg);
    jr_sock_set_error(arg, err);
    jr_sock_touch(arg, JR_SOCK_EV_STATE);
}

const struct jr_udp_upcalls jr_dgram_upcalls = {.input = on_input, .error = on_error, .queue_error = jr_errq_add};
