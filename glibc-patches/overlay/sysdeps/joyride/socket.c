/* socket: Joyride's domains to the client, everything else to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <sys/socket.h>
#include <sysdep.h>
#include <jr-hook.h>

int
__socket (int domain, int type, int protocol)
{
#if JR_HOOKED
  if (__jr_wants_domain (domain))
    return __jr_socket (domain, type, protocol);
#endif
  return INLINE_SYSCALL_CALL (socket, domain, type, protocol);
}
libc_hidden_def (__socket)
weak_alias (__socket, socket)
