/* The data calls of libc, all ending in the four of stream_tx.c,
   stream_rx.c and dgram.c.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* The end of what a program can have, as the kernel sees it: a longer range
   is refused unseen.  With five levels of page tables it is further up.  */
#ifdef __x86_64__
# define USER_END 0x7ffffffff000ull
#else
# define USER_END UINTPTR_MAX
#endif

static bool
out_of_reach (const void *p, size_t n)
{
  uintptr_t end = (uintptr_t) p + n;
  return end < n || (end > USER_END && (uintptr_t) __builtin_frame_address (0) < USER_END);
}

static ssize_t
send_one (struct jr_sock *s, const struct msghdr *msg, int flags)
{
  if (likely_ (jr_is_stream (s)))
    {
      if (unlikely_ (flags & MSG_FASTOPEN))
	return __jr_fastopen_send (s, msg, flags);
      return __jr_stream_send (s, msg->msg_iov, msg->msg_iovlen, flags);
    }
  return __jr_dgram_send (s, msg, flags);
}

/* Sending copies, and says so at once: the memory is the program's again.
   The service tells who watches that the error queue has something.  */
static void
count_zerocopy (struct jr_sock *s)
{
  add_fetch (&s->slot->zc_sent, 1);
  jr_dirty (s->seg, s->idx);
}

ssize_t
__jr_sock_sendmsg (struct jr_sock *s, const struct msghdr *msg, int flags)
{
  ssize_t r = send_one (s, msg, flags);
  if (unlikely_ (flags & MSG_ZEROCOPY) && r > 0
      && (ld_relaxed (&s->slot->app_flags) & JR_AF_ZEROCOPY)
      && jr_ent_kind (__jr_fd_entry (s->fd)) == JR_FD_SOCKET)
    count_zerocopy (s);
  return r;
}

ssize_t
__jr_sock_recvmsg (struct jr_sock *s, struct msghdr *msg, int flags)
{
  if (unlikely_ (!jr_is_stream (s)))
    return __jr_dgram_recv (s, msg, flags);
  if (unlikely_ (flags & MSG_ERRQUEUE))
    return __jr_errq_recv (s, msg);
  ssize_t r = __jr_stream_recv (s, msg->msg_iov, msg->msg_iovlen, flags);
  if (r >= 0)
    {
      if (msg->msg_name != NULL)
	msg->msg_namelen = 0;
      msg->msg_flags = flags & MSG_OOB;
      if (unlikely_ (ld_relaxed (&s->slot->app_flags)
		     & (JR_AF_INQ | JR_AF_STAMPED))
	  && !(flags & MSG_OOB))
	__jr_cmsg_put_stream (s, msg, r > 0);
      else
	msg->msg_controllen = 0;
    }
  return r;
}

/* The first checks of the kernel's on a message: what it points to.  */
static int
check_msg (struct msghdr *m)
{
  if (m->msg_name == NULL)
    m->msg_namelen = 0;
  if ((int) m->msg_namelen < 0)
    return -EINVAL;
  if (m->msg_namelen > sizeof (struct sockaddr_storage))
    m->msg_namelen = sizeof (struct sockaddr_storage);
  if (m->msg_iovlen > 1024)
    return -EMSGSIZE;
  return m->msg_iovlen == 0
	 || jr_can_read (m->msg_iov, m->msg_iovlen * sizeof *m->msg_iov) ? 0 : -EFAULT;
}

static int
take_sent (struct msghdr *m, const struct msghdr *from)
{
  int r = __jr_copy_in (m, from, sizeof *m);
  if (r == 0)
    r = check_msg (m);
  if (r < 0)
    return r;
  if (m->msg_namelen == 0)
    m->msg_name = NULL;
  else if (!jr_can_read (m->msg_name, m->msg_namelen))
    return -EFAULT;
  if (m->msg_controllen > INT32_MAX)
    return -ENOBUFS;
  return m->msg_controllen == 0 || jr_can_read (m->msg_control, m->msg_controllen)
	 ? 0 : -EFAULT;
}

static int
take_wanted (struct msghdr *m, const struct msghdr *from)
{
  int r = __jr_copy_in (m, from, sizeof *m);
  return r < 0 ? r : check_msg (m);
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

/* Of readv and writev: 0: no bytes at all, which is not the socket's
   business.  */
static int
check_vector (const struct iovec *iov, int n)
{
  bool any = false;
  if (n < 0 || n > 1024)
    return -EINVAL;
  if (n > 0 && !jr_can_read (iov, n * sizeof *iov))
    return -EFAULT;
  for (int i = 0; i < n; i++)
    {
      if (iov[i].iov_len > SSIZE_MAX)
	return -EINVAL;
      any |= iov[i].iov_len > 0;
      if (out_of_reach (iov[i].iov_base, iov[i].iov_len))
	return -EFAULT;
    }
  return any;
}

/* ---- out ---- */

ssize_t
__jr_sendto (int fd, const void *buf, size_t n, int flags,
	     const struct sockaddr *addr, socklen_t len)
{
  if (n > JR_RW_MAX)
    n = JR_RW_MAX;
  if (unlikely_ (out_of_reach (buf, n)))
    return jr_ret (-EFAULT);
  int r = addr != NULL ? __jr_addr_check (addr, len) : 0;
  if (r < 0)
    return jr_ret (r);
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
  struct msghdr m;
  int r = take_sent (&m, msg);
  return jr_ret (r < 0 ? r : do_send (fd, &m, flags));
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
      struct msghdr m;
      r = take_sent (&m, &vec[i].msg_hdr);
      if (r == 0)
	r = do_send (fd, &m, flags);
      if (r >= 0 && !jr_can_write (&vec[i].msg_len, sizeof vec[i].msg_len))
	r = -EFAULT;
      if (r < 0)
	break;
      vec[i].msg_len = r;
    }
  return i > 0 ? (int) i : jr_ret (r);
}

ssize_t
__jr_write (int fd, const void *buf, size_t n)
{
  if (unlikely_ (out_of_reach (buf, n)))
    return jr_ret (-EFAULT);
  struct iovec iov = { (void *) buf, n };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  return file_ret (do_send (fd, &msg, 0));
}

ssize_t
__jr_writev (int fd, const struct iovec *iov, int n)
{
  struct msghdr msg = { .msg_iov = (struct iovec *) iov, .msg_iovlen = n };
  int r = check_vector (iov, n);
  return r < 0 ? jr_ret (r) : r == 0 ? 0 : file_ret (do_send (fd, &msg, 0));
}

/* ---- in ---- */

ssize_t
__jr_recvfrom (int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
	       socklen_t *len)
{
  if (n > JR_RW_MAX)
    n = JR_RW_MAX;
  if (unlikely_ (out_of_reach (buf, n)))
    return jr_ret (-EFAULT);
  struct sockaddr_storage from;
  struct iovec iov = { buf, n };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			.msg_name = addr != NULL ? &from : NULL,
			.msg_namelen = addr != NULL ? sizeof from : 0 };
  ssize_t r = do_recv (fd, &msg, flags);
  if (r >= 0 && addr != NULL)
    {
      /* What was received is gone, whatever becomes of the address.  */
      int e = __jr_name_out (&from, msg.msg_namelen, addr, len);
      r = e < 0 ? e : r;
    }
  return jr_ret (r);
}

ssize_t
__jr_recv (int fd, void *buf, size_t n, int flags)
{
  return __jr_recvfrom (fd, buf, n, flags, NULL, NULL);
}

static ssize_t
recv_one (int fd, struct msghdr *to, int flags)
{
  struct msghdr m;
  ssize_t r = take_wanted (&m, to);
  if (r == 0)
    r = do_recv (fd, &m, flags);
  if (r < 0)
    return r;
  if (!jr_can_write (to, sizeof *to))
    return -EFAULT;
  if (m.msg_name != NULL)
    to->msg_namelen = m.msg_namelen;
  to->msg_controllen = m.msg_controllen;
  to->msg_flags = m.msg_flags;
  return r;
}

ssize_t
__jr_recvmsg (int fd, struct msghdr *msg, int flags)
{
  return jr_ret (recv_one (fd, msg, flags));
}

/* -EINVAL, -EFAULT; the deadline.  */
static int
take_timeout (const struct timespec *timeout, int64_t *end)
{
  struct timespec ts;
  int r = __jr_copy_in (&ts, timeout, sizeof ts);
  if (r == 0 && (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= JR_NSEC_PER_SEC))
    r = -EINVAL;
  if (r == 0 && !jr_can_write ((void *) timeout, sizeof ts))
    r = -EFAULT;
  if (r == 0)
    *end = __jr_deadline_ts (&ts);
  return r;
}

/* Where it is now; an error that waits is told before there are messages.  */
static int
find_error (int fd, struct jr_sock *s)
{
  uint32_t state;
  int r = __jr_sock_find (fd, s);
  while (r == 0 && (r = jr_state (s, &state)) == -JR_EMOVED)
    r = __jr_sock_follow (s);
  return r < 0 ? r : -__jr_err_take (s->slot);
}

int
__jr_recvmmsg (int fd, struct mmsghdr *vec, unsigned int n, int flags,
	       struct timespec *timeout)
{
  int64_t end = 0;
  ssize_t r = 0;
  unsigned int i;
  struct jr_sock s;
  if (timeout != NULL && (r = take_timeout (timeout, &end)) < 0)
    return jr_ret (r);
  if (!(flags & MSG_ERRQUEUE) && (r = find_error (fd, &s)) < 0)
    return jr_ret (r);
  if (n > 1024)
    n = 1024;
  for (i = 0; i < n; i++)
    {
      uint32_t told = flags & MSG_ERRQUEUE ? 0 : ld_relaxed (&s.slot->err_taken);
      r = recv_one (fd, &vec[i].msg_hdr, flags & ~MSG_WAITFORONE);
      if (r < 0)
	{
	  /* Behind messages it is left for the next call.  */
	  uint32_t now = flags & MSG_ERRQUEUE ? told : ld_relaxed (&s.slot->err_taken);
	  if (i > 0 && now != told)
	    cas (&s.slot->err_taken, &now, told);
	  break;
	}
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
  if (unlikely_ (out_of_reach (buf, n)))
    return jr_ret (-EFAULT);
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
  int r = check_vector (iov, n);
  return r < 0 ? jr_ret (r) : r == 0 ? 0 : file_ret (do_recv (fd, &msg, 0));
}
