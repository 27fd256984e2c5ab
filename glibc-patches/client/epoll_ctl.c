/* epoll_create and epoll_ctl.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-epoll.h"

/* ---- epoll_ctl on a socket of ours ---- */

void
__jr_reg_shadow (struct jr_reg *reg, int epfd, int op)
{
  struct jr_sock s;
  if (!__jr_reg_sock (reg, &s))
    return;
  int shadow = ld_relaxed (&s.ls->shadow_fd);
  if (shadow < 0)
    return;
  if (op == EPOLL_CTL_ADD && reg->shadowed)
    op = EPOLL_CTL_MOD;
  if (op != EPOLL_CTL_ADD && !reg->shadowed)
    return;
  struct epoll_event ev = { .data.ptr = reg };
  if (!reg->disabled)
    ev.events = (reg->events & (EPOLLIN | EPOLLRDNORM | EPOLLET | EPOLLEXCLUSIVE));
  jr_sys_epoll_ctl (epfd, op, shadow, &ev);
  reg->shadowed = op != EPOLL_CTL_DEL;
}

void
__jr_exclusive (struct jr_epseg *es, struct jr_sock *s)
{
  uint64_t bit = 1ull << es->eq;
  bool all = true;
  for (struct jr_reg *reg = es->by_slot[s->idx]; reg != NULL; reg = reg->slot_next)
    all &= (reg->events & EPOLLEXCLUSIVE) != 0;
  if (all)
    set_bits (&s->slot->exclusive, bit);
  else if (ld_relaxed (&s->slot->exclusive) & bit)
    clear_bits (&s->slot->exclusive, bit);
}

void
__jr_reg_ask_room (struct jr_reg *reg, struct jr_sock *s)
{
  if ((reg->events & EPOLLET) && (reg->events & JR_OUT_EVENTS) && !jr_is_stream (s))
    add_fetch (&s->slot->tx.space_wait, 1);
}

/* Now that the interest is in place: is it fulfilled already?  Those who
   sleep began before its event queue may have been there.  */
void
__jr_reg_look_now (struct jr_reg *reg, struct jr_sock *s)
{
  struct jr_epoll *ep = reg->ep;
  uint32_t want = reg->events | EPOLLERR | EPOLLHUP;
  bool awaited = ld_relaxed (&ep->sleepers) > 0 || ld_relaxed (&ep->nested);
  /* What came before goes first.  */
  __jr_ep_take_posted (ep);
  __jr_reg_ask_room (reg, s);
  if (awaited)
    __jr_ep_arm (ep);
  for (;;)
    {
      struct jr_sock was = *s;
      __jr_reg_snapshot (s, &reg->seen);
      bool ready = (__jr_ready (s, want, true) & want) != 0;
      if (ready)
	__jr_reg_queue (reg);
      if (ready && awaited)
	__jr_ep_kick (ep);
      if (s->slot == was.slot)
	return;
      /* It was moved before the service knew that somebody watches it here,
	 and who follows it tells epolls, but not one that is locked.  */
      __jr_reg_follow (reg, s);
      if (reg->ep == NULL)
	return;
    }
}

int
__jr_reg_link (struct jr_reg *reg, struct jr_sock *s)
{
  struct jr_epseg *es = __jr_ep_seg (reg->ep, s->seg);
  if (es == NULL)
    return -ENOMEM;
  reg->seg = s->seg->index;
  reg->slot = s->idx;
  reg->gen = s->gen;
  reg->lgen = ld_relaxed (&s->ls->lgen);
  reg->slot_next = es->by_slot[s->idx];
  es->by_slot[s->idx] = reg;
  es->nregs++;
  if (es->eq != JR_NO_EQ)
    {
      __jr_exclusive (es, s);
      __jr_watch (s, es->eq);
    }
  return 0;
}

/* The socket turned out to live in S now.  */
void
__jr_reg_follow (struct jr_reg *reg, struct jr_sock *s)
{
  __jr_reg_unlink (reg);
  if (__jr_reg_link (reg, s) < 0)
    __jr_reg_free (reg);
}

static int
ctl_add (struct jr_epoll *ep, int epfd, struct jr_sock *s, const struct epoll_event *ev)
{
  if (__jr_reg_find (ep, s) != NULL)
    return -EEXIST;
  int r = __jr_ep_equip (ep, epfd);
  if (r < 0)
    return r;
  struct jr_reg *reg = __jr_reg_new ();
  if (reg == NULL)
    return -ENOMEM;
  reg->ep = ep;
  reg->fd = s->fd;
  reg->events = ev->events;
  reg->data = ev->data;
  reg->hash_next = *__jr_reg_bucket (ep, s->fd);
  *__jr_reg_bucket (ep, s->fd) = reg;
  r = __jr_reg_link (reg, s);
  if (r < 0)
    {
      __jr_reg_free (reg);
      return r;
    }
  __jr_reg_shadow (reg, epfd, EPOLL_CTL_ADD);
  __jr_reg_look_now (reg, s);
  return 0;
}

static int
ctl_mod (struct jr_reg *reg, int epfd, struct jr_sock *s, const struct epoll_event *ev)
{
  if ((ev->events & EPOLLEXCLUSIVE) || (reg->events & EPOLLEXCLUSIVE))
    return -EINVAL;
  reg->events = ev->events;
  reg->data = ev->data;
  reg->disabled = false;
  __jr_reg_shadow (reg, epfd, EPOLL_CTL_MOD);
  __jr_reg_look_now (reg, s);
  return 0;
}

static bool
exclusive_ok (uint32_t events)
{
  const uint32_t may = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP
		       | EPOLLET | EPOLLEXCLUSIVE;
  return (events & ~may) == 0;
}

static int
ctl_socket (int epfd, int op, struct jr_sock *s, const struct epoll_event *ev)
{
  struct jr_ep_call in;
  if (jr_ent_kind (__jr_fd_entry (epfd)) == JR_FD_NONE)
    {
      /* An epoll?  The kernel says so, or what is wrong with it.  */
      struct epoll_event none = { 0 };
      int r = jr_sys_epoll_ctl (epfd, EPOLL_CTL_DEL, ld_relaxed (&__jr.bell_fd), &none);
      if (r != -ENOENT)
	return r < 0 ? r : -EINVAL;
      struct jr_epoll *fresh = __jr_ep_new (epfd);
      if (fresh == NULL)
	return -ENOMEM;
      st_relaxed (&fresh->kernel_fds, 1);
    }
  struct jr_epoll *ep = __jr_ep_enter (epfd, &in);
  if (ep == NULL)
    return in.busy ? -EBUSY : -EINVAL;
  ep->asked_ns = 0;
  struct jr_reg *reg = __jr_reg_find (ep, s);
  int r = reg == NULL ? -ENOENT : 0;
  if (op == EPOLL_CTL_ADD)
    r = (ev->events & EPOLLEXCLUSIVE) && !exclusive_ok (ev->events)
	? -EINVAL : ctl_add (ep, epfd, s, ev);
  else if (op == EPOLL_CTL_MOD && reg != NULL)
    r = ctl_mod (reg, epfd, s, ev);
  else if (op == EPOLL_CTL_DEL && reg != NULL)
    {
      __jr_reg_shadow (reg, epfd, EPOLL_CTL_DEL);
      __jr_reg_free (reg);
    }
  __jr_ep_leave (&in);
  return r;
}

/* An epoll in another one that is known.  The kernel has the address of the
   interest, so that what it reports can be looked at more closely.  */
static int
ctl_inner (struct jr_epoll *ep, int epfd, int op, int fd, struct epoll_event *ev)
{
  uint32_t idx = 0, serial = __jr_ep_serial (fd, &idx);
  struct jr_reg *reg = __jr_inner_find (ep, fd, idx, serial), *fresh = NULL;
  struct epoll_event own;
  if (op == EPOLL_CTL_ADD && reg == NULL)
    reg = fresh = __jr_reg_new ();
  if (reg == NULL)
    return jr_sys_epoll_ctl (epfd, op, fd, ev);
  reg->ep = ep;
  if (op != EPOLL_CTL_DEL)
    own = (struct epoll_event) { .events = ev->events, .data.ptr = reg };
  int r = jr_sys_epoll_ctl (epfd, op, fd, op == EPOLL_CTL_DEL ? NULL : &own);
  if (fresh != NULL)
    {
      fresh->fd = fd;
      fresh->slot = idx;
      fresh->inner = serial;
      fresh->slot_next = ep->inners;
      ep->inners = fresh;
    }
  if ((r < 0 && fresh != NULL) || (r == 0 && op == EPOLL_CTL_DEL))
    __jr_inner_drop (reg);
  else if (r == 0)
    {
      reg->events = ev->events;
      reg->data = ev->data;
    }
  return r;
}

/* A kernel fd, or an epoll inside this one.  */
static int
ctl_other (int epfd, int op, int fd, struct epoll_event *ev)
{
  struct jr_ep_call in;
  bool inner = jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_EPOLL && fd != epfd;
  struct jr_epoll *ep = __jr_ep_enter (epfd, &in);
  int r;
  bool edge = false;
  if (ep != NULL && inner && (op == EPOLL_CTL_DEL || jr_can_read (ev, sizeof *ev)))
    r = ctl_inner (ep, epfd, op, fd, ev);
  else
    r = jr_sys_epoll_ctl (epfd, op, fd, ev);
  if (ep != NULL)
    {
      ep->asked_ns = 0;
      if (r == 0)
	st_relaxed (&ep->kernel_fds, 1);
      edge = ld_relaxed (&ep->inside) != 0;
      __jr_ep_leave (&in);
    }
  if (r == 0 && inner && op != EPOLL_CTL_DEL)
    __jr_ep_put_inside (fd, edge || (ev->events & EPOLLET));
  return r;
}

static int
do_ctl (int epfd, int op, int fd, struct epoll_event *ev)
{
  struct jr_sock s;
  uint64_t target = __jr_fd_entry (fd), ep = __jr_fd_entry (epfd);
  if (op != EPOLL_CTL_DEL && !jr_can_read (ev, sizeof *ev))
    return -EFAULT;
  if (jr_ent_kind (target) == JR_FD_INTERNAL || jr_ent_kind (ep) == JR_FD_INTERNAL)
    return -EBADF;
  if (jr_ent_kind (ep) == JR_FD_SOCKET)
    return -EINVAL;
  if (jr_ent_kind (target) != JR_FD_SOCKET)
    return ctl_other (epfd, op, fd, ev);
  if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
    return -EINVAL;
  int r = __jr_sock_find (fd, &s);
  return r < 0 ? r : ctl_socket (epfd, op, &s, ev);
}

int
__jr_epoll_ctl (int epfd, int op, int fd, struct epoll_event *ev)
{
  struct jr_sock s;
  if (op == EPOLL_CTL_ADD && __jr_sock_get (fd, &s) == 0)
    __jr_shadow_find (&s);
  return jr_ret (do_ctl (epfd, op, fd, ev));
}

/* Known from the start, even before there is a socket of ours: dups of it,
   and epolls that it is put into, must be known when one is added.  */
int
__jr_epoll_create1 (int flags)
{
  int fd = jr_sys_epoll_create1 (flags);
  if (fd < 0 || !__jr_wanted ())
    return jr_ret (fd);
  if (ld_relaxed (&__jr.pid) == 0)
    st_relaxed (&__jr.pid, jr_sys_pid ());
  if (!__jr_foreign () && __jr_ep_new (fd) != NULL && (flags & EPOLL_CLOEXEC))
    __jr_fd_cloexec (fd, true);
  return fd;
}

int
__jr_epoll_create (int size)
{
  return size <= 0 ? (int) jr_ret (-EINVAL) : __jr_epoll_create1 (0);
}
