/* fstat of programs linked before glibc 2.33.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#define __fxstat __redirect___fxstat
#include <sys/stat.h>
#undef __fxstat
#include <jr-hook.h>
#if JR_HOOKED
# include <sysdep.h>

static inline int
jr_route_fxstat (int fd, struct stat64 *buf)
{
  int r = INLINE_SYSCALL_CALL (fstat, fd, buf);
  if (__jr_is_ours (fd) && r == 0)
    __jr_fstat_fix (fd, (struct stat *) buf);
  return r;
}
# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, ...) jr_route_fxstat (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/fxstat64.c>
