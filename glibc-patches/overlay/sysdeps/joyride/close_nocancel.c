/* __close_nocancel: libc's own close, for ld.so too (there it goes to the kernel).
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-nocancel.h>
#if JR_HOOKED
# include <unistd.h>
# include <sysdep-cancel.h>
# include <not-cancel.h>

JR_WEAK (__jr_close_nocancel);

static inline int
jr_route_close (int fd)
{
  if (__jr_is_ours (fd))
    return __jr_close_nocancel (fd);
  return INLINE_SYSCALL_CALL (close, fd);
}
# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, ...) jr_route_close (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/close_nocancel.c>
