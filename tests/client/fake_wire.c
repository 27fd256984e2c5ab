/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake service's wire: bytes go from ring to ring, datagrams to whoever has the port. */
#include "fake_int.h"

#include <string.h>
#include <sys/socket.h>

/* One direction of the wire. */
bool fake_move_bytes(struct sock *from, struct sock *to)
{
    struct jr_abi_slot *a = slot_of(from), *b = slot_of(to);
    bool did = false;
    uint64_t tail = __atomic_load_n(&a->tx.tail, __ATOMIC_ACQUIRE);
    uint32_t cap = __atomic_load_n(&a->tx.cap, __ATOMIC_ACQUIRE), rcap = b->rx.cap;
    uint64_t head = __atomic_load_n(&b->rx.head, __ATOMIC_ACQUIRE);
    if (from->pair >= 0)
        return false;
    if (tail - from->tx_head > cap)
        die("tx ring is wrong");
    while (from->tx_head < tail && to->rx_tail - head < rcap) {
        uint64_t n = tail - from->tx_head, room = rcap - (to->rx_tail - head);
        uint64_t x = cap - (from->tx_head & (cap - 1)), y = rcap - (to->rx_tail & (rcap - 1));
        n = n < room ? n : room;
        n = n < x ? n : x;
        n = n < y ? n : y;
        memcpy(ring_of(to, 1) + (to->rx_tail & (rcap - 1)), ring_of(from, 0) + (from->tx_head & (cap - 1)), n);
        from->tx_head += n;
        to->rx_tail += n;
        did = true;
    }
    if (did) {
        __atomic_store_n(&a->tx.head, from->tx_head, __ATOMIC_RELEASE);
        __atomic_store_n(&b->rx.tail, to->rx_tail, __ATOMIC_RELEASE);
        full_fence();
        fake_tell(to, FAKE_DATA);
        fake_tell(from, FAKE_SPACE);
    }
    if ((__atomic_load_n(&a->tx.flags, __ATOMIC_ACQUIRE) & JR_RING_FIN) && from->tx_head == tail && !from->fin_passed &&
        tail == __atomic_load_n(&a->tx.tail, __ATOMIC_ACQUIRE)) {
        from->fin_passed = true;
        fake_set_state(from, JR_ST_TX_CLOSED, 0);
        fake_set_state(to, JR_ST_RX_EOF, 0);
        fake_tell(to, FAKE_STATE);
        did = true;
    }
    return did;
}

/* A datagram socket sends to whichever datagram socket has the port. */
bool fake_move_dgrams(struct sock *from)
{
    struct jr_abi_slot *a = slot_of(from);
    uint64_t tail = __atomic_load_n(&a->tx.tail, __ATOMIC_ACQUIRE);
    uint32_t cap = __atomic_load_n(&a->tx.cap, __ATOMIC_ACQUIRE);
    bool did = false;
    while (from->tx_head < tail) {
        struct jr_abi_dgram h;
        uint8_t all[70000];
        for (size_t i = 0; i < sizeof h; i++)
            ((uint8_t *)&h)[i] = ring_of(from, 0)[(from->tx_head + i) & (cap - 1)];
        size_t n = sizeof h + ((h.len + 7) & ~7u);
        for (size_t i = 0; i < n; i++)
            all[i] = ring_of(from, 0)[(from->tx_head + i) & (cap - 1)];
        if (!(from->state & JR_ST_BOUND)) {
            a->local.port = (uint16_t)(50000 + fake.serial++ % 10000);
            a->local.family = (uint16_t)a->family;
            fake_set_state(from, JR_ST_BOUND, 0);
        }
        uint16_t port = h.peer.family ? h.peer.port : a->remote.port;
        h.peer = a->local;
        h.peer.family = (uint16_t)a->family;
        h.ttl = 64;
        memcpy(all, &h, sizeof h);
        for (unsigned i = 0; i < fake.nsegs * JR_SEG_SLOTS; i++) {
            struct sock *to = &fake.sock[i];
            if (!to->handle_open || slot_of(to)->type != SOCK_DGRAM || !(to->state & JR_ST_BOUND) ||
                slot_of(to)->local.port != port)
                continue;
            struct jr_abi_slot *b = slot_of(to);
            if (to->rx_tail - __atomic_load_n(&b->rx.head, __ATOMIC_ACQUIRE) + n > b->rx.cap)
                break;
            for (size_t k = 0; k < n; k++)
                ring_of(to, 1)[(to->rx_tail + k) & (b->rx.cap - 1)] = all[k];
            to->rx_tail += n;
            __atomic_store_n(&b->rx.tail, to->rx_tail, __ATOMIC_RELEASE);
            full_fence();
            fake_tell(to, FAKE_DATA);
            break;
        }
        from->tx_head += n;
        did = true;
    }
    if (did) {
        __atomic_store_n(&a->tx.head, from->tx_head, __ATOMIC_RELEASE);
        full_fence();
        fake_tell(from, FAKE_SPACE);
    }
    return did;
}
