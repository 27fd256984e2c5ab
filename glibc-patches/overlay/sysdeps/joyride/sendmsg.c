/* sendmsg: Joyride's sockets to the client, everything else to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later

   A socket of Joyride's may go as SCM_RIGHTS by any Unix socket: the client
   sees to it that its kernel side can follow.  */

#include <jr-hook.h>
#if JR_HOOKED
# include <sys/socket.h>
# include <sysdep-cancel.h>

static inline ssize_t
jr_route_sendmsg (int fd, const struct msghdr *msg, int flags)
{
  if (__jr_is_ours (fd))
    return __jr_sendmsg (fd, msg, flags);
  if (__jr_any ())
    __jr_scm_sending (msg);
  return SYSCALL_CANCEL (sendmsg, fd, msg, flags);
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_sendmsg (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/sendmsg.c>
