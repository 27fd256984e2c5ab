/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagram sockets: records (struct jr_abi_dgram, payload, padding to 8) in both rings. */
#include <errno.h>
#include <stdlib.h>
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

/* data: in two pieces, h->len bytes in all. */
static int send_pieces(struct jr_sock *so, const struct jr_abi_dgram *h, const struct iovec data[2], jr_time now)
{
    const bool connected = h->peer.family == 0;
    struct jr_endpoint to = so->remote;
    struct jr_udp_tx tx;
    int r;

    if (!connected && (r = jr_sock_endpoint(so, &h->peer, &to)) < 0)
        return r;
    jr_sock_to_self(&to);
    r = jr_dgram_autobind(so, now);
    if (r == 0 && jr_relay_takes(so, &to, connected))
        return jr_relay_send(so, &to, h, data);
    if (r == 0)
        r = read_tx(so, h, &tx);
    if (r < 0)
        return r;
    return jr_udp_sendmsg(so->up, connected ? NULL : &to, data[0].iov_base, (uint32_t)data[0].iov_len, data[1].iov_base,
                          (uint32_t)data[1].iov_len, &tx, now);
}

/* ---- MSG_MORE and UDP_CORK: several sends are one datagram ---- */

struct jr_cork {
    struct jr_abi_dgram h; /* of the first: it says where the datagram goes, and how */
    uint8_t data[MAX_PAYLOAD];
};

void jr_dgram_cork_free(struct jr_sock *so)
{
    free(so->cork);
    so->cork = NULL;
}

static int cork_push(struct jr_sock *so, jr_time now)
{
    const struct iovec data[2] = {{so->cork->data, so->cork->h.len}, {so->cork->data, 0}};
    const int r = send_pieces(so, &so->cork->h, data, now);

    jr_dgram_cork_free(so);
    return r;
}

static int cork_add(struct jr_sock *so, const struct jr_abi_dgram *h, const struct iovec data[2], jr_time now)
{
    uint32_t at;

    if (!so->cork) {
        so->cork = malloc(sizeof *so->cork);
        if (!so->cork)
            return -ENOBUFS;
        so->cork->h = *h;
        so->cork->h.len = 0;
    }
    at = so->cork->h.len;
    if (at + h->len > MAX_PAYLOAD) {
        jr_dgram_cork_free(so);
        return -EMSGSIZE;
    }
    memcpy(so->cork->data + at, data[0].iov_base, data[0].iov_len);
    memcpy(so->cork->data + at + data[0].iov_len, data[1].iov_base, data[1].iov_len);
    so->cork->h.len += h->len;
    return h->flags & JR_DGRAM_MORE || so->opt.cork ? 0 : cork_push(so, now);
}

void jr_dgram_set_cork(struct jr_sock *so, bool on, jr_time now)
{
    jr_dgram_drain(so, now); /* what was sent before */
    so->opt.cork = on;
    if (!on && so->cork)
        (void)cork_push(so, now);
}

static int send_record(struct jr_sock *so, const struct jr_abi_dgram *h, jr_time now)
{
    const uint64_t off = so->snd.head + sizeof *h;
    const uint32_t at = (uint32_t)(off & (so->snd.cap - 1)), first = jr_min_u32(h->len, so->snd.cap - at);
    const struct iovec data[2] = {{so->snd.base + at, first}, {so->snd.base, h->len - first}};

    if (JR_UNLIKELY(so->cork || so->opt.cork || h->flags & JR_DGRAM_MORE))
        return cork_add(so, h, data, now);
    return send_pieces(so, h, data, now);
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
    if (n > 0)
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

/*
 * What a datagram counts for against SO_RCVBUF: Linux's sk_buff with the memory that it comes in, whose sizes are
 * the allocator's. Programs choose their buffers by it.
 */
static uint32_t truesize(const struct jr_sock *so, uint32_t len)
{
    enum { SKB = 256, SHARED_INFO = 320, SMALL_HEAD = 576, LINEAR_MAX = 16384, SLACK = 31 };
    const uint32_t head = ((len + (so->is_v6 ? 48u : 28u) + SLACK + 63) & ~63u) + SHARED_INFO;
    uint32_t bucket = 1024;

    if (head <= SMALL_HEAD)
        return SKB + SMALL_HEAD;
    if (head > LINEAR_MAX)
        return SKB + SMALL_HEAD + len;
    while (bucket < head)
        bucket *= 2;
    return SKB + bucket;
}

static void charge(struct jr_sock *so, uint32_t len)
{
    if (so->opt.rcvbuf)
        so->charged += truesize(so, len);
}

/* Takes off what the program has read since. It may have written nonsense there: then the count is started anew. */
static void discharge(struct jr_sock *so)
{
    struct jr_abi_dgram h;

    while (so->charged_from < so->rcv.head && so->charged) {
        jr_sockbuf_read(&so->rcv, so->charged_from, &h, sizeof h);
        if (h.len > MAX_PAYLOAD)
            break;
        so->charged -= jr_min_u32(so->charged, truesize(so, h.len));
        so->charged_from += record_size(h.len);
    }
    if (so->rcv.head == so->rcv.tail || so->charged_from > so->rcv.tail)
        so->charged = 0;
    if (so->charged_from < so->rcv.head || so->charged == 0)
        so->charged_from = so->rcv.head;
}

/* SO_RCVBUF, which is not the ring's: that holds the largest datagram at least. As in Linux one datagram always fits.
 */
static bool is_full(const struct jr_sock *so, uint32_t len)
{
    return so->opt.rcvbuf && so->charged && so->charged + truesize(so, len) > (uint32_t)so->opt.rcvbuf;
}

/* Room for a record, after a look at how far the app has read and perhaps with a larger ring. */
static bool make_room(struct jr_sock *so, uint64_t need, uint32_t len, jr_time now)
{
    /* what was read and is not taken off yet must not be written over */
    const bool counted = !so->opt.rcvbuf || so->rcv.tail + need - so->charged_from <= so->rcv.cap;

    if (counted && jr_sockbuf_space(&so->rcv) >= need && !is_full(so, len))
        return true;
    if (jr_ring_take_rx(&so->sl->rx, &so->rcv) & JR_RING_BAD) {
        jr_sock_violation(so, JR_C_SHM_RING_BAD, now);
        return false;
    }
    if (so->opt.rcvbuf)
        discharge(so);
    if (jr_sockbuf_space(&so->rcv) < need && so->rcv.cap < so->rx_max) {
        so->rx_want = so->rcv.cap * 2;
        jr_tune_try_rx(so, now);
    }
    return jr_sockbuf_space(&so->rcv) >= need && !is_full(so, len);
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
    if (!make_room(so, grown, h->len, now))
        return false;
    jr_sockbuf_write(&so->rcv, so->merge_at + sizeof *h + last->len, data, h->len);
    so->rcv.tail += grown;
    charge(so, h->len);
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
    charge(so, h->len);
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
        if (!make_room(so, record_size(h->len), h->len, now)) {
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
