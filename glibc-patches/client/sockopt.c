/* Socket options.  What libc keeps itself is answered here; the rest goes to
   the service at once, and is remembered for a kernel socket while the route
   is open.  An option that the service does not know turns such a socket to
   the kernel.  SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>

#ifndef IP_LOCAL_PORT_RANGE
# define IP_LOCAL_PORT_RANGE 51
#endif

/* Options that only say what recvmsg is to tell of.  */
static const struct
{
  int level, name;
  uint32_t flag;
} flag_opts[] = {
  { IPPROTO_IP, IP_PKTINFO, JR_AF_PKTINFO },
  { IPPROTO_IP, IP_RECVTTL, JR_AF_TTL },
  { IPPROTO_IP, IP_RECVTOS, JR_AF_TOS },
  { IPPROTO_IPV6, IPV6_RECVPKTINFO, JR_AF_PKTINFO6 },
  { IPPROTO_IPV6, IPV6_RECVHOPLIMIT, JR_AF_TTL6 },
  { IPPROTO_IPV6, IPV6_RECVTCLASS, JR_AF_TOS6 },
  { SOL_SOCKET, SO_RXQ_OVFL, JR_AF_RXQ_OVFL },
  { IPPROTO_IP, IP_ORIGDSTADDR, JR_AF_ORIGDST },
  { IPPROTO_TCP, TCP_INQ, JR_AF_INQ },
  { IPPROTO_IPV6, IPV6_ORIGDSTADDR, JR_AF_ORIGDST6 },
  { SOL_SOCKET, SO_ZEROCOPY, JR_AF_ZEROCOPY },
};

static uint32_t
flag_of (int level, int name)
{
  for (size_t i = 0; i < sizeof flag_opts / sizeof *flag_opts; i++)
    if (flag_opts[i].level == level && flag_opts[i].name == name)
      return flag_opts[i].flag;
  return 0;
}

/* ---- remembering ---- */

/* A socket has as many of these as it likes.  */
static bool
is_membership (int level, int name)
{
  return level == IPPROTO_IP
	 && ((name >= IP_ADD_MEMBERSHIP && name <= IP_MSFILTER)
	     || (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER));
}

/* RFC 3678's requests hold sockaddr_storages; this is what is in IPv4's.  */
struct mcast
{
  uint32_t ifindex;
  struct in_addr group, source;
};

static bool
is_mcast_req (int level, int name)
{
  return (level == IPPROTO_IP || level == IPPROTO_IPV6)
	 && name >= MCAST_JOIN_GROUP && name <= MCAST_LEAVE_SOURCE_GROUP;
}

static bool
has_source (int name)
{
  return name != MCAST_JOIN_GROUP && name != MCAST_LEAVE_GROUP;
}

static void
mcast_addr (uint8_t to[16], const struct sockaddr_storage *from)
{
  memset (to, 0, 16);
  if (from->ss_family == AF_INET6)
    memcpy (to, &((const struct sockaddr_in6 *) from)->sin6_addr, 16);
  else
    {
      to[10] = to[11] = 0xff;
      memcpy (to + 12, &((const struct sockaddr_in *) from)->sin_addr, 4);
    }
}

/* In a cell's size.  */
static int
mcast_get (int level, int name, const void *val, socklen_t len, struct jr_abi_mcast *m)
{
  sa_family_t family = level == IPPROTO_IP ? AF_INET : AF_INET6;
  struct group_source_req gs;
  size_t need = has_source (name) ? sizeof gs : sizeof (struct group_req);
  if (len < need)
    return -EINVAL;
  memset (&gs, 0, sizeof gs);
  memcpy (&gs, val, need);
  if (gs.gsr_group.ss_family != family
      || (has_source (name) && gs.gsr_source.ss_family != family))
    return family == AF_INET ? -EINVAL : -EADDRNOTAVAIL;
  if (!has_source (name))
    gs.gsr_source.ss_family = family;
  memset (m, 0, sizeof *m);
  m->ifindex = gs.gsr_interface;
  mcast_addr (m->group, &gs.gsr_group);
  mcast_addr (m->source, &gs.gsr_source);
  return 0;
}

static void
mcast_replay (int ksock, const struct jr_opt *o)
{
  struct group_source_req gs;
  struct mcast m;
  memcpy (&m, o->val, sizeof m);
  memset (&gs, 0, sizeof gs);
  gs.gsr_interface = m.ifindex;
  gs.gsr_group.ss_family = gs.gsr_source.ss_family = AF_INET;
  ((struct sockaddr_in *) &gs.gsr_group)->sin_addr = m.group;
  ((struct sockaddr_in *) &gs.gsr_source)->sin_addr = m.source;
  jr_sys_setsockopt (ksock, o->level, o->name, &gs,
		     has_source (o->name) ? sizeof gs : sizeof (struct group_req));
}

/* TCP_MD5SIG: one for each peer.  */
static bool
remember_long (struct jr_lslot *ls, int level, int name, const void *val,
	       socklen_t len)
{
  if (ls->longs == NULL)
    ls->longs = jr_sys_map_anon (JR_LONG_BYTES);
  struct jr_long_opts *l = ls->longs;
  if (l == NULL || l->n == JR_LONG_OPTS || len > sizeof l->opt[0].val)
    return false;
  l->opt[l->n].level = level;
  l->opt[l->n].name = name;
  l->opt[l->n].len = len;
  memcpy (l->opt[l->n++].val, val, len);
  return true;
}

/* The page stays: another thread may be about to read it.  */
void
__jr_opts_forget (struct jr_lslot *ls)
{
  ls->nopts = 0;
  if (ls->longs != NULL)
    memset (ls->longs, 0, sizeof *ls->longs);
}

static bool
remember (struct jr_sock *s, int level, int name, const void *val, socklen_t len)
{
  struct jr_lslot *ls = s->ls;
  struct jr_abi_mcast a;
  struct mcast m;
  uint32_t i;
  if (level == IPPROTO_IP && is_mcast_req (level, name)
      && mcast_get (level, name, val, len, &a) == 0)
    {
      m.ifindex = a.ifindex;
      memcpy (&m.group, a.group + 12, 4);
      memcpy (&m.source, a.source + 12, 4);
      val = &m;
      len = sizeof m;
    }
  if (len > sizeof ls->opt[0].val)
    return remember_long (ls, level, name, val, len);
  for (i = 0; i < ls->nopts; i++)
    if (ls->opt[i].level == level && ls->opt[i].name == name
	&& !is_membership (level, name))
      break;
  if (i == JR_OPTS)
    return false;
  ls->opt[i].level = level;
  ls->opt[i].name = name;
  ls->opt[i].len = len;
  memcpy (ls->opt[i].val, val, len);
  if (i == ls->nopts)
    ls->nopts++;
  return true;
}

void
__jr_opts_replay (struct jr_sock *s, int ksock)
{
  for (uint32_t i = 0; i < s->ls->nopts; i++)
    {
      const struct jr_opt *o = &s->ls->opt[i];
      if (is_mcast_req (o->level, o->name))
	mcast_replay (ksock, o);
      else
	jr_sys_setsockopt (ksock, o->level, o->name, o->val, o->len);
    }
  struct jr_long_opts *l = s->ls->longs;
  for (uint32_t i = 0; l != NULL && i < l->n; i++)
    jr_sys_setsockopt (ksock, l->opt[i].level, l->opt[i].name, l->opt[i].val,
		       l->opt[i].len);
}

static bool
route_open (struct jr_sock *s)
{
  return !(ld_relaxed (&s->slot->app_flags) & JR_AF_COMMITTED);
}

/* ---- set ---- */

static int
set_timeout (struct jr_sock *s, int64_t *us, const void *val, socklen_t len)
{
  struct timeval tv;
  if (len < sizeof tv)
    return -EINVAL;
  memcpy (&tv, val, sizeof tv);
  if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
    return -EDOM;
  int64_t tick = __jr_tick_us (s);
  if (tv.tv_sec < 0)
    *us = -1;			/* no wait at all */
  else if (tv.tv_sec > INT64_MAX / 2000000)
    *us = 0;
  else
    *us = tv.tv_sec * 1000000 + (tv.tv_usec + tick - 1) / tick * tick;
  return 0;
}

static void
set_flag (struct jr_sock *s, uint32_t flag, bool on)
{
  if (on)
    set_bits (&s->slot->app_flags, flag);
  else
    clear_bits (&s->slot->app_flags, flag);
}

/* Options of the service's that the client must know as well.  */
static void
note (struct jr_sock *s, int level, int name, int v)
{
  if (level == SOL_SOCKET && name == SO_BROADCAST)
    set_flag (s, JR_AF_BROADCAST, v != 0);
  else if (level == SOL_SOCKET && name == SO_LINGER)
    set_flag (s, JR_AF_LINGER, v != 0);
  else if (level == SOL_SOCKET && name == SO_OOBINLINE)
    set_flag (s, JR_AF_OOBINLINE, v != 0);
  else if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY
	   && !(ld_acquire (&s->slot->state) & JR_ST_BOUND))
    set_flag (s, JR_AF_V6ONLY, v != 0);
  else if (level == SOL_SOCKET && name == SO_TIMESTAMPING)
    {
      set_flag (s, JR_AF_STAMPING, v & SOF_TIMESTAMPING_SOFTWARE);
      set_flag (s, JR_AF_STAMPING_RX, v & SOF_TIMESTAMPING_RX_SOFTWARE);
    }
  else if (level == IPPROTO_IP && name == IP_RECVERR)
    set_flag (s, JR_AF_RECVERR, v != 0);
  else if (level == IPPROTO_IP && name == IP_MTU_DISCOVER)
    set_flag (s, JR_AF_DF, v == IP_PMTUDISC_DO || v == IP_PMTUDISC_PROBE);
}

/* The clock that recvmsg tells the time by, and the form: the new one is the
   same where a time_t has 64 bits, but for its name.  */
static bool
is_stamp (int level, int name)
{
  return level == SOL_SOCKET
	 && (name == SO_TIMESTAMP_OLD || name == SO_TIMESTAMP_NEW
	     || name == SO_TIMESTAMPNS_OLD || name == SO_TIMESTAMPNS_NEW);
}

static void
set_stamp (struct jr_sock *s, int name, bool on)
{
  bool ns = name == SO_TIMESTAMPNS_OLD || name == SO_TIMESTAMPNS_NEW;
  uint32_t flag = ns ? JR_AF_TIMESTAMPNS : JR_AF_TIMESTAMP;
  if (on)
    {
      set_flag (s, JR_AF_TSNEW, name == SO_TIMESTAMP_NEW || name == SO_TIMESTAMPNS_NEW);
      set_flag (s, flag, true);
    }
  set_flag (s, (JR_AF_TIMESTAMP | JR_AF_TIMESTAMPNS) & (on ? ~flag : ~0u), false);
}

static int
get_stamp (struct jr_sock *s, int name)
{
  uint32_t af = ld_relaxed (&s->slot->app_flags);
  uint32_t of = name == SO_TIMESTAMP_OLD   ? JR_AF_TIMESTAMP
		: name == SO_TIMESTAMP_NEW ? JR_AF_TIMESTAMP | JR_AF_TIMESTAMPNS
					   : JR_AF_TIMESTAMPNS;
  bool as_new = name == SO_TIMESTAMP_NEW || name == SO_TIMESTAMPNS_NEW;
  return (af & of) && as_new == !!(af & JR_AF_TSNEW);
}

/* 1: the service must hear of it too.  */
static int
set_local (struct jr_sock *s, int level, int name, const void *val, socklen_t len)
{
  int v = 0;
  uint32_t flag = flag_of (level, name);
  if (len >= sizeof v)
    memcpy (&v, val, sizeof v);
  else if (len > 0)
    v = *(const uint8_t *) val;
  if (is_stamp (level, name))
    {
      set_stamp (s, name, v != 0);
      return 0;
    }
  if (flag != 0)
    {
      set_flag (s, flag, v != 0);
      return 0;
    }
  note (s, level, name, v);
  if (level != SOL_SOCKET)
    return 1;
  switch (name)
    {
    case SO_RCVTIMEO:
      return set_timeout (s, &s->slot->rcvtimeo_us, val, len);
    case SO_SNDTIMEO:
      return set_timeout (s, &s->slot->sndtimeo_us, val, len);
    case SO_RCVLOWAT:
      if (len < sizeof v)
	return -EINVAL;
      s->slot->rcvlowat = v < 0 ? INT32_MAX : v == 0 ? 1 : v;
      /* Whoever waits for input may be woken.  */
      return jr_is_stream (s) && (ld_relaxed (&s->slot->state) & JR_ST_CONNECTED) != 0;
    case SO_PEEK_OFF:
      st_relaxed (&s->slot->peek_off, v);
      return 0;
    case SO_TYPE:
    case SO_DOMAIN:
    case SO_PROTOCOL:
    case SO_ERROR:
    case SO_ACCEPTCONN:
      return -ENOPROTOOPT;
    case SO_REUSEADDR:
    case SO_REUSEPORT:
      {
	uint32_t f = name == SO_REUSEADDR ? JR_AF_REUSEADDR : JR_AF_REUSEPORT;
	set_flag (s, f, v != 0);
	return 1;
      }
    }
  return 1;
}

/* The device's index, which getsockopt tells by either name.  */
static int
set_device (struct jr_sock *s, int v)
{
  struct jr_abi_cmd_setsockopt_req req = { .level = SOL_SOCKET, .name = SO_BINDTOIFINDEX,
					   .len = sizeof v };
  struct jr_abi_cmd_setsockopt_rep rep;
  memcpy (req.val, &v, sizeof v);
  return __jr_command (s, JR_CMD_SETSOCKOPT, &req, sizeof req, &rep, sizeof rep);
}

static int
set_mcast (struct jr_sock *s, int level, int name, const void *val, socklen_t len)
{
  struct jr_abi_cmd_setsockopt_req req = { .level = level, .name = name };
  struct jr_abi_cmd_setsockopt_rep rep;
  struct jr_abi_mcast a;
  int r = mcast_get (level, name, val, len, &a);
  if (r < 0)
    return r;
  req.len = sizeof a;
  memcpy (req.val, &a, sizeof a);
  return __jr_command (s, JR_CMD_SETSOCKOPT, &req, sizeof req, &rep, sizeof rep);
}

static int
set_service (struct jr_sock *s, int level, int name, const void *val, socklen_t len)
{
  struct jr_abi_cmd_setsockopt_req req = { .level = level, .name = name, .len = len };
  struct jr_abi_cmd_setsockopt_rep rep;
  if (is_mcast_req (level, name))
    return set_mcast (s, level, name, val, len);
  if (len > sizeof req.val)
    return -ENOPROTOOPT;
  memcpy (req.val, val, len);
  return __jr_command (s, JR_CMD_SETSOCKOPT, &req, sizeof req, &rep, sizeof rep);
}

/* By the kernel's rules; the service keeps what the kernel would.  */
static int
set_judged (struct jr_sock *s, int level, int name, const void *val, socklen_t len)
{
  bool same;
  int v = 0;
  int r = __jr_twin_set (s, level, name, val, len, &v, &same);
  if (r < 0)
    return r;
  /* The service doubles these, as the kernel did.  */
  if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF
			      || name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE))
    v /= 2;
  /* Nobody tells when a packet left.  */
  if (level == SOL_SOCKET && name == SO_TIMESTAMPING && (v & SOF_TIMESTAMPING_TX_RECORD_MASK))
    return -ENOPROTOOPT;
  r = set_local (s, level, name, &v, sizeof v);
  return r > 0 ? set_service (s, level, name, &v, sizeof v) : r;
}

/* What it says depends on what the socket joined before.  */
static bool
is_group (int level, int name)
{
  return is_membership (level, name)
	 || (level == IPPROTO_IPV6
	     && (name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP
		 || name == IPV6_JOIN_ANYCAST || name == IPV6_LEAVE_ANYCAST
		 || (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER)));
}

/* The service does not know it, or refuses it, and the route is taken: the
   kernel has the errno, and what changes nothing may be.  */
static int
set_refused (struct jr_sock *s, int level, int name, const void *val, socklen_t len,
	     int refused)
{
  bool same, unknown = refused == -ENOPROTOOPT || refused == -EOPNOTSUPP;
  int v = 0;
  if (!unknown && refused != -EFAULT && is_group (level, name))
    return refused;
  int r = __jr_twin_set (s, level, name, val, len, &v, &same);
  if (r < 0)
    return r;
  if (level == SOL_SOCKET && (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX))
    return set_device (s, v);
  /* The state forbids it, which the kernel's socket is not in.  */
  return same && refused != -EINVAL ? 0 : refused;
}

/* Options that make a socket the kernel's, unless it has its addresses already:
   then they say what it may have next time.  */
static bool
is_for_addresses (int level, int name)
{
  return (level == IPPROTO_IP && (name == IP_TRANSPARENT || name == IP_LOCAL_PORT_RANGE))
	 || (level == IPPROTO_IPV6 && name == IPV6_TRANSPARENT);
}

/* A socket of version 6 that is connected by version 4 becomes one of that.  */
static int
set_addrform (struct jr_sock *s, const void *val, socklen_t len)
{
  bool same;
  int v = 0;
  uint32_t state = ld_acquire (&s->slot->state);
  if (len >= sizeof v)
    memcpy (&v, val, sizeof v);
  if (v != AF_INET || (state & (JR_ST_CONNECTED | JR_ST_DEAD)) != JR_ST_CONNECTED
      || __jr_is_over (s, state))
    return __jr_twin_set (s, IPPROTO_IPV6, IPV6_ADDRFORM, val, len, &v, &same);
  if (!__jr_addr_is_v4 (&s->slot->remote)
      || (ld_relaxed (&s->slot->app_flags) & JR_AF_V6ONLY))
    return -EADDRNOTAVAIL;
  int r = set_service (s, IPPROTO_IPV6, IPV6_ADDRFORM, &v, sizeof v);
  if (r == 0)
    s->slot->family = AF_INET;
  return r;
}

/* Bytes that any option is read from.  */
#define MOST_READ 512

/* Names that mean the same where a time_t has 64 bits.  */
static int
plain_name (int level, int name)
{
  if (level != SOL_SOCKET)
    return name;
  return name == SO_RCVTIMEO_NEW   ? SO_RCVTIMEO
	 : name == SO_SNDTIMEO_NEW ? SO_SNDTIMEO
				   : name;
}

static int
do_setsockopt (int fd, int level, int name, const void *val, socklen_t len)
{
  struct jr_sock s;
  int r = __jr_sock_find (fd, &s);
  if (r < 0)
    return r;
  if ((int) len < 0)
    return -EINVAL;
  if (level == IPPROTO_IPV6 && s.slot->family == AF_INET)
    return -ENOPROTOOPT;	/* IPV6_V6ONLY, mosquitto's; no reason to turn */
  if (level == IPPROTO_IP && name == IP_OPTIONS && len == 0)
    return 0;			/* away with those that it never has */
  bool open = route_open (&s);
  name = plain_name (level, name);
  if (len > 0 && !jr_can_read (val, len < MOST_READ ? len : MOST_READ))
    return set_refused (&s, level, name, val, len, -EFAULT);
  if (level == SOL_SOCKET && (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX))
    r = -ENOPROTOOPT;		/* a device of the kernel's */
  else if (level == IPPROTO_IPV6 && name == IPV6_ADDRFORM)
    return set_addrform (&s, val, len);
  else if (is_for_addresses (level, name))
    r = open ? -ENOPROTOOPT : set_judged (&s, level, name, val, len);
  else if (__jr_opt_is_judged (level, name))
    r = set_judged (&s, level, name, val, len);
  else
    {
      r = set_local (&s, level, name, val, len);
      if (r > 0)
	r = set_service (&s, level, name, val, len);
    }
  bool unknown = r == -ENOPROTOOPT || r == -EOPNOTSUPP
		 || (r == -ECONNRESET && jr_gone (s.seg));
  if (!open && r < 0 && !__jr_opt_is_judged (level, name) && !is_for_addresses (level, name))
    r = set_refused (&s, level, name, val, len, r);
  if (open && (unknown || (r >= 0 && !remember (&s, level, name, val, len))))
    {
      /* The kernel knows, or says why not.  */
      int ksock = __jr_kernel_socket (&s, 0);
      r = ksock < 0 ? ksock : jr_sys_setsockopt (ksock, level, name, val, len);
      if (r >= 0)
	return __jr_turn (&s, ksock);
      if (ksock >= 0)
	jr_sys_close (ksock);
      return r;
    }
  if (r >= 0 && __jr_shadow (&s) >= 0)
    jr_sys_setsockopt (__jr_shadow (&s), level, name, val, len);
  return r < 0 ? r : 0;
}

int
__jr_setsockopt (int fd, int level, int name, const void *val, socklen_t len)
{
  return jr_ret (do_setsockopt (fd, level, name, val, len));
}

/* ---- get ---- */

static int
answer (void *val, socklen_t *len, const void *from, socklen_t n)
{
  if (*len < n)
    n = *len;
  int r = __jr_copy_out (val, from, n);
  return r < 0 ? r : __jr_copy_out (len, &n, sizeof n);
}

/* ip(7)'s small integers fit a byte for who has no more room.  */
static int
answer_ip (void *val, socklen_t *len, const void *from)
{
  int v;
  memcpy (&v, from, sizeof v);
  bool small = *len > 0 && *len < sizeof v && v >= 0 && v <= 255;
  return answer (val, len, from, small ? 1 : sizeof v);
}

static int
answer_timeout (void *val, socklen_t *len, int64_t us)
{
  struct timeval tv = { us > 0 ? us / 1000000 : 0, us > 0 ? us % 1000000 : 0 };
  return answer (val, len, &tv, sizeof tv);
}

/* 1: not ours to know.  */
static int
get_local (struct jr_sock *s, int level, int name, void *val, socklen_t *len)
{
  uint32_t flag = flag_of (level, name);
  int v;
  if (flag != 0)
    {
      v = (ld_relaxed (&s->slot->app_flags) & flag) != 0;
      return level == IPPROTO_IP ? answer_ip (val, len, &v)
				 : answer (val, len, &v, sizeof v);
    }
  if (level != SOL_SOCKET)
    return 1;
  if (is_stamp (level, name))
    {
      v = get_stamp (s, name);
      return answer (val, len, &v, sizeof v);
    }
  switch (name)
    {
    case SO_PEEK_OFF:
      v = jr_peek_off (s);
      break;
    case SO_RCVTIMEO:
      return answer_timeout (val, len, s->slot->rcvtimeo_us);
    case SO_SNDTIMEO:
      return answer_timeout (val, len, s->slot->sndtimeo_us);
    case SO_RCVLOWAT:
      v = s->slot->rcvlowat;
      break;
    case SO_SNDLOWAT:
      v = 1;
      break;
    case SO_TYPE:
      v = s->slot->type;
      break;
    case SO_DOMAIN:
      v = s->slot->family;
      break;
    case SO_PROTOCOL:
      v = s->slot->protocol;
      break;
    case SO_ACCEPTCONN:
      v = (ld_relaxed (&s->slot->state) & JR_ST_LISTENING) != 0;
      break;
    case SO_ERROR:
      v = __jr_err_take (s->slot);
      if (v == 0 && jr_gone (s->seg)
	  && !(set_bits (&s->slot->app_flags, (uint32_t) JR_AF_GONE_SEEN)
	       & JR_AF_GONE_SEEN))
	v = ECONNRESET;
      break;
    default:
      return 1;
    }
  return answer (val, len, &v, sizeof v);
}

static int
get_service (struct jr_sock *s, int level, int name, void *val, socklen_t *len)
{
  struct jr_abi_cmd_getsockopt_req req = { .level = level, .name = name };
  struct jr_abi_cmd_getsockopt_rep rep;
  req.len = *len < sizeof (int) ? sizeof (int) : *len < sizeof rep.val ? *len : sizeof rep.val;
  int r = __jr_command (s, JR_CMD_GETSOCKOPT, &req, sizeof req, &rep, sizeof rep);
  if (r < 0)
    return r;
  socklen_t n = rep.len < sizeof rep.val ? rep.len : sizeof rep.val;
  /* As Linux calls it.  */
  if (level == IPPROTO_TCP && name == TCP_CONGESTION
      && strncmp ((const char *) rep.val, "newreno", n) == 0)
    strncpy ((char *) rep.val, "reno", n);
  bool is_int = level == IPPROTO_IP && name != IP_MULTICAST_IF && n == sizeof (int);
  return is_int ? answer_ip (val, len, rep.val) : answer (val, len, rep.val, n);
}

/* Of a socket that came from another process nothing is remembered here; the
   service knows what decides who may have its port.  */
void
__jr_opts_fetch (struct jr_sock *s, int ksock)
{
  static const int what[][2] = { { SOL_SOCKET, SO_REUSEADDR },
				 { SOL_SOCKET, SO_REUSEPORT },
				 { IPPROTO_IPV6, IPV6_V6ONLY } };
  int ipv4_only = s->slot->family == AF_INET;
  for (int i = 0; i < 3 - ipv4_only; i++)
    {
      int v = 0;
      socklen_t len = sizeof v;
      if (get_service (s, what[i][0], what[i][1], &v, &len) == 0 && v != 0)
	jr_sys_setsockopt (ksock, what[i][0], what[i][1], &v, sizeof v);
    }
}

/* A number of its own for each socket.  */
static int
get_cookie (struct jr_sock *s, void *val, socklen_t *len)
{
  uint64_t cookie = (uint64_t) s->seg->id << 32 | (uint64_t) s->gen << 8 | s->idx | 1ull << 62;
  if (*len < sizeof cookie)
    return -EINVAL;
  return answer (val, len, &cookie, sizeof cookie);
}

/* Kept as integers, told otherwise.  */
static int
get_told (struct jr_sock *s, int name, void *val, socklen_t *len)
{
  int v = 0, as = name == SO_BINDTODEVICE ? SO_BINDTOIFINDEX : name;
  socklen_t n = sizeof v;
  if (get_service (s, SOL_SOCKET, as, &v, &n) < 0)
    return __jr_twin_get (s, SOL_SOCKET, name, val, len, route_open (s));
  return __jr_twin_tell (s, name, v, val, len);
}

/* As getpeername, of a connection that is over or only begun as well; the
   name must not be shorter than what there is room for.  */
static int
get_peer_name (struct jr_sock *s, uint32_t state, void *val, socklen_t *len)
{
  struct sockaddr_storage ss;
  socklen_t n = __jr_addr_native (s->slot->family, &s->slot->remote, &ss);
  if (!(state & (JR_ST_CONNECTED | JR_ST_CONNECTING)) || s->slot->remote.port == 0)
    return -ENOTCONN;
  return n < *len ? -EINVAL : answer (val, len, &ss, *len);
}

/* The service's ends where an older kernel's did; what this one has more is
   not counted.  */
static int
get_tcp_info (struct jr_sock *s, void *val, socklen_t *len)
{
  static uint32_t kernels;
  uint8_t info[MOST_READ] = { 0 };
  socklen_t n = sizeof info, has = ld_relaxed (&kernels);
  if (has == 0)
    {
      if (__jr_twin_get (s, IPPROTO_TCP, TCP_INFO, info, &n, false) < 0)
	return get_service (s, IPPROTO_TCP, TCP_INFO, val, len);
      st_relaxed (&kernels, n);
      has = n;
      memset (info, 0, sizeof info);
      n = sizeof info;
    }
  int r = get_service (s, IPPROTO_TCP, TCP_INFO, info, &n);
  return r < 0 ? r : answer (val, len, info, has);
}

/* Levels that a socket of its kind does not have: not even the service is
   asked.  */
static bool
is_foreign_level (struct jr_sock *s, int level)
{
  return (level == IPPROTO_IPV6 && s->slot->family != AF_INET6)
	 || (level == IPPROTO_UDP && jr_is_stream (s))
	 || (level == IPPROTO_TCP && !jr_is_stream (s));
}

static int
do_getsockopt (int fd, int level, int name, void *val, socklen_t *len)
{
  struct jr_sock s;
  uint32_t state = 0;
  int r = __jr_sock_get (fd, &s);
  while (r == 0 && (r = jr_state (&s, &state)) == -JR_EMOVED)
    r = __jr_sock_follow (&s);
  if (r < 0)
    return r;
  if (!jr_can_write (len, sizeof *len))
    return -EFAULT;
  if (is_foreign_level (&s, level))
    return __jr_twin_get (&s, level, name, val, len, false);
  if ((int) *len < 0 && level != IPPROTO_IPV6)
    return -EINVAL;
  name = plain_name (level, name);
  if (level == SOL_SOCKET && name == SO_PEERNAME)
    return get_peer_name (&s, state, val, len);
  if (level == IPPROTO_TCP && name == TCP_INFO)
    return get_tcp_info (&s, val, len);
  if (level == SOL_SOCKET && name == SO_COOKIE)
    return get_cookie (&s, val, len);
  if (level == SOL_SOCKET
      && (name == SO_BINDTODEVICE || name == SO_MAX_PACING_RATE || name == SO_TIMESTAMPING))
    return get_told (&s, name, val, len);
  r = get_local (&s, level, name, val, len);
  if (r > 0)
    r = get_service (&s, level, name, val, len);
  return r == -ENOPROTOOPT || r == -EOPNOTSUPP
	 ? __jr_twin_get (&s, level, name, val, len, route_open (&s)) : r;
}

/* The last close of a socket in this process waits for what is on its way if
   SO_LINGER says so, with O_NONBLOCK too.  */
void
__jr_linger (int fd)
{
  struct jr_sock s;
  struct jr_dir d;
  struct jr_waiter w = { 0 };
  struct linger l = { 0, 0 };
  socklen_t len = sizeof l;
  uint32_t state;
  if (__jr_sock_get (fd, &s) < 0 || !(ld_relaxed (&s.slot->app_flags) & JR_AF_LINGER)
      || ld_relaxed (&s.ls->fds) > 1
      || get_service (&s, SOL_SOCKET, SO_LINGER, &l, &len) < 0
      || l.l_onoff == 0 || l.l_linger <= 0)
    return;
  w.timed = true;
  w.deadline = __jr_deadline_us (l.l_linger * 1000000LL);
  while (jr_state (&s, &state) == 0 && (state & (JR_ST_CONNECTED | JR_ST_DEAD)) == JR_ST_CONNECTED
	 && __jr_dir_tx (&s, state, &d) == 0
	 && ld_acquire (&d.r->head) != ld_relaxed (&d.r->tail)
	 && __jr_wait_space (&s, &d, &w, true) == 0)
    ;
}

int
__jr_getsockopt (int fd, int level, int name, void *val, socklen_t *len)
{
  return jr_ret (do_getsockopt (fd, level, name, val, len));
}
