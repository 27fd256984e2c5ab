/* Options by the kernel's own rules.  A socket of the kernel's, made for the
   moment, says what a value is taken for, which errno a bad one gets and what
   an option is when nobody set it: no table of ours could follow all of that
   from one kernel to the next.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"
#include <netinet/tcp.h>
#include <netinet/udp.h>

#ifndef SO_PREFER_BUSY_POLL
# define SO_PREFER_BUSY_POLL 69
#endif
#ifndef SO_TXREHASH
# define SO_TXREHASH 74
#endif
#define IP_RECVERR_4884 26
#define IPV6_SENDS_FLOWINFO 33
#define IPV6_GROUPS_ALL 29
#define MSG_PROBE 0x10		/* MSG_PROXY to libc */

/* Integers that neither stack need act on where Joyride carries the socket,
   or that the service acts on and the kernel has rules for: it judges them
   and the service keeps what it made of them (netsvc/sock/opt.c).  */
static const struct
{
  int16_t level, name;
} judged[] = {
  { SOL_SOCKET, SO_DEBUG },
  { SOL_SOCKET, SO_DONTROUTE },
  { SOL_SOCKET, SO_PRIORITY },
  { SOL_SOCKET, SO_BSDCOMPAT },
  { SOL_SOCKET, SO_PASSCRED },
  { SOL_SOCKET, SO_PASSSEC },
  { SOL_SOCKET, SO_MARK },
  { SOL_SOCKET, SO_NO_CHECK },
  { SOL_SOCKET, SO_LOCK_FILTER },
  { SOL_SOCKET, SO_SELECT_ERR_QUEUE },
  { SOL_SOCKET, SO_BUSY_POLL },
  { SOL_SOCKET, SO_PREFER_BUSY_POLL },
  { SOL_SOCKET, SO_MAX_PACING_RATE },
  { SOL_SOCKET, SO_INCOMING_CPU },
  { SOL_SOCKET, SO_TXREHASH },
  { SOL_SOCKET, SO_WIFI_STATUS },
  { SOL_SOCKET, SO_NOFCS },
  { SOL_SOCKET, SO_OOBINLINE },
  { SOL_SOCKET, SO_RCVLOWAT },
  { SOL_SOCKET, SO_SNDBUF },
  { SOL_SOCKET, SO_RCVBUF },
  { SOL_SOCKET, SO_SNDBUFFORCE },
  { SOL_SOCKET, SO_RCVBUFFORCE },
  { SOL_SOCKET, SO_TIMESTAMP },
  { SOL_SOCKET, SO_TIMESTAMPNS },
  { SOL_SOCKET, SO_TIMESTAMPING },
  { SOL_SOCKET, SO_RXQ_OVFL },
  { SOL_SOCKET, SO_ZEROCOPY },
  { SOL_SOCKET, SO_PEEK_OFF },
  { SOL_SOCKET, SO_TIMESTAMP_NEW },
  { SOL_SOCKET, SO_TIMESTAMPNS_NEW },
  { IPPROTO_IP, IP_TOS },
  { IPPROTO_IP, IP_TTL },
  { IPPROTO_IP, IP_PKTINFO },
  { IPPROTO_IP, IP_RECVTTL },
  { IPPROTO_IP, IP_RECVTOS },
  { IPPROTO_IP, IP_ORIGDSTADDR },
  { IPPROTO_IP, IP_MTU_DISCOVER },
  { IPPROTO_IP, IP_MINTTL },
  { IPPROTO_IP, IP_RECVERR },
  { IPPROTO_IP, IP_RECVERR_4884 },
  { IPPROTO_IP, IP_RECVOPTS },
  { IPPROTO_IP, IP_RETOPTS },
  { IPPROTO_IP, IP_ROUTER_ALERT },
  { IPPROTO_IP, IP_FREEBIND },
  { IPPROTO_IP, IP_PASSSEC },
  { IPPROTO_IP, IP_CHECKSUM },
  { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT },
  { IPPROTO_IP, IP_RECVFRAGSIZE },
  { IPPROTO_IP, IP_MULTICAST_TTL },
  { IPPROTO_IP, IP_MULTICAST_LOOP },
  { IPPROTO_IP, IP_MULTICAST_ALL },
  { IPPROTO_IP, IP_UNICAST_IF },
  { IPPROTO_IPV6, IPV6_TCLASS },
  { IPPROTO_IPV6, IPV6_UNICAST_HOPS },
  { IPPROTO_IPV6, IPV6_MULTICAST_HOPS },
  { IPPROTO_IPV6, IPV6_MULTICAST_LOOP },
  { IPPROTO_IPV6, IPV6_MULTICAST_IF },
  { IPPROTO_IPV6, IPV6_GROUPS_ALL },
  { IPPROTO_IPV6, IPV6_RECVPKTINFO },
  { IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
  { IPPROTO_IPV6, IPV6_RECVTCLASS },
  { IPPROTO_IPV6, IPV6_RECVPATHMTU },
  { IPPROTO_IPV6, IPV6_RECVRTHDR },
  { IPPROTO_IPV6, IPV6_RECVHOPOPTS },
  { IPPROTO_IPV6, IPV6_RECVDSTOPTS },
  { IPPROTO_IPV6, IPV6_RECVFRAGSIZE },
  { IPPROTO_IPV6, IPV6_MTU_DISCOVER },
  { IPPROTO_IPV6, IPV6_MINHOPCOUNT },
  { IPPROTO_IPV6, IPV6_RECVERR },
  { IPPROTO_IPV6, IPV6_DONTFRAG },
  { IPPROTO_IPV6, IPV6_AUTOFLOWLABEL },
  { IPPROTO_IPV6, IPV6_ADDR_PREFERENCES },
  { IPPROTO_IPV6, IPV6_ORIGDSTADDR },
  { IPPROTO_IPV6, IPV6_FREEBIND },
  { IPPROTO_IPV6, IPV6_UNICAST_IF },
  { IPPROTO_IPV6, IPV6_SENDS_FLOWINFO },
  { IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS },
  { IPPROTO_TCP, TCP_THIN_DUPACK },
  { IPPROTO_TCP, TCP_NOTSENT_LOWAT },
  { IPPROTO_TCP, TCP_DEFER_ACCEPT },
  { IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE },
  { IPPROTO_TCP, TCP_INQ },
  { IPPROTO_UDP, UDP_NO_CHECK6_TX },
  { IPPROTO_UDP, UDP_NO_CHECK6_RX },
};

bool
__jr_opt_is_judged (int level, int name)
{
  for (size_t i = 0; i < sizeof judged / sizeof *judged; i++)
    if (judged[i].level == level && judged[i].name == name)
      return true;
  return false;
}

static int
plain_socket (struct jr_sock *s)
{
  return jr_sys_socket (s->slot->family, s->slot->type | SOCK_CLOEXEC,
			s->slot->protocol);
}

/* Some are read by the names of what they set.  */
static int
name_to_read (int level, int name)
{
  if (level != SOL_SOCKET)
    return name;
  return name == SO_SNDBUFFORCE    ? SO_SNDBUF
	 : name == SO_RCVBUFFORCE  ? SO_RCVBUF
	 : name == SO_BINDTODEVICE ? SO_BINDTOIFINDEX
				   : name;
}

struct reading
{
  int r;
  socklen_t len;
  uint8_t val[64];
};

static void
read_option (int fd, int level, int name, struct reading *to)
{
  memset (to, 0, sizeof *to);
  to->len = sizeof to->val;
  to->r = jr_sys_getsockopt (fd, level, name_to_read (level, name), to->val, &to->len);
}

/* What the kernel says to the option: an error, or 0 and *V is what it made
   of the value.  *SAME: nothing changed by it.  */
int
__jr_twin_set (struct jr_sock *s, int level, int name, const void *val, socklen_t len,
	       int *v, bool *same)
{
  struct reading before, after;
  int fd = plain_socket (s);
  if (fd < 0)
    return fd;
  read_option (fd, level, name, &before);
  int r = jr_sys_setsockopt (fd, level, name, val, len);
  if (r >= 0)
    {
      read_option (fd, level, name, &after);
      *same = memcmp (&before, &after, sizeof after) == 0;
      memcpy (v, after.val, sizeof *v);
    }
  jr_sys_close (fd);
  return r < 0 ? r : 0;
}

/* What a socket of the kernel's answers that is like S as far as the kernel
   may know it.  */
int
__jr_twin_get (struct jr_sock *s, int level, int name, void *val, socklen_t *len,
	       bool replay)
{
  int fd = replay ? __jr_kernel_socket (s, 0) : plain_socket (s);
  if (fd < 0)
    return fd;
  int r = jr_sys_getsockopt (fd, level, name, val, len);
  jr_sys_close (fd);
  return r;
}

/* What the kernel says to a control message of a datagram's: it goes through
   all of a send but the sending.  */
int
__jr_twin_send (struct jr_sock *s, const struct cmsghdr *c)
{
  struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons (9),
			    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons (9),
			      .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  struct iovec none = { NULL, 0 };
  struct msghdr m = { .msg_name = &in, .msg_namelen = sizeof in, .msg_iov = &none,
		      .msg_iovlen = 1, .msg_control = (void *) c,
		      .msg_controllen = c->cmsg_len };
  if (s->slot->family == AF_INET6)
    {
      m.msg_name = &in6;
      m.msg_namelen = sizeof in6;
    }
  int fd = plain_socket (s);
  if (fd < 0)
    return fd;
  int r = jr_sys_sendmsg (fd, &m, MSG_CONFIRM | MSG_PROBE);
  jr_sys_close (fd);
  return r < 0 ? r : 0;
}

/* How the kernel tells of an option that has value V.  */
int
__jr_twin_tell (struct jr_sock *s, int name, int v, void *val, socklen_t *len)
{
  int fd = plain_socket (s);
  if (fd < 0)
    return fd;
  jr_sys_setsockopt (fd, SOL_SOCKET, name_to_read (SOL_SOCKET, name), &v, sizeof v);
  int r = jr_sys_getsockopt (fd, SOL_SOCKET, name, val, len);
  jr_sys_close (fd);
  return r;
}

/* The kernel keeps timeouts in ticks of its own.  */
int64_t
__jr_tick_us (struct jr_sock *s)
{
  static uint32_t tick;
  uint32_t us = ld_relaxed (&tick);
  struct timeval tv = { 0, 1 };
  socklen_t len = sizeof tv;
  if (us != 0)
    return us;
  us = 1;
  int fd = plain_socket (s);
  if (fd >= 0)
    {
      jr_sys_setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
      if (jr_sys_getsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len) == 0
	  && tv.tv_usec > 0)
	us = tv.tv_usec;
      jr_sys_close (fd);
      st_relaxed (&tick, us);
    }
  return us;
}
