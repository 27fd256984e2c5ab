/* The fd table: which fds are sockets of ours, epolls with sockets of ours,
   or libc's own.  Entries are single words, read and changed without a lock.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

struct jr_process __jr = { .ctl_fd = -1, .bell_fd = -1 };

#ifdef JR_STANDALONE
__thread uint32_t __jr_posix_tid;
#endif

static uint64_t *
page_of (int fd)
{
  if ((unsigned int) fd >= JR_TABLE_FDS)
    return NULL;
  uint64_t **where = &__jr_fd_page[fd / JR_FDS_PAGE];
  uint64_t *page = ld_acquire (where);
  if (page != NULL)
    return page;
  page = jr_sys_map_anon (JR_FDS_PAGE * sizeof *page);
  if (page == NULL)
    return NULL;
  uint64_t *other = NULL;
  if (cas (where, &other, page))
    return page;
  jr_sys_munmap (page, JR_FDS_PAGE * sizeof *page);
  return other;
}

int
__jr_fd_put (int fd, uint64_t ent)
{
  uint64_t *page = page_of (fd);
  if (page == NULL)
    return -ENOMEM;
  st_release (&page[fd % JR_FDS_PAGE], ent);
  unsigned int limit = ld_relaxed (&__jr_fd_limit);
  while (limit < (unsigned int) fd + 1
	 && !cas (&__jr_fd_limit, &limit, (unsigned int) fd + 1))
    ;
  return 0;
}

uint64_t
__jr_fd_take (int fd)
{
  if (__jr_fd_entry (fd) == 0)
    return 0;
  return swap (&__jr_fd_page[fd / JR_FDS_PAGE][fd % JR_FDS_PAGE], 0);
}

void
__jr_fd_cloexec (int fd, bool on)
{
  if (__jr_fd_entry (fd) == 0)
    return;
  uint64_t *ent = &__jr_fd_page[fd / JR_FDS_PAGE][fd % JR_FDS_PAGE];
  if (on)
    set_bits (ent, JR_ENT_CLOEXEC);
  else
    clear_bits (ent, JR_ENT_CLOEXEC);
}

int
__jr_fd_next (int fd, uint64_t *ent)
{
  int limit = ld_relaxed (&__jr_fd_limit);
  while (fd < limit)
    {
      if (ld_acquire (&__jr_fd_page[fd / JR_FDS_PAGE]) == NULL)
	fd = (fd / JR_FDS_PAGE + 1) * JR_FDS_PAGE;
      else if ((*ent = __jr_fd_entry (fd)) != 0)
	return fd;
      else
	fd++;
    }
  return -1;
}

/* ---- internal fds ---- */

/* Numbers above RLIMIT_NOFILE, where the hard limit allows them, are out of
   the program's way: it gets as many fds as it has been promised.  They can
   be had only while the limit is raised.  */
void
__jr_limit_raise (struct jr_limit *l)
{
  l->raised = false;
  __jr_lock_take (&__jr.limit_lock, &l->mask);
  if (JR_SYSCALL (prlimit64, 0, RLIMIT_NOFILE, NULL, &l->was) < 0
      || l->was.rlim_cur >= JR_TABLE_FDS || l->was.rlim_max <= l->was.rlim_cur)
    return;
  l->now = l->was;
  l->now.rlim_cur = l->was.rlim_max < JR_TABLE_FDS ? l->was.rlim_max : JR_TABLE_FDS;
  l->raised = JR_SYSCALL (prlimit64, 0, RLIMIT_NOFILE, &l->now, NULL) == 0;
}

void
__jr_limit_restore (struct jr_limit *l)
{
  struct rlimit now;
  /* Another thread may have set its own meanwhile.  */
  if (l->raised && JR_SYSCALL (prlimit64, 0, RLIMIT_NOFILE, NULL, &now) == 0
      && now.rlim_cur == l->now.rlim_cur)
    {
      l->was.rlim_max = now.rlim_max;
      if (l->was.rlim_cur > now.rlim_max)
	l->was.rlim_cur = now.rlim_max;
      JR_SYSCALL (prlimit64, 0, RLIMIT_NOFILE, &l->was, NULL);
    }
  __jr_lock_drop (&__jr.limit_lock, &l->mask);
}

static int
dup_above (int fd)
{
  struct jr_limit l;
  if ((ld_relaxed (&__jr.limit_lock.word) & FUTEX_TID_MASK) == jr_sys_tid ())
    return -EMFILE;		/* raised already, and it did not help */
  __jr_limit_raise (&l);
  int base = ld_relaxed (&__jr.fd_base);
  if (l.raised && l.now.rlim_cur <= (unsigned int) base)
    base = l.was.rlim_cur;
  int r = l.raised ? jr_sys_fcntl (fd, F_DUPFD_CLOEXEC, base) : -EMFILE;
  __jr_limit_restore (&l);
  return r;
}

static int
high_dup (int fd)
{
  int r = jr_sys_fcntl (fd, F_DUPFD_CLOEXEC, ld_relaxed (&__jr.fd_base));
  if (r == -EMFILE || r == -EINVAL)
    r = dup_above (fd);
  if (r >= 0 || (r != -EMFILE && r != -EINVAL))
    return r;
  for (int base = ld_relaxed (&__jr.fd_base); base >= 16; base /= 2)
    {
      int r = jr_sys_fcntl (fd, F_DUPFD_CLOEXEC, base);
      if (r >= 0 || (r != -EMFILE && r != -EINVAL))
	return r;
    }
  return -EMFILE;
}

int
__jr_fd_internal (int fd, unsigned int use, uint32_t idx, uint32_t slot)
{
  int high = high_dup (fd);
  /* The last number there was: better here than not at all, but for a
     handle that nobody has asked for yet.  */
  if (high == -EMFILE && fd > STDERR_FILENO && use != JR_USE_PARKED)
    high = fd;
  else
    jr_sys_close (fd);
  if (high < 0)
    return high;
  int r = __jr_fd_put (high, jr_ent_make (JR_FD_INTERNAL, use, idx, slot, 0)
			       | JR_ENT_CLOEXEC);
  if (r < 0)
    {
      jr_sys_close (high);
      return r;
    }
  return high;
}

void
__jr_fd_internal_close (int fd)
{
  if (fd < 0 || jr_ent_kind (__jr_fd_entry (fd)) != JR_FD_INTERNAL)
    return;
  __jr_fd_take (fd);
  jr_sys_close (fd);
}

/* Where the number of an internal fd is kept.  */
static int *
internal_home (uint64_t ent)
{
  struct jr_seg *seg;
  switch (jr_ent_use (ent))
    {
    case JR_USE_CTL:
      return &__jr.ctl_fd;
    case JR_USE_BELL:
      return &__jr.bell_fd;
    case JR_USE_POLLER:
      return &__jr.poller[jr_ent_idx (ent)]->efd;
    case JR_USE_PARKED:
      seg = ld_acquire (&__jr.seg[jr_ent_idx (ent)]);
      return seg == NULL ? NULL : &seg->ls[jr_ent_slot (ent)].parked_fd;
    case JR_USE_SHADOW:
      seg = ld_acquire (&__jr.seg[jr_ent_idx (ent)]);
      return seg == NULL ? NULL : &seg->ls[jr_ent_slot (ent)].shadow_fd;
    case JR_USE_TRACE:
    case JR_USE_EPOLL:
      break;
    }
  return NULL;
}

int
__jr_fd_internal_move (int fd)
{
  uint64_t mask;
  int high = 0;
  __jr_lock_take (&__jr.lock, &mask);
  uint64_t ent = __jr_fd_entry (fd);
  if (jr_ent_kind (ent) == JR_FD_INTERNAL)
    {
      high = high_dup (fd);
      if (high >= 0 && __jr_fd_put (high, ent) < 0)
	{
	  jr_sys_close (high);
	  high = -ENOMEM;
	}
      if (high >= 0)
	{
	  int *home = internal_home (ent);
	  if (home != NULL)
	    st_release (home, high);
	  else if (jr_ent_use (ent) == JR_USE_EPOLL)
	    __jr_epoll_efd_moved (jr_ent_idx (ent), high);
	  else
	    __jr_trace_moved (high);
	  __jr_fd_internal_close (fd);
	}
    }
  __jr_lock_drop (&__jr.lock, &mask);
  return high < 0 ? high : 0;
}

/* ---- sockets ---- */

int
__jr_sock_get (int fd, struct jr_sock *s)
{
  uint64_t ent = __jr_fd_entry (fd);
  if (unlikely_ (jr_ent_kind (ent) != JR_FD_SOCKET))
    return jr_ent_kind (ent) == JR_FD_EPOLL ? -ENOTSOCK : -EBADF;
  s->seg = ld_acquire (&__jr.seg[jr_ent_idx (ent)]);
  if (unlikely_ (s->seg == NULL))
    return -EBADF;
  s->idx = jr_ent_slot (ent);
  s->slot = &s->seg->slots[s->idx];
  s->ls = &s->seg->ls[s->idx];
  s->gen = jr_ent_gen (ent);
  s->fd = fd;
  return 0;
}

/* A slot that the socket has left says nothing about it any more.  */
int
__jr_sock_find (int fd, struct jr_sock *s)
{
  uint32_t state;
  int r = __jr_sock_get (fd, s);
  while (r == 0 && unlikely_ (jr_state (s, &state) < 0))
    r = __jr_sock_follow (s);
  return r;
}

int
__jr_sock_follow (struct jr_sock *s)
{
  struct jr_sock now;
  int r = __jr_sock_get (s->fd, &now);
  if (r < 0)
    return -EBADF;
  if (now.slot != s->slot || now.gen != s->gen)
    {
      *s = now;
      return 0;
    }
  if ((ld_relaxed (&s->slot->gen) & 0xffffff) != s->gen)
    return -EBADF;
  if (!(ld_acquire (&s->slot->state) & JR_ST_MOVED))
    return 0;
  r = __jr_adopt (s->fd, 0);
  if (r < 0)
    return r == -EBADF ? r : -ECONNABORTED;
  return __jr_sock_get (s->fd, s);
}

bool
__jr_ent_hold (uint64_t ent)
{
  if (jr_ent_kind (ent) == JR_FD_EPOLL)
    return __jr_epoll_hold (jr_ent_idx (ent));
  if (jr_ent_kind (ent) != JR_FD_SOCKET)
    return true;
  struct jr_seg *seg = ld_acquire (&__jr.seg[jr_ent_idx (ent)]);
  if (seg == NULL)
    return false;
  add_fetch (&seg->live, 1);
  add_fetch (&seg->ls[jr_ent_slot (ent)].fds, 1);
  return true;
}

/* Another thread may have closed FD meanwhile, so that N is a copy of
   something else.  */
int
__jr_fd_copied (int fd, int n, uint64_t ent, bool cloexec)
{
  bool other = (__jr_fd_entry (fd) & ~JR_ENT_CLOEXEC) != ent;
  if (unlikely_ (other) && (jr_ent_kind (ent) != JR_FD_SOCKET || !__jr_looks_like_handle (n)))
    {
      __jr_ent_unhold (ent);
      return n;
    }
  if (__jr_fd_put (n, ent | (cloexec ? JR_ENT_CLOEXEC : 0)) == 0)
    return n;
  __jr_ent_unhold (ent);
  jr_sys_close (n);
  return -EMFILE;
}

/* The last fd of this process on a slot goes.  */
static void
last_fd (struct jr_seg *seg, uint32_t idx)
{
  struct jr_lslot *ls = &seg->ls[idx];
  add_fetch (&ls->lgen, 1);
  st_relaxed (&ls->shadow_asked, 0);
  if (ld_relaxed (&ls->shadow_fd) >= 0)
    {
      __jr_fd_internal_close (ls->shadow_fd);
      st_relaxed (&ls->shadow_fd, -1);
    }
  __jr_opts_forget (ls);
  struct jr_abi_pair *pair = swap (&ls->pair, NULL);
  /* A thread that still sleeps on it will look at it once more.  */
  if (pair != NULL && ld_relaxed (&seg->busy) == 0)
    jr_sys_munmap (pair, JR_PAIR_SIZE);
}

void
__jr_ent_release (uint64_t ent)
{
  if (jr_ent_kind (ent) == JR_FD_EPOLL)
    __jr_epoll_release (jr_ent_idx (ent));
  if (jr_ent_kind (ent) != JR_FD_SOCKET)
    return;
  struct jr_seg *seg = __jr.seg[jr_ent_idx (ent)];
  uint32_t idx = jr_ent_slot (ent);
  if (add_fetch (&seg->ls[idx].fds, -1) == 0)
    last_fd (seg, idx);
}

/* Takes back a hold that came to nothing.  */
void
__jr_ent_unhold (uint64_t ent)
{
  __jr_ent_release (ent);
  if (jr_ent_kind (ent) == JR_FD_SOCKET)
    add_fetch (&__jr.seg[jr_ent_idx (ent)]->live, -1);
}

/* What the close does has been done when the call ends.  The socket's own
   segment may be dropped by it; the one that new sockets are made in, if this
   process has one, is not.  */
static void
settle_close (struct jr_seg *seg)
{
  struct jr_seg *own = ld_acquire (&__jr.pool);
  __jr_settle (own != NULL ? own : seg, JR_SEG_SLOTS);	/* no socket in particular */
}

/* Whether others can tell: on the host's own addresses, or when the service
   may have a copy of the kernel's listener.  */
static bool
close_settles (struct jr_seg *seg, uint32_t idx)
{
  return ld_relaxed (&jr_policy ()->loopback) == JR_ROUTE_SERVICE
	 || (ld_relaxed (&seg->slots[idx].app_flags) & JR_AF_OFFERED);
}

/* After the kernel closed the fd: the service shall look for the report.  */
void
__jr_closed (uint64_t ent)
{
  if (jr_ent_kind (ent) != JR_FD_SOCKET)
    return;
  struct jr_seg *seg = __jr.seg[jr_ent_idx (ent)];
  add_fetch (&seg->freed, 1);
  add_fetch (&seg->app->closed, 1);
  jr_fence_rmw ();
  uint32_t epoch = ld_relaxed (&jr_policy ()->sleep_epoch);
  if ((epoch & 1) && epoch != ld_relaxed (&__jr.rung))
    __jr_bell ();
  if (close_settles (seg, jr_ent_slot (ent)))
    settle_close (seg);
  if (add_fetch (&seg->live, -1) == 0 && ld_relaxed (&seg->shared))
    __jr_seg_gc ();
}

/* ---- children of vfork: they share memory, but not the fd table ---- */

#define OVERLAYS 16

static struct
{
  int pid, fd;
  uint64_t ent;
} overlay[OVERLAYS];

bool
__jr_foreign (void)
{
  return ld_relaxed (&__jr.pid) != jr_sys_pid ();
}

static int
overlay_of (int fd)
{
  int pid = jr_sys_pid ();
  for (int i = 0; i < OVERLAYS; i++)
    if (ld_relaxed (&overlay[i].pid) == pid && ld_relaxed (&overlay[i].fd) == fd)
      return i;
  return -1;
}

/* What FD is in this child.  */
uint64_t
__jr_overlay_entry (int fd)
{
  int at = overlay_of (fd);
  return at >= 0 ? ld_relaxed (&overlay[at].ent) : __jr_fd_entry (fd) & ~JR_ENT_CLOEXEC;
}

/* Remembers, for exec's hint, that this child put socket ENT on FD.  */
void
__jr_overlay_note (int fd, uint64_t ent)
{
  static uint32_t turn;
  int at = overlay_of (fd);
  if (at < 0)
    at = add_fetch (&turn, 1) % OVERLAYS;
  st_relaxed (&overlay[at].fd, fd);
  st_relaxed (&overlay[at].ent, ent);
  st_relaxed (&overlay[at].pid, jr_sys_pid ());
}

int
__jr_overlay_fds (int *fds, uint64_t *ents, int n)
{
  int k = 0, pid = jr_sys_pid ();
  for (int i = 0; i < OVERLAYS && k < n; i++)
    if (ld_relaxed (&overlay[i].pid) == pid)
      {
	ents[k] = ld_relaxed (&overlay[i].ent);
	fds[k++] = ld_relaxed (&overlay[i].fd);
      }
  return k;
}
