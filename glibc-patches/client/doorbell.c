/* Waking a service that sleeps.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* Once for each time that it goes to sleep, whichever socket it is for.  */
void
__jr_bell (void)
{
  uint32_t epoch = ld_relaxed (&jr_policy ()->sleep_epoch);
  uint32_t rung = ld_relaxed (&__jr.rung);
  if (!(epoch & 1) || rung == epoch || !cas (&__jr.rung, &rung, epoch))
    return;
  uint64_t one = 1;
  int fd = ld_acquire (&__jr.bell_fd);
  if (fd >= 0)
    jr_sys_write (fd, &one, sizeof one);
}
