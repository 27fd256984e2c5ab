/* poll and ppoll.  Readiness of our sockets is read from their slots; to
   sleep, the real ppoll gets the kernel's fds of the set, an eventfd that the
   service writes, and the control socket, which tells of the service's end.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define STACK_FDS 64
/* How long to sleep at a time without an event queue to be woken by.  */
#define SLICE_NS 5000000LL
#define BITS_ALWAYS (POLLERR | POLLHUP | POLLNVAL)

/* One call.  The kernel's array has the caller's entries in their places,
   ours with fd -1, then shadows, then the eventfd and the control socket.  */
struct call
{
  struct jr_undo undo;
  struct pollfd *fds;
  nfds_t n;
  struct pollfd *k;
  nfds_t nk, room;
  nfds_t kernel;		/* entries of k that the kernel must look at */
  nfds_t ours;			/* sockets of ours */
  struct jr_poller *poller;
  bool sliced, watching;
  struct pollfd stack[STACK_FDS];
};

/* ---- looking ---- */

static int
find_shadow (int fd)
{
  struct jr_sock s;
  return __jr_sock_get (fd, &s) < 0 ? -1 : __jr_shadow_find (&s);
}

static unsigned int
look_at (struct pollfd *p, uint64_t ent, bool arm)
{
  struct jr_sock s;
  unsigned int bits = 0;
  switch (jr_ent_kind (ent))
    {
    case JR_FD_SOCKET:
      bits = POLLNVAL;
      if (__jr_sock_get (p->fd, &s) == 0)
	bits = __jr_ready (&s, p->events, arm);
      break;
    case JR_FD_EPOLL:
      __jr_epoll_level (p->fd);	/* the kernel knows then */
      break;
    case JR_FD_INTERNAL:
      bits = POLLNVAL;
      break;
    case JR_FD_NONE:
      break;
    }
  return bits & ((unsigned short) p->events | BITS_ALWAYS);
}

/* Closed by another thread since the last look: the kernel goes on waiting
   for what it was.  */
static bool
closed_meanwhile (struct call *c, nfds_t i, uint64_t ent)
{
  return ent == 0 && c->nk != 0 && c->k[i].fd == -1 && c->fds[i].fd >= 0
	 && jr_sys_fcntl (c->fds[i].fd, F_GETFD, 0) == -EBADF;
}

/* Fills revents of what is ours and lays out the kernel's array.  */
static int
look (struct call *c, bool arm)
{
  int ready = 0;
  nfds_t shadows = 0;
  c->kernel = c->ours = 0;
  for (nfds_t i = 0; i < c->n; i++)
    {
      struct pollfd *p = &c->fds[i];
      uint64_t ent = __jr_fd_entry (p->fd);
      enum jr_fd_kind kind = jr_ent_kind (ent);
      bool skip = unlikely_ (closed_meanwhile (c, i, ent));
      c->k[i] = (struct pollfd) { .fd = p->fd, .events = p->events };
      if (skip || kind == JR_FD_SOCKET || kind == JR_FD_INTERNAL)
	c->k[i].fd = -1;
      if (c->k[i].fd >= 0)
	c->kernel++;
      p->revents = ent == 0 ? 0 : look_at (p, ent, arm);
      ready += p->revents != 0;
      c->ours += kind == JR_FD_SOCKET;
      int shadow = kind == JR_FD_SOCKET ? find_shadow (p->fd) : -1;
      if (shadow >= 0 && c->n + shadows + 3 <= c->room)
	/* The caller's entry is remembered where the result will be.  */
	c->k[c->n + shadows++]
	  = (struct pollfd) { .fd = shadow, .events = p->events, .revents = 0 };
    }
  c->kernel += shadows;
  c->nk = c->n + shadows;
  return ready;
}

/* Something happened in an epoll: is anything ready there?  */
static void
look_again (struct pollfd *k)
{
  struct timespec zero = { 0, 0 };
  if (k->revents == 0 || jr_ent_kind (__jr_fd_entry (k->fd)) != JR_FD_EPOLL)
    return;
  __jr_epoll_level (k->fd);
  jr_sys_ppoll (k, 1, &zero, NULL);
}

/* Takes over what the kernel found; the number of entries with something.  */
static int
merge (struct call *c, bool slept)
{
  int ready = 0;
  nfds_t at = c->n;
  for (nfds_t i = 0; i < c->n; i++)
    {
      struct pollfd *p = &c->fds[i];
      if (c->k[i].fd >= 0)
	{
	  if (slept)
	    look_again (&c->k[i]);
	  p->revents |= c->k[i].revents;
	}
      else if (at < c->nk && p->fd >= 0 && c->k[at].fd == find_shadow (p->fd))
	p->revents |= c->k[at++].revents & ~POLLNVAL;
      ready += p->revents != 0;
    }
  return ready;
}

static int
ask_kernel (struct call *c, const sigset_t *mask)
{
  struct timespec zero = { 0, 0 };
  if (c->kernel == 0 && mask == NULL)
    return 0;
  int r = jr_sys_ppoll (c->k, c->nk, &zero, mask);
  return r < 0 ? r : 0;
}

/* ---- the sleeper's eventfd ---- */

static struct jr_poller *
new_poller (uint32_t i)
{
  uint64_t mask;
  __jr_lock_take (&__jr.lock, &mask);
  struct jr_poller *p = __jr.poller[i];
  if (p == NULL && (p = jr_sys_map_anon (sizeof *p)) != NULL)
    {
      p->efd = -1;
      st_release (&__jr.poller[i], p);
    }
  if (p != NULL && p->efd < 0)
    {
      int fd = jr_sys_eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
      if (fd >= 0)
	p->efd = __jr_fd_internal (fd, JR_USE_POLLER, i, 0);
    }
  __jr_lock_drop (&__jr.lock, &mask);
  return p;
}

static struct jr_poller *
take_poller (void)
{
  for (uint32_t i = 0; i < JR_MAX_POLLERS; i++)
    {
      struct jr_poller *p = ld_acquire (&__jr.poller[i]);
      uint32_t idle = 0;
      if (p == NULL || p->efd < 0)
	p = new_poller (i);
      if (p == NULL || p->efd < 0)
	return NULL;
      if (cas (&p->busy, &idle, 1))
	return p;
    }
  return NULL;
}

static uint32_t
queue_in (struct jr_poller *p, struct jr_seg *seg)
{
  if (p->eq[seg->index] == 0)
    {
      uint64_t mask;
      __jr_lock_take (&__jr.lock, &mask);
      uint32_t eq = __jr_eq_claim (seg, JR_EQ_POLL, p->efd);
      p->eq[seg->index] = eq == JR_NO_EQ ? JR_NO_EQ : eq + 1;
      __jr_lock_drop (&__jr.lock, &mask);
    }
  uint32_t e = p->eq[seg->index];
  return e == JR_NO_EQ ? JR_NO_EQ : e - 1;
}

static void
watch_one (struct call *c, int fd, struct jr_seg **armed)
{
  struct jr_sock s;
  uint32_t state;
  do
    {
      if (__jr_sock_find (fd, &s) < 0)
	return;
      uint32_t eq = queue_in (c->poller, s.seg);
      if (eq == JR_NO_EQ)
	{
	  c->sliced = true;
	  return;
	}
      /* It may have moved while we slept.  */
      if (!c->watching || !(ld_relaxed (&s.slot->watch) & 1ull << eq))
	__jr_watch (&s, eq);
      if (s.seg != *armed)
	__jr_eq_arm (s.seg, eq);
      *armed = s.seg;
    }
  /* Moved before the service knew that somebody sleeps here: it told nobody,
     and who looks next follows.  */
  while (jr_state (&s, &state) < 0);
}

static void
each_watch (struct call *c, bool on)
{
  struct jr_seg *armed = NULL;
  for (nfds_t i = 0; i < c->n; i++)
    {
      struct jr_sock s;
      int fd = c->fds[i].fd;
      if (jr_ent_kind (__jr_fd_entry (fd)) != JR_FD_SOCKET)
	continue;
      if (on)
	watch_one (c, fd, &armed);
      else if (__jr_sock_find (fd, &s) == 0)
	{
	  uint32_t eq = queue_in (c->poller, s.seg);
	  if (eq != JR_NO_EQ)
	    __jr_unwatch (&s, eq);
	}
    }
  c->watching = on;
}

static void
finish (struct call *c)
{
  if (c->poller != NULL)
    {
      each_watch (c, false);
      st_release (&c->poller->busy, 0);
    }
  jr_undo_pop (&c->undo);
  if (c->k != c->stack)
    jr_sys_munmap (c->k, c->room * sizeof *c->k);
}

static void
left (struct jr_undo *u)
{
  struct call *c = (struct call *) u;
  if (c->poller == NULL)
    return;
  each_watch (c, false);
  st_release (&c->poller->busy, 0);
}

/* ---- sleeping ---- */

static int
sleep_in_kernel (struct call *c, int64_t deadline_ns, const sigset_t *mask)
{
  nfds_t n = c->nk;
  int efd = c->poller != NULL ? c->poller->efd : -1;
  int ctl = ld_acquire (&__jr.ctl_fd);
  struct timespec ts;
  int64_t max = INT64_MAX;
  c->k[n] = (struct pollfd) { .fd = efd, .events = POLLIN };
  c->k[n + 1] = (struct pollfd) { .fd = ctl };
  if (c->ours > 0 && (c->sliced || c->poller == NULL))
    max = SLICE_NS;
  else if (c->ours > 0 && ctl < 0)
    max = JR_NSEC_PER_SEC;
  int r = jr_sys_c_ppoll (c->k, n + 2, __jr_left (deadline_ns, max, &ts), mask);
  if (r < 0)
    return r;
  if (c->k[n].revents != 0)
    {
      uint64_t count;
      jr_sys_read (efd, &count, sizeof count);
    }
  if (c->k[n + 1].revents != 0)
    __jr_ctl_hangup (ctl);
  return 0;
}

/* Looks again and again for as long as the policy lets us.  */
static int
spin (struct call *c)
{
  static uint32_t fails;
  int64_t us = c->ours > 0 ? ld_relaxed (&jr_policy ()->spin_us) : 0;
  if (us == 0 || c->kernel > 0 || c->n > 16
      || (ld_relaxed (&fails) >= 4 && add_fetch (&fails, 1) % 8 != 0))
    return 0;
  int64_t end = jr_sys_now (CLOCK_MONOTONIC) + us * 1000;
  int ready;
  do
    {
      ready = look (c, false);
      jr_pause ();
    }
  while (ready == 0 && jr_sys_now (CLOCK_MONOTONIC) < end);
  st_relaxed (&fails, ready > 0 ? 0 : ld_relaxed (&fails) + 1);
  return ready;
}

static void
let_go (struct jr_seg **seg)
{
  if (*seg != NULL)
    add_fetch (&(*seg)->busy, -1);
}

/* A lone socket polled for input needs no queue: its futex will do.  */
static int
wait_single (struct call *c, int64_t deadline_ns, bool *done)
{
  struct jr_sock s;
  struct jr_dir d;
  uint32_t state, now;
  struct pollfd *p = c->fds;
  /* Stays mapped while we may look there, also when the socket moves.  */
  struct jr_seg *held JR_CLEANUP (let_go) = NULL;
  *done = false;
  if (c->n != 1 || c->kernel > 0 || (p->events & (POLLOUT | POLLWRNORM))
      || __jr_sock_get (p->fd, &s) < 0 || jr_state (&s, &state) < 0
      || __jr_dir_rx (&s, state, &d) < 0)
    return 0;
  *done = true;
  held = s.seg;
  add_fetch (&held->busy, 1);
  for (;;)
    {
      uint32_t seq = ld_acquire (&d.r->data_seq);
      add_fetch (&d.r->data_wait, 1);
      jr_fence_rmw ();
      int r = look (c, true);
      /* It may have moved, or have become one end of a pair.  */
      if (r > 0 || c->kernel > 0 || jr_state (&s, &now) < 0 || (now ^ state) & JR_ST_PAIR)
	{
	  *done = r > 0;
	  return r;
	}
      /* With a time limit the kernel does not restart it: poll never is.  */
      r = __jr_wait (s.seg, &d.r->data_seq, seq,
		     deadline_ns != 0 ? deadline_ns : INT64_MAX);
      if (r < 0)
	return r == -EAGAIN ? 0 : r;
    }
}

static int
run (struct call *c, int64_t deadline_ns, bool now_only, const sigset_t *mask)
{
  bool waited = false, done;
  for (;;)
    {
      int r = look (c, waited);
      if (r == 0 && !now_only && !waited)
	r = spin (c);
      if (r > 0 || now_only)
	{
	  /* A signal that MASK lets in counts only if there is nothing else.  */
	  r = ask_kernel (c, r > 0 ? NULL : mask);
	  return r < 0 ? r : merge (c, false);
	}
      if (waited)
	{
	  /* Armed, and still nothing.  */
	  r = sleep_in_kernel (c, deadline_ns, mask);
	  if (r < 0)
	    return r;
	  r = merge (c, true);
	  if (r > 0)
	    return r;
	  if (deadline_ns != 0 && jr_sys_now (CLOCK_MONOTONIC) >= deadline_ns)
	    now_only = true;
	}
      else if (mask == NULL)
	{
	  r = wait_single (c, deadline_ns, &done);
	  if (done)
	    return r;
	}
      if (c->poller == NULL && c->ours > 0)
	{
	  __jr_attach ();
	  c->poller = take_poller ();
	}
      if (c->poller != NULL && !now_only)
	each_watch (c, true);
      waited = true;
    }
}

/* poll with a deadline on the monotonic clock, 0: none.  */
int
__jr_ppoll_deadline (struct pollfd *fds, nfds_t n, int64_t deadline_ns,
		     bool now_only, const sigset_t *mask)
{
  struct call c JR_CLEANUP (finish) = { .fds = fds, .n = n };
  c.room = 2 * n + 2;
  c.k = c.stack;
  jr_undo_push (&c.undo, left);
  if (c.room > STACK_FDS)
    {
      c.k = jr_sys_map_anon (c.room * sizeof *c.k);
      if (c.k == NULL)
	{
	  c.k = c.stack;
	  return -ENOMEM;
	}
    }
  else
    c.room = STACK_FDS;
  return run (&c, deadline_ns, now_only, mask);
}

static bool
any_ours (const struct pollfd *fds, nfds_t n)
{
  for (nfds_t i = 0; i < n; i++)
    if (__jr_is_ours (fds[i].fd))
      return true;
  return false;
}

static bool
are_good (struct pollfd *fds, nfds_t n)
{
  return n == 0 || n > INT32_MAX || jr_can_write (fds, n * sizeof *fds);
}

static int
do_ppoll (struct pollfd *fds, nfds_t n, const struct timespec *ts,
	  const sigset_t *mask)
{
  if (ts != NULL && (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= JR_NSEC_PER_SEC))
    return -EINVAL;
  if (!are_good (fds, n) || (n > STACK_FDS && n > (nfds_t) jr_sys_rlimit_nofile ())
      || !any_ours (fds, n))
    {
      struct timespec copy = ts != NULL ? *ts : (struct timespec) { 0, 0 };
      return jr_sys_c_ppoll (fds, n, ts != NULL ? &copy : NULL, mask);
    }
  jr_sys_testcancel ();
  bool now_only = ts != NULL && ts->tv_sec == 0 && ts->tv_nsec == 0;
  return __jr_ppoll_deadline (fds, n, now_only ? 0 : __jr_deadline_ts (ts),
			      now_only, mask);
}

int
__jr_ppoll (struct pollfd *fds, nfds_t n, const struct timespec *ts,
	    const sigset_t *mask)
{
  if ((ts != NULL && !jr_can_read (ts, sizeof *ts))
      || (mask != NULL && !jr_can_read (mask, JR_SIGSET_BYTES)))
    return jr_ret (-EFAULT);
  return jr_ret (do_ppoll (fds, n, ts, mask));
}

int
__jr_poll (struct pollfd *fds, nfds_t n, int timeout_ms)
{
  struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
  return jr_ret (do_ppoll (fds, n, timeout_ms < 0 ? NULL : &ts, NULL));
}
