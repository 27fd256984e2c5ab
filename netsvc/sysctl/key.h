/* SPDX-License-Identifier: BSD-3-Clause */
/* A knob that is a secret of 16 bytes. */
#ifndef JR_SYSCTL_KEY_H
#define JR_SYSCTL_KEY_H

#include <stdint.h>

struct jr_sysctl_key {
    uint32_t serial; /* grows each time it is set; 0: never was */
    uint8_t b[16];
};

#endif
