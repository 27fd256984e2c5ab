/* libc's constructor also starts the client, in the program's own namespace.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <libc-internal.h>

static inline void
jr_init_misc (int argc, char **argv, char **envp)
{
  __init_misc (argc, argv, envp);
  if (__libc_initial)
    __jr_start (envp);
}
# define __init_misc(argc, argv, envp) jr_init_misc (argc, argv, envp)
#endif
#include <csu/init-first.c>
