/* fstatat and what is made of it: as fstat where the path is empty, or one of
   /proc/self/fd.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

/* As glibc's file does: the names it defines differ in type from the
   declared ones.  */
#define __fstatat __redirect___fstatat
#define fstatat   __redirect_fstatat
#include <sys/stat.h>
#include <jr-hook.h>
#if JR_HOOKED
# include <fcntl.h>
# include <sysdep.h>

JR_WEAK (__jr_fstat_fix);
JR_WEAK (__jr_path_stat_fix);

static inline long int
jr_fixed (int fd, const char *path, void *buf, int flag, long int r)
{
  if (r != 0)
    return r;
  if (path != NULL && *path == '/' && !(flag & AT_SYMLINK_NOFOLLOW))
    __jr_path_stat_fix (path, buf);
  else if ((flag & AT_EMPTY_PATH) && __jr_is_ours (fd)
	   && (path == NULL || *path == '\0'))
    __jr_fstat_fix (fd, buf);
  return r;
}
# undef INTERNAL_SYSCALL_CALL
# define INTERNAL_SYSCALL_CALL(...)					      \
  jr_fixed (fd, file, buf, flag,					      \
	    __INTERNAL_SYSCALL_DISP (__INTERNAL_SYSCALL, __VA_ARGS__))
#endif
#undef __fstatat
#undef fstatat
#include <sysdeps/unix/sysv/linux/fstatat64.c>
