/* getrlimit: the limit of addresses that setrlimit was given.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <errno.h>
#include <sys/types.h>
#include <sysdep.h>
#include <shlib-compat.h>
/* Or the aliases below would not have the type of what they name.  */
#define getrlimit getrlimit_redirect
#define __getrlimit __getrlimit_redirect
#include <sys/resource.h>
#undef getrlimit
#undef __getrlimit
#include <jr-hook.h>
#if JR_HOOKED
JR_WEAK (__jr_fix_address_limit);
#endif

int
__getrlimit64 (enum __rlimit_resource resource, struct rlimit64 *limits)
{
  int r = INLINE_SYSCALL_CALL (prlimit64, 0, resource, NULL, limits);
#if JR_HOOKED
  if (resource == RLIMIT_AS && r == 0 && limits != NULL)
    __jr_fix_address_limit (limits);
#endif
  return r;
}
libc_hidden_def (__getrlimit64)
strong_alias (__getrlimit64, __GI_getrlimit)
strong_alias (__getrlimit64, __GI___getrlimit)
strong_alias (__getrlimit64, __getrlimit)
weak_alias (__getrlimit64, getrlimit)
weak_alias (__getrlimit64, getrlimit64)
libc_hidden_weak (getrlimit64)
