/* SPDX-License-Identifier: BSD-3-Clause */
/* The cases of procs/raw.c with system calls that libc does not see, and what only such calls can do. */
#include "diff.h"

static long inlined(long number, ...)
{
    long a[6], r;
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (r < 0 && r > -4096) {
        errno = -r;
        return -1;
    }
    return r;
}

#define syscall inlined
#include "../procs/raw.c"

/* ---- signals: the calls about them are about the program, not about the handler that makes them ---- */

static volatile int handled;
static void count(int sig)
{
    (void)sig;
    handled++;
}

CASE(masks)
{
    uint64_t usr1 = 1ull << (SIGUSR1 - 1), all = ~0ull, old = 0, none = 0;
    signal(SIGUSR1, count);
    SAY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &usr1, &old, 8));
    SAY(!!(old & usr1));
    raise(SIGUSR1);
    SAY(handled);
    SAY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, &old, 8));
    SAY(!!(old & usr1));
    SAY(handled);
    SAY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
    int fd = raw_dial(ECHO);
    SAY(echoes(fd));
    SAY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8));
    SAY(syscall(SYS_rt_sigprocmask, 77, &none, NULL, 8));
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SAY(syscall(SYS_write, fd, "x", 1));
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    SAY(syscall(SYS_getppid) == getppid());
}

struct kernel_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};
void own_restorer(void);
__asm__("own_restorer: mov $15, %rax\n syscall\n");

static int handler_fd;
static void raw_handler(int sig)
{
    (void)sig;
    char c;
    if (syscall(SYS_write, handler_fd, "h", 1) == 1 && syscall(SYS_read, handler_fd, &c, 1) == 1 && c == 'h')
        handled++;
}

CASE(handlers_of_its_own)
{
    struct kernel_action act = {raw_handler, 0x04000000, own_restorer, ~0ull}, old;
    handler_fd = raw_dial(ECHO);
    SAY(syscall(SYS_rt_sigaction, SIGUSR2, &act, NULL, 8));
    SAY(syscall(SYS_rt_sigaction, SIGUSR2, NULL, &old, 8));
    SAY(old.handler == raw_handler);
    for (int i = 0; i < 5; i++)
        syscall(SYS_kill, getpid(), SIGUSR2);
    SAY(handled);
    SAY(syscall(SYS_rt_sigaction, SIGSYS, &act, &old, 8));
    SAY(old.handler == SIG_DFL);
    SAY(syscall(SYS_rt_sigaction, SIGSYS, NULL, &old, 8));
    SAY(old.handler == raw_handler);
    raise(SIGSYS);
    SAY(handled);
    SAY(echoes(handler_fd));
}

static char alt[1 << 16];
static volatile int on_alt;
static void where(int sig)
{
    char here;
    (void)sig;
    on_alt = &here > alt && &here < alt + sizeof alt;
    int fd = raw_dial(ECHO);
    handled += echoes(fd);
    close(fd);
}

CASE(alternate_stack)
{
    stack_t new = {.ss_sp = alt, .ss_size = sizeof alt}, old;
    SAY(syscall(SYS_sigaltstack, &new, NULL));
    SAY(syscall(SYS_sigaltstack, NULL, &old));
    SAY(old.ss_sp == alt);
    struct sigaction sa = {.sa_handler = where, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    SAY(on_alt);
    SAY(handled);
    new.ss_flags = SS_DISABLE;
    SAY(syscall(SYS_sigaltstack, &new, NULL));
    raise(SIGUSR1);
    SAY(on_alt);
}

CASE(interrupted)
{
    int fd = raw_dial(SILENT);
    char c;
    struct sigaction sa = {.sa_handler = count};
    struct itimerval it = {.it_value.tv_usec = 30000};
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
    SAY(syscall(SYS_read, fd, &c, 1));
    setitimer(ITIMER_REAL, &it, NULL);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    SAY(syscall(SYS_poll, &p, 1, 3000));
    SAY(handled);
}

CASE(its_own_name)
{
    char by_libc[256] = "", without[256] = "", at[256] = "";
    readlink("/proc/self/exe", by_libc, sizeof by_libc - 1);
    SAY(syscall(SYS_readlink, "/proc/self/exe", without, sizeof without - 1) > 0);
    SAY(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", at, sizeof at - 1) > 0);
    SAY(strcmp(by_libc, without) == 0 && strcmp(by_libc, at) == 0);
    SAY(strcmp(strrchr(without, '/'), "/inline"));
    SAY(syscall(SYS_readlink, "/nowhere", at, sizeof at));
}

CASE(traced)
{
    pid_t pid = syscall(SYS_fork);
    if (pid == 0) {
        syscall(SYS_ptrace, 0, 0, 0, 0); /* PTRACE_TRACEME */
        syscall(SYS_getppid);
        syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
        syscall(SYS_exit_group, 7);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    say("stopped by %s", sigabbrev_np(WSTOPSIG(status)));
    kill(pid, SIGKILL);
    reap("killed", pid);
}

/* ---- threads and processes ---- */

int executed(int argc, char **argv)
{
    char c = 0;
    int fd = atoi(argv[1]);
    say("new program, %d", argc);
    SAY(syscall(SYS_write, fd, "n", 1));
    SAY(syscall(SYS_read, fd, &c, 1));
    return 0;
}

CASE(executed_with_another_environment)
{
    int fd = raw_dial(ECHO);
    char number[12], *none[] = {NULL};
    snprintf(number, sizeof number, "%d", fd);
    char *argv[] = {(char *)self_path,
                    (char *)self_path,
                    (char *)host_ip,
                    (char *)peer_ip,
                    "exec",
                    (char *)case_name,
                    number,
                    NULL};
    syscall(SYS_execve, self_path, argv, none);
}

static void *in_a_thread(void *arg)
{
    int fd = raw_dial(ECHO);
    char c = 0;
    SAY(syscall(SYS_write, fd, "t", 1));
    SAY(syscall(SYS_read, fd, &c, 1));
    SAY(syscall(SYS_close, fd));
    return arg;
}

CASE(threads)
{
    for (int i = 0; i < 3; i++) {
        pthread_t t;
        pthread_create(&t, NULL, in_a_thread, NULL);
        pthread_join(t, NULL);
    }
}

/* The child, on the same stack, ends at once. */
static pid_t vforked(long number, long flags)
{
    long r;
    __asm__ volatile("syscall\n"
                     "test %%rax, %%rax\n"
                     "jnz 1f\n"
                     "mov $60, %%eax\n"
                     "mov $3, %%edi\n"
                     "syscall\n"
                     "1:"
                     : "=a"(r), "+D"(flags)
                     : "a"(number), "S"(0), "d"(0)
                     : "rcx", "r11", "r10", "r8", "memory");
    return r;
}

CASE(children_of_all_kinds)
{
    int fd = raw_dial(ECHO);
    char c;
    pid_t pid = fork();
    if (pid == 0) {
        SAY(syscall(SYS_write, fd, "f", 1));
        SAY(syscall(SYS_read, fd, &c, 1));
        syscall(SYS_exit_group, 0);
    }
    reap("fork", pid);
    reap("vfork", vforked(SYS_vfork, 0));
    reap("clone", vforked(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD));
    pid = syscall(SYS_fork);
    if (pid == 0) {
        char *argv[] = {"sh", "-c", "exit 5", NULL}, *env[] = {NULL};
        syscall(SYS_execve, "/bin/sh", argv, env);
        syscall(SYS_exit, 9);
    }
    reap("execve", pid);
    SAY(syscall(SYS_write, fd, "p", 1));
    SAY(syscall(SYS_read, fd, &c, 1));
}

static volatile int bare;
static int bare_main(void *arg)
{
    (void)arg;
    bare = syscall(SYS_getpid);
    syscall(SYS_exit, 0);
    return 0;
}

/* As a run-time system of its own makes threads. */
CASE(a_bare_thread)
{
    size_t size = 1 << 16;
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void **top = (void **)(stack + size - 64);
    /* clone by hand: the child finds its function on its stack */
    top[0] = (void *)bare_main;
    long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, tid;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall\n"
                     "test %%rax, %%rax\n"
                     "jnz 1f\n"
                     "pop %%rax\n"
                     "xor %%edi, %%edi\n"
                     "call *%%rax\n"
                     "hlt\n"
                     "1:"
                     : "=a"(tid)
                     : "a"(SYS_clone), "D"(flags), "S"(top), "d"(0), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    SAY(tid > 0);
    while (!bare)
        sched_yield();
    SAY(bare == getpid());
    int fd = raw_dial(ECHO);
    SAY(echoes(fd));
}
