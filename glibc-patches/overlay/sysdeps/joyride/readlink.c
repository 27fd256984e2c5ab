/* readlink: /proc/self/exe is the program also when ld.so was executed, and the
   links of Joyride sockets are those of sockets.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <unistd.h>
#include <sysdep.h>
#include <jr-hook.h>
#include <jr-loader.h>

ssize_t
__readlink (const char *path, char *buf, size_t len)
{
#if JR_HOOKED
  const char *exe = __jr_loader_self (path);
  if (exe != NULL && len != 0)
    {
      size_t n = strlen (exe);
      memcpy (buf, exe, n < len ? n : len);
      return n < len ? n : len;
    }
  ssize_t r = __jr_fd_readlink (path, buf, len);
  if (r > 0)
    return r;
#endif
  return INLINE_SYSCALL_CALL (readlink, path, buf, len);
}
weak_alias (__readlink, readlink)
