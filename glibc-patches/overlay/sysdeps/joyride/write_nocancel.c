/* __write_nocancel: libc's own write, for ld.so too (there it goes to the kernel).
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-nocancel.h>
#if JR_HOOKED
# include <unistd.h>
# include <sysdep-cancel.h>
# include <not-cancel.h>

JR_WEAK (__jr_write_nocancel);

static inline ssize_t
jr_route_write (int fd, const void *buf, size_t nbytes)
{
  if (__jr_is_ours (fd))
    return __jr_write_nocancel (fd, buf, nbytes);
  return INLINE_SYSCALL_CALL (write, fd, buf, nbytes);
}
# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, ...) jr_route_write (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/write_nocancel.c>
