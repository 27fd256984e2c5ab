/* syscall () of a process that has Joyride sockets, or makes a socket: calls
   on those go where the libc functions of the same name send them.
   SPDX-License-Identifier: LGPL-2.1-or-later

   syscall is no cancellation point, whatever it calls.  */

#include <jr-hook.h>
#include <jr-raw.h>
#include <clone3.h>
#include <sched.h>
#include <libc-lock.h>
#include <pthreadP.h>
#include <stdarg.h>
#include <sysdep.h>

extern long int __jr_syscall (long int number, ...) attribute_hidden;

/* What a case gives when the kernel is to make the call.  */
#define FOR_KERNEL LONG_MIN

#define F(n) ((int) a[n])		/* an fd or another int */
#define P(n) ((void *) a[n])
#define OURS(n, call) (__jr_is_ours (F (n)) ? (long int) (call) : FOR_KERNEL)
#define EITHER(n, m, call)						      \
  (__jr_is_ours (F (n)) || __jr_is_ours (F (m)) ? (long int) (call) : FOR_KERNEL)
#define ANY(call) (__jr_any () ? (long int) (call) : FOR_KERNEL)

static long int
socket_call (long int number, const long int *a)
{
  switch (number)
    {
    case __NR_socket:
      return (__jr_wants_domain (F (0))
	      ? __jr_socket (F (0), F (1), F (2)) : FOR_KERNEL);
    case __NR_bind:
      return OURS (0, __jr_bind (F (0), P (1), a[2]));
    case __NR_listen:
      return OURS (0, __jr_listen (F (0), F (1)));
    case __NR_accept:
      return OURS (0, __jr_accept (F (0), P (1), P (2)));
    case __NR_accept4:
      return OURS (0, __jr_accept4 (F (0), P (1), P (2), F (3)));
    case __NR_connect:
      return OURS (0, __jr_connect (F (0), P (1), a[2]));
    case __NR_shutdown:
      return OURS (0, __jr_shutdown (F (0), F (1)));
    case __NR_getsockname:
      return OURS (0, __jr_getsockname (F (0), P (1), P (2)));
    case __NR_getpeername:
      return OURS (0, __jr_getpeername (F (0), P (1), P (2)));
    case __NR_getsockopt:
      return OURS (0, __jr_getsockopt (F (0), F (1), F (2), P (3), P (4)));
    case __NR_setsockopt:
      return OURS (0, __jr_setsockopt (F (0), F (1), F (2), P (3), a[4]));
    default:
      return FOR_KERNEL;
    }
}

static long int
data_call (long int number, const long int *a)
{
  switch (number)
    {
    case __NR_read:
      return OURS (0, __jr_read (F (0), P (1), a[2]));
    case __NR_readv:
      return OURS (0, __jr_readv (F (0), P (1), F (2)));
    case __NR_write:
      return OURS (0, __jr_write (F (0), P (1), a[2]));
    case __NR_writev:
      return OURS (0, __jr_writev (F (0), P (1), F (2)));
    case __NR_sendto:
      return OURS (0, __jr_sendto (F (0), P (1), a[2], F (3), P (4), a[5]));
    case __NR_recvfrom:
      return OURS (0, __jr_recvfrom (F (0), P (1), a[2], F (3), P (4), P (5)));
    case __NR_sendmsg:
      return OURS (0, __jr_sendmsg (F (0), P (1), F (2)));
    case __NR_recvmsg:
      return OURS (0, __jr_recvmsg (F (0), P (1), F (2)));
    case __NR_sendmmsg:
      return OURS (0, __jr_sendmmsg (F (0), P (1), a[2], F (3)));
    case __NR_recvmmsg:
      return OURS (0, __jr_recvmmsg (F (0), P (1), a[2], F (3), P (4)));
    case __NR_sendfile:
      return EITHER (0, 1, __jr_sendfile (F (0), F (1), P (2), a[3]));
    case __NR_splice:
      return EITHER (0, 2, __jr_splice (F (0), P (1), F (2), P (3), a[4],
					a[5]));
    default:
      return FOR_KERNEL;
    }
}

static long int
fd_call (long int number, const long int *a)
{
  switch (number)
    {
    case __NR_close:
      return OURS (0, __jr_close (F (0)));
    case __NR_close_range:
      return ANY (__jr_close_range (a[0], a[1], F (2)));
    case __NR_dup:
      return OURS (0, __jr_dup (F (0)));
    case __NR_dup2:
      return EITHER (0, 1, __jr_dup2 (F (0), F (1)));
    case __NR_dup3:
      return EITHER (0, 1, __jr_dup3 (F (0), F (1), F (2)));
    case __NR_fcntl:
      return OURS (0, __jr_fcntl (F (0), F (1), P (2)));
    case __NR_ioctl:
      return OURS (0, __jr_ioctl (F (0), a[1], P (2)));
    default:
      return FOR_KERNEL;
    }
}

static long int
ready_call (long int number, const long int *a)
{
  switch (number)
    {
    case __NR_poll:
      return ANY (__jr_poll (P (0), a[1], F (2)));
    case __NR_ppoll:
      return ANY (__jr_ppoll (P (0), a[1], P (2), P (3)));
    case __NR_select:
      return ANY (__jr_select (F (0), P (1), P (2), P (3), P (4)));
    case __NR_pselect6:
      {
	/* The mask and its size are in memory.  */
	const sigset_t *const *mask = P (5);
	return ANY (__jr_pselect (F (0), P (1), P (2), P (3), P (4),
				  mask != NULL ? *mask : NULL));
      }
    case __NR_epoll_create:
      return __jr_epoll_create (F (0));
    case __NR_epoll_create1:
      return __jr_epoll_create1 (F (0));
    case __NR_epoll_ctl:
      return EITHER (0, 2, __jr_epoll_ctl (F (0), F (1), F (2), P (3)));
    case __NR_epoll_wait:
      return OURS (0, __jr_epoll_wait (F (0), P (1), F (2), F (3)));
    case __NR_epoll_pwait:
      return OURS (0, __jr_epoll_pwait (F (0), P (1), F (2), F (3), P (4)));
    case __NR_epoll_pwait2:
      return OURS (0, __jr_epoll_pwait2 (F (0), P (1), F (2), P (3), P (4)));
    case __NR_io_uring_setup:
      if (!__jr_refuses_ring ())
	return FOR_KERNEL;
      __set_errno (ENOSYS);
      return -1;
    default:
      return FOR_KERNEL;
    }
}

/* A child with a copy of the memory, that returns here; flags and stack as
   clone has them.  */
static bool
forks (long int number, const long int *a)
{
  if (!__jr_any ())
    return false;
  switch (number)
    {
    case __NR_fork:
      return true;
    case __NR_clone:
      return (a[0] & (CLONE_VM | CLONE_FILES)) == 0 && a[1] == 0;
    case __NR_clone3:
      {
	const struct clone_args *args = P (0);
	return (args->flags & (CLONE_VM | CLONE_FILES)) == 0 && args->stack == 0;
      }
    default:
      return false;
    }
}

static long int
to_kernel (long int number, const long int *a)
{
  bool fork = forks (number, a);
  if (fork)
    __jr_fork_prepare ();
  if (number == __NR_sendmsg && __jr_any ())
    __jr_scm_sending (P (1));
  if (number == __NR_sendmmsg && __jr_any ())
    __jr_scm_sending_all (P (1), a[2]);
  long int r = internal_syscall6 (number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (fork && r == 0)
    {
      /* As _Fork does: locks are held in the name of the thread.  */
      pid_t tid = INTERNAL_SYSCALL_CALL (gettid);
      THREAD_SETMEM (THREAD_SELF, tid, tid);
      __jr_fork_child ();
    }
  else if (fork)
    __jr_fork_parent ();
  if (number == __NR_unshare || number == __NR_setns || (fork && r == 0))
    __jr_ns_changed ();
  /* Sockets that came from elsewhere.  */
  if (r >= 0 && number == __NR_pidfd_getfd)
    __jr_fd_gotten (r, F (0));
  else if (r >= 0 && number == __NR_recvmsg)
    __jr_scm_received (P (1));
  return r;
}

/* What the client has to do with it; FOR_KERNEL: nothing.  */
static long int
client_call (long int number, const long int *a)
{
  int state;
  __pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, &state);
  long int r = data_call (number, a);
  if (r == FOR_KERNEL)
    r = fd_call (number, a);
  if (r == FOR_KERNEL)
    r = ready_call (number, a);
  if (r == FOR_KERNEL)
    r = socket_call (number, a);
  __pthread_setcancelstate (state, NULL);
  return r;
}

long int
__jr_raw_call (long int number, const long int *a)
{
  long int r = client_call (number, a);
  if (r == FOR_KERNEL)
    return to_kernel (number, a);
  return r < 0 ? -errno : r;
}

long int
__jr_syscall (long int number, ...)
{
  long int a[6];
  va_list args;
  va_start (args, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg (args, long int);
  va_end (args);

  if (number == __NR_seccomp)
    __jr_sandboxed ();
  long int r = client_call (number, a);
  if (r != FOR_KERNEL)
    return r;

  r = to_kernel (number, a);
  if (INTERNAL_SYSCALL_ERROR_P (r))
    return INLINE_SYSCALL_ERROR_RETURN_VALUE (INTERNAL_SYSCALL_ERRNO (r));
  return r;
}
