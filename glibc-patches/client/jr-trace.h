/* Tracing: each call that a stub sends to the client is printed.
   SPDX-License-Identifier: LGPL-2.1-or-later

   Included by the stubs only: while nothing is traced a routed call costs a
   load and a branch that is predicted; the client's own calls among
   themselves cost nothing.  */

#ifndef _JR_TRACE_H
#define _JR_TRACE_H 1

#include "jr-calls.h"

/* 0, or one more than the fd that lines are written to.  */
extern int __jr_tracing JR_HIDDEN;

#define JR_TRACED(name, ...)						      \
  (__builtin_expect (__atomic_load_n (&__jr_tracing, __ATOMIC_RELAXED) != 0, 0)	      \
   ? __jr_trace_##name (__VA_ARGS__) : __jr_##name (__VA_ARGS__))

#define JR_TRACE_DECLARE(name) extern __typeof (__jr_##name) __jr_trace_##name JR_HIDDEN;
#define JR_TRACE_CALLS(X)						      \
  X (socket) X (bind) X (listen) X (accept) X (accept4) X (connect)	      \
  X (getsockname) X (getpeername) X (getsockopt) X (setsockopt) X (shutdown)  \
  X (send) X (sendto) X (sendmsg) X (sendmmsg) X (recv) X (recvfrom)	      \
  X (recvmsg) X (recvmmsg) X (read) X (readv) X (write) X (writev)	      \
  X (sendfile) X (splice) X (close) X (dup) X (dup2) X (dup3) X (ioctl)	      \
  X (poll) X (ppoll) X (select) X (pselect) X (epoll_ctl) X (epoll_wait)      \
  X (epoll_pwait) X (epoll_pwait2)
JR_TRACE_CALLS (JR_TRACE_DECLARE)

/* fcntl's stub is in ld.so too: its client calls this by itself.  */
extern void __jr_trace_fcntl (int fd, int cmd, void *arg, int result) JR_HIDDEN;

#ifdef JR_TRACE_STUBS
# define __jr_socket(...) JR_TRACED (socket, __VA_ARGS__)
# define __jr_bind(...) JR_TRACED (bind, __VA_ARGS__)
# define __jr_listen(...) JR_TRACED (listen, __VA_ARGS__)
# define __jr_accept(...) JR_TRACED (accept, __VA_ARGS__)
# define __jr_accept4(...) JR_TRACED (accept4, __VA_ARGS__)
# define __jr_connect(...) JR_TRACED (connect, __VA_ARGS__)
# define __jr_getsockname(...) JR_TRACED (getsockname, __VA_ARGS__)
# define __jr_getpeername(...) JR_TRACED (getpeername, __VA_ARGS__)
# define __jr_getsockopt(...) JR_TRACED (getsockopt, __VA_ARGS__)
# define __jr_setsockopt(...) JR_TRACED (setsockopt, __VA_ARGS__)
# define __jr_shutdown(...) JR_TRACED (shutdown, __VA_ARGS__)
# define __jr_send(...) JR_TRACED (send, __VA_ARGS__)
# define __jr_sendto(...) JR_TRACED (sendto, __VA_ARGS__)
# define __jr_sendmsg(...) JR_TRACED (sendmsg, __VA_ARGS__)
# define __jr_sendmmsg(...) JR_TRACED (sendmmsg, __VA_ARGS__)
# define __jr_recv(...) JR_TRACED (recv, __VA_ARGS__)
# define __jr_recvfrom(...) JR_TRACED (recvfrom, __VA_ARGS__)
# define __jr_recvmsg(...) JR_TRACED (recvmsg, __VA_ARGS__)
# define __jr_recvmmsg(...) JR_TRACED (recvmmsg, __VA_ARGS__)
# define __jr_read(...) JR_TRACED (read, __VA_ARGS__)
# define __jr_readv(...) JR_TRACED (readv, __VA_ARGS__)
# define __jr_write(...) JR_TRACED (write, __VA_ARGS__)
# define __jr_writev(...) JR_TRACED (writev, __VA_ARGS__)
# define __jr_sendfile(...) JR_TRACED (sendfile, __VA_ARGS__)
# define __jr_splice(...) JR_TRACED (splice, __VA_ARGS__)
# define __jr_close(...) JR_TRACED (close, __VA_ARGS__)
# define __jr_dup(...) JR_TRACED (dup, __VA_ARGS__)
# define __jr_dup2(...) JR_TRACED (dup2, __VA_ARGS__)
# define __jr_dup3(...) JR_TRACED (dup3, __VA_ARGS__)
# define __jr_ioctl(...) JR_TRACED (ioctl, __VA_ARGS__)
# define __jr_poll(...) JR_TRACED (poll, __VA_ARGS__)
# define __jr_ppoll(...) JR_TRACED (ppoll, __VA_ARGS__)
# define __jr_select(...) JR_TRACED (select, __VA_ARGS__)
# define __jr_pselect(...) JR_TRACED (pselect, __VA_ARGS__)
# define __jr_epoll_ctl(...) JR_TRACED (epoll_ctl, __VA_ARGS__)
# define __jr_epoll_wait(...) JR_TRACED (epoll_wait, __VA_ARGS__)
# define __jr_epoll_pwait(...) JR_TRACED (epoll_pwait, __VA_ARGS__)
# define __jr_epoll_pwait2(...) JR_TRACED (epoll_pwait2, __VA_ARGS__)
#endif

#endif /* jr-trace.h */
