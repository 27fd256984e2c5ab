/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words that the kernel changes when this thread dies, however it dies (set_robust_list(2), futex(2)): programs that
 * sleep on a segment learn in this way that the service is gone. A word holds our thread id and FUTEX_WAITERS; at
 * the thread's end the kernel replaces the id with FUTEX_OWNER_DIED and wakes one waiter. The kernel follows at most
 * 2048 words per thread; programs with segments beyond that notice by the control socket.
 */
#ifndef JR_SHM_ROBUST_H
#define JR_SHM_ROBUST_H

#include <stdint.h>

/*
 * The list must be out of programs' reach, so a word's node lies in a private page in front of the mapping that holds
 * the word. The distance is one constant for the whole list.
 */
#define JR_ROBUST_DISTANCE 4092

/* word's node is JR_ROBUST_DISTANCE before it, in writable private memory. The first call takes the thread's list over.
 */
void jr_robust_add(uint32_t *word);
/* Takes the word out of the list and leaves its value; nothing when it is not in. */
void jr_robust_del(uint32_t *word);
/* What a word says while its owner lives. */
uint32_t jr_robust_value(void);
/* What it says once the owner ended on purpose: the same as after its death. */
uint32_t jr_robust_dead(void);

#endif
