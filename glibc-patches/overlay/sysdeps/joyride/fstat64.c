/* fstat: a socket of Joyride's looks like a socket.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

/* As glibc's file does: the names it defines differ in type from the
   declared ones.  */
#define __fstat __redirect___fstat
#define fstat   __redirect_fstat
#include <sys/stat.h>
#undef __fstat
#undef fstat
#include <jr-hook.h>
#if JR_HOOKED
# include <fcntl.h>
# include <sysdep.h>

JR_WEAK (__jr_fstat_fix);

static inline int
jr_route_fstat (int fd, struct stat64 *buf)
{
# if __GLIBC_PREREQ (2, 41)
  int r = INLINE_SYSCALL (fstat, 2, fd, buf);
# else
  int r = __fstatat64 (fd, "", buf, AT_EMPTY_PATH);
# endif
  if (__jr_is_ours (fd) && r == 0)
    __jr_fstat_fix (fd, (struct stat *) buf);
  return r;
}
/* The one call in glibc's file: this in 2.36, the other in 2.41.  */
# undef __fstatat64_time64
# define __fstatat64_time64(fd, file, buf, flag) jr_route_fstat (fd, buf)
# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, fd, buf) jr_route_fstat (fd, buf)
#endif
#include <sysdeps/unix/sysv/linux/fstat64.c>
