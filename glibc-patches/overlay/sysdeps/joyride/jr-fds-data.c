/* The table that tells Joyride's fds from others: data only, and not in
   ld.so, which gets what libc's internal calls refer to.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include "jr_fds.c"
#endif
