/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines go to a sink that main/ chooses; without one, warnings and errors go to stderr. The engine logs rarely. */
#ifndef JR_BASE_LOG_H
#define JR_BASE_LOG_H

enum jr_log_level { JR_LOG_ERROR, JR_LOG_WARN, JR_LOG_INFO, JR_LOG_DEBUG };

/* line has no newline. */
typedef void (*jr_log_sink)(void *ctx, enum jr_log_level level, const char *line);

/* NULL brings the stderr sink back. Call before threads start. */
void jr_log_set_sink(jr_log_sink sink, void *ctx);
/* Lines above this level are dropped before they are formatted; JR_LOG_WARN at first. */
void jr_log_set_level(enum jr_log_level level);
void jr_log(enum jr_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
