/* _Fork, and so fork and all that forks: the client is told before and
   after.
   SPDX-License-Identifier: LGPL-2.1-or-later

   _Fork may be called in a signal handler, and fork calls it with malloc's
   and stdio's locks held: what is called here takes neither.  */

#include <arch-fork.h>
#include <jr-hook.h>

#if JR_HOOKED
# include <jr-raw.h>

static inline pid_t
jr_arch_fork (void *ctid)
{
  bool any = __jr_any ();
  if (any)
    __jr_fork_prepare ();
  pid_t pid = arch_fork (ctid);
  if (pid == 0)
    {
      __jr_raw_thread ();
      if (any)
	__jr_fork_child ();
    }
  else if (any)
    {
      int error = errno;
      __jr_fork_parent ();
      __set_errno (error);
    }
  return pid;
}
# define arch_fork(ctid) jr_arch_fork (ctid)
#endif
#include <sysdeps/nptl/_Fork.c>
