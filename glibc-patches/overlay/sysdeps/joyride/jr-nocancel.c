/* The client's read, write and close with cancellation held back: stdio and
   the resolver call these while they hold locks and memory.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <jr-nocancel.h>
#include <pthreadP.h>
#include <libc-lock.h>

#define WITHOUT_CANCELLATION(type, call)				      \
  ({									      \
    int state_;								      \
    __pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, &state_);		      \
    type result_ = (call);						      \
    __pthread_setcancelstate (state_, NULL);				      \
    result_;								      \
  })

int
__jr_close_nocancel (int fd)
{
  return WITHOUT_CANCELLATION (int, __jr_close (fd));
}

ssize_t
__jr_read_nocancel (int fd, void *buf, size_t n)
{
  return WITHOUT_CANCELLATION (ssize_t, __jr_read (fd, buf, n));
}

ssize_t
__jr_write_nocancel (int fd, const void *buf, size_t n)
{
  return WITHOUT_CANCELLATION (ssize_t, __jr_write (fd, buf, n));
}
