/* SPDX-License-Identifier: BSD-3-Clause */
/* What the benchmark programs share: the clock, sockets, and failing with a reason. Plain POSIX: they run on either
 * libc. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

/* Seconds on the monotonic clock. */
static inline double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* Processor seconds of this process so far. */
static inline double cpu_s(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
}

static inline struct sockaddr_in address_of(const char *ip, const char *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, ip, &sin.sin_addr) != 1) {
        errno = EINVAL;
        die(ip);
    }
    return sin;
}

/* A listening socket; says so on standard output. */
static inline int listen_on(const char *ip, const char *port)
{
    struct sockaddr_in sin = address_of(ip, port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&sin, sizeof sin) < 0)
        die("bind");
    if (listen(fd, 1024) < 0)
        die("listen");
    printf("listening\n");
    fflush(stdout);
    return fd;
}

static inline int accept_on(int listener)
{
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept");
    return fd;
}

static inline int connect_to(const char *ip, const char *port)
{
    struct sockaddr_in sin = address_of(ip, port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&sin, sizeof sin) < 0)
        die("connect");
    return fd;
}

/* One connection, made by whichever role: "listen" or "connect". */
static inline int one_connection(const char *role, const char *ip, const char *port)
{
    if (strcmp(role, "connect") == 0)
        return connect_to(ip, port);
    const int listener = listen_on(ip, port), fd = accept_on(listener);
    close(listener);
    return fd;
}

#endif
