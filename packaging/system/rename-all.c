/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rename-all FROM TO [FROM TO]...: renames every FROM over its TO, at once as far as can be. All or none: each TO is
 * kept under the name TO~ until all is done. ld.so and libc.so.6 are two files; a program that is started between two
 * renames by mv(1) gets one of each kind, and mv itself would be one.
 */
#include "raw.h"

#define NAME_SIZE 4096
#define PAIRS 8

static char kept[PAIRS][NAME_SIZE];

static int complain(const char *what, const char *name)
{
    raw_say("rename-all: ");
    raw_say(what);
    raw_say(" ");
    raw_say(name);
    raw_say("\n");
    return 1;
}

static int keep(long i, const char *to)
{
    unsigned long n = raw_strlen(to);
    if (n + 2 > NAME_SIZE)
        return complain("too long:", to);
    for (unsigned long k = 0; k < n; k++)
        kept[i][k] = to[k];
    kept[i][n] = '~';
    raw_call(__NR_unlink, (long)kept[i], 0, 0);
    return raw_call(__NR_link, (long)to, (long)kept[i], 0) < 0 ? complain("cannot keep", to) : 0;
}

int raw_main(long argc, char **argv, char **envp)
{
    (void)envp;
    long pairs = (argc - 1) / 2, done = 0;
    if (argc < 3 || argc % 2 == 0 || pairs > PAIRS)
        return complain("usage: rename-all FROM TO [FROM TO]...", "");
    int failed = 0;
    for (long i = 0; i < pairs && !failed; i++)
        failed = keep(i, argv[2 + 2 * i]);
    while (!failed && done < pairs) {
        if (raw_call(__NR_rename, (long)argv[1 + 2 * done], (long)argv[2 + 2 * done], 0) < 0)
            failed = complain("cannot rename", argv[1 + 2 * done]);
        else
            done++;
    }
    while (failed && done > 0) {
        done--;
        raw_call(__NR_rename, (long)kept[done], (long)argv[2 + 2 * done], 0);
    }
    for (long i = 0; i < pairs; i++)
        if (kept[i][0])
            raw_call(__NR_unlink, (long)kept[i], 0, 0);
    return failed;
}
