/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagram sockets: records (struct jr_abi_dgram, payload, padding to 8) in both rings. */
#include <errno.h>
#include <string.h>

#include "sock/port.h"
#include "sock/sock.h"

#define TURN_DGRAMS 64u
#define MAX_PAYLOAD 65507u /* 65535 - IPv4 header - UDP header */

static uint64_t record_size(uint32_t len) { return sizeof(struct jr_abi_dgram) + (((uint64_t)len + 7) & ~7ull); }

int jr_dgram_autobind(struct jr_sock *so, jr_time now)
{
    struct jr_endpoint ep = {.addr = jr_addr_v4(0)};
    int r;

    (void)now;
    if (so->st & JR_ST_BOUND)
        return 0;
    r = jr_udp_bind(so->up, &ep, 0);
    if (r < 0)
        return r;
    jr_udp_local(so->up, &ep);
    jr_port_use(so, ep.port);
    jr_sock_show_local(so, &ep);
    jr_sock_set_state(so, JR_ST_BOUND, 0);
    return 0;
}

static int send_record(struct jr_sock *so, const struct jr_abi_dgram *h, jr_time now)
{
    const uint64_t off = so->snd.head + sizeof *h;
    const uint32_t at = (uint32_t)(off & (so->snd.cap - 1)), first = jr_min_u32(h->len, so->snd.cap - at);
    struct jr_endpoint to;
    int r;

    if (h->peer.family != 0 && (r = jr_sock_endpoint(so, &h->peer, &to)) < 0)
        return r;
    if (h->peer.family != 0 && jr_addr_to_v4(to.addr) == INADDR_BROADCAST && !so->opt.broadcast)
        return -EACCES;
    r = jr_dgram_autobind(so, now);
    if (r < 0)
        return r;
    return jr_udp_send(so->up, h->peer.family ? &to : NULL, so->snd.base + at, first, so->snd.base, h->len - first,
                       h->tos ? h->tos : so->opt.tos, h->ttl ? h->ttl : so->opt.ttl, now);
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
        if (r != -ENOBUFS && r != -EAGAIN) {
            jr_sock_set_error(so, -r);
            jr_sock_touch(so, JR_SOCK_EV_STATE);
        }
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

void jr_dgram_on_close(struct jr_sock *so, jr_time now)
{
    jr_dgram_on_dirty(so, now);
    if (so->snd.head != so->snd.tail && !so->broken)
        send_ring(so, UINT32_MAX, now);
}

/* Room for a record, after a look at how far the app has read and perhaps with a larger ring. */
static bool make_room(struct jr_sock *so, uint64_t need, jr_time now)
{
    if (jr_sockbuf_space(&so->rcv) >= need)
        return true;
    if (jr_ring_take_rx(&so->sl->rx, &so->rcv) & JR_RING_BAD) {
        jr_sock_violation(so, JR_C_SHM_RING_BAD, now);
        return false;
    }
    if (jr_sockbuf_space(&so->rcv) < need && so->rcv.cap < so->rx_max) {
        so->rx_want = so->rcv.cap * 2;
        jr_tune_try_rx(so, now);
    }
    return jr_sockbuf_space(&so->rcv) >= need;
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
        .tos = rx->tos,
        .ttl = rx->ttl,
    };

    (void)up;
    if (so->broken)
        return;
    if (!make_room(so, record_size(len), now)) {
        jr_count(so->ss->cfg.counters, JR_C_SOCK_DGRAM_RX_FULL);
        return;
    }
    jr_sockbuf_write(&so->rcv, so->rcv.tail, &h, sizeof h);
    jr_sockbuf_write(&so->rcv, so->rcv.tail + sizeof h, data, len);
    so->rcv.tail += record_size(len);
    jr_tune_used(so);
    __atomic_store_n(&so->sl->rx.tail, so->rcv.tail, __ATOMIC_RELEASE);
    jr_sock_touch(so, JR_SOCK_EV_DATA);
}

static void on_error(void *arg, struct jr_udpcb *up, int err, jr_time now)
{
    (void)up;
    (void)now;
    jr_sock_set_error(arg, err);
    jr_sock_touch(arg, JR_SOCK_EV_STATE);
}

const struct jr_udp_upcalls jr_dgram_upcalls = {.input = on_input, .error = on_error};
