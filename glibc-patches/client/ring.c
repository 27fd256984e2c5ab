/* Bytes in and out of a socket's rings, and the transaction in which a
   sender does it.
   SPDX-License-Identifier: LGPL-2.1-or-later

   A sender holds the direction's lock.  A signal handler that interrupts it
   and sends on the same socket finds the lock held by its own thread.  If
   the interrupted call was copying, the handler puts its bytes behind that
   call's and lets it publish both: the order is that of the kernel, where a
   call is not interrupted while it copies.  Otherwise it works as if it held
   the lock, and the interrupted call sees that the tail moved.  */

#include "jr-internal.h"

/* Large enough for a writer and a reader on two cores to overlap, small enough
   for the caches.  */
#define PAIR_RING (1024 * 1024)

/* Low bits of jr_lslot.tx_phase; above them a count of transactions, by which
   one notices that a handler had one of its own.  */
enum { IDLE, COPYING, PUBLISHING, PHASE = 3, COUNT = 4 };

void
__jr_ring_write (uint8_t *base, uint32_t cap, uint64_t at, const void *src, size_t n)
{
  uint32_t pos = at & (cap - 1);
  size_t first = n < cap - pos ? n : cap - pos;
  memcpy (base + pos, src, first);
  if (unlikely_ (first < n))
    memcpy (base, (const uint8_t *) src + first, n - first);
}

void
__jr_ring_read (const uint8_t *base, uint32_t cap, uint64_t at, void *dst, size_t n)
{
  uint32_t pos = at & (cap - 1);
  size_t first = n < cap - pos ? n : cap - pos;
  memcpy (dst, base + pos, first);
  if (unlikely_ (first < n))
    memcpy ((uint8_t *) dst + first, base, n - first);
}

/* ---- walking over the caller's buffers ---- */

int
__jr_iter_init (struct jr_iter *it, const struct iovec *iov, size_t n)
{
  *it = (struct jr_iter) { .iov = iov, .n = n };
  for (size_t i = 0; i < n; i++)
    {
      if (unlikely_ (iov[i].iov_len > SSIZE_MAX))
	return -EINVAL;
      size_t room = JR_RW_MAX - it->left;
      it->left += iov[i].iov_len < room ? iov[i].iov_len : room;
    }
  return 0;
}

/* The next contiguous piece of at most N bytes.  */
static size_t
iter_piece (struct jr_iter *it, size_t n, uint8_t **p)
{
  while (it->n > 0 && it->off == it->iov->iov_len)
    {
      it->iov++;
      it->n--;
      it->off = 0;
    }
  if (it->n == 0)
    return 0;
  size_t have = it->iov->iov_len - it->off;
  *p = (uint8_t *) it->iov->iov_base + it->off;
  if (have > n)
    have = n;
  it->off += have;
  it->left -= have;
  return have;
}

size_t
__jr_iter_to_ring (struct jr_iter *it, uint8_t *base, uint32_t cap, uint64_t at,
		   size_t n)
{
  size_t done = 0, piece;
  uint8_t *p;
  while (done < n && (piece = iter_piece (it, n - done, &p)) > 0)
    {
      __jr_ring_write (base, cap, at + done, p, piece);
      done += piece;
    }
  return done;
}

size_t
__jr_iter_from_ring (struct jr_iter *it, const uint8_t *base, uint32_t cap,
		     uint64_t at, size_t n)
{
  size_t done = 0, piece;
  uint8_t *p;
  while (done < n && (piece = iter_piece (it, n - done, &p)) > 0)
    {
      __jr_ring_read (base, cap, at + done, p, piece);
      done += piece;
    }
  return done;
}

void
__jr_iter_skip (struct jr_iter *it, size_t n)
{
  uint8_t *p;
  size_t piece;
  while (n > 0 && (piece = iter_piece (it, n, &p)) > 0)
    n -= piece;
}

/* ---- directions ---- */

static struct jr_abi_pair *
pair_of (struct jr_sock *s, int *r)
{
  struct jr_abi_pair *pair = ld_acquire (&s->ls->pair);
  *r = 0;
  if (unlikely_ (pair == NULL || !__jr_pair_is_current (s, pair)))
    {
      *r = __jr_pair_map (s);
      pair = ld_acquire (&s->ls->pair);
      if (pair == NULL && *r == 0)
	*r = -EBADF;
    }
  return pair;
}

static uint8_t *
pair_ring (struct jr_abi_pair *pair, uint32_t i)
{
  return (uint8_t *) pair + JR_PAIR_RING_OFF + (size_t) i * JR_RING_MAX;
}

static uint8_t *
slot_ring (struct jr_sock *s, uint32_t i)
{
  return s->seg->base + JR_SEG_RING_OFF + ((size_t) s->idx * 2 + i) * JR_RING_MAX;
}

int
__jr_dir_tx (struct jr_sock *s, uint32_t state, struct jr_dir *d)
{
  if (likely_ (!(state & JR_ST_PAIR)))
    {
      *d = (struct jr_dir) { .r = &s->slot->tx, .base = slot_ring (s, 0) };
      return 0;
    }
  int r;
  struct jr_abi_pair *pair = pair_of (s, &r);
  if (r < 0)
    return r;
  uint32_t end = s->ls->pair_end;
  *d = (struct jr_dir) { .r = &pair->ring[end], .base = pair_ring (pair, end),
			 .peer_watched = &pair->watched[1 - end] };
  return 0;
}

int
__jr_dir_rx (struct jr_sock *s, uint32_t state, struct jr_dir *d)
{
  if (likely_ (!(state & JR_ST_PAIR)))
    {
      *d = (struct jr_dir) { .r = &s->slot->rx, .base = slot_ring (s, 1) };
      return 0;
    }
  int r;
  struct jr_abi_pair *pair = pair_of (s, &r);
  if (r < 0)
    return r;
  uint32_t end = s->ls->pair_end;
  *d = (struct jr_dir) { .r = &pair->ring[1 - end],
			 .base = pair_ring (pair, 1 - end),
			 .peer_watched = &pair->watched[1 - end] };
  return 0;
}

/* ---- the transmit transaction ---- */

/* Every live byte must keep its place when the capacity changes.  */
static bool
may_grow (uint32_t from, uint32_t to, uint64_t head, uint64_t tail)
{
  return head == tail
	 || ((head & (to - 1)) < from && ((tail - 1) & (to - 1)) < from);
}

uint32_t
__jr_tx_cap (struct jr_abi_slot *slot, struct jr_abi_ring *r, bool grow)
{
  uint32_t cap = ld_relaxed (&r->cap), grant = ld_relaxed (&slot->tx_grant);
  /* The ends of a pair decide themselves.  */
  if (r != &slot->tx && grant < PAIR_RING)
    grant = PAIR_RING;
  if (likely_ (grant <= cap) || grant > JR_RING_MAX || (grant & (grant - 1)) != 0)
    return cap;
  uint64_t tail = ld_relaxed (&r->tail);
  if (!may_grow (cap, grant, ld_acquire (&r->head), tail))
    return cap;
  if (grow)
    st_release (&r->cap, grant);
  return grant;
}

/* tx_frame is NULL unless the lock's holder is between here and
   __jr_tx_end.  */
static void
publish (struct jr_abi_ring *r, uint64_t end)
{
  uint64_t tail = ld_relaxed (&r->tail);
  while (tail < end
	 && !__atomic_compare_exchange_n (&r->tail, &tail, end, false,
					  __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    ;
}

static void
tx_left (struct jr_undo *u)
{
  struct jr_tx *t = (struct jr_tx *) u;
  struct jr_sock *s = t->s;
  if (t->nested)
    return;
  if (ld_relaxed (&s->slot->tx_lock) == jr_sys_tid ())
    {
      uint32_t phase = ld_relaxed (&s->ls->tx_phase);
      if ((phase & PHASE) == PUBLISHING && t->d != NULL)
	publish (t->d->r, ld_relaxed (&s->ls->tx_end));
      st_relaxed (&s->ls->tx_phase, (phase & ~PHASE) + COUNT);
      st_relaxed (&s->ls->tx_frame, NULL);
      __jr_dir_unlock (&s->slot->tx_lock);
    }
  /* What was published was sent.  */
  if (t->d != NULL && t->d->peer_watched != NULL)
    __jr_wake (&t->d->r->data_wait, &t->d->r->data_woken, &t->d->r->data_seq);
  if (t->d != NULL)
    jr_dirty (s->seg, s->idx);
}

void
__jr_tx_begin (struct jr_sock *s, struct jr_tx *t)
{
  if (__jr_undo != &t->undo)
    {
      t->s = s;
      t->d = NULL;
      /* Before the lock is taken: nobody else makes it ours, or not ours.  */
      t->nested = ld_relaxed (&s->slot->tx_lock) == jr_sys_tid ();
      jr_undo_push (&t->undo, tx_left);
    }
  t->gen = __jr_dir_lock (s->seg, &s->slot->tx_lock, &s->slot->tx_lock_gen,
			  &t->nested);
  t->append = false;
  char *here = __builtin_frame_address (0), *frame = ld_relaxed (&s->ls->tx_frame);
  if (unlikely_ (t->nested) && frame != NULL && frame <= here + 256)
    {
      /* No frame below us is alive: a handler left by longjmp.  */
      t->nested = false;
      t->gen = add_fetch (&s->slot->tx_lock_gen, 1);
      st_relaxed (&s->ls->tx_phase, (ld_relaxed (&s->ls->tx_phase) & ~PHASE) + COUNT);
    }
  if (!t->nested)
    st_relaxed (&s->ls->tx_frame, here);
}

void
__jr_tx_look (struct jr_sock *s, struct jr_dir *d, struct jr_tx *t)
{
  t->phase = ld_relaxed (&s->ls->tx_phase);
  t->d = d;
  if (unlikely_ (t->nested))
    {
      if ((t->phase & PHASE) == PUBLISHING)
	publish (d->r, ld_relaxed (&s->ls->tx_end));
      t->append = (t->phase & PHASE) == COPYING;
    }
  t->head = ld_acquire (&d->r->head);
  t->start = ld_relaxed (&d->r->tail);
  t->cap = ld_relaxed (&d->r->cap);
  if (unlikely_ (!jr_cap_ok (t->cap)))
    t->cap = 0;
  if (unlikely_ (t->append))
    t->start = ld_relaxed (&s->ls->tx_end);
}

/* Only signal handlers on the same thread are to be thought of here, but they
   may come between any two instructions.  */
static bool
same_thread_cas (uint32_t *p, uint32_t old, uint32_t new)
{
  return __atomic_compare_exchange_n (p, &old, new, false, __ATOMIC_RELAXED,
				      __ATOMIC_RELAXED);
}

/* False: a handler was quicker, look anew.  */
bool
__jr_tx_reserve (struct jr_sock *s, struct jr_tx *t, size_t n)
{
  if (unlikely_ (t->append))
    {
      /* At once, for a handler that interrupts this one.  */
      uint64_t end = t->start;
      return cas (&s->ls->tx_end, &end, t->start + n);
    }
  st_relaxed (&s->ls->tx_end, t->start + n);
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  uint32_t copying = (t->phase & ~PHASE) | COPYING;
  bool ok = same_thread_cas (&s->ls->tx_phase, t->phase, copying);
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  return ok;
}

static void
to_phase (struct jr_sock *s, uint32_t phase)
{
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  st_relaxed (&s->ls->tx_phase, phase);
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
}

/* False: the lock was taken away, begin anew.  */
bool
__jr_tx_commit (struct jr_sock *s, struct jr_dir *d, struct jr_tx *t)
{
  if (unlikely_ (t->append))
    return true;
  uint32_t count = t->phase & ~PHASE;
  /* A thread that took us for dead is copying to the same place.  */
  if (unlikely_ (!t->nested && ld_relaxed (&s->slot->tx_lock_gen) != t->gen))
    {
      to_phase (s, count + COUNT);
      return false;
    }
  to_phase (s, count | PUBLISHING);
  publish (d->r, ld_relaxed (&s->ls->tx_end));
  /* Further on than any handler went that came since.  */
  to_phase (s, (ld_relaxed (&s->ls->tx_phase) & ~PHASE) + COUNT);
  return true;
}

void
__jr_tx_end (struct jr_sock *s, struct jr_tx *t)
{
  if (unlikely_ (t->nested))
    return;
  st_relaxed (&s->ls->tx_frame, NULL);
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  __jr_dir_unlock (&s->slot->tx_lock);
}

void
__jr_tx_told (struct jr_tx *t)
{
  jr_undo_pop (&t->undo);
}

/* ---- telling the other side ---- */

int
__jr_tx_published (struct jr_sock *s, struct jr_dir *d)
{
  if (likely_ (d->peer_watched == NULL))
    {
      if (jr_loops (s))
	return __jr_settle (s->seg, s->idx);
      jr_dirty (s->seg, s->idx);
      return 0;
    }
  __jr_wake (&d->r->data_wait, &d->r->data_woken, &d->r->data_seq);
  if (ld_relaxed (d->peer_watched))
    jr_dirty (s->seg, s->idx);
  return 0;
}

void
__jr_rx_consumed (struct jr_sock *s, struct jr_dir *d, uint64_t head)
{
  if (likely_ (d->peer_watched == NULL))
    {
      /* Datagrams have no window to open.  */
      jr_fence_rmw ();
      if (!jr_is_stream (s) || head < ld_relaxed (&s->slot->rx_notify_at))
	return;
      if (jr_loops (s))
	__jr_settle (s->seg, s->idx);
      else
	jr_dirty (s->seg, s->idx);
      return;
    }
  jr_fence ();
  if (likely_ (ld_relaxed (&d->r->space_wait) == ld_relaxed (&d->r->space_woken)))
    return;
  /* A third of the ring is worth waking for, as in the kernel.  */
  uint64_t used = ld_acquire (&d->r->tail) - head;
  if (used + used / 2 > ld_relaxed (&d->r->cap))
    return;
  __jr_wake (&d->r->space_wait, &d->r->space_woken, &d->r->space_seq);
  if (ld_relaxed (d->peer_watched))
    jr_dirty (s->seg, s->idx);
}

/* ---- waiting for it ---- */

static void
set_deadline (struct jr_waiter *w, int64_t timeout_us)
{
  if (!w->timed)
    w->deadline = __jr_deadline_us (timeout_us);
  w->timed = true;
}

/* With any time limit the kernel does not restart the sleep after a handler
   with SA_RESTART: the call then returns what it has done.  */
static int64_t
until (struct jr_waiter *w)
{
  return w->deadline == 0 && w->partial ? INT64_MAX : w->deadline;
}

int
__jr_wait_space (struct jr_sock *s, struct jr_dir *d, struct jr_waiter *w, bool block)
{
  if (!w->armed)
    {
      w->armed = true;
      if (block)
	__jr_spin (s, &d->r->head, ld_relaxed (&d->r->head));
      w->seq = ld_acquire (&d->r->space_seq);
      add_fetch (&d->r->space_wait, 1);
      jr_fence_rmw ();
      return 0;
    }
  if (!block)
    return -EAGAIN;
  w->armed = false;
  set_deadline (w, s->slot->sndtimeo_us);
  return __jr_wait (s->seg, &d->r->space_seq, w->seq, until (w));
}

int
__jr_wait_data (struct jr_sock *s, struct jr_dir *d, struct jr_waiter *w, bool block)
{
  if (!block)
    {
      __jr_give_way (s, ld_relaxed (&d->r->head));
      return -EAGAIN;
    }
  if (!w->armed)
    {
      w->armed = true;
      if (__jr_spin (s, &d->r->tail, ld_relaxed (&d->r->tail)))
	w->armed = false;
      else
	{
	  w->seq = ld_acquire (&d->r->data_seq);
	  add_fetch (&d->r->data_wait, 1);
	  jr_fence_rmw ();
	}
      return 0;
    }
  w->armed = false;
  /* A read that a handler left by longjmp may not have told of its room.  */
  if (d->peer_watched != NULL)
    __jr_rx_consumed (s, d, ld_relaxed (&d->r->head));
  set_deadline (w, s->slot->rcvtimeo_us);
  return __jr_wait (s->seg, &d->r->data_seq, w->seq, until (w));
}

int
__jr_err_take (struct jr_abi_slot *slot)
{
  for (;;)
    {
      uint32_t err = ld_acquire (&slot->err), taken = ld_relaxed (&slot->err_taken);
      if (err == taken || (err & 0xffff) == 0)
	return 0;
      if (cas (&slot->err_taken, &taken, err))
	return err & 0xffff;
    }
}

ssize_t
__jr_outcome (struct jr_sock *s, ssize_t r, size_t done)
{
  if (r == -JR_EMOVED)
    {
      r = __jr_sock_follow (s);
      if (r == 0)
	return -JR_EMOVED;
    }
  if (done > 0)
    return done;
  if (r == -JR_EPENDING)
    {
      r = -__jr_err_take (s->slot);
      if (r == 0)		/* another thread took it */
	return -JR_EMOVED;
    }
  return r;
}
