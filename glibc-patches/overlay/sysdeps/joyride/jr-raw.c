/* Raw mode (JOYRIDE_RAW=1, joyride run --raw): Syscall User Dispatch turns
   every system call made outside libc's text into a SIGSYS, and the handler
   makes the call here, where Joyride's sockets are known.  For programs that
   are dynamically linked but have system calls of their own: Go with cgo.
   SPDX-License-Identifier: LGPL-2.1-or-later

   libc's own calls come from its text, which the kernel lets pass, so they
   cost nothing.  The handler does not block SIGSYS and may sleep: to the
   program it is the system call, which other signals interrupt.

   Calls about signals are about the frame that the handler returns to.
   SIGSYS must never be blocked, else the kernel kills the program: it is
   taken out of all masks, and the program's own handler is remembered only.

   A thread that the program makes by clone has no thread control block of
   libc's: its calls go to the kernel as they are.  */

#include <jr-hook.h>
#include <jr-raw.h>
#include <clone3.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sysdep.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
# define PR_SET_SYSCALL_USER_DISPATCH 59
# define PR_SYS_DISPATCH_OFF 0
# define PR_SYS_DISPATCH_ON 1
#endif
#ifndef SYS_USER_DISPATCH
# define SYS_USER_DISPATCH 2
#endif

#define MASK_BYTES 8		/* the kernel's sigset_t */
#define SIGSYS_BIT (1ull << (SIGSYS - 1))

bool __jr_raw_on;
static struct jr_ksigaction theirs;	/* the program's own for SIGSYS */

extern const char __ehdr_start[] attribute_hidden;
extern const char etext[] attribute_hidden;

/* As glibc's own, which only its file can name: unwinders and debuggers know
   the frame of a signal by these instructions.  */
extern void jr_restore_rt (void) attribute_hidden;
asm (".pushsection .text\n"
     "	nop\n"
     ".align 16\n"
     ".type jr_restore_rt, @function\n"
     "jr_restore_rt:\n"
     "	movq $15, %rax\n"
     "	syscall\n"
     ".size jr_restore_rt, . - jr_restore_rt\n"
     ".popsection\n");

/* A system call that goes back over the red zone to where RIP was.  */
#define RED_ZONE 128
extern void jr_raw_here (void) attribute_hidden;
asm (".pushsection .text\n"
     ".type jr_raw_here, @function\n"
     "jr_raw_here:\n"
     "	syscall\n"
     "	ret $128\n"
     ".size jr_raw_here, . - jr_raw_here\n"
     ".popsection\n");

/* ---- signals ---- */

static long int
procmask (ucontext_t *uc, const long int *a)
{
  uint64_t *mask = (uint64_t *) &uc->uc_sigmask, old = *mask;
  const uint64_t *set = (const uint64_t *) a[1];
  if (a[3] != MASK_BYTES)
    return -EINVAL;
  if (set != NULL)
    switch (a[0])
      {
      case SIG_BLOCK:
	*mask |= *set;
	break;
      case SIG_UNBLOCK:
	*mask &= ~*set;
	break;
      case SIG_SETMASK:
	*mask = *set;
	break;
      default:
	return -EINVAL;
      }
  *mask &= ~SIGSYS_BIT;
  if (a[2] != 0)
    *(uint64_t *) a[2] = old;
  return 0;
}

long int
__jr_raw_sigaction (int sig, const struct jr_ksigaction *act,
		    struct jr_ksigaction *old)
{
  struct jr_ksigaction copy;
  if (sig == SIGSYS)
    {
      copy = theirs;
      if (act != NULL)
	theirs = *act;
      if (old != NULL)
	*old = copy;
      return 0;
    }
  if (act != NULL)
    {
      copy = *act;
      copy.mask &= ~SIGSYS_BIT;
    }
  return INTERNAL_SYSCALL_CALL (rt_sigaction, sig, act != NULL ? &copy : NULL, old,
				MASK_BYTES);
}

static long int
sigaction_call (const long int *a)
{
  if (a[3] != MASK_BYTES)
    return -EINVAL;
  return __jr_raw_sigaction (a[0], (const struct jr_ksigaction *) a[1],
			     (struct jr_ksigaction *) a[2]);
}

/* ---- new threads and processes ---- */

/* What the child of a clone with a stack of its own begins with: registers,
   then where it goes on.  */
enum { FRAME_REGS = 12 };
static const uint8_t frame_regs[FRAME_REGS] = {
  REG_RBX, REG_RBP, REG_R12, REG_R13, REG_R14, REG_R15,
  REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9
};

/* long jr_raw_clone (long number, const long args[5])  */
asm (".pushsection .text\n"
     ".type jr_raw_clone, @function\n"
     "jr_raw_clone:\n"
     "	movq %rdi, %rax\n"
     "	movq %rsi, %r11\n"
     "	movq 0(%r11), %rdi\n"
     "	movq 8(%r11), %rsi\n"
     "	movq 16(%r11), %rdx\n"
     "	movq 24(%r11), %r10\n"
     "	movq 32(%r11), %r8\n"
     "	syscall\n"
     "	testq %rax, %rax\n"
     "	jz 1f\n"
     "	ret\n"
     "1:	popq %rbx\n"
     "	popq %rbp\n"
     "	popq %r12\n"
     "	popq %r13\n"
     "	popq %r14\n"
     "	popq %r15\n"
     "	popq %rdi\n"
     "	popq %rsi\n"
     "	popq %rdx\n"
     "	popq %r10\n"
     "	popq %r8\n"
     "	popq %r9\n"
     "	ret\n"
     ".size jr_raw_clone, . - jr_raw_clone\n"
     ".popsection\n");
extern long int jr_raw_clone (long int number, const long int *args)
  attribute_hidden;

static uintptr_t
prepare_stack (const ucontext_t *uc, uintptr_t top)
{
  greg_t *frame = (greg_t *) top - (FRAME_REGS + 1);
  for (int i = 0; i < FRAME_REGS; i++)
    frame[i] = uc->uc_mcontext.gregs[frame_regs[i]];
  frame[FRAME_REGS] = uc->uc_mcontext.gregs[REG_RIP];
  return (uintptr_t) frame;
}

static long int
forked (long int number, const long int *a)
{
  long int r = __jr_raw_call (number, a);
  if (r == 0)
    __jr_raw_thread ();
  return r;
}

static long int
clone_call (const ucontext_t *uc, const long int *a)
{
  long int copy[6];
  memcpy (copy, a, sizeof copy);
  if (a[1] != 0)
    {
      copy[1] = prepare_stack (uc, a[1]);
      return jr_raw_clone (__NR_clone, copy);
    }
  /* On the stack of the handler there is room for one only: what would have
     been a vfork is a fork.  */
  copy[0] &= ~(long int) CLONE_VM;
  return forked (__NR_clone, copy);
}

static long int
clone3_call (const ucontext_t *uc, const long int *a)
{
  struct
  {
    struct clone_args args;
    char more[64];
  } copy;
  size_t size = a[1];
  if (size < sizeof copy.args || size > sizeof copy)
    return INTERNAL_SYSCALL_CALL (clone3, a[0], a[1]);
  memcpy (&copy, (const void *) a[0], size);
  long int args[6] = { (long int) &copy, size };
  if (copy.args.stack == 0)
    {
      copy.args.flags &= ~(uint64_t) CLONE_VM;
      return forked (__NR_clone3, args);
    }
  uintptr_t top = copy.args.stack + copy.args.stack_size;
  copy.args.stack_size -= top - prepare_stack (uc, top);
  return jr_raw_clone (__NR_clone3, args);
}

/* ---- the handler ---- */

static long int
result_of (long int r)
{
  return r < 0 ? -errno : r;
}

static void
switch_off (void)
{
  INTERNAL_SYSCALL_CALL (prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF,
			 0, 0, 0);
}

static long int
dispatch (ucontext_t *uc, long int number, const long int *a)
{
  switch (number)
    {
    case __NR_rt_sigprocmask:
      return procmask (uc, a);
    case __NR_rt_sigaction:
      return sigaction_call (a);
    case __NR_clone:
      return clone_call (uc, a);
    case __NR_clone3:
      return clone3_call (uc, a);
    case __NR_fork:
    case __NR_vfork:
      return forked (__NR_fork, a);
    case __NR_execve:
      return result_of (__execve ((const char *) a[0], (char *const *) a[1],
				  (char *const *) a[2]));
    case __NR_readlink:
      return result_of (__readlink ((const char *) a[0], (char *) a[1], a[2]));
    case __NR_readlinkat:
      return result_of (readlinkat (a[0], (const char *) a[1], (char *) a[2], a[3]));
    case __NR_ptrace:
      /* Its tracer would see the signals.  */
      if (a[0] == PTRACE_TRACEME)
	switch_off ();
      return __jr_raw_call (number, a);
    default:
      return __jr_raw_call (number, a);
    }
}

/* A SIGSYS that has another reason.  */
static void
not_ours (int sig, siginfo_t *info, void *context)
{
  void (*handler) (int, siginfo_t *, void *) = theirs.handler;
  if (theirs.handler == SIG_IGN)
    return;
  if (theirs.handler != SIG_DFL)
    {
      handler (sig, info, context);
      return;
    }
  struct jr_ksigaction dfl;
  memset (&dfl, 0, sizeof dfl);
  INTERNAL_SYSCALL_CALL (rt_sigaction, SIGSYS, &dfl, NULL, MASK_BYTES);
  raise (SIGSYS);
}

static void
on_sigsys (int sig, siginfo_t *info, void *context)
{
  ucontext_t *uc = context;
  greg_t *g = uc->uc_mcontext.gregs;
  if (info->si_code != SYS_USER_DISPATCH)
    {
      not_ours (sig, info, context);
      return;
    }
  long int number = info->si_syscall;
  if (number == __NR_rt_sigreturn)
    {
      /* Again, from where it is allowed.  */
      g[REG_RIP] = (greg_t) &jr_restore_rt;
      return;
    }
  if (number == __NR_sigaltstack)
    {
      /* Not while on that stack, as the handler may be.  */
      greg_t *sp = (greg_t *) (g[REG_RSP] - RED_ZONE) - 1;
      *sp = g[REG_RIP];
      g[REG_RSP] = (greg_t) sp;
      g[REG_RIP] = (greg_t) &jr_raw_here;
      return;
    }
  int error = errno;
  long int a[6] = { g[REG_RDI], g[REG_RSI], g[REG_RDX], g[REG_R10], g[REG_R8], g[REG_R9] };
  g[REG_RAX] = dispatch (uc, number, a);
  g[REG_RCX] = g[REG_RIP];
  g[REG_R11] = g[REG_EFL];
  __set_errno (error);
}

/* ---- switching it on ---- */

void
__jr_raw_thread (void)
{
  if (__jr_raw_on)
    INTERNAL_SYSCALL_CALL (prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
			   __ehdr_start, etext - __ehdr_start, NULL);
}

bool
__jr_raw_wanted (char **envp)
{
  if (__libc_enable_secure)
    return false;
  if (__jr_raw_mode)
    return true;		/* told by who executed this */
  for (; envp != NULL && *envp != NULL; envp++)
    if (strcmp (*envp, "JOYRIDE_RAW=1") == 0)
      return true;
  return false;
}

void
__jr_raw_start (char **envp)
{
  struct jr_ksigaction act;
  uint64_t bit = SIGSYS_BIT;
  if (!__jr_raw_wanted (envp))
    return;
  memset (&act, 0, sizeof act);
  act.handler = on_sigsys;
  /* On the alternate stack: that of a goroutine is too small.  */
  act.flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | 0x04000000 /* SA_RESTORER */;
  act.restorer = &jr_restore_rt;
  if (INTERNAL_SYSCALL_CALL (rt_sigaction, SIGSYS, &act, NULL, MASK_BYTES) != 0)
    return;
  INTERNAL_SYSCALL_CALL (rt_sigprocmask, SIG_UNBLOCK, &bit, NULL, MASK_BYTES);
  __jr_raw_on = __jr_raw_mode = true;
  __jr_raw_thread ();
}
