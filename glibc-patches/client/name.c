/* Addresses: between the program's form and the shared one, and
   getsockname and getpeername, which the slot answers.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

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

/* -EINVAL, -EAFNOSUPPORT as the kernel would say for a socket of S's family.
   AF_UNSPEC is let through.  */
int
__jr_addr_get (struct jr_sock *s, const struct sockaddr *sa, socklen_t len,
	       struct jr_abi_addr *a)
{
  memset (a, 0, sizeof *a);
  if (sa == NULL)
    return -EFAULT;
  if (len < sizeof (sa_family_t))
    return -EINVAL;
  sa_family_t family;
  memcpy (&family, &sa->sa_family, sizeof family);
  a->family = family;
  if (family == AF_UNSPEC)
    return 0;
  if (family == AF_INET)
    {
      struct sockaddr_in in;
      /* Of version 6's sockets the kernel's datagram ones take it.  */
      if (s->slot->family == AF_INET6 && jr_is_stream (s))
	return -EAFNOSUPPORT;
      if (len < sizeof in)
	return -EINVAL;
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
  if (len < offsetof (struct sockaddr_in6, sin6_scope_id))
    return -EINVAL;
  memset (&in6, 0, sizeof in6);
  memcpy (&in6, sa, len < sizeof in6 ? len : sizeof in6);
  memcpy (a->addr, &in6.sin6_addr, 16);
  a->port = ntohs (in6.sin6_port);
  a->scope = in6.sin6_scope_id;
  return 0;
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

/* As much as fits; *LEN becomes the whole length.  */
void
__jr_addr_put (int family, const struct jr_abi_addr *a, struct sockaddr *sa,
	       socklen_t *len)
{
  struct sockaddr_storage ss;
  if (sa == NULL || len == NULL)
    return;
  socklen_t n = __jr_addr_native (family, a, &ss);
  memcpy (sa, &ss, *len < n ? *len : n);
  *len = n;
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
  if (peer && ((state & (JR_ST_CONNECTED | JR_ST_DEAD)) != JR_ST_CONNECTED))
    return -ENOTCONN;
  if (len == NULL || sa == NULL)
    return -EFAULT;
  if ((int) *len < 0)
    return -EINVAL;
  memset (&a, 0, sizeof a);
  if (peer)
    a = s.slot->remote;
  else if (state & (JR_ST_BOUND | JR_ST_CONNECTED | JR_ST_CONNECTING))
    a = s.slot->local;
  __jr_addr_put (s.slot->family, &a, sa, len);
  return 0;
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
