/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of constants that FreeBSD has and Linux hasn't; no Linux header uses them. */
#ifndef DRILL_SYMBOL_H
#define DRILL_SYMBOL_H

enum {
    DRILL_SO_NOSIGPIPE = 0x10800,
    DRILL_IP_DONTFRAG = 0x10067,
    DRILL_TCP_NOOPT = 0x10008,
    DRILL_TCP_DELACK = 0x10048,
    DRILL_TCP_KEEPINIT = 0x10080,
    DRILL_TCP_FUNCTION_BLK = 0x12000,
    DRILL_MSG_EOF = 0x1000000,
    DRILL_SIOCATMARK = 0x8905,
};

#endif
