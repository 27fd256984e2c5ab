/* What every hooked libc function includes first.
   SPDX-License-Identifier: LGPL-2.1-or-later

   JR_HOOKED is 1 where calls are sent to the client: in the shared libc
   only.  ld.so, libc.a and the other libraries get the unchanged function
   from the same file.  */

#ifndef _JR_HOOK_H
#define _JR_HOOK_H 1

#if IS_IN (libc) && defined SHARED
# define JR_HOOKED 1
# include <jr-fds.h>
# include <jr-calls.h>
# define JR_TRACE_STUBS 1
# include <jr-trace.h>

/* Whether socket () has to ask the client.  */
# define __jr_wants_domain(domain) \
  ((domain) == AF_INET || (domain) == AF_INET6)

/* For objects that ld.so's own copy is chosen by (it takes from libc what it
   needs, and what that needs): a reference that pulls nothing in.  */
# define JR_WEAK(name) extern __typeof (name) name __attribute__ ((weak))
#else
# define JR_HOOKED 0
#endif

#endif /* jr-hook.h */
