/* sigaction: in raw mode SIGSYS is libc's.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <signal.h>
# include <sysdep.h>
# include <jr-raw.h>
JR_WEAK (__jr_raw_on);
JR_WEAK (__jr_raw_sigaction);

static inline long int
jr_route_rt_sigaction (int sig, const void *act, void *old, size_t size)
{
  if (__glibc_likely (!__jr_raw_on))
    return INLINE_SYSCALL_CALL (rt_sigaction, sig, act, old, size);
  long int r = __jr_raw_sigaction (sig, act, old);
  if (INTERNAL_SYSCALL_ERROR_P (r))
    return INLINE_SYSCALL_ERROR_RETURN_VALUE (INTERNAL_SYSCALL_ERRNO (r));
  return r;
}
# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, ...) jr_route_rt_sigaction (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c>
