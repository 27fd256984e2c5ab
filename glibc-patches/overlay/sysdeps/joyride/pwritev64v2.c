/* pwritev2: without an offset it is writev with flags, for sockets too.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <errno.h>
# include <limits.h>
# include <sys/socket.h>
# include <sys/uio.h>
# include <sysdep-cancel.h>

# define JR_RWF_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

static inline ssize_t
jr_route_pwritev2 (int fd, const struct iovec *vector, int count, long int low,
		   long int high, int flags)
{
  if (jr_ent_kind (__jr_fd_entry (fd)) != JR_FD_SOCKET || low != -1)
    return SYSCALL_CANCEL (pwritev2, fd, vector, count, low, high, flags);
  if (flags & ~JR_RWF_KNOWN)
    {
      __set_errno (EOPNOTSUPP);
      return -1;
    }
  if (!(flags & RWF_NOWAIT) || count < 0 || count > UIO_MAXIOV)
    return __jr_writev (fd, vector, count);
  struct msghdr msg = { .msg_iov = (struct iovec *) vector, .msg_iovlen = count };
  return __jr_sendmsg (fd, &msg, MSG_DONTWAIT);
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_pwritev2 (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/pwritev64v2.c>
