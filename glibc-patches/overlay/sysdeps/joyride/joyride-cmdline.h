/* What others see of a program that ld.so was executed for.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JOYRIDE_CMDLINE_H
#define _JOYRIDE_CMDLINE_H 1

static void
joyride_hide_ldso_arguments (void)
{
}

#endif /* joyride-cmdline.h */
