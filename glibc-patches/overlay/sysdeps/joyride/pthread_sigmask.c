/* pthread_sigmask, and so sigprocmask: in raw mode nothing blocks SIGSYS.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <signal.h>
# include <sysdep.h>
# include <jr-raw.h>
JR_WEAK (__jr_raw_on);

static inline long int
jr_route_rt_sigprocmask (int how, const sigset_t *set, sigset_t *old, size_t size)
{
  sigset_t copy;
  if (__glibc_unlikely (__jr_raw_on) && set != NULL && how != SIG_UNBLOCK)
    {
      copy = *set;
      __sigdelset (&copy, SIGSYS);
      set = &copy;
    }
  return INTERNAL_SYSCALL_CALL (rt_sigprocmask, how, set, old, size);
}
# undef INTERNAL_SYSCALL_CALL
# define INTERNAL_SYSCALL_CALL(name, ...) jr_route_rt_sigprocmask (__VA_ARGS__)
#endif
#include <nptl/pthread_sigmask.c>
