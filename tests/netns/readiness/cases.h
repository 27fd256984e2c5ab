/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Differential tests: a program of many cases that is run twice on the same machine, with the system's libc and with
 * the patched one, and must print the same both times. The other end of every connection is a kernel socket of the
 * peer's network namespace, which a server there passes over, so that one program plays both sides.
 */
#ifndef JR_TESTS_READINESS_CASES_H
#define JR_TESTS_READINESS_CASES_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct ready_case {
    const char *name;
    void (*run)(void);
};

/* A case runs in a process of its own, beside others. What it says is compared. */
#define CASE(name_)                                                                                                    \
    static void case_##name_(void);                                                                                    \
    static const struct ready_case entry_##name_ = {#name_, case_##name_};                                             \
    static const struct ready_case *const link_##name_ __attribute__((used, section("ready_cases"))) = &entry_##name_; \
    static void case_##name_(void)

/* A line of output. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says what, the result, and errno's name when it is negative; returns the result. */
long say_result(const char *what, long result);
#define SAY(call) say_result(#call, (long)(call))
/* Ends the case with a line: what every case takes for granted went wrong. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
#define NEED(cond) ((cond) ? (void)0 : die("%s:%d: %s (errno %d)", __FILE__, __LINE__, #cond, errno))

/* "IN|RDHUP", in a buffer that the next but seven call overwrites; the bits are the same for poll and epoll. */
const char *bits_text(uint32_t bits);
const char *errno_text(int err);

extern struct sockaddr_in host4, peer4; /* port 0 */
extern struct sockaddr_in6 host6, peer6;
struct sockaddr_in at_port(struct sockaddr_in sa, uint16_t port);
uint16_t local_port(int fd);

/* A kernel socket in the peer's namespace. */
int peer_socket(int domain, int type);
/* One that listens at *sa, whose port is filled in. */
int peer_listen(struct sockaddr_in *sa);
/* The host's sockets; what is under test. These check that the service carries them when it should. */
int host_socket(int type);
int host_listen(struct sockaddr_in *sa);
void must_be_carried(int fd);
/* Connected: [0] is the host's end, [1] the peer's. */
void tcp_pair(int fd[2]);         /* the host connects */
void tcp_pair_passive(int fd[2]); /* the peer does */
void udp_pair(int fd[2]);

/* All that poll can tell about an fd, now and after at most five seconds' waiting for EVENTS. */
uint32_t poll_now(int fd);
uint32_t poll_for(int fd, short events);
/* Bytes until nothing is left; non-blocking. */
size_t drain(int fd);
/* Fills the send buffer until EAGAIN, also what the peer's receive buffer takes. */
size_t fill(int fd);
void nonblocking(int fd);
/* The next close sends RST. */
void reset(int fd);
void sleep_ms(int ms);
int64_t now_ms(void);

#endif
