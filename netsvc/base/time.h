/* SPDX-License-Identifier: BSD-3-Clause */
/* Time is a value that the caller passes in: microseconds of a clock that never goes back. */
#ifndef JR_BASE_TIME_H
#define JR_BASE_TIME_H

#include <stdint.h>

typedef uint64_t jr_time; /* microseconds */
#define JR_TIME_NEVER UINT64_MAX
#define JR_MS 1000ull
#define JR_SEC 1000000ull

#endif
