/* Receiving from a stream: out of the socket's receive ring.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define CHUNK (256 * 1024)

/* How it stands with a socket whose ring is empty: 0 end of stream, -EAGAIN,
   or an error.  */
static int
rx_empty (struct jr_sock *s, uint32_t state, struct jr_dir *d, uint32_t rflags)
{
  if (state & JR_ST_LISTENING)
    return -ENOTCONN;
  /* Once the peer's FIN is in, no error changes what a read says.  */
  if (!(rflags & JR_RING_RST)
      && ((state & JR_ST_RX_EOF) || (rflags & JR_RING_FIN)))
    return 0;
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

/* SO_PEEK_OFF: a peek passes over what others saw.  */
static void
peek_from (struct jr_rx_view *v, size_t off)
{
  off = off < v->n ? off : v->n;
  v->skip += off;
  v->n -= off;
}

/* At least NEED bytes must be there if the end is not.  *STOP: bytes were
   read before; then: no more may be read with these.  */
static ssize_t
recv_locked (struct jr_sock *s, struct jr_iter *it, int flags, size_t need,
	     struct jr_dir *d, uint32_t gen, bool nested, bool *stop)
{
  bool more = *stop;
  *stop = false;
  uint32_t state;
  int r = jr_state (s, &state);
  if (r == 0)
    r = __jr_dir_rx (s, state, d);
  if (unlikely_ (r < 0))
    return r;
  struct jr_iter work;
  struct jr_rx_view v;
  uint64_t head;
  size_t n;
  do
    {
      uint32_t rflags = ld_acquire (&d->r->flags);
      head = ld_relaxed (&d->r->head);
      uint64_t tail = ld_acquire (&d->r->tail);
      if (unlikely_ (tail == head))
	{
	  *stop = more && ld_relaxed (&d->r->urg) == head + 1;
	  return *stop ? 0 : rx_empty (s, state, d, rflags);
	}
      jr_rx_view (s, d, head, tail, &v);
      peek_from (&v, jr_peek_from (s, flags));
      if (unlikely_ (v.on_mark) && more)
	{
	  *stop = true;
	  return 0;
	}
      if (unlikely_ (v.n == 0))
	{
	  /* Only urgent bytes, which a read passes over.  */
	  if (!(flags & MSG_PEEK) && it->left > 0)
	    cas (&d->r->head, &head, head + v.skip);
	  return rx_empty (s, state, d, rflags);
	}
      if (unlikely_ (v.n < need) && !v.at_mark
	  && rx_empty (s, state, d, rflags) == -EAGAIN)
	return -EAGAIN;
      uint32_t cap = ld_acquire (&d->r->cap);
      n = v.n < it->left ? v.n : it->left;
      if (n > CHUNK && !(flags & MSG_PEEK))
	n = CHUNK;
      if (unlikely_ (n > cap || !jr_cap_ok (cap)))
	return -ECONNABORTED;
      work = *it;
      if (unlikely_ (flags & MSG_TRUNC))
	__jr_iter_skip (&work, n);
      else if (unlikely_ (!jr_iter_writes (it, n)))
	return -EFAULT;
      else
	__jr_iter_from_ring (&work, d->base, cap, head + v.skip, n);
      /* Somebody took us for dead, perhaps to move the socket.  */
      if (unlikely_ (ld_acquire (&s->slot->rx_lock_gen) != gen) && !nested)
	return -JR_EMOVED;
      if (flags & MSG_PEEK)
	break;
    }
  /* A handler on this thread may have received meanwhile.  */
  while (n > 0
	 && !__atomic_compare_exchange_n (&d->r->head, &head, head + v.skip + n,
					  false, __ATOMIC_RELEASE,
					  __ATOMIC_RELAXED));
  jr_peek_moved (s, flags, n);
  *it = work;
  *stop = v.at_mark && n == v.n;
  if (n > 0 && !(flags & MSG_PEEK))
    __jr_rx_consumed (s, d, head + v.skip + n);
  return n;
}

static ssize_t
recv_some (struct jr_sock *s, struct jr_iter *it, int flags, size_t need,
	   struct jr_dir *d, bool *stop)
{
  bool nested;
  bool want = it->left > 0;
  uint32_t gen = __jr_dir_lock (s->seg, &s->slot->rx_lock, &s->slot->rx_lock_gen,
				&nested);
  ssize_t r = recv_locked (s, it, flags, need, d, gen, nested, stop);
  if (likely_ (!nested))
    __jr_dir_unlock (&s->slot->rx_lock);
  *stop |= r == 0 && want;
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
  bool stop;
  ssize_t r = __jr_iter_init (&it, iov, n);
  if (r < 0)
    return r;
  if (unlikely_ (flags & MSG_OOB))
    return __jr_urgent_recv (s, &it, flags);
  size_t target = target_of (s, it.left, flags);
  bool block = !jr_nonblock (s, flags);
  /* Peeked bytes stay where they are: all that count must be there at once.  */
  size_t need = 1;
  if (unlikely_ (flags & MSG_PEEK) && block)
    need = target < JR_RING_MIN ? target : JR_RING_MIN;
  for (;;)
    {
      stop = done > 0;
      r = recv_some (s, &it, flags, need, &d, &stop);
      if (likely_ (r >= 0))
	{
	  done += r;
	  w.armed = false;
	  if (stop || it.left == 0 || (flags & MSG_PEEK))
	    return done;
	  if (done >= target && r < CHUNK)
	    return done;
	  continue;
	}
      if (r == -EAGAIN)
	{
	  if (done >= target)
	    return done;
	  w.partial = done > 0;
	  r = __jr_wait_data (s, &d, &w, block);
	  if (r == 0)
	    continue;
	  /* Nothing was asked for, only waited.  */
	  if (r == -EAGAIN && block && it.left == 0 && done == 0)
	    return 0;
	}
      r = __jr_outcome (s, r, done);
      if (r != -JR_EMOVED)
	return r;
      w.armed = false;
    }
}
