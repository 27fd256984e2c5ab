/* jr-sys.h for a plain static library: unit tests and sanitizers.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JR_SYS_POSIX_H
#define _JR_SYS_POSIX_H 1

#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>

#define JR_HIDDEN __attribute__ ((visibility ("hidden")))
#define JR_TLS_IE __attribute__ ((tls_model ("initial-exec"))) JR_HIDDEN

#define JR_SYSCALL(name, ...) jr_sys_result (syscall (__NR_##name, ##__VA_ARGS__))
#define JR_SYSCALL_CANCEL(name, ...)					      \
  ({									      \
    int jr_type_;							      \
    pthread_setcanceltype (PTHREAD_CANCEL_ASYNCHRONOUS, &jr_type_);	      \
    long jr_r_ = JR_SYSCALL (name, ##__VA_ARGS__);			      \
    pthread_setcanceltype (jr_type_, NULL);				      \
    jr_r_;								      \
  })

static inline long
jr_sys_result (long r)
{
  return r == -1 ? -errno : r;
}

/* As libc's own thread has it; __jr_fork_child resets it.  */
extern __thread uint32_t __jr_posix_tid;

static inline uint32_t
jr_sys_tid (void)
{
  if (__jr_posix_tid == 0)
    __jr_posix_tid = JR_SYSCALL (gettid);
  return __jr_posix_tid;
}

static inline void
jr_sys_forked (void)
{
  __jr_posix_tid = 0;
}

/* Unknown here.  */
static inline uintptr_t
jr_sys_stack_end (uintptr_t sp)
{
  (void) sp;
  return 0;
}

#define jr_sys_testcancel() pthread_testcancel ()
#define jr_sys_secure() (getauxval (AT_SECURE) != 0)
#define jr_sys_getenv(name) getenv (name)
#define jr_sys_clock(clk, ts) clock_gettime (clk, ts)
#define jr_sys_errname(err) strerrorname_np (err)
#define jr_sys_errdesc(err) strerrordesc_np (err)

#endif /* jr-sys-posix.h */
