/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the service's log lines go: stderr, with the time and the level, or with the journal's priorities. */
#ifndef JR_MAIN_LOGSINK_H
#define JR_MAIN_LOGSINK_H

void jr_logsink_install(void);

#endif
