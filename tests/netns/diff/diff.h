/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a differential program is made of: cases, each a few calls whose results are printed one a line. The program
 * runs on the stock libc and on the patched one, and must print the same both times. A case runs in a process of its
 * own, beside others, with a time limit.
 *
 * The other side of a connection is a kernel socket of the peer's namespace that the case holds itself, so that it
 * drives both ends (ends.c), or a service of the peer's (peer.py), where the case has to wait for another process or
 * has no right to enter the namespace. Between two programs of one host both are sockets of the stack under test.
 */
#ifndef JR_DIFF_H
#define JR_DIFF_H

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
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct diff_case {
    const char *name;
    void (*run)(void);
};

#define CASE(id)                                                                                                       \
    static void case_##id(void);                                                                                       \
    static const struct diff_case diff_of_##id = {#id, case_##id};                                                     \
    __attribute__((used, section("diff_cases"))) static const struct diff_case *const diff_at_##id = &diff_of_##id;    \
    static void case_##id(void)

extern const char *self_path, *case_name;
/* A program that executes itself, with SELF SELF HOST PEER "exec" CASE ARGS..., comes back here: CASE ARGS... */
int executed(int argc, char **argv);

/* ---- words.c: what a case says ---- */

/* One line, in one write, whatever other processes print. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An expression and its value and, if that is negative, the error. */
#define SAY(e) say_result(#e, (errno = 0, (long)(e)))
/* The same with a name of the case's own, for loops. */
#define SAY_AS(name, e) say_result(name, (errno = 0, (long)(e)))
long say_result(const char *what, long result);
/* Bytes as text, other than letters as hexadecimal. */
void say_bytes(const char *what, const void *bytes, size_t n);
/* Family, length, address, and whether there is a port. */
void say_addr(const char *what, const void *sa, socklen_t len);
/* "IN|RDHUP", in a buffer that the next but seven call overwrites; the bits are the same for poll and epoll. */
const char *bits_text(uint32_t bits);
const char *errno_text(int err);

/* What the case takes for granted; it ends when that is not so. MUST: the value is not negative. */
#define NEED(cond) ((cond) ? (void)0 : could_not(#cond, __LINE__))
#define MUST(e)                                                                                                        \
    ({                                                                                                                 \
        const long must_ = (long)(e);                                                                                  \
        if (must_ < 0)                                                                                                 \
            could_not(#e, __LINE__);                                                                                   \
        must_;                                                                                                         \
    })
void could_not(const char *what, int line) __attribute__((noreturn));

/* ---- ends.c: sockets of both sides ---- */

extern const char *host_ip, *peer_ip;
extern struct sockaddr_in host4, peer4; /* port 0 */
extern struct sockaddr_in6 host6, peer6;

struct ends {
    int s, p; /* the side under test; the peer's */
};

/* A kernel socket in the peer's namespace, or one of this side where both are one. */
int peer_socket(int domain, int type);
/* One that listens: *sa is filled in. The second: at *port. */
int peer_listen(struct sockaddr_in *sa);
int peer_listener(int *port);
/* The host's sockets, what is under test; the service carries them when it should. */
int host_socket(int type);
int host_listen(struct sockaddr_in *sa);
int host_listener(int *port);
int udp_bound(void);
void must_be_carried(int fd);

struct ends tcp_ends(void);      /* the host connects */
struct ends accepted_ends(void); /* the peer does */
struct ends udp_ends(void);      /* both connected */
/* The same: [0] is the host's end, [1] the peer's. */
void tcp_pair(int fd[2]);
void tcp_pair_passive(int fd[2]);
void udp_pair(int fd[2]);

struct sockaddr_in at(struct in_addr ip, int port);
struct sockaddr_in address(const char *ip, int port);
struct sockaddr_in name_of(int fd);
int port_of(int fd);
int try_bind(int fd, struct in_addr ip, int port);
int try_connect(int fd, struct in_addr ip, int port);

/* The peer's services (peer.py). */
enum { ECHO = 7, SILENT = 9, FULL = 10, END = 11, RESET = 12, HELLO = 13, FLOOD = 19, CONTROL = 7000 };
/* Where neither TCP nor UDP is served. */
enum { NOBODY = 5 };

/* Connected to one of them. */
int dial(int port);
int dial_udp(int port);
/* What a socket to an echo is good for. */
bool echoes(int fd);
/* A listener on an address of the host ("0.0.0.0" for all) and a free port. */
int listen_on(const char *ip, int *port);
/* Asks the peer for something (peer.py: class Control); its answer, a line without the end. */
void ask(char *answer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The peer opens COUNT connections of a KIND (its services' names) to the host's PORT. */
void call_me(int port, int count, const char *kind);

/* ---- helpers.c ---- */

void nap(int ms);
int64_t now_ms(void);
long ms_since(const struct timespec *start);

/* Poll for these events; what came, 0 after a while. */
int await(int fd, short events);
void await_bytes(int fd, int n);
/* The same for what should not come: what is there when all that is under way has arrived. */
int unready(int fd, short events);
/* All that poll can tell about an fd, now and after at most five seconds' waiting for EVENTS. */
uint32_t poll_now(int fd);
uint32_t poll_for(int fd, short events);
/* So much time has passed, and what was under way has arrived: connections made since have come and gone. */
void settle(int ms);
/* What the peer sends arrives at S, all of it. */
void feed(struct ends e, const char *text);
/* Bytes until nothing is left; non-blocking. */
size_t drain_off(int fd);
/* Fills the send buffer until EAGAIN, also what the peer's receive buffer takes. */
size_t fill_both(int fd);
void nonblocking(int fd);
/* The next close sends RST. */
void reset_at_close(int fd);
int set_int(int fd, int level, int name, int v);
int get_int(int fd, int level, int name); /* or -1 */
int set_timeout(int fd, int name, int ms);
#define BAD_PAGE(n) ((char *)bad_page() + (n))
void *bad_page(void); /* nobody may touch it */

int count_signals(int sig); /* from here on; signals tells how many */
extern volatile sig_atomic_t signals, last_signal;

/* How a child ended. */
void reap(const char *who, pid_t pid);
/* Waits until a thread or process sleeps in the kernel, which is where a blocking call ends. */
void wait_asleep(pid_t tid);
/* The first sleep on a socket may be preceded by preparations that sleep, too. */
void warm(int fd);

/* A thread that makes one call. */
struct blocked {
    pthread_t thread;
    pid_t tid; /* atomic; 0: not yet */
    long (*call)(void *);
    void *arg;
    long result;
    int error;
};
/* Starts it and waits until it sleeps. */
void block(struct blocked *b, long (*call)(void *), void *arg);
/* Whether it has come back within a time; then its result is printed. */
bool came_back(const char *who, struct blocked *b, int ms);

#endif
