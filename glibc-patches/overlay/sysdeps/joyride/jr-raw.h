/* Raw mode: system calls that a program makes by itself, without libc, come
   here too (jr-raw.c).  SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JR_RAW_H
#define _JR_RAW_H 1

#include <stdbool.h>
#include <stdint.h>

/* Never changes after the program's start.  */
extern bool __jr_raw_on attribute_hidden;

/* struct kernel_sigaction as the kernel has it, with a mask of 8 bytes.  */
struct jr_ksigaction
{
  void *handler;
  unsigned long int flags;
  void (*restorer) (void);
  uint64_t mask;
};

extern bool __jr_raw_wanted (char **envp) attribute_hidden;
/* At the program's start.  */
extern void __jr_raw_start (char **envp) attribute_hidden;
/* In a new thread, and in the child of a fork.  */
extern void __jr_raw_thread (void) attribute_hidden;
/* The kernel's rt_sigaction, with the kernel's result; SIGSYS is ours.  */
extern long int __jr_raw_sigaction (int sig, const struct jr_ksigaction *act,
				    struct jr_ksigaction *old) attribute_hidden;
/* As syscall (), with the kernel's result: a negative errno.  */
extern long int __jr_raw_call (long int number, const long int *args)
  attribute_hidden;

#endif /* jr-raw.h */
