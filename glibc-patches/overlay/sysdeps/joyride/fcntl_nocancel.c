/* fcntl: Joyride's sockets to the client, everything else to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later

   All of libc's fcntl functions end here but for the locking commands, which
   no socket has.  For ld.so too (there it goes to the kernel).  */

#include <fcntl.h>
#include <stdarg.h>
#include <errno.h>
#include <sysdep-cancel.h>
#include <not-cancel.h>
#include <jr-hook.h>

#if JR_HOOKED
JR_WEAK (__jr_fcntl);
#endif

int
__fcntl64_nocancel (int fd, int cmd, ...)
{
  va_list ap;
  void *arg;

  va_start (ap, cmd);
  arg = va_arg (ap, void *);
  va_end (ap);

  return __fcntl64_nocancel_adjusted (fd, cmd, arg);
}
hidden_def (__fcntl64_nocancel)

int
__fcntl64_nocancel_adjusted (int fd, int cmd, void *arg)
{
#if JR_HOOKED
  if (__jr_is_ours (fd))
    return __jr_fcntl (fd, cmd, arg);
#endif
  if (cmd == F_GETOWN)
    {
      /* The owner's process group comes as a negative number, which is no
	 error.  */
      struct f_owner_ex fex;
      int res = INTERNAL_SYSCALL_CALL (fcntl, fd, F_GETOWN_EX, &fex);
      if (!INTERNAL_SYSCALL_ERROR_P (res))
	return fex.type == F_OWNER_GID ? -fex.pid : fex.pid;

      return INLINE_SYSCALL_ERROR_RETURN_VALUE (INTERNAL_SYSCALL_ERRNO (res));
    }

  return INLINE_SYSCALL_CALL (fcntl, fd, cmd, arg);
}
