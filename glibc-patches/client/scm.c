/* Adopting handles that came by exec, by SCM_RIGHTS, or whose socket was
   moved to another segment.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* A FIFO open for both is hardly ever anything else; the service has the
   last word.  */
bool
__jr_looks_like_handle (int fd)
{
  struct stat st;
  if (jr_sys_fstat (fd, &st) < 0 || !S_ISFIFO (st.st_mode))
    return false;
  if (__jr.handle_dev != 0 && st.st_dev != __jr.handle_dev)
    return false;
  int fl = jr_sys_fcntl (fd, F_GETFL, 0);
  return fl >= 0 && (fl & O_ACCMODE) == O_RDWR;
}

static int
ask (int fd, uint32_t flags, uint64_t *ent)
{
  struct jr_abi_ctl_adopt_req req = { .flags = flags };
  struct jr_abi_ctl_adopt_rep rep;
  int fds[2] = { -1, -1 };
  struct jr_ctl_msg m = { .op = JR_CTL_ADOPT, .req = &req, .req_len = sizeof req,
			  .send_fd = fd, .rep = &rep, .rep_len = sizeof rep,
			  .fds = fds, .max_fds = 2 };
  int r = __jr_ctl_call (&m);
  if (r < 0)
    return r;
  unsigned int mem = rep.new_seg != 0;
  struct jr_seg *seg = __jr_seg_find (rep.seg_id);
  if (seg == NULL && mem && m.nfds >= 1)
    {
      seg = __jr_seg_map (fds[0], rep.seg_id);
      /* Made for this one socket.  */
      if (seg != NULL)
	st_relaxed (&seg->shared, 1);
    }
  if (mem && m.nfds >= 1)
    jr_sys_close (fds[0]);
  bool ok = seg != NULL && rep.slot < seg->nslots;
  if (ok)
    {
      *ent = jr_ent_make (JR_FD_SOCKET, 0, seg->index, rep.slot, rep.gen);
      __jr_shadow_inherit (seg, rep.slot);
    }
  if (m.nfds > mem && ok)
    __jr_shadow_got (seg, rep.slot, fds[mem]);
  else if (m.nfds > mem)
    jr_sys_close (fds[mem]);
  return ok ? 0 : -ENOMEM;
}

static void
enter_new (int fd, uint64_t ent)
{
  struct stat st;
  if (__jr.handle_dev == 0 && jr_sys_fstat (fd, &st) == 0)
    __jr.handle_dev = st.st_dev;
  if (jr_sys_fcntl (fd, F_GETFD, 0) & FD_CLOEXEC)
    ent |= JR_ENT_CLOEXEC;
  __jr_ent_hold (ent);
  if (__jr_fd_put (fd, ent) < 0)
    __jr_ent_unhold (ent);
}

/* Options that a kernel listener made later is to have go along.  */
static void
rehome_opts (uint64_t old, uint64_t ent)
{
  struct jr_lslot *was = &__jr.seg[jr_ent_idx (old)]->ls[jr_ent_slot (old)];
  struct jr_lslot *now = &__jr.seg[jr_ent_idx (ent)]->ls[jr_ent_slot (ent)];
  if (now->nopts != 0)
    return;
  memcpy (now->opt, was->opt, sizeof now->opt);
  now->nopts = was->nopts;
  struct jr_long_opts *longs = was->longs;
  was->longs = now->longs;
  now->longs = longs;
}

/* All fds of the process that had the socket where it was; their number.
   Each is still counted there.  */
static unsigned int
rehome (uint64_t old, uint64_t ent)
{
  uint64_t e;
  unsigned int n = 0;
  if ((old & JR_ENT_ID) == ent)
    return 0;
  __jr_shadow_rehome (old, ent);
  rehome_opts (old, ent);
  for (int fd = __jr_fd_next (0, &e); fd >= 0; fd = __jr_fd_next (fd + 1, &e))
    {
      if ((e & JR_ENT_ID) != (old & JR_ENT_ID))
	continue;
      __jr_ent_hold (ent);
      __jr_fd_put (fd, ent | (e & JR_ENT_CLOEXEC));
      n++;
    }
  return n;
}

/* FLAGS: JR_ADOPT_*.  */
int
__jr_adopt (int fd, uint32_t flags)
{
  uint64_t mask, ent = 0;
  unsigned int moved = 0;
  __jr_lock_take (&__jr.lock, &mask);
  uint64_t old = __jr_fd_entry (fd);
  int r = __jr_attach_locked ();
  if (r == 0)
    r = ask (fd, flags, &ent);
  if (r == 0 && jr_ent_kind (old) == JR_FD_SOCKET)
    moved = rehome (old, ent);
  else if (r == 0 && old == 0)
    enter_new (fd, ent);
  __jr_lock_drop (&__jr.lock, &mask);
  if (r < 0 || old == 0)
    return r;
  uint64_t e;
  for (int n = __jr_fd_next (0, &e); n >= 0; n = __jr_fd_next (n + 1, &e))
    if ((e & JR_ENT_ID) == ent)
      __jr_epoll_moved (n);
  /* Not before: an epoll takes a socket without fds for a closed one.  */
  while (moved-- > 0)
    __jr_ent_unhold (old);
  return 0;
}

/* FD was just made by the kernel, of somebody's fd: perhaps a socket.  */
static void
fd_received (int fd)
{
  if (__jr_fd_entry (fd) != 0)
    return;
  if (__jr_looks_like_handle (fd))
    __jr_adopt (fd, JR_ADOPT_RECEIVED);
  else
    __jr_epoll_received (fd);
}

/* Nobody sent it, so nobody gave the service what is behind it.  */
void
__jr_fd_gotten (int fd, int pidfd)
{
  struct jr_sock s;
  uint64_t mask;
  fd_received (fd);
  if (__jr_sock_find (fd, &s) < 0 || __jr_shadow (&s) >= 0
      || !(ld_relaxed (&s.slot->app_flags) & JR_AF_SHADOWED))
    return;
  int shadow = JR_SYSCALL (pidfd_getfd, pidfd, s.slot->shadow_fd, 0);
  if (shadow < 0)
    return;
  __jr_lock_take (&__jr.lock, &mask);
  __jr_shadow_got (s.seg, s.idx, shadow);
  __jr_lock_drop (&__jr.lock, &mask);
}

void
__jr_scm_received (const struct msghdr *msg)
{
  if (msg->msg_controllen < CMSG_LEN (sizeof (int)))
    return;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (msg); c != NULL;
       c = CMSG_NXTHDR ((struct msghdr *) msg, c))
    {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
	continue;
      size_t n = (c->cmsg_len - CMSG_LEN (0)) / sizeof (int);
      for (size_t i = 0; i < n; i++)
	{
	  int fd;
	  memcpy (&fd, CMSG_DATA (c) + i * sizeof fd, sizeof fd);
	  fd_received (fd);
	}
    }
}
