/* mlockall: not for the address space of rings that are empty.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <sys/mman.h>
#include <sysdep.h>
#include <jr-hook.h>

int
mlockall (int flags)
{
#if JR_HOOKED
  if (__jr_any ())
    return __jr_mlockall (flags);
#endif
  return INLINE_SYSCALL_CALL (mlockall, flags);
}
