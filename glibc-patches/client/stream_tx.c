/* Sending on a stream: into the socket's transmit ring.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* Published at a time, so that the other side starts while we go on.  */
#define CHUNK (64 * 1024)

int
__jr_tx_check (struct jr_sock *s, struct jr_dir *d)
{
  uint32_t state;
  int r = jr_state (s, &state);
  if (unlikely_ (r < 0))
    return r;
  if (jr_err_pending (s->slot))
    return -JR_EPENDING;
  if (jr_gone (s->seg))
    return -EPIPE;
  if (unlikely_ (state & (JR_ST_DEAD | JR_ST_TX_CLOSED)))
    return -EPIPE;
  r = __jr_dir_tx (s, state, d);
  if (r < 0)
    return r;
  if (unlikely_ (!(state & JR_ST_CONNECTED)) && jr_is_stream (s))
    return state & JR_ST_CONNECTING ? -EAGAIN : -EPIPE;
  if (unlikely_ (ld_relaxed (&d->r->flags) & JR_RING_FIN))
    return -EPIPE;
  /* The other end of a pair is closed, or reads no more.  */
  if (unlikely_ (d->peer_watched != NULL)
      && (ld_relaxed (&d->r->cflags) & JR_RING_FIN))
    return -EPIPE;
  return 0;
}

static size_t
room (struct jr_sock *s, struct jr_dir *d, struct jr_tx *t, size_t want)
{
  uint64_t used = t->start - t->head;
  /* Well before it is full: the bytes lie right for it only now and then.  */
  if (used + want > t->cap / 2 && !t->nested)
    t->cap = __jr_tx_cap (s->slot, d->r, true);
  size_t free = used < t->cap ? t->cap - used : 0;
  return want < free ? want : free;
}

/* A last segment that is not full waits for what follows.  */
static void
mark_more (struct jr_dir *d, bool more)
{
  bool marked = ld_relaxed (&d->r->flags) & JR_RING_MORE;
  if (likely_ (more == marked))
    return;
  if (more)
    set_bits (&d->r->flags, (uint32_t) JR_RING_MORE);
  else
    clear_bits (&d->r->flags, (uint32_t) JR_RING_MORE);
}

/* Bytes taken, > 0 unless none are left; -EAGAIN: no room.  */
static ssize_t
send_some (struct jr_sock *s, struct jr_iter *it, struct jr_dir *d, int flags)
{
  struct jr_tx t;
  ssize_t r;
  size_t n;
  struct jr_iter work;
  __jr_tx_begin (s, &t);
  do
    {
      work = *it;
      r = __jr_tx_check (s, d);
      /* Data for a connection that is only begun by it.  */
      if (unlikely_ (r == -EAGAIN && (flags & MSG_FASTOPEN)))
	r = 0;
      if (unlikely_ (r < 0))
	break;
      __jr_tx_look (s, d, &t);
      n = room (s, d, &t, work.left < CHUNK ? work.left : CHUNK);
      r = n == 0 && work.left > 0 ? -EAGAIN : (ssize_t) n;
      if (n == 0)
	break;
      if (unlikely_ (!jr_iter_reads (&work, n)))
	{
	  r = -EFAULT;
	  break;
	}
      if (!__jr_tx_reserve (s, &t, n))
	continue;
      __jr_iter_to_ring (&work, d->base, t.cap, t.start, n);
      mark_more (d, flags & MSG_MORE);
      if (unlikely_ (flags & MSG_OOB))
	__jr_tx_mark (d, t.start + n);
      if (likely_ (__jr_tx_commit (s, d, &t)))
	break;
      /* The lock was taken away.  */
      __jr_tx_begin (s, &t);
    }
  while (true);
  __jr_tx_end (s, &t);
  if (r > 0)
    {
      *it = work;
      __jr_tx_published (s, d);
    }
  __jr_tx_told (&t);
  return r;
}

ssize_t
__jr_stream_send (struct jr_sock *s, const struct iovec *iov, size_t n, int flags)
{
  struct jr_iter it;
  struct jr_waiter w = { 0 };
  struct jr_dir d;
  size_t done = 0;
  ssize_t r = __jr_iter_init (&it, iov, n);
  if (r < 0)
    return r;
  bool block = !jr_nonblock (s, flags);
  for (;;)
    {
      r = send_some (s, &it, &d, flags);
      if (likely_ (r >= 0))
	{
	  done += r;
	  w.armed = false;
	  if (likely_ (it.left == 0))
	    return done;
	  continue;
	}
      w.partial = done > 0;
      if (r == -EAGAIN && (r = __jr_wait_space (s, &d, &w, block)) == 0)
	continue;
      r = __jr_outcome (s, r, done);
      if (r == -JR_EMOVED)
	{
	  w.armed = false;
	  continue;
	}
      if (r == -EPIPE && !(flags & MSG_NOSIGNAL))
	jr_sys_raise (SIGPIPE);
      return r;
    }
}
