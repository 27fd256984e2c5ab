/* Receiving from a stream: out of the socket's receive ring.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define CHUNK (256 * 1024)

/* How it stands with a socket whose ring is empty: 0 end of stream, -EAGAIN,
   or an error.  */
static int
rx_empty (struct jr_sock *s, uint32_t state, struct jr_dir *d, uint32_t rflags)
{
  if (jr_err_pending (s->slot))
    return -JR_EPENDING;
  if ((state & (JR_ST_RX_EOF | JR_ST_DEAD)) || (rflags & JR_RING_FIN)
      || (ld_relaxed (&d->r->cflags) & JR_RING_FIN))
    return 0;
  if (rflags & JR_RING_RST)
    return -ECONNRESET;
  if (jr_gone (s->seg))
    return set_bits (&s->slot->app_flags, JR_AF_GONE_SEEN) & JR_AF_GONE_SEEN
	   ? 0 : -ECONNRESET;
  if (state & (JR_ST_CONNECTED | JR_ST_CONNECTING))
    return -EAGAIN;
  return -ENOTCONN;
}

/* At least NEED bytes must be there if the end is not.  */
static ssize_t
recv_locked (struct jr_sock *s, struct jr_iter *it, int flags, size_t need,
	     struct jr_dir *d, uint32_t gen, bool nested)
{
  uint32_t state;
  int r = jr_state (s, &state);
  if (r == 0)
    r = __jr_dir_rx (s, state, d);
  if (unlikely_ (r < 0))
    return r;
  struct jr_iter work;
  uint64_t head;
  size_t n;
  do
    {
      uint32_t rflags = ld_acquire (&d->r->flags);
      head = ld_relaxed (&d->r->head);
      size_t avail = ld_acquire (&d->r->tail) - head;
      if (unlikely_ (avail == 0))
	return rx_empty (s, state, d, rflags);
      if (unlikely_ (avail < need)
	  && rx_empty (s, state, d, rflags) == -EAGAIN)
	return -EAGAIN;
      uint32_t cap = ld_acquire (&d->r->cap);
      n = avail < it->left ? avail : it->left;
      if (n > CHUNK && !(flags & MSG_PEEK))
	n = CHUNK;
      if (unlikely_ (n > cap || !jr_cap_ok (cap)))
	return -ECONNABORTED;
      work = *it;
      if (unlikely_ (flags & MSG_TRUNC))
	__jr_iter_skip (&work, n);
      else
	__jr_iter_from_ring (&work, d->base, cap, head, n);
      /* Somebody took us for dead, perhaps to move the socket.  */
      if (unlikely_ (ld_acquire (&s->slot->rx_lock_gen) != gen) && !nested)
	return -JR_EMOVED;
      if (flags & MSG_PEEK)
	break;
    }
  /* A handler on this thread may have received meanwhile.  */
  while (n > 0
	 && !__atomic_compare_exchange_n (&d->r->head, &head, head + n, false,
					  __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  *it = work;
  if (n > 0 && !(flags & MSG_PEEK))
    __jr_rx_consumed (s, d, head + n);
  return n;
}

static ssize_t
recv_some (struct jr_sock *s, struct jr_iter *it, int flags, size_t need,
	   struct jr_dir *d, bool *eof)
{
  bool nested;
  bool want = it->left > 0;
  uint32_t gen = __jr_dir_lock (s->seg, &s->slot->rx_lock, &s->slot->rx_lock_gen,
				&nested);
  ssize_t r = recv_locked (s, it, flags, need, d, gen, nested);
  if (likely_ (!nested))
    __jr_dir_unlock (&s->slot->rx_lock);
  *eof = r == 0 && want;
  return r;
}

/* Bytes to wait for, as sock_rcvlowat has it.  */
static size_t
target_of (struct jr_sock *s, size_t len, int flags)
{
  size_t low = flags & MSG_WAITALL ? len : s->slot->rcvlowat;
  if (low > len)
    low = len;
  return low == 0 ? 1 : low;
}

ssize_t
__jr_stream_recv (struct jr_sock *s, const struct iovec *iov, size_t n, int flags)
{
  struct jr_iter it;
  struct jr_waiter w = { 0 };
  struct jr_dir d;
  size_t done = 0;
  bool eof;
  if (unlikely_ (flags & (MSG_OOB | MSG_ERRQUEUE)))
    return flags & MSG_OOB ? -EINVAL : -EAGAIN;
  ssize_t r = __jr_iter_init (&it, iov, n);
  if (r < 0)
    return r;
  size_t target = target_of (s, it.left, flags);
  bool block = !jr_nonblock (s, flags);
  /* Peeked bytes stay where they are: all that count must be there at once.  */
  size_t need = 1;
  if (unlikely_ (flags & MSG_PEEK) && block)
    need = target < JR_RING_MIN ? target : JR_RING_MIN;
  for (;;)
    {
      r = recv_some (s, &it, flags, need, &d, &eof);
      if (likely_ (r >= 0))
	{
	  done += r;
	  w.armed = false;
	  if (eof || it.left == 0 || (flags & MSG_PEEK))
	    return done;
	  if (done >= target && r < CHUNK)
	    return done;
	  continue;
	}
      if (r == -EAGAIN)
	{
	  if (done >= target)
	    return done;
	  r = __jr_wait_data (s, &d, &w, block);
	  if (r == 0)
	    continue;
	}
      r = __jr_outcome (s, r, done);
      if (r != -JR_EMOVED)
	return r;
      w.armed = false;
    }
}
