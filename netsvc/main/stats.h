/* SPDX-License-Identifier: BSD-3-Clause */
/* run_dir/stats.sock: whoever connects reads one JSON document of counters, ports and sockets, then end of file. */
#ifndef JR_MAIN_STATS_H
#define JR_MAIN_STATS_H

struct jr_stats;
struct jr_worker;

/* NULL and errno. */
struct jr_stats *jr_stats_new(struct jr_worker *w);
void jr_stats_free(struct jr_stats *st);
/* Readable when jr_stats_service() has something to do. */
int jr_stats_epoll_fd(const struct jr_stats *st);
void jr_stats_service(struct jr_stats *st);

/* telemetry.c: the commands /joyride/... of DPDK's telemetry. They read w from another thread until the process ends.
 */
void jr_telemetry_register(struct jr_worker *w);

#endif
