/* Joyride's client inside libc: what its files share.
   SPDX-License-Identifier: LGPL-2.1-or-later

   docs/shared-memory.md is the theory.  Functions return a result or a
   negative errno, as the kernel does; only the public ones (jr-calls.h) set
   errno.  Memory comes from mmap, never from malloc.  */

#ifndef _JR_INTERNAL_H
#define _JR_INTERNAL_H 1

#include "jr-sys.h"
#include "jr-fds.h"
#include "jr-calls.h"
#include "jr_abi.h"
#include "jr-app-flags.h"

#define JR_MAX_SEGS 4096	/* a socket that came from another process has one of its own */
#define JR_MAX_POLLERS 32
#define JR_MAX_EPOLLS 4096
#define JR_INTERNAL_FDS 256	/* high numbers kept for our own fds */
#define JR_TABLE_FDS (JR_FDS_PAGE * JR_FDS_PAGES)
#define JR_NO_EQ 0xff
#define JR_RW_MAX 0x7ffff000u	/* bytes of one call, as the kernel cuts them */

/* The slot went elsewhere or was reused: look the fd up again.  Never
   leaves the client.  */
#define JR_EMOVED 4000
/* An error is pending in the slot.  Never leaves the client either.  */
#define JR_EPENDING 4001

/* Our own locks: of this process only, never held while sleeping for
   somebody outside except the service's answer on the control socket.  */
struct jr_lock
{
  uint32_t word;		/* 0, or owner tid, with JR_LOCK_WAITERS */
};

/* Options set before the route was known, to be replayed on a kernel
   socket.  */
#define JR_OPTS 12
struct jr_opt
{
  int16_t level, name;
  uint8_t len;
  uint8_t val[20];
};

/* The few longer ones, on a page of their own.  */
#define JR_LONG_OPTS 15
struct jr_long_opts
{
  uint32_t n;
  struct
  {
    int32_t level, name;
    uint32_t len;
    uint8_t val[240];
  } opt[JR_LONG_OPTS];
};
#define JR_LONG_BYTES 4096
_Static_assert (sizeof (struct jr_long_opts) <= JR_LONG_BYTES, "one page");

/* This process's view of a slot.  */
struct jr_lslot
{
  uint32_t fds;			/* atomic; fds of this process on it */
  uint32_t lgen;		/* atomic; +1 at the last close: dangling epoll interests see it */
  int32_t parked_fd;		/* with the bit in jr_seg.parked */
  int32_t shadow_fd;		/* -1: none */
  uint32_t shadow_asked;	/* atomic; how often the service was asked for it */
  struct jr_abi_pair *pair;	/* atomic */
  uint32_t nopts;
  struct jr_opt opt[JR_OPTS];
  struct jr_long_opts *longs;	/* NULL: none */
  uint32_t pair_end;
  uint32_t spin_fails;		/* in a row */
  uint32_t idle_polls;		/* in a row that found the ring empty */
  uint64_t idle_head;		/* where that was */
  /* A transmit transaction that a signal handler may have to append to:
     written by the owner of tx_lock only.  */
  char *tx_frame;
  uint64_t tx_end;		/* offset behind what is being copied */
  uint32_t tx_phase;
};

struct jr_seg
{
  uint8_t *base;
  uint64_t size;		/* of what is mapped */
  uint32_t nslots;		/* whose rings that is */
  int64_t idle_ns;		/* found without sockets first; 0: it has some */
  struct jr_abi_seg_hdr *hdr;
  struct jr_abi_seg_app *app;
  struct jr_abi_cell *cells;
  struct jr_abi_eq *eqs;
  struct jr_abi_slot *slots;
  uint32_t id, index;
  uint32_t shared;		/* atomic; another process maps it: no new sockets */
  uint32_t live;		/* atomic; fds of this process in it */
  uint32_t busy;		/* atomic; threads that sleep on it */
  uint32_t freed;		/* atomic; sockets closed since handles were last asked for */
  uint64_t parked[4];		/* atomic; bit per slot with a parked handle */
  struct jr_lslot ls[JR_SEG_SLOTS];
};

/* A socket as one call sees it.  */
struct jr_sock
{
  struct jr_seg *seg;
  struct jr_abi_slot *slot;
  struct jr_lslot *ls;
  uint32_t idx;
  uint32_t gen;			/* low 24 bits */
  int fd;
};

/* One direction of a socket: in its slot or in its pair region.  */
struct jr_dir
{
  struct jr_abi_ring *r;
  uint8_t *base;
  uint32_t *peer_watched;	/* NULL: the other side is the service */
};

/* A walk over the caller's buffers.  */
struct jr_iter
{
  const struct iovec *iov;
  size_t n, off, left;
};

/* A sleeper in poll or select: an eventfd and, in each segment that it has
   watched, an event queue.  One poll() at a time uses it.  */
struct jr_poller
{
  uint32_t busy;		/* atomic */
  int efd;			/* -1: not made yet */
  uint8_t eq[JR_MAX_SEGS];	/* JR_NO_EQ: none; by index + 1 so that 0 is none */
};

struct jr_process
{
  struct jr_lock lock;		/* attaching, segments, pool, pollers, options */
  struct jr_lock limit_lock;	/* while RLIMIT_NOFILE is raised; inside the other */
  int pid;
  uint32_t attached;		/* atomic */
  uint32_t served;		/* atomic; attached at least once: there may be sockets */
  uint32_t logged;
  uint32_t rung;		/* atomic; the sleep_epoch last rung for */
  int64_t retry_ns;		/* atomic; no attach before (coarse clock) */
  int ctl_fd, bell_fd;		/* atomic */
  int fd_base;			/* where internal fds begin */
  uint32_t batch;		/* handles to ask for next */
  dev_t handle_dev;		/* of the folder of the handles; 0: not known */
  const struct jr_abi_policy *policy;	/* atomic */
  struct jr_seg *pool;		/* atomic; where new sockets come from */
  uint32_t nsegs;		/* atomic; entries of seg ever used */
  struct jr_seg *seg[JR_MAX_SEGS];	/* atomic */
  struct jr_poller *poller[JR_MAX_POLLERS];	/* atomic */
};

extern struct jr_process __jr JR_HIDDEN;

static inline bool
__jr_wants_domain (int domain)
{
  return domain == AF_INET || domain == AF_INET6;
}

/* ---- fd.c: the table ---- */

static inline uint64_t
jr_ent_make (enum jr_fd_kind kind, unsigned int use, uint32_t idx, uint32_t slot,
	     uint32_t gen)
{
  return (uint64_t) kind | (uint64_t) use << 5 | (uint64_t) (idx & 0xffff) << 8
	 | (uint64_t) (slot & 0xffff) << 24 | (uint64_t) (gen & 0xffffff) << 40;
}

#define jr_ent_use(ent) ((enum jr_fd_use) ((ent) >> 5 & 7))
#define jr_ent_idx(ent) ((uint32_t) ((ent) >> 8 & 0xffff))
#define jr_ent_slot(ent) ((uint32_t) ((ent) >> 24 & 0xffff))
#define jr_ent_gen(ent) ((uint32_t) ((ent) >> 40))
#define JR_ENT_ID 0xffffffffffffff0full	/* all but the flag bits */

extern int __jr_fd_put (int fd, uint64_t ent) JR_HIDDEN;
extern uint64_t __jr_fd_take (int fd) JR_HIDDEN;
extern void __jr_fd_cloexec (int fd, bool on) JR_HIDDEN;
/* Moves FD to a high number and enters it as internal; closes FD.  */
extern int __jr_fd_internal (int fd, unsigned int use, uint32_t idx,
			     uint32_t slot) JR_HIDDEN;
/* While the limit is raised, F_DUPFD finds numbers above it.  */
struct jr_limit
{
  struct rlimit was, now;
  uint64_t mask;
  bool raised;
};
extern void __jr_limit_raise (struct jr_limit *l) JR_HIDDEN;
extern void __jr_limit_restore (struct jr_limit *l) JR_HIDDEN;
/* Closes an internal fd.  */
extern void __jr_fd_internal_close (int fd) JR_HIDDEN;
/* Frees an internal fd's number for the program.  */
extern int __jr_fd_internal_move (int fd) JR_HIDDEN;
/* The next fd >= FD with an entry, or -1.  */
extern int __jr_fd_next (int fd, uint64_t *ent) JR_HIDDEN;
/* Fills S; -EBADF, -ENOTSOCK.  */
extern int __jr_sock_get (int fd, struct jr_sock *s) JR_HIDDEN;
/* The same, where the socket is now: for the beginning of a call, without
   locks.  */
extern int __jr_sock_find (int fd, struct jr_sock *s) JR_HIDDEN;
/* After -JR_EMOVED: where the socket is now; -EBADF if it was closed.  */
extern int __jr_sock_follow (struct jr_sock *s) JR_HIDDEN;
/* Counting the process's fds on a socket or epoll.  False: there is none any
   more.  */
extern bool __jr_ent_hold (uint64_t ent) JR_HIDDEN;
/* N was just made of FD, which was held as ENT.  */
extern int __jr_fd_copied (int fd, int n, uint64_t ent, bool cloexec) JR_HIDDEN;
extern void __jr_ent_release (uint64_t ent) JR_HIDDEN;
extern void __jr_ent_unhold (uint64_t ent) JR_HIDDEN;
extern void __jr_closed (uint64_t ent) JR_HIDDEN;
/* True in a child of vfork: the table is not this process's.  */
extern bool __jr_foreign (void) JR_HIDDEN;
extern void __jr_overlay_note (int fd, uint64_t ent) JR_HIDDEN;
extern uint64_t __jr_overlay_entry (int fd) JR_HIDDEN;
extern int __jr_overlay_fds (int *fds, uint64_t *ents, int n) JR_HIDDEN;

/* ---- undo.c: calls that a signal handler leaves by longjmp ---- */

/* What a call under way has to undo.  It lies in the call's frame, so that its
   address tells whether a longjmp abandons the call.  */
struct jr_undo
{
  struct jr_undo *outer;
  void (*undo) (struct jr_undo *);
  struct jr_undo *self;		/* none that is not there any more */
};
extern __thread struct jr_undo *__jr_undo JR_TLS_IE;
/* The stack pointer becomes SP; the stack begins (ends, in memory) at TOP.  */
extern void __jr_undo_upto (uintptr_t sp, uintptr_t top) JR_HIDDEN;

static inline void
jr_undo_push (struct jr_undo *u, void (*undo) (struct jr_undo *))
{
  u->outer = __jr_undo;
  u->undo = undo;
  u->self = u;
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  __jr_undo = u;
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
}

static inline void
jr_undo_pop (struct jr_undo *u)
{
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  __jr_undo = u->outer;
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  u->self = NULL;
}

/* ---- lock.c ---- */
extern void __jr_lock_take (struct jr_lock *l, uint64_t *mask) JR_HIDDEN;
extern void __jr_lock_drop (struct jr_lock *l, const uint64_t *mask) JR_HIDDEN;
extern bool __jr_lock_is_mine (struct jr_lock *l) JR_HIDDEN;
/* Without blocking signals; false if the caller's own thread has it.  */
extern bool __jr_lock_try_enter (struct jr_lock *l) JR_HIDDEN;
extern bool __jr_lock_try (struct jr_lock *l) JR_HIDDEN;
extern bool __jr_lock_wanted (struct jr_lock *l) JR_HIDDEN;
extern void __jr_lock_leave (struct jr_lock *l) JR_HIDDEN;

/* A direction's lock in shared memory.  Both return the generation.  */
extern uint32_t __jr_dir_lock (struct jr_seg *seg, uint32_t *word, uint32_t *gen,
			       bool *nested) JR_HIDDEN;
extern void __jr_dir_unlock (uint32_t *word) JR_HIDDEN;

/* ---- attach.c, segment.c, pool.c, cell.c, doorbell.c ---- */
extern int __jr_attach (void) JR_HIDDEN;
extern int __jr_attach_locked (void) JR_HIDDEN;
extern void __jr_detach_locked (void) JR_HIDDEN;
extern void __jr_service_lost (void) JR_HIDDEN;
/* The control socket FD hung up.  */
extern void __jr_ctl_hangup (int fd) JR_HIDDEN;
/* The value of JOYRIDE_SOCKET as the program began, or NULL; and whether
   JOYRIDE was off.  */
extern const char *__jr_env_told (bool *off) JR_HIDDEN;
/* False where JOYRIDE=off.  */
extern bool __jr_wanted (void) JR_HIDDEN;
extern const char *__jr_socket_path (void) JR_HIDDEN;

struct jr_ctl_msg
{
  uint32_t op;
  const void *req;
  uint32_t req_len;
  int send_fd;			/* -1: none */
  void *rep;
  uint32_t rep_len;
  int *fds;			/* room for max_fds; nfds arrived */
  unsigned int max_fds, nfds;
  bool truncated;		/* more fds came than there was room for */
  int status;
};
/* Under __jr.lock.  The reply's status.  */
extern int __jr_ctl_call (struct jr_ctl_msg *m) JR_HIDDEN;

extern struct jr_seg *__jr_seg_map (int fd, uint32_t id) JR_HIDDEN;
extern struct jr_seg *__jr_seg_find (uint32_t id) JR_HIDDEN;
extern void __jr_seg_gc (void) JR_HIDDEN;
/* Maps the region of a socket with JR_ST_PAIR.  */
extern int __jr_pair_map (struct jr_sock *s) JR_HIDDEN;
/* Not one that the socket was dissolved from.  */
static inline bool
__jr_pair_is_current (struct jr_sock *s, const struct jr_abi_pair *pair)
{
  return pair->pair_id == s->slot->pair_id;
}

/* A fresh handle and its slot; S has no fd yet.  */
extern int __jr_pool_pop (struct jr_sock *s, int *handle) JR_HIDDEN;
extern void __jr_pool_push (struct jr_sock *s) JR_HIDDEN;
extern void __jr_pool_drop_locked (struct jr_seg *seg) JR_HIDDEN;
/* Gives the popped handle the program's number, then enters it; undone by
   closing the number and __jr_pool_push.  */
extern int __jr_pool_number (int handle, bool cloexec) JR_HIDDEN;
extern int __jr_pool_enter (struct jr_sock *s, int handle, int fd, bool cloexec) JR_HIDDEN;
extern void __jr_slot_init (struct jr_sock *s, int family, int type, int protocol,
			    int oflags) JR_HIDDEN;

extern int __jr_command (struct jr_sock *s, uint32_t op, const void *req,
			 uint32_t req_len, void *rep, uint32_t rep_len) JR_HIDDEN;

extern void __jr_bell (void) JR_HIDDEN;

static inline const struct jr_abi_policy *
jr_policy (void)
{
  return ld_acquire (&__jr.policy);
}

/* Tells the service to look at a slot, after publishing in it.  */
static inline void
jr_dirty (struct jr_seg *seg, uint32_t idx)
{
  set_bits (&seg->app->dirty[idx / 64], 1ull << idx % 64);
  jr_fence_rmw ();
  uint32_t epoch = ld_relaxed (&jr_policy ()->sleep_epoch);
  if (unlikely_ ((epoch & 1) && epoch != ld_relaxed (&__jr.rung)))
    __jr_bell ();
}

/* The same, and waits until it had its effect: for sockets with JR_ST_LOOP,
   whose data are at the other end when the call ends, as the kernel's are.
   0, or why a datagram could not be sent.  */
extern int __jr_settle (struct jr_seg *seg, uint32_t idx) JR_HIDDEN;

static inline bool
jr_loops (const struct jr_sock *s)
{
  return unlikely_ (ld_relaxed (&s->slot->state) & JR_ST_LOOP);
}

/* The robust word of the service's thread says that it is gone.  */
static inline bool
jr_owner_gone (uint32_t word)
{
  return (word & FUTEX_OWNER_DIED) || (word & FUTEX_TID_MASK) == 0;
}

static inline bool
jr_gone (struct jr_seg *seg)
{
  return unlikely_ (jr_owner_gone (ld_relaxed (&seg->hdr->owner)));
}

/* ---- wait.c ---- */
/* Sleeps while *WORD is VAL and the service lives, DEADLINE_NS (monotonic,
   0: none).  0: look again; -EINTR; -EAGAIN: deadline.  Cancellation
   point.  */
extern int __jr_wait (struct jr_seg *seg, uint32_t *word, uint32_t val,
		      int64_t deadline_ns) JR_HIDDEN;
/* Until a socket with a kernel side has something to read: 0, -EINTR,
   -EAGAIN.  Cancellation point.  */
extern int __jr_wait_either (int fd, int64_t deadline_ns) JR_HIDDEN;
/* sched_yield, or what a sandbox lets pass.  */
extern void __jr_yield (void) JR_HIDDEN;
/* Spins for a while; true when *WORD moved from VAL, or the state did.  */
extern bool __jr_spin (struct jr_sock *s, uint64_t *word, uint64_t val) JR_HIDDEN;
/* After a look without waiting that found nothing; the ring's head.  */
extern void __jr_give_way (struct jr_sock *s, uint64_t head) JR_HIDDEN;
/* Wakes the sleepers of a pair's other end, if there are any.  */
extern void __jr_wake (uint32_t *wait, uint32_t *woken, uint32_t *seq) JR_HIDDEN;
extern int64_t __jr_deadline_us (int64_t timeout_us) JR_HIDDEN;
extern int64_t __jr_deadline_ts (const struct timespec *ts) JR_HIDDEN;
/* What is left until a deadline, at most MAX_NS of it, for a system call;
   NULL: for ever.  */
extern struct timespec *__jr_left (int64_t deadline_ns, int64_t max_ns,
				   struct timespec *ts) JR_HIDDEN;
#define JR_CLEANUP(f) __attribute__ ((cleanup (f)))

/* ---- reach.c: EFAULT ---- */

/* Ranges of pages that this thread could read or write, by a call or a copy
   not long ago: the first page, and in the low bits how many.  One word each,
   so that a signal handler sees no half of one.  */
#define JR_PAGE_BITS 12
#define JR_SEEN_BITS 12
#define JR_SEEN_PAGES ((1u << JR_SEEN_BITS) - 1)
#define JR_REACHES 4		/* of which the first two are looked at at once */
struct jr_reach
{
  uint64_t rd[JR_REACHES], wr[JR_REACHES];
  uint32_t epoch;
};
extern __thread struct jr_reach __jr_reach JR_TLS_IE;
/* Counts what may have made good memory bad: munmap and the like.  */
extern uint32_t __jr_unmaps JR_HIDDEN;

/* FILL: the bytes are about to be written, and may be until then what they
   like.  */
enum jr_reach_how { JR_REACH_READ, JR_REACH_WRITE, JR_REACH_FILL };
extern bool __jr_reach_slow (const void *p, size_t n, enum jr_reach_how how) JR_HIDDEN;

static inline bool
jr_is_seen (uint64_t word, uintptr_t p, size_t n)
{
  uint64_t from = word >> JR_SEEN_BITS;
  return (p >> JR_PAGE_BITS) >= from
	 && ((p + n - 1) >> JR_PAGE_BITS) - from < (word & JR_SEEN_PAGES)
	 && n <= (size_t) JR_SEEN_PAGES << JR_PAGE_BITS;
}

/* Whether N > 0 bytes can be read or written there.  */
static inline bool
jr_can_read (const void *p, size_t n)
{
  const struct jr_reach *seen = &__jr_reach;
  if (likely_ (seen->epoch == ld_relaxed (&__jr_unmaps)
	       && (jr_is_seen (seen->rd[0], (uintptr_t) p, n)
		   || jr_is_seen (seen->rd[1], (uintptr_t) p, n))))
    return true;
  return __jr_reach_slow (p, n, JR_REACH_READ);
}

static inline bool
jr_is_written (void *p, size_t n)
{
  const struct jr_reach *seen = &__jr_reach;
  return likely_ (seen->epoch == ld_relaxed (&__jr_unmaps)
		  && (jr_is_seen (seen->wr[0], (uintptr_t) p, n)
		      || jr_is_seen (seen->wr[1], (uintptr_t) p, n)));
}

static inline bool
jr_can_write (void *p, size_t n)
{
  return jr_is_written (p, n) || __jr_reach_slow (p, n, JR_REACH_WRITE);
}

static inline bool
jr_can_fill (void *p, size_t n)
{
  return jr_is_written (p, n) || __jr_reach_slow (p, n, JR_REACH_FILL);
}

extern bool __jr_iter_reach (const struct jr_iter *it, size_t n, bool write) JR_HIDDEN;
/* 0 or -EFAULT.  */
extern int __jr_copy_in (void *to, const void *from, size_t n) JR_HIDDEN;
extern int __jr_copy_out (void *to, const void *from, size_t n) JR_HIDDEN;

/* The next N bytes of a walk; N may be more than there are.  */
static inline bool
jr_iter_reads (const struct jr_iter *it, size_t n)
{
  if (likely_ (it->n == 1))
    return n == 0 || jr_can_read ((char *) it->iov->iov_base + it->off,
				  n < it->left ? n : it->left);
  return __jr_iter_reach (it, n, false);
}

static inline bool
jr_iter_writes (const struct jr_iter *it, size_t n)
{
  if (likely_ (it->n == 1))
    return n == 0 || jr_can_fill ((char *) it->iov->iov_base + it->off,
				  n < it->left ? n : it->left);
  return __jr_iter_reach (it, n, true);
}

/* ---- ring.c: copying, directions ---- */

/* The other end of a pair can write what it likes there.  */
static inline bool
jr_cap_ok (uint32_t cap)
{
  return cap != 0 && (cap & (cap - 1)) == 0 && cap <= JR_RING_MAX;
}

extern void __jr_ring_write (uint8_t *base, uint32_t cap, uint64_t at,
			     const void *src, size_t n) JR_HIDDEN;
extern void __jr_ring_read (const uint8_t *base, uint32_t cap, uint64_t at,
			    void *dst, size_t n) JR_HIDDEN;
extern size_t __jr_iter_to_ring (struct jr_iter *it, uint8_t *base, uint32_t cap,
				 uint64_t at, size_t n) JR_HIDDEN;
extern size_t __jr_iter_from_ring (struct jr_iter *it, const uint8_t *base,
				   uint32_t cap, uint64_t at, size_t n) JR_HIDDEN;
extern void __jr_iter_skip (struct jr_iter *it, size_t n) JR_HIDDEN;
extern int __jr_iter_init (struct jr_iter *it, const struct iovec *iov, size_t n) JR_HIDDEN;
extern int __jr_dir_tx (struct jr_sock *s, uint32_t state, struct jr_dir *d) JR_HIDDEN;
extern int __jr_dir_rx (struct jr_sock *s, uint32_t state, struct jr_dir *d) JR_HIDDEN;
/* Bytes that a writer may count on; raises the ring's capacity if GROW.  */
extern uint32_t __jr_tx_cap (struct jr_abi_slot *slot, struct jr_abi_ring *r,
			     bool grow) JR_HIDDEN;
/* 0, or with JR_ST_LOOP why a datagram could not be sent.  */
extern int __jr_tx_published (struct jr_sock *s, struct jr_dir *d) JR_HIDDEN;
/* One step of waiting, for space or for data: spins, asks to be told, then
   sleeps.  0: try again.  */
struct jr_waiter
{
  bool armed, timed;
  bool partial;			/* something was done before: no restart after a signal */
  uint32_t seq;
  int64_t deadline;
};
extern int __jr_wait_space (struct jr_sock *s, struct jr_dir *d, struct jr_waiter *w,
			    bool block) JR_HIDDEN;
extern int __jr_wait_data (struct jr_sock *s, struct jr_dir *d, struct jr_waiter *w,
			   bool block) JR_HIDDEN;
/* What a data call returns for R when DONE bytes went before it;
   -JR_EMOVED: try again.  */
extern ssize_t __jr_outcome (struct jr_sock *s, ssize_t r, size_t done) JR_HIDDEN;
extern void __jr_rx_consumed (struct jr_sock *s, struct jr_dir *d,
			      uint64_t head) JR_HIDDEN;

/* What of a stream the next read gets: of the bytes [HEAD, TAIL) it passes
   over SKIP, then may take N, and stops at the urgent mark if AT_MARK.  */
struct jr_rx_view
{
  size_t skip, n;
  bool at_mark;			/* the mark is right behind SKIP + N */
  bool on_mark;			/* the mark is where the read begins */
};
extern void __jr_rx_urgent (struct jr_sock *s, struct jr_dir *d, uint64_t head,
			    uint64_t tail, struct jr_rx_view *v) JR_HIDDEN;
/* 1: an urgent byte is there, not yet read; -EAGAIN: it is announced; -EINVAL.  */
extern int __jr_urgent_state (struct jr_dir *d) JR_HIDDEN;
/* Marks the byte before END as urgent, before it is published.  */
extern void __jr_tx_mark (struct jr_dir *d, uint64_t end) JR_HIDDEN;
extern ssize_t __jr_urgent_recv (struct jr_sock *s, struct jr_iter *it,
				 int flags) JR_HIDDEN;

static inline void
jr_rx_view (struct jr_sock *s, struct jr_dir *d, uint64_t head, uint64_t tail,
	    struct jr_rx_view *v)
{
  *v = (struct jr_rx_view) { .n = tail - head };
  if (unlikely_ (ld_relaxed (&d->r->urg) > head))
    __jr_rx_urgent (s, d, head, tail, v);
}

/* A transmit transaction.  START is where new data goes.  */
struct jr_tx
{
  struct jr_undo undo;
  struct jr_sock *s;
  struct jr_dir *d;		/* NULL: nothing was copied yet */
  uint32_t gen;
  bool nested;			/* in a handler that interrupted this lock's holder */
  bool append;			/* and the holder was copying: it will publish ours */
  uint64_t start, head;
  uint32_t cap, phase;
};
extern void __jr_tx_begin (struct jr_sock *s, struct jr_tx *t) JR_HIDDEN;
extern void __jr_tx_look (struct jr_sock *s, struct jr_dir *d, struct jr_tx *t) JR_HIDDEN;
extern bool __jr_tx_reserve (struct jr_sock *s, struct jr_tx *t, size_t n) JR_HIDDEN;
extern bool __jr_tx_commit (struct jr_sock *s, struct jr_dir *d,
			    struct jr_tx *t) JR_HIDDEN;
extern void __jr_tx_end (struct jr_sock *s, struct jr_tx *t) JR_HIDDEN;
/* The other side was told, too, or there was nothing to tell.  */
extern void __jr_tx_told (struct jr_tx *t) JR_HIDDEN;
/* State, errors and direction of a sender, with the lock held.  */
extern int __jr_tx_check (struct jr_sock *s, struct jr_dir *d) JR_HIDDEN;

/* ---- sockets ---- */

/* A pending error of the socket, consumed; 0 or a positive errno.  */
extern int __jr_err_take (struct jr_abi_slot *slot) JR_HIDDEN;

static inline bool
jr_err_pending (struct jr_abi_slot *slot)
{
  uint32_t err = ld_relaxed (&slot->err);
  return unlikely_ (err != ld_relaxed (&slot->err_taken)) && (err & 0xffff) != 0;
}

/* SO_PEEK_OFF: where the next peek begins; negative: with what is read next.  */
static inline int32_t
jr_peek_off (struct jr_sock *s)
{
  return ld_relaxed (&s->slot->peek_off);
}

/* With MSG_PEEK: a look of our own at what is read next.  */
#define JR_MSG_NEXT 0x800000

static inline size_t
jr_peek_from (struct jr_sock *s, int flags)
{
  int32_t off = jr_peek_off (s);
  return unlikely_ (off > 0) && (flags & (MSG_PEEK | JR_MSG_NEXT)) == MSG_PEEK ? off : 0;
}

/* A peek got N bytes, or a read took them.  */
static inline void
jr_peek_moved (struct jr_sock *s, int flags, size_t n)
{
  int32_t off = jr_peek_off (s);
  if (likely_ (off < 0) || (flags & JR_MSG_NEXT))
    return;
  int64_t to = flags & MSG_PEEK ? (int64_t) off + (int64_t) n : (int64_t) off - (int64_t) n;
  st_relaxed (&s->slot->peek_off, to < 0 ? 0 : to > INT32_MAX ? INT32_MAX : (int32_t) to);
}

/* Sends with MSG_ZEROCOPY that the error queue has not told of.  */
static inline bool
jr_zc_pending (struct jr_sock *s)
{
  return ld_relaxed (&s->slot->zc_sent) != ld_relaxed (&s->slot->zc_told);
}

static inline bool
jr_nonblock (struct jr_sock *s, int flags)
{
  return (flags & MSG_DONTWAIT) || (ld_relaxed (&s->slot->oflags) & O_NONBLOCK);
}

static inline bool
jr_is_stream (struct jr_sock *s)
{
  return s->slot->type == SOCK_STREAM;
}

/* The state, and -JR_EMOVED if the slot is no longer this socket's.  */
static inline int
jr_state (struct jr_sock *s, uint32_t *state)
{
  *state = ld_acquire (&s->slot->state);
  if (unlikely_ ((*state & JR_ST_MOVED)
		 || (ld_relaxed (&s->slot->gen) & 0xffffff) != s->gen))
    return -JR_EMOVED;
  return 0;
}

extern ssize_t __jr_stream_send (struct jr_sock *s, const struct iovec *iov, size_t n,
				 int flags) JR_HIDDEN;
/* MSG_FASTOPEN: connects, and the data may go with the SYN.  */
extern ssize_t __jr_fastopen_send (struct jr_sock *s, const struct msghdr *msg,
				   int flags) JR_HIDDEN;
extern ssize_t __jr_stream_recv (struct jr_sock *s, const struct iovec *iov, size_t n,
				 int flags) JR_HIDDEN;
extern ssize_t __jr_dgram_send (struct jr_sock *s, const struct msghdr *msg,
				int flags) JR_HIDDEN;
extern ssize_t __jr_dgram_recv (struct jr_sock *s, struct msghdr *msg,
				int flags) JR_HIDDEN;
extern ssize_t __jr_sock_sendmsg (struct jr_sock *s, const struct msghdr *msg,
				  int flags) JR_HIDDEN;
extern ssize_t __jr_sock_recvmsg (struct jr_sock *s, struct msghdr *msg,
				  int flags) JR_HIDDEN;

/* cmsg.c */
extern int __jr_cmsg_take (struct jr_sock *s, const struct msghdr *msg,
			   struct jr_abi_dgram *h) JR_HIDDEN;
extern void __jr_cmsg_put (struct jr_sock *s, const struct jr_abi_dgram *h,
			   struct msghdr *msg) JR_HIDDEN;
/* Of a stream; BYTES: some were read.  */
extern void __jr_cmsg_put_stream (struct jr_sock *s, struct msghdr *msg, bool bytes)
     JR_HIDDEN;
extern ssize_t __jr_errq_recv (struct jr_sock *s, struct msghdr *msg) JR_HIDDEN;

/* name.c */
extern int __jr_addr_get (struct jr_sock *s, const struct sockaddr *sa, socklen_t len,
			  struct jr_abi_addr *a) JR_HIDDEN;
extern bool __jr_is_over (struct jr_sock *s, uint32_t state) JR_HIDDEN;
extern int __jr_addr_check (const struct sockaddr *sa, socklen_t len) JR_HIDDEN;
extern void __jr_bind_any (struct jr_sock *s) JR_HIDDEN;
extern bool __jr_speaks_v4 (struct jr_sock *s) JR_HIDDEN;
/* By IPV6_V6ONLY, or bound to an address of version 6.  */
extern bool __jr_is_only_v6 (struct jr_sock *s) JR_HIDDEN;
extern void __jr_any_is_here (struct jr_sock *s, struct jr_abi_addr *a) JR_HIDDEN;
extern int __jr_peer_addr (struct jr_sock *s, const struct sockaddr *sa, socklen_t len,
			   struct jr_abi_addr *a) JR_HIDDEN;
extern int __jr_dgram_addr (struct jr_sock *s, const struct sockaddr *sa, socklen_t len,
			    struct jr_abi_addr *a) JR_HIDDEN;
extern int __jr_addr_put (int family, const struct jr_abi_addr *a, struct sockaddr *sa,
			  socklen_t *len) JR_HIDDEN;
/* An address from the kernel or the ring to the program's pointers.  */
extern int __jr_name_out (const void *from, socklen_t n, struct sockaddr *sa,
			  socklen_t *len) JR_HIDDEN;
extern int __jr_addr_give (int family, const struct jr_abi_addr *a, struct sockaddr *sa,
			   socklen_t *len) JR_HIDDEN;
extern socklen_t __jr_addr_native (int family, const struct jr_abi_addr *a,
				   struct sockaddr_storage *ss) JR_HIDDEN;
extern bool __jr_addr_is_v4 (const struct jr_abi_addr *a) JR_HIDDEN;
extern bool __jr_addr_is_any (const struct jr_abi_addr *a) JR_HIDDEN;

/* route.c */
extern enum jr_abi_route __jr_route (const struct jr_abi_addr *to, bool stream) JR_HIDDEN;
extern bool __jr_to_self (const struct jr_abi_addr *to) JR_HIDDEN;
/* Puts a kernel socket in place of the handle, on all its fds.  KSOCK: the
   one to take, or -1.  0 or -errno.  */
extern int __jr_turn (struct jr_sock *s, int ksock) JR_HIDDEN;
extern int __jr_kernel_socket (struct jr_sock *s, int flags) JR_HIDDEN;

/* shadow.c */
extern int __jr_shadow_set (struct jr_sock *s, int ksock) JR_HIDDEN;
extern void __jr_shadow_drop (struct jr_sock *s) JR_HIDDEN;
/* Of a socket that no longer listens.  */
extern void __jr_shadow_end (struct jr_sock *s, int how) JR_HIDDEN;
/* Its fd or -1: this process's; that of any process that has the socket.  */
extern int __jr_shadow (struct jr_sock *s) JR_HIDDEN;
extern int __jr_shadow_find (struct jr_sock *s) JR_HIDDEN;
extern void __jr_shadow_reserved (struct jr_sock *s) JR_HIDDEN;
extern void __jr_shadow_offer (struct jr_sock *s) JR_HIDDEN;
/* Under __jr.lock.  */
extern void __jr_shadow_got (struct jr_seg *seg, uint32_t idx, int fd) JR_HIDDEN;
extern void __jr_shadow_inherit (struct jr_seg *seg, uint32_t idx) JR_HIDDEN;
extern void __jr_shadow_rehome (uint64_t old, uint64_t ent) JR_HIDDEN;

/* sockopt.c */
extern void __jr_opts_fetch (struct jr_sock *s, int ksock) JR_HIDDEN;
extern void __jr_opts_replay (struct jr_sock *s, int ksock) JR_HIDDEN;
extern void __jr_opts_forget (struct jr_lslot *ls) JR_HIDDEN;
extern void __jr_linger (int fd) JR_HIDDEN;

/* twin.c */
extern bool __jr_opt_is_judged (int level, int name) JR_HIDDEN;
extern int __jr_twin_send (struct jr_sock *s, const struct cmsghdr *c) JR_HIDDEN;
extern int __jr_twin_set (struct jr_sock *s, int level, int name, const void *val,
			  socklen_t len, int *v, bool *same) JR_HIDDEN;
extern int __jr_twin_get (struct jr_sock *s, int level, int name, void *val,
			  socklen_t *len, bool replay) JR_HIDDEN;
extern int __jr_twin_tell (struct jr_sock *s, int name, int v, void *val,
			   socklen_t *len) JR_HIDDEN;
extern int64_t __jr_tick_us (struct jr_sock *s) JR_HIDDEN;

/* proc.c */
/* Whether the thread is in the service's network namespace.  */
extern bool __jr_at_home (void) JR_HIDDEN;

/* scm.c */
extern int __jr_adopt (int fd, uint32_t flags) JR_HIDDEN;
extern bool __jr_looks_like_handle (int fd) JR_HIDDEN;

/* trace.c: HOW is the value of JOYRIDE_TRACE.  */
extern void __jr_trace_start (const char *how) JR_HIDDEN;
extern void __jr_trace_forked (void) JR_HIDDEN;
extern void __jr_trace_moved (int fd) JR_HIDDEN;

/* ---- readiness ---- */

/* poll bits of a socket without its shadow.  ARM: ask to hear of space when
   POLLOUT is wanted and not there.  */
extern unsigned int __jr_ready (struct jr_sock *s, unsigned int want, bool arm) JR_HIDDEN;
extern bool __jr_eq_posted (struct jr_seg *seg, uint32_t eq) JR_HIDDEN;
/* The service will write the eventfd at the next event.  */
extern void __jr_eq_arm (struct jr_seg *seg, uint32_t eq) JR_HIDDEN;
extern void __jr_watch (struct jr_sock *s, uint32_t eq) JR_HIDDEN;
extern void __jr_unwatch (struct jr_sock *s, uint32_t eq) JR_HIDDEN;
/* Under __jr.lock: an event queue of SEG that posts to EFD; JR_NO_EQ.  */
extern uint32_t __jr_eq_claim (struct jr_seg *seg, enum jr_abi_eq_kind kind,
			       int efd) JR_HIDDEN;
extern void __jr_eq_release (struct jr_seg *seg, uint32_t eq) JR_HIDDEN;

extern int __jr_ppoll_deadline (struct pollfd *fds, nfds_t n, int64_t deadline_ns,
				bool now_only, const sigset_t *mask) JR_HIDDEN;

/* epoll.c; jr-epoll.h has the rest.  */
extern bool __jr_epoll_hold (uint32_t idx) JR_HIDDEN;
extern void __jr_epoll_release (uint32_t idx) JR_HIDDEN;
/* FD became a kernel socket; was re-homed; got a kernel listener beside it.  */
extern void __jr_epoll_turned (struct jr_sock *s, int fd) JR_HIDDEN;
extern void __jr_epoll_moved (int fd) JR_HIDDEN;
extern void __jr_epoll_shadowed (struct jr_sock *s) JR_HIDDEN;
/* FD came from somewhere: perhaps it is an epoll that we have.  */
extern void __jr_epoll_received (int fd) JR_HIDDEN;
extern void __jr_epoll_fork_prepare (void) JR_HIDDEN;
extern void __jr_epoll_fork_done (bool child) JR_HIDDEN;
/* Before the kernel's poll of an epoll fd: makes it know what of ours is ready
   in it.  */
extern void __jr_epoll_level (int fd) JR_HIDDEN;
extern void __jr_epoll_efd_moved (uint32_t idx, int fd) JR_HIDDEN;
/* Under __jr.lock: forgets a segment; false: not now.  */
extern bool __jr_epoll_seg_gone (struct jr_seg *seg) JR_HIDDEN;

#endif /* jr-internal.h */
