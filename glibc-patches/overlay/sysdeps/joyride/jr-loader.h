/* Programs that run on this libc because its own ld.so was executed.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JR_LOADER_H
#define _JR_LOADER_H 1

#include <jr-hook.h>

#if JR_HOOKED
/* The path of the program that "ld.so program" runs, as the kernel would give
   it for /proc/self/exe; NULL when the kernel's own answer is right.  */
extern const char *__jr_loader_exe (void) attribute_hidden;

/* Whether PATH means this process's /proc/self/exe and that is ld.so.  */
extern const char *__jr_loader_self (const char *path) attribute_hidden;

/* execve and execveat with all that is ours: the environment names the sockets
   that the program inherits, and the program is kept.  */
extern int __jr_execve (const char *path, char *const argv[],
			char *const envp[]) attribute_hidden;
extern int __jr_execveat (int dirfd, const char *path, char *const argv[],
			  char *const envp[], int flags) attribute_hidden;
#endif

#endif /* jr-loader.h */
