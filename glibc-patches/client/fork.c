/* fork.  Both sides keep the sockets that there were; neither makes new ones
   in memory that the other maps.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

static uint64_t fork_mask;
static bool fork_held;

void
__jr_fork_prepare (void)
{
  uint64_t mask;
  __jr_epoll_fork_prepare ();
  __jr_lock_take (&__jr.lock, &mask);
  uint64_t inner;
  __jr_lock_take (&__jr.limit_lock, &inner);
  fork_mask = mask;
  fork_held = true;
  for (uint32_t i = 0; i < __jr.nsegs; i++)
    if (__jr.seg[i] != NULL && !ld_relaxed (&__jr.seg[i]->shared))
      st_relaxed (&__jr.seg[i]->shared, 1);	/* else its page would be copied */
}

void
__jr_fork_parent (void)
{
  if (!fork_held)
    return;
  fork_held = false;
  uint64_t mask = fork_mask;
  __jr_lock_leave (&__jr.limit_lock);
  __jr_lock_drop (&__jr.lock, &mask);
  __jr_epoll_fork_done (false);
}

/* Parked handles would keep the parent's sockets open; the rest serves the
   parent's queues.  */
static void
close_internal (void)
{
  uint64_t ent;
  int run = -1, last = -1;
  for (int fd = __jr_fd_next (0, &ent); fd >= 0; fd = __jr_fd_next (fd + 1, &ent))
    {
      if (jr_ent_kind (ent) != JR_FD_INTERNAL || jr_ent_use (ent) == JR_USE_BELL
	  || jr_ent_use (ent) == JR_USE_SHADOW || jr_ent_use (ent) == JR_USE_TRACE)
	continue;
      __jr_fd_take (fd);
      if (fd != last + 1 || run < 0)
	{
	  if (run >= 0)
	    jr_sys_close_range (run, last, 0);
	  run = fd;
	}
      last = fd;
    }
  if (run >= 0 && jr_sys_close_range (run, last, 0) == -ENOSYS)
    for (; run <= last; run++)
      jr_sys_close (run);
}

/* Most children execute another program at once: writes nothing that need
   not be, for the kernel would copy the page.  */
static void
forget_parked (struct jr_seg *seg)
{
  for (int w = 0; w < 4; w++)
    if (seg->parked[w] != 0)
      seg->parked[w] = 0;
  if (seg->busy != 0)
    seg->busy = 0;
}

void
__jr_fork_child (void)
{
  if (!fork_held)
    return;
  fork_held = false;
#ifdef JR_STANDALONE
  jr_sys_forked ();
#endif
  close_internal ();
  __jr_trace_forked ();
  __jr.pid = jr_sys_pid ();
  __jr.ctl_fd = -1;
  __jr.pool = NULL;
  __jr.attached = 0;
  __jr.retry_ns = 0;
  for (uint32_t i = 0; i < __jr.nsegs; i++)
    if (__jr.seg[i] != NULL)
      forget_parked (__jr.seg[i]);
  for (uint32_t i = 0; i < JR_MAX_POLLERS; i++)
    if (__jr.poller[i] != NULL)
      {
	memset (__jr.poller[i], 0, sizeof *__jr.poller[i]);
	__jr.poller[i]->efd = -1;
      }
  __jr.lock.word = __jr.limit_lock.word = 0;
  __jr_epoll_fork_done (true);
  jr_sys_sigrestore (&fork_mask);
}
