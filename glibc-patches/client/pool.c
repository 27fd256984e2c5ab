/* Handles made ahead of need, parked at high numbers: a new socket is one
   F_DUPFD and one close.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

static int
pop_from (struct jr_seg *seg, struct jr_sock *s, int *handle)
{
  for (uint32_t w = 0; w < 4; w++)
    for (;;)
      {
	uint64_t bits = ld_acquire (&seg->parked[w]);
	if (bits == 0)
	  break;
	uint64_t bit = bits & -bits;
	if (!(clear_bits (&seg->parked[w], bit) & bit))
	  continue;
	s->seg = seg;
	s->idx = w * 64 + __builtin_ctzll (bit);
	s->slot = &seg->slots[s->idx];
	s->ls = &seg->ls[s->idx];
	s->gen = ld_acquire (&s->slot->gen) & 0xffffff;
	s->fd = -1;
	*handle = s->ls->parked_fd;
	return 0;
      }
  return -EAGAIN;
}

/* Parks what the service sent.  */
static unsigned int
park (struct jr_seg *seg, const struct jr_abi_ctl_handles_rep *rep, int *fds,
      unsigned int n)
{
  unsigned int parked = 0;
  struct jr_limit l = { .raised = false };
  bool above = ld_relaxed (&__jr.fd_base) >= jr_sys_rlimit_nofile ();
  if (above)
    __jr_limit_raise (&l);
  if (above && !l.raised)
    {
      __jr_limit_restore (&l);
      above = false;
    }
  for (unsigned int i = 0; i < n; i++)
    {
      uint32_t slot = rep->slot[i];
      if (slot >= seg->nslots || i >= rep->n)
	{
	  jr_sys_close (fds[i]);
	  continue;
	}
      if (__jr.handle_dev == 0)
	{
	  struct stat st;
	  if (jr_sys_fstat (fds[i], &st) == 0)
	    __jr.handle_dev = st.st_dev;
	}
      int fd = __jr_fd_internal (fds[i], JR_USE_PARKED, seg->index, slot);
      if (fd < 0)
	continue;
      seg->ls[slot].parked_fd = fd;
      set_bits (&seg->parked[slot / 64], 1ull << slot % 64);
      parked++;
    }
  if (above)
    __jr_limit_restore (&l);
  return parked;
}

/* How many came; 0: the segment is full.  */
static int
ask_handles (struct jr_seg *seg)
{
  struct jr_abi_ctl_handles_req req = { .seg_id = seg->id, .want = __jr.batch };
  struct jr_abi_ctl_handles_rep rep;
  int fds[JR_HANDLE_BATCH];
  struct jr_ctl_msg m = { .op = JR_CTL_HANDLES, .req = &req, .req_len = sizeof req,
			  .send_fd = -1, .rep = &rep, .rep_len = sizeof rep,
			  .fds = fds, .max_fds = JR_HANDLE_BATCH };
  st_relaxed (&seg->freed, 0);
  int r = __jr_ctl_call (&m);
  if (r < 0)
    return r == -ENOSPC ? 0 : r;
  unsigned int n = park (seg, &rep, fds, m.nfds);
  if (n > 0 && __jr.batch < JR_HANDLE_BATCH)
    __jr.batch *= 2;
  return n;
}

static struct jr_seg *
new_segment (void)
{
  struct jr_abi_ctl_seg_new_req req = { 0 };
  struct jr_abi_ctl_seg_new_rep rep;
  int fd = -1;
  struct jr_ctl_msg m = { .op = JR_CTL_SEG_NEW, .req = &req, .req_len = sizeof req,
			  .send_fd = -1, .rep = &rep, .rep_len = sizeof rep,
			  .fds = &fd, .max_fds = 1 };
  if (__jr_ctl_call (&m) < 0 || m.nfds != 1)
    return NULL;
  struct jr_seg *seg = __jr_seg_map (fd, rep.seg_id);
  jr_sys_close (fd);
  return seg;
}

static bool
usable (struct jr_seg *seg)
{
  return seg != NULL && !ld_relaxed (&seg->shared) && !jr_gone (seg);
}

/* Own segments that were full but had sockets closed since.  */
static struct jr_seg *
segment_with_room (void)
{
  for (uint32_t i = 0; i < __jr.nsegs; i++)
    if (usable (__jr.seg[i]) && ld_relaxed (&__jr.seg[i]->freed) >= 16)
      return __jr.seg[i];
  return NULL;
}

static int
refill_locked (void)
{
  int r = __jr_attach_locked ();
  if (r < 0)
    return r;
  struct jr_seg *seg = ld_relaxed (&__jr.pool);
  if (seg != NULL && !usable (seg))
    {
      st_release (&__jr.pool, NULL);
      __jr_pool_drop_locked (seg);
      seg = NULL;
    }
  if (seg != NULL && (r = ask_handles (seg)) != 0)
    return r;
  while ((seg = segment_with_room ()) != NULL)
    if ((r = ask_handles (seg)) != 0)
      break;
  if (seg == NULL)
    {
      if (!ld_relaxed (&__jr.attached) || (seg = new_segment ()) == NULL)
	return -ENOMEM;
      r = ask_handles (seg);
      if (r == 0)
	st_relaxed (&seg->shared, 1);	/* nothing to be had; unmapped some day */
    }
  if (r > 0)
    st_release (&__jr.pool, seg);
  return r > 0 ? r : r < 0 ? r : -ENFILE;
}

int
__jr_pool_pop (struct jr_sock *s, int *handle)
{
  for (int tries = 0; tries < 8; tries++)
    {
      struct jr_seg *pool = ld_acquire (&__jr.pool);
      if (likely_ (pool != NULL))
	{
	  if (jr_gone (pool))
	    __jr_service_lost ();
	  else if (!ld_relaxed (&pool->shared) && pop_from (pool, s, handle) == 0)
	    return 0;
	}
      int r = __jr_attach ();
      if (r < 0)
	return r;
      uint64_t mask;
      __jr_lock_take (&__jr.lock, &mask);
      /* Another thread may have done it meanwhile.  */
      if (ld_relaxed (&__jr.pool) == pool)
	r = refill_locked ();
      __jr_lock_drop (&__jr.lock, &mask);
      if (pool != NULL && pool != ld_relaxed (&__jr.pool))
	__jr_seg_gc ();
      if (r < 0)
	return r;
    }
  return -EAGAIN;
}

/* Gives an unused handle back.  */
void
__jr_pool_push (struct jr_sock *s)
{
  set_bits (&s->seg->parked[s->idx / 64], 1ull << s->idx % 64);
}

void
__jr_pool_drop_locked (struct jr_seg *seg)
{
  struct jr_sock s;
  int handle;
  while (pop_from (seg, &s, &handle) == 0)
    {
      s.ls->parked_fd = -1;
      __jr_fd_internal_close (handle);
    }
}

void
__jr_slot_init (struct jr_sock *s, int family, int type, int protocol, int oflags)
{
  struct jr_abi_slot *slot = s->slot;
  slot->family = family;
  slot->type = type;
  slot->protocol = protocol;
  st_relaxed (&slot->oflags, oflags);
  st_relaxed (&slot->watch, 0);
  st_relaxed (&slot->err_taken, ld_relaxed (&slot->err));
  slot->rcvlowat = 1;
  slot->rcvtimeo_us = slot->sndtimeo_us = 0;
  slot->shadow_fd = -1;
  st_relaxed (&slot->app_flags, 0);
  st_relaxed (&slot->stamp, 0);
  st_relaxed (&slot->peek_off, -1);
  st_relaxed (&slot->zc_sent, 0);
  st_relaxed (&slot->zc_told, 0);
  st_relaxed (&slot->rx.cflags, 0);
  st_relaxed (&slot->tx.flags, 0);
  if (slot->tx.cap == 0)
    slot->tx.cap = ld_relaxed (&slot->tx_grant);
  s->ls->tx_phase = 0;
  s->ls->tx_frame = NULL;
  __jr_opts_forget (s->ls);
  s->ls->spin_fails = 0;
  s->ls->idle_polls = 0;
}

int
__jr_pool_number (int handle, bool cloexec)
{
  return jr_sys_fcntl (handle, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
}

int
__jr_pool_enter (struct jr_sock *s, int handle, int fd, bool cloexec)
{
  uint64_t ent = jr_ent_make (JR_FD_SOCKET, 0, s->seg->index, s->idx, s->gen)
		 | (cloexec ? JR_ENT_CLOEXEC : 0);
  __jr_ent_hold (ent);
  int r = __jr_fd_put (fd, ent);
  s->ls->parked_fd = -1;
  __jr_fd_internal_close (handle);
  if (r < 0)
    {
      __jr_ent_unhold (ent);
      jr_sys_close (fd);
      return -EMFILE;
    }
  s->fd = fd;
  return fd;
}
