/* Whether the program may be given what it points to: EFAULT, as the kernel
   finds it out while it copies.  A range that was found good is remembered by
   the thread, so that a buffer in use costs a comparison; the kernel is asked
   about others by calls that read or touch a page and do nothing else.
   docs/adr/0006-bad-pointers.md has the reasons.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <sys/random.h>

#include "jr-internal.h"

/* FUTEX_OP_OR of nothing, in the kernel's encoding; FUTEX_OP_CMP_LT.  */
#define OR_NOTHING (2u << 28 | 2u << 24)

__thread struct jr_reach __jr_reach JR_TLS_IE;
uint32_t __jr_unmaps;

/* ---- asking the kernel ---- */

static bool
page_reads (uintptr_t at)
{
  at &= ~(uintptr_t) 7;
  if (at == 0)			/* no set at all */
    at = 8;
  /* Copies the set in, then does not know 77.  */
  return JR_SYSCALL (rt_sigprocmask, 77, at, NULL, JR_SIGSET_BYTES) != -EFAULT;
}

static bool
page_writes (uintptr_t at)
{
  uint32_t own = 0;
  /* Adds nothing to the word, and wakes who waits for ours.  */
  return JR_SYSCALL (futex, &own, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
		     at & ~(uintptr_t) 3, OR_NOTHING) != -EFAULT;
}

/* Where N bytes are about to be written anyway: quicker, and by calls that
   sandboxes let pass (sshd's does not let FUTEX_WAKE_OP).  */
static bool
page_takes (uintptr_t at, size_t n)
{
  if (at == 0)
    return false;
  if (n < JR_SIGSET_BYTES)
    return JR_SYSCALL (getrandom, at, n, GRND_NONBLOCK) != -EFAULT;
  return JR_SYSCALL (rt_sigprocmask, SIG_BLOCK, NULL, at, JR_SIGSET_BYTES) != -EFAULT;
}

/* What callers of this have on the thread's stack is theirs.  */
static bool
is_on_stack (uintptr_t p, size_t n)
{
  uintptr_t sp = (uintptr_t) __builtin_frame_address (0);
  uintptr_t end = jr_sys_stack_end (sp);
  return p >= sp && p < end && n <= end - p;
}

static bool
ask (uintptr_t p, size_t n, enum jr_reach_how how)
{
  uintptr_t first = p >> JR_PAGE_BITS, last = (p + n - 1) >> JR_PAGE_BITS;
  if (last < first || last >> (63 - JR_PAGE_BITS) != 0)
    return false;
  for (uintptr_t page = first; page <= last; page++)
    {
      /* The page's part of the range.  */
      uintptr_t at = page == first ? p : page << JR_PAGE_BITS;
      size_t left = ((page + 1) << JR_PAGE_BITS) - at;
      if (left > p + n - at)
	left = p + n - at;
      if (!(how == JR_REACH_READ    ? page_reads (at)
	    : how == JR_REACH_WRITE ? page_writes (at)
				    : page_takes (at, left)))
	return false;
    }
  return true;
}

/* ---- remembering ---- */

static void
keep (uint64_t *words, uint64_t first, uint64_t last)
{
  for (int i = 0; i < JR_REACHES; i++)
    {
      uint64_t from = words[i] >> JR_SEEN_BITS;
      uint64_t end = from + (words[i] & JR_SEEN_PAGES);
      if (end == from || first > end || last + 1 < from)
	continue;
      /* Touches what is known: one range.  */
      from = first < from ? first : from;
      end = last + 1 > end ? last + 1 : end;
      if (end - from <= JR_SEEN_PAGES)
	{
	  st_relaxed (&words[i], from << JR_SEEN_BITS | (end - from));
	  return;
	}
    }
  if (last - first >= JR_SEEN_PAGES)
    return;
  for (int i = JR_REACHES - 1; i > 0; i--)
    st_relaxed (&words[i], ld_relaxed (&words[i - 1]));
  st_relaxed (&words[0], first << JR_SEEN_BITS | (last - first + 1));
}

bool
__jr_reach_slow (const void *p, size_t n, enum jr_reach_how how)
{
  struct jr_reach *seen = &__jr_reach;
  uint32_t epoch = ld_relaxed (&__jr_unmaps);
  if (seen->epoch != epoch)
    {
      for (int i = 0; i < JR_REACHES; i++)
	{
	  st_relaxed (&seen->rd[i], 0);
	  st_relaxed (&seen->wr[i], 0);
	}
      seen->epoch = epoch;
    }
  if (n == 0 || is_on_stack ((uintptr_t) p, n))
    return true;
  uint64_t *words = how != JR_REACH_READ ? seen->wr : seen->rd;
  for (int i = 0; i < JR_REACHES; i++)
    if (jr_is_seen (words[i], (uintptr_t) p, n))
      return true;
  if (!ask ((uintptr_t) p, n, how))
    return false;
  keep (words, (uintptr_t) p >> JR_PAGE_BITS,
	((uintptr_t) p + n - 1) >> JR_PAGE_BITS);
  return true;
}

/* After a call that took memory away.  */
void
__jr_unmapped (void)
{
  if (__jr_any ())
    __atomic_fetch_add (&__jr_unmaps, 1, __ATOMIC_RELAXED);
}

/* ---- several pieces ---- */

/* The next N bytes of a walk.  */
bool
__jr_iter_reach (const struct jr_iter *it, size_t n, bool write)
{
  size_t off = it->off;
  for (size_t i = 0; i < it->n && n > 0; i++)
    {
      size_t have = it->iov[i].iov_len - off;
      if (have > n)
	have = n;
      if (have > 0
	  && !(write ? jr_can_fill ((char *) it->iov[i].iov_base + off, have)
		     : jr_can_read ((char *) it->iov[i].iov_base + off, have)))
	return false;
      n -= have;
      off = 0;
    }
  return true;
}

int
__jr_copy_in (void *to, const void *from, size_t n)
{
  if (n > 0 && !jr_can_read (from, n))
    return -EFAULT;
  memcpy (to, from, n);
  return 0;
}

int
__jr_copy_out (void *to, const void *from, size_t n)
{
  if (n > 0 && !jr_can_write (to, n))
    return -EFAULT;
  memcpy (to, from, n);
  return 0;
}
