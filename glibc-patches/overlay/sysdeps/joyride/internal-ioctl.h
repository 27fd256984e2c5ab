/* The place that glibc's ioctl has for an architecture's own handling:
   Joyride's sockets are handled by the client.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>

static inline bool
__ioctl_arch (int *r, int fd, unsigned long request, void *arg)
{
#if JR_HOOKED
  if (__jr_is_ours (fd))
    {
      *r = __jr_ioctl (fd, request, arg);
      return true;
    }
#endif
  return false;
}
