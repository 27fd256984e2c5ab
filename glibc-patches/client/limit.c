/* RLIMIT_AS: a segment takes up far more addresses than memory, and a program
   that limits its own (vsftpd its children to 200 MB) means what it maps
   itself.  setrlimit (2) of a program with Joyride sockets gives it that much
   beside what is mapped for these, getrlimit (2) says what it asked for.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* For a second segment, after a fork or an exec, and for some pairs.  */
#define ROOM_BYTES ((uint64_t) JR_SEG_SIZE + 64 * (uint64_t) JR_PAIR_SIZE)

static uint64_t added;		/* atomic; what the kernel's limit has more */

static uint64_t
plus (uint64_t value, uint64_t more)
{
  return value > RLIM64_INFINITY - 1 - more ? value : value + more;
}

static uint64_t
minus (uint64_t value, uint64_t less)
{
  return value == RLIM64_INFINITY || value < less ? value : value - less;
}

long
__jr_set_address_limit (const struct rlimit64 *limit)
{
  struct rlimit64 want;
  int err = __jr_copy_in (&want, limit, sizeof want);
  if (err != 0)
    return err;
  uint64_t more = 0;
  if (__jr_any ())
    {
      more = ROOM_BYTES;
      for (uint32_t i = 0; i < ld_acquire (&__jr.nsegs); i++)
	{
	  struct jr_seg *seg = ld_acquire (&__jr.seg[i]);
	  more += seg != NULL ? seg->size : 0;
	}
    }
  struct rlimit64 wide = { plus (want.rlim_cur, more), plus (want.rlim_max, more) };
  long r = JR_SYSCALL (prlimit64, 0, RLIMIT_AS, &wide, NULL);
  if (r == -EPERM && more != 0)	/* the hard limit was finite: it may not rise */
    {
      more = 0;
      r = JR_SYSCALL (prlimit64, 0, RLIMIT_AS, &want, NULL);
    }
  if (r == 0)
    st_relaxed (&added, more);
  return r;
}

void
__jr_fix_address_limit (struct rlimit64 *limit)
{
  uint64_t less = ld_relaxed (&added);
  limit->rlim_cur = minus (limit->rlim_cur, less);
  limit->rlim_max = minus (limit->rlim_max, less);
}
