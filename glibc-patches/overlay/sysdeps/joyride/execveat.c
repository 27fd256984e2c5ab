/* execveat: as execve.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <unistd.h>
#include <sysdep.h>
#include <jr-loader.h>

int
execveat (int dirfd, const char *path, char *const argv[], char *const envp[],
	  int flags)
{
#if JR_HOOKED
  return __jr_execveat (dirfd, path, argv, envp, flags);
#else
  return INLINE_SYSCALL_CALL (execveat, dirfd, path, argv, envp, flags);
#endif
}
