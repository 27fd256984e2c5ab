/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two hosts in a process of their own: the service without its device drivers, twice, and a wire between them.
 * A program is on the one whose socket JOYRIDE_SOCKET names when it makes its first socket.
 */
#ifndef JR_TESTS_CLIENT_MINI_H
#define JR_TESTS_CLIENT_MINI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MINI_A "10.9.0.1"
#define MINI_B "10.9.0.2"

struct mini_config {
    uint32_t spin_us;
    uint32_t ring_init; /* 0: the default */
    bool no_pairs;
    bool udp_wildcard;
    bool multicast;
    bool busy;           /* never sleeps */
    uint32_t lose_every; /* drops one frame in so many */
};

void mini_start(const struct mini_config *cfg);
void mini_on(char host); /* 'a' or 'b': where this process's next attach goes */
void mini_kill(void);    /* SIGKILL */
void mini_stop(void);    /* fails the test if it did not end well */

#endif
