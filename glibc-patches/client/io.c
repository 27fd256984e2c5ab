/* The data calls of libc, all ending in the four of stream_tx.c,
   stream_rx.c and dgram.c.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define COPY_BYTES 65536

ssize_t
__jr_sock_sendmsg (struct jr_sock *s, const struct msghdr *msg, int flags)
{
  if (likely_ (jr_is_stream (s)))
    {
      if (unlikely_ (flags & MSG_FASTOPEN))
	return __jr_fastopen_send (s, msg, flags);
      return __jr_stream_send (s, msg->msg_iov, msg->msg_iovlen, flags);
    }
  return __jr_dgram_send (s, msg, flags);
}

ssize_t
__jr_sock_recvmsg (struct jr_sock *s, struct msghdr *msg, int flags)
{
  if (unlikely_ (!jr_is_stream (s)))
    return __jr_dgram_recv (s, msg, flags);
  ssize_t r = __jr_stream_recv (s, msg->msg_iov, msg->msg_iovlen, flags);
  if (r >= 0)
    {
      msg->msg_namelen = 0;
      msg->msg_controllen = 0;
      msg->msg_flags = flags & MSG_OOB;
    }
  return r;
}

static ssize_t
do_send (int fd, const struct msghdr *msg, int flags)
{
  struct jr_sock s;
  int r = __jr_sock_find (fd, &s);
  if (unlikely_ (r < 0))
    return r;
  jr_sys_testcancel ();
  return __jr_sock_sendmsg (&s, msg, flags);
}

static ssize_t
do_recv (int fd, struct msghdr *msg, int flags)
{
  struct jr_sock s;
  int r = __jr_sock_find (fd, &s);
  if (unlikely_ (r < 0))
    return r;
  jr_sys_testcancel ();
  return __jr_sock_recvmsg (&s, msg, flags);
}

/* read and write on an epoll say EINVAL, the socket calls ENOTSOCK.  */
static ssize_t
file_ret (ssize_t r)
{
  return jr_ret (r == -ENOTSOCK ? -EINVAL : r);
}

/* ---- out ---- */

ssize_t
__jr_sendto (int fd, const void *buf, size_t n, int flags,
	     const struct sockaddr *addr, socklen_t len)
{
  struct iovec iov = { (void *) buf, n };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			.msg_name = (void *) addr, .msg_namelen = len };
  return jr_ret (do_send (fd, &msg, flags));
}

ssize_t
__jr_send (int fd, const void *buf, size_t n, int flags)
{
  return __jr_sendto (fd, buf, n, flags, NULL, 0);
}

ssize_t
__jr_sendmsg (int fd, const struct msghdr *msg, int flags)
{
  return jr_ret (do_send (fd, msg, flags));
}

int
__jr_sendmmsg (int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
  ssize_t r = 0;
  unsigned int i;
  if (n > 1024)
    n = 1024;
  for (i = 0; i < n; i++)
    {
      r = do_send (fd, &vec[i].msg_hdr, flags);
      if (r < 0)
	break;
      vec[i].msg_len = r;
    }
  return i > 0 ? (int) i : jr_ret (r);
}

ssize_t
__jr_write (int fd, const void *buf, size_t n)
{
  struct iovec iov = { (void *) buf, n };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  return file_ret (do_send (fd, &msg, 0));
}

ssize_t
__jr_writev (int fd, const struct iovec *iov, int n)
{
  struct msghdr msg = { .msg_iov = (struct iovec *) iov, .msg_iovlen = n };
  if (n < 0 || n > 1024)
    return jr_ret (-EINVAL);
  return file_ret (do_send (fd, &msg, 0));
}

/* ---- in ---- */

ssize_t
__jr_recvfrom (int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
	       socklen_t *len)
{
  struct iovec iov = { buf, n };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = addr,
			.msg_namelen = addr != NULL && len != NULL ? *len : 0 };
  ssize_t r = do_recv (fd, &msg, flags);
  if (r >= 0 && addr != NULL && len != NULL)
    *len = msg.msg_namelen;
  return jr_ret (r);
}

ssize_t
__jr_recv (int fd, void *buf, size_t n, int flags)
{
  return __jr_recvfrom (fd, buf, n, flags, NULL, NULL);
}

ssize_t
__jr_recvmsg (int fd, struct msghdr *msg, int flags)
{
  return jr_ret (do_recv (fd, msg, flags));
}

int
__jr_recvmmsg (int fd, struct mmsghdr *vec, unsigned int n, int flags,
	       struct timespec *timeout)
{
  int64_t end = __jr_deadline_ts (timeout);
  ssize_t r = 0;
  unsigned int i;
  if (n > 1024)
    n = 1024;
  for (i = 0; i < n; i++)
    {
      r = do_recv (fd, &vec[i].msg_hdr, flags & ~MSG_WAITFORONE);
      if (r < 0)
	break;
      vec[i].msg_len = r;
      if (flags & MSG_WAITFORONE)
	flags |= MSG_DONTWAIT;
      if (timeout == NULL)
	continue;
      /* As in the kernel, looked at only after a datagram.  */
      int64_t left = end - jr_sys_now (CLOCK_MONOTONIC);
      if (left < 0)
	left = 0;
      timeout->tv_sec = left / JR_NSEC_PER_SEC;
      timeout->tv_nsec = left % JR_NSEC_PER_SEC;
      if (left == 0)
	{
	  i++;
	  break;
	}
    }
  return i > 0 ? (int) i : jr_ret (r);
}

ssize_t
__jr_read (int fd, void *buf, size_t n)
{
  struct iovec iov = { buf, n };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  if (unlikely_ (n == 0) && jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_SOCKET)
    return 0;
  return file_ret (do_recv (fd, &msg, 0));
}

ssize_t
__jr_readv (int fd, const struct iovec *iov, int n)
{
  struct msghdr msg = { .msg_iov = (struct iovec *) iov, .msg_iovlen = n };
  if (n < 0 || n > 1024)
    return jr_ret (-EINVAL);
  return file_ret (do_recv (fd, &msg, 0));
}

/* ---- between a file or pipe and a socket ---- */

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
	  r = got;
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

ssize_t
__jr_sendfile (int out, int in, off_t *off, size_t n)
{
  struct jr_sock s;
  /* A socket is no source that the kernel's sendfile takes.  */
  if (__jr_is_ours (in))
    return jr_ret (-EINVAL);
  int r = __jr_sock_find (out, &s);
  if (r < 0)
    return jr_ret (r == -ENOTSOCK ? -EINVAL : r);
  jr_sys_testcancel ();
  return jr_ret (file_to_socket (&s, in, off, n));
}

static ssize_t
socket_to_pipe (struct jr_sock *s, int out, size_t n, unsigned int flags)
{
  char *buf = jr_sys_map_anon (COPY_BYTES);
  if (buf == NULL)
    return -ENOMEM;
  struct iovec iov = { buf, n < COPY_BYTES ? n : COPY_BYTES };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  int rflags = flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0;
  /* Look first and consume only what the pipe took.  */
  ssize_t r = __jr_sock_recvmsg (s, &msg, rflags | MSG_PEEK);
  if (r > 0)
    {
      int fl = jr_sys_fcntl (out, F_GETFL, 0);
      struct pollfd pfd = { .fd = out, .events = POLLOUT };
      struct timespec zero = { 0, 0 };
      if (((flags & SPLICE_F_NONBLOCK) || (fl & O_NONBLOCK))
	  && jr_sys_ppoll (&pfd, 1, &zero, NULL) == 0)
	r = -EAGAIN;
      else
	r = JR_SYSCALL_CANCEL (write, out, buf, r);
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

ssize_t
__jr_splice (int in, off_t *inoff, int out, off_t *outoff, size_t n,
	     unsigned int flags)
{
  struct jr_sock s;
  struct stat st;
  int other = __jr_is_ours (in) ? out : in;
  if (jr_ent_kind (__jr_fd_entry (other)) == JR_FD_SOCKET)
    return jr_ret (-EINVAL);
  int r = __jr_sock_find (other == out ? in : out, &s);
  if (r < 0)
    return jr_ret (r == -ENOTSOCK ? -EINVAL : r);
  if (inoff != NULL || outoff != NULL)
    return jr_ret (-ESPIPE);
  r = jr_sys_fstat (other, &st);
  if (r < 0 || !S_ISFIFO (st.st_mode))
    return jr_ret (r < 0 ? r : -EINVAL);
  if (n == 0)
    return 0;
  jr_sys_testcancel ();
  return jr_ret (other == out ? socket_to_pipe (&s, out, n, flags)
			      : pipe_to_socket (&s, in, n, flags));
}
