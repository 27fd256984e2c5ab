/* Calls that a signal handler leaves by longjmp: what they have begun is undone
   as if the handler had come before them or after.
   SPDX-License-Identifier: LGPL-2.1-or-later

   The kernel's calls end before a handler runs; ours may be anywhere.  Where
   blocking signals would cost more than the call itself, it notes what would
   have to be undone.  setcontext out of a handler is not seen.  */

#include "jr-internal.h"

__thread struct jr_undo *__jr_undo JR_TLS_IE;

/* As glibc compares frames for its own cleanup handlers: with the thread's
   stack at the end of the address space, whatever else is a stack, too, lies
   deeper.  */
void
__jr_undo_upto (uintptr_t sp, uintptr_t top)
{
  struct jr_undo *u = __jr_undo;
  while (u != NULL && (uintptr_t) u - top < sp - top)
    {
      /* A frame that was left in another way.  */
      if (u->self != u)
	{
	  __jr_undo = NULL;
	  return;
	}
      jr_undo_pop (u);
      u->undo (u);
      u = u->outer;
    }
}
