/* statx: as fstat where the path is empty, or one of /proc/self/fd.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <errno.h>
# include <fcntl.h>
# include <sys/stat.h>
# include <sysdep.h>

static inline int
jr_route_statx (int fd, const char *path, int flags, unsigned int mask,
		struct statx *buf)
{
  int r = __INTERNAL_SYSCALL_DISP (__INTERNAL_SYSCALL, statx, fd, path, flags, mask, buf);
  if (r < 0)
    return INLINE_SYSCALL_ERROR_RETURN_VALUE (-r);
  if (path != NULL && *path == '/' && !(flags & AT_SYMLINK_NOFOLLOW))
    __jr_path_statx_fix (path, buf);
  else if ((flags & AT_EMPTY_PATH) && __jr_is_ours (fd) && (path == NULL || *path == '\0'))
    __jr_statx_fix (fd, buf);
  return r;
}
# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, ...) jr_route_statx (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/statx.c>
