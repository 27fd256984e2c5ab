/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of libc's client with the service's own code: two hosts, a wire, programs on either. */
#ifndef JR_TESTS_CLIENT_TWO_HOSTS_H
#define JR_TESTS_CLIENT_TWO_HOSTS_H

#include "client_test.h"
#include "mini.h"

static inline void run_service_test(const struct mini_config *cfg, void (*body)(void))
{
    if (!in_child(100))
        return;
    mini_start(cfg);
    body();
    child_end();
}

#define SERVICE_TEST(name_, ...)                                                                                       \
    static void body_##name_(void);                                                                                    \
    JR_TEST(name_) { run_service_test(&(struct mini_config){__VA_ARGS__}, body_##name_); }                             \
    static void body_##name_(void)

static inline pid_t program(char host, void (*f)(void *), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        jr_test_failures = 0;
        alarm(90);
        mini_on(host);
        f(arg);
        child_end();
    }
    return pid;
}

static inline void join(pid_t pid)
{
    int status = -1;
    waitpid(pid, &status, 0);
    JR_CHECK_EQ(status, 0);
}

#endif
