/* The calls that libc's stubs send here, with libc's own prototypes: -1 and
   errno on failure, cancellation points as POSIX has them.
   SPDX-License-Identifier: LGPL-2.1-or-later

   A stub calls one when __jr_is_ours says so of its fd (of either fd for
   dup2, dup3, sendfile and splice), for a set when __jr_any is true, and
   always for __jr_socket with an Internet domain (__jr_wants_domain).  What
   is said here to be for the kernel is passed on to it from here.  */

#ifndef _JR_CALLS_H
#define _JR_CALLS_H 1

#include "jr-sys.h"

/* Sockets.  */
extern int __jr_socket (int domain, int type, int protocol) JR_HIDDEN;
extern int __jr_bind (int fd, const struct sockaddr *addr, socklen_t len) JR_HIDDEN;
extern int __jr_listen (int fd, int backlog) JR_HIDDEN;
extern int __jr_accept (int fd, struct sockaddr *addr, socklen_t *len) JR_HIDDEN;
extern int __jr_accept4 (int fd, struct sockaddr *addr, socklen_t *len,
			 int flags) JR_HIDDEN;
extern int __jr_connect (int fd, const struct sockaddr *addr, socklen_t len) JR_HIDDEN;
extern int __jr_getsockname (int fd, struct sockaddr *addr, socklen_t *len) JR_HIDDEN;
extern int __jr_getpeername (int fd, struct sockaddr *addr, socklen_t *len) JR_HIDDEN;
extern int __jr_getsockopt (int fd, int level, int name, void *val,
			    socklen_t *len) JR_HIDDEN;
extern int __jr_setsockopt (int fd, int level, int name, const void *val,
			    socklen_t len) JR_HIDDEN;
extern int __jr_shutdown (int fd, int how) JR_HIDDEN;

/* Data.  */
extern ssize_t __jr_send (int fd, const void *buf, size_t n, int flags) JR_HIDDEN;
extern ssize_t __jr_sendto (int fd, const void *buf, size_t n, int flags,
			    const struct sockaddr *addr, socklen_t len) JR_HIDDEN;
extern ssize_t __jr_sendmsg (int fd, const struct msghdr *msg, int flags) JR_HIDDEN;
extern int __jr_sendmmsg (int fd, struct mmsghdr *vec, unsigned int n,
			  int flags) JR_HIDDEN;
extern ssize_t __jr_recv (int fd, void *buf, size_t n, int flags) JR_HIDDEN;
extern ssize_t __jr_recvfrom (int fd, void *buf, size_t n, int flags,
			      struct sockaddr *addr, socklen_t *len) JR_HIDDEN;
extern ssize_t __jr_recvmsg (int fd, struct msghdr *msg, int flags) JR_HIDDEN;
extern int __jr_recvmmsg (int fd, struct mmsghdr *vec, unsigned int n, int flags,
			  struct timespec *timeout) JR_HIDDEN;
extern ssize_t __jr_read (int fd, void *buf, size_t n) JR_HIDDEN;
extern ssize_t __jr_readv (int fd, const struct iovec *iov, int n) JR_HIDDEN;
extern ssize_t __jr_write (int fd, const void *buf, size_t n) JR_HIDDEN;
extern ssize_t __jr_writev (int fd, const struct iovec *iov, int n) JR_HIDDEN;
extern ssize_t __jr_sendfile (int out, int in, off_t *off, size_t n) JR_HIDDEN;
extern ssize_t __jr_splice (int in, off_t *inoff, int out, off_t *outoff,
			    size_t n, unsigned int flags) JR_HIDDEN;

/* File descriptors.  The nocancel forms of read, write, close and fcntl go
   to the plain ones.  */
extern int __jr_close (int fd) JR_HIDDEN;
extern int __jr_close_range (unsigned int first, unsigned int last,
			     int flags) JR_HIDDEN;
extern void __jr_closefrom (int first) JR_HIDDEN;
extern int __jr_dup (int fd) JR_HIDDEN;
extern int __jr_dup2 (int old, int fd) JR_HIDDEN;
extern int __jr_dup3 (int old, int fd, int flags) JR_HIDDEN;
extern int __jr_fcntl (int fd, int cmd, void *arg) JR_HIDDEN;
extern int __jr_ioctl (int fd, unsigned long request, void *arg) JR_HIDDEN;
/* To be called with what fstat said of one of our sockets: a handle looks
   like the socket that it stands for.  */
extern void __jr_fstat_fix (int fd, struct stat *st) JR_HIDDEN;
struct statx;
extern void __jr_statx_fix (int fd, struct statx *sx) JR_HIDDEN;
/* The same by a path that was followed, perhaps one of /proc/self/fd.  */
extern void __jr_path_stat_fix (const char *path, struct stat *st) JR_HIDDEN;
extern void __jr_path_statx_fix (const char *path, struct statx *sx) JR_HIDDEN;
/* Whether PATH is such a one, which cannot be opened.  */
extern bool __jr_opens_socket (const char *path, int flags) JR_HIDDEN;
/* Memory was unmapped, or its protection changed.  */
extern void __jr_unmapped (void) JR_HIDDEN;
/* The program forbids itself system calls (seccomp(2)).  */
extern void __jr_sandboxed (void) JR_HIDDEN;
/* RLIMIT_AS, as the program knows it: it does not count what is mapped for
   Joyride.  The kernel's result.  */
struct rlimit64;
extern long __jr_set_address_limit (const struct rlimit64 *limit) JR_HIDDEN;
extern void __jr_fix_address_limit (struct rlimit64 *limit) JR_HIDDEN;

/* Readiness.  */
extern int __jr_poll (struct pollfd *fds, nfds_t n, int timeout_ms) JR_HIDDEN;
extern int __jr_ppoll (struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask) JR_HIDDEN;
extern int __jr_select (int n, fd_set *r, fd_set *w, fd_set *e,
			struct timeval *timeout) JR_HIDDEN;
extern int __jr_pselect (int n, fd_set *r, fd_set *w, fd_set *e,
			 const struct timespec *timeout,
			 const sigset_t *mask) JR_HIDDEN;
/* Whether io_uring_setup is to fail, as on a kernel without it.  */
extern bool __jr_refuses_ring (void) JR_HIDDEN;
extern int __jr_epoll_create (int size) JR_HIDDEN;
extern int __jr_epoll_create1 (int flags) JR_HIDDEN;
/* Also when only FD, the target, is ours.  */
extern int __jr_epoll_ctl (int ep, int op, int fd, struct epoll_event *ev) JR_HIDDEN;
extern int __jr_epoll_wait (int ep, struct epoll_event *ev, int n,
			    int timeout_ms) JR_HIDDEN;
extern int __jr_epoll_pwait (int ep, struct epoll_event *ev, int n, int timeout_ms,
			     const sigset_t *mask) JR_HIDDEN;
extern int __jr_epoll_pwait2 (int ep, struct epoll_event *ev, int n,
			      const struct timespec *timeout,
			      const sigset_t *mask) JR_HIDDEN;

/* Processes.  */

/* Once, when libc is initialised.  Takes the inheritance hint out of ENVP.  */
extern void __jr_start (char **envp) JR_HIDDEN;
/* Around _Fork; only when __jr_any () before the fork.  */
extern void __jr_fork_prepare (void) JR_HIDDEN;
extern void __jr_fork_parent (void) JR_HIDDEN;
extern void __jr_fork_child (void) JR_HIDDEN;
/* For execve, in a child of vfork too: bytes of memory (on the caller's
   stack) for an environment that names the sockets to inherit, 0 if there
   are none; then that environment.  */
extern size_t __jr_exec_size (char *const envp[]) JR_HIDDEN;
extern char **__jr_exec_prepare (char *const envp[], void *buf, size_t size) JR_HIDDEN;
/* After the kernel's recvmsg on a socket that is not ours brought control
   data: sockets of ours in it are adopted.  */
extern void __jr_scm_received (const struct msghdr *msg) JR_HIDDEN;
/* Before the kernel's sendmsg or sendmmsg on one that is not ours; when
   __jr_any ().  */
extern void __jr_scm_sending (const struct msghdr *msg) JR_HIDDEN;
extern void __jr_scm_sending_all (const struct mmsghdr *msgs, unsigned int n) JR_HIDDEN;
/* The kernel has just made FD of an fd of the process PIDFD.  */
extern void __jr_fd_gotten (int fd, int pidfd) JR_HIDDEN;
/* The values of JOYRIDE_SOCKET and JOYRIDE, or NULL.  */
extern void __jr_env_keep (const char *path, const char *use) JR_HIDDEN;
/* libc is in raw mode, and so will be what it executes.  */
extern bool __jr_raw_mode JR_HIDDEN;
/* The thread may be in another network namespace than before.  */
extern void __jr_ns_changed (void) JR_HIDDEN;
extern int __jr_mlockall (int flags) JR_HIDDEN;
/* What readlink gives for PATH if that is an fd of ours in /proc/self/fd;
   0 if not.  */
extern ssize_t __jr_fd_readlink (const char *path, char *buf, size_t len) JR_HIDDEN;

#endif /* jr-calls.h */
