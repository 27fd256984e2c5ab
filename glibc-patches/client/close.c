/* close, close_range and closefrom.  libc's own fds are closed fds to the
   program.  SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* In a child of vfork only the kernel's table is the child's own.  */
static int
do_close (int fd)
{
  uint64_t ent = __jr_fd_entry (fd);
  if (__jr_foreign ())
    return JR_SYSCALL (close, fd);
  if (jr_ent_kind (ent) == JR_FD_INTERNAL)
    return -EBADF;
  if (jr_ent_kind (ent) == JR_FD_SOCKET)
    __jr_linger (fd);
  ent = __jr_fd_take (fd);
  __jr_ent_release (ent);
  int r = jr_sys_close (fd);
  __jr_closed (ent);
  return r;
}

int
__jr_close (int fd)
{
  return jr_ret (do_close (fd));
}

/* Numbers FIRST to LAST without internal ones among them.  */
static int
close_run (unsigned int first, unsigned int last, int flags)
{
  uint64_t ent;
  for (int fd = __jr_fd_next (first, &ent); fd >= 0 && (unsigned int) fd <= last;
       fd = __jr_fd_next (fd + 1, &ent))
    {
      if (flags & CLOSE_RANGE_CLOEXEC)
	__jr_fd_cloexec (fd, true);
      else
	do_close (fd);
    }
  return jr_sys_close_range (first, last, flags);
}

static int
do_close_range (unsigned int first, unsigned int last, int flags)
{
  uint64_t ent;
  if (first > last || (flags & ~(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)) != 0)
    return -EINVAL;
  if (!__jr_any () || __jr_foreign () || first > INT32_MAX)
    return jr_sys_close_range (first, last, flags);
  /* Asks whether the kernel has the call, and unshares.  */
  int r = jr_sys_close_range (~0u, ~0u, flags);
  if (r < 0)
    return r;
  for (int fd = __jr_fd_next (first, &ent); fd >= 0 && (unsigned int) fd <= last;
       fd = __jr_fd_next (fd + 1, &ent))
    {
      if (jr_ent_kind (ent) != JR_FD_INTERNAL)
	continue;
      if ((unsigned int) fd > first)
	r = close_run (first, fd - 1, flags);
      first = fd + 1;
      if (r < 0)
	return r;
    }
  return first > last ? 0 : close_run (first, last, flags);
}

int
__jr_close_range (unsigned int first, unsigned int last, int flags)
{
  return jr_ret (do_close_range (first, last, flags));
}

void
__jr_closefrom (int first)
{
  if (first < 0)
    first = 0;
  if (do_close_range (first, ~0u, 0) == 0)
    return;
  int limit = jr_sys_rlimit_nofile ();
  for (int fd = first; fd < limit; fd++)
    if (__jr_fd_entry (fd) != 0)
      do_close (fd);
    else
      jr_sys_close (fd);
}
