/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wake-ups collected during a turn of the loop and given out at its end: futex words in shared memory, and eventfds
 * that programs sleep on.
 *
 * An eventfd is shared with the program as an open file description: a hostile one fills its counter, takes
 * O_NONBLOCK away, and a write() would block us for ever. So the kernel is made to signal it, as the completion of an
 * empty asynchronous read (io_submit(2), IOCB_FLAG_RESFD): that never waits, and it takes a batch in one call.
 */
#ifndef JR_SHM_WAKE_H
#define JR_SHM_WAKE_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>

#define JR_WAKE_BATCH 128u

struct jr_wake {
    uint32_t nfutex, nevent;
    uint32_t *futex[JR_WAKE_BATCH];
    struct iocb event[JR_WAKE_BATCH];
    aio_context_t aio; /* 0: not available, poll() and write() instead */
    uint32_t aio_unreaped;
    int null_fd;                       /* what the empty reads read from */
    uint64_t futex_wakes, event_wakes; /* ever */
    uint32_t posts;                    /* bits set in event queues, ever: their order in all segments */
};

/* 0 or a negative errno. */
int jr_wake_init(struct jr_wake *w);
void jr_wake_fini(struct jr_wake *w);
/* word must stay mapped or the address unused until the flush; a wake-up of something else there is harmless. */
void jr_wake_futex(struct jr_wake *w, uint32_t *word);
/* At once, for a word that will not be mapped at the flush. */
void jr_wake_now(uint32_t *word);
/* Flush before closing efd. */
void jr_wake_event(struct jr_wake *w, int efd);
void jr_wake_flush_slow(struct jr_wake *w);
static inline void jr_wake_flush(struct jr_wake *w)
{
    if (w->nfutex | w->nevent)
        jr_wake_flush_slow(w);
}
/* Whether fd is an eventfd: nothing else may be given to jr_wake_event(). */
bool jr_wake_is_eventfd(int fd);

#endif
