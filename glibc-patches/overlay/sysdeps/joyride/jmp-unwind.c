/* longjmp: calls of ours that it abandons are undone first.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-hook.h>
#if JR_HOOKED
# include <setjmp.h>
# include <stddef.h>
# include <stdint.h>
# include <libc-lock.h>
# include <pthreadP.h>
# include <jmpbuf-unwind.h>

struct jr_undo;
extern __thread struct jr_undo *__jr_undo attribute_tls_model_ie attribute_hidden;
extern void __jr_undo_upto (uintptr_t sp, uintptr_t top) attribute_hidden;

void
_longjmp_unwind (jmp_buf env, int val)
{
  if (__glibc_unlikely (__jr_undo != NULL))
    {
      struct pthread *self = THREAD_SELF;
      __jr_undo_upto (_jmpbuf_sp (env->__jmpbuf),
		      (uintptr_t) self->stackblock + self->stackblock_size);
    }
  __pthread_cleanup_upto (env->__jmpbuf, CURRENT_STACK_FRAME);
}
#else
# include <sysdeps/nptl/jmp-unwind.c>
#endif
