/* select: sets with Joyride's sockets to the client, others to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <sys/select.h>
# include <sys/time.h>
# include <sysdep-cancel.h>

/* glibc's select has checked the time-out and made it a timespec; it turns
   what remains of that back.  */
static inline int
jr_route_select (int nfds, fd_set *readfds, fd_set *writefds,
		 fd_set *exceptfds, struct timespec *timeout)
{
  if (!__jr_any ())
    return SYSCALL_CANCEL (pselect6, nfds, readfds, writefds, exceptfds,
			   timeout, NULL);
  struct timeval tv;
  if (timeout != NULL)
    TIMESPEC_TO_TIMEVAL (&tv, timeout);
  int r = __jr_select (nfds, readfds, writefds, exceptfds,
		       timeout != NULL ? &tv : NULL);
  if (timeout != NULL)
    TIMEVAL_TO_TIMESPEC (&tv, timeout);
  return r;
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, nfds, readfds, writefds, exceptfds, timeout, \
			mask) \
  jr_route_select (nfds, readfds, writefds, exceptfds, timeout)
#endif
#include <sysdeps/unix/sysv/linux/select.c>
