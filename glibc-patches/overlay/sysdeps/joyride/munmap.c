/* munmap: memory that was good to copy from or to is not any more.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <sys/mman.h>
#include <sysdep.h>
#include <jr-hook.h>
#if JR_HOOKED
JR_WEAK (__jr_unmapped);
#endif

int
__munmap (void *addr, size_t len)
{
  int r = INLINE_SYSCALL_CALL (munmap, addr, len);
#if JR_HOOKED
  __jr_unmapped ();
#endif
  return r;
}
libc_hidden_def (__munmap)
weak_alias (__munmap, munmap)
