/* SPDX-License-Identifier: BSD-3-Clause */
/* The parent of the worker: holds what must be put back however the worker ends. */
#ifndef JR_MAIN_SUPERVISOR_H
#define JR_MAIN_SUPERVISOR_H

#include "main/config.h"

/* Forks the worker, waits for its end, cleans up. ready_fd: gets a byte and is closed when the service answers; -1:
 * none. The process's exit status. */
int jr_supervisor_run(const struct jr_config *cfg, int ready_fd);

/* notify.c: sd_notify(3). Nothing happens outside of systemd. */
void jr_notify(const char *state);

#endif
