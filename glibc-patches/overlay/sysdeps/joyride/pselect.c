/* pselect: sets with Joyride's sockets to the client, others to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <sys/select.h>
# include <sysdep-cancel.h>

/* The kernel takes the signal mask and its size as two words in memory.  */
static inline int
jr_route_pselect (int nfds, fd_set *readfds, fd_set *writefds,
		  fd_set *exceptfds, const struct timespec *timeout,
		  const __syscall_ulong_t mask[2])
{
  if (__jr_any ())
    return __jr_pselect (nfds, readfds, writefds, exceptfds, timeout,
			 (const sigset_t *) mask[0]);
  return SYSCALL_CANCEL (pselect6, nfds, readfds, writefds, exceptfds,
			 timeout, mask);
}
# undef SYSCALL_CANCEL
# define SYSCALL_CANCEL(name, ...) jr_route_pselect (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/pselect.c>
