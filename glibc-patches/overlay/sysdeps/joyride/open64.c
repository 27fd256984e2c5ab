/* open: a socket in /proc/self/fd cannot be opened.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <errno.h>
# include <fcntl.h>
# include <sysdep-cancel.h>

JR_WEAK (__jr_opens_socket);

# undef INLINE_SYSCALL_CALL
# define INLINE_SYSCALL_CALL(name, fd, file, flags, mode)		      \
  (__builtin_expect (__jr_opens_socket (file, flags), 0)		      \
   ? INLINE_SYSCALL_ERROR_RETURN_VALUE (ENXIO)				      \
   : __INLINE_SYSCALL_DISP (__INLINE_SYSCALL, name, fd, file, flags, mode))
#endif
#include <sysdeps/unix/sysv/linux/open64.c>
