/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's knobs by name: FreeBSD's sysctl(8) names, a table generated from codegen/spec/sysctl. A tree is the
 * configuration structs of one engine, running or yet to be made; nothing here locks.
 */
#ifndef JR_SYSCTL_H
#define JR_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jr_sysctl_stacks.h"
#include "sysctl/key.h"

enum jr_sysctl_type {
    JR_SYSCTL_U32,
    JR_SYSCTL_FLAG, /* a uint32_t that is 0 or 1 */
    JR_SYSCTL_POW2, /* a uint32_t that is a power of two */
    JR_SYSCTL_U16,
    JR_SYSCTL_U8,
    JR_SYSCTL_WORD, /* char[JR_SYSCTL_WORD_BYTES], one of choices */
    JR_SYSCTL_KEY,  /* struct jr_sysctl_key: 32 hexadecimal digits, which nobody can read back */
};
enum { JR_SYSCTL_WORD_BYTES = 16, JR_SYSCTL_WHY_BYTES = 160 };

struct jr_sysctl {
    const char *name, *help;
    const char *unit; /* "" when it has none */
    enum jr_sysctl_type type;
    enum jr_sysctl_stack stack;
    size_t offset; /* in the stack's configuration struct */
    uint32_t min, max;
    const char *def;            /* as text */
    const char *const *choices; /* of a word, NULL behind the last */
    const char *at_most;        /* the knob whose value this one must not exceed; NULL: none */
    bool boot;                  /* read when the engine is made */
};
extern const struct jr_sysctl jr_sysctls[];
extern const unsigned jr_sysctl_count;

struct jr_sysctl_tree {
    void *at[JR_SYSCTL__STACKS]; /* the configuration struct of each stack */
};

/* NULL: there is none. */
const struct jr_sysctl *jr_sysctl_find(const char *name);
/* The value as text; at most JR_SYSCTL_WORD_BYTES with the NUL. Of a key only whether there is one: "set" or "". */
void jr_sysctl_get(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, char out[JR_SYSCTL_WORD_BYTES]);
/* Sets it to what text says: a number, or one of the choices; a flag also takes true and false. 0, -EINVAL or -ERANGE
 * with the reason in why. */
int jr_sysctl_set(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, const char *text,
                  char why[JR_SYSCTL_WHY_BYTES]);
/* The same in a running engine: -EPERM when it is too late for this knob, -ERANGE when it would exceed its at_most or
 * another that must not exceed it would. The value stays as it was then. */
int jr_sysctl_set_live(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, const char *text,
                       char why[JR_SYSCTL_WHY_BYTES]);
/* The first knob that exceeds its at_most, or NULL. */
const struct jr_sysctl *jr_sysctl_conflict(const struct jr_sysctl_tree *tree);

#endif
