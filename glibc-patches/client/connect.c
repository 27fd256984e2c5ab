/* bind and connect: the moments when a socket's stack is chosen.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

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

/* A kernel socket like S, bound to A; its fd.  */
static int
kernel_bound (struct jr_sock *s, const struct jr_abi_addr *a)
{
  struct sockaddr_storage ss;
  socklen_t len = __jr_addr_native (s->slot->family, a, &ss);
  int fd = __jr_kernel_socket (s, 0);
  if (fd < 0)
    return fd;
  int r = jr_sys_bind (fd, (struct sockaddr *) &ss, len);
  if (r == 0)
    return fd;
  jr_sys_close (fd);
  return r;
}

/* A listener's shadow comes with listen: until then the service holds the
   port in the kernel too.  A datagram socket's comes now.  */
static int
bind_socket (struct jr_sock *s, const struct jr_abi_addr *a)
{
  struct jr_abi_cmd_bind_rep rep = { .route = JR_ROUTE_KERNEL };
  int r = ask_bind (s, a, &rep);
  if (r == -ECONNRESET && jr_gone (s->seg))
    r = 0;
  if (r < 0)
    return r;
  if (rep.route == JR_ROUTE_KERNEL)
    {
      int ksock = kernel_bound (s, a);
      return ksock < 0 ? ksock : __jr_turn (s, ksock);
    }
  set_bits (&s->slot->app_flags, JR_AF_COMMITTED);
  /* Linux: an address of version 6 makes a socket one of that alone.  */
  if (s->slot->family == AF_INET6 && !__jr_addr_is_any (a) && !__jr_addr_is_v4 (a))
    set_bits (&s->slot->app_flags, JR_AF_V6ONLY);
  if (rep.route == JR_ROUTE_BOTH && !jr_is_stream (s))
    {
      int ksock = kernel_bound (s, &rep.addr);
      return ksock < 0 ? ksock : __jr_shadow_set (s, ksock);
    }
  return 0;
}

/* As a kernel does for a datagram that turns out to have no destination.  */
void
__jr_bind_any (struct jr_sock *s)
{
  struct jr_abi_addr any = { .family = s->slot->family };
  if (s->slot->family == AF_INET)
    any.addr[10] = any.addr[11] = 0xff;
  bind_socket (s, &any);
}

/* Looks at the length before the family.  */
static int
bind_address (struct jr_sock *s, const struct sockaddr *addr, socklen_t len,
	      struct jr_abi_addr *a)
{
  int r = __jr_addr_check (addr, len);
  if (r < 0)
    return r;
  if (len < (s->slot->family == AF_INET ? sizeof (struct sockaddr_in)
					: offsetof (struct sockaddr_in6, sin6_scope_id)))
    return -EINVAL;
  struct sockaddr_in in;
  memcpy (&in, addr, sizeof in);
  /* AF_UNSPEC is AF_INET when it is the wildcard.  */
  if (in.sin_family == AF_UNSPEC && s->slot->family == AF_INET && in.sin_addr.s_addr == 0)
    in.sin_family = AF_INET;
  else if (in.sin_family != s->slot->family)
    return -EAFNOSUPPORT;
  else
    return __jr_addr_get (s, addr, len, a);
  return __jr_addr_get (s, (struct sockaddr *) &in, sizeof in, a);
}

/* Version 4 tells of an address that is nobody's here before that.  */
static int
bound_already (struct jr_sock *s, const struct jr_abi_addr *a)
{
  struct jr_abi_addr free_port = *a;
  free_port.port = 0;
  if (s->slot->family != AF_INET || __jr_addr_is_any (a) || __jr_to_self (a))
    return -EINVAL;
  int fd = kernel_bound (s, &free_port);
  if (fd >= 0)
    jr_sys_close (fd);
  return fd == -EADDRNOTAVAIL ? fd : -EINVAL;
}

int
__jr_bind (int fd, const struct sockaddr *addr, socklen_t len)
{
  struct jr_sock s;
  struct jr_abi_addr a;
  uint32_t state;
  int r = get (fd, &s, &state);
  if (r == 0)
    r = bind_address (&s, addr, len, &a);
  if (r == 0 && (state & (JR_ST_BOUND | JR_ST_CONNECTED | JR_ST_CONNECTING)))
    r = bound_already (&s, &a);
  return jr_ret (r < 0 ? r : bind_socket (&s, &a));
}

/* ---- connect ---- */

/* A pair's region, while there is an fd left to receive it with.  */
static void
map_early (struct jr_sock *s)
{
  if (ld_acquire (&s->slot->state) & JR_ST_PAIR)
    __jr_pair_map (s);
}

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
	{
	  map_early (s);
	  return 0;
	}
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

/* As if nobody had shut it.  */
static void
reopen (struct jr_sock *s)
{
  st_relaxed (&s->slot->rx.cflags, 0);
  clear_bits (&s->slot->tx.flags, (uint32_t) JR_RING_FIN);
}

/* What the kernel does after a connect that failed: a socket as before it.  */
static int
dissolve (struct jr_sock *s)
{
  struct jr_abi_cmd_connect_req req = { .addr.family = AF_UNSPEC };
  struct jr_abi_cmd_connect_rep rep;
  clear_bits (&s->slot->app_flags, (uint32_t) (JR_AF_CONNECT_ASYNC | JR_AF_CONNECT_SEEN));
  int r = __jr_command (s, JR_CMD_CONNECT, &req, sizeof req, &rep, sizeof rep);
  if (r == 0)
    {
      reopen (s);
      __jr_shadow_end (s, SHUT_RDWR);
    }
  return r;
}

/* R of a connect that is over; one to be repeated is not.  */
static int
connect_ended (struct jr_sock *s, int r)
{
  if (r < 0 && r != -EINTR && r != -EINPROGRESS && !jr_gone (s->seg)
      && (ld_acquire (&s->slot->state) & JR_ST_DEAD))
    dissolve (s);
  return r;
}

/* A connection that is under way or there already; 1: neither.  */
static int
connect_again (struct jr_sock *s, uint32_t state, bool block)
{
  if (state & JR_ST_LISTENING)
    return -EISCONN;
  if ((state & JR_ST_DEAD) && !(state & JR_ST_CONNECTED))
    {
      /* One that failed is told of once, then it may be tried again.  */
      bool async = ld_relaxed (&s->slot->app_flags) & JR_AF_CONNECT_ASYNC;
      int err = __jr_err_take (s->slot);
      return err != 0 || async ? connect_ended (s, err != 0 ? -err : -ECONNABORTED) : 1;
    }
  if (state & JR_ST_CONNECTED)
    {
      /* The first connect after one that returned EINPROGRESS succeeds, if
	 the connection is still there.  */
      uint32_t async = JR_AF_CONNECT_ASYNC;
      if (!(clear_bits (&s->slot->app_flags, async) & async))
	return -EISCONN;
      if (!(state & JR_ST_DEAD) && !__jr_is_over (s, state))
	return 0;
      int err = __jr_err_take (s->slot);
      dissolve (s);
      return err != 0 ? -err : -ECONNABORTED;
    }
  if (!(state & JR_ST_CONNECTING))
    return 1;
  if (!block)
    return -EALREADY;
  int r = connect_ended (s, await_connection (s));
  if (r == 0)
    clear_bits (&s->slot->app_flags, (uint32_t) JR_AF_CONNECT_ASYNC);
  return r == -EINPROGRESS ? -EALREADY : r;
}

struct target
{
  struct jr_abi_addr a, bound;	/* where the service had it bound until now */
  const struct sockaddr *addr;
  socklen_t len;
  const struct msghdr *msg;	/* with MSG_FASTOPEN in FLAGS: send this */
  int flags;
  bool turned;			/* it became the kernel's */
  bool deferred;		/* the service waits for the data */
};

static ssize_t
kernel_connect (struct jr_sock *s, struct target *t)
{
  int fd = s->fd, ksock = -1;
  if (t->bound.family != AF_UNSPEC)
    ksock = kernel_bound (s, &t->bound);
  if (t->bound.family != AF_UNSPEC && ksock < 0)
    return ksock;
  int r = __jr_turn (s, ksock);
  if (r < 0)
    return r;
  t->turned = true;
  return t->msg != NULL ? jr_sys_c_sendmsg (fd, t->msg, t->flags)
			: jr_sys_c_connect (fd, t->addr, t->len);
}

static ssize_t
connect_service (struct jr_sock *s, struct target *t, bool block)
{
  struct jr_abi_cmd_connect_req req = { .addr = t->a };
  struct jr_abi_cmd_connect_rep rep = { .route = JR_ROUTE_SERVICE };
  bool open = !(ld_relaxed (&s->slot->app_flags) & JR_AF_COMMITTED);
  if (t->msg != NULL)
    req.flags |= JR_CONNECT_FASTOPEN;
  int r = __jr_command (s, JR_CMD_CONNECT, &req, sizeof req, &rep, sizeof rep);
  if (open && r == -ECONNRESET && jr_gone (s->seg))
    return kernel_connect (s, t);
  if (r < 0 && r != -EINPROGRESS)
    return r;
  if (rep.route == JR_ROUTE_KERNEL)
    return kernel_connect (s, t);
  set_bits (&s->slot->app_flags, JR_AF_COMMITTED);
  if (r != -EINPROGRESS)
    {
      map_early (s);
      return 0;
    }
  if (t->msg != NULL && rep.route == JR_ROUTE_SERVICE)
    {
      t->deferred = true;
      return -EINPROGRESS;
    }
  if (!block)
    {
      set_bits (&s->slot->app_flags, JR_AF_CONNECT_ASYNC);
      return -EINPROGRESS;
    }
  r = connect_ended (s, await_connection (s));
  if (r == -EINTR || r == -EINPROGRESS)
    set_bits (&s->slot->app_flags, JR_AF_CONNECT_ASYNC);
  return r;
}

/* What connect says to a kernel socket like S.  */
static int
kernel_tries (struct jr_sock *s, const struct target *t)
{
  struct jr_abi_addr from = s->slot->local;
  from.port = 0;
  int fd = kernel_bound (s, &from);
  if (fd < 0)
    return 0;
  int r = jr_sys_connect (fd, t->addr, t->len);
  jr_sys_close (fd);
  return r;
}

/* The address to connect to: a stream's is looked at when it may be connected,
   a datagram socket is bound first.  1: go on.  */
static int
connect_address (struct jr_sock *s, struct target *t, uint32_t *state, bool block)
{
  sa_family_t family;
  if (t->len < sizeof family)
    return -EINVAL;
  memcpy (&family, &t->addr->sa_family, sizeof family);
  t->a = (struct jr_abi_addr) { .family = AF_UNSPEC };
  if (family == AF_UNSPEC)
    return 1;
  int r = 1;
  if (jr_is_stream (s))
    {
      r = connect_again (s, *state, block);
      if (r <= 0 || (r = __jr_addr_get (s, t->addr, t->len, &t->a)) < 0)
	return r;
      __jr_any_is_here (s, &t->a);
      return __jr_is_only_v6 (s) && __jr_addr_is_v4 (&t->a) ? -ENETUNREACH : 1;
    }
  r = __jr_peer_addr (s, t->addr, t->len, &t->a);
  if (r < 0 && !(*state & (JR_ST_BOUND | JR_ST_CONNECTED)))
    __jr_bind_any (s);
  /* Where the kernel can't go either it stays what it was.  */
  if (r == 0 && (*state & (JR_ST_BOUND | JR_ST_CONNECTED)) && __jr_route (&t->a, false) == JR_ROUTE_KERNEL)
    r = kernel_tries (s, t);
  return r < 0 ? r : 1;
}

static int
do_connect (int fd, const struct sockaddr *addr, socklen_t len)
{
  struct jr_sock s;
  struct target t = { .addr = addr, .len = len };
  uint32_t state;
  int r = get (fd, &s, &state);
  if (r == 0)
    r = __jr_addr_check (addr, len);
  if (r < 0)
    return r;
  jr_sys_testcancel ();
  bool block = !jr_nonblock (&s, 0), stream = jr_is_stream (&s);
  r = connect_address (&s, &t, &state, block);
  if (r <= 0)
    return r;
  /* Dissolving; nothing to do if there is nothing but that it was shut.  */
  if (t.a.family == AF_UNSPEC && !(state & (JR_ST_CONNECTED | JR_ST_CONNECTING
					    | JR_ST_LISTENING | JR_ST_DEAD))
      && (stream || !(state & JR_ST_BOUND)))
    {
      if (stream && ((ld_relaxed (&s.slot->rx.cflags) | ld_relaxed (&s.slot->tx.flags))
		     & JR_RING_FIN))
	reopen (&s);
      return 0;
    }
  if (t.a.family == AF_UNSPEC && stream)
    return dissolve (&s);
  if (state & JR_ST_BOUND)
    t.bound = s.slot->local;
  else if (t.a.family != AF_UNSPEC
	   && (jr_gone (s.seg) || __jr_route (&t.a, stream) == JR_ROUTE_KERNEL))
    return kernel_connect (&s, &t);
  return connect_service (&s, &t, block);
}

int
__jr_connect (int fd, const struct sockaddr *addr, socklen_t len)
{
  return jr_ret (do_connect (fd, addr, len));
}

/* ---- connecting by sending ---- */

static bool
has_bytes (const struct msghdr *msg)
{
  size_t n = 0;
  for (size_t i = 0; i < msg->msg_iovlen && n == 0; i++)
    n = msg->msg_iov[i].iov_len;
  return n > 0;
}

static int
fastopen_check (struct jr_sock *s, struct target *t, uint32_t *state)
{
  int r = __jr_addr_get (s, t->addr, t->len, &t->a);
  if (r < 0)
    return r;
  if (t->a.family == AF_UNSPEC)
    return -EOPNOTSUPP;
  while ((r = jr_state (s, state)) == -JR_EMOVED)
    if ((r = __jr_sock_follow (s)) < 0)
      return r;
  if (*state & (JR_ST_CONNECTED | JR_ST_LISTENING))
    return -EISCONN;
  if (*state & JR_ST_CONNECTING)
    return -EALREADY;
  return -__jr_err_take (s->slot);
}

/* The call waits for the connection as connect does, and then tells of the
   bytes.  */
static ssize_t
fastopen_sent (struct jr_sock *s, ssize_t n, bool block)
{
  if (!block)
    {
      set_bits (&s->slot->app_flags, JR_AF_CONNECT_ASYNC);
      return n;
    }
  int r = n < 0 ? 0 : await_connection (s);
  return r < 0 && r != -EINTR && r != -EINPROGRESS ? r : n;
}

ssize_t
__jr_fastopen_send (struct jr_sock *s, const struct msghdr *msg, int flags)
{
  struct target t = { .addr = msg->msg_name, .len = msg->msg_namelen, .msg = msg,
		      .flags = flags };
  uint32_t state;
  bool block = !jr_nonblock (s, flags);
  if (t.addr == NULL)
    return -EINVAL;
  ssize_t r = fastopen_check (s, &t, &state);
  if (r < 0)
    return r;
  if (state & JR_ST_BOUND)
    t.bound = s->slot->local;
  else if (jr_gone (s->seg) || __jr_route (&t.a, true) == JR_ROUTE_KERNEL)
    return kernel_connect (s, &t);
  if (!has_bytes (msg))
    t.msg = NULL;
  r = connect_service (s, &t, block);
  if (t.turned || t.msg == NULL)
    return r;
  if (t.deferred)
    {
      r = __jr_stream_send (s, msg->msg_iov, msg->msg_iovlen, flags);
      return fastopen_sent (s, r, block);
    }
  /* The other end of a local pair.  */
  return r < 0 ? r : __jr_stream_send (s, msg->msg_iov, msg->msg_iovlen,
				       flags & ~MSG_FASTOPEN);
}
