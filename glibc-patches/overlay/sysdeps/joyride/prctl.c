/* prctl: a program that forbids itself system calls.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <sysdep.h>
# include <sys/prctl.h>
JR_WEAK (__jr_sandboxed);

static inline int
jr_route_prctl (int option, unsigned long int a2, unsigned long int a3,
		unsigned long int a4, unsigned long int a5)
{
  int r = INLINE_SYSCALL_CALL (prctl, option, a2, a3, a4, a5);
  if (__glibc_unlikely (option == PR_SET_SECCOMP) && r == 0)
    __jr_sandboxed ();
  return r;
}
# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, ...) jr_route_prctl (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/prctl.c>
