/* fcntl and ioctl: the flags of the open file description live in the slot;
   those of the descriptor are the kernel's.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"
#include "jr-trace.h"
#include <sys/ioctl.h>
#include <linux/sockios.h>

#define SLOT_FLAGS (O_NONBLOCK | O_ASYNC | O_APPEND | O_NOATIME)

static int
dup_fd (int fd, int cmd, intptr_t from)
{
  uint64_t ent = __jr_fd_entry (fd) & ~JR_ENT_CLOEXEC;
  int n = jr_sys_fcntl (fd, cmd, from);
  if (n < 0)
    return n;
  if (__jr_foreign ())
    {
      __jr_overlay_note (n, __jr_overlay_entry (fd));
      return n;
    }
  if (ent == 0 || !__jr_ent_hold (ent))
    return n;
  return __jr_fd_copied (fd, n, ent, cmd == F_DUPFD_CLOEXEC);
}

/* The kernel signals for the handle, when the service says so.  */
static void
set_async (int fd, bool on)
{
  int fl = jr_sys_fcntl (fd, F_GETFL, 0);
  if (fl >= 0 && !(fl & O_ASYNC) != !on)
    jr_sys_fcntl (fd, F_SETFL, on ? fl | O_ASYNC : fl & ~O_ASYNC);
}

static void
set_slot_flags (struct jr_sock *s, uint32_t flags)
{
  if ((ld_relaxed (&s->slot->oflags) ^ flags) & O_ASYNC)
    set_async (s->fd, flags & O_ASYNC);
  uint32_t old = ld_relaxed (&s->slot->oflags);
  while (!cas (&s->slot->oflags, &old, (old & ~SLOT_FLAGS) | (flags & SLOT_FLAGS)))
    ;
}

static int
fd_flags (int fd, int cmd, intptr_t arg)
{
  int r = jr_sys_fcntl (fd, cmd, arg);
  if (cmd == F_GETFD || r < 0)
    return r;
  if (!__jr_foreign ())
    __jr_fd_cloexec (fd, arg & FD_CLOEXEC);
  else if (!(arg & FD_CLOEXEC))
    __jr_overlay_note (fd, __jr_overlay_entry (fd));
  return r;
}

static int
do_fcntl (int fd, int cmd, intptr_t arg)
{
  struct jr_sock s;
  uint64_t ent = __jr_fd_entry (fd);
  if (jr_ent_kind (ent) == JR_FD_INTERNAL)
    return -EBADF;
  if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
    return dup_fd (fd, cmd, arg);
  if (cmd == F_GETFD || cmd == F_SETFD)
    return fd_flags (fd, cmd, arg);
  if (jr_ent_kind (ent) != JR_FD_SOCKET)
    return JR_SYSCALL_CANCEL (fcntl, fd, cmd, arg);
  int r = __jr_sock_find (fd, &s);
  if (r < 0)
    return r;
  switch (cmd)
    {
    case F_GETFL:
      return O_RDWR | (ld_relaxed (&s.slot->oflags) & SLOT_FLAGS);
    case F_SETFL:
      if (arg & O_DIRECT)
	return -EINVAL;
      set_slot_flags (&s, arg);
      return 0;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
      return -EBADF;
    }
  return JR_SYSCALL_CANCEL (fcntl, fd, cmd, arg);
}

/* A group's is negative, and no error.  */
static int
owner_of (int fd)
{
  struct f_owner_ex own;
  int r = jr_sys_fcntl (fd, F_GETOWN_EX, &own);
  if (r < 0)
    return jr_ret (r);
  return own.type == F_OWNER_PGRP ? -own.pid : own.pid;
}

int
__jr_fcntl (int fd, int cmd, void *arg)
{
  bool owner = cmd == F_GETOWN && jr_ent_kind (__jr_fd_entry (fd)) != JR_FD_INTERNAL;
  int r = owner ? owner_of (fd) : jr_ret (do_fcntl (fd, cmd, (intptr_t) arg));
  if (unlikely_ (ld_relaxed (&__jr_tracing)))
    __jr_trace_fcntl (fd, cmd, arg, r);
  return r;
}

/* ---- ioctl ---- */

/* Bytes that the next read gets.  */
static int
readable_bytes (struct jr_sock *s, int *v)
{
  struct jr_dir d;
  uint32_t state;
  int r = jr_state (s, &state);
  if (r == 0)
    r = __jr_dir_rx (s, state, &d);
  if (r < 0)
    return r;
  if (state & JR_ST_LISTENING)
    return -EINVAL;
  uint64_t head = ld_acquire (&d.r->head), tail = ld_acquire (&d.r->tail);
  uint64_t n = tail - head;
  uint32_t cap = ld_acquire (&d.r->cap);
  struct jr_abi_dgram h;
  struct jr_rx_view view;
  if (jr_is_stream (s))
    {
      jr_rx_view (s, &d, head, tail, &view);
      if (!(ld_relaxed (&s->slot->app_flags) & JR_AF_OOBINLINE))
	n = view.on_mark ? 0 : view.n;
    }
  *v = n > INT32_MAX ? INT32_MAX : n;
  if (!jr_is_stream (s) && n >= sizeof h && jr_cap_ok (cap))
    {
      __jr_ring_read (d.base, cap, head, &h, sizeof h);
      *v = h.len;
    }
  return 0;
}

static int
unsent_bytes (struct jr_sock *s, int *v)
{
  struct jr_dir d;
  uint32_t state;
  int r = jr_state (s, &state);
  if (r == 0)
    r = __jr_dir_tx (s, state, &d);
  if (r < 0)
    return r;
  if (state & JR_ST_LISTENING)
    return -EINVAL;
  uint64_t head = ld_acquire (&d.r->head);
  *v = ld_acquire (&d.r->tail) - head;
  return 0;
}

static int
at_mark (struct jr_sock *s, int *v)
{
  struct jr_dir d;
  struct jr_rx_view view;
  uint32_t state;
  int r = jr_is_stream (s) ? jr_state (s, &state) : -ENOTTY;
  if (r == 0)
    r = __jr_dir_rx (s, state, &d);
  if (r < 0)
    return r;
  uint64_t head = ld_acquire (&d.r->head);
  jr_rx_view (s, &d, head, ld_acquire (&d.r->tail), &view);
  *v = view.on_mark;
  return 0;
}

static int
count_into (void *arg, int r, int v)
{
  return r < 0 ? r : __jr_copy_out (arg, &v, sizeof v);
}

static int
set_owner (int fd, const void *arg)
{
  int pid;
  int r = __jr_copy_in (&pid, arg, sizeof pid);
  return r < 0 ? r : (int) jr_sys_fcntl (fd, F_SETOWN, pid);
}

static int
get_owner (int fd, void *arg)
{
  struct f_owner_ex own = { 0 };
  int r = jr_sys_fcntl (fd, F_GETOWN_EX, &own);
  return count_into (arg, r, own.type == F_OWNER_PGRP ? -own.pid : own.pid);
}

/* When the last datagram came: 0: none did.  The first who asks sees what
   everybody is told from then on.  */
#define STAMP_REAL (1ull << 63)
#define STAMP_NEW _IOR (SOCK_IOC_TYPE, 0x06, long long[2])
#define STAMPNS_NEW _IOR (SOCK_IOC_TYPE, 0x07, long long[2])

static int64_t
stamp_ns (struct jr_sock *s)
{
  uint64_t at = ld_relaxed (&s->slot->stamp);
  if (at == 0)
    return 0;
  if (!(at & STAMP_REAL))
    {
      struct timespec real;
      jr_sys_clock (CLOCK_REALTIME, &real);
      uint64_t now = jr_sys_now (CLOCK_MONOTONIC), then = at * 1000;
      uint64_t ns = (uint64_t) real.tv_sec * JR_NSEC_PER_SEC + real.tv_nsec
		    - (now > then ? now - then : 0);
      if (cas (&s->slot->stamp, &at, ns | STAMP_REAL))
	at = ns | STAMP_REAL;
    }
  return at & ~STAMP_REAL;
}

static int
give_stamp (struct jr_sock *s, unsigned long request, void *arg)
{
  int64_t ns = stamp_ns (s);
  int64_t two[2] = { ns / JR_NSEC_PER_SEC, ns % JR_NSEC_PER_SEC };
  if (ns == 0)
    return -ENOENT;
  if (request == SIOCGSTAMP_OLD || request == STAMP_NEW)
    two[1] /= 1000;
  return __jr_copy_out (arg, two, sizeof two);
}

static int
do_ioctl (int fd, unsigned long request, void *arg)
{
  struct jr_sock s;
  uint64_t ent = __jr_fd_entry (fd);
  if (jr_ent_kind (ent) == JR_FD_INTERNAL)
    return -EBADF;
  if (request == FIOCLEX || request == FIONCLEX)
    return fd_flags (fd, F_SETFD, request == FIOCLEX ? FD_CLOEXEC : 0);
  if (jr_ent_kind (ent) != JR_FD_SOCKET)
    return jr_sys_ioctl (fd, request, arg);
  int r = __jr_sock_find (fd, &s);
  if (r < 0)
    return r;
  uint32_t flag = request == FIOASYNC ? O_ASYNC : O_NONBLOCK;
  int v = 0;
  switch (request)
    {
    case FIONREAD:
      r = readable_bytes (&s, &v);
      return count_into (arg, r, v);
    case SIOCOUTQNSD:
      if (!jr_is_stream (&s))
	return -ENOTTY;
      /* FALLTHROUGH */
    case SIOCOUTQ:
      r = unsent_bytes (&s, &v);
      return count_into (arg, r, v);
    case SIOCGSTAMP_OLD:
    case SIOCGSTAMPNS_OLD:
    case STAMP_NEW:
    case STAMPNS_NEW:
      return give_stamp (&s, request, arg);
    case SIOCATMARK:
      r = at_mark (&s, &v);
      return count_into (arg, r, v);
    case FIOSETOWN:
    case SIOCSPGRP:
      return set_owner (fd, arg);
    case FIOGETOWN:
    case SIOCGPGRP:
      return get_owner (fd, arg);
    case FIONBIO:
    case FIOASYNC:
      r = __jr_copy_in (&v, arg, sizeof v);
      if (r < 0)
	return r;
      if (flag == O_ASYNC)
	set_async (fd, v != 0);
      if (v != 0)
	set_bits (&s.slot->oflags, flag);
      else
	clear_bits (&s.slot->oflags, flag);
      return 0;
    }
  /* Interfaces and routes: any socket of the kernel's answers.  */
  int ksock = jr_sys_socket (s.slot->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (ksock < 0)
    return ksock;
  r = jr_sys_ioctl (ksock, request, arg);
  jr_sys_close (ksock);
  return r;
}

int
__jr_ioctl (int fd, unsigned long request, void *arg)
{
  return jr_ret (do_ioctl (fd, request, arg));
}
