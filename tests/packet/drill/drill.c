/* SPDX-License-Identifier: BSD-3-Clause */
/* drill: runs scripts in packetdrill's language against the engine in this process. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

static const char usage[] = "usage: drill [--strict] [--verbose] [--parse] SCRIPT...\n"
                            "  --strict   packets that are left at the end are an error\n"
                            "  --parse    read the scripts only\n"
                            "exit status: 0 passed, 1 failed, 2 bad script\n";

static char *read_file(const char *name)
{
    FILE *f = fopen(name, "r");
    char *buf;
    size_t n;

    if (!f) {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
        exit(DRILL_EXIT_BAD_SCRIPT);
    }
    buf = drill_alloc(1 << 20);
    n = fread(buf, 1, (1 << 20) - 1, f);
    buf[n] = 0;
    fclose(f);
    return buf;
}

struct args {
    int strict, verbose, parse;
};

static bool run_file(const char *name, const struct args *a)
{
    static struct script s;
    struct backend *be;

    script_parse(&s, name, read_file(name));
    if (a->parse)
        return true;
    be = engine_new(&s.opt);
    return run_script(&s, be, a->strict, a->verbose);
}

int main(int argc, char **argv)
{
    struct args a = {0};
    const struct option opts[] = {{"strict", no_argument, &a.strict, 1},
                                  {"verbose", no_argument, &a.verbose, 1},
                                  {"parse", no_argument, &a.parse, 1},
                                  {0}};
    int failed = 0;

    while (getopt_long(argc, argv, "", opts, NULL) != -1)
        if (optopt) {
            fputs(usage, stderr);
            return DRILL_EXIT_BAD_SCRIPT;
        }
    if (optind == argc) {
        fputs(usage, stderr);
        return DRILL_EXIT_BAD_SCRIPT;
    }
    for (int i = optind; i < argc; i++)
        failed |= !run_file(argv[i], &a);
    return failed ? DRILL_EXIT_FAILED : 0;
}
