/* recvmmsg: Joyride's sockets to the client, everything else to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <sys/socket.h>
# include <sysdep-cancel.h>

static inline int
jr_route_recvmmsg (int fd, struct mmsghdr *vmessages, unsigned int vlen,
		   int flags, struct timespec *timeout)
{
  if (__jr_is_ours (fd))
    return __jr_recvmmsg (fd, vmessages, vlen, flags, timeout);
  int r = SYSCALL_CANCEL (recvmmsg, fd, vmessages, vlen, flags, timeout);
  for (int i = 0; i < r; i++)
    if (__glibc_unlikely (vmessages[i].msg_hdr.msg_controllen != 0))
      __jr_scm_received (&vmessages[i].msg_hdr);
  return r;
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_recvmmsg (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/recvmmsg.c>
