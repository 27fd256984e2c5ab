/* epoll_wait: what the service posted, then what the kernel has.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-epoll.h"

/* The kernel is asked again after so long: a call that finds sockets of ours
   tells of its fds, too, and a busy program makes hardly more system calls.
   At every so many calls, of which more when there is no room for all, it is
   asked first, so that neither starves.  */
#define KERNEL_AGAIN_NS 20000
#define KERNEL_EVERY 8
#define KERNEL_EVERY_FULL 2
#define SLICE_NS 5000000LL

/* ---- from posted bits to the ready list ---- */

void
__jr_reg_queue (struct jr_reg *reg)
{
  if (reg->queued || reg->disabled)
    return;
  reg->queued = true;
  reg->ready_next = NULL;
  *reg->ep->ready_end = reg;
  reg->ep->ready_end = &reg->ready_next;
}

/* Counters that only grow: an edge is a difference.  */
void
__jr_reg_snapshot (struct jr_sock *s, struct jr_seen *seen)
{
  uint32_t state;
  struct jr_dir tx, rx;
  memset (seen, 0, sizeof *seen);
  if (jr_state (s, &state) < 0 || __jr_dir_tx (s, state, &tx) < 0
      || __jr_dir_rx (s, state, &rx) < 0)
    return;
  seen->tail = ld_acquire (&rx.r->tail);
  seen->state = state;
  seen->err = ld_relaxed (&s->slot->err);
  seen->space = ld_relaxed (&tx.r->space_seq);
  seen->edges = ld_relaxed (&s->slot->edges);
  seen->zc_sent = ld_relaxed (&s->slot->zc_sent);
  seen->flags = ld_relaxed (&rx.r->flags) | ld_relaxed (&rx.r->cflags) << 16;
}

/* Edge-triggered interests hear of a change only if it concerns them.  */
static bool
is_edge (struct jr_reg *reg)
{
  struct jr_sock s;
  struct jr_seen now, *was = &reg->seen;
  if (!(reg->events & EPOLLET) || !__jr_reg_sock (reg, &s))
    return true;
  __jr_reg_snapshot (&s, &now);
  bool changed = now.state != was->state || now.err != was->err
		 || now.zc_sent != was->zc_sent || now.flags != was->flags
		 || (uint16_t) (now.edges ^ was->edges) != 0
		 || (now.state & JR_ST_LISTENING);
  bool in = now.tail != was->tail, out = now.space != was->space;
  bool again = (now.edges ^ was->edges) >> 16 != 0;
  *was = now;
  /* Below the low-water mark nobody is woken.  */
  if (in && unlikely_ (s.slot->rcvlowat > 1))
    in = (__jr_ready (&s, POLLIN | POLLPRI, false) & (POLLIN | POLLPRI)) != 0;
  in |= again;
  return changed || (in && (reg->events & JR_IN_EVENTS))
	 || (out && (reg->events & JR_OUT_EVENTS));
}

static void
queue_slot (struct jr_epseg *es, uint32_t slot)
{
  for (struct jr_reg *reg = es->by_slot[slot]; reg != NULL; reg = reg->slot_next)
    if (is_edge (reg))
      __jr_reg_queue (reg);
}

void
__jr_epseg_look (struct jr_epseg *es)
{
  for (uint32_t slot = 0; slot < JR_SEG_SLOTS; slot++)
    if (es->by_slot[slot] != NULL)
      queue_slot (es, slot);
}

/* Finds the first of those taken, in the order in which they were posted.  */
static bool
next_taken (struct jr_epseg *es)
{
  struct jr_abi_eq *eq = &es->seg->eqs[es->eq];
  uint32_t tail = ld_acquire (&eq->order_tail);
  if (tail - es->order_head > JR_SEG_SLOTS)
    es->order_head = tail - JR_SEG_SLOTS;
  while (es->order_head != tail)
    {
      uint32_t entry = ld_relaxed (&eq->order[es->order_head++ % JR_SEG_SLOTS]);
      uint32_t slot = entry % JR_SEG_SLOTS;
      if (!(es->taken[slot / 64] & 1ull << slot % 64))
	continue;
      es->taken[slot / 64] &= ~(1ull << slot % 64);
      es->next_at = entry;
      es->next_slot = slot;
      return true;
    }
  /* The bit of an entry may follow a moment after it: such come last.  */
  for (uint32_t w = 0; w < 4; w++)
    if (es->taken[w] != 0)
      {
	es->next_slot = w * 64 + __builtin_ctzll (es->taken[w]);
	es->taken[w] &= es->taken[w] - 1;
	return true;
      }
  return false;
}

static bool
take_bits (struct jr_epseg *es)
{
  uint64_t any = 0;
  struct jr_abi_eq *eq = &es->seg->eqs[es->eq];
  for (uint32_t w = 0; w < 4; w++)
    {
      if (ld_relaxed (&eq->posted[w]) != 0)
	es->taken[w] |= swap (&eq->posted[w], 0);
      any |= es->taken[w];
    }
  return any != 0 && next_taken (es);
}

/* In all segments the one that was posted first.  */
static struct jr_epseg **
first_taken (struct jr_epseg **list)
{
  struct jr_epseg **first = list;
  for (struct jr_epseg **p = list; *p != NULL; p = &(*p)->next_taken)
    if ((int32_t) ((*p)->next_at - (*first)->next_at) < 0)
      first = p;
  return first;
}

void
__jr_ep_take_posted (struct jr_epoll *ep)
{
  struct jr_epseg *some = NULL;
  for (uint32_t i = 0; i < ep->nsegs; i++)
    {
      struct jr_epseg *es = ep->segs[ep->active[i]];
      if (jr_gone (es->seg) && !es->gone)
	{
	  es->gone = true;
	  __jr_epseg_look (es);
	}
      if (unlikely_ (es->eq == JR_NO_EQ))
	{
	  if (!es->gone)
	    __jr_epseg_look (es);
	}
      else if (take_bits (es))
	{
	  es->next_taken = some;
	  some = es;
	}
    }
  while (some != NULL)
    {
      struct jr_epseg **first = first_taken (&some), *es = *first;
      queue_slot (es, es->next_slot);
      if (!next_taken (es))
	*first = es->next_taken;
    }
}

/* ---- from the ready list to the caller ---- */

unsigned int
__jr_reg_ready (struct jr_reg *reg)
{
  struct jr_sock s;
  uint32_t want = reg->events | EPOLLERR | EPOLLHUP;
  if (!__jr_reg_sock (reg, &s))
    return POLLNVAL;
  struct jr_abi_slot *slot = s.slot;
  unsigned int bits = __jr_ready (&s, want, true) & (want | POLLNVAL);
  if (ld_relaxed (&slot->state) & JR_ST_LOOP)
    reg->ep->loops = true;
  if (unlikely_ (s.slot != slot) && !(bits & POLLNVAL))
    __jr_reg_follow (reg, &s);
  return bits;
}

static void
report (struct jr_reg *reg, unsigned int bits, struct epoll_event *ev, int epfd)
{
  struct jr_sock s;
  ev->events = bits;
  ev->data = reg->data;
  reg->batch = reg->ep->batch;
  if (reg->events & EPOLLONESHOT)
    {
      reg->disabled = true;
      __jr_reg_shadow (reg, epfd, EPOLL_CTL_MOD);
    }
  else if (!(reg->events & EPOLLET))
    __jr_reg_queue (reg);
  else if ((reg->events & JR_OUT_EVENTS) && __jr_reg_sock (reg, &s))
    __jr_reg_ask_room (reg, &s);
}

/* The rest of a list goes first the next time.  */
static void
put_back (struct jr_epoll *ep, struct jr_reg *list, struct jr_reg **end)
{
  if (list == NULL)
    return;
  *end = ep->ready;
  if (ep->ready == NULL)
    ep->ready_end = end;
  ep->ready = list;
}

/* At most MAX events, or -EFAULT.  */
static int
collect (struct jr_epoll *ep, int epfd, struct epoll_event *ev, int max)
{
  int n = 0;
  struct jr_reg *list = ep->ready, **end = ep->ready_end;
  ep->ready = NULL;
  ep->ready_end = &ep->ready;
  while (list != NULL && n < max)
    {
      struct jr_reg *reg = list;
      unsigned int bits = reg->disabled ? 0 : __jr_reg_ready (reg);
      if (reg->ep == NULL)
	{
	  /* It could not follow its socket.  */
	  list = reg->ready_next;
	  continue;
	}
      if (bits != 0 && !(bits & POLLNVAL) && !jr_can_write (ev + n, sizeof *ev))
	{
	  n = -EFAULT;
	  break;
	}
      list = reg->ready_next;
      reg->queued = false;
      if (bits & POLLNVAL)
	__jr_reg_free (reg);
      else if (bits != 0 && unlikely_ (reg->batch == ep->batch))
	__jr_reg_queue (reg);	/* its shadow was reported in this call */
      else if (bits != 0)
	report (reg, bits, &ev[n++], epfd);
    }
  put_back (ep, list, end);
  return n;
}

/* Sockets that were moved are followed before the list is looked at, and
   without the lock: whoever follows tells every epoll, and two threads that did
   so inside epolls of their own would wait for each other.  */
static void
follow_moved (struct jr_epoll *ep)
{
  for (struct jr_reg *reg = ep->ready; reg != NULL;)
    {
      struct jr_sock s;
      if (!__jr_reg_sock (reg, &s) || !(ld_acquire (&s.slot->state) & JR_ST_MOVED))
	{
	  reg = reg->ready_next;
	  continue;
	}
      struct jr_sock was = s;
      __jr_ep_unlock (ep);
      int r = __jr_sock_follow (&s);
      __jr_ep_lock (ep);
      /* Another thread that was quicker has yet to tell this epoll.  */
      if (r == 0 && reg->ep == ep && reg->fd == was.fd && reg->seg == was.seg->index
	  && reg->slot == was.idx && s.slot != was.slot)
	__jr_reg_follow (reg, &s);
      if (r < 0)
	return;
      reg = ep->ready;
    }
}

/* Our sockets' events; the epoll is locked.  */
static int
gather (struct jr_epoll *ep, int epfd, struct epoll_event *ev, int max)
{
  __jr_ep_take_posted (ep);
  follow_moved (ep);
  return ep->ready == NULL ? 0 : collect (ep, epfd, ev, max);
}

/* ---- the kernel's events ---- */

/* An epoll in this one is said to be readable: is it still, for somebody who
   looks at our sockets, too?  */
static bool
inner_is_ready (struct jr_reg *reg, int epfd)
{
  struct timespec zero = { 0, 0 };
  struct pollfd p = { .fd = reg->fd, .events = (short) reg->events };
  if (!__jr_inner_is_open (reg))
    return true;
  __jr_epoll_level (reg->fd);
  if (jr_sys_ppoll (&p, 1, &zero, NULL) == 1 && !(p.revents & POLLNVAL))
    return true;
  if (reg->events & EPOLLONESHOT)
    {
      struct epoll_event ev = { .events = reg->events, .data.ptr = reg };
      jr_sys_epoll_ctl (epfd, EPOLL_CTL_MOD, reg->fd, &ev);
    }
  return false;
}

/* Takes our own marks out of what the kernel said, in place.  Returns what
   is left.  The epoll is locked.  */
static int
filter (struct jr_epoll *ep, int epfd, struct epoll_event *ev, int n)
{
  int kept = 0;
  for (int i = 0; i < n; i++)
    {
      struct jr_reg *reg;
      void *mark = ev[i].data.ptr;
      if (mark == jr_ep_mark_bell (ep))
	continue;
      if (mark == jr_ep_mark_ctl (ep))
	{
	  __jr_ctl_hangup (ep->ctl_fd);
	  ep->ctl_fd = -1;
	  continue;
	}
      reg = mark;
      if (!__jr_is_reg (mark))
	ev[kept++] = ev[i];
      else if (reg->ep != ep)
	continue;		/* removed since the kernel told */
      else if (reg->inner != 0)
	{
	  if (!inner_is_ready (reg, epfd))
	    continue;
	  ev[kept].events = ev[i].events;
	  ev[kept++].data = reg->data;
	}
      else if (reg->batch != ep->batch && !reg->disabled)
	{
	  uint32_t bits = ev[i].events & (reg->events | EPOLLERR | EPOLLHUP);
	  if (bits != 0)
	    report (reg, bits, &ev[kept++], epfd);
	}
    }
  return kept;
}

static int
ask_kernel (struct jr_epoll *ep, int epfd, struct epoll_event *ev, int max)
{
  int r = JR_SYSCALL (epoll_pwait, epfd, ev, max, 0, NULL, JR_SIGSET_BYTES);
  return r <= 0 ? r : filter (ep, epfd, ev, r);
}

static int
sleep_in_kernel (int epfd, struct epoll_event *ev, int max, struct timespec *ts,
		 const sigset_t *mask)
{
  static uint32_t old_kernel;
  if (!ld_relaxed (&old_kernel) && ts != NULL)
    {
      int r = JR_SYSCALL_CANCEL (epoll_pwait2, epfd, ev, max, ts, mask, JR_SIGSET_BYTES);
      if (r != -ENOSYS)
	return r;
      st_relaxed (&old_kernel, 1);
    }
  int ms = -1;
  if (ts != NULL)
    ms = ts->tv_sec > 86400 ? 86400000
			    : ts->tv_sec * 1000 + (ts->tv_nsec + 999999) / 1000000;
  return JR_SYSCALL_CANCEL (epoll_pwait, epfd, ev, max, ms, mask, JR_SIGSET_BYTES);
}

/* ---- the call ---- */

struct call
{
  struct jr_ep_call in;
  struct jr_epoll *ep;
  int epfd, max;
  struct epoll_event *ev;
  int64_t deadline_ns;		/* 0: none */
  const sigset_t *mask;
  bool locked;
};

static void
finish (struct call *c)
{
  if (c->in.asleep)
    {
      /* Cancelled in its sleep.  */
      c->in.asleep = false;
      add_fetch (&c->ep->sleepers, -1);
      __jr_ep_lock (c->ep);
      __jr_ep_pass_on (c->ep, c->epfd);
      c->locked = true;
    }
  if (c->locked)
    __jr_ep_leave (&c->in);
}

/* Looks at the queues, without the lock, for as long as the policy says.  */
static void
spin (struct jr_epoll *ep)
{
  static uint32_t fails;
  int64_t us = ep->nsegs > 0 ? ld_relaxed (&jr_policy ()->spin_us) : 0;
  if (us == 0 || ep->nsegs > 4
      || (ld_relaxed (&fails) >= 4 && add_fetch (&fails, 1) % 8 != 0))
    return;
  int64_t end = jr_sys_now (CLOCK_MONOTONIC) + us * 1000;
  do
    for (int k = 0; k < 16; k++)
      {
	for (uint32_t i = 0; i < ep->nsegs; i++)
	  {
	    struct jr_epseg *es = ep->segs[ep->active[i]];
	    if (es->eq != JR_NO_EQ && __jr_eq_posted (es->seg, es->eq))
	      {
		st_relaxed (&fails, 0);
		return;
	      }
	  }
	jr_pause ();
      }
  while (!__jr_lock_wanted (&ep->lock) && jr_sys_now (CLOCK_MONOTONIC) < end);
  add_fetch (&fails, 1);
}

/* How long to sleep at most: for ever, unless nobody would wake us.  */
static int64_t
longest (struct jr_epoll *ep)
{
  for (uint32_t i = 0; i < ep->nsegs; i++)
    {
      struct jr_epseg *es = ep->segs[ep->active[i]];
      if (es->eq == JR_NO_EQ && es->nregs > 0 && !es->gone)
	return SLICE_NS;
    }
  return ep->ctl_fd < 0 && ep->nsegs > 0 ? JR_NSEC_PER_SEC : INT64_MAX;
}

/* One sleep.  Events of the kernel's, 0: look again, -errno, or -ETIMEDOUT.  */
static int
sleep_once (struct call *c)
{
  struct jr_epoll *ep = c->ep;
  struct timespec ts;
  int64_t max = longest (ep);
  struct timespec *left = __jr_left (c->deadline_ns, max, &ts);
  if (c->deadline_ns != 0 && ts.tv_sec == 0 && ts.tv_nsec == 0)
    return -ETIMEDOUT;
  add_fetch (&ep->sleepers, 1);
  c->in.asleep = true;
  __jr_ep_unlock (ep);
  c->locked = false;
  int r = sleep_in_kernel (c->epfd, c->ev, c->max, left, c->mask);
  __jr_ep_lock (ep);
  c->locked = true;
  c->in.asleep = false;
  add_fetch (&ep->sleepers, -1);
  return r;
}

/* With the kernel's fds only, the kernel is asked anyway, in its own sleep.  To
   ask it makes an edge for an epoll that has this one in it.  */
static bool
kernel_is_due (struct jr_epoll *ep)
{
  if (!ld_relaxed (&ep->kernel_fds) || ep->nsegs == 0 || ld_relaxed (&ep->inside))
    return false;
  int64_t now = jr_sys_now (CLOCK_MONOTONIC);
  if (now - ep->asked_ns < KERNEL_AGAIN_NS && !ep->loops)
    return false;
  ep->asked_ns = now;
  return true;
}

/* What is there now: ours and the kernel's.  */
static int
gather_both (struct call *c)
{
  struct jr_epoll *ep = c->ep;
  int n = 0, r = 0, max = c->max;
  ep->batch++;
  uint32_t every = ep->full ? KERNEL_EVERY_FULL : KERNEL_EVERY;
  bool kernel_first = ld_relaxed (&ep->kernel_fds) && ++ep->turn % every == 0;
  bool due = !kernel_first && kernel_is_due (ep);
  if (kernel_first)
    {
      n = ask_kernel (ep, c->epfd, c->ev, max);
      ep->asked_ns = jr_sys_now (CLOCK_MONOTONIC);
    }
  if (n >= 0 && n < max)
    r = gather (ep, c->epfd, c->ev + n, max - n);
  if (n < 0 || r < 0)
    return n != 0 ? n : r;
  n += r;
  if (due && n < max)
    {
      r = ask_kernel (ep, c->epfd, c->ev + n, max - n);
      n = r > 0 ? n + r : n;
    }
  ep->full = n == max;
  return n;
}

static int
finished (struct call *c, int n)
{
  __jr_ep_pass_on (c->ep, c->epfd);
  return n;
}

/* The kernel's events are in the caller's array already: N of them.  */
static int
after_sleep (struct call *c, int n)
{
  struct jr_epoll *ep = c->ep;
  ep->batch++;
  n = filter (ep, c->epfd, c->ev, n);
  if (n == 0 || n == c->max)
    return n;
  return n + gather (ep, c->epfd, c->ev + n, c->max - n);
}

static int
run (struct call *c, bool now_only)
{
  struct jr_epoll *ep = c->ep;
  bool spun = now_only;
  for (;;)
    {
      int n = gather_both (c);
      if (n != 0)
	return finished (c, n);
      if (now_only)
	return finished (c, ask_kernel (ep, c->epfd, c->ev, c->max));
      if (!spun)
	{
	  spun = true;
	  spin (ep);
	  n = gather (ep, c->epfd, c->ev, c->max);
	  if (n != 0)
	    return finished (c, n);
	}
      if (ep->nsegs > 0)
	{
	  __jr_ep_revive (ep, c->epfd);
	  __jr_ep_arm (ep);
	  n = gather (ep, c->epfd, c->ev, c->max);
	  if (n != 0)
	    return finished (c, n);
	}
      int r = sleep_once (c);
      if (r == -ETIMEDOUT)
	now_only = true;
      else if (r < 0)
	return finished (c, r);
      if (r <= 0)
	continue;
      n = after_sleep (c, r);
      if (n != 0)
	return finished (c, n);
    }
}

static int
do_wait (int epfd, struct epoll_event *ev, int max, const struct timespec *ts,
	 const sigset_t *mask)
{
  struct call c JR_CLEANUP (finish) = { .epfd = epfd, .ev = ev, .max = max,
					.mask = mask };
  if (max <= 0 || (size_t) max > INT32_MAX / sizeof *ev)
    return -EINVAL;
  if (mask != NULL && !jr_can_read (mask, JR_SIGSET_BYTES))
    return -EFAULT;
  if (jr_beyond_user ((uintptr_t) ev + max * sizeof *ev))
    return -EFAULT;
  if (ts != NULL && (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= JR_NSEC_PER_SEC))
    return -EINVAL;
  jr_sys_testcancel ();
  c.ep = __jr_ep_enter (epfd, &c.in);
  if (c.ep == NULL)
    {
      struct timespec copy = ts != NULL ? *ts : (struct timespec) { 0, 0 };
      if (c.in.busy)
	return -EINTR;
      if (jr_ent_kind (__jr_fd_entry (epfd)) == JR_FD_INTERNAL)
	return -EBADF;
      return sleep_in_kernel (epfd, ev, max, ts != NULL ? &copy : NULL, mask);
    }
  c.locked = true;
  bool now_only = ts != NULL && ts->tv_sec == 0 && ts->tv_nsec == 0;
  if (!now_only && ts != NULL)
    c.deadline_ns = __jr_deadline_ts (ts);
  return run (&c, now_only);
}

int
__jr_epoll_pwait2 (int epfd, struct epoll_event *ev, int max,
		   const struct timespec *ts, const sigset_t *mask)
{
  if (ts != NULL && !jr_can_read (ts, sizeof *ts))
    return jr_ret (-EFAULT);
  return jr_ret (do_wait (epfd, ev, max, ts, mask));
}

int
__jr_epoll_pwait (int epfd, struct epoll_event *ev, int max, int timeout_ms,
		  const sigset_t *mask)
{
  struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
  return jr_ret (do_wait (epfd, ev, max, timeout_ms < 0 ? NULL : &ts, mask));
}

int
__jr_epoll_wait (int epfd, struct epoll_event *ev, int max, int timeout_ms)
{
  return __jr_epoll_pwait (epfd, ev, max, timeout_ms, NULL);
}
