/* readlinkat: as readlink.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <unistd.h>
#include <sysdep.h>
#include <jr-hook.h>
#include <jr-loader.h>

ssize_t
readlinkat (int fd, const char *path, char *buf, size_t len)
{
#if JR_HOOKED
  /* The link's path is absolute: FD does not matter.  */
  if (__jr_loader_self (path) != NULL)
    return __readlink (path, buf, len);
  ssize_t r = __jr_fd_readlink (path, buf, len);
  if (r > 0)
    return r;
#endif
  return INLINE_SYSCALL_CALL (readlinkat, fd, path, buf, len);
}
libc_hidden_def (readlinkat)
