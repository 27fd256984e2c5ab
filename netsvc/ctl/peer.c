/* SPDX-License-Identifier: BSD-3-Clause */
/* Who a program is: what the kernel says about the process at the other end of a control socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ctl/priv.h"

#define CAP_NET_BIND_SERVICE_BIT 10

static struct jr_user *user_get(struct jr_ctl *ctl, uint32_t uid)
{
    struct jr_user *u = ctl->users;

    while (u && u->uid != uid)
        u = u->next;
    if (!u) {
        u = calloc(1, sizeof *u);
        if (!u)
            return NULL;
        u->uid = uid;
        u->next = ctl->users;
        ctl->users = u;
    }
    u->refs++;
    return u;
}

static void user_put(struct jr_ctl *ctl, struct jr_user *u)
{
    struct jr_user **p = &ctl->users;

    if (--u->refs)
        return;
    while (*p != u)
        p = &(*p)->next;
    *p = u->next;
    free(u);
}

static ssize_t read_proc(int32_t pid, const char *file, char *buf, size_t size)
{
    char path[48];
    ssize_t n;
    int fd;

    if (pid)
        snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    else
        snprintf(path, sizeof path, "/proc/self/%s", file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, buf, size - 1);
    close(fd);
    if (n >= 0)
        buf[n] = 0;
    return n;
}

/* Capabilities count for our network namespace only when they were given in our user namespace. */
static bool is_our_userns(int32_t pid)
{
    char ours[256], theirs[256];

    return read_proc(0, "uid_map", ours, sizeof ours) > 0 && read_proc(pid, "uid_map", theirs, sizeof theirs) > 0 &&
           strcmp(ours, theirs) == 0;
}

static bool has_net_bind(int32_t pid)
{
    char buf[4096];
    const char *line;

    if (read_proc(pid, "status", buf, sizeof buf) <= 0 || !(line = strstr(buf, "\nCapEff:")))
        return false;
    return (strtoull(line + 8, NULL, 16) >> CAP_NET_BIND_SERVICE_BIT & 1) && is_our_userns(pid);
}

/* Children may still have the bell: closing our copy would not take it out of the epoll set. */
static void close_bell(const struct jr_ctl *ctl, int bell)
{
    if (bell < 0)
        return;
    epoll_ctl(ctl->epoll_fd, EPOLL_CTL_DEL, bell, NULL);
    close(bell);
}

static void peer_free(struct jr_peer *p)
{
    close_bell(p->owner, p->bell);
    user_put(p->owner, p->user);
    free(p);
}

static void look_up(struct jr_peer *p)
{
    char path[32];
    ssize_t n = read_proc(p->pid, "comm", p->comm, sizeof p->comm);

    if (n > 0 && p->comm[n - 1] == '\n')
        p->comm[n - 1] = 0;
    snprintf(path, sizeof path, "/proc/%d/exe", p->pid);
    n = readlink(path, p->exe, sizeof p->exe - 1);
    p->exe[n > 0 ? n : 0] = 0;
    p->net_bind = has_net_bind(p->pid);
}

struct jr_peer *jr_peer_new(struct jr_ctl *ctl, int32_t pid, uint32_t uid, uint32_t gid)
{
    struct jr_peer *p = calloc(1, sizeof *p);

    if (!p || !(p->user = user_get(ctl, uid))) {
        free(p);
        return NULL;
    }
    p->refs = 1;
    p->bell = -1;
    p->pid = pid;
    p->uid = uid;
    p->gid = gid;
    p->owner = ctl;
    p->last_put = peer_free;
    if (pid > 0) /* 0: in no PID namespace of ours, so nothing is known but its user */
        look_up(p);
    return p;
}

bool jr_peer_may(const struct jr_peer *peer, uint32_t have, uint32_t limit)
{
    return peer->uid == 0 || limit == 0 || have < limit;
}
