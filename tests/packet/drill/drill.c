/* SPDX-License-Identifier: BSD-3-Clause */
/* drill: runs scripts in packetdrill's language against the engine in this process, or against the Linux kernel. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

static const char usage[] =
    "usage: drill [--kernel] [--strict] [--verbose] [--parse] [-D NAME[=VALUE]] [--OPTION=VALUE] SCRIPT...\n"
    "  --kernel   against the Linux kernel, in a network namespace of its own (needs root)\n"
    "  --strict   packets that are left at the end are an error\n"
    "  --parse    read the scripts only\n"
    "  -D         stands for VALUE wherever the script says NAME\n"
    "  --OPTION   as at the top of a script, where the script itself says nothing: ip_version, mtu, local_ip, ...\n"
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
    struct options opt;
    struct {
        const char *name, *value;
        size_t len;
    } defines[32];
    unsigned ndefines;
    int kernel, strict, verbose, parse;
};

static bool is_name(char c) { return isalnum((unsigned char)c) || c == '_'; }

static const char *define_at(const struct args *a, const char *p, size_t *len)
{
    for (unsigned i = 0; i < a->ndefines; i++) {
        *len = a->defines[i].len;
        if (strncmp(p, a->defines[i].name, *len) == 0 && !is_name(p[*len]))
            return a->defines[i].value;
    }
    return NULL;
}

static bool is_defined(const struct args *a, const char *name)
{
    size_t len;

    name += strspn(name, " \t");
    return (strncmp(name, "FreeBSD", 7) == 0 && !is_name(name[7])) || define_at(a, name, &len);
}

/* Takes out what #ifdef, #ifndef and #else exclude; line numbers stay. The engine is FreeBSD's sort. */
static void conditions(char *text, const struct args *a)
{
    bool on[16] = {true};
    unsigned depth = 0;

    for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const bool negative = strncmp(p, "#ifndef ", 8) == 0;
        if ((negative || strncmp(p, "#ifdef ", 7) == 0) && depth < 15) {
            const bool is = is_defined(a, p + 7);
            on[depth + 1] = on[depth] && is != negative;
            depth++;
        } else if (strncmp(p, "#else", 5) == 0 && depth) {
            on[depth] = on[depth - 1] && !on[depth];
        } else if (strncmp(p, "#endif", 6) == 0 && depth) {
            depth--;
        } else if (!on[depth]) {
            memset(p, ' ', strcspn(p, "\n"));
        }
    }
}

/* The text with the names of -D replaced. */
static const char *with_defines(char *text, const struct args *a)
{
    char *out, *to;
    const char *value;
    size_t len;

    conditions(text, a);
    if (a->ndefines == 0)
        return text;
    to = out = drill_alloc(2 * strlen(text) + 65536);
    for (const char *p = text; *p;) {
        if ((p == text || !is_name(p[-1])) && (value = define_at(a, p, &len))) {
            to = stpcpy(to, value);
            p += len;
        } else {
            *to++ = *p++;
        }
    }
    return out;
}

static bool define(struct args *a, const char *text)
{
    const char *eq = strchr(text, '=');

    if (!*text || a->ndefines == sizeof a->defines / sizeof *a->defines)
        return false;
    a->defines[a->ndefines].name = text;
    a->defines[a->ndefines].len = eq ? (size_t)(eq - text) : strlen(text);
    a->defines[a->ndefines++].value = eq ? eq + 1 : "1";
    return true;
}

/* One word of the command line that begins with a dash; false: none of ours. */
static bool take_arg(struct args *a, const char *arg, const char *next, bool *took_next)
{
    static const struct {
        const char *name;
        size_t at;
    } flags[] = {{"--kernel", offsetof(struct args, kernel)},
                 {"--strict", offsetof(struct args, strict)},
                 {"--verbose", offsetof(struct args, verbose)},
                 {"--parse", offsetof(struct args, parse)}};
    const char *eq = strchr(arg, '=');

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(arg, flags[i].name) == 0) {
            *(int *)((char *)a + flags[i].at) = 1;
            return true;
        }
    }
    if (strncmp(arg, "-D", 2) == 0) {
        *took_next = !arg[2];
        return define(a, arg[2] ? arg + 2 : next ? next : "");
    }
    return strncmp(arg, "--", 2) == 0 &&
           options_set(&a->opt, drill_strndup(arg + 2, eq ? (size_t)(eq - arg) - 2 : strlen(arg + 2)),
                       eq ? eq + 1 : "");
}

static bool run_file(const char *name, const struct args *a)
{
    static struct script s;
    struct backend *be;
    char why[600];

    script_parse(&s, name, with_defines(read_file(name), a), &a->opt);
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
    static struct args a;
    int failed = 0, i = 1;

    options_init(&a.opt);
    for (; i < argc && argv[i][0] == '-'; i++) {
        bool took_next = false;
        if (!take_arg(&a, argv[i], argv[i + 1], &took_next)) {
            fputs(usage, stderr);
            return DRILL_EXIT_BAD_SCRIPT;
        }
        i += took_next;
    }
    if (i >= argc) {
        fputs(usage, stderr);
        return DRILL_EXIT_BAD_SCRIPT;
    }
    for (; i < argc; i++)
        failed |= !run_file(argv[i], &a);
    return failed ? DRILL_EXIT_FAILED : 0;
}
