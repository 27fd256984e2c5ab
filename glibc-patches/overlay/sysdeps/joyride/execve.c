/* execve: the program is kept on this libc, and told what it inherits.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <unistd.h>
#include <sysdep.h>
#include <jr-loader.h>

int
__execve (const char *path, char *const argv[], char *const envp[])
{
#if JR_HOOKED
  size_t size = __jr_any () ? __jr_exec_size (envp) : 0;
  char memory[size] __attribute__ ((aligned (16)));
  if (size != 0)
    envp = __jr_exec_prepare (envp, memory, size);
  __jr_loader_execve (path, argv, envp);
#endif
  return INLINE_SYSCALL_CALL (execve, path, argv, envp);
}
weak_alias (__execve, execve)
