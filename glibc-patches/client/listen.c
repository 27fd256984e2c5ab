/* listen and accept.  A wildcard listener has a kernel listener behind it,
   so that loopback clients and other interfaces still reach the program.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* ---- listen ---- */

/* The kernel's listener of a socket that several processes hold is made by the
   first of them to listen; it says so before it binds, for the others.  Who
   comes second binds too, for the first may be gone, and may be the quicker.  */
static int
shadow_make (struct jr_sock *s, const struct jr_abi_addr *a)
{
  struct sockaddr_storage ss;
  socklen_t len = __jr_addr_native (s->slot->family, a, &ss);
  uint32_t shared = JR_AF_SHADOWED | JR_AF_REUSEPORT;
  bool theirs = set_bits (&s->slot->app_flags, JR_AF_SHADOWED) & shared;
  if (theirs)
    set_bits (&s->slot->app_flags, (uint32_t) JR_AF_SHADOW_TWO);
  int fd = __jr_kernel_socket (s, 0);
  if (fd >= 0 && s->ls->nopts == 0)
    __jr_opts_fetch (s, fd);
  int r = fd < 0 ? fd : jr_sys_bind (fd, (struct sockaddr *) &ss, len);
  if (r == 0)
    return __jr_shadow_set (s, fd);
  if (fd >= 0)
    jr_sys_close (fd);
  theirs |= (ld_relaxed (&s->slot->app_flags) & JR_AF_SHADOW_TWO) != 0;
  if (!theirs)
    clear_bits (&s->slot->app_flags, JR_AF_SHADOWED);
  /* Another process that has the socket listened first; or the port is
     shared with another user's, perhaps the service's.  */
  return r == -EADDRINUSE && theirs ? 0 : r;
}

static int
shadow_listen (struct jr_sock *s, const struct jr_abi_addr *a, int backlog)
{
  int r = __jr_shadow (s) < 0 ? shadow_make (s, a) : 0;
  int fd = __jr_shadow (s);
  if (r == 0 && fd < 0)
    fd = __jr_shadow_find (s);
  if (r < 0 || fd < 0)
    return r;
  r = jr_sys_listen (fd, backlog);
  /* Others have the socket too.  */
  if (r == 0 && ld_relaxed (&s->seg->shared))
    __jr_shadow_offer (s);
  return r;
}

static int
do_listen (int fd, int backlog)
{
  struct jr_sock s;
  struct jr_abi_cmd_listen_req req = { .backlog = backlog < 0 ? 4096 : backlog };
  struct jr_abi_cmd_listen_rep rep = { .route = JR_ROUTE_KERNEL };
  bool moved;
  int r = __jr_sock_find (fd, &s);
  if (r < 0)
    return r;
  if (!jr_is_stream (&s))
    return -EOPNOTSUPP;
  uint16_t port = s.slot->local.port;
  if (port > 0 && port < IPPORT_RESERVED && JR_SYSCALL (geteuid) != 0)
    __jr_shadow_reserved (&s);
  do
    {
      uint32_t state;
      r = __jr_command (&s, JR_CMD_LISTEN, &req, sizeof req, &rep, sizeof rep);
      /* Moved while the service was asked: its flags are elsewhere.  */
      moved = jr_state (&s, &state) == -JR_EMOVED;
    }
  while (moved && (r = __jr_sock_follow (&s)) == 0);
  if (r == -ECONNRESET && jr_gone (s.seg))
    r = 0;
  if (r < 0)
    return r;
  if (rep.route == JR_ROUTE_KERNEL)
    {
      int ksock = __jr_shadow (&s);
      if (ksock >= 0)
	ksock = jr_sys_fcntl (ksock, F_DUPFD_CLOEXEC, 0);
      r = __jr_turn (&s, ksock);
      return r < 0 ? r : jr_sys_listen (fd, backlog);
    }
  set_bits (&s.slot->app_flags, JR_AF_COMMITTED);
  if (rep.route == JR_ROUTE_BOTH)
    return shadow_listen (&s, &rep.addr, backlog);
  if (__jr_shadow (&s) >= 0)
    __jr_shadow_drop (&s);
  return 0;
}

int
__jr_listen (int fd, int backlog)
{
  return jr_ret (do_listen (fd, backlog));
}

/* ---- accept ---- */

/* The handle gets its number first: without a free one the connection must
   stay in the queue.  */
static int
accept_service (struct jr_sock *l, struct sockaddr *addr, socklen_t *len, int flags)
{
  struct jr_sock n;
  struct jr_abi_cmd_accept_req req = { .listener_seg = l->seg->id,
				       .listener_slot = l->idx };
  struct jr_abi_cmd_accept_rep rep;
  int handle;
  if (ld_acquire (&l->slot->accept_ready) == 0)
    return jr_gone (l->seg) ? -EINVAL : -EAGAIN;
  int r = __jr_pool_pop (&n, &handle);
  if (r < 0)
    return jr_gone (l->seg) ? -EINVAL : -EMFILE;
  int fd = __jr_pool_number (handle, flags & SOCK_CLOEXEC);
  if (fd < 0)
    {
      __jr_pool_push (&n);
      return fd;
    }
  memcpy (req.key, l->seg->hdr->key, sizeof req.key);
  __jr_slot_init (&n, l->slot->family, SOCK_STREAM, l->slot->protocol,
		  flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
  r = __jr_command (&n, JR_CMD_ACCEPT, &req, sizeof req, &rep, sizeof rep);
  if (r < 0)
    {
      jr_sys_close (fd);
      __jr_pool_push (&n);
      return r;
    }
  n.slot->rcvtimeo_us = l->slot->rcvtimeo_us;
  n.slot->sndtimeo_us = l->slot->sndtimeo_us;
  n.slot->rcvlowat = l->slot->rcvlowat;
  set_bits (&n.slot->app_flags,
	    JR_AF_COMMITTED | (ld_relaxed (&l->slot->app_flags)
			       & JR_AF_INHERITED));
  if (ld_acquire (&n.slot->state) & JR_ST_PAIR)
    __jr_pair_map (&n);		/* while there is an fd left for it */
  r = __jr_pool_enter (&n, handle, fd, flags & SOCK_CLOEXEC);
  if (r < 0 || addr == NULL)
    return r;
  /* A connection that can't be told of is lost.  */
  int e = __jr_addr_give (l->slot->family, &rep.remote, addr, len);
  if (e < 0)
    __jr_close (r);
  return e < 0 ? e : r;
}

/* Neither side starves the other, and the kernel's is served even when there
   are no handles.  */
static int
accept_either (struct jr_sock *l, int shadow, struct sockaddr *addr,
	       socklen_t *len, int flags)
{
  static uint32_t turn;
  bool kernel_first = add_fetch (&turn, 1) % 4 == 0;
  int r = -EAGAIN;
  if (kernel_first)
    r = jr_sys_accept4 (shadow, addr, len, flags);
  if (r != -EAGAIN)
    return r;
  r = accept_service (l, addr, len, flags);
  if (r >= 0 || kernel_first)
    return r;
  int k = jr_sys_accept4 (shadow, addr, len, flags);
  /* Without the service the kernel's goes on alone.  */
  return k >= 0 || r == -EAGAIN || jr_gone (l->seg) ? k : r;
}

static int
accept_once (struct jr_sock *l, struct sockaddr *addr, socklen_t *len, int flags)
{
  uint32_t state;
  int r = jr_state (l, &state);
  if (r < 0)
    return r;
  if (!jr_is_stream (l))
    return -EOPNOTSUPP;
  int shadow = __jr_shadow_find (l);
  if (shadow >= 0)
    return accept_either (l, shadow, addr, len, flags);
  if (!(state & JR_ST_LISTENING))
    return -EINVAL;
  return accept_service (l, addr, len, flags);
}

static int
wait_with_shadow (struct jr_sock *l, struct jr_waiter *w)
{
  if (!w->timed)
    w->deadline = __jr_deadline_us (l->slot->rcvtimeo_us);
  w->timed = true;
  int r = __jr_wait_either (l->fd, w->deadline);
  /* It may have moved: where it was need not even be mapped.  */
  return r < 0 ? r : -JR_EMOVED;
}

static int
do_accept (int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
  struct jr_sock l;
  struct jr_waiter w = { 0 };
  int r = __jr_sock_find (fd, &l);
  if (r < 0)
    return r;
  if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0)
    return -EINVAL;
  jr_sys_testcancel ();
  for (;;)
    {
      r = accept_once (&l, addr, len, flags);
      if (r == -EAGAIN && !jr_nonblock (&l, 0))
	{
	  struct jr_dir d = { .r = &l.slot->rx };
	  r = __jr_shadow (&l) >= 0 ? wait_with_shadow (&l, &w)
				    : __jr_wait_data (&l, &d, &w, true);
	  if (r == 0)
	    continue;
	}
      r = __jr_outcome (&l, r, 0);
      if (r != -JR_EMOVED)
	return r;
      w.armed = false;
    }
}

int
__jr_accept (int fd, struct sockaddr *addr, socklen_t *len)
{
  return jr_ret (do_accept (fd, addr, len, 0));
}

int
__jr_accept4 (int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
  return jr_ret (do_accept (fd, addr, len, flags));
}
