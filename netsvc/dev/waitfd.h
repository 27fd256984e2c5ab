/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The drivers keep their sockets to themselves, but a sleeping service must wait on them: whatever packet socket,
 * XDP socket or tap queue the process has after opening a port and had not before is that port's.
 */
#ifndef JR_DEV_WAITFD_H
#define JR_DEV_WAITFD_H

enum { JR_WAITFD_MAX = 16 };

struct jr_waitfds {
    int fd[JR_WAITFD_MAX];
    unsigned n;
};

/* All of the process. */
void jr_waitfds_scan(struct jr_waitfds *out);
/* Takes those in before off after. */
void jr_waitfds_subtract(struct jr_waitfds *after, const struct jr_waitfds *before);

#endif
