/* Tracing: the calls, each printed with its arguments when it has returned.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-trace-line.h"

#include <limits.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#define N(name) { (uint32_t) name, #name }
#define END { 0, NULL }

static const struct jr_names domains[] = { N (AF_INET), N (AF_INET6), END };
static const struct jr_names types[] = { N (SOCK_STREAM), N (SOCK_DGRAM), N (SOCK_RAW), END };
static const struct jr_names type_flags[] = { N (SOCK_NONBLOCK), N (SOCK_CLOEXEC), END };
static const struct jr_names protocols[]
  = { N (IPPROTO_IP), N (IPPROTO_TCP), N (IPPROTO_UDP), N (IPPROTO_ICMP), END };
static const struct jr_names hows[] = { N (SHUT_RD), N (SHUT_WR), N (SHUT_RDWR), END };
static const struct jr_names msg_flags[]
  = { N (MSG_OOB), N (MSG_PEEK), N (MSG_DONTROUTE), N (MSG_CTRUNC), N (MSG_TRUNC),
      N (MSG_DONTWAIT), N (MSG_EOR), N (MSG_WAITALL), N (MSG_CONFIRM), N (MSG_ERRQUEUE),
      N (MSG_NOSIGNAL), N (MSG_MORE), N (MSG_WAITFORONE), N (MSG_ZEROCOPY),
      N (MSG_FASTOPEN), N (MSG_CMSG_CLOEXEC), END };
static const struct jr_names levels[]
  = { N (SOL_SOCKET), N (IPPROTO_IP), N (IPPROTO_TCP), N (IPPROTO_UDP), N (IPPROTO_IPV6), END };
static const struct jr_names socket_opts[]
  = { N (SO_REUSEADDR), N (SO_TYPE), N (SO_ERROR), N (SO_DONTROUTE), N (SO_BROADCAST),
      N (SO_SNDBUF), N (SO_RCVBUF), N (SO_KEEPALIVE), N (SO_OOBINLINE), N (SO_PRIORITY),
      N (SO_LINGER), N (SO_REUSEPORT), N (SO_RCVLOWAT), N (SO_RCVTIMEO), N (SO_SNDTIMEO),
      N (SO_BINDTODEVICE), N (SO_TIMESTAMP), N (SO_ACCEPTCONN), N (SO_PEERCRED),
      N (SO_PROTOCOL), N (SO_DOMAIN), N (SO_MARK), N (SO_INCOMING_CPU), N (SO_ZEROCOPY),
      N (SO_SNDBUFFORCE), N (SO_RCVBUFFORCE), N (SO_BUSY_POLL), END };
static const struct jr_names tcp_opts[]
  = { N (TCP_NODELAY), N (TCP_MAXSEG), N (TCP_CORK), N (TCP_KEEPIDLE), N (TCP_KEEPINTVL),
      N (TCP_KEEPCNT), N (TCP_SYNCNT), N (TCP_LINGER2), N (TCP_DEFER_ACCEPT),
      N (TCP_WINDOW_CLAMP), N (TCP_INFO), N (TCP_QUICKACK), N (TCP_CONGESTION),
      N (TCP_MD5SIG), N (TCP_USER_TIMEOUT), N (TCP_FASTOPEN), N (TCP_NOTSENT_LOWAT),
      N (TCP_FASTOPEN_CONNECT), N (TCP_ULP), END };
static const struct jr_names ip_opts[]
  = { N (IP_TOS), N (IP_TTL), N (IP_PKTINFO), N (IP_MTU_DISCOVER), N (IP_RECVERR),
      N (IP_RECVTTL), N (IP_RECVTOS), N (IP_MTU), N (IP_FREEBIND), N (IP_MULTICAST_IF),
      N (IP_MULTICAST_TTL), N (IP_MULTICAST_LOOP), N (IP_ADD_MEMBERSHIP),
      N (IP_DROP_MEMBERSHIP), N (IP_BIND_ADDRESS_NO_PORT), END };
static const struct jr_names ip6_opts[]
  = { N (IPV6_V6ONLY), N (IPV6_UNICAST_HOPS), N (IPV6_RECVPKTINFO), N (IPV6_TCLASS),
      N (IPV6_RECVTCLASS), N (IPV6_RECVHOPLIMIT), N (IPV6_MTU_DISCOVER), N (IPV6_RECVERR),
      N (IPV6_MULTICAST_IF), N (IPV6_MULTICAST_HOPS), N (IPV6_JOIN_GROUP),
      N (IPV6_LEAVE_GROUP), END };
static const struct jr_names no_opts[] = { END };
static const struct jr_names poll_bits[]
  = { N (POLLIN), N (POLLPRI), N (POLLOUT), N (POLLERR), N (POLLHUP), N (POLLNVAL),
      N (POLLRDNORM), N (POLLRDBAND), N (POLLWRNORM), N (POLLWRBAND), N (POLLRDHUP), END };
static const struct jr_names epoll_bits[]
  = { N (EPOLLIN), N (EPOLLPRI), N (EPOLLOUT), N (EPOLLERR), N (EPOLLHUP), N (EPOLLRDNORM),
      N (EPOLLRDBAND), N (EPOLLWRNORM), N (EPOLLWRBAND), N (EPOLLRDHUP), N (EPOLLEXCLUSIVE),
      N (EPOLLWAKEUP), N (EPOLLONESHOT), N (EPOLLET), END };
static const struct jr_names ctl_ops[]
  = { N (EPOLL_CTL_ADD), N (EPOLL_CTL_MOD), N (EPOLL_CTL_DEL), END };
static const struct jr_names fcntls[]
  = { N (F_DUPFD), N (F_GETFD), N (F_SETFD), N (F_GETFL), N (F_SETFL), N (F_SETOWN),
      N (F_GETOWN), N (F_DUPFD_CLOEXEC), END };
static const struct jr_names file_flags[] = { N (O_NONBLOCK), N (O_ASYNC), N (O_CLOEXEC), END };
static const struct jr_names ioctls[]
  = { N (FIONREAD), N (FIONBIO), N (FIOASYNC), N (SIOCATMARK), N (FIOCLEX), N (FIONCLEX), END };

/* Makes the call between the line's beginning and its arguments.  */
#define CALL(type, name, fd, call)		\
  struct jr_line l;				\
  __jr_line_begin (&l, name, fd);		\
  type r = call;				\
  __jr_line_made (&l)
#define RETURN					\
  __jr_line_end (&l, r);			\
  return r

/* ---- sockets ---- */

int
__jr_trace_socket (int domain, int type, int protocol)
{
  CALL (int, "socket", -1, __jr_socket (domain, type, protocol));
  l.fd = r;
  l.was_ours = r >= 0;
  __jr_arg_name (&l, domain, domains);
  __jr_arg_name (&l, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), types);
  if (type & (SOCK_NONBLOCK | SOCK_CLOEXEC))
    {
      __jr_put_text (&l, "|");
      __jr_put_bits (&l, type & (SOCK_NONBLOCK | SOCK_CLOEXEC), type_flags);
    }
  __jr_arg_name (&l, protocol, protocols);
  RETURN;
}

#define WITH_ADDRESS(name)							      \
  int										      \
  __jr_trace_##name (int fd, const struct sockaddr *addr, socklen_t len)	      \
  {										      \
    CALL (int, #name, fd, __jr_##name (fd, addr, len));				      \
    l.to = addr;								      \
    l.to_len = len;								      \
    __jr_arg_int (&l, fd);							      \
    __jr_arg_addr (&l, addr, len);						      \
    __jr_arg_int (&l, len);							      \
    RETURN;									      \
  }
WITH_ADDRESS (bind)
WITH_ADDRESS (connect)

int
__jr_trace_listen (int fd, int backlog)
{
  CALL (int, "listen", fd, __jr_listen (fd, backlog));
  __jr_arg_int (&l, fd);
  __jr_arg_int (&l, backlog);
  RETURN;
}

#define TELLS_ADDRESS(name)							      \
  int										      \
  __jr_trace_##name (int fd, struct sockaddr *addr, socklen_t *len)		      \
  {										      \
    CALL (int, #name, fd, __jr_##name (fd, addr, len));				      \
    __jr_arg_int (&l, fd);							      \
    __jr_arg_addr_out (&l, addr, len, r >= 0);					      \
    RETURN;									      \
  }
TELLS_ADDRESS (getsockname)
TELLS_ADDRESS (getpeername)

/* The route told is that of the new connection.  */
int
__jr_trace_accept (int fd, struct sockaddr *addr, socklen_t *len)
{
  CALL (int, "accept", fd, __jr_accept (fd, addr, len));
  l.fd = r >= 0 ? r : fd;
  l.was_ours = false;
  __jr_arg_int (&l, fd);
  __jr_arg_addr_out (&l, addr, len, r >= 0);
  RETURN;
}

int
__jr_trace_accept4 (int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
  CALL (int, "accept4", fd, __jr_accept4 (fd, addr, len, flags));
  l.fd = r >= 0 ? r : fd;
  l.was_ours = false;
  __jr_arg_int (&l, fd);
  __jr_arg_addr_out (&l, addr, len, r >= 0);
  __jr_arg_bits (&l, flags, type_flags);
  RETURN;
}

static void
option (struct jr_line *l, int level, int name, const void *val, long len)
{
  int v;
  __jr_arg_name (l, level, levels);
  __jr_arg_name (l, name, level == SOL_SOCKET ? socket_opts : level == IPPROTO_TCP ? tcp_opts
			  : level == IPPROTO_IP ? ip_opts : level == IPPROTO_IPV6 ? ip6_opts
			  : no_opts);
  if (len == sizeof v && __jr_peek (&v, val, sizeof v))
    {
      __jr_arg_text (l, "[");
      __jr_put_int (l, v);
      __jr_put_text (l, "]");
    }
  else
    __jr_arg_bytes (l, val, len);
}

int
__jr_trace_setsockopt (int fd, int level, int name, const void *val, socklen_t len)
{
  CALL (int, "setsockopt", fd, __jr_setsockopt (fd, level, name, val, len));
  __jr_arg_int (&l, fd);
  option (&l, level, name, val, len);
  __jr_arg_int (&l, len);
  RETURN;
}

int
__jr_trace_getsockopt (int fd, int level, int name, void *val, socklen_t *len)
{
  CALL (int, "getsockopt", fd, __jr_getsockopt (fd, level, name, val, len));
  socklen_t n;
  bool good = r == 0 && __jr_peek (&n, len, sizeof n);
  __jr_arg_int (&l, fd);
  option (&l, level, name, val, good ? (long) n : -1);
  if (good)
    __jr_arg_int (&l, n);
  else
    __jr_arg_ptr (&l, len);
  RETURN;
}

int
__jr_trace_shutdown (int fd, int how)
{
  CALL (int, "shutdown", fd, __jr_shutdown (fd, how));
  __jr_arg_int (&l, fd);
  __jr_arg_name (&l, how, hows);
  RETURN;
}

/* ---- data ---- */

ssize_t
__jr_trace_send (int fd, const void *buf, size_t n, int flags)
{
  CALL (ssize_t, "send", fd, __jr_send (fd, buf, n, flags));
  __jr_arg_int (&l, fd);
  __jr_arg_bytes (&l, buf, n);
  __jr_arg_int (&l, n);
  __jr_arg_bits (&l, flags, msg_flags);
  RETURN;
}

ssize_t
__jr_trace_sendto (int fd, const void *buf, size_t n, int flags,
		   const struct sockaddr *addr, socklen_t len)
{
  CALL (ssize_t, "sendto", fd, __jr_sendto (fd, buf, n, flags, addr, len));
  l.to = addr;
  l.to_len = len;
  __jr_arg_int (&l, fd);
  __jr_arg_bytes (&l, buf, n);
  __jr_arg_int (&l, n);
  __jr_arg_bits (&l, flags, msg_flags);
  __jr_arg_addr (&l, addr, len);
  __jr_arg_int (&l, len);
  RETURN;
}

ssize_t
__jr_trace_recv (int fd, void *buf, size_t n, int flags)
{
  CALL (ssize_t, "recv", fd, __jr_recv (fd, buf, n, flags));
  __jr_arg_int (&l, fd);
  __jr_arg_bytes (&l, buf, r < (ssize_t) n ? r : (ssize_t) n);
  __jr_arg_int (&l, n);
  __jr_arg_bits (&l, flags, msg_flags);
  RETURN;
}

ssize_t
__jr_trace_recvfrom (int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
		     socklen_t *len)
{
  CALL (ssize_t, "recvfrom", fd, __jr_recvfrom (fd, buf, n, flags, addr, len));
  __jr_arg_int (&l, fd);
  __jr_arg_bytes (&l, buf, r < (ssize_t) n ? r : (ssize_t) n);
  __jr_arg_int (&l, n);
  __jr_arg_bits (&l, flags, msg_flags);
  __jr_arg_addr_out (&l, addr, len, r >= 0);
  RETURN;
}

/* BYTES of it are worth showing.  */
static void
message (struct jr_line *l, const struct msghdr *msg, ssize_t bytes, bool received)
{
  struct msghdr m;
  if (!__jr_peek (&m, msg, sizeof m))
    {
      __jr_arg_ptr (l, msg);
      return;
    }
  l->to = received ? NULL : m.msg_name;
  l->to_len = m.msg_namelen;
  __jr_arg_text (l, "{");
  l->args = 0;
  __jr_arg_addr (l, m.msg_name, m.msg_namelen);
  __jr_arg_iov (l, m.msg_iov, m.msg_iovlen, bytes);
  __jr_put_text (l, ", control ");
  __jr_put_int (l, m.msg_controllen);
  if (received)
    {
      __jr_put_text (l, ", ");
      __jr_put_bits (l, m.msg_flags, msg_flags);
    }
  __jr_put_text (l, "}");
}

ssize_t
__jr_trace_sendmsg (int fd, const struct msghdr *msg, int flags)
{
  CALL (ssize_t, "sendmsg", fd, __jr_sendmsg (fd, msg, flags));
  __jr_arg_int (&l, fd);
  message (&l, msg, SSIZE_MAX, false);
  __jr_arg_bits (&l, flags, msg_flags);
  RETURN;
}

ssize_t
__jr_trace_recvmsg (int fd, struct msghdr *msg, int flags)
{
  CALL (ssize_t, "recvmsg", fd, __jr_recvmsg (fd, msg, flags));
  __jr_arg_int (&l, fd);
  message (&l, msg, r, true);
  __jr_arg_bits (&l, flags, msg_flags);
  RETURN;
}

int
__jr_trace_sendmmsg (int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
  CALL (int, "sendmmsg", fd, __jr_sendmmsg (fd, vec, n, flags));
  __jr_arg_int (&l, fd);
  __jr_arg_ptr (&l, vec);
  __jr_arg_int (&l, n);
  __jr_arg_bits (&l, flags, msg_flags);
  RETURN;
}

int
__jr_trace_recvmmsg (int fd, struct mmsghdr *vec, unsigned int n, int flags,
		     struct timespec *timeout)
{
  CALL (int, "recvmmsg", fd, __jr_recvmmsg (fd, vec, n, flags, timeout));
  __jr_arg_int (&l, fd);
  __jr_arg_ptr (&l, vec);
  __jr_arg_int (&l, n);
  __jr_arg_bits (&l, flags, msg_flags);
  __jr_arg_time (&l, timeout);
  RETURN;
}

ssize_t
__jr_trace_read (int fd, void *buf, size_t n)
{
  CALL (ssize_t, "read", fd, __jr_read (fd, buf, n));
  __jr_arg_int (&l, fd);
  __jr_arg_bytes (&l, buf, r);
  __jr_arg_int (&l, n);
  RETURN;
}

ssize_t
__jr_trace_write (int fd, const void *buf, size_t n)
{
  CALL (ssize_t, "write", fd, __jr_write (fd, buf, n));
  __jr_arg_int (&l, fd);
  __jr_arg_bytes (&l, buf, n);
  __jr_arg_int (&l, n);
  RETURN;
}

ssize_t
__jr_trace_readv (int fd, const struct iovec *iov, int n)
{
  CALL (ssize_t, "readv", fd, __jr_readv (fd, iov, n));
  __jr_arg_int (&l, fd);
  __jr_arg_iov (&l, iov, n, r);
  __jr_arg_int (&l, n);
  RETURN;
}

ssize_t
__jr_trace_writev (int fd, const struct iovec *iov, int n)
{
  CALL (ssize_t, "writev", fd, __jr_writev (fd, iov, n));
  __jr_arg_int (&l, fd);
  __jr_arg_iov (&l, iov, n, SSIZE_MAX);
  __jr_arg_int (&l, n);
  RETURN;
}

ssize_t
__jr_trace_sendfile (int out, int in, off_t *off, size_t n)
{
  CALL (ssize_t, "sendfile", out, __jr_sendfile (out, in, off, n));
  __jr_arg_int (&l, out);
  __jr_arg_int (&l, in);
  __jr_arg_ptr (&l, off);
  __jr_arg_int (&l, n);
  RETURN;
}

ssize_t
__jr_trace_splice (int in, off_t *inoff, int out, off_t *outoff, size_t n,
		   unsigned int flags)
{
  CALL (ssize_t, "splice", jr_ent_kind (__jr_fd_entry (in)) == JR_FD_SOCKET ? in : out,
	__jr_splice (in, inoff, out, outoff, n, flags));
  __jr_arg_int (&l, in);
  __jr_arg_ptr (&l, inoff);
  __jr_arg_int (&l, out);
  __jr_arg_ptr (&l, outoff);
  __jr_arg_int (&l, n);
  __jr_arg_int (&l, flags);
  RETURN;
}

/* ---- file descriptors ---- */

int
__jr_trace_close (int fd)
{
  CALL (int, "close", -1, __jr_close (fd));
  __jr_arg_int (&l, fd);
  RETURN;
}

int
__jr_trace_dup (int fd)
{
  CALL (int, "dup", fd, __jr_dup (fd));
  __jr_arg_int (&l, fd);
  RETURN;
}

int
__jr_trace_dup2 (int old, int fd)
{
  CALL (int, "dup2", old, __jr_dup2 (old, fd));
  __jr_arg_int (&l, old);
  __jr_arg_int (&l, fd);
  RETURN;
}

int
__jr_trace_dup3 (int old, int fd, int flags)
{
  CALL (int, "dup3", old, __jr_dup3 (old, fd, flags));
  __jr_arg_int (&l, old);
  __jr_arg_int (&l, fd);
  __jr_arg_bits (&l, flags, file_flags);
  RETURN;
}

void
__jr_trace_fcntl (int fd, int cmd, void *arg, int result)
{
  struct jr_line l;
  __jr_line_begin (&l, "fcntl", fd);
  __jr_line_made (&l);
  __jr_arg_int (&l, fd);
  __jr_arg_name (&l, cmd, fcntls);
  if (cmd == F_SETFL)
    __jr_arg_bits (&l, (intptr_t) arg, file_flags);
  else if (cmd != F_GETFL && cmd != F_GETFD)
    __jr_arg_int (&l, (intptr_t) arg);
  __jr_line_end (&l, result);
}

int
__jr_trace_ioctl (int fd, unsigned long request, void *arg)
{
  CALL (int, "ioctl", fd, __jr_ioctl (fd, request, arg));
  int v;
  __jr_arg_int (&l, fd);
  __jr_arg_name (&l, request, ioctls);
  if (r == 0 && (request == FIONREAD || request == FIONBIO || request == SIOCATMARK)
      && __jr_peek (&v, arg, sizeof v))
    {
      __jr_arg_text (&l, "[");
      __jr_put_int (&l, v);
      __jr_put_text (&l, "]");
    }
  else
    __jr_arg_ptr (&l, arg);
  RETURN;
}

/* ---- readiness ---- */

#define SHOWN 8

static void
polled (struct jr_line *l, const struct pollfd *fds, nfds_t n)
{
  struct pollfd some[SHOWN];
  nfds_t m = n < SHOWN ? n : SHOWN;
  if (!__jr_peek (some, fds, m * sizeof *fds))
    {
      __jr_arg_ptr (l, fds);
      return;
    }
  __jr_arg_text (l, "[");
  for (nfds_t i = 0; i < m; i++)
    {
      __jr_put_text (l, i > 0 ? ", {" : "{");
      __jr_put_int (l, some[i].fd);
      __jr_put_text (l, ", ");
      __jr_put_bits (l, (unsigned short) some[i].events, poll_bits);
      if (some[i].revents != 0)
	{
	  __jr_put_text (l, " -> ");
	  __jr_put_bits (l, (unsigned short) some[i].revents, poll_bits);
	}
      __jr_put_text (l, "}");
    }
  __jr_put_text (l, n > m ? ", ...]" : "]");
}

int
__jr_trace_poll (struct pollfd *fds, nfds_t n, int timeout_ms)
{
  CALL (int, "poll", -1, __jr_poll (fds, n, timeout_ms));
  polled (&l, fds, n);
  __jr_arg_int (&l, n);
  __jr_arg_int (&l, timeout_ms);
  RETURN;
}

int
__jr_trace_ppoll (struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		  const sigset_t *mask)
{
  CALL (int, "ppoll", -1, __jr_ppoll (fds, n, timeout, mask));
  polled (&l, fds, n);
  __jr_arg_int (&l, n);
  __jr_arg_time (&l, timeout);
  __jr_arg_ptr (&l, mask);
  RETURN;
}

static void
fd_set_of (struct jr_line *l, const fd_set *set, int n)
{
  unsigned long word = 0;
  const unsigned long *words = (const unsigned long *) set;
  const int width = 8 * sizeof word;
  const char *between = "[";
  if (set == NULL)
    {
      __jr_arg_ptr (l, NULL);
      return;
    }
  __jr_arg_text (l, "");
  for (int fd = 0; fd < n && l->n < JR_LINE_BYTES; fd++)
    {
      if (fd % width == 0 && !__jr_peek (&word, &words[fd / width], sizeof word))
	break;
      if (!(word >> fd % width & 1))
	continue;
      __jr_put_text (l, between);
      __jr_put_int (l, fd);
      between = " ";
    }
  __jr_put_text (l, *between == '[' ? "[]" : "]");
}

int
__jr_trace_select (int n, fd_set *r_, fd_set *w, fd_set *e, struct timeval *timeout)
{
  CALL (int, "select", -1, __jr_select (n, r_, w, e, timeout));
  struct timeval tv;
  struct timespec ts;
  __jr_arg_int (&l, n);
  fd_set_of (&l, r_, n);
  fd_set_of (&l, w, n);
  fd_set_of (&l, e, n);
  bool limited = timeout != NULL && __jr_peek (&tv, timeout, sizeof tv);
  if (limited)
    ts = (struct timespec) { tv.tv_sec, tv.tv_usec * 1000 };
  __jr_arg_time (&l, limited ? &ts : NULL);
  RETURN;
}

int
__jr_trace_pselect (int n, fd_set *r_, fd_set *w, fd_set *e, const struct timespec *timeout,
		    const sigset_t *mask)
{
  CALL (int, "pselect", -1, __jr_pselect (n, r_, w, e, timeout, mask));
  __jr_arg_int (&l, n);
  fd_set_of (&l, r_, n);
  fd_set_of (&l, w, n);
  fd_set_of (&l, e, n);
  __jr_arg_time (&l, timeout);
  __jr_arg_ptr (&l, mask);
  RETURN;
}

static void
event (struct jr_line *l, const struct epoll_event *ev)
{
  __jr_put_text (l, "{");
  __jr_put_bits (l, ev->events, epoll_bits);
  __jr_put_text (l, ", ");
  __jr_put_int (l, ev->data.u64);
  __jr_put_text (l, "}");
}

int
__jr_trace_epoll_ctl (int ep, int op, int fd, struct epoll_event *ev)
{
  CALL (int, "epoll_ctl", fd, __jr_epoll_ctl (ep, op, fd, ev));
  struct epoll_event copy;
  __jr_arg_int (&l, ep);
  __jr_arg_name (&l, op, ctl_ops);
  __jr_arg_int (&l, fd);
  if (op != EPOLL_CTL_DEL && __jr_peek (&copy, ev, sizeof copy))
    {
      __jr_arg_text (&l, "");
      event (&l, &copy);
    }
  else
    __jr_arg_ptr (&l, ev);
  RETURN;
}

static void
reported (struct jr_line *l, const struct epoll_event *ev, int n)
{
  struct epoll_event some[SHOWN];
  int m = n < 0 ? 0 : n < SHOWN ? n : SHOWN;
  if (!__jr_peek (some, ev, m * sizeof *ev))
    {
      __jr_arg_ptr (l, ev);
      return;
    }
  __jr_arg_text (l, "[");
  for (int i = 0; i < m; i++)
    {
      __jr_put_text (l, i > 0 ? ", " : "");
      event (l, &some[i]);
    }
  __jr_put_text (l, n > m ? ", ...]" : "]");
}

int
__jr_trace_epoll_wait (int ep, struct epoll_event *ev, int n, int timeout_ms)
{
  CALL (int, "epoll_wait", ep, __jr_epoll_wait (ep, ev, n, timeout_ms));
  __jr_arg_int (&l, ep);
  reported (&l, ev, r);
  __jr_arg_int (&l, n);
  __jr_arg_int (&l, timeout_ms);
  RETURN;
}

int
__jr_trace_epoll_pwait (int ep, struct epoll_event *ev, int n, int timeout_ms,
			const sigset_t *mask)
{
  CALL (int, "epoll_pwait", ep, __jr_epoll_pwait (ep, ev, n, timeout_ms, mask));
  __jr_arg_int (&l, ep);
  reported (&l, ev, r);
  __jr_arg_int (&l, n);
  __jr_arg_int (&l, timeout_ms);
  __jr_arg_ptr (&l, mask);
  RETURN;
}

int
__jr_trace_epoll_pwait2 (int ep, struct epoll_event *ev, int n,
			 const struct timespec *timeout, const sigset_t *mask)
{
  CALL (int, "epoll_pwait2", ep, __jr_epoll_pwait2 (ep, ev, n, timeout, mask));
  __jr_arg_int (&l, ep);
  reported (&l, ev, r);
  __jr_arg_int (&l, n);
  __jr_arg_time (&l, timeout);
  __jr_arg_ptr (&l, mask);
  RETURN;
}
