/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that must run while the system's libc is being changed: no libc, system calls only (x86-64 Linux). */
#ifndef JR_RAW_H
#define JR_RAW_H

#include <asm/unistd.h>

static inline long raw_call(long nr, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static inline unsigned long raw_strlen(const char *s)
{
    unsigned long n = 0;
    while (s[n])
        n++;
    return n;
}

static inline void raw_say(const char *s) { raw_call(__NR_write, 2, (long)s, (long)raw_strlen(s)); }

_Noreturn static inline void raw_exit(int code)
{
    for (;;)
        raw_call(__NR_exit_group, code, 0, 0);
}

/* The kernel starts a program with its argument count, arguments and environment on the stack. */
int raw_main(long argc, char **argv, char **envp);

__attribute__((used)) _Noreturn void raw_start(long *stack)
{
    char **argv = (char **)(stack + 1);
    raw_exit(raw_main(stack[0], argv, argv + stack[0] + 1));
}

__asm__(".globl _start\n.type _start, @function\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call "
        "raw_start\n");

#endif
