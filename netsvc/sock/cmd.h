/* SPDX-License-Identifier: BSD-3-Clause */
/* What a command's handler (jr_cmd_<name>, declared in the generated jr_dispatch.h) gets to know. */
#ifndef JR_SOCK_CMD_H
#define JR_SOCK_CMD_H

#include "base/time.h"
#include "jr_dispatch.h"

struct jr_cmd_ctx {
    struct jr_socks *ss;
    struct jr_seg *seg; /* where the cell is */
    struct jr_sock *so; /* the socket of the cell's slot */
    jr_time now;
};

#endif
