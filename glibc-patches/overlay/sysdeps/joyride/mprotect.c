/* mprotect: memory that was good to copy from or to may not be any more.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <sys/mman.h>
#include <sysdep.h>
#include <jr-hook.h>
#if JR_HOOKED
JR_WEAK (__jr_unmapped);
#endif

int
__mprotect (void *addr, size_t len, int prot)
{
  int r = INLINE_SYSCALL_CALL (mprotect, addr, len, prot);
#if JR_HOOKED
  __jr_unmapped ();
#endif
  return r;
}
libc_hidden_def (__mprotect)
weak_alias (__mprotect, mprotect)
