/* jr-sys.h inside libc: system calls, cancellation and the thread by
   glibc's own internal means.  SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JR_SYS_GLIBC_H
#define _JR_SYS_GLIBC_H 1

#include <ldsodefs.h>
#include <libc-internal.h>
#include <pthreadP.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysdep-cancel.h>
#include <unistd.h>

#define JR_HIDDEN attribute_hidden
#define JR_TLS_IE attribute_tls_model_ie attribute_hidden

/* The kernel's result as it is: a negative errno for an error; errno itself
   is not touched.  */
#define JR_SYSCALL(...) ((long int) INTERNAL_SYSCALL_CALL (__VA_ARGS__))

/* As SYSCALL_CANCEL, with the kernel's result.  The thread may be unwound
   from here, as from any cancellation point.  */
#if __GLIBC_PREREQ (2, 41)
# define JR_SYSCALL_CANCEL(...) ((long int) INTERNAL_SYSCALL_CANCEL (__VA_ARGS__))
#else
# define JR_SYSCALL_CANCEL(...)						      \
  ({									      \
    long int jr_result_;						      \
    if (SINGLE_THREAD_P)						      \
      jr_result_ = INTERNAL_SYSCALL_CALL (__VA_ARGS__);		      \
    else								      \
      {									      \
	int jr_type_ = LIBC_CANCEL_ASYNC ();				      \
	jr_result_ = INTERNAL_SYSCALL_CALL (__VA_ARGS__);		      \
	LIBC_CANCEL_RESET (jr_type_);					      \
      }									      \
    jr_result_;								      \
  })
#endif

static inline uint32_t
jr_sys_tid (void)
{
  return THREAD_GETMEM (THREAD_SELF, tid);
}

/* _Fork gives the child its own tid before anything of ours runs there.  */
static inline void
jr_sys_forked (void)
{
}

/* The end of the stack that this thread runs on, if SP is on the one that it
   was started with; 0: a coroutine's or a signal handler's own.  */
static inline uintptr_t
jr_sys_stack_end (uintptr_t sp)
{
  uintptr_t low = (uintptr_t) THREAD_GETMEM (THREAD_SELF, stackblock), end;
  if (low != 0)
    end = low + THREAD_GETMEM (THREAD_SELF, stackblock_size);
  else
    {
      end = (uintptr_t) __libc_stack_end;
      low = end - (64u << 20);	/* the kernel keeps more free below it */
    }
  return sp >= low && sp < end ? end : 0;
}

#define jr_sys_testcancel() __pthread_testcancel ()
#define jr_sys_secure() (__libc_enable_secure != 0)
#define jr_sys_getenv(name) getenv (name)
#define jr_sys_clock(clk, ts) __clock_gettime (clk, ts)
#define jr_sys_errname(err) __get_errname (err)
#define jr_sys_errdesc(err) __get_errlist (err)

#endif /* jr-sys-glibc.h */
