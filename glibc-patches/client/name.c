/* Addresses: between the program's form and the shared one, and
   getsockname and getpeername, which the slot answers.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* Of slot.tcp_state.  */
enum { TCPS_CLOSED = 0, TCPS_TIME_WAIT = 10 };

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool
__jr_addr_is_v4 (const struct jr_abi_addr *a)
{
  return memcmp (a->addr, v4_prefix, sizeof v4_prefix) == 0;
}

bool
__jr_addr_is_any (const struct jr_abi_addr *a)
{
  static const uint8_t zero[16];
  if (__jr_addr_is_v4 (a))
    return memcmp (a->addr + 12, zero, 4) == 0;
  return memcmp (a->addr, zero, 16) == 0;
}

/* As the kernel takes an address from a program: -EINVAL, -EFAULT.  */
int
__jr_addr_check (const struct sockaddr *sa, socklen_t len)
{
  if (len > sizeof (struct sockaddr_storage))
    return -EINVAL;
  return len == 0 || jr_can_read (sa, len) ? 0 : -EFAULT;
}

/* -EINVAL, -EAFNOSUPPORT as the kernel would say for a socket of S's family.
   AF_UNSPEC is let through.  */
int
__jr_addr_get (struct jr_sock *s, const struct sockaddr *sa, socklen_t len,
	       struct jr_abi_addr *a)
{
  memset (a, 0, sizeof *a);
  if (len < sizeof (sa_family_t))
    return -EINVAL;
  sa_family_t family;
  memcpy (&family, &sa->sa_family, sizeof family);
  a->family = family;
  if (family == AF_UNSPEC)
    return 0;
  /* Of version 6's sockets the kernel's datagram ones take it.  Lengths come
     before families.  */
  bool v4 = s->slot->family == AF_INET || (family == AF_INET && !jr_is_stream (s));
  if (len < (v4 ? sizeof (struct sockaddr_in) : offsetof (struct sockaddr_in6, sin6_scope_id)))
    return -EINVAL;
  if (family == AF_INET && v4)
    {
      struct sockaddr_in in;
      memcpy (&in, sa, sizeof in);
      memcpy (a->addr, v4_prefix, 12);
      memcpy (a->addr + 12, &in.sin_addr, 4);
      a->port = ntohs (in.sin_port);
      a->family = s->slot->family;
      return 0;
    }
  if (family != AF_INET6 || s->slot->family != AF_INET6)
    return -EAFNOSUPPORT;
  struct sockaddr_in6 in6;
  memset (&in6, 0, sizeof in6);
  memcpy (&in6, sa, len < sizeof in6 ? len : sizeof in6);
  memcpy (a->addr, &in6.sin6_addr, 16);
  a->port = ntohs (in6.sin6_port);
  a->scope = in6.sin6_scope_id;
  return 0;
}

/* Whether what S sends has a source of version 4, mapped.  */
bool
__jr_speaks_v4 (struct jr_sock *s)
{
  return __jr_addr_is_v4 (&s->slot->local)
	 && (ld_acquire (&s->slot->state) & (JR_ST_BOUND | JR_ST_CONNECTED));
}

/* The wildcard as a destination: this host, in the version that S speaks.  */
void
__jr_any_is_here (struct jr_sock *s, struct jr_abi_addr *a)
{
  static const uint8_t mapped_loopback[16]
    = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
  if (a->family == AF_INET6 && !__jr_addr_is_v4 (a) && __jr_addr_is_any (a)
      && __jr_speaks_v4 (s))
    memcpy (a->addr, mapped_loopback, sizeof mapped_loopback);
}

bool
__jr_is_only_v6 (struct jr_sock *s)
{
  return s->slot->family == AF_INET6 && (ld_relaxed (&s->slot->app_flags) & JR_AF_V6ONLY);
}

/* Where a datagram socket is to be connected to.  */
int
__jr_peer_addr (struct jr_sock *s, const struct sockaddr *sa, socklen_t len,
		struct jr_abi_addr *a)
{
  int r = __jr_addr_get (s, sa, len, a);
  if (r < 0 || a->family != AF_INET6)
    return r;
  sa_family_t family;
  memcpy (&family, &sa->sa_family, sizeof family);
  if (__jr_is_only_v6 (s) && __jr_addr_is_v4 (a))
    return family == AF_INET ? -EAFNOSUPPORT : -ENETUNREACH;
  __jr_any_is_here (s, a);
  return __jr_speaks_v4 (s) && !__jr_addr_is_v4 (a) ? -EAFNOSUPPORT : 0;
}

socklen_t
__jr_addr_native (int family, const struct jr_abi_addr *a, struct sockaddr_storage *ss)
{
  memset (ss, 0, sizeof *ss);
  if (family == AF_INET)
    {
      struct sockaddr_in *in = (struct sockaddr_in *) ss;
      in->sin_family = AF_INET;
      in->sin_port = htons (a->port);
      memcpy (&in->sin_addr, a->addr + 12, 4);
      return sizeof *in;
    }
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ss;
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons (a->port);
  memcpy (&in6->sin6_addr, a->addr, 16);
  in6->sin6_scope_id = a->scope;
  return sizeof *in6;
}

/* As much as fits; *LEN becomes the whole length.  SA may be NULL: none is
   wanted.  -EINVAL, -EFAULT.  */
int
__jr_addr_put (int family, const struct jr_abi_addr *a, struct sockaddr *sa,
	       socklen_t *len)
{
  struct sockaddr_storage ss;
  if (sa == NULL)
    return 0;
  if ((int) *len < 0)
    return -EINVAL;
  socklen_t n = __jr_addr_native (family, a, &ss);
  int r = __jr_copy_out (sa, &ss, *len < n ? *len : n);
  if (r == 0)
    *len = n;
  return r;
}

int
__jr_name_out (const void *from, socklen_t n, struct sockaddr *sa, socklen_t *len)
{
  socklen_t room;
  int r = __jr_copy_in (&room, len, sizeof room);
  if (r == 0 && (int) room < 0)
    r = -EINVAL;
  if (r == 0)
    r = __jr_copy_out (sa, from, room < n ? room : n);
  return r < 0 ? r : __jr_copy_out (len, &n, sizeof n);
}

/* The same for pointers of the program's.  */
int
__jr_addr_give (int family, const struct jr_abi_addr *a, struct sockaddr *sa,
		socklen_t *len)
{
  struct sockaddr_storage ss;
  socklen_t n = __jr_addr_native (family, a, &ss);
  return __jr_name_out (&ss, n, sa, len);
}

/* Where a datagram is to go.  A version 4 socket takes AF_UNSPEC for AF_INET;
   to one of version 6 it means the address it is connected to.  */
int
__jr_dgram_addr (struct jr_sock *s, const struct sockaddr *sa, socklen_t len,
		 struct jr_abi_addr *a)
{
  struct sockaddr_in in;
  if (s->slot->family != AF_INET)
    {
      int r = len < offsetof (struct sockaddr, sa_data) ? -EINVAL
							: __jr_addr_get (s, sa, len, a);
      if (r == 0)
	__jr_any_is_here (s, a);
      return r == -EAFNOSUPPORT ? -EINVAL : r;
    }
  if (len < sizeof in)
    return -EINVAL;
  memcpy (&in, sa, sizeof in);
  if (in.sin_family == AF_UNSPEC)
    in.sin_family = AF_INET;
  return __jr_addr_get (s, (const struct sockaddr *) &in, sizeof in, a);
}

/* Both directions have ended and the other side knows: for the kernel there is
   no connection any more.  */
bool
__jr_is_over (struct jr_sock *s, uint32_t state)
{
  uint32_t tcp = ld_relaxed (&s->slot->tcp_state);
  return jr_is_stream (s) && (state & JR_ST_CONNECTED) && (state & JR_ST_TX_CLOSED)
	 && !(state & JR_ST_PAIR) && (tcp == TCPS_CLOSED || tcp == TCPS_TIME_WAIT);
}

/* The service binds when it sees the first datagram, which it does before it
   answers.  */
static uint32_t
bound_by_sending (struct jr_sock *s)
{
  struct jr_abi_cmd_getsockopt_req req = { .level = SOL_SOCKET, .name = SO_TYPE,
					   .len = sizeof (int) };
  struct jr_abi_cmd_getsockopt_rep rep;
  __jr_command (s, JR_CMD_GETSOCKOPT, &req, sizeof req, &rep, sizeof rep);
  return ld_acquire (&s->slot->state) & JR_ST_BOUND;
}

static int
name (int fd, struct sockaddr *sa, socklen_t *len, bool peer)
{
  struct jr_sock s;
  struct jr_abi_addr a;
  uint32_t state = 0;
  int r = __jr_sock_get (fd, &s);
  while (r == 0)
    {
      r = jr_state (&s, &state);
      if (r == -JR_EMOVED)
	r = __jr_sock_follow (&s);
      else
	break;
    }
  if (r < 0)
    return r;
  if (peer && ((state & (JR_ST_CONNECTED | JR_ST_DEAD)) != JR_ST_CONNECTED
	       || __jr_is_over (&s, state)
	       || (!jr_is_stream (&s) && s.slot->remote.port == 0)))
    return -ENOTCONN;
  if (!peer && !jr_is_stream (&s) && !(state & JR_ST_BOUND)
      && ld_relaxed (&s.slot->tx.tail) != 0)
    state |= bound_by_sending (&s);
  memset (&a, 0, sizeof a);
  if (peer)
    a = s.slot->remote;
  else
    a = s.slot->local;		/* nothing, or a port that it once had */
  return __jr_addr_give (s.slot->family, &a, sa, len);
}

int
__jr_getsockname (int fd, struct sockaddr *sa, socklen_t *len)
{
  return jr_ret (name (fd, sa, len, false));
}

int
__jr_getpeername (int fd, struct sockaddr *sa, socklen_t *len)
{
  return jr_ret (name (fd, sa, len, true));
}
