/* tee: to the kernel a Joyride socket is a FIFO; to the program it is none.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <errno.h>
# include <sysdep-cancel.h>

static inline ssize_t
jr_route_tee (int src, int dest, size_t len, unsigned int flags)
{
  if (len != 0 && (jr_ent_kind (__jr_fd_entry (src)) == JR_FD_SOCKET
		   || jr_ent_kind (__jr_fd_entry (dest)) == JR_FD_SOCKET))
    {
      __set_errno (EINVAL);
      return -1;
    }
  return SYSCALL_CANCEL (tee, src, dest, len, flags);
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_tee (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/tee.c>
