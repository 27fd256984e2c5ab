/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device that misbehaves on purpose: it stands before another device and loses, doubles, reorders, delays,
 * damages or slows its packets, the same way every time for the same seed.
 */
#ifndef JR_DEV_FAULT_H
#define JR_DEV_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counters.h"
#include "dev/dev.h"

struct jr_fault_dir {
    double drop, duplicate, reorder, corrupt; /* probability for each packet, 0 to 1 */
    uint32_t delay_us, jitter_us;             /* every packet: delay_us plus or minus up to jitter_us */
    uint32_t reorder_us;                      /* how much later a reordered packet comes; 0: 1000 */
    uint64_t rate_bps;                        /* bits per second of the line; 0: no limit */
    uint32_t limit_pkts;                      /* packets on their way before the queue drops; 0: 1000 */
};

struct jr_fault_config {
    uint64_t seed;
    struct jr_fault_dir rx, tx;
};

bool jr_fault_is_active(const struct jr_fault_config *cfg);
/* Takes inner, which closes with the new device. NULL: no memory, inner is untouched. */
struct jr_dev *jr_fault_new(struct jr_dev *inner, const struct jr_fault_config *cfg, struct jr_counters *counters);

#endif
