/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handles: the descriptors that programs hold for their sockets. A handle is an open FIFO in a folder that only the
 * service may enter; inotify tells when the last copy of it is closed, in whatever process
 * (docs/adr/0001-the-socket-handle.md). It is recognised by device and inode, and only as a real open file: O_PATH
 * descriptors keep the inode but no reference.
 */
#ifndef JR_CTL_HANDLE_H
#define JR_CTL_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

struct jr_handle;
struct jr_handles;

struct jr_handles_ops {
    void *ctx;
    void (*on_closed)(void *ctx, void *user); /* the last copy is gone */
    void (*on_overflow)(void *ctx);           /* reports were lost; all handles are examined */
};

/* The folder is made, or emptied of what an earlier run left. NULL and errno. */
struct jr_handles *jr_handles_new(const char *folder, const struct jr_handles_ops *ops);
/* Closes nothing that programs hold; the names go away. */
void jr_handles_free(struct jr_handles *h);
/* Readable when there are reports. */
int jr_handles_fd(const struct jr_handles *h);
/* Reads the reports that are there. Returns how many handles were found closed. */
unsigned jr_handles_read(struct jr_handles *h);

/* A new handle, open; the caller passes *fd on and closes its own copy, which without a receiver counts as the last
 * close. NULL and errno. */
struct jr_handle *jr_handle_open(struct jr_handles *h, int *fd);
/* The inode number, by which copies of it are found in /proc. */
uint64_t jr_handle_ino(const struct jr_handle *handle);
void jr_handle_set_user(struct jr_handle *handle, void *user);
/* SIGIO, or what F_SETSIG says, to the owner of the open file. */
void jr_handle_signal(struct jr_handles *h, struct jr_handle *handle);
/* The user of the handle that fd is a copy of; NULL: it is none of ours. */
void *jr_handle_identify(struct jr_handles *h, int fd);

#endif
