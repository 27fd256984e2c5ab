/* Readiness of a socket at this moment, as tcp_poll and datagram_poll have
   it: the one answer for poll, select and epoll.  And the event queues that
   tell when to look again.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define IN_BITS (POLLIN | POLLRDNORM)
#define OUT_BITS (POLLOUT | POLLWRNORM)

static bool
writable (struct jr_sock *s, struct jr_dir *d)
{
  uint64_t head = ld_acquire (&d->r->head), tail = ld_acquire (&d->r->tail);
  uint64_t used = tail - head;
  uint32_t cap = __jr_tx_cap (s->slot, d->r, false);
  if (jr_is_stream (s))
    return used + used / 2 <= cap && used < cap;
  return used <= cap / 2;
}

/* ARM: from now on the other side tells when there is room.  */
static unsigned int
out_bits (struct jr_sock *s, struct jr_dir *d, unsigned int want, bool arm)
{
  if (writable (s, d))
    return OUT_BITS;
  if (!arm || !(want & (OUT_BITS | POLLWRBAND)))
    return 0;
  add_fetch (&d->r->space_wait, 1);
  jr_fence_rmw ();
  return writable (s, d) ? OUT_BITS : 0;
}

static unsigned int
stream_bits (struct jr_sock *s, uint32_t state, unsigned int want, bool arm,
	     struct jr_dir *tx, struct jr_dir *rx)
{
  unsigned int bits = 0;
  bool rx_end = (state & (JR_ST_RX_EOF | JR_ST_DEAD))
		|| (ld_acquire (&rx->r->flags) & JR_RING_FIN)
		|| (ld_relaxed (&rx->r->cflags) & JR_RING_FIN);
  bool tx_end = (state & (JR_ST_TX_CLOSED | JR_ST_DEAD))
		|| (ld_relaxed (&tx->r->flags) & JR_RING_FIN)
		|| (tx->peer_watched != NULL
		    && (ld_relaxed (&tx->r->cflags) & JR_RING_FIN));
  if (rx_end)
    bits |= IN_BITS | POLLRDHUP;
  if (rx_end && tx_end)
    bits |= POLLHUP;
  if (!(state & (JR_ST_CONNECTED | JR_ST_CONNECTING | JR_ST_DEAD)))
    return bits | POLLHUP | OUT_BITS;
  if (!(state & (JR_ST_CONNECTED | JR_ST_DEAD)))
    return bits;
  uint64_t head = ld_acquire (&rx->r->head), tail = ld_acquire (&rx->r->tail);
  uint64_t n = tail - head;
  uint32_t low = s->slot->rcvlowat;
  if (unlikely_ (ld_relaxed (&rx->r->urg) > head))
    {
      struct jr_rx_view v;
      __jr_rx_urgent (s, rx, head, tail, &v);
      /* The kernel counts what is behind the mark, too.  */
      n = v.at_mark ? n - v.skip : v.n;
      if (__jr_urgent_state (rx) > 0)
	bits |= POLLPRI;
    }
  if (n > 0 && (n >= low || n >= ld_relaxed (&rx->r->cap)))
    bits |= IN_BITS;
  return bits | (tx_end ? OUT_BITS : out_bits (s, tx, want, arm));
}

static unsigned int
dgram_bits (struct jr_sock *s, uint32_t state, unsigned int want, bool arm,
	    struct jr_dir *tx, struct jr_dir *rx)
{
  unsigned int bits = 0;
  uint64_t head = ld_acquire (&rx->r->head);
  if (ld_acquire (&rx->r->tail) != head)
    bits |= IN_BITS;
  if (ld_relaxed (&rx->r->cflags) & JR_RING_FIN)
    {
      bits |= IN_BITS | POLLRDHUP;
      if (ld_relaxed (&tx->r->flags) & JR_RING_FIN)
	bits |= POLLHUP;
    }
  if (state & JR_ST_DEAD)
    bits |= IN_BITS | POLLHUP;
  if (out_bits (s, tx, want, arm) != 0)
    bits |= OUT_BITS | POLLWRBAND;
  return bits;
}

/* A pair's other end must know that somebody watches this one.  */
static void
tell_watched (struct jr_sock *s)
{
  struct jr_abi_pair *pair = ld_acquire (&s->ls->pair);
  if (pair == NULL)
    return;
  uint32_t *watched = &pair->watched[s->ls->pair_end];
  if (ld_relaxed (&s->slot->watch) != 0 && !ld_relaxed (watched))
    {
      st_relaxed (watched, 1);
      jr_fence ();
    }
}

unsigned int
__jr_ready (struct jr_sock *s, unsigned int want, bool arm)
{
  uint32_t state;
  struct jr_dir tx, rx;
  while (jr_state (s, &state) < 0)
    if (__jr_sock_follow (s) < 0)
      return POLLNVAL;
  unsigned int bits = jr_err_pending (s->slot) || ld_relaxed (&s->slot->nerrors) != 0
		      || jr_zc_pending (s) ? POLLERR : 0;
  if (jr_gone (s->seg))
    {
      /* The kernel listener behind it goes on.  */
      if ((state & JR_ST_LISTENING) && ld_relaxed (&s->ls->shadow_fd) >= 0)
	return 0;
      if (!(ld_relaxed (&s->slot->app_flags) & JR_AF_GONE_SEEN))
	bits |= POLLERR;
      return bits | POLLHUP | POLLRDHUP | IN_BITS | OUT_BITS;
    }
  if (state & JR_ST_LISTENING)
    return ld_acquire (&s->slot->accept_ready) > 0 ? IN_BITS : 0;
  int r = __jr_dir_tx (s, state, &tx);
  if (r == 0)
    r = __jr_dir_rx (s, state, &rx);
  if (r < 0)
    return POLLERR | POLLHUP;
  if (state & JR_ST_PAIR)
    tell_watched (s);
  if (jr_is_stream (s))
    return bits | stream_bits (s, state, want, arm, &tx, &rx);
  return bits | dgram_bits (s, state, want, arm, &tx, &rx);
}

/* ---- event queues ---- */

void
__jr_watch (struct jr_sock *s, uint32_t eq)
{
  set_bits (&s->slot->watch, 1ull << eq);
  jr_fence_rmw ();
  tell_watched (s);
}

void
__jr_unwatch (struct jr_sock *s, uint32_t eq)
{
  uint64_t left = clear_bits (&s->slot->watch, 1ull << eq) & ~(1ull << eq);
  struct jr_abi_pair *pair = ld_acquire (&s->ls->pair);
  if (left != 0 || pair == NULL)
    return;
  st_relaxed (&pair->watched[s->ls->pair_end], 0);
  jr_fence ();
  /* Somebody else may have begun meanwhile.  */
  tell_watched (s);
}

bool
__jr_eq_posted (struct jr_seg *seg, uint32_t eq)
{
  uint64_t any = 0;
  for (int w = 0; w < 4; w++)
    any |= ld_relaxed (&seg->eqs[eq].posted[w]);
  return any != 0;
}

void
__jr_eq_arm (struct jr_seg *seg, uint32_t eq)
{
  add_fetch (&seg->eqs[eq].sleep_gen, 1);
  jr_fence_rmw ();
}

/* What a process that is no more watched.  */
static void
forget_watched (struct jr_seg *seg, uint32_t eq)
{
  uint64_t bit = 1ull << eq;
  for (uint32_t i = 0; i < JR_SEG_SLOTS; i++)
    {
      struct jr_abi_slot *slot = &seg->slots[i];
      if (ld_relaxed (&slot->exclusive) & bit)
	clear_bits (&slot->exclusive, bit);
      if (ld_relaxed (&slot->watch) & bit)
	clear_bits (&slot->watch, bit);
    }
}

static uint32_t
take_free (struct jr_seg *seg, enum jr_abi_eq_kind kind)
{
  for (uint32_t e = 0; e < JR_SEG_EQS; e++)
    {
      uint32_t was = JR_EQ_FREE;
      if (cas (&seg->eqs[e].kind, &was, kind))
	return e;
    }
  /* One whose process ended without giving it back.  */
  for (uint32_t e = 0; e < JR_SEG_EQS; e++)
    {
      uint32_t owner = ld_relaxed (&seg->eqs[e].owner);
      if (owner != 0 && !jr_sys_thread_exists (owner)
	  && cas (&seg->eqs[e].owner, &owner, 0))
	{
	  st_relaxed (&seg->eqs[e].kind, kind);
	  forget_watched (seg, e);
	  return e;
	}
    }
  return JR_NO_EQ;
}

uint32_t
__jr_eq_claim (struct jr_seg *seg, enum jr_abi_eq_kind kind, int efd)
{
  if (jr_gone (seg) || __jr_attach_locked () < 0)
    return JR_NO_EQ;
  uint32_t eq = take_free (seg, kind);
  if (eq == JR_NO_EQ)
    return eq;
  st_relaxed (&seg->eqs[eq].owner, __jr.pid);
  for (int w = 0; w < 4; w++)
    st_relaxed (&seg->eqs[eq].posted[w], 0);
  struct jr_abi_ctl_eq_register_req req = { .seg_id = seg->id, .eq = eq };
  struct jr_abi_ctl_eq_register_rep rep;
  memcpy (req.key, seg->hdr->key, sizeof req.key);
  struct jr_ctl_msg m = { .op = JR_CTL_EQ_REGISTER, .req = &req,
			  .req_len = sizeof req, .send_fd = efd, .rep = &rep,
			  .rep_len = sizeof rep };
  if (__jr_ctl_call (&m) == 0)
    return eq;
  __jr_eq_release (seg, eq);
  return JR_NO_EQ;
}

void
__jr_eq_release (struct jr_seg *seg, uint32_t eq)
{
  if (ld_relaxed (&seg->eqs[eq].owner) != (uint32_t) __jr.pid)
    return;
  st_relaxed (&seg->eqs[eq].owner, 0);
  st_release (&seg->eqs[eq].kind, JR_EQ_FREE);
}
