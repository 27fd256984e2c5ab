/* read: Joyride's sockets to the client, everything else to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <unistd.h>
# include <sysdep-cancel.h>

static inline ssize_t
jr_route_read (int fd, void *buf, size_t nbytes)
{
  if (__jr_is_ours (fd))
    return __jr_read (fd, buf, nbytes);
  return SYSCALL_CANCEL (read, fd, buf, nbytes);
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_read (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/read.c>
