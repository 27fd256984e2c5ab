/* Where character sets are looked for: also where rpm distributions have them.
   Debian's iconv reads its cache and never asks for this list.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#undef GCONV_PATH
#define GCONV_PATH "/usr/lib/x86_64-linux-gnu/gconv:/usr/lib64/gconv"

#include <iconv/gconv_conf.c>
