/* SPDX-License-Identifier: BSD-3-Clause */
#include "main/local.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int start(struct jr_local *l, int type, uint32_t id)
{
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->listen_fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->epoll_fd < 0 || l->listen_fd < 0)
        return -errno;
    unlink(l->addr.sun_path);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = id};
    if (bind(l->listen_fd, (struct sockaddr *)&l->addr, sizeof l->addr) || chmod(l->addr.sun_path, 0666) ||
        listen(l->listen_fd, 16) || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->listen_fd, &ev))
        return -errno;
    return 0;
}

int jr_local_listen(struct jr_local *l, const char *run_dir, const char *name, int type, uint32_t id)
{
    *l = (struct jr_local){.epoll_fd = -1, .listen_fd = -1, .addr.sun_family = AF_UNIX};
    if ((size_t)snprintf(l->addr.sun_path, sizeof l->addr.sun_path, "%s/%s", run_dir, name) >= sizeof l->addr.sun_path)
        return -ENAMETOOLONG;
    int rc = start(l, type, id);
    if (rc)
        jr_local_close(l);
    return rc;
}

void jr_local_close(struct jr_local *l)
{
    if (l->listen_fd >= 0) {
        close(l->listen_fd);
        unlink(l->addr.sun_path);
    }
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    l->listen_fd = l->epoll_fd = -1;
}

void jr_json_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\' || (unsigned char)*s < 0x20)
            fprintf(f, "\\u%04x", (unsigned char)*s);
        else
            fputc(*s, f);
    }
    fputc('"', f);
}
