/* Locks: our own inside the process, and those of a socket's directions in
   shared memory, whose holder may die, or be interrupted by a signal handler
   that uses the same socket.  Nobody sleeps holding the latter.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define WAITERS 0x80000000u
/* A direction is never held this long by a thread that runs.  */
#define STALE_NS (2 * JR_NSEC_PER_SEC)

static void
lock_slow (struct jr_lock *l, uint32_t me)
{
  for (int i = 0; i < 100; i++)
    {
      uint32_t old = 0;
      if (ld_relaxed (&l->word) == 0 && cas (&l->word, &old, me))
	return;
      jr_pause ();
    }
  for (;;)
    {
      uint32_t old = ld_relaxed (&l->word);
      if (old == 0)
	{
	  if (cas (&l->word, &old, me | WAITERS))
	    return;
	}
      else if ((old & WAITERS) || cas (&l->word, &old, old | WAITERS))
	jr_sys_futex_wait (&l->word, old | WAITERS, NULL, true);
    }
}

void
__jr_lock_take (struct jr_lock *l, uint64_t *mask)
{
  jr_sys_sigblock (mask);
  uint32_t old = 0, me = jr_sys_tid ();
  if (!cas (&l->word, &old, me))
    lock_slow (l, me);
}

void
__jr_lock_drop (struct jr_lock *l, const uint64_t *mask)
{
  __jr_lock_leave (l);
  jr_sys_sigrestore (mask);
}

bool
__jr_lock_try (struct jr_lock *l)
{
  uint32_t old = 0;
  return cas (&l->word, &old, jr_sys_tid ());
}

bool
__jr_lock_is_mine (struct jr_lock *l)
{
  return (ld_relaxed (&l->word) & ~WAITERS) == jr_sys_tid ();
}

bool
__jr_lock_try_enter (struct jr_lock *l)
{
  uint32_t old = 0, me = jr_sys_tid ();
  if (likely_ (cas (&l->word, &old, me)))
    return true;
  if ((old & ~WAITERS) == me)
    return false;
  lock_slow (l, me);
  return true;
}

void
__jr_lock_leave (struct jr_lock *l)
{
  if (swap (&l->word, 0) & WAITERS)
    jr_sys_futex_wake (&l->word, 1, true);
}

bool
__jr_lock_wanted (struct jr_lock *l)
{
  return ld_relaxed (&l->word) & WAITERS;
}

static bool
owner_dead (struct jr_seg *seg, uint32_t owner)
{
  if (owner == JR_LOCK_SERVICE)
    return jr_gone (seg);
  return !jr_sys_thread_exists (owner);
}

uint32_t
__jr_dir_lock (struct jr_seg *seg, uint32_t *word, uint32_t *gen, bool *nested)
{
  uint32_t me = jr_sys_tid (), seen = 0;
  int64_t since = 0;
  *nested = false;
  for (unsigned int i = 1;; i++)
    {
      uint32_t old = 0;
      if (likely_ (cas (word, &old, me)))
	break;
      if (old == me)
	{
	  *nested = true;
	  return ld_relaxed (gen);
	}
      if (i < 100)
	{
	  jr_pause ();
	  continue;
	}
      __jr_yield ();
      if (i % 64 != 0)
	continue;
      int64_t now = jr_sys_now (CLOCK_MONOTONIC_COARSE);
      if (since == 0 || ld_relaxed (gen) != seen)
	{
	  seen = ld_relaxed (gen);
	  since = now;
	}
      /* A thread that left by longjmp from a handler never unlocks.  */
      if ((owner_dead (seg, old)
	   || (old != JR_LOCK_SERVICE && now - since > STALE_NS))
	  && cas (word, &old, me))
	break;
    }
  return add_fetch (gen, 1);
}

void
__jr_dir_unlock (uint32_t *word)
{
  uint32_t me = jr_sys_tid ();
  __atomic_compare_exchange_n (word, &me, 0, false, __ATOMIC_RELEASE,
			       __ATOMIC_RELAXED);
}
