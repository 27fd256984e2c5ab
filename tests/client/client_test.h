/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of libc's client: the state under test is the process's, so every test has a process of its own, with the fake
 * service as a thread in it.
 */
#ifndef JR_TESTS_CLIENT_TEST_H
#define JR_TESTS_CLIENT_TEST_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../asleep.h"
#include "base/test.h"
#include "fake.h"
#include "jr-internal.h"

static inline void child_end(void)
{
    fflush(NULL);
    _exit(jr_test_failures ? 1 : 0);
}

/* True in a child, which calls child_end() within so many seconds; false in the parent, when it has. */
static inline bool in_child(unsigned seconds)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(seconds);
        unsetenv("JOYRIDE");
        return true;
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        jr_test_failures++;
    return false;
}

static inline void client_test_run(const struct fake_config *cfg, void (*body)(void))
{
    if (!in_child(60))
        return;
    if (cfg)
        fake_start(cfg);
    body();
    if (cfg)
        fake_stop();
    child_end();
}

/* CLIENT_TEST(name, .field = value, …) { … } */
#define CLIENT_TEST(name_, ...)                                                                                        \
    static void body_##name_(void);                                                                                    \
    JR_TEST(name_) { client_test_run(&(struct fake_config){__VA_ARGS__}, body_##name_); }                              \
    static void body_##name_(void)

#define ADDR "198.18.0.1"

static inline struct sockaddr_in in_addr_of(const char *addr, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, addr, &in.sin_addr);
    return in;
}

static inline int do_listen(const char *addr, uint16_t port, int flags)
{
    struct sockaddr_in in = in_addr_of(addr, port);
    int fd = __jr_socket(AF_INET, SOCK_STREAM | flags, 0);
    if (fd < 0 || __jr_bind(fd, (struct sockaddr *)&in, sizeof in) < 0 || __jr_listen(fd, 16) < 0)
        return -1;
    return fd;
}

static inline int do_dial(const char *addr, uint16_t port)
{
    struct sockaddr_in in = in_addr_of(addr, port);
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    return fd >= 0 && __jr_connect(fd, (struct sockaddr *)&in, sizeof in) == 0 ? fd : -1;
}

/* A connection: [0] connected, [1] accepted; [2] the listener. */
static inline bool connected(int fd[3])
{
    fd[2] = do_listen(ADDR, 7, 0);
    fd[0] = do_dial(ADDR, 7);
    fd[1] = __jr_accept(fd[2], NULL, NULL);
    return JR_CHECK(fd[0] >= 0) && JR_CHECK(fd[1] >= 0) && JR_CHECK(fd[2] >= 0);
}

static inline int set_nonblock(int fd) { return __jr_fcntl(fd, F_SETFL, (void *)(intptr_t)O_NONBLOCK); }

static inline uint16_t port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    __jr_getsockname(fd, (struct sockaddr *)&in, &n);
    return ntohs(in.sin_port);
}

static inline int64_t now_ms(void) { return jr_sys_now(CLOCK_MONOTONIC) / 1000000; }

/* Waits until it holds, for as long as a slow machine may need. */
#define WAIT_FOR(cond)                                                                                                 \
    do {                                                                                                               \
        for (int64_t end_ = now_ms() + 30000; !(cond) && now_ms() < end_;)                                             \
            usleep(1000);                                                                                              \
        JR_CHECK(cond);                                                                                                \
    } while (0)

static inline void wait_asleep(pid_t tid) { wait_asleep_for(tid, 0); }

#endif
