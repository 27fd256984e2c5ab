/* Waking a service that sleeps.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* Once for each time that it goes to sleep, whichever socket it is for.  It is
   noted only once it was done: a signal handler may take the thread away
   between any two steps, for good, and the others would wait for a bell that
   nobody rings.  Two threads may ring for the same sleep instead.  */
void
__jr_bell (void)
{
  uint32_t epoch = ld_relaxed (&jr_policy ()->sleep_epoch);
  if (!(epoch & 1) || ld_relaxed (&__jr.rung) == epoch)
    return;
  uint64_t one = 1;
  int fd = ld_acquire (&__jr.bell_fd);
  if (fd >= 0)
    jr_sys_write (fd, &one, sizeof one);
  st_relaxed (&__jr.rung, epoch);
}
