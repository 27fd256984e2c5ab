/* Which fds are Joyride's: the table that every hooked call looks at.  Data
   only, so that ld.so can have its own copy, for ever empty.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-fds.h"

unsigned int __jr_fd_limit;
uint64_t *__jr_fd_page[JR_FDS_PAGES];
