/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /opt/stock/ld.so: starts a program on the distribution's libc where Joyride's is the system's. The distribution's
 * loader does not look for libc.so.6 beside itself, so it is told where; the environment is left alone, and children
 * are on the system's libc again. Static, so that it works whatever state the system's libc is in.
 */
#include "raw.h"

#define LOADER "/lib/ld-linux-x86-64.so.2"
#define LIBRARIES "/lib"

/* This program's folder into buf, which has room for size bytes and what is appended to it; its length, 0: unknown. */
static unsigned long own_dir(char *buf, unsigned long size)
{
    long n = raw_call(__NR_readlink, (long)"/proc/self/exe", (long)buf, (long)size);
    while (n > 0 && buf[n - 1] != '/')
        n--;
    return n > 0 ? (unsigned long)n - 1 : 0;
}

static void append(char *at, const char *s)
{
    while ((*at++ = *s++))
        ;
}

int raw_main(long argc, char **argv, char **envp)
{
    char loader[4096 + sizeof LOADER], libraries[4096 + sizeof LIBRARIES];
    unsigned long len = own_dir(loader, 4096);
    if (len == 0) { /* no /proc */
        append(loader, "/opt/stock");
        len = raw_strlen(loader);
    }
    loader[len] = 0;
    append(libraries, loader);
    append(libraries + len, LIBRARIES);
    append(loader + len, LOADER);

    char *args[argc + 3];
    args[0] = argc ? argv[0] : loader;
    args[1] = "--library-path";
    args[2] = libraries;
    for (long i = 1; i <= argc; i++)
        args[i + 2] = i < argc ? argv[i] : 0;
    if (argc < 2)
        args[3] = 0;
    raw_call(__NR_execve, (long)loader, (long)args, (long)envp);
    raw_say("ld.so: cannot execute ");
    raw_say(loader);
    raw_say(": the distribution's libc is not set aside here\n");
    return 127;
}
