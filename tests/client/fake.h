/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A service in a thread of the test: just enough of the shared memory's other side for the client's own tests.
 * Connections go from a connecting socket to a listener of the same fake by copying ring to ring, or through a pair
 * region. The thread has a table of file descriptors of its own: nothing of its is among the test's.
 */
#ifndef JR_TESTS_CLIENT_FAKE_H
#define JR_TESTS_CLIENT_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "jr_abi.h"

struct fake_config {
    bool pairs;            /* connections are local pairs */
    uint32_t ring;         /* bytes of a ring at first; 0: 16384 */
    uint32_t grant;        /* tx_grant; 0: ring */
    uint32_t checksum_off; /* added to the checksum that HELLO answers */
    bool silent;           /* takes connections but never answers */
    uint32_t listen_route; /* JR_ROUTE_*; 0: SERVICE */
    uint32_t spin_us;
    uint32_t hold_us; /* after CONNECT, before the connection is there */
    bool refuse_handles;
};

void fake_start(const struct fake_config *cfg);
/* The way a service dies: the kernel marks its robust words and closes its fds. */
void fake_die(void);
void fake_stop(void);
/* 198.18.0.0/15 goes to the service; all else does not. */
struct jr_abi_policy *fake_policy(void);
/* Stops moving bytes between rings, and goes on. */
void fake_hold(bool on);
/* Kernel close reports of handles seen so far, handles given out. */
unsigned fake_closes(void);
unsigned fake_handles(void);
unsigned fake_bells(void);
/* How often a process came. */
unsigned fake_attached(void);
/* Moves the socket with this local port into a segment of its own. */
bool fake_move(uint16_t port);
/* The same when the next event queue is made: between the client's look at the socket and its watching it. */
void fake_move_at_next_queue(uint16_t port);
bool fake_moves_at_queue(void); /* still to come */
/* RST from the peer of the socket with this local port. */
void fake_reset(uint16_t port);
/* Returns when all that was posted before has been dealt with: bytes moved, closes seen. */
void fake_settle(void);

#endif
