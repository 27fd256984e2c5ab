/* SPDX-License-Identifier: BSD-3-Clause */
/* The local sockets by which tools ask the service (stats.sock, sysctl.sock), and the JSON that they are answered in.
 */
#ifndef JR_MAIN_LOCAL_H
#define JR_MAIN_LOCAL_H

#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>

struct jr_local {
    int epoll_fd, listen_fd;
    struct sockaddr_un addr;
};

/* Listens, non-blocking, at run_dir/name for everybody; the listener's events in epoll_fd carry id. 0 or a negative
 * errno. */
int jr_local_listen(struct jr_local *l, const char *run_dir, const char *name, int type, uint32_t id);
void jr_local_close(struct jr_local *l);

/* A JSON string with its quotes. */
void jr_json_string(FILE *f, const char *s);

#endif
