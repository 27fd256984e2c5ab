/* syscall: where there are Joyride sockets, the client looks at it.
   SPDX-License-Identifier: LGPL-2.1-or-later

   Programs make calls this way that older C libraries lack (accept4,
   sendmmsg, close_range) or to avoid cancellation (libuv closes with it).
   The function is variadic: the registers and the stack can be handed on as
   they are.  */

#include <sysdep.h>

	.text
ENTRY (syscall)
#if IS_IN (libc) && defined SHARED
	cmpl $0, __jr_fd_limit(%rip)
	jne __jr_syscall
	cmpq $__NR_socket, %rdi
	je __jr_syscall
	cmpq $__NR_epoll_create1, %rdi
	je __jr_syscall
	cmpq $__NR_epoll_create, %rdi
	je __jr_syscall
	cmpq $__NR_io_uring_setup, %rdi
	je __jr_syscall
	cmpq $__NR_pidfd_getfd, %rdi
	je __jr_syscall
#endif
	movq %rdi, %rax		/* Syscall number -> rax.  */
	movq %rsi, %rdi		/* Shift arg1 - arg5.  */
	movq %rdx, %rsi
	movq %rcx, %rdx
	movq %r8, %r10
	movq %r9, %r8
	movq 8(%rsp),%r9	/* arg6 is on the stack.  */
	syscall
	cmpq $-4095, %rax
	jae SYSCALL_ERROR_LABEL
	ret
PSEUDO_END (syscall)
