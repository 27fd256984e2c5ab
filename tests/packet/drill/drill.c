/* SPDX-License-Identifier: BSD-3-Clause */
/* drill: runs scripts in packetdrill's language against the engine in this process, or against the Linux kernel. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

static const char usage[] = "usage: drill [--kernel] [--strict] [--verbose] [--parse] SCRIPT...\n"
                            "  --kernel   against the Linux kernel, in a network namespace of its own (needs root)\n"
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

enum { KERNEL_TOLERANCE_US = 150000 }; /* its clock is real, and the machine may have other work */

struct args {
    int kernel, strict, verbose, parse;
};

static bool run_file(const char *name, const struct args *a)
{
    static struct script s;
    struct backend *be;
    char why[600];

    script_parse(&s, name, read_file(name));
    if (a->kernel && s.opt.tolerance_us < KERNEL_TOLERANCE_US)
        s.opt.tolerance_us = KERNEL_TOLERANCE_US;
    s.opt.any_push = a->kernel;
    if (a->parse)
        return true;
    be = a->kernel ? kernel_new(&s.opt, why, sizeof why) : engine_new(&s.opt);
    if (!be) {
        fprintf(stderr, "%s\n", why);
        exit(DRILL_EXIT_FAILED);
    }
    return run_script(&s, be, a->strict, a->verbose);
}

int main(int argc, char **argv)
{
    struct args a = {0};
    const struct option opts[] = {{"kernel", no_argument, &a.kernel, 1},
                                  {"strict", no_argument, &a.strict, 1},
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
