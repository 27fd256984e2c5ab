/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table of small cases, each a few socket calls whose results are printed one a line. The program runs under the
 * stock libc and under the patched one against the same peer, and the two outputs must be the same. A case runs in a
 * process of its own; the peer's sockets are the kernel's, in the peer's namespace, so that one case drives both ends.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

struct diff_case {
    const char *name;
    void (*run)(void);
};

#define CASE(n)                                                                                                        \
    static void case_##n(void);                                                                                        \
    static const struct diff_case diff_of_##n = {#n, case_##n};                                                        \
    __attribute__((used, section("diff_cases"))) static const struct diff_case *const diff_at_##n = &diff_of_##n;      \
    static void case_##n(void)

/* Prints the call, what it returned and, if that was negative, errno. */
#define T(e) told(#e, (errno = 0, (long)(e)))
/* The same with a name of the case's own, for loops. */
#define TN(name, e) told(name, (errno = 0, (long)(e)))
#define BAD_PAGE(n) ((char *)bad_page() + (n))

long told(const char *what, long r);
void say(const char *form, ...) __attribute__((format(printf, 1, 2)));
/* Bytes as text, other than letters as hexadecimal. */
void say_bytes(const char *what, const void *bytes, size_t n);
/* "none", "host", "peer", "any" or the address, and whether there is a port. */
void say_addr(const char *what, const void *sa, socklen_t len);
void check(bool ok, const char *what);
#define MUST(e) check((e), #e)

struct ends {
    int s, p; /* the side under test; the peer's */
};

extern struct in_addr host_ip, peer_ip;

int peer_socket(int domain, int type);
struct sockaddr_in at(struct in_addr ip, int port);
int port_of(int fd);
struct sockaddr_in name_of(int fd);
int try_bind(int fd, struct in_addr ip, int port);
int try_connect(int fd, struct in_addr ip, int port);

/* A listener of the peer's and its port. */
int peer_listener(int *port);
/* A listener under test, on its own address. */
int listener(int *port);
int udp_bound(void);
struct ends tcp_ends(void);
struct ends accepted_ends(void); /* the side under test accepted */
struct ends udp_ends(void);      /* both connected */
/* Poll for these events; what came, 0 after a while. */
int await(int fd, short events);
void await_bytes(int fd, int n);
/* What the peer sends arrives at S, all of it. */
void feed(struct ends e, const char *text);
void *bad_page(void); /* nobody may touch it */
/* The socket is carried by the stack under test. */
void must_be_carried(int fd);
int set_int(int fd, int level, int name, int v);
int get_int(int fd, int level, int name); /* or -1 */
int set_timeout(int fd, int name, int ms);
int count_signals(int sig); /* from here on; signals() tells how many */
extern volatile sig_atomic_t signals, last_signal;
long ms_since(const struct timespec *start);
