/* pidfd_getfd: the fd may be a Joyride socket of another process.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <sys/pidfd.h>
#include <sysdep.h>
#include <jr-hook.h>

int
pidfd_getfd (int pidfd, int targetfd, unsigned int flags)
{
  int fd = INLINE_SYSCALL_CALL (pidfd_getfd, pidfd, targetfd, flags);
#if JR_HOOKED
  if (fd >= 0)
    __jr_fd_gotten (fd, pidfd);
#endif
  return fd;
}
