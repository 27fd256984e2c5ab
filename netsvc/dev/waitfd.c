/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds fds by what they are: SO_DOMAIN of sockets, the device node of tap queues. */
#include "dev/waitfd.h"

#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_packet_source(int fd)
{
    int domain;
    socklen_t len = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0)
        return domain == AF_PACKET || domain == AF_XDP;
    char path[32], to[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, to, sizeof to - 1);
    if (n <= 0)
        return false;
    to[n] = 0;
    if (strcmp(to, "/dev/net/tun"))
        return false;
    struct pollfd p = {.fd = fd, .events = POLLIN}; /* a detached queue would always be "ready" with POLLERR */
    return poll(&p, 1, 0) >= 0 && !(p.revents & POLLERR);
}

void jr_waitfds_scan(struct jr_waitfds *out)
{
    out->n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir)) && out->n < JR_WAITFD_MAX;) {
        int fd = atoi(e->d_name);
        if (e->d_name[0] != '.' && fd != dirfd(dir) && is_packet_source(fd))
            out->fd[out->n++] = fd;
    }
    closedir(dir);
}

void jr_waitfds_subtract(struct jr_waitfds *after, const struct jr_waitfds *before)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < after->n; i++) {
        bool is_old = false;
        for (unsigned j = 0; j < before->n; j++)
            is_old |= before->fd[j] == after->fd[i];
        if (!is_old)
            after->fd[kept++] = after->fd[i];
    }
    after->n = kept;
}
