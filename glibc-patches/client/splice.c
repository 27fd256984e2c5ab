/* sendfile and splice: bytes between a file or pipe and a socket, copied here.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define COPY_BYTES 65536

static ssize_t
send_all (struct jr_sock *s, const char *buf, size_t n, int flags)
{
  struct iovec iov = { (void *) buf, n };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  return __jr_sock_sendmsg (s, &msg, flags);
}

/* Reads ahead at an offset of our own, so that what the socket did not take
   was not consumed.  */
static ssize_t
file_to_socket (struct jr_sock *s, int in, off_t *off, size_t n)
{
  char *buf = jr_sys_map_anon (COPY_BYTES);
  size_t done = 0;
  ssize_t r = 0;
  if (buf == NULL)
    return -ENOMEM;
  off_t at = off != NULL ? *off : (off_t) JR_SYSCALL (lseek, in, 0, SEEK_CUR);
  if (at < 0)
    r = -EINVAL;
  while (r >= 0 && done < n)
    {
      size_t want = n - done < COPY_BYTES ? n - done : COPY_BYTES;
      ssize_t got = jr_sys_pread (in, buf, want, at + done);
      if (got <= 0)
	{
	  r = got == -EISDIR ? -EINVAL : got;
	  break;
	}
      r = send_all (s, buf, got, 0);
      if (r > 0)
	done += r;
      if (r < got)
	break;
    }
  jr_sys_munmap (buf, COPY_BYTES);
  if (done == 0)
    return r < 0 ? r : 0;
  if (off != NULL)
    *off = at + done;
  else
    JR_SYSCALL (lseek, in, at + (off_t) done, SEEK_SET);
  return done;
}

/* As much as the pipe has room for at this moment; waits for room if there is
   none and WAIT.  The pages are the pipe's, from now on.  */
static ssize_t
give_to_pipe (int out, char *buf, size_t n, bool wait)
{
  struct iovec iov = { buf, n };
  struct pollfd pfd = { .fd = out, .events = POLLOUT };
  struct timespec zero = { 0, 0 };
  ssize_t r = JR_SYSCALL_CANCEL (vmsplice, out, &iov, 1, wait ? 0 : SPLICE_F_NONBLOCK);
  if (likely_ (r != -ENOSYS && r != -EPERM))
    return r;
  /* Not allowed here.  What is writable takes this much without a wait.  */
  if (!wait && jr_sys_ppoll (&pfd, 1, &zero, NULL) == 0)
    return -EAGAIN;
  return JR_SYSCALL_CANCEL (write, out, buf, n < PIPE_BUF ? n : PIPE_BUF);
}

static ssize_t
socket_to_pipe (struct jr_sock *s, int out, size_t n, unsigned int flags)
{
  char *buf = jr_sys_map_anon (COPY_BYTES);
  if (buf == NULL)
    return -ENOMEM;
  struct iovec iov = { buf, n < COPY_BYTES ? n : COPY_BYTES };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  struct pollfd end = { .fd = out, .events = POLLOUT };
  struct timespec now = { 0, 0 };
  /* Nobody reads there any more: whatever the socket has.  */
  if (jr_sys_ppoll (&end, 1, &now, NULL) == 1 && (end.revents & POLLERR))
    {
      jr_sys_munmap (buf, COPY_BYTES);
      jr_sys_raise (SIGPIPE);
      return -EPIPE;
    }
  /* Look first and consume only what the pipe took.  SPLICE_F_NONBLOCK is
     about the pipe.  */
  ssize_t r = __jr_sock_recvmsg (s, &msg, MSG_PEEK | JR_MSG_NEXT);
  if (r > 0)
    {
      int fl = jr_sys_fcntl (out, F_GETFL, 0);
      r = give_to_pipe (out, buf, r,
			!(flags & SPLICE_F_NONBLOCK) && !(fl & O_NONBLOCK));
    }
  if (r > 0)
    {
      iov = (struct iovec) { buf, r };
      msg = (struct msghdr) { .msg_iov = &iov, .msg_iovlen = 1 };
      __jr_sock_recvmsg (s, &msg, MSG_DONTWAIT);
    }
  jr_sys_munmap (buf, COPY_BYTES);
  return r;
}

static ssize_t
pipe_to_socket (struct jr_sock *s, int in, size_t n, unsigned int flags)
{
  char *buf = jr_sys_map_anon (COPY_BYTES);
  if (buf == NULL)
    return -ENOMEM;
  uint32_t state = ld_acquire (&s->slot->state);
  struct jr_dir d;
  ssize_t r = __jr_dir_tx (s, state, &d);
  struct pollfd pfd = { .fd = in, .events = POLLIN };
  struct timespec zero = { 0, 0 };
  size_t want = n < COPY_BYTES ? n : COPY_BYTES;
  if (r == 0 && (flags & SPLICE_F_NONBLOCK) && jr_sys_ppoll (&pfd, 1, &zero, NULL) == 0)
    r = -EAGAIN;
  if (r == 0 && jr_nonblock (s, 0))
    {
      /* What left the pipe can't be put back.  */
      uint64_t used = ld_relaxed (&d.r->tail) - ld_acquire (&d.r->head);
      uint32_t cap = __jr_tx_cap (s->slot, d.r, false);
      size_t room = used < cap ? cap - used : 0;
      want = want < room ? want : room;
      if (want == 0)
	{
	  add_fetch (&d.r->space_wait, 1);
	  r = -EAGAIN;
	}
    }
  if (r == 0)
    r = jr_sys_c_read (in, buf, want);
  if (r > 0)
    r = send_all (s, buf, r, 0);
  jr_sys_munmap (buf, COPY_BYTES);
  return r;
}

static bool
is_pipe (int fd)
{
  struct stat st;
  return jr_sys_fstat (fd, &st) == 0 && S_ISFIFO (st.st_mode);
}

static bool
is_open_for (int fd, int how)
{
  int fl = jr_sys_fcntl (fd, F_GETFL, 0);
  return fl >= 0 && !(fl & O_PATH)
	 && ((fl & O_ACCMODE) == O_RDWR || (fl & O_ACCMODE) == how);
}

/* An offset of the program's: 0, -EFAULT.  */
static int
take_offset (off_t *off, off_t *at)
{
  int r = __jr_copy_in (at, off, sizeof *at);
  return r == 0 && !jr_can_write (off, sizeof *off) ? -EFAULT : r;
}

static ssize_t
do_sendfile (int out, int in, off_t *off, size_t n)
{
  struct jr_sock s;
  off_t at;
  int r = off != NULL ? take_offset (off, &at) : 0;
  if (r < 0)
    return r;
  bool from_socket = __jr_is_ours (in);
  r = __jr_sock_find (from_socket ? in : out, &s);
  if (r < 0)
    return r == -ENOTSOCK ? -EINVAL : r;
  if (!is_open_for (from_socket ? out : in, from_socket ? O_WRONLY : O_RDONLY))
    return -EBADF;
  /* Off a socket only into a pipe.  */
  if (from_socket && (__jr_is_ours (out) || !is_pipe (out)))
    return -EINVAL;
  if (from_socket && off != NULL)
    return -ESPIPE;
  if (n > JR_RW_MAX)
    n = JR_RW_MAX;
  jr_sys_testcancel ();
  return from_socket ? socket_to_pipe (&s, out, n, 0) : file_to_socket (&s, in, off, n);
}

ssize_t
__jr_sendfile (int out, int in, off_t *off, size_t n)
{
  return jr_ret (do_sendfile (out, in, off, n));
}

static ssize_t
do_splice (int in, off_t *inoff, int out, off_t *outoff, size_t n, unsigned int flags)
{
  struct jr_sock s;
  off_t at;
  bool to_socket = !__jr_is_ours (in);
  int pipe = to_socket ? in : out;
  off_t *pipeoff = to_socket ? inoff : outoff, *sockoff = to_socket ? outoff : inoff;
  if (n == 0)
    return 0;
  if (flags & ~(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT))
    return -EINVAL;
  int r = __jr_sock_find (to_socket ? out : in, &s);
  if (r < 0)
    return r == -ENOTSOCK ? -EINVAL : r;
  if (jr_ent_kind (__jr_fd_entry (pipe)) == JR_FD_SOCKET)
    return -EINVAL;
  if (jr_sys_fcntl (pipe, F_GETFL, 0) < 0)
    return -EBADF;
  bool piped = is_pipe (pipe);
  if (piped && pipeoff != NULL)
    return -ESPIPE;
  r = pipeoff != NULL ? take_offset (pipeoff, &at) : 0;
  if (r == 0 && sockoff != NULL)
    r = take_offset (sockoff, &at);
  if (r < 0)
    return r;
  if (!is_open_for (pipe, to_socket ? O_RDONLY : O_WRONLY))
    return -EBADF;
  if (!piped || sockoff != NULL)
    return -EINVAL;
  jr_sys_testcancel ();
  return to_socket ? pipe_to_socket (&s, in, n, flags) : socket_to_pipe (&s, out, n, flags);
}

ssize_t
__jr_splice (int in, off_t *inoff, int out, off_t *outoff, size_t n,
	     unsigned int flags)
{
  return jr_ret (do_splice (in, inoff, out, outoff, n, flags));
}
