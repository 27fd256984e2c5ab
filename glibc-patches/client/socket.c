/* socket: a handle from the pool, or the kernel's socket when there is none.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

static bool
is_ours (int domain, int type, int protocol)
{
  if (!__jr_wants_domain (domain))
    return false;
  if (type == SOCK_STREAM)
    return protocol == 0 || protocol == IPPROTO_TCP;
  return type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP);
}

int
__jr_socket (int domain, int type, int protocol)
{
  struct jr_sock s;
  int handle, kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (!is_ours (domain, kind, protocol) || __jr_attach () < 0 || __jr_foreign ()
      || !__jr_at_home ()
      || __jr_pool_pop (&s, &handle) < 0)
    return jr_ret (jr_sys_socket (domain, type, protocol));
  int fd = __jr_pool_number (handle, type & SOCK_CLOEXEC);
  if (fd < 0)
    {
      __jr_pool_push (&s);
      return jr_ret (fd);
    }
  if (protocol == 0)
    protocol = kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
  __jr_slot_init (&s, domain, kind, protocol, type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
  return jr_ret (__jr_pool_enter (&s, handle, fd, type & SOCK_CLOEXEC));
}
