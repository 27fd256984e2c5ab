/* select and pselect: poll with bit sets.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define STACK_FDS 64
#define IN_SET (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define OUT_SET (POLLWRNORM | POLLWRBAND | POLLOUT | POLLERR)

/* Programs allocate sets larger than FD_SETSIZE.  */
static bool
has (const fd_set *set, int fd)
{
  return set != NULL
	 && (((const unsigned long *) set)[fd / (8 * sizeof (long))]
	     >> fd % (8 * sizeof (long)) & 1);
}

static void
put (fd_set *set, int fd, bool on)
{
  if (set == NULL)
    return;
  unsigned long *word = &((unsigned long *) set)[fd / (8 * sizeof (long))];
  unsigned long bit = 1ul << fd % (8 * sizeof (long));
  *word = on ? *word | bit : *word & ~bit;
}

static bool
is_good (fd_set *set, int n)
{
  return set == NULL || n <= 0 || jr_can_write (set, (n + 63) / 64 * sizeof (uint64_t));
}

static bool
any_ours (int n, fd_set *r, fd_set *w, fd_set *e, int *count)
{
  bool ours = false;
  *count = 0;
  for (int fd = 0; fd < n; fd++)
    if (has (r, fd) || has (w, fd) || has (e, fd))
      {
	++*count;
	ours |= __jr_is_ours (fd);
      }
  return ours;
}

static int
kernel_select (int n, fd_set *r, fd_set *w, fd_set *e, struct timespec *ts,
	       const sigset_t *mask)
{
  struct
  {
    const sigset_t *mask;
    size_t n;
  } m = { mask, JR_SIGSET_BYTES };
  return JR_SYSCALL_CANCEL (pselect6, n, r, w, e, ts, &m);
}

static int
to_polls (int n, fd_set *r, fd_set *w, fd_set *e, struct pollfd *fds)
{
  int k = 0;
  for (int fd = 0; fd < n; fd++)
    {
      short events = (has (r, fd) ? POLLIN | POLLRDNORM | POLLRDBAND : 0)
		     | (has (w, fd) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0)
		     | (has (e, fd) ? POLLPRI : 0);
      if (events != 0)
	fds[k++] = (struct pollfd) { .fd = fd, .events = events };
    }
  return k;
}

/* The number of bits, or -EBADF.  */
static int
from_polls (fd_set *r, fd_set *w, fd_set *e, const struct pollfd *fds, int k)
{
  int bits = 0;
  for (int i = 0; i < k; i++)
    if (fds[i].revents & POLLNVAL)
      return -EBADF;
  for (int i = 0; i < k; i++)
    {
      int fd = fds[i].fd;
      bool in = has (r, fd) && (fds[i].revents & IN_SET);
      bool out = has (w, fd) && (fds[i].revents & OUT_SET);
      bool ex = has (e, fd) && (fds[i].revents & POLLPRI);
      put (r, fd, in);
      put (w, fd, out);
      put (e, fd, ex);
      bits += in + out + ex;
    }
  return bits;
}

struct buffer
{
  struct pollfd *fds;
  size_t mapped;
};

static void
free_buffer (struct buffer *b)
{
  if (b->mapped != 0)
    jr_sys_munmap (b->fds, b->mapped);
}

/* *TS becomes what is left of it, as the kernel does.  */
static int
do_select (int n, fd_set *r, fd_set *w, fd_set *e, struct timespec *ts,
	   const sigset_t *mask)
{
  struct pollfd stack[STACK_FDS];
  int count;
  if (n < 0 || (ts != NULL && (ts->tv_sec < 0 || ts->tv_nsec < 0)))
    return -EINVAL;
  if (!is_good (r, n) || !is_good (w, n) || !is_good (e, n) || !any_ours (n, r, w, e, &count))
    return kernel_select (n, r, w, e, ts, mask);
  struct buffer b JR_CLEANUP (free_buffer) = { .fds = stack };
  if (count > STACK_FDS)
    {
      b.fds = jr_sys_map_anon (count * sizeof *b.fds);
      if (b.fds == NULL)
	return -ENOMEM;
      b.mapped = count * sizeof *b.fds;
    }
  jr_sys_testcancel ();
  count = to_polls (n, r, w, e, b.fds);
  bool now_only = ts != NULL && ts->tv_sec == 0 && ts->tv_nsec == 0;
  int64_t deadline = now_only ? 0 : __jr_deadline_ts (ts);
  int res = __jr_ppoll_deadline (b.fds, count, deadline, now_only, mask);
  if (res >= 0)
    res = from_polls (r, w, e, b.fds, count);
  if (ts != NULL && deadline != 0)
    __jr_left (deadline, INT64_MAX, ts);
  return res;
}

int
__jr_select (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
  struct timespec ts;
  if (timeout != NULL && !jr_can_write (timeout, sizeof *timeout))
    return jr_ret (-EFAULT);
  if (timeout != NULL)
    {
      if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
	return jr_ret (-EINVAL);
      ts.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
      ts.tv_nsec = timeout->tv_usec % 1000000 * 1000;
    }
  int res = do_select (n, r, w, e, timeout != NULL ? &ts : NULL, NULL);
  if (timeout != NULL)
    {
      timeout->tv_sec = ts.tv_sec;
      timeout->tv_usec = ts.tv_nsec / 1000;
    }
  return jr_ret (res);
}

int
__jr_pselect (int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout,
	      const sigset_t *mask)
{
  struct timespec ts;
  if ((timeout != NULL && !jr_can_read (timeout, sizeof *timeout))
      || (mask != NULL && !jr_can_read (mask, JR_SIGSET_BYTES)))
    return jr_ret (-EFAULT);
  if (timeout != NULL)
    {
      if (timeout->tv_nsec >= JR_NSEC_PER_SEC)
	return jr_ret (-EINVAL);
      ts = *timeout;
    }
  return jr_ret (do_select (n, r, w, e, timeout != NULL ? &ts : NULL, mask));
}
