/* vmsplice: to the kernel a Joyride socket is a FIFO; to the program it is
   none.  SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <errno.h>
# include <sys/uio.h>
# include <sysdep-cancel.h>

static inline ssize_t
jr_route_vmsplice (int fd, const struct iovec *iov, size_t count, unsigned int flags)
{
  if (count != 0 && jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_SOCKET)
    {
      __set_errno (EBADF);
      return -1;
    }
  return SYSCALL_CANCEL (vmsplice, fd, iov, count, flags);
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_vmsplice (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/vmsplice.c>
