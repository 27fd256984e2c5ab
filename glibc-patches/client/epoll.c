/* Epolls with Joyride sockets in them, and their interests.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <linux/kcmp.h>

#include "jr-epoll.h"

#define REGS_MAX (1u << 19)

static struct jr_epoll *epolls[JR_MAX_EPOLLS];	/* atomic */
/* Their memory, which stays and is used again: another thread may have found
   an epoll just before its last fd was closed.  */
static struct jr_epoll *rooms[JR_MAX_EPOLLS];
static uint32_t nepolls;	/* atomic; entries ever used */
static uint32_t serials;	/* under __jr.lock */

/* Interests of all epolls, in one stretch of address space, so that an
   address given back by the kernel can be recognised.  */
static struct
{
  struct jr_lock lock;
  struct jr_reg *base, *free;
  uint32_t used;
} slab;

/* ---- interests ---- */

struct jr_reg *
__jr_reg_new (void)
{
  struct jr_reg *reg = NULL;
  uint64_t mask;
  __jr_lock_take (&slab.lock, &mask);
  if (slab.base == NULL)
    st_release (&slab.base, jr_sys_map_anon (REGS_MAX * sizeof *reg));
  if (slab.free != NULL)
    {
      reg = slab.free;
      slab.free = reg->hash_next;
    }
  else if (slab.base != NULL && slab.used < REGS_MAX)
    reg = &slab.base[slab.used++];
  __jr_lock_drop (&slab.lock, &mask);
  if (reg != NULL)
    memset (reg, 0, sizeof *reg);
  return reg;
}

struct jr_reg **
__jr_reg_bucket (struct jr_epoll *ep, int fd)
{
  return &ep->hash[(unsigned int) fd % JR_REG_BUCKETS];
}

static void
drop_epseg (struct jr_epoll *ep, struct jr_epseg *es, bool mapped)
{
  uint32_t index = es->seg->index;
  if (mapped && es->eq != JR_NO_EQ)
    __jr_eq_release (es->seg, es->eq);
  ep->segs[index] = NULL;
  for (uint32_t i = 0; i < ep->nsegs; i++)
    if (ep->active[i] == index)
      {
	ep->active[i] = ep->active[--ep->nsegs];
	break;
      }
  jr_sys_munmap (es, sizeof *es);
}

/* Takes the interest out of its segment's lists.  */
void
__jr_reg_unlink (struct jr_reg *reg)
{
  struct jr_epseg *es = reg->ep->segs[reg->seg];
  if (es == NULL)
    return;
  struct jr_reg **p = &es->by_slot[reg->slot];
  while (*p != NULL && *p != reg)
    p = &(*p)->slot_next;
  if (*p == NULL)
    return;
  *p = reg->slot_next;
  es->nregs--;
  /* A dead one's slot is somebody else's by now.  */
  struct jr_sock s;
  if (es->by_slot[reg->slot] == NULL && es->eq != JR_NO_EQ
      && __jr_sock_get (reg->fd, &s) == 0 && s.seg == es->seg && s.idx == reg->slot)
    __jr_unwatch (&s, es->eq);
}

static void
give_back (struct jr_reg *reg)
{
  uint64_t mask;
  reg->ep = NULL;
  __jr_lock_take (&slab.lock, &mask);
  reg->hash_next = slab.free;
  slab.free = reg;
  __jr_lock_drop (&slab.lock, &mask);
}

static void
unqueue (struct jr_reg *reg)
{
  struct jr_epoll *ep = reg->ep;
  if (!reg->queued)
    return;
  for (struct jr_reg **p = &ep->ready; *p != NULL; p = &(*p)->ready_next)
    if (*p == reg)
      {
	*p = reg->ready_next;
	if (ep->ready_end == &reg->ready_next)
	  ep->ready_end = p;
	break;
      }
  reg->queued = false;
}

void
__jr_reg_free (struct jr_reg *reg)
{
  struct jr_epoll *ep = reg->ep;
  unqueue (reg);
  __jr_reg_unlink (reg);
  for (struct jr_reg **p = __jr_reg_bucket (ep, reg->fd); *p != NULL; p = &(*p)->hash_next)
    if (*p == reg)
      {
	*p = reg->hash_next;
	break;
      }
  give_back (reg);
}

/* The socket it is about, unless that was closed in this process.  */
bool
__jr_reg_sock (struct jr_reg *reg, struct jr_sock *s)
{
  struct jr_seg *seg = ld_acquire (&__jr.seg[reg->seg]);
  struct jr_epseg *es = reg->ep->segs[reg->seg];
  if (es == NULL || seg != es->seg || ld_relaxed (&seg->ls[reg->slot].lgen) != reg->lgen)
    return false;
  *s = (struct jr_sock) { .seg = seg, .slot = &seg->slots[reg->slot],
			  .ls = &seg->ls[reg->slot], .idx = reg->slot,
			  .gen = reg->gen, .fd = reg->fd };
  return true;
}

struct jr_reg *
__jr_reg_find (struct jr_epoll *ep, struct jr_sock *s)
{
  struct jr_reg *next;
  for (struct jr_reg *reg = *__jr_reg_bucket (ep, s->fd); reg != NULL; reg = next)
    {
      struct jr_sock its;
      next = reg->hash_next;
      if (reg->fd != s->fd)
	continue;
      if (!__jr_reg_sock (reg, &its))
	__jr_reg_free (reg);
      else if (its.slot == s->slot && its.gen == s->gen)
	return reg;
    }
  return NULL;
}

bool
__jr_is_reg (void *ptr)
{
  struct jr_reg *reg = ptr, *base = ld_acquire (&slab.base);
  return base != NULL && reg >= base && reg < base + REGS_MAX
	 && ((char *) reg - (char *) base) % sizeof *reg == 0;
}

/* ---- epolls in an epoll ---- */

void
__jr_inner_drop (struct jr_reg *reg)
{
  for (struct jr_reg **p = &reg->ep->inners; *p != NULL; p = &(*p)->slot_next)
    if (*p == reg)
      {
	*p = reg->slot_next;
	break;
      }
  give_back (reg);
}

struct jr_reg *
__jr_inner_find (struct jr_epoll *ep, int fd, uint32_t idx, uint32_t serial)
{
  struct jr_reg *next;
  for (struct jr_reg *reg = ep->inners; reg != NULL; reg = next)
    {
      next = reg->slot_next;
      if (reg->fd == fd && reg->slot == idx && reg->inner == serial)
	return reg;
      /* The kernel forgot those that were closed.  */
      struct jr_epoll *in = ld_acquire (&epolls[reg->slot]);
      if (in == NULL || in->serial != reg->inner)
	__jr_inner_drop (reg);
    }
  return NULL;
}

uint32_t
__jr_ep_serial (int fd, uint32_t *idx)
{
  uint64_t ent = __jr_fd_entry (fd);
  if (jr_ent_kind (ent) != JR_FD_EPOLL)
    return 0;
  *idx = jr_ent_idx (ent);
  struct jr_epoll *ep = ld_acquire (&epolls[*idx]);
  return ep != NULL ? ep->serial : 0;
}

bool
__jr_inner_is_open (struct jr_reg *reg)
{
  uint32_t idx = 0;
  return __jr_ep_serial (reg->fd, &idx) == reg->inner && idx == reg->slot;
}

/* ---- epolls ---- */

struct jr_epoll *
__jr_ep_new (int fd)
{
  uint64_t mask;
  struct jr_epoll *ep = NULL;
  __jr_lock_take (&__jr.lock, &mask);
  uint64_t ent = __jr_fd_entry (fd);
  if (jr_ent_kind (ent) == JR_FD_EPOLL)
    ep = epolls[jr_ent_idx (ent)];	/* another thread was quicker */
  else
    for (uint32_t i = 0; ent == 0 && i < JR_MAX_EPOLLS; i++)
      {
	if (epolls[i] != NULL)
	  continue;
	if (rooms[i] == NULL)
	  rooms[i] = jr_sys_map_anon (sizeof *ep);
	ep = rooms[i];
	if (ep == NULL)
	  break;
	ep->idx = i;
	ep->serial = ++serials == 0 ? ++serials : serials;
	ep->pid = __jr.pid;
	ep->efd = ep->ctl_fd = -1;
	ep->ready_end = &ep->ready;
	st_release (&ep->refs, 1);
	st_release (&ep->users, 1);
	st_release (&epolls[i], ep);
	if (nepolls < i + 1)
	  st_release (&nepolls, i + 1);
	__jr_fd_put (fd, jr_ent_make (JR_FD_EPOLL, 0, i, 0, 0));
	break;
      }
  __jr_lock_drop (&__jr.lock, &mask);
  return ep;
}

static void become_own (struct jr_epoll *ep);

static void
ep_free (struct jr_epoll *ep)
{
  uint64_t mask;
  become_own (ep);	/* what the parent watches stays watched */
  for (uint32_t b = 0; b < JR_REG_BUCKETS; b++)
    while (ep->hash[b] != NULL)
      __jr_reg_free (ep->hash[b]);
  while (ep->inners != NULL)
    __jr_inner_drop (ep->inners);
  while (ep->nsegs > 0)
    drop_epseg (ep, ep->segs[ep->active[0]], true);
  uint32_t idx = ep->idx;
  __jr_lock_take (&__jr.lock, &mask);
  __jr_fd_internal_close (ep->efd);
  JR_SYSCALL (madvise, ep, sizeof *ep, MADV_DONTNEED);
  st_release (&epolls[idx], NULL);
  __jr_lock_drop (&__jr.lock, &mask);
}

/* One more, unless there is none any more.  */
static bool
count_up (uint32_t *count)
{
  uint32_t n = ld_acquire (count);
  while (n != 0)
    if (cas (count, &n, n + 1))
      return true;
  return false;
}

bool
__jr_epoll_hold (uint32_t idx)
{
  struct jr_epoll *ep = ld_acquire (&epolls[idx]);
  return ep != NULL && count_up (&ep->refs);
}

/* One count stands for all fds, so that the last of them and the last call
   inside agree on who frees it.  */
static void
ep_put (struct jr_epoll *ep)
{
  if (add_fetch (&ep->users, -1) == 0)
    ep_free (ep);
}

void
__jr_epoll_release (uint32_t idx)
{
  struct jr_epoll *ep = epolls[idx];
  if (add_fetch (&ep->refs, -1) == 0)
    ep_put (ep);
}

/* After fork the queues and the eventfd are the parent's.  */
static void
become_own (struct jr_epoll *ep)
{
  if (likely_ (ep->pid == ld_relaxed (&__jr.pid)))
    return;
  ep->pid = __jr.pid;
  ep->efd = ep->ctl_fd = -1;
  ep->sleepers = 0;
  for (uint32_t i = 0; i < ep->nsegs; i++)
    {
      struct jr_epseg *es = ep->segs[ep->active[i]];
      es->eq = JR_NO_EQ;
      for (uint32_t slot = 0; slot < JR_SEG_SLOTS; slot++)
	for (struct jr_reg *reg = es->by_slot[slot]; reg != NULL; reg = reg->slot_next)
	  __jr_reg_queue (reg);
    }
}

/* Whatever was taken out of the list to be looked at is looked at again.  */
static void
mend (struct jr_epoll *ep)
{
  ep->ready = NULL;
  ep->ready_end = &ep->ready;
  for (uint32_t b = 0; b < JR_REG_BUCKETS; b++)
    for (struct jr_reg *reg = ep->hash[b]; reg != NULL; reg = reg->hash_next)
      {
	reg->queued = false;
	__jr_reg_queue (reg);
      }
}

static void
ep_left (struct jr_undo *u)
{
  struct jr_ep_call *in = (struct jr_ep_call *) u;
  struct jr_epoll *ep = in->ep;
  if (!in->busy && __jr_lock_is_mine (&ep->lock))
    {
      mend (ep);
      __jr_ep_unlock (ep);
    }
  if (in->asleep)
    add_fetch (&ep->sleepers, -1);
  /* Whoever else waits looks at what this call may have taken.  */
  __jr_ep_kick (ep);
  if (in->inside)
    ep_put (ep);
}

struct jr_epoll *
__jr_ep_enter (int fd, struct jr_ep_call *in)
{
  uint64_t ent = __jr_fd_entry (fd);
  in->busy = in->inside = in->asleep = false;
  if (jr_ent_kind (ent) != JR_FD_EPOLL)
    return NULL;
  struct jr_epoll *ep = ld_acquire (&epolls[jr_ent_idx (ent)]);
  if (ep == NULL)
    return NULL;
  in->ep = ep;
  /* In a signal handler that interrupted an epoll call on the same one.  */
  in->busy = __jr_lock_is_mine (&ep->lock);
  if (in->busy)
    return NULL;
  jr_undo_push (&in->undo, ep_left);
  in->inside = count_up (&ep->users);
  if (!in->inside)
    {
      jr_undo_pop (&in->undo);
      return NULL;
    }
  __jr_ep_lock (ep);
  become_own (ep);
  return ep;
}

void
__jr_ep_leave (struct jr_ep_call *in)
{
  __jr_ep_unlock (in->ep);
  jr_undo_pop (&in->undo);
  ep_put (in->ep);
}

/* ---- what makes the kernel's set wake for us ---- */

static int
add_internal (int epfd, int fd, uint32_t events, void *mark)
{
  struct epoll_event ev = { .events = events, .data.ptr = mark };
  int r = jr_sys_epoll_ctl (epfd, EPOLL_CTL_ADD, fd, &ev);
  return r == -EEXIST ? 0 : r;
}

int
__jr_ep_equip (struct jr_epoll *ep, int epfd)
{
  int r = 0;
  if (ep->efd < 0)
    {
      int fd = jr_sys_eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
      if (fd < 0)
	return fd;
      fd = __jr_fd_internal (fd, JR_USE_EPOLL, ep->idx, 0);
      if (fd < 0)
	return fd;
      r = add_internal (epfd, fd, EPOLLIN | EPOLLET, jr_ep_mark_bell (ep));
      if (r < 0)
	{
	  __jr_fd_internal_close (fd);
	  return r;
	}
      ep->efd = fd;
    }
  int ctl = ld_acquire (&__jr.ctl_fd);
  if (ctl >= 0 && ctl != ep->ctl_fd
      && add_internal (epfd, ctl, EPOLLET, jr_ep_mark_ctl (ep)) == 0)
    ep->ctl_fd = ctl;
  return 0;
}

void
__jr_ep_kick (struct jr_epoll *ep)
{
  uint64_t one = 1;
  if (ep->efd >= 0)
    jr_sys_write (ep->efd, &one, sizeof one);
}

void
__jr_ep_arm (struct jr_epoll *ep)
{
  for (uint32_t i = 0; i < ep->nsegs; i++)
    {
      struct jr_epseg *es = ep->segs[ep->active[i]];
      if (es->eq != JR_NO_EQ)
	__jr_eq_arm (es->seg, es->eq);
    }
}

/* ---- an epoll that somebody else looks at ---- */

static bool
any_ready (struct jr_epoll *ep)
{
  __jr_ep_arm (ep);
  __jr_ep_take_posted (ep);
  struct jr_reg **p = &ep->ready;
  for (struct jr_reg *reg; (reg = *p) != NULL;)
    {
      unsigned int bits = reg->disabled ? 0 : __jr_reg_ready (reg);
      if (reg->ep == NULL)
	p = &ep->ready;		/* it could not follow its socket */
      else if ((bits & ~POLLNVAL) != 0)
	return true;
      else if (bits != 0)
	p = &reg->ready_next;
      else
	unqueue (reg);		/* as in the kernel: it loses its place */
    }
  return false;
}

static bool
kernel_readable (int fd)
{
  struct timespec zero = { 0, 0 };
  struct pollfd p = { .fd = fd, .events = POLLIN };
  return jr_sys_ppoll (&p, 1, &zero, NULL) == 1;
}

void
__jr_ep_level (struct jr_epoll *ep, int epfd)
{
  /* What is inside one whose edges somebody waits for makes edges, too.  */
  for (struct jr_reg *reg = ep->inners; reg != NULL; reg = reg->slot_next)
    {
      if (__jr_inner_is_open (reg))
	__jr_ep_put_inside (reg->fd, ld_relaxed (&ep->inside) != 0);
    }
  if (ep->nsegs > 0)
    __jr_ep_revive (ep, epfd);
  if (ep->efd < 0)
    return;
  if (!any_ready (ep))
    {
      uint64_t count;
      jr_sys_read (ep->efd, &count, sizeof count);
      /* What came before that read is looked at, what comes now rings.  */
      if (any_ready (ep))
	__jr_ep_kick (ep);
    }
  else if (!kernel_readable (epfd))
    __jr_ep_kick (ep);
}

void
__jr_ep_put_inside (int fd, bool edge)
{
  struct jr_ep_call in;
  struct jr_epoll *ep = __jr_ep_enter (fd, &in);
  if (ep == NULL)
    return;
  st_relaxed (&ep->nested, 1);
  if (edge)
    st_relaxed (&ep->inside, 1);
  __jr_ep_level (ep, fd);
  __jr_ep_leave (&in);
}

void
__jr_epoll_level (int fd)
{
  __jr_ep_put_inside (fd, false);
}

void
__jr_ep_pass_on (struct jr_epoll *ep, int epfd)
{
  bool nested = ld_relaxed (&ep->nested);
  if (likely_ (ld_relaxed (&ep->sleepers) == 0 && !nested))
    return;
  if (nested)
    __jr_ep_level (ep, epfd);
  if (ld_relaxed (&ep->sleepers) == 0)
    return;
  __jr_ep_arm (ep);
  __jr_ep_take_posted (ep);
  if (ep->ready != NULL)
    __jr_ep_kick (ep);
}

static void
claim_queue (struct jr_epoll *ep, struct jr_epseg *es)
{
  uint64_t mask;
  if (es->eq != JR_NO_EQ || ep->efd < 0 || jr_gone (es->seg))
    return;
  __jr_lock_take (&__jr.lock, &mask);
  es->eq = __jr_eq_claim (es->seg, JR_EQ_EPOLL, ep->efd);
  __jr_lock_drop (&__jr.lock, &mask);
  if (es->eq == JR_NO_EQ)
    return;
  es->order_head = ld_relaxed (&es->seg->eqs[es->eq].order_tail);
  for (uint32_t slot = 0; slot < JR_SEG_SLOTS; slot++)
    {
      struct jr_sock s;
      if (es->by_slot[slot] != NULL && __jr_reg_sock (es->by_slot[slot], &s))
	{
	  __jr_exclusive (es, &s);
	  __jr_watch (&s, es->eq);
	}
    }
  /* What happened before the service knew that somebody watches.  */
  __jr_epseg_look (es);
}

/* Before a sleep: what a fork or a service's return left undone.  */
void
__jr_ep_revive (struct jr_epoll *ep, int epfd)
{
  if (likely_ (ep->efd >= 0 && ep->ctl_fd >= 0))
    return;
  __jr_attach ();
  if (__jr_ep_equip (ep, epfd) < 0)
    return;
  for (uint32_t i = 0; i < ep->nsegs; i++)
    claim_queue (ep, ep->segs[ep->active[i]]);
}

struct jr_epseg *
__jr_ep_seg (struct jr_epoll *ep, struct jr_seg *seg)
{
  struct jr_epseg *es = ep->segs[seg->index];
  if (es == NULL)
    {
      es = jr_sys_map_anon (sizeof *es);
      if (es == NULL)
	return NULL;
      es->seg = seg;
      es->eq = JR_NO_EQ;
      ep->segs[seg->index] = es;
      ep->active[ep->nsegs++] = seg->index;
    }
  claim_queue (ep, es);
  return es;
}

/* ---- what happens to a socket elsewhere ---- */

/* An fd of this process for the epoll.  */
static int
ep_any_fd (struct jr_epoll *ep)
{
  uint64_t ent;
  for (int fd = __jr_fd_next (0, &ent); fd >= 0; fd = __jr_fd_next (fd + 1, &ent))
    if (jr_ent_kind (ent) == JR_FD_EPOLL && jr_ent_idx (ent) == ep->idx)
      return fd;
  return -1;
}

enum change { TURNED, MOVED, SHADOWED };

static void
change_reg (struct jr_reg *reg, enum change what, struct jr_sock *s, int epfd)
{
  struct epoll_event ev = { .events = reg->events, .data = reg->data };
  switch (what)
    {
    case TURNED:
      if (reg->disabled)
	ev.events &= JR_EPOLL_PRIVATE;
      st_relaxed (&reg->ep->kernel_fds, 1);
      __jr_reg_free (reg);
      jr_sys_epoll_ctl (epfd, EPOLL_CTL_ADD, s->fd, &ev);
      break;
    case MOVED:
      __jr_reg_follow (reg, s);
      if (reg->ep != NULL)
	__jr_reg_look_now (reg, s);
      break;
    case SHADOWED:
      __jr_reg_shadow (reg, epfd, EPOLL_CTL_ADD);
      break;
    }
}

static void
for_each_reg (struct jr_sock *s, int fd, enum change what)
{
  uint32_t n = ld_acquire (&nepolls);
  for (uint32_t i = 0; i < n; i++)
    {
      struct jr_epoll *ep = ld_acquire (&epolls[i]);
      struct jr_ep_call in;
      int epfd = ep != NULL ? ep_any_fd (ep) : -1;
      if (epfd < 0 || (ep = __jr_ep_enter (epfd, &in)) == NULL)
	continue;
      struct jr_reg *next;
      for (struct jr_reg *reg = *__jr_reg_bucket (ep, fd); reg != NULL; reg = next)
	{
	  struct jr_sock its;
	  next = reg->hash_next;
	  if (reg->fd == fd && (what == MOVED || (__jr_reg_sock (reg, &its)
						  && its.slot == s->slot)))
	    change_reg (reg, what, s, epfd);
	}
      __jr_ep_leave (&in);
    }
}

void
__jr_epoll_turned (struct jr_sock *s, int fd)
{
  struct jr_sock on = *s;
  on.fd = fd;
  for_each_reg (&on, fd, TURNED);
}

void
__jr_epoll_moved (int fd)
{
  struct jr_sock s;
  if (__jr_sock_get (fd, &s) == 0)
    for_each_reg (&s, fd, MOVED);
}

/* Of the kernel's anonymous files, of which hardly any is an epoll, those that
   are the same open file as one of ours.  */
void
__jr_epoll_received (int fd)
{
  struct stat st;
  uint64_t mask;
  uint32_t n = ld_acquire (&nepolls);
  if (n == 0 || jr_sys_fstat (fd, &st) < 0 || (st.st_mode & S_IFMT) != 0)
    return;
  __jr_lock_take (&__jr.lock, &mask);
  for (uint32_t i = 0; i < n; i++)
    {
      int pid = jr_sys_pid (), other = epolls[i] != NULL ? ep_any_fd (epolls[i]) : -1;
      if (other < 0 || other == fd
	  || JR_SYSCALL (kcmp, pid, pid, KCMP_FILE, fd, other) != 0)
	continue;
      bool cloexec = jr_sys_fcntl (fd, F_GETFD, 0) & FD_CLOEXEC;
      uint64_t ent = jr_ent_make (JR_FD_EPOLL, 0, i, 0, 0) | (cloexec ? JR_ENT_CLOEXEC : 0);
      /* Else another thread just closes the last fd.  */
      if (__jr_epoll_hold (i) && __jr_fd_put (fd, ent) < 0)
	__jr_epoll_release (i);
      break;
    }
  __jr_lock_drop (&__jr.lock, &mask);
}

void
__jr_epoll_shadowed (struct jr_sock *s)
{
  for_each_reg (s, s->fd, SHADOWED);
}

void
__jr_epoll_efd_moved (uint32_t idx, int fd)
{
  st_release (&epolls[idx]->efd, fd);
}

bool
__jr_epoll_seg_gone (struct jr_seg *seg)
{
  uint32_t n = ld_acquire (&nepolls);
  for (uint32_t i = 0; i < n; i++)
    {
      struct jr_epoll *ep = ld_acquire (&epolls[i]);
      struct jr_epseg *es = ep != NULL ? ep->segs[seg->index] : NULL;
      if (es == NULL)
	continue;
      if (!__jr_lock_try (&ep->lock))
	return false;
      /* All its interests are dead: no socket is left there.  */
      for (uint32_t slot = 0; slot < JR_SEG_SLOTS; slot++)
	while (es->by_slot[slot] != NULL)
	  __jr_reg_free (es->by_slot[slot]);
      drop_epseg (ep, es, true);
      __jr_lock_leave (&ep->lock);
    }
  return true;
}

/* ---- fork ---- */

static uint64_t fork_held[JR_MAX_EPOLLS / 64];	/* locks that prepare took */
static bool fork_slab;

void
__jr_epoll_fork_prepare (void)
{
  for (uint32_t i = 0; i < ld_acquire (&nepolls); i++)
    {
      fork_held[i / 64] &= ~(1ull << i % 64);
      if (epolls[i] != NULL && __jr_lock_try_enter (&epolls[i]->lock))
	fork_held[i / 64] |= 1ull << i % 64;
    }
  fork_slab = __jr_lock_try_enter (&slab.lock);
}

void
__jr_epoll_fork_done (bool child)
{
  for (uint32_t i = 0; i < nepolls; i++)
    {
      if (epolls[i] == NULL)
	continue;
      if (child)
	{
	  epolls[i]->lock.word = 0;
	  epolls[i]->users = epolls[i]->refs != 0;
	}
      else if (fork_held[i / 64] & 1ull << i % 64)
	__jr_lock_leave (&epolls[i]->lock);
    }
  if (child)
    {
      /* The handler that forked returns to them, in this process too.  */
      for (struct jr_undo *u = __jr_undo; u != NULL && u->self == u; u = u->outer)
	if (u->undo == ep_left && ((struct jr_ep_call *) u)->inside)
	  ((struct jr_ep_call *) u)->ep->users++;
      slab.lock.word = 0;
    }
  else if (fork_slab)
    __jr_lock_leave (&slab.lock);
}
