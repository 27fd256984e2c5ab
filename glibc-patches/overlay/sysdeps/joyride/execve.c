/* execve: the program is kept on this libc, and told what it inherits.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <unistd.h>
#include <sysdep.h>
#include <jr-loader.h>

int
__execve (const char *path, char *const argv[], char *const envp[])
{
#if JR_HOOKED
  return __jr_execve (path, argv, envp);
#else
  return INLINE_SYSCALL_CALL (execve, path, argv, envp);
#endif
}
weak_alias (__execve, execve)
