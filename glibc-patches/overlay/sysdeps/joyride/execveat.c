/* execveat and fexecve: as execve.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <fcntl.h>
#include <unistd.h>
#include <sysdep.h>
#include <jr-loader.h>

int
execveat (int dirfd, const char *path, char *const argv[], char *const envp[],
	  int flags)
{
#if JR_HOOKED
  size_t size = __jr_any () ? __jr_exec_size (envp) : 0;
  char memory[size] __attribute__ ((aligned (16)));
  if (size != 0)
    envp = __jr_exec_prepare (envp, memory, size);
  if (path != NULL && path[0] == '\0' && flags == AT_EMPTY_PATH)
    __jr_loader_fexecve (dirfd, argv, envp);
  else if (path != NULL && flags == 0
	   && (path[0] == '/' || dirfd == AT_FDCWD))
    __jr_loader_execve (path, argv, envp);
#endif
  return INLINE_SYSCALL_CALL (execveat, dirfd, path, argv, envp, flags);
}
