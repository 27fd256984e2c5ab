/* Urgent data of streams, as Linux has it (tcp(7), RFC 6093): one byte beside
   the stream, and a mark in it where reads stop.  The ring's producer says
   where the mark is before the byte is published.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

static bool
is_inline (struct jr_sock *s)
{
  return ld_relaxed (&s->slot->app_flags) & JR_AF_OOBINLINE;
}

/* Bytes at HEAD that a read passes over because newer urgent data took the
   place of theirs.  */
static size_t
gap (struct jr_dir *d, uint64_t head, uint64_t tail)
{
  if (ld_acquire (&d->r->gap_at) != head)
    return 0;
  uint64_t end = ld_acquire (&d->r->gap_end);
  return end > head && end <= tail ? end - head : 0;
}

void
__jr_rx_urgent (struct jr_sock *s, struct jr_dir *d, uint64_t head, uint64_t tail,
		struct jr_rx_view *v)
{
  uint64_t urg = ld_acquire (&d->r->urg);
  bool in_line = is_inline (s);
  *v = (struct jr_rx_view) { .skip = in_line ? 0 : gap (d, head, tail) };
  uint64_t at = head + v->skip;
  v->n = tail - at;
  if (urg <= at)
    return;
  v->on_mark = at == urg - 1;
  if (!v->on_mark && urg - 1 <= tail)
    {
      v->n = urg - 1 - at;
      v->at_mark = true;
    }
  else if (v->on_mark && v->n > 0 && !in_line)
    {
      v->skip++;
      v->n--;
    }
}

int
__jr_urgent_state (struct jr_dir *d)
{
  uint64_t head = ld_acquire (&d->r->head), tail = ld_acquire (&d->r->tail);
  uint64_t urg = ld_acquire (&d->r->urg);
  if (urg <= head || ld_relaxed (&d->r->urg_taken) == urg)
    return -EINVAL;
  return urg <= tail ? 1 : -EAGAIN;
}

static ssize_t
take (struct jr_sock *s, struct jr_iter *it, int flags, uint32_t gen, bool nested)
{
  uint32_t state;
  struct jr_dir d;
  uint8_t byte;
  int r = jr_state (s, &state);
  if (r == 0 && (state & JR_ST_LISTENING))
    return -ENOTCONN;
  if (r == 0)
    r = __jr_dir_rx (s, state, &d);
  if (r == 0)
    r = is_inline (s) ? -EINVAL : __jr_urgent_state (&d);
  if (r == -EAGAIN && ((state & (JR_ST_RX_EOF | JR_ST_DEAD)) || jr_gone (s->seg)
		       || (ld_relaxed (&d.r->cflags) & JR_RING_FIN)))
    return 0;
  if (r < 0)
    return r;
  uint32_t cap = ld_acquire (&d.r->cap);
  uint64_t urg = ld_relaxed (&d.r->urg);
  if (!jr_cap_ok (cap))
    return -ECONNABORTED;
  __jr_ring_read (d.base, cap, urg - 1, &byte, 1);
  if (ld_acquire (&s->slot->rx_lock_gen) != gen && !nested)
    return -JR_EMOVED;
  if (it->left > 0 && !(flags & MSG_TRUNC) && !jr_iter_writes (it, 1))
    return -EFAULT;
  if (!(flags & MSG_PEEK))
    st_relaxed (&d.r->urg_taken, urg);
  if (it->left == 0)
    return 0;
  if (!(flags & MSG_TRUNC))
    __jr_iter_from_ring (it, &byte, 1, 0, 1);
  return 1;
}

/* Never waits.  */
ssize_t
__jr_urgent_recv (struct jr_sock *s, struct jr_iter *it, int flags)
{
  ssize_t r;
  do
    {
      bool nested;
      uint32_t gen = __jr_dir_lock (s->seg, &s->slot->rx_lock,
				    &s->slot->rx_lock_gen, &nested);
      r = take (s, it, flags, gen, nested);
      if (!nested)
	__jr_dir_unlock (&s->slot->rx_lock);
      r = __jr_outcome (s, r, 0);
    }
  while (r == -JR_EMOVED);
  return r;
}

/* With the lock of the direction.  */
void
__jr_tx_mark (struct jr_dir *d, uint64_t end)
{
  struct jr_abi_ring *r = d->r;
  if (d->peer_watched != NULL)
    {
      /* A pair: what the service does for a connection.  */
      uint64_t head = ld_acquire (&r->head), urg = ld_relaxed (&r->urg);
      uint64_t at = ld_relaxed (&r->gap_at) == head && ld_relaxed (&r->gap_end) > head
		    ? ld_relaxed (&r->gap_end) : head;
      if (urg == at + 1 && urg < end)
	{
	  st_release (&r->gap_end, urg);
	  st_release (&r->gap_at, head);
	}
    }
  st_release (&r->urg, end);
}
