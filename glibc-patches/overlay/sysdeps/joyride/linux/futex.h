/* <linux/futex.h> inside libc: glibc has its own names for what the kernel's
   header defines, and declaring both does not compile.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#if IS_IN (libc)
# include <lowlevellock-futex.h>
#else
# include_next <linux/futex.h>
#endif
