/* Sleeping until the other side moves something, and waking it.
   SPDX-License-Identifier: LGPL-2.1-or-later

   Whoever wants to sleep has read the sequence word, then raised the wait
   generation, then looked once more; so a wake-up between that look and the
   sleep has changed the word.  The second word watched is the service's
   robust one: the kernel changes it when the service dies.  */

#include "jr-internal.h"

static uint32_t no_waitv;	/* atomic; this kernel has no futex_waitv, or it
				   may not be called */
static uint32_t no_yield;	/* atomic */

/* sshd's filter, for one, kills for futex_waitv and for sched_yield.  */
void
__jr_sandboxed (void)
{
  st_relaxed (&no_waitv, 1);
  st_relaxed (&no_yield, 1);
}

/* The core is for whoever waits for one.  */
void
__jr_yield (void)
{
  static uint32_t never;
  struct timespec ts = { .tv_nsec = 1 };
  if (unlikely_ (ld_relaxed (&no_yield)))
    jr_sys_futex_wait (&never, 0, &ts, false);
  else
    jr_sys_yield ();
}

int64_t
__jr_deadline_us (int64_t timeout_us)
{
  if (timeout_us == 0)
    return 0;
  int64_t now = jr_sys_now (CLOCK_MONOTONIC);
  if (timeout_us < 0)
    return now;
  if (timeout_us > (INT64_MAX - now) / 1000)
    return 0;
  return now + timeout_us * 1000;
}

int64_t
__jr_deadline_ts (const struct timespec *ts)
{
  if (ts == NULL)
    return 0;
  int64_t now = jr_sys_now (CLOCK_MONOTONIC);
  if (ts->tv_sec >= (INT64_MAX - now) / JR_NSEC_PER_SEC - 1)
    return 0;
  return now + ts->tv_sec * JR_NSEC_PER_SEC + ts->tv_nsec;
}

struct timespec *
__jr_left (int64_t deadline_ns, int64_t max_ns, struct timespec *ts)
{
  int64_t left = max_ns;
  if (deadline_ns != 0)
    {
      int64_t d = deadline_ns - jr_sys_now (CLOCK_MONOTONIC);
      left = d < 0 ? 0 : d < left ? d : left;
    }
  if (left == INT64_MAX)
    return NULL;
  ts->tv_sec = left / JR_NSEC_PER_SEC;
  ts->tv_nsec = left % JR_NSEC_PER_SEC;
  return ts;
}

/* Restarted by the kernel after a handler with SA_RESTART, as a receive
   without a time limit is.  */
static int
wait_both (uint32_t *word, uint32_t val, uint32_t *owner, uint32_t alive)
{
  struct jr_futexv v[2] = {
    { .val = val, .uaddr = (uintptr_t) word, .flags = JR_FUTEXV_U32 },
    { .val = alive, .uaddr = (uintptr_t) owner, .flags = JR_FUTEXV_U32 }
  };
  return JR_SYSCALL_CANCEL (futex_waitv, v, 2, 0, NULL, CLOCK_MONOTONIC);
}

/* At most a second, so that the service's end is noticed.  With a time limit
   the kernel never restarts it: signal(7) says the same of a receive with
   SO_RCVTIMEO.  */
static int
wait_one (uint32_t *word, uint32_t val, int64_t left_ns)
{
  struct timespec ts = { .tv_sec = 1 };
  if (left_ns < JR_NSEC_PER_SEC)
    ts = (struct timespec) { .tv_nsec = left_ns };
  return JR_SYSCALL_CANCEL (futex, word, FUTEX_WAIT, val, &ts, NULL, 0);
}

static void
not_busy (struct jr_seg **seg)
{
  add_fetch (&(*seg)->busy, -1);
}

static int
sleep_on (struct jr_seg *seg, uint32_t *word, uint32_t val, uint32_t alive,
	  int64_t left_ns)
{
  /* Undone when the thread is cancelled, too.  */
  struct jr_seg *held JR_CLEANUP (not_busy) = seg;
  add_fetch (&held->busy, 1);
  if (left_ns != INT64_MAX || ld_relaxed (&no_waitv))
    return wait_one (word, val, left_ns);
  int r = wait_both (word, val, &seg->hdr->owner, alive);
  if (r == -ENOSYS || r == -EPERM)
    st_relaxed (&no_waitv, 1);
  return r;
}

int
__jr_wait (struct jr_seg *seg, uint32_t *word, uint32_t val, int64_t deadline_ns)
{
  uint32_t *owner = &seg->hdr->owner;
  uint32_t alive = ld_acquire (owner);
  int r;
  if (jr_owner_gone (alive))
    return 0;
  int64_t left = INT64_MAX;
  if (deadline_ns != 0)
    {
      left = deadline_ns - jr_sys_now (CLOCK_MONOTONIC);
      if (left <= 0)
	return -EAGAIN;
    }
  r = sleep_on (seg, word, val, alive, left);
  if (jr_owner_gone (ld_relaxed (owner)))
    /* The kernel woke one of us; pass it on.  */
    jr_sys_futex_wake (owner, INT32_MAX, false);
  return r == -EINTR ? r : 0;
}

/* As the kernel keeps it.  */
struct kernel_action
{
  void (*handler) (int);
  unsigned long int flags;
  void (*restorer) (void);
  uint64_t mask;
};

/* Whether the handlers of this program let calls begin anew.  Which of them
   ran nobody tells; one without SA_RESTART is enough for a no.  */
static bool
handlers_restart (void)
{
  bool any = false;
  for (int sig = 1; sig <= (int) JR_SIGSET_BYTES * 8; sig++)
    {
      struct kernel_action a;
      /* Two are libc's own.  */
      if (sig == 32 || sig == 33
	  || JR_SYSCALL (rt_sigaction, sig, NULL, &a, JR_SIGSET_BYTES) < 0
	  || a.handler == SIG_DFL || a.handler == SIG_IGN)
	continue;
      if (!(a.flags & SA_RESTART))
	return false;
      any = true;
    }
  return any;
}

/* Until there is something to read on FD, one of ours with a kernel side.
   poll never begins anew; what it is called for does, without a time limit.  */
int
__jr_wait_either (int fd, int64_t deadline_ns)
{
  struct pollfd pfd = { .fd = fd, .events = POLLIN };
  int r;
  do
    r = __jr_ppoll_deadline (&pfd, 1, deadline_ns, false, NULL);
  while (r == -EINTR && deadline_ns == 0 && handlers_restart ());
  return r < 0 ? r : r == 0 ? -EAGAIN : 0;
}

/* After a few failures in a row only every eighth sleep is preceded by
   spinning.  */
bool
__jr_spin (struct jr_sock *s, uint64_t *word, uint64_t val)
{
  int64_t us = ld_relaxed (&jr_policy ()->spin_us);
  uint32_t fails = ld_relaxed (&s->ls->spin_fails);
  if (us == 0)
    return false;
  if (fails >= 4 && fails % 8 != 0)
    {
      st_relaxed (&s->ls->spin_fails, fails + 1);
      return false;
    }
  uint32_t state = ld_relaxed (&s->slot->state);
  int64_t end = jr_sys_now (CLOCK_MONOTONIC) + us * 1000;
  do
    for (int i = 0; i < 32; i++)
      {
	if (ld_acquire (word) != val || ld_acquire (&s->slot->state) != state)
	  {
	    st_relaxed (&s->ls->spin_fails, 0);
	    return true;
	  }
	jr_pause ();
      }
  while (jr_sys_now (CLOCK_MONOTONIC) < end);
  st_relaxed (&s->ls->spin_fails, fails + 1);
  return false;
}

/* A program that asks again and again, without a system call, keeps its core
   from whoever has the answer, if there are too few of them.  */
void
__jr_give_way (struct jr_sock *s, uint64_t head)
{
  if (likely_ (!ld_relaxed (&jr_policy ()->crowded)))
    return;
  uint32_t polls = ld_relaxed (&s->ls->idle_polls) + 1;
  if (ld_relaxed (&s->ls->idle_head) != head)
    polls = 0;
  st_relaxed (&s->ls->idle_head, head);
  st_relaxed (&s->ls->idle_polls, polls);
  if (polls % 16 == 15)
    __jr_yield ();
}

/* Answered only once it was done, as in __jr_bell; and whoever else holds
   the socket goes on when this process is killed.  */
void
__jr_wake (uint32_t *wait, uint32_t *woken, uint32_t *seq)
{
  jr_fence ();
  uint32_t w = ld_relaxed (wait);
  if (likely_ (w == ld_relaxed (woken)))
    return;
  add_fetch (seq, 1);
  jr_sys_futex_wake (seq, INT32_MAX, false);
  st_relaxed (woken, w);
}
