/* What every hooked libc function includes first.
   SPDX-License-Identifier: LGPL-2.1-or-later

   JR_HOOKED is 1 where calls are sent to the client: in the shared libc
   only.  ld.so, libc.a and the other libraries get the unchanged function
   from the same file.  */

#ifndef _JR_HOOK_H
#define _JR_HOOK_H 1

#if IS_IN (libc) && defined SHARED
# define JR_HOOKED 1
# include <jr-internal.h>
#else
# define JR_HOOKED 0
#endif

#endif /* jr-hook.h */
