/* Commands to the service through the cells of a segment: the rare calls.
   They are answered at once, so the wait is not interruptible; what takes
   long (a connection) is waited for on the socket itself.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define TURN_US 20

/* A cell whose owner died while the command was under way.  */
static void
reclaim (struct jr_seg *seg)
{
  for (uint32_t i = 0; i < JR_SEG_CELLS; i++)
    {
      uint32_t owner = ld_relaxed (&seg->cells[i].owner);
      if (owner == 0 || jr_sys_thread_exists (owner)
	  || (ld_relaxed (&seg->app->posted) & 1ull << i))
	continue;
      if (cas (&seg->cells[i].owner, &owner, 0))
	clear_bits (&seg->app->cell_claim, 1ull << i);
    }
}

static struct jr_abi_cell *
claim (struct jr_seg *seg, uint32_t *index)
{
  for (unsigned int tries = 1; !jr_gone (seg); tries++)
    {
      uint64_t used = ld_relaxed (&seg->app->cell_claim);
      if (~used != 0)
	{
	  *index = __builtin_ctzll (~used);
	  if (!(set_bits (&seg->app->cell_claim, 1ull << *index) & 1ull << *index))
	    {
	      struct jr_abi_cell *cell = &seg->cells[*index];
	      st_relaxed (&cell->owner, jr_sys_tid ());
	      return cell;
	    }
	  continue;
	}
      if (tries % 1000 == 0)
	reclaim (seg);
      __jr_yield ();
    }
  return NULL;
}

static void
unclaim (struct jr_seg *seg, uint32_t index)
{
  st_release (&seg->cells[index].owner, 0);
  clear_bits (&seg->app->cell_claim, 1ull << index);
}

static void
post (struct jr_seg *seg, uint32_t index)
{
  set_bits (&seg->app->posted, 1ull << index);
  jr_fence_rmw ();
  if (ld_relaxed (&jr_policy ()->sleep_epoch) & 1)
    __jr_bell ();
}

/* A service that is awake answers within a turn: sooner than a sleep and a
   wake-up would take.  If others wait for a core, sleeping is better than
   sched_yield: who yields waits until their slices end.  */
static bool
answered (struct jr_abi_cell *cell, uint32_t before)
{
  const struct jr_abi_policy *policy = jr_policy ();
  bool awake = !(ld_relaxed (&policy->sleep_epoch) & 1);
  int64_t us = ld_relaxed (&policy->spin_us);
  if (awake && us < TURN_US && !ld_relaxed (&policy->crowded))
    us = TURN_US;
  int64_t end = us == 0 ? 0 : jr_sys_now (CLOCK_MONOTONIC) + us * 1000;
  for (;;)
    {
      for (int i = 0; i < 64; i++)
	{
	  if (ld_acquire (&cell->done) != before)
	    return true;
	  jr_pause ();
	}
      if (us == 0 || jr_sys_now (CLOCK_MONOTONIC) >= end)
	return false;
    }
}

/* Sleeps in slices of a second, so that the end of the service is noticed.  */
static int
await (struct jr_seg *seg, struct jr_abi_cell *cell, uint32_t before)
{
  if (answered (cell, before))
    return 0;
  add_fetch (&cell->wait, 1);
  jr_fence_rmw ();
  while (ld_acquire (&cell->done) == before)
    {
      if (jr_owner_gone (ld_acquire (&seg->hdr->owner)))
	return -ECONNRESET;
      struct timespec ts = { .tv_sec = 1 };
      jr_sys_futex_wait (&cell->done, before, &ts, false);
    }
  return 0;
}

static int
command (struct jr_sock *s, uint32_t op, const void *req, uint32_t req_len,
	      void *rep, uint32_t rep_len)
{
  struct jr_seg *seg = s->seg;
  uint32_t index;
  uint64_t mask;
  /* A cell left behind by a longjmp would be lost.  */
  jr_sys_sigblock (&mask);
  struct jr_abi_cell *cell = claim (seg, &index);
  int r = -ECONNRESET;
  if (cell != NULL)
    {
      uint32_t before = ld_relaxed (&cell->done);
      cell->op = op;
      cell->slot = s->idx;
      cell->len = req_len;
      memcpy (cell->req, req, req_len);
      post (seg, index);
      /* After the last socket's end nobody looks, unless just before it.  */
      bool dropped = ld_relaxed (&seg->hdr->dropped) != 0
		     && ld_acquire (&cell->done) == before;
      r = dropped ? -EBADF : await (seg, cell, before);
      if (dropped)
	unclaim (seg, index);
      if (r == 0)
	{
	  r = cell->result;
	  memcpy (rep, cell->rep, rep_len);
	  unclaim (seg, index);
	}
    }
  jr_sys_sigrestore (&mask);
  return r;
}

/* Posts OP for the socket and returns the service's result.  -ECONNRESET
   when the service is gone.  */
int
__jr_command (struct jr_sock *s, uint32_t op, const void *req, uint32_t req_len,
	      void *rep, uint32_t rep_len)
{
  int r = command (s, op, req, req_len, rep, rep_len);
  if (r == -ECONNRESET && jr_gone (s->seg))
    __jr_service_lost ();
  return r;
}

int
__jr_settle (struct jr_seg *seg, uint32_t idx)
{
  struct jr_sock s = { .fd = -1, .seg = seg, .idx = idx };
  struct jr_abi_cmd_settle_req req = { 0 };
  struct jr_abi_cmd_settle_rep rep;
  if (jr_gone (seg))
    return 0;
  int r = __jr_command (&s, JR_CMD_SETTLE, &req, sizeof req, &rep, sizeof rep);
  return r == -ECONNRESET && jr_gone (seg) ? 0 : r;
}
