/* Where a distribution has its own glibc.
   SPDX-License-Identifier: LGPL-2.1-or-later

   For ld.so and libc.so alike: a loader in one of these folders is the
   system's, and does nothing special.  */

#ifndef _JOYRIDE_DIRS_H
#define _JOYRIDE_DIRS_H 1

#include <stdbool.h>
#include <string.h>

/* The length of PATH up to and with its last slash.  */
static inline size_t
joyride_dir_length (const char *path)
{
  size_t len = strlen (path);
  while (len > 0 && path[len - 1] != '/')
    --len;
  return len;
}

/* Whether the LEN bytes at DIR, with a slash at the end, are a folder of the
   system's libc.  */
static inline bool
joyride_is_system_dir (const char *dir, size_t len)
{
  static const char dirs[] =
    "/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0"
    "/lib64/\0/usr/lib64/\0/lib/\0/usr/lib/\0";
  for (const char *s = dirs; *s != '\0'; s += strlen (s) + 1)
    if (strlen (s) == len && memcmp (s, dir, len) == 0)
      return true;
  return false;
}

#endif /* joyride-dirs.h */
