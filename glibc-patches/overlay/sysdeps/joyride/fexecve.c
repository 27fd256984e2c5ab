/* fexecve: as execveat of the fd itself.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-loader.h>
#if JR_HOOKED
# include <sysdep.h>
# undef INLINE_SYSCALL
# define INLINE_SYSCALL(name, nr, ...) __jr_execveat (__VA_ARGS__)
#endif
#include <sysdeps/unix/sysv/linux/fexecve.c>
