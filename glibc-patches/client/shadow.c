/* The kernel socket behind one of ours: loopback and other interfaces reach
   the program by it.  It has a number of its own in each process, and goes
   where its socket goes: fork copies it, exec leaves it open, and before the
   socket is passed to another process the service is given a copy, which who
   presents the handle gets from it.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define ASK_MAX 16

int
__jr_shadow (struct jr_sock *s)
{
  return ld_relaxed (&s->ls->shadow_fd);
}

static void
shadow_is (struct jr_seg *seg, uint32_t idx, int fd)
{
  struct jr_abi_slot *slot = &seg->slots[idx];
  st_release (&seg->ls[idx].shadow_fd, fd);
  slot->shadow_fd = fd;
  set_bits (&slot->app_flags, JR_AF_SHADOWED);
}

/* KSOCK is closed, or has another number afterwards.  */
int
__jr_shadow_set (struct jr_sock *s, int ksock)
{
  int fl = jr_sys_fcntl (ksock, F_GETFL, 0);
  jr_sys_fcntl (ksock, F_SETFL, fl | O_NONBLOCK);
  int fd = __jr_fd_internal (ksock, JR_USE_SHADOW, s->seg->index, s->idx);
  if (fd < 0)
    return fd;
  shadow_is (s->seg, s->idx, fd);
  __jr_epoll_shadowed (s);
  return 0;
}

void
__jr_shadow_drop (struct jr_sock *s)
{
  int fd = swap (&s->ls->shadow_fd, -1);
  clear_bits (&s->slot->app_flags, JR_AF_SHADOWED);
  s->slot->shadow_fd = -1;
  if (fd >= 0)
    __jr_fd_internal_close (fd);
}

/* Of a socket that no longer listens.  Who waits there wakes up first.  */
void
__jr_shadow_end (struct jr_sock *s, int how)
{
  if (__jr_shadow (s) < 0)
    return;
  JR_SYSCALL (shutdown, __jr_shadow (s), how);
  __jr_shadow_drop (s);
}

/* ---- in a program that got the socket ---- */

static bool
is_behind (const struct jr_abi_slot *slot, int fd)
{
  struct sockaddr_storage ss;
  socklen_t len = sizeof ss;
  if (jr_sys_getsockname (fd, (struct sockaddr *) &ss, &len) < 0
      || ss.ss_family != slot->family)
    return false;
  return slot->local.port == ntohs (ss.ss_family == AF_INET
				    ? ((struct sockaddr_in *) &ss)->sin_port
				    : ((struct sockaddr_in6 *) &ss)->sin6_port);
}

/* FD came with the socket.  It is closed if there is one already.  */
void
__jr_shadow_got (struct jr_seg *seg, uint32_t idx, int fd)
{
  if (ld_relaxed (&seg->ls[idx].shadow_fd) >= 0 || !is_behind (&seg->slots[idx], fd))
    {
      jr_sys_close (fd);
      return;
    }
  fd = __jr_fd_internal (fd, JR_USE_SHADOW, seg->index, idx);
  if (fd >= 0)
    shadow_is (seg, idx, fd);
}

/* It has the number that it had in the program before exec.  */
void
__jr_shadow_inherit (struct jr_seg *seg, uint32_t idx)
{
  struct jr_abi_slot *slot = &seg->slots[idx];
  int fd = slot->shadow_fd;
  if (!(ld_relaxed (&slot->app_flags) & JR_AF_SHADOWED) || fd < 0
      || ld_relaxed (&seg->ls[idx].shadow_fd) >= 0 || __jr_fd_entry (fd) != 0
      || !is_behind (slot, fd)
      || __jr_fd_put (fd, jr_ent_make (JR_FD_INTERNAL, JR_USE_SHADOW, seg->index,
				       idx, 0)) < 0)
    return;
  jr_sys_fcntl (fd, F_SETFD, FD_CLOEXEC);
  st_release (&seg->ls[idx].shadow_fd, fd);
}

/* Its socket was moved to another slot.  */
void
__jr_shadow_rehome (uint64_t old, uint64_t ent)
{
  struct jr_seg *seg = __jr.seg[jr_ent_idx (ent)];
  uint32_t idx = jr_ent_slot (ent);
  struct jr_lslot *was = &__jr.seg[jr_ent_idx (old)]->ls[jr_ent_slot (old)];
  struct jr_lslot *now = &seg->ls[idx];
  int fd = ld_relaxed (&was->shadow_fd);
  if (fd < 0 || ld_relaxed (&now->shadow_fd) >= 0
      || __jr_fd_put (fd, jr_ent_make (JR_FD_INTERNAL, JR_USE_SHADOW, seg->index,
				       idx, 0)) < 0)
    return;
  st_release (&now->shadow_fd, fd);
  st_release (&was->shadow_fd, -1);
}

/* ---- by way of the service ---- */

/* SEND: given to the service; -1: asked for, *GOT.  */
static int
exchange (struct jr_sock *s, int send, int *got)
{
  struct jr_abi_ctl_shadow_req req = { .seg_id = s->seg->id, .slot = s->idx };
  struct jr_abi_ctl_shadow_rep rep;
  memcpy (req.key, s->seg->hdr->key, sizeof req.key);
  struct jr_ctl_msg m = { .op = JR_CTL_SHADOW, .req = &req, .req_len = sizeof req,
			  .send_fd = send, .rep = &rep, .rep_len = sizeof rep,
			  .fds = got, .max_fds = send < 0 };
  int r = __jr_attach_locked ();
  if (r == 0)
    r = __jr_ctl_call (&m);
  return r == 0 && send < 0 && m.nfds != 1 ? -EPROTO : r;
}

/* The service will give it to whoever presents the handle.  */
void
__jr_shadow_offer (struct jr_sock *s)
{
  uint64_t mask;
  int fd = __jr_shadow (s);
  if (fd < 0)
    return;
  __jr_lock_take (&__jr.lock, &mask);
  if (exchange (s, fd, NULL) == 0)
    set_bits (&s->slot->app_flags, JR_AF_OFFERED);
  __jr_lock_drop (&__jr.lock, &mask);
}

/* Another process that has the socket made it, and may not have told yet.  */
int
__jr_shadow_find (struct jr_sock *s)
{
  uint64_t mask;
  int fd = __jr_shadow (s), got = -1;
  if (likely_ (fd >= 0 || !(ld_relaxed (&s->slot->app_flags) & JR_AF_SHADOWED)
	       || ld_relaxed (&s->ls->shadow_asked) >= ASK_MAX || jr_gone (s->seg)))
    return fd;
  __jr_lock_take (&__jr.lock, &mask);
  add_fetch (&s->ls->shadow_asked, 1);
  if (__jr_shadow (s) < 0 && exchange (s, -1, &got) == 0)
    __jr_shadow_got (s->seg, s->idx, got);
  fd = __jr_shadow (s);
  __jr_lock_drop (&__jr.lock, &mask);
  if (fd >= 0)
    __jr_epoll_shadowed (s);
  return fd;
}

/* Of a bound socket that does not listen yet: the kernel would not bind
   another one to its port for a program that gave up its privileges.  */
void
__jr_shadow_reserved (struct jr_sock *s)
{
  uint64_t mask;
  int got = -1;
  __jr_lock_take (&__jr.lock, &mask);
  if (__jr_shadow (s) < 0 && exchange (s, -1, &got) == 0)
    {
      int fl = jr_sys_fcntl (got, F_GETFL, 0);
      jr_sys_fcntl (got, F_SETFL, fl | O_NONBLOCK);
      __jr_opts_replay (s, got);
      __jr_shadow_got (s->seg, s->idx, got);
    }
  __jr_lock_drop (&__jr.lock, &mask);
  if (__jr_shadow (s) >= 0)
    __jr_epoll_shadowed (s);
}

/* Before a message is sent: the sockets in it may be for another process.  */
void
__jr_scm_sending (const struct msghdr *msg)
{
  struct jr_sock s;
  if (!jr_can_read (msg, sizeof *msg) || msg->msg_control == NULL
      || msg->msg_controllen < CMSG_LEN (sizeof (int))
      || msg->msg_controllen > INT32_MAX
      || !jr_can_read (msg->msg_control, msg->msg_controllen))
    return;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (msg); c != NULL;
       c = CMSG_NXTHDR ((struct msghdr *) msg, c))
    {
      const uint8_t *at = CMSG_DATA (c), *end = (const uint8_t *) c + c->cmsg_len;
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS
	  || end > (const uint8_t *) msg->msg_control + msg->msg_controllen)
	continue;
      for (; at + sizeof (int) <= end; at += sizeof (int))
	{
	  int fd;
	  memcpy (&fd, at, sizeof fd);
	  if (jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_SOCKET
	      && __jr_sock_find (fd, &s) == 0)
	    __jr_shadow_offer (&s);
	}
    }
}

void
__jr_scm_sending_all (const struct mmsghdr *msgs, unsigned int n)
{
  if (n > UIO_MAXIOV)
    n = UIO_MAXIOV;
  for (unsigned int i = 0; i < n && jr_can_read (&msgs[i], sizeof msgs[i]); i++)
    __jr_scm_sending (&msgs[i].msg_hdr);
}
