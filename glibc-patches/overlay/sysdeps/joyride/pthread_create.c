/* pthread_create: a new thread begins in raw mode if the program is in it.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <ctype.h>
# include <jr-raw.h>

/* The first thing that a thread does.  */
static inline void
jr_ctype_init (void)
{
  __jr_raw_thread ();
  __ctype_init ();
}
# define __ctype_init jr_ctype_init
#endif
#include <nptl/pthread_create.c>
