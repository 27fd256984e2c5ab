/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static void stderr_sink(void *ctx, enum jr_log_level level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)ctx;
    fprintf(stderr, "joyride: %s: %s\n", names[level], line);
}

static jr_log_sink log_sink = stderr_sink;
static void *log_ctx;
static enum jr_log_level log_level = JR_LOG_WARN;

void jr_log_set_sink(jr_log_sink sink, void *ctx)
{
    log_sink = sink ? sink : stderr_sink;
    log_ctx = ctx;
}

void jr_log_set_level(enum jr_log_level level) { log_level = level; }

void jr_log(enum jr_log_level level, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    if (level > log_level)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    log_sink(log_ctx, level, line);
}
