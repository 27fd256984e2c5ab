/* dup, dup2 and dup3.  SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

int
__jr_dup (int fd)
{
  return __jr_fcntl (fd, F_DUPFD, NULL);
}

static int
do_dup3 (int old, int fd, int flags)
{
  uint64_t src = __jr_fd_entry (old) & ~JR_ENT_CLOEXEC;
  if (jr_ent_kind (src) == JR_FD_INTERNAL)
    return -EBADF;
  if (__jr_foreign ())
    {
      int r = jr_sys_dup3 (old, fd, flags);
      if (r >= 0 && jr_ent_kind (src) == JR_FD_SOCKET)
	__jr_overlay_note (fd, __jr_overlay_entry (old));
      return r;
    }
  if (jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_INTERNAL)
    {
      int r = __jr_fd_internal_move (fd);
      if (r < 0)
	return r;
    }
  if (!__jr_ent_hold (src))
    src = 0;
  int r = jr_sys_dup3 (old, fd, flags);
  if (r < 0)
    {
      __jr_ent_unhold (src);
      return r;
    }
  uint64_t was = __jr_fd_take (fd);
  if (src != 0)
    r = __jr_fd_copied (old, fd, src, flags & O_CLOEXEC);
  __jr_ent_release (was);
  __jr_closed (was);
  return r;
}

int
__jr_dup2 (int old, int fd)
{
  if (old == fd)
    return jr_ret (jr_ent_kind (__jr_fd_entry (old)) == JR_FD_INTERNAL
		   ? -EBADF : fd);
  return jr_ret (do_dup3 (old, fd, 0));
}

int
__jr_dup3 (int old, int fd, int flags)
{
  if (old == fd || (flags & ~O_CLOEXEC) != 0)
    return jr_ret (-EINVAL);
  return jr_ret (do_dup3 (old, fd, flags));
}
