/* Which stack a socket belongs to, decided as late as possible, and turning
   a socket that began as a handle to the kernel.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-trace-line.h"

static bool
prefix_match (const uint8_t *a, const uint8_t *b, uint32_t plen)
{
  uint32_t bytes = plen / 8, bits = plen % 8;
  if (plen > 128 || memcmp (a, b, bytes) != 0)
    return false;
  return bits == 0 || ((a[bytes] ^ b[bytes]) & (0xff00 >> bits) & 0xff) == 0;
}

static bool
is_loopback (const struct jr_abi_addr *a)
{
  static const uint8_t v4_loop[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };
  static const uint8_t v6_loop[16] = { [15] = 1 };
  return memcmp (a->addr, v4_loop, 13) == 0 || memcmp (a->addr, v6_loop, 16) == 0
	 || __jr_addr_is_any (a);
}

static enum jr_abi_route
look_up (const struct jr_abi_policy *p, const struct jr_abi_addr *to)
{
  uint32_t naddrs = ld_relaxed (&p->naddrs), nroutes = ld_relaxed (&p->nroutes);
  for (uint32_t i = 0; i < naddrs && i < JR_POLICY_ADDRS; i++)
    if (memcmp (p->addrs[i], to->addr, 16) == 0)
      return JR_ROUTE_LOCAL;
  for (uint32_t i = 0; i < nroutes && i < JR_POLICY_ROUTES; i++)
    if (prefix_match (p->routes[i].prefix, to->addr, p->routes[i].plen))
      return p->routes[i].route;
  return JR_ROUTE_KERNEL;
}

static enum jr_abi_route
where (const struct jr_abi_addr *to)
{
  const struct jr_abi_policy *p = jr_policy ();
  enum jr_abi_route route;
  uint32_t seq;
  int tries = 0;
  if (is_loopback (to))
    return JR_ROUTE_LOCAL;
  do
    {
      while (((seq = ld_acquire (&p->seq)) & 1) && tries++ < 10000)
	jr_pause ();
      route = look_up (p, to);
      jr_fence ();
    }
  while (ld_relaxed (&p->seq) != seq && tries++ < 10000);
  return route;
}

/* KERNEL or SERVICE, from the policy page alone.  */
enum jr_abi_route
__jr_route (const struct jr_abi_addr *to, bool stream)
{
  const struct jr_abi_policy *p = jr_policy ();
  enum jr_abi_route route = where (to);
  if (route != JR_ROUTE_LOCAL)
    return route == JR_ROUTE_KERNEL ? JR_ROUTE_KERNEL : JR_ROUTE_SERVICE;
  uint32_t loopback = ld_relaxed (&p->loopback);
  if (loopback == JR_ROUTE_SERVICE)
    return JR_ROUTE_SERVICE;
  if (!stream || loopback != JR_ROUTE_LOCAL
      || !(ld_relaxed (&p->tcp_listen[to->port / 64]) & 1ull << to->port % 64))
    return JR_ROUTE_KERNEL;
  return JR_ROUTE_SERVICE;
}

/* In words, for somebody who traces.  */
const char *
__jr_route_why (const struct jr_abi_addr *to, bool stream)
{
  if (where (to) != JR_ROUTE_LOCAL)
    return __jr_route (to, stream) == JR_ROUTE_KERNEL ? "no port of the service leads there"
						      : "the service said so";
  return is_loopback (to) ? "loopback" : "an address of this host";
}

/* With loopback = "service", whether a datagram to it stays on this host.  */
bool
__jr_to_self (const struct jr_abi_addr *to)
{
  return ld_relaxed (&jr_policy ()->loopback) == JR_ROUTE_SERVICE
	 && where (to) == JR_ROUTE_LOCAL;
}

/* A kernel socket like S, with the options set so far.  */
int
__jr_kernel_socket (struct jr_sock *s, int flags)
{
  struct jr_abi_slot *slot = s->slot;
  int fd = jr_sys_socket (slot->family, slot->type | SOCK_CLOEXEC | flags,
			  slot->protocol);
  if (fd >= 0)
    __jr_opts_replay (s, fd);
  return fd;
}

/* Puts KSOCK on every fd of this process that has the socket.  */
static int
replace_all (struct jr_sock *s, int ksock)
{
  uint64_t mine = __jr_fd_entry (s->fd) & JR_ENT_ID, ent;
  int first = 0, r = 0;
  for (int fd = __jr_fd_next (0, &ent); fd >= 0; fd = __jr_fd_next (fd + 1, &ent))
    {
      if ((ent & JR_ENT_ID) != mine)
	continue;
      int fdflags = jr_sys_fcntl (fd, F_GETFD, 0);
      r = jr_sys_dup3 (ksock, fd, fdflags > 0 ? O_CLOEXEC : 0);
      if (r < 0)
	{
	  if (first++ == 0)
	    return r;
	  continue;
	}
      first++;
      __jr_fd_take (fd);
      __jr_epoll_turned (s, fd);
      __jr_ent_release (ent);
      __jr_closed (ent);
    }
  return 0;
}

int
__jr_turn (struct jr_sock *s, int ksock)
{
  if (ksock < 0)
    ksock = __jr_kernel_socket (s, 0);
  if (ksock < 0)
    return ksock;
  int oflags = ld_relaxed (&s->slot->oflags) & (O_NONBLOCK | O_ASYNC);
  int fl = jr_sys_fcntl (ksock, F_GETFL, 0);
  jr_sys_fcntl (ksock, F_SETFL, (fl & ~(O_NONBLOCK | O_ASYNC)) | oflags);
  int r = replace_all (s, ksock);
  jr_sys_close (ksock);
  return r;
}
