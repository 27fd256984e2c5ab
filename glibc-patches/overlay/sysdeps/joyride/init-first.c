/* libc's constructor also starts the client, in the program's own namespace.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <libc-internal.h>
# include <jr-raw.h>

static inline void
jr_init_misc (int argc, char **argv, char **envp)
{
  __init_misc (argc, argv, envp);
  if (__libc_initial)
    {
      __jr_start (envp);
      __jr_raw_start (envp);
    }
  else if (__jr_raw_wanted (envp))
    /* The calls of another namespace's libc come to the first one's handler
       as everybody's do; two clients would take each other's handles.  */
    __jr_env_keep (NULL, "off");
}
# define __init_misc(argc, argv, envp) jr_init_misc (argc, argv, envp)
#endif
#include <csu/init-first.c>
