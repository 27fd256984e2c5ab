/* SPDX-License-Identifier: BSD-3-Clause */
/* sd-daemon(3): under the journal a line begins with <priority>, and the journal knows the time itself. */
#include "main/logsink.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static void to_stderr(void *ctx, enum jr_log_level level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct timespec ts;
    struct tm tm;
    char stamp[32];
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &tm);
    dprintf(STDERR_FILENO, "%s.%03ld joyride-netsvc[%d] %s: %s\n", stamp, ts.tv_nsec / 1000000, (int)getpid(),
            names[level], line);
}

static void to_journal(void *ctx, enum jr_log_level level, const char *line)
{
    static const int priorities[] = {3, 4, 6, 7};
    (void)ctx;
    dprintf(STDERR_FILENO, "<%d>%s\n", priorities[level], line);
}

/* JOURNAL_STREAM names the device and inode that stderr has when it is connected to the journal. */
static int is_journal(void)
{
    const char *s = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;
    return s && sscanf(s, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
           st.st_ino == ino;
}

void jr_logsink_install(void) { jr_log_set_sink(is_journal() ? to_journal : to_stderr, NULL); }
