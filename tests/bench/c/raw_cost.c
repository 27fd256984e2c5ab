/* SPDX-License-Identifier: BSD-3-Clause */
/* What a system call costs in raw mode, by libc and without it, in nanoseconds:
 *
 *     LOADER raw_cost; JOYRIDE_RAW=1 LOADER raw_cost      LOADER is /opt/joyride/ld.so
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 1000, RUNS = 300 };

static long inlined(void)
{
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(SYS_getppid) : "rcx", "r11", "memory");
    return r;
}

static long by_libc(void) { return getppid(); }

/* The best of many short runs: the rest is other work on the machine. */
static double measure(long (*call)(void))
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int i = 0; i < CALLS; i++)
            call();
        clock_gettime(CLOCK_MONOTONIC, &b);
        double ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / CALLS;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(void)
{
    printf("getppid, ns: by libc %.0f, without libc %.0f\n", measure(by_libc), measure(inlined));
    return 0;
}
