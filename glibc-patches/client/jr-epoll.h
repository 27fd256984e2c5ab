/* An epoll with Joyride sockets in it: shared by epoll.c and epoll_wait.c.
   SPDX-License-Identifier: LGPL-2.1-or-later

   The epoll fd is the kernel's and has the kernel's fds; our sockets are in
   the list here.  For each segment that one of them lives in there is an
   event queue, which the service posts to, and one eventfd for all of them,
   in the kernel's set.  Lock order: jr_epoll.lock, then __jr.lock; whoever
   has the latter may only try for the former.  */

#ifndef _JR_EPOLL_H
#define _JR_EPOLL_H 1

#include "jr-internal.h"

#define JR_REG_BUCKETS 4096
#define JR_IN_EVENTS (EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLPRI | EPOLLMSG)
#define JR_OUT_EVENTS (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)
#define JR_EPOLL_PRIVATE (EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE)

/* What an edge is measured against.  */
struct jr_seen
{
  uint64_t tail;
  uint32_t state, err, space, flags, zc_sent, edges;
};

/* An interest: one fd of one socket in one epoll, or one fd of an epoll in
   another.  */
struct jr_reg
{
  struct jr_reg *hash_next, *slot_next, *ready_next;
  struct jr_epoll *ep;		/* NULL: free */
  int fd;
  uint32_t seg, slot, gen, lgen;
  uint32_t events;
  epoll_data_t data;
  bool queued, disabled, shadowed;
  uint32_t inner;		/* serial of the epoll at slot; 0: it is a socket */
  uint32_t batch;		/* the call that last reported it */
  struct jr_seen seen;
};

/* What an epoll has in one segment.  */
struct jr_epseg
{
  struct jr_seg *seg;
  uint32_t eq;			/* JR_NO_EQ: look at all its sockets now and then */
  uint32_t nregs;
  bool gone;			/* its service is, and everybody was told */
  uint64_t taken[4];		/* posted, and not in the list yet */
  uint32_t order_head;		/* entries of the queue's order that were read */
  uint32_t next_at, next_slot;	/* the first of those taken */
  struct jr_epseg *next_taken;
  struct jr_reg *by_slot[JR_SEG_SLOTS];
};

struct jr_epoll
{
  struct jr_lock lock;
  uint32_t idx, serial;
  uint32_t refs;		/* atomic; fds of this process */
  uint32_t users;		/* atomic; calls inside, and one for all fds */
  int pid;			/* whose eventfd and queues these are */
  int efd, ctl_fd;		/* -1: not yet */
  uint32_t sleepers;		/* atomic; threads in the kernel's epoll_pwait */
  uint32_t nested;		/* atomic; in another epoll, or polled */
  uint32_t inside;		/* atomic; in another by EPOLLET, or in one that is */
  uint32_t kernel_fds;		/* atomic; may have some */
  uint32_t turn, batch;
  bool full;			/* the last call had no room for all */
  bool loops;			/* a socket's other end is on this host: calls are exact, not quick */
  int64_t asked_ns;		/* when the kernel was, with ours in the set; 0: ask */
  struct jr_reg *ready, **ready_end;
  struct jr_reg *inners;	/* epolls in it, by slot_next */
  uint32_t nsegs;
  uint16_t active[JR_MAX_SEGS];	/* indices of segs that are not NULL */
  struct jr_epseg *segs[JR_MAX_SEGS];
  struct jr_reg *hash[JR_REG_BUCKETS];
};

/* Marks of our own fds in the kernel's set.  */
#define jr_ep_mark_bell(ep) ((void *) (ep))
#define jr_ep_mark_ctl(ep) ((void *) ((char *) (ep) + 1))

/* A call inside an epoll, in the call's frame.  */
struct jr_ep_call
{
  struct jr_undo undo;
  struct jr_epoll *ep;
  bool busy;			/* our own thread is inside it already */
  bool inside;			/* counted in users */
  bool asleep;			/* counted in sleepers */
};

/* Enters (and locks) the epoll behind an fd; NULL: not one of ours, or our own
   thread is inside it already.  */
extern struct jr_epoll *__jr_ep_enter (int fd, struct jr_ep_call *in) JR_HIDDEN;
extern void __jr_ep_leave (struct jr_ep_call *in) JR_HIDDEN;

static inline void
__jr_ep_lock (struct jr_epoll *ep)
{
  while (!__jr_lock_try_enter (&ep->lock))
    __jr_yield ();
}

static inline void
__jr_ep_unlock (struct jr_epoll *ep)
{
  __jr_lock_leave (&ep->lock);
}

/* What the kernel gave back is the address of an interest, perhaps of one that
   is no more.  */
extern bool __jr_is_reg (void *ptr) JR_HIDDEN;
/* NULL: no memory.  */
extern struct jr_epoll *__jr_ep_new (int fd) JR_HIDDEN;
extern struct jr_epseg *__jr_ep_seg (struct jr_epoll *ep, struct jr_seg *seg) JR_HIDDEN;
extern struct jr_reg *__jr_reg_new (void) JR_HIDDEN;
/* The interest in FD, which is the epoll INNER (index and serial); NULL.  */
extern struct jr_reg *__jr_inner_find (struct jr_epoll *ep, int fd, uint32_t idx,
				       uint32_t serial) JR_HIDDEN;
/* Its fd still is that epoll in this process.  */
extern bool __jr_inner_is_open (struct jr_reg *reg) JR_HIDDEN;
extern void __jr_inner_drop (struct jr_reg *reg) JR_HIDDEN;
/* The epoll behind an fd; 0: not one that we know.  */
extern uint32_t __jr_ep_serial (int fd, uint32_t *idx) JR_HIDDEN;
extern struct jr_reg **__jr_reg_bucket (struct jr_epoll *ep, int fd) JR_HIDDEN;
extern struct jr_reg *__jr_reg_find (struct jr_epoll *ep, struct jr_sock *s) JR_HIDDEN;
/* Into and out of the lists of the segment where the socket lives.  */
extern int __jr_reg_link (struct jr_reg *reg, struct jr_sock *s) JR_HIDDEN;
extern void __jr_reg_unlink (struct jr_reg *reg) JR_HIDDEN;
extern void __jr_reg_look_now (struct jr_reg *reg, struct jr_sock *s) JR_HIDDEN;
extern void __jr_reg_free (struct jr_reg *reg) JR_HIDDEN;
extern bool __jr_reg_sock (struct jr_reg *reg, struct jr_sock *s) JR_HIDDEN;
extern void __jr_reg_follow (struct jr_reg *reg, struct jr_sock *s) JR_HIDDEN;
extern void __jr_reg_queue (struct jr_reg *reg) JR_HIDDEN;
extern void __jr_reg_snapshot (struct jr_sock *s, struct jr_seen *seen) JR_HIDDEN;
extern void __jr_reg_shadow (struct jr_reg *reg, int epfd, int op) JR_HIDDEN;
/* The eventfd and control socket are in the kernel's set; -errno.  */
extern int __jr_ep_equip (struct jr_epoll *ep, int epfd) JR_HIDDEN;
extern void __jr_ep_revive (struct jr_epoll *ep, int epfd) JR_HIDDEN;
extern void __jr_ep_kick (struct jr_epoll *ep) JR_HIDDEN;
/* Somebody else still waits, or polls it: pass on what is left.  */
extern void __jr_ep_pass_on (struct jr_epoll *ep, int epfd) JR_HIDDEN;
/* The kernel's epoll is readable from now on if, and only if, something of
   ours or of the kernel's is ready in it.  Waiters hear of it only if it was
   not readable before.  */
extern void __jr_ep_level (struct jr_epoll *ep, int epfd) JR_HIDDEN;
/* It was put into another epoll, EDGE: which hears of its edges only.  */
extern void __jr_ep_put_inside (int fd, bool edge) JR_HIDDEN;
/* What the interest's socket is ready for, of what was asked for.  */
extern unsigned int __jr_reg_ready (struct jr_reg *reg) JR_HIDDEN;
extern void __jr_ep_arm (struct jr_epoll *ep) JR_HIDDEN;
/* Looks at all its sockets, as if each had been posted.  */
extern void __jr_epseg_look (struct jr_epseg *es) JR_HIDDEN;
extern void __jr_ep_take_posted (struct jr_epoll *ep) JR_HIDDEN;
/* One sleeper is enough for the socket, if all of this epoll's interests in it
   say so (EPOLLEXCLUSIVE).  Before it is watched.  */
extern void __jr_exclusive (struct jr_epseg *es, struct jr_sock *s) JR_HIDDEN;
/* Room in a datagram socket is an edge each time that one was sent: ask to be
   told of the next.  */
extern void __jr_reg_ask_room (struct jr_reg *reg, struct jr_sock *s) JR_HIDDEN;

#endif /* jr-epoll.h */
