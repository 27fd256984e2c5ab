/* recvmsg: Joyride's sockets to the client, everything else to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later

   A socket of Joyride's may come as SCM_RIGHTS by any Unix socket: the client
   looks at what the kernel delivered.  */

#include <jr-hook.h>
#if JR_HOOKED
# include <sys/socket.h>
# include <sysdep-cancel.h>

static inline ssize_t
jr_route_recvmsg (int fd, struct msghdr *msg, int flags)
{
  if (__jr_is_ours (fd))
    return __jr_recvmsg (fd, msg, flags);
  ssize_t r = SYSCALL_CANCEL (recvmsg, fd, msg, flags);
  if (r >= 0 && __glibc_unlikely (msg->msg_controllen != 0))
    __jr_scm_received (msg);
  return r;
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_recvmsg (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/recvmsg.c>
