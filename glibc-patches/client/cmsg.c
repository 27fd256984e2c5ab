/* Ancillary data of datagrams, and the error queue: what sendmsg asks for and
   recvmsg tells, as ip(7), udp(7) and socket(7) have it.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <linux/errqueue.h>

#define IP_PROTOCOL_ 52

#ifndef UDP_SEGMENT
# define UDP_SEGMENT 103
# define UDP_GRO 104
#endif
#ifndef SO_EE_ORIGIN_ZEROCOPY
# define SO_EE_ORIGIN_ZEROCOPY 5
# define SO_EE_CODE_ZEROCOPY_COPIED 1
#endif

/* ---- sending ---- */

static int
take_pktinfo (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  struct in_pktinfo pi;
  if (c->cmsg_len != CMSG_LEN (sizeof pi))
    return -EINVAL;
  memcpy (&pi, CMSG_DATA (c), sizeof pi);
  h->ifindex = pi.ipi_ifindex;
  if (pi.ipi_spec_dst.s_addr == 0)
    return 0;
  h->local.family = AF_INET;
  h->local.addr[10] = h->local.addr[11] = 0xff;
  memcpy (h->local.addr + 12, &pi.ipi_spec_dst, 4);
  return 0;
}

static int
take_pktinfo6 (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  static const uint8_t zero[16];
  struct in6_pktinfo pi;
  if (c->cmsg_len < CMSG_LEN (sizeof pi))
    return -EINVAL;
  memcpy (&pi, CMSG_DATA (c), sizeof pi);
  h->ifindex = pi.ipi6_ifindex;
  if (memcmp (&pi.ipi6_addr, zero, sizeof zero) == 0)
    return 0;
  h->local.family = AF_INET6;
  memcpy (h->local.addr, &pi.ipi6_addr, 16);
  return 0;
}

/* An int, or a byte as ip(7) takes it too; -EINVAL.  */
static int
take_int (const struct cmsghdr *c, int min)
{
  int v;
  if (c->cmsg_len == CMSG_LEN (1) && min == 0)
    return *CMSG_DATA (c);
  if (c->cmsg_len != CMSG_LEN (sizeof v))
    return -EINVAL;
  memcpy (&v, CMSG_DATA (c), sizeof v);
  return v < min || v > 255 ? -EINVAL : v;
}

static int
take_tos (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  int v = take_int (c, 0);
  if (v < 0)
    return v;
  h->tos = v;
  h->flags |= JR_DGRAM_TOS;
  return 0;
}

static int
take_ttl (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  int v = take_int (c, 1);
  if (v < 0)
    return v;
  h->ttl = v;
  return 0;
}

/* -1 is the socket's own.  */
static int
take_tclass (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  int v = take_int (c, -1);
  return v == -1 ? 0 : v < 0 ? v : take_tos (c, h);
}

static int
take_hoplimit (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  int v = take_int (c, -1);
  return v == -1 ? 0 : v < 0 ? v : take_ttl (c, h);
}

static int
take_segment (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  if (c->cmsg_len != CMSG_LEN (sizeof h->segsz))
    return -EINVAL;
  memcpy (&h->segsz, CMSG_DATA (c), sizeof h->segsz);
  return 0;
}

/* One that changes nothing where it may be.  */
static int
take_flag (const struct cmsghdr *c, int min, int max)
{
  int v;
  if (c->cmsg_len != CMSG_LEN (sizeof v))
    return -EINVAL;
  memcpy (&v, CMSG_DATA (c), sizeof v);
  return v < min || v > max ? -EINVAL : 0;
}

static int
take_ip (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  switch (c->cmsg_type)
    {
    case IP_PKTINFO:
      return take_pktinfo (c, h);
    case IP_TOS:
      return take_tos (c, h);
    case IP_TTL:
      return take_ttl (c, h);
    case IP_PROTOCOL_:		/* for raw sockets */
      return take_flag (c, 1, 255);
    }
  return -EINVAL;
}

static int
take_ip6 (const struct cmsghdr *c, struct jr_abi_dgram *h)
{
  switch (c->cmsg_type)
    {
    case IPV6_PKTINFO:
    case IPV6_2292PKTINFO:
      return take_pktinfo6 (c, h);
    case IPV6_TCLASS:
      return take_tclass (c, h);
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT:
      return take_hoplimit (c, h);
    case IPV6_DONTFRAG:
      return take_flag (c, 0, 1);
    }
  return -EINVAL;
}

/* Levels that are not the datagram's are passed over, as by the kernel; the
   rest must be understood.  */
static int
take_one (struct jr_sock *s, const struct cmsghdr *c, bool v4, struct jr_abi_dgram *h)
{
  switch (c->cmsg_level)
    {
    case IPPROTO_IP:
      return v4 ? take_ip (c, h) : 0;
    case IPPROTO_IPV6:
      if (v4)
	return s->slot->family == AF_INET6 && c->cmsg_type == IPV6_PKTINFO
	       ? take_pktinfo6 (c, h) : 0;
      return take_ip6 (c, h);
    case IPPROTO_UDP:
      return c->cmsg_type == UDP_SEGMENT ? take_segment (c, h) : -EINVAL;
    case SOL_SOCKET:
      return c->cmsg_type == SCM_RIGHTS || c->cmsg_type == SCM_CREDENTIALS
	     ? 0 : __jr_twin_send (s, c);
    }
  return 0;
}

int
__jr_cmsg_take (struct jr_sock *s, const struct msghdr *msg, struct jr_abi_dgram *h)
{
  const char *at = msg->msg_control;
  size_t left = at != NULL ? msg->msg_controllen : 0;
  bool v4 = __jr_addr_is_v4 (h->peer.family != AF_UNSPEC ? &h->peer : &s->slot->remote);
  while (left >= sizeof (struct cmsghdr))
    {
      const struct cmsghdr *c = (const void *) at;
      if (c->cmsg_len < sizeof *c || c->cmsg_len > left)
	return -EINVAL;
      int r = take_one (s, c, v4, h);
      if (r < 0)
	return r;
      size_t step = CMSG_ALIGN (c->cmsg_len);
      if (step >= left)
	break;
      at += step;
      left -= step;
    }
  if (h->local.family == AF_INET && s->slot->family == AF_INET6)
    h->local.family = AF_INET6;
  return 0;
}

/* ---- receiving ---- */

struct out
{
  struct msghdr *msg;
  size_t at;
};

static void
put (struct out *o, int level, int type, const void *data, size_t n)
{
  size_t room = o->msg->msg_controllen - o->at;
  struct cmsghdr c = { .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN (n) };
  if (o->msg->msg_control == NULL || room < sizeof c)
    {
      o->msg->msg_flags |= MSG_CTRUNC;
      return;
    }
  /* The kernel passes over what it can't write.  */
  if (!jr_can_write ((char *) o->msg->msg_control + o->at,
		     room < c.cmsg_len ? room : c.cmsg_len))
    return;
  /* As much as there is room for, as put_cmsg does.  */
  if (room < c.cmsg_len)
    {
      o->msg->msg_flags |= MSG_CTRUNC;
      c.cmsg_len = room;
    }
  char *to = (char *) o->msg->msg_control + o->at;
  memcpy (to, &c, sizeof c);
  memcpy (to + CMSG_LEN (0), data, c.cmsg_len - CMSG_LEN (0));
  o->at += room < CMSG_SPACE (n) ? room : CMSG_SPACE (n);
}

static void
put_int (struct out *o, int level, int type, int v)
{
  put (o, level, type, &v, sizeof v);
}

/* The service told by the monotonic clock when it came.  */
static void
put_stamp (struct out *o, uint64_t stamp_us, uint32_t af)
{
  struct timespec real;
  jr_sys_clock (CLOCK_REALTIME, &real);
  int64_t age = jr_sys_now (CLOCK_MONOTONIC) - (int64_t) stamp_us * 1000;
  int64_t ns = (int64_t) real.tv_sec * JR_NSEC_PER_SEC + real.tv_nsec - (age > 0 ? age : 0);
  /* The second and third are a device's clock's.  */
  struct timespec ts[3] = { { ns / JR_NSEC_PER_SEC, ns % JR_NSEC_PER_SEC } };
  struct timeval tv = { ts[0].tv_sec, ts[0].tv_nsec / 1000 };
  if (af & JR_AF_TIMESTAMPNS)
    put (o, SOL_SOCKET, af & JR_AF_TSNEW ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS, ts,
	 sizeof ts[0]);
  else if (af & JR_AF_TIMESTAMP)
    put (o, SOL_SOCKET, af & JR_AF_TSNEW ? SO_TIMESTAMP_NEW : SO_TIMESTAMP, &tv,
	 sizeof tv);
  if (af & JR_AF_STAMPING)
    put (o, SOL_SOCKET, SO_TIMESTAMPING, ts, sizeof ts);
}

static void
put_pktinfo (struct jr_sock *s, const struct jr_abi_dgram *h, struct out *o, uint32_t af)
{
  if ((af & JR_AF_PKTINFO6) && s->slot->family == AF_INET6)
    {
      struct in6_pktinfo pi = { .ipi6_ifindex = h->ifindex };
      memcpy (&pi.ipi6_addr, h->local.addr, 16);
      put (o, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi);
    }
  if ((af & JR_AF_PKTINFO) && __jr_addr_is_v4 (&h->local))
    {
      struct in_pktinfo pi = { .ipi_ifindex = h->ifindex, .ipi_spec_dst.s_addr = h->spec_dst };
      memcpy (&pi.ipi_addr, h->local.addr + 12, 4);
      put (o, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi);
    }
}

/* The options of the datagram's own family, whichever the socket's is.  */
static void
put_ip4 (const struct jr_abi_dgram *h, struct out *o, uint32_t af)
{
  if (af & JR_AF_TTL)
    put_int (o, IPPROTO_IP, IP_TTL, h->ttl);
  if (af & JR_AF_TOS)
    put (o, IPPROTO_IP, IP_TOS, &h->tos, 1);
  if (af & JR_AF_ORIGDST)
    {
      struct sockaddr_storage ss;
      socklen_t len = __jr_addr_native (AF_INET, &h->local, &ss);
      put (o, IPPROTO_IP, IP_ORIGDSTADDR, &ss, len);
    }
}

static void
put_ip6 (const struct jr_abi_dgram *h, struct out *o, uint32_t af)
{
  if (af & JR_AF_TTL6)
    put_int (o, IPPROTO_IPV6, IPV6_HOPLIMIT, h->ttl);
  if (af & JR_AF_TOS6)
    put_int (o, IPPROTO_IPV6, IPV6_TCLASS, h->tos);
  if (af & JR_AF_ORIGDST6)
    {
      struct sockaddr_storage ss;
      socklen_t len = __jr_addr_native (AF_INET6, &h->local, &ss);
      put (o, IPPROTO_IPV6, IPV6_ORIGDSTADDR, &ss, len);
    }
}

static void
put_ip (struct jr_sock *s, const struct jr_abi_dgram *h, struct out *o, uint32_t af)
{
  put_pktinfo (s, h, o, af);
  if (s->slot->family == AF_INET || __jr_addr_is_v4 (&h->local))
    put_ip4 (h, o, af);
  else
    put_ip6 (h, o, af);
}

void
__jr_cmsg_put (struct jr_sock *s, const struct jr_abi_dgram *h, struct msghdr *msg)
{
  uint32_t af = ld_relaxed (&s->slot->app_flags);
  struct out o = { .msg = msg };
  if (af & JR_AF_STAMPED)
    put_stamp (&o, h->stamp_us, af);
  if ((af & JR_AF_RXQ_OVFL) && h->drops != 0)
    put (&o, SOL_SOCKET, SO_RXQ_OVFL, &h->drops, sizeof h->drops);
  if (h->segsz != 0)
    put_int (&o, IPPROTO_UDP, UDP_GRO, h->segsz);
  put_ip (s, h, &o, af);
  msg->msg_controllen = o.at;
}

/* What is in the ring, and whether the FIN comes after it.  */
static uint64_t
unread (struct jr_sock *s, bool *fin)
{
  uint32_t state;
  struct jr_dir d;
  *fin = false;
  if (jr_state (s, &state) < 0 || __jr_dir_rx (s, state, &d) < 0)
    return 0;
  *fin = (state & JR_ST_RX_EOF) || (ld_relaxed (&d.r->flags) & JR_RING_FIN);
  return ld_acquire (&d.r->tail) - ld_relaxed (&d.r->head);
}

void
__jr_cmsg_put_stream (struct jr_sock *s, struct msghdr *msg, bool bytes)
{
  uint32_t af = ld_relaxed (&s->slot->app_flags);
  struct out o = { .msg = msg };
  bool fin;
  uint64_t n = unread (s, &fin);
  /* The end has no moment.  */
  if ((bytes || n > 0) && (af & JR_AF_STAMPED))
    put_stamp (&o, jr_sys_now (CLOCK_MONOTONIC) / 1000, af);
  /* The kernel counts the FIN as one more.  */
  if (af & JR_AF_INQ)
    put_int (&o, IPPROTO_TCP, TCP_CM_INQ,
	     (n > INT32_MAX - 1 ? INT32_MAX - 1 : (int) n) + fin);
  msg->msg_controllen = o.at;
}

/* ---- the error queue ---- */

static void
put_error (struct jr_sock *s, const struct jr_abi_cmd_recverr_rep *e, struct out *o)
{
  struct
  {
    struct sock_extended_err ee;
    struct sockaddr_in6 offender;	/* or sockaddr_in */
  } ext = { .ee = { .ee_errno = e->err, .ee_origin = e->origin, .ee_type = e->type,
		    .ee_code = e->code, .ee_info = e->info, .ee_data = e->data } };
  struct sockaddr_storage ss;
  int family = s->slot->family;
  socklen_t len = family == AF_INET ? sizeof (struct sockaddr_in)
				    : sizeof (struct sockaddr_in6);
  if (e->offender.family != AF_UNSPEC)
    {
      __jr_addr_native (family, &e->offender, &ss);
      memcpy (&ext.offender, &ss, len);
    }
  if (family == AF_INET)
    put (o, IPPROTO_IP, IP_RECVERR, &ext, sizeof ext.ee + len);
  else
    put (o, IPPROTO_IPV6, IPV6_RECVERR, &ext, sizeof ext.ee + len);
}

/* All sends that it has not told of, which were copied.  */
static ssize_t
zerocopy_recv (struct jr_sock *s, struct msghdr *msg)
{
  uint32_t told = ld_relaxed (&s->slot->zc_told), sent;
  do
    {
      sent = ld_acquire (&s->slot->zc_sent);
      if (sent == told)
	return -EAGAIN;
    }
  while (!cas (&s->slot->zc_told, &told, sent));
  struct jr_abi_cmd_recverr_rep e = { .origin = SO_EE_ORIGIN_ZEROCOPY,
				      .code = SO_EE_CODE_ZEROCOPY_COPIED,
				      .info = told, .data = sent - 1 };
  struct out o = { .msg = msg };
  uint32_t af = ld_relaxed (&s->slot->app_flags);
  msg->msg_flags = MSG_ERRQUEUE;
  msg->msg_namelen = 0;
  if (af & JR_AF_STAMPED)
    put_stamp (&o, jr_sys_now (CLOCK_MONOTONIC) / 1000, af);
  put_error (s, &e, &o);
  msg->msg_controllen = o.at;
  return 0;
}

/* Never waits.  */
ssize_t
__jr_errq_recv (struct jr_sock *s, struct msghdr *msg)
{
  struct jr_abi_cmd_recverr_req req = { 0 };
  struct jr_abi_cmd_recverr_rep rep;
  struct jr_iter it;
  if (ld_acquire (&s->slot->nerrors) == 0)
    return zerocopy_recv (s, msg);
  ssize_t r = __jr_iter_init (&it, msg->msg_iov, msg->msg_iovlen);
  if (r == 0)
    r = __jr_command (s, JR_CMD_RECVERR, &req, sizeof req, &rep, sizeof rep);
  if (r < 0)
    return r == -ENOTSUP ? -EAGAIN : r;
  size_t n = rep.len < sizeof rep.val ? rep.len : sizeof rep.val;
  if (n > it.left)
    n = it.left;
  /* The reply as if it were a ring.  */
  uint8_t val[256];
  memcpy (val, rep.val, sizeof rep.val);
  if (n > 0 && !jr_iter_writes (&it, n))
    return -EFAULT;
  __jr_iter_from_ring (&it, val, sizeof val, 0, n);
  struct out o = { .msg = msg };
  msg->msg_flags = MSG_ERRQUEUE | (n < rep.len ? MSG_TRUNC : 0);
  r = __jr_addr_put (s->slot->family, &rep.dst, msg->msg_name, &msg->msg_namelen);
  if (r < 0)
    return r;
  uint32_t af = ld_relaxed (&s->slot->app_flags);
  if (af & JR_AF_STAMPED)
    put_stamp (&o, rep.stamp_us, af);
  put_error (s, &rep, &o);
  msg->msg_controllen = o.at;
  return n;
}
