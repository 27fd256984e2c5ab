/* Datagram sockets: records in the same rings as streams use.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define HDR sizeof (struct jr_abi_dgram)
#define DGRAM_MAX 65507
#define MSG_PROBE 0x10		/* MSG_PROXY to libc */
#define DGRAM6_MAX 65527

static size_t
record_bytes (size_t len)
{
  return HDR + ((len + 7) & ~(size_t) 7);
}

/* ---- sending ---- */

static int
build_header (struct jr_sock *s, const struct msghdr *msg, struct jr_abi_dgram *h)
{
  memset (h, 0, sizeof *h);
  if (msg->msg_name != NULL)
    {
      int r = __jr_dgram_addr (s, msg->msg_name, msg->msg_namelen, &h->peer);
      if (r < 0)
	return r;
      if (h->peer.family != AF_UNSPEC && h->peer.port == 0)
	return -EINVAL;
    }
  return __jr_cmsg_take (s, msg, h);
}

/* With loopback = "service", whether a datagram stays on this host or goes
   by way of the kernel's stack: either way the service has sent it, or knows
   why not, when the call ends.  */
static bool
settles (const struct jr_abi_addr *to)
{
  return ld_relaxed (&jr_policy ()->loopback) == JR_ROUTE_SERVICE
	 && (__jr_to_self (to) || __jr_route (to, false) == JR_ROUTE_KERNEL);
}

static ssize_t
put_record (struct jr_sock *s, struct jr_iter *it, const struct jr_abi_dgram *h,
	    struct jr_dir *d)
{
  static const uint8_t zero[8];
  struct jr_tx t;
  ssize_t r;
  size_t need = record_bytes (it->left);
  bool again;
  __jr_tx_begin (s, &t);
  do
    {
      struct jr_iter work = *it;
      again = false;
      r = __jr_tx_check (s, d);
      if (r < 0)
	break;
      __jr_tx_look (s, d, &t);
      uint64_t used = t.start - t.head;
      if (used + need > t.cap && !t.nested)
	t.cap = __jr_tx_cap (s->slot, d->r, true);
      if (used + need > t.cap)
	{
	  r = need > t.cap && used == 0 ? -EMSGSIZE : -EAGAIN;
	  break;
	}
      if (unlikely_ (!jr_iter_reads (it, it->left)))
	{
	  r = -EFAULT;
	  break;
	}
      if (!__jr_tx_reserve (s, &t, need))
	{
	  again = true;
	  continue;
	}
      __jr_ring_write (d->base, t.cap, t.start, h, HDR);
      __jr_iter_to_ring (&work, d->base, t.cap, t.start + HDR, h->len);
      __jr_ring_write (d->base, t.cap, t.start + HDR + h->len, zero,
		       need - HDR - h->len);
      r = h->len;
      if (!__jr_tx_commit (s, d, &t))
	{
	  __jr_tx_begin (s, &t);
	  again = true;
	}
    }
  while (again);
  __jr_tx_end (s, &t);
  int err = 0;
  if (r >= 0)
    err = h->peer.family != AF_UNSPEC && settles (&h->peer)
	    ? __jr_settle (s->seg, s->idx) : __jr_tx_published (s, d);
  __jr_tx_told (&t);
  return err < 0 ? err : r;
}

/* The service has no way there.  -ENETUNREACH and the like if the kernel has
   none either; else the service finds out.  */
static int
kernel_refuses (struct jr_sock *s, const struct jr_abi_addr *to, const struct msghdr *msg)
{
  /* A group is reached from where the socket is bound to.  */
  if (__jr_addr_is_v4 (to) && (to->addr[12] & 0xf0) == 0xe0 && !__jr_addr_is_any (&s->slot->local))
    return 0;
  int fd = jr_sys_socket (s->slot->family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0)
    return 0;
  if (ld_relaxed (&s->slot->app_flags) & JR_AF_BROADCAST)
    jr_sys_setsockopt (fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  int r = jr_sys_connect (fd, msg->msg_name, msg->msg_namelen);
  jr_sys_close (fd);
  return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES ? r : 0;
}

/* Whether this datagram is for the kernel: turns the socket if it can still
   be turned, else its shadow sends it.  */
static ssize_t
send_by_kernel (struct jr_sock *s, const struct jr_abi_dgram *h,
		const struct msghdr *msg, int flags, bool *done)
{
  *done = false;
  if (h->peer.family == AF_UNSPEC)
    return 0;
  bool committed = ld_relaxed (&s->slot->app_flags) & JR_AF_COMMITTED;
  enum jr_abi_route route = __jr_route (&h->peer, false);
  if (route == JR_ROUTE_SERVICE || route == JR_ROUTE_BOTH)
    {
      if (!committed)
	set_bits (&s->slot->app_flags, JR_AF_COMMITTED);
      return 0;
    }
  int fd = s->fd;
  if (committed)
    {
      /* Bound by the service to one of its addresses: its own business.  */
      fd = __jr_shadow (s);
      /* Or the service has a socket of the kernel's for it, and knows.  */
      if (fd < 0)
	return settles (&h->peer) ? 0 : kernel_refuses (s, &h->peer, msg);
    }
  else
    {
      int r = __jr_turn (s, -1);
      if (r < 0)
	return r;
    }
  *done = true;
  return jr_sys_c_sendmsg (fd, msg, flags);
}

/* What the kernel would refuse at once.  The rest the service finds out, and
   it is the socket's pending error.  */
static int
check_target (struct jr_sock *s, const struct jr_abi_dgram *h)
{
  static const uint8_t all_ones[4] = { 255, 255, 255, 255 };
  uint32_t af = ld_relaxed (&s->slot->app_flags);
  if (h->peer.family == AF_UNSPEC)
    {
      uint32_t whole = ld_relaxed (&s->slot->mss);
      if (!(ld_acquire (&s->slot->state) & JR_ST_CONNECTED))
	return -EDESTADDRREQ;
      /* To port 0, by the kernel's IPv6 side.  */
      const struct jr_abi_addr *to = &s->slot->remote;
      if (s->slot->family == AF_INET6 && __jr_addr_is_v4 (to) && to->port == 0)
	return -EINVAL;
      /* With an error queue the error belongs there too.  */
      if ((af & JR_AF_DF) && !(af & JR_AF_RECVERR) && whole != 0 && h->segsz == 0
	  && h->len > whole)
	return -EMSGSIZE;
      return 0;
    }
  if ((af & JR_AF_V6ONLY) && __jr_addr_is_v4 (&h->peer))
    return -ENETUNREACH;
  if (!__jr_addr_is_v4 (&h->peer) && !__jr_addr_is_any (&s->slot->local) && __jr_speaks_v4 (s))
    return -EAFNOSUPPORT;
  if (!(af & JR_AF_BROADCAST) && memcmp (h->peer.addr + 12, all_ones, 4) == 0
      && __jr_addr_is_v4 (&h->peer))
    return -EACCES;
  return 0;
}

/* A message of N bytes as the kernel judges it before it is on its way; into
   H.  */
static ssize_t
judge (struct jr_sock *s, const struct msghdr *msg, size_t n, int flags, struct jr_abi_dgram *h)
{
  bool oob = flags & MSG_OOB, v4 = s->slot->family == AF_INET;
  if (n > UINT16_MAX)
    return -EMSGSIZE;
  if (oob && v4)
    return -EOPNOTSUPP;
  ssize_t r = build_header (s, msg, h);
  const struct jr_abi_addr *to
    = h->peer.family != AF_UNSPEC ? &h->peer : &s->slot->remote;
  /* The kernel's IPv6 side does not look.  */
  if (oob && __jr_addr_is_v4 (to))
    return -EOPNOTSUPP;
  if (r == 0 && n > (__jr_addr_is_v4 (to) ? DGRAM_MAX : DGRAM6_MAX))
    return -EMSGSIZE;
  h->len = n;
  if (flags & MSG_MORE)
    h->flags |= JR_DGRAM_MORE;
  return r < 0 ? r : check_target (s, h);
}

ssize_t
__jr_dgram_send (struct jr_sock *s, const struct msghdr *msg, int flags)
{
  struct jr_iter it;
  struct jr_abi_dgram h;
  struct jr_dir d;
  struct jr_waiter w = { 0 };
  bool done;
  ssize_t r = __jr_iter_init (&it, msg->msg_iov, msg->msg_iovlen);
  if (r < 0)
    return r;
  r = judge (s, msg, it.left, flags, &h);
  /* The kernel binds first; where ancillary data is wrong nobody asks.  */
  if (r < 0 && msg->msg_controllen == 0
      && !(ld_acquire (&s->slot->state) & (JR_ST_CONNECTED | JR_ST_BOUND)))
    __jr_bind_any (s);
  if (r < 0)
    return r;
  /* Only the way there is tried.  */
  if (flags & MSG_PROBE)
    return it.left;
  r = send_by_kernel (s, &h, msg, flags, &done);
  if (r < 0 || done)
    return r;
  bool block = !jr_nonblock (s, flags);
  for (;;)
    {
      r = put_record (s, &it, &h, &d);
      if (r >= 0)
	return r;
      if (r == -EAGAIN && (r = __jr_wait_space (s, &d, &w, block)) == 0)
	continue;
      r = __jr_outcome (s, r, 0);
      if (r != -JR_EMOVED)
	break;
      w.armed = false;
    }
  return r;
}

/* ---- receiving ---- */

static ssize_t
empty (struct jr_sock *s, uint32_t state, struct jr_dir *d)
{
  if (jr_err_pending (s->slot))
    return -JR_EPENDING;
  if (state & JR_ST_DEAD)
    return -ECONNABORTED;
  if (ld_relaxed (&d->r->cflags) & JR_RING_FIN)
    return 0;
  return jr_gone (s->seg) ? -ECONNRESET : -EAGAIN;
}

/* From the record at *HEAD to the one that a peek is to see, with SO_PEEK_OFF:
   *OFF is then the place in it.  -EAGAIN: behind all that is there.  */
static ssize_t
peek_from (struct jr_dir *d, uint32_t cap, uint64_t *head, uint64_t avail,
	   struct jr_abi_dgram *h, size_t *off)
{
  while (*off > 0 && *off >= h->len)
    {
      uint64_t step = record_bytes (h->len);
      *off -= h->len;
      *head += step;
      avail -= step;
      if (avail < HDR)
	return -EAGAIN;
      __jr_ring_read (d->base, cap, *head, h, HDR);
      if (record_bytes (h->len) > avail)
	return -ECONNABORTED;
    }
  return 0;
}

/* The first record into IT, its header into H.  */
static ssize_t
take_record (struct jr_sock *s, struct jr_iter *it, int flags,
	     struct jr_abi_dgram *h, struct jr_dir *d)
{
  uint32_t state;
  ssize_t r = jr_state (s, &state);
  if (r == 0)
    r = __jr_dir_rx (s, state, d);
  if (r < 0)
    return r;
  memset (h, 0, sizeof *h);
  uint64_t head;
  size_t n;
  bool reached;
  struct jr_iter work;
  do
    {
      head = ld_relaxed (&d->r->head);
      uint64_t avail = ld_acquire (&d->r->tail) - head;
      uint32_t cap = ld_acquire (&d->r->cap);
      if (jr_err_pending (s->slot))
	return -JR_EPENDING;
      if (avail == 0)
	return empty (s, state, d);
      if (!jr_cap_ok (cap) || avail < HDR)
	return -ECONNABORTED;
      __jr_ring_read (d->base, cap, head, h, HDR);
      if (record_bytes (h->len) > avail || avail > cap)
	return -ECONNABORTED;
      size_t off = jr_peek_from (s, flags);
      uint64_t at = head;
      if (unlikely_ (off > 0) && (r = peek_from (d, cap, &at, avail, h, &off)) < 0)
	return r;
      work = *it;
      n = h->len - off < it->left ? h->len - off : it->left;
      if (it->left <= h->len - off && it->left < h->len)
	h->flags |= JR_DGRAM_TRUNC;
      reached = jr_iter_writes (it, n);
      if (likely_ (reached))
	__jr_iter_from_ring (&work, d->base, cap, at + HDR + off, n);
      if (flags & MSG_PEEK)
	break;
    }
  while (!__atomic_compare_exchange_n (&d->r->head, &head,
				       head + record_bytes (h->len), false,
				       __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  if (reached)
    jr_peek_moved (s, flags, flags & MSG_TRUNC ? h->len : n);
  if (!(flags & MSG_PEEK))
    __jr_rx_consumed (s, d, head + record_bytes (h->len));
  /* Taken, the datagram is gone all the same.  */
  return reached ? (ssize_t) n : -EFAULT;
}

static ssize_t
take_locked (struct jr_sock *s, struct jr_iter *it, int flags,
	     struct jr_abi_dgram *h, struct jr_dir *d, bool *got)
{
  bool nested;
  __jr_dir_lock (s->seg, &s->slot->rx_lock, &s->slot->rx_lock_gen, &nested);
  ssize_t r = take_record (s, it, flags, h, d);
  if (!nested)
    __jr_dir_unlock (&s->slot->rx_lock);
  *got = r >= 0 && h->peer.family != AF_UNSPEC;
  return r;
}

/* The socket has a kernel side too: sleep on both.  */
static ssize_t
wait_with_shadow (struct jr_sock *s, int shadow, struct msghdr *msg, int flags,
		  bool block, struct jr_waiter *w)
{
  ssize_t r = jr_sys_recvmsg (shadow, msg, flags | MSG_DONTWAIT);
  if (r != -EAGAIN || !block)
    return r;
  if (!w->timed)
    w->deadline = __jr_deadline_us (s->slot->rcvtimeo_us);
  w->timed = true;
  r = __jr_wait_either (s->fd, w->deadline);
  return r < 0 ? r : -JR_EMOVED;
}

static ssize_t
delivered (struct jr_sock *s, struct msghdr *msg, const struct jr_abi_dgram *h,
	   ssize_t n, int flags, bool got)
{
  msg->msg_flags = 0;
  if (got)
    {
      int r = __jr_addr_put (s->slot->family, &h->peer, msg->msg_name, &msg->msg_namelen);
      if (r < 0)
	return r;
      if (!(ld_relaxed (&s->slot->app_flags) & JR_AF_STAMPED))
	st_relaxed (&s->slot->stamp, h->stamp_us);
      __jr_cmsg_put (s, h, msg);
      if (h->flags & JR_DGRAM_TRUNC)
	msg->msg_flags |= MSG_TRUNC;
      return flags & MSG_TRUNC ? (ssize_t) h->len : n;
    }
  msg->msg_namelen = 0;
  msg->msg_controllen = 0;
  return n;
}

ssize_t
__jr_dgram_recv (struct jr_sock *s, struct msghdr *msg, int flags)
{
  struct jr_iter it;
  struct jr_abi_dgram h;
  struct jr_dir d;
  struct jr_waiter w = { 0 };
  bool got;
  if (flags & MSG_ERRQUEUE)
    return __jr_errq_recv (s, msg);
  ssize_t r = __jr_iter_init (&it, msg->msg_iov, msg->msg_iovlen);
  if (r < 0)
    return r;
  bool block = !jr_nonblock (s, flags);
  for (;;)
    {
      r = take_locked (s, &it, flags, &h, &d, &got);
      /* After shutdown only who waits is told of the end.  */
      if (r == 0 && !got && !block)
	return -EAGAIN;
      if (r >= 0)
	return delivered (s, msg, &h, r, flags, got);
      if (r == -EAGAIN)
	{
	  int shadow = ld_relaxed (&s->slot->app_flags) & JR_AF_SHADOWED
		       ? ld_relaxed (&s->ls->shadow_fd) : -1;
	  if (shadow >= 0)
	    {
	      r = wait_with_shadow (s, shadow, msg, flags, block, &w);
	      if (r >= 0)
		return r;
	    }
	  else if ((r = __jr_wait_data (s, &d, &w, block)) == 0)
	    continue;
	}
      r = __jr_outcome (s, r, 0);
      if (r != -JR_EMOVED)
	return r;
      w.armed = false;
    }
}
