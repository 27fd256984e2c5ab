/* setrlimit: a limit of addresses does not count those mapped for Joyride.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <errno.h>
#include <sys/types.h>
#include <sysdep.h>
#include <shlib-compat.h>
/* Or the aliases below would not have the type of what they name.  */
#define setrlimit setrlimit_redirect
#define __setrlimit __setrlimit_redirect
#include <sys/resource.h>
#undef setrlimit
#undef __setrlimit
#include <jr-hook.h>

int
__setrlimit64 (enum __rlimit_resource resource, const struct rlimit64 *limits)
{
#if JR_HOOKED
  if (resource == RLIMIT_AS && limits != NULL && __jr_any ())
    {
      long int r = __jr_set_address_limit (limits);
      return (INTERNAL_SYSCALL_ERROR_P (r)
	      ? INLINE_SYSCALL_ERROR_RETURN_VALUE (INTERNAL_SYSCALL_ERRNO (r)) : 0);
    }
#endif
  return INLINE_SYSCALL_CALL (prlimit64, 0, resource, limits, NULL);
}
weak_alias (__setrlimit64, setrlimit64)
strong_alias (__setrlimit64, __setrlimit)
weak_alias (__setrlimit64, setrlimit)
#ifdef SHARED
__hidden_ver1 (__setrlimit64, __GI___setrlimit, __setrlimit64);
#endif
