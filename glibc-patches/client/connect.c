/* bind and connect: the moments when a socket's stack is chosen.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* An ephemeral port must be free in both stacks: the kernel picks it.  */
#define PORT_TRIES 8

static int
get (int fd, struct jr_sock *s, uint32_t *state)
{
  int r = __jr_sock_get (fd, s);
  while (r == 0 && (r = jr_state (s, state)) == -JR_EMOVED)
    r = __jr_sock_follow (s);
  return r;
}

/* ---- bind ---- */

static int
ask_bind (struct jr_sock *s, const struct jr_abi_addr *a,
	  struct jr_abi_cmd_bind_rep *rep)
{
  struct jr_abi_cmd_bind_req req = { .addr = *a };
  uint32_t af = ld_relaxed (&s->slot->app_flags);
  if (af & JR_AF_REUSEADDR)
    req.flags |= JR_BIND_REUSEADDR;
  if (af & JR_AF_REUSEPORT)
    req.flags |= JR_BIND_REUSEPORT;
  return __jr_command (s, JR_CMD_BIND, &req, sizeof req, rep, sizeof *rep);
}

static int
kernel_bind (struct jr_sock *s, int *ksock, struct jr_abi_addr *a)
{
  struct sockaddr_storage ss;
  socklen_t len = __jr_addr_native (s->slot->family, a, &ss);
  *ksock = __jr_kernel_socket (s, 0);
  if (*ksock < 0)
    return *ksock;
  int r = jr_sys_bind (*ksock, (struct sockaddr *) &ss, len);
  if (r == 0 && a->port == 0)
    {
      socklen_t n = sizeof ss;
      jr_sys_getsockname (*ksock, (struct sockaddr *) &ss, &n);
      a->port = ntohs (s->slot->family == AF_INET
		       ? ((struct sockaddr_in *) &ss)->sin_port
		       : ((struct sockaddr_in6 *) &ss)->sin6_port);
    }
  if (r < 0)
    {
      jr_sys_close (*ksock);
      *ksock = -1;
    }
  return r;
}

/* The service has answered; KSOCK, if any, is bound to the same address.  */
static int
settle_bind (struct jr_sock *s, struct jr_abi_addr *a, uint32_t route, int ksock)
{
  int r = 0;
  if (route != JR_ROUTE_SERVICE && route != JR_ROUTE_LOCAL && ksock < 0)
    r = kernel_bind (s, &ksock, a);
  if (r < 0)
    return r;
  if (route == JR_ROUTE_KERNEL)
    return __jr_turn (s, ksock);
  set_bits (&s->slot->app_flags, JR_AF_COMMITTED);
  if (route == JR_ROUTE_BOTH)
    return __jr_shadow_set (s, ksock);
  if (ksock >= 0)
    jr_sys_close (ksock);
  return 0;
}

static int
bind_socket (struct jr_sock *s, struct jr_abi_addr *a)
{
  struct jr_abi_cmd_bind_rep rep;
  bool any_port = a->port == 0 && __jr_addr_is_any (a);
  for (int i = 0; i < PORT_TRIES; i++)
    {
      int ksock = -1, r = 0;
      struct jr_abi_addr want = *a;
      if (any_port)
	r = kernel_bind (s, &ksock, &want);
      if (r < 0)
	return r;
      r = ask_bind (s, &want, &rep);
      if (r == -ECONNRESET && jr_gone (s->seg))
	{
	  rep.route = JR_ROUTE_KERNEL;
	  r = 0;
	}
      if (r >= 0)
	{
	  if (!any_port && rep.route == JR_ROUTE_BOTH)
	    want.port = rep.addr.port;
	  return settle_bind (s, &want, rep.route, ksock);
	}
      if (ksock >= 0)
	jr_sys_close (ksock);
      if (r != -EADDRINUSE || !any_port)
	return r;
    }
  return -EADDRINUSE;
}

int
__jr_bind (int fd, const struct sockaddr *addr, socklen_t len)
{
  struct jr_sock s;
  struct jr_abi_addr a;
  uint32_t state;
  int r = get (fd, &s, &state);
  if (r == 0)
    r = __jr_addr_get (&s, addr, len, &a);
  if (r == 0 && a.family == AF_UNSPEC)
    {
      /* As the kernel: AF_UNSPEC is AF_INET when it is the wildcard.  */
      struct sockaddr_in in = { 0 };
      if (s.slot->family != AF_INET || len < sizeof in)
	return jr_ret (s.slot->family == AF_INET ? -EINVAL : -EAFNOSUPPORT);
      memcpy (&in, addr, sizeof in);
      if (in.sin_addr.s_addr != 0)
	return jr_ret (-EAFNOSUPPORT);
      in.sin_family = AF_INET;
      r = __jr_addr_get (&s, (struct sockaddr *) &in, sizeof in, &a);
    }
  if (r == 0 && addr->sa_family != AF_UNSPEC && addr->sa_family != s.slot->family)
    r = -EAFNOSUPPORT;
  if (r == 0 && (state & (JR_ST_BOUND | JR_ST_CONNECTED | JR_ST_CONNECTING)))
    r = -EINVAL;
  return jr_ret (r < 0 ? r : bind_socket (&s, &a));
}

/* ---- connect ---- */

static int
await_connection (struct jr_sock *s)
{
  struct jr_waiter w = { 0 };
  struct jr_dir d = { .r = &s->slot->rx };
  for (;;)
    {
      uint32_t state;
      int r = jr_state (s, &state);
      if (r < 0)
	return -EBADF;
      int err = __jr_err_take (s->slot);
      if (err != 0)
	return -err;
      if (state & JR_ST_CONNECTED)
	return 0;
      if (jr_gone (s->seg) || !(state & JR_ST_CONNECTING))
	return -ECONNABORTED;
      if (!w.timed)
	w.deadline = __jr_deadline_us (s->slot->sndtimeo_us);
      w.timed = true;
      r = __jr_wait_data (s, &d, &w, true);
      if (r < 0)
	return r == -EAGAIN ? -EINPROGRESS : r;
    }
}

/* A connection that is under way or there already; 1: neither.  */
static int
connect_again (struct jr_sock *s, uint32_t state, bool block)
{
  if (state & JR_ST_LISTENING)
    return -EISCONN;
  int err = jr_is_stream (s) && !(state & JR_ST_CONNECTED) ? __jr_err_take (s->slot) : 0;
  if (err != 0)
    return -err;
  if (state & JR_ST_DEAD)
    return -ECONNABORTED;
  if (state & JR_ST_CONNECTED)
    {
      /* The first connect after one that returned EINPROGRESS succeeds.  */
      uint32_t async = JR_AF_CONNECT_ASYNC;
      return clear_bits (&s->slot->app_flags, async) & async ? 0 : -EISCONN;
    }
  if (!(state & JR_ST_CONNECTING))
    return 1;
  if (!block)
    return -EALREADY;
  int r = await_connection (s);
  if (r == 0)
    clear_bits (&s->slot->app_flags, (uint32_t) JR_AF_CONNECT_ASYNC);
  return r;
}

static int
kernel_connect (struct jr_sock *s, const struct sockaddr *addr, socklen_t len)
{
  int fd = s->fd, ksock = -1;
  /* The shadow has the port already.  */
  if (ld_relaxed (&s->ls->shadow_fd) >= 0)
    ksock = jr_sys_fcntl (s->ls->shadow_fd, F_DUPFD_CLOEXEC, 0);
  int r = __jr_turn (s, ksock);
  return r < 0 ? r : jr_sys_c_connect (fd, addr, len);
}

static int
connect_service (struct jr_sock *s, const struct jr_abi_addr *a,
		 const struct sockaddr *addr, socklen_t len, bool block)
{
  struct jr_abi_cmd_connect_req req = { .addr = *a };
  struct jr_abi_cmd_connect_rep rep = { .route = JR_ROUTE_SERVICE };
  int r = __jr_command (s, JR_CMD_CONNECT, &req, sizeof req, &rep, sizeof rep);
  bool fresh = !(ld_relaxed (&s->slot->app_flags) & JR_AF_COMMITTED)
	       || ld_relaxed (&s->ls->shadow_fd) >= 0;
  bool gone = r == -ECONNRESET && jr_gone (s->seg);
  if (fresh && (gone || (r >= 0 && rep.route == JR_ROUTE_KERNEL)))
    return kernel_connect (s, addr, len);
  if (r < 0 && r != -EINPROGRESS)
    return r;
  set_bits (&s->slot->app_flags, JR_AF_COMMITTED);
  if (ld_relaxed (&s->ls->shadow_fd) >= 0 && jr_is_stream (s))
    __jr_shadow_drop (s);
  if (r != -EINPROGRESS)
    return 0;
  if (!block)
    {
      set_bits (&s->slot->app_flags, JR_AF_CONNECT_ASYNC);
      return -EINPROGRESS;
    }
  r = await_connection (s);
  if (r == -EINTR || r == -EINPROGRESS)
    set_bits (&s->slot->app_flags, JR_AF_CONNECT_ASYNC);
  return r;
}

static int
do_connect (int fd, const struct sockaddr *addr, socklen_t len)
{
  struct jr_sock s;
  struct jr_abi_addr a;
  uint32_t state;
  int r = get (fd, &s, &state);
  if (r == 0)
    r = __jr_addr_get (&s, addr, len, &a);
  if (r < 0)
    return r;
  jr_sys_testcancel ();
  bool block = !jr_nonblock (&s, 0), stream = jr_is_stream (&s);
  if (stream && a.family != AF_UNSPEC)
    {
      r = connect_again (&s, state, block);
      if (r <= 0)
	return r;
    }
  if (a.family == AF_UNSPEC)
    /* Dissolving; nothing to do if there is nothing.  */
    return state & (JR_ST_CONNECTED | JR_ST_CONNECTING)
	   ? connect_service (&s, &a, addr, len, block) : 0;
  bool committed = ld_relaxed (&s.slot->app_flags) & JR_AF_COMMITTED;
  if ((!committed || ld_relaxed (&s.ls->shadow_fd) >= 0)
      && (jr_gone (s.seg) || __jr_route (&a, stream) == JR_ROUTE_KERNEL))
    return kernel_connect (&s, addr, len);
  return connect_service (&s, &a, addr, len, block);
}

int
__jr_connect (int fd, const struct sockaddr *addr, socklen_t len)
{
  return jr_ret (do_connect (fd, addr, len));
}
