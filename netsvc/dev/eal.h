/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's environment: memory, the thread's cores, telemetry. One per process, before the first port is opened. */
#ifndef JR_DEV_EAL_H
#define JR_DEV_EAL_H

#include "dev/port.h"

struct jr_eal_config {
    uint32_t hugepages_mb; /* most huge page memory to ask the kernel for; 0: use none */
    int lcore;             /* CPU of the worker; -1: any of those the process may run on */
    bool telemetry;
    const struct jr_port_config *ports;
    unsigned n_ports;
};

/* Pages that jr_hugepages_take() made; to be given back by whoever outlives the worker. */
struct jr_hugepages {
    unsigned added;
};

/* Bytes that the ports' packet buffers need, rounded up with room for EAL itself. */
unsigned jr_eal_memory_mb(const struct jr_eal_config *cfg);
/* Sees to it that so many megabytes of 2 MiB pages are free, within limit_mb. False: not to be had. */
bool jr_hugepages_take(struct jr_hugepages *hp, unsigned need_mb, unsigned limit_mb);
void jr_hugepages_give_back(struct jr_hugepages *hp);

/* huge: jr_hugepages_take() succeeded; should they be gone by now, a new process may start without. 0 or a negative
 * errno, after logging why. */
int jr_eal_start(const struct jr_eal_config *cfg, bool huge);
void jr_eal_stop(void);

#endif
