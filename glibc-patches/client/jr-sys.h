/* What the client needs of the system: raw system calls and a little of
   the thread.  SPDX-License-Identifier: LGPL-2.1-or-later

   jr-sys-glibc.h (in libc) or jr-sys-posix.h (a plain static library, for
   tests and sanitizers) supplies

     JR_SYSCALL (name, ...)         the system call; a negative errno
     JR_SYSCALL_CANCEL (name, ...)  the same as a cancellation point
     jr_sys_tid ()                  the calling thread's id, cheaply
     jr_sys_testcancel ()           acts on a pending cancellation
     jr_sys_secure ()               whether the program is set-id
     jr_sys_getenv (name)           getenv
     jr_sys_clock (clk, ts)         clock_gettime, by the vDSO when it can
     JR_HIDDEN                      visibility of __jr_* names

   and what is below is the same for both.  */

#ifndef _JR_SYS_H
#define _JR_SYS_H 1

#ifndef _GNU_SOURCE
# define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <netinet/in.h>
#include <linux/futex.h>

#ifdef JR_STANDALONE
# include "jr-sys-posix.h"
#else
# include "jr-sys-glibc.h"
#endif

/* Numbers that the headers of the build may not know.  */
#ifndef __NR_futex_waitv
# define __NR_futex_waitv 449
#endif
#ifndef __NR_epoll_pwait2
# define __NR_epoll_pwait2 441
#endif
#ifndef __NR_close_range
# define __NR_close_range 436
#endif
#ifndef CLOSE_RANGE_UNSHARE
# define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
# define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

#define JR_SIGSET_BYTES 8	/* the kernel's sigset_t */
#define JR_NSEC_PER_SEC 1000000000LL

/* struct futex_waitv, FUTEX2_SIZE_U32.  */
struct jr_futexv
{
  uint64_t val;
  uint64_t uaddr;
  uint32_t flags;
  uint32_t reserved;
};
#define JR_FUTEXV_U32 2

#define likely_(x) __builtin_expect (!!(x), 1)
#define unlikely_(x) __builtin_expect (!!(x), 0)

#define ld_relaxed(p) __atomic_load_n (p, __ATOMIC_RELAXED)
#define ld_acquire(p) __atomic_load_n (p, __ATOMIC_ACQUIRE)
#define st_relaxed(p, v) __atomic_store_n (p, v, __ATOMIC_RELAXED)
#define st_release(p, v) __atomic_store_n (p, v, __ATOMIC_RELEASE)
#define add_fetch(p, v) __atomic_add_fetch (p, v, __ATOMIC_SEQ_CST)
#define swap(p, v) __atomic_exchange_n (p, v, __ATOMIC_SEQ_CST)
#define set_bits(p, v) __atomic_fetch_or (p, v, __ATOMIC_SEQ_CST)
#define clear_bits(p, v) __atomic_fetch_and (p, ~(v), __ATOMIC_SEQ_CST)
#define cas(p, old, new)						      \
  __atomic_compare_exchange_n (p, old, new, false, __ATOMIC_SEQ_CST,	      \
			       __ATOMIC_RELAXED)

static inline void
jr_fence (void)
{
#ifdef __SANITIZE_THREAD__
  /* TSan does not know fences.  */
  uint32_t word = 0;
  __atomic_fetch_add (&word, 0, __ATOMIC_SEQ_CST);
#else
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
#endif
}

/* Orders a read-modify-write before later loads.  */
static inline void
jr_fence_rmw (void)
{
#if !defined __x86_64__ && !defined __i386__
  jr_fence ();
#endif
}

static inline void
jr_pause (void)
{
#if defined __x86_64__ || defined __i386__
  __builtin_ia32_pause ();
#elif defined __aarch64__
  __asm__ __volatile__ ("yield" ::: "memory");
#endif
}

static inline int64_t
jr_sys_now (int clk)
{
  struct timespec ts = { 0, 0 };
  jr_sys_clock (clk, &ts);
  return ts.tv_sec * JR_NSEC_PER_SEC + ts.tv_nsec;
}

/* The process as the kernel sees it: in a child of vfork not the one whose
   memory this is.  */
static inline int
jr_sys_pid (void)
{
  return JR_SYSCALL (getpid);
}

/* An fd-making or -changing call that no stub of ours may see.  */
#define jr_sys_close(fd) JR_SYSCALL (close, fd)
#define jr_sys_fcntl(fd, cmd, arg) JR_SYSCALL (fcntl, fd, cmd, arg)
#define jr_sys_dup3(old, new, flags) JR_SYSCALL (dup3, old, new, flags)
#define jr_sys_close_range(first, last, flags) \
  JR_SYSCALL (close_range, first, last, flags)
#define jr_sys_socket(domain, type, protocol) \
  JR_SYSCALL (socket, domain, type, protocol)
#define jr_sys_bind(fd, addr, len) JR_SYSCALL (bind, fd, addr, len)
#define jr_sys_listen(fd, backlog) JR_SYSCALL (listen, fd, backlog)
#define jr_sys_c_connect(fd, addr, len) \
  JR_SYSCALL_CANCEL (connect, fd, addr, len)
#define jr_sys_connect(fd, addr, len) JR_SYSCALL (connect, fd, addr, len)
#define jr_sys_accept4(fd, addr, len, flags) \
  JR_SYSCALL (accept4, fd, addr, len, flags)
#define jr_sys_getsockname(fd, addr, len) \
  JR_SYSCALL (getsockname, fd, addr, len)
#define jr_sys_getpeername(fd, addr, len) \
  JR_SYSCALL (getpeername, fd, addr, len)
#define jr_sys_setsockopt(fd, level, name, val, len) \
  JR_SYSCALL (setsockopt, fd, level, name, val, len)
#define jr_sys_getsockopt(fd, level, name, val, len) \
  JR_SYSCALL (getsockopt, fd, level, name, val, len)
#define jr_sys_sendmsg(fd, msg, flags) \
  JR_SYSCALL (sendmsg, fd, msg, flags)
#define jr_sys_recvmsg(fd, msg, flags) \
  JR_SYSCALL (recvmsg, fd, msg, flags)
#define jr_sys_c_sendmsg(fd, msg, flags) \
  JR_SYSCALL_CANCEL (sendmsg, fd, msg, flags)
#define jr_sys_c_recvmsg(fd, msg, flags) \
  JR_SYSCALL_CANCEL (recvmsg, fd, msg, flags)
#define jr_sys_read(fd, buf, n) JR_SYSCALL (read, fd, buf, n)
#define jr_sys_c_read(fd, buf, n) JR_SYSCALL_CANCEL (read, fd, buf, n)
#define jr_sys_pread(fd, buf, n, off) \
  JR_SYSCALL (pread64, fd, buf, n, off)
#define jr_sys_write(fd, buf, n) JR_SYSCALL (write, fd, buf, n)
#define jr_sys_ioctl(fd, req, arg) JR_SYSCALL (ioctl, fd, req, arg)
#define jr_sys_eventfd(init, flags) JR_SYSCALL (eventfd2, init, flags)
#define jr_sys_epoll_create1(flags) JR_SYSCALL (epoll_create1, flags)
#define jr_sys_epoll_ctl(ep, op, fd, ev) \
  JR_SYSCALL (epoll_ctl, ep, op, fd, ev)
#define jr_sys_munmap(p, n) JR_SYSCALL (munmap, p, n)
#define jr_sys_yield() JR_SYSCALL (sched_yield)

static inline int
jr_sys_fstat (int fd, struct stat *st)
{
#ifdef __NR_fstat
  return JR_SYSCALL (fstat, fd, st);
#else
  return JR_SYSCALL (newfstatat, fd, "", st, AT_EMPTY_PATH);
#endif
}

/* Kernel's ppoll; it may change *ts.  */
static inline int
jr_sys_ppoll (struct pollfd *fds, unsigned long n, struct timespec *ts,
	      const sigset_t *mask)
{
  return JR_SYSCALL (ppoll, fds, n, ts, mask, JR_SIGSET_BYTES);
}

static inline int
jr_sys_c_ppoll (struct pollfd *fds, unsigned long n, struct timespec *ts,
		const sigset_t *mask)
{
  return JR_SYSCALL_CANCEL (ppoll, fds, n, ts, mask, JR_SIGSET_BYTES);
}

static inline int
jr_sys_rlimit_nofile (void)
{
  struct rlimit rl;
  if (JR_SYSCALL (prlimit64, 0, RLIMIT_NOFILE, NULL, &rl) < 0)
    return 1024;
  return rl.rlim_cur > (1 << 20) ? 1 << 20 : (int) rl.rlim_cur;
}

/* Zeroed memory that malloc knows nothing of; NULL if there is none.  */
static inline void *
jr_sys_map_anon (size_t n)
{
  long r = JR_SYSCALL (mmap, NULL, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return r < 0 && r > -4096 ? NULL : (void *) r;
}

/* Sparse memory: not to be written to a core file, and not to be filled by
   mlockall (MCL_FUTURE), which leaves alone what can't be accessed yet.  */
static inline void *
jr_sys_map_shared (int fd, size_t n, int prot)
{
  long r = JR_SYSCALL (mmap, NULL, n, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (r < 0 && r > -4096)
    return NULL;
  JR_SYSCALL (madvise, r, n, MADV_DONTDUMP);
  if (JR_SYSCALL (mprotect, r, n, prot) == 0)
    return (void *) r;
  JR_SYSCALL (munmap, r, n);
  return NULL;
}

static inline void
jr_sys_futex_wake (uint32_t *word, int n, bool private)
{
  JR_SYSCALL (futex, word, FUTEX_WAKE | (private ? FUTEX_PRIVATE_FLAG : 0), n,
	      NULL, NULL, 0);
}

/* Waits without being a cancellation point; TS is relative or NULL.  */
static inline int
jr_sys_futex_wait (uint32_t *word, uint32_t val, const struct timespec *ts,
		   bool private)
{
  return JR_SYSCALL (futex, word,
		     FUTEX_WAIT | (private ? FUTEX_PRIVATE_FLAG : 0), val, ts,
		     NULL, 0);
}

static inline bool
jr_sys_thread_exists (uint32_t tid)
{
  return JR_SYSCALL (kill, tid, 0) != -ESRCH;
}

static inline void
jr_sys_raise (int sig)
{
  int pid = jr_sys_pid (), tid = JR_SYSCALL (gettid);
  JR_SYSCALL (tgkill, pid, tid, sig);
}

/* All signals, those that libc keeps for itself too.  */
static inline void
jr_sys_sigblock (uint64_t *old)
{
  uint64_t all = ~0ull;
  JR_SYSCALL (rt_sigprocmask, SIG_BLOCK, &all, old, JR_SIGSET_BYTES);
}

static inline void
jr_sys_sigrestore (const uint64_t *old)
{
  JR_SYSCALL (rt_sigprocmask, SIG_SETMASK, old, NULL, JR_SIGSET_BYTES);
}

/* Pointers that the kernel would refuse without looking whether anything is
   mapped there.  */
static inline bool
jr_beyond_user (uintptr_t end)
{
  return unlikely_ (end > 0x7ffffffff000);
}

/* What a public function returns for a result in the kernel's manner.  */
static inline long
jr_ret (long r)
{
  if (unlikely_ (r < 0))
    {
      errno = -r;
      return -1;
    }
  return r;
}

#endif /* jr-sys.h */
