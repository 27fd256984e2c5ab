/* Mapping segments and pair regions.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* What is known of each here: memory that stays and is used again, as another
   thread may have looked up a socket just before it was closed.  The segment
   itself stays mapped for a while.  */
static struct jr_seg *rooms[JR_MAX_SEGS];

#define IDLE_NS JR_NSEC_PER_SEC
#define IDLE_MAX 64

static int
free_index (void)
{
  for (uint32_t i = 0; i < JR_MAX_SEGS; i++)
    if (__jr.seg[i] == NULL)
      return i;
  return -1;
}

static void
point (struct jr_seg *seg, uint8_t *base)
{
  seg->base = base;
  seg->hdr = (void *) (base + JR_SEG_HDR_OFF);
  seg->app = (void *) (base + JR_SEG_APP_OFF);
  seg->cells = (void *) (base + JR_SEG_CELL_OFF);
  seg->eqs = (void *) (base + JR_SEG_EQ_OFF);
  seg->slots = (void *) (base + JR_SEG_SLOT_OFF);
}

/* Bytes to map: one that was made for a single socket takes up no more
   addresses than that needs.  0: it is none of ours.  */
static uint64_t
mapped_size (int fd, uint32_t id)
{
  struct jr_abi_seg_hdr *hdr = jr_sys_map_shared (fd, sizeof *hdr, PROT_READ);
  if (hdr == NULL)
    return 0;
  uint32_t nslots = hdr->nslots;
  bool ok = hdr->magic == JR_ABI_MAGIC && hdr->checksum == JR_ABI_CHECKSUM
	    && hdr->seg_id == id && nslots <= JR_SEG_SLOTS;
  jr_sys_munmap (hdr, sizeof *hdr);
  return ok ? JR_SEG_RING_OFF + (uint64_t) nslots * 2 * JR_RING_MAX : 0;
}

/* Under __jr.lock.  NULL when it can't be mapped; FD stays open.  */
struct jr_seg *
__jr_seg_map (int fd, uint32_t id)
{
  uint64_t size = mapped_size (fd, id);
  int index = free_index ();
  if (index < 0 || size == 0)
    return NULL;
  if (rooms[index] == NULL)
    rooms[index] = jr_sys_map_anon (sizeof (struct jr_seg));
  struct jr_seg *seg = rooms[index];
  if (seg == NULL)
    return NULL;
  uint8_t *base = jr_sys_map_shared (fd, size, PROT_READ | PROT_WRITE);
  if (base == NULL)
    return NULL;
  point (seg, base);
  seg->id = id;
  seg->index = index;
  seg->size = size;
  seg->nslots = (size - JR_SEG_RING_OFF) / (2 * JR_RING_MAX);
  for (uint32_t i = 0; i < seg->nslots; i++)
    seg->ls[i].shadow_fd = seg->ls[i].parked_fd = -1;
  st_release (&__jr.seg[index], seg);
  if (__jr.nsegs < (uint32_t) index + 1)
    st_release (&__jr.nsegs, index + 1);
  return seg;
}

/* Under __jr.lock.  */
struct jr_seg *
__jr_seg_find (uint32_t id)
{
  for (uint32_t i = 0; i < __jr.nsegs; i++)
    if (__jr.seg[i] != NULL && __jr.seg[i]->id == id && !jr_gone (__jr.seg[i]))
      return __jr.seg[i];
  return NULL;
}

static bool
has_parked (struct jr_seg *seg)
{
  uint64_t any = 0;
  for (int w = 0; w < 4; w++)
    any |= ld_relaxed (&seg->parked[w]);
  return any != 0;
}

static bool
is_idle (struct jr_seg *seg)
{
  return seg != __jr.pool && ld_relaxed (&seg->shared) && ld_relaxed (&seg->live) == 0
	 && ld_relaxed (&seg->busy) == 0 && !has_parked (seg);
}

/* Unmaps segments in which this process has no socket and gets none.  */
void
__jr_seg_gc (void)
{
  uint64_t mask;
  uint32_t waiting = 0;
  int64_t now = jr_sys_now (CLOCK_MONOTONIC_COARSE);
  __jr_lock_take (&__jr.lock, &mask);
  for (uint32_t i = 0; i < __jr.nsegs; i++)
    {
      struct jr_seg *seg = __jr.seg[i];
      if (seg == NULL)
	continue;
      if (!is_idle (seg))
	{
	  seg->idle_ns = 0;
	  continue;
	}
      if (seg->idle_ns == 0)
	seg->idle_ns = now;
      if ((now - seg->idle_ns < IDLE_NS && waiting++ < IDLE_MAX) || !__jr_epoll_seg_gone (seg))
	continue;
      for (int k = 0; k < JR_MAX_POLLERS; k++)
	if (__jr.poller[k] != NULL)
	  __jr.poller[k]->eq[i] = 0;
      st_release (&__jr.seg[i], NULL);
      jr_sys_munmap (seg->base, seg->size);
      JR_SYSCALL (madvise, seg, sizeof *seg, MADV_DONTNEED);
    }
  __jr_lock_drop (&__jr.lock, &mask);
}

/* In the place of one that the socket was in before: another thread may still
   look there.  */
static struct jr_abi_pair *
pair_take_place (struct jr_abi_pair *old, struct jr_abi_pair *pair)
{
  if (old == NULL)
    return pair;
  JR_SYSCALL (mremap, pair, JR_PAIR_SIZE, JR_PAIR_SIZE,
	      MREMAP_MAYMOVE | MREMAP_FIXED, old);
  return old;
}

static int
pair_map_locked (struct jr_sock *s)
{
  if (s->ls->pair != NULL && __jr_pair_is_current (s, s->ls->pair))
    return 0;
  int r = __jr_attach_locked ();
  if (r < 0)
    return r;
  struct jr_abi_ctl_pair_req req = { .seg_id = s->seg->id, .slot = s->idx };
  struct jr_abi_ctl_pair_rep rep;
  memcpy (req.key, s->seg->hdr->key, sizeof req.key);
  int fd = -1;
  struct jr_ctl_msg m = { .op = JR_CTL_PAIR, .req = &req, .req_len = sizeof req,
			  .send_fd = -1, .rep = &rep, .rep_len = sizeof rep,
			  .fds = &fd, .max_fds = 1 };
  r = __jr_ctl_call (&m);
  if (r < 0)
    return r;
  if (m.nfds != 1)
    return -EPROTO;
  struct jr_abi_pair *pair
    = jr_sys_map_shared (fd, JR_PAIR_SIZE, PROT_READ | PROT_WRITE);
  jr_sys_close (fd);
  if (pair == NULL)
    return -ENOMEM;
  s->ls->pair_end = rep.end & 1;
  st_release (&s->ls->pair, pair_take_place (s->ls->pair, pair));
  return 0;
}

/* A connection whose bytes cannot be reached is lost, whatever the reason:
   mostly the service died.  */
int
__jr_pair_map (struct jr_sock *s)
{
  uint64_t mask;
  __jr_lock_take (&__jr.lock, &mask);
  int r = pair_map_locked (s);
  __jr_lock_drop (&__jr.lock, &mask);
  return r < 0 ? -ECONNRESET : 0;
}
