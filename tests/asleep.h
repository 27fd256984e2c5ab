/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting until somebody else waits: in the kernel, which is where a blocking call ends. */
#ifndef JR_TESTS_ASLEEP_H
#define JR_TESTS_ASLEEP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

/* Until the thread or process has slept for some milliseconds; at most so many seconds, 0: for ever. */
static inline void wait_asleep_for(pid_t tid, int seconds)
{
    const struct timespec ms = {0, 1000000};
    char path[64], line[256];

    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    for (int calm = 0, i = 0; calm < 10 && (seconds == 0 || i < seconds * 1000); i++) {
        FILE *f = fopen(path, "re");
        if (!f)
            return;
        const bool asleep = fgets(line, sizeof line, f) && strrchr(line, ')') && strrchr(line, ')')[2] == 'S';
        fclose(f);
        calm = asleep ? calm + 1 : 0;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
    }
}

#endif
