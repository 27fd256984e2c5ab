/* sendmmsg: Joyride's sockets to the client, everything else to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <sys/socket.h>
# include <sysdep-cancel.h>

static inline int
jr_route_sendmmsg (int fd, struct mmsghdr *vmessages, unsigned int vlen, int flags)
{
  if (__jr_is_ours (fd))
    return __jr_sendmmsg (fd, vmessages, vlen, flags);
  if (__jr_any ())
    __jr_scm_sending_all (vmessages, vlen);
  return SYSCALL_CANCEL (sendmmsg, fd, vmessages, vlen, flags);
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_sendmmsg (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/sendmmsg.c>
