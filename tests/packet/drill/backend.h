/* SPDX-License-Identifier: BSD-3-Clause */
/* What runs a script: the engine in this process with a clock of its own, or the Linux kernel. */
#ifndef DRILL_BACKEND_H
#define DRILL_BACKEND_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "script.h"

enum sys_no {
    SYS_SOCKET,  /* a: domain, b: type, c: protocol */
    SYS_BIND,    /* addr */
    SYS_LISTEN,  /* a: backlog */
    SYS_ACCEPT,  /* a: flags of accept4(); addr comes back */
    SYS_CONNECT, /* addr */
    SYS_SEND,    /* len, flags, addr if addrlen */
    SYS_RECV,    /* len, flags; addr and msg_flags come back */
    SYS_CLOSE,
    SYS_SHUTDOWN,   /* a: how */
    SYS_SETSOCKOPT, /* a: level, b: name, val, len */
    SYS_GETSOCKOPT,
    SYS_FCNTL, /* a: command, b: argument */
    SYS_IOCTL, /* a: request; b comes back */
    SYS_POLL,  /* fds, nfds, a: timeout in ms */
    SYS_EPOLL_CREATE,
    SYS_EPOLL_CTL,  /* fd: the set, a: operation, b: the socket, events[0] */
    SYS_EPOLL_WAIT, /* fd, events, nfds: most, a: timeout in ms */
    SYS_GETSOCKNAME,
    SYS_GETPEERNAME,
};

struct sys {
    enum sys_no no;
    int fd; /* the backend's */
    int a, b, c, flags;
    uint32_t len;     /* bytes to send or receive, or of val */
    uint8_t val[512]; /* of an option */
    struct sockaddr_storage addr;
    socklen_t addrlen; /* 0: none */
    int msg_flags;
    struct pollfd fds[8];
    struct epoll_event events[8];
    unsigned nfds;
    bool may_block; /* the script gives it a time to end */

    bool done;
    long ret; /* -1: err tells why */
    int err;
    uint32_t moved;   /* bytes of a call that blocks in the middle; for the backend */
    int64_t since_us; /* when it began */
    void *priv;
};

#define FRAME_MAX 66000u

struct frame { /* a packet that the stack sent, from its IP header on */
    int64_t at_us;
    uint32_t len;
    uint8_t b[FRAME_MAX];
};

struct backend {
    const struct backend_ops *ops;
};

struct backend_ops {
    /* Microseconds since the script began. */
    int64_t (*now)(struct backend *be);
    /* Lets time pass until then, or until something happened; the caller looks and asks again. */
    void (*pass)(struct backend *be, int64_t until_us);
    void (*inject)(struct backend *be, const uint8_t *ip, uint32_t len);
    /* The oldest packet sent and not yet taken. */
    bool (*sent)(struct backend *be, struct frame *out);
    /* Runs what stands between backquotes; false: why not. */
    bool (*command)(struct backend *be, const char *text, char *why, size_t room);
    /* Begins a call, and asks for one that began: done tells whether it is over. */
    void (*begin)(struct backend *be, struct sys *sys);
    void (*again)(struct backend *be, struct sys *sys);
    /* Closes what is open; false: why the stack is not as it was before. */
    bool (*end)(struct backend *be, char *why, size_t room);
};

struct backend *engine_new(const struct options *opt);
/* NULL: why */
struct backend *kernel_new(const struct options *opt, char *why, size_t room);

#endif
