/* The link map of ld.so, which glibc keeps in different places.
   SPDX-License-Identifier: LGPL-2.1-or-later

   Up to 2.40 it is in the table that ld.so and libc.so share; since then it is
   ld.so's own, and libc.so looks for it in the list of all.  */

#ifndef _JOYRIDE_RTLD_H
#define _JOYRIDE_RTLD_H 1

#include <features.h>
#include <ldsodefs.h>

static inline struct link_map *
joyride_rtld_map (void)
{
#if !__GLIBC_PREREQ (2, 41)
  return &GL(dl_rtld_map);
#elif IS_IN (rtld)
  return &_dl_rtld_map;
#else
  ElfW(Addr) inside = (ElfW(Addr)) &_rtld_global;
  struct link_map *l = GL(dl_ns)[LM_ID_BASE]._ns_loaded;
  while (l != NULL && inside - l->l_map_start >= l->l_map_end - l->l_map_start)
    l = l->l_next;
  return l;
#endif
}

#endif /* joyride-rtld.h */
