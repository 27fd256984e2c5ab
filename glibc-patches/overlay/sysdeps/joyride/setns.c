/* setns: sockets that this thread makes from now on may be another network's.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <sched.h>
#include <sysdep.h>
#include <jr-hook.h>

int
setns (int fd, int nstype)
{
  int result = INLINE_SYSCALL_CALL (setns, fd, nstype);
#if JR_HOOKED
  if (result == 0 && (nstype == 0 || (nstype & CLONE_NEWNET) != 0))
    __jr_ns_changed ();
#endif
  return result;
}
