/* The guard in front of every hooked call: is this fd one of ours?
   SPDX-License-Identifier: LGPL-2.1-or-later

   An entry is one word, so that it can be read without a lock:
     bits  0..3   kind (JR_FD_*)
     bit   4      close-on-exec, as far as libc knows
     bits  5..7   what an internal fd is for (JR_USE_*)
     bits  8..23  segment or epoll or poller number
     bits 24..39  slot
     bits 40..63  low bits of the slot's generation  */

#ifndef _JR_FDS_H
#define _JR_FDS_H 1

#include <stdbool.h>
#include <stdint.h>

#define JR_FDS_PAGE 1024
#define JR_FDS_PAGES 1024

enum jr_fd_kind
{
  JR_FD_NONE,
  JR_FD_SOCKET,
  JR_FD_EPOLL,			/* has, or may have, Joyride sockets in it */
  JR_FD_INTERNAL		/* libc's own; the program can't close it */
};

enum jr_fd_use
{
  JR_USE_CTL,
  JR_USE_BELL,
  JR_USE_PARKED,
  JR_USE_SHADOW,
  JR_USE_POLLER,
  JR_USE_EPOLL,
  JR_USE_TRACE
};

#define JR_ENT_CLOEXEC 0x10ull

/* 0 until there is one; greater than every fd of ours.  */
extern unsigned int __jr_fd_limit __attribute__ ((visibility ("hidden")));
extern uint64_t *__jr_fd_page[JR_FDS_PAGES] __attribute__ ((visibility ("hidden")));

static inline uint64_t
__jr_fd_entry (int fd)
{
  if (__builtin_expect ((unsigned int) fd
			>= __atomic_load_n (&__jr_fd_limit, __ATOMIC_RELAXED), 1))
    return 0;
  uint64_t *page = __atomic_load_n (&__jr_fd_page[(unsigned int) fd / JR_FDS_PAGE],
				    __ATOMIC_ACQUIRE);
  if (page == 0)
    return 0;
  return __atomic_load_n (&page[(unsigned int) fd % JR_FDS_PAGE], __ATOMIC_ACQUIRE);
}

static inline enum jr_fd_kind
jr_ent_kind (uint64_t ent)
{
  return (enum jr_fd_kind) (ent & 15);
}

static inline bool
__jr_is_ours (int fd)
{
  return __builtin_expect (__jr_fd_entry (fd) != 0, 0);
}

/* Whether any fd is ours: sets of fds need looking at.  */
static inline bool
__jr_any (void)
{
  return __builtin_expect (__atomic_load_n (&__jr_fd_limit, __ATOMIC_RELAXED) != 0, 0);
}

#endif /* jr-fds.h */
